"""Types and values of results against the real MLX, where it is installed."""

import importlib.util
import inspect

import numpy as np
import pullback as pb
import pytest
from samples import DTYPES, near, numpy, values

if importlib.util.find_spec("mlx") is None:
    pytest.skip("mlx is not installed", allow_module_level=True)

import mlx.core as mx

mx.set_default_device(mx.cpu)
UNARY = [
    "abs",
    "negative",
    "sign",
    "square",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "sigmoid",
    "erf",
    "erfinv",
    "floor",
    "ceil",
    "round",
    "logical_not",
    "isnan",
    "isinf",
    "isfinite",
    "degrees",
    "radians",
]
BINARY = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "power",
    "maximum",
    "minimum",
    "remainder",
    "floor_divide",
    "arctan2",
    "logaddexp",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "left_shift",
    "right_shift",
]
REDUCTIONS = [
    "sum",
    "prod",
    "max",
    "min",
    "mean",
    "var",
    "std",
    "any",
    "all",
    "argmax",
    "argmin",
    "logsumexp",
    "cumsum",
    "cumprod",
    "cummax",
    "cummin",
]
OTHERS = ["softmax", "sort", "argsort"]


def both(dtype, x):
    return pb.array(x).astype(getattr(pb, dtype)), mx.array(x).astype(getattr(mx, dtype))


def kind(x):
    return str(x.dtype).split(".")[-1].replace("bool_", "bool")


def theirs(x):
    return np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x)


def compare(fun, dtype, *arrays):
    """Calls a function of both; where MLX refuses or has no kernel, there is nothing to compare."""
    pairs = [both(dtype, x) for x in arrays]
    try:
        want = fun(mx, *(m for _, m in pairs))
        mx.eval(want)
    except Exception:
        return False
    got = fun(pb, *(p for p, _ in pairs))
    assert (got.shape, kind(got)) == (want.shape, kind(want))
    tol = {"float16": 4e-3, "bfloat16": 3e-2}.get(kind(want), 3e-5)
    near(numpy(got), theirs(want), tol)
    return True


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("float64", "complex64")])
def test_unary(dtype):
    x = np.abs(values("float32", (3, 4))) * 0.4 + 0.1 if "float" in dtype else np.array([[0, 1], [1, 1]])
    compared = 0
    for name in UNARY:
        if name == "arccosh":
            x = x + 1
        if dtype == "bool_" and name in ("negative", "sign", "abs"):
            continue
        compared += compare(lambda m, x, name=name: getattr(m, name)(x), dtype, x)
    assert compared > 20


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("float64", "complex64")])
def test_binary(dtype):
    a, b = np.array([[5.0, 3], [2, 1]]), np.array([2.0, 3])
    compared = sum(
        compare(lambda m, x, y, name=name: getattr(m, name)(x, y), dtype, a, b)
        for name in BINARY
        if not (dtype == "bool_" and name in ("subtract", "left_shift", "right_shift", "power"))
    )
    assert compared > 12


def test_complex():
    z, w = values("complex64", (3, 4)), values("complex64", (4,), 1)
    for name in ["add", "subtract", "multiply", "divide", "equal", "not_equal"]:
        assert compare(lambda m, x, y, name=name: getattr(m, name)(x, y), "complex64", z, w)
    for name in ["sum", "mean", "negative", "square"]:
        assert compare(lambda m, x, name=name: getattr(m, name)(x), "complex64", z)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("float64", "complex64")])
def test_reductions(dtype):
    x = values("float32", (3, 4), low=1, high=2) if "float" in dtype else np.array([[2, 1, 1], [0, 3, 1]])
    compared = 0
    for name in REDUCTIONS:
        if name == "logsumexp" and "float" not in dtype:
            continue  # MLX subtracts the largest before it lifts, and wraps around
        for axis in (0, 1, -1):
            compared += compare(lambda m, x, n=name, a=axis: getattr(m, n)(x, axis=a), dtype, x)
    assert compared > 30
    for name in OTHERS:
        compare(lambda m, x, n=name: getattr(m, n)(x, axis=-1), dtype, x)


@pytest.mark.parametrize(
    "value", [True, 1, 2**31, -(2**40), 1.5, 1j, [True, 1], [1, 2.0], [1, 2**40], [], [[]], (1, 2)]
)
def test_types_of_python_values(value):
    assert kind(pb.array(value)) == kind(mx.array(value))


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64", "complex64"]
)
def test_types_of_numpy_arrays(dtype):
    x = np.ones((2, 2), dtype)
    assert kind(pb.array(x)) == kind(mx.array(x))


def test_parameters_have_the_names_of_mlx():
    """A call that names its arguments runs with either."""
    a, b = np.ones((2, 3), "f4"), np.array([0, 1])
    calls = [
        lambda m, x, i: m.sum(x, axis=0, keepdims=True),
        lambda m, x, i: m.var(x, axis=0, keepdims=True, ddof=1),
        lambda m, x, i: m.argmax(x, axis=1, keepdims=True),
        lambda m, x, i: m.cumsum(x, axis=1, reverse=True, inclusive=False),
        lambda m, x, i: m.softmax(x, axis=-1, precise=True),
        lambda m, x, i: m.sort(x, axis=0),
        lambda m, x, i: m.topk(x, k=1, axis=-1),
        lambda m, x, i: m.reshape(x, shape=(3, 2)),
        lambda m, x, i: m.transpose(x, axes=(1, 0)),
        lambda m, x, i: m.moveaxis(x, source=0, destination=1),
        lambda m, x, i: m.swapaxes(x, axis1=0, axis2=1),
        lambda m, x, i: m.expand_dims(x, axis=0),
        lambda m, x, i: m.squeeze(x[None], axis=0),
        lambda m, x, i: m.flatten(x, start_axis=0, end_axis=-1),
        lambda m, x, i: m.unflatten(x, axis=1, shape=(3, 1)),
        lambda m, x, i: m.broadcast_to(x, shape=(2, 2, 3)),
        lambda m, x, i: m.concatenate([x, x], axis=1),
        lambda m, x, i: m.stack([x, x], axis=1),
        lambda m, x, i: m.split(x, indices_or_sections=2, axis=0)[0],
        lambda m, x, i: m.repeat(x, repeats=2, axis=0),
        lambda m, x, i: m.roll(x, shift=1, axis=0),
        lambda m, x, i: m.pad(x, pad_width=1, mode="constant", constant_values=m.array(2.0)),
        lambda m, x, i: m.diagonal(x, offset=0, axis1=0, axis2=1),
        lambda m, x, i: m.tril(x, k=0),
        lambda m, x, i: m.eye(n=3, m=2, k=1, dtype=m.float32),
        lambda m, x, i: m.full(shape=(2,), vals=3.0, dtype=m.float32),
        lambda m, x, i: m.arange(start=0, stop=4, step=2, dtype=m.float32),
        lambda m, x, i: m.linspace(start=0, stop=1, num=3, dtype=m.float32),
        lambda m, x, i: m.take(x, indices=i, axis=1),
        lambda m, x, i: m.take_along_axis(x, indices=i[None], axis=1),
        lambda m, x, i: m.clip(x, a_min=0.0, a_max=0.5),
        lambda m, x, i: m.round(x, decimals=1),
        lambda m, x, i: m.tensordot(x, x, axes=2),
        lambda m, x, i: m.addmm(x[0], x, m.ones((3, 3)), alpha=2.0, beta=1.0),
        lambda m, x, i: m.allclose(x, x, rtol=1e-5, atol=1e-8, equal_nan=True),
        lambda m, x, i: m.random.uniform(low=0, high=1, shape=[2], dtype=m.float32, key=m.random.key(0)),
        lambda m, x, i: m.random.normal(shape=[2], dtype=m.float32, loc=0, scale=1, key=m.random.key(0)),
        lambda m, x, i: m.random.randint(low=0, high=9, shape=[2], dtype=m.int32, key=m.random.key(0)),
        lambda m, x, i: m.random.bernoulli(p=0.5, shape=[2], key=m.random.key(0)),
        lambda m, x, i: m.random.categorical(x, axis=-1, num_samples=2, key=m.random.key(0)),
        lambda m, x, i: m.random.split(m.random.key(0), num=3),
        lambda m, x, i: m.grad(fun=lambda x: x.sum(), argnums=0)(x),
        lambda m, x, i: m.value_and_grad(fun=lambda x: x.sum(), argnums=0)(x)[1],
        lambda m, x, i: m.vmap(fun=lambda x: x.sum(), in_axes=0, out_axes=0)(x),
        lambda m, x, i: m.vjp(lambda x: x * x, [x], [x])[1][0],
        lambda m, x, i: m.jvp(lambda x: x * x, [x], [x])[1][0],
        lambda m, x, i: m.compile(fun=lambda x: x * x, inputs=None, outputs=None, shapeless=False)(x),
        lambda m, x, i: m.checkpoint(lambda x: x * x)(x),
    ]
    for call in calls:
        got, want = call(pb, pb.array(a), pb.array(b)), call(mx, mx.array(a), mx.array(b))
        text = inspect.getsource(call).strip()
        assert (got.shape, kind(got)) == (want.shape, kind(want)), text
        near(numpy(got), theirs(want), 1e-5)


def test_transforms_as_in_mlx():
    x = np.linspace(-1, 1, 6, dtype="f4").reshape(2, 3)

    def loss(m, p, y):
        h = m.tanh(y @ p["w"] + p["b"])
        return (h * h).sum(), h

    results = []
    for m in (pb, mx):
        p = {"w": m.array(x.T), "b": m.array([0.1, 0.2])}
        (value, h), g = m.value_and_grad(lambda p, y, m=m: loss(m, p, y))(p, m.array(x))
        results.append([np.array(v) for v in (value, h, g["w"], g["b"])])
    for got, want in zip(*results, strict=True):
        near(got, want, 1e-5)


def test_the_documented_custom_function_as_in_mlx():
    results = []
    for m in (pb, mx):

        @m.custom_function
        def f(x, y, m=m):
            return m.sin(x) * y

        @f.vjp
        def f_vjp(primals, cotangent, output, m=m):
            x, y = primals
            return cotangent * m.cos(x) * y * 3, cotangent * m.sin(x) * 5

        @f.jvp
        def f_jvp(primals, tangents, m=m):
            x, y = primals
            dx, dy = tangents
            return 7 * dx * m.cos(x) * y + dy * m.sin(x)

        x, y = m.array(1.0), m.array(2.0)
        results.append(
            [
                f(x, y).item(),
                *(g.item() for g in m.grad(f, argnums=(0, 1))(x, y)),
                m.jvp(f, [x, y], [x, y])[1][0].item(),
                m.compile(m.grad(f))(x, y).item(),
            ]
        )
    near(results[0], results[1], 1e-5)
