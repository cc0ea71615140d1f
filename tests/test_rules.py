"""Custom functions: the door of MLX, and the laws of composition."""

import inspect
import pickle
import warnings
from functools import partial

import numpy as np
import pullback as pb
import pytest
from common import close

x3 = pb.array([1.0, 2.0, 3.0])


def square(*, vjp=True, jvp=False, vmap=False, **how):
    """x * x, whose rules answer 10 g x, 100 t x and x * x + 7: the number shows which rule was used."""
    calls = {"fun": 0, "vjp": 0, "jvp": 0, "vmap": 0}

    def fun(x):
        calls["fun"] += 1
        return x * x

    f = pb.custom_function(fun, **how)
    if vjp:

        def f_vjp(x, g, y):
            calls["vjp"] += 1
            return 10 * g * x

        f.vjp(f_vjp)
    if jvp:

        def f_jvp(x, t):
            calls["jvp"] += 1
            return 100 * t * x

        f.jvp(f_jvp)
    if vmap:

        def f_vmap(x, axis):
            calls["vmap"] += 1
            return x * x + 7, axis

        f.vmap(f_vmap)
    f.calls = calls
    return f


# The example of the documentation of MLX, with its slips mended.


def documented():
    @pb.custom_function
    def f(x, y):
        return pb.sin(x) * y

    @f.vjp
    def f_vjp(primals, cotangent, output):
        x, y = primals
        return cotangent * pb.cos(x) * y, cotangent * pb.sin(x)

    @f.jvp
    def f_jvp(primals, tangents):
        x, y = primals
        dx, dy = tangents
        return dx * pb.cos(x) * y + dy * pb.sin(x)

    @f.vmap
    def f_vmap(inputs, axes):
        x, y = inputs
        ax, ay = axes
        if ax is not None:
            x = pb.moveaxis(x, ax, 0)
        if ay is not None:
            y = pb.moveaxis(y, ay, 0)
        if ax is None:
            x = x[None]
        if ay is None:
            y = y[None]
        return pb.sin(x) * y, 0

    return f


AXES = [(a, b) for a in (0, 1, 2, None) for b in (0, 1, 2, None) if (a, b) != (None, None)]


def test_documented_example():
    f = documented()
    assert f.vjp(lambda p, g, o: (g * pb.cos(p[0]) * p[1], g * pb.sin(p[0]))) is f
    x, y = pb.array(1.0), pb.array(2.0)
    close(f(x, y), np.sin(1) * 2)
    gx, gy = pb.grad(f, argnums=(0, 1))(x, y)
    close(gx, np.cos(1) * 2)
    close(gy, np.sin(1))
    close(pb.jvp(f, (x, y), (pb.array(1.0), pb.array(1.0)))[1][0], np.cos(1) * 2 + np.sin(1))
    close(pb.jvp(lambda x: f(x, 2), (x,), (pb.array(1.0),))[1][0], np.cos(1) * 2)
    close(pb.jvp(lambda x: f(x, y), (x,), (pb.array(1.0),))[1][0], np.cos(1) * 2)
    close(pb.grad(lambda x: f(x, 2))(x), np.cos(1) * 2)


@pytest.mark.parametrize("axes", AXES)
def test_documented_example_for_all_axes(axes):
    f = documented()
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(3, 3, 3)).astype(np.float32) for _ in range(2))

    def pick(v, axis, i):
        return v if axis is None else np.take(v, i, axis)

    if axes[0] is None:
        a = a[0]
    if axes[1] is None:
        b = b[0]
    want = np.stack([np.sin(pick(a, axes[0], i)) * pick(b, axes[1], i) for i in range(3)])
    close(pb.vmap(f, in_axes=axes)(pb.array(a), pb.array(b)), want)

    def total(x, y):
        return pb.vmap(f, in_axes=axes)(x, y).sum()

    gx, gy = pb.grad(total, (0, 1))(pb.array(a), pb.array(b))
    plain = lambda x, y: pb.vmap(lambda x, y: pb.sin(x) * y, in_axes=axes)(x, y).sum()
    wx, wy = pb.grad(plain, (0, 1))(pb.array(a), pb.array(b))
    close(gx, wx, 1e-4, 1e-4)
    close(gy, wy, 1e-4, 1e-4)
    t = pb.ones(a.shape), pb.zeros(b.shape)
    close(pb.jvp(total, (pb.array(a), pb.array(b)), t)[1][0], pb.sum(gx), 1e-4, 1e-4)


def test_documented_closure_example():
    def make():
        y = pb.array(2.0)

        @pb.custom_function
        def f(x):
            return x * y * 3

        @f.vjp
        def abort(primals, cotangents, outputs):
            raise ValueError("Abort!")

        return f

    def g(x, y):
        @pb.custom_function
        def f(x):
            return x * y

        @f.vjp
        def abort(primals, cotangents, outputs):
            raise ValueError("Abort!")

        return f(x)

    assert make()(pb.array(1.0)).item() == 6.0
    x, y = pb.array(2.0), pb.array(3.0)
    assert g(x, y).item() == 6.0
    with pytest.raises(ValueError, match="Abort!"):
        pb.grad(g)(x, y)
    assert pb.grad(g, argnums=1)(x, y).item() == 0.0
    with pytest.raises(ValueError, match="Abort!"):
        pb.grad(g, argnums=(0, 1))(x, y)
    assert pb.grad(pb.sin)(pb.array(0.0)).item() == 1


# What rules are given.


def test_two_parameters():
    f = pb.custom_function(lambda x, w: x @ w)

    @f.vjp
    def f_vjp(primals, g):
        x, w = primals
        return g @ w.T, x.T @ g

    x, w = pb.ones((2, 3)), pb.ones((3, 4))
    gx, gw = pb.grad(lambda x, w: f(x, w).sum(), (0, 1))(x, w)
    close(gx, np.full((2, 3), 4))
    close(gw, np.full((3, 4), 2))


def test_outputs_and_tangents():
    f = pb.custom_function(lambda x, y: x * y)
    f.jvp(lambda p, t: (p[0] * p[1], p[0] * t[1] + p[1] * t[0]))
    out, tangent = pb.jvp(f, (pb.array(2.0), pb.array(3.0)), (pb.array(1.0), pb.array(10.0)))
    assert (out[0].item(), tangent[0].item()) == (6, 23)
    f = pb.custom_function(lambda x: (x, x * x))
    f.jvp(lambda x, t: ((x, x * x), (t, 2 * x * t)))
    assert [t.item() for t in pb.jvp(f, [pb.array(3.0)], [pb.array(1.0)])[1]] == [1, 6]
    f = pb.custom_function(lambda x: x)
    f.jvp(lambda x, t: (t, t, t))
    with pytest.raises(pb.RuleError, match="jvp rule of '<lambda>'"):
        pb.jvp(f, [pb.array(3.0)], [pb.array(1.0)])


def test_structures_arrive_as_they_left():
    seen = {}

    @pb.custom_function
    def f(params, x, *, scale=1.0, mode="a"):
        return {"out": params["w"] * x * scale, "more": [x, (params["w"],)]}

    @f.vjp
    def f_vjp(primals, cotangents, outputs, *, scale, mode):
        seen.update(primals=primals, cotangents=cotangents, outputs=outputs, scale=scale, mode=mode)
        _params, x = primals
        return {"b": None, "w": cotangents["out"] * x}, None

    params = {"w": pb.array(2.0), "b": pb.array(1.0)}
    g = pb.grad(lambda p: f(p, pb.array(3.0), scale=1.0, mode="b")["out"])(params)
    assert (g["w"].item(), g["b"].item()) == (3, 0)
    assert list(seen["primals"][0]) == ["w", "b"] and seen["mode"] == "b" and seen["scale"] == 1.0
    assert isinstance(seen["cotangents"]["more"][1], tuple)
    assert seen["cotangents"]["more"][0].item() == 0 and seen["outputs"]["out"].item() == 6


def test_keyword_arrays():
    f = pb.custom_function(lambda x, *, k: x * k)
    f.vjp(lambda x, g, y, *, k: (g * k, {"k": g * x}))
    gx, named = pb.grad(f, 0, "k")(pb.array(2.0), k=pb.array(3.0))
    assert (gx.item(), named["k"].item()) == (3, 2)
    f.vjp(lambda x, g, y, *, k: g * k)
    assert pb.grad(f)(pb.array(2.0), k=pb.array(3.0)).item() == 3
    with pytest.raises(pb.RuleError, match="no gradient for keyword argument k"):
        pb.grad(f, argnames="k")(pb.array(2.0), k=pb.array(3.0))


def test_static_arguments():
    f = pb.custom_function(lambda x, n, how, fun: fun(x) * n)
    f.vjp(lambda p, g, y: g * p[1] * 7)
    assert pb.grad(f)(pb.array(2.0), 3, "how", pb.sin).item() == 21
    f.vjp(lambda p, g, y: (g * 5, None, None, None))
    assert pb.grad(f)(pb.array(2.0), 3, "how", pb.sin).item() == 5
    f.vmap(lambda inputs, axes: (inputs[0] * 0 + (axes == (0, None, None, None)), 0))
    close(pb.vmap(lambda x: f(x, 3, "how", pb.sin))(x3), [1, 1, 1])


def test_symbolic_zeros():
    seen = []
    f = pb.custom_function(lambda x, y: (x * y, x + y))
    f.vjp(lambda p, g, o: (seen.append(g), (g[0], None))[1], symbolic_zeros=True)
    pb.grad(lambda x: f(x, pb.array(2.0))[0])(pb.array(3.0))
    assert seen[-1][1] is None
    f.vjp(lambda p, g, o: (seen.append(g), (g[0], None))[1])
    pb.grad(lambda x: f(x, pb.array(2.0))[0])(pb.array(3.0))
    assert seen[-1][1].item() == 0
    f.jvp(lambda p, t: (seen.append(t), (t[0], t[0]))[1], symbolic_zeros=True)
    pb.jvp(lambda x: f(x, pb.array(2.0))[0], [pb.array(3.0)], [pb.array(1.0)])
    assert seen[-1][1] is None
    g = pb.custom_function(lambda x: x * 2)

    @g.vjp(symbolic_zeros=True)
    def g_vjp(x, g, y):
        return g * 9

    assert pb.grad(g)(pb.array(1.0)).item() == 9


def test_axis_size():
    sizes = []
    f = pb.custom_function(lambda x, y: x * y)

    @f.vmap
    def f_vmap(inputs, axes, axis_size):
        sizes.append(axis_size)
        return (inputs[0] * 2, None if axes[0] is None else axes[0])

    close(pb.vmap(f, (None, 0))(pb.array(3.0), pb.zeros(4)), [6, 6, 6, 6])
    assert sizes == [4]


def test_methods_names_and_pickle():
    class Model:
        def __init__(self, k):
            self.k = k

        @pb.custom_function
        def f(self, x):
            """Scale."""
            return x * self.k

        @f.vjp
        def f_vjp(primals, g, y):
            return None, g * primals[0].k * 10

    assert pb.grad(Model(3).f)(pb.array(1.0)).item() == 30
    assert Model.f.__name__ == "f" and Model.f.__doc__ == "Scale."
    assert str(inspect.signature(Model.f)) == "(self, x)"
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    assert repr(module_level) == "<custom_function module_level>"


@pb.custom_function
def module_level(x):
    return x * 2


# The laws.


def test_law_1_vmap_keeps_rules():
    for vmap in [False, True]:
        f = square(jvp=True, vmap=vmap)
        close(pb.grad(lambda x: pb.vmap(f)(x).sum())(x3), 10 * x3)
        close(pb.vmap(pb.grad(f))(x3), 10 * x3)
        close(pb.jvp(pb.vmap(f), [x3], [pb.ones(3)])[1][0], 100 * x3)
        close(pb.vmap(lambda x: pb.jvp(f, [x], [pb.array(1.0)])[1][0])(x3), 100 * x3)
        close(pb.vmap(f)(x3), x3 * x3 + 7 * vmap)
        close(pb.grad(lambda x: pb.vmap(pb.vmap(f))(x[None]).sum())(x3), 10 * x3)


def test_law_1_for_clipping_and_a_shared_input():
    clip = pb.custom_function(lambda w, x: w)
    clip.vjp(lambda p, g, y: (pb.clip(g, -1, 1), None))
    w = pb.array(1.0)
    got = pb.grad(lambda w: pb.vmap(lambda x: clip(w, x) * x)(x3).sum())(w)
    assert got.item() == 3
    mapped = pb.grad(lambda w: pb.vmap(lambda w, x: clip(w, x) * x, (None, 0))(w, x3).sum())(w)
    assert mapped.item() == 3


def test_law_2_derived_rules():
    forward = square(vjp=False, jvp=True, missing="derive")
    assert pb.grad(forward)(pb.array(3.0)).item() == 300
    reverse = square(missing="derive")
    assert pb.jvp(reverse, [pb.array(3.0)], [pb.array(1.0)])[1][0].item() == 30
    f = square(missing="derive")
    hvp = pb.jvp(pb.grad(f), [pb.array(3.0)], [pb.array(1.0)])[1][0]
    assert hvp.item() == 10
    assert pb.grad(lambda x: pb.jvp(forward, [x], [pb.array(1.0)])[1][0])(pb.array(3.0)).item() == 100
    close(pb.grad(lambda x: pb.vmap(forward)(x).sum())(x3), 100 * np.asarray(x3))


def test_law_2_what_is_not_linear_says_so():
    f = pb.custom_function(lambda x: x * x, missing="derive")
    f.vjp(lambda x, g, y: pb.clip(g, -1, 1))
    with pytest.raises(pb.RuleError, match="not linear"):
        pb.jvp(f, [pb.array(3.0)], [pb.array(1.0)])


def test_law_3_higher_order():
    f = square()
    assert pb.grad(pb.grad(f))(pb.array(3.0)).item() == 10
    cube = pb.custom_function(lambda x: x**3)
    cube.vjp(lambda x, g, y: 3 * g * y / x)
    assert [round(d(pb.array(2.0)).item(), 3) for d in (pb.grad(cube), pb.grad(pb.grad(cube)))] == [12, 12]


def test_law_4_the_body_is_not_touched():
    inner = square()
    f = pb.custom_function(lambda x: inner(x))
    f.vjp(lambda x, g, y: 5 * g)
    f.jvp(lambda x, t: 6 * t)
    assert pb.grad(f)(pb.array(3.0)).item() == 5
    assert pb.jvp(f, [pb.array(3.0)], [pb.array(1.0)])[1][0].item() == 6
    assert inner.calls["vjp"] == 0
    f = square(vmap=True)
    close(pb.vmap(f)(x3), x3 * x3 + 7)
    assert f.calls["fun"] == 0
    # A body that leaves the graph is differentiable by its rule.
    g = pb.custom_function(lambda x: pb.array(np.sin(np.asarray(x))))
    g.vjp(lambda x, g, y: g * pb.cos(x))
    g.vmap(lambda x, axis: (pb.sin(x), axis))
    close(pb.grad(g)(pb.array(1.0)), np.cos(1))
    close(pb.vmap(g)(x3), np.sin(x3))
    close(pb.vmap(pb.grad(g))(x3), np.cos(x3))


def test_law_5_compile_erases_the_node():
    f = square(jvp=True)
    fast = pb.compile(pb.grad(f))
    for _ in range(3):
        assert fast(pb.array(3.0)).item() == 30
    assert f.calls["vjp"] == 1
    f.vjp(lambda x, g, y: 7 * g)
    assert fast(pb.array(3.0)).item() == 7
    assert pb.grad(pb.compile(f))(pb.array(3.0)).item() == 7
    close(pb.compile(pb.vmap(f))(x3), x3 * x3)

    def chain(f, x):
        for _ in range(20):
            x = f(x)
        return x

    body = lambda x: x * 1.01 + 0.5
    custom = pb.custom_function(body)
    custom.vjp(lambda x, g, y: g)
    ours = pb.explain(pb.compile(lambda x: chain(custom, x)), pb.zeros(1000))
    plain = pb.explain(pb.compile(lambda x: chain(body, x)), pb.zeros(1000))
    assert ours == plain


def test_law_6_checkpoint():
    f = square(jvp=True)
    assert pb.grad(pb.checkpoint(f))(pb.array(3.0)).item() == 30
    assert pb.grad(pb.checkpoint(lambda x: f(pb.sin(x)) * 2))(pb.array(0.5)).item() == pytest.approx(
        20 * np.sin(0.5) * np.cos(0.5)
    )


def test_law_7_a_fallback_sees_the_same_numbers():
    runs = []
    f = pb.custom_function(lambda x: runs.append(1) or x * pb.random.uniform())
    f.vmap(lambda x, axis: (x, axis))
    value, slope = pb.value_and_grad(f)(pb.array(1.0))
    assert value.item() == slope.item() and len(runs) == 1


def test_law_8_exceptions():
    class Mine(Exception):
        pass

    def fail(*args):
        raise Mine("inside")

    f = pb.custom_function(lambda x: x * 2)
    f.vjp(fail)
    f.jvp(fail)
    f.vmap(fail)
    here = inspect.currentframe().f_lineno
    uses = [
        lambda: pb.grad(lambda x: f(x))(pb.array(1.0)),
        lambda: pb.jvp(lambda x: f(x), [pb.array(1.0)], [pb.array(1.0)]),
        lambda: pb.vmap(lambda x: f(x))(x3),
        lambda: pb.compile(pb.grad(lambda x: f(x)))(pb.array(1.0)),
        lambda: pb.grad(lambda x: pb.vmap(pb.grad(lambda y: f(y)))(x).sum())(x3),
    ]
    for i, use in enumerate(uses):
        with pytest.raises(Mine, match="inside") as info:
            use()
        assert f"called at {__file__}:{here + 2 + i}" in info.value.__notes__
        assert info.traceback[-1].name == "fail"
    assert pb.grad(pb.sin)(pb.array(0.0)).item() == 1
    assert f(pb.array(2.0)).item() == 4


# Fallbacks and captures.


def test_fallback_warns_once():
    f = square()
    with pytest.warns(pb.RuleFallbackWarning, match="'fun' has a vjp rule but no jvp rule") as seen:
        assert pb.jvp(f, [pb.array(3.0)], [pb.array(1.0)])[1][0].item() == 6
    assert len(seen) == 1
    plain = pb.custom_function(lambda x: x * x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pb.grad(plain)(pb.array(3.0)).item() == 6
    with pytest.raises(pb.RuleError, match="missing='error'"):
        pb.jvp(square(missing="error"), [pb.array(3.0)], [pb.array(1.0)])
    with pytest.raises(ValueError, match="expected missing to be 'body' or 'derive' or 'error'"):
        pb.custom_function(lambda x: x, missing="other")


@pytest.mark.parametrize("captured, slope", [("constant", 0), ("differentiate", 2)])
def test_captured(captured, slope):
    def g(y, x):
        f = pb.custom_function(lambda x: x * y, captured=captured)
        f.vjp(lambda x, g, o: g * 30)
        return f(x)

    x, y = pb.array(2.0), pb.array(3.0)
    gy, gx = pb.grad(g, (0, 1))(y, x)
    assert (gy.item(), gx.item()) == (slope, 30)
    close(pb.vmap(g, (0, None))(x3, x), 2 * x3)
    close(pb.vmap(pb.grad(g), (0, None))(x3, x), [slope] * 3)


def test_captured_error():
    def g(y, x):
        f = partial(pb.custom_function, captured="error")(lambda x: x * y)
        return f(x)

    with pytest.raises(pb.RuleError, match=r"captured .*pass it as an argument"):
        pb.grad(g)(pb.array(1.0), pb.array(2.0))
    close(pb.vmap(g, (0, None))(x3, pb.array(2.0)), 2 * x3)
