"""`custom_vjp`, the door of JAX for reverse mode: a forward pass with residuals, and a backward pass."""

from collections.abc import Callable
from typing import Any

from pullback.doors import zeros
from pullback.doors.ruled import Ruled


class custom_vjp(Ruled):
    """A function with a rule for reverse mode, in the idiom of `jax.custom_vjp`.

    `defvjp(fwd, bwd)` gives the rule: `fwd(*args)` returns `(output, residuals)`, and `bwd(residuals,
    cotangent)` the cotangents of the arguments as a tuple, `None` for zero. Values of the arguments in
    `nondiff_argnums` or `nondiff_argnames`, which may be anything, come first in `bwd`, which returns
    nothing for them.

    >>> @pb.custom_vjp
    ... def f(x, y):
    ...     return pb.sin(x) * y
    >>> def forward(x, y):
    ...     return f(x, y), (pb.cos(x), pb.sin(x), y)
    >>> def backward(kept, g):
    ...     cos, sin, y = kept
    ...     return cos * g * y, sin * g
    >>> f.defvjp(forward, backward)
    >>> pb.grad(f)(pb.array(0.0), pb.array(2.0)).item()
    2.0

    Forward mode and batches are derived from the same rule. An array from outside that is being
    differentiated is an error: pass it as an argument, or choose `captured`, see `custom_function`.
    """

    _door = "custom_vjp"

    def defvjp(
        self,
        fwd: Callable[..., Any],
        bwd: Callable[..., Any],
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Gives the rule. With `symbolic_zeros`, `fwd` gets a `CustomVJPPrimal` for each array, and `bwd` a
        `SymbolicZero` for each cotangent that is zero. `optimize_remat` changes nothing: a forward pass whose
        residuals nobody needs is never computed.
        """
        if symbolic_zeros:
            fwd, bwd = _marked(fwd, self._nondiff), _symbolic(bwd)
        self._define(style="split", forward=fwd, vjp=bwd, symbolic_vjp=symbolic_zeros, nondiff=self._nondiff)


def _marked(fwd: Callable[..., Any], nondiff: list[int]) -> Callable[..., Any]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        each = [x if i in nondiff else zeros.marked(x) for i, x in enumerate(args)]
        out, kept = fwd(*each, **kwargs)
        return out, (kept, out)

    return forward


def _symbolic(bwd: Callable[..., Any]) -> Callable[..., Any]:
    def backward(*given: Any) -> Any:
        *nondiff, (kept, out), cotangents = given
        return bwd(*nondiff, kept, zeros.like(cotangents, out))

    return backward


class CustomVjp(custom_vjp):
    """The functional form: `CustomVjp(fun, nondiff_argnums=())`, then `defvjp(fwd, bwd)`.

    >>> double = pb.CustomVjp(lambda x: x * x)
    >>> double.defvjp(lambda x: (x * x, x), lambda x, g: (10 * g * x,))
    >>> pb.grad(double)(pb.array(3.0)).item()
    30.0
    """
