"""What stands around custom rules: functions run once and used as linear maps, closures made explicit."""

import gc
import pickle
from collections import namedtuple

import numpy as np
import pullback as pb
import pytest
from common import close
from pullback import _core
from pullback import checkpoint_policies as policies

X = 3.0


def false_vjp():
    """x², whose gradient is said to be 10x: the body would say 2x."""
    f = pb.custom_function(lambda x: x * x, missing="derive")
    f.vjp(lambda x, g, y: 10 * g * x)
    return f


def false_jvp():
    """x², whose tangent is said to be 100xt."""
    f = pb.custom_function(lambda x: x * x, missing="derive")
    f.jvp(lambda x, t: 100 * x * t)
    return f


FALSE = [(false_vjp, 10.0), (false_jvp, 100.0)]
each_rule = pytest.mark.parametrize(("make", "factor"), FALSE)


def counted(f):
    """A function, and the list of its calls."""
    calls = []

    def g(*args):
        calls.append(args)
        return f(*args)

    return g, calls


# linearize


def test_linearize_runs_once():
    f, calls = counted(lambda x, y: pb.sin(x) * y)
    out, f_jvp = pb.linearize(f, pb.array(0.5), pb.array(2.0))
    close(out, 2 * np.sin(0.5))
    for s, t in [(1.0, 0.0), (0.0, 1.0), (0.25, -3.0)]:
        close(f_jvp(pb.array(s), pb.array(t)), 2 * np.cos(0.5) * s + np.sin(0.5) * t)
    close(f_jvp(1, None), 2 * np.cos(0.5))
    assert len(calls) == 1


@each_rule
def test_linearize_keeps_rules(make, factor):
    f = make()
    out, f_jvp = pb.linearize(lambda x: pb.sin(f(x)), pb.array(X))
    want = factor * X * np.cos(X * X)
    close(out, np.sin(X * X), atol=1e-5)
    close(f_jvp(pb.array(1.0)), want, rtol=1e-4)
    t = np.array([1.0, -2.0, 0.5], np.float32)
    close(pb.vmap(f_jvp)(pb.array(t)), want * t, rtol=1e-4)
    close(pb.compile(f_jvp)(pb.array(2.0)), 2 * want, rtol=1e-4)
    close(pb.compile(pb.vmap(f_jvp))(pb.array(t)), want * t, rtol=1e-4)
    # It is linear, so its derivative is itself.
    close(pb.grad(f_jvp)(pb.array(7.0)), want, rtol=1e-4)
    close(pb.jvp(f_jvp, [pb.array(7.0)], [pb.array(2.0)])[1][0], 2 * want, rtol=1e-4)
    close(pb.linear_transpose(f_jvp, pb.array(0.0))(pb.array(2.0))[0], 2 * want, rtol=1e-4)
    close(pb.linearize(f_jvp, pb.array(7.0))[1](pb.array(1.0)), want, rtol=1e-4)


@each_rule
def test_linearize_within_other_transforms(make, factor):
    f = make()

    def slope(x):
        return pb.linearize(lambda x: f(x) * x, x)[1](pb.array(1.0))

    # f·x: factor·x·x + x²; its derivative goes through the rule: x·(factor x) and f.
    close(slope(pb.array(X)), (factor + 1) * X**2)
    close(pb.grad(slope)(pb.array(X)), 3 * factor * X)
    close(pb.jvp(slope, [pb.array(X)], [pb.array(1.0)])[1][0], 3 * factor * X)
    x = np.array([1.0, 2.0], np.float32)
    close(pb.vmap(slope)(pb.array(x)), (factor + 1) * x**2)
    close(pb.grad(lambda x: pb.vmap(slope)(x).sum())(pb.array(x)), 3 * factor * x)
    close(pb.vmap(pb.grad(slope))(pb.array(x)), 3 * factor * x)
    close(pb.compile(pb.vmap(pb.grad(slope)))(pb.array(x)), 3 * factor * x)
    close(pb.grad(pb.checkpoint(slope))(pb.array(X)), 3 * factor * X)
    # Twice: the tangent of the tangent.
    twice = pb.linearize(slope, pb.array(X))[1]
    close(twice(pb.array(1.0)), 3 * factor * X)


Pair = namedtuple("Pair", ["a", "b"])


def test_linearize_of_trees():
    def f(p, z):
        return {"out": p["w"] * z[0], "pair": Pair(z[1] ** 2, 7)}

    p, z = {"w": pb.array([1.0, 2.0])}, [pb.array(3.0), pb.array(5.0)]
    out, f_jvp, aux = pb.linearize(lambda p, z: (f(p, z), {"n": 3, "w": p["w"]}), p, z, has_aux=True)
    close(out["out"], [3, 6])
    assert out["pair"].b == 7
    assert aux["n"] == 3
    close(aux["w"], [1, 2])
    t = f_jvp({"w": pb.array([1.0, 1.0])}, [pb.array(1.0), pb.array(0.5)])
    close(t["out"], [4, 5])
    close(t["pair"].a, 5)
    with pytest.raises(ValueError, match=r"\[linearize\] expected tangents in their places, got .*'w'"):
        f_jvp({"v": pb.array([1.0, 1.0])}, z)
    with pytest.raises(ValueError, match="expected a sequence of 2, got a tuple of 1"):
        f_jvp(p)
    with pytest.raises(ValueError, match=r"expected a tangent of type float32\[2\] for array 0"):
        f_jvp({"w": pb.array(1.0)}, z)
    with pytest.raises(TypeError, match="got something else"):
        f_jvp({"w": "one"}, z)


def test_linearize_of_integers_and_constants():
    out, f_jvp = pb.linearize(lambda x, n: (x * n, n + 1, pb.array(2.0)), pb.array(3.0), pb.array(2))
    tangents = f_jvp(pb.array(1.0), pb.array(0))
    close([t.item() for t in tangents], [2, 0, 0])
    assert tangents[1].dtype == out[1].dtype


def test_what_linearize_refuses():
    with pytest.raises(TypeError, match=r"\[linearize\] expected a function"):
        pb.linearize(3, pb.array(1.0))
    with pytest.raises(ValueError, match=r"\[linearize\] expected arrays or trees of arrays as primals"):
        pb.linearize(lambda: 1)
    with pytest.raises(TypeError, match=r"expected \(result, aux\) with has_aux=True"):
        pb.linearize(lambda x: x, pb.array(1.0), has_aux=True)
    with pytest.raises(KeyError):
        pb.linearize(lambda x: {}["a"], pb.array(1.0))
    assert not pb.grad(lambda x: x)(pb.array(1.0)).item() - 1, "nothing stays behind"


def test_maps_that_are_dropped_leave_nothing():
    f = false_vjp()

    def once():
        out, f_jvp = pb.linearize(f, pb.array(X))
        out, back = pb.vjp_fun(f, pb.array(X))
        pb.eval(out, f_jvp(pb.array(1.0)), back(pb.array(1.0)))

    once()
    gc.collect()
    before = _core._live_nodes()
    for _ in range(20):
        once()
    gc.collect()
    assert _core._live_nodes() <= before + 2


# vjp_fun


@each_rule
def test_vjp_fun_keeps_rules(make, factor):
    f = make()
    g, calls = counted(lambda x, y: f(x) * y)
    out, back = pb.vjp_fun(g, pb.array(X), pb.array(2.0))
    close(out, 2 * X * X)
    for c in (1.0, -3.0):
        gx, gy = back(pb.array(c))
        close([gx.item(), gy.item()], [c * factor * X * 2, c * X * X])
    assert len(calls) == 1
    c = np.array([1.0, -2.0], np.float32)
    close(pb.vmap(back)(pb.array(c))[0], c * factor * X * 2)
    close(pb.compile(back)(pb.array(2.0))[0], 2 * factor * X * 2)
    close(pb.grad(lambda c: back(c)[0])(pb.array(5.0)), factor * X * 2)

    def slope(x):
        return pb.vjp_fun(f, x)[1](pb.array(1.0))[0]

    x = np.array([1.0, 2.0], np.float32)
    close(pb.grad(slope)(pb.array(X)), factor)
    close(pb.jvp(slope, [pb.array(X)], [pb.array(2.0)])[1][0], 2 * factor)
    close(pb.vmap(slope)(pb.array(x)), factor * x)
    close(pb.compile(pb.vmap(pb.grad(slope)))(pb.array(x)), [factor, factor])
    close(pb.grad(lambda x: pb.vmap(slope)(x).sum())(pb.array(x)), [factor, factor])


def test_vjp_fun_of_trees():
    p = {"w": pb.array([1.0, 2.0]), "name": "layer"}
    _, back, aux = pb.vjp_fun(lambda p, x: ({"y": p["w"] * x}, p["name"]), p, pb.array(3.0), has_aux=True)
    assert aux == "layer"
    gp, gx = back({"y": pb.array([1.0, 10.0])})
    close(gp["w"], [3, 30])
    close(gx, 21)
    close(back({"y": None})[1], 0)
    with pytest.raises(ValueError, match=r"\[vjp_fun\] expected cotangent in their places, got .*'y'"):
        back({"z": pb.array([1.0, 10.0])})
    with pytest.raises(TypeError, match=r"\[vjp_fun\] expected one cotangent"):
        back()
    with pytest.raises(ValueError, match=r"cotangent of type float32\[2\] for array 0, got float32\[3\]"):
        back({"y": pb.zeros((3,))})


# linear_transpose


def test_linear_transpose():
    m = np.arange(6, dtype=np.float32).reshape(2, 3)
    back = pb.linear_transpose(lambda x: pb.array(m) @ x, pb.ShapeDtypeStruct((3,), pb.float32))
    g = np.array([1.0, -1.0], np.float32)
    close(back(pb.array(g))[0], m.T @ g)
    close(pb.vmap(back)(pb.array(np.eye(2, dtype=np.float32)))[0], m)
    close(pb.compile(back)(pb.array(g))[0], m.T @ g)
    close(pb.grad(lambda g: back(g)[0].sum())(pb.array(g)), m.sum(1))
    # Twice is the function itself.
    again = pb.linear_transpose(lambda g: back(g)[0], pb.ShapeDtypeStruct((2,), pb.float32))
    close(again(pb.array([1.0, 2.0, 3.0]))[0], m @ np.array([1, 2, 3]))
    # By what was captured it is differentiated like anything else.
    close(pb.grad(lambda a: pb.linear_transpose(lambda x: a * a * x, X)(2.0)[0])(pb.array(3.0)), 12)


def test_linear_transpose_of_trees():
    p = {"u": pb.array([1.0, 2.0]), "v": pb.ShapeDtypeStruct((), "float32")}
    back = pb.linear_transpose(lambda p, z: [p["u"].sum() + 3 * p["v"], 2 * z, 0 * z], p, pb.array(1.0))
    gp, gz = back([pb.array(1.0), pb.array(10.0), None])
    close(gp["u"], [1, 1])
    close([gp["v"].item(), gz.item()], [3, 20])


def test_linear_transpose_keeps_rules():
    f = pb.custom_function(lambda x: 3 * x, missing="derive")
    f.vjp(lambda x, g, y: 10 * g)
    close(pb.linear_transpose(f, X)(2.0)[0], 20)
    f = pb.custom_function(lambda x: 3 * x, missing="derive")
    f.jvp(lambda x, t: 100 * t)
    back = pb.linear_transpose(lambda x: pb.vmap(f)(x).sum(), pb.zeros((2,)))
    close(back(2.0)[0], [200, 200])
    close(pb.linear_transpose(pb.checkpoint(f), X)(2.0)[0], 200)


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x: pb.sin(x), "'sin'"),
        (lambda x: x * x, "'multiply'"),
        (lambda x: x + 1, "'add'"),
        (lambda x: pb.floor(2 * x), "'floor'"),
        (lambda x: pb.custom_function(pb.floor)(x), "'floor'"),
        (lambda x: pb.checkpoint(lambda x: pb.checkpoint(pb.exp)(x))(x), "'exp'"),
        (lambda x: pb.vmap(pb.custom_function(pb.cos))(pb.broadcast_to(x, (2,))), "'cos'"),
        (lambda x: pb.array(3.0), "does not depend on it"),
        (lambda x: pb.stop_gradient(x), "'stop_gradient'"),
    ],
)
def test_what_is_not_linear(f, name):
    with pytest.raises(pb.RuleError, match=rf"\[linear_transpose\] expected a linear function.*{name}"):
        pb.linear_transpose(f, pb.array(2.0))


def test_what_linear_transpose_refuses():
    with pytest.raises(pb.RuleError, match="a custom function in it is not"):
        pb.linear_transpose(false_vjp(), pb.array(2.0))(1.0)
    with pytest.raises(TypeError, match=r"expected a float or complex argument 0, got int32\[\]"):
        pb.linear_transpose(lambda n: 2 * n, pb.array(2))
    with pytest.raises(TypeError, match=r"expected a float or complex result 0, got int32\[\]"):
        pb.linear_transpose(lambda x: x.astype(pb.int32), pb.array(2.0))
    with pytest.raises(ValueError, match=r"a tracer of linear_transpose, .*need not look at it"):
        pb.linear_transpose(lambda x: x if x > 0 else -x, pb.array(2.0))
    with pytest.raises(ValueError, match=r"expected arrays, or pb.ShapeDtypeStruct, as primals"):
        pb.linear_transpose(lambda s: s, "x")


# _record and closure_convert


@each_rule
def test_a_record_runs_no_python_and_keeps_rules(make, factor):
    f = make()
    g, calls = counted(lambda x, p: {"y": f(x) * p["w"]})
    record = _core._record(g, (pb.ShapeDtypeStruct((), pb.float32), {"w": pb.array(1.0)}))

    def y(x):
        return record(x, {"w": pb.array(2.0)})["y"]

    x = np.array([1.0, 2.0], np.float32)
    assert record.captured == []
    close(y(pb.array(X)), 2 * X * X)
    close(y(X), 2 * X * X)
    close(pb.grad(y)(pb.array(X)), 2 * factor * X)
    close(pb.jvp(y, [pb.array(X)], [pb.array(1.0)])[1][0], 2 * factor * X)
    close(pb.vmap(pb.grad(y))(pb.array(x)), 2 * factor * x)
    close(pb.grad(lambda x: pb.vmap(y)(x).sum())(pb.array(x)), 2 * factor * x)
    close(pb.grad(pb.grad(y))(pb.array(X)), 2 * factor)
    close(pb.compile(pb.grad(pb.checkpoint(y)))(pb.array(X)), 2 * factor * X)
    assert len(calls) == 1


@each_rule
def test_what_a_record_captured_is_an_argument(make, factor):
    f = make()
    seen = []

    def h(a):
        record = _core._record(lambda x: f(pb.sin(a) * x) + a, (pb.array(1.0),))
        seen.append(len(record.captured))
        other = [2 * c for c in record.captured]
        return record(pb.array(X)) + 0 * record(pb.array(X), *other)

    def slope(a):
        return factor * X * X * np.sin(a) * np.cos(a) + 1

    close(pb.grad(h)(pb.array(2.0)), slope(2.0))
    assert seen == [2]
    a = np.array([0.5, 2.0], np.float32)
    close(pb.vmap(h)(pb.array(a)), X * X * np.sin(a) ** 2 + a)
    close(pb.vmap(pb.grad(h))(pb.array(a)), slope(a))
    close(pb.grad(lambda a: pb.vmap(h)(a).sum())(pb.array(a)), slope(a))
    close(pb.compile(pb.grad(h))(pb.array(2.0)), slope(2.0))
    assert _core._record(lambda x: x * pb.array(a), (pb.array(1.0),)).captured == []


def test_captured_arrays_may_be_replaced():
    def h(a):
        record = _core._record(lambda x: a * x, (pb.array(1.0),))
        (const,) = record.captured
        return pb.grad(lambda c: record(pb.array(X), c))(5 * const) + record(pb.array(1.0), pb.array(7.0)) * a

    # ∂(c·x)/∂c = x, and 7 in place of a.
    close(pb.grad(h)(pb.array(2.0)), 7)
    close(pb.vmap(h)(pb.array([1.0, 2.0])), [X + 7, X + 14])


def test_what_a_record_refuses():
    record = _core._record(lambda x, n: x * n["n"], (pb.zeros((3,)), {"n": pb.array(2.0)}))
    with pytest.raises(
        ValueError, match=r"expected float32\[3\] for args\[0\], as in the example, got float32\[2\]"
    ):
        record(pb.zeros((2,)), {"n": pb.array(1.0)})
    with pytest.raises(TypeError, match=r"of the structure it was recorded for, args\[0\]: float32\[3\]"):
        record(pb.zeros((3,)), [pb.array(1.0)])
    with pytest.raises(TypeError, match="expected 2 arguments and 0 captured arrays, got 1"):
        record(pb.zeros((3,)))


@each_rule
def test_closure_convert(make, factor):
    f = make()

    def h(a):
        converted, consts = pb.closure_convert(lambda x: {"y": f(x) * a}, pb.array(1.0))
        assert len(consts) == 1
        with pytest.raises(TypeError, match="1 arguments and 1 captured arrays, got 1"):
            converted(pb.array(1.0))
        gx, ga = pb.grad(lambda x, a: converted(x, a)["y"], argnums=(0, 1))(pb.array(X), *consts)
        return gx + ga

    close(pb.grad(h)(pb.array(2.0)), factor * X)
    close(pb.vmap(h)(pb.array([1.0, 2.0])), factor * X * np.array([1, 2]) + X * X)
    converted, consts = pb.closure_convert(lambda x: f(x), pb.array(1.0))
    assert consts == []
    close(pb.grad(converted)(pb.array(X)), factor * X)


def test_draws_within_a_checkpoint_are_drawn_once():
    def block(x):
        return pb.checkpoint_name(x * pb.random.normal((4,)), "noise").sum()

    for policy in (None, policies.save_only_these_names("noise"), policies.everything_saveable):
        pb.random.seed(3)
        want = pb.grad(block)(pb.array(2.0)).item()
        pb.random.seed(3)
        value, slope = pb.value_and_grad(pb.checkpoint(block, policy=policy))(pb.array(2.0))
        close(slope, want)
        close(value, 2 * want)


def test_policies_are_pickled():
    assert pickle.loads(pickle.dumps(policies.save_only_these_names("a"))).names == ("a",)
    f = pickle.loads(pickle.dumps(pb.checkpoint(pb.sin, policies.everything_saveable)))
    close(pb.grad(f)(pb.array(0.0)), 1)
