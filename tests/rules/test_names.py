"""What errors name: the line of the call, and the variable behind a captured array."""

import inspect
import types
from collections.abc import Callable

import pullback as pb
import pytest
from kinds import Layer
from table.doors import DOORS

THREE, TWO = pb.array(3.0), pb.array(2.0)


def broken(*_):
    raise KeyError("in the rule")


@pytest.mark.parametrize("door", [door for door in DOORS if door.name != "custom_vmap"], ids=lambda d: d.name)
def test_the_line_of_the_call(door):
    f = door.given(lambda x: x * 1, vjp=broken, jvp=broken)
    here = inspect.currentframe().f_lineno

    def twice(x):
        f(pb.stop_gradient(x))
        return f(x)

    for g in (pb.grad(twice), pb.compile(pb.grad(twice)), pb.grad(pb.checkpoint(twice))):
        with pytest.raises(KeyError) as caught:
            g(THREE)
        assert f"called at {__file__}:{here + 4}" in caught.value.__notes__


def test_the_line_of_a_call_that_the_package_makes():
    """A function that pullback itself calls is called by nobody else than who called pullback."""
    f = pb.custom_vjp(lambda x: x * 1)
    f.defvjp(lambda x: (x, None), broken)
    with pytest.raises(KeyError) as caught:
        pb.grad(lambda x: pb.sequential_vmap(f)(x) + 1)(THREE)
    assert any(note.startswith(f"called at {__file__}:") for note in caught.value.__notes__)


class Model:
    """No tree: an object with an array."""

    def __init__(self, y):
        self.weight = y

    def __call__(self, x):
        return x * self.weight

    def forward(self, x):
        return x * self.weight


class Slots:
    """What has no dict holds what nobody finds."""

    __slots__ = ("y",)


def in_a_forward_pass(y):
    f = pb.custom_vjp(lambda x: x * 1)
    f.defvjp(lambda x: (x * y, None), lambda kept, g: (g,))
    return f(y * 3)


def in_a_symbolic_forward_pass(y):
    f = pb.custom_vjp(lambda x: x * 1)
    f.defvjp(lambda x: (x.value * y, None), lambda kept, g: (g,), symbolic_zeros=True)
    return f(y * 3)


def in_a_setup(y):
    class F(pb.Function):
        @staticmethod
        def forward(x):
            return x * 1

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0] * y)

        @staticmethod
        def backward(ctx, g):
            return g

    return F.apply(y * 3)


def in_a_method(y):
    return pb.custom_vjp(Model(y).forward)(THREE)


def in_a_called_object(y):
    return pb.custom_vjp(Model(y))(THREE)


def in_an_object(y):
    model = Model(y)
    return pb.custom_vjp(lambda x: x * model.weight)(THREE)


def in_a_dict(y):
    params = {"w": [y, TWO]}
    return pb.custom_gradient(lambda x: (x * params["w"][0], lambda g: g))(THREE)


def in_a_dataclass(y):
    layer = Layer(TWO, y)
    return pb.custom_jvp(lambda x: x * layer.b)(THREE)


def behind_another_function(y):
    def inner(x):
        return x * y

    def outer(x):
        return inner(x)

    return pb.custom_vmap(outer)(THREE)


def behind_a_function_that_calls_itself(y):
    def f(x, n=3):
        return x * y if n == 0 else f(x, n - 1)

    return pb.custom_vjp(f)(THREE)


def in_a_global(y):
    code = (lambda x: x * hidden).__code__  # noqa: F821
    return pb.custom_vjp(types.FunctionType(code, {"hidden": y}, "f"))(THREE)


def nowhere(y):
    kept = Slots()
    kept.y = y
    return pb.custom_vjp(lambda x: x * kept.y)(THREE)


CAPTURES: dict[Callable, str] = {
    in_a_forward_pass: "'y', ",
    in_a_symbolic_forward_pass: "'y', ",
    in_a_setup: "'y', ",
    in_a_method: "'self.weight', ",
    in_a_called_object: "'self.weight', ",
    in_an_object: "'model.weight', ",
    in_a_dict: "'params['w'][0]', ",
    in_a_dataclass: "'layer.b', ",
    behind_another_function: "'y', ",
    behind_a_function_that_calls_itself: "'y', ",
    in_a_global: "'hidden', ",
    nowhere: "",
}


@pytest.mark.parametrize("where", CAPTURES, ids=lambda where: where.__name__)
def test_what_was_captured(where):
    with pytest.raises(pb.RuleError) as caught:
        pb.grad(where)(TWO)
    assert f" captured {CAPTURES[where]}float32[], a tracer of " in str(caught.value)
    assert f"called at {__file__}:" in str(caught.value)
