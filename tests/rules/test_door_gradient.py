"""`custom_gradient`, the door of TensorFlow: what the table of compositions does not reach."""

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


@pb.custom_gradient
def squared(x, scale=1, *, mode="a"):
    """Say what it does."""
    assert mode in "ab"
    return x * x * scale, lambda g: (10 * g * x * scale, None)


def test_arguments_by_keyword_and_default(device):
    near(squared(THREE), 9.0)
    near(pb.grad(lambda x: squared(x))(THREE), 30.0)
    near(pb.grad(lambda x: squared(scale=2, x=x, mode="b"))(THREE), 60.0)
    near(pb.vmap(pb.grad(lambda x: squared(x, 2)))(X), 20 * LINE)
    near(pb.grad(lambda x: pb.vmap(squared)(x).sum())(X), 10 * LINE)
    near((tangent(squared), tangent(pb.grad(squared)), pb.grad(pb.grad(squared))(THREE)), (30.0, 10.0, 10.0))
    near(pb.compile(pb.grad(squared))(THREE), 30.0)


def test_it_looks_like_its_function_and_pickles():
    assert (squared.__name__, squared.__doc__) == ("squared", "Say what it does.")
    assert str(inspect.signature(squared)) == "(x, scale=1, *, mode='a')"
    assert squared.__module__ == __name__ and callable(squared.__wrapped__)
    assert pickle.loads(pickle.dumps(squared)) is squared
    assert repr(squared) == "<custom_gradient squared>"


@pytest.mark.parametrize("answer", [lambda g: 10 * g, lambda g: (10 * g,), lambda g: [10 * g]])
def test_one_gradient_in_every_form(answer):
    f = pb.custom_gradient(lambda x: (x * 1, answer))
    near(pb.grad(f)(THREE), 10.0)
    near(pb.vmap(pb.grad(f))(X), [10.0] * 3)


def test_a_list_beside_the_output():
    f = pb.custom_gradient(lambda x: [x * 1, lambda g: 10 * g])
    near((f(THREE), pb.grad(f)(THREE)), (3.0, 10.0))


def test_several_outputs_come_as_several_cotangents():
    seen = []

    @pb.custom_gradient
    def f(x, y):
        def gradient(a, b):
            seen.append((a, b))
            return 10 * a + b, 20 * b

        return (x * y, x + y), gradient

    near(pb.grad(lambda x, y: f(x, y)[0], argnums=(0, 1))(THREE, TWO), (10.0, 0.0))
    near(seen[0], (1.0, 0.0))
    near(pb.grad(lambda x, y: sum(f(x, y)), argnums=(0, 1))(THREE, TWO), (11.0, 20.0))


def test_forms_of_the_decorator():
    for make in (pb.custom_gradient, pb.custom_gradient(), pb.custom_gradient(captured="constant")):
        f = make(lambda x: (x * 1, lambda g: 10 * g))
        near((f(THREE), pb.grad(f)(THREE)), (3.0, 10.0))


@pytest.mark.parametrize("make", [lambda a, b: {"b": b, "a": a}, Pair, Layer, Node, Module])
def test_trees_in_and_out(make):
    @pb.custom_gradient
    def f(p):
        a, b = parts(p)

        def gradient(g):
            ga, gb = parts(g)
            return (make(10 * ga * b, 20 * ga * a + gb),)

        return make(a * b, b * 1), gradient

    def loss(p):
        return sum(parts(f(p)))

    near(parts(pb.grad(loss)(make(TWO, THREE))), [30.0, 41.0])
    near(parts(pb.vmap(pb.grad(loss))(make(X, X))), [10 * LINE, 20 * LINE + 1])
    near(pb.jvp(loss, [make(TWO, THREE)], [make(ONE, ONE)])[1][0], 71.0)


def test_texts_none_integers_keys_and_narrow_floats():
    @pb.custom_gradient
    def f(x, i, none, mode, key):
        def gradient(g):
            full = pb.zeros(x.shape)
            return full.at[i].add(10 * g.astype(pb.float32)), None, None, None, None

        return x[i] * pb.random.bernoulli(1.0, (), key), gradient

    key = pb.random.key(0)
    for dtype in (pb.float32, pb.bfloat16, pb.float16):
        got = pb.grad(lambda x: f(x, pb.array(1), None, "text", key))(X.astype(dtype))
        assert got.dtype == dtype
        near(got, [0.0, 10, 0])


def test_what_the_closure_keeps_is_differentiated():
    """The square is neither argument nor output: it is what the gradient function has of the forward pass."""
    ran = Counted(lambda x: x * x)

    @pb.custom_gradient
    def cube(x):
        square = ran(x)
        return square * x, lambda g: g * 3 * square

    near(pb.grad(cube)(TWO), 12.0)
    assert ran.take() == 1
    near(pb.grad(pb.grad(cube))(TWO), 12.0)
    near(pb.grad(pb.grad(pb.grad(cube)))(TWO), 6.0)
    near(tangent(pb.grad(cube), TWO), 12.0)
    near(pb.vmap(pb.grad(pb.grad(cube)))(X), 6 * LINE)
    near(pb.grad(lambda x: pb.grad(lambda x: pb.vmap(cube)(x).sum())(x).sum())(X), 6 * LINE)
    near(pb.compile(pb.vmap(pb.grad(pb.grad(cube))))(X), 6 * LINE)


def test_the_stable_log1pexp():
    """The example that TensorFlow gives."""

    @pb.custom_gradient
    def log1pexp(x):
        e = pb.exp(x)
        return pb.log(1 + e), lambda g: g * (1 - 1 / (1 + e))

    near(pb.grad(log1pexp)(pb.array(100.0)), 1.0)
    near(pb.grad(log1pexp)(pb.array(0.0)), 0.5)
    near(pb.grad(pb.grad(log1pexp))(pb.array(0.0)), 0.25)


def test_a_method():
    class Model:
        scale = 2.0

        @pb.custom_gradient
        def forward(self, x):
            return x * self.scale, lambda g: (None, 10 * g * self.scale)

    model = Model()
    near((model.forward(THREE), pb.grad(model.forward)(THREE)), (6.0, 20.0))
    near(pb.vmap(pb.grad(model.forward))(X), [20.0] * 3)


def test_keyword_only_arrays():
    @pb.custom_gradient
    def f(x, *, w):
        return x * w, lambda g: ((10 * g * w,), {"w": 20 * g * x})

    near(pb.grad(lambda x, w: f(x, w=w), argnums=(0, 1))(THREE, TWO), (20.0, 60.0))


def test_captures():
    def loss(y, captured):
        return pb.custom_gradient(lambda x: (x * y, lambda g: 10 * g), captured=captured)(THREE)

    near(pb.grad(lambda y: loss(y, "differentiate"))(TWO), 3.0)
    near(pb.grad(lambda y: loss(y, "constant"))(TWO), 0.0)
    with pytest.raises(pb.RuleError, match="'<lambda>' captured"):
        pb.grad(lambda y: loss(y, "error"))(TWO)


def test_a_captured_tracer_is_named():
    def loss(y):
        return pb.custom_gradient(lambda x: (x * y, lambda g: 10 * g))(THREE)

    with pytest.raises(pb.RuleError, match="'y'"):
        pb.grad(loss)(TWO)


@pytest.mark.parametrize("bad", [lambda x: x, lambda x: (x, 3), lambda x: (x, x, pb.sin), lambda x: None])
def test_what_a_function_returns_is_checked(bad):
    f = pb.custom_gradient(bad)
    for way in (f, pb.grad(f), pb.compile(f)):
        with pytest.raises(TypeError, match=r"expected '<lambda>' to return \(output, grad_fn\)"):
            way(THREE)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda g: None, "returned None"),
        (lambda g: (g, g), "returned 2 gradients for 1 argument"),
        (lambda g: pb.ones(2), r"argument x: expected float32\[\], got float32\[2\]"),
        (lambda g: "oops", "argument x.*str"),
    ],
)
def test_what_a_gradient_function_returns_is_checked(answer, text):
    f = pb.custom_gradient(lambda x: (x * 1, answer))
    with pytest.raises(pb.RuleError, match=f"vjp rule of '<lambda>'.*{text}"):
        pb.grad(f)(THREE)


def test_eight_threads():
    def work(s):
        for _ in range(20):
            near(pb.grad(lambda x: squared(x, s))(THREE), 30.0 * s)
            near(pb.vmap(pb.grad(lambda x: squared(x, s)))(X), 10 * s * LINE)

    together(work)
