"""`custom_vjp`, the door of JAX for reverse mode: what the table of compositions does not reach."""

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
    """fun(x)·s, whose gradient is said to be 10·g·s; `fun` and `s` are not differentiable."""
    f = pb.custom_vjp(lambda fun, x, s: fun(x) * s, **options)
    f.defvjp(lambda fun, x, s: (f(fun, x, s), x), lambda fun, s, kept, g: (10 * g * s,))
    return f


@pytest.mark.parametrize(
    "options",
    [
        {"nondiff_argnums": (0, 2)},
        {"nondiff_argnums": [2, 0]},
        {"nondiff_argnums": (0, -1)},
        {"nondiff_argnums": (0,), "nondiff_argnames": "s"},
        {"nondiff_argnames": ("fun", "s")},
        {"nondiff_argnums": (np.int64(0), 2), "nondiff_argnames": ["s"]},
    ],
    ids=str,
)
def test_nondiff_by_number_and_name(options):
    f = applied(**options)
    near(f(pb.sin, THREE, 2), 2 * np.sin(3.0))
    for s in (2, 2.0, np.float32(2), TWO, pb.array(2)):
        near(pb.grad(lambda x: f(pb.sin, x, s))(THREE), 20.0)
        near(tangent(lambda x: f(pb.sin, x, s)), 20.0)
    # Values arrive in the order of the positions, whatever way they were given.
    near(pb.grad(lambda x: f(s=2, x=x, fun=pb.sin))(THREE), 20.0)


def test_a_single_number_and_a_single_name():
    for options in ({"nondiff_argnums": 1}, {"nondiff_argnames": "mode"}):
        f = pb.custom_vjp(lambda x, mode: x * 1, **options)
        f.defvjp(lambda x, mode: (f(x, mode), None), lambda mode, kept, g: ({"a": 10, "b": 20}[mode] * g,))
        near(pb.grad(lambda x: f(x, "b"))(THREE), 20.0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"nondiff_argnums": 3}, "nondiff_argnums.*takes 3 positional arguments, got 3"),
        ({"nondiff_argnums": -4}, "nondiff_argnums.*got -4"),
        ({"nondiff_argnames": "z"}, "nondiff_argnames.*'fun', 'x', 's'.*got 'z'"),
    ],
)
def test_positions_that_are_not_there(options, text):
    with pytest.raises(ValueError, match=text):
        applied(**options)


def test_arrays_where_declared_under_vmap_and_compile():
    f = applied(nondiff_argnums=(0, 2))
    near(pb.vmap(lambda s: pb.grad(lambda x: f(pb.sin, x, s))(THREE))(X), 10 * LINE)
    near(pb.grad(lambda x: pb.vmap(lambda s: f(pb.sin, x, s))(X).sum())(THREE), 60.0)
    near(pb.compile(lambda s: pb.grad(lambda x: f(pb.sin, x, s))(THREE))(TWO), 20.0)
    near(pb.compile(pb.vmap(lambda s: tangent(lambda x: f(pb.sin, x, s))))(X), 10 * LINE)


def test_a_derivative_where_none_is_declared():
    f = applied(nondiff_argnums=(0, 2))
    for way in (pb.grad, lambda f: lambda x: tangent(f, x), lambda f: pb.compile(pb.grad(f))):
        with pytest.raises(pb.RuleError, match=r"non-differentiable argument s.*stop_gradient"):
            way(lambda s: f(pb.sin, THREE, s))(TWO)


def test_stop_gradient_is_a_way_out_as_the_error_says():
    f = applied(nondiff_argnums=(0, 2))
    near(tangent(lambda s: f(pb.sin, s, pb.stop_gradient(s)), TWO), 20.0)
    near(pb.grad(lambda s: f(pb.sin, s, pb.stop_gradient(s)))(TWO), 20.0)


def test_symbolic_zeros_both_ways():
    seen = {}

    def forward(x, p, n):
        seen["perturbed"] = [x.perturbed, p["w"].perturbed, p["i"].perturbed, n.perturbed]
        return (x.value * p["w"].value, x.value + 1), (x.value, p["w"].value)

    def backward(kept, g):
        seen["g"] = g
        a, b = (t.instantiate() if isinstance(t, pb.SymbolicZero) else t for t in g)
        return a * kept[1] * 10 + b, {"w": a * kept[0] * 20, "i": None}, None

    f = pb.custom_vjp(lambda x, p, n: (x * p["w"], x + 1))
    f.defvjp(forward, backward, symbolic_zeros=True)
    p = {"w": TWO, "i": pb.array(1)}
    near(pb.grad(lambda x: f(x, p, 3)[0])(THREE), 20.0)
    assert seen["perturbed"][0] is True and seen["perturbed"][2:] == [False, False]
    used, unused = seen["g"]
    near(used, 1.0)
    assert isinstance(unused, pb.SymbolicZero)
    assert (unused.shape, unused.dtype, unused.ndim) == ((), pb.float32, 0)
    near(pb.grad(lambda x: f(x, p, 3)[1])(THREE), 1.0)
    near(pb.grad(lambda x: pb.vmap(lambda x: f(x, p, 3)[0])(x).sum())(X), [20.0] * 3)
    near(pb.grad(pb.grad(lambda x: f(x, p, 3)[0] * x))(THREE), 20.0 + 2.0 * 10)


def test_without_symbolic_zeros_cotangents_are_arrays():
    seen = []
    f = pb.custom_vjp(lambda x: (x, x * 2))
    f.defvjp(
        lambda x: (f(x), None), lambda kept, g: (seen.append(g) or g[0] + 10 * g[1],), optimize_remat=True
    )
    near(pb.grad(lambda x: f(x)[1])(THREE), 10.0)
    near(tuple(seen[0]), (0.0, 1.0))


@pytest.mark.parametrize("form", ["bare", "empty", "options", "functional"])
def test_forms_of_the_decorator(form):
    def times(x, n):
        return x * n

    made = {
        "bare": lambda: pb.custom_vjp(times),
        "empty": lambda: pb.custom_vjp()(times),
        "options": lambda: pb.custom_vjp(nondiff_argnums=(1,), captured="constant")(times),
        "functional": lambda: pb.CustomVjp(times, nondiff_argnums=(1,)),
    }[form]()
    if form in ("options", "functional"):
        made.defvjp(lambda x, n: (times(x, n), None), lambda n, kept, g: (10 * g * n,))
    else:
        made.defvjp(lambda x, n: (times(x, n), n), lambda n, g: (10 * g * n, None))
    assert isinstance(made, pb.custom_vjp) and made.__wrapped__ is times
    near(pb.grad(lambda x: made(x, 2))(THREE), 20.0)


@pytest.mark.parametrize(
    "make", [lambda a, b: {"b": b, "a": a}, lambda a, b: [a, b], Pair, Layer, Node, Module]
)
def test_trees_in_and_out(make):
    """The same kind of tree is argument, output, residual, cotangent and gradient."""
    f = pb.custom_vjp(lambda p: make(parts(p)[0] * parts(p)[1], parts(p)[1] * 1))

    def forward(p):
        return f(p), {"kept": p, "factor": 10, "text": "static"}

    def backward(kept, g):
        (a, b), (ga, gb) = parts(kept["kept"]), parts(g)
        assert kept["text"] == "static"
        return (make(kept["factor"] * ga * b, 20 * ga * a + gb),)

    f.defvjp(forward, backward)

    def loss(p):
        a, b = parts(f(p))
        return (a + b).sum()

    near(parts(pb.grad(loss)(make(TWO, THREE))), [30.0, 41.0])
    near(parts(pb.vmap(pb.grad(loss))(make(X, X))), [10 * LINE, 20 * LINE + 1])
    near(parts(pb.compile(pb.grad(loss))(make(TWO, THREE))), [30.0, 41.0])


def test_modules_with_an_init_of_their_own():
    """A module is a tree of its attributes, as flax.nnx has it: its gradient is a module."""
    f = pb.custom_vjp(lambda m, x: m.a * x + m.b)
    f.defvjp(lambda m, x: (f(m, x), (m, x)), lambda kept, g: (Module(10 * g * kept[1], g), g * kept[0].a))
    got = pb.grad(lambda m: f(m, THREE))(Module(TWO, ONE))
    assert isinstance(got, Module)
    near([got.a, got.b], [30.0, 1.0])


def test_ints_none_keys_and_narrow_floats():
    f = pb.custom_vjp(lambda x, i, none, key: x[i] * pb.random.bernoulli(1.0, (), key))
    f.defvjp(
        lambda x, i, none, key: (f(x, i, none, key), (x, i)),
        lambda kept, g: (pb.zeros_like(kept[0]).at[kept[1]].add(10 * g.astype(pb.float32)), None, None, None),
    )
    key = pb.random.key(0)
    for dtype in (pb.float32, pb.bfloat16, pb.float16):
        got = pb.grad(lambda x: f(x, pb.array(1), None, key))(X.astype(dtype))
        assert got.dtype == dtype
        near(got, [0.0, 10, 0])
    keys = pb.random.split(key, 3)
    got = pb.vmap(lambda i, k: pb.grad(lambda x: f(x, i, None, k))(X))(pb.array([0, 1, 2]), keys)
    near(got, 10 * np.eye(3))


def test_residuals_with_static_parts_to_second_order():
    """Cubes: what is kept is neither input nor output, and its kind is told by a text."""
    f = pb.custom_vjp(lambda x: x**3)

    def forward(x):
        square = x * x
        return square * x, {"kind": "cube", "times": 3, "fun": pb.multiply, "kept": [square, None]}

    def backward(kept, g):
        assert kept["kind"] == "cube" and kept["kept"][1] is None
        return (kept["times"] * kept["fun"](kept["kept"][0], g),)

    f.defvjp(forward, backward)
    near(pb.grad(f)(TWO), 12.0)
    near(pb.grad(pb.grad(f))(TWO), 12.0)
    near(pb.grad(pb.grad(pb.grad(f)))(TWO), 6.0)
    near(tangent(pb.grad(f), TWO), 12.0)
    near(pb.vmap(pb.grad(pb.grad(f)))(X), 6 * LINE)
    near(pb.compile(pb.grad(pb.grad(f)))(TWO), 12.0)


def test_keywords_and_defaults_become_positions():
    """As JAX resolves them: one gradient for each parameter, given or not."""
    seen = []
    f = pb.custom_vjp(lambda x, scale=2.0, power=1: scale * x**power)
    f.defvjp(
        lambda x, scale=2.0, power=1: (f(x, scale, power), (x, scale, power)),
        lambda kept, g: seen.append(kept[1:]) or (10 * g, None, None),
    )
    near(pb.grad(lambda x: f(x))(THREE), 10.0)
    near(pb.grad(lambda x: f(power=3, x=x))(THREE), 10.0)
    assert seen == [(2.0, 1), (2.0, 3)]
    with pytest.raises(TypeError, match="unexpected keyword argument 'strange'"):
        pb.grad(lambda x: f(x, strange=1))(THREE)
    with pytest.raises(TypeError, match="missing"):
        pb.grad(lambda x: f(scale=x))(THREE)


def test_keyword_only_arguments():
    f = pb.custom_vjp(lambda x, *, w, mode="a": x * w)
    f.defvjp(
        lambda x, *, w, mode="a": (f(x, w=w, mode=mode), (x, w, mode)),
        lambda kept, g: ((10 * g * kept[1],), {"w": 20 * g * kept[0]}),
    )
    near(pb.grad(lambda x, w: f(x, w=w), argnums=(0, 1))(THREE, TWO), (20.0, 60.0))
    near(pb.grad(lambda x, w: f(x, w=w, mode="b"), argnums=(0, 1))(THREE, TWO), (20.0, 60.0))
    near(pb.vmap(pb.grad(lambda x: f(x, w=TWO)))(X), [20.0] * 3)


def test_a_method():
    class Model:
        scale = 2.0

        @pb.custom_vjp
        def forward(self, x):
            return x * self.scale

        forward.defvjp(lambda self, x: (x * self.scale, self), lambda self, g: (None, 10 * g * self.scale))

    model = Model()
    near(model.forward(THREE), 6.0)
    near(pb.grad(model.forward)(THREE), 20.0)
    near(pb.vmap(pb.grad(model.forward))(X), [20.0] * 3)
    assert model.forward.__name__ == "forward"


@pb.custom_vjp
def squared(x, *, power=2):
    """Say what it does."""
    return x**power


squared.defvjp(lambda x, *, power=2: (squared(x, power=power), x), lambda x, g: (10 * g * x,))


def test_it_looks_like_its_function_and_pickles():
    assert (squared.__name__, squared.__qualname__, squared.__doc__) == (
        "squared",
        "squared",
        "Say what it does.",
    )
    assert squared.__module__ == __name__ and squared.__wrapped__.__name__ == "squared"
    assert str(inspect.signature(squared)) == "(x, *, power=2)"
    assert pickle.loads(pickle.dumps(squared)) is squared
    near(pb.grad(pickle.loads(pickle.dumps(squared)))(THREE), 30.0)
    assert repr(squared) == "<custom_vjp squared>"


def test_on_each_device(device):
    near(pb.grad(squared)(THREE), 30.0)
    near(pb.vmap(pb.grad(squared))(X), 10 * LINE)
    near(pb.grad(lambda x: pb.vmap(squared)(x).sum())(X), 10 * LINE)
    near(tangent(pb.grad(squared)), 10.0)


def test_a_rule_for_batches_besides():
    f = pb.custom_vjp(lambda x, s: x * x * s, nondiff_argnums=(1,))
    f.defvjp(lambda x, s: (f(x, s), x), lambda s, x, g: (10 * g * x * s,))
    seen = []

    @f.def_vmap
    def rule(axis_size, in_batched, x, s):
        seen.append((axis_size, in_batched[0], in_batched[1]))
        return x * x * s + 7, True

    near(pb.vmap(lambda x: f(x, 2))(X), 2 * LINE**2 + 7)
    assert seen == [(3, True, False)]
    near(pb.grad(lambda x: pb.vmap(lambda x: f(x, 2))(x).sum())(X), 20 * LINE)


def test_without_a_rule_it_is_the_function():
    f = pb.custom_vjp(lambda x: x * x)
    near((f(THREE), pb.grad(f)(THREE), tangent(f)), (9.0, 6.0, 6.0))


@pytest.mark.parametrize("missing", ["derive", "body", "error"])
def test_what_is_missing(missing):
    f = pb.custom_vjp(lambda x: x * x, missing=missing)
    f.defvjp(lambda x: (f(x), x), lambda x, g: (10 * g * x,))
    near(pb.grad(f)(THREE), 30.0)
    if missing == "derive":
        near(tangent(f), 30.0)
    elif missing == "body":
        with pytest.warns(pb.RuleFallbackWarning, match="a vjp rule but no jvp rule"):
            near(tangent(f), 6.0)
    else:
        with pytest.raises(pb.RuleError, match="no jvp rule"):
            tangent(f)


@pytest.mark.parametrize(
    ("backward", "text"),
    [
        (lambda x, g: 10 * g, None),
        (lambda x, g: (g, g), "returned 2 gradients for 1 argument"),
        (lambda x, g: (), "returned 0 gradients for 1 argument"),
        (lambda x, g: None, "returned None"),
        (lambda x, g: ({"a": g},), "argument x"),
        (lambda x, g: (pb.ones(2),), r"argument x: expected float32\[\], got float32\[2\]"),
    ],
)
def test_what_backward_returns_is_checked(backward, text):
    f = pb.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (f(x), x), backward)
    if text is None:
        near(pb.grad(f)(THREE), 10.0)
        return
    with pytest.raises(pb.RuleError, match=text):
        pb.grad(f)(THREE)


@pytest.mark.parametrize("result", [lambda x: x, lambda x: None, lambda x: (x, x, x), lambda x: [x, x]])
def test_what_forward_returns_is_checked(result):
    f = pb.custom_vjp(lambda x: x * x)
    f.defvjp(result, lambda kept, g: (g,))
    with pytest.raises(pb.RuleError, match=r"forward rule of '<lambda>' returned .*\(output, residuals\)"):
        pb.grad(f)(THREE)


def test_rules_that_are_no_functions():
    with pytest.raises(TypeError, match="expected a function as vjp rule"):
        pb.custom_vjp(lambda x: x).defvjp(lambda x: (x, None), 3)
    with pytest.raises(TypeError, match="expected a function"):
        pb.custom_vjp(3)


def test_fwd_runs_once_and_the_body_not_at_all():
    body, forward = Counted(lambda x: x * x), Counted(lambda x: (x * x, x))
    f = pb.custom_vjp(lambda x: body(x))
    f.defvjp(lambda x: forward(x), lambda x, g: (10 * g * x,))
    near(pb.grad(f)(THREE), 30.0)
    assert (body.take(), forward.take()) == (0, 1)
    near(pb.vmap(f)(X), LINE**2)
    assert (body.take(), forward.take()) == (1, 0)


def test_eight_threads():
    f = applied(nondiff_argnums=(0, 2))

    def work(s):
        for _ in range(20):
            near(pb.grad(lambda x: f(pb.sin, x, s))(THREE), 10.0 * s)
            near(pb.vmap(pb.grad(lambda x: f(pb.cos, x, s)))(X), [10.0 * s] * 3)

    together(work)
