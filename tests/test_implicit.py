"""custom_root, custom_linear_solve: both modes, every transform around, what they captured, errors."""

import numpy as np
import pullback as pb
import pytest
from common import close
from pullback.testing import check_grads
from test_control import false, push

A = pb.array([[3.0, 1.0, 0.0], [0.5, 4.0, 1.0], [0.0, -1.0, 5.0]])
B = pb.array([1.0, 2.0, 3.0])
EXACT = {"rtol": 1e-4, "atol": 1e-5}


def total(tree):
    return sum((leaf.sum() for leaf in pb.tree.tree_leaves(tree)), pb.array(0.0))


def richardson(matvec, b):
    """Solve by steps along the residual, over trees."""

    def residual(x):
        return pb.tree.tree_map(lambda y, z: z - y, matvec(x), b)

    def far(x):
        worst = sum((pb.abs(r).max() for r in pb.tree.tree_leaves(residual(x))), pb.array(0.0))
        return worst > (1e-12 if worst.dtype == pb.float64 else 1e-6)

    def step(c):
        return pb.tree.tree_map(lambda y, r: y + 0.2 * r, c[0], residual(c[0])), c[1] + 1

    start = pb.tree.tree_map(pb.zeros_like, b)
    return pb.while_loop(lambda c: pb.logical_and(far(c[0]), c[1] < 200), step, (start, 0))[0]


def solved(a, b):
    return pb.custom_linear_solve(lambda x: a @ x, b, richardson, richardson)


def inverse(a):
    return np.linalg.inv(np.asarray(a))


def newton(f, x):
    def slope(x):
        return pb.jvp(f, [x], [pb.ones_like(x)])[1][0]

    def step(c):
        return c[0] - f(c[0]) / slope(c[0]), c[1] + 1

    return pb.while_loop(lambda c: pb.logical_and(pb.abs(f(c[0])) > 1e-5, c[1] < 50), step, (x, 0))[0]


def scalar(g, y):
    return y / g(pb.ones_like(y))


def root(a):
    return pb.custom_root(lambda x: x * x * x - a, pb.array(1.0), newton, scalar)


def test_linear_solve():
    lam, x = inverse(A).T @ np.ones(3), inverse(A) @ np.asarray(B)
    for compiled in (lambda f: f, pb.compile):
        close(compiled(solved)(A, B), x, **EXACT)
        by_a, by_b = compiled(pb.grad(lambda a, b: solved(a, b).sum(), (0, 1)))(A, B)
        close(by_a, -np.outer(lam, x), **EXACT)
        close(by_b, lam, **EXACT)
        close(compiled(push(lambda a: solved(a, B)))(A), -inverse(A) @ np.ones((3, 3)) @ x, **EXACT)
        close(compiled(push(lambda b: solved(A, b)))(B), inverse(A).sum(1), **EXACT)
        close(compiled(pb.jacfwd(lambda b: solved(A, b)))(B), inverse(A), **EXACT)
        close(compiled(pb.jacrev(lambda b: solved(A, b)))(B), inverse(A), **EXACT)


def test_linear_solve_to_second_order():
    def f(s):
        return solved(A * s, B * s * s * s).sum()

    # The sum of `inv(A) B s²`.
    want = 2 * (inverse(A) @ np.asarray(B)).sum()
    for second in (pb.grad(pb.grad(f)), push(pb.grad(f)), pb.grad(push(f)), push(push(f)), pb.hessian(f)):
        close(second(pb.array(1.5)), want, 1e-3, 1e-3)
        close(pb.vmap(second)(pb.array([1.0, 2.0])), [want, want], 1e-3, 1e-3)
    close(pb.compile(pb.grad(pb.grad(f)))(pb.array(1.5)), want, 1e-3, 1e-3)
    check_grads(
        lambda s: solved(A.astype(pb.float64) * s, B.astype(pb.float64) * pb.sin(s)), [pb.array(1.2)], 2
    )


def test_linear_solve_of_batches():
    many = pb.stack([A, 2 * A, A.T])
    want = np.stack([inverse(a) @ np.asarray(B) for a in many])
    close(pb.vmap(solved, (0, None))(many, B), want, **EXACT)
    rows = pb.stack([B, 2 * B])
    close(pb.vmap(solved, (None, 0))(A, rows), np.stack([want[0], 2 * want[0]]), **EXACT)
    twice = pb.vmap(pb.vmap(solved, (None, 0)), (0, None))
    close(twice(many, rows), np.stack([np.stack([w, 2 * w]) for w in want]), **EXACT)
    gradient = pb.grad(lambda a, b: solved(a, b).sum())
    each = np.stack([np.asarray(gradient(a, B)) for a in many])
    close(pb.vmap(gradient, (0, None))(many, B), each, **EXACT)
    close(pb.compile(pb.vmap(gradient, (0, None)))(many, B), each, **EXACT)
    close(pb.grad(lambda a: pb.vmap(solved, (0, None))(a, B).sum())(many), each, **EXACT)
    close(pb.vmap(pb.vmap(gradient, (None, 0)), (0, None))(many, rows)[:, 0], each, **EXACT)


def test_linear_solve_of_trees():
    def f(p, b):
        def matvec(x):
            return {"u": p["d"] * x["u"] + x["v"], "v": 3 * x["v"] + p["e"] * x["u"].sum()}

        return pb.custom_linear_solve(matvec, b, richardson, richardson)

    p = {"d": pb.array([2.0, 4.0]), "e": pb.array(0.5)}
    b = {"u": pb.array([1.0, 2.0]), "v": pb.array([3.0])}

    def dense(p, b):
        d, e = p["d"], p["e"]
        matrix = np.array([[d[0].item(), 0, 1], [0, d[1].item(), 1], [e.item(), e.item(), 3]])
        return np.linalg.solve(matrix, np.array([1.0, 2, 3])), matrix

    x, matrix = dense(p, b)
    out = f(p, b)
    close(out["u"], x[:2], **EXACT)
    close(out["v"], x[2:], **EXACT)
    lam = np.linalg.solve(matrix.T, np.ones(3))
    by_p, by_b = pb.grad(lambda p, b: total(f(p, b)), (0, 1))(p, b)
    close(by_b["u"], lam[:2], **EXACT)
    close(by_b["v"], lam[2:], **EXACT)
    close(by_p["d"], -lam[:2] * x[:2], **EXACT)
    close(by_p["e"], -lam[2] * x[:2].sum(), **EXACT)


def test_solvers_of_other_kinds():
    """A solver may loop over values or call NumPy, and what it captured is constant."""
    calls = []

    def by_numpy(matvec, b):
        calls.append(b.shape)
        matrix = np.stack([np.asarray(matvec(row)) for row in pb.eye(3)], 1)
        return pb.array(np.linalg.solve(matrix, np.asarray(b)))

    def f(a, b, **options):
        return pb.custom_linear_solve(lambda x: a @ x, b, by_numpy, **options)

    close(f(A, B), inverse(A) @ np.asarray(B), **EXACT)
    close(pb.grad(lambda b: f(A, b, transpose_solve=by_numpy).sum())(B), inverse(A).sum(0), **EXACT)
    close(push(lambda b: f(A, b))(B), inverse(A).sum(1), **EXACT)
    symmetric = A + A.T
    got = pb.grad(lambda a, b: f(a + a.T, b, symmetric=True).sum(), 1)(A, B)
    close(got, inverse(symmetric).sum(0), **EXACT)
    with pytest.raises(
        pb.RuleError, match=r"\[custom_linear_solve\] expected transpose_solve for derivatives"
    ):
        pb.grad(lambda b: f(A, b).sum())(B)

    def captures(a):
        return pb.custom_linear_solve(lambda x: a * x, B, lambda matvec, b: b / a, symmetric=True).sum()

    close(pb.grad(captures)(pb.array(2.0)), -6 / 4)
    close(pb.vmap(pb.grad(captures))(pb.array([2.0, 1.0])), [-6 / 4, -6])
    close(pb.grad(pb.grad(captures))(pb.array(2.0)), 2 * 6 / 8)
    close(pb.compile(captures)(pb.array(2.0)), 3)


def test_root():
    a = pb.array([1.0, 8.0, 27.0])
    x = np.cbrt(np.asarray(a))
    first, second, third = x / (3 * a), -2 * x / (9 * a * a), 10 * x / (27 * a * a * a)
    for compiled in (lambda f: f, pb.compile):
        close(compiled(root)(a[1]), 2, **EXACT)
        close(compiled(pb.vmap(root))(a), x, **EXACT)
        for one in (pb.grad(root), push(root)):
            close(compiled(one)(a[1]), first[1], **EXACT)
            close(compiled(pb.vmap(one))(a), first, **EXACT)
        for two in (pb.grad(pb.grad(root)), push(pb.grad(root)), pb.grad(push(root)), push(push(root))):
            close(compiled(two)(a[1]), second[1], **EXACT)
            close(compiled(pb.vmap(two))(a), second, **EXACT)
        close(compiled(pb.grad(lambda a: pb.vmap(root)(a).sum()))(a), first, **EXACT)
        close(compiled(pb.vmap(pb.vmap(pb.grad(root))))(pb.stack([a, a])), np.stack([first, first]), **EXACT)
    close(pb.grad(pb.grad(pb.grad(root)))(a[1]), third[1], **EXACT)
    check_grads(lambda a: pb.custom_root(lambda x: x**3 - a, pb.zeros_like(a) + 1, newton, scalar), [a[1]], 2)


def test_root_over_values():
    def bisect(f, x):
        low, high = 0.0, 10.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if f(pb.array(middle)) < 0 else (low, middle)
        return pb.array(low)

    def f(a):
        return pb.custom_root(lambda x: x * x - a, 1.0, bisect, scalar)

    close(f(pb.array(4.0)), 2, **EXACT)
    close(pb.grad(f)(pb.array(4.0)), 0.25, **EXACT)
    close(push(f)(pb.array(4.0)), 0.25, **EXACT)
    close(pb.grad(lambda x0: pb.custom_root(lambda x: x * x - 4, x0, bisect, scalar))(pb.array(1.0)), 0)


def test_root_of_a_system():
    """The tangent is solved by `custom_linear_solve`; both functions captured parts of a tree."""

    def f(p):
        def g(x):
            return {"u": p["w"] @ x["u"] + 0.1 * pb.sin(x["u"]) - p["b"]}

        def steps(g, x):
            return pb.fori_loop(0, 60, lambda _, x: {"u": x["u"] - 0.2 * g(x)["u"]}, x)

        def tangent(g, y):
            return pb.custom_linear_solve(g, y, richardson, richardson)

        return pb.custom_root(g, {"u": pb.zeros(3)}, steps, tangent)["u"]

    p = {"w": A, "b": B}
    x = np.asarray(f(p))
    jacobian = np.asarray(A) + np.diag(0.1 * np.cos(x))
    close(np.asarray(A) @ x + 0.1 * np.sin(x), B, **EXACT)
    lam = np.linalg.solve(jacobian.T, np.ones(3))
    for compiled in (lambda f: f, pb.compile):
        got = compiled(pb.grad(lambda p: f(p).sum()))(p)
        close(got["b"], lam, **EXACT)
        close(got["w"], -np.outer(lam, x), **EXACT)
        close(compiled(pb.jacfwd(f))(p)["b"], np.linalg.inv(jacobian), **EXACT)
        many = {"w": pb.stack([A, A]), "b": pb.stack([B, B])}
        close(compiled(pb.vmap(pb.grad(lambda p: f(p).sum())))(many)["w"][1], -np.outer(lam, x), **EXACT)


def test_aux():
    def with_count(f, x):
        return newton(f, x), {"n": pb.array(7), "x": x * 2, "s": None}

    def f(a):
        return pb.custom_root(lambda x: x * x - a, pb.array(1.0), with_count, scalar, has_aux=True)

    x, aux = f(pb.array(4.0))
    close(x, 2, **EXACT)
    assert aux["n"].item() == 7 and aux["x"].item() == 2 and aux["s"] is None
    gradient, aux = pb.grad(f, has_aux=True)(pb.array(4.0))
    close(gradient, 0.25, **EXACT)
    assert aux["n"].item() == 7
    close(pb.grad(lambda a: f(a)[1]["x"])(pb.array(4.0)), 0)
    close(pb.vmap(f)(pb.array([4.0, 9.0]))[0], [2, 3], **EXACT)
    close(pb.jvp(lambda a: f(a)[0], [pb.array(4.0)], [pb.array(1.0)])[1][0], 0.25, **EXACT)

    def g(b):
        def solve(matvec, b):
            return richardson(matvec, b), {"k": b}

        return pb.custom_linear_solve(lambda x: A @ x, b, solve, solve, has_aux=True)

    x, aux = g(B)
    close(x, inverse(A) @ np.asarray(B), **EXACT)
    close(aux["k"], B)
    close(pb.grad(lambda b: g(b)[0].sum())(B), inverse(A).sum(0), **EXACT)
    close(pb.compile(pb.grad(lambda b: g(b)[0].sum()))(B), inverse(A).sum(0), **EXACT)


@pytest.mark.parametrize("rule", ["vjp", "jvp"])
def test_rules_within_equations_are_kept(rule):
    square = false(rule)

    # By the rule, `d(x² - w²)` is `2 x dx - 10 w dw`.
    def f(w):
        return pb.custom_root(lambda x: x * x - square(w), pb.array(1.0), newton, scalar)

    # And here `10 x dx - dw`: the root of `x² = w` has the slope `1 / (10 x)`.
    def g(w):
        return pb.custom_root(lambda x: square(x) - w, pb.array(1.0), newton, scalar)

    # The solution of `w² x = 1` has the slope `-10 w x / w²`.
    def h(w):
        return pb.custom_linear_solve(lambda x: square(w) * x, pb.array(1.0), scalar, symmetric=True)

    for fun, want in ((f, 5.0), (g, 0.1 / np.sqrt(2.0)), (h, -10 / 8)):
        for d in (pb.grad(fun), push(fun)):
            close(d(pb.array(2.0)), want, **EXACT)
            close(pb.vmap(d)(pb.array([2.0, 2.0])), [want, want], **EXACT)
            close(pb.compile(d)(pb.array(2.0)), want, **EXACT)


def test_errors():
    with pytest.raises(
        TypeError, match=r"\[custom_root\] expected what the function returns to be float32\[\]"
    ):
        pb.custom_root(lambda x: pb.stack([x, x]), pb.array(1.0), newton, scalar)
    with pytest.raises(TypeError, match=r"\[custom_root\] expected the solution to be float32\[\], got"):
        pb.custom_root(lambda x: x, pb.array(1.0), lambda f, x: pb.ones(2), scalar)
    with pytest.raises(TypeError, match=r"\[custom_root\] expected solve to return \(solution, aux\)"):
        pb.custom_root(lambda x: x, pb.array(1.0), lambda f, x: x, scalar, has_aux=True)
    with pytest.raises(TypeError, match=r"\[custom_linear_solve\] expected what the function returns to be"):
        pb.custom_linear_solve(lambda x: x.sum(), B, richardson)
    with pytest.raises(TypeError, match=r"\[custom_root\] expected the result of tangent_solve to be"):
        pb.grad(lambda a: pb.custom_root(lambda x: x - a, 1.0, lambda f, x: x, lambda g, y: pb.ones(2)))(
            pb.array(1.0)
        )


def test_against_jax():
    jax = pytest.importorskip("jax")

    def f(lib, xp, w, b):
        def solve(matvec, b):
            return lib.fori_loop(0, 100, lambda _, x: x + 0.2 * (b - matvec(x)), b * 0)

        def find(g, x):
            return lib.fori_loop(0, 100, lambda _, x: x - 0.15 * g(x), x)

        def tangent(g, y):
            return lib.custom_linear_solve(g, y, solve, solve)

        x = lib.custom_root(lambda x: w @ x + xp.sin(x * b) - b, b * 0, find, tangent)
        y = lib.custom_linear_solve(lambda y: w @ y, x, solve, solve)
        return (y * xp.cos(x)).sum()

    ours, theirs = (lambda w, b: f(pb, pb, w, b)), (lambda w, b: f(jax.lax, jax.numpy, w, b))
    w, b = np.asarray(A), np.asarray(B)
    close(ours(A, B), theirs(w, b), **EXACT)
    for got, want in zip(pb.grad(ours, (0, 1))(A, B), jax.grad(theirs, (0, 1))(w, b), strict=True):
        close(got, want, 1e-3, 1e-4)
    close(pb.hessian(ours, 1)(A, B), jax.hessian(theirs, 1)(w, b), 1e-3, 1e-3)
    many = pb.vmap(pb.grad(ours), (None, 0))(A, pb.stack([B, B + 1]))
    close(many, jax.vmap(jax.grad(theirs), (None, 0))(w, np.stack([b, b + 1])), 1e-3, 1e-4)
