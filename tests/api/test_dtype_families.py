"""What is asked of dtypes: limits, families and promotion, against NumPy and, where it is installed, MLX."""

import importlib.util
import itertools

import numpy as np
import pullback as pb
import pytest

NAMES = [
    "bool_",
    *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64"),
]
DTYPES = {name: getattr(pb, name) for name in NAMES}
# NumPy has no bfloat16.
NUMPY = [name for name in NAMES if name != "bfloat16"]
CATEGORIES = [category.name for category in pb.DtypeCategory]
KINDS = [
    *("bool", "signed integer", "unsigned integer", "integral"),
    *("real floating", "complex floating", "numeric"),
]
with_mlx = pytest.mark.skipif(importlib.util.find_spec("mlx") is None, reason="mlx is not installed")


@pytest.mark.parametrize("name", ["float16", "float32", "float64", "complex64"])
def test_finfo_is_numpys(name):
    mine, theirs = pb.finfo(DTYPES[name]), np.finfo(name)
    for attribute in ("bits", "min", "max", "eps", "smallest_normal"):
        assert getattr(mine, attribute) == getattr(theirs, attribute), attribute
        assert type(getattr(mine, attribute)) in (int, float)
    assert mine.dtype == (pb.float32 if name == "complex64" else DTYPES[name])


def test_finfo_of_bfloat16():
    info = pb.finfo(pb.bfloat16)
    assert (info.bits, info.eps, info.dtype) == (16, 2.0**-7, pb.bfloat16)
    assert (info.min, info.max) == (-3.3895313892515355e38, 3.3895313892515355e38)
    assert info.smallest_normal == 2.0**-126
    assert pb.array(info.max, pb.bfloat16).item() == info.max
    assert (pb.array(1.0, pb.bfloat16) + info.eps).item() == 1 + info.eps
    assert "dtype=bfloat16" in repr(info)


@pytest.mark.parametrize("name", [name for name in NAMES if "int" in name])
def test_iinfo_is_numpys(name):
    mine, theirs = pb.iinfo(name), np.iinfo(name)
    assert (mine.bits, mine.min, mine.max) == (theirs.bits, theirs.min, theirs.max)
    assert mine.dtype == DTYPES[name]
    assert repr(mine) == f"iinfo(min={theirs.min}, max={theirs.max}, dtype={name})"
    assert pb.array(mine.max, name).item() == theirs.max


def test_limits_of_the_wrong_family():
    for name in ("bool_", "int32"):
        with pytest.raises(ValueError, match=rf"\[finfo\] expected a float or complex type, got {name[:4]}"):
            pb.finfo(name)
    for name in ("bool_", "float32", "complex64"):
        with pytest.raises(ValueError, match=rf"\[iinfo\] expected an integer type, got {name[:4]}"):
            pb.iinfo(name)


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("category", CATEGORIES)
def test_issubdtype_is_numpys(name, category):
    mine = pb.issubdtype(DTYPES[name], getattr(pb, category))
    assert mine == np.issubdtype(getattr(np, name), getattr(np, category))
    assert pb.issubdtype(getattr(pb, category), DTYPES[name]) is False


@pytest.mark.parametrize("a, b", [*itertools.product(CATEGORIES, repeat=2)])
def test_issubdtype_of_categories_is_numpys(a, b):
    assert getattr(pb, a) is pb.DtypeCategory[a]
    mine = pb.issubdtype(getattr(pb, a), getattr(pb, b))
    assert mine == np.issubdtype(getattr(np, a), getattr(np, b))


def test_issubdtype_of_dtypes():
    for a, b in itertools.product(DTYPES.values(), repeat=2):
        assert pb.issubdtype(a, b) == (a == b)
    assert pb.issubdtype(pb.bfloat16, pb.floating)
    assert pb.issubdtype("int8", pb.integer) and pb.issubdtype(np.float32, pb.float32)
    for wrong in (1.5, "generic", None):
        with pytest.raises(TypeError, match=r"\[dtype\] expected one of"):
            pb.issubdtype(wrong, pb.floating)
        with pytest.raises(TypeError, match=r"\[dtype\] expected one of"):
            pb.issubdtype(pb.floating, wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_isdtype_is_numpys(kind):
    for name in NUMPY:
        assert pb.isdtype(DTYPES[name], kind) == np.isdtype(np.dtype(name.rstrip("_")), kind), name
    assert pb.isdtype(pb.bfloat16, kind) == (kind in ("real floating", "numeric"))


def test_isdtype_of_dtypes_and_tuples():
    assert pb.isdtype(pb.int8, pb.int8) and not pb.isdtype(pb.int8, pb.int16)
    assert pb.isdtype(pb.int8, ("bool", pb.float32, "integral"))
    assert not pb.isdtype(pb.int8, ("bool", pb.float32))
    assert pb.isdtype(pb.int8, ()) is False
    for wrong in ("float", pb.floating, 3, (("bool",),), ("integral", "x")):
        with pytest.raises(ValueError, match=r"\[isdtype\] expected a dtype, one of 'bool'"):
            pb.isdtype(pb.int8, wrong)
    with pytest.raises(TypeError, match=r"\[dtype\] expected"):
        pb.isdtype(pb.array(1), "bool")


@pytest.mark.parametrize("a, b", [*itertools.product(NAMES, repeat=2)])
def test_result_type_is_that_of_an_operation(a, b):
    mine = pb.result_type(DTYPES[a], pb.array([1], DTYPES[b]))
    assert mine == (pb.array([1], DTYPES[a]) + pb.array([1], DTYPES[b])).dtype
    assert pb.can_cast(DTYPES[a], DTYPES[b]) == (mine == DTYPES[b])
    assert pb.can_cast(pb.zeros(2, DTYPES[a]), DTYPES[b]) == (mine == DTYPES[b])


@pytest.mark.parametrize("a, b", [*itertools.product(NUMPY, repeat=2)])
def test_result_type_is_numpys_or_mlxs(a, b):
    mine, theirs = pb.result_type(DTYPES[a], DTYPES[b]), np.result_type(getattr(np, a), getattr(np, b))
    integers = [name for name in (a, b) if "int" in name]
    signs = {name.startswith("u") for name in integers}
    if len(integers) == 1 and {a, b} & {"float16", "float32", "complex64"}:
        # MLX takes the float's type, however wide the integer; NumPy a float that holds it.
        assert mine == DTYPES[b if a in integers else a]
    elif "uint64" in integers and signs == {True, False}:
        # No integer holds both: MLX answers float32, NumPy float64.
        assert (mine, theirs) == (pb.float32, np.float64)
    elif {a, b} == {"float64", "complex64"}:
        # MLX has no complex128.
        assert (mine, theirs) == (pb.complex64, np.complex128)
    else:
        assert mine == pb.Dtype(theirs)


def test_result_type_of_many():
    assert pb.result_type(pb.float16, pb.bfloat16) == pb.float32
    assert pb.result_type(pb.int8, pb.array([1], pb.uint8), "float16", np.float32) == pb.float32
    assert pb.result_type(pb.uint8) == pb.uint8
    with pytest.raises(ValueError, match=r"\[result_type\] expected at least one"):
        pb.result_type()
    # MLX takes no numbers here either: what they become depends on what they meet.
    for wrong in (1.0, True, None, [1]):
        with pytest.raises(TypeError, match=r"\[result_type\] expected arrays or dtypes, got"):
            pb.result_type(pb.float16, wrong)
        with pytest.raises(TypeError, match=r"\[can_cast\] expected arrays or dtypes, got"):
            pb.can_cast(wrong, pb.float32)


@with_mlx
def test_all_of_it_is_mlxs():
    import mlx.core as mx

    def name(dtype):
        return str(dtype).split(".")[-1].rstrip("_")

    for a in NAMES:
        mine, theirs = DTYPES[a], getattr(mx, a)
        for b in NAMES:
            assert name(pb.result_type(mine, DTYPES[b])) == name(mx.result_type(theirs, getattr(mx, b)))
            assert pb.can_cast(mine, DTYPES[b]) == mx.can_cast(theirs, getattr(mx, b))
        for category in CATEGORIES:
            expected = mx.issubdtype(theirs, getattr(mx, category))
            assert pb.issubdtype(mine, getattr(pb, category)) == expected
        for kind in KINDS:
            assert pb.isdtype(mine, kind) == mx.isdtype(theirs, kind)
        if pb.issubdtype(mine, pb.inexact):
            for attribute in ("bits", "min", "max", "eps", "smallest_normal"):
                assert getattr(pb.finfo(mine), attribute) == getattr(mx.finfo(theirs), attribute)
        if pb.issubdtype(mine, pb.integer):
            assert (pb.iinfo(mine).min, pb.iinfo(mine).max) == (mx.iinfo(theirs).min, mx.iinfo(theirs).max)
