"""A loop whose condition is known only when a compiled function runs: then the host runs it, on values."""

from collections.abc import Callable
from typing import Any, NoReturn

from pullback import _core
from pullback._callback import ShapeDtypeStruct
from pullback._core import array, closure_convert
from pullback._dtypes import INEXACT

# `loop(cond_fun, body_fun, init_val)`.
Loop = Callable[[Callable[[Any], Any], Callable[[Any], Any], Any], Any]


def deferred(
    loop: Loop, holds: Callable[..., array], step: Callable[..., tuple[array, ...]], carry: list[array]
) -> list[array]:
    """What the carry is when `holds(*carry)` holds no more, which is found out when it is asked for."""
    holds_of, kept = closure_convert(holds, *carry)
    step_of, more = closure_convert(step, *carry)
    count = len(carry)
    return list(_call(_Loop(loop, holds_of, step_of, count, count + len(kept)), *carry, *kept, *more))


class _Loop:
    """A loop over leaves: functions of the carry, and of what they captured."""

    def __init__(self, loop: Loop, holds: Callable, step: Callable, count: int, split: int):
        self.loop, self.holds, self.step = loop, holds, step
        self.count, self.split = count, split

    def __call__(self, *args: array) -> tuple[array, ...]:
        carry, kept, more = args[: self.count], args[self.count : self.split], args[self.split :]
        return self.loop(lambda c: self.holds(*c, *kept), lambda c: tuple(self.step(*c, *more)), carry)

    def pushed(self, args: tuple[array, ...], tangents: tuple[Any, ...]) -> tuple[Any, ...]:
        """The tangents of the results: the loop over pairs of a carry and its tangent."""
        floats = [i for i in range(self.count) if args[i].dtype in INEXACT]
        kept, more = args[self.count : self.split], args[self.split :]
        others = [i for i, x in enumerate(more) if x.dtype in INEXACT]
        fixed = [tangents[self.split + i] for i in others]

        def step(pair: tuple[tuple[array, ...], tuple[array, ...]]) -> Any:
            carry, along = pair

            def of(*each: array) -> tuple[array, ...]:
                carried, captured = list(carry), list(more)
                for i, x in zip(floats, each, strict=False):
                    carried[i] = x
                for i, x in zip(others, each[len(floats) :], strict=True):
                    captured[i] = x
                return tuple(self.step(*carried, *captured))

            points = [carry[i] for i in floats] + [more[i] for i in others]
            outs, pushed = _core.jvp(of, points, [*along, *fixed])
            return tuple(outs), tuple(pushed[i] for i in floats)

        start = (args[: self.count], tuple(tangents[i] for i in floats))
        _, found = self.loop(lambda pair: self.holds(*pair[0], *kept), step, start)
        result: list[Any] = [None] * self.count
        for i, t in zip(floats, found, strict=True):
            result[i] = t
        return tuple(result)


@_core.custom_function
def _call(loop: _Loop, *args: array) -> tuple[array, ...]:
    result = tuple(ShapeDtypeStruct(x.shape, x.dtype) for x in args[: loop.count])

    def run(*given: array) -> tuple[array, ...]:
        # Maps around the call have put their axes in front of every argument.
        mapped = loop
        for _ in range(given[0].ndim - args_ndim):
            mapped = _core.vmap(mapped)
        return mapped(*given)

    args_ndim = args[0].ndim
    return _core._host_call(run, result, args, "broadcast_all")


@_call.jvp
def _(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, ...]:
    return primals[0].pushed(primals[1:], tangents[1:])


@_call.vjp
def _(primals: tuple[Any, ...], cotangents: Any, outputs: Any) -> NoReturn:
    raise _core.RuleError(
        "[while_loop] expected forward mode, got reverse-mode differentiation of while_loop under compile, "
        "where the number of steps is not known: use scan, or fori_loop with static bounds"
    )
