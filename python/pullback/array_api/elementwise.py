"""Functions of elements. Python's numbers may stand beside an array, whose dtype they take.

A function that the package has with the same meaning is here under the standard's parameters.
"""

from collections.abc import Callable

from pullback import _core
from pullback._core import array
from pullback._dtypes import complexfloating, integer, issubdtype
from pullback.array_api._placed import placed
from pullback.array_api.data_types import result_type

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clip",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "divide",
    "equal",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "real",
    "reciprocal",
    "remainder",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "trunc",
]

Unary = Callable[[array], array]
Binary = Callable[[array | complex, array | complex], array]


def _documented(name: str, function: Callable[..., array]) -> str:
    """The engine's sentence about a function, and where it comes from."""
    first = (function.__doc__ or "").strip().split("\n\n")[0]
    return f"{first}\n\nThe array API's `{name}`."


def _unary(name: str, function: Unary) -> Unary:
    def call(x: array, /) -> array:
        return function(x)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = _documented(name, function)
    return placed(call)


def _binary(name: str, function: Callable[..., array]) -> Binary:
    def call(x1: array | complex, x2: array | complex, /) -> array:
        return function(x1, x2)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = _documented(name, function)
    return placed(call)


abs = _unary("abs", _core.abs)
acos = _unary("acos", _core.arccos)
acosh = _unary("acosh", _core.arccosh)
add = _binary("add", _core.add)
asin = _unary("asin", _core.arcsin)
asinh = _unary("asinh", _core.arcsinh)
atan = _unary("atan", _core.arctan)
atan2 = _binary("atan2", _core.arctan2)
atanh = _unary("atanh", _core.arctanh)
bitwise_and = _binary("bitwise_and", _core.bitwise_and)
bitwise_invert = _unary("bitwise_invert", _core.bitwise_invert)
bitwise_left_shift = _binary("bitwise_left_shift", _core.left_shift)
bitwise_or = _binary("bitwise_or", _core.bitwise_or)
bitwise_right_shift = _binary("bitwise_right_shift", _core.right_shift)
bitwise_xor = _binary("bitwise_xor", _core.bitwise_xor)
ceil = _unary("ceil", _core.ceil)
conj = _unary("conj", _core.conjugate)
cos = _unary("cos", _core.cos)
cosh = _unary("cosh", _core.cosh)
divide = _binary("divide", _core.divide)
equal = _binary("equal", _core.equal)
exp = _unary("exp", _core.exp)
expm1 = _unary("expm1", _core.expm1)
floor = _unary("floor", _core.floor)
floor_divide = _binary("floor_divide", _core.floor_divide)
greater = _binary("greater", _core.greater)
greater_equal = _binary("greater_equal", _core.greater_equal)
imag = _unary("imag", _core.imag)
isfinite = _unary("isfinite", _core.isfinite)
isinf = _unary("isinf", _core.isinf)
isnan = _unary("isnan", _core.isnan)
less = _binary("less", _core.less)
less_equal = _binary("less_equal", _core.less_equal)
log = _unary("log", _core.log)
log10 = _unary("log10", _core.log10)
log1p = _unary("log1p", _core.log1p)
log2 = _unary("log2", _core.log2)
logaddexp = _binary("logaddexp", _core.logaddexp)
logical_and = _binary("logical_and", _core.logical_and)
logical_not = _unary("logical_not", _core.logical_not)
logical_or = _binary("logical_or", _core.logical_or)
logical_xor = _binary("logical_xor", _core.logical_xor)
maximum = _binary("maximum", _core.maximum)
minimum = _binary("minimum", _core.minimum)
multiply = _binary("multiply", _core.multiply)
negative = _unary("negative", _core.negative)
not_equal = _binary("not_equal", _core.not_equal)
positive = _unary("positive", _core.positive)
pow = _binary("pow", _core.power)
real = _unary("real", _core.real)
reciprocal = _unary("reciprocal", _core.reciprocal)
remainder = _binary("remainder", _core.remainder)
round = _unary("round", _core.round)
sign = _unary("sign", _core.sign)
sin = _unary("sin", _core.sin)
sinh = _unary("sinh", _core.sinh)
sqrt = _unary("sqrt", _core.sqrt)
square = _unary("square", _core.square)
subtract = _binary("subtract", _core.subtract)
tan = _unary("tan", _core.tan)
tanh = _unary("tanh", _core.tanh)
trunc = _unary("trunc", _core.trunc)


@placed
def clip(x: array, /, min: array | float | None = None, max: array | float | None = None) -> array:
    """Return the elements, those below `min` and above `max` replaced by these, in their own dtype.

    >>> pb.array_api.clip(pb.array([1, 5, 9]), 2, 7)
    array([2, 5, 7], dtype=int32)
    """
    if min is None and max is None:
        return _core.positive(x)
    found = _core.clip(x, min, max)
    return found if found.dtype == x.dtype else found.astype(x.dtype)


# The integers as wide as each float.
_WORDS = {2: _core.int16, 4: _core.int32, 8: _core.int64}


def _bits(x: array) -> array:
    if issubdtype(x.dtype, complexfloating) or x.dtype == _core.bool_ or issubdtype(x.dtype, integer):
        raise TypeError(f"[signbit] expected a float dtype, got {x.dtype.name}")
    return _core.view(x, _WORDS[x.itemsize])


def _pair(x1: array | float, x2: array | float) -> tuple[array, array]:
    """Two operands in their common dtype and shape."""
    dtype = result_type(x1, x2)
    first, second = _core.broadcast_arrays(_core.array(x1, dtype), _core.array(x2, dtype))
    return first, second


@placed
def signbit(x: array, /) -> array:
    """Return where the sign is negative, that of zeros and NaNs too.

    >>> pb.array_api.signbit(pb.array([-0.0, 0.0, -2.0]))
    array([ True, False,  True], dtype=bool)
    """
    return _core.less(_bits(x), 0)


@placed
def copysign(x1: array | float, x2: array | float, /) -> array:
    """Return the sizes of the first with the signs of the second.

    >>> pb.array_api.copysign(pb.array([1.0, -2.0]), pb.array([-0.0, 3.0]))
    array([-1.,  2.], dtype=float32)
    """
    size, sign = _pair(x1, x2)
    size = _core.abs(size)
    return _core.where(signbit(sign), -size, size)


@placed
def hypot(x1: array | float, x2: array | float, /) -> array:
    """Return the square root of the sum of squares, which overflows only where the result does.

    >>> pb.array_api.hypot(pb.array([3e30]), pb.array([4e30]))
    array([5.e+30], dtype=float32)
    """
    x, y = map(_core.abs, _pair(x1, x2))
    large, small = _core.maximum(x, y), _core.minimum(x, y)
    # Zero and infinity are their own results; division is by something else then.
    plain = _core.logical_or(_core.equal(large, 0), _core.isinf(large))
    ratio = small / _core.where(plain, 1, large)
    found = _core.where(plain, large, large * _core.sqrt(1 + ratio * ratio))
    return _core.where(_core.logical_or(_core.isinf(x), _core.isinf(y)), _core.abs(float("inf")), found)


@placed
def nextafter(x1: array | float, x2: array | float, /) -> array:
    """Return the floats next to the first on the way to the second.

    >>> pb.array_api.nextafter(pb.array([1.0]), 2.0) - 1.0
    array([1.1920929e-07], dtype=float32)
    """
    x, to = _pair(x1, x2)
    bits = _bits(x)
    # Floats of one sign are ordered as their bits are, away from zero.
    step = _core.where(_core.equal(_core.less(x, to), _core.greater(x, 0)), 1, -1)
    found = _core.view(bits + step.astype(bits.dtype), x.dtype)
    smallest = copysign(_core.view(_core.ones_like(bits), x.dtype), to)
    found = _core.where(_core.equal(bits & _core.iinfo(bits.dtype).max, 0), smallest, found)
    found = _core.where(_core.equal(x, to), to, found)
    return _core.where(_core.logical_or(_core.isnan(x), _core.isnan(to)), float("nan"), found)
