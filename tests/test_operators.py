"""Operators: all of them, reflected and in place, next to numbers, NumPy's arrays, and each other's types."""

import itertools
import operator

import numpy as np
import pullback as pb
import pytest
from samples import near, numpy, values

ARITHMETIC = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
BITS = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
}
COMPARISONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
IN_PLACE = {
    "+": operator.iadd,
    "-": operator.isub,
    "*": operator.imul,
    "/": operator.itruediv,
    "//": operator.ifloordiv,
    "%": operator.imod,
    "**": operator.ipow,
    "&": operator.iand,
    "|": operator.ior,
    "^": operator.ixor,
    "<<": operator.ilshift,
    ">>": operator.irshift,
    "@": operator.imatmul,
}


@pytest.mark.parametrize("sign", [*ARITHMETIC, *COMPARISONS])
def test_two_arrays(sign, device):
    fun = {**ARITHMETIC, **COMPARISONS}[sign]
    a, b = values("float32", (3, 4), 0, 0.5, 3), values("float32", (4,), 1, 0.5, 3)
    near(fun(pb.array(a), pb.array(b)), fun(a, b), 1e-5)
    i, j = values("int32", (3, 4), 0, 1, 9), values("int32", (4,), 1, 1, 4)
    near(fun(pb.array(i), pb.array(j)), fun(i, j), 1e-5)


@pytest.mark.parametrize("sign", BITS)
def test_bits(sign, device):
    i, j = values("int32", (3, 4)), values("int32", (4,), 1, 0, 7)
    np.testing.assert_array_equal(numpy(BITS[sign](pb.array(i), pb.array(j))), BITS[sign](i, j))
    np.testing.assert_array_equal(numpy(BITS[sign](pb.array(i), 3)), BITS[sign](i, 3))
    np.testing.assert_array_equal(numpy(BITS[sign](3, pb.array(j))), BITS[sign](3, j))
    if sign in "&|^":
        p, q = i > 0, j > 3
        np.testing.assert_array_equal(numpy(BITS[sign](pb.array(p), pb.array(q))), BITS[sign](p, q))


@pytest.mark.parametrize("number", [2, 0.5, True, -3], ids=repr)
@pytest.mark.parametrize("sign", [*ARITHMETIC, *COMPARISONS])
def test_numbers_on_both_sides(sign, number):
    fun = {**ARITHMETIC, **COMPARISONS}[sign]
    a = values("float32", (3, 4), 0, 0.5, 3)
    # As floats, since NumPy has no powers of truth.
    near(fun(pb.array(a), number), fun(a, float(number)), 1e-5)
    if sign == "**" and number < 0:
        return
    near(fun(number, pb.array(a)), fun(float(number), a), 1e-5)


def test_signs():
    a = values("float32", (3, 4))
    near(-pb.array(a), -a)
    near(+pb.array(a), a)
    near(abs(pb.array(a)), abs(a))
    near(~pb.array([1, 0, -7]), [-2, -1, 6])
    near(~pb.array([True, False]), [False, True])
    near(pb.bitwise_invert(pb.array([1, 0, -7])), [-2, -1, 6])
    near(divmod(pb.array([7, -7]), 3), (np.array([2, -3]), np.array([1, 2])))


def test_matmul():
    a, b = values("float32", (3, 4)), values("float32", (4, 2), 1)
    near(pb.array(a) @ pb.array(b), a @ b)
    near(pb.array(a) @ b, a @ b)
    near(a @ pb.array(b), a @ b)
    assert isinstance(a @ pb.array(b), pb.array)
    near(pb.array(a[0]) @ pb.array(b), a[0] @ b)
    near(pb.array(a[0]) @ pb.array(a[1]), a[0] @ a[1])


@pytest.mark.parametrize("sign", IN_PLACE)
def test_in_place(sign, device):
    whole = sign in BITS
    a = values("int32", (3, 3), 0, 1, 9) if whole else values("float32", (3, 3), 0, 0.5, 3)
    b = values("int32", (3, 3), 1, 1, 4) if whole else values("float32", (3, 3), 1, 0.5, 3)
    plain = {**ARITHMETIC, **BITS, "@": operator.matmul}[sign]
    x = pb.array(a)
    other_name, derived = x, x * 1
    result = IN_PLACE[sign](x, pb.array(b))
    # The object itself changed, under all its names; what was made from it did not.
    assert result is x and other_name is x
    near(x, plain(a, b), 1e-5)
    near(derived, a)
    if sign != "@":
        y = pb.array(a)
        y = IN_PLACE[sign](y, 2)
        near(y, plain(a, 2), 1e-5)


# The types of sums, recorded from mlx 0.32.4: B is bool, u unsigned, i signed, h float16, b bfloat16.
ORDER = ["bool_", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
ORDER += ["float16", "bfloat16", "float32", "float64", "complex64"]
CODES = dict(
    zip(
        ["B", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "h", "b", "f", "d", "c"],
        ORDER,
        strict=True,
    )
)
TABLE = """
B u8 u16 u32 u64 i8 i16 i32 i64 h b f d c
u8 u8 u16 u32 u64 i16 i16 i32 i64 h b f d c
u16 u16 u16 u32 u64 i32 i32 i32 i64 h b f d c
u32 u32 u32 u32 u64 i64 i64 i64 i64 h b f d c
u64 u64 u64 u64 u64 f f f f h b f d c
i8 i16 i32 i64 f i8 i16 i32 i64 h b f d c
i16 i16 i32 i64 f i16 i16 i32 i64 h b f d c
i32 i32 i32 i64 f i32 i32 i32 i64 h b f d c
i64 i64 i64 i64 f i64 i64 i64 i64 h b f d c
h h h h h h h h h h f f d c
b b b b b b b b b f b f d c
f f f f f f f f f f f f d c
d d d d d d d d d d d d d c
c c c c c c c c c c c c c c
"""
WEAK = {
    "bool_": ["bool_", "int32", "float32", "complex64"],
    **{name: [name, name, "float32", "complex64"] for name in ORDER[1:9]},
    **{name: [name, name, name, "complex64"] for name in ORDER[9:]},
}


def attribute(dtype):
    return "bool_" if dtype == pb.bool_ else dtype.name


def test_promotion():
    rows = [line.split() for line in TABLE.strip().splitlines()]
    for (i, a), (j, b) in itertools.product(enumerate(ORDER), repeat=2):
        x, y = pb.zeros(1, getattr(pb, a)), pb.zeros(1, getattr(pb, b))
        for fun in (operator.add, operator.mul, lambda x, y: pb.where(True, x, y)):
            assert attribute(fun(x, y).dtype) == CODES[rows[i][j]], (a, b)


@pytest.mark.parametrize("dtype", ORDER)
def test_numbers_of_python_are_weak(dtype):
    x = pb.ones(1, getattr(pb, dtype))
    got = [attribute((x + number).dtype) for number in (True, 1, 1.0, 1j)]
    assert got == WEAK[dtype]
    assert [attribute((number * x).dtype) for number in (True, 1, 1.0, 1j)] == WEAK[dtype]


@pytest.mark.parametrize("dtype", ORDER[:13])
def test_types_of_results(dtype):
    x = pb.ones((1, 1), getattr(pb, dtype))
    for fun in COMPARISONS.values():
        assert fun(x, x).dtype == pb.bool_
    floating = dtype in ("float16", "bfloat16", "float32", "float64")
    assert attribute((x / x).dtype) == (dtype if floating else "float32")
    for fun in (operator.floordiv, operator.mod, operator.pow):
        assert attribute(fun(x, x).dtype) == dtype
    if not floating:
        assert attribute((x & x).dtype) == dtype
        assert attribute((x << x).dtype) == ("uint8" if dtype == "bool_" else dtype)


def test_numbers_that_do_not_fit():
    x = pb.array([1], pb.uint8)
    for number in (256, -1, 2**70):
        with pytest.raises(OverflowError, match=r"expected .* got"):
            x + number
    assert (x + 255).item() == 0
    assert (pb.array([1]) + (2**31 - 1)).item() == -(2**31)


def test_numpy_on_the_other_side():
    a = values("float32", (3, 4))
    x = pb.array(a)
    for fun in ARITHMETIC.values():
        b = np.abs(a) + 1
        left, right = fun(x, b), fun(b, pb.array(b))
        assert isinstance(left, pb.array) and isinstance(right, pb.array)
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(numpy(left), fun(a, b), rtol=1e-5, atol=1e-5)
        near(right, fun(b, b), 1e-5)
    # NumPy's scalars have a type of their own, and keep it.
    assert (pb.array([1], pb.float16) * np.float32(2)).dtype == pb.float32
    assert isinstance(np.float32(2) * x, pb.array)
    near(np.float32(2) * x, 2 * a)


@pytest.mark.parametrize(
    "other", ["text", None, [1.0, 2.0], {}, pytest.param(object(), id="object()")], ids=repr
)
def test_what_is_no_operand(other):
    x = pb.array([1.0, 2.0])
    for fun in [*ARITHMETIC.values(), operator.matmul, operator.lt]:
        with pytest.raises(TypeError):
            fun(x, other)
        if (fun, other) == (operator.mod, "text"):
            continue  # Python's own formatting of text
        with pytest.raises(TypeError):
            fun(other, x)
    assert (x == other) is False and (x != other) is True
    before = x
    with pytest.raises(TypeError):
        x += other
    assert before is x and x.tolist() == [1, 2]


def test_classes_may_answer_themselves():
    class Other:
        def __radd__(self, left):
            return ("radd", left)

        def __rmatmul__(self, left):
            return ("rmatmul", left)

    x = pb.array(1.0)
    assert (x + Other())[0] == "radd" and (x @ Other())[0] == "rmatmul"


def test_chains_of_comparisons_need_one_element():
    with pytest.raises(ValueError, match=r"use x.any\(\) or x.all\(\)"):
        assert 0 < pb.array([1.0, 2.0]) < 3
    assert 0 < pb.array(1.0) < 3


def test_powers():
    x = pb.array([2.0, -2.0, 0.0])
    near(x**2, [4.0, 4, 0])
    near(x**0, [1.0, 1, 1])
    near(x**3, [8.0, -8, 0])
    near(x**-1, [0.5, -0.5, np.inf])
    near(pb.array([4.0]) ** 0.5, [2.0])
    near(2 ** pb.array([1, 2, 10]), [2, 4, 1024])
    near(pb.grad(lambda x: (x**2).sum())(x), [4.0, -4, 0])
    near(pb.grad(lambda x: (x**3).sum())(x), [12.0, 12, 0])
    with pytest.raises(TypeError):
        pow(x, 2, 3)
