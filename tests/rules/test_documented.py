"""The examples that MLX documents, corrected where the printed text has a slip."""

import itertools

import numpy as np
import pullback as pb
import pytest
from samples import near


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
    return pb.sin(x) * y, 0


AXES = [pair for pair in itertools.product([None, 0, 1, -1], repeat=2) if pair != (None, None)]


def test_registering_returns_the_function_itself():
    assert f_vjp is f and f_jvp is f and f_vmap is f


def test_the_example(device):
    x, y = pb.array(1.0), pb.array(2.0)
    near(f(x, y), np.sin(1.0) * 2)
    near(pb.grad(f)(x, y), np.cos(1.0) * 2)
    near(pb.grad(f, argnums=(0, 1))(x, y), (np.cos(1.0) * 2, np.sin(1.0)))
    near(
        pb.jvp(f, [x, y], [pb.array(1.0), pb.array(1.0)]),
        ([np.sin(1.0) * 2], [np.cos(1.0) * 2 + np.sin(1.0)]),
    )
    # The tangent of what has none is zero, and the documented rule works.
    near(pb.jvp(lambda x: f(x, y), [x], [pb.array(1.0)])[1], [np.cos(1.0) * 2])
    near(pb.jvp(lambda x: f(x, 2.0), [x], [pb.array(1.0)])[1], [np.cos(1.0) * 2])


@pytest.mark.parametrize("shape", [(3, 3), (2, 3)], ids=str)
@pytest.mark.parametrize("axes", AXES, ids=str)
def test_every_pair_of_batch_axes(axes, shape):
    rng = np.random.default_rng(0)
    n = 3

    def argument(axis):
        if axis is None:
            return rng.normal(size=(4,))
        rest = [4]
        rest.insert(axis if axis >= 0 else len(rest) + 1 + axis, n)
        return rng.normal(size=rest)

    x, y = (argument(axis).astype("f4") for axis in axes)
    rows = [
        np.broadcast_to(v, (n, 4)) if axis is None else np.moveaxis(v, axis, 0)
        for v, axis in zip((x, y), axes, strict=True)
    ]
    a, b = pb.array(x), pb.array(y)
    want = np.sin(rows[0]) * rows[1]
    near(pb.vmap(f, in_axes=axes)(a, b), want)
    near(pb.vmap(f, in_axes=axes, out_axes=1)(a, b), want.T)

    def total(a, b):
        return pb.vmap(f, in_axes=axes)(a, b).sum()

    each = (np.cos(rows[0]) * rows[1], np.sin(rows[0]))

    def back(g, axis):
        return g.sum(0) if axis is None else np.moveaxis(g, 0, axis)

    slopes = tuple(back(g, axis) for g, axis in zip(each, axes, strict=True))
    near(pb.grad(total, argnums=(0, 1))(a, b), slopes)
    near(pb.compile(pb.grad(total, argnums=(0, 1)))(a, b), slopes)
    near(pb.jvp(pb.vmap(f, in_axes=axes), [a, b], [pb.ones_like(a), pb.ones_like(b)])[1][0], sum(each))

    def inner(a, b):
        return pb.grad(lambda a, b: f(a, b).sum(), argnums=(0, 1))(a, b)

    near(pb.vmap(inner, in_axes=axes)(a, b), each)


def test_neither_axis_needs_a_size():
    with pytest.raises(ValueError, match="axis_size"):
        pb.vmap(f, in_axes=None)(pb.array(1.0), pb.array(2.0))
    near(pb.vmap(f, in_axes=None, axis_size=2)(pb.array(1.0), pb.array(2.0)), [np.sin(1.0) * 2] * 2)


class TestClosure:
    """`g(x, y)` multiplies by what it captured; its rule for what it did not capture raises."""

    def make(self, captured):
        def outer(x, y):
            @pb.custom_function
            def inner(x):
                return x * y

            return inner(x)

        def ruled(x, y):
            def inner(x):
                return x * y

            h = pb.custom_function(inner, captured=captured)

            @h.vjp
            def rule(x, g, out):
                raise ValueError("Abort!")

            return h(x)

        return outer, ruled

    def test_value(self):
        for captured in ("constant", "error", "differentiate"):
            near(self.make(captured)[1](pb.array(2.0), pb.array(3.0)), 6.0)

    @pytest.mark.parametrize("captured", ["constant", "differentiate"])
    def test_the_rule_raises(self, captured):
        with pytest.raises(ValueError, match="Abort!"):
            pb.grad(self.make(captured)[1])(pb.array(2.0), pb.array(3.0))
        with pytest.raises(ValueError, match="Abort!"):
            pb.grad(self.make(captured)[1], argnums=(0, 1))(pb.array(2.0), pb.array(3.0))
        near(pb.grad(pb.sin)(pb.array(0.0)), 1.0)

    def test_a_captured_tracer_is_a_constant(self):
        near(pb.grad(self.make("constant")[1], argnums=1)(pb.array(2.0), pb.array(3.0)), 0.0)
        near(pb.grad(self.make("constant")[0], argnums=1)(pb.array(2.0), pb.array(3.0)), 0.0)
        x, y = pb.array(2.0), pb.array(3.0)
        with pytest.warns(pb.RuleFallbackWarning):
            near(pb.jvp(self.make("constant")[1], [x, y], [pb.array(1.0), pb.array(1.0)])[1][0], 3.0)

    def test_or_an_error_that_names_it(self):
        with pytest.raises(pb.RuleError, match=r"'inner' captured .*: pass it as an argument"):
            pb.grad(self.make("error")[1], argnums=1)(pb.array(2.0), pb.array(3.0))

    def test_or_it_is_differentiated(self):
        f = self.make("differentiate")[1]

        def through(y):
            return f(pb.stop_gradient(pb.array(2.0)), y)

        with pytest.raises(ValueError, match="Abort!"):
            pb.grad(f, argnums=(0, 1))(pb.array(2.0), pb.array(3.0))

        def free(y):
            h = pb.custom_function(lambda x: x * y, captured="differentiate")
            h.vjp(lambda x, g, out: 10 * g)
            return h(pb.array(2.0))

        near(pb.grad(free)(pb.array(3.0)), 2.0)
        near(pb.vmap(pb.grad(free))(pb.array([3.0, 4.0])), [2.0, 2.0])

    @pytest.mark.parametrize("captured", ["constant", "error", "differentiate"])
    def test_a_captured_batch_works_under_every_policy(self, captured):
        def g(y):
            h = pb.custom_function(lambda x: x * y, captured=captured)
            h.vjp(lambda x, g, out: 10 * g)
            return h(pb.array(2.0))

        near(pb.vmap(g)(pb.array([3.0, 4.0])), [6.0, 8.0])


def test_the_porting_guides_two_parameters_and_pairs():
    h = pb.custom_function(lambda x: x * x)
    h.vjp(lambda primals, cotangents: 10 * cotangents * primals)
    h.jvp(lambda primals, tangents: (primals * primals, 100 * tangents * primals))
    near(pb.grad(h)(pb.array(3.0)), 30.0)
    outs, tangents = pb.jvp(h, [pb.array(3.0)], [pb.array(1.0)])
    near((outs, tangents), ([9.0], [300.0]))
