"""Sizes at which kernels change their ways: tiles, vectors, threads, workgroups; all against NumPy."""

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import near, numpy, values

SIZES = [
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    17,
    31,
    33,
    63,
    64,
    65,
    127,
    255,
    256,
    257,
    511,
    512,
    513,
    1023,
    1024,
    1025,
    2049,
]
LARGE = [4096, 4099, 65_535, 65_537, 262_145, 1_000_003]


def vector(n, seed=0):
    return np.random.default_rng(seed).normal(size=n).astype("f4")


@pytest.mark.parametrize("n", [*SIZES, *LARGE])
def test_vectors(n, device):
    a, b = vector(n), vector(n, 1)
    x, y = pb.array(a), pb.array(b)
    near(x * y + 1, a * b + 1, 1e-6)
    near(pb.exp(-x * x) * y[::-1], np.exp(-a * a) * b[::-1], 1e-5)
    near(pb.where(x > y, x, 2.0), np.where(a > b, a, 2))
    near(x[1:] - x[:-1], np.diff(a), 1e-6)
    wide, scale = a.astype("f8"), np.sqrt(n)
    np.testing.assert_allclose(pb.sum(x * y).item(), wide @ b.astype("f8"), rtol=1e-5, atol=1e-5 * scale)
    assert pb.max(x).item() == a.max() and pb.min(x).item() == a.min()
    assert pb.argmax(x).item() == a.argmax() and pb.argmin(x).item() == a.argmin()
    assert pb.sum(x > 0).item() == (a > 0).sum()
    assert pb.all(x == x).item() and not pb.any(x != x).item()


@pytest.mark.parametrize("n", [*SIZES, 4099, 65_537, 262_145])
def test_scans_and_order(n, device):
    a = vector(n)
    x = pb.array(a)
    np.testing.assert_allclose(
        numpy(pb.cumsum(x)), np.cumsum(a.astype("f8")), rtol=1e-4, atol=1e-4 * np.sqrt(n)
    )
    np.testing.assert_array_equal(numpy(pb.cummax(x)), np.maximum.accumulate(a))
    np.testing.assert_array_equal(numpy(pb.sort(x)), np.sort(a))
    np.testing.assert_array_equal(numpy(pb.argsort(x)), np.argsort(a, kind="stable"))
    counts = np.random.default_rng(1).integers(0, 7, n).astype("i4")
    np.testing.assert_array_equal(numpy(pb.argsort(pb.array(counts))), np.argsort(counts, kind="stable"))
    np.testing.assert_array_equal(numpy(pb.cumsum(pb.array(counts))), np.cumsum(counts))


@pytest.mark.parametrize("n", [1, 3, 17, 64, 257, 1025, 65_537])
def test_positions(n, device):
    a = vector(n)
    at = np.random.default_rng(2).integers(-n, n, 2 * n).astype("i4")
    x, i = pb.array(a), pb.array(at)
    np.testing.assert_array_equal(numpy(x[i]), a[at])
    want = np.zeros(n)
    np.add.at(want, at, 1.0)
    np.testing.assert_array_equal(numpy(pb.zeros(n).at[i].add(1.0)), want)
    want = a.copy()
    np.maximum.at(want, at, a[np.arange(2 * n) % n])
    got = x.at[i].maximum(pb.concatenate([x, x]))
    np.testing.assert_array_equal(numpy(got), want)


MATRICES = [
    (1, 1),
    (1, 1000),
    (1000, 1),
    (3, 5),
    (17, 31),
    (33, 65),
    (64, 64),
    (100, 1000),
    (1000, 100),
    (257, 513),
]
MATRICES += [(3, 100_003), (100_003, 3), (1025, 1023)]


@pytest.mark.parametrize("shape", MATRICES, ids=str)
def test_matrices(shape, device):
    a = values("float32", shape)
    x, wide = pb.array(a), a.astype("f8")
    near(x.T + 1, a.T + 1, 1e-6)
    near(pb.sin(x).T * x.T, (np.sin(wide) * wide).T, 1e-5)
    near(x - pb.mean(x, axis=0), wide - wide.mean(0), 1e-5)
    near(x - pb.mean(x, axis=1, keepdims=True), wide - wide.mean(1, keepdims=True), 1e-5)
    for axis in (0, 1):
        scale = np.sqrt(shape[axis])
        np.testing.assert_allclose(numpy(pb.sum(x * x, axis=axis)), (wide * wide).sum(axis), rtol=1e-5)
        np.testing.assert_allclose(
            numpy(pb.sum(x.T, axis=axis)), wide.T.sum(axis), rtol=1e-5, atol=1e-5 * scale * 40
        )
        np.testing.assert_array_equal(numpy(pb.max(x, axis=axis)), a.max(axis))
        np.testing.assert_array_equal(numpy(pb.argmin(x, axis=axis)), a.argmin(axis))
        each = np.exp(wide - wide.max(axis, keepdims=True))
        near(pb.softmax(x, axis=axis), each / each.sum(axis, keepdims=True), 1e-5)
    np.testing.assert_array_equal(numpy(pb.sort(x, 0)), np.sort(a, 0))
    near(pb.reshape(x.T, (-1,)), a.T.reshape(-1))
    near(x + x[:1] + x[:, :1], a + a[:1] + a[:, :1], 1e-6)


PRODUCTS = [
    (1, 1, 1),
    (1, 100, 1),
    (1, 1, 100),
    (2, 3, 4),
    (16, 16, 16),
    (17, 33, 65),
    (64, 64, 64),
    (1, 513, 257),
]
PRODUCTS += [(257, 513, 1), (100, 1, 100), (129, 65, 33), (300, 300, 300), (1, 5000, 1), (5, 5000, 3)]


@pytest.mark.parametrize("shape", PRODUCTS, ids=str)
def test_products(shape, device):
    m, k, n = shape
    a, b = values("float32", (m, k)), values("float32", (k, n), 1)
    want = a.astype("f8") @ b.astype("f8")
    x, y = pb.array(a), pb.array(b)
    xt, yt = pb.array(np.ascontiguousarray(a.T)).T, pb.array(np.ascontiguousarray(b.T)).T
    tol = 1e-5 * np.sqrt(k)
    for left in (x, xt):
        for right in (y, yt):
            np.testing.assert_allclose(numpy(left @ right), want, rtol=1e-5, atol=tol)
    np.testing.assert_allclose(numpy(pb.tanh(x @ y) + 1), np.tanh(want) + 1, rtol=1e-4, atol=tol)
    np.testing.assert_allclose(
        numpy((x * 2)[::-1] @ (y + 1)), (a[::-1] * 2).astype("f8") @ (b + 1.0), rtol=1e-4, atol=tol * 4
    )
    rows = pb.vmap(lambda r: r @ y)(x)
    np.testing.assert_allclose(numpy(rows), want, rtol=1e-5, atol=tol)
    gx, gy = pb.grad(lambda x, y: (x @ y).sum(), argnums=(0, 1))(x, y)
    np.testing.assert_allclose(numpy(gx), np.broadcast_to(b.sum(1), (m, k)), rtol=1e-4, atol=1e-5 * n)
    np.testing.assert_allclose(
        numpy(gy), np.broadcast_to(a.sum(0)[:, None], (k, n)), rtol=1e-4, atol=1e-5 * m
    )


@pytest.mark.parametrize("batch", [(1,), (7,), (3, 5), (300,)], ids=str)
def test_batches_of_products(batch, device):
    a, b = values("float32", (*batch, 5, 9)), values("float32", (*batch, 9, 4), 1)
    near(pb.array(a) @ pb.array(b), a.astype("f8") @ b.astype("f8"), 1e-5)
    shared = b.reshape(-1, 9, 4)[0]
    near(pb.array(a) @ pb.array(shared), a.astype("f8") @ shared, 1e-5)
    near(
        pb.array(shared.T) @ pb.swapaxes(pb.array(a), -1, -2),
        shared.T @ np.swapaxes(a, -1, -2).astype("f8"),
        1e-5,
    )


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.data())
def test_reductions_over_any_axes(shape, data):
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1)))
    order = data.draw(st.permutations(range(len(shape))))
    a = values("float32", tuple(shape))
    x, wide = pb.transpose(pb.array(a), order), a.astype("f8").transpose(order)
    axis = tuple(sorted(axes)) or None
    near(pb.sum(pb.cos(x), axis=axis), np.cos(wide).sum(axis), 2e-4)
    np.testing.assert_array_equal(numpy(pb.max(x, axis=axis)), wide.max(axis).astype("f4"))
    near(pb.var(x, axis=axis), wide.var(axis), 2e-5)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=4), st.data())
def test_broadcasts_of_any_shape(shape, data):
    def part():
        kept = [n if data.draw(st.booleans()) else 1 for n in shape]
        return tuple(kept[data.draw(st.integers(0, len(shape))) :])

    arrays = [values("float32", part(), i) for i in range(3)]
    a, b, c = arrays
    x, y, z = (pb.array(v) for v in arrays)
    near(pb.sin(x) * y + z, np.sin(a) * b + c, 1e-5)
    got = pb.grad(lambda x, y, z: (pb.sin(x) * y * z).sum(), argnums=(0, 1, 2))(x, y, z)
    wide = [v.astype("f8") for v in arrays]
    full = np.broadcast_shapes(a.shape, b.shape, c.shape)
    slopes = [np.cos(wide[0]) * wide[1] * wide[2], np.sin(wide[0]) * wide[2], np.sin(wide[0]) * wide[1]]
    for g, slope, v in zip(got, slopes, arrays, strict=True):
        slope = np.broadcast_to(slope, full)
        lead = slope.ndim - v.ndim
        over = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(v.shape) if n == 1)
        want = slope.sum(over, keepdims=True).reshape(v.shape)
        np.testing.assert_allclose(numpy(g), want, rtol=1e-3, atol=1e-5 * np.sqrt(slope.size) * 30)
