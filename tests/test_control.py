"""while_loop, fori_loop, cond, switch: values, every transform around, rules within, errors."""

import numpy as np
import pullback as pb
import pytest
from common import close

x3 = pb.array([2.0, 3.0, 500.0])


def false(rule="vjp", factor=10):
    """A square whose rule is wrong, so that it shows where it is used."""
    f = pb.custom_function(lambda x: x * x, missing="derive")
    if rule == "vjp":
        f.vjp(lambda x, g: factor * g * x)
    else:
        f.jvp(lambda x, t: factor * t * x)
    return f


def powers(x):
    """`x ** steps` at least 100, and how many factors: `x` is captured, and in the carry."""
    return pb.while_loop(
        lambda c: c["y"] < 100, lambda c: {"y": c["y"] * x, "n": c["n"] + 1}, {"y": x * 1.0, "n": 1}
    )


def value(x):
    return powers(x)["y"]


def slope(x):
    """The derivative of `value`, as a formula."""
    x = np.asarray(x)
    n = np.vectorize(lambda x: 1 if x >= 100 else int(np.ceil(np.log(100) / np.log(x) - 1e-9)))(x)
    return n * x ** (n - 1.0)


def push(f):
    return lambda x: pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


def test_while_of_values():
    out = powers(pb.array(3.0))
    assert out["y"].item() == 243 and out["n"].item() == 5
    assert pb.while_loop(lambda x: x < 10, lambda x: x + 1, 20).item() == 20
    assert pb.while_loop(lambda x: x < 10, lambda x: x + 1, np.int32(3)).item() == 10
    assert pb.while_loop(lambda c: c[0] != 0, lambda c: (c[0] - 1, c[1] * c[0]), (5, 1))[1].item() == 120
    close(pb.grad(value)(pb.array(3.0)), slope(3.0))
    close(push(value)(pb.array(3.0)), slope(3.0))
    close(pb.grad(pb.grad(value))(pb.array(3.0)), 5 * 4 * 27)
    close(push(pb.grad(value))(pb.array(3.0)), 5 * 4 * 27)
    close(pb.grad(pb.checkpoint(value))(pb.array(3.0)), slope(3.0))


def test_while_of_a_batch():
    out = pb.vmap(powers)(x3)
    close(out["y"], [128, 243, 500])
    close(out["n"], [7, 5, 1])
    twice = pb.stack([x3, x3 + 1])
    close(pb.vmap(pb.vmap(value))(twice), [[128, 243, 500], [243, 256, 501]])
    close(pb.vmap(pb.vmap(value), in_axes=1)(twice), np.array([[128, 243, 500], [243, 256, 501]]).T)
    for f in (pb.grad(value), push(value)):
        close(pb.vmap(f)(x3), slope(x3))
        close(pb.vmap(pb.vmap(f))(twice), slope(twice))
    close(pb.grad(lambda x: pb.vmap(value)(x).sum())(x3), slope(x3))
    close(push(pb.vmap(value))(x3), slope(x3))
    close(pb.vmap(pb.grad(pb.grad(value)))(x3)[:2], [42 * 2**5, 20 * 27])
    close(pb.vmap(value)(pb.zeros(0)), [])


def test_while_where_not_all_is_mapped():
    def f(limit, x):
        return pb.while_loop(lambda c: c[0] < limit, lambda c: (c[0] + 1, c[1] * x), (0, pb.array(1.0)))[1]

    limits = pb.array([0, 1, 4])
    close(pb.vmap(f, (0, None))(limits, pb.array(3.0)), [1, 3, 81])
    close(pb.vmap(f, (None, 0))(4, x3), x3**4)
    close(pb.vmap(pb.vmap(f, (None, 0)), (0, None))(limits, x3), np.asarray(x3) ** np.array([[0], [1], [4]]))
    close(pb.grad(lambda x: pb.vmap(f, (0, None))(limits, x).sum())(pb.array(3.0)), 1 + 4 * 27)
    # A count that no example changes has a value everywhere.
    count = pb.compile(
        lambda x: pb.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, x * 1.0))[1]
    )
    close(count(pb.array(2.0)), 16)
    close(pb.compile(pb.grad(lambda x: count(x)))(pb.array(2.0)), 32)


def test_while_under_compile():
    f = pb.compile(powers)
    for x, y, n in [(3.0, 243, 5), (2.0, 128, 7), (500.0, 500, 1)]:
        out = f(pb.array(x))
        assert (out["y"].item(), out["n"].item()) == (y, n)
    close(pb.compile(pb.vmap(value))(x3), [128, 243, 500])
    close(pb.vmap(pb.compile(value))(x3), [128, 243, 500])
    close(pb.compile(pb.vmap(pb.vmap(value)))(pb.stack([x3, x3 + 1]))[1], [243, 256, 501])
    close(pb.compile(push(value))(pb.array(3.0)), slope(3.0))
    close(pb.compile(push(push(value)))(pb.array(3.0)), 5 * 4 * 27)
    close(pb.compile(pb.vmap(push(value)))(x3), slope(x3))
    close(pb.compile(push(pb.vmap(value)))(x3), slope(x3))
    with pytest.raises(pb.RuleError, match="reverse-mode differentiation of while_loop under compile"):
        pb.compile(pb.grad(value))(pb.array(3.0))
    # There the values are known.
    close(pb.grad(pb.compile(value))(pb.array(3.0)), slope(3.0))


def test_what_loops_under_compile_capture():
    class Model:
        def __init__(self, w):
            self.w = w

        def step(self, x):
            return x * self.w

    def scale(w, x=None):
        def times(y):
            return y * w

        return times

    f = pb.compile(lambda x, w: pb.while_loop(lambda y: y < 100, scale(w), x))
    close(pb.compile(lambda w: pb.while_loop(lambda y: y < 100, Model(w).step, 1.0))(pb.array(3.0)), 243)
    assert f(pb.array(1.0), pb.array(3.0)).item() == 243
    g = pb.compile(lambda x, w, top: pb.while_loop(lambda y, top=top: y < top["t"], lambda y: scale(w)(y), x))
    assert g(pb.array(1.0), pb.array(3.0), {"t": pb.array(20.0)}).item() == 27
    tangent = pb.compile(
        lambda w: pb.jvp(lambda w: pb.while_loop(lambda y: y < 100, scale(w), 1.0), [w], [w])
    )
    close(tangent(pb.array(3.0))[1][0], 5 * 243)

    def nested(x):
        def outer(c):
            y = pb.while_loop(lambda y: y < c[0] * 10, lambda y: y * x, c[1])
            return c[0] * 10, y

        return pb.while_loop(lambda c: c[0] < 1000, outer, (x, 1.0))[1]

    want = nested(pb.array(2.0)).item()
    assert pb.compile(nested)(pb.array(2.0)).item() == want == 2048
    close(pb.vmap(nested)(pb.array([2.0, 2.0])), [want, want])
    close(pb.compile(push(nested))(pb.array(2.0)), pb.grad(nested)(pb.array(2.0)))


@pytest.mark.parametrize("rule", ["vjp", "jvp"])
def test_rules_within_loops_are_kept(rule):
    f = false(rule)

    def loop(x):
        return pb.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, f(c[1])), (pb.array(0), x))[1]

    def known(x):
        return pb.while_loop(lambda y: y < 50, f, x)

    # x ** 4, with 10 x for 2 x in each of both steps.
    for g in (loop, known):
        close(pb.grad(g)(pb.array(3.0)), 10 * 3 * 10 * 9)
        close(push(g)(pb.array(3.0)), 2700)
        close(pb.vmap(pb.grad(g))(pb.array([3.0, 4.0])), [2700, 6400])
        close(pb.grad(lambda x, g=g: pb.vmap(g)(x).sum())(pb.array([3.0, 4.0])), [2700, 6400])
        close(pb.vmap(push(g))(pb.array([3.0, 4.0])), [2700, 6400])
        close(pb.compile(push(g))(pb.array(3.0)), 2700)
        close(pb.compile(pb.vmap(push(g)))(pb.array([3.0, 4.0])), [2700, 6400])
    close(pb.compile(pb.grad(loop))(pb.array(3.0)), 2700)

    mapped = pb.custom_function(lambda x: x * x)
    mapped.vmap(lambda x, axis: (x * x + 1, axis))
    close(pb.vmap(lambda x: pb.while_loop(lambda y: y < 50, mapped, x))(pb.array([3.0, 60.0])), [101, 60])


def test_long_loops():
    def grow(x):
        return pb.while_loop(lambda x: x < 1e3, lambda x: x * 1.01, x)

    close(grow(pb.array(1.0)), 1.01**695, 1e-3)
    close(pb.grad(grow)(pb.array(1.0)), 1.01**695, 1e-3)
    close(pb.vmap(pb.grad(grow))(pb.array([1.0, 2.0])), [1.01**695, 1.01**625], 1e-3)
    close(pb.compile(grow)(pb.array(1.0)), 1.01**695, 1e-3)


def test_fori():
    def f(n, x):
        return pb.fori_loop(0, n, lambda i, y: y * x + i, x)

    def formula(n, x):
        y = x
        for i in range(n):
            y = y * x + i
        return y

    two = pb.array(2.0)
    assert f(4, two).item() == f(pb.array(4), two).item() == formula(4, 2.0)
    assert f(0, two).item() == 2
    assert pb.fori_loop(3, 1, lambda i, y: y + 1, 5).item() == 5
    close(pb.grad(f, 1)(4, two), pb.grad(formula, 1)(4, two))
    close(pb.compile(pb.grad(lambda x: f(4, x)))(two), pb.grad(formula, 1)(4, two))
    close(pb.vmap(f, (0, None))(pb.array([0, 2, 4]), two), [formula(n, 2.0) for n in (0, 2, 4)])
    close(pb.vmap(pb.grad(f, 1), (0, None))(pb.array([0, 4]), two), [1, pb.grad(formula, 1)(4, two).item()])
    close(pb.compile(f)(pb.array(4), two), formula(4, 2.0))
    close(pb.compile(lambda n, x: push(lambda x: f(n, x))(x))(pb.array(4), two), pb.grad(formula, 1)(4, two))
    rows = pb.array([[1.0, 2.0], [3.0, 4.0]])
    close(pb.fori_loop(0, 2, lambda i, y: y + rows[i], pb.zeros(2)), [4, 6])
    close(pb.fori_loop(0, 3, lambda i, c: {"a": c["a"] + c["b"], "b": c["a"]}, {"a": 1, "b": 0})["a"], 3)
    assert pb.fori_loop(pb.array(0, pb.int64), 2, lambda i, y: y + i, pb.array(0, pb.int64)).dtype == pb.int64
    close(pb.grad(lambda x: pb.fori_loop(0, 2, lambda i, y: false()(y), x))(pb.array(3.0)), 2700)


def test_cond():
    def f(x, w):
        return pb.cond(x > 0, lambda x: {"y": x * w}, lambda x: {"y": -x * w * w}, x)["y"]

    xs, w = pb.array([3.0, -4.0]), pb.array(5.0)
    want, by_x, by_w = [15, 100], [5, -25], [3, 40]
    for compiled in (lambda f: f, pb.compile):
        close(pb.stack([compiled(f)(x, w) for x in xs]), want)
        close(compiled(pb.vmap(f, (0, None)))(xs, w), want)
        close(compiled(pb.vmap(pb.grad(f), (0, None)))(xs, w), by_x)
        close(compiled(pb.vmap(pb.grad(f, 1), (0, None)))(xs, w), by_w)
        close(compiled(pb.grad(lambda x, w: pb.vmap(f, (0, None))(x, w).sum(), 1))(xs, w), sum(by_w))
        close(compiled(pb.vmap(lambda x: push(lambda x: f(x, w))(x)))(xs), by_x)
        close(compiled(pb.grad(f))(xs[1], w), -25)
    close(pb.vmap(pb.vmap(f, (0, None)), (None, 0))(xs, pb.array([5.0, 1.0])), [want, [3, 4]])
    assert pb.cond(True, lambda: 1, lambda: 1 / 0).item() == 1
    assert pb.cond(pb.array(0), lambda x: x, lambda x: x + 1, 1).item() == 2
    called = []
    pb.cond(pb.array(True), lambda: called.append("yes"), lambda: called.append("no"))
    assert called == ["yes"]


@pytest.mark.parametrize("rule", ["vjp", "jvp"])
def test_rules_within_branches_are_kept(rule):
    f = false(rule)

    def g(x):
        return pb.cond(x > 0, f, lambda x: x, x)

    close(pb.grad(g)(pb.array(3.0)), 30)
    for h in (pb.grad(g), push(g)):
        close(pb.vmap(h)(pb.array([3.0, -3.0])), [30, 1])
        close(pb.compile(h)(pb.array(3.0)), 30)
        close(pb.compile(pb.vmap(h))(pb.array([3.0, -3.0])), [30, 1])

    def s(x):
        return pb.switch((x > 0).astype(pb.int32), [lambda x: x, f], x)

    close(pb.grad(s)(pb.array(3.0)), 30)
    close(pb.compile(pb.vmap(pb.grad(s)))(pb.array([3.0, -3.0])), [30, 1])


def test_switch():
    branches = [lambda x: x, lambda x: x * x, lambda x: -x]
    x = pb.array(3.0)
    for i, want in [(-9, 3), (0, 3), (1, 9), (2, -3), (9, -3)]:
        for index in (i, pb.array(i), np.int64(i)):
            assert pb.switch(index, branches, x).item() == want
            assert pb.compile(lambda i, x: pb.switch(i, branches, x))(index, x).item() == want
    indices = pb.array([-1, 1, 2, 7])
    close(pb.vmap(lambda i: pb.switch(i, branches, x))(indices), [3, 9, -3, -3])
    slopes = pb.vmap(pb.grad(lambda x, i: pb.switch(i, branches, x)), (None, 0))
    close(slopes(x, indices), [1, 6, -1, -1])
    close(pb.compile(slopes)(x, indices), [1, 6, -1, -1])
    assert pb.switch(5, [lambda: 7]).item() == 7
    unsigned = pb.array(2, pb.uint8)
    assert pb.compile(lambda i: pb.switch(i, branches, x))(unsigned).item() == -3


def test_numbers_take_the_types_of_the_first_result():
    half = pb.array(1.5, pb.float16)
    out = pb.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + half, c[1]), (0, 1))
    assert out[0].dtype == pb.float16 and out[0].item() == 3 and out[1].dtype == pb.int32
    assert pb.fori_loop(0, 3, lambda i, y: y + half, 0).item() == 4.5
    assert pb.scan(lambda c, x: (c + x, c), 0, pb.array([0.5, 1.0]))[0].item() == 1.5
    f = pb.compile(
        lambda x, n: (
            pb.while_loop(lambda y: y < 3, lambda y: y + x, 0),
            pb.fori_loop(0, n, lambda i, y: y + x, 0),
        )
    )
    assert [y.item() for y in f(pb.array(1.5), pb.array(3))] == [3, 4.5]
    close(pb.vmap(lambda x: pb.while_loop(lambda y: y < 3, lambda y: y + x, 0))(pb.array([0.5, 2.0])), [3, 4])
    calls = []
    pb.while_loop(lambda y: y < 3, lambda y: (calls.append(0), y + 1)[1], 0)
    assert len(calls) == 3


@pytest.mark.parametrize("door", ["custom_vjp", "custom_jvp", "custom_gradient", "Function"])
def test_doors_within(door):
    if door == "custom_vjp":
        f = pb.custom_vjp(lambda x: x * x)
        f.defvjp(lambda x: (x * x, x), lambda x, g: (10 * g * x,))
    elif door == "custom_jvp":
        f = pb.custom_jvp(lambda x: x * x)
        f.defjvp(lambda primals, tangents: (primals[0] ** 2, 10 * primals[0] * tangents[0]))
    elif door == "custom_gradient":
        f = pb.custom_gradient(lambda x: (x * x, lambda g: 10 * g * x))
    else:

        class Square(pb.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, g):
                return 10 * g * ctx.saved_tensors[0]

        f = Square.apply

    def loop(x):
        return pb.while_loop(lambda y: y < 50, f, x)

    def branch(x):
        return pb.cond(x > 0, lambda x: f(f(x)), lambda x: x, x)

    def scan(x):
        return pb.scan(lambda c, _: (f(c), None), x, length=2)[0]

    xs = pb.array([3.0, 4.0])
    for g in (loop, branch, scan):
        close(pb.grad(g)(xs[0]), 2700)
        close(pb.vmap(pb.grad(g))(xs), [2700, 6400])
        close(pb.vmap(push(g))(xs), [2700, 6400])
        close(pb.compile(pb.vmap(push(g)))(xs), [2700, 6400])
        close(pb.jacrev(pb.vmap(g))(xs), np.diag([2700, 6400]))
    close(pb.compile(pb.vmap(pb.grad(scan)))(xs), [2700, 6400])


def test_errors():
    with pytest.raises(
        TypeError, match=r"\[while_loop\] expected the result of body_fun to be float32\[\], got"
    ):
        pb.while_loop(lambda x: x < 10, lambda x: x * pb.ones(2), 1.0)
    with pytest.raises(
        TypeError, match=r"to be int32\[\], got float32\[\]: convert it by .astype\(pb.int32\)"
    ):
        pb.while_loop(lambda x: x < 10, lambda x: x * 1.5, pb.array(1))
    with pytest.raises(TypeError, match=r"result of body_fun\['a'\]"):
        pb.fori_loop(0, 2, lambda i, c: {"a": c["a"].astype(pb.float16)}, {"a": pb.array(1.0)})
    with pytest.raises(TypeError, match=r"\[while_loop\] expected a scalar predicate, got bool\[2\]"):
        pb.while_loop(lambda x: x < 10, lambda x: x, pb.ones(2))
    with pytest.raises(TypeError, match="to have the structure"):
        pb.while_loop(lambda c: c[0] < 10, lambda c: c[0], (1.0, 2.0))
    with pytest.raises(TypeError, match=r"\[while_loop\] expected .* got float16"):
        pb.compile(lambda x: pb.while_loop(lambda x: x < 10, lambda x: x.astype(pb.float16), x))(
            pb.array(1.0)
        )
    with pytest.raises(TypeError, match="expected arrays in init_val, got a str"):
        pb.while_loop(lambda x: False, lambda x: x, "text")
    with pytest.raises(TypeError, match=r"\[fori_loop\] expected integers as bounds, got float32\[\]"):
        pb.fori_loop(0, pb.array(2.0), lambda i, x: x, 1)
    with pytest.raises(TypeError, match=r"\[fori_loop\] expected integers as bounds, got a float"):
        pb.fori_loop(0, 2.0, lambda i, x: x, 1)
    with pytest.raises(TypeError, match=r"\[cond\] expected the result of false_fun to be float32\[\], got"):
        pb.vmap(lambda x: pb.cond(x > 0, lambda x: x, lambda x: pb.ones(2), x))(x3)
    with pytest.raises(TypeError, match=r"\[switch\] expected the result of branch 1 to have the structure"):
        pb.vmap(lambda i: pb.switch(i, [lambda: 1, lambda: (1, 2)]))(pb.array([0, 1]))
    with pytest.raises(ValueError, match=r"\[switch\] expected at least one branch"):
        pb.switch(0, [])
    with pytest.raises(ZeroDivisionError):
        pb.vmap(lambda x: pb.while_loop(lambda x: x < 10, lambda x: 1 / 0, x))(x3)


def test_against_jax():
    jax = pytest.importorskip("jax")
    xs = np.array([0.5, 1.5, 2.5, -1.0], np.float32)

    def f(lib, xp, x):
        y = lib.while_loop(lambda c: c[0] < 5, lambda c: (c[0] + abs(c[1]) + 1, xp.sin(c[1]) * x), (x, x))
        z = lib.cond(x > 1, lambda y: y[0] * x, lambda y: y[1] + x, y)
        z = lib.switch((x + 1).astype(xp.int32), [xp.sin, xp.cos, xp.exp], z)
        return lib.fori_loop(0, 3, lambda i, z: z * x + i, z)

    ours, theirs = (lambda x: f(pb, pb, x)), (lambda x: f(jax.lax, jax.numpy, x))
    close(pb.vmap(ours)(pb.array(xs)), jax.vmap(theirs)(xs), 1e-4, 1e-5)
    close(pb.compile(pb.vmap(ours))(pb.array(xs)), jax.jit(jax.vmap(theirs))(xs), 1e-4, 1e-5)
    want = jax.vmap(jax.jacfwd(theirs))(xs)
    for got in (pb.vmap(pb.grad(ours)), pb.vmap(push(ours)), pb.compile(pb.vmap(push(ours)))):
        close(got(pb.array(xs)), want, 1e-4, 1e-4)
    want = jax.vmap(jax.jacfwd(jax.jacfwd(theirs)))(xs)
    for got in (pb.vmap(pb.grad(pb.grad(ours))), pb.compile(pb.vmap(push(push(ours))))):
        close(got(pb.array(xs)), want, 1e-3, 1e-3)
