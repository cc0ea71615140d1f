"""`custom_gradient`, the door of TensorFlow: a function that returns its output and its gradient function."""

import functools
from collections.abc import Callable
from typing import Any

from pullback._core import _Custom, _Output


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

        output: Any = functools.update_wrapper(_Output(fun), fun)
        self: Any = super().__new__(cls, output, captured=captured)
        self._define(style="pair", forward=fun, vjp=fun)
        return self
