"""Counts, extremes, medians, partitions, insertion points, and running logarithms of sums."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import NUMPY_DTYPES, close, exactly, layouts, numpy, same, values

REAL = [dtype for dtype in NUMPY_DTYPES if dtype != "complex64"]
AXES = [None, 0, -1, (0, 2), (-1, -2)]


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_count_nonzero_is_numpys(dtype, axis, keepdims):
    x = values(dtype, (2, 3, 4))
    x[0, 1] = 0
    want = np.count_nonzero(x, axis=axis, keepdims=keepdims)
    for _, y in layouts(x):
        same(pb.count_nonzero(y, axis=axis, keepdims=keepdims), np.asarray(want, np.int32))
    got = pb.count_nonzero(exactly(x[:, :0]), axis=axis, keepdims=keepdims)
    same(got, np.asarray(np.count_nonzero(x[:, :0], axis=axis, keepdims=keepdims), np.int32))


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_minmax_is_numpys(dtype, axis, keepdims):
    x = values(dtype, (2, 3, 4))
    for _, y in layouts(x):
        low, high = pb.minmax(y, axis, keepdims)
        same(low, x.min(axis=axis, keepdims=keepdims))
        same(high, x.max(axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_median_is_numpys(dtype, axis, keepdims):
    for shape in [(2, 3, 4), (3, 5, 1), (3, 1, 3)]:
        x = values(dtype, shape)
        wide = x.astype("float64")
        want = np.median(wide, axis=axis, keepdims=keepdims)
        got_type = dtype if dtype.startswith("float") else "float32"
        for _, y in layouts(x):
            got = pb.median(y, axis, keepdims)
            assert got.dtype.name == got_type
            close(got, want, ulps=2)


def test_median_of_nothing_of_nan_and_of_one():
    x = np.asarray([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]], np.float32)
    same(pb.median(pb.array(x), axis=1), np.median(x, axis=1))
    same(pb.median(pb.array(4.0)), np.float32(4))
    same(pb.median(pb.zeros((0, 3)), axis=1), np.zeros(0, np.float32))
    with pytest.raises(ValueError, match=r"\[median\] expected an element to choose, got float32\[0, 3\]"):
        pb.median(pb.zeros((0, 3)), axis=0)
    with pytest.raises(ValueError, match=r"\[median\]"):
        pb.median(pb.zeros((2, 3)), axis=2)


def test_gradients_of_extremes_and_medians():
    x = pb.array(values("float32", (3, 4)))
    testing.check_grads(lambda x: pb.median(x, axis=0), [x], order=2)
    testing.check_grads(lambda x: pb.median(x, axis=1), [x], order=2)
    testing.check_grads(lambda x: pb.minmax(x, axis=1), [x], order=2)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_partition_puts_one_element_at_its_place(dtype, axis):
    x = values(dtype, (5, 6))
    for _, y in layouts(x):
        for kth in (0, 2, -1):
            want = np.take(np.sort(x, axis=axis), kth, axis=axis or 0)
            got = pb.partition(y, kth, axis)
            assert got.dtype.name == dtype
            rows = np.moveaxis(numpy(got), axis or 0, 0)
            np.testing.assert_array_equal(rows[kth], want)
            assert (rows[:kth] <= rows[kth]).all() and (rows[kth:] >= rows[kth]).all()
            at = pb.argpartition(y, kth, axis)
            assert at.dtype == pb.uint32
            flat = x.reshape(-1) if axis is None else x
            np.testing.assert_array_equal(
                np.take_along_axis(flat, numpy(at).astype(int), axis or 0), numpy(got)
            )


@pytest.mark.parametrize("name", ["partition", "argpartition"])
def test_partition_refuses_a_place_that_does_not_exist(name):
    for kth in (3, -4):
        with pytest.raises(
            ValueError, match=rf"\[{name}\] expected a place on axis 0 of float32\[3\], got {kth}"
        ):
            getattr(pb, name)(pb.zeros(3), kth)
    with pytest.raises(ValueError, match=rf"\[{name}\]"):
        getattr(pb, name)(pb.zeros(3), 0, 1)
    with pytest.raises(ValueError, match=rf"\[{name}\]"):
        getattr(pb, name)(pb.zeros(0), 0)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 33])
def test_searchsorted_is_numpys(dtype, side, size):
    sequence = np.sort(values(dtype, (size,), high=10))
    wanted = np.concatenate([sequence, values(dtype, (6,), seed=1, high=12)]).reshape(-1, 1)
    want = np.searchsorted(sequence, wanted, side).astype(np.uint32)
    same(pb.searchsorted(exactly(sequence), exactly(wanted), side), want)
    same(pb.searchsorted(exactly(sequence), exactly(wanted[:0]), side), want[:0])


def test_searchsorted_with_nan_infinities_and_scalars():
    sequence = np.asarray([-np.inf, 0, 0, 2, np.inf, np.nan, np.nan], np.float32)
    wanted = np.asarray([np.nan, np.inf, -np.inf, 0, 1], np.float32)
    for side in ("left", "right"):
        want = np.searchsorted(sequence, wanted, side).astype(np.uint32)
        same(pb.searchsorted(pb.array(sequence), pb.array(wanted), side=side), want)
    same(pb.searchsorted(pb.array([1, 3]), pb.array(2)), np.uint32(1))
    rows = pb.vmap(lambda v: pb.searchsorted(pb.array([1, 3]), v))(pb.array([[0, 2], [3, 9]]))
    same(rows, np.asarray([[0, 1], [1, 2]], np.uint32))


def test_searchsorted_refuses():
    with pytest.raises(ValueError, match=r"\[searchsorted\] expected a sequence with one axis"):
        pb.searchsorted(pb.zeros((2, 2)), pb.zeros(1))
    with pytest.raises(ValueError, match=r"\[searchsorted\] expected side 'left' or 'right', got 'up'"):
        pb.searchsorted(pb.zeros(2), pb.zeros(1), "up")


def running(x, axis, reverse, inclusive):
    """The definition, in float64."""
    x = x.astype("float64")
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    x = np.flip(x, axis) if reverse else x
    y = np.logaddexp.accumulate(x, axis) if x.size else x
    if not inclusive:
        y = np.roll(y, 1, axis)
        np.moveaxis(y, axis, 0)[:1] = -np.inf
    return np.flip(y, axis) if reverse else y


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("inclusive", [False, True])
def test_logcumsumexp_is_the_running_logaddexp(dtype, axis, reverse, inclusive):
    for shape in [(3, 5), (1, 8), (0, 3), (2, 0)]:
        x = values(dtype, shape, high=5)
        want = running(x, axis, reverse, inclusive)
        for _, y in layouts(x):
            got = pb.logcumsumexp(y, axis, reverse=reverse, inclusive=inclusive)
            assert got.dtype.name == (dtype if dtype.startswith("float") else "float32")
            close(got, want, ulps=32)
    same(
        exactly(x).logcumsumexp(axis, reverse=reverse),
        numpy(pb.logcumsumexp(exactly(x), axis, reverse=reverse)),
    )


def test_logcumsumexp_neither_overflows_nor_loses_infinities():
    x = np.asarray([-np.inf, -np.inf, 1e4, 1e4, -1e4, np.inf, 1.0], np.float32)
    close(pb.logcumsumexp(pb.array(x)), running(x, 0, False, True))
    x = np.asarray([-np.inf, 3.0, -np.inf, 2.0], np.float32)
    got = pb.grad(lambda x: pb.logcumsumexp(x)[-1])(pb.array(x))
    close(got, np.exp(x - np.logaddexp(3, 2)))


@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_and_maps_of_logcumsumexp(reverse):
    x = pb.array(values("float32", (3, 5)))
    testing.check_grads(lambda x: pb.logcumsumexp(x, 1, reverse=reverse), [x], order=2)
    mapped = pb.vmap(lambda x: pb.logcumsumexp(x, reverse=reverse))(x)
    close(mapped, numpy(pb.logcumsumexp(x, 1, reverse=reverse)))


def test_logcumsumexp_refuses_axes_that_do_not_exist():
    with pytest.raises(ValueError, match=r"\[logcumsumexp\]"):
        pb.logcumsumexp(pb.zeros(2), 1)
