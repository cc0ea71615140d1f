"""`pb.Function`, the idiom of PyTorch: a class with `forward` and `backward`. Beside each class: a decorator.

What a context can say is here: saved arrays, attributes, outputs without a derivative, arguments that are
changed in place, and zeros that are made or not; and the examples of `decorators.py` as classes.
"""

import itertools

import numpy as np
import pullback as pb


def show(what, got, want):
    """Prints a result, which has to be `want`."""
    print(f"{what}: {np.asarray(got).tolist()}")
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


# Two arguments, a saved array, an attribute.


class MyFunction(pb.Function):
    @staticmethod
    def forward(ctx, x, y, scale):
        ctx.save_for_backward(x, y)
        ctx.scale = scale
        return scale * x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return ctx.scale * g * y, ctx.scale * g * x, None


def my_function(x, y, scale):
    return scale * x * y


# This door differentiates the body where a mode has no rule, with a warning, unless it is told to derive.
my_function = pb.custom_function(my_function, missing="derive")


@my_function.vjp
def my_function_vjp(primals, g, output):
    x, y, scale = primals
    return scale * g * y, scale * g * x, None


def two_arguments():
    x, y = pb.array(3.0), pb.array(5.0)
    for name, fun in [("MyFunction", MyFunction.apply), ("my_function", my_function)]:
        show(name, fun(x, y, 2.0), 30.0)
        dx, dy = pb.grad(fun, argnums=(0, 1))(x, y, 2.0)
        show(f"{name}, gradient by x", dx, 10.0)
        show(f"{name}, gradient by y", dy, 6.0)
        # Forward mode is derived from `backward`.
        show(f"{name}, jvp", pb.jvp(lambda x, fun=fun: fun(x, y, 2.0), [x], [1.0])[1][0], 10.0)


# An output of integers, which has no derivative.


class Sort(pb.Function):
    @staticmethod
    def forward(x):
        order = pb.argsort(x)
        return x[order], order

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, order = output
        ctx.mark_non_differentiable(order)
        ctx.save_for_backward(order)

    @staticmethod
    def backward(ctx, g, g_order):
        (order,) = ctx.saved_tensors
        return pb.zeros_like(g).at[order].add(g)


@pb.custom_vjp
def sort(x):
    order = pb.argsort(x)
    return x[order], order


def sort_fwd(x):
    out, order = sort(x)
    return (out, order), order


def sort_bwd(order, cotangents):
    g, _ = cotangents
    return (pb.zeros_like(g).at[order].add(g),)


sort.defvjp(sort_fwd, sort_bwd)


def sorting():
    x, weights = pb.array([3.0, 1.0, 2.0]), pb.array([10.0, 20.0, 30.0])
    rows = pb.stack([x, -x])
    for name, fun in [("Sort", Sort.apply), ("sort", sort)]:
        show(f"{name}, the order", fun(x)[1], [1, 2, 0])
        slope = pb.grad(lambda x, fun=fun: (fun(x)[0] * weights).sum())
        show(f"{name}, gradient", slope(x), [30.0, 10.0, 20.0])
        show(f"{name}, gradients of a batch", pb.vmap(slope)(rows), [[30.0, 10.0, 20.0], [10.0, 30.0, 20.0]])


# An argument that is changed in place: the caller sees it, and the gradient is that of the rule.


class InplaceOp(pb.Function):
    @staticmethod
    def forward(ctx, x):
        x *= 2
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx, g):
        return 2 * g


@pb.custom_function
def doubled(x):
    x *= 2
    return x


@doubled.vjp
def doubled_vjp(x, g, output):
    return 2 * g


def in_place():
    x = pb.array([1.0, 2.0])
    y = InplaceOp.apply(x)
    show("InplaceOp, what the caller has", x, [2.0, 4.0])
    assert y is x
    show("InplaceOp, gradient", pb.grad(lambda x: InplaceOp.apply(x).sum())(x), [2.0, 2.0])
    # A decorated function has no context to say it in: under a transform it changes an array of its own.
    z = pb.array([1.0, 2.0])
    show("doubled, gradient", pb.grad(lambda z: doubled(z).sum())(z), [2.0, 2.0])
    show("doubled, what the caller has", z, [1.0, 2.0])


# Cotangents of outputs that nobody used: zeros unless it is said otherwise, then `None`.


class Twice(pb.Function):
    @staticmethod
    def forward(x):
        return x * 1, x * 1

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g1, g2):
        assert g1 is not None and g2 is not None
        return g1 + g2


class TwiceUnmaterialised(Twice):
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, g1, g2):
        assert g1 is not None and g2 is None
        return g1


@pb.custom_function
def twice(x):
    return x * 1, x * 1


def twice_vjp(x, cotangents, outputs):
    g1, g2 = cotangents
    return g1 if g2 is None else g1 + g2


def zeros():
    x = pb.array([1.0, 2.0])
    show("Twice", pb.grad(lambda x: Twice.apply(x)[0].sum())(x), [1.0, 1.0])
    show("TwiceUnmaterialised", pb.grad(lambda x: TwiceUnmaterialised.apply(x)[0].sum())(x), [1.0, 1.0])
    for symbolic in (False, True):
        twice.vjp(twice_vjp, symbolic_zeros=symbolic)
        show(f"twice, symbolic_zeros={symbolic}", pb.grad(lambda x: twice(x)[0].sum())(x), [1.0, 1.0])


# sin(x)·y with rules for both modes and for batches.


class SinTimes(pb.Function):
    @staticmethod
    def forward(x, y):
        return pb.sin(x) * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * pb.cos(x) * y, g * pb.sin(x)

    @staticmethod
    def jvp(ctx, dx, dy):
        x, y = ctx.saved_tensors
        return dx * pb.cos(x) * y + dy * pb.sin(x)

    @staticmethod
    def vmap(info, in_dims, x, y):
        x, y = (v if d is None else pb.moveaxis(v, d, 0) for v, d in zip((x, y), in_dims, strict=True))
        return pb.sin(x) * y, 0


def three_rules():
    x, y = pb.array(1.0), pb.array(2.0)
    dx, dy = np.cos(1.0) * 2, np.sin(1.0)
    show("SinTimes, gradient by x", pb.grad(SinTimes.apply)(x, y), dx)
    show("SinTimes, jvp along both", pb.jvp(SinTimes.apply, [x, y], [1.0, 1.0])[1][0], dx + dy)
    numbers = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("f4")
    pairs = [axes for axes in itertools.product([None, 0, 1, -1], repeat=2) if axes != (None, None)]
    for axes in pairs:
        rows = []
        for v, axis in zip(numbers, axes, strict=True):
            rows.append(np.broadcast_to(v[0], (3, 3)) if axis is None else np.moveaxis(v, axis, 0))
        given = [pb.array(v[0] if axis is None else v) for v, axis in zip(numbers, axes, strict=True)]
        mapped = pb.vmap(SinTimes.apply, in_axes=axes)
        np.testing.assert_allclose(mapped(*given), np.sin(rows[0]) * rows[1], rtol=1e-5)
        slope = pb.grad(lambda x, y, mapped=mapped: mapped(x, y).sum(), argnums=1)(*given)
        want = np.sin(rows[0])
        want = want.sum(0) if axes[1] is None else np.moveaxis(want, 0, axes[1])
        np.testing.assert_allclose(slope, want, rtol=1e-4, atol=1e-6)
    print(f"SinTimes, vmap over {len(pairs)} pairs of axes: right, and so are gradients through them")


# A class in a function: what it captured is an error with its name, where it would be differentiated.


def closed(x, y):
    class Times(pb.Function):
        @staticmethod
        def forward(ctx, x):
            return x * y

        @staticmethod
        def backward(ctx, g):
            raise ValueError("Abort!")

    return Times.apply(x)


def closures():
    x, y = pb.array(2.0), pb.array(3.0)
    show("closed", closed(x, y), 6.0)
    for argnum, kind, said in [(0, ValueError, "Abort!"), (1, pb.RuleError, "captured")]:
        try:
            pb.grad(closed, argnums=argnum)(x, y)
        except kind as error:
            assert said in str(error)
            print(f"closed, gradient by argument {argnum}: {str(error).splitlines()[0]}")
        else:
            raise AssertionError("the rule was skipped")


def main():
    two_arguments()
    sorting()
    in_place()
    zeros()
    three_rules()
    closures()


if __name__ == "__main__":
    main()
