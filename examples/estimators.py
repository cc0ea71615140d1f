"""Rules that differ from the derivative on purpose, as classes and as decorated functions.

A rectifier, a quantiser that lets gradients through, and a clip of gradients with an argument that has none.
"""

import numpy as np
import pullback as pb


def show(what, got, want):
    """Prints a result, which has to be `want`."""
    print(f"{what}: {np.asarray(got).tolist()}")
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


# A rectifier.


class CustomReLU(pb.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return pb.maximum(x, 0)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return pb.where(x < 0, 0, g)


@pb.custom_function
def relu(x):
    return pb.maximum(x, 0)


@relu.vjp
def relu_vjp(x, g, output):
    return pb.where(x < 0, 0, g)


# A quantiser, whose derivative is zero nearly everywhere: the gradient goes straight through, near zero.


class BinaryQuantize(pb.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return pb.sign(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (pb.abs(x) <= 1)


@pb.custom_jvp
def binary(x):
    return pb.sign(x)


@binary.defjvp
def binary_jvp(primals, tangents):
    # Of a rule for forward mode reverse mode is the transpose.
    (x,), (t,) = primals, tangents
    return binary(x), t * (pb.abs(x) <= 1)


# The identity, whose gradient has a norm of `limit` at most: no derivative in any sense, and not linear.


class GradientClip(pb.Function):
    @staticmethod
    def forward(ctx, x, limit):
        ctx.limit = limit
        return x

    @staticmethod
    def backward(ctx, g):
        norm = pb.sqrt((g * g).sum())
        return g * pb.minimum(1.0, ctx.limit / norm), None


def clip(x, limit):
    return x


# `limit` is no argument to differentiate by: it comes first in the rule, which returns nothing for it.
clip = pb.custom_vjp(clip, nondiff_argnums=(1,))
clip.defvjp(
    lambda x, limit: (x, None),
    lambda limit, kept, g: (g * pb.minimum(1.0, limit / pb.sqrt((g * g).sum())),),
)


def relus():
    x = pb.array([-1.0, 0.5, 2.0])
    for name, fun in [("CustomReLU", CustomReLU.apply), ("relu", relu)]:
        show(name, fun(x), [0.0, 0.5, 2.0])
        show(f"{name}, gradient", pb.grad(lambda x, fun=fun: fun(x).sum())(x), [0.0, 1.0, 1.0])


def quantisers():
    x, weights = pb.array([-1.5, -0.5, 0.2, 3.0]), pb.array([1.0, 2.0, 3.0, 4.0])
    for name, fun in [("BinaryQuantize", BinaryQuantize.apply), ("binary", binary)]:
        loss = lambda x, fun=fun: (fun(x) * weights).sum()
        show(name, fun(x), [-1.0, -1.0, 1.0, 1.0])
        show(f"{name}, gradient", pb.grad(loss)(x), [0.0, 2.0, 3.0, 0.0])
        show(f"{name}, compiled", pb.compile(pb.grad(loss))(x), [0.0, 2.0, 3.0, 0.0])
        show(f"{name}, under checkpoint", pb.grad(pb.checkpoint(loss))(x), [0.0, 2.0, 3.0, 0.0])
        show(f"{name}, jvp", pb.jvp(fun, [x], [pb.ones(4)])[1][0], [0.0, 1.0, 1.0, 0.0])


def clips():
    x = pb.array([3.0, 4.0])
    rows = pb.array([[3.0, 4.0], [0.3, 0.4]])
    for name, fun in [("GradientClip", GradientClip.apply), ("clip", clip)]:
        slope = pb.grad(lambda w, x, fun=fun: (fun(w, 1.0) * x).sum())
        show(f"{name}, gradient", slope(x, x), [0.6, 0.8])

        # The examples of a batch are clipped each by itself, and then the gradients are added.
        def total(w, fun=fun):
            return pb.vmap(lambda w, x: (fun(w, 1.0) * x).sum(), in_axes=(None, 0))(w, rows).sum()

        show(f"{name}, gradient through a batch", pb.grad(total)(x), [0.9, 1.2])
        # It is not linear, so there is no forward mode: an error says so.
        try:
            pb.jvp(lambda w, fun=fun: fun(w, 1.0), [x], [x])
        except pb.RuleError as error:
            print(f"{name}, jvp: {str(error).splitlines()[0]}")
        else:
            raise AssertionError("a clip has no tangent")


def main():
    relus()
    quantisers()
    clips()


if __name__ == "__main__":
    main()
