"""Kinds of trees with two parts, for the tests of the doors."""

import dataclasses
from collections import namedtuple

import pullback as pb

Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass
class Layer:
    a: pb.array
    b: pb.array
    label: str = "dense"


class Node:
    def __init__(self, a, b):
        self.a, self.b = a, b


class Module:
    def __init__(self, a, b):
        self.a, self.b = a, b


pb.register_tree_node(Node, lambda n: ((n.a, n.b), None), lambda _, ab: Node(*ab))
pb.register_module(Module)


def parts(tree):
    if isinstance(tree, dict):
        return [tree["a"], tree["b"]]
    return list(tree) if isinstance(tree, list) else [tree.a, tree.b]
