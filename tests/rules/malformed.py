"""What rules return, right and wrong: random trees of arguments and outputs, and one mistake in each.

A tree is built of `Leaf`s and plain values. A rule's right result is that tree with arrays of small whole
numbers, so that sums of them are exact in every type. A mistake replaces one part of it, and knows what the
message must say of that part.
"""

import dataclasses
import itertools
import math
from collections import namedtuple
from typing import Any, NamedTuple

import numpy as np
import pullback as pb

NAMES = ("q", "k", "v")
BATCH = 3
FLOATS = ("float32", "float32", "float16", "float64")
SHAPES = ((), (3,), (2, 3), (2, 1), (1,), (4, 1, 2))

Pair = namedtuple("Pair", "first second")


@dataclasses.dataclass(repr=False)  # one without its fields is shown in messages too
class Layer:
    weight: Any
    bias: Any
    name: str = "dense"


@dataclasses.dataclass
class Other:
    weight: Any
    bias: Any


class Box:
    """A registered node."""

    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias


pb.register_tree_node(Box, lambda box: ((box.weight, box.bias), None), lambda aux, each: Box(*each))


@pb.register_module
class Module:
    """A tree of its attributes."""

    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias


CLASSES = (Layer, Box, Module)


class Leaf(NamedTuple):
    """The place of an array."""

    shape: tuple
    dtype: str

    @property
    def inexact(self):
        return self.dtype.startswith("float")


class Step(NamedTuple):
    """One step into a tree, and how messages spell it."""

    key: Any
    text: str
    named: str = ""


def template(rng, depth=2, statics=True):
    """A random tree."""
    kind = rng.random()
    if depth == 0 or kind < 0.45:
        if rng.random() < 0.15:
            return Leaf(rng.choice(SHAPES), "int32")
        return Leaf(rng.choice(SHAPES), rng.choice(FLOATS))
    inner = lambda: template(rng, depth - 1, statics)
    if kind < 0.6:
        keys = rng.sample(["w", "b", "a key", 7], rng.randint(1, 3))
        return {key: inner() for key in keys}
    if kind < 0.8:
        items = [inner() for _ in range(rng.randint(1, 3))]
        if statics and rng.random() < 0.3:
            items.insert(rng.randint(0, len(items)), rng.choice([2, 2.5, "text", None]))
        return items if rng.random() < 0.5 else tuple(items)
    return rng.choice([Pair, *CLASSES])(inner(), inner())


def children(tree):
    """The parts of a tree, with the steps that lead there."""
    if isinstance(tree, Leaf):
        return []
    if isinstance(tree, dict):
        return [(Step(key, f"[{key!r}]"), child) for key, child in tree.items()]
    if isinstance(tree, Pair):
        return [(Step(i, f"[{i}]", f".{Pair._fields[i]}"), child) for i, child in enumerate(tree)]
    if isinstance(tree, list | tuple):
        return [(Step(i, f"[{i}]"), child) for i, child in enumerate(tree)]
    if isinstance(tree, CLASSES):
        fields = enumerate(("weight", "bias"))
        return [(Step(name, f".{name}", f"[{i}]"), getattr(tree, name)) for i, name in fields]
    return []


def with_children(tree, new):
    """The tree with other parts, in the same order."""
    if isinstance(tree, dict):
        return dict(zip(tree, new, strict=True))
    if isinstance(tree, Pair):
        return Pair(*new)
    if isinstance(tree, list | tuple):
        return type(tree)(new)
    return type(tree)(*new) if isinstance(tree, CLASSES) else tree


def filled(tree, make):
    """The tree with `make(leaf)` in place of each leaf."""
    if isinstance(tree, Leaf):
        return make(tree)
    return with_children(tree, [filled(child, make) for _, child in children(tree)])


def nodes(tree, path=()):
    """All parts that hold a float, with their paths."""
    if not any(leaf.inexact for leaf in leaves(tree)):
        return []
    return [(path, tree)] + [n for step, child in children(tree) for n in nodes(child, (*path, step))]


def leaves(tree, others=...):
    """The leaves in order; or what stands in their places in another tree, in pairs with them."""
    if isinstance(tree, Leaf):
        return [tree if others is ... else (tree, others)]
    if others is ...:
        return [leaf for _, child in children(tree) for leaf in leaves(child)]
    pairs = zip(children(tree), children(others), strict=True)
    return [leaf for (_, child), (_, other) in pairs for leaf in leaves(child, other)]


def replaced(tree, path, new):
    """The tree with another part at a path."""
    if not path:
        return new
    parts = [
        replaced(child, path[1:], new) if step.key == path[0].key else child for step, child in children(tree)
    ]
    return with_children(tree, parts)


def spellings(path):
    """How a path is written: the fields of a `Pair` by number or by name."""
    found = [""]
    for step in path:
        texts = [step.text, step.named] if step.named else [step.text]
        found = [before + text for before in found for text in texts]
    return found


def whole_numbers(rng, leaf, batch=()):
    """An array of small whole numbers."""
    shape = (*batch, *leaf.shape)
    numbers = [rng.randint(-4, 4) for _ in range(math.prod(shape))]
    return pb.array(np.reshape(np.array(numbers, leaf.dtype), shape), getattr(pb, leaf.dtype))


def fits(shape, wanted):
    """Whether a shape broadcasts to the wanted one."""
    tail = wanted[len(wanted) - len(shape) :]
    return len(shape) <= len(wanted) and all(a in (1, b) for a, b in zip(shape, tail, strict=True))


def misshaped(rng, leaf):
    """A shape that does not broadcast to that of the leaf."""
    choices = [*SHAPES, (5,), (2, 3, 1), (1, *leaf.shape), (0,), (*leaf.shape, 2), (3, 2)]
    return rng.choice([shape for shape in choices if not fits(shape, leaf.shape)])


class Mistake(NamedTuple):
    """What a rule returns instead, and what the message says of it: one of several texts."""

    what: str
    value: Any
    texts: tuple


class Bare:
    """An object of no use."""


class Endless:
    """Something that has no end, and says that it is long."""

    def __len__(self):
        return 2**40

    def __iter__(self):
        return itertools.count()

    def __getitem__(self, i):
        return 1.0


LOOP: list = []
LOOP.append(LOOP)


def no_arrays(rng):
    """What can stand for no array at all."""
    return rng.choice(
        [
            "zero",
            b"zero",
            Bare(),
            Bare,
            {1, 2},
            frozenset(),
            (i for i in range(3)),
            range(3),
            pb.sin,
            pb.float32,
            np.array(["a"] * 3),
            np.array([None] * 3),
            ValueError("returned, not raised"),
            memoryview(b"abc"),
            slice(None),
            Ellipsis,
            Endless(),
            itertools.count(),
            LOOP,
            NotImplemented,
            2**70,
            -(10**400),
        ]
    )


def wrong_leaf(rng, leaf, right):
    """A mistake in the place of one float array: what it is, and what stands there."""
    kind = getattr(pb, leaf.dtype)
    return rng.choice(
        [
            ("shape", lambda: pb.ones(misshaped(rng, leaf), kind)),
            ("NumPy shape", lambda: np.ones(misshaped(rng, leaf), leaf.dtype)),
            ("complex", lambda: pb.zeros(leaf.shape, pb.complex64)),
            ("complex number", lambda: 1j),
            ("integers", lambda: pb.zeros(leaf.shape, pb.int32)),
            ("booleans", lambda: pb.zeros(leaf.shape, pb.bool_)),
            ("NumPy integers", lambda: np.zeros((*leaf.shape,), "i8")),
            ("no array", lambda: no_arrays(rng)),
            ("no array", lambda: no_arrays(rng)),
            ("in a list", lambda: [right]),
            ("in two lists", lambda: [[right]]),
            ("two", lambda: [right, right]),
            ("in a dict", lambda: {"w": right}),
            ("empty dict", lambda: {}),
            ("in an object", lambda: Layer(right, right)),
        ]
    )


def wrong_node(rng, tree, right):
    """A mistake in the place of a part that holds arrays."""
    some = [
        ("an array", lambda: pb.ones(3)),
        ("a number", lambda: 1.0),
        ("no array", lambda: no_arrays(rng)),
        ("in a list", lambda: [right]),
        ("in an object", lambda: Other(right, right)),
    ]
    if isinstance(tree, dict):
        last = next(reversed(right))
        some += [
            ("missing key", lambda: {key: right[key] for key in right if key != last}),
            ("strange key", lambda: {**right, "z": pb.zeros(())}),
            ("other key", lambda: {("z" if key == last else key): right[key] for key in right}),
            ("a list", lambda: list(right.values())),
            ("its keys", lambda: right.keys()),
        ]
    elif isinstance(tree, list | tuple):
        some += [
            ("short", lambda: list(right)[:-1]),
            ("long", lambda: [*right, pb.zeros(())]),
            ("empty", lambda: []),
            ("a dict", lambda: dict(enumerate(right))),
            ("an iterator", lambda: iter(right)),
        ]
    else:
        some += [
            ("another class", lambda: Other(right.weight, right.bias)),
            ("a class of it", lambda: type(tree)),
            ("a list that is short", lambda: [right.weight]),
            ("a dict with a strange key", lambda: {**vars(right), "z": pb.zeros(())}),
        ]
    if isinstance(tree, Layer | Module):
        some.append(("a class without its fields", lambda: object.__new__(type(tree))))
    if isinstance(tree, Layer):
        some += [("a dict", lambda: vars(right)), ("a list", lambda: [right.weight, right.bias])]
    return rng.choice(some)


def mistake_at(rng, tree, right):
    """One mistake in a right result: its path, the part that is there, and what was put there."""
    path, part = rng.choice(nodes(tree))
    here = right
    for step in path:
        here = here[step.key] if isinstance(here, dict | list | tuple) else getattr(here, step.key)
    wrong = wrong_leaf if isinstance(part, Leaf) else wrong_node
    what, value = wrong(rng, part, here)
    return path, part, what, replaced(right, path, value())


# Results that are unusual and right.


def unusual_leaf(rng, leaf, right):
    """Something else for an array, and the numbers that it stands for."""
    if not leaf.inexact:
        return rng.choice([None, 0, 2.5, right, pb.zeros(leaf.shape), np.zeros(leaf.shape)]), None
    k = rng.randint(-4, 4)
    full = lambda value: np.broadcast_to(np.asarray(value, "f8"), leaf.shape)
    numbers = np.asarray(right).astype("f8")
    shape = tuple(rng.choice([1, n]) for n in leaf.shape)[rng.randint(0, len(leaf.shape)) :]
    narrow = np.array([rng.randint(-4, 4) for _ in range(math.prod(shape))], "f4").reshape(shape)
    width = getattr(pb, rng.choice(["float16", "bfloat16", "float32", "float64"]))
    return rng.choice(
        [
            (None, full(0)),
            (k, full(k)),
            (float(k), full(k)),
            (k > 0, full(k > 0)),
            (np.float32(k), full(k)),
            (np.float64(k), full(k)),
            (np.array(k, "f2"), full(k)),
            (numbers, numbers),
            (numbers.astype("f2"), numbers),
            (numbers[..., None].repeat(2, -1)[..., 1], numbers),
            (right.astype(width), numbers),
            (pb.array(narrow), full(narrow)),
            (narrow, full(narrow)),
            (pb.array(narrow).astype(width), full(narrow)),
        ]
    )


def unusual(rng, tree, right):
    """A tree that is right in an unusual way, and the numbers of its float arrays in order."""
    if isinstance(tree, Leaf):
        value, numbers = unusual_leaf(rng, tree, right)
        return value, [numbers] if tree.inexact else []
    if not leaves(tree):
        return rng.choice([None, tree]), []
    if rng.random() < 0.1:
        return None, [np.zeros(leaf.shape) for leaf in leaves(tree) if leaf.inexact]
    each = [
        unusual(rng, child, part)
        for (_, child), (_, part) in zip(children(tree), children(right), strict=True)
    ]
    values, numbers = [value for value, _ in each], [x for _, found in each for x in found]
    if isinstance(tree, list | tuple):
        return rng.choice([list, tuple])(values), numbers
    if isinstance(tree, dict) and rng.random() < 0.5:
        return dict(reversed(list(zip(tree, values, strict=True)))), numbers
    return with_children(tree, values), numbers
