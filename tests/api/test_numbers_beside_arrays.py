"""Python's numbers beside arrays, and written into them: held exactly, or an error that says so."""

import operator

import numpy as np
import pullback as pb
import pytest
from samples import DTYPES, INTEGERS, numpy

BINARY = [row["name"] for row in pb.table() if row["api"] == "binary"]
# Floats beside integers are floats there; these take none.
BITS = {"bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"}
OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "and_", "or_", "xor", "lshift", "rshift"]
OPERATORS += ["pow", "lt", "le", "gt", "ge", "eq", "ne"]
WHERE = {"clip": lambda x, n: pb.clip(x, n), "where": lambda x, n: pb.where(True, x, n)}
IN_PLACE = ["iadd", "isub", "imul", "ifloordiv", "imod", "iand", "ior", "ixor"]


def outside(dtype):
    """Integers that a type does not hold."""
    info = np.iinfo(dtype)
    return [int(info.min) - 1, int(info.max) + 1, -(2**70), 2**70, 10**400]


def refused(call, number):
    with pytest.raises(OverflowError, match=r"^\[\w+\] expected (a number that|an integer of 64 bits)"):
        call()
    assert number not in range(-128, 128) or number < 0 or number > 127


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", BINARY)
def test_integers_beside_integers(name, dtype):
    x, fun = pb.ones(3, getattr(pb, dtype)), getattr(pb, name)
    for number in outside(dtype):
        refused(lambda number=number: fun(x, number), number)
        refused(lambda number=number: fun(number, x), number)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_operators(dtype):
    x = pb.ones(3, getattr(pb, dtype))
    for number in outside(dtype):
        for name in OPERATORS:
            op = getattr(operator, name)
            refused(lambda op=op, n=number: op(x, n), number)
            refused(lambda op=op, n=number: op(n, x), number)
        for name in IN_PLACE:
            y, op = x + 0, getattr(operator, name)
            refused(lambda op=op, y=y, n=number: op(y, n), number)
            assert y.tolist() == [1, 1, 1]
        for call in WHERE.values():
            refused(lambda call=call, n=number: call(x, n), number)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_written_into_integers(dtype):
    kind = getattr(pb, dtype)
    x = pb.ones(3, kind)
    for number in outside(dtype):
        for call in (
            *(lambda n=number: x.__setitem__(0, n), lambda n=number: x.__setitem__(x > 0, n)),
            *(lambda n=number: x.at[0].add(n), lambda n=number: x.at[pb.array([0])].maximum(n)),
            *(lambda n=number: pb.full(2, n, kind), lambda n=number: pb.full_like(x, n)),
            *(lambda n=number: pb.array(n, kind), lambda n=number: pb.array([[1], [n]], kind)),
            *(lambda n=number: pb.pad(x, 1, constant_values=n),),
        ):
            refused(call, number)
    assert x.tolist() == [1, 1, 1]
    info = np.iinfo(dtype)
    for number in (int(info.min), int(info.max)):
        x[1] = number
        assert x[1].item() == pb.array(number, kind).item() == pb.full((), number, kind).item() == number


@pytest.mark.parametrize("dtype", INTEGERS)
def test_floats_written_into_integers(dtype):
    """Truncated, as with NumPy; what is no integer then is an error."""
    kind = getattr(pb, dtype)
    x = pb.ones(3, kind)
    x[0] = 2.9
    assert x.tolist() == [2, 1, 1] and pb.full_like(x, 2.9).tolist() == [2] * 3
    assert pb.array([2.9, 1], kind).tolist() == [2, 1] and pb.pad(x, 1, constant_values=1.5).tolist()[0] == 1
    for number, error in (
        (np.nan, ValueError),
        (np.inf, OverflowError),
        (1e30, OverflowError),
        (1j, TypeError),
    ):
        number = complex(number) if isinstance(number, complex) else float(number)
        for call in (
            *(lambda n=number: x.__setitem__(0, n), lambda n=number: pb.full_like(x, n)),
            *(lambda n=number: pb.array([n], kind), lambda n=number: pb.array(n, kind)),
            *(lambda n=number: pb.full(2, n, kind), lambda n=number: pb.pad(x, 1, constant_values=n)),
        ):
            with pytest.raises(error, match=r"^\[\w+\] expected a number that u?int\d+ holds, got"):
                call()
    # A part of a float would be lost where it is combined with what is there.
    for update in (lambda at: at.add(0.5), lambda at: at.multiply(0.5), lambda at: at.divide(2)):
        with pytest.raises(TypeError, match=rf"^\[index\] expected updates that {dtype} can hold, got f"):
            update(x.at[0])
    with pytest.raises(TypeError, match=r"^\[index\] expected updates that"):
        x.at[pb.array([0, 1])].add(pb.array([0.5, 0.5]))
    assert x.at[0].add(2.0).tolist() == [4, 1, 1]


def test_complex_numbers_written_into_real_ones():
    x = pb.ones(3)
    for call in (
        *(lambda: x.__setitem__(0, 1j), lambda: x.__setitem__(0, pb.array(1j)), lambda: x.at[0].add(1j)),
        *(lambda: pb.full_like(x, 1j), lambda: pb.array([1j], pb.float32), lambda: pb.array(1j, pb.float64)),
        *(lambda: pb.pad(x, 1, constant_values=1j),),
        *(lambda: pb.put_along_axis(x, pb.array([0]), pb.array([1j]), axis=0),),
    ):
        with pytest.raises(
            TypeError, match=r"^\[\w+\] expected (a number|updates) that float\d+ (can hold|holds)"
        ):
            call()


@pytest.mark.parametrize("dtype", DTYPES)
def test_other_kinds_of_numbers_promote(dtype, device):
    """A number of a higher kind makes floats, or complex numbers, as with NumPy."""
    x = pb.ones(3, getattr(pb, dtype))
    kind = x.dtype
    real = kind if pb.issubdtype(kind, pb.inexact) else pb.float32
    for number, want in ((1.5, real), (np.nan, real), (np.inf, real), (-np.inf, real), (1j, pb.complex64)):
        got = x + (complex(number) if isinstance(number, complex) else float(number))
        assert got.dtype == want
        np.testing.assert_array_equal(numpy(got), np.full(3, 1 + number))
        assert (x * number).dtype == pb.where(True, x, number).dtype == want
    for number in (True, False):
        assert (x + number).dtype == pb.where(True, x, number).dtype == kind
    assert (x + 1).dtype == (pb.int32 if dtype == "bool_" else kind)
    if dtype in ("bool_", *INTEGERS):
        for name in BITS:
            with pytest.raises(TypeError, match=rf"^\[{name}\] expected .*, got float32"):
                getattr(pb, name)(x, 1.5)
    assert (pb.ones(2, pb.float16) * 1e6).tolist() == [np.inf, np.inf]


def test_numbers_of_numpy():
    """Those without a width of their own are Python's; the rest have their types."""
    x = pb.ones(2, pb.uint8)
    assert (x + np.int64(300)).dtype == pb.int64 and (x + np.int64(300)).tolist() == [301, 301]
    assert (x + np.uint8(255)).tolist() == [0, 0]
    assert (x + np.float16(0.5)).dtype == pb.float16
    assert (x + np.array(2)).dtype == pb.int64
    assert (x + np.bool_(True)).dtype == pb.uint8
