"""Arrays from numbers, from other libraries, and by rule."""

from typing import Any

from pullback import _core
from pullback._core import Dtype, array
from pullback.array_api._placed import placed
from pullback.array_api.data_types import astype

__all__ = [
    "arange",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "linspace",
    "meshgrid",
    "ones",
    "ones_like",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
]


@placed
def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> array:
    """Return numbers, nested lists or another library's array as an array, which keeps the dtype it has.

    Elements from elsewhere are copied always, which with `copy=False` is a `ValueError`.

    >>> pb.array_api.asarray([[1, 2], [3, 4]], dtype=pb.float32)
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    if isinstance(obj, array):
        if copy is False and dtype is not None and Dtype(dtype) != obj.dtype:
            raise ValueError(
                f"[asarray] expected that a copy may be made to change {obj.dtype.name}, got copy=False"
            )
        return astype(obj, obj.dtype if dtype is None else dtype, copy=bool(copy), device=device)
    if copy is False:
        raise ValueError(
            f"[asarray] expected an array of this package with copy=False, got {type(obj).__name__}"
        )
    # NumPy's float64 stays what it is, where `pb.array` has MLX's float32.
    if dtype is None and getattr(getattr(obj, "dtype", None), "name", None) == "float64":
        dtype = _core.float64
    with _core.stream(device):
        return _core.array(obj, dtype)


@placed
def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> array:
    """Return an array of the elements of anything with `__dlpack__`, copied unless they are this package's.

    >>> pb.array_api.from_dlpack(pb.array([1, 2]))
    array([1, 2], dtype=int32)
    """
    if isinstance(x, array):
        return asarray(x, device=device, copy=copy)
    if copy is False:
        raise BufferError(
            f"[from_dlpack] expected an array of this package with copy=False, got {type(x).__name__}"
        )
    with _core.stream(device):
        return _core.from_dlpack(x)


@placed
def arange(
    start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None
) -> array:
    """Return evenly spaced numbers from `start` (or 0) up to and without `stop`.

    >>> pb.array_api.arange(1, 7, 2)
    array([1, 3, 5], dtype=int32)
    """
    if stop is None:
        start, stop = 0, start
    return _core.arange(start, stop, step, dtype, stream=device)


@placed
def linspace(
    start: complex,
    stop: complex,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
) -> array:
    """Return `num` evenly spaced numbers from `start` to `stop`, which `endpoint=False` leaves out.

    >>> pb.array_api.linspace(0, 1, 4, endpoint=False)
    array([0.  , 0.25, 0.5 , 0.75], dtype=float32)
    """
    if isinstance(start, complex) or isinstance(stop, complex):
        start, stop = complex(start), complex(stop)
        parts = [
            linspace(low, high, num, device=device, endpoint=endpoint)
            for low, high in ((start.real, stop.real), (start.imag, stop.imag))
        ]
        return (parts[0] + parts[1] * 1j).astype(_core.complex64 if dtype is None else dtype)
    dtype = _core.float32 if dtype is None else dtype
    return _core.linspace(start, stop, num, endpoint=endpoint, dtype=dtype, stream=device)


@placed
def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
) -> array:
    """Return a matrix with ones on a diagonal and zeros elsewhere.

    >>> pb.array_api.eye(2, 3, k=1)
    array([[0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    return _core.eye(n_rows, n_cols, k, _core.float32 if dtype is None else dtype, stream=device)


@placed
def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> array:
    """Return an array of zeros.

    >>> pb.array_api.zeros(2)
    array([0., 0.], dtype=float32)
    """
    return _core.zeros(shape, dtype, stream=device)


@placed
def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> array:
    """Return an array of ones.

    >>> pb.array_api.ones(2)
    array([1., 1.], dtype=float32)
    """
    return _core.ones(shape, dtype, stream=device)


@placed
def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> array:
    """Return an array of zeros: there are no elements without values.

    >>> pb.array_api.empty((0, 2)).shape
    (0, 2)
    """
    return zeros(shape, dtype=dtype, device=device)


@placed
def full(shape: Any, fill_value: complex, *, dtype: Any = None, device: Any = None) -> array:
    """Return an array of one number, with the default dtype of its kind.

    >>> pb.array_api.full(2, True)
    array([True, True], dtype=bool)
    """
    return _core.full(shape, fill_value, dtype, stream=device)


def _like(x: array, fill_value: complex, dtype: Any, device: Any) -> array:
    return _core.full(x.shape, fill_value, x.dtype if dtype is None else dtype, stream=device)


@placed
def full_like(x: array, /, fill_value: complex, *, dtype: Any = None, device: Any = None) -> array:
    """Return an array of one number, with the shape, dtype and device of another.

    >>> pb.array_api.full_like(pb.array([1, 2]), 7)
    array([7, 7], dtype=int32)
    """
    return _like(x, fill_value, dtype, device)


@placed
def zeros_like(x: array, /, *, dtype: Any = None, device: Any = None) -> array:
    """Return zeros with the shape, dtype and device of another array.

    >>> pb.array_api.zeros_like(pb.array([1, 2]))
    array([0, 0], dtype=int32)
    """
    return _like(x, 0, dtype, device)


@placed
def ones_like(x: array, /, *, dtype: Any = None, device: Any = None) -> array:
    """Return ones with the shape, dtype and device of another array.

    >>> pb.array_api.ones_like(pb.array([1, 2]))
    array([1, 1], dtype=int32)
    """
    return _like(x, 1, dtype, device)


@placed
def empty_like(x: array, /, *, dtype: Any = None, device: Any = None) -> array:
    """Return zeros with the shape, dtype and device of another array.

    >>> pb.array_api.empty_like(pb.array([1, 2])).shape
    (2,)
    """
    return _like(x, 0, dtype, device)


@placed
def tril(x: array, /, *, k: int = 0) -> array:
    """Return matrices with zeros above a diagonal.

    >>> pb.array_api.tril(pb.ones((2, 2), pb.int32))
    array([[1, 0],
           [1, 1]], dtype=int32)
    """
    return _core.tril(x, k)


@placed
def triu(x: array, /, *, k: int = 0) -> array:
    """Return matrices with zeros below a diagonal.

    >>> pb.array_api.triu(pb.ones((2, 2), pb.int32))
    array([[1, 1],
           [0, 1]], dtype=int32)
    """
    return _core.triu(x, k)


@placed
def meshgrid(*arrays: array, indexing: str = "xy") -> list[array]:
    """Return the coordinates of a grid's points, one array for each axis.

    >>> [grid.shape for grid in pb.array_api.meshgrid(pb.ones(2), pb.ones(3))]
    [(3, 2), (3, 2)]
    """
    return list(_core.meshgrid(*arrays, indexing=indexing)) if arrays else []
