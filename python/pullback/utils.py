"""Functions of trees by the names and with the meaning they have in `mlx.utils`.

`None` is a leaf here, and `tree_flatten` names leaves by dotted paths. `pullback.tree` has the functions that
JAX calls by the same names.

>>> pb.utils.tree_flatten({"layers": [{"w": 1}, {"w": 2}]})
[('layers.0.w', 1), ('layers.1.w', 2)]
"""

import functools
from collections.abc import Callable
from typing import Any

from pullback._core import _tree_flatten

__all__ = ["tree_flatten", "tree_map", "tree_map_with_path", "tree_merge", "tree_reduce", "tree_unflatten"]

IsLeaf = Callable[[Any], bool] | None


def tree_map(fn: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """Return `fn` of the leaves of a tree, in its structure; dicts of the rest may have more keys.

    >>> pb.utils.tree_map(lambda g, p: p - g, {"w": 1}, {"w": 3, "frozen": 5})
    {'w': 2}
    """
    leaves, structure = _tree_flatten(tree, is_leaf, True)
    others = [structure.flatten_up_to(other, exact=False) for other in rest]
    return structure.unflatten([fn(*each) for each in zip(leaves, *others, strict=True)])


def _dotted(path: tuple[Any, ...], prefix: str | None = None) -> str:
    steps = [str(step) for step in path]
    return ".".join([prefix, *steps] if prefix else steps)


def tree_map_with_path(
    fn: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None, path: str | None = None
) -> Any:
    """As `tree_map`, with the dotted path of each leaf as the first argument.

    >>> pb.utils.tree_map_with_path(lambda path, x: path, {"a": [1, 2]})
    {'a': ['a.0', 'a.1']}
    """
    leaves, structure = _tree_flatten(tree, is_leaf, True)
    paths = [_dotted(steps, path) for steps in structure.paths()]
    others = [structure.flatten_up_to(other, exact=False) for other in rest]
    return structure.unflatten([fn(*each) for each in zip(paths, leaves, *others, strict=True)])


def tree_flatten(
    tree: Any, prefix: str = "", is_leaf: IsLeaf = None, destination: list | dict | None = None
) -> Any:
    """Return pairs of dotted path and leaf, or put them into `destination`. A prefix starts with the dot.

    >>> pb.utils.tree_flatten([1, {"a": 2}])
    [('0', 1), ('1.a', 2)]
    >>> pb.utils.tree_flatten([1, {"a": 2}], destination={})
    {'0': 1, '1.a': 2}
    """
    leaves, structure = _tree_flatten(tree, is_leaf, True)
    paths = [_dotted(steps, prefix[1:]) for steps in structure.paths()]
    found = [] if destination is None else destination
    if isinstance(found, dict):
        found.update(zip(paths, leaves, strict=True))
    else:
        found.extend(zip(paths, leaves, strict=True))
    return found


def tree_unflatten(tree: list[tuple[str, Any]] | dict[str, Any]) -> Any:
    """Return lists and dicts with leaves at these dotted paths. Where all keys are integers there is a list.

    >>> pb.utils.tree_unflatten([("layers.0.w", 1), ("layers.1.w", 2)])
    {'layers': [{'w': 1}, {'w': 2}]}
    """
    items = list(tree.items() if isinstance(tree, dict) else tree)
    if len(items) == 1 and items[0][0] == "":
        return items[0][1]
    children: dict[str, list[tuple[str, Any]]] = {}
    for path, leaf in items:
        key, _, rest = path.partition(".")
        children.setdefault(key, []).append((rest, leaf))
    if not all(key.isdecimal() for key in children):
        return {key: tree_unflatten(below) for key, below in children.items()}
    found: list[Any] = []
    for index, key in sorted((int(key), key) for key in children):
        found.extend({} for _ in range(index - len(found)))
        found.append(tree_unflatten(children[key]))
    return found


def tree_reduce(
    fn: Callable[[Any, Any], Any], tree: Any, initializer: Any = None, is_leaf: IsLeaf = None
) -> Any:
    """Return what is left when `fn` joins the leaves of a tree from left to right.

    >>> pb.utils.tree_reduce(lambda x, y: x + y, {"a": 1, "b": [2, 3]}, 10)
    16
    """
    leaves = _tree_flatten(tree, is_leaf, True)[0]
    if initializer is not None:
        return functools.reduce(fn, leaves, initializer)
    return functools.reduce(fn, leaves) if leaves else None


def tree_merge(tree_a: Any, tree_b: Any, merge_fn: Callable[[Any, Any], Any] | None = None) -> Any:
    """Return the tree that has what is in either; of leaves that are in both, what `merge_fn` says.

    >>> pb.utils.tree_merge({"a": {"x": 1}}, {"a": {"y": 2}, "b": 3})
    {'a': {'x': 1, 'y': 2}, 'b': 3}
    """
    if tree_a is None or (isinstance(tree_a, dict | list | tuple) and not tree_a):
        return tree_b
    if tree_b is None or (isinstance(tree_b, dict | list | tuple) and not tree_b):
        return tree_a
    if isinstance(tree_a, list | tuple) and isinstance(tree_b, list | tuple):
        longest = max(len(tree_a), len(tree_b))
        padded = [[*tree, *[None] * (longest - len(tree))] for tree in (tree_a, tree_b)]
        return type(tree_a)(tree_merge(a, b, merge_fn) for a, b in zip(*padded, strict=True))
    if isinstance(tree_a, dict) and isinstance(tree_b, dict):
        keys = [*tree_a, *(key for key in tree_b if key not in tree_a)]
        return {key: tree_merge(tree_a.get(key), tree_b.get(key), merge_fn) for key in keys}
    if merge_fn is None:
        raise ValueError(
            "[tree_merge] expected each leaf in one of the trees, got one in both: give a merge_fn"
        )
    return merge_fn(tree_a, tree_b)
