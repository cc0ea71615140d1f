"""Batches against loops over examples."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pullback as pb
from pullback.testing._flat import Arrays, Draws, Flat, is_float, map_arrays, named
from pullback.testing._report import Pairs, Report, paired, why_not

# Arguments of which all choices are mapped, and over how many examples.
CHOICES = 4
BATCH = 3


def check_batches(report: Report, flat: Flat, draws: Draws) -> None:
    """Compare maps over axes of some arguments with loops: values, and derivatives through them."""
    arrays = [[x for _, x in named(arg, "")] for arg in flat.args]
    places = [i for i, found in enumerate(arrays) if found]
    some = [axes for axes in itertools.product([None, 0], repeat=len(places)) if 0 in axes]
    if len(places) > CHOICES:
        # One by one, and all: more would take long and find little.
        some = [tuple(0 if i == j else None for i in range(len(places))) for j in range(len(places))]
        some.append((0,) * len(places))
    if places:
        some.append((-1,) * len(places))
    for axes in some:
        chosen: list[int | None] = [None] * len(flat.args)
        for i, axis in zip(places, axes, strict=True):
            chosen[i] = axis
        _check_batch(report, flat, tuple(chosen), draws)


def _stacked(arg: Any, axis: int, draws: Draws) -> Any:
    """Return different examples where the floats are, and equal ones where they are not."""

    def stack(x: pb.array) -> pb.array:
        rows = [x] * BATCH
        if is_float(x):
            rows = [x + 0.1 * noise for noise in draws.like(rows)]
        return pb.stack(rows, axis)

    return map_arrays(stack, arg)


def _loop(fun: Callable, axes: Sequence[int | None]) -> Callable:
    """What `vmap` of `fun` should be."""

    def row(i: int, arg: Any, axis: int | None) -> Any:
        return map_arrays(lambda x: x[...] if axis is None else pb.take(x, pb.array(i), axis), arg)

    def loop(*args: Any) -> Any:
        each = [fun(*(row(i, *pair) for pair in zip(args, axes, strict=True))) for i in range(BATCH)]
        return map_arrays(lambda *rows: pb.stack(rows), *each)

    return loop


def _check_batch(report: Report, flat: Flat, axes: tuple[int | None, ...], draws: Draws) -> None:
    pairs = zip(flat.args, axes, strict=True)
    args = [arg if axis is None else _stacked(arg, axis, draws) for arg, axis in pairs]
    mapped = Flat(pb.vmap(flat.fun, in_axes=axes), args, flat.names, flat.held)
    looped = Flat(_loop(flat.fun, axes), args, flat.names, flat.held)
    what = f"vmap over {', '.join(map(str, axes))}"

    def values() -> Pairs:
        got, want = (named(f.fun(*f.with_floats(f.leaves)), "output") for f in (mapped, looped))
        for (path, x), (_, y) in zip(got, want, strict=True):
            yield path, x, y

    if not report.compare(f"{what}: value", values()) or not flat.leaves:
        return
    outs = mapped.outputs(*mapped.leaves)
    cotangents, direction = draws.like(list(outs.values())), draws.like(mapped.leaves)

    def pull(f: Callable) -> Arrays:
        return pb.vjp(f, mapped.leaves, cotangents)[1]

    def push(f: Callable) -> Arrays:
        return pb.jvp(f, mapped.leaves, direction)[1]

    for mode, derive, names in (("vjp", pull, list(mapped.inputs)), ("jvp", push, list(outs))):
        if outs and why_not(partial(derive, looped)) is None:
            pairs = paired(names, partial(derive, mapped), partial(derive, looped))
            report.compare(f"{what}: {mode}", pairs)
