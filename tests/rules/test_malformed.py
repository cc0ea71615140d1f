"""Single mistakes of rules that random ones do not reach, and the gaps that are known."""

import pullback as pb
import pytest
from malformed import Layer

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


def jvp_returning(pair):
    f = pb.custom_jvp(lambda x: x * 2)
    f.defjvp(lambda primals, tangents: pair)
    return pb.jvp(f, [pb.ones(3)], [pb.ones(3)])


HALF = object.__new__(Layer)
GAPS = {
    "axes in a tuple for a class": lambda: vmap_returning(Layer(ONES, ONES), (0, 0)),
    "a strange key among axes": lambda: vmap_returning({"w": ONES}, {"w": 0, "z": 0}),
    "an axis beyond 64 bits": lambda: vmap_returning(ONES, 2**70),
    "a class without its fields": lambda: vjp_returning(HALF, Layer(ONES, ONES)),
    "tangents that are taken for outputs and tangents": lambda: tangents_returning(([ONES, ONES], None)),
    "an integer beyond 64 bits": lambda: vjp_returning(10**400, ONES),
}


@pytest.mark.xfail(
    strict=True, reason="the engine does not look, or raises an error of Python's that has no name"
)
@pytest.mark.parametrize("what", GAPS)
def test_gaps(what):
    with pytest.raises(pb.RuleError, match="rule of '<lambda>'"):
        GAPS[what]()


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
