"""Trees: nested lists, tuples, dicts, dataclasses, modules and registered nodes, with anything as leaves.

Names and meaning are those of `jax.tree_util`: `None` is an empty tree, and a structure is an object of its
own. Dicts keep the order of their keys. `pullback.utils` has the functions that MLX calls by the same names.

>>> pb.tree.tree_map(lambda x, y: x + y, {"a": 1, "b": [2, None]}, {"a": 10, "b": [20, None]})
{'a': 11, 'b': [22, None]}
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from pullback._core import (
    TreeDef,
    _tree_flatten,
    register_module,
    register_tree_node,
    register_tree_node_class,
)

__all__ = [
    "TreeDef",
    "register_module",
    "register_tree_node",
    "register_tree_node_class",
    "tree_flatten",
    "tree_leaves",
    "tree_map",
    "tree_map_with_path",
    "tree_reduce",
    "tree_structure",
    "tree_unflatten",
]

IsLeaf = Callable[[Any], bool] | None


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeDef]:
    """Return the leaves of a tree and its structure. What `is_leaf` says yes to is not looked into.

    >>> leaves, structure = pb.tree.tree_flatten([1, (2, 3)])
    >>> leaves
    [1, 2, 3]
    >>> pb.tree.tree_unflatten(structure, "abc")
    ['a', ('b', 'c')]
    """
    return _tree_flatten(tree, is_leaf)


def tree_unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """Return a tree of a structure with other leaves.

    >>> pb.tree.tree_unflatten(pb.tree.tree_structure({"a": 1, "b": 2}), [3, 4])
    {'a': 3, 'b': 4}
    """
    return treedef.unflatten(leaves)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """Return the leaves of a tree, in order.

    >>> pb.tree.tree_leaves({"a": [1, 2], "b": None})
    [1, 2]
    """
    return _tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeDef:
    """Return the structure of a tree.

    >>> pb.tree.tree_structure([1, (2,)]) == pb.tree.tree_structure(["x", ("y",)])
    True
    """
    return _tree_flatten(tree, is_leaf)[1]


def tree_map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """Return `f` of the leaves of a tree, in its structure. Where `tree` has leaves, the rest may have trees.

    >>> pb.tree.tree_map(lambda x: x * 2, {"w": pb.array(1.0)})["w"].item()
    2.0
    """
    leaves, structure = _tree_flatten(tree, is_leaf)
    others = [structure.flatten_up_to(other) for other in rest]
    return structure.unflatten([f(*each) for each in zip(leaves, *others, strict=True)])


def tree_map_with_path(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """As `tree_map`, with the path of each leaf as the first argument: a tuple of keys, indices and names.

    >>> pb.tree.tree_map_with_path(lambda path, x: path, {"a": [1, 2]})
    {'a': [('a', 0), ('a', 1)]}
    """
    leaves, structure = _tree_flatten(tree, is_leaf)
    others = [structure.flatten_up_to(other) for other in rest]
    each = zip(structure.paths(), leaves, *others, strict=True)
    return structure.unflatten([f(*arguments) for arguments in each])


_NOTHING: Any = object()


def tree_reduce(
    f: Callable[[Any, Any], Any], tree: Any, initializer: Any = _NOTHING, is_leaf: IsLeaf = None
) -> Any:
    """Return what is left when `f` joins the leaves of a tree from left to right.

    >>> pb.tree.tree_reduce(lambda x, y: x + y, {"a": 1, "b": [2, 3]})
    6
    """
    leaves = tree_leaves(tree, is_leaf)
    if initializer is _NOTHING:
        return functools.reduce(f, leaves)
    return functools.reduce(f, leaves, initializer)
