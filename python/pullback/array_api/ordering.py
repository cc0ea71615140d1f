"""Sorting, searching and sets. Positions and counts have the namespace's dtype of indices."""

from pullback import _core, counts
from pullback._core import array
from pullback.array_api._info import INDEX
from pullback.array_api._placed import placed

__all__ = [
    "argmax",
    "argmin",
    "argsort",
    "count_nonzero",
    "nonzero",
    "searchsorted",
    "sort",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


@placed
def argmax(x: array, /, *, axis: int | None = None, keepdims: bool = False) -> array:
    """Return where the largest element is first: in the flattened array, or along an axis.

    >>> pb.array_api.argmax(pb.array([1, 3, 2]))
    array(1, dtype=int32)
    """
    return _core.argmax(x, axis, keepdims).astype(INDEX)


@placed
def argmin(x: array, /, *, axis: int | None = None, keepdims: bool = False) -> array:
    """Return where the smallest element is first: in the flattened array, or along an axis.

    >>> pb.array_api.argmin(pb.array([2, 1, 3]))
    array(1, dtype=int32)
    """
    return _core.argmin(x, axis, keepdims).astype(INDEX)


@placed
def argsort(x: array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> array:
    """Return the positions that sort along an axis; equal elements stay in their order.

    >>> pb.array_api.argsort(pb.array([1, 3, 3]), descending=True)
    array([1, 2, 0], dtype=int32)
    """
    if not descending:
        return _core.argsort(x, axis).astype(INDEX)
    # Sorted backwards from the end: then equal ones are in their order again.
    order = _core.flip(_core.argsort(_core.flip(x, axis), axis), axis).astype(INDEX)
    return x.shape[axis] - 1 - order


@placed
def sort(x: array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> array:
    """Return the elements in order along an axis.

    >>> pb.array_api.sort(pb.array([1, 3, 2]), descending=True)
    array([3, 2, 1], dtype=int32)
    """
    order = _core.sort(x, axis)
    return _core.flip(order, axis) if descending else order


@placed
def count_nonzero(x: array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> array:
    """Return how many elements are not zero.

    >>> pb.array_api.count_nonzero(pb.array([0, 1, 2]))
    array(2, dtype=int32)
    """
    return _core.count_nonzero(x, axis=axis, keepdims=keepdims).astype(INDEX)


@placed
def nonzero(x: array, /) -> tuple[array, ...]:
    """Return where the elements that are not zero are, an array for every axis.

    >>> pb.array_api.nonzero(pb.array([0, 7, 8]))
    (array([1, 2], dtype=int32),)
    """
    return tuple(place.astype(INDEX) for place in counts.nonzero(x))


@placed
def searchsorted(
    x1: array, x2: array | float, /, *, side: str = "left", sorter: array | None = None
) -> array:
    """Return where elements would be put into a sorted array, which `sorter` sorts if it is not.

    >>> pb.array_api.searchsorted(pb.array([1, 2, 2]), pb.array([2, 3]), side="right")
    array([3, 3], dtype=int32)
    """
    if sorter is not None:
        x1 = _core.take(x1, sorter, 0)
    return _core.searchsorted(x1, x2, side).astype(INDEX)


@placed
def unique_all(x: array, /) -> counts.UniqueAll:
    """Return the distinct elements, where each is first, which of them every element is, and their counts.

    >>> pb.array_api.unique_all(pb.array([3, 1, 3])).counts
    array([1, 2], dtype=int32)
    """
    values, *numbers = counts.unique_all(x)
    return counts.UniqueAll(values, *(number.astype(INDEX) for number in numbers))


@placed
def unique_counts(x: array, /) -> counts.UniqueCounts:
    """Return the distinct elements and their counts.

    >>> pb.array_api.unique_counts(pb.array([3, 1, 3])).values
    array([1, 3], dtype=int32)
    """
    values, number = counts.unique_counts(x)
    return counts.UniqueCounts(values, number.astype(INDEX))


@placed
def unique_inverse(x: array, /) -> counts.UniqueInverse:
    """Return the distinct elements, and which of them every element is.

    >>> pb.array_api.unique_inverse(pb.array([3, 1, 3])).inverse_indices
    array([1, 0, 1], dtype=int32)
    """
    values, inverse = counts.unique_inverse(x)
    return counts.UniqueInverse(values, inverse.astype(INDEX))


@placed
def unique_values(x: array, /) -> array:
    """Return the distinct elements in order.

    >>> pb.array_api.unique_values(pb.array([3, 1, 3]))
    array([1, 3], dtype=int32)
    """
    return counts.unique_values(x)
