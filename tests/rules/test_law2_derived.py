"""Law 2: a missing derivative is derived from the rule that is there, by transposition."""

import numpy as np
import pullback as pb
import pytest
from samples import near, probe

X = pb.array([1.0, 2.0, 3.0])
ONE = pb.array(1.0)


def tangent(f, x=3.0):
    return pb.jvp(f, [pb.array(x)], [ONE])[1][0]


def test_jvp_from_vjp_and_vjp_from_jvp():
    near(tangent(probe("vjp", missing="derive")), 30.0)
    near(pb.grad(probe("jvp", missing="derive"))(pb.array(3.0)), 300.0)


@pytest.mark.parametrize("vmap", [(), ("vmap",)])
def test_both_batched(vmap):
    f = probe("vjp", *vmap, missing="derive")
    near(pb.jvp(pb.vmap(f), [X], [pb.ones(3)])[1][0], [10.0, 20, 30])
    near(pb.vmap(lambda x: pb.jvp(f, [x], [ONE])[1][0])(X), [10.0, 20, 30])
    f = probe("jvp", *vmap, missing="derive")
    near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), [100.0, 200, 300])
    near(pb.vmap(pb.grad(f))(X), [100.0, 200, 300])


def test_forward_over_reverse_and_reverse_over_forward():
    only_vjp, only_jvp = probe("vjp", missing="derive"), probe("jvp", missing="derive")
    near(tangent(pb.grad(only_vjp)), 10.0)
    near(pb.grad(lambda x: tangent_of(only_jvp, x))(pb.array(3.0)), 100.0)
    near(pb.grad(lambda x: tangent_of(only_vjp, x))(pb.array(3.0)), 10.0)
    near(tangent(pb.grad(only_jvp)), 100.0)
    near(tangent(lambda x: tangent_of(only_vjp, x)), 10.0)
    near(pb.grad(pb.grad(only_jvp))(pb.array(3.0)), 100.0)


def tangent_of(f, x):
    return pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


@pytest.mark.parametrize("missing", ["body", "derive", "error"])
def test_forward_over_reverse_uses_the_rules_own_operations(missing):
    # The rule is differentiated and not the function: no policy is asked.
    near(tangent(pb.grad(probe("vjp", missing=missing))), 10.0)
    near(pb.grad(lambda x: tangent_of(probe("jvp", missing=missing), x))(pb.array(3.0)), 100.0)


def test_several_arguments_and_outputs():
    f = pb.custom_function(lambda x, y: (x * y, x + y), missing="derive")
    f.vjp(lambda p, g, _: (g[0] * p[1] * 2 + g[1] * 3, g[0] * p[0] * 5 + g[1] * 7))
    outs, tangents = pb.jvp(f, [pb.array(2.0), pb.array(3.0)], [pb.array(1.0), pb.array(10.0)])
    near(outs, [6.0, 5.0])
    # Rows of the transposed matrix: (2y, 5x) and (3, 7).
    near(tangents, [2 * 3 * 1.0 + 5 * 2 * 10.0, 3 * 1.0 + 7 * 10.0])
    g = pb.custom_function(lambda x, y: (x * y, x + y), missing="derive")
    g.jvp(lambda p, t: (t[0] * p[1] * 2 + t[1] * p[0] * 5, t[0] * 3 + t[1] * 7))
    _, pulled = pb.vjp(g, [pb.array(2.0), pb.array(3.0)], [pb.array(1.0), pb.array(10.0)])
    near(pulled, [2 * 3.0 + 3 * 10, 5 * 2.0 + 7 * 10])


def test_a_rule_that_uses_matmul_and_views_transposes():
    f = pb.custom_function(lambda w, x: w @ x, missing="derive")
    f.vjp(lambda p, g, _: (pb.outer(g, p[1]), p[0].T @ g))
    rng = np.random.default_rng(0)
    w, x, dw, dx = (rng.normal(size=s).astype("f4") for s in [(2, 3), (3,), (2, 3), (3,)])
    _, (t,) = pb.jvp(f, [pb.array(w), pb.array(x)], [pb.array(dw), pb.array(dx)])
    near(t, dw @ x + w @ dx)


@pytest.mark.parametrize(
    ("rule", "op"),
    [
        (lambda x, g, y: pb.maximum(g, 0.0), "maximum"),
        (lambda x, g, y: pb.sin(g), "sin"),
        (lambda x, g, y: g * g, "multiply"),
        (lambda x, g, y: g + 1.0, "add"),
        (lambda x, g, y: pb.clip(g, -1.0, 1.0), "clip"),
    ],
)
def test_a_rule_that_is_not_linear_cannot_be_transposed(rule, op):
    def limited(x):
        return x * 1.0

    f = pb.custom_function(limited, missing="derive")
    f.vjp(rule)
    with pytest.raises(
        pb.RuleError, match="'limited' has no jvp rule, and its vjp rule cannot be transposed"
    ):
        tangent(f)
    near(pb.grad(f)(pb.array(0.5)).ndim, 0)


@pytest.mark.parametrize(("given", "asked"), [("vjp", "jvp"), ("jvp", "vjp")])
class TestPolicies:
    def ask(self, f, asked):
        return tangent(f) if asked == "jvp" else pb.grad(f)(pb.array(3.0))

    def test_body_warns_and_differentiates_the_body(self, given, asked):
        f = probe(given)
        text = f"'<lambda>' has a {given} rule but no {asked} rule"
        with pytest.warns(pb.RuleFallbackWarning, match=text) as caught:
            near(self.ask(f, asked), 6.0)
        assert len(caught) == 1

    def test_derive(self, given, asked):
        near(self.ask(probe(given, missing="derive"), asked), 30.0 if given == "vjp" else 300.0)

    def test_error(self, given, asked):
        f = probe(given, missing="error")
        with pytest.raises(pb.RuleError, match=f"'<lambda>' has no {asked} rule, and missing='error'"):
            self.ask(f, asked)

    def test_a_rule_that_is_there_is_never_passed_over(self, given, asked):
        for missing in ("body", "derive", "error"):
            f = probe("vjp", "jvp", missing=missing)
            near(self.ask(f, asked), 30.0 if asked == "vjp" else 300.0)


def test_without_rules_it_is_the_function():
    """No other rule is defined, so there is nothing to warn about."""
    f = probe()
    near(tangent(f), 6.0)
    near(pb.grad(f)(pb.array(3.0)), 6.0)
    near(pb.vmap(f)(X), [1.0, 4, 9])
    near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), [2.0, 4, 6])


def test_missing_with_another_word_is_refused():
    with pytest.raises(ValueError, match="expected missing to be 'body' or 'derive' or 'error', got 'guess'"):
        pb.custom_function(lambda x: x, missing="guess")
    with pytest.raises(ValueError, match=r"expected captured to be .*, got 'maybe'"):
        pb.custom_function(lambda x: x, captured="maybe")
