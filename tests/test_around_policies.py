"""Recomputation that keeps some values: what is kept is not computed again, and derivatives are the same."""

import gc

import numpy as np
import pullback as pb
import pytest
from common import close
from pullback import _core
from pullback import checkpoint_policies as policies

ONLY, EXCEPT = policies.save_only_these_names, policies.save_anything_except_these_names
ALL = [
    None,
    policies.nothing_saveable,
    policies.everything_saveable,
    ONLY("sine"),
    ONLY("square", "sine"),
    EXCEPT("sine"),
    EXCEPT("other"),
]
SAVES = [policies.everything_saveable, ONLY("sine"), ONLY("a", "sine"), EXCEPT("other")]
COMPUTES = [None, policies.nothing_saveable, ONLY("other"), EXCEPT("sine")]


class Host:
    """A sine of the host that counts its calls, with a rule that is wrong by 10."""

    def __init__(self):
        self.calls = 0
        self.f = pb.custom_function(lambda x: pb.pure_callback(self.run, x, x, vmap_method="sequential"))
        self.f.vjp(lambda x, g, y: 10 * g * pb.cos(x))

    def run(self, x):
        self.calls += 1
        return np.sin(x)

    def taken(self):
        calls, self.calls = self.calls, 0
        return calls

    def block(self, x):
        return pb.sin(pb.checkpoint_name(self.f(x), "sine"))


def slope(x):
    return 10 * np.cos(x) * np.cos(np.sin(x))


@pytest.mark.parametrize(("policy", "calls"), [(p, 1) for p in SAVES] + [(p, 2) for p in COMPUTES])
def test_what_is_kept_is_not_computed_again(policy, calls):
    host = Host()
    f = pb.checkpoint(host.block, policy=policy)
    x = pb.array(0.5)
    value, gradient = pb.value_and_grad(f)(x)
    pb.eval(value, gradient)
    assert host.taken() == calls
    close(gradient, slope(0.5))
    # One after the other.
    value, gradient = pb.value_and_grad(f)(x)
    pb.eval(value)
    pb.eval(gradient)
    assert host.taken() == calls
    # The value before the derivative is asked for at all.
    value, back = pb.vjp_fun(f, x)
    pb.eval(value)
    close(back(1.0)[0], slope(0.5))
    assert host.taken() == calls
    # Mapped: once for each example.
    v = np.array([0.5, 0.25], np.float32)
    value, gradient = pb.value_and_grad(lambda x: pb.vmap(f)(x).sum())(pb.array(v))
    pb.eval(value, gradient)
    assert host.taken() == 2 * calls
    close(gradient, slope(v))
    value, gradient = pb.vmap(pb.value_and_grad(f))(pb.array(v))
    pb.eval(value, gradient)
    assert host.taken() == 2 * calls
    close(gradient, slope(v))
    value, gradient = pb.compile(pb.value_and_grad(f))(x)
    pb.eval(value, gradient)
    assert host.taken() == calls
    close(gradient, slope(0.5))


ONE = pb.array(1.0)


def looked_at(host, when, x, w):
    """A block in which something is evaluated before it ends."""
    before = pb.exp(x)
    if when == "what it needs":
        pb.eval(before)
    named = pb.checkpoint_name(host.f(before), "sine")
    if when == "something else":
        assert (ONE * 2).item() == 2
    if when == "itself":
        pb.eval(named)
    after = pb.exp(named)
    if when == "what needs it":
        pb.eval(after)
    return pb.sin(after) * w


WAYS = {
    "plain": lambda f, x, w: pb.value_and_grad(f)(x, w[0]),
    # `x` is not mapped, so that it has a value in the block.
    "vmap": lambda f, x, w: pb.vmap(lambda w: pb.value_and_grad(f)(x, w))(w),
    "vmap of x": lambda f, x, w: pb.vmap(lambda x: pb.value_and_grad(f)(x, w[0]))(pb.stack([x, x + 1])),
    "grad of vmap": lambda f, x, w: pb.value_and_grad(lambda x: pb.vmap(lambda x: f(x, w[0]))(x).sum())(
        pb.stack([x, x + 1])
    ),
}


def early(way, when):
    """How often the host is called, with a policy that keeps the value; the gradient is the plain one."""
    x, w = pb.array(0.5), pb.array([0.25, 0.75])
    host, other = Host(), Host()
    kept = pb.checkpoint(lambda x, w: looked_at(host, when, x, w), policy=ONLY("sine"))
    got = WAYS[way](kept, x, w)
    pb.eval(*got)
    want = WAYS[way](lambda x, w: looked_at(other, "", x, w), x, w)
    for one, two in zip(got, want, strict=True):
        close(one, two)
    return host.taken(), other.taken()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("when", ["", "something else"])
def test_what_is_kept_is_kept_where_something_was_evaluated_early(way, when):
    calls, once = early(way, when)
    assert calls == once


@pytest.mark.parametrize("way", ["plain", "vmap"])
def test_what_a_kept_value_needs_was_evaluated(way):
    calls, once = early(way, "what it needs")
    assert calls == once


@pytest.mark.parametrize("way", ["plain", "vmap"])
@pytest.mark.parametrize("when", ["itself", "what needs it"])
def test_a_kept_value_was_evaluated(way, when):
    calls, once = early(way, when)
    assert calls == once


def outer_of(inner, outer):
    """One checkpoint in another."""
    host = Host()
    f = pb.checkpoint(pb.checkpoint(host.block, policy=inner), policy=outer)
    value, gradient = pb.value_and_grad(f)(pb.array(0.5))
    pb.eval(value, gradient)
    close(gradient, slope(0.5))
    return host.taken()


def test_the_outer_checkpoint_decides():
    assert outer_of(None, ONLY("sine")) == 1
    assert outer_of(ONLY("sine"), ONLY("sine")) == 1
    # What the inner one keeps is computed again once, and then kept.
    assert outer_of(ONLY("sine"), None) == 2


def false_rules():
    f = pb.custom_function(lambda x: x * x, missing="derive")
    f.vjp(lambda x, g, y: 10 * g * x)
    g = pb.custom_function(lambda x: pb.exp(x), missing="derive")
    g.jvp(lambda x, t: 100 * t * pb.exp(x))
    return f, g


@pytest.mark.parametrize("policy", ALL)
def test_rules_are_the_same_under_every_policy(policy):
    f, g = false_rules()

    def plain(x):
        square = pb.checkpoint_name(f(x), "square")
        return g(pb.checkpoint_name(pb.sin(square), "sine") * x) * square

    saved = pb.checkpoint(plain, policy=policy)
    x = pb.array(0.5)
    v = pb.array([0.5, 0.25, -0.75])
    for of in (
        lambda f: f(x),
        lambda f: pb.grad(f)(x),
        lambda f: pb.grad(pb.grad(f))(x),
        lambda f: pb.grad(pb.grad(pb.grad(f)))(x),
        lambda f: pb.jvp(f, [x], [pb.array(2.0)])[1][0],
        lambda f: pb.jvp(pb.grad(f), [x], [pb.array(2.0)])[1][0],
        lambda f: pb.grad(lambda x: pb.linearize(f, x)[1](pb.array(1.0)))(x),
        lambda f: pb.vmap(f)(v),
        lambda f: pb.vmap(pb.grad(f))(v),
        lambda f: pb.vmap(pb.grad(pb.grad(f)))(v),
        lambda f: pb.grad(lambda v: pb.vmap(f)(v).sum())(v),
        lambda f: pb.grad(lambda v: (pb.vmap(pb.grad(f))(v) ** 2).sum())(v),
        lambda f: pb.compile(f)(x),
        lambda f: pb.compile(pb.grad(f))(x),
        lambda f: pb.compile(pb.vmap(pb.grad(pb.grad(f))))(v),
        lambda f: pb.grad(pb.compile(f))(x),
        lambda f: pb.grad(pb.checkpoint(f))(x),
        lambda f: pb.grad(lambda x: f(x) * f(2 * x))(x),
    ):
        close(of(saved), of(plain), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("policy", ALL)
def test_captures_and_trees(policy):
    def loss(p, x):
        def block(x, *, twice):
            y = {"s": pb.checkpoint_name(pb.sin(p["w"] @ x), "sine"), "k": 3}
            return {"out": pb.checkpoint_name(y["s"] ** 2, "square") * (2 if twice else 1), "k": y["k"]}

        out = pb.checkpoint(block, policy=policy)(x, twice=True)
        assert out["k"] == 3
        return out["out"].sum()

    w, x = np.array([[0.5, 1.0], [0.25, -1.0]], np.float32), np.array([0.5, 0.75], np.float32)
    gp, gx = pb.grad(loss, argnums=(0, 1))({"w": pb.array(w)}, pb.array(x))
    z = w @ x
    g = 4 * np.sin(z) * np.cos(z)
    close(gp["w"], np.outer(g, x))
    close(gx, w.T @ g)


@pytest.mark.parametrize("policy", ALL)
def test_mapped_over_any_axis_and_none(policy):
    """The value that is kept has the batch in front, whatever the arguments have."""

    def block(x, y):
        return (pb.checkpoint_name(pb.sin(x) * y, "sine") ** 2).sum()

    f = pb.checkpoint(block, policy=policy)
    x = pb.array(np.arange(6, dtype=np.float32).reshape(2, 3) / 7)
    y = pb.array([0.5, -0.25])
    for axes in [(1, None), (0, None)]:
        y_ = y if axes[0] == 1 else pb.array([0.5, -0.25, 1.0])
        got = [pb.vmap(pb.grad(h, argnums=(0, 1)), in_axes=axes)(x, y_) for h in (f, block)]
        [close(a, b) for a, b in zip(*got, strict=True)]
        got = [
            pb.grad(lambda x, y, h=h: pb.vmap(h, in_axes=axes)(x, y).sum(), argnums=(0, 1))(x, y_)
            for h in (f, block)
        ]
        [close(a, b) for a, b in zip(*got, strict=True)]


def test_nothing_is_kept_for_longer_than_its_derivative():
    def once(policy):
        f = pb.checkpoint(lambda x: pb.sin(pb.checkpoint_name(pb.sin(x), "sine")), policy=policy)
        value, back = pb.vjp_fun(f, pb.array(0.5))
        pb.eval(value)
        pb.eval(back(1.0), pb.grad(pb.grad(f))(pb.array(0.5)))

    for policy in ALL:
        once(policy)
        gc.collect()
        before = _core._live_nodes()
        for _ in range(20):
            once(policy)
        gc.collect()
        assert _core._live_nodes() <= before + 2


def test_a_rule_that_asks_for_a_kept_result_does_not_compute_it_again():
    host = Host()
    f = pb.custom_function(lambda x: pb.pure_callback(host.run, x, x), missing="derive")
    f.vjp(lambda x, g, y: 10 * g * y)
    for policy, calls in [(None, 2), (ONLY("sine"), 1), (EXCEPT("other"), 1)]:
        g = pb.checkpoint(lambda x: pb.exp(pb.checkpoint_name(f(x), "sine")), policy=policy)
        value, gradient = pb.value_and_grad(g)(pb.array(0.5))
        pb.eval(value, gradient)
        assert host.taken() == calls
        close(gradient, 10 * np.sin(0.5) * np.exp(np.sin(0.5)))


def test_names_are_identities():
    x = pb.array([1.0, 2.0])
    named = pb.checkpoint_name({"x": x, "n": 3}, "a")
    assert named["n"] == 3
    close(named["x"], x)
    close(pb.grad(lambda x: (pb.checkpoint_name(x, "a") ** 2).sum())(x), [2, 4])
    close(pb.jvp(lambda x: pb.checkpoint_name(x, "a"), [x], [x])[1][0], x)
    close(pb.vmap(lambda x: pb.checkpoint_name(x, "a"))(x), x)
    assert pb.checkpoint_name(pb.array(3), "a").dtype == pb.int32
    kernels = [pb.explain(f(x)).count("step") for f in (pb.sin, lambda x: pb.checkpoint_name(pb.sin(x), "a"))]
    assert kernels[0] == kernels[1]


def test_as_a_decorator():
    @pb.checkpoint(policy=ONLY("a"))
    def f(x):
        """A text."""
        return pb.checkpoint_name(x * x, "a")

    @pb.remat
    def g(x):
        return f(x) * x

    assert f.__doc__ == "A text."
    assert f.__name__ == "f"
    close(pb.grad(g)(pb.array(2.0)), 12)


def test_what_policies_refuse():
    for wrong in ("dots", 3, lambda prim: True):
        with pytest.raises(TypeError, match=r"\[checkpoint\] expected one of pb.checkpoint_policies, got"):
            pb.checkpoint(pb.sin, policy=wrong)
    with pytest.raises(TypeError, match=r"\[save_only_these_names\] expected names, got 3"):
        ONLY(3)
    with pytest.raises(TypeError, match=r"\[checkpoint\] expected a function"):
        pb.checkpoint(3)
