"""Axes and places: shapes changed, arrays joined, elements chosen."""

from collections.abc import Sequence

from pullback import _core
from pullback._core import array
from pullback.array_api._info import INDEX
from pullback.array_api._placed import placed

__all__ = [
    "broadcast_arrays",
    "broadcast_to",
    "concat",
    "expand_dims",
    "flip",
    "moveaxis",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "squeeze",
    "stack",
    "take",
    "take_along_axis",
    "tile",
    "unstack",
    "where",
]

Axes = int | tuple[int, ...]


@placed
def broadcast_arrays(*arrays: array) -> list[array]:
    """Return arrays of one shape, to which all are broadcast.

    >>> [x.shape for x in pb.array_api.broadcast_arrays(pb.ones(2), pb.ones((3, 1)))]
    [(3, 2), (3, 2)]
    """
    return list(_core.broadcast_arrays(*arrays))


@placed
def broadcast_to(x: array, /, shape: tuple[int, ...]) -> array:
    """Return the array repeated along new axes and those of size 1.

    >>> pb.array_api.broadcast_to(pb.array([1, 2]), (2, 2))
    array([[1, 2],
           [1, 2]], dtype=int32)
    """
    return _core.broadcast_to(x, shape)


@placed
def concat(arrays: Sequence[array], /, *, axis: int | None = 0) -> array:
    """Return arrays joined along an axis, or their elements in one row for `axis=None`.

    >>> pb.array_api.concat([pb.array([[1, 2]]), pb.array([[3, 4]])], axis=None)
    array([1, 2, 3, 4], dtype=int32)
    """
    return _core.concatenate(list(arrays), axis)


@placed
def expand_dims(x: array, /, axis: Axes = 0) -> array:
    """Return the array with axes of size 1 put in.

    >>> pb.array_api.expand_dims(pb.ones((2, 3)), axis=-1).shape
    (2, 3, 1)
    """
    return _core.expand_dims(x, axis)


@placed
def flip(x: array, /, *, axis: Axes | None = None) -> array:
    """Return the elements in reverse order along some axes, or all.

    >>> pb.array_api.flip(pb.array([1, 2, 3]))
    array([3, 2, 1], dtype=int32)
    """
    return _core.flip(x, axis)


@placed
def moveaxis(x: array, source: Axes, destination: Axes, /) -> array:
    """Return the array with some axes at other places, the rest in their order.

    >>> pb.array_api.moveaxis(pb.ones((1, 2, 3)), (0, 1), (-1, 0)).shape
    (2, 3, 1)
    """
    if isinstance(source, int) and isinstance(destination, int):
        return _core.moveaxis(x, source, destination)
    pairs = [(axis,) if isinstance(axis, int) else tuple(axis) for axis in (source, destination)]
    if len(pairs[0]) != len(pairs[1]):
        raise ValueError(
            f"[moveaxis] expected as many destinations as sources, got {source} and {destination}"
        )
    for axes in pairs:
        if any(not -x.ndim <= axis < x.ndim for axis in axes) or len({a % x.ndim for a in axes}) < len(axes):
            raise ValueError(f"[moveaxis] expected different axes of {x.ndim}, got {axes}")
    places = {to % x.ndim: axis % x.ndim for axis, to in zip(*pairs, strict=True)}
    rest = iter([axis for axis in range(x.ndim) if axis not in places.values()])
    return _core.transpose(x, [places[to] if to in places else next(rest) for to in range(x.ndim)])


@placed
def permute_dims(x: array, /, axes: tuple[int, ...]) -> array:
    """Return the array with its axes in another order.

    >>> pb.array_api.permute_dims(pb.ones((1, 2, 3)), (2, 0, 1)).shape
    (3, 1, 2)
    """
    return _core.transpose(x, axes)


@placed
def repeat(x: array, repeats: int | array, /, *, axis: int | None = None) -> array:
    """Return every element or slice some times over; an array of numbers of times is computed for it.

    >>> pb.array_api.repeat(pb.array([1, 2, 3]), pb.array([0, 1, 2]))
    array([2, 3, 3], dtype=int32)
    """
    if axis is None:
        x, axis = _core.reshape(x, (-1,)) if x.ndim != 1 else x, 0
    if not isinstance(repeats, array) or repeats.ndim == 0:
        return _core.repeat(x, int(repeats), axis)
    if any(times < 0 for times in repeats.tolist()):
        raise ValueError("[repeat] expected numbers of times that are not negative, got a negative one")
    times = _core.broadcast_to(repeats, (x.shape[axis],)).tolist()
    chosen = [place for place, often in enumerate(times) for _ in range(often)]
    return _core.take(x, _core.array(chosen, INDEX), axis)


@placed
def reshape(x: array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> array:
    """Return the elements in another shape, of which one size may be -1. Nothing is ever copied.

    >>> pb.array_api.reshape(pb.array([1, 2, 3, 4]), (2, -1))
    array([[1, 2],
           [3, 4]], dtype=int32)
    """
    return _core.reshape(x, shape)


@placed
def roll(x: array, /, shift: Axes, *, axis: Axes | None = None) -> array:
    """Return the elements moved along some axes, what falls off at an end coming in at the other.

    >>> pb.array_api.roll(pb.array([1, 2, 3]), 1)
    array([3, 1, 2], dtype=int32)
    """
    return _core.roll(x, shift, axis)


@placed
def squeeze(x: array, /, axis: Axes) -> array:
    """Return the array without these axes, whose size is 1.

    >>> pb.array_api.squeeze(pb.ones((1, 2, 1)), 0).shape
    (2, 1)
    """
    return _core.squeeze(x, axis)


@placed
def stack(arrays: Sequence[array], /, *, axis: int = 0) -> array:
    """Return arrays joined along a new axis.

    >>> pb.array_api.stack([pb.array([1, 2]), pb.array([3, 4])], axis=1)
    array([[1, 3],
           [2, 4]], dtype=int32)
    """
    return _core.stack(list(arrays), axis)


@placed
def take(x: array, indices: array, /, *, axis: int | None = None) -> array:
    """Return slices by number along an axis, which may be left out where there is one.

    >>> pb.array_api.take(pb.array([10, 20, 30]), pb.array([2, 0]))
    array([30, 10], dtype=int32)
    """
    if axis is None and x.ndim != 1:
        raise ValueError(f"[take] expected an axis for an array of {x.ndim} axes, got None")
    return _core.take(x, indices, 0 if axis is None else axis)


@placed
def take_along_axis(x: array, indices: array, /, *, axis: int = -1) -> array:
    """Return elements by number along an axis, other ones at every place of the rest.

    >>> pb.array_api.take_along_axis(pb.array([[1, 2], [3, 4]]), pb.array([[1], [0]]))
    array([[2],
           [3]], dtype=int32)
    """
    return _core.take_along_axis(x, indices, axis)


@placed
def tile(x: array, repetitions: tuple[int, ...], /) -> array:
    """Return the array set side by side along every axis.

    >>> pb.array_api.tile(pb.array([1, 2]), (2,))
    array([1, 2, 1, 2], dtype=int32)
    """
    return _core.tile(x, repetitions)


@placed
def unstack(x: array, /, *, axis: int = 0) -> tuple[array, ...]:
    """Return the slices along an axis.

    >>> pb.array_api.unstack(pb.array([1, 2]))
    (array(1, dtype=int32), array(2, dtype=int32))
    """
    return tuple(_core.unstack(x, axis=axis))


@placed
def where(condition: array, x1: array | complex, x2: array | complex, /) -> array:
    """Return elements of the first where the condition is true, of the second elsewhere.

    >>> pb.array_api.where(pb.array([True, False]), pb.array([1, 2]), 0)
    array([1, 0], dtype=int32)
    """
    return _core.where(condition, x1, x2)
