"""Every function says `[name] expected ..., got ...` of whatever does not fit, and the engine works on."""

import re

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import near, values

ROWS = {row["name"]: row for row in pb.table()}
UNARY = [name for name, row in ROWS.items() if row["api"] == "unary"]
BINARY = [name for name, row in ROWS.items() if row["api"] == "binary"]
REDUCTIONS = ["sum", "prod", "max", "min", "mean", "var", "std", "any", "all", "logsumexp"]
ONE_AXIS = ["argmax", "argmin", "cumsum", "cumprod", "cummax", "cummin", "sort", "argsort", "softmax"]


def refused(call, error, name, *words):
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value).splitlines()[0]
    assert re.match(rf"^\[{name}\] expected .+, got .+", text), text
    for word in words:
        assert word in text, text
    # The engine works on, inside and outside of transforms.
    assert pb.grad(lambda x: (x * x).sum())(pb.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert (pb.vmap(lambda x: x + 1)(pb.array([1.0]))).tolist() == [2.0]


def test_the_table_has_all_kinds():
    assert len(UNARY) > 30 and len(BINARY) > 20


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name):
    fun = getattr(pb, name)
    for wrong in ("text", None, object(), {"a": 1}):
        refused(lambda wrong=wrong: fun(wrong), TypeError, name)
    with pytest.raises(TypeError, match=f"{name}\\(\\) takes 1 positional argument"):
        fun(1.0, 2.0)
    with pytest.raises(TypeError, match=f"{name}\\(\\) got an unexpected keyword argument 'axis'"):
        fun(1.0, axis=0)


@pytest.mark.parametrize("name", BINARY)
def test_shapes_that_do_not_broadcast(name):
    fun = getattr(pb, name)
    kind = (
        pb.int32 if "integer" in ROWS[name]["dtypes"] and "float" not in ROWS[name]["dtypes"] else pb.float32
    )
    x, y = pb.ones((2, 3), kind), pb.ones((4,), kind)
    refused(lambda: fun(x, y), ValueError, name, "broadcast", "(2, 3)", "(4,)")
    with pytest.raises(TypeError):
        fun(x, "text")
    with pytest.raises(TypeError):
        fun(x)


@pytest.mark.parametrize("name", ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"])
def test_bits_of_floats(name):
    refused(lambda: getattr(pb, name)(pb.ones(2), pb.ones(2)), TypeError, name, "float32")


@pytest.mark.parametrize("axis", [2, -3, 100])
@pytest.mark.parametrize("name", REDUCTIONS + ONE_AXIS)
def test_axes_that_are_not_there(name, axis):
    x = pb.ones((2, 3))
    refused(lambda: getattr(pb, name)(x, axis=axis), ValueError, name, str(axis))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_axes_named_twice(name):
    refused(lambda: getattr(pb, name)(pb.ones((2, 3)), axis=(0, 0)), ValueError, name, "twice")
    refused(lambda: getattr(pb, name)(pb.ones((2, 3)), axis=(1, -1)), ValueError, name, "twice")


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_nothing_to_choose_from(name):
    refused(lambda: getattr(pb, name)(pb.zeros((0, 3)), axis=0), ValueError, name)
    assert getattr(pb, name)(pb.zeros((0, 3)), axis=1).shape == (0,)


MOVES = {
    "reshape": lambda: pb.reshape(pb.zeros(6), (4, 2)),
    "transpose": lambda: pb.transpose(pb.zeros((2, 3)), (0, 0)),
    "swapaxes": lambda: pb.swapaxes(pb.zeros((2, 3)), 0, 2),
    "moveaxis": lambda: pb.moveaxis(pb.zeros((2, 3)), 5, 0),
    "squeeze": lambda: pb.squeeze(pb.zeros((2, 1)), 0),
    "expand_dims": lambda: pb.expand_dims(pb.zeros(2), 5),
    "flatten": lambda: pb.flatten(pb.zeros((2, 3)), 1, 5),
    "unflatten": lambda: pb.unflatten(pb.zeros((2, 3)), 1, (2, 2)),
    "flip": lambda: pb.flip(pb.zeros(2), 1),
    "roll": lambda: pb.roll(pb.zeros(2), 1, 1),
    "broadcast_to": lambda: pb.broadcast_to(pb.zeros(2), (3,)),
    "concatenate": lambda: pb.concatenate([pb.zeros((2, 3)), pb.zeros((2, 4))], 0),
    "stack": lambda: pb.stack([pb.zeros(2), pb.zeros(3)]),
    "split": lambda: pb.split(pb.zeros(5), 2),
    "repeat": lambda: pb.repeat(pb.zeros(2), 2, 1),
    "pad": lambda: pb.pad(pb.zeros(2), ((1, 1), (1, 1))),
    "diagonal": lambda: pb.diagonal(pb.zeros(2)),
    "diag": lambda: pb.diag(pb.zeros((2, 2, 2))),
    "matmul": lambda: pb.zeros((2, 3)) @ pb.zeros((2, 3)),
    "take": lambda: pb.take(pb.zeros(3), pb.array([0]), 1),
    "take_along_axis": lambda: pb.take_along_axis(pb.zeros((2, 3)), pb.array([[0]]), 2),
    "topk": lambda: pb.topk(pb.zeros(3), 4),
    "tensordot": lambda: pb.tensordot(pb.zeros((2, 3)), pb.zeros((2, 3)), 1),
    "inner": lambda: pb.inner(pb.zeros(2), pb.zeros(3)),
    "clip": lambda: pb.clip(pb.zeros(2)),
    "where": lambda: pb.where(pb.zeros(2), pb.zeros(3), pb.zeros(4)),
    "view": lambda: pb.view(pb.zeros(2, pb.int8), pb.int32),
    "arange": lambda: pb.arange(0, 1, 0),
}


@pytest.mark.parametrize("name", MOVES)
def test_shapes_that_do_not_fit(name):
    with pytest.raises((ValueError, TypeError)) as caught:
        MOVES[name]()
    text = str(caught.value).splitlines()[0]
    assert re.match(r"^\[\w+\] expected .+, got .+", text), text
    near(pb.ones(2) + 1, [2.0, 2.0])


def test_types():
    for wrong in ("float31", "int", 3, None, object()):
        if wrong == "int" or wrong is None:
            continue
        refused(lambda wrong=wrong: pb.zeros(2).astype(wrong), TypeError, "astype", "float32")
    refused(lambda: -pb.array(True), TypeError, "negative", "bool")


RAGGED = [[[1, 2], [3]], [1, [2]], [[1], 2], [[[1]], [[1, 2]]], [[], [1]], [np.ones(2), np.ones(3)]]


@pytest.mark.parametrize("value", RAGGED, ids=repr)
def test_ragged_lists(value):
    refused(lambda: pb.array(value), ValueError, "array", "pad the short ones")


@pytest.mark.parametrize(
    "value",
    ["text", None, {}, {1, 2}, pytest.param(object(), id="object()"), ["a"], [None], [[1], ["a"]], b"x"[:0]],
    ids=repr,
)
def test_what_is_no_array(value):
    if value == b"":
        return
    with pytest.raises(TypeError) as caught:
        pb.array(value)
    assert "expected" in str(caught.value) and "got" in str(caught.value)


def test_integers_that_do_not_fit():
    for value in (2**64, -(2**63) - 1, [1, 2**70]):
        with pytest.raises(OverflowError, match=r"\[array\] expected an integer of 64 bits, got"):
            pb.array(value)


LOSSES = {
    "shape": (lambda x: x, pb.ones(2), ValueError, "float32[2]"),
    "integers": (lambda x: pb.argmax(x), pb.ones(2), TypeError, "uint32"),
    "None": (lambda x: None, pb.ones(2), TypeError, "NoneType"),
    "number": (lambda x: 1.0, pb.ones(2), TypeError, "float"),
    "list": (lambda x: [x.sum()], pb.ones(2), TypeError, "list"),
    "integer argument": (lambda x: x.sum(), pb.array([1, 2]), TypeError, "int32[2]"),
    "text": (lambda x: x, "text", TypeError, "str"),
    "tree without arrays": (lambda x: x, {"a": None}, TypeError, "dict"),
}


@pytest.mark.parametrize("what", LOSSES)
@pytest.mark.parametrize("name", ["grad", "value_and_grad"])
def test_losses(name, what):
    fun, x, error, word = LOSSES[what]
    with pytest.raises(error) as caught:
        getattr(pb, name)(fun)(x)
    text = str(caught.value)
    assert re.match(r"^\[(grad|value_and_grad)\] expected .+, got .+", text) and word in text, text


@pytest.mark.parametrize("name", ["grad", "value_and_grad", "vmap", "compile", "checkpoint"])
def test_what_cannot_be_called(name):
    for wrong in (3, "f", None, pb.ones(2)):
        refused(lambda wrong=wrong: getattr(pb, name)(wrong), TypeError, name, "a function")
    for transform in (pb.vjp, pb.jvp):
        with pytest.raises(TypeError, match="expected a function"):
            transform(3, [pb.ones(2)], [pb.ones(2)])


def test_seeds_that_do_not_fit():
    x = pb.ones(3)
    for seeds in ([], [x, x], [pb.ones(2)], [pb.ones(3, pb.int32)]):
        for name, transform in (("vjp", pb.vjp), ("jvp", pb.jvp)):
            with pytest.raises((ValueError, TypeError)) as caught:
                transform(pb.sin, [x], seeds)
            assert re.match(rf"^\[{name}\] expected .+, got .+", str(caught.value))


def test_maps_that_do_not_fit():
    x = pb.ones((3, 2))
    for axes in (2, -3, (0, 0), {"a": 0}, "0", 1.5, None, [None]):
        with pytest.raises((ValueError, TypeError)) as caught:
            pb.vmap(lambda x: x, in_axes=axes)(x)
        assert "expected" in str(caught.value)
    with pytest.raises(ValueError, match="size"):
        pb.vmap(lambda x, y: x)(x, pb.ones(4))
    for axes in (5, -5, None, (0, 0), "0"):
        with pytest.raises((ValueError, TypeError), match="expected"):
            pb.vmap(lambda x: x, out_axes=axes)(x)
    near(pb.vmap(lambda x: x.sum())(x), [2.0] * 3)


SCRAP = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-2, 2),
    st.text(max_size=2),
    st.lists(st.integers(-2, 3), max_size=3),
    st.sampled_from(
        [pb.float32, pb.cpu, pb.sin, object, np.float64(1.5), np.ones((2, 2)), np.array("a"), {}]
    ),
    st.lists(st.integers(0, 3), max_size=3).map(lambda shape: pb.array(values("float32", tuple(shape)))),
    st.lists(st.integers(0, 3), max_size=2).map(lambda shape: pb.ones(shape, pb.int32)),
)
PUBLIC = sorted(
    name
    for name in pb.__all__
    if callable(getattr(pb, name))
    and not isinstance(getattr(pb, name), type)
    and name not in ("set_default_device", "set_printoptions", "explain", "info", "synchronize", "table")
    # They would write files of any name.
    and not name.startswith("save")
)


@given(
    st.sampled_from(PUBLIC),
    st.lists(SCRAP, max_size=4),
    st.dictionaries(st.sampled_from(["axis", "k"]), SCRAP),
)
def test_no_argument_breaks_the_engine(name, args, kwargs):
    """Whatever is passed: a result, or one of the errors that are promised; never a panic or a crash."""
    try:
        result = getattr(pb, name)(*args, **kwargs)
        for x in result if isinstance(result, list | tuple) else [result]:
            if isinstance(x, pb.array):
                assert np.asarray(x.astype(pb.float32) if x.dtype == pb.bfloat16 else x).shape == x.shape
    except (
        TypeError,
        ValueError,
        IndexError,
        OverflowError,
        MemoryError,
        BufferError,
        pb.DeviceError,
    ) as error:
        assert str(error)
    assert (pb.array(1.0) + 1).item() == 2
