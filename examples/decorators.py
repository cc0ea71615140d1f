"""`pb.custom_function`, the idiom of MLX: rules for reverse mode, forward mode and batches, as decorators."""

import itertools

import numpy as np
import pullback as pb


def show(what, got, want):
    """Prints a result, which has to be `want`."""
    print(f"{what}: {np.asarray(got).tolist()}")
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


# sin(x)·y with all three rules.


@pb.custom_function
def f(x, y):
    return pb.sin(x) * y


@f.vjp
def f_vjp(primals, cotangent, output):
    x, y = primals
    return cotangent * pb.cos(x) * y, cotangent * pb.sin(x)


@f.jvp
def f_jvp(primals, tangents):
    x, y = primals
    dx, dy = tangents
    return dx * pb.cos(x) * y + dy * pb.sin(x)


@f.vmap
def f_vmap(inputs, axes):
    # Zero is an axis too: what says that an argument has none is `None`.
    x, y = (v if axis is None else pb.moveaxis(v, axis, 0) for v, axis in zip(inputs, axes, strict=True))
    return pb.sin(x) * y, 0


def derivatives():
    x, y = pb.array(1.0), pb.array(2.0)
    dx, dy = np.cos(1.0) * 2, np.sin(1.0)
    show("f", f(x, y), np.sin(1.0) * 2)
    show("grad", pb.grad(f, argnums=(0, 1))(x, y)[0], dx)
    show("jvp along both arguments", pb.jvp(f, [x, y], [1.0, 1.0])[1][0], dx + dy)
    # The tangent of what has none arrives as zeros, so the same rule works for a part of the arguments.
    show("jvp along x", pb.jvp(lambda x: f(x, y), [x], [1.0])[1][0], dx)
    show("compiled grad", pb.compile(pb.grad(f))(x, y), dx)


def batches():
    """Every pair of batch axes: value, and gradient through the batch."""
    numbers = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("f4")
    pairs = [axes for axes in itertools.product([None, 0, 1, -1], repeat=2) if axes != (None, None)]
    for axes in pairs:
        rows = []
        for v, axis in zip(numbers, axes, strict=True):
            rows.append(np.broadcast_to(v[0], (3, 3)) if axis is None else np.moveaxis(v, axis, 0))
        given = [pb.array(v[0] if axis is None else v) for v, axis in zip(numbers, axes, strict=True)]
        mapped = pb.vmap(f, in_axes=axes)
        np.testing.assert_allclose(mapped(*given), np.sin(rows[0]) * rows[1], rtol=1e-5)

        slope = pb.grad(lambda x, y, mapped=mapped: mapped(x, y).sum())(*given)
        want = np.cos(rows[0]) * rows[1]
        want = want.sum(0) if axes[0] is None else np.moveaxis(want, 0, axes[0])
        np.testing.assert_allclose(slope, want, rtol=1e-4, atol=1e-6)
    print(f"vmap over {len(pairs)} pairs of axes: right, and so are gradients through them")


# Captured arrays are constants here, as MLX documents it.


def g(x, y):
    @pb.custom_function
    def times(x):
        return x * y

    @times.vjp
    def times_vjp(x, cotangent, output):
        raise ValueError("Abort!")

    return times(x)


def closure():
    x, y = pb.array(2.0), pb.array(3.0)
    show("g", g(x, y), 6.0)
    try:
        pb.grad(g)(x, y)
    except ValueError as error:
        print(f"grad of g by x raises: {error}")
    else:
        raise AssertionError("the rule was skipped")
    show("grad of g by the captured y", pb.grad(g, argnums=1)(x, y), 0.0)


# The forms of the porting guide: a vjp rule of two arguments, a jvp rule that returns the output as well.


@pb.custom_function
def product(x, w):
    return x @ w


@product.vjp
def product_vjp(primals, cotangent):
    x, w = primals
    return cotangent @ w.T, x.T @ cotangent


@product.jvp
def product_jvp(primals, tangents):
    (x, w), (dx, dw) = primals, tangents
    return x @ w, dx @ w + x @ dw


def porting_guide():
    x, w = pb.array([[1.0, 2.0]]), pb.array([[3.0], [4.0]])
    dx, dw = pb.grad(lambda x, w: product(x, w).sum(), argnums=(0, 1))(x, w)
    show("grad of a product by x", dx, [[3.0, 4.0]])
    show("grad of a product by w", dw, [[1.0], [2.0]])
    out, tangent = pb.jvp(product, [x, w], [pb.ones_like(x), pb.ones_like(w)])
    show("its output", out[0], [[11.0]])
    show("its tangent", tangent[0], [[10.0]])


def main():
    derivatives()
    batches()
    closure()
    porting_guide()


if __name__ == "__main__":
    main()
