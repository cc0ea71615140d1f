"""Rows 51 to 69: what functions take and return, and what rules learn of it."""

from typing import NamedTuple

import numpy as np
import pullback as pb
from samples import near
from table.record import Mark, refused, row, unable
from table.rows_composition import LINE
from table.rows_first import THREE, X, tangent

TWO = pb.array(2.0)


def slopes(door, body=1.0):
    """What stands before x in reverse and in forward mode, where the rules are 10·g and 100·t."""
    _, back, forth, _ = door.probe("vjp", "jvp")
    return (body if back == 2 else back), (body if forth == 2 else forth)


@row(51)
def several_outputs(door):
    f = door.given(
        lambda x: (x * 2, x * 3),
        vjp=lambda args, g, out: (10 * g[0] + 20 * g[1],),
        jvp=lambda args, ts: (10 * ts[0], 20 * ts[0]),
    )
    first, second = (2.0, 3.0) if door.name == "custom_vmap" else (10.0, 20.0)
    near(pb.grad(lambda x: f(x)[0] + 100 * f(x)[1])(THREE), first + 100 * second)
    near(pb.jvp(lambda x: f(x), [THREE], [TWO])[1], [2 * first, 2 * second])
    near(pb.vmap(pb.grad(lambda x: f(x)[0] + f(x)[1]))(X), [first + second] * 3)


@row(52)
def an_output_not_used(door):
    seen = []
    f = door.given(
        lambda x: (x * 2, x * 3),
        vjp=lambda args, g, out: (seen.append(g) or 10 * g[0] + 20 * g[1],),
        jvp=lambda args, ts: (10 * ts[0], 20 * ts[0]),
    )
    near(pb.grad(lambda x: f(x)[0])(THREE), 2.0 if door.name == "custom_vmap" else 10.0)
    if "vjp" in door.holds:
        near(tuple(seen[0]), (1.0, 0.0))


@row(53)
def integer_inputs(door):
    for answer in (None, pb.zeros((), pb.int32), pb.zeros(())):
        f = door.given(
            lambda x, i: x[i],
            vjp=lambda args, g, out: (pb.zeros_like(args[0]).at[args[1]].add(10 * g), answer),
            jvp=lambda args, ts: 100 * ts[0][args[1]],
        )
        back, forth = slopes(door)
        near(pb.grad(lambda x: f(x, pb.array(1)))(X), [0.0, back, 0.0])
        near(pb.jvp(lambda x: f(x, pb.array(1)), [X], [X])[1][0], forth * 2)
    near(pb.vmap(lambda i: pb.grad(lambda x: f(x, i))(X))(pb.array([0, 2])), [[back, 0, 0], [0, 0, back]])


@row(54)
def integer_outputs(door):
    f = door.given(
        lambda x, i: (x * 2, i + 1),
        vjp=lambda args, g, out: (10 * g[0], None),
        jvp=lambda args, ts: (100 * ts[0], None),
    )
    back, forth = slopes(door, 2.0)
    i = pb.array([0, 1, 2])
    near(pb.grad(lambda x: (f(x, i)[0] * f(x, i)[1]).sum())(X), back * LINE)
    near(pb.jvp(lambda x: f(x, i)[0], [X], [X])[1][0], forth * LINE)
    assert f(X, i)[1].dtype == pb.int32


@row(55)
def values_that_are_no_arrays(door):
    for value in (2, "text", pb.sin, (1, "a"), None):
        seen = []
        f = door.given(
            lambda x, v: x * 1,
            vjp=lambda args, g, out: (seen.append(args[1]) or 10 * g, None),
            jvp=lambda args, ts: seen.append(args[1]) or 100 * ts[0],
        )
        back, forth = slopes(door)
        near(pb.grad(lambda x: f(x, value))(THREE), back)
        near(tangent(lambda x: f(x, value)), forth)
        near(pb.vmap(pb.grad(lambda x: f(x, value)))(X), [back] * 3)
        near(pb.compile(pb.grad(lambda x: f(x, value)))(THREE), back)
        assert all(v is value or v == value for v in seen)


NO_NEED = "not declared: what is no array goes through by itself, and has no gradient"


@row(56)
def declared(door):
    if door.name == "custom_vjp":
        f = pb.custom_vjp(lambda fun, x: fun(x), nondiff_argnums=(0,))
        f.defvjp(lambda fun, x: (f(fun, x), x), lambda fun, kept, g: (10 * g * kept,))
        near(pb.grad(lambda x: f(pb.square, x))(THREE), 30.0)
    elif door.name == "custom_jvp":
        f = pb.custom_jvp(lambda fun, x: fun(x), nondiff_argnums=(0,))
        f.defjvp(lambda fun, primals, ts: (f(fun, *primals), 100 * ts[0] * primals[0]))
        near(pb.grad(lambda x: f(pb.square, x))(THREE), 300.0)
    else:
        return unable(NO_NEED)
    near(pb.vmap(pb.grad(lambda x: f(pb.square, x)))(X), (10 if door.name == "custom_vjp" else 100) * LINE)
    return None


def refuses(action):
    """Whether it is a `RuleError`."""
    try:
        action()
    except pb.RuleError:
        return True
    return False


@row(57)
def tracer_where_declared(door):
    if door.name == "custom_vjp":
        f = pb.custom_vjp(lambda x, y: x * y, nondiff_argnums=(1,))
        f.defvjp(lambda x, y: (f(x, y), None), lambda y, kept, g: (10 * g * y,))
    elif door.name == "custom_jvp":
        f = pb.custom_jvp(lambda x, y: x * y, nondiff_argnums=(1,))
        f.defjvp(lambda y, primals, ts: (f(*primals, y), 10 * ts[0] * y))
    else:
        return unable("not declared: every array may have a gradient")
    # Mapped and compiled arrays are welcome there.
    way = pb.grad if door.name == "custom_vjp" else lambda f: lambda x: tangent(f, x)
    near(pb.vmap(lambda y: way(lambda x: f(x, y))(THREE))(X), 10 * LINE)
    near(pb.compile(lambda y: way(lambda x: f(x, y))(THREE))(TWO), 20.0)
    text = "non-differentiable argument y"
    reason = "`RuleError` naming it where a derivative is asked for; mapped and compiled arrays work"
    if refuses(lambda: pb.grad(lambda x: f(x, TWO))(THREE)):
        reason = "`RuleError` naming the argument, in reverse mode for every array that is given there"
    return refused(
        reason,
        (lambda: pb.grad(lambda y: f(THREE, y))(TWO), text),
        (lambda: tangent(lambda y: f(THREE, y)), text),
        (lambda: pb.compile(pb.grad(lambda y: f(THREE, y)))(TWO), text),
    )


@row(58)
def containers(door):
    f = door.given(
        lambda p, q: {"y": p["a"] * q[0], "z": [p["b"]]},
        vjp=lambda args, g, out: ({"a": 10 * g["y"], "b": 20 * g["z"][0]}, (30 * g["y"], None)),
        jvp=lambda args, ts: {"y": 10 * ts[0]["a"] + 30 * ts[1][0], "z": [20 * ts[0]["b"]]},
    )
    p, q = {"a": TWO, "b": THREE}, (pb.array(5.0), None)

    def loss(p, q):
        out = f(p, q)
        return out["y"] + out["z"][0]

    want = ({"a": 5.0, "b": 1.0}, 2.0) if door.name == "custom_vmap" else ({"a": 10.0, "b": 20.0}, 30.0)
    dp, dq = pb.grad(loss, argnums=(0, 1))(p, q)
    near((dp, dq[0]), want)
    many = {"a": X, "b": X}
    got = pb.vmap(pb.grad(lambda p: loss(p, q)))(many)
    near(got, {key: [want[0][key]] * 3 for key in "ab"})


@row(59, needs="derivative")
def another_order_of_keys(door):
    f = door.given(
        lambda p: {"y": p["a"] * 1, "z": p["b"] * 1},
        vjp=lambda args, g, out: ({"b": 20 * g["z"], "a": 10 * g["y"]},),
        jvp=lambda args, ts: {"z": 20 * ts[0]["b"], "y": 10 * ts[0]["a"]},
    )
    got = pb.grad(lambda p: f(p)["y"] + f(p)["z"])({"a": TWO, "b": THREE})
    near(got, {"a": 10.0, "b": 20.0})


class Point:
    """A node of a tree that nobody but its owner knows."""

    def __init__(self, x, y, label=""):
        self.x, self.y, self.label = x, y, label


pb.register_tree_node(Point, lambda p: ((p.x, p.y), p.label), lambda label, xy: Point(*xy, label))


class Point2(NamedTuple):
    """A node by birth."""

    x: pb.array
    y: pb.array


@row(60)
def registered_nodes(door):
    for kind in (Point, Point2):
        f = door.given(
            lambda p: p.x * p.y,
            vjp=lambda args, g, out: (kind(10 * g, 20 * g),),
            jvp=lambda args, ts: 10 * ts[0].x + 20 * ts[0].y,
        )
        got = pb.grad(f)(kind(TWO, THREE))
        near([got.x, got.y], [3.0, 2.0] if door.name == "custom_vmap" else [10.0, 20.0])


@row(61)
def keyword_value(door):
    f = door.given(
        lambda x, scale=1: x * scale,
        vjp=lambda args, g, out: (10 * g * args[1], None),
        jvp=lambda args, ts: 100 * ts[0] * args[1],
        vmap=lambda args, axes, size: (args[0] * args[1] + 7, axes[0]),
    )
    back, forth = slopes(door)
    shift = 7.0 if "vmap" in door.holds else 0.0
    near(f(THREE, scale=2), 6.0)
    near(pb.grad(lambda x: f(x, scale=2))(THREE), 2 * back)
    near(tangent(lambda x: f(x, scale=2)), 2 * forth)
    near(pb.vmap(lambda x: f(x, scale=2))(X), 2 * LINE + shift)
    near(pb.vmap(pb.grad(lambda x: f(x, scale=2)))(X), [2 * back] * 3)


@row(62)
def keyword_array(door):
    f = door.given(
        lambda x, w: x * w,
        vjp=lambda args, g, out: (10 * g, 20 * g),
        jvp=lambda args, ts: 10 * ts[0] + 20 * ts[1],
    )
    only = door.given(
        lambda x, *, w: x * w,
        vjp=lambda args, g, out: (10 * g, 20 * g),
        jvp=lambda args, ts: 10 * ts[0],
    )
    want = (2.0, 3.0) if door.name == "custom_vmap" else (10.0, 20.0)
    near(pb.grad(lambda x, w: f(x, w=w), argnums=(0, 1))(THREE, TWO), want)
    if door.name == "custom_jvp":
        near(tangent(lambda x: only(x, w=TWO)), want[0])
        refused("", (lambda: pb.grad(lambda w: only(THREE, w=w))(TWO), "keyword argument w has a tangent"))
        if refuses(lambda: pb.grad(lambda x: only(x, w=TWO))(THREE)):
            return Mark("W", "in reverse mode a keyword-only array is a `RuleError` that names it")
        return Mark("W", "a derivative with respect to a keyword-only array is a `RuleError` that names it")
    near(pb.grad(lambda x: only(x, w=TWO))(THREE), want[0])
    near(pb.grad(lambda w: only(THREE, w=w))(TWO), want[1])
    return None


@row(63)
def defaults(door):
    f = door.given(
        lambda x, power=2, *, scale=1.0: scale * x**power,
        vjp=lambda args, g, out: (10 * g * args[1], None, None),
        jvp=lambda args, ts: 100 * ts[0] * args[1],
    )
    back, forth = slopes(door, None)
    for args, kwargs in (((), {}), ((2,), {}), ((), {"power": 2}), ((), {"scale": 1.0})):
        near(f(THREE, *args, **kwargs), 9.0)
        near(pb.grad(lambda x: f(x, *args, **kwargs))(THREE), 2 * back if back else 6.0)
        near(tangent(lambda x: f(x, *args, **kwargs)), 2 * forth if forth else 6.0)


@row(64)
def none_as_argument(door):
    f = door.given(
        lambda x, bias: x * 1 if bias is None else x * 1 + bias,
        vjp=lambda args, g, out: (10 * g, None),
        jvp=lambda args, ts: 100 * ts[0],
    )
    back, forth = slopes(door)
    near(pb.grad(lambda x: f(x, None))(THREE), back)
    near(tangent(lambda x: f(x, None)), forth)
    near(pb.vmap(pb.grad(lambda x: f(x, None)))(X), [back] * 3)


@row(65)
def what_is_needed(door):
    seen = []
    if door.name == "custom_function":
        f = pb.custom_function(lambda x, y: x * y)
        f.jvp(lambda p, ts: seen.append(ts[1] is None) or 10 * ts[0], symbolic_zeros=True)
        tangent(lambda x: f(x, TWO))
        assert seen == [True]
        return Mark("W", "by `symbolic_zeros=True` in forward mode; gradients nobody needs cost nothing")
    if door.name == "custom_vjp":
        f = pb.custom_vjp(lambda x, y, n: x * y)
        f.defvjp(
            lambda x, y, n: (
                seen.extend(p.perturbed for p in (x, y, n)) or f(x.value, y.value, n.value),
                None,
            ),
            lambda kept, g: (10 * g, None, None),
            symbolic_zeros=True,
        )
        near(pb.grad(lambda x: f(x, TWO, pb.array(1)))(THREE), 10.0)
        assert (seen[0], seen[2]) == (True, False)
    elif door.name == "custom_jvp":
        f = pb.custom_jvp(lambda x, y: x * y)
        f.defjvp(lambda p, ts: seen.append(type(ts[1])) or (f(*p), 10 * ts[0]), symbolic_zeros=True)
        tangent(lambda x: f(x, TWO))
        assert seen == [pb.SymbolicZero]
    elif door.name == "Function":

        class Times(pb.Function):
            @staticmethod
            def forward(ctx, x, y):
                return x * y

            @staticmethod
            def backward(ctx, g):
                seen.append(ctx.needs_input_grad)
                return 10 * g, None

        pb.grad(lambda x: Times.apply(x, TWO))(THREE)
        assert seen == [(True, False)]
    else:
        return unable("not told; gradients nobody needs cost nothing, for they are never computed")
    return None


@row(66)
def residuals(door):
    """Functions hand over the sine they have computed; what MLX's door has is the outputs."""
    if door.name in ("custom_function", "custom_vmap"):
        return unable("its rules get arguments and outputs")
    ran = []

    def once(x):
        ran.append(1)
        return pb.sin(x)

    if door.name == "custom_vjp":
        f = pb.custom_vjp(lambda x: pb.sin(x) * 2)
        f.defvjp(
            lambda x: ((s := once(x)) * 2, {"s": s, "n": 3}), lambda kept, g: (kept["s"] * kept["n"] * g,)
        )
    elif door.name == "custom_jvp":
        f = pb.custom_jvp(lambda x: pb.sin(x) * 2)

        @f.defjvp
        def rule(primals, ts):
            s = once(*primals)
            return s * 2, s * 3 * ts[0]

    elif door.name == "custom_gradient":

        @pb.custom_gradient
        def f(x):
            s = once(x)
            return s * 2, lambda g: s * 3 * g

    else:

        class Sine(pb.Function):
            @staticmethod
            def forward(ctx, x):
                s = once(x)
                ctx.save_for_backward(s)
                ctx.n = 3
                return s * 2

            @staticmethod
            def backward(ctx, g):
                return ctx.saved_tensors[0] * ctx.n * g

        f = Sine.apply
    near(pb.grad(f)(THREE), 3 * np.sin(3.0))
    assert len(ran) == 1
    near(pb.grad(pb.grad(f))(THREE), 3 * np.cos(3.0))
    near(pb.vmap(pb.grad(f))(X), 3 * np.sin(LINE))
    return None


@row(67)
def second_order_through_residuals(door):
    """The residual is neither argument nor output: e^x, of 2·e^x + x³."""
    want = 2 * np.exp(1.0) + 6
    if door.name in ("custom_function", "custom_vmap"):
        return unable("its rules get arguments and outputs")
    if door.name == "custom_vjp":
        f = pb.custom_vjp(lambda x: 2 * pb.exp(x) + x**3)
        f.defvjp(
            lambda x: (2 * (e := pb.exp(x)) + x**3, (e, x)),
            lambda kept, g: (g * (2 * kept[0] + 3 * kept[1] ** 2),),
        )
    elif door.name == "custom_jvp":
        f = pb.custom_jvp(lambda x: 2 * pb.exp(x) + x**3)
        f.defjvp(lambda p, ts: (2 * (e := pb.exp(p[0])) + p[0] ** 3, (2 * e + 3 * p[0] ** 2) * ts[0]))
    elif door.name == "custom_gradient":

        @pb.custom_gradient
        def f(x):
            e = pb.exp(x)
            return 2 * e + x**3, lambda g: g * (2 * e + 3 * x**2)

    else:

        class Sum(pb.Function):
            @staticmethod
            def forward(ctx, x):
                e = pb.exp(x)
                ctx.save_for_backward(e, x)
                return 2 * e + x**3

            @staticmethod
            def backward(ctx, g):
                e, x = ctx.saved_tensors
                return g * (2 * e + 3 * x**2)

        f = Sum.apply
    one = pb.array(1.0)
    near(pb.grad(pb.grad(f))(one), want)
    near(tangent(pb.grad(f), one), want)
    near(pb.compile(pb.vmap(pb.grad(pb.grad(f))))(pb.array([1.0, 1.0])), [want] * 2)
    return None


@row(68, needs="vjp")
def clipped_per_example(door):
    f = door.given(lambda w, x: w * x, vjp=lambda args, g, out: (pb.clip(g * args[1], -1, 1), None))
    xs = pb.array([0.5, 10.0, 1.0])
    near(pb.grad(lambda w: pb.vmap(f, in_axes=(None, 0))(w, xs).sum())(TWO), 2.5)
    near(pb.compile(pb.grad(lambda w: pb.vmap(f, in_axes=(None, 0))(w, xs).sum()))(TWO), 2.5)


@row(69)
def gradients_per_example(door):
    f = door.given(
        lambda w, x: w * x,
        vjp=lambda args, g, out: (10 * g * args[1], None),
        jvp=lambda args, ts: 100 * ts[0] * args[1],
    )
    back, _ = slopes(door)
    near(pb.vmap(pb.grad(f), in_axes=(None, 0))(TWO, X), back * LINE)
