"""Functions of complex numbers beside NumPy in double precision, on both devices."""

import itertools

import numpy as np
import pullback as pb
import pytest

EPS = 2.0**-24
# By name: what NumPy has for it, and where the derivative is not taken.
ONE = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": lambda z: 1 / np.sqrt(z),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsinh": np.arcsinh,
    "arccosh": np.arccosh,
    "arctanh": np.arctanh,
    "reciprocal": np.reciprocal,
    "square": np.square,
}
PARTS = {"conj": np.conj, "real": np.real, "imag": np.imag, "abs": np.abs, "sign": np.sign, "round": np.round}
TRUTH = {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite}
TWO = {
    "power": np.power,
    "logaddexp": lambda z, w: np.log(np.exp(z) + np.exp(w)),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
}


def grid():
    """All quadrants, near zero and far away, and no branch point."""
    rng = np.random.default_rng(0)
    near = (rng.uniform(-3, 3, 40) + 1j * rng.uniform(-3, 3, 40)).astype("complex64")
    small = (near[:10] * 1e-3).astype("complex64")
    circle = np.exp(1j * rng.uniform(0, 6, 10)).astype("complex64")
    return np.concatenate([near, small, circle])


def near(got, want, bound):
    """Within a bound relative to the modulus: a part far below it has the error of the larger one."""
    got, want = np.asarray(got).astype("complex128"), np.asarray(want)
    error = np.abs(got - want)
    limit = bound * EPS * np.abs(want) + 1e-38
    worst = np.argmax(error - limit) if error.size else 0
    assert np.all(error <= limit), (got.ravel()[worst], want.ravel()[worst])


def bound(device):
    return 2.5 if device == pb.cpu else 100


@pytest.mark.parametrize("name", ONE)
def test_values(name, device):
    z = grid()
    got = getattr(pb, name)(pb.array(z))
    assert got.dtype == pb.complex64
    near(got, ONE[name](z.astype("complex128")), bound(device))
    near(
        pb.compile(getattr(pb, name))(pb.array(z.reshape(4, 15).T)),
        ONE[name](z.astype("complex128").reshape(4, 15).T),
        bound(device),
    )
    assert getattr(pb, name)(pb.zeros((0, 2), pb.complex64)).shape == (0, 2)


@pytest.mark.parametrize("name", ONE)
def test_derivatives(name, device):
    """Cotangents pair without a conjugate: of a holomorphic function the gradient is its derivative."""
    z = grid()
    fun, wide = getattr(pb, name), z.astype("complex128")
    step = 1e-5
    want = (ONE[name](wide + step) - ONE[name](wide - step)) / (2 * step)
    one = pb.ones(z.shape, pb.complex64)
    (y,), (g,) = pb.vjp(fun, [pb.array(z)], [one])
    assert g.dtype == pb.complex64 and y.dtype == pb.complex64
    error = np.abs(np.asarray(g).astype("complex128") - want)
    assert np.all(error <= 1e-3 * (1 + np.abs(want)))
    _, (t,) = pb.jvp(fun, [pb.array(z)], [one])
    np.testing.assert_allclose(np.asarray(t), np.asarray(g), rtol=1e-4, atol=1e-4)
    mapped = pb.vmap(fun)(pb.array(z.reshape(6, 10)))
    near(mapped, ONE[name](wide.reshape(6, 10)), bound(device))


@pytest.mark.parametrize("name", [*PARTS, *TRUTH])
def test_parts(name, device):
    odd = [complex(a, b) for a, b in itertools.product([np.inf, -np.inf, np.nan, 0.0, 1.5], repeat=2)]
    z = np.concatenate([grid(), np.array(odd, "complex64")])
    if name in ("abs", "sign"):
        z = z[np.isfinite(z)]
    got = getattr(pb, name)(pb.array(z))
    want = {**PARTS, **TRUTH}[name](z)
    assert got.dtype.name.removesuffix("_") == str(want.dtype)
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-6)


@pytest.mark.parametrize("name", ["conj", "real", "imag"])
def test_parts_have_derivatives_beside_what_is_not_finite(name, device):
    z = pb.array(np.array([1 + 2j, complex(np.inf, 1), complex(np.nan, 2), complex(1, np.inf)], "complex64"))
    weights = pb.array([1.0, 2.0, 3.0, 4.0])
    (g,) = (pb.grad(lambda z: pb.sum(pb.real(getattr(pb, name)(z)) * weights))(z),)
    want = np.array([1, 2, 3, 4]) * (-1j if name == "imag" else 1)
    np.testing.assert_array_equal(np.asarray(g), want.astype("complex64"))


@pytest.mark.parametrize("name", TWO)
def test_of_two(name, device):
    z = grid()
    w = np.roll(z, 7)
    w[:3] = z[:3]
    w[3:6] = z[3:6].real + 1j * w[3:6].imag
    got = getattr(pb, name)(pb.array(z), pb.array(w))
    want = TWO[name](z.astype("complex128"), w.astype("complex128"))
    if got.dtype == pb.bool_:
        np.testing.assert_array_equal(np.asarray(got), want)
    else:
        near(got, want, bound(device) * (20 if name == "power" else 4))


def test_powers_at_the_edges(device):
    z = pb.array([0j, 0j, 1 + 1j, -4 + 0j])
    near(z ** pb.array([0j, 2 + 0j, 0j, 0.5 + 0j]), np.array([1, 0, 1, 2j]), bound(device))
    near((1 + 1j) ** pb.array([2.0]), np.array([2j]), 8 * bound(device))
    assert np.isnan(np.asarray(pb.array([0j]) ** pb.array([-1 + 0j]))).all()


@pytest.mark.parametrize("name", ["sqrt", "log", "arcsin", "arccos", "arccosh", "arctanh"])
@pytest.mark.parametrize("side", [0.0, -0.0])
@pytest.mark.parametrize("at", [-2.5, 2.5])
def test_a_cut_has_two_sides(name, side, at, device):
    z = np.array([complex(at, side)], "complex64")
    near(getattr(pb, name)(pb.array(z)), ONE[name](z.astype("complex128")), bound(device))


def test_what_would_run_over(device):
    big = np.array([1e30 + 1e30j, 3e38 + 3e38j, -1e25 + 1j, 1e-38 + 1e-38j], "complex64")
    for name in ["sqrt", "log", "log10"]:
        near(getattr(pb, name)(pb.array(big)), ONE[name](big.astype("complex128")), bound(device))
    near(pb.tanh(pb.array([300 + 1j, -50 + 2j])), np.array([1, -1]), bound(device))
    got = np.asarray(pb.exp(pb.array([complex(1000, 0), complex(-1000, 3)])))
    assert got[0] == complex(np.inf, 0) and got[1] == 0


def test_reductions(device):
    z = grid().reshape(5, 12)
    x, wide = pb.array(z), z.astype("complex128")
    for ddof in (0, 1):
        got = pb.var(x, axis=1, ddof=ddof)
        assert got.dtype == pb.float32
        np.testing.assert_allclose(np.asarray(got), np.var(wide, axis=1, ddof=ddof), rtol=1e-5)
        np.testing.assert_allclose(np.asarray(pb.std(x, ddof=ddof)), np.std(wide, ddof=ddof), rtol=1e-5)
    near(pb.logsumexp(x, axis=0), np.log(np.sum(np.exp(wide), axis=0)), 20 * bound(device))
    near(
        pb.softmax(x, axis=1), np.exp(wide) / np.sum(np.exp(wide), axis=1, keepdims=True), 20 * bound(device)
    )
    assert pb.allclose(x, x * (1 + 1e-6)).item() and not pb.allclose(x, x + 1).item()


def test_order_is_by_real_parts_and_then_by_the_others(device):
    rng = np.random.default_rng(1)
    z = (rng.integers(-2, 3, (4, 30)) + 1j * rng.integers(-2, 3, (4, 30))).astype("complex64")
    x = pb.array(z)
    for axis in (0, 1, -1):
        np.testing.assert_array_equal(np.asarray(pb.sort(x, axis=axis)), np.sort(z, axis=axis))
        np.testing.assert_array_equal(
            np.asarray(pb.argsort(x, axis=axis)), np.argsort(z, axis=axis, kind="stable")
        )
        for name in ("max", "min", "argmax", "argmin"):
            got = getattr(pb, name)(x, axis=axis, keepdims=True)
            np.testing.assert_array_equal(np.asarray(got), getattr(np, name)(z, axis=axis, keepdims=True))
    assert pb.max(x).item() == z.max() and pb.argmin(x).item() == z.argmin()
    assert pb.topk(x, 3, axis=1).tolist() == np.sort(z, axis=1)[:, -3:].tolist()
    z[1, 4] = complex(1, np.nan)
    assert np.isnan(pb.max(pb.array(z)).item()) and pb.argmax(pb.array(z)).item() == 34
    (g,) = (pb.grad(lambda x: pb.real(pb.max(x * x)))(pb.array([1 + 1j, 3 - 1j, 0.5 + 2j])),)
    np.testing.assert_allclose(np.asarray(g), [0, 6 - 2j, 0])


def test_what_needs_real_numbers_says_so():
    x = pb.array([1 + 1j])
    two = ["remainder", "floor_divide", "arctan2"]
    for name in ["floor", "ceil", "trunc", "erf", "erfinv", *two]:
        args = (x, x) if name in two else (x,)
        with pytest.raises(TypeError, match=rf"\[{name}\] expected an? .*type, got complex64"):
            getattr(pb, name)(*args)


def test_sums_of_powers_of_infinities(device):
    low, high = complex(-np.inf, 0), complex(np.inf, 0)
    x, y = pb.array([low, low, low, high, high]), pb.array([low, 1j, high, high, 2j])
    for a, b in ((x, y), (y, x)):
        np.testing.assert_array_equal(np.asarray(pb.logaddexp(a, b)), [low, 1j, high, high, high])
