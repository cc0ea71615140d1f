"""`custom_vmap` and `sequential_vmap`, the doors of JAX for batches."""

from collections.abc import Callable
from copy import copy
from typing import Any

from pullback import _core
from pullback._core import RuleError, _Custom, array
from pullback.doors import arguments
from pullback.tree import tree_map, tree_map_with_path


class custom_vmap(_Custom):
    """A function with a rule for batches, in the idiom of `jax.custom_batching.custom_vmap`.

    `def_vmap(rule)` gives it: `rule(axis_size, in_batched, *args)` returns `(output, out_batched)`. Batched
    arguments have the batch axis in front; `in_batched` says for each argument, in a tuple of trees of
    booleans, which arrays those are, and `out_batched` says it of the output. Derivatives are those of the
    function, example by example, whatever the rule did.

    >>> @pb.custom_vmap
    ... def f(x):
    ...     return x * x
    >>> @f.def_vmap
    ... def rule(axis_size, in_batched, x):
    ...     return x * x + 7, in_batched[0]
    >>> pb.vmap(f)(pb.array([1.0, 2.0]))
    array([ 8., 11.], dtype=float32)
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
        self._define(vmap=batched(arguments.name(self), rule))
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
        def called(pick: Callable[[array], array]) -> Any:
            return fun(
                *(
                    _each(lambda x, is_batched: pick(x) if is_batched else copy(x), *a)
                    for a in zip(args, in_batched, strict=True)
                )
            )

        if axis_size == 0:
            # Nothing to call it on: an example of zeros says what it returns.
            out = called(lambda x: _core.zeros(x.shape[1:], dtype=x.dtype))
            stacked = tree_map(lambda y: _core.zeros((0, *y.shape), dtype=y.dtype), out)
        else:
            outs = [called(lambda x, i=i: x[i]) for i in range(axis_size)]
            stacked = tree_map(lambda *ys: _core.stack(ys) if isinstance(ys[0], array) else ys[0], *outs)
        return stacked, tree_map(lambda y: isinstance(y, array), stacked)

    mapped.def_vmap(rule)
    return mapped


def batched(name: str, rule: Callable[..., Any]) -> Callable[..., Any]:
    """`rule(axis_size, in_batched, *args)` as the engine calls it: `(args, axes, axis_size)`, axes
    anywhere.
    """

    def call(args: tuple[Any, ...], axes: tuple[Any, ...], axis_size: int, **kwargs: Any) -> Any:
        front = [_each(_to_front, *pair) for pair in zip(args, axes, strict=True)]
        in_batched = tuple(tree_map(_mapped, *pair) for pair in zip(args, axes, strict=True))
        result = rule(axis_size, in_batched, *front, **kwargs)
        if not (isinstance(result, tuple) and len(result) == 2):
            return result
        out, out_batched = result
        return out, tree_map_with_path(axis, out_batched)

    def axis(path: tuple[Any, ...], is_batched: Any) -> int | None:
        """A truth value as an axis. A number is none: it may be meant as an axis, which is in front here."""
        if isinstance(is_batched, bool) or is_batched is None:
            return 0 if is_batched else None
        at = "".join(f"[{step!r}]" for step in path)
        raise RuleError(
            f"vmap rule of {name!r}, out_batched{at}: expected True or False, "
            f"got {arguments.described(is_batched)}"
        )

    return call


def _each(f: Callable[[Any, Any], Any], tree: Any, other: Any) -> Any:
    """`f` of each array of a tree, and of what stands in its place in another tree."""
    return tree_map(lambda x, y: f(x, y) if isinstance(x, array) else x, tree, other)


def _mapped(x: Any, axis: int | None) -> bool:
    """Whether a leaf has a batch axis: what is no array has none."""
    return isinstance(x, array) and axis is not None


def _to_front(x: array, axis: int | None) -> array:
    return x if axis is None else _core.moveaxis(x, axis, 0)
