"""Functions against NumPy: for dtypes and layouts, and random programs under random transforms."""

import numpy as np
import pullback as pb
import pytest
from common import close
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

rng = np.random.default_rng(0)

UNARY = {
    "abs": np.abs,
    "negative": np.negative,
    "sign": np.sign,
    "square": np.square,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "expm1": np.expm1,
    "exp2": np.exp2,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsinh": np.arcsinh,
    "arctan": np.arctan,
    "floor": np.floor,
    "ceil": np.ceil,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "logical_not": np.logical_not,
    "reciprocal": np.reciprocal,
    "degrees": np.degrees,
    "radians": np.radians,
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "remainder": np.remainder,
    "floor_divide": np.floor_divide,
    "arctan2": np.arctan2,
    "logaddexp": np.logaddexp,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
}
LAYOUTS = {
    "plain": lambda x: x,
    "transposed": lambda x: x.T,
    "reversed": lambda x: x[::-1],
    "strided": lambda x: x[:, ::2],
    "offset": lambda x: x[1:, 1:],
    "empty": lambda x: x[:0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name, layout):
    a = rng.uniform(0.2, 3, (4, 6)).astype(np.float32)
    move = LAYOUTS[layout]
    close(getattr(pb, name)(move(pb.array(a))), UNARY[name](move(a)), 1e-5, 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "uint8", "int64", "bool"])
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, dtype):
    a, b = rng.uniform(1, 9, (3, 4)).astype(dtype), rng.uniform(1, 5, (4,)).astype(dtype)
    with np.errstate(all="ignore"):
        want = BINARY[name](a.astype("float64"), b.astype("float64"))
    got = np.asarray(getattr(pb, name)(pb.array(a, a.dtype), pb.array(b, b.dtype)))
    if dtype in ("uint8", "int32", "int64") and name in ("multiply", "power", "subtract", "add"):
        want = BINARY[name](a, b)
    if dtype == "bool" and name in ("add", "multiply"):
        want = BINARY[name](a, b)
    if got.dtype == bool:
        want = np.asarray(want).astype(bool)
    tolerance = 1e-2 if dtype == "float16" else 1e-5
    close(got.astype("float64"), np.asarray(want).astype("float64"), tolerance, tolerance)


REDUCTIONS = ["sum", "prod", "max", "min", "mean", "var", "std", "any", "all"]


@pytest.mark.parametrize("layout", ["plain", "transposed", "strided"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), (1,)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, axis, layout):
    a = rng.uniform(0.5, 1.5, (4, 6)).astype(np.float32)
    a = LAYOUTS[layout](a)
    x = LAYOUTS[layout](pb.array(a.base if layout == "never" else np.ascontiguousarray(a)))
    a = LAYOUTS[layout](np.ascontiguousarray(a))
    for keepdims in [False, True]:
        want = getattr(np, name)(a, axis=axis, keepdims=keepdims)
        got = getattr(pb, name)(x, axis=axis, keepdims=keepdims)
        assert got.shape == want.shape
        close(got, want, 1e-5)
        close(getattr(x, name)(axis, keepdims), want, 1e-5)


SHAPES = [
    (lambda m, x: m.reshape(x, (4, 6)), "reshape"),
    (lambda m, x: m.transpose(x, (1, 2, 0)), "transpose"),
    (lambda m, x: m.swapaxes(x, 0, 2), "swapaxes"),
    (lambda m, x: m.moveaxis(x, 0, -1), "moveaxis"),
    (lambda m, x: m.expand_dims(x, 1), "expand_dims"),
    (lambda m, x: m.squeeze(x[:, :1]), "squeeze"),
    (lambda m, x: m.flip(x, 1), "flip"),
    (lambda m, x: m.roll(x, 2, 1), "roll"),
    (lambda m, x: m.roll(x, -1), "roll all"),
    (lambda m, x: m.tile(x, (2, 1, 3)), "tile"),
    (lambda m, x: m.repeat(x, 3, 1), "repeat"),
    (lambda m, x: m.pad(x, ((0, 1), (2, 0), (1, 1))), "pad"),
    (lambda m, x: m.pad(x, ((1, 1), (0, 0), (2, 1)), "edge"), "edge"),
    (lambda m, x: m.concatenate([x, x * 2], 1), "concatenate"),
    (lambda m, x: m.stack([x, x * 2], -1), "stack"),
    (lambda m, x: m.split(x, 3, 1)[2], "split"),
    (lambda m, x: m.split(x, [1], 1)[1], "split at"),
    (lambda m, x: m.diagonal(x), "diagonal"),
    (lambda m, x: m.trace(x[0]), "trace"),
    (lambda m, x: m.tril(x), "tril"),
    (lambda m, x: m.triu(x, 1), "triu"),
    (lambda m, x: m.sort(x, 1), "sort"),
    (lambda m, x: m.sort(x, -1), "sort last"),
    (lambda m, x: m.cumsum(x, 1), "cumsum"),
    (lambda m, x: m.cumprod(x, 0), "cumprod"),
    (lambda m, x: m.argmax(x, 1), "argmax"),
    (lambda m, x: m.argmin(x, -1), "argmin"),
    (lambda m, x: m.argsort(x, 1), "argsort"),
    (lambda m, x: m.clip(x, 0.3, 0.7), "clip"),
    (lambda m, x: m.where(x > 0.5, x, 0), "where"),
    (lambda m, x: m.round(x, 1), "round"),
    (lambda m, x: m.take(x, m.array([1, 0]), 1), "take"),
    (lambda m, x: m.inner(x, x[0]), "inner"),
    (lambda m, x: m.outer(x[0, 0], x[0, 1]), "outer"),
    (lambda m, x: m.tensordot(x, x, ((0, 1), (0, 1))), "tensordot"),
    (lambda m, x: m.matmul(x, m.swapaxes(x, 1, 2)), "matmul"),
    (lambda m, x: m.broadcast_to(x[:, :1], (2, 3, 4)), "broadcast_to"),
    (lambda m, x: m.take_along_axis(x, m.argsort(x, 1).astype(m.int32), 1), "take_along_axis"),
]


@pytest.mark.parametrize("fun", [fun for fun, _ in SHAPES], ids=[name for _, name in SHAPES])
def test_shapes(fun):
    a = rng.uniform(0, 1, (2, 3, 4)).astype(np.float32)
    want = fun(np, a)
    got = fun(pb, pb.array(a))
    assert got.shape == want.shape
    close(got, want, 1e-5)


MAKERS = [
    (lambda m: m.arange(5), "arange"),
    (lambda m: m.arange(2, 9, 3), "steps"),
    (lambda m: m.arange(1.0, 0.0, -0.25), "down"),
    (lambda m: m.linspace(-1, 1, 7), "linspace"),
    (lambda m: m.eye(3, 4, 1), "eye"),
    (lambda m: m.tri(3, 4, -1), "tri"),
    (lambda m: m.full((2, 2), 3.5), "full"),
    (lambda m: m.identity(3), "identity"),
    (lambda m: m.diag(m.array([1.0, 2.0]), 1), "diag"),
    (lambda m: m.zeros((0, 2)), "empty"),
    (lambda m: m.ones(3), "ones"),
]


@pytest.mark.parametrize("fun", [fun for fun, _ in MAKERS], ids=[name for _, name in MAKERS])
def test_makers(fun):
    close(fun(pb), fun(np))


# Random programs.

STEPS = [
    lambda m, x, y: x + y,
    lambda m, x, y: x * y,
    lambda m, x, y: m.sin(x),
    lambda m, x, y: m.tanh(x) * 2,
    lambda m, x, y: m.exp(-x * x),
    lambda m, x, y: m.maximum(x, y),
    lambda m, x, y: m.where(x > 0, x, y * 0.5),
    lambda m, x, y: x - m.mean(x, axis=-1, keepdims=True),
    lambda m, x, y: m.cumsum(x, -1) * 0.2,
    lambda m, x, y: x[..., ::-1],
    lambda m, x, y: m.broadcast_to(m.sum(x, axis=-1, keepdims=True) * 0.1, x.shape),
    lambda m, x, y: x / (1 + y * y),
    lambda m, x, y: m.concatenate([y[..., 1:], x[..., :1]], -1),
    lambda m, x, y: m.sqrt(1 + x * x),
    lambda m, x, y: m.sort(x, -1),
]


def program(codes):
    def run(x, m=pb):
        values = [x]
        for code, i, j in codes:
            values.append(STEPS[code](m, values[i % len(values)], values[j % len(values)]))
        return values[-1]

    return run


codes = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 50), st.integers(0, 50)), min_size=3, max_size=25
)
quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(codes, st.integers(0, 1000))
def test_random_programs(codes, seed):
    f = program(codes)
    a = np.random.default_rng(seed).normal(size=(3, 5)).astype(np.float32)
    x = pb.array(a)
    want = f(a.astype(np.float64), np)
    scale = 1 + np.max(np.abs(want), initial=0)
    close(f(x), want, 1e-3, 1e-4 * scale)
    close(pb.compile(f)(x), f(x), 1e-5, 1e-5)
    close(pb.vmap(f)(x), f(x), 1e-4, 1e-4 * scale)
    total = lambda x: f(x).sum()
    slope = pb.grad(total)(x)
    close(pb.compile(pb.grad(total))(x), slope, 1e-4, 1e-4 * (1 + np.abs(np.asarray(slope)).max()))
    close(pb.vmap(pb.grad(total))(x), slope, 1e-3, 1e-3 * (1 + np.abs(np.asarray(slope)).max()))
    close(pb.grad(pb.checkpoint(total))(x), slope, 1e-4, 1e-4 * (1 + np.abs(np.asarray(slope)).max()))
    direction = pb.array(np.random.default_rng(seed + 1).normal(size=(3, 5)).astype(np.float32))
    pushed = pb.jvp(total, [x], [direction])[1][0].item()
    pulled = (slope * direction).sum().item()
    assert abs(pushed - pulled) <= 1e-3 * (1 + abs(pushed) + abs(pulled))
