"""`custom_vmap` and `sequential_vmap`, the doors of JAX for batches."""

from collections.abc import Callable
from typing import Any

from pullback import _core
from pullback._core import _Custom, array


class custom_vmap(_Custom):
    """A function with a rule for batches, in the idiom of `jax.custom_batching.custom_vmap`.

    `def_vmap(rule)` gives it: `rule(axis_size, in_batched, *args)` returns `(output, out_batched)`. Batched
    arguments have the batch axis in front; `in_batched` says for each argument, in a tuple of trees of booleans,
    which arrays those are, and `out_batched` says it of the output. Derivatives are those of the function, example
    by example, whatever the rule did.

    >>> @pb.custom_vmap
    ... def f(x):
    ...     return x * x
    >>> @f.def_vmap
    ... def rule(axis_size, in_batched, x):
    ...     return x * x + 7, in_batched[0]
    >>> pb.vmap(f)(pb.array([1.0, 2.0]))
    array([8., 11.], dtype=float32)
    """

    def __new__(
        cls, fun: Callable[..., Any] | None = None, *, missing: str = "derive", captured: str = "error"
    ) -> Any:
        """Of `fun`; without one a decorator that waits for it."""
        if fun is None:
            return lambda fun: cls(fun, missing=missing, captured=captured)
        return super().__new__(cls, fun, missing=missing, captured=captured)

    def def_vmap(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Gives the rule, and returns it."""
        self._define(vmap=batched(rule))
        return rule


def sequential_vmap(fun: Callable[..., Any]) -> custom_vmap:
    """`fun`, which under `vmap` is called for one example after the other.

    >>> @pb.sequential_vmap
    ... def f(x):
    ...     return x[0] if x.shape[0] == 1 else x.sum()
    >>> pb.vmap(f)(pb.array([[1.0, 2.0], [3.0, 4.0]]))
    array([3., 7.], dtype=float32)
    """
    mapped = custom_vmap(fun)

    def rule(axis_size: int, in_batched: Any, *args: Any) -> Any:
        def example(tree: Any, batched: Any, i: int) -> Any:
            return _zip(lambda x, b: x[i] if b else x, tree, batched)

        if axis_size == 0:
            # Nothing to call it on: one example of zeros says what it returns.
            empty = [_zip(lambda x, b: _core.zeros(x.shape[1:], dtype=x.dtype) if b else x, *a) for a in
                     zip(args, in_batched, strict=True)]
            out = fun(*empty)
            return _map(lambda y: _core.zeros((0, *y.shape), dtype=y.dtype), out), _map(lambda _: True, out)
        outs = [fun(*(example(*a, i) for a in zip(args, in_batched, strict=True))) for i in range(axis_size)]
        stacked = _stacked(outs)
        return stacked, _map(lambda _: True, stacked)

    mapped.def_vmap(rule)
    return mapped


def batched(rule: Callable[..., Any]) -> Callable[..., Any]:
    """`rule(axis_size, in_batched, *args)` as the engine calls it: `(args, axes, axis_size)`, axes anywhere."""

    def call(args: tuple[Any, ...], axes: tuple[Any, ...], axis_size: int, **kwargs: Any) -> Any:
        front = [_zip(_to_front, arg, axis) for arg, axis in zip(args, axes, strict=True)]
        in_batched = tuple(_zip(lambda _, axis: axis is not None, *a) for a in zip(args, axes, strict=True))
        result = rule(axis_size, in_batched, *front, **kwargs)
        if not (isinstance(result, tuple) and len(result) == 2):
            return result
        out, out_batched = result
        return out, _axes(out_batched)

    return call


def _to_front(x: array, axis: int | None) -> array:
    return x if axis is None else _core.moveaxis(x, axis, 0)


def _axes(batched: Any) -> Any:
    """Truth values as axes; anything else is for the engine to refuse."""
    if isinstance(batched, bool):
        return 0 if batched else None
    if isinstance(batched, dict):
        return {key: _axes(child) for key, child in batched.items()}
    if isinstance(batched, tuple | list):
        return tuple(_axes(child) for child in batched)
    return batched


def _zip(f: Callable[[Any, Any], Any], tree: Any, other: Any) -> Any:
    """`f` of each array of a tree and what stands in its place in another, which may end above it."""
    if isinstance(tree, array):
        return f(tree, other)
    shared = not isinstance(other, dict | tuple | list)
    if isinstance(tree, dict):
        return {key: _zip(f, child, other if shared else other[key]) for key, child in tree.items()}
    if isinstance(tree, tuple | list):
        pairs = zip(tree, [other] * len(tree) if shared else other, strict=True)
        children = [_zip(f, *pair) for pair in pairs]
        return type(tree)(*children) if hasattr(tree, "_fields") else type(tree)(children)
    return tree if other is None or shared is False else other


def _map(f: Callable[[Any], Any], tree: Any) -> Any:
    return _zip(lambda x, _: f(x), tree, None)


def _stacked(trees: list[Any]) -> Any:
    first = trees[0]
    if isinstance(first, dict):
        return {key: _stacked([tree[key] for tree in trees]) for key in first}
    if isinstance(first, tuple | list):
        children = [_stacked(list(each)) for each in zip(*trees, strict=True)]
        return type(first)(*children) if hasattr(first, "_fields") else type(first)(children)
    return _core.stack(trees)
