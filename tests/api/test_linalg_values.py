"""Linear algebra beside NumPy: factorizations, systems, determinants, inverses."""

import numpy as np
import pullback as pb
import pytest
from samples import EPS, close, exactly, layouts, numpy, values

DTYPES = ["float32", "float64", "complex64"]
# Small ones, those for which the library is asked, and batches.
SQUARES = [
    (0, 0),
    (1, 1),
    (2, 2),
    (5, 5),
    (24, 24),
    (25, 25),
    (70, 70),
    (2, 0, 3, 3),
    (3, 2, 4, 4),
    (0, 4, 4),
]
OBLONGS = [*SQUARES, (6, 3), (3, 6), (40, 30), (30, 40), (2, 5, 2), (2, 2, 5), (4, 0), (0, 4)]


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def matrices(dtype, shape, seed=0):
    """Matrices that are far from singular."""
    x = values(dtype, shape, seed=seed)
    return (x + 3 * np.eye(*shape[-2:])).astype(dtype)


def positive(dtype, shape):
    """Hermitian, positive definite matrices."""
    x = values(dtype, shape)
    return (x @ adjoint(x) / max(shape[-1], 1) + np.eye(shape[-1])).astype(dtype)


def equal(got, want, ulps=100):
    """Near for results of this length."""
    close(got, want, ulps=ulps * max([1, *np.shape(want)[-2:]]))


def rebuilt(parts, want, ulps=100):
    """Products of factors are the matrix."""
    got = np.linalg.multi_dot(parts) if want.ndim == 2 else np.matmul(parts[0], parts[1])
    np.testing.assert_allclose(got, want, atol=ulps * EPS[str(want.dtype)] * max([1, *want.shape[-2:]]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARES)
def test_what_is_unique_is_numpys(dtype, shape):
    x, p = matrices(dtype, shape), positive(dtype, shape)
    la = pb.linalg
    for _, y in layouts(x):
        equal(la.inv(y), np.linalg.inv(x))
    equal(la.cholesky(exactly(p)), np.linalg.cholesky(p))
    equal(la.cholesky(exactly(p), upper=True), adjoint(np.linalg.cholesky(p)))
    for upper in (False, True):
        equal(la.cholesky_inv(la.cholesky(exactly(p), upper), upper), np.linalg.inv(p))
        equal(la.tri_inv(exactly(x), upper), np.linalg.inv(np.triu(x) if upper else np.tril(x)), ulps=10000)
    equal(la.pinv(exactly(x)), np.linalg.inv(x), ulps=1000)
    if shape[-1] < 20:
        scale = np.maximum(np.abs(np.linalg.det(x)), 1)
        got = numpy(la.det(exactly(x)))
        assert got.dtype == x.dtype
        np.testing.assert_allclose(got / scale, np.linalg.det(x) / scale, atol=100 * EPS[dtype])
    sign, logarithm = la.slogdet(exactly(x))
    want = np.linalg.slogdet(x)
    equal(sign, want[0].astype(dtype))
    equal(logarithm, want[1])
    equal(la.eigvalsh(exactly(p)), np.linalg.eigvalsh(p))
    equal(la.svdvals(exactly(x)), np.linalg.svd(x, compute_uv=False))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", OBLONGS)
def test_qr_is_numpys(dtype, shape):
    x = values(dtype, shape)
    for mode in ("reduced", "complete"):
        q, r = (numpy(y) for y in pb.linalg.qr(exactly(x), mode))
        want = np.linalg.qr(x, mode)
        assert q.dtype == x.dtype
        assert (q.shape, r.shape) == (want[0].shape, want[1].shape)
        rebuilt((q, r), x)
        np.testing.assert_allclose(
            adjoint(q) @ q, np.broadcast_to(np.eye(q.shape[-1]), (*shape[:-2], *[q.shape[-1]] * 2)), atol=1e-4
        )
        np.testing.assert_array_equal(r, np.triu(r))
        np.testing.assert_array_equal(np.diagonal(r, 0, -2, -1).imag, 0)
        if dtype != "complex64" and mode == "reduced":
            # The signs are LAPACK's as well.
            k = min(shape[-2:])
            np.testing.assert_allclose(q[..., :k], want[0][..., :k], atol=3e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", OBLONGS)
def test_svd_rebuilds(dtype, shape):
    x = values(dtype, shape)
    k = min(shape[-2:])
    full = np.linalg.svd(x)
    for y in (exactly(x), exactly(np.ascontiguousarray(np.swapaxes(x, -1, -2))).swapaxes(-1, -2)):
        for whole in (True, False):
            u, s, vh = (numpy(y) for y in pb.linalg.svd(y, full_matrices=whole))
            assert u.shape == (full.U.shape if whole else (*shape[:-1], k))
            assert vh.shape == (full.Vh.shape if whole else (*shape[:-2], k, shape[-1]))
            np.testing.assert_allclose(s, full.S, rtol=1e-4, atol=1e-4)
            rebuilt((u[..., :k] * s[..., None, :], vh[..., :k, :]), x)
            for v in (adjoint(u) @ u, vh @ adjoint(vh)):
                np.testing.assert_allclose(v, np.broadcast_to(np.eye(v.shape[-1]), v.shape), atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARES)
def test_eigenvectors_solve(dtype, shape):
    x = values(dtype, shape)
    for UPLO in "LU":
        half = np.tril(x, -1) if UPLO == "L" else np.triu(x, 1)
        whole = half + adjoint(half) + np.real(np.eye(shape[-1]) * x)
        w, v = (numpy(y) for y in pb.linalg.eigh(exactly(x), UPLO))
        np.testing.assert_allclose(w, np.linalg.eigvalsh(x, UPLO), atol=1e-3)
        np.testing.assert_allclose(whole @ v, v * w[..., None, :], atol=1e-3)
        np.testing.assert_array_equal(numpy(pb.linalg.eigvalsh(exactly(x), UPLO)).shape, w.shape)
    w, v = (numpy(y) for y in pb.linalg.eig(exactly(x)))
    assert w.dtype == v.dtype == np.complex64
    np.testing.assert_allclose(x @ v, v * w[..., None, :], atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(v, axis=-2), 1, atol=1e-5)
    want = np.linalg.eigvals(x.astype(complex))
    order = [np.sort_complex(np.round(y, 2)) for y in (w, want)]
    np.testing.assert_allclose(np.sum(w, -1), np.sum(want, -1), atol=1e-2)
    if shape[-1] < 6:
        np.testing.assert_allclose(*order, atol=0.03)
        values_alone = numpy(pb.linalg.eigvals(exactly(x)))
        np.testing.assert_allclose(np.sort_complex(np.round(values_alone, 2)), order[1], atol=0.03)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", OBLONGS)
def test_lu_rebuilds(dtype, shape):
    x = values(dtype, shape)
    p, lower, upper = (numpy(y) for y in pb.linalg.lu(exactly(x)))
    assert p.dtype == np.uint32
    np.testing.assert_array_equal(lower, np.tril(lower))
    np.testing.assert_array_equal(upper, np.triu(upper))
    rebuilt((np.take_along_axis(lower, p[..., None].astype(int), -2), upper), x)
    assert np.all(np.abs(lower) < 1.5)
    factors, pivots = pb.linalg.lu_factor(exactly(x))
    k = min(shape[-2:])
    np.testing.assert_array_equal(np.triu(numpy(factors))[..., :k, :], upper)
    scipy = pytest.importorskip("scipy.linalg") if len(shape) == 2 and k and dtype != "complex64" else None
    if scipy:
        np.testing.assert_array_equal(numpy(pivots), scipy.lu_factor(x)[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((3, 3), (5, 3, 2)),
        ((2, 3, 3), (3,)),
        ((2, 3, 3), (3, 1)),
        ((2, 1, 3, 3), (4, 3, 2)),
        ((50, 50), (50, 7)),
        ((50, 50), (50,)),
        ((0, 0), (0, 2)),
        ((0, 0), (0,)),
        ((3, 3), (3, 0)),
        ((3, 3), (0, 3, 2)),
        ((0, 3, 3), (3, 2)),
    ],
)
def test_systems_are_numpys(dtype, a, b):
    x, y = matrices(dtype, a), values(dtype, b, seed=1)
    equal(pb.linalg.solve(exactly(x), exactly(y)), np.linalg.solve(x, y), ulps=1000)
    for upper in (False, True):
        side = np.triu(x) if upper else np.tril(x)
        got = pb.linalg.solve_triangular(exactly(x), exactly(y), upper=upper)
        assert got.dtype.name == dtype
        found = numpy(got)
        back = np.matmul(side, found[..., None])[..., 0] if len(b) == 1 else np.matmul(side, found)
        np.testing.assert_allclose(back, np.broadcast_to(y, back.shape), atol=2e-3)


def test_types_meet_and_are_lifted():
    whole = pb.array([[2, 1], [1, 2]])
    assert pb.linalg.inv(whole).dtype == pb.float32
    assert pb.linalg.solve(whole, pb.array([1, 2])).dtype == pb.float32
    assert pb.linalg.solve(whole.astype(pb.float64), pb.array([1.0, 2.0])).dtype == pb.float64
    assert pb.linalg.solve(whole, pb.array([1j, 2])).dtype == pb.complex64
    assert pb.linalg.eigvalsh(pb.eye(2).astype(pb.complex64)).dtype == pb.float32
    assert pb.linalg.eigvals(whole.astype(pb.float64)).dtype == pb.complex64
    assert pb.linalg.matrix_power(whole, 3).dtype == pb.int32


FACTORED = "cholesky cholesky_inv eig eigh eigvals eigvalsh inv lu lu_factor pinv qr svd svdvals tri_inv cond"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", [*FACTORED.split(), "solve", "solve_triangular"])
def test_half_floats_have_no_factors(name, dtype):
    x = pb.eye(2).astype(getattr(pb, dtype))
    args = (x, x) if name.startswith("solve") else (x,)
    text = rf"\[\w+\] expected float32, float64 or complex64, got {dtype}; convert it with astype"
    with pytest.raises(TypeError, match=text):
        getattr(pb.linalg, name)(*args)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (2, 2), (3, 3), (2, 5, 5), (0, 4, 4)])
def test_half_floats_have_determinants(dtype, shape, device):
    half = getattr(pb, dtype)
    x = exactly(matrices("float32", shape)).astype(half)
    wide = x.astype(pb.float32)
    # Rounded once, from float32.
    got = pb.linalg.det(x)
    assert got.dtype == half
    np.testing.assert_array_equal(numpy(got), numpy(pb.linalg.det(wide).astype(half)))
    for got, want in zip(pb.linalg.slogdet(x), pb.linalg.slogdet(wide), strict=True):
        assert got.dtype == half
        np.testing.assert_array_equal(numpy(got), numpy(want.astype(half)))
    near = lambda x: pb.sum(pb.linalg.det(x)) + pb.sum(pb.linalg.slogdet(x)[1])
    slope = pb.grad(near)(x)
    assert slope.dtype == half
    np.testing.assert_allclose(numpy(slope), numpy(pb.grad(near)(wide)), rtol=0.05, atol=0.05)
    with pytest.raises(ValueError, match=r"\[det\] expected square matrices"):
        pb.linalg.det(pb.ones((2, 3), half))


def test_a_determinant_of_half_floats_is_not_that_of_rounded_parts():
    # The products of the diagonal have no half float, the determinant has.
    for dtype, rows in (("float16", [[257, 256], [256, 255]]), ("bfloat16", [[33, 32], [32, 31]])):
        assert pb.linalg.det(pb.array(rows, getattr(pb, dtype))).item() == -1


def test_only_one_triangle_is_read():
    x = values("float32", (4, 4)) + 8 * np.eye(4, dtype=np.float32)
    bad = np.triu(np.full((4, 4), np.nan, np.float32), 1)
    low, high = exactly(np.tril(x) + bad), exactly(np.triu(x) + bad.T)
    close(pb.linalg.cholesky(low), np.linalg.cholesky(x), ulps=100)
    assert np.all(np.isfinite(numpy(pb.linalg.cholesky(high, upper=True))))
    close(pb.linalg.eigvalsh(low), np.linalg.eigvalsh(x), ulps=100)
    close(pb.linalg.eigvalsh(high, "U"), np.linalg.eigvalsh(x, "U"), ulps=100)
    assert np.all(np.isfinite(numpy(pb.linalg.tri_inv(low))))
    assert np.all(np.isfinite(numpy(pb.linalg.solve_triangular(high, pb.ones(4), upper=True))))


@pytest.mark.parametrize("n", [2, 4, 30])
def test_what_has_no_result_is_nan_and_leaves_the_batch_alone(n):
    good = np.eye(n, dtype=np.float32)
    one_nan = np.stack([good, np.where(np.arange(n) == 1, np.nan, good).astype(np.float32), good])
    one_inf = np.stack([good, np.where(np.arange(n) == 1, np.inf, good).astype(np.float32), good])
    la = pb.linalg
    functions = [
        la.cholesky,
        la.inv,
        la.qr,
        la.svd,
        la.svdvals,
        la.eigh,
        la.eigvalsh,
        la.eig,
        la.eigvals,
        la.pinv,
        la.det,
    ]
    for x in (one_nan, one_inf):
        for function in functions:
            got = function(exactly(x))
            for part in got if isinstance(got, tuple) else (got,):
                part = numpy(part)
                assert np.all(np.isfinite(part[[0, 2]])), function
                assert not np.all(np.isfinite(part[1])), function
    singular = np.stack([good, np.ones((n, n), np.float32), good])
    assert not np.any(np.isfinite(numpy(la.inv(exactly(singular)))[1]))
    assert np.all(np.isfinite(numpy(la.inv(exactly(singular)))[[0, 2]]))
    sign, logarithm = la.slogdet(exactly(singular))
    assert sign.tolist() == [1, 0, 1]
    assert logarithm.tolist() == [0, -np.inf, 0]
    close(la.det(exactly(singular)), [1, 0, 1])
    assert np.all(np.isnan(np.diagonal(numpy(la.cholesky(exactly(-singular)))[1])))
    p, lower, upper = (numpy(y) for y in la.lu(exactly(singular)))
    assert np.all(np.isfinite(lower))
    np.testing.assert_allclose(np.take_along_axis(lower, p[..., None].astype(int), -2) @ upper, singular)
    zero = pb.zeros((n, n))
    close(la.pinv(zero), np.zeros((n, n)))
    close(la.svdvals(zero), np.zeros(n))
    assert la.lu(zero)[2].tolist() == np.zeros((n, n)).tolist()


def test_pinv_cuts_small_values_off():
    u, v = values("float64", (6, 2)), values("float64", (2, 4), seed=1)
    x = u @ v
    close(pb.linalg.pinv(exactly(x)), np.linalg.pinv(x, rcond=1e-12), ulps=1000)
    stack = exactly(np.stack([np.diag([1.0, 1e-3]), np.diag([1.0, 1e-5])]))
    got = numpy(pb.linalg.pinv(stack, pb.array([1e-4, 1e-4])))
    np.testing.assert_allclose(got[:, 1, 1], [1e3, 0], rtol=1e-6)
    with pytest.raises(ValueError, match="broadcast"):
        pb.linalg.pinv(stack, pb.zeros(3))


def test_bad_shapes_are_refused():
    la = pb.linalg
    for name in ("inv", "cholesky", "cholesky_inv", "tri_inv", "det", "slogdet", "eig", "eigvals", "eigh"):
        with pytest.raises(ValueError, match=rf"\[{name}\] expected square matrices, got float32\[2, 3\]"):
            getattr(la, name)(pb.zeros((2, 3)))
    for name in ("qr", "svd", "lu", "lu_factor", "pinv", "matrix_rank", "cond"):
        with pytest.raises(ValueError, match=rf"\[{name}\] expected an array with two or more axes"):
            getattr(la, name)(pb.zeros(3))
    for b in (pb.zeros(2), pb.zeros((2, 3)), pb.zeros(())):
        with pytest.raises(
            ValueError, match=r"\[solve\] expected square matrices \[.., n, n\] and right-hand"
        ):
            la.solve(pb.eye(3), b)
    with pytest.raises(ValueError, match=r"\[solve_triangular\]"):
        la.solve_triangular(pb.zeros((2, 3, 3)), pb.zeros((3, 3, 1)))
    with pytest.raises(ValueError, match=r"\[qr\] expected mode 'reduced' or 'complete', got 'r'"):
        la.qr(pb.eye(2), "r")
    with pytest.raises(ValueError, match=r"\[eigh\] expected UPLO 'L' or 'U', got 'X'"):
        la.eigh(pb.eye(2), "X")
    with pytest.raises(ValueError, match=r"\[cross\] expected 2 or 3 elements along the axis in both"):
        la.cross(pb.zeros(4), pb.zeros(4))


@pytest.mark.parametrize("dtype", ["int32", "float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize(
    ("a", "b", "axis"),
    [
        ((3,), (3,), -1),
        ((2, 3), (3,), -1),
        ((3, 4), (3, 4), 0),
        ((2,), (3,), -1),
        ((3,), (2,), -1),
        ((0, 3), (0, 3), 1),
    ],
)
def test_cross_is_numpys(dtype, a, b, axis):
    x, y = values(dtype, a), values(dtype, b, seed=1)
    wide = [np.concatenate([z, np.zeros_like(z[..., :1])], -1) if z.shape[axis] == 2 else z for z in (x, y)]
    got = pb.linalg.cross(exactly(x), exactly(y), axis)
    assert got.dtype.name == dtype
    close(got, np.cross(*wide, axis=axis), ulps=32)


def test_cross_of_two_elements_takes_a_third_for_zero():
    got = pb.linalg.cross(pb.array([[1.0, 2.0], [3.0, 4.0]]), pb.array([5.0, 6.0]))
    assert got.tolist() == [[0.0, 0.0, -4.0], [0.0, 0.0, -2.0]]


@pytest.mark.parametrize("n", [-2, -1, 0, 1, 2, 3, 7])
def test_matrix_power_is_numpys(n):
    x = matrices("float64", (2, 3, 3))
    close(pb.linalg.matrix_power(exactly(x), n), np.linalg.matrix_power(x, n), ulps=1000)


def test_names_of_the_array_api():
    x = exactly(values("float32", (2, 3, 3)))
    close(pb.linalg.diagonal(x, offset=1), np.diagonal(numpy(x), 1, -2, -1))
    close(pb.linalg.trace(x), np.trace(numpy(x), 0, -2, -1))
    assert pb.linalg.trace(x, dtype=pb.float64).dtype == pb.float64
    for name in ("matmul", "matrix_transpose", "outer", "tensordot", "vecdot"):
        assert getattr(pb.linalg, name) is getattr(pb, name)
    close(pb.matrix_norm(x, axis=(1, 2)), np.linalg.norm(numpy(x), axis=(1, 2)), ulps=8)
    assert pb.matrix_norm is pb.linalg.norm
    from pullback.linalg import norm

    assert norm is pb.linalg.norm
