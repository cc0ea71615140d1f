"""Rules that build something of a captured array alone: its gradient is that of an argument in its place."""

import numpy as np
import pullback as pb
import pytest
from samples import near

X, Y = pb.array(1.3), pb.array(0.7)
XS, YS = pb.array([1.3, 0.4]), pb.array([0.7, -0.2])


def tangent(f, x):
    return pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


def mlx(y, build, **rules):
    f = pb.custom_function(lambda x: x * x, missing="derive")
    if "jvp" in rules:
        f.jvp(lambda x, t: t * x * build(y))
    else:
        f.vjp(lambda x, g: g * x * build(y))
    if "vmap" in rules:
        f.vmap(lambda x, axis: (x * x, axis))
    return f


def jax_vjp(y, build):
    f = pb.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (f(x), x), lambda x, g: (g * x * build(y),))
    return f


def residual(y, build):
    """`fwd` captured it: that is said to be wanted."""
    f = pb.custom_vjp(lambda x: x * x, captured="differentiate")
    f.defvjp(lambda x: (f(x), (x, build(y))), lambda kept, g: (g * kept[0] * kept[1],))
    return f


def jax_jvp(y, build):
    f = pb.custom_jvp(lambda x: x * x)
    f.defjvp(lambda p, t: (f(*p), t[0] * p[0] * build(y)))
    return f


def tensorflow(y, build):
    return pb.custom_gradient(lambda x: (x * x, lambda g: g * x * build(y)))


def torch(y, build):
    class Square(pb.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0] * build(y)

    return Square.apply


DOORS = {
    "vjp": lambda y, build: mlx(y, build, vjp=True),
    "jvp": lambda y, build: mlx(y, build, jvp=True),
    "vjp, vmap": lambda y, build: mlx(y, build, vjp=True, vmap=True),
    "jvp, vmap": lambda y, build: mlx(y, build, jvp=True, vmap=True),
    "custom_vjp": jax_vjp,
    "residual": residual,
    "custom_jvp": jax_jvp,
    "custom_gradient": tensorflow,
    "Function": torch,
}


def ruled():
    f = pb.custom_function(lambda y: pb.sin(y))
    f.vjp(lambda y, g: 3 * g)
    return f


# What is built, of the captured array and nothing else.
BUILDS = {
    "operation": pb.sin,
    "rule of another": ruled(),
    "checkpoint": lambda y: pb.checkpoint(lambda: pb.sin(y))(),
    "compile": lambda y: pb.compile(lambda: pb.sin(y))(),
    "vmap": lambda y: pb.vmap(lambda _: pb.sin(y))(pb.ones(1))[0],
    "grad": lambda y: -pb.grad(pb.cos)(y),
    "scan": lambda y: pb.scan(lambda c, _: (pb.sin(c), None), y, length=1)[0],
}


def argument(y, build):
    """The same rule, which gets the array as an argument; the body does not depend on it."""
    f = pb.custom_vjp(lambda x, y: x * x)
    f.defvjp(lambda x, y: (f(x, y), (x, y)), lambda kept, g: (g * kept[0] * build(kept[1]), None))
    return lambda x: f(x, y)


# Derivatives by `y` of derivatives by `x`, of what `make(y)` makes.
WAYS = {
    "grad(grad": lambda make: pb.grad(lambda y: pb.grad(make(y))(X))(Y),
    "jvp(grad": lambda make: tangent(lambda y: pb.grad(make(y))(X), Y),
    "grad(jvp": lambda make: pb.grad(lambda y: tangent(make(y), X))(Y),
    "jvp(jvp": lambda make: tangent(lambda y: tangent(make(y), X), Y),
    "grad(vmap(grad": lambda make: pb.grad(lambda y: pb.vmap(pb.grad(make(y)))(XS).sum())(Y),
    "grad(grad(vmap": lambda make: pb.grad(lambda y: pb.grad(lambda x: pb.vmap(make(y))(x).sum())(XS).sum())(
        Y
    ),
    "vmap(grad(grad": lambda make: pb.vmap(pb.grad(lambda y: pb.grad(make(y))(X)))(YS),
    "grad(vmap of y": lambda make: pb.grad(lambda y: pb.vmap(lambda y: pb.grad(make(y))(X))(y).sum())(YS),
    "compile(grad(grad": lambda make: pb.compile(pb.grad(lambda y: pb.grad(make(y))(X)))(Y),
    "grad(compile(vmap": lambda make: pb.grad(lambda y: pb.compile(pb.vmap(pb.grad(make(y))))(XS).sum())(Y),
    "grad(checkpoint(grad": lambda make: pb.grad(lambda y: pb.checkpoint(pb.grad(make(y)))(X))(Y),
    "grad(grad(checkpoint": lambda make: pb.grad(lambda y: pb.grad(pb.checkpoint(make(y)))(X))(Y),
    "grad(linearize": lambda make: pb.grad(lambda y: pb.linearize(make(y), X)[1](X))(Y),
    "grad(jacfwd(vmap": lambda make: pb.grad(lambda y: pb.jacfwd(pb.vmap(make(y)))(XS).sum())(Y),
    "grad(grad(scan": lambda make: pb.grad(
        lambda y: pb.grad(
            lambda x: pb.scan(lambda c, _: (make(y)(c), None), x, length=2, checkpoint=True)[0]
        )(X)
    )(Y),
    "grad(grad(grad": lambda make: pb.grad(pb.grad(lambda y: pb.grad(make(y))(X)))(Y),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("door", DOORS)
def test_its_gradient_is_that_of_an_argument(door, way):
    want = WAYS[way](lambda y: argument(y, pb.sin))
    assert np.abs(np.asarray(want)).min() > 0.01
    near(WAYS[way](lambda y: DOORS[door](y, pb.sin)), want)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("way", [way for way in WAYS if way.count("grad") > 1])
def test_whatever_is_built_of_it(build, way):
    want = WAYS[way](lambda y: argument(y, BUILDS[build]))
    for door in ("vjp", "custom_vjp", "custom_jvp"):
        near(WAYS[way](lambda y, door=door: DOORS[door](y, BUILDS[build])), want)


# Bodies that do: what is captured is differentiated by the body.
BODIES = {
    "nothing else": lambda y, x: pb.sin(y),
    "itself": lambda y, x: y,
    "and the argument": lambda y, x: pb.sin(y) * x,
}
WRAPPERS = {
    "checkpoint": pb.checkpoint,
    "policy": pb.checkpoint(policy=pb.checkpoint_policies.everything_saveable),
    "compile": pb.compile,
    "custom_function": lambda f: pb.custom_function(f, captured="differentiate"),
    "custom_vmap": lambda f: pb.custom_vmap(f, captured="differentiate"),
}
OF_BODIES = {
    "grad": lambda f: pb.grad(lambda y: f(y)(X))(Y),
    "jvp": lambda f: tangent(lambda y: f(y)(X), Y),
    "vmap(grad": lambda f: pb.vmap(pb.grad(lambda y: f(y)(X)))(YS),
    "grad(vmap": lambda f: pb.grad(lambda y: pb.vmap(f(y))(XS).sum())(Y),
    "grad(vmap of y": lambda f: pb.grad(lambda y: pb.vmap(lambda y: f(y)(X))(y).sum())(YS),
    "compile(grad(vmap": lambda f: pb.compile(pb.grad(lambda y: pb.vmap(f(y))(XS).sum()))(Y),
    "jacrev(vmap": lambda f: pb.jacrev(lambda y: pb.vmap(f(y))(XS))(Y),
}


@pytest.mark.parametrize("way", OF_BODIES)
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("body", BODIES)
def test_bodies_that_capture(body, wrapper, way):
    plain = lambda y: lambda x: BODIES[body](y, x)
    near(OF_BODIES[way](lambda y: WRAPPERS[wrapper](plain(y))), OF_BODIES[way](plain))


@pytest.mark.parametrize("way", ["grad(vmap", "grad(vmap of y", "compile(grad(vmap", "jacrev(vmap"])
@pytest.mark.parametrize("batched", [True, False])
def test_batching_rules_that_capture(batched, way):
    """The value is the rule's; the derivative by what the body captured is the body's."""

    def make(y):
        f = pb.custom_function(lambda x: pb.sin(y), captured="differentiate", missing="derive")
        f.vmap(lambda x, axis: (pb.broadcast_to(pb.sin(y), x.shape), axis) if batched else (pb.sin(y), None))
        return f

    near(OF_BODIES[way](make), OF_BODIES[way](lambda y: lambda x: pb.sin(y)))
