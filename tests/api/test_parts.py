"""Arrays taken apart, brought to more axes, and parts whose place is computed."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import NUMPY_DTYPES, exactly, layouts, numpy, same, values

SHAPES = [(), (0,), (4,), (2, 3), (2, 0, 3), (2, 3, 4)]


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_more_axes_are_numpys(dtype, shape):
    x = values(dtype, shape)
    for _, y in layouts(x):
        same(pb.atleast_1d(y), np.atleast_1d(x))
        same(pb.atleast_2d(y), np.atleast_2d(x))
        same(pb.atleast_3d(y), np.atleast_3d(x))
        same(pb.contiguous(y), x)
        if x.ndim > 1:
            same(pb.matrix_transpose(y), np.swapaxes(x, -1, -2))


def test_more_axes_of_several_arrays_are_a_list():
    got = pb.atleast_2d(pb.array(1), pb.array([1, 2]))
    assert isinstance(got, list) and [x.shape for x in got] == [(1, 1), (1, 2)]
    assert pb.atleast_1d() == []
    with pytest.raises(ValueError, match=r"\[matrix_transpose\] expected an array with two axes or more"):
        pb.matrix_transpose(pb.zeros(3))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_unstack_is_what_stack_puts_together(axis):
    x = values("float32", (2, 3, 4))
    for _, y in layouts(x):
        parts = pb.unstack(y, axis=axis)
        assert isinstance(parts, tuple) and len(parts) == x.shape[axis]
        for i, part in enumerate(parts):
            same(part, np.take(x, i, axis))
    assert pb.unstack(pb.zeros((0, 2))) == ()
    testing.check_grads(lambda x: pb.unstack(x, axis=axis), [pb.array(x)])
    for bad in (pb.zeros(()), pb.zeros(3)):
        with pytest.raises(ValueError, match=r"\[unstack\]"):
            pb.unstack(bad, axis=1)


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("sizes", [(), (3,), (2, 3), (2, 0), (2, 3, 4)])
def test_meshgrid_is_numpys(indexing, sparse, sizes):
    arrays = [values("float32", (n,), seed) for seed, n in enumerate(sizes)]
    want = np.meshgrid(*arrays, sparse=sparse, indexing=indexing)
    got = pb.meshgrid(*map(pb.array, arrays), sparse=sparse, indexing=indexing)
    assert isinstance(got, tuple) and len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        same(a, b)


def test_meshgrid_refuses():
    with pytest.raises(ValueError, match=r"\[meshgrid\] expected indexing 'xy' or 'ij', got 'yx'"):
        pb.meshgrid(pb.zeros(2), indexing="yx")
    with pytest.raises(ValueError, match=r"\[meshgrid\] expected arrays with one axis"):
        pb.meshgrid(pb.zeros((2, 2)))
    same(pb.meshgrid(pb.array(1), pb.array([2, 3]))[0], np.asarray([[1], [1]], np.int32))


def part(starts, axes, size, shape):
    """The slices of NumPy for a part, its starts moved to where it lies within."""
    at = [0] * len(shape)
    for start, axis in zip(starts, axes, strict=True):
        at[axis] = min(max(start, 0), shape[axis] - size[axis])
    return tuple(slice(start, start + n) for start, n in zip(at, size, strict=True))


STARTS = [([1, 2], (0, 1)), ([2, 1], (-1, 0)), ([9, -4], (0, 1)), ([1], (1,)), ([], ())]


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize(("starts", "axes"), STARTS)
@pytest.mark.parametrize("size", [(2, 2), (3, 1), (1, 4), (0, 2)])
def test_parts_are_read_and_replaced(dtype, starts, axes, size):
    x, update = values(dtype, (3, 4)), values(dtype, size, seed=1)
    where = part(starts, axes, size, x.shape)
    want = x.copy()
    want[where] = update
    at = pb.array(np.asarray(starts, np.int32))
    for _, y in layouts(x):
        same(pb.slice(y, at, axes, size), x[where])
        same(pb.slice_update(y, exactly(update), at, axes), want)


def test_a_start_may_be_a_scalar_and_a_tracer():
    x = pb.array(values("float32", (5, 2)))
    same(pb.slice(x, pb.array(1), axes=(0,), slice_size=(1, 2)), numpy(x)[1:2])
    at = pb.array([0, 3, 2])
    mapped = pb.vmap(lambda i: pb.slice(x, i, (0,), (2, 2)))(at)
    same(mapped, np.stack([numpy(x)[i : i + 2] for i in (0, 3, 2)]))
    mapped = pb.vmap(lambda i: pb.slice_update(x, pb.zeros((1, 2)), i, (0,)))(at)
    for i, row in zip((0, 3, 2), pb.unstack(mapped), strict=True):
        want = numpy(x).copy()
        want[i] = 0
        same(row, want)
    compiled = pb.compile(lambda x, i: pb.slice(x, i, (0,), (2, 1)))
    same(compiled(x, pb.array(3)), numpy(x)[3:, :1])


def test_gradients_of_parts():
    x, update = pb.array(values("float32", (3, 4))), pb.array(values("float32", (2, 2), seed=1))
    at = pb.array([1, 1])
    testing.check_grads(lambda x: pb.slice(x, at, (0, 1), (2, 2)), [x], order=2)
    testing.check_grads(lambda x, u: pb.slice_update(x, u, at, (0, 1)) ** 2, [x, update], order=2)


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        ((pb.array([0]), (0, 1), (1, 1)), ValueError, "expected one start for each of 2 axes"),
        ((pb.array([0]), (0,), (4, 1)), ValueError, "expected a part of"),
        ((pb.array([0]), (0,), (1,)), ValueError, "expected a part of"),
        ((pb.array([0]), (2,), (1, 1)), ValueError, "axis"),
        ((pb.array([0.0]), (0,), (1, 1)), TypeError, "expected integer positions"),
    ],
)
def test_slice_refuses(args, error, text):
    with pytest.raises(error, match=rf"\[slice\] .*{text}"):
        pb.slice(pb.zeros((3, 4)), *args)


def test_slice_update_refuses():
    with pytest.raises(ValueError, match=r"\[slice_update\] expected a part with the axes of the array"):
        pb.slice_update(pb.zeros((3, 4)), pb.zeros(2), pb.array([0]), (0,))
    with pytest.raises(TypeError, match=r"\[slice_update\]"):
        pb.slice_update(pb.zeros(3), pb.array([1j]), pb.array([0]), (0,))
