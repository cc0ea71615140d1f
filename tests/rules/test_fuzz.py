"""Thousands of malformed results of rules, over all doors: each is an error that names what is wrong.

Then the same function returns what is right, in every other case: so the mistake alone is what was refused,
and the engine works on after the error.
"""

import inspect
import os
import random

import numpy as np
import pullback as pb
import pytest
from malformed import (
    BATCH,
    CLASSES,
    NAMES,
    Bare,
    Layer,
    Leaf,
    Module,
    Other,
    children,
    filled,
    leaves,
    mistake_at,
    no_arrays,
    spellings,
    template,
    unusual,
    whole_numbers,
)

SLOW = os.environ.get("PULLBACK_TESTS") == "slow"
SEEDS = range(200 if SLOW else 10)
# How many malformed results each seed tries.
COUNTS = {"vjp": 450, "jvp": 270, "vmap": 280, "forward": 110}
NAME = "attention"


def total(tree):
    """The sum of all floats in a tree of arrays."""
    found = [x for x in pb.tree.tree_leaves(tree) if isinstance(x, pb.array) and x.dtype.name in FLOATS]
    return sum((x.astype(pb.float64).sum() for x in found), pb.array(0.0, pb.float64))


FLOATS = ("float16", "float32", "float64", "bfloat16")


def body_of(count, outputs):
    """A function of so many arguments, whose outputs all are the sum of what it was given."""

    def output(args):
        summed = total(args)
        return filled(outputs, lambda leaf: (pb.zeros(leaf.shape) + summed).astype(getattr(pb, leaf.dtype)))

    def one(q):
        return output((q,))

    def two(q, k):
        return output((q, k))

    def three(q, k, v):
        return output((q, k, v))

    body = (one, two, three)[count - 1]
    body.__name__ = NAME
    return body


class Case:
    """A function behind a door, of arguments of some structure, whose rule returns what it is told."""

    def __init__(self, rng, kind, door, outputs=None):
        self.rng, self.kind, self.door = rng, kind, door
        count = rng.choice([1, 1, 2, 2, 3])
        while True:
            self.args = tuple(template(rng) for _ in range(count))
            if any(leaf.inexact for leaf in leaves(self.args)):
                break
        self.outputs = outputs
        while self.outputs is None or not any(leaf.inexact for leaf in leaves(self.outputs)):
            self.outputs = template(rng, 2, statics=False)
        self.values = filled(self.args, lambda leaf: whole_numbers(rng, leaf))
        self.returned = None
        self.fun = DOORS[kind][door](self, body_of(count, self.outputs))

    def loss(self, s):
        """Of one number, by which all arguments depend on what is differentiated or mapped."""
        scaled = pb.tree.tree_map(lambda x: x * s.astype(x.dtype) if inexact(x) else x, self.values)
        return total(self.fun(*scaled))

    def run(self, way):
        return WAYS[self.kind][way](self)


def inexact(x):
    return isinstance(x, pb.array) and x.dtype.name in FLOATS


def jax_vjp(case, body):
    f = pb.custom_vjp(body)
    f.defvjp(lambda *args: (body(*args), None), lambda kept, g: case.returned)
    return f


def jax_jvp(case, body):
    f = pb.custom_jvp(body)
    f.defjvp(lambda primals, tangents: case.returned)
    return f


def jax_vmap(case, body):
    f = pb.custom_vmap(body)
    f.def_vmap(lambda size, batched, *args: case.returned)
    return f


def mlx(kind):
    def made(case, body):
        f = pb.custom_function(body, missing="derive")
        getattr(f, kind)(lambda *given: case.returned)
        return f

    return made


def torch(kind):
    def made(case, body):
        def forward(ctx, *args):
            return body(*args)

        parameters = inspect.signature(body).parameters.values()
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        forward.__signature__ = inspect.Signature([context, *parameters])
        methods = {"forward": staticmethod(forward), kind: staticmethod(lambda *_: case.returned)}
        return type(NAME, (pb.Function,), methods).apply

    return made


def tensorflow(case, body):
    def attention(*args):
        return body(*args), lambda *cotangents: case.returned

    attention.__signature__ = inspect.signature(body)
    return pb.custom_gradient(attention)


def jax_forward(case, body):
    f = pb.custom_vjp(body)
    f.defvjp(lambda *args: case.returned(body, args), lambda kept, g: (None,) * len(case.args))
    return f


def tensorflow_forward(case, body):
    def attention(*args):
        return case.returned(body, args)

    return pb.custom_gradient(attention)


DOORS = {
    "vjp": {"mlx": mlx("vjp"), "jax": jax_vjp, "torch": torch("backward"), "tensorflow": tensorflow},
    "jvp": {"mlx": mlx("jvp"), "jax": jax_jvp, "torch": torch("jvp")},
    "vmap": {"mlx": mlx("vmap"), "jax": jax_vmap, "torch": torch("vmap")},
    "forward": {"jax": jax_forward, "tensorflow": tensorflow_forward},
}

ONE = pb.array(1.0, pb.float64)
MANY = pb.ones(BATCH, pb.float64)


def pushed(f, x):
    return pb.jvp(f, [x], [pb.ones_like(x)])[1][0]


REVERSE = {
    "grad": lambda case: pb.grad(case.loss)(ONE),
    "vjp": lambda case: pb.vjp(case.loss, [ONE], [ONE])[1][0],
    "vmap(grad)": lambda case: pb.vmap(pb.grad(case.loss))(MANY)[1],
    "grad(vmap)": lambda case: pb.grad(lambda s: pb.vmap(case.loss)(s).sum())(MANY)[2],
    "compile(grad)": lambda case: pb.compile(pb.grad(case.loss))(ONE),
    "checkpoint": lambda case: pb.grad(pb.checkpoint(case.loss))(ONE),
}
FORWARD = {
    "jvp": lambda case: pushed(case.loss, ONE),
    "vmap(jvp)": lambda case: pb.vmap(lambda s: pushed(case.loss, s))(MANY)[1],
    "jvp(vmap)": lambda case: pushed(pb.vmap(case.loss), MANY)[2],
    "compile(jvp)": lambda case: pb.compile(lambda s: pushed(case.loss, s))(ONE),
}
BATCHED = {
    "vmap": lambda case: pb.vmap(case.loss)(MANY),
    "compile(vmap)": lambda case: pb.compile(pb.vmap(case.loss))(MANY),
    "vjp(vmap)": lambda case: pb.vjp(pb.vmap(case.loss), [MANY], [MANY])[0][0],
}
WAYS = {"vjp": REVERSE, "jvp": FORWARD, "vmap": BATCHED, "forward": REVERSE}


def refused(case, way, texts, errors=pb.RuleError):
    """The way raises an error that names the function, the call, and one of the texts."""
    with pytest.raises(errors) as caught:
        got = case.run(way)
        pytest.fail(f"{way}: {case.args} -> {case.outputs}: accepted {case.returned!r} as {got}")
    said = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    described = f"{case.door}, {way}: {case.args} -> {case.outputs}: {case.returned!r}\n{said}"
    assert NAME in said and any(text in said for text in texts), (texts, described)
    assert f"called at {__file__}:" in said, described


def cases(kind, seed, count=None):
    rng = random.Random(f"{kind} {seed}")
    for _ in range(count or COUNTS[kind]):
        case = Case(rng, kind, rng.choice(list(DOORS[kind])))
        yield rng, case, rng.choice(list(WAYS[kind]))


def right_gradients(case):
    return filled(case.args, lambda leaf: whole_numbers(case.rng, leaf) if leaf.inexact else None)


def summed(tree, numbers):
    """The sum of numbers for the float leaves of a tree."""
    return sum(np.asarray(x).astype("f8").sum() for leaf, x in leaves(tree, numbers) if leaf.inexact)


def slope_of(case, gradients):
    """The derivative of the loss by right gradients of the arguments."""
    values = [x for leaf, x in leaves(case.args, case.values) if leaf.inexact]
    return sum(
        (np.asarray(g).astype("f8") * np.asarray(x).astype("f8")).sum()
        for g, x in zip(gradients, values, strict=True)
    )


def listed(case, gradients):
    """Gradients as the door wants them: one argument's by itself at the door of MLX."""
    return gradients[0] if case.door == "mlx" and len(case.args) == 1 else tuple(gradients)


def counts(case, rng, right):
    """Results of the wrong length, or that are no results at all; and what is said of them."""
    n = len(case.args)
    holders = sum(1 for arg in case.args if leaves(arg))
    texts = [f"vjp rule of '{NAME}' returned "]
    if min(n, holders) == 1:
        # What is no sequence is the gradient of the one argument.
        texts += [f"vjp rule of '{NAME}', argument {name}" for name in NAMES[:n]]
    some = [
        None,
        "zero",
        Bare(),
        {1},
        (i for i in right),
        no_arrays(rng),
        (*right, pb.ones(3)),
        [*right, pb.ones(()), None],
    ]
    some += [list(right)[:i] for i in range(n) if i != holders]
    some += [{name: g for name, g in zip(NAMES, right, strict=False)}]
    if case.door == "torch":
        some[7] = (*right, None, pb.ones(()))
    if case.door == "mlx" and n == 1:
        some = some[:7]
        some[6] = (right[0],) * 5
    return rng.choice(some), texts


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients(seed):
    for rng, case, way in cases("vjp", seed):
        right = right_gradients(case)
        if rng.random() < 0.25:
            case.returned, texts = counts(case, rng, right)
        else:
            i = rng.choice(
                [i for i, arg in enumerate(case.args) if any(leaf.inexact for leaf in leaves(arg))]
            )
            path, _, _, wrong = mistake_at(rng, case.args[i], right[i])
            case.returned = listed(case, [*right[:i], wrong, *right[i + 1 :]])
            texts = [f"vjp rule of '{NAME}', argument {NAMES[i]}{text}" for text in spellings(path)]
            if not path and len(case.args) == 1:
                texts.append(f"vjp rule of '{NAME}' returned ")
        refused(case, way, texts)
        if rng.random() < 0.5:
            continue
        case.returned = listed(case, right)
        want = slope_of(case, [g for leaf, g in leaves(case.args, right) if leaf.inexact])
        assert case.run(way).item() == want


def paired(case, tangents):
    """Tangents as the door wants them: the outputs beside them at the door of JAX."""
    if case.door != "jax":
        return tangents
    return filled(case.outputs, lambda leaf: pb.zeros(leaf.shape, getattr(pb, leaf.dtype))), tangents


@pytest.mark.parametrize("seed", SEEDS)
def test_tangents(seed):
    for rng, case, way in cases("jvp", seed):
        right = filled(case.outputs, lambda leaf: whole_numbers(rng, leaf) if leaf.inexact else None)
        if rng.random() < 0.15:
            whole = [
                None,
                "zero",
                Bare(),
                {1},
                (i for i in range(2)),
                no_arrays(rng),
                (right, right, right, right),
            ]
            if case.door == "jax":
                whole += [(right,), pb.ones(7), [right, right, right]]
            case.returned = rng.choice(whole)
            texts = [
                f"jvp rule of '{NAME}' returned",
                f"jvp rule of '{NAME}': ",
                f"jvp rule of '{NAME}', output",
            ]
        else:
            path, part, _, wrong = mistake_at(rng, case.outputs, right)
            case.returned = paired(case, wrong)
            texts = [f"jvp rule of '{NAME}': output{text}" for text in spellings(path)]
            texts += [f"jvp rule of '{NAME}': expected tangents like the outputs, got "]
            if isinstance(part, Leaf):
                texts += [f"jvp rule of '{NAME}', output {at}: expected {part.dtype}" for at in range(30)]
        refused(case, way, texts)
        if rng.random() < 0.5:
            continue
        case.returned = paired(case, right)
        assert case.run(way).item() == summed(case.outputs, right)


def has_module(tree):
    return isinstance(tree, Module) or any(has_module(child) for _, child in children(tree))


def wrong_axes(rng, case, outputs):
    """A wrong batch for the outputs."""
    mark = True if case.door == "jax" else 0
    axes = filled(case.outputs, lambda leaf: mark)
    one_leaf = isinstance(case.outputs, Leaf)
    whole = [
        None,
        "batch",
        Bare(),
        {1},
        (i for i in range(2)),
        no_arrays(rng),
        outputs if not isinstance(outputs, tuple) else list(outputs),
        (outputs,),
        (outputs, axes, axes),
        [outputs, axes],
        (outputs, "0"),
        (outputs, 0.0),
        (outputs, pb.array(0)),
        (outputs, np.int64(0)),
        (outputs, Bare()),
        (outputs, {1}),
        (outputs, (mark,) * 7),
        (outputs, [mark] * 7),
        (outputs, [[mark]] * 7),
        (outputs, 1 if case.door == "jax" else True),
        (outputs, 0 if case.door == "jax" else False),
        (outputs, rng.choice([9, -9, 2**70, 10**400])),
        (outputs, filled(case.outputs, lambda leaf: rng.choice(["0", 0.5, Bare(), 9, -9, 2**70]))),
        (filled(case.outputs, lambda leaf: pb.ones((BATCH + rng.choice([-1, 1, 7]), *leaf.shape))), axes),
        (filled(case.outputs, lambda leaf: pb.ones(())), axes),
    ]
    if not has_module(case.outputs):
        # Numbers in a module belong to it, and are no outputs.
        whole.append((filled(case.outputs, lambda leaf: 1.0), axes))
    if isinstance(case.outputs, dict):
        whole.append((outputs, {"no such key": mark}))
        whole.append((outputs, {**axes, "no such key": mark}))
        whole.append((outputs, {}))
    if isinstance(case.outputs, list | tuple) or one_leaf:
        whole.append((outputs, {"w": mark}))
    if isinstance(case.outputs, CLASSES):
        whole.append((outputs, (mark, mark)))
        whole.append((outputs, {"weight": mark, "bias": mark}))
        whole.append((outputs, Other(mark, mark)))
    if isinstance(case.outputs, Layer | Module) and case.door != "jax":
        whole.append((outputs, object.__new__(type(case.outputs))))
    return rng.choice(whole)


@pytest.mark.parametrize("seed", SEEDS)
def test_batches(seed):
    texts = [
        f"vmap rule of '{NAME}'{text}" for text in (" returned ", ", axes", ", out_batched", ": output ")
    ]
    for rng, case, way in cases("vmap", seed):
        outputs = filled(case.outputs, lambda leaf: whole_numbers(rng, leaf, (BATCH,)))
        case.returned = wrong_axes(rng, case, outputs)
        refused(case, way, texts)
        if rng.random() < 0.5:
            continue
        case.returned = outputs, True if case.door == "jax" else 0
        got = case.run(way)
        want = [
            sum(
                np.asarray(x)[i].astype("f8").sum()
                for leaf, x in leaves(case.outputs, outputs)
                if leaf.inexact
            )
            for i in range(BATCH)
        ]
        assert got.tolist() == want


@pytest.mark.parametrize("seed", SEEDS)
def test_forward_passes(seed):
    for rng, case, way in cases("forward", seed):
        wrong = rng.choice(
            [
                lambda out: None,
                lambda out: out if not isinstance(out, tuple) else list(out),
                lambda out: (out,),
                lambda out: (out, None, None),
                lambda out: "output",
                lambda out: {out_of(out), 1},
                lambda out: (x for x in (out, None)),
                lambda out: {"output": out, "residuals": None},
                lambda out: Bare(),
                lambda out: no_arrays(rng),
                lambda out: pb.sin,
            ]
        )
        case.returned = lambda body, args: wrong(body(*args))
        if case.door == "jax":
            refused(case, way, [f"forward rule of '{NAME}' returned "])
        else:
            refused(case, way, [f"expected '{NAME}' to return (output, grad_fn), got "], TypeError)
        second = None if case.door == "jax" else lambda *_: (None,) * len(case.args)
        case.returned = lambda body, args: (body(*args), second)
        assert case.run(way).item() == 0


def out_of(out):
    return type(out)


@pytest.mark.parametrize("seed", SEEDS)
def test_unusual_gradients_are_right(seed):
    for rng, case, way in cases("vjp", seed, 100):
        right = right_gradients(case)
        each = [unusual(rng, arg, g) for arg, g in zip(case.args, right, strict=True)]
        values, numbers = [value for value, _ in each], [x for _, found in each for x in found]
        if len(values) == 1:
            # `None` alone is a forgotten return.
            values = right if values[0] is None else values
            numbers = (
                numbers
                if values is not right
                else [g for leaf, g in leaves(case.args, right) if leaf.inexact]
            )
        case.returned = listed(case, values)
        if rng.random() < 0.2 and len(values) > 1:
            case.returned = list(values)
        assert case.run(way).item() == slope_of(case, numbers), (case.args, case.returned, way)


@pytest.mark.parametrize("seed", SEEDS)
def test_unusual_tangents_are_right(seed):
    for rng, case, way in cases("jvp", seed, 60):
        right = filled(case.outputs, lambda leaf: whole_numbers(rng, leaf))
        value, numbers = unusual(rng, case.outputs, right)
        if value is None:
            continue
        case.returned = paired(case, value)
        assert case.run(way).item() == sum(x.sum() for x in numbers), (case.outputs, case.returned, way)


def test_there_are_ten_thousand():
    assert sum(COUNTS.values()) * len(SEEDS) > 10_000
