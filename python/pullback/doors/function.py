"""`Function`, the door of PyTorch: a class with `forward` and `backward`, and a context between them."""

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from pullback import _core
from pullback._core import _Custom, array
from pullback.doors import zeros
from pullback.doors.arguments import signature
from pullback.doors.context import Context


class VmapInfo(NamedTuple):
    """What a `vmap` staticmethod is told of the batch."""

    batch_size: int
    randomness: str


class Function:
    """A function with rules, in the idiom of `torch.autograd.Function`: subclass it, and call `apply`.

    `forward(ctx, *args)`, or `forward(*args)` with `setup_context(ctx, inputs, output)`, computes the output;
    `backward(ctx, *cotangents)` returns one cotangent for each argument, `None` for zero; `jvp(ctx,
    *tangents)` the tangents of the outputs; `vmap(info, in_dims, *args)` outputs and where their batch axes
    are. All are static methods. A derivative without a method is derived from the other one, and so is the
    batched form.

    >>> class Exp(pb.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = pb.exp(x)
    ...         ctx.save_for_backward(y)
    ...         return y
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (y,) = ctx.saved_tensors
    ...         return g * y
    >>> pb.grad(Exp.apply)(pb.array(0.0)).item()
    1.0
    """

    generate_vmap_rule: ClassVar[bool] = True
    captured: ClassVar[str] = "error"
    _door: ClassVar[Any] = None

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The output: to be given by the subclass."""
        raise NotImplementedError("[Function] expected a subclass with a staticmethod forward, got none")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._door = None

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Calls the function."""
        door = _door_of(cls)
        return door.called(door.custom, args, kwargs)


class _Marks(NamedTuple):
    """What a forward pass said of its arguments and outputs, by position."""

    fixed: tuple[int, ...]
    dirty: tuple[tuple[int, int], ...]


class _Said(threading.local):
    """What forward passes said in the calls that are running on this thread, innermost last."""

    def __init__(self) -> None:
        self.calls: list[list[_Marks]] = []


class _Opened(NamedTuple):
    custom: Any
    said: _Said

    def called(self, fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What `fun` returns, with what its forward pass says of arguments and outputs."""
        calls = self.said.calls
        said: list[_Marks] = []
        calls.append(said)
        try:
            out = fun(*args, **kwargs)
        finally:
            calls.pop()
        return _marked(said[-1], args, out) if said else out


def _opened(cls: type[Function]) -> _Opened:
    """The door of a class: its methods as rules."""
    said = _Said()
    contextual = not hasattr(cls, "setup_context")
    inputs = _inputs(cls.forward)

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Context]:
        ctx = Context(args)
        if contextual:
            out = cls.forward(ctx, *args, **kwargs)
        else:
            out = cls.forward(*args, **kwargs)
            cls.setup_context(ctx, inputs(args, kwargs), out)  # type: ignore[attr-defined]
        if ctx._said and said.calls and any(ctx._marks()):
            said.calls[-1].append(_positions(ctx, args, out))
        return out, ctx

    @functools.wraps(cls.forward)
    def body(*args: Any, **kwargs: Any) -> Any:
        return run(args, kwargs)[0]

    body.__name__, body.__qualname__, body.__doc__ = cls.__name__, cls.__qualname__, cls.__doc__
    _sign(body, cls.forward, skip=int(contextual))

    def forward(*args: Any, **kwargs: Any) -> Any:
        out, ctx = run(args, kwargs)
        return out, ctx._packed()

    custom = _Custom(body, captured=cls.captured)
    rules: dict[str, Any] = {}
    backward = _method(cls, "backward") or _method(cls, "vjp")
    if backward is not None:
        rules["forward"], rules["vjp"] = forward, _backward(backward)
        rules["symbolic_vjp"] = True
        rules["once"] = getattr(backward, "_once_differentiable", False)
    jvp = _method(cls, "jvp")
    if jvp is not None:
        rules["jvp"], rules["symbolic_jvp"] = _jvp(jvp), True
        rules["forward"] = forward
    vmap = _method(cls, "vmap")
    if vmap is not None:
        rules["vmap"] = _vmap(vmap)
    custom._define(**rules)
    return _Opened(custom, said)


def body_of(cls: type[Function]) -> Callable[..., Any]:
    """What the rules of a class stand for: its forward pass, and what that says of its outputs."""

    door = _door_of(cls)
    whole = door.custom.__wrapped__

    @functools.wraps(whole)
    def body(*args: Any, **kwargs: Any) -> Any:
        return door.called(whole, args, kwargs)

    return body


def _door_of(cls: type[Function]) -> _Opened:
    door = cls.__dict__.get("_door")
    if door is None:
        door = cls._door = _opened(cls)
    return door


def _sign(body: Any, forward: Callable[..., Any], skip: int) -> None:
    found = signature(forward)
    if found is None:
        return
    parameters = list(found.parameters.values())
    named = parameters and parameters[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    body.__signature__ = found.replace(parameters=parameters[skip if named else 0 :])


def _inputs(forward: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """All arguments in the order of the parameters, with defaults: what `setup_context` unpacks."""
    found = signature(forward)
    if found is None:
        return lambda args, kwargs: (*args, *kwargs.values())

    def inputs(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if len(args) == len(found.parameters):
            return args
        bound = found.bind(*args, **kwargs)
        bound.apply_defaults()
        return (*bound.args, *bound.kwargs.values())

    return inputs


def _method(cls: type[Function], name: str) -> Callable[..., Any] | None:
    found = getattr(cls, name, None)
    return found if callable(found) else None


def _backward(backward: Callable[..., Any]) -> Callable[..., Any]:
    def rule(call: Any, cotangents: Any) -> Any:
        ctx = Context._unpacked(call)
        if isinstance(cotangents, array):
            result = backward(ctx, cotangents)
        else:
            if ctx._materializes():
                cotangents = zeros.filled(cotangents, call.outputs)
            each = cotangents if isinstance(cotangents, tuple) else (cotangents,)
            result = backward(ctx, *each)
        # Trailing gradients of nothing are allowed.
        if isinstance(result, tuple) and result and result[-1] is None:
            count = len(call.needs)
            while len(result) > count and result[-1] is None:
                result = result[:-1]
        return result

    return rule


def _jvp(jvp: Callable[..., Any]) -> Callable[..., Any]:
    def rule(call: Any, tangents: tuple[Any, ...]) -> Any:
        ctx = Context._unpacked(call)
        saved = ctx._forward()
        if saved is not None:
            ctx._saved = saved
        if ctx._materializes() and not all(isinstance(t, array) for t in tangents):
            tangents = tuple(zeros.filled(t, x) for t, x in zip(tangents, call.args, strict=True))
        return jvp(ctx, *tangents)

    return rule


def _vmap(vmap: Callable[..., Any]) -> Callable[..., Any]:
    def rule(args: tuple[Any, ...], axes: tuple[Any, ...], axis_size: int, **kwargs: Any) -> Any:
        return vmap(VmapInfo(axis_size, "different"), axes, *args, **kwargs)

    return rule


def _positions(ctx: Context, args: tuple[Any, ...], out: Any) -> _Marks:
    outs = out if isinstance(out, tuple) else (out,)
    unmoved, changing = ctx._marks()
    fixed = tuple(i for i, y in enumerate(outs) if any(y is f for f in unmoved))
    dirty = []
    for changed in changing:
        at = [i for i, x in enumerate(args) if x is changed]
        where = [i for i, y in enumerate(outs) if y is changed]
        if not at or not where:
            raise ValueError(
                "[Function] expected mark_dirty to name an argument that is returned, got another array"
            )
        dirty.append((at[0], where[0]))
    return _Marks(fixed, tuple(dirty))


def _marked(marks: _Marks, args: tuple[Any, ...], out: Any) -> Any:
    outs = list(out) if isinstance(out, tuple) else [out]
    for i in marks.fixed:
        outs[i] = _core.stop_gradient(outs[i])
    for at, where in marks.dirty:
        args[at][...] = outs[where]
        outs[where] = args[at]
    return tuple(outs) if isinstance(out, tuple) else outs[0]


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Says of a `backward` that it can be differentiated no further: a second derivative is an error, on
    every path that reaches it.

    >>> class Double(pb.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return 2 * x
    ...     @staticmethod
    ...     @pb.once_differentiable
    ...     def backward(ctx, g):
    ...         return 2 * g
    >>> pb.grad(Double.apply)(pb.array(1.0)).item()
    2.0
    """
    backward._once_differentiable = True  # type: ignore[attr-defined]
    return backward
