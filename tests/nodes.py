"""Classes whose objects are trees."""

import pullback as pb


class Pair:
    """Registered by functions; `tag` is static."""

    def __init__(self, a, b, tag="t"):
        self.a, self.b, self.tag = a, b, tag


pb.register_tree_node(Pair, lambda p: ((p.a, p.b), p.tag), lambda tag, children: Pair(*children, tag))


@pb.register_tree_node_class
class Box:
    def __init__(self, value):
        self.value = value

    def tree_flatten(self):
        return [self.value], None

    @classmethod
    def tree_unflatten(cls, aux, children):
        return cls(*children)


class Sub(Pair):
    pass


@pb.register_module
class Layer:
    made = 0

    def __init__(self, weight, bias=None, name="layer", scale=2.0):
        Layer.made += 1
        self.weight, self.bias, self.name, self.scale = weight, bias, name, scale

    def __call__(self, x):
        y = x * self.weight * self.scale
        return y if self.bias is None else y + self.bias


class Model:
    __pullback_module__ = True

    def __init__(self):
        self.layers = [Layer(pb.array(2.0), pb.array(1.0), "first"), Layer(pb.array(3.0), name="last")]
        self.act = pb.tanh
        self.table = {"kind": "mlp", "gain": pb.array(1.0)}

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x * self.table["gain"]
