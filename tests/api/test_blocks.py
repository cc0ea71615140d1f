"""Views with any strides, products of matrices in parts, Hadamard's transform."""

import re

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import NUMPY_DTYPES, close, exactly, layouts, numpy, same, values

VIEWS = [
    ((3, 4), (3, 3), (1, 1), 0),
    ((3, 4), (2, 3), (4, 1), 4),
    ((3, 4), (5,), (0,), 7),
    ((3, 4), (4, 3), (-1, -4), 11),
    ((12,), (), (), 5),
    ((3, 4), (0, 9), (100, 100), 50),
    ((2, 2, 3), (2, 2, 2, 2), (3, 1, 2, 1), 2),
]


@pytest.mark.parametrize(("of", "shape", "strides", "offset"), VIEWS)
@pytest.mark.parametrize("dtype", ["float32", "bool", "int64", "complex64"])
def test_strided_views_are_numpys(device, of, shape, strides, offset, dtype):
    x = values(dtype, of)
    flat = x.reshape(-1)
    steps = tuple(step * x.itemsize for step in strides)
    want = (
        flat[:0].reshape(shape)
        if 0 in shape
        else np.lib.stride_tricks.as_strided(flat[offset:], shape, steps)
    )
    for _, y in layouts(x, device):
        same(pb.as_strided(y, shape, strides, offset), want)


@pytest.mark.parametrize(("of", "shape", "strides", "offset"), VIEWS)
def test_strided_views_have_derivatives_and_map(of, shape, strides, offset):
    x = exactly(values("float64", of))
    testing.check_grads(lambda x: pb.as_strided(x, shape, strides, offset) ** 2, [x], order=2)
    rows = exactly(values("float64", (*of[:1], 3, *of[1:])))
    got = pb.vmap(lambda x: pb.as_strided(x, shape, strides, offset), in_axes=1)(rows)
    want = [numpy(pb.as_strided(rows[:, i], shape, strides, offset)) for i in range(3)]
    same(got, np.stack(want))


def test_strided_views_by_default():
    x = pb.arange(6).reshape(2, 3)
    same(pb.as_strided(x.T), numpy(x.T))
    same(pb.as_strided(x, (4,)), np.arange(4, dtype="int32"))
    same(pb.as_strided(x, strides=(1, 2)), np.array([[0, 2, 4], [1, 3, 5]], "int32"))
    same(
        pb.compile(lambda x: pb.as_strided(x + 1, (2, 2), (1, 1), 3))(x), np.array([[4, 5], [5, 6]], "int32")
    )
    # A view of a view: elements in order are those of the first.
    twice = pb.as_strided(pb.as_strided(x, (2, 2), (1, 2)), (3,), (1,), 1)
    same(twice, np.array([2, 1, 3], "int32"))


def test_strided_views_never_leave_the_array():
    x = pb.zeros((3, 4))
    for call, text in [
        (lambda: pb.as_strided(x, (13,), (1,)), "within 12 elements, got positions from 0 to 12"),
        (lambda: pb.as_strided(x, (2,), (-1,)), "within 12 elements, got positions from -1 to 0"),
        (lambda: pb.as_strided(x, (2, 2), (-3, 1), 2), "got positions from -1 to 3"),
        (lambda: pb.as_strided(x, (1,), (1,), 12), "got positions from 12 to 12"),
        (lambda: pb.as_strided(x, (2**40,), (2**40,)), "within 12 elements"),
        (lambda: pb.as_strided(pb.zeros(0), (1,), (0,)), "within 0 elements"),
        (lambda: pb.as_strided(x, (2, 2), (1,)), "2 strides for (2, 2), got 1"),
        (lambda: pb.as_strided(x, (2,), (1,), -1), "an offset that is not negative, got -1"),
    ]:
        with pytest.raises(ValueError, match=re.escape("[as_strided] expected") + ".*" + re.escape(text)):
            call()


def gathered(a, b, left, right):
    """One product after the other."""
    a, b = (x.reshape(-1, *x.shape[-2:]) for x in (a, b))
    left, right = np.broadcast_arrays(left, right)
    each = [a[i] @ b[j] for i, j in zip(left.ravel(), right.ravel(), strict=True)]
    return np.reshape(each, (*left.shape, a.shape[-2], b.shape[-1]))


@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 3), (3,)), ((4,), None), (None, (5, 2, 1)), ((), ()), ((0,), (0,)), ((3, 1), (1, 2))],
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_products_of_picked_matrices(device, left, right, dtype):
    a, b = values(dtype, (2, 3, 4, 5), high=9) % 9, values(dtype, (4, 5, 2), seed=1, high=9) % 9
    rng = np.random.default_rng(0)
    picks = [None if shape is None else rng.integers(0, n, shape) for shape, n in ((left, 6), (right, 4))]
    given = [None if pick is None else pb.array(pick.astype("uint32")) for pick in picks]
    # Without positions it is all matrices, where they stand.
    places = zip(picks, (np.arange(6).reshape(2, 3), np.arange(4)), strict=True)
    picks = [place if pick is None else pick for pick, place in places]
    for (_, x), (_, y) in zip(layouts(a, device), layouts(b, device), strict=True):
        close(pb.gather_mm(x, y, *given), gathered(a, b, *picks), ulps=16, scale=1)


def test_picked_matrices_have_derivatives_and_map():
    a, b = exactly(values("float64", (3, 2, 4))), exactly(values("float64", (2, 4, 3), seed=1))
    left, right = pb.array([[0, 2, 2], [1, 0, 2]]), pb.array([1, 0, 1])
    testing.check_grads(lambda a, b: pb.gather_mm(a, b, left, right), [a, b], order=2)
    got = pb.vmap(lambda left: pb.gather_mm(a, b, left, right, sorted_indices=True))(left)
    close(got, gathered(numpy(a), numpy(b), numpy(left), numpy(right)))
    close(pb.gather_mm(a, b[:1], rhs_indices=pb.array(0)), numpy(a) @ numpy(b[0]))
    close(pb.gather_mm(a[0], b[0]), numpy(a[0]) @ numpy(b[0]))
    close(pb.gather_mm(a[0, 0], b, None, pb.array([1, 1])), np.stack([numpy(a[0, 0]) @ numpy(b[1])] * 2))
    close(pb.gather_mm(a, b[0, :, 0], pb.array([2])), (numpy(a)[2] @ numpy(b[0, :, 0]))[None])
    for call, kind, text in [
        (lambda: pb.gather_mm(a, a, left), ValueError, "[gather_mm] expected matrices"),
        (
            lambda: pb.gather_mm(a, pb.array(1.0), left),
            ValueError,
            "[gather_mm] expected arrays with at least one axis",
        ),
        (lambda: pb.gather_mm(a, b, left * 0.5), TypeError, "[gather_mm] expected integer positions"),
    ]:
        with pytest.raises(kind, match=re.escape(text)):
            call()


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16"])
def test_products_over_segments(device, dtype):
    kind = "float32" if dtype == "bfloat16" else dtype
    a = pb.array(values(kind, (4, 10), high=9) % 9, getattr(pb, dtype))
    b = pb.array(values(kind, (10, 3), seed=1, high=9) % 9, getattr(pb, dtype))
    segments = [[[0, 3], [3, 3], [9, 10]], [[0, 10], [5, 2], [8, 12]]]
    got = pb.segmented_mm(a, b, pb.array(segments, pb.uint32))
    x, y = numpy(a), numpy(b)
    want = [[x[:, s:e] @ y[s:e] for s, e in row] for row in segments]
    close(got, np.array(want), ulps=16, scale=1)


def test_segments_see_nothing_else_and_have_derivatives():
    a, b = exactly(values("float64", (2, 5))), exactly(values("float64", (5, 3), seed=1))
    segments = pb.array([[0, 2], [2, 5]])
    testing.check_grads(lambda a, b: pb.segmented_mm(a, b, segments), [a, b], order=2)
    holed = numpy(b).copy()
    holed[4] = np.nan
    got = numpy(pb.segmented_mm(a, exactly(holed), segments))
    assert np.isfinite(got[0]).all() and np.isnan(got[1]).all()
    assert pb.segmented_mm(a, b, pb.zeros((0, 2), pb.int32)).shape == (0, 2, 3)
    same(pb.vmap(lambda s: pb.segmented_mm(a, b, s))(segments), numpy(pb.segmented_mm(a, b, segments)))
    for call, kind, text in [
        (lambda: pb.segmented_mm(a, a, segments), ValueError, "[segmented_mm] expected matrices"),
        (lambda: pb.segmented_mm(a, b, segments[0, :1]), ValueError, "[segmented_mm] expected segments"),
        (
            lambda: pb.segmented_mm(a, b, segments * 0.5),
            TypeError,
            "[segmented_mm] expected integer positions",
        ),
    ]:
        with pytest.raises(kind, match=re.escape(text)):
            call()


def spread(mask, block, shape):
    wide = np.repeat(np.repeat(mask, block, -2), block, -1)
    return wide[..., : shape[-2], : shape[-1]]


@pytest.mark.parametrize("block", [32, 64])
@pytest.mark.parametrize("kind", ["bool", "float32"])
@pytest.mark.parametrize("which", range(8))
def test_products_of_masked_matrices(device, block, kind, which):
    a, b = values("float32", (2, 40, 70)), values("float32", (70, 33), seed=1)
    sizes = {"mask_out": (2, 40, 33), "mask_lhs": (2, 40, 70), "mask_rhs": (70, 33)}
    masks = {
        name: values(kind, (*shape[:-2], *(-(-n // block) for n in shape[-2:])), seed=i + 2)
        for i, (name, shape) in enumerate(sizes.items())
        if which >> i & 1
    }
    full = {name: spread(masks[name], block, sizes[name]) if name in masks else 1 for name in sizes}
    want = ((a * full["mask_lhs"]) @ (b * full["mask_rhs"])) * full["mask_out"]
    given = {name: exactly(mask) for name, mask in masks.items()}
    got = pb.block_masked_mm(exactly(a), exactly(b), block, **given)
    np.testing.assert_allclose(numpy(got), want, rtol=1e-4, atol=1e-4)


def test_masked_matrices_have_derivatives():
    a, b = exactly(values("float64", (3, 5))), exactly(values("float64", (5, 4), seed=1))
    masks = [exactly(values("float64", shape, seed=2)) for shape in ((2, 2), (2, 3), (3, 2))]
    testing.check_grads(lambda a, b, *m: pb.block_masked_mm(a, b, 2, *m), [a, b, *masks], order=2)
    holes = pb.array([[True, False, True]] * 2)
    testing.check_grads(lambda a, b: pb.block_masked_mm(a, b, 2, mask_lhs=holes), [a, b], order=2)
    bad = pb.where(pb.arange(5) == 2, pb.nan, a)
    assert np.isfinite(numpy(pb.block_masked_mm(bad, b, 2, mask_lhs=holes))).all()
    got = pb.vmap(lambda m: pb.block_masked_mm(a, b, 2, m))(pb.stack([masks[0], 2 * masks[0]]))
    close(got[1], 2 * numpy(got[0]))
    for call, text in [
        (lambda: pb.block_masked_mm(a, a), "expected matrices"),
        (lambda: pb.block_masked_mm(a, b, 0), "expected blocks of at least one row, got 0"),
        (lambda: pb.block_masked_mm(a, b, -1), "expected a block_size that is not negative, got -1"),
        (lambda: pb.block_masked_mm(a, b, 2, masks[1]), "expected mask_out with last axes of 2 and 2"),
        (
            lambda: pb.block_masked_mm(a, b, 2, mask_rhs=masks[1]),
            "expected mask_rhs with last axes of 3 and 2",
        ),
    ]:
        with pytest.raises(ValueError, match=re.escape("[block_masked_mm] " + text)):
            call()


def hadamard(n):
    """Sylvester's matrix."""
    return np.array([[1.0]]) if n == 1 else np.kron([[1, 1], [1, -1]], hadamard(n // 2))


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int32", "complex64"])
@pytest.mark.parametrize("n", [1, 2, 8, 16, 32, 128])
def test_hadamard_transforms(device, dtype, n):
    if device == pb.gpu and dtype == "float64":
        pytest.skip("no type of this device")
    x = values(dtype, (3, 2, n))
    got = pb.hadamard_transform(exactly(x), scale=1.0)
    assert got.dtype.name == ("float32" if dtype == "int32" else dtype)
    want = x.astype("complex128" if dtype == "complex64" else "float64") @ hadamard(n)
    scale = {"float16": 2**-10, "float64": 2**-52}.get(dtype, 2**-23)
    np.testing.assert_allclose(numpy(got), want, rtol=16 * scale, atol=n * scale)
    close(pb.hadamard_transform(pb.hadamard_transform(exactly(x))), x, ulps=64, scale=1)


@pytest.mark.parametrize("m", [12, 20, 28])
@pytest.mark.parametrize("k", [0, 1, 5])
def test_hadamard_of_other_sizes(device, m, k):
    n = m * 2**k
    matrix = numpy(pb.hadamard_transform(pb.eye(n), scale=1.0)).T
    assert np.array_equal(np.abs(matrix), np.ones((n, n)))
    assert np.array_equal(matrix @ matrix.T, n * np.eye(n))
    own = numpy(pb.hadamard_transform(pb.eye(m), scale=1.0)).T
    assert np.array_equal(matrix, np.kron(own, hadamard(2**k)))


def test_hadamards_rows_are_the_published_ones():
    rows = {
        12: {0: "+-++++++++++", 1: "--+-+-+-+-+-", 11: "+-+--+-++---"},
        20: {0: "+----+----++--++-++-", 7: "++-++--+---+-+--+++-", 19: "+--+--++------+----+"},
        28: {
            0: "+------++----++-+--+-+--++--",
            13: "-++++--------+++--++--+--+-+",
            25: "--++-++++-+-+----+++-----+--",
        },
    }
    for m, some in rows.items():
        matrix = numpy(pb.hadamard_transform(pb.eye(m), scale=1.0)).T
        for row, signs in some.items():
            assert "".join("+" if x > 0 else "-" for x in matrix[row]) == signs


def test_hadamard_has_derivatives_maps_and_refuses():
    x = exactly(values("float64", (2, 24)))
    testing.check_grads(pb.hadamard_transform, [x], order=2)
    close(pb.vmap(pb.hadamard_transform)(x), numpy(pb.hadamard_transform(x)))
    close(pb.vmap(pb.hadamard_transform, in_axes=1)(x.T), numpy(pb.hadamard_transform(x)))
    close(pb.compile(pb.hadamard_transform)(x), numpy(pb.hadamard_transform(x)))
    assert pb.hadamard_transform(pb.array(5.0)).item() == 5.0
    assert pb.hadamard_transform(pb.zeros((0, 4))).shape == (0, 4)
    for n in (0, 3, 5, 24 * 5, 12 * 12):
        with pytest.raises(
            ValueError, match=r"\[hadamard_transform\] expected a last axis of m 2 \*\* k elements"
        ):
            pb.hadamard_transform(pb.zeros((2, n)))


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_windows_of_a_sequence(dtype):
    x = values(dtype, (9,))
    same(pb.as_strided(exactly(x), (7, 3), (1, 1)), np.lib.stride_tricks.sliding_window_view(x, 3))
