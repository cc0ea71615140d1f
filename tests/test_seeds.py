"""Tangents and cotangents of trees: each goes to the place it belongs to, by key and position."""

from collections import namedtuple

import pullback as pb
import pytest
from samples import near

X = pb.array([1.0, 2.0, 3.0])
ZERO = pb.zeros(3)
Pair = namedtuple("Pair", "a b")


def test_cotangents_of_a_dict_are_found_by_key():
    def f(x):
        return {"a": x, "b": x * 10}

    for seeds in ({"a": X, "b": ZERO}, {"b": ZERO, "a": X}):
        outs, (pulled,) = pb.vjp(f, [X], [seeds])
        near(pulled, X)
        near(outs[0]["b"], X * 10)
        near(pb.vjp(f, [X], seeds)[1][0], X)
    nested = lambda x: [x, {"k": (x * 10, {"z": x * 100, "y": x * 1000})}]
    _, (pulled,) = pb.vjp(nested, [X], [ZERO, {"k": (ZERO, {"y": X, "z": ZERO})}])
    near(pulled, X * 1000)


def test_tangents_of_a_dict_are_found_by_key():
    def f(p):
        return p["a"] * 10 + p["b"]

    for seeds in ({"a": X, "b": ZERO}, {"b": ZERO, "a": X}):
        _, (pushed,) = pb.jvp(f, [{"a": X, "b": X}], [seeds])
        near(pushed, X * 10)


def test_other_containers_by_position():
    _, (pushed,) = pb.jvp(lambda p: p.a * 10 + p.b, [Pair(X, X)], [Pair(X, ZERO)])
    near(pushed, X * 10)
    outs, (pulled,) = pb.vjp(lambda x: Pair(x, x * 10), [X], [ZERO, X])
    near(pulled, X * 10)
    assert len(outs) == 2


def test_numbers_are_seeds_of_scalars():
    one = pb.array(3.0)
    near(pb.vjp(lambda x: {"y": x * x}, [one], [{"y": 2.0}])[1][0], 12.0)
    near(pb.jvp(lambda p: p["x"] * p["x"], [{"x": one}], [{"x": 2}])[1][0], 12.0)
    near(pb.jvp(lambda x: x * x, [one], [1.0])[1][0], 6.0)


@pytest.mark.parametrize(
    "seeds",
    [{"a": X}, {"a": X, "c": X}, {"a": X, "b": X, "c": X}, [X, X], {"a": X, "b": None}, {"a": X, "b": "x"}],
)
def test_seeds_of_another_structure(seeds):
    def f(x):
        return {"a": x, "b": x * 10}

    with pytest.raises((ValueError, TypeError), match=r"\[vjp\] expected .*cotangents"):
        pb.vjp(f, [X], [seeds])
    with pytest.raises((ValueError, TypeError), match=r"\[jvp\] expected .*tangents"):
        pb.jvp(lambda p: p["a"] + p["b"], [{"a": X, "b": X}], [seeds])
    near(pb.grad(lambda x: x * x)(pb.array(1.0)), 2.0)


def test_gradients_keep_the_order_of_the_argument():
    got = pb.grad(lambda p: (p["b"] * p["a"]).sum())({"b": X, "a": X * 2})
    assert list(got) == ["b", "a"]
    near(got, {"b": X * 2, "a": X})


def test_batches_of_dicts_are_matched_by_key():
    axes = {"w": None, "x": 0}
    for p in ({"x": X, "w": pb.array(2.0)}, {"w": pb.array(2.0), "x": X}):
        near(pb.vmap(lambda p: p["w"] * p["x"], in_axes=(axes,))(p), X * 2)
    swapped = pb.vmap(lambda x: {"b": x, "a": pb.array(1.0)}, out_axes={"a": None, "b": 0})(X)
    near(swapped["a"], 1.0)


def test_compiled_functions_match_dicts_by_key():
    f = pb.compile(lambda p: p["a"] * 10 + p["b"])
    near(f({"a": X, "b": ZERO}), X * 10)
    near(f({"b": ZERO, "a": X}), X * 10)
    near(f({"b": X, "a": ZERO}), X)


def test_states_of_compiled_functions_are_matched_by_key():
    state = {"a": X, "b": ZERO}

    def step():
        state["a"] = state["a"] + state["b"]

    fast = pb.compile(step, inputs=state, outputs=state)
    fast()
    # The same keys in another order.
    a, b = state.pop("a"), state.pop("b")
    state["b"], state["a"] = b + 1, a
    fast()
    near(state["a"], X + 1)
    near(state["b"], pb.ones(3))
