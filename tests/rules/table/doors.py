"""One adapter for each door: the same function and the same rules, as each idiom would write them.

Rules are described alike: `vjp(args, cotangent, output)` returns a tuple, `jvp(args, tangents)` a tangent,
`vmap(args, axes, size)` outputs and axes. `args` are all arguments in the order of the parameters.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import pullback as pb
from pullback.tree import tree_map


class Probe(NamedTuple):
    """x² in a door, and the slopes and the shift that tell which rule answered."""

    f: Callable[..., Any]
    back: float
    forth: float
    shift: float


def square(x):
    """The function of which the rules tell lies: 10·g·x, 100·t·x, x² + 7."""
    return x * x


RULES = {
    "vjp": lambda args, g, out: (10 * g * args[0],),
    "jvp": lambda args, tangents: 100 * tangents[0] * args[0],
    "vmap": lambda args, axes, size: (args[0] * args[0] + 7, axes[0]),
}


class Parameters:
    """How the arguments of a call, by position and by keyword, lie in the order of the parameters."""

    def __init__(self, body):
        self.signature = inspect.signature(body)
        self.names = list(self.signature.parameters)

    def whole(self, args, kwargs):
        """All arguments in order, defaults filled in."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return (*bound.args, *bound.kwargs.values())

    def padded(self, tangents):
        """Tangents of all arguments; those by keyword have none."""
        return (*tangents, *[None] * (len(self.names) - len(tangents)))

    def parted(self, gradients, count, kwargs):
        """Gradients as a call of `count` positional arguments wants them; what fits stays as it is."""
        if not kwargs and count == len(self.names):
            return gradients
        named = {key: gradients[self.names.index(key)] for key in kwargs}
        named = {key: g for key, g in named.items() if g is not None}
        return (gradients[:count], named) if named else gradients[:count]


class Door:
    """What an idiom can hold, and how it says it."""

    name: str
    holds: frozenset[str]

    def make(self, body, *, vjp=None, jvp=None, vmap=None, **options):
        """A function with rules."""
        raise NotImplementedError

    def kept(self, **rules):
        """Those of the rules that the idiom can hold."""
        return {kind: rule for kind, rule in rules.items() if kind in self.holds}

    def given(self, body, *, vjp=None, jvp=None, vmap=None, **options):
        """A function with those of the rules that the idiom can hold."""
        return self.make(body, **self.kept(vjp=vjp, jvp=jvp, vmap=vmap), **options)

    def probe(self, *kinds, **options):
        """x² with those of the rules of these kinds that the idiom can hold."""
        held = [kind for kind in kinds if kind in self.holds]
        back = 10.0 if "vjp" in held else 100.0 if "jvp" in held else 2.0
        forth = 100.0 if "jvp" in held else 10.0 if "vjp" in held else 2.0
        f = self.make(square, **{kind: RULES[kind] for kind in held}, **options)
        return Probe(f, back, forth, 7.0 if "vmap" in held else 0.0)

    def first(self, *kinds):
        """x² with the one rule of these kinds that the idiom can hold, the first of them."""
        return self.probe(*[kind for kind in kinds if kind in self.holds][:1])


class Mlx(Door):
    """`custom_function`: rules get primals, a single one by itself."""

    name, holds = "custom_function", frozenset({"vjp", "jvp", "vmap"})

    def make(self, body, *, vjp=None, jvp=None, vmap=None, missing="derive", **options):
        f, p = pb.custom_function(body, missing=missing, **options), Parameters(body)

        def several(given):
            return given if isinstance(given, tuple) and len(p.names) > 1 else (given,)

        def pull(primals, cotangents, outputs, **kwargs):
            args = several(primals)
            result = p.parted(vjp(p.whole(args, kwargs), cotangents, outputs), len(args), kwargs)
            # The gradient of a single argument comes by itself, as the argument does.
            return result[0] if len(p.names) == 1 and type(result) is tuple and len(result) == 1 else result

        def push(primals, tangents, **kwargs):
            return jvp(p.whole(several(primals), kwargs), p.padded(several(tangents)))

        def batch(inputs, axes, *, axis_size, **kwargs):
            return vmap(p.whole(several(inputs), kwargs), p.padded(several(axes)), axis_size)

        if vjp:
            f.vjp(pull)
        if jvp:
            f.jvp(push)
        if vmap:
            f.vmap(batch)
        return f


def in_front(out, axes):
    """Outputs with batch axes anywhere as outputs with batch axes in front, and which have one."""
    if isinstance(axes, tuple):
        both = [in_front(*pair) for pair in zip(out, axes, strict=True)]
        return tuple(x for x, _ in both), tuple(batched for _, batched in both)
    if axes is None:
        return out, tree_map(lambda _: False, out)
    return tree_map(lambda x: pb.moveaxis(x, axes, 0), out), tree_map(lambda _: True, out)


def jax_batch(vmap, p):
    """A rule `(axis_size, in_batched, *args) -> (out, out_batched)`."""

    def rule(axis_size, in_batched, *args, **kwargs):
        axes = tuple(tree_map(lambda batched: 0 if batched is True else None, b) for b in in_batched)
        result = vmap(p.whole(args, kwargs), p.padded(axes), axis_size)
        if not isinstance(result, tuple) or len(result) != 2 or isinstance(result[1], str):
            return result
        return in_front(*result)

    return rule


class JaxVjp(Door):
    """`custom_vjp`: the forward pass keeps the arguments, and may call its own function."""

    name, holds = "custom_vjp", frozenset({"vjp", "vmap"})

    def make(self, body, *, vjp=None, vmap=None, **options):
        f, p = pb.custom_vjp(body, **options), Parameters(body)

        def forward(*args, **kwargs):
            out = f(*args, **kwargs)
            return out, (args, kwargs, out)

        def backward(kept, g):
            args, kwargs, out = kept
            return p.parted(vjp(p.whole(args, kwargs), g, out), len(args), kwargs)

        if vjp:
            f.defvjp(forward, backward)
        if vmap:
            f.def_vmap(jax_batch(vmap, p))
        return f


class JaxJvp(Door):
    """`custom_jvp`: reverse mode is the transpose."""

    name, holds = "custom_jvp", frozenset({"jvp", "vmap"})

    def make(self, body, *, jvp=None, vmap=None, **options):
        f, p = pb.custom_jvp(body, **options), Parameters(body)

        def rule(primals, tangents, **kwargs):
            return f(*primals, **kwargs), jvp(p.whole(primals, kwargs), p.padded(tangents))

        if jvp:
            f.defjvp(rule)
        if vmap:
            f.def_vmap(jax_batch(vmap, p))
        return f


class JaxVmap(Door):
    """`custom_vmap`: derivatives are those of the function."""

    name, holds = "custom_vmap", frozenset({"vmap"})

    def make(self, body, *, vmap=None, **options):
        f = pb.custom_vmap(body, **options)
        if vmap:
            f.def_vmap(jax_batch(vmap, Parameters(body)))
        return f


class Torch(Door):
    """`Function`: a class, its context keeps arguments and output."""

    name, holds = "Function", frozenset({"vjp", "jvp", "vmap"})

    def make(self, body, *, vjp=None, jvp=None, vmap=None, captured="error"):
        p = Parameters(body)

        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.output = output

        def backward(ctx, *cotangents):
            g = cotangents if type(ctx.output) is tuple else cotangents[0]
            args, count = ctx.saved_tensors, len(ctx.needs_input_grad)
            return p.parted(vjp(args, g, ctx.output), count, p.names[count:])

        members = {"forward": staticmethod(body), "setup_context": staticmethod(setup_context)}
        if vjp:
            members["backward"] = staticmethod(backward)
        if jvp:
            members["jvp"] = staticmethod(lambda ctx, *ts: jvp(ctx.saved_tensors, p.padded(ts)))
        if vmap:
            members["vmap"] = staticmethod(
                lambda info, in_dims, *args, **kwargs: vmap(
                    p.whole(args, kwargs), p.padded(in_dims), info.batch_size
                )
            )
        names = {"__doc__": body.__doc__, "__qualname__": body.__qualname__, "captured": captured}
        return type(body.__name__, (pb.Function,), {**members, **names}).apply


class Tf(Door):
    """`custom_gradient`: the gradient function closes over what it needs."""

    name, holds = "custom_gradient", frozenset({"vjp"})

    def make(self, body, *, vjp=None, **options):
        p = Parameters(body)

        def both(*args, **kwargs):
            out = body(*args, **kwargs)

            def gradient(*cotangents):
                g = cotangents if type(out) is tuple or type(out) is list else cotangents[0]
                return p.parted(vjp(p.whole(args, kwargs), g, out), len(args), kwargs)

            return out, gradient

        both.__signature__, both.__module__ = p.signature, body.__module__
        both.__name__, both.__qualname__, both.__doc__ = body.__name__, body.__qualname__, body.__doc__
        return pb.custom_gradient(both, **options)


DOORS = [Mlx(), JaxVjp(), JaxJvp(), JaxVmap(), Torch(), Tf()]
