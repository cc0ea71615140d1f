"""Functions of elements: parts of complex numbers, what is not finite, integers and truth values."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import DTYPES, NUMPY_DTYPES, close, exactly, layouts, numpy, same, values

SHAPES = [(), (0,), (5,), (2, 3), (3, 0, 2)]
REAL = [dtype for dtype in NUMPY_DTYPES if dtype != "complex64"]
EDGES = [0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan]


def complex_edges():
    """All pairs of parts, also of such that arithmetic would mix up."""
    parts = np.asarray(EDGES, np.float32)
    x = np.zeros((len(EDGES), len(EDGES)), np.complex64)
    x.real, x.imag = parts[:, None], parts
    return x


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_parts_are_numpys(dtype, shape):
    x = values(dtype, shape)
    for _, y in layouts(x):
        same(pb.real(y), x.real)
        same(pb.imag(y), x.imag)
        same(y.real, x.real)
        same(y.imag, x.imag)
        want = x if dtype == "bool" else np.conjugate(x)
        same(pb.conjugate(y), want)
        same(y.conj(), want)
        same(pb.positive(y), x)


def test_parts_are_read_exactly_where_the_other_is_infinite_or_nan():
    x = complex_edges()
    y = pb.array(x)
    np.testing.assert_array_equal(numpy(pb.real(y)), x.real)
    np.testing.assert_array_equal(numpy(pb.imag(y)), x.imag)
    got = numpy(pb.conj(y))
    np.testing.assert_array_equal(got.real, x.real)
    np.testing.assert_array_equal(got.imag, -x.imag)


def test_absolute_values_of_complex_numbers(device):
    x = complex_edges()
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(numpy(pb.abs(pb.array(x))), np.abs(x), rtol=3e-7)
    # Squares of these overflow, or vanish.
    for size in (1e30, 1e-30, 1.0):
        z = (values("complex64", (3, 4)) * size).astype(np.complex64)
        for _, y in layouts(z):
            got = abs(y)
            assert got.dtype == pb.float32
            np.testing.assert_allclose(numpy(got), np.abs(z), rtol=3e-7)
    assert pb.abs(pb.zeros((0, 2), pb.complex64)).shape == (0, 2)


def test_derivatives_of_absolute_values_of_complex_numbers():
    x, y = pb.array([3.0, -1.0, 0.5]), pb.array([4.0, 2.0, -0.25])

    def size(x, y):
        return pb.abs(x.astype(pb.complex64) + 1j * y.astype(pb.complex64))

    got = pb.grad(lambda x, y: size(x, y).sum(), argnums=(0, 1))(x, y)
    lengths = np.hypot(numpy(x), numpy(y))
    np.testing.assert_allclose(numpy(got[0]), numpy(x) / lengths, rtol=1e-6)
    np.testing.assert_allclose(numpy(got[1]), numpy(y) / lengths, rtol=1e-6)
    testing.check_grads(size, [x, y], order=2)
    mapped = pb.vmap(pb.grad(size, argnums=0))(x, y)
    np.testing.assert_allclose(numpy(mapped), numpy(got[0]), rtol=1e-6)
    zero = pb.array(0.0)
    assert pb.grad(size, argnums=(0, 1))(zero, zero) == (zero, zero)


def test_derivatives_of_parts_pair_without_conjugation():
    z = pb.array([1 + 2j, -3 + 0.5j])
    g = pb.array([1 - 1j, 2 + 3j])
    # A cotangent g stands for the map t -> Re(g t).
    for fun, want in [
        (pb.real, lambda g: numpy(g).real),
        (pb.imag, lambda g: -1j * numpy(g).real),
        (pb.conj, lambda g: np.conj(numpy(g))),
    ]:
        weight = pb.real(g) if fun is not pb.conj else g
        _, (got,) = pb.vjp(fun, [z], [weight])
        np.testing.assert_array_equal(numpy(got), want(weight))
        _, (tangent,) = pb.jvp(fun, [z], [g])
        np.testing.assert_array_equal(numpy(tangent), numpy(fun(g)))


def test_the_gradient_through_complex_numbers_is_that_of_the_real_formula():
    def product(x, y):
        z = x.astype(pb.complex64) * 1j + y.astype(pb.complex64)
        return pb.imag(z * z) + pb.real(z * z.conj())

    x, y = pb.array([1.0, 2.0]), pb.array([3.0, -1.0])
    got = pb.grad(lambda x, y: product(x, y).sum(), argnums=(0, 1))(x, y)
    # 2 x y + x² + y²
    np.testing.assert_allclose(numpy(got[0]), numpy(2 * y + 2 * x))
    np.testing.assert_allclose(numpy(got[1]), numpy(2 * x + 2 * y))


@pytest.mark.parametrize("fun", [pb.real, pb.imag, pb.conjugate])
def test_parts_map(fun):
    x = values("complex64", (4, 3))
    for axis in (0, 1):
        got = pb.vmap(fun, axis, axis)(pb.array(x))
        same(got, numpy(fun(pb.array(x))))


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("shape", SHAPES)
def test_trunc_is_numpys(dtype, shape):
    x = values(dtype, shape)
    for _, y in layouts(x):
        same(pb.trunc(y), x if dtype == "bool" else np.trunc(x).astype(dtype))


def test_trunc_of_edges():
    x = np.asarray([*EDGES, 0.9, -0.9, 2.0**30], np.float32)
    got = numpy(pb.trunc(pb.array(x)))
    np.testing.assert_array_equal(got, np.trunc(x))
    np.testing.assert_array_equal(np.signbit(got), np.signbit(np.trunc(x)))
    with pytest.raises(TypeError, match=r"\[trunc\] expected a float type, got complex64"):
        pb.trunc(pb.array(1j))


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("name", ["isposinf", "isneginf"])
def test_signed_infinities_are_numpys(name, dtype):
    x = values(dtype, (2, 7))
    if dtype.startswith("float"):
        x[0] = EDGES
    # NumPy takes no integers here, and finds no infinity in them as floats.
    want = getattr(np, name)(x.astype("float64"))
    for _, y in layouts(x):
        same(getattr(pb, name)(y), want)
    same(getattr(pb, name)(exactly(x[:0])), want[:0])


@pytest.mark.parametrize("name", ["isposinf", "isneginf"])
def test_a_signed_infinity_of_complex_numbers_is_on_the_real_axis(name, device):
    far = np.inf if name == "isposinf" else -np.inf
    x = [complex(far, 0), complex(far, -0.0), complex(far, 1), complex(far, np.nan), complex(-far, 0), 1j]
    same(getattr(pb, name)(pb.array(x)), np.array([True, True, False, False, False, False]))


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("options", [{}, {"nan": 3.0}, {"posinf": 7.0, "neginf": -5.0}])
def test_nan_to_num_is_numpys(dtype, options):
    x = values(dtype, (2, 7))
    if dtype.startswith("float"):
        x[0] = EDGES
    if dtype == "complex64":
        x = complex_edges()
    want = np.nan_to_num(x, **options)
    for _, y in layouts(x):
        same(pb.nan_to_num(y, **options), want)
    same(pb.nan_to_num(exactly(x[:0]), **options), want[:0])


def test_nan_to_num_of_bfloat16_and_its_gradient():
    x = pb.array([pb.nan, pb.inf, -pb.inf, 2.0])
    got = numpy(pb.nan_to_num(x.astype(pb.bfloat16)))
    assert got[0] == 0 and got[3] == 2 and np.isfinite(got).all()
    assert got[1] == -got[2] == float.fromhex("0x1.fep127")
    same(pb.grad(lambda x: pb.nan_to_num(x).sum())(x), np.asarray([0, 0, 0, 1], np.float32))


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_logical_xor_is_numpys(dtype):
    x, y = values(dtype, (2, 3), low=0, high=2), values(dtype, (3,), seed=1, low=0, high=2)
    if dtype.startswith("float"):
        x, y = np.round(np.abs(x)), np.round(np.abs(y))
    same(pb.logical_xor(exactly(x), exactly(y)), np.logical_xor(x, y))
    same(pb.logical_xor(exactly(x), True), np.logical_xor(x, True))
    same(pb.logical_xor(exactly(x[:0]), exactly(y)), np.logical_xor(x[:0], y))
    with pytest.raises(ValueError, match=r"\[logical_xor\] expected shapes that broadcast"):
        pb.logical_xor(exactly(x), exactly(y[:2]))


@pytest.mark.parametrize("dtype", [dtype for dtype in REAL if dtype != "bool"])
def test_divmod_is_quotient_and_remainder(dtype):
    x, y = values(dtype, (2, 3)), np.abs(values(dtype, (3,), seed=1)) + np.asarray(1, dtype)
    quotient, rest = pb.divmod(exactly(x), exactly(y))
    want = np.divmod(x, y)
    close(quotient, want[0])
    close(rest, want[1], ulps=64)
    assert pb.divmod(exactly(x[:0]), exactly(y))[0].shape == (0, 3)
    with pytest.raises(ValueError, match=r"expected"):
        pb.divmod(exactly(x), exactly(y[:2]))


def test_the_gradient_of_divmod_is_that_of_the_remainder():
    x, y = pb.array([7.3, -2.6]), pb.array([2.0, 1.7])
    testing.check_grads(lambda x, y: pb.divmod(x, y)[1], [x, y])


def test_other_names():
    for name, of in {
        "conj": "conjugate",
        "bitwise_left_shift": "left_shift",
        "bitwise_right_shift": "right_shift",
        "cumulative_sum": "cumsum",
        "cumulative_prod": "cumprod",
        "empty": "zeros",
        "empty_like": "zeros_like",
    }.items():
        assert getattr(pb, name) is getattr(pb, of)
        assert name in pb.__all__


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_keep_their_types(dtype):
    x = pb.ones((2,), getattr(pb, dtype))
    kept = [pb.conj, pb.positive, pb.nan_to_num] + ([pb.trunc] if dtype != "complex64" else [])
    assert {fun(x).dtype for fun in kept} == {x.dtype}
    part = pb.float32 if dtype == "complex64" else x.dtype
    assert pb.real(x).dtype == pb.imag(x).dtype == part


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("inclusive", [True, False])
def test_running_results_of_complex_numbers(name, reverse, inclusive, device):
    x = values("complex64", (3, 4))
    want = x[:, ::-1] if reverse else x
    if not inclusive:
        start = np.full((3, 1), 0 if name == "cumsum" else 1, x.dtype)
        want = np.concatenate([start, want[:, :-1]], 1)
    want = getattr(np, name)(want, axis=1)
    how = {"axis": 1, "reverse": reverse, "inclusive": inclusive}
    close(getattr(pb, name)(pb.array(x), **how), want[:, ::-1] if reverse else want)
    assert getattr(pb, name)(pb.zeros((0, 3), pb.complex64), axis=1).shape == (0, 3)
    real, imag = pb.array(x.real), pb.array(x.imag)
    testing.check_grads(
        lambda a, b: getattr(pb, name)(a.astype(pb.complex64) + 1j * b, **how).real, [real, imag], order=1
    )
