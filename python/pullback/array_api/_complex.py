"""Elementary functions of complex numbers, out of those of real ones, on their principal branches.

The engine's own rows are real; these have derivatives because they are made of them. They hold for finite
numbers, within a few ulps of the result's absolute value; infinite parts may give NaN.
"""

import math

from pullback import _core
from pullback._core import array, imag, real


def joined(x: array, y: array) -> array:
    """The numbers with these real and imaginary parts."""
    return x + y * 1j


def exp(z: array) -> array:
    size = _core.exp(real(z))
    return joined(size * _core.cos(imag(z)), size * _core.sin(imag(z)))


def expm1(z: array) -> array:
    x, y = real(z), imag(z)
    half = _core.sin(y / 2)
    # cos y - 1 is -2 sin² y/2, which loses no digits near 0.
    return joined(_core.expm1(x) * _core.cos(y) - 2 * half * half, _core.exp(x) * _core.sin(y))


def log(z: array) -> array:
    return joined(_core.log(_core.abs(z)), _core.arctan2(imag(z), real(z)))


def log1p(z: array) -> array:
    x, y = real(z), imag(z)
    # |1 + z|² - 1 without its 1.
    return joined(0.5 * _core.log1p(x * (2 + x) + y * y), _core.arctan2(y, 1 + x))


def log2(z: array) -> array:
    return log(z) * (1 / math.log(2))


def log10(z: array) -> array:
    return log(z) * (1 / math.log(10))


def root(x: array, y: array) -> tuple[array, array]:
    """The parts of the principal root of `x + i y`.

    The sign of a zero counts: it says on which side of the cut the number is, and is why the inverses below
    stay with parts until the end.
    """
    size = _core.abs(joined(x, y))
    large = _core.sqrt(0.5 * (size + _core.abs(x)))
    nothing = _core.equal(size, 0)
    small = _core.where(nothing, 0, 0.5 * _core.abs(y) / _core.where(nothing, 1, large))
    ahead = _core.greater_equal(x, 0)
    below = _core.less(_core.arctan2(y, -_core.ones_like(y)), 0)
    above = _core.where(ahead, small, large)
    return _core.where(ahead, large, small), _core.where(below, -above, above)


def sqrt(z: array) -> array:
    return joined(*root(real(z), imag(z)))


def sin(z: array) -> array:
    x, y = real(z), imag(z)
    return joined(_core.sin(x) * _core.cosh(y), _core.cos(x) * _core.sinh(y))


def cos(z: array) -> array:
    x, y = real(z), imag(z)
    return joined(_core.cos(x) * _core.cosh(y), -_core.sin(x) * _core.sinh(y))


def sinh(z: array) -> array:
    x, y = real(z), imag(z)
    return joined(_core.sinh(x) * _core.cos(y), _core.cosh(x) * _core.sin(y))


def cosh(z: array) -> array:
    x, y = real(z), imag(z)
    return joined(_core.cosh(x) * _core.cos(y), _core.sinh(x) * _core.sin(y))


def tanh_parts(x: array, y: array) -> tuple[array, array]:
    # Kahan's form, which does not cancel.
    t, s = _core.tan(y), _core.sinh(x)
    b = 1 + t * t
    r = _core.sqrt(1 + s * s)
    d = 1 + b * s * s
    return b * r * s / d, t / d


def tanh(z: array) -> array:
    return joined(*tanh_parts(real(z), imag(z)))


def tan(z: array) -> array:
    x, y = tanh_parts(-imag(z), real(z))
    return joined(y, -x)


# Kahan's forms of the inverses: with products of roots they are on the right side of every cut.


def asin_parts(x: array, y: array) -> tuple[array, array]:
    (a, b), (c, d) = root(1 - x, -y), root(1 + x, y)
    return _core.arctan2(x, a * c - b * d), _core.arcsinh(a * d - b * c)


def asin(z: array) -> array:
    return joined(*asin_parts(real(z), imag(z)))


def asinh(z: array) -> array:
    x, y = asin_parts(-imag(z), real(z))
    return joined(y, -x)


def acos(z: array) -> array:
    x, y = real(z), imag(z)
    (a, b), (c, d) = root(1 - x, -y), root(1 + x, y)
    return joined(2 * _core.arctan2(a, c), _core.arcsinh(c * b - d * a))


def acosh(z: array) -> array:
    x, y = real(z), imag(z)
    (a, b), (c, d) = root(x - 1, y), root(x + 1, y)
    return joined(_core.arcsinh(a * c + b * d), 2 * _core.arctan2(b, c))


def atanh_parts(x: array, y: array) -> tuple[array, array]:
    size = 0.25 * _core.log1p(4 * x / ((1 - x) * (1 - x) + y * y))
    return size, 0.5 * _core.arctan2(2 * y, (1 - x) * (1 + x) - y * y)


def atanh(z: array) -> array:
    return joined(*atanh_parts(real(z), imag(z)))


def atan(z: array) -> array:
    x, y = atanh_parts(-imag(z), real(z))
    return joined(y, -x)


def power(x: array, y: array) -> array:
    nothing = _core.equal(x, 0)
    found = exp(y * log(_core.where(nothing, 1, x)))
    return _core.where(nothing, _core.where(_core.equal(y, 0), 1, 0) + 0j, found)


def sign(z: array) -> array:
    size = _core.abs(z)
    nothing = _core.equal(size, 0)
    return _core.where(nothing, 0, z / _core.where(nothing, 1, size))


def round(z: array) -> array:
    return joined(_core.round(real(z)), _core.round(imag(z)))


def isnan(z: array) -> array:
    return _core.logical_or(_core.isnan(real(z)), _core.isnan(imag(z)))


def isinf(z: array) -> array:
    return _core.logical_or(_core.isinf(real(z)), _core.isinf(imag(z)))


def isfinite(z: array) -> array:
    return _core.logical_and(_core.isfinite(real(z)), _core.isfinite(imag(z)))
