"""`custom_gradient`, the door of TensorFlow: a function that returns its output and its gradient function."""

import functools
from collections.abc import Callable
from typing import Any

from pullback._core import _Custom


class custom_gradient(_Custom):
    """A function that returns `(output, grad_fn)`, in the idiom of `tf.custom_gradient`.

    `grad_fn(*cotangents)`, one for each output, returns the cotangents of the arguments: a tuple or a list,
    or one array for one argument. What it needs of the forward pass it takes from its closure. Calling the
    decorated function gives the output alone.

    >>> @pb.custom_gradient
    ... def log1pexp(x):
    ...     e = pb.exp(x)
    ...     return pb.log(1 + e), lambda g: g * (1 - 1 / (1 + e))
    >>> pb.grad(log1pexp)(pb.array(100.0)).item()
    1.0

    `captured` says what arrays from outside are that are being differentiated: `"error"` unless it is said,
    `"differentiate"` for a gradient that comes from the function's own operations, `"constant"` for none.
    """

    def __new__(cls, fun: Callable[..., Any] | None = None, *, captured: str = "error") -> Any:
        """Of `fun`; without one a decorator that waits for it."""
        if fun is None:
            return lambda fun: cls(fun, captured=captured)

        @functools.wraps(fun)
        def output(*args: Any, **kwargs: Any) -> Any:
            return _pair(fun, fun(*args, **kwargs))[0]

        def forward(*args: Any, **kwargs: Any) -> Any:
            return _pair(fun, fun(*args, **kwargs))

        self: Any = super().__new__(cls, output, captured=captured)
        self._define(split=True, forward=forward, vjp=_pull)
        return self


def _pair(fun: Callable[..., Any], result: Any) -> tuple[Any, Callable[..., Any]]:
    if isinstance(result, tuple | list) and len(result) == 2 and callable(result[1]):
        return result[0], result[1]
    name = getattr(fun, "__name__", "?")
    raise TypeError(
        f"[custom_gradient] expected {name!r} to return (output, grad_fn), got {type(result).__name__}: "
        "return the function of the gradient beside the output"
    )


def _pull(grad_fn: Callable[..., Any], cotangents: Any) -> Any:
    if isinstance(cotangents, tuple | list) and not hasattr(cotangents, "_fields"):
        return grad_fn(*cotangents)
    return grad_fn(cotangents)
