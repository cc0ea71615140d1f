"""`pb.custom_gradient`, the idiom of TensorFlow: a function returns its output and its gradient function."""

import numpy as np
import pullback as pb


def show(what, got, want):
    """Prints a result, which has to be `want`."""
    print(f"{what}: {np.asarray(got).tolist()}")
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


@pb.custom_gradient
def log1pexp(x):
    e = pb.exp(x)

    def grad(upstream):
        # e/(1 + e) would be inf/inf for a large x.
        return upstream * (1 - 1 / (1 + e))

    return pb.log(1 + e), grad


@pb.custom_gradient
def times(x, y):
    return x * y, lambda g: (g * y, g * x)


def main():
    x = pb.array(100.0)
    show("plain gradient at 100", pb.grad(lambda x: pb.log(1 + pb.exp(x)))(x), np.nan)
    show("log1pexp, gradient at 100", pb.grad(log1pexp)(x), 1.0)
    one = pb.array(1.0)
    s = 1 / (1 + np.exp(-1.0))
    show("log1pexp, gradient at 1", pb.grad(log1pexp)(one), s)
    show("log1pexp, order 2", pb.grad(pb.grad(log1pexp))(one), s * (1 - s))
    show("log1pexp, jvp", pb.jvp(log1pexp, [one], [1.0])[1][0], s)

    # The rule holds through a batch, and within a compiled function.
    xs = pb.array([1.0, 100.0])
    batch = lambda xs: pb.vmap(log1pexp)(xs).sum()
    show("log1pexp, gradient through a batch", pb.grad(batch)(xs), [s, 1.0])
    show("log1pexp, compiled", pb.compile(pb.grad(batch))(xs), [s, 1.0])

    dx, dy = pb.grad(times, argnums=(0, 1))(pb.array(2.0), pb.array(3.0))
    show("times, gradient by x", dx, 3.0)
    show("times, gradient by y", dy, 2.0)


if __name__ == "__main__":
    main()
