"""Zeros that say so: what rules with `symbolic_zeros=True` get in place of arrays of zeros."""

from typing import Any, NamedTuple

from pullback import _core
from pullback._core import array
from pullback._dtypes import INEXACT
from pullback.tree import tree_map


class SymbolicZero:
    """A tangent or cotangent that is zero by structure, of a known shape and type.

    >>> zero = pb.SymbolicZero((2,), pb.float32)
    >>> zero.instantiate()
    array([0., 0.], dtype=float32)
    """

    def __init__(self, shape: Any, dtype: Any):
        self.shape = tuple(shape)
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    def instantiate(self) -> array:
        """The zeros as an array."""
        return _core.zeros(self.shape, dtype=self.dtype)

    def __repr__(self) -> str:
        return f"SymbolicZero({self.shape}, {self.dtype})"


class CustomVJPPrimal(NamedTuple):
    """An argument of a forward pass with `symbolic_zeros=True`: its value, and whether it may have a
    derivative.

    >>> pb.CustomVJPPrimal(pb.array(1.0), True).perturbed
    True
    """

    value: Any
    perturbed: bool


def is_inexact(x: Any) -> bool:
    """Whether something is an array that can have a derivative."""
    return isinstance(x, array) and x.dtype in INEXACT


def like(given: Any, shapes: Any) -> Any:
    """`given`, with a `SymbolicZero` in place of every `None` where `shapes` has an array."""

    def symbolic(x: Any, t: Any) -> Any:
        return SymbolicZero(x.shape, x.dtype) if t is None and isinstance(x, array) else t

    return tree_map(symbolic, shapes, given)


def filled(given: Any, shapes: Any) -> Any:
    """`given`, with zeros in place of every `None` where `shapes` has an array. `None` alone is zero
    everywhere.
    """

    if isinstance(given, array) or (type(given) is tuple and all(isinstance(t, array) for t in given)):
        return given

    def zero(x: Any, t: Any = None) -> Any:
        return _core.zeros_like(x) if t is None and isinstance(x, array) else t

    return tree_map(zero, shapes) if given is None else tree_map(zero, shapes, given)


def marked(tree: Any) -> Any:
    """The tree, with every array as a `CustomVJPPrimal`."""

    def mark(x: Any) -> Any:
        return CustomVJPPrimal(x, is_inexact(x) or isinstance(x, float | complex))

    return tree_map(mark, tree)
