"""Rows 13 to 28: transforms of transforms."""

import numpy as np
import pullback as pb
from samples import near
from table.record import row
from table.rows_first import ONE, THREE, X, tangent

LINE = np.array([1.0, 2, 3])


@row(13)
def grad_of_grad(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    near(pb.grad(pb.grad(f))(THREE), back)
    # x·f(x): the value by the function, its slope by the rule.
    near(pb.grad(pb.grad(lambda x: x * f(x)))(THREE), 3 * back * 3)


@row(14)
def third_order(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    near(pb.grad(pb.grad(pb.grad(lambda x: x * f(x))))(THREE), 3 * back)


@row(15)
def grad_of_vmap(door):
    f, back, _, _ = door.first("vjp", "jvp")
    near(pb.grad(lambda x: pb.vmap(f)(x).sum())(X), back * LINE)


@row(16)
def grad_of_vmap_with_rule(door):
    f, back, _, shift = door.probe("vjp", "jvp", "vmap")
    value, slope = pb.value_and_grad(lambda x: pb.vmap(f)(x).sum())(X)
    near((value, slope), (14.0 + 3 * shift, back * LINE))


@row(17)
def vmap_of_grad(door):
    f, back, _, _ = door.first("vjp", "jvp")
    near(pb.vmap(pb.grad(f))(X), back * LINE)


@row(18)
def vmap_of_grad_with_rule(door):
    f, back, _, shift = door.probe("vjp", "jvp", "vmap")
    near(pb.vmap(pb.value_and_grad(f))(X), (LINE**2 + shift, back * LINE))


@row(19, needs="jvp")
def jvp_of_vmap(door):
    f = door.probe("jvp").f
    near(tangent(pb.vmap(f), X), 100 * LINE)
    near(tangent(pb.vmap(door.probe("jvp", "vmap").f), X), 100 * LINE)


@row(20, needs="jvp")
def vmap_of_jvp(door):
    f = door.probe("jvp").f
    near(pb.vmap(lambda x: tangent(f, x))(X), 100 * LINE)


@row(21, needs="derivative")
def jvp_of_grad(door):
    f, back, _, _ = door.probe("vjp", "jvp")
    near(tangent(pb.grad(f)), back)
    # The slope of f is 100·t·x forwards where there is a jvp rule, though its gradient is 10·g·x.
    _, _, forth, _ = door.probe("vjp", "jvp")
    near(tangent(pb.grad(lambda x: x * f(x))), (forth + 2 * back) * 3)


@row(22, needs="vjp")
def jvp_of_grad_without_jvp_rule(door):
    f = door.probe("vjp").f
    near(tangent(pb.grad(f)), 10.0)
    near(tangent(pb.grad(lambda x: x * f(x))), 90.0)


@row(23, needs="derivative")
def grad_of_jvp(door):
    f, _, forth, _ = door.first("jvp", "vjp")
    near(pb.grad(lambda x: tangent(f, x))(THREE), forth)


@row(24, needs="derivative")
def jvp_of_jvp(door):
    f, _, forth, _ = door.first("jvp", "vjp")
    near(tangent(lambda x: tangent(f, x)), forth)


def jacobian_by_rows(f, x):
    return pb.vmap(lambda g: pb.vjp(f, [x], [g])[1][0])(pb.eye(x.size))


def jacobian_by_columns(f, x):
    return pb.vmap(lambda t: pb.jvp(f, [x], [t])[1][0], out_axes=1)(pb.eye(x.size))


@row(25)
def jacobian_by_vjp(door):
    f, back, _, _ = door.probe("vjp", "jvp")
    near(jacobian_by_rows(f, X), np.diag(back * LINE))


@row(26)
def jacobian_by_jvp(door):
    f, _, forth, _ = door.probe("vjp", "jvp")
    near(jacobian_by_columns(f, X), np.diag(forth * LINE))


@row(27)
def hessian(door):
    for kinds in (("vjp", "jvp"), ("vjp", "jvp", "vmap")):
        f, back, _, _ = door.probe(*kinds)
        slope = pb.grad(lambda x: f(x).sum())
        near(jacobian_by_columns(slope, X), back * np.eye(3))
        near(jacobian_by_rows(slope, X), back * np.eye(3))


@row(28)
def linearize(door):
    f, _, forth, _ = door.first("jvp", "vjp")
    out, push = pb.linearize(f, THREE)
    near((out, push(ONE), push(2 * ONE)), (9.0, 3 * forth, 6 * forth))
    pulled = pb.linear_transpose(push, THREE)(ONE)
    near(pulled[0] if isinstance(pulled, tuple | list) else pulled, 3 * forth)
