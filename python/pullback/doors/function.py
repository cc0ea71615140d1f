"""`Function`, the door of PyTorch: a class with `forward` and `backward`, and a context between them."""

import abc
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pullback._core import _Applied, _Apply, _Passes
from pullback.doors.arguments import signature


class VmapInfo(NamedTuple):
    """What a `vmap` staticmethod is told of the batch."""

    batch_size: int
    randomness: str


_METHODS = {"forward", "setup_context", "backward", "vjp", "jvp", "vmap", "captured"}


class _Methods(abc.ABCMeta):
    """The class of `Function` and its subclasses: a method that is replaced is used from then on.

    An `ABCMeta`, so that a function may inherit from an abstract class as well.
    """

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _METHODS:
            _renew(cls, name)

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        if name in _METHODS:
            _renew(cls, name)


class Function(metaclass=_Methods):
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

    if TYPE_CHECKING:

        @classmethod
        def apply(cls, *args: Any, **kwargs: Any) -> Any:
            """Calls the function."""
    else:
        apply = _Apply(lambda cls: _applied(cls))


def _applied(cls: type[Function]) -> _Applied:
    """What is called as `apply`: the forward pass of a class, and its methods as rules."""
    passes: Any = functools.update_wrapper(_Passes(), cls.forward)
    # What finds it by its name, as pickle does, asks the class for it.
    passes.__name__, passes.__qualname__ = cls.__name__, f"{cls.__qualname__}.apply"
    passes.__doc__, passes.__module__, passes.__self__ = cls.__doc__, cls.__module__, cls
    applied = _Applied(passes, captured=cls.captured)
    _equip(cls, applied)
    return applied


def _renew(cls: Any, name: str) -> None:
    """Tells what is called as `apply`, of a class and of those that inherit from it, of another method."""
    applied = cls.__dict__.get("_door")
    if applied is not None:
        _equip(cls, applied)
        if name == "captured":
            # A policy belongs to what is called, for good: the next one is made with the new policy.
            cls._door = None
    for heir in cls.__subclasses__():
        _renew(heir, name)


def _equip(cls: type[Function], applied: _Applied) -> None:
    """Gives the methods of a class to what is called as its `apply`."""
    passes: Any = applied.__wrapped__
    setup = getattr(cls, "setup_context", None)
    passes._replace(cls.forward, setup, setup and _inputs(cls.forward))
    passes.__wrapped__ = cls.forward
    _sign(passes, cls.forward, skip=int(setup is None))
    rules: dict[str, Any] = {}
    backward = _method(cls, "backward") or _method(cls, "vjp")
    if backward is not None:
        rules["forward"], rules["vjp"] = passes, backward
        rules["once"] = getattr(backward, "_once_differentiable", False)
    jvp = _method(cls, "jvp")
    if jvp is not None:
        rules["forward"], rules["jvp"] = passes, jvp
    vmap = _method(cls, "vmap")
    if vmap is not None:
        rules["vmap"] = _vmap(vmap)
    applied._define(style="context", **rules)


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


def _vmap(vmap: Callable[..., Any]) -> Callable[..., Any]:
    def rule(args: tuple[Any, ...], axes: tuple[Any, ...], axis_size: int, **kwargs: Any) -> Any:
        return vmap(VmapInfo(axis_size, "different"), axes, *args, **kwargs)

    return rule


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
