"""What custom functions take and return: containers, keywords, numbers, text, integers, keys; methods."""

import copy
import dataclasses
import functools
import inspect
import pickle
from collections import namedtuple

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near, probe

X = pb.array([1.0, 2.0, 3.0])
Pair = namedtuple("Pair", "first second")


@dataclasses.dataclass
class Layer:
    weight: pb.array
    bias: pb.array
    name: str = "dense"


def trees(a, b):
    return {
        "tuple": (a, b),
        "list": [a, b],
        "dict": {"a": a, "b": b},
        "named": Pair(a, b),
        "dataclass": Layer(a, b),
        "nested": {"x": [a, None, (b, "text", 3)], "y": {}},
    }


def arrays(tree):
    if isinstance(tree, pb.array):
        return [tree]
    if isinstance(tree, dict):
        return [x for child in tree.values() for x in arrays(child)]
    if isinstance(tree, list | tuple):
        return [x for child in tree for x in arrays(child)]
    if dataclasses.is_dataclass(tree):
        return arrays([tree.weight, tree.bias])
    return []


def scaled(tree, factors):
    """The tree with its arrays multiplied, in order."""
    factors = iter(factors)

    def walk(tree):
        if isinstance(tree, pb.array):
            return tree * next(factors)
        if isinstance(tree, dict):
            return {key: walk(child) for key, child in tree.items()}
        if isinstance(tree, Pair):
            return Pair(*map(walk, tree))
        if isinstance(tree, list | tuple):
            return type(tree)(map(walk, tree))
        if dataclasses.is_dataclass(tree):
            return Layer(walk(tree.weight), walk(tree.bias), tree.name)
        return tree

    return walk(tree)


@pytest.mark.parametrize("kind", trees(X, X))
class TestTrees:
    def make(self, kind):
        tree = trees(X, X * 2)[kind]
        f = pb.custom_function(lambda tree: scaled(tree, [2.0, 3.0]))
        seen = []

        @f.vjp
        def rule(primals, cotangents, outputs):
            seen.append((type(primals), type(cotangents), type(outputs)))
            return scaled(cotangents, [20.0, 30.0])

        @f.jvp
        def forward(primals, tangents):
            seen.append((type(primals), type(tangents)))
            return scaled(tangents, [200.0, 300.0])

        return tree, f, seen

    def loss(self, f):
        return lambda tree: sum((x.sum() for x in arrays(f(tree))), pb.array(0.0))

    def test_gradients_have_the_structure_of_the_argument(self, kind):
        tree, f, seen = self.make(kind)
        got = pb.grad(self.loss(f))(tree)
        assert type(got) is type(tree)
        near([x.tolist() for x in arrays(got)], [[20.0] * 3, [30.0] * 3])
        assert seen == [(type(tree),) * 3]

    def test_tangents(self, kind):
        tree, f, seen = self.make(kind)
        ones = trees(pb.ones(3), pb.ones(3))[kind]
        _, (pushed,) = pb.jvp(lambda t: self.loss(f)(t), [tree], [ones])
        near(pushed, 200.0 * 3 + 300.0 * 3)
        assert seen[0] == (type(tree),) * 2

    def test_batched_and_compiled(self, kind):
        tree, f, _ = self.make(kind)
        got = pb.vmap(f)(tree)
        assert type(got) is type(tree)
        near([x.tolist() for x in arrays(got)], [[2.0, 4.0, 6.0], [6.0, 12.0, 18.0]])
        got = pb.compile(pb.vmap(pb.grad(self.loss(f))))(tree)
        near([x.tolist() for x in arrays(got)], [[20.0] * 3, [30.0] * 3])


def test_a_batch_rule_gets_axes_in_the_structure_of_the_inputs():
    seen = []
    f = pb.custom_function(lambda p, x: p["w"] * x)

    @f.vmap
    def rule(inputs, axes):
        seen.append(axes)
        return inputs[0]["w"] * inputs[1], 0

    p = {"w": X, "unused": pb.array(1.0)}
    near(pb.vmap(f, in_axes=({"w": 0, "unused": None}, 0))(p, X), [1.0, 4, 9])
    assert seen == [({"w": 0, "unused": None}, 0)]


@pytest.mark.parametrize("value", [2, 2.5, True, None, "text", pb.sin, (1, 2), {"k": 3}], ids=repr)
def test_what_is_no_array_reaches_function_and_rules_as_it_is(value):
    seen = []
    f = pb.custom_function(lambda x, v, y: (seen.append(v), x * y)[1])
    f.vjp(lambda p, g, _: (seen.append(p[1]), (10 * g * p[2], None, 20 * g * p[0]))[1])
    got = pb.grad(lambda x, y: f(x, value, y), argnums=(0, 1))(pb.array(2.0), pb.array(3.0))
    near(got, (30.0, 40.0))
    assert seen[0] == value and seen[1] == value and type(seen[0]) is type(value)
    near(pb.vmap(lambda x: pb.grad(lambda x: f(x, value, pb.array(3.0)))(x))(X), [30.0, 30, 30])
    near(pb.compile(pb.grad(lambda x: f(x, value, pb.array(3.0))))(pb.array(2.0)), 30.0)


def test_keywords_and_defaults():
    f = pb.custom_function(lambda x, *, power=2, scale=1.0: scale * x**power)
    seen = []

    @f.vjp
    def rule(x, g, y, *, power=2, scale=1.0):
        seen.append((power, scale))
        return 10 * g

    near(pb.grad(lambda x: f(x))(pb.array(3.0)), 10.0)
    near(pb.grad(lambda x: f(x, power=3))(pb.array(3.0)), 10.0)
    near(f(pb.array(3.0), power=3, scale=2.0), 54.0)
    near(pb.vmap(lambda x: f(x, power=3))(X), [1.0, 8, 27])
    near(pb.grad(lambda x: pb.vmap(lambda x: f(x, scale=2.0))(x).sum())(X), [10.0] * 3)
    assert seen == [(2, 1.0), (3, 1.0), (2, 2.0)]
    positional = pb.custom_function(lambda x, y=5.0: x * y)
    positional.vjp(lambda p, g, out: (7 * g, None) if isinstance(p, tuple) else 3 * g)
    near(pb.grad(lambda x: positional(x))(pb.array(1.0)), 3.0)
    near(pb.grad(lambda x: positional(x, 2.0))(pb.array(1.0)), 7.0)


def test_numpy_arguments_and_results():
    f = pb.custom_function(lambda x, table: x * pb.array(table))
    f.vjp(lambda p, g, y: (np.float32(10) * g, None))
    table = np.arange(3, dtype="f4")
    near(pb.grad(lambda x: f(x, table).sum())(X), [10.0] * 3)
    near(pb.vmap(lambda x: f(x, table).sum())(X), [3.0, 6.0, 9.0])


def test_integer_inputs_and_outputs():
    f = pb.custom_function(lambda x, i: (x[i], i * 2))
    cotangents = []

    @f.vjp
    def rule(p, g, _):
        cotangents.append(g)
        return pb.zeros_like(p[0]).at[p[1]].add(10 * g[0]), None

    i = pb.array([0, 0, 2])

    def loss(x):
        y, j = f(x, i)
        return (y * j).sum()

    near(pb.grad(loss)(X), [0.0, 0.0, 40.0])
    assert cotangents[0][1].shape == (3,)
    near(pb.vmap(lambda k: pb.grad(lambda x: f(x, k)[0])(X))(pb.array([0, 2])), [[10.0, 0, 0], [0.0, 0, 10]])


def test_random_keys_are_arguments():
    f = pb.custom_function(lambda x, key: x * pb.random.bernoulli(0.5, x.shape, key))
    f.vjp(lambda p, g, y: (g * pb.random.bernoulli(0.5, p[0].shape, p[1]), None))
    key = pb.random.key(3)
    y, g = f(pb.ones(50), key), pb.grad(lambda x: f(x, key).sum())(pb.ones(50))
    near(y, g)
    keys = pb.random.split(key, 4)
    got = pb.vmap(pb.grad(lambda x, k: f(x, k).sum()), in_axes=(None, 0))(pb.ones(50), keys)
    near(got, np.stack([np.asarray(f(pb.ones(50), keys[i])) for i in range(4)]))


def test_the_same_array_twice():
    f = pb.custom_function(lambda x, y: x * y)
    f.vjp(lambda p, g, _: (10 * g, 100 * g))
    near(pb.grad(lambda x: f(x, x))(pb.array(3.0)), 110.0)
    near(pb.vmap(pb.grad(lambda x: f(x, x)))(X), [110.0] * 3)


def test_identity_and_constants():
    same = pb.custom_function(lambda x: x)
    same.vjp(lambda x, g, y: 10 * g)
    near(pb.grad(lambda x: same(x) + x)(pb.array(3.0)), 11.0)
    near(pb.vmap(pb.grad(same))(X), [10.0] * 3)
    fixed = pb.custom_function(lambda x: pb.array(5.0))
    fixed.vjp(lambda x, g, y: 10 * g)
    near(pb.grad(fixed)(pb.array(3.0)), 10.0)
    near(pb.vmap(fixed)(X), [5.0] * 3)


def test_an_output_that_is_not_used():
    f = pb.custom_function(lambda x: (x, x * 2))
    seen = []

    @f.vjp
    def zeros(x, g, y):
        seen.append([v.tolist() for v in g])
        return g[0] + 10 * g[1]

    near(pb.grad(lambda x: f(x)[1])(pb.array(3.0)), 10.0)
    assert seen == [[0.0, 1.0]]
    f.vjp(lambda x, g, y: seen.append(g) or g[1] * 10, symbolic_zeros=True)
    near(pb.grad(lambda x: f(x)[1])(pb.array(3.0)), 10.0)
    assert seen[1][0] is None


def test_tangents_of_what_has_none():
    seen = []
    f = pb.custom_function(lambda x, y, n: x * y)
    f.jvp(lambda p, t: seen.append(t) or 10 * t[0] * p[1] + 100 * t[1] * p[0])
    y, one = pb.array(3.0), pb.array(1.0)
    near(pb.jvp(lambda x: f(x, y, "n"), [pb.array(2.0)], [one])[1][0], 30.0)
    assert seen[0][1].item() == 0 and seen[0][2] is None
    f.jvp(lambda p, t: seen.append(t) or 10 * t[0] * p[1], symbolic_zeros=True)
    near(pb.jvp(lambda x: f(x, y, "n"), [pb.array(2.0)], [one])[1][0], 30.0)
    assert seen[1][1] is None


def test_python_conditions_on_values():
    f = pb.custom_function(lambda x: x * 2 if x > 0 else x * 3)
    f.vjp(lambda x, g, y: 10 * g if x > 0 else 20 * g)
    near(pb.grad(f)(pb.array(1.0)), 10.0)
    near(pb.grad(f)(pb.array(-1.0)), 20.0)
    for transform in (pb.vmap, pb.compile):
        with pytest.raises(ValueError, match="tracer"):
            transform(f)(X[:1] if transform is pb.vmap else X[0])


def test_in_place_changes_in_body_and_rule():
    f = pb.custom_function(lambda x: changed(x, 2.0))
    f.vjp(lambda x, g, y: changed(g, 10.0))
    x = pb.array([1.0, 2.0])
    near(pb.grad(lambda x: f(x).sum())(x), [10.0, 10.0])
    near(x, [1.0, 2.0])
    near(pb.vmap(pb.grad(f))(x), [10.0, 10.0])


def changed(x, factor):
    x = x * 1
    x *= factor
    return x


def test_methods():
    class Model:
        def __init__(self, scale):
            self.scale = scale

        @pb.custom_function
        def forward(self, x):
            return x * self.scale

        @forward.vjp
        def forward(primals, g, _):
            return None, 10 * g * primals[0].scale

        @forward.vmap
        def forward(inputs, axes):
            return inputs[1] * inputs[0].scale + 7, axes[1]

    model = Model(3.0)
    near(model.forward(X), [3.0, 6, 9])
    near(pb.grad(lambda x: model.forward(x).sum())(X), [30.0] * 3)
    near(pb.vmap(model.forward)(X), [10.0, 13, 16])
    near(pb.vmap(pb.grad(model.forward))(X), [30.0] * 3)
    near(Model.forward(model, X), [3.0, 6, 9])


def named(x, y=1, *, z=2):
    """Say what it does."""
    return x * y * z


ruled = pb.custom_function(named)


@pb.custom_function
def decorated(x):
    """Decorated."""
    return x


def test_it_looks_like_its_function():
    assert (ruled.__name__, ruled.__qualname__, ruled.__doc__) == ("named", "named", "Say what it does.")
    assert ruled.__module__ == __name__ and ruled.__wrapped__ is named
    assert str(inspect.signature(ruled)) == "(x, y=1, *, z=2)"
    assert "named" in repr(ruled)
    assert functools.wraps(ruled)(lambda x: x).__name__ == "named"


def test_copies_and_pickles():
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    assert copy.copy(decorated) is decorated and copy.deepcopy(decorated) is decorated
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps(pb.custom_function(lambda x: x))


def test_options_by_partial():
    @functools.partial(pb.custom_function, missing="derive", captured="differentiate")
    def f(x):
        return x * x

    f.jvp(lambda x, t: 100 * t * x)
    near(pb.grad(f)(pb.array(3.0)), 300.0)


def test_rules_by_decorators_with_and_without_brackets():
    f = pb.custom_function(lambda x: x * x)

    @f.vjp(symbolic_zeros=True)
    def rule(x, g, y):
        return 10 * g

    @f.jvp()
    def forward(x, t):
        return 100 * t

    assert rule is f and forward is f
    near(pb.grad(f)(pb.array(1.0)), 10.0)


@pytest.mark.parametrize("calls", [1, 3])
def test_how_often_the_callbacks_are_called(calls):
    body, back, forward = (Counted(fun) for fun in (lambda x: x * x, lambda x, g, y: g, lambda x, t: t))
    f = pb.custom_function(lambda x: body(x))
    f.vjp(lambda x, g, y: back(x, g, y))
    f.jvp(lambda x, t: forward(x, t))

    def many(x):
        for _ in range(calls):
            x = f(x)
        return x

    pb.grad(many)(pb.array(1.0))
    assert (body.take(), back.take(), forward.take()) == (calls, calls, 0)
    pb.jvp(many, [pb.array(1.0)], [pb.array(1.0)])
    assert (body.take(), back.take(), forward.take()) == (calls, 0, calls)
    pb.vmap(many)(X)
    assert (body.take(), back.take(), forward.take()) == (calls, 0, 0)


def test_what_is_not_differentiated_costs_no_rule():
    f, back = probe(), Counted(lambda x, g, y: g)
    f.vjp(lambda x, g, y: back(x, g, y))
    pb.grad(lambda x: x * f(pb.array(2.0)) * pb.stop_gradient(f(x)))(pb.array(3.0))
    assert back.calls == 0


def test_outside_of_transforms_it_is_called_plainly():
    f = pb.custom_function(lambda *args, **kwargs: (args, kwargs))
    assert f(1, "a", k=None) == ((1, "a"), {"k": None})


@pytest.mark.parametrize("what", [3, None, "f", X], ids=["number", "None", "text", "array"])
def test_what_is_no_function(what):
    with pytest.raises(TypeError, match=r"\[custom_function\] expected a function, got"):
        pb.custom_function(what)
