"""Changes in place by functions and rules: what the caller passed stays as it was, traced or not."""

import pullback as pb
import pytest
from kinds import Layer, Module, Node, Pair, parts
from samples import near
from table.doors import DOORS

ONE, TWO = pb.array(1.0), pb.array(2.0)


def changing(x, *, scale=None):
    """4·x, and everything that is passed is another array behind it."""
    for part in [x] if isinstance(x, pb.array) else parts(x):
        part *= 2
        part[...] = part + part
    if scale is not None:
        scale += 1
    return x


def behind(door):
    return lambda body: door.given(body, vjp=lambda args, g, out: (g, *args[1:]))


FUNCTIONS = {door.name: behind(door) for door in DOORS}
FUNCTIONS |= {"sequential_vmap": pb.sequential_vmap, "checkpoint": pb.checkpoint}
WAYS = {
    "a call": lambda f, x: f(x),
    "a call by keyword": lambda f, x: f(x=x),
    "grad": lambda f, x: pb.vjp(f, [x], [pb.array([1.0, 1.0])]),
    "jvp": lambda f, x: pb.jvp(f, [x], [pb.array([1.0, 1.0])]),
    "vmap": lambda f, x: pb.vmap(f)(x),
    "compile": lambda f, x: pb.compile(f)(x),
    "checkpoint": lambda f, x: pb.checkpoint(f)(x),
    "linearize": lambda f, x: pb.linearize(f, x),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_argument_stays_as_it_was(name, way):
    f = FUNCTIONS[name](changing)
    x = pb.array([1.0, 2.0])
    near(f(x), [4.0, 8.0])
    WAYS[way](f, x)
    near(x, [1.0, 2.0])


CONTAINERS = {
    "dict": lambda a, b: {"a": a, "b": b},
    "list": lambda a, b: [a, b],
    **{kind.__name__: kind for kind in (Pair, Layer, Node, Module)},
}


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_in_trees_stay_as_they_were(name, kind):
    f = FUNCTIONS[name](changing)
    a, b, scale = pb.array(1.0), pb.array(3.0), pb.array(5.0)
    tree = CONTAINERS[kind](a, b)
    near(parts(f(tree)), [4.0, 12.0])
    f(tree, scale=scale)
    pb.grad(lambda s: parts(f(tree, scale=scale))[0] * s)(ONE)
    assert parts(tree)[0] is a and parts(tree)[1] is b
    near([a, b, scale], [1.0, 3.0, 5.0])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_array_passed_twice_is_two_arguments(name):
    """As under a transform, where each argument has a leaf of its own."""

    def first_changed(x, y):
        x *= 10
        return x + y

    f = FUNCTIONS[name](first_changed)
    x = pb.array(1.0)
    near((f(x, x), pb.vmap(f)(pb.ones(1), pb.ones(1)), x), (11.0, [11.0], 1.0))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_holds_no_array_arrives_as_it_is(name):
    seen, given = [], ([1, "text"], {"k": None}, 2.5, object())

    def f(x, *rest):
        seen.extend(rest)
        return x

    FUNCTIONS[name](f)(ONE, *given)
    assert all(a is b for a, b in zip(seen, given, strict=True))


def test_an_argument_that_is_said_to_be_dirty_is_changed():
    class Double(pb.Function):
        @staticmethod
        def forward(ctx, x, y):
            x *= 2
            y *= 3
            ctx.mark_dirty(x)
            return x, y

        @staticmethod
        def backward(ctx, g, h):
            return 10 * g, 7 * h

    x, y = pb.array(1.0), pb.array(1.0)
    out = Double.apply(x, y)
    assert out[0] is x and out[1] is not y
    near((x, y, out[1]), (2.0, 1.0, 3.0))

    def loss(x, y):
        a, b = x * 1, y * 1
        Double.apply(a, b)
        return a + b

    near(pb.grad(loss, argnums=(0, 1))(x, y), (10.0, 1.0))


def test_rules_change_nothing_for_one_another():
    """Neither the next call of the same rule nor another rule sees what a rule did to what it was given."""

    def changed(*arrays):
        for x in arrays:
            x *= 100

    f = pb.custom_function(lambda x, y: x * y, missing="derive")

    @f.vjp
    def back(primals, cotangent, output):
        x, y = primals
        result = cotangent * y, cotangent * x
        changed(x, y, cotangent, output)
        return result

    @f.jvp
    def forth(primals, tangents):
        (x, y), (tx, ty) = primals, tangents
        result = tx * y + x * ty
        changed(x, y, tx, ty)
        return result

    x, y, g = pb.array(2.0), pb.array(3.0), pb.array(1.0)
    pull = pb.vjp_fun(f, x, y)[1]
    push = pb.linearize(f, x, y)[1]
    for _ in range(2):
        near((pull(g), push(g, g)), ((3.0, 2.0), 5.0))
    near((x, y, g), (2.0, 3.0, 1.0))


def test_rules_for_single_arguments_get_what_was_passed():
    def first(t, out, x, y):
        slope = t * y
        x *= 100
        y *= 100
        out *= 100
        return slope

    f = pb.custom_jvp(lambda x, y: x * y)
    f.defjvps(first, lambda t, out, x, y: t * x + 0 * out)
    near(pb.jvp(f, [TWO, pb.array(3.0)], [ONE, ONE])[1][0], 5.0)


def test_residuals_are_what_the_forward_pass_kept_at_every_pull():
    class Times(pb.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.kept = [x * 1]
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,), y = ctx.saved_tensors, ctx.kept[0]
            result = g * (x + y)
            x *= 100
            y *= 100
            return result

    pull = pb.vjp_fun(Times.apply, TWO)[1]
    near([pull(ONE), pull(ONE), TWO], [(4.0,), (4.0,), 2.0])


def test_examples_one_after_the_other_all_see_what_is_shared():
    @pb.sequential_vmap
    def f(x, shared):
        shared += 1
        return x * shared

    near(pb.vmap(f, in_axes=(0, None))(pb.ones(3), ONE), [2.0] * 3)
