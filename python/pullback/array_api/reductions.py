"""Sums, extremes and moments, running ones too. Sums of short integers have the default's width."""

from typing import Any

from pullback import _core
from pullback._core import Dtype, array
from pullback._dtypes import issubdtype, signedinteger, unsignedinteger
from pullback.array_api._placed import placed
from pullback.array_api.manipulation import Axes

__all__ = [
    "all",
    "any",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
]


def summed(x: array, dtype: Any) -> array:
    """What is added: in the dtype asked for, or in one of at least the default's width."""
    if dtype is None:
        dtype = x.dtype
        if (issubdtype(dtype, signedinteger) and dtype.size < 4) or dtype == _core.bool_:
            dtype = _core.int32
        elif issubdtype(dtype, unsignedinteger) and dtype.size < 4:
            dtype = _core.uint32
    dtype = Dtype(dtype)
    return x if x.dtype == dtype else x.astype(dtype)


def _kept(found: array, dtype: Dtype) -> array:
    # The engine widens the short ones again, whatever was asked for.
    return found if found.dtype == dtype else found.astype(dtype)


@placed
def all(x: array, /, *, axis: Axes | None = None, keepdims: bool = False) -> array:
    """Return whether every element is true.

    >>> pb.array_api.all(pb.array([True, False]))
    array(False, dtype=bool)
    """
    return _core.all(x, axis, keepdims)


@placed
def any(x: array, /, *, axis: Axes | None = None, keepdims: bool = False) -> array:
    """Return whether an element is true.

    >>> pb.array_api.any(pb.array([True, False]))
    array(True, dtype=bool)
    """
    return _core.any(x, axis, keepdims)


@placed
def max(x: array, /, *, axis: Axes | None = None, keepdims: bool = False) -> array:
    """Return the largest element.

    >>> pb.array_api.max(pb.array([[1, 5], [2, 3]]), axis=0)
    array([2, 5], dtype=int32)
    """
    return _core.max(x, axis, keepdims)


@placed
def min(x: array, /, *, axis: Axes | None = None, keepdims: bool = False) -> array:
    """Return the smallest element.

    >>> pb.array_api.min(pb.array([[1, 5], [2, 3]]), axis=0)
    array([1, 3], dtype=int32)
    """
    return _core.min(x, axis, keepdims)


@placed
def mean(x: array, /, *, axis: Axes | None = None, keepdims: bool = False) -> array:
    """Return the mean.

    >>> pb.array_api.mean(pb.array([1.0, 2.0]))
    array(1.5, dtype=float32)
    """
    return _core.mean(x, axis, keepdims)


@placed
def var(x: array, /, *, axis: Axes | None = None, correction: float = 0.0, keepdims: bool = False) -> array:
    """Return the variance, the sum of squares divided by the number of elements less `correction`.

    >>> pb.array_api.var(pb.array([1.0, 3.0]), correction=1)
    array(2., dtype=float32)
    """
    return _core.var(x, axis, keepdims, correction)


@placed
def std(x: array, /, *, axis: Axes | None = None, correction: float = 0.0, keepdims: bool = False) -> array:
    """Return the root of the variance.

    >>> pb.array_api.std(pb.array([1.0, 3.0]))
    array(1., dtype=float32)
    """
    return _core.std(x, axis, keepdims, correction)


@placed
def sum(x: array, /, *, axis: Axes | None = None, dtype: Any = None, keepdims: bool = False) -> array:
    """Return the sum.

    >>> pb.array_api.sum(pb.array([200, 100], pb.uint8))
    array(300, dtype=uint32)
    """
    x = summed(x, dtype)
    return _kept(_core.sum(x, axis, keepdims), x.dtype)


@placed
def prod(x: array, /, *, axis: Axes | None = None, dtype: Any = None, keepdims: bool = False) -> array:
    """Return the product.

    >>> pb.array_api.prod(pb.array([200, 2], pb.uint8))
    array(400, dtype=uint32)
    """
    x = summed(x, dtype)
    return _kept(_core.prod(x, axis, keepdims), x.dtype)


def _running(op: str, function: Any, x: array, axis: int | None, dtype: Any, first: int | None) -> array:
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"[{op}] expected an axis for an array of {x.ndim} axes, got None")
        axis = 0
    x = summed(x, dtype)
    found = _kept(function(x, axis), x.dtype)
    if first is None:
        return found
    shape = list(x.shape)
    shape[axis] = 1
    return _core.concatenate([_core.full(shape, first, x.dtype), found], axis)


@placed
def cumulative_sum(
    x: array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> array:
    """Return the sums up to every element, with `include_initial` behind the sum of none.

    >>> pb.array_api.cumulative_sum(pb.array([1, 2, 3]), include_initial=True)
    array([0, 1, 3, 6], dtype=int32)
    """
    return _running("cumulative_sum", _core.cumsum, x, axis, dtype, 0 if include_initial else None)


@placed
def cumulative_prod(
    x: array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> array:
    """Return the products up to every element, with `include_initial` behind the product of none.

    >>> pb.array_api.cumulative_prod(pb.array([1, 2, 3]), include_initial=True)
    array([1, 1, 2, 6], dtype=int32)
    """
    return _running("cumulative_prod", _core.cumprod, x, axis, dtype, 1 if include_initial else None)


@placed
def diff(
    x: array, /, *, axis: int = -1, n: int = 1, prepend: array | None = None, append: array | None = None
) -> array:
    """Return the differences of neighbours, `n` times, with what is put before and behind.

    >>> pb.array_api.diff(pb.array([1, 4, 9]), prepend=pb.array([0]))
    array([1, 3, 5], dtype=int32)
    """
    parts = [part for part in (prepend, x, append) if part is not None]
    return _core.diff(_core.concatenate(parts, axis) if len(parts) > 1 else x, n, axis)
