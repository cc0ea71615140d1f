"""Checks for functions and rules of one's own: derivatives against quotients, batches against loops."""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pullback as pb

__all__ = ["assert_close", "check_grads", "check_rules", "map_arrays"]

Arrays = list[pb.array]
ALONG = "along a random direction"

# Arguments of which all choices are mapped, and over how many examples.
CHOICES = 4
BATCH = 3

# By the bytes of the narrowest float in a computation: width of difference quotients, and how near is equal.
PRECISION = {8: (1e-5, 1e-5, 1e-7), 4: (1e-2, 1e-2, 2e-3), 2: (1e-1, 2e-1, 1e-1)}


def map_arrays(fun: Callable, tree: Any, *others: Any) -> Any:
    """Return `fun` of the arrays of trees of one structure, in that structure.

    >>> map_arrays(lambda x: x * 2, {"a": pb.array(1.0), "b": [pb.array(2.0)]})["b"][0].item()
    4.0
    """
    return pb.tree.tree_map(
        lambda leaf, *rest: fun(leaf, *rest) if isinstance(leaf, pb.array) else leaf, tree, *others
    )


def _named(tree: Any, name: str) -> Iterator[tuple[str, pb.array]]:
    """Yield the arrays of a tree, in the order of `map_arrays`, with their paths."""
    leaves, structure = pb.tree.tree_flatten(tree)
    for path, leaf in zip(structure.names(name), leaves, strict=True):
        if isinstance(leaf, pb.array):
            yield path, leaf


def _is_float(x: pb.array) -> bool:
    return x.dtype in (pb.float16, pb.bfloat16, pb.float32, pb.float64)


def _floats(tree: Any, name: str) -> dict[str, pb.array]:
    return {path: x for path, x in _named(tree, name) if _is_float(x)}


def assert_close(got: Any, expected: Any, rtol: float, atol: float, what: str) -> None:
    """Raise `AssertionError`, naming `what`, unless the arrays of two trees are nearly equal.

    >>> assert_close({"a": pb.array(1.0)}, {"a": pb.array(1.0)}, 1e-5, 1e-6, "params")
    """
    pairs = zip(_named(got, ""), _named(expected, ""), strict=True)
    for (path, x), (_, y) in pairs:
        _compare(x, y, rtol, atol, what + path)


def _compare(x: pb.array, y: pb.array, rtol: float, atol: float, what: str) -> float:
    """Return how far two arrays are apart, which must not be far."""
    if x.shape != y.shape:
        raise AssertionError(f"{what}: expected shape {y.shape}, got {x.shape}")
    if x.size == 0:
        return 0.0
    x, y = (x, y) if _is_float(y) else (x.astype(pb.float32), y.astype(pb.float32))
    worst = pb.max(pb.abs(x - y)).item()
    if not pb.allclose(x, y, rtol, atol, equal_nan=True).item():
        raise AssertionError(f"{what}: expected {y}, got {x}; they differ by {worst:.3g}")
    return worst


class _Flat:
    """A function as one from a list of float arrays to a list of float arrays; other arguments stay."""

    def __init__(self, fun: Callable, args: Sequence[Any], names: Sequence[str]):
        self.fun = fun
        self.args = tuple(args)
        self.names = list(names)
        self.inputs: dict[str, pb.array] = {}
        for name, arg in zip(names, args, strict=True):
            self.inputs |= _floats(arg, name)
        self.leaves = list(self.inputs.values())

    def with_floats(self, leaves: Sequence[pb.array]) -> tuple[Any, ...]:
        """Return the arguments with other float arrays in them."""
        rest = iter(leaves)
        return tuple(map_arrays(lambda x: next(rest) if _is_float(x) else x, arg) for arg in self.args)

    def outputs(self, *leaves: pb.array) -> dict[str, pb.array]:
        """Return the float arrays in the result, by their paths."""
        return _floats(self.fun(*self.with_floats(leaves)), "output")

    def __call__(self, *leaves: pb.array) -> Arrays:
        return list(self.outputs(*leaves).values())


def _widened(args: Sequence[Any], dtype: Any) -> tuple[Any, ...]:
    if dtype is None:
        return tuple(args)
    return tuple(map_arrays(lambda x: x.astype(dtype) if _is_float(x) else x, arg) for arg in args)


def _listed(args: Any) -> Sequence[Any]:
    if not isinstance(args, list | tuple) or hasattr(args, "_fields"):
        return (args,)
    return args


class _Draws:
    """Random directions, another one each time."""

    def __init__(self, seed: int):
        self.key = pb.random.key(seed)

    def like(self, arrays: Sequence[pb.array]) -> Arrays:
        """Return normally distributed arrays of these shapes and types."""
        keys = pb.random.split(self.key, len(arrays) + 1)
        self.key = keys[0]
        return [pb.random.normal(x.shape, key=keys[i + 1]).astype(x.dtype) for i, x in enumerate(arrays)]


@contextmanager
def _at(dtype: Any) -> Iterator[None]:
    """Compute `float64` where there is `float64`."""
    with pb.stream(pb.cpu if dtype == pb.float64 else pb.default_device()):
        yield


@dataclass
class _Near:
    """Width of the difference quotient, and how near is equal, relatively and absolutely."""

    eps: float
    rtol: float
    atol: float

    @classmethod
    def to(cls, arrays: Sequence[pb.array], given: Sequence[float | None]) -> "_Near":
        """What is usual for the narrowest of some arrays, but for what is given."""
        width = min((x.itemsize for x in arrays), default=8)
        pairs = zip(given, PRECISION[width], strict=True)
        return cls(*(usual if own is None else own for own, usual in pairs))

    def compare(self, got: Any, want: Any, what: str) -> float:
        """Return how far two arrays, or two sums of products, are apart, which must not be far."""
        if not isinstance(got, _Sum):
            return _compare(got, want, self.rtol, self.atol, what)
        apart = abs(got.value - want.value)
        if not apart <= self.atol + self.rtol * max(got.scale, want.scale):
            raise AssertionError(f"{what} expected {want.value:.8g}, got {got.value:.8g}")
        return apart


class _Sum:
    """A sum of products, and how large it would be if nothing cancelled: rounding goes with that."""

    def __init__(self, xs: Sequence[pb.array], ys: Sequence[pb.array]):
        pairs = list(zip(xs, ys, strict=True))
        self.value = float(sum((x * y).sum().item() for x, y in pairs))
        self.scale = float(sum(pb.abs(x * y).sum().item() for x, y in pairs))


def _quotient(f: Callable, leaves: Arrays, direction: Arrays, eps: float) -> Arrays:
    above, below = (
        f(*(x + step * t for x, t in zip(leaves, direction, strict=True))) for step in (eps, -eps)
    )
    return [(y - z) / (2 * eps) for y, z in zip(above, below, strict=True)]


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
    with _at(dtype):
        wide = _widened(_listed(args), dtype)
        flat = _Flat(fun, wide, [f"args[{i}]" for i in range(len(wide))])
        outs = flat(*flat.leaves)
        for what, found in (("arguments", flat.leaves), ("results", outs)):
            if not found:
                raise ValueError(f"[check_grads] expected a float array among the {what}, got none")
        near = _Near.to(flat.leaves + outs, (eps, rtol, atol))
        _check(flat, flat.leaves, "", order, modes, near, _Draws(seed))


def _check(
    f: Callable, leaves: Arrays, path: str, order: int, modes: Sequence[str], near: _Near, draws: _Draws
) -> None:
    """Check the first derivative of `f`, and then its derivatives as functions; `path` says what `f` is."""
    direction = draws.like(leaves)
    quotient = _quotient(f, leaves, direction, near.eps)
    cotangents = draws.like(quotient)

    def forward(*leaves: pb.array) -> Arrays:
        return pb.jvp(f, list(leaves), direction)[1]

    def reverse(*leaves: pb.array) -> Arrays:
        return pb.vjp(f, list(leaves), cotangents)[1]

    if "fwd" in modes:
        for i, (got, want) in enumerate(zip(forward(*leaves), quotient, strict=True)):
            near.compare(got, want, f"fwd{path}, output {i}")
    if "rev" in modes:
        got = _Sum(reverse(*leaves), direction)
        near.compare(got, _Sum(quotient, cotangents), f"rev{path}: {ALONG}")
    if order > 1:
        for mode, derivative in (("fwd", forward), ("rev", reverse)):
            if mode in modes:
                _check(derivative, leaves, f" of {mode}{path}", order - 1, modes, near, draws)


Pairs = Iterator[tuple[str, Any, Any]]


class _Report:
    """Lines about what was compared, and whether one of them is bad."""

    def __init__(self, head: str, near: _Near):
        self.lines = [head]
        self.near = near
        self.bad = False

    def compare(self, what: str, pairs: Pairs) -> None:
        """Compare what was got with what was expected, by names; an error on the way is a finding as well."""
        worst = 0.0
        try:
            for name, got, want in pairs:
                worst = max(worst, self.near.compare(got, want, name))
        except (AssertionError, pb.RuleError) as error:
            self.bad = True
            self.lines.append(f"  WRONG {what}: {error}")
        else:
            self.lines.append(f"  ok    {what} ({worst:.1e} apart)")

    def skip(self, what: str, why: str) -> None:
        """Say that something was not compared, and why."""
        self.lines.append(f"  --    {what}: {why}")

    def __str__(self) -> str:
        return "\n".join(self.lines)


def _pairs(names: Sequence[str], got: Callable[[], Arrays], want: Callable[[], Arrays]) -> Pairs:
    """Pair what two functions return, once somebody asks."""
    yield from zip(names, got(), want(), strict=True)


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
    """Check the rules of a `custom_function` at `args`; return a report, or raise `AssertionError` with it.

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
    >>> step = pb.custom_function(lambda x: pb.round(x))
    >>> _ = step.vjp(lambda x, g: g)
    >>> _ = check_rules(step, [pb.array([0.3, 1.2])], like=lambda x: x)
    """
    if not isinstance(fun, pb.custom_function):
        raise TypeError(f"[check_rules] expected a custom_function, got {type(fun)}: pb.custom_function(f)")
    unknown = sorted(set(checks) - {"vjp", "jvp", "vmap"})
    if unknown:
        raise ValueError(f"[check_rules] expected checks among 'vjp', 'jvp' and 'vmap', got {unknown}")
    with _at(dtype), warnings.catch_warnings():
        warnings.simplefilter("error", pb.RuleFallbackWarning)
        given = _listed(args)
        names = _parameters(fun, len(given))
        flat = _Flat(fun, _widened(given, dtype), names)
        draws = _Draws(seed)
        outs = flat(*flat.leaves)
        near = _Near.to(flat.leaves + outs, (eps, rtol, atol))
        report = _Report(f"rules of '{getattr(fun, '__name__', '?')}' at {_described(given, names)}", near)
        if flat.leaves and outs:
            _check_derivatives(report, flat, like, [mode for mode in checks if mode != "vmap"], draws)
        if "vmap" in checks:
            _check_batches(report, flat, draws)
    if report.bad:
        raise AssertionError(str(report))
    return str(report)


def _parameters(fun: Any, count: int) -> list[str]:
    code = getattr(fun.__wrapped__, "__code__", None)
    names = list(code.co_varnames[: code.co_argcount]) if code is not None else []
    return names[:count] + [f"args[{i}]" for i in range(len(names), count)]


def _described(args: Sequence[Any], names: Sequence[str]) -> str:
    arrays = [found for name, arg in zip(names, args, strict=True) for found in _named(arg, name)]
    return ", ".join(f"{name} {str(x.dtype).removeprefix('pullback.')}{list(x.shape)}" for name, x in arrays)


def _why_not(derivative: Callable[[], Any]) -> str | None:
    """Why a derivative is not one of a rule, if it is not."""
    try:
        derivative()
    except pb.RuleFallbackWarning:
        return "no such rule, the body is differentiated"
    except pb.RuleError as error:
        if "missing='error'" in str(error):
            return "no such rule, and missing='error'"
    return None


def _check_derivatives(
    report: _Report, flat: _Flat, like: Callable | None, modes: Sequence[str], draws: _Draws
) -> None:
    """Compare derivatives with those of the body or another function, with quotients, and with each other."""
    leaves = flat.leaves
    model = _Flat(like or flat.fun.__wrapped__, flat.args, [""] * len(flat.args))
    whose = "the body" if like is None else "what is meant"
    outs = flat.outputs(*leaves)
    direction, cotangents = draws.like(leaves), draws.like(list(outs.values()))
    quotient = _quotient(model, leaves, direction, report.near.eps)

    def push(f: Callable = flat) -> Arrays:
        return pb.jvp(f, leaves, direction)[1]

    def pull(f: Callable = flat) -> Arrays:
        return pb.vjp(f, leaves, cotangents)[1]

    def pulled(along: Callable[[], _Sum]) -> Pairs:
        yield ALONG, _Sum(pull(), direction), along()

    there = []
    for mode, derive, names in (("vjp", pull, list(flat.inputs)), ("jvp", push, list(outs))):
        if mode not in modes:
            continue
        why = _why_not(derive)
        if why is not None:
            report.skip(mode, why)
            continue
        there.append(mode)
        report.compare(f"{mode} against {whose}", _pairs(names, derive, partial(derive, model)))
    if "vjp" in there:
        report.compare("vjp against difference quotients", pulled(lambda: _Sum(quotient, cotangents)))
    if "jvp" in there:
        report.compare("jvp against difference quotients", _pairs(list(outs), push, lambda: quotient))
    if len(there) == 2:
        report.compare("vjp against jvp", pulled(lambda: _Sum(push(), cotangents)))


def _check_batches(report: _Report, flat: _Flat, draws: _Draws) -> None:
    """Compare maps over axes of some arguments with loops: values, and derivatives through them."""
    arrays = [[x for _, x in _named(arg, "")] for arg in flat.args]
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


def _stacked(arg: Any, axis: int, draws: _Draws) -> Any:
    """Return different examples where the floats are, and equal ones where they are not."""

    def stack(x: pb.array) -> pb.array:
        rows = [x] * BATCH
        if _is_float(x):
            rows = [x + 0.1 * noise for noise in draws.like(rows)]
        return pb.stack(rows, axis)

    return map_arrays(stack, arg)


def _loop(fun: Callable, axes: Sequence[int | None]) -> Callable:
    """What `vmap` of `fun` should be."""

    def row(i: int, arg: Any, axis: int | None) -> Any:
        return arg if axis is None else map_arrays(lambda x: pb.take(x, pb.array(i), axis), arg)

    def loop(*args: Any) -> Any:
        each = [fun(*(row(i, *pair) for pair in zip(args, axes, strict=True))) for i in range(BATCH)]
        return map_arrays(lambda *rows: pb.stack(rows), *each)

    return loop


def _check_batch(report: _Report, flat: _Flat, axes: tuple[int | None, ...], draws: _Draws) -> None:
    pairs = zip(flat.args, axes, strict=True)
    args = [arg if axis is None else _stacked(arg, axis, draws) for arg, axis in pairs]
    mapped = _Flat(pb.vmap(flat.fun, in_axes=axes), args, flat.names)
    looped = _Flat(_loop(flat.fun, axes), args, flat.names)
    what = f"vmap over {', '.join(map(str, axes))}"

    def values() -> Pairs:
        got, want = (_named(f.fun(*args), "output") for f in (mapped, looped))
        for (path, x), (_, y) in zip(got, want, strict=True):
            yield path, x, y

    bad, report.bad = report.bad, False
    report.compare(f"{what}: value", values())
    right, report.bad = not report.bad, bad or report.bad
    if not right or not flat.leaves:
        return
    outs = mapped.outputs(*mapped.leaves)
    cotangents, direction = draws.like(list(outs.values())), draws.like(mapped.leaves)

    def pull(f: Callable) -> Arrays:
        return pb.vjp(f, mapped.leaves, cotangents)[1]

    def push(f: Callable) -> Arrays:
        return pb.jvp(f, mapped.leaves, direction)[1]

    for mode, derive, names in (("vjp", pull, list(mapped.inputs)), ("jvp", push, list(outs))):
        if outs and _why_not(partial(derive, looped)) is None:
            pairs = _pairs(names, partial(derive, mapped), partial(derive, looped))
            report.compare(f"{what}: {mode}", pairs)
