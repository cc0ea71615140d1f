"""Functions that move, join, pick and make elements, against NumPy."""

import inspect
import itertools
import pathlib

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import DTYPES, NUMPY_DTYPES, bfloat16, exactly, layouts, near, numpy, same, values

# One expression for both libraries: `m` is one of them, `x` an array of shape (2, 3, 4).
MOVES = {
    "reshape": lambda m, x: m.reshape(x, (4, 6)),
    "reshape -1": lambda m, x: m.reshape(x, (3, -1)),
    "reshape to itself": lambda m, x: m.reshape(x, (2, 3, 4)),
    "reshape with ones": lambda m, x: m.reshape(x, (1, 2, 1, 3, 4, 1)),
    "transpose": lambda m, x: m.transpose(x),
    "transpose axes": lambda m, x: m.transpose(x, (1, 2, 0)),
    "transpose negative": lambda m, x: m.transpose(x, (-1, 0, 1)),
    "swapaxes": lambda m, x: m.swapaxes(x, 0, -1),
    "moveaxis": lambda m, x: m.moveaxis(x, 0, -1),
    "moveaxis back": lambda m, x: m.moveaxis(x, -1, 0),
    "expand_dims": lambda m, x: m.expand_dims(x, 1),
    "expand_dims two": lambda m, x: m.expand_dims(x, (0, -1)),
    "squeeze": lambda m, x: m.squeeze(m.reshape(x, (1, 2, 3, 1, 4))),
    "squeeze one": lambda m, x: m.squeeze(m.reshape(x, (1, 2, 3, 1, 4)), 0),
    "squeeze two": lambda m, x: m.squeeze(m.reshape(x, (1, 2, 3, 1, 4)), (0, -2)),
    "flip all": lambda m, x: m.flip(x),
    "flip one": lambda m, x: m.flip(x, 1),
    "flip two": lambda m, x: m.flip(x, (0, -1)),
    "roll all": lambda m, x: m.roll(x, 5),
    "roll one": lambda m, x: m.roll(x, -1, 1),
    "roll two": lambda m, x: m.roll(x, (1, -7), (0, 2)),
    "tile": lambda m, x: m.tile(x, (2, 1, 3)),
    "tile more": lambda m, x: m.tile(x, (2, 1, 1, 2)),
    "tile one": lambda m, x: m.tile(x, 2),
    "repeat": lambda m, x: m.repeat(x, 3, 1),
    "repeat all": lambda m, x: m.repeat(x, 2),
    "pad": lambda m, x: m.pad(x, ((0, 1), (2, 0), (1, 1))),
    "pad all": lambda m, x: m.pad(x, 2),
    "pad pair": lambda m, x: m.pad(x, (1, 2)),
    "pad edge": lambda m, x: m.pad(x, ((1, 1), (0, 0), (2, 1)), mode="edge"),
    "pad value": lambda m, x: m.pad(x, 1, constant_values=1),
    "concatenate": lambda m, x: m.concatenate([x, x, x[:1]], 0),
    "concatenate last": lambda m, x: m.concatenate([x[..., :1], x], -1),
    "concatenate flat": lambda m, x: m.concatenate([x, x], None),
    "stack": lambda m, x: m.stack([x, x]),
    "stack last": lambda m, x: m.stack([x, m.flip(x)], -1),
    "split": lambda m, x: m.split(x, 2, 2)[1],
    "split at": lambda m, x: m.split(x, [1, 2], 1)[1],
    "diagonal": lambda m, x: m.diagonal(x),
    "diagonal off": lambda m, x: m.diagonal(x, 1, 1, 2),
    "diagonal below": lambda m, x: m.diagonal(x, -1, 2, 0),
    "diag": lambda m, x: m.diag(x[0]),
    "diag off": lambda m, x: m.diag(x[0], -1),
    "diag of a vector": lambda m, x: m.diag(x[0, 0], 1),
    "tril": lambda m, x: m.tril(x),
    "tril below": lambda m, x: m.tril(x, -1),
    "triu": lambda m, x: m.triu(x),
    "triu above": lambda m, x: m.triu(x, 2),
    "broadcast_to": lambda m, x: m.broadcast_to(x[:, :1], (5, 2, 3, 4)),
    "broadcast_arrays": lambda m, x: m.broadcast_arrays(x, x[:1], x[0, 0])[1],
    "flatten": lambda m, x: m.reshape(x, -1) if m is np else m.flatten(x),
    "unflatten": lambda m, x: np.reshape(x, (2, 3, 2, 2)) if m is np else m.unflatten(x, -1, (2, -1)),
    "where": lambda m, x: m.where(x == x[:, :1], x, x[::-1]),
    "take": lambda m, x: m.take(x, m.array([2, 0, 0, -1]), 1),
    "take flat": lambda m, x: m.take(x, m.array([23, 0, 5])),
    "take matrix": lambda m, x: m.take(x, m.array([[1, 0], [3, 3]]), axis=-1),
    "take_along_axis": lambda m, x: m.take_along_axis(x, m.array([[[0, 1, 1, 0]], [[1, 1, 0, 2]]]), 1),
}


@pytest.mark.parametrize("dtype", ["float32", "bool", "int8", "uint64", "float16", "complex64"])
@pytest.mark.parametrize("what", MOVES)
def test_moves(what, dtype, device):
    x = values(dtype, (2, 3, 4))
    want = MOVES[what](np, x)
    for layout, arranged in layouts(x, device):
        got = MOVES[what](pb, arranged)
        assert got.shape == want.shape, layout
        np.testing.assert_array_equal(numpy(got), want, err_msg=layout)


@pytest.mark.parametrize("what", MOVES)
def test_moves_within_larger_programs(what):
    """The result of a move is read by arithmetic before anything is computed."""
    x = values("float32", (2, 3, 4))
    got = MOVES[what](pb, pb.exp(pb.array(x)) * 2) + 1
    near(got, MOVES[what](np, np.exp(x) * 2) + 1, 1e-5)


EMPTY = [
    ("reshape", lambda m, x: m.reshape(x, (3, 0, 2))),
    ("transpose", lambda m, x: m.transpose(x)),
    ("flip", lambda m, x: m.flip(x)),
    ("concatenate", lambda m, x: m.concatenate([x, x], 1)),
    ("stack", lambda m, x: m.stack([x, x])),
    ("pad", lambda m, x: m.pad(x, 1)),
    ("tile", lambda m, x: m.tile(x, (1, 2))),
    ("repeat", lambda m, x: m.repeat(x, 2, 0)),
    ("sort", lambda m, x: m.sort(x, 0)),
    ("cumsum", lambda m, x: m.cumsum(x, 0)),
    ("where", lambda m, x: m.where(x > 0, x, x)),
    ("broadcast_to", lambda m, x: m.broadcast_to(x, (2, 0, 3))),
    ("exp", lambda m, x: m.exp(x) + 1),
]


@pytest.mark.parametrize(("what", "fun"), EMPTY, ids=[what for what, _ in EMPTY])
def test_nothing(what, fun, device):
    x = np.zeros((0, 3), "f4")
    same(fun(pb, pb.array(x)), fun(np, x))


def fits_in_float(kind):
    return {"u": 200, "i": 100, "f": 100, "b": 1, "c": 100}[kind]


@pytest.mark.parametrize(("source", "target"), list(itertools.product(NUMPY_DTYPES, repeat=2)))
def test_casts(source, target, device):
    x = values(source, (3, 5), low=0 if target.startswith("uint") else None, high=None)
    if np.dtype(source).kind in "fc" and target.startswith("uint"):
        x = np.abs(x)
    with np.errstate(invalid="ignore"):
        want = (x.real if np.iscomplexobj(x) and target != "complex64" and target != "bool" else x).astype(
            target
        )
    for _, arranged in layouts(x, device):
        got = arranged.astype(target)
        same(got, want)
    same(pb.astype(exactly(x), target), want)


def test_casts_to_bfloat16_round_to_even(device):
    x = values("float32", (1000,)) * 100
    np.testing.assert_array_equal(numpy(pb.array(x).astype(pb.bfloat16)), bfloat16(x))


@pytest.mark.parametrize(("source", "target"), [("float32", "int32"), ("int32", "float32")])
def test_views_of_bits(source, target):
    x = values(source, (3, 4))
    same(pb.view(pb.array(x), target), x.view(target))
    same(pb.array(x).view(target), x.view(target))
    same(pb.array(x).view(target).view(source), x)


@pytest.mark.xfail(strict=True, reason="halves travel as float32, which rewrites the bits of NaNs")
def test_bits_that_are_nans_survive_a_view_as_halves():
    x = np.array([-14, 32000, 5], "int16")
    same(pb.array(x).view(pb.float16).view(pb.int16), x)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_trace(dtype):
    x = values(dtype, (3, 4, 3))
    near(pb.trace(pb.array(x[:, :, 0])), np.trace(x[:, :, 0]), 1e-5)
    near(pb.trace(pb.array(x), 1, 0, 2), np.trace(x, 1, 0, 2), 1e-5)


MAKERS = {
    "arange": lambda m: m.arange(5),
    "arange of none": lambda m: m.arange(0),
    "arange steps": lambda m: m.arange(2, 9, 3),
    "arange down": lambda m: m.arange(9, 2, -2),
    "arange floats": lambda m: m.arange(1.0, 0.0, -0.25),
    "arange mixed": lambda m: m.arange(0, 1, 0.25),
    "linspace": lambda m: m.linspace(-1, 1, 7),
    "linspace one": lambda m: m.linspace(2, 5, 1),
    "linspace none": lambda m: m.linspace(2, 5, 0),
    "eye": lambda m: m.eye(3),
    "eye off": lambda m: m.eye(3, 4, 1),
    "eye below": lambda m: m.eye(4, 3, -2),
    "identity": lambda m: m.identity(3),
    "tri": lambda m: m.tri(3, 4, -1),
    "full": lambda m: m.full((2, 2), 3.5),
    "full of arrays": lambda m: m.full((2, 3), m.array([1.0, 2.0, 3.0])),
    "zeros": lambda m: m.zeros((2, 0)),
    "ones": lambda m: m.ones(3),
}


@pytest.mark.parametrize("what", MAKERS)
def test_makers(what, device):
    near(MAKERS[what](pb), MAKERS[what](np), 1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_makers_with_a_type(dtype):
    kind = getattr(pb, dtype)
    for made in (
        pb.zeros((2, 3), kind),
        pb.ones((2, 3), kind),
        pb.full((2, 3), 1, kind),
        pb.eye(2, 3, dtype=kind),
    ):
        assert made.dtype == kind and made.shape == (2, 3)
    x = pb.ones((2, 3), kind)
    for like in (pb.zeros_like(x), pb.ones_like(x), pb.full_like(x, 1)):
        assert like.dtype == kind and like.shape == (2, 3)
    if dtype not in ("bool_", "complex64"):
        assert pb.arange(3, dtype=kind).dtype == kind
        near(pb.arange(3, dtype=kind), [0, 1, 2])


def test_bounds(device):
    x = values("float32", (3, 4))
    for low, high in [(-0.5, 0.5), (None, 0.0), (0.0, None), (np.float32(0.2), 1)]:
        near(pb.clip(pb.array(x), low, high), np.clip(x, low, high))
    low = values("float32", (4,), 1) - 1
    near(pb.clip(pb.array(x), pb.array(low), pb.array(low + 1)), np.clip(x, low, low + 1))
    same(pb.clip(pb.array([1, 5, 9]), 2, 8), np.array([2, 5, 8], "int32"))


@pytest.mark.parametrize("decimals", [-1, 0, 1, 3])
def test_rounding(decimals):
    x = values("float32", (50,)) * 30
    near(pb.round(pb.array(x), decimals), np.round(x.astype("f8"), decimals), 1e-4)
    near(pb.round(pb.array([0.5, 1.5, 2.5, -0.5])), [0.0, 2.0, 2.0, 0.0])


def test_put_along_axis(device):
    x = values("float32", (3, 4))
    for axis, at in [(1, [[0], [3], [1]]), (0, [[0, 2, 1, 0]])]:
        want = x.copy()
        np.put_along_axis(want, np.array(at), 9.0, axis)
        near(pb.put_along_axis(pb.array(x), pb.array(at), pb.array(9.0), axis), want)


def test_comparisons_of_whole_arrays():
    x = values("float32", (3, 4))
    y = x.copy()
    y[1, 2] += 1e-4
    for rtol, atol in [(1e-5, 1e-8), (1e-2, 1e-2)]:
        np.testing.assert_array_equal(
            numpy(pb.isclose(pb.array(x), pb.array(y), rtol, atol)), np.isclose(x, y, rtol, atol)
        )
        assert pb.allclose(pb.array(x), pb.array(y), rtol, atol).item() == np.allclose(x, y, rtol, atol)
    nan = pb.array([1.0, np.nan])
    assert not pb.allclose(nan, nan).item() and pb.allclose(nan, nan, equal_nan=True).item()
    assert not pb.array_equal(nan, nan).item() and pb.array_equal(nan, nan, equal_nan=True).item()
    assert not pb.array_equal(pb.zeros(2), pb.zeros(3)).item()
    infinities = pb.array([np.inf, -np.inf])
    np.testing.assert_array_equal(numpy(pb.isclose(infinities, pb.array([np.inf, np.inf]))), [True, False])


def test_shapes_that_broadcast():
    assert pb.broadcast_shapes((3, 1), (1, 4), (4,)) == (3, 4)
    assert pb.broadcast_shapes() == ()
    with pytest.raises(ValueError, match="broadcast"):
        pb.broadcast_shapes((3,), (4,))


@given(st.lists(st.integers(0, 4), max_size=4), st.integers(0, 9), st.data())
def test_transposed_then_reshaped(shape, seed, data):
    """Reshaping what does not lie in order has to move elements."""
    x = values("float32", tuple(shape), seed)
    order = data.draw(st.permutations(range(x.ndim)))
    want = x.transpose(order)
    factors = [n for n in want.shape for _ in (0,)]
    to = data.draw(st.permutations(factors))
    got = pb.reshape(pb.transpose(pb.array(x), order), to)
    np.testing.assert_array_equal(numpy(got), want.reshape(to))


SPECIAL = {
    # Tested elsewhere, or not functions of arrays.
    "async_eval", "checkpoint", "compile", "custom_function", "default_device", "default_stream", "eval",
    "explain", "from_dlpack", "grad", "info", "is_available", "jvp", "set_default_device", "stop_gradient",
    "stream",
    "synchronize", "table", "value_and_grad", "vjp", "vmap", "array", "zeros_like", "ones_like", "full_like",
    "asarray", "concat", "permute_dims", "pow", "astype", "view",
    "register_module", "register_tree_node", "register_tree_node_class", "once_differentiable",
    "sequential_vmap",
}  # fmt: skip


ALIASES = {
    "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
    "atan2": "arctan2", "atanh": "arctanh", "concat": "concatenate", "permute_dims": "transpose",
    "pow": "power", "jacobian": "jacrev", "remat": "checkpoint",
}  # fmt: skip


@pytest.mark.parametrize("alias", ALIASES)
def test_other_names(alias):
    assert getattr(pb, alias) is getattr(pb, ALIASES[alias])


def test_every_public_function_is_in_some_test():
    """A function that is added to the package must be added to a test."""
    tests = pathlib.Path(__file__).parent.rglob("test_*.py")
    text = "\n".join(test.read_text() for test in tests)
    public = [name for name in pb.__all__ if callable(getattr(pb, name)) and not name[0].isupper()]
    missing = [
        name
        for name in public
        if name not in SPECIAL
        and name not in ALIASES
        and not inspect.isclass(getattr(pb, name))
        and f'"{name}"' not in text
        and f"pb.{name}(" not in text
        and f"m.{name}(" not in text
    ]
    assert missing == []
