"""Law 5: compile erases the node. Rules are traced once, and fusion cannot see that there was one."""

import re

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near, probe

X = pb.array([1.0, 2.0, 3.0])


def kernels(fun, *args):
    """How many kernels computing `fun(*args)` takes."""
    return int(re.search(r"(\d+) kernels?\b", pb.explain(fun, *args))[1])


def step(k):
    f = pb.custom_function(lambda x: pb.sin(x) * (1 + k % 4 / 8))
    f.vjp(lambda x, g, y: g * pb.cos(x) * (1 + k % 4 / 8))
    return f


STEPS = [step(k) for k in range(20)]


def chain(x):
    for f in STEPS:
        x = f(x)
    return x


def plain(x):
    for k in range(20):
        x = pb.sin(x) * (1 + k % 4 / 8)
    return x


def test_a_chain_of_twenty_is_one_kernel(device):
    x = pb.array(np.linspace(0, 1, 1000, dtype="f4"))
    assert kernels(plain, x) == 1
    assert kernels(chain, x) == 1
    assert kernels(pb.compile(chain), x) == 1
    assert kernels(pb.vmap(chain), x) == 1
    near(pb.compile(chain)(x), plain(x))


def test_its_gradient_takes_as_many_kernels_as_that_of_plain_code(device):
    # A short chain, for software Vulkan compiles long kernels slowly.
    x = pb.array(np.linspace(0, 1, 1000, dtype="f4"))

    def ours(x):
        return STEPS[2](STEPS[1](STEPS[0](x))).sum()

    def theirs(x):
        for k in range(3):
            x = pb.sin(x) * (1 + k % 4 / 8)
        return x.sum()

    assert kernels(pb.grad(ours), x) <= kernels(pb.grad(theirs), x)
    near(pb.compile(pb.grad(ours))(x), pb.grad(theirs)(x), 1e-4)


COMPOSITIONS = {
    "compile(f)": (lambda f: pb.compile(lambda x: f(x).sum()), 14.0),
    "compile(grad)": (lambda f: pb.compile(pb.grad(lambda x: f(x).sum())), [10.0, 20, 30]),
    "grad(compile)": (lambda f: pb.grad(pb.compile(lambda x: f(x).sum())), [10.0, 20, 30]),
    "compile(vmap)": (lambda f: pb.compile(pb.vmap(f)), [1.0, 4, 9]),
    "vmap(compile)": (lambda f: pb.vmap(pb.compile(f)), [1.0, 4, 9]),
    "compile(vmap(grad))": (lambda f: pb.compile(pb.vmap(pb.grad(f))), [10.0, 20, 30]),
    "vmap(compile(grad))": (lambda f: pb.vmap(pb.compile(pb.grad(f))), [10.0, 20, 30]),
    "vmap(grad(compile))": (lambda f: pb.vmap(pb.grad(pb.compile(f))), [10.0, 20, 30]),
    "compile(grad(vmap))": (lambda f: pb.compile(pb.grad(lambda x: pb.vmap(f)(x).sum())), [10.0, 20, 30]),
    "compile(jvp)": (lambda f: pb.compile(lambda x: pb.jvp(f, [x], [pb.ones(3)])[1][0]), [100.0, 200, 300]),
    "jvp(compile)": (lambda f: lambda x: pb.jvp(pb.compile(f), [x], [pb.ones(3)])[1][0], [100.0, 200, 300]),
    "compile(vmap(grad(grad)))": (lambda f: pb.compile(pb.vmap(pb.grad(pb.grad(f)))), [10.0, 10, 10]),
    "compile(compile)": (lambda f: pb.compile(pb.compile(pb.vmap(pb.grad(f)))), [10.0, 20, 30]),
    "compile(checkpoint)": (
        lambda f: pb.compile(pb.grad(pb.checkpoint(lambda x: f(x).sum()))),
        [10.0, 20, 30],
    ),
}


@pytest.mark.parametrize("what", COMPOSITIONS)
def test_compositions(what, device):
    make, want = COMPOSITIONS[what]
    compiled = make(probe("vjp", "jvp"))
    near(compiled(X), want)
    # Again, from what was traced.
    near(compiled(X), want)


def test_rules_and_body_are_called_once_for_many_calls():
    body, rule = Counted(lambda x: x * x), Counted(lambda x, g, y: 10 * g * x)
    f = pb.custom_function(lambda x: body(x))
    f.vjp(lambda x, g, y: rule(x, g, y))
    compiled = pb.compile(pb.grad(f))
    for x in (1.0, 2.0, 3.0):
        near(compiled(pb.array(x)), 10 * x)
    assert (body.calls, rule.calls) == (1, 1)


@pytest.mark.parametrize(
    ("rule", "make", "before", "after"),
    [
        ("vjp", pb.grad, 30.0, 7.0),
        ("jvp", lambda f: lambda x: pb.jvp(f, [x], [pb.array(1.0)])[1][0], 300.0, 7.0),
    ],
)
def test_another_rule_invalidates_what_was_compiled(rule, make, before, after):
    f = probe(rule)
    compiled = pb.compile(make(f))
    near(compiled(pb.array(3.0)), before)
    if rule == "vjp":
        f.vjp(lambda x, g, y: 7 * g)
    else:
        f.jvp(lambda x, t: 7 * t)
    near(compiled(pb.array(3.0)), after)
    near(compiled(pb.array(4.0)), after)


def test_another_vmap_rule_invalidates_too():
    f = probe("vmap")
    compiled = pb.compile(pb.vmap(f))
    near(compiled(X), [8.0, 11, 16])
    f.vmap(lambda x, axis: (x * 0 + 5, axis))
    near(compiled(X), [5.0, 5, 5])


def test_a_custom_function_first_met_within_another_rule_counts_too():
    inner = probe("vjp")
    outer = pb.custom_function(lambda x: x)
    outer.vjp(lambda x, g, y: g * pb.grad(inner)(x))
    compiled = pb.compile(pb.grad(outer))
    near(compiled(pb.array(3.0)), 30.0)
    inner.vjp(lambda x, g, y: 7 * g)
    near(compiled(pb.array(3.0)), 7.0)


def test_captured_arrays_are_used_as_they_are(device):
    w = pb.array([2.0, 3.0, 4.0])
    f = pb.custom_function(lambda x: x * w)
    f.vjp(lambda x, g, y: g * w * 10)
    near(pb.compile(pb.grad(lambda x: f(x).sum()))(X), [20.0, 30, 40])
    near(pb.compile(f)(X), [2.0, 6, 12])
