"""Law 6: checkpoint uses the same rules, computes residuals again, and keeps random draws equal."""

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near, probe

X = pb.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("compiled", [False, True])
def test_the_same_rule_with_and_without(compiled, device):
    f = probe("vjp", "jvp")
    wrap = pb.compile if compiled else lambda g: g
    near(wrap(pb.grad(pb.checkpoint(f)))(pb.array(3.0)), 30.0)
    near(wrap(pb.grad(pb.checkpoint(lambda x: pb.sin(f(x)))))(pb.array(3.0)), 30.0 * np.cos(9.0), 1e-4)
    near(wrap(pb.vmap(pb.grad(pb.checkpoint(f))))(X), [10.0, 20, 30])
    near(wrap(pb.grad(lambda x: pb.vmap(pb.checkpoint(f))(x).sum()))(X), [10.0, 20, 30])
    near(wrap(lambda x: pb.jvp(pb.checkpoint(f), [x], [pb.ones(3)])[1][0])(X), [100.0, 200, 300])


def test_second_order_and_nesting():
    f = probe("vjp")
    near(pb.grad(pb.grad(pb.checkpoint(f)))(pb.array(3.0)), 10.0)
    near(pb.grad(pb.checkpoint(pb.grad(f)))(pb.array(3.0)), 10.0)
    near(pb.grad(pb.checkpoint(pb.checkpoint(f)))(pb.array(3.0)), 30.0)
    near(pb.grad(pb.checkpoint(pb.grad(pb.checkpoint(f))))(pb.array(3.0)), 10.0)


def test_a_custom_function_of_a_checkpointed_body():
    inner = probe("vjp")
    outer = pb.custom_function(pb.checkpoint(lambda x: inner(x) * 2))
    near(pb.grad(outer)(pb.array(3.0)), 60.0)


def test_trees_keywords_and_captures():
    w = pb.array(5.0)

    @pb.checkpoint
    def f(p, *, scale):
        return {"y": p["a"] * p["b"] * scale * w}

    def loss(p, w_scale):
        return f(p, scale=w_scale)["y"]

    p = {"a": pb.array(2.0), "b": pb.array(3.0)}
    near(pb.grad(loss)(p, pb.array(7.0)), {"a": 105.0, "b": 70.0})
    near(pb.grad(loss, argnums=1)(p, pb.array(7.0)), 30.0)
    # What the closure captured has its true gradient.
    near(pb.grad(lambda w: pb.checkpoint(lambda x: x * w)(pb.array(3.0)))(w), 3.0)
    near(pb.compile(pb.grad(lambda w: pb.checkpoint(lambda x: x * w)(pb.array(3.0))))(w), 3.0)


def test_the_function_is_called_once():
    body = Counted(lambda x: pb.sin(x) * x)
    near(pb.grad(pb.checkpoint(lambda x: body(x)))(pb.array(2.0)), np.cos(2.0) * 2 + np.sin(2.0))
    assert body.calls == 1


@pytest.mark.parametrize("compiled", [False, True])
def test_random_draws_are_the_same_when_computed_again(compiled, device):
    @pb.checkpoint
    def noisy(x):
        mask = pb.random.bernoulli(0.5, (64,))
        return pb.where(mask, x * 2, 0.0)

    def loss(x):
        y = noisy(x)
        return y.sum(), y

    run = pb.value_and_grad(loss)
    (_, y), g = (pb.compile(run) if compiled else run)(pb.ones(64))
    # Where an element was dropped its gradient is zero, and nowhere else.
    near(g, y)
    assert 0 < y.sum().item() < 128


def test_it_looks_like_its_function():
    @pb.checkpoint
    def named(x):
        """Doc."""
        return x

    assert (named.__name__, named.__doc__) == ("named", "Doc.")
    near(named(X), [1.0, 2, 3])
    with pytest.raises(TypeError, match=r"\[checkpoint\] expected a function, got"):
        pb.checkpoint(3)
