"""What a row of the table of calls says: how a function is called, what it equals, and what it takes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

import numpy as np
import pullback as pb
from samples import DTYPES, FLOATS, INTEGERS, bfloat16

REAL_FLOATS = ["float32", "float16", "bfloat16", "float64"]
FAMILIES = {
    "all": DTYPES,
    "real": [dtype for dtype in DTYPES if dtype != "complex64"],
    "number": [dtype for dtype in DTYPES if dtype != "bool_"],
    "real number": [*INTEGERS, *REAL_FLOATS],
    "integer": INTEGERS,
    "bits": ["bool_", *INTEGERS],
    "float": REAL_FLOATS,
    "inexact": [*REAL_FLOATS, "complex64"],
    "precise": ["float32", "float64"],
    "solved": ["float32", "float64", "complex64"],
    "float32": ["float32"],
    "truth": ["bool_"],
    "of NumPy": [dtype for dtype in DTYPES if dtype != "bfloat16"],
    "none": [],
}


@dataclass(frozen=True)
class A:
    """An argument whose elements are drawn between two bounds, in any type of the family."""

    shape: tuple[int, ...]
    low: float = -3
    high: float = 3
    # Applied to what was drawn: it makes a matrix positive, for example.
    made: Callable[[Any], Any] = lambda x: x

    def drawn(self, dtype, seed):
        rng = np.random.default_rng([seed, len(self.shape), 7])
        if dtype == "bool_":
            return self.made(rng.random(self.shape) < 0.5)
        if dtype in INTEGERS:
            low = max(ceil(self.low), 0) if dtype[0] == "u" else ceil(self.low)
            return self.made(rng.integers(low, floor(self.high) + 1, self.shape)).astype(dtype)
        x = rng.uniform(self.low, self.high, self.shape)
        if dtype == "complex64":
            return self.made(x + 1j * rng.uniform(self.low, self.high, self.shape)).astype(dtype)
        if dtype == "bfloat16":
            return bfloat16(self.made(x))
        return self.made(x).astype(dtype)


@dataclass(frozen=True)
class Row:
    """One function. Where something has no meaning, a sentence says why; it becomes a note of the page."""

    # Arguments that are arrays: `A`, or a NumPy array that stays as it is.
    args: tuple[Any, ...]
    # What NumPy says; takes the arrays of `args`.
    want: Callable[..., Any] | str
    # Which of `args` there are derivatives by.
    diff: tuple[int, ...] | str = (0,)
    vmap: bool | str = True
    dtypes: str = "inexact"
    # How the function is called with `args`.
    call: Callable[..., Any] = lambda fun, *args: fun(*args)
    compile: bool | str = True
    # Shapes of the arguments for other calls beside NumPy: empty ones, ones without axes.
    shapes: tuple[tuple[tuple[int, ...] | None, ...], ...] = ()
    # Rounding, in units in the last place of the largest element.
    ulps: float = 16
    # NumPy is given the elements in their own type, not in double precision.
    exact: bool = False
    # Types that are refused, and why; a type that is taken after all is a failure.
    lacks: dict[str, str] = field(default_factory=dict)
    # Applied to the results before they are differentiated: what is unique of them.
    smooth: Callable[..., Any] | None = None
    # Applied to the results before they are compared: what is unique of a decomposition.
    told: Callable[..., Any] | None = None
    # What does not hold, by column, and why.
    fails: dict[str, str] = field(default_factory=dict)

    @property
    def base(self):
        """The type that is asked in all columns but the last."""
        family = FAMILIES[self.dtypes]
        return "float32" if "float32" in family or not family else "int32"

    def drawn(self, dtype=None, seed=0, shapes=None):
        """NumPy arrays of the arguments; those of bfloat16 hold what it can hold."""
        dtype = dtype or self.base
        shapes = shapes or (None,) * len(self.args)
        return [
            (
                arg
                if shape is None
                else A(shape, arg.low, arg.high, arg.made if 0 not in shape else A(()).made)
            ).drawn(dtype, seed + i)
            if isinstance(arg, A)
            else arg
            for i, (arg, shape) in enumerate(zip(self.args, shapes, strict=True))
        ]

    def taken(self, values, dtype=None):
        """The arrays of such a draw."""
        dtype = dtype or self.base
        return [
            pb.array(x, getattr(pb, dtype) if isinstance(arg, A) else x.dtype)
            for arg, x in zip(self.args, values, strict=True)
        ]

    def called(self, fun, *args):
        """All results in a list, also what is no array."""
        return leaves(self.call(fun, *args))


@dataclass(frozen=True)
class Apart:
    """A name with no row: it is not called with arrays, or its tests are in files of their own."""

    why: str


def leaves(result):
    if isinstance(result, list | tuple):
        return [leaf for part in result for leaf in leaves(part)]
    return [result]


def unary(want, low=-3, high=3, *, diff=(0,), dtypes="all", **rest):
    """A function of the elements of one array."""
    return Row((A((2, 3), low, high),), want, diff, dtypes=dtypes, shapes=(((0, 3),), ((),)), **rest)


def binary(want, first=(-3, 3), second=(-3, 3), *, diff=(0, 1), dtypes="number", **rest):
    """A function of the elements of two arrays that broadcast."""
    args = (A((2, 3), *first), A((3,), *second))
    shapes = (((0, 3), (3,)), ((), ()), ((), (2,)))
    return Row(args, want, diff, dtypes=dtypes, shapes=shapes, **rest)


def reduction(want, *, low=-3, high=3, dtypes="all", shapes=(((0, 3),), ((),)), call=None, diff=(0,), **rest):
    """A function of the elements along axis -1."""
    call = call or (lambda fun, x: fun(x, -1) if x.ndim else fun(x))

    def asked(x):
        return want(x, axis=-1) if x.ndim else want(x)

    return Row((A((2, 3), low, high),), asked, diff, dtypes=dtypes, shapes=shapes, call=call, **rest)


COMPARES = "its results are truth values"
COUNTS = "its results are integers"
CONSTANT = "its results have no derivative"
NO_ARRAYS = "it takes no arrays"
__all__ = [
    "COMPARES",
    "CONSTANT",
    "COUNTS",
    "FAMILIES",
    "FLOATS",
    "NO_ARRAYS",
    "A",
    "Apart",
    "Row",
]
__all__ += ["binary", "leaves", "reduction", "unary"]
