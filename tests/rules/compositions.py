"""Custom functions of every door beside plain ones, and transforms to be nested around programs of them."""

import pullback as pb
from structures import Module

COLUMNS, ROWS = 3, 2


def mlx_vjp():
    f = pb.custom_function(lambda x: pb.tanh(x), missing="derive")
    f.vjp(lambda x, g, y: g * (1 - y * y))
    return lambda x, y: f(x) + y * 0.1, lambda x, y: pb.tanh(x) + y * 0.1


def mlx_jvp():
    f = pb.custom_function(lambda x: x * pb.sigmoid(x), missing="derive")

    @f.jvp
    def rule(x, t):
        s = pb.sigmoid(x)
        return t * (s + x * s * (1 - s))

    return lambda x, y: f(x) * y, lambda x, y: x * pb.sigmoid(x) * y


def mlx_all():
    f = pb.custom_function(lambda x, y: pb.sin(x) * y)
    f.vjp(lambda p, g, out: (g * pb.cos(p[0]) * p[1], g * pb.sin(p[0])))
    f.jvp(lambda p, t: t[0] * pb.cos(p[0]) * p[1] + t[1] * pb.sin(p[0]))

    @f.vmap
    def rule(inputs, axes):
        x, y = (v if a is None else pb.moveaxis(v, a, 0) for v, a in zip(inputs, axes, strict=True))
        return pb.sin(x) * y, 0

    return f, lambda x, y: pb.sin(x) * y


def mlx_none():
    inner, plain = mlx_vjp()
    f = pb.custom_function(lambda p: {"out": pb.sin(inner(p["x"], p["y"]))})
    return lambda x, y: f({"x": x, "y": y})["out"], lambda x, y: pb.sin(plain(x, y))


def jax_vjp():
    f = pb.custom_vjp(lambda x, y: pb.sin(x) * y)

    def backward(kept, g):
        cos, sin, y = kept
        return cos * g * y, sin * g

    f.defvjp(lambda x, y: (f(x, y), (pb.cos(x), pb.sin(x), y)), backward)
    return f, lambda x, y: pb.sin(x) * y


def jax_own():
    """The rule calls the function itself, through a residual that is the output."""
    f = pb.custom_vjp(lambda x: pb.sigmoid(x))

    def forward(x):
        out = f(x)
        return out, (x, out)

    f.defvjp(forward, lambda kept, g: (g * kept[1] * (1 - f(kept[0])),))
    return lambda x, y: f(x) - y * 0.2, lambda x, y: pb.sigmoid(x) - y * 0.2


def jax_nondiff():
    f = pb.custom_vjp(lambda power, x: x**power * 0.3, nondiff_argnums=(0,))
    f.defvjp(lambda power, x: (f(power, x), x), lambda power, x, g: (0.3 * power * g * x ** (power - 1),))
    return lambda x, y: f(2, x) + y * 0.5, lambda x, y: x**2 * 0.3 + y * 0.5


def jax_symbolic():
    f = pb.custom_vjp(lambda x, y: {"a": pb.sin(x), "b": x * y})

    def forward(x, y):
        return {"a": pb.sin(x.value), "b": x.value * y.value}, (x.value, y.value)

    def backward(kept, g):
        x, y = kept
        a, b = (v.instantiate() if isinstance(v, pb.SymbolicZero) else v for v in (g["a"], g["b"]))
        return a * pb.cos(x) + b * y, b * x

    f.defvjp(forward, backward, symbolic_zeros=True)
    return lambda x, y: f(x, y)["b"] * 0.5, lambda x, y: x * y * 0.5


def jax_jvp():
    f = pb.custom_jvp(lambda x, y: pb.sin(x) * y)

    @f.defjvp
    def rule(primals, tangents):
        (x, y), (tx, ty) = primals, tangents
        return f(x, y), tx * pb.cos(x) * y + ty * pb.sin(x)

    return f, lambda x, y: pb.sin(x) * y


def jax_jvps():
    f = pb.custom_jvp(lambda x, y: pb.tanh(x) + y * y * 0.2)
    f.defjvps(lambda t, out, x, y: t * (1 - pb.tanh(x) ** 2), lambda t, out, x, y: 0.4 * y * t)
    return f, lambda x, y: pb.tanh(x) + y * y * 0.2


def jax_vmap():
    f = pb.custom_vmap(lambda x, y: pb.sin(x) * y)
    f.def_vmap(lambda size, batched, x, y: (pb.sin(x) * y, any(batched)))
    return f, lambda x, y: pb.sin(x) * y


def sequential():
    f = pb.sequential_vmap(lambda x, y: pb.cos(x) * y.sum())
    return f, lambda x, y: pb.cos(x) * y.sum()


def torch_backward():
    class Sigmoid(pb.Function):
        @staticmethod
        def forward(ctx, x):
            out = pb.sigmoid(x)
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, g):
            (out,) = ctx.saved_tensors
            return g * out * (1 - out)

    return lambda x, y: Sigmoid.apply(x) * y, lambda x, y: pb.sigmoid(x) * y


def torch_both():
    class Product(pb.Function):
        @staticmethod
        def forward(x, y):
            return x * y * 0.5

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return 0.5 * g * y, 0.5 * g * x

        @staticmethod
        def jvp(ctx, tx, ty):
            x, y = ctx.saved_tensors
            return 0.5 * (tx * y + ty * x)

        @staticmethod
        def vmap(info, in_dims, x, y):
            x, y = (v if d is None else pb.moveaxis(v, d, 0) for v, d in zip((x, y), in_dims, strict=True))
            return x * y * 0.5, 0

    return Product.apply, lambda x, y: x * y * 0.5


def tensorflow():
    @pb.custom_gradient
    def f(x, y):
        e = pb.exp(-x * x)
        return e * y, lambda g: (-2 * x * e * y * g, e * g)

    return f, lambda x, y: pb.exp(-x * x) * y


def module_argument():
    """A module comes in, and a module goes out; the gradient is a module."""
    f = pb.custom_vjp(lambda m: Module(pb.sin(m.x) * m.y, m.x))
    f.defvjp(
        lambda m: (f(m), m),
        lambda m, g: (Module(g.x * pb.cos(m.x) * m.y + g.y, g.x * pb.sin(m.x)),),
    )

    def run(x, y):
        out = f(Module(x, y))
        return out.x + out.y * 0.1

    return run, lambda x, y: pb.sin(x) * y + x * 0.1


def module_method():
    """The module is `self`."""

    @pb.register_module
    class Layer:
        def __init__(self, w):
            self.w = w

        @pb.custom_jvp
        def __call__(self, x):
            return pb.tanh(x) * self.w

    @Layer.__call__.defjvp
    def rule(primals, tangents):
        (layer, x), (t_layer, t) = primals, tangents
        out = pb.tanh(x)
        return out * layer.w, out * t_layer.w + t * layer.w * (1 - out * out)

    return lambda x, y: Layer(y)(x), lambda x, y: pb.tanh(x) * y


def checkpointed():
    f, plain = jax_vjp()
    return pb.checkpoint(f), plain


DOORS = [mlx_vjp, mlx_jvp, mlx_all, mlx_none, jax_vjp, jax_own, jax_nondiff, jax_symbolic, jax_jvp, jax_jvps]
DOORS += [jax_vmap, sequential, torch_backward, torch_both, tensorflow, module_argument, module_method]
DOORS += [checkpointed]
TRUE = {door.__name__: door() for door in DOORS}


# Rules that are not the derivative of anything, so that a rule which is skipped shows.


def false_mlx(missing, *rules):
    f = pb.custom_function(lambda x: x * x * 0.3, missing=missing)
    if "vjp" in rules:
        f.vjp(lambda x, g, y: 3 * g * pb.sin(x))
    if "jvp" in rules:
        f.jvp(lambda x, t: 5 * t * pb.cos(x))
    if "vmap" in rules:
        f.vmap(lambda x, axis: (x * x * 0.3, axis))
    return lambda x, y: f(x) + y * 0.2


def false_jax_vjp(vmap=False):
    f = pb.custom_vjp(lambda x, y: x + y * 0.5)
    f.defvjp(
        lambda x, y: (f(x, y), (pb.sin(x), y)), lambda kept, g: (g * kept[0] * 2, g * kept[1] + kept[0] * g)
    )
    if vmap:
        f.def_vmap(lambda size, batched, x, y: (x + y * 0.5, any(batched)))
    return f


def false_jax_jvp():
    f = pb.custom_jvp(lambda x, y: pb.sin(x) + y)
    f.defjvp(lambda p, t: (f(*p), 3 * t[0] * p[1] + 2 * t[1] * pb.sin(p[0])))
    return f


def false_torch():
    class Shared(pb.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y.sum()

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return 2 * g * pb.cos(y), g * x * 3

    return Shared.apply


def false_module():
    f = pb.custom_vjp(lambda m: m.x * 0.5 + m.y)
    f.defvjp(lambda m: (f(m), m), lambda m, g: (Module(g * pb.sin(m.y), 4 * g * m.x),))
    return lambda x, y: f(Module(x, y))


def false_tensorflow():
    return pb.custom_gradient(lambda x, y: (x * 0.5 + y, lambda g: (g * pb.sin(y), 4 * g * x)))


def clipped(vmap=False):
    """Gradients of at most length 1, which is no linear rule: it can be used in reverse mode only."""

    def clip(g):
        return g / pb.sqrt(1 + (g * g).sum())

    f = pb.custom_vjp(lambda x, y: x * y)
    f.defvjp(lambda x, y: (f(x, y), (x, y)), lambda kept, g: (clip(g * kept[1] * 3), clip(g * kept[0] * 3)))
    if vmap:
        f.def_vmap(lambda size, batched, x, y: (x * y, any(batched)))
    return f


LINEAR = {
    "vjp": false_mlx("derive", "vjp"),
    "jvp": false_mlx("derive", "jvp"),
    "vjp, jvp": false_mlx("body", "vjp", "jvp"),
    "vjp, vmap": false_mlx("derive", "vjp", "vmap"),
    "all": false_mlx("body", "vjp", "jvp", "vmap"),
    "custom_vjp": false_jax_vjp(),
    "custom_vjp, vmap": false_jax_vjp(True),
    "custom_jvp": false_jax_jvp(),
    "Function": false_torch(),
    "custom_gradient": false_tensorflow(),
    "module": false_module(),
}
FALSE = {**LINEAR, "clipped": clipped(), "clipped, vmap": clipped(True)}


# Transforms of a function of (x, y) to one array of the shape of x, of which each is one again.


def grad(f):
    def slope(x, y):
        gx, gy = pb.grad(lambda x, y: pb.sin(f(x, y)).sum(), argnums=(0, 1))(x, y)
        return gx + 0.1 * gy.sum()

    return slope


def vjp(f):
    def pulled(x, y):
        _, (gx, gy) = pb.vjp(f, [x, y], [pb.cos(x)])
        return gx + 0.1 * gy.sum()

    return pulled


def value_and_grad(f):
    def both(x, y):
        value, slope = pb.value_and_grad(lambda x: pb.sin(f(x, y)).sum())(x)
        return slope + value * 0.1

    return both


def grad_of_a_module(f):
    def slope(x, y):
        g = pb.grad(lambda m: pb.sin(f(m.x, m.y)).sum())(Module(x, y))
        assert isinstance(g, Module) and g.name == "module"
        return g.x + 0.1 * g.y.sum()

    return slope


def jvp(f):
    return lambda x, y: pb.jvp(f, [x, y], [pb.cos(x), pb.sin(y)])[1][0]


def linearize(f):
    """The derivative at a point, called twice."""

    def pushed(x, y):
        out, push = pb.linearize(f, x, y)
        return push(pb.cos(x), pb.sin(y)) + 0.1 * push(out, pb.zeros_like(y))

    return pushed


def linearize_spelled_out(f):
    def pushed(x, y):
        out = f(x, y)
        along = lambda tx, ty: pb.jvp(f, [x, y], [tx, ty])[1][0]
        return along(pb.cos(x), pb.sin(y)) + 0.1 * along(out, pb.zeros_like(y))

    return pushed


def transpose(f):
    """The transpose of the derivative at a point."""

    def pulled(x, y):
        _, push = pb.linearize(f, x, y)
        gx, gy = pb.linear_transpose(push, x, y)(pb.cos(x))
        return gx + 0.1 * gy.sum()

    return pulled


def vmap(x_axis, y_axis):
    return lambda f: pb.vmap(f, in_axes=(x_axis, y_axis), out_axes=x_axis)


def vmap_of_modules(f):
    return lambda x, y: pb.vmap(lambda m: f(m.x, m.y))(Module(x, y))


def loop(x_axis, y_axis):
    """What `vmap` stands for."""

    def looped(f):
        def run(x, y):
            rows = [
                f(pb.take(x, i, x_axis), y if y_axis is None else pb.take(y, i, y_axis)) for i in range(ROWS)
            ]
            return pb.stack(rows, axis=x_axis)

        return run

    return looped


def kept(f):
    """A checkpoint that keeps what it ends with."""
    keep = pb.checkpoint_policies.save_only_these_names("end")
    return pb.checkpoint(lambda x, y: pb.checkpoint_name(f(x, y), "end"), policy=keep)


AXES = {"vmap": (0, 0), "vmap of x": (0, None), "vmap of the last": (-1, 0), "vmap of modules": (0, 0)}
MAPS = {name: vmap(*axes) for name, axes in AXES.items()} | {"vmap of modules": vmap_of_modules}
REVERSE = {"grad": grad, "vjp": vjp, "value_and_grad": value_and_grad, "grad of a module": grad_of_a_module}
FORWARD = {"jvp": jvp, "linearize": linearize, "transpose": transpose}
DERIVATIVES = {**REVERSE, **FORWARD}
# What is another thing where it is spelled out: of a rule for reverse mode, `transpose` is not `vjp`.
SPELLED = {**DERIVATIVES, "linearize": linearize_spelled_out}
SAME = {"compile": pb.compile, "checkpoint": pb.checkpoint, "kept": kept}


def nested(f, order):
    """The transforms around a function, the first one innermost."""
    for name in order:
        f = {**MAPS, **DERIVATIVES, **SAME}[name](f)
    return f


def spelled_out(f, order):
    """The same with loops, and without what changes nothing."""
    for name in order:
        if name in AXES:
            f = loop(*AXES[name])(f)
        elif name in DERIVATIVES:
            f = SPELLED[name](f)
    return f


def shapes(order):
    """The shapes of x and y that make the innermost ones vectors."""
    x, y = (COLUMNS,), (COLUMNS,)
    for name in order:
        if name in AXES:
            at, beside = AXES[name]
            x = (ROWS, *x) if at == 0 else (*x, ROWS)
            y = y if beside is None else (ROWS, *y)
    return x, y
