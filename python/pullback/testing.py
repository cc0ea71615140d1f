"""Checks for functions and rules of one's own: derivatives against difference quotients."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pullback as pb

__all__ = ["assert_close", "check_grads", "map_arrays"]


def map_arrays(fun: Callable, tree: Any, *others: Any) -> Any:
    """`fun` of the arrays of trees of one structure, in that structure.

    >>> map_arrays(lambda x: x * 2, {"a": pb.array(1.0), "b": [pb.array(2.0)]})["b"][0].item()
    4.0
    """
    if isinstance(tree, pb.array):
        return fun(tree, *others)
    if isinstance(tree, dict):
        return {key: map_arrays(fun, tree[key], *(other[key] for other in others)) for key in tree}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_arrays(fun, *parts) for parts in zip(tree, *others, strict=True)))
    if isinstance(tree, list | tuple):
        return type(tree)(map_arrays(fun, *parts) for parts in zip(tree, *others, strict=True))
    if is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in fields(tree)]
        each = {name: map_arrays(fun, *(getattr(part, name) for part in (tree, *others))) for name in names}
        return replace(tree, **each)
    return tree


def _arrays(tree: Any) -> list[pb.array]:
    found: list[pb.array] = []
    map_arrays(lambda x: found.append(x) or x, tree)
    return found


def _is_float(x: pb.array) -> bool:
    return x.dtype in (pb.float16, pb.bfloat16, pb.float32, pb.float64)


def assert_close(got: Any, expected: Any, rtol: float, atol: float, what: str) -> None:
    """Raise `AssertionError`, naming `what`, unless the arrays of two trees are nearly equal."""
    pairs = list(zip(_arrays(got), _arrays(expected), strict=True))
    for i, (x, y) in enumerate(pairs):
        if x.shape != y.shape:
            raise AssertionError(f"{what}, array {i}: expected shape {y.shape}, got {x.shape}")
        if pb.allclose(x, y, rtol, atol).item():
            continue
        worst = pb.max(pb.abs(x - y)).item()
        raise AssertionError(f"{what}, array {i}: expected {y}, got {x}; they differ by {worst:.3g}")


def _dot(xs: Iterable[pb.array], ys: Iterable[pb.array]) -> float:
    return float(sum((x * y).sum().item() for x, y in zip(xs, ys, strict=True) if _is_float(x)))


def check_grads(
    fun: Callable,
    args: Sequence[Any],
    order: int = 1,
    modes: Sequence[str] = ("fwd", "rev"),
    *,
    eps: float = 1e-5,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    seed: int = 0,
) -> None:
    """Check the derivatives of `fun` at `args` (arrays or trees of them), up to `order`.

    Forward mode is compared with central difference quotients along a random direction, reverse mode with forward
    mode or, without it, with the quotients. Everything is computed in `float64` on the CPU. A rule that is meant to
    differ from the true derivative fails, as it should.

    >>> check_grads(lambda x: pb.sin(x) * x, [pb.array([0.5, 1.0])], order=2)
    >>> f = pb.custom_function(lambda x: x * x)
    >>> _ = f.vjp(lambda x, g, y: 3 * g * x)
    >>> check_grads(f, [pb.array(2.0)], modes=["rev"])
    Traceback (most recent call last):
        ...
    AssertionError: reverse mode of order 1: expected ..., got ...
    """
    with pb.stream(pb.cpu):
        wide = [map_arrays(lambda x: x.astype(pb.float64) if _is_float(x) else x, arg) for arg in args]
        _check(fun, wide, 1, order, modes, eps, rtol, atol, pb.random.key(seed))


def _like(tree: Any, keys: list[pb.array]) -> Any:
    def draw(x: pb.array) -> pb.array:
        split = pb.random.split(keys[0])
        keys[0] = split[0]
        if not _is_float(x):
            return pb.zeros_like(x)
        return pb.random.normal(x.shape, key=split[1]).astype(x.dtype)

    return map_arrays(draw, tree)


def _check(
    fun: Callable,
    args: list[Any],
    order: int,
    last: int,
    modes: Sequence[str],
    eps: float,
    rtol: float,
    atol: float,
    key: pb.array,
) -> None:
    keys = [key]
    direction = [_like(arg, keys) for arg in args]

    def at(step: float) -> list[Any]:
        moved = [map_arrays(lambda x, t: x + step * t if _is_float(x) else x, a, d)
                 for a, d in zip(args, direction, strict=True)]
        result = fun(*moved)
        return list(result) if isinstance(result, list | tuple) else [result]

    above, below = at(eps), at(-eps)
    quotient = map_arrays(lambda y, z: (y - z) / (2 * eps) if _is_float(y) else pb.zeros_like(y), above, below)
    if "fwd" in modes:
        _, pushed = pb.jvp(fun, args, direction)
        assert_close(pushed, quotient, rtol, atol, f"forward mode of order {order}")
    if "rev" in modes:
        cotangents = _like(at(0.0), keys)
        _, pulled = pb.vjp(fun, args, cotangents)
        want = _dot(_arrays(quotient), _arrays(cotangents))
        got = _dot(_arrays(pulled), _arrays(direction))
        if abs(got - want) > atol + rtol * max(abs(got), abs(want)):
            raise AssertionError(f"reverse mode of order {order}: expected {want:.8g}, got {got:.8g}")
        if order < last:
            _check(lambda *x: pb.vjp(fun, list(x), cotangents)[1], args, order + 1, last, modes, eps, rtol, atol, keys[0])
    elif order < last:
        _check(lambda *x: pb.jvp(fun, list(x), direction)[1], args, order + 1, last, modes, eps, rtol, atol, keys[0])
