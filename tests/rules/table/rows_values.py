"""Rows 70 to 86: kinds of values, changes in place, methods, names, pickles."""

import copy
import inspect
import pickle
import re
import sys

import numpy as np
import pullback as pb
from samples import near
from table.doors import DOORS
from table.record import refused, row, unable
from table.rows_arguments import slopes
from table.rows_composition import LINE
from table.rows_first import ONE, THREE, X, tangent


def kernels(fun, *args):
    """How many kernels computing `fun(*args)` takes."""
    return int(re.search(r"(\d+) kernels?\b", pb.explain(fun, *args))[1])


@row(70)
def compiled_chain(door):
    """What costs nothing has as many kernels: there is no node left, nothing to slow it down."""
    step = door.given(
        lambda x: x * 1.01 + 0.5, vjp=lambda args, g, out: (1.01 * g,), jvp=lambda args, ts: 1.01 * ts[0]
    )

    def chain(x):
        for _ in range(20):
            x = step(x)
        return x

    x = pb.ones(100)
    assert kernels(pb.compile(chain), x) == kernels(chain, x) == 1


class OwnError(Exception):
    """An error that only these rows raise."""


def raising(*_):
    raise OwnError("in the rule")


@row(71, needs="derivative")
def error_names_the_call(door):
    f = door.given(lambda x: x * 1, vjp=raising, jvp=raising)
    try:
        pb.grad(f)(THREE)
    except OwnError as error:
        assert any(note.startswith(f"called at {__file__}:") for note in error.__notes__)


@row(72)
def the_same_array_twice(door):
    f = door.given(
        lambda x, y: x * y,
        vjp=lambda args, g, out: (10 * g, 100 * g),
        jvp=lambda args, ts: 10 * ts[0] + 100 * ts[1],
    )
    want = 6.0 if door.name == "custom_vmap" else 110.0
    near(pb.grad(lambda x: f(x, x))(THREE), want)
    near(tangent(lambda x: f(x, x)), want)


@row(73)
def identity(door):
    f = door.given(lambda x: x, vjp=lambda args, g, out: (10 * g,), jvp=lambda args, ts: 100 * ts[0])
    back, forth = slopes(door)
    near(pb.grad(lambda x: f(x) + x)(THREE), back + 1)
    near(tangent(lambda x: f(x) + x), forth + 1)
    near(pb.vmap(pb.grad(f))(X), [back] * 3)


@row(74)
def constant(door):
    f = door.given(
        lambda x: pb.array(5.0), vjp=lambda args, g, out: (10 * g,), jvp=lambda args, ts: 100 * ts[0]
    )
    back, forth = slopes(door, 0.0)
    near(pb.grad(f)(THREE), back)
    near(tangent(f), forth)
    near(pb.vmap(f)(X), [5.0] * 3)


@row(75)
def random_numbers(door):
    def dropped(x, key):
        return x * pb.random.bernoulli(0.5, x.shape, key)

    f = door.given(
        dropped,
        vjp=lambda args, g, out: (10 * g * pb.random.bernoulli(0.5, g.shape, args[1]), None),
        jvp=lambda args, ts: 100 * ts[0] * pb.random.bernoulli(0.5, ts[0].shape, args[1]),
    )
    back, forth = slopes(door)
    key, ones = pb.random.key(3), pb.ones(50)
    near(pb.grad(lambda x: f(x, key).sum())(ones), back * np.asarray(f(ones, key)))
    near(tangent(lambda x: f(x, key), ones), forth * np.asarray(f(ones, key)))
    keys = pb.random.split(key, 4)
    got = pb.vmap(pb.grad(lambda x, k: f(x, k).sum()), in_axes=(None, 0))(ones, keys)
    near(got, np.stack([back * np.asarray(f(ones, keys[i])) for i in range(4)]))
    # Of the global state one draw is made, and value and rule agree on it.
    g = door.given(
        lambda x: x * pb.random.uniform(shape=()),
        vjp=lambda args, g, out: (g * out / args[0],),
        jvp=lambda args, ts: ts[0] * 1,
    )
    value, slope = pb.value_and_grad(g)(pb.array(2.0))
    if "vjp" in door.holds or door.name == "custom_vmap":
        near(value, 2 * np.asarray(slope))


@row(76)
def condition_in_the_body(door):
    f = door.given(
        lambda x: x * 2 if x > 0 else x * 3,
        vjp=lambda args, g, out: (10 * g,),
        jvp=lambda args, ts: 100 * ts[0],
    )
    back, forth = slopes(door, 2.0)
    near(pb.grad(f)(THREE), back)
    near(tangent(f), forth)
    near(f(-THREE), -9.0)


@row(77, needs="derivative")
def condition_in_the_rule(door):
    f = door.given(
        lambda x: x * 2,
        vjp=lambda args, g, out: (10 * g if args[0] > 0 else 20 * g,),
        jvp=lambda args, ts: 10 * ts[0] if args[0] > 0 else 20 * ts[0],
    )
    near((pb.grad(f)(THREE), pb.grad(f)(-THREE)), (10.0, 20.0))


@row(78)
def condition_under_vmap(door):
    f = door.given(
        lambda x: x * 2 if x > 0 else x * 3,
        vjp=lambda args, g, out: (10 * g,),
        jvp=lambda args, ts: 100 * ts[0],
    )
    return refused(
        "a mapped array has no one truth value: the error says so, and names `vmap`",
        (lambda: pb.vmap(f)(X), "tracer of vmap"),
        (lambda: pb.compile(f)(THREE), "tracer of compile"),
    )


def changed(x):
    x *= 2
    return x


@row(79)
def argument_changed_in_place(door):
    """The caller's array stays as it was, and a rule that gets the arguments sees it so."""
    seen = []
    f = door.given(
        changed,
        vjp=lambda args, g, out: (seen.append(args[0]) or 10 * g,),
        jvp=lambda args, ts: 100 * ts[0],
    )
    back, forth = slopes(door, 2.0)
    x = pb.array([1.0, 2.0])
    near(pb.grad(lambda x: f(x).sum())(x), [back] * 2)
    if door.name == "custom_function":
        near(seen[0], [1.0, 2.0])
    near(tangent(f, x), [forth] * 2)
    near(pb.vmap(pb.grad(f))(x), [back] * 2)
    near(x, [1.0, 2.0])


@row(80, needs="derivative")
def cotangent_changed_in_place(door):
    f = door.given(
        lambda x: x * 2, vjp=lambda args, g, out: (changed(g),), jvp=lambda args, ts: changed(ts[0])
    )
    near(pb.grad(lambda x: (f(x) + f(x)).sum())(X), [4.0] * 3)
    near(pb.vmap(pb.grad(f))(X), [2.0] * 3)


@row(81)
def within_loops(door):
    f, back, _, _ = door.probe("vjp", "jvp")

    def loop(x):
        return pb.scan(lambda carry, _: (f(carry), None), x, None, length=2)[0]

    near(pb.grad(loop)(pb.array(2.0)), back**2 * 2 * 4)
    near(pb.compile(pb.grad(loop))(pb.array(2.0)), back**2 * 2 * 4)
    return None


@row(82)
def complex_numbers(door):
    f, back, forth, _ = door.probe("vjp", "jvp")
    z = pb.array(1 + 2j)
    near(f(z), (1 + 2j) ** 2)
    _, pulled = pb.vjp(f, [z], [pb.array(1 + 0j)])
    assert pulled[0].dtype == pb.complex64
    _, tangents = pb.jvp(f, [z], [pb.array(1 + 0j)])
    near(tangents[0], forth * (1 + 2j))
    near(np.abs(np.asarray(pulled[0])), back * np.sqrt(5.0))


@row(83)
def wider_than_the_input(door):
    f = door.given(
        lambda x: x * 2,
        vjp=lambda args, g, out: (10 * g.astype(pb.float32),),
        jvp=lambda args, ts: 100 * ts[0].astype(pb.float32),
    )
    back, forth = slopes(door, 2.0)
    for dtype in (pb.bfloat16, pb.float16):
        x = pb.array(3.0, dtype)
        got, (pushed,) = pb.grad(f)(x), pb.jvp(f, [x], [pb.ones_like(x)])[1]
        assert got.dtype == pushed.dtype == dtype
        near((got, pushed), (back, forth))


@row(84)
def methods(door):
    if door.name == "Function":
        return unable("its functions are static methods of a class of their own")
    _, back, _, shift = door.probe("vjp", "jvp", "vmap")

    class Model:
        def __init__(self, scale):
            self.scale = scale

        def method(self, x):
            return x * x * self.scale

        forward = door.given(
            method,
            vjp=lambda args, g, out: (None, 10 * g * args[1] * args[0].scale),
            jvp=lambda args, ts: 100 * ts[1] * args[1] * args[0].scale,
            vmap=lambda args, axes, size: (args[1] ** 2 * args[0].scale + 7, axes[1]),
        )

    model = Model(2.0)
    near(model.forward(THREE), 18.0)
    near(pb.grad(model.forward)(THREE), 6 * back)
    near(pb.vmap(model.forward)(X), 2 * LINE**2 + shift)
    near(pb.vmap(pb.grad(model.forward))(X), 2 * back * LINE)
    near(Model.forward(model, ONE), 2.0)
    return None


def documented(x, y=1, *, z=2):
    """Say what it does."""
    return x * y * z


@row(85)
def names(door):
    f = door.given(documented, vjp=lambda args, g, out: (g, None, None), jvp=lambda args, ts: ts[0])
    if door.name == "Function":
        f = f.__self__
        assert (f.__name__, f.__doc__) == ("documented", "Say what it does.")
        return
    assert (f.__name__, f.__qualname__, f.__doc__) == ("documented", "documented", "Say what it does.")
    assert str(inspect.signature(f)) == "(x, y=1, *, z=2)"
    assert f.__wrapped__ is documented or door.name == "custom_gradient"
    assert f.__module__


@row(86)
def pickles(door):
    """What stands in a module under its own name is found there again."""
    f = SAVED[door.name]
    f = f.__self__ if door.name == "Function" else f
    assert pickle.loads(pickle.dumps(f)) is f
    assert copy.copy(f) is f and copy.deepcopy(f) is f


def saved(name):
    """A function that a module holds under the name it has, in a door."""

    def body(x):
        return x * x

    body.__name__ = body.__qualname__ = f"saved_{name}"
    body.__module__ = __name__
    return body


SAVED = {}
for each in DOORS:
    SAVED[each.name] = each.given(
        saved(each.name),
        vjp=lambda args, g, out: (10 * g * args[0],),
        jvp=lambda args, ts: 100 * ts[0] * args[0],
    )
    held = SAVED[each.name]
    if each.name == "Function":
        held = held.__self__
        held.__module__ = __name__
    setattr(sys.modules[__name__], f"saved_{each.name}", held)
