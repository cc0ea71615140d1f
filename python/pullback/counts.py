"""Elements counted, and functions whose result has as many elements as were found.

A size that nobody gives is looked up: what is needed for it is computed at once. While a function is traced
there is nothing to look up, and the size has to be given.
"""

import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pullback import _core
from pullback._core import array
from pullback._dtypes import complexfloating, floating, integer, issubdtype
from pullback._values import value

__all__ = [
    "argwhere",
    "bincount",
    "flatnonzero",
    "histogram",
    "nonzero",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


def _found(op: str, name: str, count: array) -> int:
    """The element of `count`, which an argument `name` could have said."""
    found = value(count)
    if found is None:
        raise ValueError(
            f"[{op}] expected {name} while this is traced, got None: the size of the result is data"
        )
    return int(found)


def _named(op: str, fun: Callable[..., Any], *args: Any) -> Any:
    """What `fun` returns for `op`, whose name its errors get."""
    try:
        return fun(*args)
    except (TypeError, ValueError, MemoryError, OverflowError) as error:
        if type(error) not in (TypeError, ValueError, MemoryError, OverflowError):
            raise
        raise type(error)(re.sub(r"^\[\w+\]", f"[{op}]", str(error))) from None


def _array(op: str, x: Any) -> array:
    """An argument of `op` as an array."""
    return _named(op, array, x)


def _flag(op: str, flag: Any) -> None:
    if not isinstance(flag, bool | None):
        raise TypeError(f"[{op}] expected a bool as flag, got {type(flag).__name__}")


def _size(op: str, size: Any) -> int:
    try:
        number = operator.index(size)
    except TypeError:
        raise TypeError(f"[{op}] expected an integer as size, got {type(size).__name__}") from None
    if number < 0:
        raise ValueError(f"[{op}] expected a size that is not negative, got {number}")
    if number >= 2**63:
        raise OverflowError(f"[{op}] expected a size of 64 bits, got {number}")
    return number


def _distinct(op: str, x: Any, size: int | None, fill_value: Any = None) -> tuple[array, array, array, array]:
    """The elements, where each occurs first, which each element is, and how often each occurs."""
    x = _array(op, x)
    if fill_value is not None:
        fill_value = _array(op, fill_value)
    if size is None:
        size = _found(op, "size", _named(op, _core._count_distinct, x))
    return _named(op, _core._unique, x, _size(op, size), fill_value)


def unique(
    a: Any,
    /,
    size: int | None = None,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    fill_value: Any = None,
    *,
    stream: Any = None,
) -> Any:
    """Return the distinct elements of the flattened array in ascending order; with flags, a tuple of more.

    `size` says how many there are in the result; without it they are counted, which computes `a`. Where
    there are fewer, what follows them is `fill_value`, or the smallest of them, and has a count of 0; where
    there are more, the largest are left out, and elements that are equal to these have the last index in
    `inverse`.

    With flags, what follows the elements is where each occurs first (`return_index`, `uint32`), which of
    them each element of `a` is, in the shape of `a` (`return_inverse`, `uint32`), and how often each occurs
    (`return_counts`, `int32`). NaN is different from everything, NaN included. Complex numbers have no
    order, and are refused.

    >>> pb.unique(pb.array([3, 1, 3, 2]))
    array([1, 2, 3], dtype=int32)
    >>> pb.unique(pb.array([3, 1, 3, 2]), 4, return_counts=True, fill_value=0)
    (array([1, 2, 3, 0], dtype=int32), array([1, 1, 2, 0], dtype=int32))
    """
    for flag in (return_index, return_inverse, return_counts):
        _flag("unique", flag)
    with _named("unique", _core.stream, stream):
        values, index, inverse, counts = _distinct("unique", a, size, fill_value)
    flags = ((index, return_index), (inverse, return_inverse), (counts, return_counts))
    more = tuple(part for part, wanted in flags if wanted)
    return (values, *more) if more else values


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: array
    indices: array
    inverse_indices: array
    counts: array


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: array
    counts: array


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: array
    inverse_indices: array


def unique_all(x: Any, /, *, size: int | None = None) -> UniqueAll:
    """Return distinct elements, where each occurs first, which each element is, and how often each occurs.

    >>> pb.unique_all(pb.array([3, 1, 3])).counts
    array([1, 2], dtype=int32)
    """
    return UniqueAll(*_distinct("unique_all", x, size))


def unique_counts(x: Any, /, *, size: int | None = None) -> UniqueCounts:
    """Return distinct elements, and how often each occurs.

    >>> pb.unique_counts(pb.array([3, 1, 3])).values
    array([1, 3], dtype=int32)
    """
    values, _, _, counts = _distinct("unique_counts", x, size)
    return UniqueCounts(values, counts)


def unique_inverse(x: Any, /, *, size: int | None = None) -> UniqueInverse:
    """Return distinct elements, and which of them each element is.

    >>> pb.unique_inverse(pb.array([3, 1, 3])).inverse_indices
    array([1, 0, 1], dtype=uint32)
    """
    values, _, inverse, _ = _distinct("unique_inverse", x, size)
    return UniqueInverse(values, inverse)


def unique_values(x: Any, /, *, size: int | None = None) -> array:
    """Return distinct elements in ascending order.

    >>> pb.unique_values(pb.array([3, 1, 3]))
    array([1, 3], dtype=int32)
    """
    return _distinct("unique_values", x, size)[0]


def flatnonzero(a: Any, *, size: int | None = None) -> array:
    """Return the positions in the flattened array of elements that are not zero, in `uint32`.

    `size` says how many there are in the result; without it they are counted, which computes `a`. Where
    there are fewer, what follows them is the number of elements of `a`, where nothing is.

    >>> pb.flatnonzero(pb.array([0, 5, 0, 7]))
    array([1, 3], dtype=uint32)
    """
    return _positions("flatnonzero", _array("flatnonzero", a), size).astype(_core.uint32)


def _positions(op: str, x: array, size: int | None) -> array:
    if size is None:
        size = _found(op, "size", _core.count_nonzero(x))
    return _named(op, _core._flat_nonzero, x, _size(op, size))


def nonzero(a: Any, *, size: int | None = None) -> tuple[array, ...]:
    """Return the positions of elements that are not zero: an array in `uint32` for each axis.

    `size` is as `flatnonzero` has it; where there are fewer elements, positions on the first axis are its
    size.

    >>> pb.nonzero(pb.array([[0, 5], [7, 0]]))
    (array([0, 1], dtype=uint32), array([1, 0], dtype=uint32))
    """
    x = _array("nonzero", a)
    if x.ndim == 0:
        raise ValueError("[nonzero] expected an array with an axis, got a scalar; atleast_1d gives it one")
    return _apart(x, _positions("nonzero", x, size))


def argwhere(a: Any, *, size: int | None = None) -> array:
    """Return the positions of elements that are not zero, a row in `uint32` for each.

    >>> pb.argwhere(pb.array([[0, 5], [7, 0]]))
    array([[0, 1],
           [1, 0]], dtype=uint32)
    """
    x = _array("argwhere", a)
    at = _positions("argwhere", x, size)
    return _core.stack(_apart(x, at), axis=-1) if x.ndim else _core.zeros((at.size, 0), _core.uint32)


def _apart(x: array, at: array) -> tuple[array, ...]:
    """Positions in the flattened array as positions on each axis; the first axis has what is beyond all."""
    axes: list[array] = []
    for n in reversed(x.shape[1:]):
        at, here = _core.divmod(at, max(n, 1))
        axes.append(here)
    return tuple(axis.astype(_core.uint32) for axis in [at, *reversed(axes)])


def bincount(x: Any, /, weights: Any = None, minlength: int = 0, *, length: int | None = None) -> array:
    """Return how often each number from 0 occurs among integers, or the sum of the `weights` where it does.

    The result has `length` elements, and numbers beyond it are left out; without it the largest number says
    how many there are, `minlength` at least, which computes `x`. Counts are in `int32`, sums in the type of
    the weights.

    >>> pb.bincount(pb.array([1, 3, 1]))
    array([0, 2, 0, 1], dtype=int32)
    >>> pb.bincount(pb.array([1, 3, 1]), pb.array([0.5, 1.0, 2.0]))
    array([0. , 2.5, 0. , 1. ], dtype=float32)
    """
    x = _array("bincount", x)
    if not issubdtype(x.dtype, integer):
        raise TypeError(f"[bincount] expected integer positions, got {x.dtype.name}: cast with astype")
    if x.ndim != 1:
        raise ValueError(f"[bincount] expected an array with one axis, got shape {x.shape}")
    minlength = _size("bincount", minlength)
    if weights is not None:
        weights = _array("bincount", weights)
    if length is None:
        length = minlength
        if x.size:
            low = _found("bincount", "length", x.min())
            if low < 0:
                raise ValueError(f"[bincount] expected numbers that are not negative, got {low}")
            length = max(length, _found("bincount", "length", x.max()) + 1)
    return _named("bincount", _core._bincount, x, weights, _size("bincount", length))


def histogram(
    a: Any,
    bins: Any = 10,
    range: tuple[Any, Any] | None = None,
    density: bool | None = None,
    weights: Any = None,
) -> tuple[array, array]:
    """Return how many elements lie in each bin, or the sums of their `weights`, and the edges of the bins.

    `bins` is a number of bins of one width over `range`, or over all of `a`; or their edges, ascending. A
    bin has its lower edge, and the last one its upper edge too; what lies in none is left out. With
    `density`, the result is divided by its sum and the widths.

    >>> pb.histogram(pb.array([1.0, 2.0, 2.5, 4.0]), bins=3)
    (array([1, 2, 1], dtype=int32), array([1., 2., 3., 4.], dtype=float32))
    """
    x = _array("histogram", a).reshape(-1)
    _flag("histogram", density)
    if weights is not None:
        weights = _array("histogram", weights)
        if weights.size != x.size:
            raise ValueError(
                f"[histogram] expected a weight for each of {x.size} elements, got shape {weights.shape}"
            )
        weights = weights.reshape(-1)
    edges = _edges(x, bins, range)
    for part in (x, edges):
        if issubdtype(part.dtype, complexfloating):
            raise TypeError(f"[histogram] expected real numbers, got {part.dtype.name}")
    count = edges.size - 1
    at = _core.searchsorted(edges, x, side="right").astype(_core.int32) - 1
    at = _core.where(x == edges[-1], count - 1, at)
    found = _core._bincount(at, weights, count)
    if density:
        found = found / (found.sum() * (edges[1:] - edges[:-1]))
    return found, edges


def _edges(x: array, bins: Any, range: tuple[Any, Any] | None) -> array:
    if isinstance(bins, str):
        raise TypeError(f"[histogram] expected a number of bins or their edges, got {bins!r}")
    dtype = x.dtype if issubdtype(x.dtype, floating) else _core.float32
    try:
        count = operator.index(bins)
    except TypeError:
        edges = _array("histogram", bins)
        if edges.ndim != 1 or edges.size < 2:
            text = f"two edges or more on one axis, got shape {edges.shape}"
            raise ValueError(f"[histogram] expected {text}") from None
        return edges.astype(_core.result_type(edges, dtype))
    if count < 1:
        raise ValueError(f"[histogram] expected at least one bin, got {count}")
    if range is not None:
        if not isinstance(range, tuple | list):
            raise TypeError(f"[histogram] expected a range of two numbers, got {type(range).__name__}")
        if len(range) != 2:
            raise ValueError(f"[histogram] expected a range of two numbers, got {len(range)}")
        low, high = array(range[0], dtype), array(range[1], dtype)
        ends = value(low), value(high)
        if None not in ends and not ends[0] <= ends[1]:
            raise ValueError(f"[histogram] expected a range that ascends, got {range[0]} and {range[1]}")
    elif x.size:
        low, high = x.min().astype(dtype), x.max().astype(dtype)
    else:
        low, high = array(0, dtype), array(1, dtype)
    # All elements in one place: a width of one around it.
    half = _core.where(low == high, array(0.5, dtype), array(0, dtype))
    low, high = low - half, high + half
    steps = _core.arange(count + 1).astype(dtype)
    edges = steps * ((high - low) / count) + low
    return _core.where(steps == count, high, edges)
