"""Differences, convolutions, windows, and products of arrays."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import NUMPY_DTYPES, close, exactly, layouts, numpy, values


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_diff_is_numpys(dtype, n, axis):
    for shape in [(3, 4), (0, 2), (1, 1)]:
        x = values(dtype, shape)
        want = np.diff(x, n, axis)
        for _, y in layouts(x):
            close(pb.diff(y, n, axis), want)
            assert pb.diff(y, n, axis).dtype.name == dtype


def test_diff_refuses_and_has_derivatives():
    with pytest.raises(ValueError, match=r"\[diff\] expected n that is not negative, got -1"):
        pb.diff(pb.zeros(3), -1)
    with pytest.raises(ValueError, match=r"\[diff\]"):
        pb.diff(pb.zeros(()))
    x = pb.array(values("float32", (3, 4)))
    testing.check_grads(lambda x: pb.diff(x, 2, 0) ** 2, [x], order=2)
    close(pb.vmap(pb.diff)(x), np.diff(numpy(x)))


@pytest.mark.parametrize("dtype", [dtype for dtype in NUMPY_DTYPES if dtype != "bool"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(1, 1), (7, 3), (7, 4), (3, 7), (6, 6), (5, 1)])
def test_convolve_is_numpys(dtype, mode, sizes):
    a, v = values(dtype, sizes[:1], high=5), values(dtype, sizes[1:], seed=1, high=5)
    want = np.convolve(a, v, mode)
    for (_, x), (_, y) in zip(layouts(a), layouts(v), strict=True):
        got = pb.convolve(x, y, mode)
        assert got.dtype.name == dtype
        close(got, want, ulps=64)


def test_convolve_refuses_and_has_derivatives():
    for wrong in (pb.zeros(0), pb.zeros((2, 2)), pb.zeros(())):
        with pytest.raises(ValueError, match=r"\[convolve\] expected sequences of one element or more"):
            pb.convolve(pb.zeros(3), wrong)
    with pytest.raises(ValueError, match=r"\[convolve\] expected mode 'full', 'same' or 'valid', got 'half'"):
        pb.convolve(pb.zeros(3), pb.zeros(3), "half")
    a, v = pb.array(values("float32", (6,))), pb.array(values("float32", (3,), seed=1))
    for mode in ("full", "same", "valid"):
        testing.check_grads(lambda a, v, mode=mode: pb.convolve(a, v, mode), [a, v], order=2)
    rows = pb.array(values("float32", (4, 6)))
    got = pb.vmap(lambda a: pb.convolve(a, v))(rows)
    close(got, np.stack([np.convolve(row, numpy(v)) for row in numpy(rows)]), ulps=64)


@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hanning"])
@pytest.mark.parametrize("M", [-2, 0, 1, 2, 3, 8, 101])
def test_windows_are_numpys(name, M):
    got = getattr(pb, name)(M)
    assert got.dtype == pb.float32
    want = getattr(np, name)(M)
    assert got.shape == want.shape
    # The sine is as exact as its argument, which is rounded: up to 4 pi by half a unit of float32.
    np.testing.assert_allclose(numpy(got), want, atol=2e-6)


@pytest.mark.parametrize("dtype", [dtype for dtype in NUMPY_DTYPES if dtype != "bool"])
@pytest.mark.parametrize(
    ("a", "b", "axis"),
    [
        ((3,), (3,), -1),
        ((2, 3), (3,), -1),
        ((2, 1, 3), (4, 3), -1),
        ((3, 2), (3, 2), 0),
        ((2, 0), (0,), -1),
        ((0, 3), (3,), 1),
    ],
)
def test_vecdot_is_a_sum_of_products(dtype, a, b, axis):
    x, y = values(dtype, a, high=5), values(dtype, b, seed=1, high=5)
    if np.dtype(dtype).kind == "i":
        x, y = x % 5, y % 5
    want = (np.conj(x).astype("complex128") * y).sum(axis)
    want = want if dtype == "complex64" else want.real
    for (_, p), (_, q) in zip(layouts(x), layouts(y), strict=True):
        close(pb.vecdot(p, q, axis=axis), want, ulps=64)


def test_vecdot_refuses_and_has_derivatives():
    with pytest.raises(ValueError, match=r"\[vecdot\] expected one size of the axis in both"):
        pb.vecdot(pb.zeros((2, 3)), pb.zeros(1))
    with pytest.raises(ValueError, match=r"\[vecdot\]"):
        pb.vecdot(pb.zeros(()), pb.zeros(()))
    x, y = pb.array(values("float32", (2, 3))), pb.array(values("float32", (3,), seed=1))
    testing.check_grads(pb.vecdot, [x, y], order=2)


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((), ()),
        ((2,), ()),
        ((2,), (3,)),
        ((2, 3), (2,)),
        ((2,), (2, 1, 3)),
        ((2, 2), (3, 2)),
        ((0, 2), (3, 2)),
    ],
)
def test_kron_is_numpys(dtype, a, b):
    x, y = values(dtype, a, high=9), values(dtype, b, seed=1, high=9)
    want = np.kron(x, y)
    for (_, p), (_, q) in zip(layouts(x), layouts(y), strict=False):
        got = pb.kron(p, q)
        assert got.dtype.name == dtype
        close(got, want)
    # Without axes there is one layout only.
    close(pb.kron(exactly(x), exactly(y)), want)


def test_kron_has_derivatives_and_maps():
    x, y = pb.array(values("float32", (2, 2))), pb.array(values("float32", (3,), seed=1))
    testing.check_grads(pb.kron, [x, y], order=2)
    got = pb.vmap(lambda row: pb.kron(row, y))(x)
    close(got, np.stack([np.kron(row, numpy(y)) for row in numpy(x)]))
