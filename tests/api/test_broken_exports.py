"""Files with functions that are cut off, malformed or made to do harm: a `ValueError`, and nothing else."""

import io
import struct
import tracemalloc

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st


def written(fun, *args, **kwargs):
    file = io.BytesIO()
    pb.export_function(file, fun, *args, **kwargs)
    return file.getvalue()


def load(content):
    return pb.import_function(io.BytesIO(content))


X = pb.array(np.arange(12, dtype=np.float32).reshape(3, 4))
GOOD = {
    "small": written(lambda x: x + 1, pb.array(1.0), metadata="m"),
    "many": written(
        lambda x, i: (
            pb.cumsum(x[::-1, 1:], axis=1),
            pb.pad(x, 1),
            pb.concatenate([x.T, x.T], 1)[i],
            pb.softmax(x @ x.T),
            x.astype(pb.bool_) & pb.array([True, False, True, True]),
            pb.random.uniform(0, 1, (3,), key=pb.random.key(0)),
            pb.checkpoint_name(x, "name"),
            x.at[0].add(1),
        ),
        X,
        i=pb.array([1, 0]),
    ),
}


def count(n):
    return struct.pack("<I", n)


def text(words):
    words = words.encode() if isinstance(words, str) else words
    return count(len(words)) + words


def sizes(*numbers):
    return count(len(numbers)) + b"".join(struct.pack("<Q", n % 2**64) for n in numbers)


def kind(dtype, *shape):
    return text(dtype) + sizes(*shape)


NONE, F = b"\x00", "float32"


def axis(n):
    return b"\x01" + struct.pack("<Q", n % 2**64)


def axes(*list):
    return b"\x02" + sizes(*list)


def shape(*list):
    return b"\x03" + sizes(*list)


def part(tag, start, step, shape):
    return bytes([tag]) + sizes(*start) + sizes(*step) + sizes(*shape)


def scan(n):
    return b"\x07" + struct.pack("<Q", n) + b"\x00\x01"


def many(n, dtype):
    return b"\x08" + struct.pack("<Q", n) + text(dtype)


def file(names, inputs, steps, outs, constants=(), *, positional=None, keywords=(), version=1):
    """A file with one function; a step is a number of a name, params and operands."""
    positional = len(inputs) if positional is None else positional
    content = (
        b"pullback" + count(version) + text("") + count(len(names)) + b"".join(map(text, names)) + count(1)
    )
    content += count(positional) + count(len(keywords)) + b"".join(map(text, keywords))
    content += count(len(inputs)) + b"".join(inputs) + count(len(constants)) + b"".join(constants)
    content += count(len(steps))
    for at, params, operands in steps:
        content += count(at) + params + count(len(operands)) + b"".join(map(count, operands))
    return content + count(len(outs)) + b"".join(map(count, outs))


def one(name, params, *inputs, operands=None):
    """A file with one operation."""
    operands = range(len(inputs)) if operands is None else operands
    return file([name], inputs, [(0, params, operands)], [len(inputs)])


def test_files_by_hand_are_files():
    """What the broken ones differ from."""
    f = load(one("transpose", axes(1, 0), kind(F, 3, 4)))
    np.testing.assert_array_equal(np.asarray(f(X)[0]), np.asarray(X.T))
    f = load(one("add", NONE, kind(F, 3, 4), operands=[0, 0]))
    np.testing.assert_array_equal(np.asarray(f(X)[0]), np.asarray(X + X))
    f = load(one("slice", part(5, [2, 0], [-1, 2], [3, 2]), kind(F, 3, 4)))
    np.testing.assert_array_equal(np.asarray(f(X)[0]), np.asarray(X)[::-1, ::2])
    f = load(file([], [], [], [0, 0], [kind("bool", 3) + b"\x00\x05\xff"]))
    assert [x.tolist() for x in f()] == [[False, True, True]] * 2
    assert load(file([], [], [], [], [kind("int8") + b"\xfe"]))() == ()
    f = load(file([], [kind(F), kind(F)], [], [1], positional=1, keywords=["y"]))
    assert f(pb.array(1.0), y=pb.array(2.0))[0].item() == 2


HUGE = 2**62
BROKEN = {
    "nothing": (b"", "8 bytes of a magic word, got 0"),
    "another file": (b"PK\x03\x04" + bytes(100), "a file of export_function, got one that starts"),
    "a later version": (file([], [], [], [], version=2), "a file of version 1, got version 2"),
    "an unknown operation": (one("explode", NONE, kind(F)), 'operations that there are, got "explode"'),
    "a call of the host": (
        one("pure_callback", NONE, kind(F)),
        'operations that there are, got "pure_callback"',
    ),
    "more behind it": (GOOD["small"] + b"\x00", "nothing behind the last function"),
    "no name of that number": (
        file(["add"], [kind(F)], [(1, NONE, [0, 0])], [0]),
        "one of 1 operations, got number 1",
    ),
    "a later operand": (one("sin", NONE, kind(F), operands=[1]), "operands of sin that come before it"),
    "a cycle": (
        file(["sin"], [kind(F)], [(0, NONE, [2]), (0, NONE, [1])], [2]),
        "operands of sin that come before it",
    ),
    "a result that is none": (file([], [kind(F)], [], [1]), "results that are values of the function"),
    "too few operands": (one("add", NONE, kind(F)), "2 operands of add, got 1"),
    "too many operands": (one("sin", NONE, kind(F), kind(F)), "1 operands of sin, got 2"),
    "no operands": (one("concatenate", axis(0)), "at least one array"),
    "operands of two types": (one("add", NONE, kind(F), kind("int32")), "operands of one shape and type"),
    "operands of two shapes": (one("add", NONE, kind(F, 2), kind(F, 3)), "operands of one shape and type"),
    "a type the row does not take": (
        one("sin", NONE, kind("int32")),
        "[sin] expected a float or complex type, got int32",
    ),
    "params that are none": (one("sin", b"\x63", kind(F)), "params of kinds 0 to 16, got 99"),
    "params of another kind": (one("sin", axis(0), kind(F)), "params of sin, got Axis(0)"),
    "no params": (one("sum", NONE, kind(F, 2)), "params of sum, got None"),
    "an axis for axes": (one("sum", axis(0), kind(F, 2)), "params of sum, got Axis(0)"),
    "an axis for a scan": (one("cumsum", axis(0), kind(F, 2)), "params of cumsum, got Axis(0)"),
    "axes for an axis": (one("sort", axes(0), kind(F, 2)), "params of sort"),
    "an axis that is not there": (one("sum", axes(1), kind(F, 2)), "an array with axis 1"),
    "an axis beyond counting": (one("sort", axis(-1), kind(F, 2)), "an array with axis"),
    "a scan that is not there": (one("cumsum", scan(5), kind(F, 2)), "an array with axis 5"),
    "axes twice": (one("sum", axes(0, 0), kind(F, 2, 3)), "axes in order, each once"),
    "axes in disorder": (one("sum", axes(1, 0), kind(F, 2, 3)), "axes in order, each once"),
    "no permutation": (one("transpose", axes(0, 0), kind(F, 2, 3)), "an array with an axis for every place"),
    "too short a permutation": (
        one("transpose", axes(0), kind(F, 2, 3)),
        "an array with an axis for every place",
    ),
    "another size": (one("reshape", shape(5), kind(F, 2, 3)), "a shape of 6 elements"),
    "a size that wraps": (
        one("reshape", shape(2**32, 2**32), kind(F, 0)),
        "a shape whose elements can be counted",
    ),
    "no broadcast": (one("broadcast_to", shape(2, 4), kind(F, 3)), "a shape that broadcasts to"),
    "a broadcast beyond counting": (
        one("broadcast_to", shape(HUGE, HUGE), kind(F)),
        "elements can be counted",
    ),
    "a slice from behind": (
        one("slice", part(5, [5], [1], [1]), kind(F, 5)),
        "an array that has the elements",
    ),
    "a slice that is too long": (
        one("slice", part(5, [0], [1], [6]), kind(F, 5)),
        "an array that has the elements",
    ),
    "a slice backwards": (
        one("slice", part(5, [1], [-1], [3]), kind(F, 5)),
        "an array that has the elements",
    ),
    "a step that wraps": (
        one("slice", part(5, [0], [2**62], [5]), kind(F, 5)),
        "an array that has the elements",
    ),
    "a start that wraps": (
        one("slice", part(5, [2**63], [1], [1]), kind(F, 5)),
        "an array that has the elements",
    ),
    "a slice of other axes": (
        one("slice", part(5, [0, 0], [1, 1], [1, 1]), kind(F, 5)),
        "an array that has the el",
    ),
    "steps that are missing": (
        one("slice", part(5, [0], [], [1]), kind(F, 5)),
        "an array that has the elements",
    ),
    "a place that is too small": (
        one("place", part(6, [4], [1], [5]), kind(F, 2), kind(F)),
        "an array and a scalar",
    ),
    "a slice without steps": (one("slice", part(5, [0], [0], [3]), kind(F, 5)), "an array that has the"),
    "a place without steps": (
        one("place", part(6, [0], [0], [5]), kind(F, 2), kind(F)),
        "an array and a scalar",
    ),
    "joined beyond counting": (
        one("concatenate", axis(0), *[kind(F, 2**58, 0)] * 40),
        "a graph that can be built",
    ),
    "taken from nothing": (
        one("take", NONE, kind(F, 0), kind("int32", 2)),
        "an axis with elements to take from",
    ),
    "taken from a number": (
        one("take", NONE, kind(F), kind("int32", 2)),
        "an array with an axis and int32 indices",
    ),
    "no matrices": (one("matmul", NONE, kind(F, 3), kind(F, 3)), "matrices"),
    "matrices that do not meet": (one("matmul", NONE, kind(F, 3, 2), kind(F, 3, 2)), "matrices"),
    "no key": (one("random_bits", many(3, "uint32"), kind(F, 2)), "an integer or boolean type"),
    "words beyond counting": (
        one("random_bits", many(HUGE, "uint32"), kind("uint32", 2)),
        "that can be counted",
    ),
    "a count beyond counting": (one("iota", many(2**64 - 1, "int32")), "results of iota that can be counted"),
    "a cast to nothing": (
        one("cast", b"\x04" + text("float8"), kind(F)),
        'a dtype that there is, got "float8"',
    ),
    "bits of another size": (one("bitcast", b"\x04" + text("int8"), kind(F)), "a type of 4 bytes"),
    "an unknown dtype": (one("sin", NONE, kind("float8")), 'a dtype that there is, got "float8"'),
    "a shape beyond counting": (
        one("sin", NONE, kind(F, HUGE, HUGE)),
        "a shape whose elements can be counted",
    ),
    "hidden behind 0": (one("sin", NONE, kind(F, HUGE, 0, HUGE)), "a shape whose elements can be counted"),
    "too many axes": (one("sin", NONE, kind(F, *[1] * 65)), "at most 64 axes, got 65"),
    "elements that are missing": (
        file([], [], [], [], [kind(F, 2**40)]),
        "elements float32[1099511627776], got 8",
    ),
    "a dtype in no UTF-8": (one("sin", NONE, kind(b"\xff")), "a dtype in UTF-8"),
    "keywords twice": (
        file([], [kind(F), kind(F)], [], [], positional=0, keywords=["x", "x"]),
        'distinct keywords, got two of "x"',
    ),
    "more arguments than it says": (
        file([], [kind(F)], [], [], positional=2),
        "as many arguments as it says, 2 and 0",
    ),
    "fewer than it says": (
        file([], [kind(F)], [], [], positional=2**32 - 1, keywords=["x"]),
        "as many arguments as it says",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name):
    content, match = BROKEN[name]
    with pytest.raises(ValueError, match=r"^\[import_function\] expected ") as caught:
        load(content)
    assert match in str(caught.value)


def test_axes_do_not_double_forever():
    """Each step takes from itself by itself: the axes would double with every one."""
    steps = [(0, NONE, [i, i]) for i in range(60)]
    with pytest.raises(ValueError, match="results of take that can be counted"):
        load(file(["take"], [kind("int32", 1, 1)], steps, [60]))


@pytest.mark.parametrize("name", GOOD)
def test_every_beginning_of_a_file(name):
    for end in range(len(GOOD[name])):
        with pytest.raises(ValueError, match=r"\[import_function\] expected"):
            load(GOOD[name][:end])


def test_claims_cost_no_memory():
    head = b"pullback" + count(1) + text("") + count(0) + count(1) + count(0) + count(0)
    tracemalloc.start()
    for claim in (
        b"pullback" + count(1) + count(2**32 - 1),
        b"pullback" + count(1) + text("") + count(2**32 - 1),
        b"pullback" + count(1) + text("") + count(0) + count(2**32 - 1),
        head + count(2**32 - 1),
        head + count(0) + count(2**32 - 1),
        head + count(0) + count(0) + count(2**32 - 1),
        head + count(0) + count(0) + count(0) + count(2**32 - 1),
        head + count(0) + count(1) + kind("uint8", 2**50),
    ):
        with pytest.raises(ValueError, match="truncated file"):
            load(claim + bytes(64))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**24


def attempt(content):
    try:
        f = load(content)
    except ValueError as error:
        assert str(error).startswith("[import_function] expected")
        return
    # Whatever it is, it can be asked for; nobody has to have the memory for what it makes.
    for signature, _, program in f._entries:
        positional, named = signature
        if sum(np.prod([n or 1 for n in shape], dtype=float) for shape, _ in program.values) < 1e5:
            args = [pb.zeros(shape, dtype) for shape, dtype in positional]
            outs = f(*args, **{key: pb.zeros(shape, dtype) for key, (shape, dtype) in named.items()})
            pb.eval(outs)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_bytes_are_changed(name, data):
    content = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        content = content or bytearray(1)
    attempt(bytes(content))


ROWS = sorted({row["name"] for row in pb.table()})
PARAMS = st.one_of(
    st.just(NONE),
    st.integers(0, 3).map(axis),
    st.lists(st.integers(0, 3), max_size=3).map(lambda list: axes(*list)),
    st.lists(st.integers(0, 4), max_size=3).map(lambda list: shape(*list)),
    st.sampled_from(["float32", "int32", "bool", "complex64", "uint8"]).map(
        lambda name: b"\x04" + text(name)
    ),
    st.builds(
        part,
        st.sampled_from([5, 6]),
        st.lists(st.integers(0, 4), max_size=3),
        st.lists(st.integers(-2, 2), max_size=3),
        st.lists(st.integers(0, 4), max_size=3),
    ),
    st.integers(0, 3).map(scan),
    st.builds(many, st.integers(0, 9), st.sampled_from(["float32", "int32", "uint32", "bool", "complex64"])),
)
KINDS = st.builds(
    lambda dtype, sizes: kind(dtype, *sizes),
    st.sampled_from(["float32", "int32", "bool", "uint32", "complex64", "float16"]),
    st.lists(st.integers(0, 3), max_size=3),
)


@given(
    st.lists(KINDS, min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(ROWS), PARAMS, st.lists(st.integers(0, 4), max_size=3)), max_size=4),
)
def test_any_operations(inputs, steps):
    names = [name for name, _, _ in steps]
    steps = [(i, params, operands) for i, (_, params, operands) in enumerate(steps)]
    attempt(file(names, inputs, steps, [len(inputs) - 1 + len(steps)]))


@given(st.sampled_from(ROWS), st.lists(KINDS, min_size=1, max_size=3), PARAMS, st.booleans())
def test_any_operation(name, inputs, params, alike):
    """One of the right number of operands, and mostly of one type: then more than the first check is met."""
    attempt(one(name, params, *([inputs[0]] * len(inputs) if alike else inputs)))


@given(st.binary(max_size=200))
def test_any_bytes(content):
    attempt(content)
    attempt(b"pullback" + count(1) + content)
