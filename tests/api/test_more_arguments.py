"""Arguments of MLX's that came late, beside NumPy: modes, types, ends, axes."""

import itertools

import numpy as np
import pullback as pb
import pytest
from pullback.testing import check_grads


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("width", [0, 2, (1, 2), ((1, 0), (2, 3)), ((9, 7), (0, 11))])
def test_pad(mode, width, device):
    x = np.arange(12, dtype="float32").reshape(3, 4)
    want = np.pad(x, width, mode=mode)
    np.testing.assert_array_equal(np.asarray(pb.pad(pb.array(x), width, mode=mode)), want)
    strided = pb.array(np.repeat(x, 2, axis=1))[:, ::2]
    np.testing.assert_array_equal(np.asarray(pb.pad(strided, width, mode=mode)), want)
    mapped = pb.vmap(lambda row: pb.pad(row, 2, mode=mode))(pb.array(x))
    np.testing.assert_array_equal(np.asarray(mapped), np.pad(x, ((0, 0), (2, 2)), mode=mode))


@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
def test_pad_has_derivatives(mode):
    check_grads(lambda x: pb.pad(x, ((2, 3), (1, 0)), mode=mode), (pb.random.normal((3, 4)),))


@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
def test_pad_of_nothing_by_something_is_refused(mode):
    with pytest.raises(ValueError, match=r"\[pad\] expected .*, got "):
        pb.pad(pb.zeros((0, 2)), 1, mode=mode)


SIZES = ["uint8", "int16", "float16", "uint32", "float32", "int64", "complex64"]


@pytest.mark.parametrize("pair", [*itertools.product(SIZES, SIZES)], ids="-".join)
def test_view_between_types_of_any_size(pair, device):
    source, to = pair
    # None of them is the bits of a NaN of halves, which are not kept.
    words = np.random.default_rng(0).integers(0, 0x7C00, (3, 16), dtype="uint16")
    x = words.view(source)
    got = pb.view(pb.array(x), getattr(pb, to))
    want = x.view(to)
    assert got.shape == want.shape and got.dtype == getattr(pb, to)
    bits = np.asarray(pb.view(got, pb.uint8)) if to != "uint8" else np.asarray(got)
    np.testing.assert_array_equal(bits, want.view("uint8"))


def test_view_refuses_what_does_not_divide():
    for x in (pb.zeros((2, 3), pb.uint8), pb.zeros((), pb.uint8)):
        with pytest.raises(ValueError, match=r"\[view\] expected .*, got "):
            pb.view(x, pb.float32)


@pytest.mark.parametrize("num", [0, 1, 2, 5])
@pytest.mark.parametrize("endpoint", [True, False])
def test_linspace(num, endpoint):
    want = np.linspace(-1, 3, num, endpoint=endpoint)
    np.testing.assert_allclose(np.asarray(pb.linspace(-1, 3, num, endpoint)), want, rtol=1e-6)


def test_cross_of_vectors_in_a_plane():
    x, y = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 9]])
    got = np.asarray(pb.linalg.cross(pb.array(x), pb.array(y)))
    np.testing.assert_allclose(got, np.cross(np.pad(x, ((0, 0), (0, 1))), np.pad(y, ((0, 0), (0, 1)))))


def test_sums_in_a_type_of_ones_own():
    x = np.arange(6, dtype="int8").reshape(2, 3)
    for name in ("trace", "cumsum", "cumprod"):
        got = getattr(pb, name)(pb.array(x), dtype=pb.float32)
        want = getattr(np, name)(x, dtype="float32")
        assert got.dtype == pb.float32
        np.testing.assert_array_equal(np.asarray(got), want)


def test_axes_by_lists():
    a, b = np.arange(24.0).reshape(2, 3, 4), np.arange(12.0).reshape(4, 3)
    got = pb.tensordot(pb.array(a), pb.array(b), [[1, 2], [1, 0]])
    np.testing.assert_allclose(np.asarray(got), np.tensordot(a, b, [[1, 2], [1, 0]]))
    shifted = pb.roll(pb.array(a), (1, 2), 1)
    np.testing.assert_array_equal(np.asarray(shifted), np.roll(a, (1, 2), 1))


def test_corrections():
    x = np.random.default_rng(0).normal(size=(4, 5))
    for name in ("var", "std"):
        got = getattr(pb, name)(pb.array(x), axis=1, correction=1)
        np.testing.assert_allclose(np.asarray(got), getattr(np, name)(x, axis=1, ddof=1), rtol=1e-6)


def test_complex_normal_numbers():
    z = np.asarray(pb.random.normal((20000,), pb.complex64, key=pb.random.key(3)))
    assert z.dtype == np.complex64
    np.testing.assert_allclose([z.real.std(), z.imag.std()], [z.real.std()] * 2, rtol=0.03)
    assert abs(z.mean()) < 0.03 and abs(np.mean(z * z)) < 0.05
