"""Law 4: the body is not touched where a rule replaces it."""

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near, probe

X = pb.array([1.0, 2.0, 3.0])


def counted(*rules, **options):
    body = Counted(lambda x: x * x)
    f = pb.custom_function(lambda x: body(x), **options)
    if "vjp" in rules:
        f.vjp(lambda x, g, y: 10 * g * x)
    if "jvp" in rules:
        f.jvp(lambda x, t: 100 * t * x)
    if "vmap" in rules:
        f.vmap(lambda x, axis: (x * x + 7, axis))
    return f, body


def test_a_vmap_rule_replaces_the_body():
    f, body = counted("vmap")
    near(pb.vmap(f)(X), [8.0, 11, 16])
    assert body.calls == 0


def test_a_vmap_rule_replaces_the_body_under_derivatives_that_have_rules():
    f, body = counted("vjp", "jvp", "vmap")
    near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), [10.0, 20, 30])
    near(pb.vmap(pb.grad(f))(X), [10.0, 20, 30])
    near(pb.jvp(pb.vmap(f), [X], [pb.ones(3)])[1][0], [100.0, 200, 300])
    assert body.calls == 0


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_body_is_called_once_whatever_is_around_it(depth):
    f, body = counted("vjp", "jvp")
    g = f
    for _ in range(depth):
        g = pb.grad(g)
    g(pb.array(3.0))
    assert body.take() == 1
    pb.jvp(f, [pb.array(3.0)], [pb.array(1.0)])
    assert body.take() == 1


def test_inner_rules_are_not_called():
    inner = probe()
    rule = Counted(lambda x, g, y: 1000 * g)
    inner.vjp(lambda x, g, y: rule(x, g, y))
    outer = pb.custom_function(lambda x: inner(x))
    outer.vjp(lambda x, g, y: 10 * g * x)
    near(pb.grad(outer)(pb.array(3.0)), 30.0)
    near(pb.vmap(pb.grad(outer))(X), [10.0, 20, 30])
    near(pb.grad(lambda x: pb.vmap(outer)(x).sum())(X), [10.0, 20, 30])
    assert rule.calls == 0


def numpy_body():
    """A body that looks at values, which no transform could see through."""
    f = pb.custom_function(lambda x: pb.array(np.sin(np.asarray(x))))
    f.vjp(lambda x, g, y: g * pb.cos(x))
    f.jvp(lambda x, t: t * pb.cos(x))
    return f


def test_a_body_in_numpy_is_differentiable():
    f = numpy_body()
    near(f(X), np.sin([1.0, 2, 3]))
    near(pb.grad(lambda x: f(x).sum())(X), np.cos([1.0, 2, 3]))
    near(pb.jvp(f, [X], [pb.ones(3)])[1][0], np.cos([1.0, 2, 3]))
    near(pb.grad(pb.grad(f))(pb.array(1.0)), -np.sin(1.0))


def test_a_body_in_numpy_is_vmappable_by_a_rule():
    f = numpy_body()
    f.vmap(lambda x, axis: (pb.sin(x), axis))
    near(pb.vmap(f)(X), np.sin([1.0, 2, 3]))
    near(pb.vmap(pb.grad(f))(X), np.cos([1.0, 2, 3]))
    near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), np.cos([1.0, 2, 3]))


def test_a_body_in_numpy_under_vmap_and_compile_is_a_clear_error():
    f = numpy_body()
    with pytest.raises(ValueError, match=r"tracer of vmap"):
        pb.vmap(f)(X)
    with pytest.raises(ValueError, match=r"tracer of compile"):
        pb.compile(f)(X)
    # Nothing is left behind.
    near(pb.vmap(lambda x: x + 1)(X), [2.0, 3, 4])
    near(pb.compile(lambda x: x + 1)(X), [2.0, 3, 4])


def test_item_in_the_body():
    f = pb.custom_function(lambda x: x * 2 if x.item() > 0 else x * 3)
    f.vjp(lambda x, g, y: 10 * g)
    near(pb.grad(f)(pb.array(1.0)), 10.0)
    near(pb.value_and_grad(f)(pb.array(-1.0)), (-3.0, 10.0))


def test_an_operation_without_derivative_in_the_body():
    """Rounding has derivative zero everywhere; the rule passes the cotangent straight through."""
    quantise = pb.custom_function(lambda x: pb.round(x * 4) / 4)
    quantise.vjp(lambda x, g, y: g)
    quantise.jvp(lambda x, t: t)
    near(quantise(pb.array([0.3, 0.6])), [0.25, 0.5])
    near(pb.grad(lambda x: (quantise(x) ** 2).sum())(pb.array([0.3, 0.6])), [0.5, 1.0])
    near(pb.jvp(quantise, [pb.array(0.3)], [pb.array(5.0)])[1][0], 5.0)
    near(pb.grad(lambda x: pb.round(x * 4).sum())(pb.array([0.3])), [0.0])


def test_no_body_runs_on_placeholders_when_the_vmap_rule_answers():
    def refuses(x):
        raise AssertionError("the body ran")

    f = pb.custom_function(refuses)
    f.vmap(lambda x, axis: (x + 1, axis))
    f.vjp(lambda x, g, y: 10 * g)
    f.jvp(lambda x, t: 100 * t)
    near(pb.vmap(f)(X), [2.0, 3, 4])
    near(pb.vmap(pb.vmap(f))(pb.zeros((2, 2))), np.ones((2, 2)))
    near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), [10.0, 10, 10])
    near(pb.compile(pb.vmap(f))(X), [2.0, 3, 4])
