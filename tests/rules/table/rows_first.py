"""Rows 1 to 12: one transform."""

import numpy as np
import pullback as pb
from samples import near
from table.record import row

X = pb.array([1.0, 2.0, 3.0])
THREE, ONE = pb.array(3.0), pb.array(1.0)


def tangent(f, x=THREE):
    """The slope of `f` in forward mode."""
    return pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


@row(1)
def forward(door):
    f = door.probe("vjp", "jvp", "vmap").f
    near(f(THREE), 9.0)
    near(f(X), [1.0, 4, 9])


@row(2)
def grad(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    near(pb.grad(f)(THREE), back * 3)
    near(pb.grad(lambda x: f(x).sum())(X), back * np.array([1, 2, 3]))


@row(3)
def value_and_grad(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    near(pb.value_and_grad(f)(THREE), (9.0, back * 3))


@row(4)
def vjp(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    outs, pulled = pb.vjp(f, [X], [pb.array([1.0, 10.0, 100.0])])
    near(outs[0], [1.0, 4, 9])
    near(pulled[0], back * np.array([1, 20, 300]))


@row(5)
def jvp(door):
    f, _, forth, _ = door.probe("vjp", "jvp", "vmap")
    outs, tangents = pb.jvp(f, [X], [pb.array([1.0, 10.0, 100.0])])
    near(outs[0], [1.0, 4, 9])
    near(tangents[0], forth * np.array([1, 20, 300]))


@row(6, needs="vmap")
def vmap_rule(door):
    near(pb.vmap(door.probe("vmap").f)(X), [8.0, 11, 16])
    near(pb.vmap(door.probe("vjp", "jvp", "vmap").f)(X), [8.0, 11, 16])


@row(7)
def vmap_derived(door):
    near(pb.vmap(door.probe("vjp", "jvp").f)(X), [1.0, 4, 9])


def product(door, vmap=None):
    """x·y of two vectors, with rules that tell which argument they answer for."""
    return door.given(
        lambda x, y: x * y,
        vjp=lambda args, g, out: (10 * g * args[1], 20 * g * args[0]),
        jvp=lambda args, ts: 100 * ts[0] * args[1] + 200 * ts[1] * args[0],
        vmap=vmap,
    )


def columns(f):
    """`f` of a shared vector and of the columns of a matrix, into columns."""
    x, y = np.arange(1, 3, dtype="f4"), np.arange(6, dtype="f4").reshape(2, 3)
    got = pb.vmap(f, in_axes=(None, 1), out_axes=1)(pb.array(x), pb.array(y))
    return got, x[:, None] * y


@row(8)
def other_axes_derived(door):
    got, want = columns(product(door))
    near(got, want)


@row(9, needs="vmap")
def other_axes_rule(door):
    seen = []

    def rule(args, axes, size):
        x, y = args
        seen.append((axes, size, x.shape, y.shape))
        return (x * y + 7, 0) if axes[1] == 0 else (x[:, None] * y + 7, 1)

    got, want = columns(product(door, rule))
    near(got, want + 7)
    true, in_front = ((None, 1), 3, (2,), (2, 3)), ((None, 0), 3, (2,), (3, 2))
    assert seen == [true if door.name in ("custom_function", "Function") else in_front]


@row(10, needs="vmap")
def unbatched_output(door):
    f = door.given(
        lambda x: (x, pb.array(5.0)),
        vmap=lambda args, axes, size: ((args[0] + 7, pb.array(6.0)), (axes[0], None)),
    )
    near(pb.vmap(f)(X), ([8.0, 9, 10], [6.0, 6, 6]))
    near(pb.vmap(f, out_axes=(0, None))(X), ([8.0, 9, 10], 6.0))


@row(11, needs="vmap")
def vmap_of_vmap(door):
    f = door.probe("vmap").f
    # The rule answers the inner level, and the outer one maps what the rule did: once 7.
    near(pb.vmap(pb.vmap(f))(pb.ones((2, 3))), np.full((2, 3), 8.0))
    g = door.probe("vjp", "jvp", "vmap")
    near(
        pb.grad(lambda x: pb.vmap(pb.vmap(g.f))(x).sum())(pb.ones((2, 3))),
        np.full((2, 3), g.back),
    )


@row(12, needs="vmap")
def axis_size(door):
    sizes = []

    def rule(args, axes, size):
        sizes.append((size, axes))
        return pb.zeros((size,)) + args[0] + args[1], 0

    f = door.given(lambda x, y: x + y, vmap=rule)
    near(pb.vmap(f, in_axes=(None, 0))(ONE, X), [2.0, 3, 4])
    near(pb.vmap(f, in_axes=(0, None))(X, ONE), [2.0, 3, 4])
    assert sizes == [(3, (None, 0)), (3, (0, None))]
