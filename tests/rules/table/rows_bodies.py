"""Rows 40 to 50: functions within functions, bodies that resist, what is captured."""

import numpy as np
import pullback as pb
from samples import Counted, near
from table.doors import square
from table.record import Mark, refused, row
from table.rows_composition import LINE
from table.rows_first import THREE, X, tangent


@row(40)
def inner_rules_are_not_called(door):
    rules = {
        "vjp": Counted(lambda args, g, out: (1000 * g,)),
        "jvp": Counted(lambda args, ts: 2000 * ts[0]),
        "vmap": Counted(lambda args, axes, size: (args[0] * 0, axes[0])),
    }
    inner = door.given(square, **rules)

    def outer_body(x):
        return inner(x) + 0

    outer = door.given(
        outer_body,
        vjp=lambda args, g, out: (10 * g * args[0],),
        jvp=lambda args, ts: 100 * ts[0] * args[0],
        vmap=lambda args, axes, size: (args[0] ** 2 + 7, axes[0]),
    )
    _, back, forth, shift = door.probe("vjp", "jvp", "vmap")
    if door.name == "custom_vmap":
        near(pb.vmap(outer)(X), LINE**2 + shift)
    else:
        near(pb.grad(outer)(THREE), back * 3)
        near(tangent(outer), forth * 3)
        near(pb.vmap(pb.grad(outer))(X), back * LINE)
    if door.name == "custom_gradient":
        # It has no rule for batches: the inner function is mapped, by its own operations.
        near(pb.vmap(outer)(X), LINE**2)
    elif door.name != "custom_vmap":
        near(pb.vmap(outer)(X), LINE**2 + shift)
    if door.name == "Function":
        # Residuals come from the forward pass, which under vmap∘grad is mapped: that asks no derivative.
        assert rules["vjp"].calls == rules["jvp"].calls == 0
        return Mark(
            "W",
            "no inner derivative rule is called; an inner vmap rule is, where the forward pass is mapped for "
            "what it saves",
        )
    assert all(rule.calls == 0 for rule in rules.values())
    return None


@row(41, needs="derivative")
def custom_within_a_rule(door):
    inner, back, forth, _ = door.first("vjp", "jvp")
    outer = door.given(
        square,
        vjp=lambda args, g, out: (g * inner(args[0]),),
        jvp=lambda args, ts: ts[0] * inner(args[0]),
    )
    near(pb.grad(outer)(THREE), 9.0)
    near(pb.grad(pb.grad(outer))(THREE), back * 3)
    near(tangent(lambda x: tangent(outer, x)), forth * 3)
    near(pb.vmap(pb.grad(pb.grad(outer)))(X), back * LINE)


@row(42, needs="derivative")
def a_rule_that_calls_its_function(door):
    found = []
    f = door.given(
        square,
        vjp=lambda args, g, out: (g * found[0](args[0]),),
        jvp=lambda args, ts: ts[0] * found[0](args[0]),
    )
    found.append(f)
    # f' = f by the rule, to every order.
    near(pb.grad(f)(THREE), 9.0)
    near(pb.grad(pb.grad(f))(THREE), 9.0)
    near(pb.grad(pb.grad(pb.grad(f)))(THREE), 9.0)


@row(43, needs="derivative")
def a_body_without_derivative(door):
    def in_numpy(x):
        return pb.array(np.sin(np.asarray(x)))

    f = door.given(
        in_numpy,
        vjp=lambda args, g, out: (g * pb.cos(args[0]),),
        jvp=lambda args, ts: ts[0] * pb.cos(args[0]),
    )
    near(f(THREE), np.sin(3.0))
    near(pb.grad(f)(THREE), np.cos(3.0))
    near(tangent(f), np.cos(3.0))
    near(pb.grad(pb.grad(f))(THREE), -np.sin(3.0))


@row(44, needs="vmap")
def a_body_that_cannot_be_mapped(door):
    def in_numpy(x):
        return pb.array(np.sin(np.asarray(x)))

    f = door.given(
        in_numpy,
        vjp=lambda args, g, out: (g * pb.cos(args[0]),),
        jvp=lambda args, ts: ts[0] * pb.cos(args[0]),
        vmap=lambda args, axes, size: (pb.sin(args[0]), axes[0]),
    )
    near(pb.vmap(f)(X), np.sin(LINE))
    near(pb.compile(pb.vmap(f))(X), np.sin(LINE))
    if door.name == "Function":
        refused("", (lambda: pb.vmap(pb.grad(f))(X), "tracer of vmap.*pure_callback"))
        return Mark(
            "W",
            "values only: a derivative of the mapped function needs what `forward` saves, and says so in a "
            "clear error",
        )
    if door.name != "custom_vmap":
        near(pb.vmap(pb.grad(f))(X), np.cos(LINE))
        near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), np.cos(LINE))
    return None


@row(45)
def captured_constant(door):
    w = pb.array([2.0, 3.0, 4.0])
    f = door.given(
        lambda x: x * w,
        vjp=lambda args, g, out: (10 * g * w,),
        jvp=lambda args, ts: 100 * ts[0] * w,
    )
    _, back, forth, _ = door.probe("vjp", "jvp")
    back, forth = (s if s > 2 else 1 for s in (back, forth))
    near(f(X), [2.0, 6, 12])
    near(pb.grad(lambda x: f(x).sum())(X), back * np.array([2.0, 3, 4]))
    near(tangent(f, X), forth * np.array([2.0, 3, 4]))
    near(pb.compile(pb.grad(lambda x: f(x).sum()))(X), back * np.array([2.0, 3, 4]))
    near(pb.vmap(lambda x: f(x))(pb.ones((2, 3))), [[2.0, 3, 4]] * 2)


CONSTANT = (
    'with `captured="differentiate"`; the default is the constant that MLX documents: a gradient of zero, '
    "without a warning"
)


def over(door, **options):
    """x·y as a function of y, with x in a door and y in its closure."""

    def of(x, y):
        def times(x):
            return x * y

        return door.given(
            times,
            vjp=lambda args, g, out: (10 * g,),
            jvp=lambda args, ts: 100 * ts[0],
            **options,
        )(x)

    return of


@row(46)
def captured_tracer(door):
    """Three answers to choose from: the idiom's own one is an error, and MLX's a constant."""
    two = pb.array(2.0)
    for way in (lambda f: pb.grad(f), lambda f: lambda y: tangent(f, y)):
        exact = over(door, captured="differentiate")
        near(way(lambda y: exact(THREE, y))(two), 3.0)
        held = over(door, captured="constant")
        near(way(lambda y: held(THREE, y))(two), 0.0)
    strict, text = over(door, captured="error"), "'times' captured .*pass it as an argument"
    refused(
        "",
        (lambda: pb.grad(lambda y: strict(THREE, y))(two), text),
        (lambda: tangent(lambda y: strict(THREE, y), two), text),
        (lambda: pb.compile(pb.grad(lambda y: strict(THREE, y)))(two), text),
    )
    if door.name == "custom_function":
        near(pb.grad(lambda y: over(door)(THREE, y))(two), 0.0)
        return Mark("W", CONSTANT)
    return refused(
        "`RuleError` naming the function, unless `captured=` chooses the true gradient or a constant",
        (lambda: pb.grad(lambda y: over(door)(THREE, y))(two), text),
    )


@row(47, needs="derivative")
def captured_by_the_rule(door):
    def slope(w):
        f = door.given(
            square,
            vjp=lambda args, g, out: (g * args[0] * w**2,),
            jvp=lambda args, ts: ts[0] * args[0] * w**2,
        )
        return pb.grad(f)(THREE)

    near(pb.grad(slope)(pb.array(2.0)), 12.0)
    near(tangent(slope, pb.array(2.0)), 12.0)
    near(pb.vmap(pb.grad(slope))(X), 6 * LINE)


@row(48)
def captured_while_mapped(door):
    of = over(door)
    near(pb.vmap(lambda y: of(THREE, y))(X), 3 * LINE)
    near(pb.vmap(of)(X, X), LINE**2)
    if door.name != "custom_vmap":
        _, back, _, _ = door.probe("vjp", "jvp")
        near(pb.vmap(lambda y: pb.grad(lambda x: of(x, y))(THREE))(X), [back] * 3)


@row(49, needs="vmap")
def captured_while_mapped_with_rule(door):
    def each(y):
        f = door.given(lambda x: x * y, vmap=lambda args, axes, size: (args[0] * y + 7, axes[0]))
        return pb.vmap(f)(X)

    near(pb.vmap(each)(pb.array([1.0, 10.0])), [LINE + 7, 10 * LINE + 7])

    def same(x, y):
        return door.given(lambda x: x * y, vmap=lambda args, axes, size: (args[0] * y + 7, 0))(x)

    # What was captured is of the axis that the rule answers for: example by example.
    near(pb.vmap(same)(X, X), LINE**2 + 7)


class Linear:
    """A module whose weight a function captures."""

    def __init__(self, weight):
        self.weight = weight


@row(50)
def captured_module(door):
    def loss(weight, captured):
        model = Linear(weight)

        def layer(x):
            return x * model.weight

        options = {} if captured is None else {"captured": captured}
        f = door.given(layer, vjp=lambda args, g, out: (10 * g,), jvp=lambda args, ts: 100 * ts[0], **options)
        return f(THREE)

    w = pb.array(2.0)
    near(pb.grad(lambda w: loss(w, "differentiate"))(w), 3.0)
    if door.name == "custom_function":
        near(pb.grad(lambda w: loss(w, None))(w), 0.0)
        return Mark("W", CONSTANT)
    return refused(
        "`RuleError` naming the function, unless `captured=` chooses otherwise; a module may be an argument",
        (lambda: pb.grad(lambda w: loss(w, None))(w), "'layer'"),
    )
