"""`pullback.testing`: right derivatives and rules pass, wrong ones are found and named."""

from collections import namedtuple
from dataclasses import dataclass

import pullback as pb
import pytest
from pullback.testing import assert_close, check_grads, check_rules, map_arrays

Pair = namedtuple("Pair", "a b")


@dataclass
class Layer:
    w: pb.array
    b: pb.array
    name: str = "layer"


x3 = pb.array([0.3, -0.7, 1.2])


def product():
    """A function of two arguments with three right rules."""
    f = pb.custom_function(lambda x, y: pb.sin(x) * y)
    f.vjp(lambda p, g, out: (g * pb.cos(p[0]) * p[1], g * pb.sin(p[0])))
    f.jvp(lambda p, t: t[0] * pb.cos(p[0]) * p[1] + t[1] * pb.sin(p[0]))

    @f.vmap
    def rule(inputs, axes):
        x, y = (a if axis is None else pb.moveaxis(a, axis, 0) for a, axis in zip(inputs, axes, strict=True))
        return pb.sin(x) * y, 0

    return f


def test_map_arrays_keeps_structure():
    tree = {"p": Pair(pb.array(1.0), [pb.array(2.0), None]), "l": Layer(pb.array(3.0), pb.array(4.0)), "n": 5}
    twice = map_arrays(lambda x, y: x + y, tree, tree)
    assert isinstance(twice["p"], Pair) and isinstance(twice["l"], Layer)
    assert (twice["p"].a.item(), twice["p"].b[0].item(), twice["p"].b[1]) == (2, 4, None)
    assert (twice["l"].w.item(), twice["l"].b.item(), twice["l"].name, twice["n"]) == (6, 8, "layer", 5)


def test_assert_close_names_the_array():
    tree = {"a": [pb.array(1.0), pb.array([1.0, 2.0])]}
    assert_close(tree, tree, 0, 0, "tree")
    other = {"a": [pb.array(1.0), pb.array([1.0, 2.5])]}
    with pytest.raises(AssertionError, match=r"tree\['a'\]\[1\]: .* differ by 0\.5"):
        assert_close(other, tree, 1e-3, 1e-3, "tree")
    with pytest.raises(AssertionError, match=r"expected shape \(2,\), got \(3,\)"):
        assert_close(x3, pb.array([1.0, 2.0]), 1, 1, "x")


@pytest.mark.parametrize("dtype", [pb.float64, pb.float32, None], ids=str)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_right_derivatives_pass(order, dtype):
    check_grads(lambda x: pb.sin(x) * x + pb.exp(-x), [x3], order, dtype=dtype)
    check_grads(lambda x, y: (x @ y, pb.tanh(y)), [x3, x3 * 2], order, dtype=dtype)


def test_trees_and_what_is_no_float():
    args = [
        {"w": x3, "p": Pair(pb.array(2.0), None)},
        Layer(x3, pb.array(1.0)),
        pb.array([2, 0, 1]),
        3,
        "text",
    ]

    def f(tree, layer, rows, power, _):
        out = tree["w"][rows] ** power * tree["p"].a + layer.w * layer.b
        return {"out": out, "count": pb.array(7), "parts": [pb.sin(layer.b)]}

    check_grads(f, args, 2)


def test_a_single_array_stands_for_a_list_of_one():
    check_grads(pb.sin, x3, 2)


def test_on_each_device(device):
    check_grads(lambda x: pb.tanh(x).sum() * x, [x3], 2, dtype=None)
    f = product()
    assert "WRONG" not in check_rules(f, [x3, x3 + 2], dtype=None)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_wrong_derivative_is_found(mode):
    f = pb.custom_function(lambda x, y: pb.sin(x) * y)
    f.vjp(lambda p, g, out: (g * pb.cos(p[0]) * p[1] * 1.01, g * pb.sin(p[0])))
    f.jvp(lambda p, t: t[0] * pb.cos(p[0]) * p[1] + t[1] * pb.sin(p[0]) * 1.01)
    for dtype in [pb.float64, pb.float32]:
        with pytest.raises(AssertionError, match=f"^{mode}"):
            check_grads(f, [pb.array(0.7), pb.array(2.0)], modes=[mode], dtype=dtype, rtol=1e-3, atol=1e-4)


def test_one_wrong_element_is_found():
    f = pb.custom_function(lambda x: x * x)
    f.vjp(lambda x, g, out: 2 * x * g + 1e-3 * g * pb.array([0.0, 1.0, 0.0]))
    with pytest.raises(AssertionError, match="rev"):
        check_grads(f, [x3], modes=["rev"])


def test_a_wrong_second_derivative_is_found():
    f = pb.custom_function(lambda x: x**3)
    f.vjp(lambda x, g, out: 3 * pb.stop_gradient(x) ** 2 * g)
    check_grads(f, [x3], 1, ["rev"])
    with pytest.raises(AssertionError, match="rev of rev"):
        check_grads(f, [x3], 2, ["rev"])


def test_wrong_use_of_check_grads():
    with pytest.raises(ValueError, match="expected modes"):
        check_grads(pb.sin, [x3], modes=["forward"])
    with pytest.raises(ValueError, match="among the arguments"):
        check_grads(lambda n: n, [pb.array([1, 2])])
    with pytest.raises(ValueError, match="among the results"):
        check_grads(lambda x: x > 0, [x3])


def test_right_rules_pass_and_are_listed():
    report = check_rules(product(), [x3, x3 + 2])
    assert report.splitlines()[0] == "rules of '<lambda>' at x float32[3], y float32[3]"
    for what in ["vjp against the body", "jvp against difference quotients", "vjp against jvp"]:
        assert f"  ok    {what}" in report
    for axes in ["0, None", "None, 0", "0, 0", "-1, -1"]:
        for part in ["value", "vjp", "jvp"]:
            assert f"  ok    vmap over {axes}: {part}" in report
    assert "WRONG" not in report and "--" not in report


def test_trees_in_rules():
    f = pb.custom_function(lambda p, x: {"y": p["w"] * x, "n": [pb.sin(p["b"])]})
    f.vjp(lambda p, g, out: ({"w": g["y"] * p[1], "b": g["n"][0] * pb.cos(p[0]["b"])}, g["y"] * p[0]["w"]))
    params = {"w": x3, "b": pb.array(0.5)}
    assert "WRONG" not in check_rules(f, [params, x3])
    f.vjp(lambda p, g, out: ({"w": g["y"] * p[1], "b": g["n"][0]}, g["y"] * p[0]["w"]))
    with pytest.raises(AssertionError, match=r"WRONG vjp against the body: p\['b'\]"):
        check_rules(f, [params, x3])


def wrong_vjp(f):
    f.vjp(lambda p, g, out: (g * pb.sin(p[0]), g * pb.cos(p[0]) * p[1]))


def wrong_jvp(f):
    f.jvp(lambda p, t: t[0] * pb.cos(p[0]) * p[1] - t[1] * pb.sin(p[0]))


def wrong_count(f):
    f.vjp(lambda p, g, out: g)


def wrong_shape(f):
    f.vjp(lambda p, g, out: (pb.zeros(7), g))


def wrong_batch(f):
    f.vmap(lambda inputs, axes: (pb.sin(inputs[0]) + inputs[1], 0))


def wrong_axis(f):
    f.vmap(lambda inputs, axes: (pb.sin(inputs[0]) * inputs[1], 1))


WRONG = {
    wrong_vjp: ["vjp against the body: x", "vjp against difference quotients", "vjp against jvp"],
    wrong_jvp: ["jvp against the body: output", "jvp against difference quotients", "vjp against jvp"],
    wrong_count: ["vjp against the body: vjp rule of '<lambda>'"],
    wrong_shape: ["vjp against the body: vjp rule of '<lambda>'"],
    wrong_batch: ["vmap over 0, None: value: output", "vmap over None, 0: value", "vmap over 0, 0: value"],
    wrong_axis: ["vmap over 0, 0: value"],
}


@pytest.mark.parametrize("spoil", WRONG, ids=lambda spoil: spoil.__name__)
def test_a_wrong_rule_is_found_and_named(spoil):
    f = product()
    spoil(f)
    with pytest.raises(AssertionError) as error:
        check_rules(f, [pb.array([0.3, 0.8]), pb.array([2.0, 1.5])])
    for what in WRONG[spoil]:
        assert f"  WRONG {what}" in str(error.value), str(error.value)
    others = {spoil.__name__.partition("_")[2]} & {"vjp", "jvp"}
    for mode in others:
        other = {"vjp": "jvp", "jvp": "vjp"}[mode]
        assert f"  ok    {other} against the body" in str(error.value)


def test_a_rule_that_is_meant_to_differ():
    step = pb.custom_function(lambda x: pb.round(x))
    step.vjp(lambda x, g, out: g)
    points = [pb.array([0.3, 1.2])]
    with pytest.raises(AssertionError, match="vjp against the body"):
        check_rules(step, points)
    report = check_rules(step, points, like=lambda x: x)
    assert "  ok    vjp against what is meant" in report
    assert "  --    jvp: no such rule, the body is differentiated" in report
    with pytest.raises(AssertionError, match="vjp against what is meant"):
        check_rules(step, points, like=lambda x: 2 * x)


def test_missing_rules():
    for missing, said in [
        ("derive", "ok    jvp against the body"),
        ("error", "--    jvp: no such rule, and missing"),
    ]:
        f = pb.custom_function(lambda x: x * x, missing=missing)
        f.vjp(lambda x, g, out: 2 * x * g)
        assert said in check_rules(f, [x3])


def test_a_rule_that_is_not_linear_in_its_cotangent():
    """Clipping differs from every derivative; batches must clip each example, for a shared input too."""
    f = pb.custom_function(lambda x, y: x * y)

    @f.vjp
    def clip(primals, g, out):
        x, y = primals
        g = g * pb.minimum(1, 0.1 / pb.sqrt((g * g).sum()))
        return g * y, g * x

    with pytest.raises(AssertionError, match="vjp against the body"):
        check_rules(f, [x3, x3])
    report = check_rules(f, [x3, x3], ["vmap"])
    assert "ok    vmap over None, 0: vjp" in report and "WRONG" not in report


def test_wrong_use_of_check_rules():
    with pytest.raises(TypeError, match="expected a function with rules"):
        check_rules(pb.sin, [x3])
    with pytest.raises(ValueError, match="expected checks"):
        check_rules(product(), [x3, x3], ["grad"])


def test_a_message_shows_little_or_the_worst():
    small, large = pb.array([[1.0], [2.0]]), pb.zeros((3, 4))
    with pytest.raises(AssertionError, match=r"x: expected \[\[1\], \[2\]\], got \[\[1\], \[2\.5\]\]; they"):
        assert_close(small + pb.array([[0.0], [0.5]]), small, 1e-3, 1e-3, "x")
    spoiled = pb.zeros((3, 4))
    spoiled[1, 2], spoiled[0, 0] = 5.0, 1.0
    with pytest.raises(AssertionError, match=r"x: expected 0, got 5 at \[1, 2\]; they differ by 5"):
        assert_close(spoiled, large, 1e-3, 1e-3, "x")
    spoiled[2, 3] = pb.nan
    with pytest.raises(AssertionError, match=r"x: expected 0, got nan at \[2, 3\]"):
        assert_close(spoiled, large, 1e-3, 1e-3, "x")


def test_complex_numbers_are_compared_whole():
    assert_close(pb.array([1 + 2j]), pb.array([1 + 2j]), 1e-5, 1e-5, "z")
    with pytest.raises(AssertionError, match=r"z: expected \[\[1, 2\]\], got \[\[1, 3\]\]"):
        assert_close(pb.array([1 + 3j]), pb.array([1 + 2j]), 1e-5, 1e-5, "z")
