"""`custom_jvp`, the door of JAX for forward mode: what the table of compositions does not reach."""

import inspect
import pickle

import numpy as np
import pullback as pb
import pytest
from kinds import Layer, Module, Node, Pair, parts
from samples import Counted, near, together

X = pb.array([1.0, 2.0, 3.0])
TWO, THREE, ONE = pb.array(2.0), pb.array(3.0), pb.array(1.0)
LINE = np.array([1.0, 2, 3])


def tangent(f, x=THREE):
    return pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


def applied(**options):
    """fun(x)·s, whose derivative is said to be 10·t·s; `fun` and `s` are not differentiable."""
    f = pb.custom_jvp(lambda fun, x, s: fun(x) * s, **options)
    f.defjvp(lambda fun, s, primals, ts: (f(fun, *primals, s), 10 * ts[0] * s))
    return f


@pytest.mark.parametrize(
    "options",
    [
        {"nondiff_argnums": (0, 2)},
        {"nondiff_argnums": (0, -1)},
        {"nondiff_argnums": 0, "nondiff_argnames": "s"},
        {"nondiff_argnames": ["s", "fun"]},
    ],
    ids=str,
)
def test_nondiff_by_number_and_name(options):
    f = applied(**options)
    for s in (2, 2.0, np.float32(2), pb.array(2)):
        near(tangent(lambda x: f(pb.sin, x, s)), 20.0)
        near(pb.grad(lambda x: f(pb.sin, x, s))(THREE), 20.0)
    near(pb.grad(lambda x: f(s=2, fun=pb.sin, x=x))(THREE), 20.0)
    near(tangent(lambda x: f(pb.sin, x, TWO)), 20.0)
    near(pb.vmap(lambda s: tangent(lambda x: f(pb.sin, x, s)))(X), 10 * LINE)
    near(pb.compile(lambda s: tangent(lambda x: f(pb.sin, x, s)))(TWO), 20.0)


def test_an_array_where_declared_in_reverse_mode():
    f = applied(nondiff_argnums=(0, 2))
    near(pb.grad(lambda x: f(pb.sin, x, TWO))(THREE), 20.0)
    near(pb.vmap(lambda s: pb.grad(lambda x: f(pb.sin, x, s))(THREE))(X), 10 * LINE)


def test_a_keyword_only_array_in_reverse_mode():
    f = pb.custom_jvp(lambda x, *, w: x * w)
    f.defjvp(lambda primals, ts, *, w: (f(*primals, w=w), 10 * ts[0] * w))
    near(pb.grad(lambda x: f(x, w=TWO))(THREE), 20.0)


def test_in_reverse_mode_too_symbolic_zeros_say_what_is_not_needed():
    seen = []
    f = pb.custom_jvp(lambda x, y: x * y)
    f.defjvp(
        lambda p, ts: seen.append(isinstance(ts[1], pb.SymbolicZero)) or (f(*p), 10 * ts[0]),
        symbolic_zeros=True,
    )
    near(pb.grad(lambda x: f(x, TWO))(THREE), 10.0)
    assert seen == [True]


@pytest.mark.parametrize("way", ["jvp", "grad", "compile"])
def test_a_derivative_where_none_is_declared(way):
    f = applied(nondiff_argnums=(0, 2))
    make = {
        "jvp": lambda f: lambda x: tangent(f, x),
        "grad": pb.grad,
        "compile": lambda f: pb.compile(pb.grad(f)),
    }[way]
    with pytest.raises(pb.RuleError, match="non-differentiable argument s"):
        make(lambda s: f(pb.sin, THREE, s))(TWO)


def test_positions_that_are_not_there():
    with pytest.raises(ValueError, match=r"\[custom_jvp\].*got 5"):
        applied(nondiff_argnums=5)
    with pytest.raises(ValueError, match=r"\[custom_jvp\].*got 'z'"):
        applied(nondiff_argnames=("z",))


def test_symbolic_zeros():
    seen = []
    f = pb.custom_jvp(lambda p, n, x: p["w"] * x)

    def rule(primals, ts):
        seen.append(ts)
        dw, dx = (t.instantiate() if isinstance(t, pb.SymbolicZero) else t for t in (ts[0]["w"], ts[2]))
        return f(*primals), 10 * dw * primals[2] + 20 * dx * primals[0]["w"]

    f.defjvp(rule, symbolic_zeros=True)
    near(tangent(lambda x: f({"w": TWO}, pb.array(1), x)), 40.0)
    zero = seen[0][0]["w"]
    assert isinstance(zero, pb.SymbolicZero) and (zero.shape, zero.dtype) == ((), pb.float32)
    assert isinstance(seen[0][1], pb.SymbolicZero) and seen[0][1].dtype == pb.int32
    f.defjvp(lambda p, ts: seen.append(ts) or (f(*p), 20 * ts[2] * p[0]["w"]))
    near(tangent(lambda x: f({"w": TWO}, pb.array(1), x)), 40.0)
    near(seen[-1][0]["w"], 0.0)


def test_defjvps_with_none():
    calls = Counted(lambda t, out, x, y, z: 10 * t * y + 0 * out)
    f = pb.custom_jvp(lambda x, y, z: x * y + z)
    f.defjvps(lambda *given: calls(*given), None, lambda t, out, x, y, z: 3 * t)
    near(tangent(lambda x: f(x, TWO, ONE)), 20.0)
    near(tangent(lambda y: f(THREE, y, ONE)), 0.0)
    near(pb.grad(f, argnums=(0, 1, 2))(THREE, TWO, ONE), (20.0, 0.0, 3.0))
    near(pb.vmap(pb.grad(f), in_axes=(None, 0, None))(THREE, X, ONE), 10 * LINE)
    near(pb.grad(pb.grad(lambda x: f(x, x, ONE)))(THREE), 10.0)
    calls.take()
    near(pb.jvp(lambda z: f(THREE, TWO, z), [ONE], [TWO])[1][0], 6.0)
    assert calls.take() == 0


def test_defjvps_of_trees_and_outputs():
    f = pb.custom_jvp(lambda p, x: (p["w"] * x, x))
    f.defjvps(
        lambda t, out, p, x: (10 * t["w"] * x, 0 * x),
        lambda t, out, p, x: (20 * t * p["w"], t),
    )
    _, (a, b) = pb.jvp(f, [{"w": TWO}, THREE], [{"w": ONE}, ONE])
    near((a, b), (30.0 + 40.0, 1.0))
    both = pb.custom_jvp(lambda p, x: p["w"] * p["v"] * x)
    both.defjvps(lambda t, out, p, x: 10 * t["w"] * p["v"] * x + t["v"], None)
    near(pb.grad(lambda w: both({"w": w, "v": TWO}, THREE))(ONE), 60.0)
    near(pb.grad(lambda x: f({"w": TWO}, x)[0])(THREE), 40.0)


def test_defjvps_that_do_not_fit():
    f = pb.custom_jvp(lambda x, y: x * y)
    f.defjvps(lambda t, out, x, y: t)
    with pytest.raises(TypeError, match="one rule for each of 2 arguments in defjvps, got 1"):
        tangent(lambda x: f(x, TWO))
    with pytest.raises(TypeError, match="expected defjvp for a function with nondiff_argnums"):
        applied(nondiff_argnums=(0, 2)).defjvps(None)


@pytest.mark.parametrize("form", ["bare", "empty", "options", "returned"])
def test_forms_of_the_decorator(form):
    def times(x, n):
        return x * n

    f = {
        "bare": lambda: pb.custom_jvp(times),
        "empty": lambda: pb.custom_jvp()(times),
        "options": lambda: pb.custom_jvp(nondiff_argnums=(1,), missing="error")(times),
        "returned": lambda: pb.custom_jvp(times),
    }[form]()
    if form == "options":
        f.defjvp(lambda n, primals, ts: (times(*primals, n), 10 * ts[0] * n))
    else:

        @f.defjvp
        def rule(primals, ts):
            return times(*primals), 10 * ts[0] * primals[1]

        assert rule.__name__ == "rule"
    near(tangent(lambda x: f(x, 2)), 20.0)
    assert f.__wrapped__ is times
    if form == "options":
        with pytest.raises(pb.RuleError, match="no vjp rule, and missing='error'"):
            pb.grad(lambda x: f(x, 2))(THREE)


@pytest.mark.parametrize(
    "make", [lambda a, b: {"b": b, "a": a}, lambda a, b: [a, b], Pair, Layer, Node, Module]
)
def test_trees_in_and_out(make):
    f = pb.custom_jvp(lambda p: make(parts(p)[0] * parts(p)[1], parts(p)[1] * 1))

    def rule(primals, ts):
        (a, b), (ta, tb) = parts(primals[0]), parts(ts[0])
        return f(*primals), make(10 * ta * b + 20 * tb * a, tb)

    f.defjvp(rule)

    def loss(p):
        a, b = parts(f(p))
        return (a + b).sum()

    pushed = pb.jvp(loss, [make(TWO, THREE)], [make(ONE, ONE)])[1][0]
    near(pushed, 30.0 + 40 + 1)
    near(parts(pb.grad(loss)(make(TWO, THREE))), [30.0, 41.0])
    near(parts(pb.vmap(pb.grad(loss))(make(X, X))), [10 * LINE, 20 * LINE + 1])


def test_ints_none_keys_text_and_narrow_floats():
    f = pb.custom_jvp(lambda x, i, none, key, mode: x[i] * pb.random.bernoulli(1.0, (), key))
    f.defjvp(lambda p, ts: (f(*p), 10 * ts[0][p[1]].astype(pb.float32)))
    key = pb.random.key(0)
    for dtype in (pb.float32, pb.bfloat16, pb.float16):
        x = X.astype(dtype)
        (t,) = pb.jvp(lambda x: f(x, pb.array(1), None, key, "text"), [x], [pb.ones_like(x)])[1]
        g = pb.grad(lambda x: f(x, pb.array(1), None, key, "text"))(x)
        assert t.dtype == g.dtype == dtype
        near((t, g), (10.0, [0.0, 10, 0]))


def test_keywords_defaults_and_keyword_only():
    seen = []
    f = pb.custom_jvp(lambda x, scale=2.0, *, power=1: scale * x**power)
    f.defjvp(lambda p, ts, power=1: seen.append((p[1], power)) or (f(*p, power=power), 10 * ts[0]))
    near(tangent(lambda x: f(x)), 10.0)
    near(tangent(lambda x: f(scale=3.0, x=x, power=2)), 10.0)
    near(pb.grad(lambda x: f(x, power=3))(THREE), 10.0)
    assert seen == [(2.0, 1), (3.0, 2), (2.0, 3)]


def test_a_method():
    class Model:
        scale = 2.0

        @pb.custom_jvp
        def forward(self, x):
            return x * self.scale

        forward.defjvp(lambda p, ts: (p[1] * p[0].scale, 10 * ts[1] * p[0].scale))

    model = Model()
    near(model.forward(THREE), 6.0)
    near((tangent(model.forward), pb.grad(model.forward)(THREE)), (20.0, 20.0))
    near(pb.vmap(pb.grad(model.forward))(X), [20.0] * 3)


@pb.custom_jvp
def squared(x, *, power=2):
    """Say what it does."""
    return x**power


squared.defjvp(lambda p, ts, power=2: (squared(*p, power=power), 100 * ts[0] * p[0]))


def test_it_looks_like_its_function_and_pickles():
    assert (squared.__name__, squared.__doc__) == ("squared", "Say what it does.")
    assert str(inspect.signature(squared)) == "(x, *, power=2)"
    assert squared.__wrapped__.__name__ == "squared" and squared.__module__ == __name__
    assert pickle.loads(pickle.dumps(squared)) is squared


def test_on_each_device(device):
    near((tangent(squared), pb.grad(squared)(THREE)), (300.0, 300.0))
    near(pb.vmap(pb.grad(squared))(X), 100 * LINE)
    near(pb.grad(lambda x: pb.vmap(squared)(x).sum())(X), 100 * LINE)
    near(pb.grad(pb.grad(squared))(THREE), 100.0)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (lambda p, ts: (p[0], pb.ones(2)), r"jvp rule of '<lambda>'.*float32\[2\]"),
        (lambda p, ts: (p[0], "oops"), "jvp rule of '<lambda>'.*str"),
        (lambda p, ts: (p[0], ts[0], ts[0]), "jvp rule of '<lambda>'.*tuple of 3"),
        (
            lambda p, ts: (pb.ones(5), ts[0]),
            r"primal output: expected float32\[\], got float32\[5\]: return",
        ),
        (lambda p, ts: (p[0].astype(pb.float16), ts[0]), r"primal output: expected float32\[\], got float16"),
        (lambda p, ts: (None, ts[0]), r"primal output: expected float32\[\], got None"),
        (lambda p, ts: ([p[0]], ts[0]), r"primal output: expected float32\[\], got a sequence of 1"),
        (lambda p, ts: (p[0], (p[0], ts[0])), "expected tangents like the outputs, got a tuple of 2"),
    ],
)
def test_what_a_rule_returns_is_checked(rule, text):
    f = pb.custom_jvp(lambda x: x * x)
    f.defjvp(rule)
    with pytest.raises(pb.RuleError, match=text):
        tangent(f)


def test_the_tangent_alone_and_none():
    """A rule in the idiom of JAX returns a pair: one array alone may be the output as well. None is zero."""
    f = pb.custom_jvp(lambda x: x * x)
    for alone in (lambda p, ts: 10 * ts[0], lambda p, ts: p[0] * p[0]):
        f.defjvp(alone)
        with pytest.raises(pb.RuleError, match=r"returned float32\[\]: expected \(output, tangent"):
            tangent(f)
    f.defjvp(lambda p, ts: (f(*p), None))
    near(tangent(f), 0.0)


def test_no_rule_and_a_rule_for_batches():
    f = pb.custom_jvp(lambda x: x * x)
    near((f(THREE), tangent(f), pb.grad(f)(THREE)), (9.0, 6.0, 6.0))
    f.defjvp(lambda p, ts: (f(*p), 100 * ts[0] * p[0]))
    f.def_vmap(lambda axis_size, in_batched, x: (x * x + 7, in_batched[0]))
    near(pb.vmap(f)(X), LINE**2 + 7)
    near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), 100 * LINE)
    near(tangent(pb.vmap(f), X), 100 * LINE)


def test_the_body_is_not_asked_for_its_derivative():
    """What the rule returns as output is of no account, as the body has given it."""
    body = Counted(lambda x: pb.array(np.sin(np.asarray(x))))
    f = pb.custom_jvp(lambda x: body(x))
    f.defjvp(lambda p, ts: (p[0], 10 * ts[0]))
    out, (t,) = pb.jvp(f, [THREE], [ONE])
    near((out[0], t), (np.sin(3.0), 10.0))
    assert body.take() == 1


def test_eight_threads():
    f = applied(nondiff_argnums=(0, 2))

    def work(s):
        for _ in range(20):
            near(tangent(lambda x: f(pb.sin, x, s)), 10.0 * s)
            near(pb.vmap(pb.grad(lambda x: f(pb.cos, x, s)))(X), [10.0 * s] * 3)

    together(work)
