"""`check_rules` for functions of every door: right rules pass, wrong ones are found and named."""

import pullback as pb
import pytest
from pullback.testing import check_grads, check_rules

x3, y3 = pb.array([0.3, -0.7, 1.2]), pb.array([2.0, 0.5, 1.5])


def by_vjp(factor):
    f = pb.custom_vjp(lambda x, y: pb.sin(x) * y)
    f.defvjp(
        lambda x, y: (f(x, y), (pb.cos(x), pb.sin(x), y)),
        lambda kept, g: (factor * g * kept[0] * kept[2], g * kept[1]),
    )
    return f


def by_jvp(factor):
    f = pb.custom_jvp(lambda x, y: pb.sin(x) * y)

    @f.defjvp
    def rule(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        return f(x, y), factor * dx * pb.cos(x) * y + dy * pb.sin(x)

    return f


def by_each(factor):
    f = pb.custom_jvp(lambda x, y: pb.sin(x) * y)
    f.defjvps(lambda t, out, x, y: factor * t * pb.cos(x) * y, lambda t, out, x, y: t * pb.sin(x))
    return f


def by_gradient(factor):
    @pb.custom_gradient
    def f(x, y):
        sin = pb.sin(x)
        return sin * y, lambda g: (factor * g * pb.cos(x) * y, g * sin)

    return f


def by_class(factor):
    class F(pb.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return pb.sin(x) * y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return factor * g * pb.cos(x) * y, g * pb.sin(x)

    return F


def by_apply(factor):
    return by_class(factor).apply


def by_decorator(factor):
    f = pb.custom_function(lambda x, y: pb.sin(x) * y, missing="derive")
    f.vjp(lambda p, g: (factor * g * pb.cos(p[0]) * p[1], g * pb.sin(p[0])))
    return f


DOORS = [by_vjp, by_jvp, by_each, by_gradient, by_class, by_apply, by_decorator]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_right_rule_passes_in_every_respect(door):
    report = check_rules(door(1), [x3, y3])
    for what in ["vjp against the body", "jvp against the body", "vjp against jvp"]:
        assert f"  ok    {what}" in report
    for axes in ["0, None", "None, 0", "0, 0", "-1, -1"]:
        for part in ["value", "vjp", "jvp"]:
            assert f"  ok    vmap over {axes}: {part}" in report
    assert " at x float32[3], y float32[3]" in report.splitlines()[0]
    assert report.splitlines()[-1] == "17 comparisons agree"


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_wrong_rule_is_found(door):
    with pytest.raises(AssertionError) as error:
        check_rules(door(1.01), [x3, y3])
    text = str(error.value)
    for mode in ["vjp", "jvp"]:
        assert f"  WRONG {mode} against the body" in text
        assert f"  WRONG {mode} against difference quotients" in text
    # The modes agree with each other, one being derived from the other.
    assert "  ok    vjp against jvp" in text
    assert text.splitlines()[-1] == "4 of 17 comparisons disagree"
    derivative = getattr(door(1.01), "apply", door(1.01))
    with pytest.raises(AssertionError, match="expected"):
        check_grads(derivative, [x3, y3])
    check_grads(getattr(door(1), "apply", door(1)), [x3, y3], 2)


def test_modes_that_contradict_each_other():
    class F(by_class(1)):
        @staticmethod
        def jvp(ctx, dx, dy):
            x, y = ctx.saved_tensors
            return dx * pb.cos(x) * y - dy * pb.sin(x)

    with pytest.raises(AssertionError) as error:
        check_rules(F, [x3, y3])
    assert "  ok    vjp against the body" in str(error.value)
    assert "  WRONG jvp against the body" in str(error.value)
    assert "  WRONG vjp against jvp" in str(error.value)


def test_batching_rules():
    @pb.custom_vmap
    def f(w, x):
        return pb.tanh(w @ x)

    @f.def_vmap
    def rule(axis_size, in_batched, w, x):
        if in_batched == (False, True):
            return pb.tanh((w @ x.T).T), True
        return pb.vmap(lambda w, x: pb.tanh(w @ x), in_axes=tuple(0 if b else None for b in in_batched))(
            w, x
        ), True

    w = pb.array([[0.3, 0.1], [-0.2, 0.4]])
    assert "WRONG" not in check_rules(f, [w, x3[:2]])
    f.def_vmap(lambda axis_size, in_batched, w, x: (pb.ones((axis_size, 2)), True))
    with pytest.raises(AssertionError, match="WRONG vmap over None, 0: value: output"):
        check_rules(f, [w, x3[:2]])
    assert "WRONG" not in check_rules(pb.sequential_vmap(lambda x: pb.sin(x).sum()), [x3])


def test_trees_and_arguments_without_derivative():
    f = pb.custom_vjp(lambda how, p, n: {"out": [how(p["x"]) * p["y"][0] * n]}, nondiff_argnums=(0, 2))

    def forward(how, p, n):
        return f(how, p, n), p

    def backward(how, n, p, g):
        (g,) = g["out"]
        return (
            {"x": g * pb.grad(lambda x: how(x).sum())(p["x"]) * p["y"][0] * n, "y": [g * how(p["x"]) * n]},
        )

    f.defvjp(forward, backward)
    p = {"x": x3, "y": [y3]}
    # An array that has no derivative is held, and may be mapped all the same.
    for n in (2, pb.array(2.0)):
        report = check_rules(f, [pb.sin, p, n])
        assert "p['x'] float32[3], p['y'][0] float32[3]" in report.splitlines()[0]
        assert "  ok    vmap over None, 0" in report and "WRONG" not in report
    f.defvjp(forward, lambda how, n, p, g: ({"x": 0, "y": [g["out"][0] * how(p["x"]) * n]},))
    with pytest.raises(AssertionError, match=r"WRONG vjp against the body: p\['x'\]"):
        check_rules(f, [pb.sin, p, 2])


def test_what_a_context_says_of_outputs_and_arguments():
    class Parts(pb.Function):
        @staticmethod
        def forward(ctx, x, how):
            whole, order = pb.floor(x), pb.argsort(x)
            x *= 2
            ctx.mark_dirty(x)
            ctx.mark_non_differentiable(whole, order)
            return x, whole, order

        @staticmethod
        def backward(ctx, g, *_):
            return 2 * g, None

    before = x3.tolist()
    report = check_rules(Parts, [x3, "text"], ["vjp", "jvp"])
    assert "WRONG" not in report and x3.tolist() == before


def test_a_rule_that_is_differentiable_once():
    class Cube(pb.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        @pb.once_differentiable
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    assert "  ok    vjp against the body" in check_rules(Cube, [x3])
    with pytest.raises(pb.RuleError, match="differentiable once"):
        check_grads(Cube.apply, [x3], 2, ["rev"])


def test_a_rule_that_is_not_linear():
    """There is no other mode to derive from it: the report says so, and batches are compared all the same."""

    class Clip(pb.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return pb.clip(g, -0.1, 0.1)

    report = check_rules(Clip, [x3], ["jvp", "vmap"])
    assert "  --    jvp: no such rule, and the other one cannot be transposed: it is not linear" in report
    assert "  ok    vmap over 0: vjp" in report and "vmap over 0: jvp" not in report


def test_methods_and_modules():
    @pb.register_module
    class Layer:
        def __init__(self, w):
            self.w = w

        @pb.custom_function
        def scale(self, x):
            return self.w * x

        @scale.vjp
        def scale_vjp(primals, g):
            layer, x = primals
            return Layer(g * x), g * layer.w

    layer = Layer(y3)
    assert "WRONG" not in check_rules(layer.scale, [x3], ["vjp", "vmap"])
    report = check_rules(Layer.scale, [layer, x3], ["vjp", "vmap"])
    assert report.startswith("rules of 'scale' at self.w float32[3], x float32[3]") and "WRONG" not in report


def test_a_malformed_result_is_a_line_of_the_report():
    f = pb.custom_vjp(lambda x, y: x * y)
    f.defvjp(lambda x, y: (x * y, None), lambda kept, g: g)
    with pytest.raises(AssertionError) as error:
        check_rules(f, [x3, y3], ["vjp"])
    lines = str(error.value).splitlines()
    assert lines[1].startswith("  WRONG vjp against the body: vjp rule of '<lambda>'")
    # The lines of a message stand below it.
    assert any(line.startswith("          called at") for line in lines)
