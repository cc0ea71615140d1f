"""Rows 87 to 114: what goes wrong, and what must not."""

import gc
import traceback

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near, together
from table.doors import RULES, square
from table.record import Mark, refused, row
from table.rows_arguments import slopes
from table.rows_composition import LINE
from table.rows_first import ONE, THREE, X, tangent

TWO = pb.array(2.0)


class OwnError(Exception):
    """An error that only these rows raise."""


def raising(*_):
    raise OwnError("here", 17)


def raises_own(action, frame="raising"):
    """Type, arguments and the frame of the function that raised are kept."""
    with pytest.raises(OwnError) as caught:
        action()
    assert caught.value.args == ("here", 17)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == frame


@row(87)
def exception_in_the_body(door):
    f = door.given(lambda x: raising(), vjp=RULES["vjp"], jvp=RULES["jvp"])
    for way in (f, pb.grad(f), lambda x: tangent(f, x), pb.compile(f), pb.checkpoint(f)):
        raises_own(lambda: way(THREE))
    raises_own(lambda: pb.vmap(f)(X))


@row(88)
def exception_in_the_rule(door):
    f = door.given(square, vjp=raising, jvp=raising, vmap=raising)
    if "vmap" in door.holds:
        raises_own(lambda: pb.vmap(f)(X))
        raises_own(lambda: pb.compile(pb.vmap(f))(X))
    if door.name != "custom_vmap":
        raises_own(lambda: pb.grad(f)(THREE))
        raises_own(lambda: tangent(f))
        raises_own(lambda: pb.compile(pb.grad(f))(THREE))
        raises_own(lambda: pb.grad(pb.checkpoint(f))(THREE))


def at_first(rule):
    """A rule that raises until it is told not to."""
    state = {"raise": True}

    def wrapped(*args):
        return raising() if state["raise"] else rule(*args)

    return wrapped, state


def broken_then_whole(door):
    rules = {kind: at_first(rule) for kind, rule in RULES.items()}
    f = door.given(square, **{kind: rule for kind, (rule, _) in rules.items()})

    def mend():
        for _, state in rules.values():
            state["raise"] = False

    return f, mend


@row(89)
def clean_afterwards(door):
    f, mend = broken_then_whole(door)
    _, back, forth, shift = door.probe("vjp", "jvp", "vmap")
    ways = [pb.grad(f), lambda x: tangent(f, x)] if door.name != "custom_vmap" else []
    for way in ways:
        raises_own(lambda: way(THREE))
    if shift:
        raises_own(lambda: pb.vmap(f)(X))
    near(pb.vmap(pb.grad(lambda x: x * x))(X), 2 * LINE)
    mend()
    near((pb.grad(f)(THREE), tangent(f), pb.vmap(f)(X)), (3 * back, 3 * forth, LINE**2 + shift))


@row(90)
def clean_after_compile(door):
    f, mend = broken_then_whole(door)
    _, back, _, shift = door.probe("vjp", "jvp", "vmap")
    slope, batch = pb.compile(pb.grad(f)), pb.compile(pb.vmap(f))
    for _ in range(2):
        if door.name != "custom_vmap":
            raises_own(lambda: slope(THREE))
        if shift:
            raises_own(lambda: batch(X))
    mend()
    near((slope(THREE), batch(X)), (3 * back, LINE**2 + shift))


def returning(door, gradients, two=False):
    """A function named `probe` whose vjp rule returns these, whatever it is given."""
    if two:

        def probe(x, y):
            return x * y
    else:

        def probe(x):
            return x * 1

    return door.make(probe, vjp=lambda args, g, out: gradients)


def slope_of(f):
    return lambda: pb.grad(lambda x: f(x).sum())(X)


def slopes_of(f):
    return lambda: pb.grad(lambda x, y: f(x, y).sum(), argnums=(0, 1))(X, X)


@row(91, needs="vjp")
def wrong_shape(door):
    f = returning(door, (pb.ones((5, 2)),))
    text = r"vjp rule of 'probe', argument x: expected float32\[3\], got float32\[5, 2\]"
    return refused(
        "`RuleError` with the function, the argument, and both shapes",
        (slope_of(f), text),
        (lambda: pb.compile(pb.grad(lambda x: f(x).sum()))(X), text),
        (slope_of(returning(door, (pb.ones((5, 1)),))), "argument x: expected"),
    )


@row(92, needs="vjp")
def wrong_dtype(door):
    """A width is converted; an integer is no gradient of a float."""
    near(slope_of(returning(door, (pb.ones(3, pb.float16) * 5,)))(), [5.0] * 3)
    f = returning(door, (pb.ones(3, pb.int32),))
    try:
        got = slope_of(f)()
    except pb.RuleError as error:
        assert "vjp rule of 'probe', argument x" in str(error)
        return Mark("E", "another width is converted; integers are a `RuleError` with both types")
    assert got.dtype == pb.float32
    return Mark("W", "converted to the type of the argument")


@row(93, needs="vjp")
def too_few(door):
    return refused(
        "`RuleError` with both counts, and the names of the arguments",
        (slopes_of(returning(door, (X,), two=True)), r"vjp rule of 'probe' returned 1 gradient for 2 .*x, y"),
    )


@row(94, needs="vjp")
def too_many(door):
    mark = refused(
        "`RuleError` with both counts, and the names of the arguments",
        (slopes_of(returning(door, (X, X, X), two=True)), "'probe' returned 3 gradients for 2 .*x, y"),
    )
    if door.name == "Function":
        near(slopes_of(returning(door, (X, 2 * X, None), two=True))(), (LINE, 2 * LINE))
    return mark


@row(95, needs="vjp")
def forgot_to_return(door):
    f = returning(door, None)
    return refused(
        "`RuleError` that asks just that", (slope_of(f), "'probe' returned None.*forget to return")
    )


@row(96, needs="vjp")
def none_for_one(door):
    near(slopes_of(returning(door, (2 * X, None), two=True))(), (2 * LINE, 0 * LINE))


@row(97, needs="vjp")
def none_for_the_first(door):
    near(slopes_of(returning(door, (None, 2 * X), two=True))(), (0 * LINE, 2 * LINE))


@row(98, needs="vjp")
def a_number(door):
    near(slope_of(returning(door, (5.0,)))(), [5.0] * 3)
    near(slope_of(returning(door, 5.0))(), [5.0] * 3)


@row(99, needs="vjp")
def a_numpy_array(door):
    near(slope_of(returning(door, (np.arange(3.0),)))(), [0.0, 1, 2])
    near(slope_of(returning(door, np.arange(3.0)))(), [0.0, 1, 2])


@row(100, needs="vjp")
def text(door):
    return refused(
        "`RuleError` with the function, the argument, and what was got",
        (slope_of(returning(door, ("oops",))), "vjp rule of 'probe', argument x: expected .* got a?.*str"),
        (slope_of(returning(door, "oops")), "vjp rule of 'probe'.*str"),
        (slope_of(returning(door, (object(),))), "vjp rule of 'probe', argument x.*object"),
    )


@row(101, needs="vjp")
def a_list(door):
    near(slopes_of(returning(door, [2 * X, 3 * X], two=True))(), (2 * LINE, 3 * LINE))


@row(102, needs="jvp")
def malformed_tangent(door):
    def probe(x):
        return x * 1

    def pushed(t):
        f = door.make(probe, jvp=lambda args, ts: t)
        return lambda: tangent(f, X)

    near(pushed(5.0)(), [5.0] * 3)
    near(pushed(pb.ones(3, pb.float16))(), [1.0] * 3)
    return refused(
        "`RuleError` with the function, and what was expected and got",
        (pushed(pb.ones(5)), r"jvp rule of 'probe'.*expected float32\[3\], got float32\[5\]"),
        (pushed("oops"), "jvp rule of 'probe'.*str"),
        (pushed((X, X, X)), "jvp rule of 'probe'.*tuple"),
    )


@row(103, needs="vmap")
def malformed_batch(door):
    def probe(x):
        return x * 1

    def mapped(result):
        f = door.make(probe, vmap=lambda args, axes, size: result)
        return lambda: pb.vmap(f)(X)

    rule = "vmap rule of 'probe'"
    cases = [
        (mapped(X), f"{rule} returned .*expected .outputs, axes"),
        (mapped(None), f"{rule} returned None"),
        (mapped((X, 0, 0)), f"{rule} returned a tuple of 3"),
        (mapped((pb.ones(5), 0)), f"{rule}: output 0 has size 5 on axis 0, the batch has 3"),
        (mapped((X, "front")), f"{rule}.*str"),
    ]
    if door.name in ("custom_function", "Function"):
        cases.append((mapped((X, 4)), f"{rule}: output 0 .*has no axis 4"))
    return refused("`RuleError` with the function, the output, and what is wrong with it", *cases)


@row(104)
def wrong_number_of_parameters(door):
    """A call of Python says what it wanted; what is raised is the rule's own error."""
    for rule, text in (
        (lambda: None, "takes 0 positional arguments but"),
        (lambda a, b, c, d, e, f, g, h, i: None, "missing . required positional"),
    ):
        refused("", (lambda: misfit(door, rule), text))
    return Mark("E", "the `TypeError` of the call, with a note of where the function was called")


def misfit(door, rule):
    """Uses a rule as it is, without an adapter that would give it other parameters."""
    if door.name == "custom_function":
        f = pb.custom_function(square)
        f.vjp(rule)
    elif door.name == "custom_vjp":
        f = pb.custom_vjp(square)
        f.defvjp(lambda x: (x * x, x), rule)
    elif door.name == "custom_jvp":
        f = pb.custom_jvp(square)
        f.defjvp(rule)
    elif door.name == "custom_gradient":
        f = pb.custom_gradient(lambda x: (x * x, rule))
    elif door.name == "Function":
        members = {"forward": staticmethod(lambda ctx, x: x * x), "backward": staticmethod(rule)}
        f = type("Square", (pb.Function,), members).apply
    else:
        f = pb.custom_vmap(square)
        f.def_vmap(rule)
        return pb.vmap(f)(X)
    return pb.grad(f)(THREE)


@row(105, needs="vjp")
def only_vjp(door):
    near(tangent(door.probe("vjp").f), 30.0)
    if door.name == "custom_function":
        f = door.make(square, vjp=RULES["vjp"], missing="body")
        with pytest.warns(pb.RuleFallbackWarning, match="'square' has a vjp rule but no jvp rule"):
            near(tangent(f), 6.0)
        return Mark("W", 'with `missing="derive"`; MLX\'s fallback to the body is the default, and warns')
    return None


@row(106, needs="jvp")
def only_jvp(door):
    near(pb.grad(door.probe("jvp").f)(THREE), 300.0)
    bent = door.make(square, jvp=lambda args, ts: pb.sin(ts[0]))
    refused(
        "", (lambda: pb.grad(bent)(THREE), "'square' has no vjp rule, and its jvp rule cannot be transposed")
    )
    if door.name == "custom_function":
        f = door.make(square, jvp=RULES["jvp"], missing="body")
        with pytest.warns(pb.RuleFallbackWarning, match="'square' has a jvp rule but no vjp rule"):
            near(pb.grad(f)(THREE), 6.0)
        return Mark("W", 'with `missing="derive"`; MLX\'s fallback to the body is the default, and warns')
    return None


@row(107, needs="vmap")
def only_vmap(door):
    f = door.probe("vmap").f
    near(pb.grad(f)(THREE), 6.0)
    near(tangent(f), 6.0)
    near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), 2 * LINE)
    # With another slope than the function has, a rule shows whose derivative is taken.
    bent = door.make(square, vmap=lambda args, axes, size: (args[0] ** 3, axes[0]))
    near(pb.vmap(pb.grad(bent))(X), 2 * LINE)
    near(pb.grad(lambda x: pb.vmap(bent)(x).sum())(X), 2 * LINE)
    return None


@row(108)
def no_rule(door):
    f = door.make(square)
    if door.name == "custom_gradient":
        bare = pb.custom_gradient(square)
        return refused(
            "`TypeError`: the function has to return its output and its gradient function",
            (lambda: bare(THREE), r"expected 'square' to return \(output, grad_fn\)"),
            (lambda: pb.grad(bare)(THREE), r"expected 'square' to return \(output, grad_fn\)"),
        )
    near((f(THREE), pb.grad(f)(THREE), tangent(f)), (9.0, 6.0, 6.0))
    near((pb.vmap(f)(X), pb.vmap(pb.grad(f))(X), pb.compile(f)(X)), (LINE**2, 2 * LINE, LINE**2))
    return None


@row(109, needs="derivative")
def values_in_the_rule(door):
    f = door.given(
        square,
        vjp=lambda args, g, out: (10 * g * args[0].item(),),
        jvp=lambda args, ts: 100 * ts[0] * args[0].item(),
    )
    _, back, forth, _ = door.probe("vjp", "jvp")
    near((pb.grad(f)(THREE), tangent(f)), (3 * back, 3 * forth))


@row(110, needs="derivative")
def values_in_the_rule_while_mapped(door):
    f = door.given(
        square,
        vjp=lambda args, g, out: (10 * g * args[0].item(),),
        jvp=lambda args, ts: 100 * ts[0] * args[0].item(),
    )
    return refused(
        "`ValueError` that names the transform, and `pure_callback`",
        (lambda: pb.vmap(pb.grad(f))(X), "tracer of vmap"),
        (lambda: pb.compile(pb.grad(f))(THREE), "tracer of compile"),
    )


@row(111)
def calls(door):
    body, rules = Counted(square), {kind: Counted(rule) for kind, rule in RULES.items()}
    f = door.given(lambda x: body(x), **rules)

    def count(action):
        action()
        return body.take(), {kind: n for kind, rule in rules.items() if (n := rule.take())}

    back = "vjp" if "vjp" in door.holds else "jvp"
    forth = "jvp" if "jvp" in door.holds else "vjp"
    once = {} if door.name == "custom_vmap" else {back: 1}
    ran, asked = count(lambda: pb.grad(f)(THREE))
    assert asked == once and ran <= 2, (ran, asked)
    ran, asked = count(lambda: tangent(f))
    assert asked == ({forth: 1} if once else {}) and ran <= 2, (ran, asked)
    ran, asked = count(lambda: pb.vmap(f)(X))
    assert (ran, asked) == ((0, {"vmap": 1}) if "vmap" in door.holds else (1, {})), (ran, asked)


def at_once(action):
    """Eight threads do it at the same time; what one of them raises is raised."""

    def work(_):
        for _ in range(10):
            action()

    together(work)


@row(112)
def threads_grad(door):
    f, back, forth, _ = door.probe("vjp", "jvp", "vmap")
    at_once(lambda: near((pb.grad(f)(THREE), tangent(f)), (3 * back, 3 * forth)))


@row(113)
def threads_vmap_and_compile(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    fast = pb.compile(pb.grad(f))
    at_once(lambda: near((pb.vmap(pb.grad(f))(X), fast(THREE)), (back * LINE, 3 * back)))


@row(114)
def memory(door):
    f = door.probe("vjp", "jvp", "vmap").f
    slope = pb.grad(f)

    def alive(n):
        for _ in range(n):
            slope(ONE)
        gc.collect()
        return len(gc.get_objects())

    alive(50)
    before = alive(1)
    assert alive(2000) <= before + 20
    assert slopes(door)
