"""The array API standard: every name of version 2024.12 with its parameters, its dtypes and its objects."""

import inspect
from pathlib import Path

import numpy as np
import pullback as pb
import pytest

xp = pb.array_api

# `name(parameters)`, as the standard has them: `/` and `*` part the three kinds.
TABLE = Path(__file__).with_name("array_api_names.txt").read_text().split("\n")[1:-1]
DTYPES = sorted(xp.__array_namespace_info__().dtypes())


def found(name, namespace=xp):
    for part in name.split("."):
        namespace = getattr(namespace, part)
    return namespace


def parameters(function):
    """The text of a signature without annotations and defaults."""
    parts, kinds = [], inspect.Parameter
    entries = list(inspect.signature(function).parameters.values())
    for i, entry in enumerate(entries):
        if entry.kind is kinds.KEYWORD_ONLY and all(
            before.kind not in (kinds.KEYWORD_ONLY, kinds.VAR_POSITIONAL) for before in entries[:i]
        ):
            parts.append("*")
        parts.append("*" + entry.name if entry.kind is kinds.VAR_POSITIONAL else entry.name)
        last = i + 1 == len(entries) or entries[i + 1].kind is not kinds.POSITIONAL_ONLY
        if entry.kind is kinds.POSITIONAL_ONLY and last:
            parts.append("/")
    return ", ".join(parts)


@pytest.mark.parametrize("line", TABLE, ids=lambda line: line.split("(")[0])
def test_parameters(line):
    name, expected = line.rstrip(")").split("(")
    function = found(name)
    assert parameters(function) == expected
    assert function.__name__ == name.split(".")[-1] and function.__doc__


def test_the_table_is_that_of_the_strict_implementation():
    strict = pytest.importorskip("array_api_strict")
    for line in TABLE:
        name = line.split("(")[0]
        assert f"{name}({parameters(found(name, strict))})" == line
    # What came after version 2024.12, and what is not of the standard.
    later = {"isin", "broadcast_shapes", "eig", "eigvals"}
    own = {"get_array_api_strict_flags", "reset_array_api_strict_flags", "set_array_api_strict_flags"}
    named = {line.split("(")[0] for line in TABLE}
    for prefix, space in (("", strict), ("linalg.", strict.linalg), ("fft.", strict.fft)):
        for name in space.__all__:
            if inspect.isfunction(getattr(space, name)) and not name.startswith("__"):
                assert prefix + name in named or name in later | own


def test_constants_and_dtypes():
    assert (xp.e, xp.pi, xp.inf, xp.newaxis) == (np.e, np.pi, np.inf, None) and np.isnan(xp.nan)
    for name in DTYPES:
        assert getattr(xp, name) == xp.__array_namespace_info__().dtypes()[name]
        assert xp.zeros(2, dtype=getattr(xp, name)).dtype == getattr(xp, name)
    assert "complex128" not in DTYPES and not hasattr(xp, "complex128")
    assert all(hasattr(xp, name) for name in xp.__all__)


def test_info():
    info = xp.__array_namespace_info__()
    assert info.capabilities() == {
        "boolean indexing": True,
        "data-dependent shapes": True,
        "max dimensions": None,
    }
    assert info.default_device() == pb.default_device() and pb.cpu in info.devices()
    kinds = info.default_dtypes()
    assert kinds["real floating"] == xp.asarray(1.0).dtype and kinds["integral"] == xp.asarray(1).dtype
    assert kinds["complex floating"] == xp.asarray(1j).dtype
    assert kinds["indexing"] == xp.argmax(xp.ones(2)).dtype == xp.nonzero(xp.ones(2))[0].dtype
    assert sorted(info.dtypes(kind="unsigned integer")) == ["uint16", "uint32", "uint64", "uint8"]
    assert sorted(info.dtypes(kind=("bool", "complex floating"))) == ["bool", "complex64"]
    with pytest.raises(ValueError, match=r"^\[isdtype\] expected"):
        info.dtypes(kind="float")


def test_namespace_of_an_array():
    x = pb.array([1.0])
    assert x.__array_namespace__() is xp is x.__array_namespace__(api_version="2024.12")
    assert x.__array_namespace__(api_version=None) is xp
    with pytest.raises(ValueError, match=r"^\[array_namespace\] expected a version"):
        x.__array_namespace__(api_version="2019.01")
    assert xp.__array_api_version__ == "2024.12"


def test_compat_finds_the_namespace():
    compat = pytest.importorskip("array_api_compat")
    x = pb.array([1.0])
    assert compat.array_namespace(x, 1.0) is xp and compat.is_array_api_obj(x)
    assert compat.device(x) == pb.cpu and compat.size(x) == 1
    assert compat.to_device(x, pb.cpu).tolist() == [1.0]


def test_attributes_and_methods():
    x = pb.array([[1.0, 2.0], [3.0, 4.0]])
    assert (x.ndim, x.shape, x.size, x.dtype) == (2, (2, 2), 4, pb.float32)
    assert x.T.tolist() == x.mT.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert x.device == x.to_device(pb.cpu, stream=None).device == pb.cpu
    assert [10, 20, 30][pb.array(1)] == 20 and complex(pb.array(2j)) == 2j and hex(pb.array(10)) == "0xa"
    with pytest.raises(TypeError):
        x.to_device(None)


@pytest.mark.skipif(not pb.is_available(pb.gpu), reason="no GPU")
def test_devices():
    x = pb.array([1.0, float("nan"), -0.0])
    there = x.to_device(pb.gpu)
    assert there.device == pb.gpu and x.device == pb.cpu
    assert bytes(there) == bytes(x) == bytes(there.to_device(pb.cpu))
    assert xp.zeros_like(there).device == xp.ones(2, device=pb.gpu).device == pb.gpu
    assert xp.asarray([1], device=pb.gpu).device == xp.asarray(x, device="gpu").device == pb.gpu
    assert pb.grad(lambda x: (x.to_device(pb.gpu) * x).sum())(pb.array([1.0, 2.0])).tolist() == [2.0, 4.0]


def test_conversion():
    x = pb.array([1.0, 2.0])
    assert xp.asarray(x) is x is xp.asarray(x, copy=False) is xp.from_dlpack(x)
    mine = xp.asarray(x, copy=True)
    mine += 1
    assert x.tolist() == [1.0, 2.0] and mine.tolist() == [2.0, 3.0]
    assert xp.asarray(np.ones(2)).dtype == pb.float64 and xp.asarray(np.ones(2, np.int8)).dtype == pb.int8
    assert xp.asarray(2**40).dtype == pb.int64 and xp.asarray([True]).dtype == pb.bool_
    for bad in (lambda: xp.asarray([1], copy=False), lambda: xp.asarray(x, dtype=xp.int8, copy=False)):
        with pytest.raises(ValueError, match=r"^\[asarray\] expected"):
            bad()
    with pytest.raises(BufferError, match=r"^\[from_dlpack\] expected"):
        xp.from_dlpack(np.ones(2), copy=False)
    assert xp.from_dlpack(np.ones(2), device=pb.cpu, copy=True).dtype == pb.float64
    with pytest.raises(TypeError, match=r"^\[astype\] expected a complex dtype"):
        xp.astype(pb.array([1j]), xp.float32)
    assert xp.astype(pb.array([1j, 0]), xp.bool).tolist() == [True, False]
    assert xp.astype(x, xp.float32, copy=False) is x and xp.astype(x, xp.float32) is not x


def test_promotion():
    # Within a kind, and between integers of both kinds where a signed one is wide enough; the rest is open.
    kinds = [
        [n for n in DTYPES if n.startswith(kind)] for kind in ("bool", "uint", "int", "float", "complex")
    ]
    pairs = [(a, b) for kind in kinds for a in kind for b in kind]
    pairs += [(a, b) for a in kinds[1] if a != "uint64" for b in kinds[2]] + [("float32", "complex64")]
    for a, b in pairs:
        one, two = getattr(xp, a), getattr(xp, b)
        expected = getattr(xp, np.result_type(np.dtype(a), np.dtype(b)).name)
        assert xp.result_type(one, two) == xp.result_type(two, one) == expected
        if a != "bool":
            assert (xp.ones(1, dtype=one) + xp.ones((), dtype=two)).dtype == expected
    assert xp.result_type(xp.bool, 1) == xp.int32 and xp.result_type(xp.int8, 1.0) == xp.float32
    assert xp.result_type(pb.array([1.0], pb.float64), 1j) == xp.complex64
    with pytest.raises(ValueError, match=r"^\[result_type\] expected an array or a dtype"):
        xp.result_type(1, 2.0)
    assert xp.can_cast(pb.ones(1, pb.int8), xp.int16) and not xp.can_cast(xp.int16, xp.int8)
    assert xp.finfo(xp.complex64).dtype == xp.finfo(pb.ones(1)).dtype == xp.float32
    assert xp.iinfo(pb.ones(1, pb.uint8)).max == 255
