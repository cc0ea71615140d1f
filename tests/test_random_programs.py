"""Random programs under random transforms: compiled, mapped, nested, differentiated, on both devices."""

import functools

import numpy as np
import pullback as pb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from samples import near, numpy

ROWS, COLUMNS = 3, 4


def straight(fun, slope):
    """A custom function whose rules say what is true: no transform may tell the difference."""
    f = pb.custom_function(fun)
    f.vjp(lambda x, g, y: g * slope(x, y))
    f.jvp(lambda x, t: t * slope(x, fun(x)))
    return f


def mapped(fun, slope):
    """The same with a vmap rule."""
    f = straight(fun, slope)
    f.vmap(lambda x, axis: (fun(x), axis))
    return f


TANH = straight(lambda x: pb.tanh(x), lambda x, y: 1 - y * y)
SINE = mapped(lambda x: pb.sin(x), lambda x, y: pb.cos(x))
PRODUCT = pb.custom_function(lambda x, y: x * y, missing="derive")
PRODUCT.vjp(lambda p, g, _: (g * p[1], g * p[0]))
DERIVED = pb.custom_function(lambda x: x * pb.sigmoid(x), missing="derive")


@DERIVED.jvp
def derived_jvp(x, t):
    s = pb.sigmoid(x)
    return t * (s + x * s * (1 - s))


def means(x):
    return pb.mean(x, axis=-1, keepdims=True)


# Steps from two arrays of one shape to one: all smooth, so that difference quotients converge.
SMOOTH = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y * 0.5,
    "divide": lambda x, y: x / (1 + y * y),
    "sin": lambda x, y: pb.sin(x),
    "tanh": lambda x, y: pb.tanh(x) * 2,
    "exp": lambda x, y: pb.exp(-x * x) + y * 0.1,
    "sqrt": lambda x, y: pb.sqrt(1 + x * x),
    "log": lambda x, y: pb.log(1.5 + x * x),
    "sigmoid": lambda x, y: pb.sigmoid(x - y),
    "erf": lambda x, y: pb.erf(x * 0.7),
    "logaddexp": lambda x, y: pb.logaddexp(x, y) * 0.5,
    "softmax": lambda x, y: pb.softmax(x, axis=-1) + y * 0.2,
    "logsumexp": lambda x, y: y - pb.logsumexp(x, axis=-1, keepdims=True),
    "centre": lambda x, y: x - means(x),
    "norm": lambda x, y: x / pb.sqrt(means(x * x) + 1),
    "cumsum": lambda x, y: pb.cumsum(x, axis=-1) * 0.3,
    "flip": lambda x, y: x[..., ::-1] + y,
    "roll": lambda x, y: pb.roll(x, 1, -1) * y * 0.5,
    "shift": lambda x, y: pb.concatenate([y[..., 1:], x[..., :1]], -1),
    "pad": lambda x, y: pb.pad(x[..., 1:], [(0, 0)] * (x.ndim - 1) + [(1, 0)]) + y,
    "take": lambda x, y: pb.take(x, pb.array([0, 2, 2, 1]), -1) + y * 0.1,
    "at": lambda x, y: x.at[..., pb.array([0, 0])].add(y[..., :2] * 0.5),
    "write": lambda x, y: written(x, y),
    "broadcast": lambda x, y: pb.broadcast_to(pb.sum(x, axis=-1, keepdims=True) * 0.2, x.shape) + y,
    "square": lambda x, y: pb.square(x) * 0.3,
    "where": lambda x, y: pb.where(pb.array([True, False, True, False]), x, y * 0.5),
    "outer": lambda x, y: (x[..., :, None] * y[..., None, :]).sum(-1) * 0.2,
    "matmul": lambda x, y: x @ MIX + y * 0.1,
    "custom tanh": lambda x, y: TANH(x) + y * 0.1,
    "custom sine": lambda x, y: SINE(x + y),
    "custom product": lambda x, y: PRODUCT(x, y) * 0.5,
    "custom derived": lambda x, y: DERIVED(x) - y * 0.2,
    "checkpoint": lambda x, y: pb.checkpoint(lambda a, b: pb.sin(a) * b)(x, y),
}
# What has kinks or jumps: right in every transform, but not the limit of its difference quotients.
ROUGH = {
    **SMOOTH,
    "where it moves": lambda x, y: pb.where(pb.stop_gradient(pb.sin(y * 50)) > 0, x, x * 0.5),
    "maximum": lambda x, y: pb.maximum(x, y),
    "minimum": lambda x, y: pb.minimum(x, y * 0.5),
    "relu": lambda x, y: pb.relu(x) + y * 0.1,
    "abs": lambda x, y: pb.abs(x) - y * 0.1,
    "sort": lambda x, y: pb.sort(x, -1) + y * 0.1,
    "max": lambda x, y: x - pb.max(x, axis=-1, keepdims=True) * 0.5,
    "prod": lambda x, y: y + pb.prod(pb.tanh(x), axis=-1, keepdims=True),
    "clip": lambda x, y: pb.clip(x, -1, 1) + y * 0.1,
    "floor": lambda x, y: x - pb.floor(x) + y,
    "half": lambda x, y: (x * 0.25).astype(pb.int32).astype(x.dtype) + y,
    "argsort": lambda x, y: pb.take_along_axis(x, pb.argsort(pb.stop_gradient(y), -1), -1),
}
MIX = pb.array(np.random.default_rng(5).normal(size=(COLUMNS, COLUMNS)).astype("f4") * 0.4)


def written(x, y):
    z = x * 1
    z[..., 1] = y[..., 0] * 2
    return z


@st.composite
def programs(draw, steps=ROUGH, most=30):
    """Names of steps, and which of the earlier results each reads."""
    pick = st.tuples(st.sampled_from(sorted(steps)), st.integers(0, 6), st.integers(0, 6))
    return draw(st.lists(pick, min_size=5, max_size=most)), draw(st.integers(0, 10_000))


def run(steps, x, y):
    return results(steps, x, y)[-1]


def results(steps, x, y):
    found = [x, y]
    for name, i, j in steps:
        found.append(ROUGH[name](found[-1 - i % len(found)], found[-1 - j % len(found)]))
    return found


def arguments(seed, dtype=pb.float32):
    rng = np.random.default_rng(seed)
    return tuple(pb.array(rng.normal(size=(ROWS, COLUMNS)), dtype) for _ in range(2))


def loosely(got, want, tol=2e-4):
    """Programs may round otherwise when they are grouped otherwise, and a chain amplifies it."""
    scale = 1 + float(np.abs(numpy(want)).max())
    np.testing.assert_allclose(numpy(got), numpy(want), rtol=tol, atol=tol * scale)


@given(programs())
def test_compiled_is_eager(program):
    compiled_is_eager(*program)


@pytest.mark.parametrize("name", ROUGH)
def test_every_step_compiled_is_eager(name):
    compiled_is_eager(around(name), 3)


def compiled_is_eager(steps, seed):
    x, y = arguments(seed)
    f = functools.partial(run, steps)
    want = f(x, y)
    loosely(pb.compile(f)(x, y), want)
    total = lambda x, y: f(x, y).sum()
    slopes = pb.grad(total, argnums=(0, 1))(x, y)
    for got, slope in zip(pb.compile(pb.grad(total, argnums=(0, 1)))(x, y), slopes, strict=True):
        loosely(got, slope)


@given(programs(), st.sampled_from([(0, 0), (0, None), (None, 0), (1, 1), (-1, 0)]))
def test_vmap_is_a_loop(program, axes):
    mapped_is_looped(*program, axes)


@pytest.mark.parametrize("name", ROUGH)
def test_vmap_of_every_step_is_a_loop(name):
    for axes in [(0, 0), (None, 0), (1, None)]:
        mapped_is_looped(around(name), 3, axes)


def mapped_is_looped(steps, seed, axes):
    rng = np.random.default_rng(seed)
    n = 3

    def argument(axis):
        shape = [COLUMNS]
        if axis is not None:
            shape.insert(axis if axis >= 0 else 1, n)
        return pb.array(rng.normal(size=shape).astype("f4"))

    x, y = (argument(axis) for axis in axes)
    rows = [
        [v if axis is None else pb.take(v, i, axis) for v, axis in zip((x, y), axes, strict=True)]
        for i in range(n)
    ]
    f = functools.partial(run, steps)
    loosely(pb.vmap(f, in_axes=axes)(x, y), np.stack([numpy(f(*row)) for row in rows]))
    slope = pb.grad(lambda x, y: pb.sin(f(x, y)).sum())
    loosely(pb.vmap(slope, in_axes=axes)(x, y), np.stack([numpy(slope(*row)) for row in rows]))

    def summed(x, y):
        return pb.sin(pb.vmap(f, in_axes=axes)(x, y)).sum()

    each = [pb.grad(lambda x, y: pb.sin(f(x, y)).sum(), argnums=(0, 1))(*row) for row in rows]
    for k, got in enumerate(pb.grad(summed, argnums=(0, 1))(x, y)):
        parts = np.stack([numpy(pair[k]) for pair in each])
        want = parts.sum(0) if axes[k] is None else np.moveaxis(parts, 0, axes[k])
        loosely(got, want, 5e-4)
    pushed = pb.jvp(pb.vmap(f, in_axes=axes), [x, y], [pb.cos(x), pb.cos(y)])[1][0]
    looped = [pb.jvp(f, row, [pb.cos(row[0]), pb.cos(row[1])])[1][0] for row in rows]
    loosely(pushed, np.stack([numpy(t) for t in looped]))


@given(programs(SMOOTH, 14))
def test_slopes_are_difference_quotients(program):
    steps, seed = program
    # Where the sine of a large number is taken, a difference quotient says nothing.
    assume(all(pb.max(pb.abs(found)).item() < 30 for found in results(steps, *arguments(seed))))
    slopes_are_quotients(steps, seed)


@pytest.mark.parametrize("name", SMOOTH)
def test_slopes_of_every_step(name):
    slopes_are_quotients(around(name), 3)


def around(name):
    """A program in which a step reads what was computed, and is read by what follows."""
    return [("sin", 1, 0), ("tanh", 1, 0), (name, 0, 1), ("multiply", 0, 2), (name, 2, 0), ("add", 0, 1)]


def extrapolated(along):
    """The slope of a function at 0 by two difference quotients, and how far these are apart."""
    coarse, fine = ((along(h).item() - along(-h).item()) / (2 * h) for h in (1e-5, 5e-6))
    return (4 * fine - coarse) / 3, abs(fine - coarse)


def slopes_are_quotients(steps, seed):
    x, y = arguments(seed, pb.float64)
    a, b = arguments(seed + 1, pb.float64)
    mix = MIX.astype(pb.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "MIX", mix)

        def total(x, y):
            return pb.sin(run(steps, x, y)).sum()

        quotient, unsure = extrapolated(lambda h: total(x + h * a, y + h * b))
        (_,), (pushed,) = pb.jvp(total, [x, y], [a, b])
        gx, gy = pb.grad(total, argnums=(0, 1))(x, y)
        pulled = ((gx * a).sum() + (gy * b).sum()).item()
        scale = 1 + abs(quotient)
        assert abs(pushed.item() - pulled) < 1e-9 * scale
        assert abs(pushed.item() - quotient) < 1e-5 * scale + unsure
        # And once more: the slope of the slope.
        inner = lambda x: (pb.grad(total)(x, y) * a).sum()
        quotient, unsure = extrapolated(lambda h: inner(x + h * a))
        scale = 1 + abs(quotient)
        twice = (pb.grad(inner)(x) * a).sum().item()
        over = pb.jvp(pb.grad(lambda x: total(x, y)), [x], [a])[1][0]
        assert abs(twice - quotient) < 1e-4 * scale + unsure
        assert abs((over * a).sum().item() - twice) < 1e-8 * scale


WRAPPERS = {
    "compile": pb.compile,
    "checkpoint": pb.checkpoint,
    "custom": pb.custom_function,
    "vmap": lambda f: lambda x, y: pb.vmap(f)(x[None], y[None])[0],
    "jvp": lambda f: lambda x, y: pb.jvp(f, [x, y], [pb.zeros_like(x), pb.zeros_like(y)])[0][0],
    "vjp": lambda f: lambda x, y: pb.vjp(f, [x, y], [pb.ones_like(x)])[0][0],
    "plain": lambda f: lambda x, y: f(x, y),
}


@settings(max_examples=40)
@given(programs(), st.lists(st.sampled_from(sorted(WRAPPERS)), min_size=1, max_size=4))
def test_wrappers_in_any_order_change_nothing(program, order):
    steps, seed = program
    x, y = arguments(seed)
    f = functools.partial(run, steps)
    g = f
    for name in order:
        g = WRAPPERS[name](g)
    loosely(g(x, y), f(x, y))
    slope, wrapped = (pb.grad(lambda x, y, h=h: pb.sin(h(x, y)).sum(), argnums=(0, 1)) for h in (f, g))
    for got, want in zip(wrapped(x, y), slope(x, y), strict=True):
        loosely(got, want, 5e-4)


@given(programs())
def test_devices_agree(program):
    if not pb.is_available(pb.gpu):
        pytest.skip("no gpu here")
    steps, seed = program
    results = []
    for device in (pb.cpu, pb.gpu):
        with pb.stream(device):
            x, y = arguments(seed)
            value, slope = pb.value_and_grad(lambda x, y: pb.sin(run(steps, x, y)).sum())(x, y)
            results.append((run(steps, x, y), value, slope))
    for got, want in zip(results[1], results[0], strict=True):
        loosely(got, want, 1e-3)


def test_the_custom_steps_are_what_they_stand_for():
    """Otherwise the programs above would compare wrong rules with themselves."""
    x, y = (pb.array(v) for v in (0.3, -0.8))
    for custom, plain in [
        (TANH, pb.tanh),
        (SINE, pb.sin),
        (DERIVED, lambda x: x * pb.sigmoid(x)),
    ]:
        near(pb.grad(custom)(x), pb.grad(plain)(x))
        near(pb.grad(pb.grad(custom))(x), pb.grad(pb.grad(plain))(x), 1e-4)
    near(pb.grad(PRODUCT, argnums=(0, 1))(x, y), (y, x))
