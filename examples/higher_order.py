"""Derivatives of derivatives, as classes and as decorated functions: `Exp`, once and never again, `Mul` with
forward mode, and a checkpoint.
"""

import numpy as np
import pullback as pb


def show(what, got, want):
    """Prints a result, which has to be `want`."""
    print(f"{what}: {np.asarray(got).tolist()}")
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


# The rule uses the output that was saved: higher orders go through the rule again.


class Exp(pb.Function):
    @staticmethod
    def forward(ctx, x):
        y = pb.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


@pb.custom_vjp
def exp(x):
    return pb.exp(x)


def exp_fwd(x):
    y = exp(x)
    return y, y


exp.defvjp(exp_fwd, lambda y, g: (g * y,))


# A residual that is neither argument nor output is differentiated through the operations that made it.


class Kept(pb.Function):
    @staticmethod
    def forward(ctx, x):
        e = pb.exp(x)
        ctx.save_for_backward(x, e)
        return 2 * e + x**3

    @staticmethod
    def backward(ctx, g):
        x, e = ctx.saved_tensors
        return g * (2 * e + 3 * x**2)


# A rule that shall not be differentiated.


class Once(pb.Function):
    @staticmethod
    def forward(ctx, x):
        y = pb.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    @pb.once_differentiable
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


@pb.custom_function
def once(x):
    return pb.exp(x)


@once.vjp
def once_vjp(x, g, output):
    # A rule that holds its argument constant says zero of the second derivative; to raise is better.
    @pb.custom_function
    def first(x):
        return pb.exp(x)

    @first.vjp
    def first_vjp(x, g, output):
        raise ValueError("once is differentiable once")

    return g * first(x)


# Both modes.


class Mul(pb.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        ctx.save_for_forward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, g * x

    @staticmethod
    def jvp(ctx, dx, dy):
        x, y = ctx.saved_tensors
        return dx * y + x * dy


@pb.custom_jvp
def mul(x, y):
    return x * y


@mul.defjvp
def mul_jvp(primals, tangents):
    (x, y), (dx, dy) = primals, tangents
    return mul(x, y), dx * y + x * dy


# A checkpoint: what is kept of the forward pass are its arguments, and the rest is computed again.


class Checkpoint(pb.Function):
    @staticmethod
    def forward(ctx, run, *args):
        ctx.run = run
        ctx.save_for_backward(*args)
        return run(*args)

    @staticmethod
    def backward(ctx, g):
        _, gradients = pb.vjp(ctx.run, ctx.saved_tensors, [g])
        return (None, *gradients)


@pb.custom_function
def checkpointed(run, *args):
    return run(*args)


@checkpointed.vjp
def checkpointed_vjp(primals, g, output):
    run, *args = primals
    return (None, *pb.vjp(run, args, [g])[1])


def nth(f, order):
    """The derivative of that order."""
    for _ in range(order):
        f = pb.grad(f)
    return f


def exponentials():
    x, e = pb.array(1.0), np.e
    for name, fun in [("Exp", Exp.apply), ("exp", exp)]:
        for order in (1, 2, 3):
            show(f"{name}, order {order}", nth(fun, order)(x), e)
        show(f"{name}, forward over reverse", pb.jvp(pb.grad(fun), [x], [1.0])[1][0], e)
    show("Kept, order 2", nth(Kept.apply, 2)(x), 2 * e + 6)


def once_only():
    x = pb.array(1.0)
    for name, fun in [("Once", Once.apply), ("once", once)]:
        # Another path to the second derivative, which must not hide that there is none.
        f = lambda x, fun=fun: fun(x) + x**3
        show(f"{name}, order 1", pb.grad(f)(x), np.e + 3)
        try:
            nth(f, 2)(x)
        except ValueError as error:
            print(f"{name}, order 2: {str(error).splitlines()[0]}")
        else:
            raise AssertionError("a second derivative of what has none")


def products():
    x, y = pb.array(2.0), pb.array(3.0)
    for name, fun in [("Mul", Mul.apply), ("mul", mul)]:
        show(f"{name}, both tangents", pb.jvp(fun, [x, y], [1.0, 10.0])[1][0], 23.0)
        show(f"{name}, one tangent", pb.jvp(lambda x, fun=fun: fun(x, y), [x], [1.0])[1][0], 3.0)
        show(f"{name}, gradient by y", pb.grad(fun, argnums=1)(x, y), 2.0)
        mixed = pb.grad(lambda x, fun=fun: pb.grad(fun, argnums=1)(x, y))
        show(f"{name}, mixed second derivative", mixed(x), 1.0)


def checkpoints():
    run = lambda x, w: pb.sin(x * w)
    x, w = pb.array(0.5), pb.array(2.0)
    for name, fun in [("Checkpoint", Checkpoint.apply), ("checkpointed", checkpointed)]:
        dx, dw = pb.grad(lambda x, w, fun=fun: fun(run, x, w), argnums=(0, 1))(x, w)
        show(f"{name}, gradient by x", dx, np.cos(1.0) * 2)
        show(f"{name}, gradient by w", dw, np.cos(1.0) * 0.5)
        second = nth(lambda x, fun=fun: fun(run, x, w), 2)(x)
        show(f"{name}, order 2", second, -np.sin(1.0) * 4)

    # A function may have captured what is differentiated: here that is an error with a name, where
    # `pb.checkpoint` takes it for an argument.
    def captures(w):
        return Checkpoint.apply(lambda x: pb.sin(x * w), x)

    try:
        pb.grad(captures)(w)
    except pb.RuleError as error:
        print(f"Checkpoint of a closure: {str(error).splitlines()[0]}")
    else:
        raise AssertionError("a captured array lost its gradient")
    show("pb.checkpoint of a closure", pb.grad(lambda w: pb.checkpoint(lambda x: pb.sin(x * w))(x))(w), dw)


def main():
    exponentials()
    once_only()
    products()
    checkpoints()


if __name__ == "__main__":
    main()
