"""Arrays as bytes: elements row by row, low bytes first, and the checks that every format makes."""

import math

from pullback import _core
from pullback._dtypes import DTYPES, category

# As many as NumPy has.
AXES = 64
# What the engine can count, see `Shape::checked`.
ELEMENTS = (1 << 59) - 1


def codes(letters: dict[str, str], unit: int) -> dict[_core.Dtype, str]:
    """The names of types in a format that builds them of a letter per category and a size.

    `bfloat16`, which shares its category and its size with `float16`, is left to the format.
    """
    return {
        dtype: f"{letters[category(dtype).name]}{unit * dtype.size}"
        for dtype in DTYPES
        if dtype != _core.bfloat16
    }


def content(arr: _core.array) -> memoryview:
    """The bytes of the elements."""
    # The buffer protocol has no name for bfloat16, whose bits are as good.
    return memoryview(arr.view(_core.uint16) if arr.dtype == _core.bfloat16 else arr)


def check_shape(shape, what: str) -> None:
    """Refuses sizes that are none, and more than can be counted."""
    sizes = all(type(size) is int and size >= 0 for size in shape)
    if not sizes or len(shape) > AXES or math.prod(size for size in shape if size) > ELEMENTS:
        text = str(shape) if len(shape) <= AXES else f"{len(shape)} axes"
        raise ValueError(f"[load] expected a shape of at most {AXES} sizes for {what}, got {text[:200]}")


def length(shape, dtype: _core.Dtype) -> int:
    """How many bytes the elements take."""
    return math.prod(shape) * dtype.size


def build(content, shape, dtype: _core.Dtype) -> _core.array:
    """An array of the bytes of its elements, which are copied."""
    return _core._from_bytes(content, tuple(shape), dtype)
