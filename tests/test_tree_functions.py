"""`pb.tree` and `pb.utils`."""

import pullback as pb
import pytest
from nodes import Box, Layer, Model, Pair


def test_functions_of_trees():
    tree = pb.tree
    value = {"m": Layer(1.0, 2), "p": Pair(1, [2, None])}
    assert tree.tree_leaves(value) == [1, 2]
    assert tree.tree_leaves(value, is_leaf=lambda x: isinstance(x, list)) == [1, [2, None]]
    leaves, structure = tree.tree_flatten((1, Box("x"), None))
    assert leaves == [1, "x"] and repr(structure) == "TreeDef((*, Box[None](*), None))"
    assert structure == tree.tree_structure((5, Box(6), None)) and structure.num_leaves == 2
    assert structure != tree.tree_structure((5, [6], None)) and structure != 3
    assert hash(structure) == hash(tree.tree_structure((5, Box(6), None)))
    with pytest.raises(ValueError, match="expected 2 leaves, got 1"):
        tree.tree_unflatten(structure, [1])
    assert structure.paths() == [(0,), (1, "value")]
    model = Model()
    names = tree.tree_structure(model).names("model")
    assert names == [
        "model.layers[0].weight",
        "model.layers[0].bias",
        "model.layers[1].weight",
        "model.table['gain']",
    ]
    got = tree.tree_map(lambda x, y: (x, y), Pair(1, 2), Pair([3], {}))
    assert (got.a, got.b) == ((1, [3]), (2, {}))
    for other, text in [
        (Pair(1, 2, "u"), "with the same aux"),
        ([1, 2], "tree: expected a Pair, got a list of 2"),
    ]:
        with pytest.raises(ValueError, match=text):
            tree.tree_map(lambda x, y: x, Pair(1, 2), other)
    with pytest.raises(ValueError, match=r"tree\['a'\]: expected a list of 2, got a tuple of 2"):
        tree.tree_map(lambda x, y: x, {"a": [1, 2]}, {"a": (1, 2)})
    with pytest.raises(ValueError, match="expected a dict with 1 keys"):
        tree.tree_map(lambda x, y: x, {"a": 1}, {"a": 1, "b": 2})
    assert tree.tree_reduce(lambda x, y: x + y, [1, [2]], 10) == 13
    assert tree.tree_map_with_path(lambda path, x: path, Pair(1, 2)).b == ("b",)


def test_functions_of_trees_as_mlx_has_them():
    utils = pb.utils
    model = Model()
    flat = utils.tree_flatten(model)
    assert [key for key, _ in flat] == ["layers.0.weight", "layers.0.bias", "layers.1.weight", "table.gain"]
    assert utils.tree_flatten({"a": None, "b": (1,)}) == [("a", None), ("b.0", 1)]
    assert utils.tree_flatten([1], prefix=".x") == [("x.0", 1)]
    tree = {"a": [1, {"b": 2}], "c": 3}
    assert utils.tree_unflatten(utils.tree_flatten(tree)) == tree
    assert utils.tree_unflatten([("", 4)]) == 4 and utils.tree_unflatten({"1": 2}) == [{}, 2]
    assert utils.tree_map(lambda x: x is None, [None, 1]) == [True, False]
    assert utils.tree_map_with_path(lambda p, x: p, {"a": [0]}, path="m") == {"a": ["m.a.0"]}
    assert utils.tree_reduce(lambda x, y: x + y, tree) == 6 and utils.tree_reduce(max, []) is None
    assert utils.tree_merge([1, None], [None, 2, 3]) == [1, 2, 3]
    with pytest.raises(ValueError, match="give a merge_fn"):
        utils.tree_merge({"a": 1}, {"a": 2})
