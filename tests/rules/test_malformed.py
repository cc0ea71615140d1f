"""Single mistakes of rules, and what is said of each."""

import collections

import numpy as np
import pullback as pb
import pytest
from malformed import Layer, Other

ONES = pb.ones(3)

# Forward passes that run late, behind a vmap rule, have outputs to be compared with.


@pytest.mark.parametrize("out", [pb.ones(2), pb.ones(3, pb.int32), (pb.ones(3), pb.ones(3)), None], ids=str)
def test_a_late_forward_pass_with_other_outputs(out):
    f = pb.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (out, None), lambda kept, g: (g,))
    f.def_vmap(lambda size, batched, x: (x * 2, True))
    with pytest.raises(pb.RuleError, match=r"forward rule of '<lambda>': expected outputs float32\[3\], got"):
        pb.grad(lambda x: pb.vmap(f)(x).sum())(pb.ones((2, 3)))


def vjp_returning(value, x):
    f = pb.custom_vjp(lambda x: pb.tree.tree_leaves(x)[0].sum())
    f.defvjp(lambda x: (f(x), None), lambda kept, g: (value,))
    return pb.vjp(f, [x], [pb.array(1.0)])[1][0]


def vmap_returning(outputs, axes):
    f = pb.custom_function(lambda x: outputs)
    f.vmap(lambda x, axis: (outputs, axes))
    return pb.vmap(f)(pb.ones(3))


def tangents_returning(tangents):
    f = pb.custom_function(lambda x: (x, pb.array([1, 2, 3])))
    f.jvp(lambda x, t: tangents)
    return pb.jvp(f, [pb.ones(3)], [pb.ones(3)])


def pushed(fun, rule):
    f = pb.custom_function(fun)
    f.jvp(rule)
    return pb.jvp(f, [ONES], [ONES])


def jvp_returning(pair):
    f = pb.custom_jvp(lambda x: x * 2)
    f.defjvp(lambda primals, tangents: pair)
    return pb.jvp(f, [pb.ones(3)], [pb.ones(3)])


HALF = object.__new__(Layer)
PAIRS = "return tangents like the outputs, or"
REFUSED = {
    "axes in a tuple for a class": (
        lambda: vmap_returning(Layer(ONES, ONES), (0, 0)),
        "vmap rule of '<lambda>', axes: expected an integer, None or a Layer, got a tuple of 2",
    ),
    "axes in another class": (
        lambda: vmap_returning(Layer(ONES, ONES), Other(0, 0)),
        "vmap rule of '<lambda>', axes: expected an integer, None or a Layer, got a Other",
    ),
    "axes in a class without its fields": (
        lambda: vmap_returning(Layer(ONES, ONES), HALF),
        "vmap rule of '<lambda>', axes: expected an axis for attribute weight, got none",
    ),
    "a strange key among axes": (
        lambda: vmap_returning({"w": ONES}, {"w": 0, "z": 0}),
        "vmap rule of '<lambda>', axes: expected axes for keys 'w', got 'w', 'z'",
    ),
    "an axis beyond 64 bits": (
        lambda: vmap_returning([ONES], [2**70]),
        "vmap rule of '<lambda>', axes[0]: expected an axis, got an integer of more than 64 bits",
    ),
    "an axis that Python does not print": (
        lambda: vmap_returning(ONES, 10**5000),
        "vmap rule of '<lambda>', axes: expected an axis, got an integer of more than 64 bits",
    ),
    "a class without its fields": (
        lambda: vjp_returning(HALF, Layer(ONES, ONES)),
        "vjp rule of '<lambda>', argument x: expected an object with attribute weight, got a Layer without",
    ),
    "an integer beyond 64 bits": (
        lambda: vjp_returning(10**400, ONES),
        "vjp rule of '<lambda>', argument x: expected float32[3], got a whole number of more than 64",
    ),
    "an integer that Python does not print": (
        lambda: vjp_returning({"w": -(10**5000)}, {"w": ONES}),
        "vjp rule of '<lambda>', argument x['w']: expected float32[3], got a whole number of more than 64",
    ),
    "two tangents, and nothing": (
        lambda: tangents_returning(([ONES, ONES], None)),
        "jvp rule of '<lambda>': expected tangents like the outputs, got a tuple of 2: " + PAIRS,
    ),
    "one tangent, and nothing": (
        lambda: pushed(lambda x: x * 2, lambda x, t: (t, None)),
        "jvp rule of '<lambda>': expected tangents like the outputs, got a tuple of 2: " + PAIRS,
    ),
    "two tangents, and two that are zero": (
        lambda: tangents_returning(([ONES, ONES], [ONES, None])),
        "jvp rule of '<lambda>', primal output[1]: expected int32[3], got float32[3]: return what",
    ),
    "another output beside the tangent": (
        lambda: pushed(lambda x: x * 2, lambda x, t: (pb.ones(5), t)),
        "jvp rule of '<lambda>', primal output: expected float32[3], got float32[5]: return what",
    ),
    "no output beside the tangent": (
        lambda: pushed(lambda x: x * 2, lambda x, t: (None, t)),
        "jvp rule of '<lambda>', primal output: expected float32[3], got None: return what",
    ),
    "a tuple of one around nothing in a list": (
        lambda: pushed(lambda x: (x * 2,), lambda x, t: ([None],)),
        "jvp rule of '<lambda>': expected tangents like the outputs, got a tuple of 1",
    ),
    "a tuple of one around a tuple of one": (
        lambda: pushed(lambda x: (x * 2,), lambda x, t: ((t,),)),
        "jvp rule of '<lambda>': expected tangents like the outputs, got a tuple of 1",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_single_mistakes(what):
    mistake, text = REFUSED[what]
    with pytest.raises(pb.RuleError) as caught:
        mistake()
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x, t: t * 2,
        lambda x, t: (t * 2,),
        lambda x, t: (x * 2, t * 2),
        lambda x, t: (np.full(3, 2.0), np.full(3, 2.0)),
    ],
)
def test_a_tangent_alone_in_a_tuple_or_beside_the_output(answer):
    assert pushed(lambda x: x * 2, answer)[1][0].tolist() == [2, 2, 2]


def test_zero_for_each_output_beside_the_outputs():
    outputs = [ONES, pb.array([1, 2, 3])]
    assert tangents_returning((outputs, [None, None]))[1][0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("axis", [2**70, -(2**70), 10**5000], ids=["long", "negative", "not printed"])
def test_an_axis_that_no_array_has(axis):
    for axes in ({"in_axes": axis}, {"in_axes": (axis,)}, {"out_axes": axis}):
        with pytest.raises(ValueError, match=r"\[vmap\] .*_axes.*: expected an axis, got an integer"):
            pb.vmap(lambda x: x, **axes)(ONES)
    with pytest.raises(OverflowError, match="expected an integer of 64 bits, got"):
        ONES + axis


def test_the_door_of_pytorch_names_the_line_of_the_caller():
    class Attention(pb.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return "gradient"

    with pytest.raises(pb.RuleError) as caught:
        pb.grad(lambda x: Attention.apply(x).sum())(ONES)
    assert f"called at {__file__}:" in str(caught.value)


def test_a_function_with_jvp_alone():
    class Square(pb.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            ctx.factor = 100
            return x * x

        @staticmethod
        def jvp(ctx, t):
            (x,) = ctx.saved_tensors
            return ctx.factor * t * x

    x = pb.array([1.0, 2.0])
    assert pb.jvp(Square.apply, [x], [pb.ones(2)])[1][0].tolist() == [100, 200]
    assert pb.grad(lambda x: Square.apply(x).sum())(x).tolist() == [100, 200]
    assert pb.vmap(pb.grad(Square.apply))(x).tolist() == [100, 200]
    assert pb.grad(lambda x: pb.vmap(Square.apply)(x).sum())(x).tolist() == [100, 200]


@pytest.mark.parametrize("returned", [ONES, (ONES,), (ONES, ONES, ONES), {ONES}, "pair"], ids=str)
def test_a_jvp_rule_of_the_door_of_jax_returns_a_pair(returned):
    with pytest.raises(pb.RuleError, match=r"jvp rule of '<lambda>' returned .*: expected \(output, tangent"):
        jvp_returning(returned)


@pytest.mark.parametrize("mark", [1, 0, -1, "True", 0.0, [True, 1]], ids=repr)
def test_out_batched_is_true_or_false(mark):
    f = pb.custom_vmap(lambda x: x)
    f.def_vmap(lambda size, batched, x: ([x, x] if isinstance(mark, list) else x, mark))
    with pytest.raises(
        pb.RuleError, match=r"vmap rule of '<lambda>', out_batched(\[1\])?: expected True or False"
    ):
        pb.vmap(f)(pb.ones((3, 3)))


def test_a_named_tuple_is_no_pair_of_outputs_and_tangents():
    """It is what the function returns, with a mistake in it, whatever its parts look like."""
    Both = collections.namedtuple("Both", "count value")
    f = pb.custom_function(lambda x: Both(pb.array(1), x * 2))
    f.jvp(lambda x, t: Both(None, [t, t]))
    with pytest.raises(pb.RuleError, match=r"jvp rule of '<lambda>': expected tangents like the outputs"):
        pb.jvp(f, [ONES], [ONES])
    f.jvp(lambda x, t: Both(None, 3 * t))
    assert pb.jvp(f, [ONES], [ONES])[1][1].tolist() == [3.0] * 3
