"""scan and associative_scan: values, every transform around, rules within, errors."""

from collections import namedtuple

import numpy as np
import pullback as pb
import pytest
from common import close
from pullback.testing import check_grads
from test_control import false, push

x3 = pb.array([1.0, 2.0, 3.0])
rows = pb.array(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32))
w3 = pb.array([0.5, -1.0, 0.7])
Pair = namedtuple("Pair", "a b")


def step(w):
    return lambda c, x: (pb.sin(c * w) + x, {"y": c * x, "s": (x * w).sum()})


def scanned(w, xs, **options):
    return pb.scan(step(w), pb.zeros_like(w), xs, **options)


def loop(w, xs, reverse=False):
    c, ys = pb.zeros(3), []
    for i in reversed(range(xs.shape[0])) if reverse else range(xs.shape[0]):
        c, y = step(w)(c, xs[i])
        ys.insert(0 if reverse else len(ys), y)
    return c, {k: pb.stack([y[k] for y in ys]) for k in ("y", "s")}


def total(tree):
    return sum((pb.cos(leaf).sum() for leaf in pb.tree.tree_leaves(tree)), pb.array(0.0))


def same(got, want, **tolerance):
    assert pb.tree.tree_structure(got) == pb.tree.tree_structure(want)
    for x, y in zip(pb.tree.tree_leaves(got), pb.tree.tree_leaves(want), strict=True):
        close(x, y, **tolerance)


@pytest.mark.parametrize("options", [{}, {"reverse": True}, {"checkpoint": True}, {"length": 5, "unroll": 2}])
def test_scan_is_a_loop(options):
    reverse = options.get("reverse", False)

    def ours(w, xs):
        return scanned(w, xs, **options)

    def theirs(w, xs):
        return loop(w, xs, reverse)

    def derivative(f, n):
        return pb.grad(lambda w, xs: total(f(w, xs)), n)

    for compiled in (lambda f: f, pb.compile):
        same(compiled(ours)(w3, rows), theirs(w3, rows))
        for n in (0, 1):
            same(compiled(derivative(ours, n))(w3, rows), derivative(theirs, n)(w3, rows))
        twice = pb.stack([rows, rows + 1])
        same(compiled(pb.vmap(ours, (None, 0)))(w3, twice), pb.vmap(theirs, (None, 0))(w3, twice))
        got = compiled(pb.vmap(derivative(ours, 0), (None, 0)))(w3, twice)
        same(got, pb.vmap(derivative(theirs, 0), (None, 0))(w3, twice))
    same(push(lambda w: ours(w, rows)[0])(w3), push(lambda w: theirs(w, rows)[0])(w3))
    same(push(lambda x: ours(w3, x)[0])(rows), push(lambda x: theirs(w3, x)[0])(rows))
    second = [pb.grad(lambda x, f=f: pb.sin(derivative(f, 1)(w3, x)).sum()) for f in (ours, theirs)]
    same(second[0](rows), second[1](rows), rtol=1e-4, atol=1e-5)
    second = [pb.hessian(lambda x, f=f: total(f(w3, x))) for f in (ours, theirs)]
    same(second[0](rows), second[1](rows), rtol=1e-4, atol=1e-5)
    three = pb.stack([pb.stack([rows, -rows])] * 2)
    same(pb.vmap(pb.vmap(lambda x: ours(w3, x)))(three), pb.vmap(pb.vmap(lambda x: theirs(w3, x)))(three))


def test_scan_has_right_derivatives():
    check_grads(lambda w, xs: pb.tree.tree_leaves(scanned(w, xs)), [w3, rows], order=2)


def test_trees_and_lengths():
    carry, ys = pb.scan(
        lambda c, x: (Pair(c.a + x["k"], c.b), [x["v"][0], None]),
        Pair(0.0, 1),
        {"k": x3, "v": (pb.array([1, 2, 3]),)},
    )
    assert isinstance(carry, Pair) and carry.a.item() == 6 and carry.b.item() == 1
    assert isinstance(ys, list) and ys[1] is None and ys[0].dtype == pb.int32
    close(ys[0], [1, 2, 3])
    carry, ys = pb.scan(lambda c, _: (c * 2, c), 1, length=4)
    assert carry.item() == 16
    close(ys, [1, 2, 4, 8])
    assert pb.scan(lambda c, x: (c + x, None), 0.0, np.ones(3, np.float32))[1] is None
    close(pb.scan(lambda c, x: (c, 2.0), 0.0, x3)[1], [2, 2, 2])


def test_no_rows():
    def f(c, x):
        return c * 2, {"y": x * c, "n": x.sum().astype(pb.int32)}

    carry, ys = pb.scan(f, pb.array(3.0), pb.zeros((0, 4)))
    assert carry.item() == 3
    assert ys["y"].shape == (0, 4) and ys["n"].shape == (0,) and ys["n"].dtype == pb.int32
    carry, ys = pb.scan(lambda c, _: (c, c), pb.ones(2), length=0)
    assert ys.shape == (0, 2)
    close(pb.grad(lambda c: pb.scan(f, c, pb.zeros((0, 4)))[0])(pb.array(3.0)), 1)
    assert pb.vmap(lambda c: pb.scan(f, c, pb.zeros((0, 4)))[1]["y"])(x3).shape == (3, 0, 4)
    assert pb.associative_scan(pb.add, pb.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("rule", ["vjp", "jvp"])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_rules_within_scans_are_kept(rule, checkpoint):
    f = false(rule)

    def g(x):
        return pb.scan(lambda c, _: (f(c), None), x, length=2, checkpoint=checkpoint)[0]

    for h in (pb.grad(g), push(g), pb.compile(pb.grad(g)), pb.compile(push(g))):
        close(h(pb.array(3.0)), 2700)
        close(pb.vmap(h)(pb.array([3.0, 4.0])), [2700, 6400])
    close(pb.grad(lambda x: pb.vmap(g)(x).sum())(pb.array([3.0, 4.0])), [2700, 6400])

    def along(xs):
        return pb.scan(lambda c, x: (c + f(x), f(x)), 0.0, xs, checkpoint=checkpoint)[1].sum()

    close(pb.grad(along)(x3), 10 * x3)
    close(pb.associative_scan(lambda a, b: f(a) + b, x3)[1], 3)
    close(pb.grad(lambda x: pb.associative_scan(lambda a, b: f(a) + b, x)[1])(x3), [10, 1, 0])


def test_a_branch_on_a_value():
    def f(x):
        return pb.scan(lambda c, x: (c * x if x > 1 else c + x, None), 1.0, x)[0]

    close(pb.grad(f)(x3), [6, 6, 4])


def test_many_rows_take_linear_time():
    xs = pb.ones((3000, 2)) * 0.1
    g = pb.grad(lambda x: pb.scan(lambda c, x: (c * 0.5 + x, c), pb.zeros(2), x)[1].sum())(xs)
    close(g[0], [2, 2])
    close(g[-2:], [[1, 1], [0, 0]])


@pytest.mark.parametrize("size", range(10))
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(size, reverse):
    x = np.random.default_rng(size).normal(size=(2, size, 3)).astype(np.float32)

    def want(x):
        return np.flip(np.cumsum(np.flip(x, 1), 1), 1) if reverse else np.cumsum(x, 1)

    for axis in (1, -2):
        close(pb.associative_scan(pb.add, pb.array(x), reverse=reverse, axis=axis), want(x), 1e-4, 1e-5)
    got = pb.grad(lambda y: (pb.associative_scan(pb.add, y, reverse, 1) * pb.array(x)).sum())(pb.array(x))
    back = np.cumsum(x, 1) if reverse else np.flip(np.cumsum(np.flip(x, 1), 1), 1)
    close(got, back, 1e-4, 1e-5)


def test_associative_scan_of_trees():
    """A linear recurrence `h = a h + b`, whose pairs do not commute."""

    def join(p, q):
        return {"a": p["a"] * q["a"], "b": q["a"] * p["b"] + q["b"]}

    def ours(a, b):
        return pb.associative_scan(join, {"a": a, "b": b})["b"]

    def theirs(a, b):
        return pb.scan(lambda h, ab: (h * ab[0] + ab[1],) * 2, 0.0, (a, b))[1]

    a, b = rows[:, 0], rows[:, 1]
    close(ours(a, b), theirs(a, b))
    for compiled in (lambda f: f, pb.compile):
        for n in (0, 1):
            slopes = [compiled(pb.grad(lambda a, b, f=f: f(a, b).sum(), n))(a, b) for f in (ours, theirs)]
            close(*slopes, atol=1e-5)
        close(compiled(pb.vmap(ours, in_axes=1))(rows, rows[:, ::-1])[0], theirs(rows[:, 0], rows[:, 2]))
    close(push(lambda a: ours(a, b))(a), push(lambda a: theirs(a, b))(a))
    close(
        pb.vmap(pb.grad(lambda a: ours(a, a).sum()), 1)(rows)[1],
        pb.grad(lambda a: theirs(a, a).sum())(rows[:, 1]),
    )


def test_errors():
    with pytest.raises(TypeError, match=r"\[scan\] expected the carry that f returns to be float32\[\], got"):
        pb.scan(lambda c, x: (c + pb.ones(2), x), 0.0, x3)
    with pytest.raises(TypeError, match=r"to be int32\[\], got float32\[\]: convert it by"):
        pb.scan(lambda c, x: (c + x, x), pb.array(0), x3)
    with pytest.raises(TypeError, match="expected the carry that f returns to have the structure"):
        pb.scan(lambda c, x: ((c, c), x), 0.0, x3)
    with pytest.raises(TypeError, match=r"expected f to return \(carry, y\), got a array"):
        pb.scan(lambda c, x: c, 0.0, x3)
    with pytest.raises(
        ValueError, match=r"expected as many rows everywhere, got xs of float32\[3\], float32\[2\]"
    ):
        pb.scan(lambda c, x: (c, c), 0.0, (x3, pb.ones(2)))
    with pytest.raises(ValueError, match=r"got xs of float32\[3\] and length=2"):
        pb.scan(lambda c, x: (c, c), 0.0, x3, length=2)
    with pytest.raises(ValueError, match="expected xs or a length, got neither"):
        pb.scan(lambda c, x: (c, c), 0.0)
    with pytest.raises(ValueError, match="expected rows in xs, got a scalar"):
        pb.scan(lambda c, x: (c, c), 0.0, 1.0)
    with pytest.raises(ValueError, match="length that is not negative"):
        pb.scan(lambda c, x: (c, c), 0.0, length=-1)
    with pytest.raises(TypeError, match="what f returns for each row to be"):
        pb.scan(lambda c, x: (c + 1, pb.ones(int(c.item()))), 1, x3)
    with pytest.raises(
        TypeError, match=r"\[associative_scan\] expected the result of fn to be float32\[1\], got"
    ):
        pb.associative_scan(lambda a, b: (a + b).sum(), x3)
    with pytest.raises(ValueError, match=r"expected arrays with an axis 1, got float32\[3\]"):
        pb.associative_scan(pb.add, x3, axis=1)
    with pytest.raises(ValueError, match="expected as many rows everywhere along axis 0"):
        pb.associative_scan(lambda a, b: a, (x3, pb.ones(2)))
    with pytest.raises(ValueError, match="expected an array in elems"):
        pb.associative_scan(lambda a, b: a, ())


@pytest.mark.parametrize("reverse", [False, True])
def test_against_jax(reverse):
    jax = pytest.importorskip("jax")

    def f(lib, xp, w, xs):
        def step(c, x):
            return xp.sin(c["h"] * w + x["a"]) * c["h"], None

        def both(c, x):
            h, _ = step(c, x)
            return {"h": h + x["b"], "n": c["n"] + 1}, (h * c["h"], c["n"])

        start = {"h": w * 1.0, "n": xp.array(0)}
        c, (ys, ns) = lib.scan(both, start, xs, reverse=reverse)
        zs = lib.associative_scan(lambda a, b: a * b, ys, reverse=reverse)
        return c["h"].sum() + (ys * ns[:, None]).sum() + zs.sum()

    w, xs = np.asarray(w3), np.asarray(rows)
    jx, px = {"a": xs, "b": xs[::-1].copy()}, {"a": rows, "b": rows[::-1]}
    ours, theirs = (lambda w, xs: f(pb, pb, w, xs)), (lambda w, xs: f(jax.lax, jax.numpy, w, xs))
    close(ours(w3, px), theirs(w, jx), 1e-4, 1e-5)
    got, want = pb.grad(ours, (0, 1))(w3, px), jax.grad(theirs, (0, 1))(w, jx)
    close(got[0], want[0], 1e-3, 1e-4)
    close(got[1]["b"], want[1]["b"], 1e-3, 1e-4)
    close(pb.hessian(ours)(w3, px), jax.hessian(theirs)(w, jx), 1e-3, 1e-3)
