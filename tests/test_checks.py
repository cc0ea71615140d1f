"""What a rule returns is checked; and what rules leave behind."""

import gc

import numpy as np
import pullback as pb
import pytest
from common import close

x3 = pb.array([1.0, 2.0, 3.0])


def attention(result):
    @pb.custom_function
    def attention(q, k, v):
        return q + k["w"].sum() + v

    attention.vjp(lambda p, g, o: result)
    k = {"w": pb.ones((8, 64))}
    return pb.grad(lambda q: attention(q, k, pb.array(1.0)).sum())(pb.array(1.0))


@pytest.mark.parametrize(
    "result, text",
    [
        ((1, 2), r"vjp rule of 'attention' returned 2 gradients for 3 arguments \(q, k, v\)"),
        (
            (1, {"w": pb.ones((8, 32))}, 2),
            r"argument k\['w'\]: expected float32\[8, 64\], got float32\[8, 32\]",
        ),
        (None, r"returned None: did it forget to return\? \(return pb.zeros_like\(x\) for zero\)"),
        ((1, {"v": 1}, 2), r"argument k: expected a dict with keys 'w', got 'v'"),
        ((1, [1], 2), r"argument k: expected a dict, got a list of 1"),
        (("text", None, None), r"argument q: expected float32\[\], got a str"),
        ((object(), None, None), r"argument q: expected float32\[\], got a object"),
        (((1, 2), None, None), r"argument q: expected float32\[\], got a tuple of 2"),
        ((1, None, 2, 3), r"returned 4 gradients for 3 arguments"),
        (1.0, r"returned 1 gradient for 3 arguments"),
    ],
)
def test_gradients_are_checked(result, text):
    with pytest.raises(pb.RuleError, match=text) as info:
        attention(result)
    assert f"called at {__file__}:" in str(info.value)


@pytest.mark.parametrize(
    "result, want",
    [
        ((2, None, None), 2),
        ((2.5, None, None), 2.5),
        ((np.float64(2.5), None, None), 2.5),
        ((np.array(2), None, None), None),
        ((np.ones(()), None, None), 1),
        ([3, {"w": 0}, 1], 3),
        ((None, None, None), 0),
        ((pb.array(2.0, pb.float16), None, None), 2),
    ],
)
def test_gradients_are_converted(result, want):
    if want is None:
        with pytest.raises(pb.RuleError):
            attention(result)
    else:
        g = attention(result)
        assert (g.item(), g.dtype, g.shape) == (want, pb.float32, ())


@pytest.mark.parametrize(
    "result, text",
    [
        (pb.zeros((3, 4)), "vmap rule of 'sort2' returned float32"),
        ((pb.zeros((3, 4)), 1), "output 0 has size 4 on axis 1, the batch has 3"),
        ((pb.zeros((3, 4)), 2), "and has no axis 2"),
        ((pb.zeros((3, 4)), (0, 0)), "axes: expected an integer or None, got a tuple of 2"),
        ((pb.zeros((3, 4)), "a"), "axes: expected"),
    ],
)
def test_mapped_results_are_checked(result, text):
    @pb.custom_function
    def sort2(x):
        return x

    sort2.vmap(lambda x, axis: result)
    with pytest.raises(pb.RuleError, match=text):
        pb.vmap(sort2)(x3)


def test_integer_inputs():
    f = pb.custom_function(lambda x, i: x[i])
    for answer in [None, 0, pb.array([1, 2]), pb.array([0.5])]:
        f.vjp(lambda p, g, o, answer=answer: (pb.zeros_like(p[0]).at[p[1]].add(g), answer))
        close(pb.grad(lambda x: f(x, pb.array([0, 0])).sum())(x3), [2, 0, 0])


def test_not_a_rule():
    with pytest.raises(TypeError, match="expected a function as vjp rule"):
        pb.custom_function(lambda x: x).vjp(3)
    with pytest.raises(TypeError, match="expected a function"):
        pb.custom_function(3)


def test_a_rule_may_call_its_own_function():
    f = pb.custom_function(lambda x: pb.exp(x))
    f.vjp(lambda x, g, y: g * f(x))
    close(pb.grad(pb.grad(pb.grad(f)))(pb.array(1.0)), np.e)


def test_gradients_leave_nothing_behind():
    f = pb.custom_function(lambda x: x * x)
    f.vjp(lambda x, g, y: 10 * g * x)

    def once():
        y = pb.array([3.0, 4.0])
        pb.eval(pb.grad(lambda x: (f(x) * y).sum())(y))

    once()
    gc.collect()
    before = pb._core._live_nodes()
    for _ in range(2000):
        once()
    gc.collect()
    assert pb._core._live_nodes() <= before


def test_rules_are_collected():
    import weakref

    class Big:
        pass

    def make():
        big = Big()
        f = pb.custom_function(lambda x: x)
        f.vjp(lambda x, g, y, big=big: g)
        big.f = f
        pb.eval(pb.grad(f)(pb.array(1.0)))
        return weakref.ref(big)

    ref = make()
    gc.collect()
    assert ref() is None
