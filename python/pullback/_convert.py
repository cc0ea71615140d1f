"""Arrays of what others hold."""

from typing import Any

from pullback._core import Dtype, array


def asarray(a: Any, dtype: Dtype | None = None, *, copy: bool | None = None) -> array:
    """Make an array of numbers, of sequences of them, or of what another library holds.

    Args:
        a: As `array` takes it.
        dtype: The type of the elements; that of `a`, if none is given.
        copy: `False` refuses what needs a copy: all but arrays of this type.

    Raises:
        ValueError: `copy` is false, and a copy is needed.

    >>> pb.asarray([1, 2], pb.float32)
    array([1., 2.], dtype=float32)
    """
    if copy is False and not (isinstance(a, array) and dtype in (None, a.dtype)):
        raise ValueError(
            "[asarray] expected an array of its own type for copy=False, "
            f"got {type(a).__name__}: leave copy out, or pass copy=True"
        )
    return array(a, dtype)
