"""What stands between brackets, read and written, against NumPy."""

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import near, numpy, values

BOUND = st.one_of(st.none(), st.integers(-7, 7))
SLICE = st.builds(slice, BOUND, BOUND, st.one_of(st.none(), st.integers(-3, 3).filter(bool)))


@st.composite
def basic(draw, shape):
    """Integers, slices, an ellipsis and new axes for an array of some shape."""
    key, axes = [], list(shape)
    dots = draw(st.booleans())
    count = draw(st.integers(0, len(axes)))
    for n in axes[:count]:
        if draw(st.integers(0, 4)) == 0:
            key.append(None)
        key.append(draw(st.integers(-n, n - 1)) if n and draw(st.booleans()) else draw(SLICE))
    if dots:
        key.insert(draw(st.integers(0, len(key))), ...)
        at = key.index(...)
        # After the dots come the last axes, whose sizes may be others.
        key[at + 1 :] = [None if k is None else draw(SLICE) for k in key[at + 1 :]]
    return tuple(key)


@st.composite
def reads(draw):
    shape = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=4)))
    return shape, draw(basic(shape)), draw(st.integers(0, 9))


@given(reads())
def test_read(case):
    shape, key, seed = case
    x = values("float32", shape, seed)
    want = x[key]
    got = pb.array(x)[key]
    assert got.shape == want.shape
    np.testing.assert_array_equal(numpy(got), want)


@given(reads(), st.booleans())
def test_write(case, scalar):
    shape, key, seed = case
    x = values("float32", shape, seed)
    value = 7.0 if scalar else values("float32", x[key].shape, seed + 1)
    want = x.copy()
    want[key] = value
    got = pb.array(x)
    got[key] = value if scalar else pb.array(value)
    np.testing.assert_array_equal(numpy(got), want)


@st.composite
def advanced(draw):
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    common = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    key = []
    for n in shape[: draw(st.integers(1, len(shape)))]:
        kind = draw(st.integers(0, 3))
        if kind == 0:
            key.append(draw(SLICE))
        elif kind == 1:
            key.append(draw(st.integers(-n, n - 1)))
        else:
            size = int(np.prod(common))
            flat = draw(st.lists(st.integers(-n, n - 1), min_size=size, max_size=size))
            key.append(np.array(flat, "int32").reshape(common))
    return shape, tuple(key), draw(st.integers(0, 9))


def ours(key):
    return tuple(pb.array(k) if isinstance(k, np.ndarray) else k for k in key)


@given(advanced())
def test_read_by_arrays(case):
    shape, key, seed = case
    x = values("float32", shape, seed)
    want = x[key]
    got = pb.array(x)[ours(key)]
    assert got.shape == want.shape, key
    np.testing.assert_array_equal(numpy(got), want)


@given(advanced())
def test_write_by_arrays(case):
    shape, key, seed = case
    x = values("float32", shape, seed)
    # One value, so that it does not matter which of several writes to one place is the last.
    want = x.copy()
    want[key] = 7.0
    got = pb.array(x)
    got[ours(key)] = 7.0
    np.testing.assert_array_equal(numpy(got), want)


UPDATES = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


@given(advanced(), st.sampled_from(sorted(UPDATES)))
def test_updates_count_every_time_a_place_is_named(case, how):
    shape, key, seed = case
    x = values("float32", shape, seed, 1, 2)
    value = values("float32", x[key].shape, seed + 1, 1, 2)
    want = x.astype("f8")
    UPDATES[how].at(want, key, value)
    got = getattr(pb.array(x).at[ours(key)], how)(pb.array(value))
    near(got, want, 1e-5)


@pytest.mark.parametrize("how", UPDATES)
def test_updates(how, device):
    x = values("float32", (4, 3), low=1, high=2)
    for key in [0, -1, slice(1, 3), (slice(None), 1), ..., (..., None), np.array([0, 0, 3])]:
        want = x.astype("f8")
        UPDATES[how].at(want, key, 2.0)
        at = pb.array(key) if isinstance(key, np.ndarray) else key
        array = pb.array(x)
        near(getattr(array.at[at], how)(2.0), want, 1e-5)
        # The array itself is as it was.
        near(array, x)


@given(st.integers(0, 99), st.lists(st.integers(0, 4), min_size=1, max_size=3))
def test_masks(seed, shape):
    x = values("float32", tuple(shape), seed)
    for ndim in range(1, x.ndim + 1):
        mask = values("bool", x.shape[:ndim], seed + ndim)
        want = x[mask]
        got = pb.array(x)[pb.array(mask)]
        assert got.shape == want.shape
        np.testing.assert_array_equal(numpy(got), want)
        changed, expected = pb.array(x), x.copy()
        changed[pb.array(mask)] = 5.0
        expected[mask] = 5.0
        np.testing.assert_array_equal(numpy(changed), expected)
        changed, expected = pb.array(x), x.copy()
        changed[pb.array(mask)] = pb.array(want * 2)
        expected[mask] = want * 2
        np.testing.assert_array_equal(numpy(changed), expected)


def test_masks_beside_other_indices():
    x = values("float32", (3, 4, 5))
    mask = np.array([True, False, True, True])
    for key in [
        (slice(None), mask),
        (0, mask),
        (..., np.array([1, 0, 1, 0, 1], bool)),
        (slice(1, None), mask, 2),
    ]:
        with_ours = tuple(pb.array(k) if isinstance(k, np.ndarray) else k for k in key)
        np.testing.assert_array_equal(numpy(pb.array(x)[with_ours]), x[key])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint32", "int64", "int32"])
def test_types_of_positions(dtype, device):
    x = values("float32", (5, 2))
    at = np.array([[0, 4], [3, 1]], dtype)
    np.testing.assert_array_equal(numpy(pb.array(x)[pb.array(at)]), x[at])
    np.testing.assert_array_equal(numpy(pb.array(x)[at]), x[at])
    np.testing.assert_array_equal(numpy(pb.array(x)[at.tolist()]), x[at])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "complex64"])
def test_types_of_elements(dtype):
    x = values(dtype, (4, 3))
    np.testing.assert_array_equal(numpy(pb.array(x)[1:, ::-1]), x[1:, ::-1])
    np.testing.assert_array_equal(numpy(pb.array(x)[pb.array([2, 0])]), x[[2, 0]])
    y, z = pb.array(x), x.copy()
    y[1] = pb.array(x[0])
    z[1] = x[0]
    np.testing.assert_array_equal(numpy(y), z)
    assert y.dtype.name == dtype


def test_values_take_the_type_of_the_array():
    x = pb.array([1, 2, 3])
    x[0] = True
    x[1] = pb.array(7, pb.int64)
    assert x.tolist() == [1, 7, 3] and x.dtype == pb.int32
    y = pb.zeros(2, pb.float16)
    y[0] = 1.5
    y[1] = pb.array(2.5)
    assert y.tolist() == [1.5, 2.5] and y.dtype == pb.float16


def test_indices_are_objects_with_index():
    x = pb.arange(5)
    assert x[np.int64(2)].item() == 2
    assert x[pb.array(3)].item() == 3
    assert x[np.int8(1) : np.int8(4)].tolist() == [1, 2, 3]
    assert x[pb.array(1) : 3].tolist() == [1, 2]
    assert x[: 10**30].tolist() == [0, 1, 2, 3, 4] and x[-(10**30) :].tolist() == [0, 1, 2, 3, 4]


def test_gradients_of_reads_and_writes(device):
    x = pb.array(values("float32", (4, 3)))
    w = pb.array(values("float32", (4, 3), 1))

    def check(f, want):
        near(pb.grad(lambda x: (f(x)).sum())(x), want)

    ones = np.zeros((4, 3))
    ones[1:3, ::-2] = 1
    check(lambda x: x[1:3, ::-2], ones)
    counts = np.zeros((4, 3))
    np.add.at(counts, [0, 0, 2], 1.0)
    check(lambda x: x[pb.array([0, 0, 2])], counts)
    masked = numpy(x) > 0
    check(lambda x: x[x > 0], masked.astype("f4"))
    kept = np.ones((4, 3))
    kept[1] = 0

    def write(x):
        y = x * 1
        y[1] = 5.0
        return y * w

    check(write, kept * numpy(w))

    def update(x):
        return w.at[pb.array([1, 1])].add(x[:2])

    used = np.zeros((4, 3))
    used[:2] = 1
    check(update, used)


def test_reads_under_vmap_are_a_loop():
    x, at = values("float32", (4, 5)), np.array([0, 4, 2, 2], "int32")
    got = pb.vmap(lambda row, i: row[i])(pb.array(x), pb.array(at))
    near(got, x[np.arange(4), at])
    got = pb.vmap(lambda i: pb.array(x)[:, i])(pb.array(at))
    near(got, x[:, at].T)
    got = pb.vmap(lambda row, i: row.at[i].add(1.0))(pb.array(x), pb.array(at))
    want = x.copy()
    want[np.arange(4), at] += 1
    near(got, want)


OUT_OF_RANGE = [5, -6, (0, 3), (0, 0, 0), slice(0, 2, 0), "a", 1.5, (..., ...), {}, slice("a", None)]


@pytest.mark.parametrize("key", OUT_OF_RANGE, ids=repr)
def test_errors(key):
    x = pb.zeros((5, 3))
    with pytest.raises((IndexError, TypeError, ValueError)) as caught:
        x[key]
    assert "expected" in str(caught.value) and "got" in str(caught.value)
    with pytest.raises((IndexError, TypeError, ValueError)):
        x[key] = 1.0
    assert x.sum().item() == 0


def test_errors_of_masks_and_values():
    x = pb.zeros((5, 3))
    with pytest.raises(IndexError, match="expected a mask of the axes it stands for"):
        x[pb.array([True, False])]
    with pytest.raises(ValueError, match="traced"):
        pb.compile(lambda x: x[x > 0])(x)
    with pytest.raises(ValueError, match="broadcast"):
        x[0] = pb.zeros(7)
    with pytest.raises(TypeError, match="expected"):
        x[0] = "text"
    with pytest.raises(TypeError, match=r"expected .* got float32"):
        x[pb.zeros(2)]
    # A mask with one value is a choice of elements, and may be traced.
    near(pb.compile(lambda x: x.at[x > 0].set(1.0))(pb.array([-1.0, 2.0])), [-1.0, 1.0])


def test_positions_far_outside_are_not_read():
    """Positions in an array are not checked: they are clamped or wrapped, and never touch foreign memory."""
    x = pb.arange(10)
    for far in (10, 1000, -11, 2**31 - 1, -(2**31)):
        assert 0 <= x[pb.array([far])].item() <= 9
        y = pb.zeros(10).at[pb.array([far])].add(1.0)
        assert y.shape == (10,) and 0 <= y.sum().item() <= 1


def test_an_array_is_written_into_itself(device):
    """Its memory is not taken over while it is still read."""

    def turned(x):
        y = x * 2
        return pb.put_along_axis(y, pb.array([3, 2, 1, 0]), y, axis=0)

    near(turned(pb.array([1.0, 2.0, 3.0, 4.0])), [8.0, 6.0, 4.0, 2.0])
