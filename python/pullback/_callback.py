"""Calls of functions of the host: what stands around `pure_callback`."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, final

from pullback import _core


@final
class ShapeDtypeStruct:
    """The shape and the type of an array that is not there: what `pure_callback` is told of its results.

    >>> pb.ShapeDtypeStruct((2, 3), pb.float32)
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    >>> pb.ShapeDtypeStruct((2,), "int32").dtype == pb.int32
    True
    """

    __slots__ = ("_dtype", "_shape")
    _shape: tuple[int, ...]
    _dtype: _core.Dtype

    def __init__(self, shape: int | Sequence[int], dtype: Any) -> None:
        sizes = (shape,) if isinstance(shape, int) else tuple(int(size) for size in shape)
        if any(size < 0 for size in sizes):
            raise ValueError(f"[ShapeDtypeStruct] expected sizes that are not negative, got {sizes}")
        self._shape = sizes
        self._dtype = _core.Dtype(dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every axis."""
        return self._shape

    @property
    def dtype(self) -> _core.Dtype:
        """The type of the elements."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for size in self._shape:
            count *= size
        return count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ShapeDtypeStruct):
            return NotImplemented
        return self._shape == other._shape and self._dtype == other._dtype

    def __hash__(self) -> int:
        return hash((self._shape, self._dtype))

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct(shape={self._shape}, dtype={self._dtype.name})"


def io_callback(
    callback: Callable[..., Any],
    result_shape: Any,
    *args: Any,
    ordered: bool = False,
    **kwargs: Any,
) -> NoReturn:
    """Raise `NotImplementedError`: a lazy graph does not say in which order, or whether, effects come about.

    >>> pb.io_callback(print, None)
    Traceback (most recent call last):
        ...
    NotImplementedError: [io_callback] expected a function without effects, ...
    """
    raise NotImplementedError(
        "[io_callback] expected a function without effects, got one that is called for them: ordered effects "
        "are not supported; use pure_callback for values, pb.debug.print to look at them, or call the "
        "function outside of compile and vmap"
    )
