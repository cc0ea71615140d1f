"""Law 1: batching a custom function gives a custom function, with all its rules."""

import itertools

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near, probe

X = pb.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("vmap", [(), ("vmap",)], ids=["body", "vmap rule"])
class TestRulesSurviveBatching:
    """The value comes from the vmap rule or the batched body; derivatives always from their own rules."""

    def test_value(self, vmap, device):
        want = np.square([1.0, 2, 3]) + (7 if vmap else 0)
        near(pb.vmap(probe("vjp", *vmap))(X), want)

    def test_grad_of_vmap(self, vmap, device):
        f = probe("vjp", *vmap)
        near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), [10.0, 20, 30])

    def test_vmap_of_grad(self, vmap, device):
        near(pb.vmap(pb.grad(probe("vjp", *vmap)))(X), [10.0, 20, 30])

    def test_vjp_of_vmap(self, vmap):
        _, (pulled,) = pb.vjp(pb.vmap(probe("vjp", *vmap)), [X], [pb.array([1.0, 0.0, -2.0])])
        near(pulled, [10.0, 0, -60])

    def test_jvp_of_vmap(self, vmap, device):
        (y,), (t,) = pb.jvp(pb.vmap(probe("jvp", *vmap)), [X], [pb.ones(3)])
        near(t, [100.0, 200, 300])
        near(y, np.square([1.0, 2, 3]) + (7 if vmap else 0))

    def test_vmap_of_jvp(self, vmap):
        f = probe("jvp", *vmap)
        near(pb.vmap(lambda x: pb.jvp(f, [x], [pb.array(1.0)])[1][0])(X), [100.0, 200, 300])

    def test_two_levels(self, vmap):
        f = probe("vjp", "jvp", *vmap)
        x = pb.arange(6.0).reshape(2, 3)
        twice = pb.vmap(pb.vmap(f))
        near(twice(x), np.square(np.arange(6.0).reshape(2, 3)) + (7 if vmap else 0))
        near(pb.grad(lambda x: twice(x).sum())(x), 10 * np.arange(6.0).reshape(2, 3))
        near(pb.vmap(pb.grad(lambda r: pb.vmap(f)(r).sum()))(x), 10 * np.arange(6.0).reshape(2, 3))
        near(pb.jvp(twice, [x], [pb.ones((2, 3))])[1][0], 100 * np.arange(6.0).reshape(2, 3))

    def test_every_order_of_three_transforms(self, vmap):
        f = probe("vjp", "jvp", *vmap)
        x = pb.arange(1.0, 5.0).reshape(2, 2)
        for order in itertools.permutations(["vmap", "vmap", "grad"]):
            g = f
            for transform in order:
                # A gradient outside of maps is that of the sum.
                g = pb.vmap(g) if transform == "vmap" else pb.grad(lambda x, g=g: g(x).sum())
            near(g(x), 10 * np.arange(1.0, 5.0).reshape(2, 2))

    def test_compiled(self, vmap, device):
        f = probe("vjp", *vmap)
        near(pb.compile(pb.grad(lambda x: pb.vmap(f)(x).sum()))(X), [10.0, 20, 30])
        near(pb.compile(pb.vmap(pb.grad(f)))(X), [10.0, 20, 30])


def clipped(vmap):
    """A product whose gradients are clipped to length 1: a rule that is not linear."""
    f = pb.custom_function(lambda w, x: w * x)

    def clip(g):
        return g / pb.maximum(pb.sqrt((g * g).sum()), 1.0)

    f.vjp(lambda primals, g, y: (clip(g * primals[1]), clip(g * primals[0])))
    if vmap:

        def rule(inputs, axes):
            w, x = (v if a is None else pb.moveaxis(v, a, 0) for v, a in zip(inputs, axes, strict=True))
            return w * x, 0

        f.vmap(rule)
    return f


@pytest.mark.parametrize("vmap", [False, True], ids=["body", "vmap rule"])
def test_a_rule_that_is_not_linear_is_applied_per_example_then_summed(vmap, device):
    f = clipped(vmap)
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=3).astype("f4"), rng.normal(size=(5, 3)).astype("f4")

    def loss(w, x):
        return pb.vmap(f, in_axes=(None, 0))(w, x).sum()

    got = pb.grad(loss, argnums=(0, 1))(pb.array(w), pb.array(x))
    each = [pb.grad(lambda w, x: f(w, x).sum(), argnums=(0, 1))(pb.array(w), pb.array(row)) for row in x]
    near(got[0], sum(np.asarray(g) for g, _ in each))
    near(got[1], np.stack([np.asarray(g) for _, g in each]))
    lengths = [np.linalg.norm(np.asarray(g)) for g, _ in each]
    # Otherwise nothing was clipped, and the test would say nothing.
    assert max(lengths) > 0.99


@pytest.mark.parametrize("missing", ["body", "derive", "error"])
def test_a_call_on_what_is_not_mapped_at_all_is_per_example_too(missing, device):
    """A map is a loop: the rule sees the cotangent of each example, and not their sum."""
    f = pb.custom_function(lambda w: w * 1.0, missing=missing)
    f.vjp(lambda w, g, _: pb.clip(g, -1.0, 1.0))
    w = pb.array(2.0)
    near(pb.grad(lambda w: pb.vmap(lambda x: f(w) * x)(X).sum())(w), 3.0)
    near(pb.grad(lambda w: pb.vmap(lambda w, x: f(w) * x, in_axes=(None, 0))(w, X).sum())(w), 3.0)
    nested = pb.vmap(pb.vmap(lambda x: f(w) * x))
    near(nested(pb.ones((2, 3))), np.full((2, 3), 2.0))
    near(pb.grad(lambda w: pb.vmap(pb.vmap(lambda x: f(w) * x))(pb.full((2, 3), 5.0)).sum())(w), 6.0)
    within = pb.custom_function(lambda w: f(w) * 1.0)
    near(pb.grad(lambda w: pb.vmap(lambda x: within(w) * x)(X).sum())(w), 3.0)
    near(pb.grad(lambda w: pb.vmap(lambda x: pb.checkpoint(f)(w) * x)(X).sum())(w), 3.0)
    near(pb.compile(pb.grad(lambda w: pb.vmap(lambda x: f(w) * x)(X).sum()))(w), 3.0)


def test_clipping_of_parameters_per_example_inside_vmap(device):
    """What the demo does: an identity on the parameters whose vjp rule clips, one grad around everything."""
    identity = pb.custom_function(lambda p: p)

    @identity.vjp
    def clip(p, g, _):
        length = pb.sqrt((g["w"] ** 2).sum() + g["b"] ** 2)
        scale = pb.minimum(1.0, 0.5 / length)
        return {"b": g["b"] * scale, "w": g["w"] * scale}

    rng = np.random.default_rng(1)
    w, xs = rng.normal(size=4), rng.normal(size=(6, 4))
    params = {"w": pb.array(w.astype("f4")), "b": pb.array(0.5)}

    def loss(params, xs):
        def one(params, x):
            p = identity(params)
            return (p["w"] * x).sum() ** 2 + p["b"]

        return pb.vmap(one, in_axes=(None, 0))(params, xs).sum()

    got = pb.grad(loss)(params, pb.array(xs.astype("f4")))
    want_w, want_b = np.zeros(4), 0.0
    for x in xs:
        gw, gb = 2 * (w @ x) * x, 1.0
        scale = min(1.0, 0.5 / np.sqrt((gw**2).sum() + gb**2))
        want_w, want_b = want_w + gw * scale, want_b + gb * scale
    near(got, {"w": want_w, "b": want_b}, 1e-4)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (1, None), (None, 1), (0, 1), (1, 0), (-1, 0)])
def test_shared_inputs_and_every_axis(axes):
    f = pb.custom_function(lambda x, y: x * y)
    f.vjp(lambda p, g, _: (2 * g * p[1], 3 * g * p[0]))
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=(3,) if axis is None else (3, 3)).astype("f4") for axis in axes)

    def loss(a, b):
        return pb.vmap(f, in_axes=axes)(a, b).sum()

    got = pb.grad(loss, argnums=(0, 1))(pb.array(a), pb.array(b))
    rows = [
        np.broadcast_to(v, (3, 3)) if axis is None else np.moveaxis(v, axis, 0)
        for v, axis in zip((a, b), axes, strict=True)
    ]
    for grad, axis, factor, other in zip(got, axes, (2, 3), rows[::-1], strict=True):
        each = factor * other
        near(grad, each.sum(0) if axis is None else np.moveaxis(each, 0, axis))


def test_the_vmap_rule_is_called_once_for_the_inner_level():
    f = probe()
    rule = Counted(lambda x, axis: (x * x + 7, axis))
    f.vmap(lambda x, axis: rule(x, axis))
    x = pb.ones((2, 3))
    # The outer level batches what the rule did: the answer is 8 and not 15.
    near(pb.vmap(pb.vmap(f))(x), np.full((2, 3), 8.0))
    assert rule.calls == 1


def test_a_rule_sees_the_true_axes_and_the_size():
    seen = []
    f = pb.custom_function(lambda x, n, y: x * y)

    @f.vmap
    def rule(inputs, axes, axis_size):
        seen.append((axes, axis_size, inputs[0].shape, inputs[2].shape))
        return inputs[0].sum() + pb.zeros((axis_size,)), 0

    pb.vmap(lambda x, y: f(x, 7, y), in_axes=(1, None))(pb.ones((2, 3)), pb.ones(2))
    pb.vmap(lambda x, y: f(x, "text", y), in_axes=(None, 0))(pb.ones(()), pb.ones(4))
    # What is no array takes no axis from another.
    assert seen == [((1, None, None), 3, (2, 3), (2,)), ((None, None, 0), 4, (), (4,))]


def test_an_unbatched_output():
    f = pb.custom_function(lambda x: (x, pb.array(5.0)))
    f.vmap(lambda x, axis: ((x, pb.array(5.0)), (axis, None)))
    a, b = pb.vmap(f)(X)
    near(a, [1.0, 2, 3])
    near(b, [5.0, 5, 5])


def test_an_unbatched_output_may_leave_without_the_axis():
    f = pb.custom_function(lambda x: (x, pb.array(5.0)))
    f.vmap(lambda x, axis: ((x, pb.array(5.0)), (axis, None)))
    near(pb.vmap(f, out_axes=(0, None))(X)[1], 5.0)


def test_a_shared_call_may_leave_without_the_axis_under_a_derivative():
    f = probe("vjp")

    def shared(w):
        return pb.vmap(lambda x: (x, f(w)), out_axes=(0, None))(X)[1]

    near(shared(pb.array(3.0)), 9.0)
    near(pb.grad(shared)(pb.array(3.0)), 30.0)


def test_a_shared_call_has_a_value_under_a_derivative():
    f = probe("vjp")

    def shared(w):
        return pb.vmap(lambda x: x * f(w).item())(X).sum()

    near(shared(pb.array(3.0)), 54.0)
    near(pb.value_and_grad(shared)(pb.array(3.0)), (54.0, 0.0))


def test_grad_through_an_unbatched_output_reaches_the_shared_input():
    f = pb.custom_function(lambda x, w: w * w)
    f.vjp(lambda p, g, _: (None, 10 * g * p[1]))
    f.vmap(lambda inputs, axes: (inputs[1] * inputs[1], None))
    weights = pb.array([1.0, 2.0, 4.0])

    def loss(w):
        return (pb.vmap(f, in_axes=(0, None))(X, w) * weights).sum()

    near(pb.grad(loss)(pb.array(3.0)), 10 * 3.0 * 7)


def test_higher_order_through_batching(device):
    f = probe("vjp", "jvp", "vmap")
    hessian = pb.vmap(pb.grad(pb.grad(f)))
    near(hessian(X), [10.0, 10, 10])
    jacobian = pb.vmap(lambda t: pb.jvp(pb.vmap(f), [X], [t])[1][0])(pb.eye(3))
    near(jacobian, np.diag([100.0, 200, 300]))
    rows = pb.vmap(lambda g: pb.vjp(pb.vmap(f), [X], [g])[1][0])(pb.eye(3))
    near(rows, np.diag([10.0, 20, 30]))
