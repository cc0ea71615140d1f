"""`custom_jvp`, the door of JAX for forward mode; reverse mode is its transpose."""

from collections.abc import Callable
from typing import Any

from pullback.doors import zeros
from pullback.doors.ruled import Ruled
from pullback.tree import tree_leaves, tree_map


class custom_jvp(Ruled):
    """A function with a rule for forward mode, in the idiom of `jax.custom_jvp`; used in both modes.

    `defjvp(rule)` gives it: `rule(primals, tangents)` returns `(output, tangent of the output)`, and is
    linear in the tangents, so that reverse mode can be derived by transposition. Values of the arguments in
    `nondiff_argnums` or `nondiff_argnames` come first. `defjvps(*rules)` takes one rule `rule(tangent,
    output, *primals)` for each argument instead, `None` for zero.

    >>> @pb.custom_jvp
    ... def f(x, y):
    ...     return pb.sin(x) * y
    >>> f.defjvps(lambda t, out, x, y: pb.cos(x) * t * y, lambda t, out, x, y: pb.sin(x) * t)
    >>> pb.grad(f)(pb.array(0.0), pb.array(2.0)).item()
    2.0
    """

    _door = "custom_jvp"

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Gives the rule, and returns it. With `symbolic_zeros`, tangents that are zero are
        `SymbolicZero`s.
        """
        rule = _symbolic(jvp) if symbolic_zeros else jvp
        self._define(style="split", jvp=rule, symbolic_jvp=symbolic_zeros, nondiff=self._nondiff)
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Gives one rule for each argument: `rule(tangent, output, *primals)`, or `None` for zero."""
        if self._nondiff:
            raise TypeError("[custom_jvp] expected defjvp for a function with nondiff_argnums, got defjvps")

        def rule(call: Any, tangents: tuple[Any, ...]) -> Any:
            if len(jvps) != len(tangents):
                raise TypeError(
                    f"[custom_jvp] expected one rule for each of {len(tangents)} arguments in defjvps, "
                    f"got {len(jvps)}"
                )
            total: Any = None
            for i, (jvp, t) in enumerate(zip(jvps, tangents, strict=True)):
                if jvp is None or not tree_leaves(t):
                    continue
                # Each rule gets objects of its own: what one changes in place is not for the next.
                primals = call.args
                term = jvp(zeros.filled(t, primals[i]), call.outputs, *primals)
                total = term if total is None else tree_map(lambda x, y: x + y, total, term)
            return zeros.filled(None, call.outputs) if total is None else total

        self._define(jvp=rule, symbolic_jvp=True)


def _symbolic(jvp: Callable[..., Any]) -> Callable[..., Any]:
    def rule(*given: Any, **kwargs: Any) -> Any:
        *nondiff, primals, tangents = given
        return jvp(*nondiff, primals, zeros.like(tangents, primals), **kwargs)

    return rule
