"""Scans: a function over the rows of arrays, with a carry from row to row, or by a tree of pairs.

Names and meaning are those of `jax.lax`. A scan has a static length; its steps are a graph, so that custom
functions within keep their rules, and every transform holds.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pullback import _carry, _core
from pullback._core import TreeDef, array

__all__ = ["associative_scan", "scan"]

Step = Callable[[Any, Any], Any]


def scan(
    f: Step,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    checkpoint: bool = False,
) -> tuple[Any, Any]:
    """Return the carry after `carry, y = f(carry, x)` for each row `x` of `xs`, and the rows `y` as arrays.

    `xs`, the carry and `y` are trees of arrays; the carry has one structure, and the same shapes and types,
    in every step. Without `xs`, `length` says how many steps, and `x` is `None`. With `reverse` rows are
    taken, and given, from last to first. With `checkpoint` a gradient computes what happens within a step
    again, and keeps the carries only. `unroll` changes nothing: all steps are there.

    >>> total, sums = pb.scan(lambda c, x: (c + x, c + x), 0.0, pb.array([1.0, 2.0, 3.0]))
    >>> total.item(), sums
    (6.0, array([1., 3., 6.], dtype=float32))
    >>> pb.grad(lambda w: pb.scan(lambda c, _: (c * w, None), 1.0, length=3)[0])(pb.array(2.0)).item()
    12.0
    """
    op = "scan"
    carry, structure = _carry.read(op, "init", init)
    numbers = _carry.numbers(init)
    rows, row_structure = _rows_of(op, xs, length)
    step = _core.checkpoint(f) if checkpoint else f
    outs: list[list[array]] = []
    out_structure: TreeDef | None = None
    for row in reversed(rows) if reverse else rows:
        new, y = _stepped(step, _carry.handed(structure, carry), _carry.handed(row_structure, row))
        settled, numbers = _carry.promoted(numbers, carry, new), []
        if settled is not carry:
            carry = settled
            new, y = _stepped(step, _carry.handed(structure, carry), _carry.handed(row_structure, row))
        carry = _carry.alike(op, "the carry that f returns", new, carry, structure)
        if out_structure is None:
            leaves, out_structure = _carry.read(op, "what f returns for each row", y)
        else:
            leaves = _carry.alike(op, "what f returns for each row", y, outs[0], out_structure)
        outs.append(leaves)
    if out_structure is None:
        return structure.unflatten(carry), _nothing(f, carry, structure, _read_rows(op, xs))
    if reverse:
        outs.reverse()
    columns = [_stacked(*column) for column in zip(*outs, strict=True)]
    return structure.unflatten(carry), out_structure.unflatten(columns)


def _stepped(step: Step, carry: Any, row: Any) -> tuple[Any, Any]:
    """One step: all that a scan costs but for slices."""
    out = step(carry, row)
    if not (isinstance(out, tuple) and len(out) == 2):
        kind = f"a tuple of {len(out)}" if isinstance(out, tuple) else f"a {type(out).__name__}"
        raise TypeError(f"[scan] expected f to return (carry, y), got {kind}: y may be None")
    return out


def _read_rows(op: str, xs: Any) -> tuple[list[array], TreeDef]:
    arrays, structure = _carry.read(op, "xs", xs)
    for x in arrays:
        if x.ndim == 0:
            raise ValueError(f"[{op}] expected rows in xs, got a scalar: close over what is no row")
    return arrays, structure


def _rows_of(op: str, xs: Any, length: int | None) -> tuple[list[tuple[array, ...]], TreeDef]:
    """The leaves of each row, and the structure of a row."""
    arrays, structure = _read_rows(op, xs)
    counts = sorted({x.shape[0] for x in arrays} | ({int(length)} if length is not None else set()))
    if len(counts) != 1:
        if not counts:
            raise ValueError(f"[{op}] expected xs or a length, got neither")
        said = "" if length is None else f" and length={length}"
        shapes = ", ".join(_carry.kind(x) for x in arrays)
        raise ValueError(f"[{op}] expected as many rows everywhere, got xs of {shapes}{said}")
    count = counts[0]
    if count < 0:
        raise ValueError(f"[{op}] expected a length that is not negative, got {count}")
    if not arrays or count == 0:
        return [()] * count, structure
    return list(zip(*(_rows(x) for x in arrays), strict=True)), structure


def _nothing(f: Step, carry: list[array], structure: TreeDef, xs: tuple[list[array], TreeDef]) -> Any:
    """What a scan over no rows gives: one call on zeros says which arrays have no rows."""
    arrays, row_structure = xs
    zeros = [_core.zeros_like(x) for x in carry]
    row = row_structure.unflatten([_core.zeros(x.shape[1:], dtype=x.dtype) for x in arrays])
    _, y = _stepped(f, structure.unflatten(zeros), row)
    leaves, out_structure = _carry.read("scan", "what f returns for each row", y)
    return out_structure.unflatten([_core.zeros((0, *x.shape), dtype=x.dtype) for x in leaves])


# The gradient by a slice has the size of the whole, so that of slices one by one takes time that is quadratic
# in their number. As one operation and its transpose they take linear time: 4000 rows of 64, 0.2 s in place
# of 3.5 s.
@_core.custom_function
def _rows(x: array) -> tuple[array, ...]:
    return tuple(row.reshape(x.shape[1:]) for row in _core.split(x, x.shape[0]))


@_core.custom_function
def _stacked(*rows: array) -> array:
    return _core.stack(list(rows))


@_rows.vjp
def _(x: array, cotangents: tuple[array, ...]) -> array:
    return _stacked(*cotangents)


@_rows.jvp
def _(x: array, tangent: array) -> tuple[array, ...]:
    return _rows(tangent)


@_stacked.vjp
def _(rows: Any, cotangent: array) -> Any:
    parts = _rows(cotangent)
    return parts if isinstance(rows, tuple) else parts[0]


@_stacked.jvp
def _(rows: Any, tangents: Any) -> array:
    return _stacked(*(tangents if isinstance(tangents, tuple) else (tangents,)))


def associative_scan(fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Return all partial results of an associative function over the rows of `elems`, in a logarithmic depth.

    `fn(a, b)` gets trees like `elems`, with any number of rows, and joins them row by row. With `reverse` it
    goes from last to first.

    >>> pb.associative_scan(lambda a, b: a * b, pb.array([1, 2, 3, 4]))
    array([ 1,  2,  6, 24], dtype=int32)
    >>> pb.associative_scan(pb.maximum, pb.array([1, 3, 2, 0]), reverse=True)
    array([3, 3, 2, 0], dtype=int32)
    """
    op = "associative_scan"
    arrays, structure = _carry.read(op, "elems", elems)
    if not arrays:
        raise ValueError(f"[{op}] expected an array in elems, got none")
    for x in arrays:
        if not -x.ndim <= axis < x.ndim:
            raise ValueError(f"[{op}] expected arrays with an axis {axis}, got {_carry.kind(x)}")
    if len({x.shape[axis] for x in arrays}) > 1:
        shapes = ", ".join(_carry.kind(x) for x in arrays)
        raise ValueError(f"[{op}] expected as many rows everywhere along axis {axis}, got {shapes}")
    axes = [axis % x.ndim for x in arrays]

    def flipped(each: Sequence[array]) -> list[array]:
        return [_core.flip(x, at) for x, at in zip(each, axes, strict=True)] if reverse else list(each)

    def joined(a: list[array], b: list[array]) -> list[array]:
        out = fn(_carry.handed(structure, a), _carry.handed(structure, b))
        return _carry.alike(op, "the result of fn", out, a, structure)

    return structure.unflatten(flipped(_partial(joined, flipped(arrays), axes)))


def _partial(
    joined: Callable[[list[array], list[array]], list[array]], rows: list[array], axes: list[int]
) -> list[array]:
    """Partial results: of pairs first, which are those at odd places, and from them those at even places."""
    count = rows[0].shape[axes[0]]
    if count < 2:
        return rows

    def part(each: list[array], start: int, stop: int | None, step: int = 1) -> list[array]:
        pairs = zip(each, axes, strict=True)
        return [x[(*(slice(None),) * at, slice(start, stop, step))] for x, at in pairs]

    odd = _partial(joined, joined(part(rows, 0, count - 1, 2), part(rows, 1, None, 2)), axes)
    even = part(rows, 0, 1)
    if count > 2:
        before = part(odd, 0, (count - 1) // 2)
        rest = joined(before, part(rows, 2, None, 2))
        pairs = zip(even, rest, axes, strict=True)
        even = [_core.concatenate([first, more], axis=at) for first, more, at in pairs]
    return [_woven(*each) for each in zip(even, odd, axes, strict=True)]


def _woven(even: array, odd: array, axis: int) -> array:
    """Rows of two arrays in turn; the first has as many as the second, or one more."""
    count = odd.shape[axis]
    front = (slice(None),) * axis
    shape = (*odd.shape[:axis], 2 * count, *odd.shape[axis + 1 :])
    woven = _core.stack([even[(*front, slice(0, count))], odd], axis=axis + 1).reshape(shape)
    if even.shape[axis] == count:
        return woven
    return _core.concatenate([woven, even[(*front, slice(count, None))]], axis=axis)
