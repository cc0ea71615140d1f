"""Trees of arrays that go from step to step: read, compared, and chosen from."""

from collections.abc import Sequence
from typing import Any

from pullback import _core
from pullback._callback import ShapeDtypeStruct
from pullback._core import TreeDef, _tree_flatten, array

Typed = array | ShapeDtypeStruct


def read(op: str, what: str, tree: Any, like: Sequence[Typed] | None = None) -> tuple[list[array], TreeDef]:
    """The leaves of a tree as arrays, and its structure. Numbers take the types of `like`, if it is given."""
    leaves, structure = _tree_flatten(tree)
    types: list[Any] = [None] * len(leaves)
    if like is not None and len(like) == len(leaves):
        types = [x.dtype for x in like]
    return [_read(op, what, x, dtype) for x, dtype in zip(leaves, types, strict=True)], structure


def _read(op: str, what: str, x: Any, dtype: Any) -> array:
    if isinstance(x, array):
        return x
    if isinstance(x, bool | int | float | complex):
        return array(x) if dtype is None else array(x, dtype)
    if hasattr(x, "__array__") and hasattr(x, "dtype"):
        return array(x)
    raise TypeError(
        f"[{op}] expected arrays in {what}, got a {type(x).__name__}: close over what is no array"
    )


def own(tree: Any) -> Any:
    """A tree for a function of the user's, of arrays in objects of its own: what the function does to them in
    place is not done to those that are still needed, nor to the caller's.
    """
    leaves, structure = _tree_flatten(tree)
    return handed(structure, leaves) if any(isinstance(x, array) for x in leaves) else tree


def handed(structure: TreeDef, leaves: Sequence[Any]) -> Any:
    """As `own`, of leaves."""
    return structure.unflatten([array(x) if isinstance(x, array) else x for x in leaves])


def kind(x: Typed) -> str:
    """The type and shape of an array, as they are written."""
    return f"{x.dtype.name}{list(x.shape)}"


def alike(op: str, what: str, got: Any, want: Sequence[Typed], structure: TreeDef) -> list[array]:
    """The leaves of a tree that must be like others: in structure, shapes and types."""
    leaves, found = read(op, what, got, want)
    if found != structure:
        raise TypeError(f"[{op}] expected {what} to have the structure {structure}, got {found}")
    for path, x, y in zip(structure.paths(), leaves, want, strict=True):
        if x.shape != y.shape or x.dtype != y.dtype:
            where = "".join(f"[{step!r}]" for step in path)
            hint = ""
            if x.shape == y.shape:
                hint = f": convert it by .astype(pb.{y.dtype.name}), or start with {x.dtype.name}"
            raise TypeError(f"[{op}] expected {what}{where} to be {kind(y)}, got {kind(x)}{hint}")
    return leaves


def numbers(tree: Any) -> list[int]:
    """Which leaves of a tree are numbers of Python: they take the type of the first result."""
    return [i for i, x in enumerate(_tree_flatten(tree)[0]) if isinstance(x, bool | int | float | complex)]


def promoted(numbers: Sequence[int], leaves: list[array], out: Any) -> list[array]:
    """The leaves, with the types of a first result where they were numbers; the same list if none changes."""
    found = _tree_flatten(out)[0]
    changed = list(leaves)
    for i in numbers:
        y = found[i] if len(found) == len(leaves) else None
        if isinstance(y, array) and y.shape == () and y.dtype != leaves[i].dtype:
            changed[i] = leaves[i].astype(y.dtype)
    return leaves if all(x is y for x, y in zip(changed, leaves, strict=True)) else changed


def chosen(predicate: array, yes: Sequence[array], no: Sequence[array]) -> list[array]:
    """Each of `yes` where a scalar predicate holds, else of `no`."""
    return [_core.where(predicate, x, y) for x, y in zip(yes, no, strict=True)]


def predicate(op: str, x: Any) -> array:
    """A scalar as a truth value."""
    p = x if isinstance(x, array) else array(x)
    if p.shape != ():
        raise TypeError(f"[{op}] expected a scalar predicate, got {kind(p)}: reduce it by .any() or .all()")
    return p if p.dtype == _core.bool_ else p != 0
