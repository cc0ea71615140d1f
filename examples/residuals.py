"""The idioms of JAX: `custom_vjp` with residuals, `custom_jvp`, `custom_vmap`; and `CustomVjp`."""

import numpy as np
import pullback as pb


def show(what, got, want):
    """Prints a result, which has to be `want`."""
    print(f"{what}: {np.asarray(got).tolist()}")
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


# `CustomVjp(fun, nondiff_argnums=())`: the functional form.


def functional():
    square = pb.CustomVjp(lambda x: x * x)
    square.defvjp(lambda x: (x * x, x), lambda x, g: (2 * g * x,))
    show("CustomVjp", pb.grad(square)(pb.array(3.0)), 6.0)
    # An argument that may be anything: its value comes first in the backward pass.
    apply = pb.CustomVjp(lambda fun, x: fun(x), nondiff_argnums=(0,))
    apply.defvjp(lambda fun, x: (fun(x), x), lambda fun, x, g: (10 * g * pb.grad(fun)(x),))
    show("CustomVjp of a callable", pb.grad(apply, argnums=1)(pb.sin, pb.array(0.0)), 10.0)


# A fixed point, whose derivative is that of the equation and not of the iterations.


@pb.custom_vjp
def root(a):
    """The square root of `a`, by Newton's iteration: Python may look at values as it goes."""
    x = pb.ones_like(a)
    for _ in range(20):
        x = 0.5 * (x + a / x)
    return x


def root_fwd(a):
    x = root(a)
    return x, x


def root_bwd(x, g):
    # x² = a, so 2x dx = da.
    return (g / (2 * x),)


root.defvjp(root_fwd, root_bwd)


def fixed_point():
    a = pb.array([4.0, 9.0])
    show("root", root(a), [2.0, 3.0])
    show("root, gradient", pb.grad(lambda a: root(a).sum())(a), [1 / 4, 1 / 6])
    # The residual is the output: the second derivative goes through the rule again.
    slope = pb.grad(lambda a: root(a))
    show("root, order 2", pb.vmap(pb.grad(slope))(a), [-1 / 32, -1 / 108])
    show("root, jvp", pb.jvp(root, [a], [pb.ones(2)])[1][0], [1 / 4, 1 / 6])


# A rule for forward mode, with trees.


@pb.custom_jvp
def norm(p):
    return pb.sqrt((p["x"] * p["x"] + p["y"] * p["y"]).sum())


@norm.defjvp
def norm_jvp(primals, tangents):
    (p,), (t,) = primals, tangents
    out = norm(p)
    # At the origin: zero, where the square root's own derivative would be 0/0.
    safe = pb.where(out == 0, 1.0, out)
    return out, (p["x"] * t["x"] + p["y"] * t["y"]).sum() / safe


def forward_mode():
    p = {"x": pb.array([3.0]), "y": pb.array([4.0])}
    show("norm, jvp", pb.jvp(norm, [p], [{"x": pb.ones(1), "y": pb.zeros(1)}])[1][0], 0.6)
    slopes = pb.grad(norm)(p)
    show("norm, gradient by y", slopes["y"], [0.8])
    origin = pb.tree.tree_map(pb.zeros_like, p)
    show("norm, gradient at the origin", pb.grad(norm)(origin)["x"], [0.0])


# A rule for batches: one product of matrices in place of many.


def product(counts):
    @pb.custom_vmap
    def apply(w, x):
        return w @ x

    @apply.def_vmap
    def rule(axis_size, in_batched, w, x):
        counts.append((axis_size, in_batched))
        if in_batched == (False, True):
            return (w @ x.T).T, True
        return pb.vmap(pb.matmul, in_axes=tuple(0 if b else None for b in in_batched))(w, x), True

    return apply


def batches():
    calls = []
    apply = product(calls)
    w, xs = pb.array([[1.0, 2.0], [3.0, 4.0]]), pb.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    show("apply", pb.vmap(apply, in_axes=(None, 0))(w, xs), [[1.0, 3.0], [2.0, 4.0], [3.0, 7.0]])
    assert calls == [(3, (False, True))]
    total = lambda w: pb.vmap(apply, in_axes=(None, 0))(w, xs).sum()
    show("apply, gradient by the shared w", pb.grad(total)(w), [[2.0, 2.0], [2.0, 2.0]])

    @pb.sequential_vmap
    def longest(x):
        return x.max() if x.shape == (2,) else x.sum()

    show("sequential_vmap", pb.vmap(longest)(xs), [1.0, 1.0, 1.0])


def main():
    functional()
    fixed_point()
    forward_mode()
    batches()


if __name__ == "__main__":
    main()
