"""How arrays print: their digits, written by the compiled half, and their page in a notebook."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

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


# Rows and columns of a page's table: of more, the first ones.
ROWS, COLUMNS = 8, 10


def page(x: _core.array) -> str:
    """The HTML of an array: what it is, and a table of its first elements."""
    last = x.shape[-2:]
    rows, columns = ([1, 1, *last][-2], [1, *last][-1])
    shown = x[(0,) * (x.ndim - 2)] if x.ndim > 2 and x.size else x
    lines = ""
    if x.size:
        for row in _core.reshape(shown, (rows, columns))[:ROWS, :COLUMNS].tolist():
            cells = "".join(f"<td>{escape(_cell(element))}</td>" for element in row)
            lines += f"<tr>{cells}{'<td>…</td>' if columns > COLUMNS else ''}</tr>"
        if rows > ROWS:
            lines += f"<tr>{'<td>…</td>' * min(columns, COLUMNS + 1)}</tr>"
    leading = f"[{', '.join(['0'] * (x.ndim - 2))}, :, :]: " if x.ndim > 2 and x.size else ""
    return f"<div>{_header(x)}, {escape(str(x.device))}<br>{leading}<table>{lines}</table></div>"


def page_of_tracer(x: _core.array) -> str:
    """The HTML of a tracer, which has no elements yet."""
    return f"<div>traced {_header(x)}</div>"


def _header(x: _core.array) -> str:
    return escape(f"array, shape {x.shape}, {x.dtype.name}")


def _cell(element: object) -> str:
    digits = _core._precision()
    return (
        f"{element:.{6 if digits < 0 else digits}g}" if isinstance(element, float | complex) else str(element)
    )
