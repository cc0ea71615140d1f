"""Modules with rules, in the idiom of flax: the gradient by a module is a module."""

import numpy as np
import pullback as pb


def show(what, got, want):
    """Prints a result, which has to be `want`."""
    print(f"{what}: {np.asarray(got).tolist()}")
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


@pb.register_module
class Linear:
    """A layer: its arrays are leaves of a tree, what else it has stays as it is."""

    def __init__(self, w, b, name):
        self.w, self.b, self.name = w, b, name

    def __call__(self, x):
        return x @ self.w + self.b


# A loss by a module, whose gradient by weights is halved, and by the bias is a constant of the rule.


@pb.custom_vjp
def loss(layer, x):
    return pb.square(layer(x)).sum()


def loss_fwd(layer, x):
    # What is kept may hold modules.
    return loss(layer, x), (layer, x)


def loss_bwd(kept, g):
    layer, x = kept
    exact, dx = pb.grad(lambda layer, x: pb.square(layer(x)).sum(), argnums=(0, 1))(layer, x)
    return Linear(g * 0.5 * exact.w, 7.0, layer.name), g * dx


loss.defvjp(loss_fwd, loss_bwd)


class Scaled:
    """A class with a rule for a method: `self` is an argument like others."""

    @pb.custom_function
    def scale(self, x):
        return self.factor * x

    @scale.vjp
    def scale_vjp(primals, g, output):
        layer, x = primals
        return Scaled(10 * (g * x).sum()), g * layer.factor

    def __init__(self, factor):
        self.factor = factor


pb.register_module(Scaled)


def main():
    layer = Linear(pb.array([[1.0], [2.0]]), pb.array([3.0]), "first")
    x = pb.array([[1.0, 1.0]])
    show("loss", loss(layer, x), 36.0)
    slopes, dx = pb.grad(loss, argnums=(0, 1))(layer, x)
    assert isinstance(slopes, Linear) and slopes.name == "first"
    show("gradient by w, halved", slopes.w, [[6.0], [6.0]])
    show("gradient by b, of the rule", slopes.b, [7.0])
    show("gradient by x", dx, [[12.0, 24.0]])

    # A step of descent is a map over modules.
    stepped = pb.tree.tree_map(lambda p, g: p - 0.1 * g, layer, slopes)
    show("the next w", stepped.w, [[0.4], [1.4]])

    # Through a batch: the module is shared, and each example has its own gradient by it.
    rows = pb.array([[[1.0, 1.0]], [[0.0, 1.0]]])
    each = pb.vmap(pb.grad(loss), in_axes=(None, 0))(layer, rows)
    show("gradients of a batch by b", each.b, [[7.0], [7.0]])
    total = pb.grad(lambda layer: pb.vmap(loss, in_axes=(None, 0))(layer, rows).sum())(layer)
    show("their sum", total.b, [14.0])
    show("compiled", pb.compile(pb.grad(loss))(layer, x).w, [[6.0], [6.0]])

    scaled = Scaled(pb.array(2.0))
    show("a method", scaled.scale(pb.array(3.0)), 6.0)
    show("its rule", pb.grad(lambda s: s.scale(pb.array(3.0)))(scaled).factor, 30.0)


if __name__ == "__main__":
    main()
