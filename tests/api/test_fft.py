"""Fourier transforms beside NumPy's, which are in float64."""

import subprocess
import sys

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import NUMPY_DTYPES, exactly, layouts, numpy, values

# What a GPU has no kernel for is told once in a process, wherever that happens first.
pytestmark = pytest.mark.filterwarnings("ignore:.*(GPU programs|GPU kernel):RuntimeWarning")

ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
MANY = ["fftn", "ifftn", "rfftn", "irfftn"]
EPS = np.finfo(np.float32).eps


def agrees(got, want, n):
    """Within the stated bound: some eps log2(n), relative to the norm."""
    assert got.shape == want.shape
    assert got.dtype == (pb.complex64 if np.iscomplexobj(want) else pb.float32)
    error = np.linalg.norm(numpy(got).astype(want.dtype) - want)
    assert error <= EPS * (2 + np.log2(n)) * max(np.linalg.norm(want), 1e-30), error


def complexes(shape, seed=0):
    return values("complex64", shape, seed=seed)


def source(name, shape, seed=0):
    """An operand of the kind that a function is for."""
    real = name.startswith("rfft") or name == "ihfft"
    return values("float32", shape, seed=seed) if real else complexes(shape, seed)


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward", None])
def test_along_one_axis_is_numpys(device, name, norm):
    for shape, axis in [((8,), -1), ((3, 5), 1), ((6, 2, 3), 0), ((2, 9, 4), -2)]:
        x = source(name, shape)
        for n in (None, 1, 4, 5, 12):
            want = getattr(np.fft, name)(
                x.astype("complex128" if np.iscomplexobj(x) else "float64"), n, axis, norm
            )
            agrees(getattr(pb.fft, name)(exactly(x), n, axis, norm), want, shape[axis] + (n or 0))


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("name", ["fft", "ifft", "irfft", "hfft"])
def test_every_type_and_layout(dtype, name):
    x = values(dtype, (4, 6))
    with np.errstate(all="ignore"):
        wide = x.astype("complex128" if x.dtype.kind == "c" else "float64")
    want = getattr(np.fft, name)(wide)
    for _, y in layouts(x):
        agrees(getattr(pb.fft, name)(y), want, 6)


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_rfft_takes_real_parts(dtype):
    x = values(dtype, (4, 6))
    for _, y in layouts(x):
        agrees(pb.fft.rfft(y), np.fft.rfft(x.real.astype("float64")), 6)
        agrees(pb.fft.ihfft(y), np.fft.ihfft(x.real.astype("float64")), 6)


@pytest.mark.parametrize("name", MANY)
def test_along_many_axes_is_numpys(device, name):
    x = source(name, (4, 3, 5))
    wide = x.astype("complex128" if np.iscomplexobj(x) else "float64")
    for s, axes in [
        (None, (0, 1, 2)),
        (None, (-1, 0)),
        ((6, 2), (1, 2)),
        ((2, 4, 8), (2, 1, 0)),
        (None, (1,)),
    ]:
        for norm in ("backward", "ortho", "forward"):
            want = getattr(np.fft, name)(wide, s, axes, norm)
            agrees(getattr(pb.fft, name)(exactly(x), s, axes, norm), want, 60)
    agrees(getattr(pb.fft, name)(exactly(x)), getattr(np.fft, name)(wide), 60)
    agrees(getattr(pb.fft, name)(exactly(x), (4, 4)), getattr(np.fft, name)(wide, (4, 4), (-2, -1)), 60)
    two = name.replace("n", "2")
    agrees(getattr(pb.fft, two)(exactly(x)), getattr(np.fft, two)(wide), 15)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1009, 1000, 1024, 6561, 65536, 65537])
def test_the_error_grows_with_the_logarithm(device, n):
    x, z = values("float32", (n,)), complexes((n,))
    agrees(pb.fft.rfft(exactly(x)), np.fft.rfft(x.astype("float64")), n)
    agrees(pb.fft.fft(exactly(x)), np.fft.fft(x.astype("float64")), n)
    agrees(pb.fft.fft(exactly(z)), np.fft.fft(z.astype("complex128")), n)
    half = z[: n // 2 + 1]
    agrees(pb.fft.irfft(exactly(half), n), np.fft.irfft(half.astype("complex128"), n), n)


@pytest.mark.skipif(not pb.is_available(pb.gpu), reason="no gpu here")
def test_what_a_gpu_has_no_kernel_for_is_told_once():
    code = "import pullback as pb; pb.set_default_device(pb.gpu); x = pb.ones(14); y = pb.ones(15)\n"
    code += "for f in (pb.fft.rfft(y), pb.fft.rfft(x), pb.fft.rfft(x[:7])): pb.eval(f)\n"
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stderr.count("a prime factor above 5, which has no GPU kernel") == 1, run.stderr
    assert run.stderr.count("RuntimeWarning") == 1, run.stderr


def test_there_and_back(device):
    x, z = values("float32", (3, 10)), complexes((3, 7))
    np.testing.assert_allclose(numpy(pb.fft.irfft(pb.fft.rfft(exactly(x)))), x, atol=1e-5)
    np.testing.assert_allclose(numpy(pb.fft.ifft(pb.fft.fft(exactly(z)))), z, atol=1e-5)
    np.testing.assert_allclose(numpy(pb.fft.irfftn(pb.fft.rfftn(exactly(x)), x.shape)), x, atol=1e-5)
    np.testing.assert_allclose(numpy(pb.fft.hfft(pb.fft.ihfft(exactly(x)))), x, atol=1e-5)


def test_nothing_and_single_elements(device):
    assert pb.fft.fft(pb.zeros((0, 4))).shape == (0, 4)
    assert pb.fft.rfft(pb.zeros((4, 0)), axis=0).shape == (3, 0)
    assert pb.fft.irfft(pb.zeros((0, 4))).shape == (0, 6)
    agrees(pb.fft.fft(pb.zeros(0), 3), np.zeros(3, "complex128"), 3)
    agrees(pb.fft.fftn(pb.array([[2.0]])), np.array([[2 + 0j]]), 1)
    agrees(pb.fft.irfft(pb.array([2.0]), 1), np.array([2.0]), 1)
    x = pb.array([1.0, 2.0])
    assert pb.fft.fftn(x, axes=()).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f.fft(pb.zeros(0)), r"\[fft\] expected a length of at least 1, got 0"),
        (lambda f: f.ifft(pb.zeros(3), 0), r"\[ifft\] expected a length of at least 1, got 0"),
        (lambda f: f.rfft(pb.zeros(3), -2), r"\[rfft\] expected a length of at least 1, got -2"),
        (lambda f: f.irfft(pb.zeros(1)), r"\[irfft\] expected a length of at least 1, got 0"),
        (lambda f: f.fft(pb.zeros(3), axis=1), r"\[fft\] expected an axis from -1 to 0, got axis 1"),
        (lambda f: f.fft(pb.array(1.0)), r"\[fft\] expected no axis"),
        (lambda f: f.fftn(pb.array(1.0)), r"\[fftn\] expected an array with at least one axis"),
        (lambda f: f.fft2(pb.zeros(3)), r"\[fft2\] expected an axis from -1 to 0, got axis -2"),
        (lambda f: f.fftn(pb.zeros((2, 2)), axes=(0, -2)), r"\[fftn\] expected distinct axes"),
        (
            lambda f: f.fftn(pb.zeros((2, 2)), (2,), (0, 1)),
            r"\[fftn\] expected one length for each of 2 axes, got 1",
        ),
        (lambda f: f.rfftn(pb.zeros(2), axes=()), r"\[rfftn\] expected at least one axis, got none"),
        (lambda f: f.fftn(pb.zeros(2), (0,)), r"\[fftn\] expected a length of at least 1, got 0"),
        (
            lambda f: f.fft(pb.zeros(2), norm="half"),
            r"\[fft\] expected norm 'backward', 'ortho' or 'forward', got",
        ),
        (lambda f: f.fftfreq(0), r"\[fftfreq\] expected a length from 1"),
        (lambda f: f.rfftfreq(4, 0.0), r"\[rfftfreq\] expected a spacing other than 0"),
        (lambda f: f.fftshift(pb.zeros(2), 1), r"\[fftshift\] expected an axis"),
    ],
)
def test_misuse_is_an_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(pb.fft)


@pytest.mark.parametrize("name", [*ONE, *MANY])
def test_derivatives(device, name):
    x = exactly(source(name, (2, 5)))
    transform = getattr(pb.fft, name)

    def energy(*parts):
        y = transform(parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1])
        re, im = pb.real(y), pb.imag(y)
        return (re * re).sum() + (re * im).sum() + pb.sin(im).sum()

    parts = [x] if x.dtype == pb.float32 else [pb.real(x), pb.imag(x)]
    testing.check_grads(energy, parts, order=2, dtype=pb.float32, eps=1e-2, atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("name", ONE)
def test_vmap_and_compile(device, name):
    x = exactly(source(name, (3, 4, 6)))
    f = lambda x: getattr(pb.fft, name)(x, 5, 0)
    for axis in (0, 1, 2):
        rows = [f(part) for part in pb.unstack(x, axis=axis)]
        np.testing.assert_allclose(
            numpy(pb.vmap(f, axis)(x)), np.stack([numpy(row) for row in rows]), atol=1e-5
        )
    np.testing.assert_array_equal(numpy(pb.compile(f)(x)), numpy(f(x)))


@pytest.mark.parametrize("n", [1, 2, 5, 8, 1001])
def test_frequencies_and_shifts(n):
    for d in (1.0, 0.1, -3.0):
        np.testing.assert_allclose(numpy(pb.fft.fftfreq(n, d)), np.fft.fftfreq(n, d), rtol=3 * EPS)
        np.testing.assert_allclose(numpy(pb.fft.rfftfreq(n, d)), np.fft.rfftfreq(n, d), rtol=3 * EPS)
    x = values("int32", (n, 4))
    for axes in (None, 0, (1,), (0, -1)):
        np.testing.assert_array_equal(numpy(pb.fft.fftshift(exactly(x), axes)), np.fft.fftshift(x, axes))
        np.testing.assert_array_equal(numpy(pb.fft.ifftshift(exactly(x), axes)), np.fft.ifftshift(x, axes))
