"""Linear algebra: derivatives in both modes and to order two, under vmap and compile, on every device."""

import numpy as np
import pullback as pb
import pytest
from pullback.testing import check_grads
from samples import close, exactly, numpy, values

la = pb.linalg


def whole(shape, seed=0):
    """Matrices in float64 that are far from singular."""
    return exactly(values("float64", shape, seed=seed) + 3 * np.eye(*shape[-2:]))


def positive(x):
    return x @ x.swapaxes(-1, -2) + pb.eye(x.shape[-1], dtype=x.dtype)


FUNCTIONS = {
    "cholesky": lambda x: la.cholesky(positive(x)),
    "cholesky upper": lambda x: la.cholesky(positive(x), upper=True),
    "cholesky of a triangle": lambda x: la.cholesky(x + 4 * pb.eye(x.shape[-1], dtype=x.dtype)),
    "cholesky_inv": lambda x: la.cholesky_inv(la.cholesky(positive(x))),
    "inv": la.inv,
    "tri_inv": la.tri_inv,
    "tri_inv upper": lambda x: la.tri_inv(x, True),
    "solve": lambda x: la.solve(x, x[..., :2] * x[..., :2]),
    "solve with a vector": lambda x: la.solve(x, pb.sin(x.reshape(-1)[: x.shape[-1]])),
    "solve_triangular": lambda x: la.solve_triangular(x, x, upper=True),
    "lu": lambda x: list(la.lu(x)[1:]),
    "lu_factor": lambda x: la.lu_factor(x)[0],
    "det": la.det,
    "slogdet": lambda x: la.slogdet(x)[1],
    "qr": lambda x: list(la.qr(x)),
    "svdvals": la.svdvals,
    "svd": lambda x: list(la.svd(x)),
    "eigvalsh": la.eigvalsh,
    "eigh": lambda x: list(la.eigh(x, "U")),
    "pinv": la.pinv,
    "matrix_power": lambda x: la.matrix_power(x, -2),
    "norm": lambda x: [
        la.norm(x),
        la.norm(x, "nuc", axis=(-2, -1)),
        la.norm(x, 2, axis=(-1, -2)),
        la.norm(x, 3, axis=0),
    ],
    "cond": lambda x: [la.cond(x), la.cond(x, "fro")],
}
# Of all shapes, and those whose results have no sign to choose.
OBLONG = {
    "qr": lambda x: list(la.qr(x)),
    "svd thin": lambda x: list(la.svd(x, full_matrices=False)),
    "svdvals": la.svdvals,
    "pinv": la.pinv,
    "lu": lambda x: list(la.lu(x)[1:]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_square_matrices(name):
    check_grads(FUNCTIONS[name], [whole((3, 3))], order=2)
    check_grads(FUNCTIONS[name], [whole((2, 4, 4), seed=1)])


@pytest.mark.parametrize("name", OBLONG)
@pytest.mark.parametrize("shape", [(4, 2), (2, 4)])
def test_derivatives_of_oblong_matrices(name, shape):
    check_grads(OBLONG[name], [whole(shape, seed=2)], order=2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_det_has_a_derivative_at_singular_matrices(n):
    x = pb.zeros((n, n)) if n < 3 else pb.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 1.0]])
    check_grads(la.det, [x], order=2)
    assert np.all(np.isfinite(numpy(pb.grad(la.det)(x))))


def test_pinv_has_a_derivative_at_a_constant_rank():
    u, v = exactly(values("float64", (5, 2))), exactly(values("float64", (2, 4), seed=1))
    check_grads(lambda u, v: la.pinv(u @ v), [u, v], order=2)


def test_values_have_a_derivative_where_they_are_equal():
    x = pb.eye(3)
    close(pb.grad(lambda x: pb.sum(la.eigvalsh(x)))(x), np.eye(3))
    close(pb.grad(lambda x: pb.sum(la.svdvals(x)))(x), np.eye(3))
    assert not np.all(
        np.isfinite(numpy(pb.grad(lambda x: pb.sum(la.eigh(x)[1] * pb.arange(9).reshape(3, 3)))(x)))
    )


def test_norms_have_slope_0_at_0():
    for f in (la.norm, lambda x: la.norm(x, axis=0).sum(), lambda x: la.norm(x, "fro")):
        assert pb.grad(f)(pb.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("mode", ["rev", "fwd"])
def test_what_is_not_determined_is_refused(mode):
    tall = exactly(values("float64", (4, 2)))

    def run(f):
        pb.vjp(f, [tall], [pb.ones_like(f(tall))]) if mode == "rev" else pb.jvp(f, [tall], [tall])

    with pytest.raises(pb.RuleError, match=r"'svd' has no derivative for the vectors that fill up"):
        run(lambda x: la.svd(x)[0])
    with pytest.raises(pb.RuleError, match=r"'qr' has no derivative .*mode='reduced'"):
        run(lambda x: la.qr(x, "complete")[0])
    # The values of the same call have one.
    pb.grad(lambda x: pb.sum(la.svd(x)[1]))(tall)


def complexly(f):
    """A function of complex matrices as one of their parts, in `float32`."""

    def of_parts(re, im):
        outs = f(re.astype(pb.complex64) + 1j * im.astype(pb.complex64))
        outs = outs if isinstance(outs, list | tuple) else [outs]
        return [part for out in outs for part in (pb.real(out), pb.imag(out))]

    return of_parts


def hermitian(x):
    return x @ pb.conjugate(x).swapaxes(-1, -2) + pb.eye(x.shape[-1])


def phase_free(v, axis=-2):
    """Projections: what does not depend on the phases of vectors."""
    return [v[:, i : i + 1] @ pb.conjugate(v[:, i : i + 1]).T for i in range(v.shape[1])]


COMPLEX = {
    "cholesky": lambda x: la.cholesky(hermitian(x)),
    "inv": la.inv,
    "solve": lambda x: la.solve(x, x[:, :1] * 2j),
    "solve_triangular": lambda x: la.solve_triangular(x, x * x),
    "lu": lambda x: la.lu_factor(x)[0],
    "det": la.det,
    "det of five": lambda x: la.det(pb.eye(5) + pb.pad(x / 4, (0, 2))),
    "slogdet": la.slogdet,
    "qr": la.qr,
    "svdvals": la.svdvals,
    "svd": lambda x: [la.svd(x)[1], *phase_free(la.svd(x)[0]), *phase_free(pb.conjugate(la.svd(x)[2]).T)],
    "svd, phases that cancel": lambda x: (lambda u, s, vh: u @ vh)(*la.svd(x)),
    "eigh": lambda x: [la.eigh(x)[0], *phase_free(la.eigh(x)[1])],
    "eigvals": la.eigvals,
    "eig": lambda x: phase_free(la.eig(x)[1]),
    "pinv": la.pinv,
    "norm": lambda x: [la.norm(x), la.norm(x, "nuc")],
}


@pytest.mark.parametrize("name", COMPLEX)
def test_derivatives_of_complex_matrices(name):
    re = exactly(values("float32", (3, 3)) + np.diag([3, 5, 8]).astype(np.float32))
    im = exactly(values("float32", (3, 3), seed=1))
    check_grads(complexly(COMPLEX[name]), [re, im], dtype=None, eps=2e-2, rtol=2e-2, atol=2e-2)


def test_derivatives_of_eigenvalues_of_real_matrices():
    x = exactly(values("float32", (3, 3)) + np.diag([3, 5, 8]).astype(np.float32))
    check_grads(
        lambda x: [pb.real(la.eigvals(x)), pb.imag(la.eigvals(x))],
        [x],
        dtype=None,
        eps=2e-2,
        rtol=2e-2,
        atol=2e-2,
    )
    check_grads(lambda x: pb.real(la.eig(x)[1]), [x], dtype=None, eps=2e-2, rtol=2e-2, atol=2e-2)


MAPPED = {
    "cholesky": lambda x: la.cholesky(positive(x)),
    "inv": la.inv,
    "det": la.det,
    "slogdet": lambda x: la.slogdet(x)[1],
    "qr": lambda x: la.qr(x)[1],
    "svdvals": la.svdvals,
    "eigvalsh": la.eigvalsh,
    "eigh": lambda x: la.eigh(x)[1],
    "lu": lambda x: la.lu(x)[2],
    "pinv": la.pinv,
    "eigvals": lambda x: pb.real(la.eigvals(x)),
}


@pytest.mark.parametrize("name", MAPPED)
def test_vmap_is_a_loop_and_compile_changes_nothing(name):
    f, x = MAPPED[name], exactly(values("float32", (5, 3, 3)) + 3 * np.eye(3, dtype=np.float32))
    loop = np.stack([numpy(f(x[i])) for i in range(5)])
    close(pb.vmap(f)(x), loop)
    close(pb.vmap(f, in_axes=2)(pb.moveaxis(x, 0, 2)), loop)
    close(pb.compile(f)(x), numpy(f(x)))
    g = pb.grad(lambda x: pb.sum(f(x) ** 2))
    slopes = np.stack([numpy(g(x[i])) for i in range(5)])
    close(pb.vmap(g)(x), slopes, ulps=1000)
    close(pb.compile(pb.vmap(g))(x), slopes, ulps=1000)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (None, 1)])
@pytest.mark.parametrize("solve", [la.solve, la.solve_triangular])
def test_vmap_of_systems(axes, solve):
    a, b = whole((3, 3)), exactly(values("float64", (3, 3), seed=1))
    x = whole((3, 3, 3), seed=2) if axes[0] == 0 else a
    y = exactly(values("float64", (3, 3, 3), seed=3)) if axes[1] is not None else b
    got = pb.vmap(solve, in_axes=axes)(x, y)
    pick = [
        lambda i: x[i] if axes[0] == 0 else x,
        lambda i: y if axes[1] is None else (y[i] if axes[1] == 0 else y[:, i]),
    ]
    close(got, np.stack([numpy(solve(pick[0](i), pick[1](i))) for i in range(3)]), ulps=100)


def test_one_result_alone_and_all_of_them_agree():
    """A kernel whose other results nobody reads."""
    x = exactly(values("float32", (3, 3)) + 3 * np.eye(3, dtype=np.float32))
    both = la.qr(x)
    pb.eval(*both)
    for i in range(2):
        close(pb.exp(la.qr(x)[i]), np.exp(numpy(both[i])))
    assert pb.sum(la.svd(x)[2] ** 2).item() == pytest.approx(3)


def test_every_device_has_them(device):
    """What a GPU has no kernel for runs on the CPU, and comes back."""
    x = pb.array(values("float32", (2, 3, 3)) + 3 * np.eye(3, dtype=np.float32))
    y = numpy(x)
    close(la.inv(x), np.linalg.inv(y), ulps=100)
    close(la.inv(x + 1, stream=device), np.linalg.inv(y + 1), ulps=1000)
    close(la.svdvals(x) * 2, 2 * np.linalg.svd(y, compute_uv=False), ulps=100)
    q, r = la.qr(x)
    close(q @ r, y, ulps=100)
    close(pb.grad(lambda x: pb.sum(la.slogdet(x)[1]))(x), np.swapaxes(np.linalg.inv(y), -1, -2), ulps=1000)


def test_multivariate_normal(device):
    mean, cov = pb.array([1.0, -2.0, 0.0]), pb.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.5]])
    x = pb.random.multivariate_normal(mean, cov, (20000,), key=pb.random.key(0))
    assert x.shape == (20000, 3)
    assert x.dtype == pb.float32
    np.testing.assert_allclose(numpy(x).mean(0), numpy(mean), atol=0.05)
    np.testing.assert_allclose(np.cov(numpy(x).T), numpy(cov), atol=0.06)


def test_multivariate_normal_shapes_and_derivatives():
    draw, key = pb.random.multivariate_normal, pb.random.key(1)
    cov = pb.eye(2)
    assert draw(pb.zeros(2), cov, key=key).shape == (2,)
    assert draw(pb.zeros((4, 1, 2)), pb.broadcast_to(cov, (3, 2, 2)), key=key).shape == (4, 3, 2)
    assert draw(pb.zeros(2), cov, (2, 3), key=key).shape == (2, 3, 2)
    assert draw(pb.zeros(2), pb.zeros((2, 2)), key=key).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"\[random.multivariate_normal\] expected mean \[.., n\]"):
        draw(pb.zeros(3), cov, key=key)
    with pytest.raises(
        ValueError, match=r"\[random.multivariate_normal\] expected parameters that broadcast"
    ):
        draw(pb.zeros((4, 2)), cov, (1,), key=key)
    with pytest.raises(TypeError, match=r"\[random.multivariate_normal\] expected float32, got float64"):
        draw(pb.zeros(2), cov, dtype=pb.float64, key=key)
    mean, root = pb.array([1.0, 2.0]), pb.array([[1.0, 0.2], [0.3, 1.5]])
    check_grads(
        lambda m, r: draw(m, positive(r), (3,), key=key),
        [mean, root],
        dtype=None,
        eps=1e-2,
        rtol=1e-2,
        atol=1e-2,
    )
    # Where variances are equal, too.
    assert np.all(np.isfinite(numpy(pb.grad(lambda c: pb.sum(draw(mean, c, key=key)))(cov))))
