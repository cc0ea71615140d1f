"""Law 3: higher derivatives go through the rule's own operations."""

import itertools

import pullback as pb
import pytest
from samples import near, probe


def test_second_order_is_that_of_the_rule(device):
    f = probe("vjp", "jvp")
    near(pb.grad(pb.grad(f))(pb.array(3.0)), 10.0)
    near(pb.grad(pb.grad(pb.grad(f)))(pb.array(3.0)), 0.0)


def tangent_of(f):
    return lambda x: pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


@pytest.mark.parametrize("order", list(itertools.product(["grad", "jvp"], repeat=3)))
def test_every_order_of_modes(order):
    """A cubic rule, so that three derivatives say something: vjp g·x³, jvp t·x³."""
    f = pb.custom_function(lambda x: x)
    f.vjp(lambda x, g, y: g * x**3)
    f.jvp(lambda x, t: t * x**3)
    g = f
    for mode in order:
        g = pb.grad(g) if mode == "grad" else tangent_of(g)
    near(g(pb.array(2.0)), 6 * 2.0)


def test_a_rule_may_call_its_own_function(device):
    @pb.custom_function
    def exp(x):
        return pb.exp(x)

    @exp.vjp
    def rule(x, g, _):
        return 2 * g * exp(x)

    f = exp
    for order in range(1, 5):
        f = pb.grad(f)
        near(f(pb.array(0.5)), 2**order * 2.718281828**0.5, 1e-4)


def test_a_rule_that_uses_the_output_goes_through_the_rule_again(device):
    exp = pb.custom_function(lambda x: pb.exp(x))
    exp.vjp(lambda x, g, y: 2 * g * y)
    f = exp
    for order in range(1, 4):
        f = pb.grad(f)
        near(f(pb.array(0.5)), 2**order * 2.718281828**0.5, 1e-4)


def test_a_rule_made_of_other_custom_functions():
    inner = probe("vjp")
    outer = pb.custom_function(lambda x: x)
    outer.vjp(lambda x, g, y: g * inner(x))
    # First the value of the inner function, then its rule.
    near(pb.grad(outer)(pb.array(3.0)), 9.0)
    near(pb.grad(pb.grad(outer))(pb.array(3.0)), 30.0)
    near(pb.grad(pb.grad(pb.grad(outer)))(pb.array(3.0)), 10.0)


def test_derivatives_with_respect_to_the_cotangent():
    f = pb.custom_function(lambda x: x * x)
    f.vjp(lambda x, g, y: g * g * x)

    def pulled(g):
        return pb.vjp(f, [pb.array(3.0)], [g])[1][0]

    near(pb.grad(pulled)(pb.array(2.0)), 2 * 2.0 * 3.0)


def test_mixed_partial_derivatives_of_two_arguments():
    f = pb.custom_function(lambda x, y: x * y)
    f.vjp(lambda p, g, _: (g * p[0] * p[1] ** 2, g * p[0] ** 3 * p[1]))
    x, y = pb.array(2.0), pb.array(3.0)
    for outer, inner in itertools.product([0, 1], repeat=2):
        first = [lambda x, y: x * y**2, lambda x, y: x**3 * y][inner]
        want = pb.grad(first, argnums=outer)(x, y)
        near(pb.grad(pb.grad(f, argnums=inner), argnums=outer)(x, y), want)


def test_hessian_by_vmap_of_forward_over_reverse(device):
    f = pb.custom_function(lambda x: (x**3).sum())
    f.vjp(lambda x, g, y: 2 * g * x**3)
    x = pb.array([1.0, 2.0, 3.0])
    columns = pb.vmap(lambda t: pb.jvp(pb.grad(f), [x], [t])[1][0])(pb.eye(3))
    rows = pb.vmap(lambda g: pb.vjp(pb.grad(f), [x], [g])[1][0])(pb.eye(3))
    want = [[6.0, 0, 0], [0, 24, 0], [0, 0, 54]]
    near(columns, want, 1e-4)
    near(rows, want, 1e-4)


def test_a_captured_tracer_in_a_rule_is_differentiated():
    """Survey, row 47: the second derivative passes through what a rule captured."""

    def outer(w):
        f = pb.custom_function(lambda x: x * x)
        f.vjp(lambda x, g, y: g * x * w**2)
        return pb.grad(f)(pb.array(3.0))

    near(pb.grad(outer)(pb.array(2.0)), 3.0 * 2 * 2.0)
