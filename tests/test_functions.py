"""Every public function against NumPy: types, layouts, broadcasting, axes, empty arrays, special values."""

import math

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import EPS, FLOATS, INTEGERS, bfloat16, close, exactly, layouts, near, numpy, values


def vectorised(fun):
    return np.vectorize(fun, otypes=[float])


def erfinv(y):
    """By Newton's method on `math.erf`, which converges from anywhere for |y| < 1."""
    x = 0.0
    for _ in range(100):
        x -= (math.erf(x) - y) * math.sqrt(math.pi) / 2 * math.exp(min(x * x, 700))
        x = max(min(x, 6.0), -6.0)
    return x


def sigmoid(x):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


# Function of one operand: reference, domain, units in the last place that may differ.
UNARY = {
    "abs": (np.abs, (-3, 3), 0),
    "negative": (np.negative, (-3, 3), 0),
    "sign": (np.sign, (-3, 3), 0),
    "square": (np.square, (-3, 3), 1),
    "sqrt": (np.sqrt, (0, 9), 1),
    "rsqrt": (lambda x: 1 / np.sqrt(x), (0.1, 9), 3),
    "reciprocal": (lambda x: 1 / x, (0.1, 9), 2),
    "exp": (np.exp, (-5, 5), 3),
    "expm1": (np.expm1, (-3, 3), 4),
    "exp2": (np.exp2, (-5, 5), 3),
    "log": (np.log, (0.01, 9), 4),
    "log1p": (np.log1p, (-0.9, 9), 4),
    "log2": (np.log2, (0.01, 9), 4),
    "log10": (np.log10, (0.01, 9), 4),
    "sin": (np.sin, (-9, 9), 4),
    "cos": (np.cos, (-9, 9), 4),
    "tan": (np.tan, (-1.4, 1.4), 6),
    "arcsin": (np.arcsin, (-0.99, 0.99), 6),
    "arccos": (np.arccos, (-0.99, 0.99), 6),
    "arctan": (np.arctan, (-9, 9), 6),
    "sinh": (np.sinh, (-4, 4), 6),
    "cosh": (np.cosh, (-4, 4), 6),
    "tanh": (np.tanh, (-4, 4), 6),
    "arcsinh": (np.arcsinh, (-9, 9), 8),
    "arccosh": (np.arccosh, (1.1, 9), 8),
    "arctanh": (np.arctanh, (-0.9, 0.9), 8),
    "sigmoid": (sigmoid, (-9, 9), 6),
    "erf": (vectorised(math.erf), (-3, 3), 6),
    "erfinv": (vectorised(erfinv), (-0.9, 0.9), 16),
    "floor": (np.floor, (-9, 9), 0),
    "ceil": (np.ceil, (-9, 9), 0),
    "round": (np.round, (-9, 9), 0),
    "trunc": (np.trunc, (-9, 9), 0),
    "logical_not": (np.logical_not, (-1, 1), 0),
    "isnan": (np.isnan, (-1, 1), 0),
    "isinf": (np.isinf, (-1, 1), 0),
    "isfinite": (np.isfinite, (-1, 1), 0),
    "relu": (lambda x: np.maximum(x, 0), (-3, 3), 0),
    "gelu": (lambda x: x * (1 + vectorised(math.erf)(x / math.sqrt(2))) / 2, (-3, 3), 16),
    "gelu_approx": (
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        (-3, 3),
        16,
    ),
    "silu": (lambda x: x * sigmoid(x), (-9, 9), 8),
    "radians": (np.radians, (-360, 360), 2),
    "degrees": (np.degrees, (-7, 7), 2),
}
UNARY = {name: case for name, case in UNARY.items() if hasattr(pb, name)}
INTEGER_UNARY = [
    "abs",
    "negative",
    "sign",
    "square",
    "floor",
    "ceil",
    "trunc",
    "round",
    "logical_not",
    "isnan",
    "relu",
]


@pytest.mark.parametrize("dtype", [*FLOATS, "bfloat16"])
@pytest.mark.parametrize("name", UNARY)
def test_unary(name, dtype, device):
    reference, (low, high), ulps = UNARY[name]
    wide = values("float64", (3, 5), low=low, high=high)
    x = bfloat16(wide) if dtype == "bfloat16" else wide.astype(dtype)
    for layout, arranged in layouts(x, device):
        got = getattr(pb, name)(arranged.astype(getattr(pb, dtype)))
        want = reference(x.astype("f8"))
        boolean = np.asarray(want).dtype == bool
        assert got.dtype.name == ("bool" if boolean else dtype), layout
        close(got, want, ulps + 0.51, scale=float(np.max(np.abs(want))))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", INTEGER_UNARY)
def test_unary_of_integers(name, dtype, device):
    x = values(dtype, (4, 3), high=10, low=0 if dtype[0] == "u" else -10)
    with np.errstate(over="ignore"):
        want = UNARY[name][0](x)
    for _, arranged in layouts(x, device):
        got = getattr(pb, name)(arranged)
        assert got.dtype.name == (dtype if want.dtype != bool else "bool")
        np.testing.assert_array_equal(numpy(got), want)


FLOAT_ONLY = sorted(set(UNARY) - set(INTEGER_UNARY) - {"isinf", "isfinite", "silu", "gelu", "gelu_approx"})


@pytest.mark.parametrize("name", FLOAT_ONLY)
def test_integers_are_lifted_to_float32(name):
    reference, (low, high), _ = UNARY[name]
    x = np.array([v for v in (0, 1, 2) if low <= v <= high], "int32")
    got = getattr(pb, name)(pb.array(x))
    assert got.dtype == pb.float32
    near(got, reference(x.astype("f8")), 1e-5)


SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-45, -1e-38, 3e38, -3e38, 88.0, -104.0]


@pytest.mark.parametrize("name", UNARY)
def test_special_values(name):
    reference = UNARY[name][0]
    for v in SPECIAL:
        x = np.float32(v)
        if name in ("erf", "erfinv") and (name == "erfinv" or not math.isfinite(v)):
            continue
        if name.startswith("gelu") and not math.isfinite(v):
            continue
        with np.errstate(all="ignore"):
            want = np.asarray(reference(np.float64(x)))
            want = want if want.dtype == bool else want.astype("f4")
        got = numpy(getattr(pb, name)(pb.array(x)))
        if want.dtype == bool or not np.isfinite(want):
            np.testing.assert_array_equal(got, want, err_msg=f"{name}({v})")
        elif abs(v) < 1e30:
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-38, err_msg=f"{name}({v})")


BINARY = {
    "add": (np.add, 0),
    "subtract": (np.subtract, 0),
    "multiply": (np.multiply, 0),
    "divide": (np.divide, 1),
    "power": (np.power, 8),
    "maximum": (np.maximum, 0),
    "minimum": (np.minimum, 0),
    "remainder": (np.remainder, 0),
    "floor_divide": (np.floor_divide, 0),
    "arctan2": (np.arctan2, 8),
    "logaddexp": (np.logaddexp, 8),
    "equal": (np.equal, 0),
    "not_equal": (np.not_equal, 0),
    "less": (np.less, 0),
    "less_equal": (np.less_equal, 0),
    "greater": (np.greater, 0),
    "greater_equal": (np.greater_equal, 0),
    "logical_and": (np.logical_and, 0),
    "logical_or": (np.logical_or, 0),
}
BITS = {
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "left_shift": np.left_shift,
    "right_shift": np.right_shift,
}
SHAPES = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((), (2, 2)),
    ((0, 3), (3,)),
    ((2, 1, 3), (4, 1)),
]


@pytest.mark.parametrize("dtype", [*FLOATS, "bfloat16"])
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, dtype, device):
    reference, ulps = BINARY[name]
    for a_shape, b_shape in SHAPES:
        low = 0.3 if name == "power" else -3
        a, b = (values("float64", s, i, low, 3) for i, s in enumerate((a_shape, b_shape)))
        if name in ("equal", "not_equal", "less_equal", "greater_equal"):
            a, b = np.round(a), np.round(b)
        if name in ("remainder", "floor_divide"):
            b = np.where(np.abs(b) < 0.2, 0.7, b)
        a, b = ((bfloat16(v) if dtype == "bfloat16" else v.astype(dtype)) for v in (a, b))
        want = reference(a.astype("f8"), b.astype("f8"))
        got = getattr(pb, name)(*(exactly(v).astype(getattr(pb, dtype)) for v in (a, b)))
        assert got.dtype.name == ("bool" if want.dtype == bool else dtype)
        close(got, want, ulps + 0.51, scale=float(np.max(np.abs(want), initial=0)) + 1)


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@pytest.mark.parametrize("name", [*BINARY, *BITS])
def test_binary_of_integers(name, dtype, device):
    if name in ("divide", "arctan2", "logaddexp"):
        a, b = values(dtype, (3, 4), 0, 1, 9), values(dtype, (4,), 1, 1, 9)
        if dtype == "bool":
            a, b = a | True, b | True
        got = getattr(pb, name)(pb.array(a), pb.array(b))
        assert got.dtype == pb.float32
        near(got, BINARY[name][0](a.astype("f8"), b.astype("f8")), 1e-5)
        return
    if dtype == "bool" and name in (
        "subtract",
        "power",
        "remainder",
        "floor_divide",
        "left_shift",
        "right_shift",
    ):
        pytest.skip("NumPy has no such operation of booleans")
    reference = BITS.get(name) or BINARY[name][0]
    if name == "power":
        a, b = values(dtype, (3, 4), 0, 0, 4), values(dtype, (4,), 1, 0, 4)
    elif "shift" in name:
        a, b = values(dtype, (3, 4), 0), values(dtype, (4,), 1, 0, 7)
    else:
        a, b = values(dtype, (3, 4), 0), values(dtype, (4,), 1)
        if name in ("remainder", "floor_divide"):
            b = np.where(b == 0, 3, b).astype(dtype)
    with np.errstate(over="ignore"):
        want = reference(a, b)
    for _, x in layouts(a, device):
        got = getattr(pb, name)(x, pb.array(b))
        assert got.dtype.name == str(want.dtype)
        np.testing.assert_array_equal(numpy(got), want)


@pytest.mark.parametrize("name", ["add", "multiply", "subtract"])
def test_integers_wrap(name, device):
    for dtype in INTEGERS:
        info = np.iinfo(dtype)
        a = np.array([info.max, info.min, info.max, 0], dtype)
        b = np.array([1, info.max, info.max, info.max], dtype)
        with np.errstate(over="ignore"):
            want = getattr(np, name)(a, b)
        np.testing.assert_array_equal(numpy(getattr(pb, name)(pb.array(a), pb.array(b))), want)


@pytest.mark.parametrize("name", ["add", "multiply", "divide", "equal", "not_equal", "subtract"])
def test_complex(name):
    a, b = values("complex64", (3, 4), 0), values("complex64", (4,), 1)
    got = getattr(pb, name)(pb.array(a), pb.array(b))
    near(got, getattr(np, name)(a, b), 1e-5)


REDUCTIONS = ["sum", "prod", "max", "min", "mean", "var", "std", "any", "all"]
AXES = [None, 0, 1, -1, (0, 1), (0, 2), (0, 1, 2), ()]


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "uint8", "bool", "int64"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, dtype, device):
    if dtype == "bool" and name in ("max", "min", "var", "std"):
        pytest.skip("NumPy has other types here")
    # Products of halves must not overflow.
    low, high = (0.8, 1.2) if dtype == "float16" else (1, 3)
    x = values(dtype, (2, 3, 4), low=low, high=high)
    wide = x.astype("f8") if dtype.startswith("float") else x
    for layout, arranged in layouts(x, device):
        for axis in AXES if device == pb.cpu else AXES[::3]:
            for keepdims in (False, True):
                with np.errstate(all="ignore"):
                    want = getattr(np, name)(wide, axis=axis, keepdims=keepdims)
                got = getattr(pb, name)(arranged, axis=axis, keepdims=keepdims)
                assert got.shape == want.shape, (layout, axis)
                near(got, want, 2e-3 if dtype == "float16" else 1e-5)
                method = getattr(arranged, name)(axis, keepdims)
                np.testing.assert_array_equal(numpy(method), numpy(got))


@pytest.mark.parametrize("name", ["sum", "prod", "any", "all", "mean", "var"])
def test_reductions_of_nothing(name):
    x = np.zeros((0, 3), "f4")
    with np.errstate(all="ignore"), pytest.warns() if name in ("mean", "var") else np.errstate():
        want = getattr(np, name)(x, axis=0)
    near(getattr(pb, name)(pb.array(x), axis=0), want)
    assert getattr(pb, name)(pb.array(x), axis=1).shape == (0,)


def test_large_sums_are_exact_enough(device):
    rng = np.random.default_rng(0)
    for shape in [(100_003,), (1000, 101), (3, 40_000)]:
        x = rng.normal(size=shape).astype("f4")
        for axis in (None, *range(len(shape))):
            want = x.astype("f8").sum(axis)
            tol = 1e-6 * np.sqrt(np.square(x.astype("f8")).sum(axis).max()) * 10
            np.testing.assert_allclose(numpy(pb.array(x).sum(axis)), want, rtol=1e-5, atol=tol)


def logsumexp(x, axis=None, keepdims=False):
    top = np.max(x, axis=axis, keepdims=True)
    result = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return result if keepdims else np.squeeze(result, axis)


def softmax(x, axis=None):
    each = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return each / each.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_softmax_and_logsumexp(axis, device):
    x = values("float32", (3, 5)) * 30
    for _, arranged in layouts(x, device):
        near(pb.softmax(arranged, axis=axis), softmax(x.astype("f8"), axis), 2e-5)
        near(pb.logsumexp(arranged, axis=axis), logsumexp(x.astype("f8"), axis), 1e-5)
    near(pb.softmax(pb.array([1000.0, 1000.0, -1000.0])), [0.5, 0.5, 0.0])


@pytest.mark.parametrize("ddof", [0, 1, 2])
def test_var_and_std_with_ddof(ddof):
    x = values("float32", (4, 5))
    for axis in (None, 0, 1, (0, 1)):
        near(pb.var(pb.array(x), axis, ddof=ddof), np.var(x.astype("f8"), axis, ddof=ddof), 1e-5)
        near(pb.std(pb.array(x), axis, ddof=ddof), np.std(x.astype("f8"), axis, ddof=ddof), 1e-5)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "float16", "bool"])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions_of_extremes(name, dtype, device):
    x = values(dtype, (3, 4, 5), high=4, low=0)
    for _, arranged in layouts(x, device):
        for axis in (None, 0, 1, -1):
            got = getattr(pb, name)(arranged, axis=axis)
            assert got.dtype == pb.uint32
            np.testing.assert_array_equal(numpy(got), getattr(np, name)(x, axis=axis))
            got = getattr(pb, name)(arranged, axis=axis, keepdims=True)
            np.testing.assert_array_equal(numpy(got), getattr(np, name)(x, axis=axis, keepdims=True))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_means_of_many_halves(dtype, device):
    """Neither the sum nor the count is a number that a half holds."""
    x = pb.full((90_000,), 2.0, getattr(pb, dtype))
    for got, want in [
        (pb.mean(x), 2.0),
        (pb.var(x), 0.0),
        (pb.mean(x.reshape(300, 300), axis=0), [2.0] * 300),
    ]:
        assert got.dtype.name == dtype
        near(got, want)
    slope = pb.grad(lambda x: pb.mean(x))(x)
    near(slope.astype(pb.float32) * 90_000, np.ones(90_000), 1e-2)


def test_nan_spreads(device):
    x = pb.array([1.0, math.nan, 0.0])
    for name in ("max", "min", "sum", "mean", "prod"):
        assert math.isnan(getattr(pb, name)(x).item()), name
    assert math.isnan(pb.maximum(x, 5.0)[1].item()) and math.isnan(pb.minimum(5.0, x)[1].item())


SCANS = {
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "cummax": np.maximum.accumulate,
    "cummin": np.minimum.accumulate,
}


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("name", SCANS)
def test_scans(name, dtype, device):
    x = values(dtype, (3, 4, 5), low=1, high=3)
    for _, arranged in layouts(x, device):
        for axis in (0, 1, -1):
            want = SCANS[name](x, axis=axis)
            near(getattr(pb, name)(arranged, axis=axis), want, 1e-5)
            back = np.flip(SCANS[name](np.flip(x, axis), axis=axis), axis)
            near(getattr(pb, name)(arranged, axis=axis, reverse=True), back, 1e-5)
    flat = x.reshape(-1)[:12]
    near(getattr(pb, name)(pb.array(x[:1, :3, :4].copy())), SCANS[name](x[:1, :3, :4].reshape(-1)), 1e-4)
    near(getattr(pb, name)(pb.array(flat)), SCANS[name](flat), 1e-4)


def test_scans_without_the_element_itself():
    x = values("float32", (3, 4))
    got = pb.cumsum(pb.array(x), axis=1, inclusive=False)
    near(got, np.cumsum(x, axis=1) - x, 1e-5)
    got = pb.cumsum(pb.array(x), axis=1, inclusive=False, reverse=True)
    near(got, np.flip(np.cumsum(np.flip(x, 1), axis=1), 1) - x, 1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "uint8", "int64", "bool"])
def test_order(dtype, device):
    x = values(dtype, (4, 7), high=9, low=0)
    for _, arranged in layouts(x, device):
        for axis in (0, 1, -1, None):
            np.testing.assert_array_equal(numpy(pb.sort(arranged, axis)), np.sort(x, axis))
            got = pb.argsort(arranged, axis)
            assert got.dtype == pb.uint32
            # Equal elements keep their order.
            np.testing.assert_array_equal(numpy(got), np.argsort(x, axis, kind="stable"))


def test_order_of_nans_and_long_axes(device):
    x = np.array([3.0, np.nan, -np.inf, np.inf, 0.0, np.nan, -1.0], "f4")
    np.testing.assert_array_equal(numpy(pb.sort(pb.array(x))), np.sort(x))
    x = np.random.default_rng(0).normal(size=(2, 10_000)).astype("f4")
    np.testing.assert_array_equal(numpy(pb.sort(pb.array(x))), np.sort(x))


@pytest.mark.parametrize("k", [1, 2, 5])
def test_topk(k):
    x = values("float32", (3, 5))
    got = np.sort(numpy(pb.topk(pb.array(x), k)), -1)
    np.testing.assert_array_equal(got, np.sort(x, -1)[:, 5 - k :])
    got = np.sort(numpy(pb.topk(pb.array(x), 2, axis=0)), 0)
    np.testing.assert_array_equal(got, np.sort(x, 0)[1:])


@st.composite
def matrices(draw):
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    m, k, n = (draw(st.integers(0, 9)) for _ in range(3))
    left = [*(1 if draw(st.booleans()) else b for b in batch), m, k]
    right = [*(1 if draw(st.booleans()) else b for b in batch), k, n]
    if not batch and draw(st.booleans()):
        left = left[1:]
    if not batch and draw(st.booleans()):
        right = right[:1]
    return left, right, draw(st.integers(0, 99))


@given(matrices())
def test_matmul(case):
    left, right, seed = case
    a, b = values("float32", tuple(left), seed), values("float32", tuple(right), seed + 1)
    want = np.matmul(a.astype("f8"), b.astype("f8"))
    near(pb.array(a) @ pb.array(b), want, 1e-5)
    if a.ndim > 1:
        flipped = pb.swapaxes(pb.array(np.ascontiguousarray(np.swapaxes(a, -1, -2))), -1, -2)
        near(pb.matmul(flipped, pb.array(b)), want, 1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("size", [1, 7, 65, 200])
def test_square_matmul(dtype, size, device):
    a, b = values("float64", (size, size), 0), values("float64", (size, size), 1)
    a, b = ((bfloat16(v) if dtype == "bfloat16" else v.astype(dtype)) for v in (a, b))
    x, y = (exactly(v).astype(getattr(pb, dtype)) for v in (a, b))
    want = a.astype("f8") @ b.astype("f8")
    got = x @ y
    assert got.dtype.name == dtype
    tol = EPS[dtype] * (4 + size**0.5)
    np.testing.assert_allclose(numpy(got), want, rtol=tol, atol=tol * np.sqrt(size))
    near(x.T @ y, numpy(x).T.astype("f8") @ numpy(y).astype("f8"), tol * 40)


def test_integer_products():
    a, b = values("int32", (3, 4)), values("int32", (4, 2), 1)
    np.testing.assert_array_equal(numpy(pb.array(a) @ pb.array(b)), a @ b)
    np.testing.assert_array_equal(numpy(pb.outer(pb.array(a[0]), pb.array(b[:, 0]))), np.outer(a[0], b[:, 0]))


@pytest.mark.parametrize("axes", [0, 1, 2, ([0], [1]), ([0, 1], [1, 0]), (1, 0)])
def test_tensordot(axes):
    a = values("float32", (3, 3, 3))
    near(pb.tensordot(pb.array(a), pb.array(a), axes), np.tensordot(a, a, axes), 1e-5)


def test_other_products():
    a, b, c = values("float32", (3, 4)), values("float32", (4, 5), 1), values("float32", (5,), 2)
    x, y, z = pb.array(a), pb.array(b), pb.array(c)
    near(pb.addmm(z, x, y), c + a @ b, 1e-5)
    near(pb.addmm(z, x, y, alpha=2.0, beta=0.5), 0.5 * c + 2 * (a @ b), 1e-5)
    near(pb.inner(x, x), np.inner(a, a), 1e-5)
    near(pb.inner(x[0], x[1]), np.inner(a[0], a[1]), 1e-5)
    near(pb.outer(x[0], z), np.outer(a[0], c), 1e-5)
