"""How many digits arrays print with. The digits themselves are written by the compiled half."""

from collections.abc import Iterator
from contextlib import contextmanager

from pullback import _core


class PrintOptions:
    """How arrays print: `precision` is the most digits after the point, -1 the default, which is eight.

    >>> pb.PrintOptions(precision=3).precision
    3
    """

    def __init__(self, precision: int = -1) -> None:
        self.precision = precision

    def __repr__(self) -> str:
        return f"PrintOptions(precision={self.precision})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrintOptions) and self.precision == other.precision

    __hash__ = None  # type: ignore[assignment]


def set_printoptions(precision: int = -1) -> None:
    """Sets the most digits after the point with which arrays print, in all threads; -1 is the default.

    As in NumPy, trailing zeros are left out. A negative precision other than -1 is a `ValueError`.

    >>> pb.set_printoptions(precision=2)
    >>> pb.array([1.23456, 2.5])
    array([1.23, 2.5 ], dtype=float32)
    >>> pb.set_printoptions()
    """
    _core._set_precision(precision)


def get_printoptions() -> PrintOptions:
    """How arrays print now; a change of the result changes nothing.

    >>> pb.get_printoptions().precision
    -1
    """
    return PrintOptions(_core._precision())


@contextmanager
def printoptions(precision: int = -1) -> Iterator[PrintOptions]:
    """Within a `with` block, sets how arrays print; after it, they print as before.

    >>> with pb.printoptions(precision=3):
    ...     print(pb.array([3.14159265]))
    array([3.142], dtype=float32)
    """
    before = _core._precision()
    set_printoptions(precision)
    try:
        yield get_printoptions()
    finally:
        set_printoptions(before)
