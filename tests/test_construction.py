"""Arrays from lists, NumPy, buffers and DLPack, and back, in every type and layout."""

import array as arrays
import copy
import gc
import pickle

import numpy as np
import pullback as pb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import DTYPES, NUMPY_DTYPES, bfloat16, exactly, layouts, near, numpy, same, values

NUMBERS = st.one_of(
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(width=32, allow_nan=False),
    st.complex_numbers(max_magnitude=1e6, allow_nan=False),
)


@st.composite
def nested(draw):
    """Numbers in lists and tuples of one length at each level."""
    shape = draw(st.lists(st.integers(0, 3), max_size=3))

    def make(sizes):
        if not sizes:
            return draw(NUMBERS)
        items = [make(sizes[1:]) for _ in range(sizes[0])]
        return tuple(items) if draw(st.booleans()) else items

    return make(shape)


@given(nested())
def test_nested_lists(value):
    want = np.array(value)
    # Integers and floats have 32 bits, as in MLX.
    kinds = {"b": "bool", "i": "int32", "f": "float32", "c": "complex64"}
    kind = kinds[want.dtype.kind] if want.size else "float32"
    got = pb.array(value)
    assert got.shape == want.shape
    assert got.dtype.name == kind
    np.testing.assert_array_equal(numpy(got), want.astype(kind))
    assert got.tolist() == want.astype(kind).tolist()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**31 - 1, "int32"),
        (2**31, "int64"),
        (-(2**31) - 1, "int64"),
        ([1, 2**40], "int64"),
        (2**63, "uint64"),
        ([True, 2.0], "float32"),
        (1e300, "float32"),
        ([], "float32"),
        ([[], []], "float32"),
        (np.float64(1), "float32"),
        (np.int8(1), "int8"),
        (np.bool_(True), "bool"),
    ],
)
def test_types_of_values(value, kind):
    assert pb.array(value).dtype.name == kind


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_type_may_be_given_in_every_spelling(dtype):
    kind = getattr(pb, dtype)
    spellings = [kind, kind.name]
    if dtype != "bfloat16":
        spellings += [np.dtype(kind.name), np.dtype(kind.name).type]
    for spelling in spellings:
        x = pb.array([0, 1], spelling)
        assert x.dtype == kind and x.itemsize == kind.size and x.nbytes == 2 * kind.size
    assert pb.Dtype(kind.name) == kind and hash(pb.Dtype(kind.name)) == hash(kind)
    assert pickle.loads(pickle.dumps(kind)) == kind


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_numpy_there_and_back(dtype, device):
    x = values(dtype, (2, 3, 4))
    orders = [x, x.T, x[::-1], x[:, ::2], x[..., 1:3], np.asfortranarray(x), x[:0], x[0, 0, 0]]
    orders.append(np.broadcast_to(x[0], x.shape))
    for arranged in orders:
        same(exactly(arranged), np.asarray(arranged))
        if arranged.ndim and arranged.size:
            same(pb.array(list(arranged), arranged.dtype), arranged)
    for layout, mine in layouts(x):
        back = np.asarray(mine)
        assert back.dtype == x.dtype and back.flags.c_contiguous, layout
        np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize("dtype", [">f4", ">i8", ">u2"])
def test_other_orders_of_bytes(dtype):
    x = np.arange(6).reshape(2, 3).astype(dtype)
    near(pb.array(x), x)
    assert pb.array(x).dtype.name == x.dtype.newbyteorder("=").name


def test_an_array_is_a_copy():
    x = np.zeros(3, "f4")
    mine = pb.array(x)
    x[0] = 5
    assert mine.tolist() == [0, 0, 0]
    back = np.array(mine)
    back[0] = 7
    assert mine.tolist() == [0, 0, 0]
    view = np.asarray(mine)
    with pytest.raises(ValueError):
        view[0] = 1


@pytest.mark.parametrize(
    ("code", "kind"),
    list(zip("bBhHiIqQfd", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"], strict=True)),
)
def test_buffers(code, kind):
    source = arrays.array(code, [1, 2, 3])
    x = pb.array(source, np.dtype(kind))
    same(x, np.array([1, 2, 3], kind))
    memory = memoryview(x)
    assert memory.readonly and memory.shape == (3,) and memory.itemsize == np.dtype(kind).itemsize
    assert memory.tolist() == [1, 2, 3]
    del x
    gc.collect()
    assert memory.tolist() == [1, 2, 3]
    assert pb.array(bytearray(b"\x01\x02")).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_dlpack_with_numpy(dtype):
    x = values(dtype, (2, 3))
    for arranged in (x, x.T, x[::-1], x[:, 1:]):
        same(pb.from_dlpack(arranged), arranged)
    for _, mine in layouts(x):
        np.testing.assert_array_equal(np.from_dlpack(mine), x)
    kept = np.from_dlpack(exactly(x))
    gc.collect()
    np.testing.assert_array_equal(kept, x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
)
def test_dlpack_with_torch(dtype):
    torch = pytest.importorskip("torch")
    x = values(dtype, (2, 3))
    theirs = torch.from_numpy(x.copy())
    for t in (theirs, theirs.T, theirs[:, 1:]):
        same(pb.from_dlpack(t), t.numpy())
        same(pb.array(t, t.numpy().dtype), t.numpy())
    for _, mine in layouts(x):
        back = torch.from_dlpack(mine)
        np.testing.assert_array_equal(back.numpy(), x)
    half = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    assert pb.from_dlpack(half).dtype == pb.bfloat16 and pb.from_dlpack(half).tolist() == [1.5, -2.0]
    assert torch.from_dlpack(pb.array([1.5], pb.bfloat16)).dtype == torch.bfloat16
    assert isinstance(pb.array([1.0, 2.0]) * torch.ones(2), pb.array)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float16", "float32", "complex64"])
def test_dlpack_with_jax(dtype):
    jnp = pytest.importorskip("jax.numpy")
    x = values(dtype, (2, 3))
    same(pb.from_dlpack(jnp.asarray(x)), x)
    same(pb.array(jnp.asarray(x)), x)
    np.testing.assert_array_equal(
        np.asarray(jnp.from_dlpack(exactly(x) if dtype != "bool" else pb.array(x))), x
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_copies_and_pickles(dtype):
    x = pb.array(values("float32", (3, 4)) > 0).astype(getattr(pb, dtype))
    for again in (copy.copy(x), copy.deepcopy(x), *(pickle.loads(pickle.dumps(x, p)) for p in range(2, 6))):
        assert again is not x and again.dtype == x.dtype
        np.testing.assert_array_equal(numpy(again), numpy(x))
    tree = pickle.loads(pickle.dumps({"w": [x, None]}))
    np.testing.assert_array_equal(numpy(tree["w"][0]), numpy(x))
    empty = pb.zeros((0, 3), getattr(pb, dtype))
    assert pickle.loads(pickle.dumps(empty)).shape == (0, 3)


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_numbers(dtype):
    for value in (0, 1, 3) if dtype != "bool" else (0, 1):
        x = exactly(np.array(value, dtype))
        want = np.array(value, dtype).item()
        assert x.item() == want and type(x.item()) is type(want)
        assert bool(x) == bool(want) and complex(x) == complex(want)
        if dtype != "complex64":
            assert int(x) == int(want) and float(x) == float(want)
    x = exactly(np.ones((2, 2), dtype))
    for convert in (bool, int, float, complex, lambda x: x.item()):
        with pytest.raises((TypeError, ValueError)):
            convert(x)


def test_numbers_as_positions():
    assert [10, 20, 30][pb.array(1)] == 20
    assert list(range(pb.array(3))) == [0, 1, 2]
    for wrong in (pb.array(1.0), pb.array([1, 2])):
        with pytest.raises(TypeError):
            [10, 20][wrong]


def test_iteration_and_length():
    x = pb.array([[1, 2], [3, 4], [5, 6]])
    assert len(x) == 3 and [row.tolist() for row in x] == [[1, 2], [3, 4], [5, 6]]
    a, b, c = x
    assert b.tolist() == [3, 4]
    assert [int(v) for v in x[0]] == [1, 2]
    assert list(pb.zeros((0, 2))) == []
    for fails in (len, list, iter):
        with pytest.raises(TypeError):
            fails(pb.array(1.0))
    assert a.shape == c.shape


def test_identity_and_equality():
    x, y = pb.array([1.0, 2.0]), pb.array([1.0, 2.0])
    assert (x == y).tolist() == [True, True] and (x != y).tolist() == [False, False]
    assert len({x, y, x}) == 2 and hash(x) == hash(x)
    with pytest.raises(ValueError, match=r"use x\.any"):
        bool(x == y)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint64", "bool"])
def test_repr_is_read_by_numpy(dtype):
    for shape in ((), (1,), (3,), (2, 3), (2, 2, 2), (0,), (2, 0)):
        x = values(dtype, shape)
        text = repr(exactly(x))
        names = {
            "array": lambda v, dtype=None, shape=None: np.array(v, dtype).reshape(x.shape),
            "nan": np.nan,
        }
        back = eval(text.replace(f"dtype={dtype}", f"dtype='{dtype}'"), names)
        np.testing.assert_allclose(back, x, rtol=1e-3 if dtype == "float16" else 1e-6)
        assert f"dtype={dtype}" in text
        assert str(exactly(x)) == text or str(exactly(x)) in text


def test_format():
    assert f"{pb.array(1.2345):.2f}" == "1.23" and f"{pb.array(7):03d}" == "007"
    assert f"{pb.array([1.0])}" == repr(pb.array([1.0])) or "1." in f"{pb.array([1.0])}"


def test_bfloat16_to_numpy_is_float32():
    x = values("float32", (100,))
    mine = pb.array(x).astype(pb.bfloat16)
    assert np.asarray(mine).dtype == np.float32
    np.testing.assert_array_equal(np.asarray(mine), bfloat16(x))


def test_numpy_functions_take_arrays():
    x = pb.array([1.0, 4.0, 9.0])
    assert np.sqrt(np.asarray(x)).tolist() == [1, 2, 3]
    assert np.mean(np.asarray(x)) == pytest.approx(14 / 3)
    assert np.stack([x, x]).shape == (2, 3)
    np.testing.assert_allclose(np.asarray(x, dtype="f8"), [1, 4, 9])


@pytest.mark.parametrize("attribute", ["shape", "ndim", "size", "dtype", "nbytes", "itemsize", "T"])
def test_attributes_cannot_be_set(attribute):
    x = pb.ones((2, 3))
    with pytest.raises(AttributeError):
        setattr(x, attribute, 1)


def test_attributes():
    x = values("float32", (2, 3, 4))
    mine = pb.array(x)
    for attribute in ("shape", "ndim", "size", "nbytes", "itemsize"):
        assert getattr(mine, attribute) == getattr(x, attribute)
    same(mine.T, x.T)
    same(mine.mT, np.swapaxes(x, -1, -2))
    with pytest.raises(ValueError, match=r"\[mT\] expected"):
        pb.ones(3).mT


METHODS = {
    "abs": (), "all": (), "any": (), "argmax": (0,), "argmin": (1,), "cummax": (0,), "cummin": (1,),
    "cumprod": (0,), "cumsum": (1,), "exp": (), "log1p": (), "logsumexp": (1,), "max": (0,), "mean": (1,),
    "min": (0,), "prod": (0,), "reciprocal": (), "round": (), "rsqrt": (), "sin": (), "cos": (), "sqrt": (),
    "square": (), "std": (0,), "sum": (1,), "var": (0,), "flatten": (), "moveaxis": (0, 1),
    "swapaxes": (0, 1), "transpose": (1, 0), "reshape": (4, 3), "squeeze": (), "diagonal": (),
    "log": (), "log2": (), "log10": (),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_the_functions(name):
    x = pb.array(values("float32", (3, 4), low=0.5, high=2))
    args = METHODS[name]
    method = getattr(x, name)(*args)
    given = (args,) if name in ("transpose", "reshape") else args
    function = getattr(pb, name)(x, *given)
    assert method.dtype == function.dtype and method.shape == function.shape
    np.testing.assert_array_equal(numpy(method), numpy(function))
    if name in ("transpose", "reshape"):
        np.testing.assert_array_equal(numpy(getattr(x, name)(args)), numpy(function))
