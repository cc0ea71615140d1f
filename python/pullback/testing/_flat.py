"""Functions of trees as functions of lists of floats, random directions, and how near is equal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pullback as pb
from pullback._dtypes import REAL

Arrays = list[pb.array]
ALONG = "along a random direction"

# So many elements that differ are shown in a message; of more, the worst one.
SHOWN = 6

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


def named(tree: Any, name: str) -> Iterator[tuple[str, pb.array]]:
    """Yield the arrays of a tree, in the order of `map_arrays`, with their paths."""
    leaves, structure = pb.tree.tree_flatten(tree)
    for path, leaf in zip(structure.names(name), leaves, strict=True):
        if isinstance(leaf, pb.array):
            yield path, leaf


def is_float(x: pb.array) -> bool:
    return x.dtype in REAL


def floats(tree: Any, name: str) -> dict[str, pb.array]:
    return {path: x for path, x in named(tree, name) if is_float(x)}


def assert_close(got: Any, expected: Any, rtol: float, atol: float, what: str) -> None:
    """Raise `AssertionError`, naming `what`, unless the arrays of two trees are nearly equal.

    >>> assert_close({"a": pb.array(1.0)}, {"a": pb.array(1.0)}, 1e-5, 1e-6, "params")
    """
    pairs = zip(named(got, ""), named(expected, ""), strict=True)
    for (path, x), (_, y) in pairs:
        compare(x, y, rtol, atol, what + path)


def compare(x: pb.array, y: pb.array, rtol: float, atol: float, what: str) -> float:
    """Return how far two arrays are apart, which must not be far."""
    if x.shape != y.shape:
        raise AssertionError(f"{what}: expected shape {y.shape}, got {x.shape}")
    if x.size == 0:
        return 0.0
    x, y = (x, y) if is_float(y) else (_as_floats(x), _as_floats(y))
    worst = pb.max(pb.abs(x - y)).item()
    if not pb.allclose(x, y, rtol, atol, equal_nan=True).item():
        raise AssertionError(f"{what}: {_difference(x, y)}; they differ by {worst:.3g}")
    return worst


def _as_floats(x: pb.array) -> pb.array:
    """Other numbers as floats; of complex ones the real and the imaginary part, along a last axis."""
    if x.dtype != pb.complex64:
        return x.astype(pb.float32)
    parts = [[z.real, z.imag] for z in x.reshape(-1).tolist()]
    return pb.array(parts).reshape((*x.shape, 2))


def _difference(x: pb.array, y: pb.array) -> str:
    """What was got and expected: all of it if it is little, or where it is worst."""
    if y.size <= SHOWN:
        return f"expected {_shown(y.tolist())}, got {_shown(x.tolist())}"
    apart = pb.abs(x - y)
    # What is no number is as far apart as can be.
    at = pb.argmax(pb.where(pb.isnan(apart), pb.inf, apart)).item()
    place = []
    for size in reversed(y.shape):
        at, index = divmod(at, size)
        place.append(index)
    place = tuple(reversed(place))
    return f"expected {_shown(y[place].item())}, got {_shown(x[place].item())} at {list(place)}"


def _shown(value: Any) -> str:
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, list) else f"{value:.8g}"


class Flat:
    """A function as one from a list of float arrays to a list of float arrays; other arguments stay, and so
    do those at positions that are `held`.
    """

    def __init__(self, fun: Callable, args: Sequence[Any], names: Sequence[str], held: Sequence[int] = ()):
        self.fun = fun
        self.args = tuple(args)
        self.names = list(names)
        self.held = tuple(held)
        self.inputs: dict[str, pb.array] = {}
        for i, (name, arg) in enumerate(zip(names, args, strict=True)):
            if i not in self.held:
                self.inputs |= floats(arg, name)
        self.leaves = list(self.inputs.values())

    def with_floats(self, leaves: Sequence[pb.array]) -> tuple[Any, ...]:
        """Return the arguments with other float arrays in them. Each array is an object of its own: what a
        function does to its arguments is not seen by the next call.
        """
        rest = iter(leaves)

        def fresh(x: pb.array, held: bool) -> pb.array:
            return (x if held or not is_float(x) else next(rest))[...]

        return tuple(map_arrays(partial(fresh, held=i in self.held), arg) for i, arg in enumerate(self.args))

    def outputs(self, *leaves: pb.array) -> dict[str, pb.array]:
        """Return the float arrays in the result, by their paths."""
        return floats(self.fun(*self.with_floats(leaves)), "output")

    def __call__(self, *leaves: pb.array) -> Arrays:
        return list(self.outputs(*leaves).values())


def widened(args: Sequence[Any], dtype: Any) -> tuple[Any, ...]:
    if dtype is None:
        return tuple(args)
    return tuple(map_arrays(lambda x: x.astype(dtype) if is_float(x) else x, arg) for arg in args)


def listed(args: Any) -> Sequence[Any]:
    if not isinstance(args, list | tuple) or hasattr(args, "_fields"):
        return (args,)
    return args


class Draws:
    """Random directions, another one each time."""

    def __init__(self, seed: int):
        self.key = pb.random.key(seed)

    def like(self, arrays: Sequence[pb.array]) -> Arrays:
        """Return normally distributed arrays of these shapes and types."""
        keys = pb.random.split(self.key, len(arrays) + 1)
        self.key = keys[0]
        return [pb.random.normal(x.shape, key=keys[i + 1]).astype(x.dtype) for i, x in enumerate(arrays)]


@contextmanager
def at(dtype: Any) -> Iterator[None]:
    """Compute `float64` where there is `float64`."""
    with pb.stream(pb.cpu if dtype == pb.float64 else pb.default_device()):
        yield


@dataclass
class Near:
    """Width of the difference quotient, and how near is equal, relatively and absolutely."""

    eps: float
    rtol: float
    atol: float

    @classmethod
    def to(cls, arrays: Sequence[pb.array], given: Sequence[float | None]) -> "Near":
        """What is usual for the narrowest of some arrays, but for what is given."""
        width = min((x.itemsize for x in arrays), default=8)
        pairs = zip(given, PRECISION[width], strict=True)
        return cls(*(usual if own is None else own for own, usual in pairs))

    def compare(self, got: Any, want: Any, what: str) -> float:
        """Return how far two arrays, or two sums of products, are apart, which must not be far."""
        if not isinstance(got, Sum):
            return compare(got, want, self.rtol, self.atol, what)
        apart = abs(got.value - want.value)
        if not apart <= self.atol + self.rtol * max(got.scale, want.scale):
            raise AssertionError(f"{what} expected {want.value:.8g}, got {got.value:.8g}")
        return apart


class Sum:
    """A sum of products, and how large it would be if nothing cancelled: rounding goes with that."""

    def __init__(self, xs: Sequence[pb.array], ys: Sequence[pb.array]):
        pairs = list(zip(xs, ys, strict=True))
        self.value = float(sum((x * y).sum().item() for x, y in pairs))
        self.scale = float(sum(pb.abs(x * y).sum().item() for x, y in pairs))


def difference(f: Callable, leaves: Arrays, direction: Arrays, eps: float) -> Arrays:
    above, below = (
        f(*(x + step * t for x, t in zip(leaves, direction, strict=True))) for step in (eps, -eps)
    )
    return [(y - z) / (2 * eps) for y, z in zip(above, below, strict=True)]
