"""Derivatives against difference quotients."""

from collections.abc import Callable, Sequence
from typing import Any

import pullback as pb
from pullback.testing._flat import (
    ALONG,
    Arrays,
    Draws,
    Flat,
    Near,
    Sum,
    at,
    difference,
    listed,
    widened,
)


def check_grads(
    fun: Callable,
    args: Any,
    order: int = 1,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    *,
    dtype: Any = pb.float64,
    seed: int = 0,
) -> None:
    """Check the derivatives of `fun` at `args` (arrays or trees) up to `order`, in all mixes of `modes`.

    Forward mode is compared with central difference quotients along a random direction, reverse mode with the
    same quotients by a random cotangent. Float arrays are taken as `dtype`, on the CPU if that is `float64`;
    with `dtype=None` as they are, on the current device. `eps` is the width of the quotients; it, `rtol` and
    `atol` go by the narrowest float among arguments and results if not given. What is no float array is held
    constant. A rule that is meant to differ from the true derivative fails, as it should: `check_rules` takes
    what is meant.

    >>> check_grads(lambda x: pb.sin(x) * x, [pb.array([0.5, 1.0])], order=2)
    >>> check_grads(lambda p, n: p["w"] ** n, [{"w": pb.array(2.0)}, 3], dtype=None)
    >>> f = pb.custom_function(lambda x: x * x)
    >>> _ = f.vjp(lambda x, g, y: 3 * g * x)
    >>> check_grads(f, [pb.array(2.0)], modes=["rev"])
    Traceback (most recent call last):
        ...
    AssertionError: rev: along a random direction expected ..., got ...
    """
    unknown = sorted(set(modes) - {"fwd", "rev"})
    if unknown or not modes:
        raise ValueError(f"[check_grads] expected modes among 'fwd' and 'rev', got {unknown or 'none'}")
    with at(dtype):
        wide = widened(listed(args), dtype)
        flat = Flat(fun, wide, [f"args[{i}]" for i in range(len(wide))])
        outs = flat(*flat.leaves)
        for what, found in (("arguments", flat.leaves), ("results", outs)):
            if not found:
                raise ValueError(f"[check_grads] expected a float array among the {what}, got none")
        near = Near.to(flat.leaves + outs, (eps, rtol, atol))
        _check(flat, flat.leaves, "", order, modes, near, Draws(seed))


def _check(
    f: Callable, leaves: Arrays, path: str, order: int, modes: Sequence[str], near: Near, draws: Draws
) -> None:
    """Check the first derivative of `f`, and then its derivatives as functions; `path` says what `f` is."""
    direction = draws.like(leaves)
    along = difference(f, leaves, direction, near.eps)
    cotangents = draws.like(along)

    def forward(*leaves: pb.array) -> Arrays:
        return pb.jvp(f, list(leaves), direction)[1]

    def reverse(*leaves: pb.array) -> Arrays:
        return pb.vjp(f, list(leaves), cotangents)[1]

    if "fwd" in modes:
        for i, (got, want) in enumerate(zip(forward(*leaves), along, strict=True)):
            near.compare(got, want, f"fwd{path}, output {i}")
    if "rev" in modes:
        got = Sum(reverse(*leaves), direction)
        near.compare(got, Sum(along, cotangents), f"rev{path}: {ALONG}")
    if order > 1:
        for mode, derivative in (("fwd", forward), ("rev", reverse)):
            if mode in modes:
                _check(derivative, leaves, f" of {mode}{path}", order - 1, modes, near, draws)
