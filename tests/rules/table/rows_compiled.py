"""Rows 29 to 39: compile, checkpoint, export."""

import io

import numpy as np
import pullback as pb
import pytest
from samples import Counted, near
from table.doors import RULES, square
from table.record import Mark, row, unable
from table.rows_composition import LINE
from table.rows_first import THREE, X, tangent


def often(compiled, *args, want):
    """What was traced answers as the first call does."""
    for _ in range(3):
        near(compiled(*args), want)


@row(29)
def compiled(door):
    f = door.probe("vjp", "jvp", "vmap").f
    often(pb.compile(f), X, want=LINE**2)


@row(30)
def compiled_grad(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    often(pb.compile(pb.grad(f)), THREE, want=back * 3)


@row(31)
def grad_of_compiled(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    often(pb.grad(pb.compile(f)), THREE, want=back * 3)


@row(32)
def compiled_and_mapped(door):
    f, back, _, shift = door.probe("vjp", "jvp", "vmap")
    often(pb.compile(pb.vmap(f)), X, want=LINE**2 + shift)
    often(pb.vmap(pb.compile(f)), X, want=LINE**2 + shift)
    often(pb.compile(pb.grad(lambda x: pb.vmap(f)(x).sum())), X, want=back * LINE)
    often(pb.grad(lambda x: pb.vmap(pb.compile(f))(x).sum()), X, want=back * LINE)


@row(33)
def compiled_jvp(door):
    f, _, forth, _ = door.probe("vjp", "jvp")
    often(pb.compile(lambda x: tangent(f, x)), THREE, want=forth * 3)


@row(34)
def compiled_grad_of_grad(door):
    f, back, _, _ = door.probe("vjp", "jvp")
    often(pb.compile(pb.grad(pb.grad(f))), THREE, want=back)


@row(35, needs="derivative")
def traced_once(door):
    rules = {kind: Counted(RULES[kind]) for kind in ("vjp", "jvp")}
    f = door.given(square, **rules)
    fast = pb.compile(pb.grad(f))
    slope = 30.0 if "vjp" in door.holds else 300.0
    often(fast, THREE, want=slope)
    assert sum(rule.calls for rule in rules.values()) == 1


@row(36)
def rule_replaced(door):
    """Each idiom says it in its own way, so the door's own method is called."""
    if door.name == "custom_gradient":
        return unable("the rule is what the function returns: there is nothing to replace")
    if door.name == "Function":
        return unable("the rules are methods of a class, read when it is first used")
    f, back, _, shift = door.probe("vjp", "jvp", "vmap")
    slope, batch = pb.compile(pb.grad(f)), pb.compile(pb.vmap(f))
    near((slope(THREE), batch(X)), (back * 3, LINE**2 + shift))
    if door.name == "custom_function":
        f.vjp(lambda x, g, y: 7 * g)
        f.vmap(lambda x, axis: (x * 0 + 5, axis))
    else:
        if door.name == "custom_vjp":
            f.defvjp(lambda x: (f(x), None), lambda kept, g: (7 * g,))
        if door.name == "custom_jvp":
            f.defjvp(lambda primals, ts: (f(*primals), 7 * ts[0]))
        f.def_vmap(lambda size, batched, x: (x * 0 + 5, batched[0]))
    near((slope(THREE), batch(X)), (7.0 if door.name != "custom_vmap" else 6.0, [5.0, 5, 5]))
    return None


@row(37)
def checkpointed(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    near(pb.grad(pb.checkpoint(f))(THREE), back * 3)
    near(pb.grad(pb.grad(pb.checkpoint(f)))(THREE), back)
    near(pb.vmap(pb.grad(pb.checkpoint(f)))(X), back * LINE)


@row(38)
def checkpoint_around(door):
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    want = np.cos(9.0) * back * 3
    near(pb.grad(pb.checkpoint(lambda x: pb.sin(f(x))))(THREE), want, 1e-4)
    near(pb.compile(pb.grad(pb.checkpoint(lambda x: pb.sin(f(x)))))(THREE), want, 1e-4)


@row(39)
def exported(door):
    """Values, and derivatives taken before. Nobody gets the derivative of the body in place of the rule's."""
    f, back, _, _ = door.probe("vjp", "jvp", "vmap")
    file = io.BytesIO()
    pb.export_function(file, lambda x: (f(x), pb.grad(f)(x), pb.vmap(pb.grad(f))(x + LINE)), THREE)
    again = pb.import_function(io.BytesIO(file.getvalue()))
    often(again, THREE, want=(9.0, back * 3, back * (3 + LINE)))
    if door.holds & {"vjp", "jvp"}:
        with pytest.raises(pb.RuleError, match="its rule was not exported; export the derivative as well"):
            pb.grad(lambda x: again(x)[0])(THREE)
        return Mark("W", "To differentiate what was imported is a `RuleError`: the gradient is exported too")
    near(pb.grad(lambda x: again(x)[0])(THREE), back * 3)
    return None
