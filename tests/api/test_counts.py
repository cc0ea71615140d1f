"""Distinct elements, counts, bins, positions that are not zero, interpolation: beside NumPy."""

import re

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import INTEGERS, close, exactly, layouts, numpy, same, values

REAL = ["bool", *INTEGERS, "float16", "float32", "float64"]
ALL = [*REAL, "complex64"]


def on(device, dtype):
    if device == pb.gpu and dtype == "float64":
        pytest.skip("no type of this device")


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (17,), (3, 1, 5), (2, 0)])
def test_unique_is_numpys(device, dtype, shape):
    on(device, dtype)
    x = np.asarray(values(dtype, shape, low=0, high=9))
    x = x if dtype == "bool" else np.asarray(np.rint(x) if dtype == "complex64" else np.floor(x), dtype)
    want, index, inverse, counts = np.unique(x, True, True, True)
    for _, y in layouts(x, device):
        got = pb.unique(y, None, True, True, True)
        same(got[0], want)
        same(got[1], index.astype("uint32"))
        same(got[2], inverse.reshape(shape).astype("uint32"))
        same(got[3], counts.astype("int32"))
        same(pb.unique(y), want)


def test_unique_of_a_given_size(device):
    x = pb.array([2, 1, 2, 3, 1])
    same(pb.unique(x, 3), np.array([1, 2, 3], "int32"))
    same(pb.unique(x, 5), np.array([1, 2, 3, 1, 1], "int32"))
    got = pb.unique(x, 4, True, True, True, fill_value=0)
    assert [part.tolist() for part in got] == [[1, 2, 3, 0], [1, 0, 3, 1], [1, 0, 1, 2, 0], [2, 2, 1, 0]]
    got = pb.unique(x, 2, True, True, True)
    assert [part.tolist() for part in got] == [[1, 2], [1, 0], [1, 0, 1, 1, 0], [2, 2]]
    assert [part.tolist() for part in pb.unique(x, 0, return_counts=True)] == [[], []]
    assert pb.unique(pb.zeros(0), 2, fill_value=7.0).tolist() == [7.0, 7.0]
    assert pb.unique(x, 4, fill_value=pb.array([0, 7, 8, 9])).tolist() == [1, 2, 3, 9]
    assert [part.tolist() for part in pb.unique(x, return_index=True, return_counts=True)][1:] == [
        [1, 0, 3],
        [2, 2, 1],
    ]


def test_unique_takes_nan_for_different():
    got = pb.unique_all(pb.array([pb.nan, 1.0, pb.nan, -pb.inf]))
    np.testing.assert_array_equal(numpy(got.values), [-np.inf, 1, np.nan, np.nan])
    assert got.counts.tolist() == [1, 1, 1, 1] and got.inverse_indices.tolist() == [2, 1, 3, 0]


def test_unique_by_the_names_of_the_array_api():
    x = pb.array([[3, 1], [3, 2]])
    everything = pb.unique_all(x)
    assert everything._fields == ("values", "indices", "inverse_indices", "counts")
    assert [part.tolist() for part in everything] == [[1, 2, 3], [1, 3, 0], [[2, 0], [2, 1]], [1, 1, 2]]
    assert pb.unique_counts(x)._fields == ("values", "counts")
    assert pb.unique_inverse(x)._fields == ("values", "inverse_indices")
    same(pb.unique_counts(x).counts, numpy(everything.counts))
    same(pb.unique_inverse(x, size=3).inverse_indices, numpy(everything.inverse_indices))
    same(pb.unique_values(x), numpy(everything.values))
    same(pb.take(everything.values, everything.inverse_indices), numpy(x))


def test_unique_under_transforms():
    x = pb.array([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    got = pb.vmap(lambda x: pb.unique(x, 2, return_counts=True))(x)
    assert [part.tolist() for part in got] == [[[1.0, 3.0], [2.0, 2.0]], [[1, 2], [3, 0]]]
    same(pb.compile(lambda x: pb.unique(x, 4))(x), np.array([1, 2, 3, 1], "float32"))
    for traced in (pb.vmap, pb.compile):
        with pytest.raises(ValueError, match=r"\[unique\] expected size while this is traced, got None"):
            traced(pb.unique)(x)
    testing.check_grads(lambda x: pb.unique(x, 3) ** 2, [pb.array([0.3, -1.0, 2.0])], order=2)


def test_unique_refuses():
    with pytest.raises(ValueError, match=r"\[unique\] expected a size that is not negative, got -1"):
        pb.unique(pb.zeros(3), -1)
    with pytest.raises(ValueError, match=r"\[unique\] expected a shape that broadcasts"):
        pb.unique(pb.zeros(3), 2, fill_value=pb.zeros(3))


@pytest.mark.parametrize("dtype", [*REAL, "complex64"])
@pytest.mark.parametrize("shape", [(0,), (7,), (3, 4), (2, 3, 2), (2, 0, 3)])
def test_positions_that_are_not_zero(device, dtype, shape):
    on(device, dtype)
    x = values(dtype, shape) * (values("float32", shape, seed=1) > 0)
    x = x.astype(dtype)
    for _, y in layouts(x, device):
        for got, want in zip(pb.nonzero(y), np.nonzero(x), strict=True):
            same(got, want.astype("uint32"))
        same(pb.argwhere(y), np.argwhere(x).astype("uint32"))
        same(pb.flatnonzero(y), np.flatnonzero(x).astype("uint32"))


def test_positions_of_a_given_size():
    x = pb.array([[0, 5, 0], [7, 0, 8]])
    assert [part.tolist() for part in pb.nonzero(x, size=5)] == [[0, 1, 1, 2, 2], [1, 0, 2, 0, 0]]
    assert pb.flatnonzero(x, size=2).tolist() == [1, 3]
    assert pb.argwhere(x, size=1).tolist() == [[0, 1]]
    assert pb.vmap(lambda x: pb.flatnonzero(x, size=2))(x).tolist() == [[1, 3], [0, 2]]
    assert pb.argwhere(pb.array(3.0)).shape == (1, 0) and pb.argwhere(pb.array(0.0)).shape == (0, 0)
    with pytest.raises(ValueError, match=r"\[nonzero\] expected an array with an axis, got a scalar"):
        pb.nonzero(pb.array(1))
    with pytest.raises(ValueError, match=r"\[flatnonzero\] expected size while this is traced"):
        pb.compile(pb.flatnonzero)(x)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("weights", [None, "float32", "int64", "bool"])
def test_bincount_is_numpys(device, dtype, weights):
    x = values(dtype, (20,), low=0, high=9)
    w = None if weights is None else values(weights, (20,), seed=1)
    got = pb.bincount(exactly(x), w if w is None else exactly(w))
    assert got.dtype.name == {None: "int32", "bool": "int32"}.get(weights, weights)
    close(got, np.bincount(x, w), ulps=16)
    assert pb.bincount(exactly(x), minlength=30).tolist() == np.bincount(x, minlength=30).tolist()
    assert pb.bincount(exactly(x), length=4).tolist() == np.bincount(x, minlength=4)[:4].tolist()


def test_bincount_at_its_ends():
    assert pb.bincount(pb.zeros(0, pb.int32)).shape == (0,)
    assert pb.bincount(pb.array([-1, 0, 5]), length=2).tolist() == [1, 0]
    x, w = pb.array([0, 2, 0]), pb.array([1.0, 2.0, 3.0])
    testing.check_grads(lambda w: pb.bincount(x, w, length=3) ** 2, [w], order=2)
    assert pb.vmap(lambda x: pb.bincount(x, length=3))(pb.array([[0, 0], [1, 2]])).tolist() == [
        [2, 0, 0],
        [0, 1, 1],
    ]
    for call, kind, text in [
        (
            lambda: pb.bincount(pb.array([-1])),
            ValueError,
            "[bincount] expected numbers that are not negative, got -1",
        ),
        (
            lambda: pb.bincount(pb.zeros((2, 2), pb.int32)),
            ValueError,
            "[bincount] expected an array with one axis",
        ),
        (lambda: pb.bincount(w), TypeError, "[bincount] expected integer positions"),
        (lambda: pb.bincount(x, w[:2]), ValueError, "[bincount] expected weights of shape (3,)"),
        (lambda: pb.bincount(x, minlength=-1), ValueError, "[bincount] expected a size that is not negative"),
        (lambda: pb.compile(pb.bincount)(x), ValueError, "[bincount] expected length while this is traced"),
    ]:
        with pytest.raises(kind, match=re.escape(text)):
            call()


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("bins", [[0, 1, 1, 3], [3, 1, 1, 0], [2], []])
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
def test_digitize_is_numpys(device, right, bins, dtype):
    x = np.array([[0, 1, 2], [3, 4, 1]], dtype)
    for _, y in layouts(x, device):
        got = pb.digitize(y, pb.array(np.array(bins, dtype)), right)
        same(got, np.digitize(x, np.array(bins, dtype), right).astype("uint32"))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("points", [1, 2, 7])
@pytest.mark.parametrize("ends", [(None, None), (-5.0, None), (None, 7.0)])
def test_interp_is_numpys(device, dtype, points, ends):
    on(device, dtype)
    xp = np.sort(values("float64", (points,), low=-3, high=3))
    fp = values("float64", (points,), seed=1)
    x = np.concatenate(
        [
            values("float64", (20,), seed=2, low=-4, high=4),
            xp,
            [np.nan] if dtype != "int32" and points > 1 else [],
        ]
    )
    x, xp, fp = (np.asarray(np.round(a * 4) if dtype == "int32" else a, dtype) for a in (x, xp, fp))
    got = pb.interp(exactly(x), exactly(xp), exactly(fp), *ends)
    assert got.dtype.name == ("float32" if dtype == "int32" else dtype)
    np.testing.assert_allclose(numpy(got), np.interp(x, xp, fp, *ends), rtol=1e-5, atol=1e-5)


def test_interp_has_derivatives_maps_and_refuses():
    x, xp, fp = (exactly(np.array(a)) for a in ([[0.3, 1.7], [2.2, 9.0]], [0.0, 1.0, 3.0], [1.0, -1.0, 4.0]))
    testing.check_grads(pb.interp, [x, xp, fp], order=2)
    rows = pb.stack([fp, 2 * fp])
    close(pb.vmap(lambda fp: pb.interp(x, xp, fp))(rows)[1], 2 * np.interp(numpy(x), numpy(xp), numpy(fp)))
    for call, kind in [
        (lambda: pb.interp(x, xp, fp[:2]), ValueError),
        (lambda: pb.interp(x, xp[:0], fp[:0]), ValueError),
        (lambda: pb.interp(x, x, x), ValueError),
        (lambda: pb.interp(x * 1j, xp, fp), TypeError),
    ]:
        with pytest.raises(kind, match=r"\[interp\] expected"):
            call()


@pytest.mark.parametrize("bins", [1, 5, [0.0, 0.5, 2.0], [-1, 0, 1]])
@pytest.mark.parametrize("range", [None, (-1, 1.5), (0.25, 0.25)])
@pytest.mark.parametrize("density", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_histogram_is_numpys(bins, range, density, weighted):
    x, w = values("float64", (4, 10)), values("float64", (4, 10), seed=1) ** 2 if weighted else None
    x[0, 0] = 0.5
    with np.errstate(invalid="ignore"):
        want, edges = np.histogram(x, bins, range, density, w)
    got = pb.histogram(exactly(x), bins, range, density, None if w is None else exactly(w))
    np.testing.assert_allclose(numpy(got[1]), edges, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(numpy(got[0]), want, rtol=1e-5 if density and not weighted else 1e-12)


def test_histogram_at_its_ends(device):
    counts, edges = pb.histogram(pb.array([1, 2, 2, 4]), bins=3)
    assert counts.tolist() == [1, 2, 1] and counts.dtype == pb.int32
    assert edges.tolist() == [1.0, 2.0, 3.0, 4.0] and edges.dtype == pb.float32
    assert [part.tolist() for part in pb.histogram(pb.zeros(0), 2)] == [[0, 0], [0.0, 0.5, 1.0]]
    assert pb.histogram(pb.zeros(3), np.int64(2))[0].tolist() == [0, 3]
    assert [part.tolist() for part in pb.histogram(pb.ones(3), 2)] == [[0, 3], [0.5, 1.0, 1.5]]
    x = pb.array([[0.0, 1.0], [5.0, 9.0]])
    assert pb.vmap(lambda x: pb.histogram(x, 2)[1])(x).tolist() == [[0.0, 0.5, 1.0], [5.0, 7.0, 9.0]]
    assert pb.compile(lambda x: pb.histogram(x, 3)[0])(x).tolist() == [2, 1, 1]
    for call, kind, text in [
        (lambda: pb.histogram(x, 0), ValueError, "expected at least one bin, got 0"),
        (lambda: pb.histogram(x, "auto"), TypeError, "expected a number of bins or their edges, got 'auto'"),
        (
            lambda: pb.histogram(x, [1.0]),
            ValueError,
            "expected two edges or more on one axis, got shape (1,)",
        ),
        (lambda: pb.histogram(x, 3, (1, 0)), ValueError, "expected a range that ascends, got 1 and 0"),
        (lambda: pb.histogram(x, 3, weights=[1.0]), ValueError, "expected a weight for each of 4 elements"),
    ]:
        with pytest.raises(kind, match=re.escape("[histogram] " + text)):
            call()
