"""Rules against what they stand for, and against each other."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pullback as pb
from pullback.testing._batches import check_batches
from pullback.testing._doors import Door
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
    named,
    widened,
)
from pullback.testing._report import Pairs, Report, paired, why_not


def check_rules(
    fun: Any,
    args: Any,
    checks: Sequence[str] = ("vjp", "jvp", "vmap"),
    *,
    like: Callable | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    dtype: Any = pb.float64,
    seed: int = 0,
) -> str:
    """Check the rules of a function at `args`; return a report, or raise `AssertionError` with it.

    `fun` may come from any door: `custom_function`, `custom_vjp`, `custom_jvp`, `custom_vmap`,
    `custom_gradient`, a `Function` or its `apply`, a method. Arguments may be trees, and anything else; what
    is no float array is held constant, and so are the arguments that the door calls non-differentiable.

    Derivatives are compared with those of the body, with difference quotients, and with each other; batches,
    and derivatives through them, with loops over examples, for every choice of arguments to map. Where a rule
    is meant to differ from the body's derivative, `like` is a function that has the derivative that is meant.
    `checks` says what is checked; `dtype` and tolerances are as in `check_grads`.

    >>> f = pb.custom_function(lambda x, y: pb.sin(x) * y)
    >>> _ = f.vjp(lambda p, g, out: (g * pb.cos(p[0]) * p[1], g * pb.sin(p[0])))
    >>> print(check_rules(f, [pb.array(1.0), pb.array(2.0)], ["vjp"]))
    rules of '<lambda>' at x float32[], y float32[]
      ok    vjp against the body (... apart)
      ok    vjp against difference quotients (... apart)
    2 comparisons agree
    >>> step = pb.custom_function(lambda x: pb.round(x))
    >>> _ = step.vjp(lambda x, g: g)
    >>> _ = check_rules(step, [pb.array([0.3, 1.2])], like=lambda x: x)
    """
    door = Door.of(fun)
    unknown = sorted(set(checks) - {"vjp", "jvp", "vmap"})
    if unknown:
        raise ValueError(f"[check_rules] expected checks among 'vjp', 'jvp' and 'vmap', got {unknown}")
    with at(dtype), warnings.catch_warnings():
        warnings.simplefilter("error", pb.RuleFallbackWarning)
        given = listed(args)
        names = door.parameters(len(given))
        flat = Flat(door.call, widened(given, dtype), names, door.nondiff)
        draws = Draws(seed)
        outs = flat(*flat.leaves)
        near = Near.to(flat.leaves + outs, (eps, rtol, atol))
        report = Report(f"rules of '{door.name}' at {_described(given, names)}", near)
        if flat.leaves and outs:
            whose = "the body" if like is None else "what is meant"
            model = Flat(like or door.body, flat.args, names, door.nondiff)
            _check_derivatives(report, flat, model, whose, [mode for mode in checks if mode != "vmap"], draws)
        if "vmap" in checks:
            check_batches(report, flat, draws)
    if report.wrong:
        raise AssertionError(str(report))
    return str(report)


def _described(args: Sequence[Any], names: Sequence[str]) -> str:
    arrays = [found for name, arg in zip(names, args, strict=True) for found in named(arg, name)]
    return ", ".join(f"{name} {str(x.dtype).removeprefix('pullback.')}{list(x.shape)}" for name, x in arrays)


def _check_derivatives(
    report: Report, flat: Flat, model: Flat, whose: str, modes: Sequence[str], draws: Draws
) -> None:
    """Compare derivatives with those of a model of the function, with quotients, and with each other."""
    leaves = flat.leaves
    outs = flat.outputs(*leaves)
    direction, cotangents = draws.like(leaves), draws.like(list(outs.values()))
    quotient = difference(model, leaves, direction, report.near.eps)

    def push(f: Callable = flat) -> Arrays:
        return pb.jvp(f, leaves, direction)[1]

    def pull(f: Callable = flat) -> Arrays:
        return pb.vjp(f, leaves, cotangents)[1]

    def pulled(along: Callable[[], Sum]) -> Pairs:
        yield ALONG, Sum(pull(), direction), along()

    there = []
    for mode, derive, names in (("vjp", pull, list(flat.inputs)), ("jvp", push, list(outs))):
        if mode not in modes:
            continue
        why = why_not(derive)
        if why is not None:
            report.skip(mode, why)
            continue
        there.append(mode)
        report.compare(f"{mode} against {whose}", paired(names, derive, partial(derive, model)))
    if "vjp" in there:
        report.compare("vjp against difference quotients", pulled(lambda: Sum(quotient, cotangents)))
    if "jvp" in there:
        report.compare("jvp against difference quotients", paired(list(outs), push, lambda: quotient))
    if len(there) == 2:
        report.compare("vjp against jvp", pulled(lambda: Sum(push(), cotangents)))
