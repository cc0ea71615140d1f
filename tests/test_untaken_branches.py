"""Branches and steps that are not taken, and whose derivative is infinite or NaN: beside JAX.

Where a condition has a value, nothing is computed of what is not taken. Under `vmap` and `compile` both
branches are, and their results are chosen from: the cotangent of what is not taken is 0, and 0 times what is
not finite must not be NaN.
"""

import numpy as np
import pullback as pb
import pytest
from common import close

# At each of these, one branch of each function has no derivative that is finite.
POINTS = np.array([0.0, -1.0, 2.0, 4.0, 100.0], np.float32)


def functions(lax, m):
    """Name: (function, its derivative)."""
    inverse = lambda x: lax.cond(x != 0, lambda x: 1 / x, lambda x: x * 2, x)
    captured = lambda x: lax.cond(x > 0, lambda: m.sqrt(x), lambda: x * 0)
    chosen = lambda x: lax.switch((x > 0).astype(m.int32), [lambda x: x, m.sqrt], x)
    large = lambda x: lax.cond(x < 50, m.exp, lambda x: x, x)

    def nested(x):
        above = lambda x: lax.cond(x > 1, lambda x: m.sqrt(x - 1), m.sqrt, x)
        return lax.cond(x > 0, above, lambda x: x, x)

    def scanned(x):
        def step(c, _):
            return lax.cond(c > 0, m.sqrt, lambda c: c * 2, c), None

        return lax.scan(step, x, None, length=2)[0]

    return {
        "inverse": inverse,
        "captured": captured,
        "switch": chosen,
        "large": large,
        "nested": nested,
        "scan": scanned,
    }


def ours(f, x):
    return pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


# Without `vmap` each point by itself.
VALUES = {
    "grad": lambda f: pb.stack([pb.grad(f)(pb.array(x)) for x in POINTS]),
    "jvp": lambda f: pb.stack([ours(f, pb.array(x)) for x in POINTS]),
    "grad(compile": lambda f: pb.stack([pb.grad(pb.compile(f))(pb.array(x)) for x in POINTS]),
}
FORWARD = {
    "jvp(vmap": lambda f: ours(pb.vmap(f), pb.array(POINTS)),
    "vmap(jvp": lambda f: pb.vmap(lambda x: ours(f, x))(pb.array(POINTS)),
    "compile(jvp": lambda f: pb.stack([pb.compile(lambda x: ours(f, x))(pb.array(x)) for x in POINTS]),
}
REVERSE = {
    "vmap(grad": lambda f: pb.vmap(pb.grad(f))(pb.array(POINTS)),
    "grad(vmap": lambda f: pb.grad(lambda x: pb.vmap(f)(x).sum())(pb.array(POINTS)),
    "compile(grad": lambda f: pb.stack([pb.compile(pb.grad(f))(pb.array(x)) for x in POINTS]),
}
NAMES = list(functions(pb, pb))


def expected(name):
    """The derivative by Python's own branches."""

    class Plain:
        @staticmethod
        def cond(p, yes, no, *operands):
            return (yes if bool(p) else no)(*operands)

        @staticmethod
        def switch(i, branches, *operands):
            return branches[int(i)](*operands)

        scan = staticmethod(pb.scan)

    f = functions(Plain, pb)[name]
    return np.array([pb.grad(f)(pb.array(x)).item() for x in POINTS])


@pytest.mark.parametrize("way", [*VALUES, *FORWARD])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_taken_does_not_show(name, way):
    close({**VALUES, **FORWARD}[way](functions(pb, pb)[name]), expected(name))


@pytest.mark.parametrize("way", REVERSE)
@pytest.mark.parametrize("name", NAMES)
def test_nor_in_reverse_mode(name, way):
    close(REVERSE[way](functions(pb, pb)[name]), expected(name))


@pytest.mark.parametrize("way", ["grad", "jvp", "vmap(grad", "grad(vmap", "vmap(jvp", "jvp(vmap", "jit(grad"])
@pytest.mark.parametrize("name", NAMES)
def test_jax_has_the_same_derivatives_in_every_way(name, way):
    """So the expectation above is one that can be met."""
    jax = pytest.importorskip("jax")
    f = functions(jax.lax, jax.numpy)[name]
    push = lambda f: lambda x: jax.jvp(f, (x,), (jax.numpy.ones_like(x),))[1]
    each = lambda g: np.array([g(x) for x in POINTS])
    run = {
        "grad": lambda: each(jax.grad(f)),
        "jvp": lambda: each(push(f)),
        "vmap(grad": lambda: jax.vmap(jax.grad(f))(POINTS),
        "grad(vmap": lambda: jax.grad(lambda x: jax.vmap(f)(x).sum())(POINTS),
        "vmap(jvp": lambda: jax.vmap(push(f))(POINTS),
        "jvp(vmap": lambda: push(jax.vmap(f))(POINTS),
        "jit(grad": lambda: each(jax.jit(jax.grad(f))),
    }
    close(run[way](), expected(name))


def down(x):
    """Each example stops at a point from where the next step would be the root of a negative number."""
    return pb.while_loop(lambda x: x > 1, lambda x: pb.sqrt(x - 1), x)


def test_loops_that_have_ended():
    want = [pb.grad(down)(pb.array(x)).item() for x in POINTS]
    assert np.isfinite(want).all()
    close(pb.vmap(down)(pb.array(POINTS)), [down(pb.array(x)).item() for x in POINTS])
    close(FORWARD["vmap(jvp"](down), want)
    close(FORWARD["jvp(vmap"](down), want)
    close(FORWARD["compile(jvp"](down), want)


@pytest.mark.parametrize("way", ["vmap(grad", "grad(vmap"])
def test_loops_that_have_ended_in_reverse_mode(way):
    """JAX has no reverse mode of `while_loop`."""
    close(REVERSE[way](down), [pb.grad(down)(pb.array(x)).item() for x in POINTS])
