"""jacfwd, jacrev, jacobian, hessian: against formulas, against JAX, and under every transform."""

from collections import namedtuple

import numpy as np
import pullback as pb
import pytest
from common import close

x3 = pb.array([1.0, 2.0, 3.0])
w23 = pb.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])
both = pytest.mark.parametrize("jac", [pb.jacfwd, pb.jacrev])
Pair = namedtuple("Pair", "a b")


def false(rule="vjp", factor=10):
    """A square whose rule is wrong, so that it shows where it is used."""
    f = pb.custom_function(lambda x: x * x, missing="derive")
    if rule == "vjp":
        f.vjp(lambda x, g: factor * g * x)
    else:
        f.jvp(lambda x, t: factor * t * x)
    return f


@both
def test_of_a_vector(jac):
    close(jac(lambda x: x * x)(x3), np.diag([2, 4, 6]))
    close(jac(lambda x: w23 @ x)(x3), w23)
    close(jac(lambda w: w @ x3)(w23), np.einsum("ij,k->ijk", np.eye(2), np.asarray(x3)))
    close(jac(lambda x: (x * x).sum())(x3), [2, 4, 6])
    close(jac(lambda x: x**3)(2.0), 12)
    assert pb.jacobian is pb.jacrev


@both
def test_trees(jac):
    def f(x, p, name):
        assert name == "static"
        return {"y": Pair(x * p["w"], [p["b"] * 2.0]), "k": (x * x).sum()}

    p = {"w": x3 + 1, "b": pb.array(3.0)}
    out = jac(f, (0, 1))(x3, p, "static")
    assert list(out) == ["y", "k"] and isinstance(out["y"], Pair) and isinstance(out["k"], tuple)
    close(out["y"].a[0], np.diag([2, 3, 4]))
    close(out["y"].a[1]["w"], np.diag([1, 2, 3]))
    close(out["y"].a[1]["b"], [0, 0, 0])
    close(out["y"].b[0][1]["b"], 2)
    close(out["k"][0], [2, 4, 6])
    close(jac(f, 1)(x3, p, name="static")["y"].a["w"], np.diag([1, 2, 3]))
    close(jac(f, -2)(x3, p, "static")["y"].a["w"], np.diag([1, 2, 3]))
    close(jac(f, [0])(x3, p, "static")["k"][0], [2, 4, 6])


@both
def test_aux(jac):
    got, aux = jac(lambda x: (x * x, {"k": x + 1, "s": "text"}), has_aux=True)(x3)
    close(got, np.diag([2, 4, 6]))
    close(aux["k"], x3 + 1)
    assert aux["s"] == "text"
    got = pb.vmap(lambda x: jac(lambda x: (x * x, x + 1), has_aux=True)(x))(w23)
    close(got[0][1], np.diag(2 * np.asarray(w23[1])))
    close(got[1], w23 + 1)
    close(pb.grad(lambda x: jac(lambda y: (y * y, y * y), has_aux=True)(x)[1].sum())(x3), 2 * x3)
    got, aux = pb.hessian(lambda x: ((x * x).sum(), x), has_aux=True)(x3)
    close(got, 2 * np.eye(3))
    close(aux, x3)


def test_hessian():
    h = pb.hessian(lambda x: (x**3).sum() + x[0] * x[1])
    want = np.diag([6.0, 12, 18])
    want[0, 1] = want[1, 0] = 1
    close(h(x3), want)
    close(pb.compile(h)(x3), want)
    close(pb.vmap(h)(pb.stack([x3, x3])), [want, want])
    out = pb.hessian(lambda p: p["a"] * p["a"] * p["b"])({"a": pb.array(2.0), "b": pb.array(5.0)})
    assert [[out[i][j].item() for j in "ab"] for i in "ab"] == [[10, 4], [4, 0]]
    out = pb.hessian(lambda x, y: x * x * y, (0, 1))(pb.array(2.0), pb.array(5.0))
    assert [[z.item() for z in row] for row in out] == [[10, 4], [4, 0]]
    close(pb.jacrev(pb.jacrev(lambda x: (x**3).sum()))(x3), np.diag([6, 12, 18]))
    close(pb.jacrev(pb.jacfwd(lambda x: (x**3).sum()))(x3), np.diag([6, 12, 18]))
    close(pb.jacfwd(pb.jacfwd(pb.jacfwd(lambda x: x**3)))(2.0), 6)


@both
def test_within_transforms(jac):
    def f(x):
        return jac(lambda x: pb.sin(x) * x[0])(x)

    def formula(x):
        return pb.diag(pb.cos(x) * x[0]) + pb.outer(pb.sin(x), pb.array([1.0, 0, 0]))

    close(f(x3), formula(x3))
    close(pb.compile(f)(x3), formula(x3))
    close(pb.vmap(f)(w23), pb.stack([formula(w23[0]), formula(w23[1])]))
    close(pb.grad(lambda x: f(x).sum())(x3), pb.grad(lambda x: formula(x).sum())(x3))
    close(pb.vmap(pb.grad(lambda x: f(x).sum()))(w23)[1], pb.grad(lambda x: formula(x).sum())(w23[1]))
    close(pb.jvp(f, [x3], [x3])[1][0], pb.jvp(formula, [x3], [x3])[1][0])
    close(pb.compile(pb.vmap(f))(w23), pb.vmap(formula)(w23))
    close(jac(lambda x: pb.vmap(lambda y: y * y)(x))(x3), np.diag([2, 4, 6]))
    close(jac(pb.checkpoint(lambda x: x * x))(x3), np.diag([2, 4, 6]))


@both
@pytest.mark.parametrize("rule", ["vjp", "jvp"])
def test_rules_are_kept(jac, rule):
    f = false(rule)
    close(jac(f)(x3), np.diag([10, 20, 30]))
    close(pb.vmap(jac(f))(w23)[1], np.diag(10 * np.asarray(w23[1])))
    close(pb.compile(jac(f))(x3), np.diag([10, 20, 30]))
    close(pb.hessian(lambda x: f(x).sum())(x3), 10 * np.eye(3))


@both
def test_a_branch_on_a_value(jac):
    close(jac(lambda x: x * 2 if x.sum() > 0 else x)(x3), 2 * np.eye(3))


@both
def test_types_and_sizes(jac):
    assert jac(lambda x: x * x)(pb.zeros(0)).shape == (0, 0)
    assert jac(lambda x: x * x)(x3.astype(pb.float16)).dtype == pb.float16
    mixed = jac(lambda x, y: x * y.astype(pb.float32), (0, 1))(pb.array(2.0), pb.array(3.0, pb.float16))
    assert [g.item() for g in mixed] == [3, 2]


@both
def test_errors(jac):
    name = jac.__name__
    with pytest.raises(
        TypeError, match=rf"\[{name}\] expected arrays of real floats as arguments, got int32"
    ):
        jac(lambda x: x * 2.0)(pb.array([1, 2]))
    with pytest.raises(TypeError, match=rf"\[{name}\] expected arrays of real floats as outputs, got int32"):
        jac(lambda x: x.astype(pb.int32))(x3)
    with pytest.raises(
        TypeError, match=rf"\[{name}\] expected arrays of real floats as arguments, got a str"
    ):
        jac(lambda x: x)("x")
    with pytest.raises(ValueError, match=rf"\[{name}\] expected argnums among 1 positional arguments, got 1"):
        jac(lambda x: x, 1)(x3)
    with pytest.raises(ValueError, match=r"expected \(output, aux\)"):
        jac(lambda x: x, has_aux=True)(x3)
    with pytest.raises(ValueError, match="expected an array to be returned, got None"):
        jac(lambda x: None)(x3)
    with pytest.raises(ValueError, match="expected an array among the arguments"):
        jac(lambda x: x)(None)


@pytest.mark.parametrize("name", ["jacfwd", "jacrev", "hessian"])
def test_against_jax(name):
    jax = pytest.importorskip("jax")

    def f(xp, x, p):
        return {"y": (xp.sin(x) @ p["w"]).sum() * p["b"], "z": [xp.exp(x * p["b"])]}

    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 2)), np.array(0.7)
    x, w, b = (v.astype(np.float32) for v in (x, w, b))
    got = getattr(pb, name)(lambda x, p: f(pb, x, p), (0, 1))(
        pb.array(x), {"b": pb.array(b), "w": pb.array(w)}
    )
    want = getattr(jax, name)(lambda x, p: f(jax.numpy, x, p), (0, 1))(x, {"b": b, "w": w})
    got, want = pb.tree.tree_leaves(got), jax.tree_util.tree_leaves(want)
    assert len(got) == len(want)
    for ours, theirs in zip(got, want, strict=True):
        assert ours.shape == theirs.shape
        close(ours, theirs, 1e-4, 1e-5)
