"""The array object: how it is made, what it answers, how it prints."""

import copy
import math
import pickle

import numpy as np
import pullback as pb
import pytest
from common import close


@pytest.mark.parametrize(
    "value, dtype, shape",
    [
        (True, pb.bool_, ()),
        (3, pb.int32, ()),
        (2**40, pb.int64, ()),
        (2**63, pb.uint64, ()),
        (1.5, pb.float32, ()),
        (1j, pb.complex64, ()),
        ([], pb.float32, (0,)),
        ([True, False], pb.bool_, (2,)),
        ([True, 2], pb.int32, (2,)),
        ([1, 2**40], pb.int64, (2,)),
        ([[1, 2.0], [3, 4]], pb.float32, (2, 2)),
        ((1, (2.5 + 1j)), pb.complex64, (2,)),
        ([[[]]], pb.float32, (1, 1, 0)),
        (np.ones(2), pb.float32, (2,)),
        (np.arange(3), pb.int64, (3,)),
        (np.float32(1.5), pb.float32, ()),
        (np.ones((2, 3), np.float16), pb.float16, (2, 3)),
        (np.ones(2, np.complex128), pb.complex64, (2,)),
        (np.array([[True]]), pb.bool_, (1, 1)),
        (bytearray(b"ab"), pb.uint8, (2,)),
        (memoryview(np.ones((2, 3), np.int8)), pb.int8, (2, 3)),
    ],
)
def test_array_from(value, dtype, shape):
    x = pb.array(value)
    assert (x.dtype, x.shape) == (dtype, shape)
    assert np.array_equal(np.asarray(x), np.asarray(value).astype(np.asarray(x).dtype))


def test_array_with_a_type():
    assert pb.array([1, 2], pb.float16).dtype == pb.float16
    assert pb.array([1.7, -1.7], pb.int8).tolist() == [1, -1]
    assert pb.array(np.ones(2), dtype=pb.float64).dtype == pb.float64
    assert pb.array(pb.array([1, 2]), "float32").dtype == pb.float32
    assert pb.array([1, 2], np.uint8).dtype == pb.uint8
    assert pb.array([1, 2], np.dtype("int64")).dtype == pb.int64
    assert pb.array([1, 2], float).dtype == pb.float32


def test_array_of_arrays_is_stacked():
    assert pb.array([pb.array([1, 2]), [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert pb.array([pb.array(1.0), 2]).tolist() == [1, 2]


def test_array_copies():
    source = np.zeros(3, np.float32)
    x = pb.array(source)
    source[:] = 1
    assert x.tolist() == [0, 0, 0]


def test_other_byte_order_and_strides():
    assert pb.array(np.arange(3, dtype=">i4")).tolist() == [0, 1, 2]
    assert pb.array(np.arange(12, dtype=np.float32).reshape(3, 4)[::2, ::-1].T).tolist() == [
        [3, 11],
        [2, 10],
        [1, 9],
        [0, 8],
    ]


@pytest.mark.parametrize("value", [[[1, 2], [3]], [1, [2]], [[1], 2], [[1, 2], [3, [4]]]])
def test_ragged(value):
    with pytest.raises(ValueError, match=r"\[array\] expected lists of one length"):
        pb.array(value)


@pytest.mark.parametrize("value", ["text", None, object(), ["a"], {"a": 1}, np.array(["a"]), [None]])
def test_not_an_array(value):
    with pytest.raises(TypeError, match="array"):
        pb.array(value)
    assert (pb.array(1) + 1).item() == 2


def test_attributes():
    x = pb.zeros((2, 3, 4), pb.float16)
    assert (x.shape, x.ndim, x.size, x.nbytes, x.itemsize, len(x)) == ((2, 3, 4), 3, 24, 48, 2, 2)
    assert x.T.shape == (4, 3, 2)
    assert x.mT.shape == (2, 4, 3)
    with pytest.raises(AttributeError):
        x.shape = (1,)


def test_dtypes():
    assert repr(pb.float32) == "pullback.float32"
    assert repr(pb.bool_) == "pullback.bool_"
    assert pb.float32.size == 4
    assert {pb.float32: 1}[pb.array(1.0).dtype] == 1
    assert pickle.loads(pickle.dumps(pb.bfloat16)) is not None
    assert pickle.loads(pickle.dumps(pb.bfloat16)) == pb.bfloat16
    with pytest.raises(TypeError, match=r"\[zeros\] expected one of bool_, uint8"):
        pb.zeros(2, "float31")


def test_item_and_numbers():
    assert pb.array(7).item() == 7 and isinstance(pb.array(7).item(), int)
    assert isinstance(pb.array(True).item(), bool)
    assert pb.array([[2.5]]).item() == 2.5
    assert pb.array(1 + 2j).item() == 1 + 2j
    assert (int(pb.array(2.9)), float(pb.array(3)), complex(pb.array(1.5)), bool(pb.array([0]))) == (
        2,
        3.0,
        1.5,
        False,
    )
    assert [10, 20, 30][pb.array(1)] == 20
    assert f"{pb.array(1.25):.1f}" == "1.2"
    with pytest.raises(ValueError, match="expected one element"):
        pb.zeros(2).item()
    with pytest.raises(ValueError, match=r"use x.any\(\) or x.all\(\)"):
        bool(pb.zeros(2))
    with pytest.raises(TypeError):
        [1][pb.array(0.5)]
    with pytest.raises(TypeError):
        len(pb.array(1))
    with pytest.raises(TypeError):
        iter(pb.array(1))


def test_lists_and_iteration():
    x = pb.array([[1, 2], [3, 4]])
    assert x.tolist() == [[1, 2], [3, 4]]
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert pb.array(5).tolist() == 5
    assert pb.zeros((2, 0)).tolist() == [[], []]
    a, b = pb.array([1.0, 2.0])
    assert (a.item(), b.item()) == (1, 2)


def test_identity():
    x = pb.array([1, 2])
    assert {x: "here"}[x] == "here"
    assert hash(x) != hash(pb.array([1, 2]))
    assert (x == pb.array([1, 3])).tolist() == [True, False]
    assert (x == None) is False or (x == None) is not None  # noqa: E711
    assert (x != x).tolist() == [False, False]


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int8, np.int64, np.uint32, np.float16, np.float32, np.float64]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 1, 2)])
def test_repr_reads_like_numpys(dtype, shape):
    values = np.asarray(np.arange(math.prod(shape)).reshape(shape) * 1.5 - 2).astype(dtype).reshape(shape)
    mine, theirs = repr(pb.array(values, dtype)), repr(values)

    def plain(text):
        return (
            text.split(", dtype")[0]
            .split(", shape")[0]
            .rstrip(")")
            .replace(" ", "")
            .replace("\n", "")
            .rstrip(",")
        )

    assert plain(mine) == plain(theirs)
    assert f"dtype={np.dtype(dtype).name}" in mine


def test_repr_of_much_and_of_extremes():
    text = repr(pb.arange(10_000))
    assert "..." in text and len(text) < 100
    assert "nan" in repr(pb.array([math.nan, math.inf, -math.inf, 1.0]))
    assert "e" in repr(pb.array([1e-10, 1e10]))
    assert repr(pb.array([1.5, 2])) == "array([1.5, 2. ], dtype=float32)"
    assert repr(pb.array([1 + 2j])) == "array([1.+2.j], dtype=complex64)"
    assert "bfloat16" in repr(pb.array([1.5], pb.bfloat16))


def test_a_tracer_prints():
    seen = []
    pb.vmap(lambda x: seen.append(repr(x)) or x)(pb.zeros(3))
    assert seen == ["array(traced, shape=(), dtype=float32)"]


def test_copy_and_pickle():
    for x in [pb.array([[1.5, 2]]), pb.array(True), pb.zeros((0, 3)), pb.array([1.0, 2.0], pb.bfloat16) * 2]:
        for y in [copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))]:
            assert y is not x and y.dtype == x.dtype and y.shape == x.shape
            assert pb.array_equal(x, y).item()


@pytest.mark.parametrize("name", ["exp", "sum", "add", "reshape", "grad"])
def test_functions_are_named_documented_and_pickled(name):
    function = getattr(pb, name)
    assert function.__name__ == name and function.__doc__ and function.__text_signature__
    assert pickle.loads(pickle.dumps(function)) is function


def test_weak_numbers():
    half = pb.array([1, 2], pb.float16)
    assert (half + 1).dtype == (1.5 * half).dtype == pb.float16
    ints = pb.array([1, 2], pb.uint8)
    assert (ints + 1).dtype == pb.uint8
    assert (ints + 1.5).dtype == pb.float32
    assert (ints + True).dtype == pb.uint8
    assert (pb.array([True]) + 1).dtype == pb.int32
    assert (half + 1j).dtype == pb.complex64
    assert (pb.array(1) / 2).dtype == pb.float32
    assert pb.add(1, 2.5).item() == 3.5
    assert pb.maximum(half, 1.5).dtype == pb.float16
    with pytest.raises(OverflowError, match="expected a number that uint8 holds, got -1"):
        ints + -1
    with pytest.raises(OverflowError):
        pb.array(1) + 10**30


OPERATORS = [
    ("+", lambda a, b: a + b),
    ("-", lambda a, b: a - b),
    ("*", lambda a, b: a * b),
    ("/", lambda a, b: a / b),
    ("//", lambda a, b: a // b),
    ("%", lambda a, b: a % b),
    ("**", lambda a, b: a**b),
    ("<", lambda a, b: a < b),
    ("<=", lambda a, b: a <= b),
    (">", lambda a, b: a > b),
    (">=", lambda a, b: a >= b),
    ("==", lambda a, b: a == b),
    ("!=", lambda a, b: a != b),
]


@pytest.mark.parametrize("fun", [fun for _, fun in OPERATORS], ids=[name for name, _ in OPERATORS])
def test_operators(fun):
    a, b = np.array([1.5, 2.0, 3.0], np.float32), np.array([[2.0], [1.5]], np.float32)
    close(fun(pb.array(a), pb.array(b)), fun(a, b))
    close(fun(pb.array(a), 2.0), fun(a, np.float32(2)))
    close(fun(2, pb.array(a)), fun(np.float32(2), a))
    close(fun(pb.array(a), b), fun(a, b))
    ours = fun(b, pb.array(a))
    assert isinstance(ours, pb.array)
    close(ours, fun(b, a))


@pytest.mark.parametrize(
    "fun",
    [
        lambda a, b: a & b,
        lambda a, b: a | b,
        lambda a, b: a ^ b,
        lambda a, b: a << b,
        lambda a, b: a >> b,
        lambda a, b: a // b,
        lambda a, b: a % b,
        lambda a, b: ~a,
        lambda a, b: -a,
        lambda a, b: abs(-a),
        lambda a, b: +a,
        lambda a, b: divmod(a, b)[0],
        lambda a, b: divmod(a, b)[1],
    ],
)
def test_integer_operators(fun):
    a, b = np.array([5, 6, 7], np.int32), np.array([1, 2, 3], np.int32)
    assert np.asarray(fun(pb.array(a), pb.array(b))).tolist() == fun(a, b).tolist()


def test_matmul_operator():
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(12, dtype=np.float32).reshape(3, 4)
    close(pb.array(a) @ pb.array(b), a @ b)
    close(a @ pb.array(b), a @ b)
    x = pb.array(a)
    x @= pb.array(b)
    close(x, a @ b)


def test_in_place_changes_the_object():
    x = pb.array([1.0, 2.0])
    y = x
    x += 1
    x *= 2
    x -= 1
    x /= 2
    x **= 2
    x //= 1
    x %= 4
    assert x is y and y.tolist() == [2.0, 2.0]
    z = pb.array([6, 5])
    z &= 3
    z |= 8
    z ^= 1
    z <<= 1
    z >>= 1
    assert z.tolist() == [11, 8]
    with pytest.raises(TypeError):
        x += "text"


def test_foreign_operands():
    class Other:
        def __radd__(self, left):
            return "mine"

    assert pb.array(1.0) + Other() == "mine"
    with pytest.raises(TypeError, match="unsupported operand"):
        pb.array(1.0) + "text"


READS = [
    0,
    -1,
    (0, 1),
    slice(None),
    slice(1, None),
    slice(None, None, -1),
    slice(-3, -1),
    slice(10, 2),
    slice(0, 100, 2),
    ...,
    (..., 0),
    (0, ...),
    None,
    (None, 0),
    (0, None),
    (slice(None), 1),
    (slice(1), slice(None, None, -2)),
    np.array([0, 2]),
    np.array([[0, -1]]),
    [2, 0],
    (np.array([0, 1]), np.array([1, 2])),
    (slice(None), np.array([0, 0])),
    (np.array([0, 1]), slice(None), np.array([1, 0])),
    (0, slice(None), np.array([1])),
    np.array([True, False, True]),
    (slice(None), np.array([True, False, False, True])),
    np.arange(12).reshape(3, 4) % 2 == 0,
    (..., np.array([True, False])),
    np.int64(1),
    (np.array([], int),),
]


@pytest.mark.parametrize("key", READS, ids=repr)
def test_read(key):
    a = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    got, want = pb.array(a)[key], a[key]
    assert got.shape == want.shape
    close(got, want)


@pytest.mark.parametrize("key", READS, ids=repr)
def test_write(key):
    a = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    x = pb.array(a)
    y = x
    x[key] = 7
    a[key] = 7
    assert x is y
    close(x, a)
    values = np.random.default_rng(0).normal(size=a[key].shape).astype(np.float32)
    if np.unique(np.arange(24).reshape(3, 4, 2)[key]).size == values.size:
        x[key] = pb.array(values)
        a[key] = values
        close(x, a)


def test_index_by_arrays():
    x = pb.arange(10)
    assert x[pb.array(3)].item() == 3
    assert x[pb.array([1, 2])].tolist() == [1, 2]
    assert x[x > 6].tolist() == [7, 8, 9]
    x[x > 6] = 0
    assert x.tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 0, 0]


def test_at():
    x = pb.zeros(4)
    i = pb.array([0, 0, 2])
    assert x.at[i].add(1).tolist() == [2, 0, 1, 0]
    assert x.at[i].subtract(1).tolist() == [-2, 0, -1, 0]
    assert (x + 1).at[i].multiply(3).tolist() == [9, 1, 3, 1]
    assert (x + 4).at[1].divide(2).tolist() == [4, 2, 4, 4]
    assert x.at[1:3].maximum(pb.array([5.0, -5.0])).tolist() == [0, 5, 0, 0]
    assert x.at[1:3].minimum(pb.array([5.0, -5.0])).tolist() == [0, 0, -5, 0]
    assert x.at[-1].set(3).tolist() == [0, 0, 0, 3]
    assert x.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "key, error",
    [
        (5, IndexError),
        (-4, IndexError),
        ((0, 0, 0), IndexError),
        (1.5, TypeError),
        ("a", TypeError),
        (slice(None, None, 0), ValueError),
        ((..., ...), IndexError),
        (np.array([True, False]), IndexError),
        (np.array([0.5]), TypeError),
        (slice("a"), TypeError),
    ],
)
def test_index_errors(key, error):
    x = pb.zeros((3, 2))
    with pytest.raises(error, match=r"\[index\]"):
        x[key]
    with pytest.raises(error, match=r"\[index\]"):
        x[key] = 1
    assert x[0].tolist() == [0, 0]


def test_write_errors():
    x = pb.zeros((3, 2))
    with pytest.raises(ValueError, match="broadcast"):
        x[0] = pb.zeros(5)
    with pytest.raises(TypeError):
        x[0] = "text"


def test_devices_and_streams():
    assert pb.default_device() == pb.cpu
    assert repr(pb.cpu) == "Device(cpu, 0)" and pb.Device(pb.cpu) == pb.cpu
    assert pb.default_stream(pb.cpu).device == pb.cpu
    assert pb.is_available(pb.cpu)
    with pb.stream(pb.cpu) as context:
        assert context is not None
        assert pb.default_device() == pb.cpu
    assert pb.exp(0.0, stream=pb.cpu).item() == 1
    assert pb.array(1.0).sum(stream=pb.default_stream(pb.cpu)).item() == 1
    with pytest.raises(TypeError, match=r"\[exp\]"):
        pb.exp(0.0, stream="tpu")
    with pytest.raises(TypeError, match="unexpected keyword"):
        pb.exp(0.0, axis=1)
    with pytest.raises(TypeError, match="takes 1 positional"):
        pb.exp(0.0, 1.0)
    if not pb.is_available(pb.gpu):
        with pytest.raises(pb.DeviceError):
            pb.set_default_device(pb.gpu)
        with pytest.raises(pb.DeviceError), pb.stream(pb.gpu):
            pass
    pb.set_default_device(pb.cpu)
    pb.synchronize()


def test_info_and_explain():
    assert "cpu" in pb.info()
    assert "Exp" in pb.explain(lambda x: pb.exp(x) + 1, pb.zeros(3))
