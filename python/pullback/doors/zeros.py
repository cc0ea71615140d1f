"""Zeros that say so: what rules with `symbolic_zeros=True` get in place of arrays of zeros."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pullback import _core
from pullback._core import array


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
    """An argument of a forward pass with `symbolic_zeros=True`: its value, and whether it may have a derivative.

    >>> pb.CustomVJPPrimal(pb.array(1.0), True).perturbed
    True
    """

    value: Any
    perturbed: bool


def like(given: Any, shapes: Any) -> Any:
    """`given`, with a `SymbolicZero` in place of every `None` where `shapes` has an array."""
    if isinstance(shapes, array):
        return SymbolicZero(shapes.shape, shapes.dtype) if given is None else given
    return _zipped(like, given, shapes)


def filled(given: Any, shapes: Any) -> Any:
    """`given`, with zeros in place of every `None` where `shapes` has an array."""
    if isinstance(shapes, array):
        return _core.zeros_like(shapes) if given is None else given
    return _zipped(filled, given, shapes)


def _zipped(fill: Callable[[Any, Any], Any], given: Any, shapes: Any) -> Any:
    if isinstance(shapes, dict):
        return {key: fill(None if given is None else given[key], child) for key, child in shapes.items()}
    if isinstance(shapes, tuple | list):
        each = given if given is not None else (None,) * len(shapes)
        children = [fill(one, child) for one, child in zip(each, shapes, strict=True)]
        return type(shapes)(*children) if hasattr(shapes, "_fields") else type(shapes)(children)
    return given


def marked(tree: Any) -> Any:
    """The tree, with every array as a `CustomVJPPrimal`."""
    if isinstance(tree, array):
        return CustomVJPPrimal(tree, tree.dtype in INEXACT)
    if isinstance(tree, dict):
        return {key: marked(child) for key, child in tree.items()}
    if isinstance(tree, tuple | list):
        children = [marked(child) for child in tree]
        return type(tree)(*children) if hasattr(tree, "_fields") else type(tree)(children)
    return CustomVJPPrimal(tree, False) if isinstance(tree, float | complex) else tree


INEXACT = (_core.float16, _core.bfloat16, _core.float32, _core.float64, _core.complex64)
