"""`custom_vmap` and `sequential_vmap`, the doors of JAX for batches: what the table does not reach."""

import inspect
import pickle
from collections import namedtuple

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near, together

X = pb.array([1.0, 2.0, 3.0])
TWO, THREE, ONE = pb.array(2.0), pb.array(3.0), pb.array(1.0)
LINE = np.array([1.0, 2, 3])
Pair = namedtuple("Pair", "a b")


def tangent(f, x=THREE):
    return pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


def test_in_batched_has_the_structure_of_the_arguments():
    seen = []
    f = pb.custom_vmap(lambda p, pair, x, n: p["w"] * pair.a + pair.b * x[0] * n)

    @f.def_vmap
    def rule(axis_size, in_batched, p, pair, x, n):
        seen.append((axis_size, in_batched, p["w"].shape, pair.a.shape, x[0].shape))
        return p["w"] * pair.a + pair.b * x[0] * n + 7, True

    axes = ({"w": 0, "u": None}, Pair(None, 0), [0], None)
    args = {"w": X, "u": ONE}, Pair(TWO, X), [X]
    got = pb.vmap(lambda *args: f(*args, 2), in_axes=axes[:3])(*args)
    near(got, 2 * LINE + 2 * LINE**2 + 7)
    assert seen == [(3, ({"w": True, "u": False}, Pair(False, True), [True], False), (3,), (), (3,))]


@pytest.mark.parametrize(("axis", "shape"), [(0, (3, 2)), (1, (2, 3)), (-1, (2, 3))])
def test_the_batch_axis_is_in_front(axis, shape):
    shapes = []
    f = pb.custom_vmap(lambda x: x * 2)
    f.def_vmap(lambda axis_size, in_batched, x: (shapes.append(x.shape) or x * 2 + 7, True))
    x = np.arange(6, dtype="f4").reshape(shape)
    near(pb.vmap(f, in_axes=axis, out_axes=axis)(pb.array(x)), 2 * x + 7)
    assert shapes == [(3, 2)]


def test_outputs_some_of_which_are_not_batched():
    f = pb.custom_vmap(lambda x, w: {"y": x * w, "z": (w + 1, x)})
    f.def_vmap(lambda n, b, x, w: ({"y": x * w, "z": (w + 1, x)}, {"y": True, "z": (False, True)}))
    got = pb.vmap(f, in_axes=(0, None))(X, TWO)
    near(got, {"y": 2 * LINE, "z": (np.full(3, 3.0), LINE)})
    # The gradient of what is shared counts once for each example.
    near(pb.grad(lambda w: pb.vmap(f, in_axes=(0, None))(X, w)["z"][0].sum())(TWO), 3.0)


def another_slope():
    f = pb.custom_vmap(lambda x: x * x)
    f.def_vmap(lambda n, batched, x: (pb.sin(x) * 1000, True))
    return f


def test_a_mapped_derivative_is_that_of_the_function():
    """The rule's own operations have another slope, which nobody sees."""
    f = another_slope()
    near(pb.vmap(pb.grad(f))(X), 2 * LINE)
    near(pb.vmap(lambda x: tangent(f, x))(X), 2 * LINE)
    near(pb.vmap(pb.grad(pb.grad(f)))(X), [2.0] * 3)
    near(pb.compile(pb.vmap(pb.grad(f)))(X), 2 * LINE)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_the_derivative_of_the_map_is_that_of_the_function(mode):
    f = another_slope()
    if mode == "reverse":
        near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), 2 * LINE)
    else:
        near(tangent(pb.vmap(f), X), 2 * LINE)


def test_a_rule_within_the_function_survives_the_vmap_rule():
    inner = pb.custom_vjp(lambda x: x * x)
    inner.defvjp(lambda x: (inner(x), x), lambda x, g: (10 * g * x,))
    outer = pb.custom_vmap(lambda x: inner(x))
    outer.def_vmap(lambda n, batched, x: (x * x + 7, True))
    near(pb.grad(lambda x: pb.vmap(outer)(x).sum())(X), 10 * LINE)


def test_around_a_function_with_derivative_rules():
    """Both rules hold, whichever is outside."""
    inner = pb.custom_vjp(lambda x: x * x)
    inner.defvjp(lambda x: (inner(x), x), lambda x, g: (10 * g * x,))
    outer = pb.custom_vmap(lambda x: inner(x))
    outer.def_vmap(lambda n, batched, x: (x * x + 7, True))
    near(pb.vmap(outer)(X), LINE**2 + 7)
    near(pb.grad(outer)(THREE), 30.0)
    near(pb.vmap(pb.grad(outer))(X), 10 * LINE)
    around = pb.custom_vjp(lambda x: outer(x))
    around.defvjp(lambda x: (outer(x), x), lambda x, g: (20 * g * x,))
    near(pb.vmap(pb.value_and_grad(around))(X), (LINE**2 + 7, 20 * LINE))


def test_maps_of_maps_and_unmapped_calls():
    rule = Counted(lambda n, batched, x: (x * x + 7, True))
    f = pb.custom_vmap(lambda x: x * x)
    f.def_vmap(lambda *given: rule(*given))
    near(pb.vmap(pb.vmap(f))(pb.ones((2, 3))), np.full((2, 3), 8.0))
    assert rule.take() == 1
    # What is not mapped is called plainly.
    near(pb.vmap(lambda x: x + f(TWO))(X), LINE + 4)
    assert rule.take() == 0


def test_forms_of_the_decorator():
    for make in (pb.custom_vmap, pb.custom_vmap(), pb.custom_vmap(captured="constant")):
        f = make(lambda x: x * x)

        @f.def_vmap
        def rule(axis_size, in_batched, x):
            return x * x + 7, in_batched[0]

        assert rule.__name__ == "rule" and isinstance(f, pb.custom_vmap)
        near(pb.vmap(f)(X), LINE**2 + 7)


def test_keywords_defaults_and_none():
    f = pb.custom_vmap(lambda x, w=2.0, *, bias=None: x * w)
    seen = []

    @f.def_vmap
    def rule(axis_size, in_batched, x, w, *, bias=None):
        seen.append((in_batched, w, bias))
        return x * w + 7, True

    near(pb.vmap(lambda x: f(x))(X), 2 * LINE + 7)
    near(pb.vmap(lambda x: f(w=3.0, x=x, bias=1))(X), 3 * LINE + 7)
    assert [(w, bias) for _, w, bias in seen] == [(2.0, None), (3.0, 1)]
    assert all(batched == (True, False) for batched, _, _ in seen)


def test_a_mapped_keyword_only_argument_is_an_error():
    f = pb.custom_vmap(lambda x, *, w: x * w)
    f.def_vmap(lambda n, batched, x, *, w: (x * w, True))
    with pytest.raises(pb.RuleError, match="a keyword argument is mapped: pass it by position"):
        pb.vmap(lambda x: f(x, w=x))(X)


def test_ints_keys_and_narrow_floats():
    f = pb.custom_vmap(lambda x, i, key: x[i] + pb.random.uniform(shape=(), key=key).astype(x.dtype) * 0)
    f.def_vmap(lambda n, batched, x, i, key: (pb.take(x, i) if not batched[0] else x[:, 0], True))
    keys = pb.random.split(pb.random.key(0), 3)
    got = pb.vmap(f, in_axes=(None, 0, 0))(X.astype(pb.bfloat16), pb.array([2, 1, 0]), keys)
    assert got.dtype == pb.bfloat16
    near(got, LINE[::-1])


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (lambda n, b, x: x, r"returned .*expected \(outputs, axes\)"),
        (lambda n, b, x: None, "returned None"),
        (lambda n, b, x: (pb.ones(5), True), "output 0 has size 5 on axis 0, the batch has 3"),
        (lambda n, b, x: (x, "yes"), "vmap rule of '<lambda>'.*str"),
        (lambda n, b, x: (x, (True, True)), "vmap rule of '<lambda>'"),
        (lambda n, b, x: ((x, x), (True,)), "vmap rule of '<lambda>'"),
    ],
)
def test_what_a_rule_returns_is_checked(rule, text):
    f = pb.custom_vmap(lambda x: x)
    f.def_vmap(rule)
    with pytest.raises(pb.RuleError, match=text):
        pb.vmap(f)(X)


def test_sequential_vmap(device):
    shapes = []

    @pb.sequential_vmap
    def f(x, w):
        shapes.append(x.shape)
        return {"y": x.sum() * w, "n": 3}

    rows = pb.array(np.arange(6, dtype="f4").reshape(3, 2))
    got = pb.vmap(lambda x, w: f(x, w)["y"], in_axes=(0, None))(rows, TWO)
    near(got, [2.0, 10, 18])
    assert shapes == [(2,)] * 3
    near(pb.vmap(lambda x, w: f(x, w)["y"], in_axes=(1, 0))(rows.T, X), [1.0, 10, 27])
    near(pb.grad(lambda w: pb.vmap(lambda x: f(x, w)["y"])(rows).sum())(TWO), 15.0)
    near(pb.compile(pb.vmap(lambda x: f(x, TWO)["y"]))(rows), [2.0, 10, 18])


def test_sequential_vmap_of_nothing_of_texts_and_nested():
    f = pb.sequential_vmap(lambda x, mode: {"a": x * 2, "b": x * 3}[mode])
    near(pb.vmap(lambda x: f(x, "b"))(X), 3 * LINE)
    assert pb.vmap(lambda x: f(x, "a"))(pb.zeros((0, 4))).shape == (0, 4)
    near(pb.vmap(pb.vmap(lambda x: f(x, "a")))(pb.ones((2, 3))), np.full((2, 3), 2.0))


def test_sequential_vmap_of_host_code():
    """What no transform could see through is called for one example after the other."""
    f = pb.sequential_vmap(lambda x: pb.array(np.sin(np.asarray(x))))
    near(pb.vmap(f)(X), np.sin(LINE))


def test_a_method():
    class Model:
        scale = 2.0

        @pb.custom_vmap
        def forward(self, x):
            return x * self.scale

        forward.def_vmap(lambda n, batched, self, x: (x * self.scale + 7, batched[1]))

    near(pb.vmap(Model().forward)(X), 2 * LINE + 7)
    near(pb.grad(Model().forward)(THREE), 2.0)


@pb.custom_vmap
def squared(x, *, power=2):
    """Say what it does."""
    return x**power


squared.def_vmap(lambda n, batched, x, power=2: (x**power + 7, True))


@pb.sequential_vmap
def slow(x):
    """Slow."""
    return x


def test_it_looks_like_its_function_and_pickles():
    assert (squared.__name__, squared.__doc__) == ("squared", "Say what it does.")
    assert str(inspect.signature(squared)) == "(x, *, power=2)" and squared.__wrapped__.__name__ == "squared"
    assert (slow.__name__, slow.__doc__) == ("slow", "Slow.")
    assert pickle.loads(pickle.dumps(squared)) is squared and pickle.loads(pickle.dumps(slow)) is slow


def test_on_each_device(device):
    near(pb.vmap(squared)(X), LINE**2 + 7)
    near(pb.vmap(pb.vmap(squared))(pb.ones((2, 3))), np.full((2, 3), 8.0))
    near(pb.grad(lambda x: pb.vmap(squared)(x).sum())(X), 2 * LINE)


def test_eight_threads():
    def work(_):
        for _ in range(20):
            near(pb.vmap(squared)(X), LINE**2 + 7)
            near(pb.vmap(slow)(X), LINE)

    together(work)
