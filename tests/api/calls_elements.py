"""Rows of functions of elements, and of reductions along an axis."""

import math

import numpy as np
from calls import COMPARES, CONSTANT, COUNTS, A, Row, binary, reduction, unary

erf = np.vectorize(math.erf, otypes=[np.float64])
INTEGER_ARGUMENTS = "its arguments are integers"


def erfinv(y):
    """Newton's steps from 0."""
    x = np.zeros_like(y)
    for _ in range(60):
        x = x - (erf(x) - y) * np.exp(x * x) * math.sqrt(math.pi) / 2
    return np.where(np.abs(y) < 1, x, np.copysign(np.inf, y))


def compared(want, dtypes="real", **rest):
    return binary(want, diff=COMPARES, dtypes=dtypes, **rest)


def predicate(want, **rest):
    return unary(want, diff=COMPARES, **rest)


def bitwise(want, second=(-3, 3), dtypes="bits"):
    return binary(want, second=second, diff=INTEGER_ARGUMENTS, dtypes=dtypes)


def scan(want, **rest):
    return reduction(want, call=lambda fun, x: fun(x, -1) if x.ndim else fun(x), shapes=(((2, 0),),), **rest)


def logcumsumexp(x, axis):
    if np.iscomplexobj(x):
        return np.log(np.cumsum(np.exp(x), axis))
    return np.logaddexp.accumulate(x, axis)


def logsumexp(x, axis=None):
    return np.log(np.sum(np.exp(x), axis))


def softmax(x, axis=None):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


def extremes(x, axis=None):
    return np.min(x, axis), np.max(x, axis)


UNARY = {
    "abs": unary(np.abs),
    "arccos": unary(np.arccos, -0.9, 0.9),
    "arccosh": unary(np.arccosh, 1.1, 3),
    "arcsin": unary(np.arcsin, -0.9, 0.9),
    "arcsinh": unary(np.arcsinh),
    "arctan": unary(np.arctan),
    "arctanh": unary(np.arctanh, -0.9, 0.9),
    "ceil": unary(np.ceil, diff=CONSTANT, dtypes="real"),
    "conjugate": unary(np.conj),
    "cos": unary(np.cos),
    "cosh": unary(np.cosh),
    "degrees": unary(np.degrees, dtypes="real"),
    "erf": unary(erf, dtypes="real"),
    "erfinv": unary(erfinv, -0.9, 0.9, dtypes="real", ulps=32),
    "exp": unary(np.exp),
    "expm1": unary(np.expm1),
    "floor": unary(np.floor, diff=CONSTANT, dtypes="real"),
    "imag": unary(np.imag, diff="of real numbers it is zero"),
    "isfinite": predicate(np.isfinite),
    "isinf": predicate(np.isinf),
    "isnan": predicate(np.isnan),
    "isneginf": unary(lambda x: x == -np.inf, diff=COMPARES),
    "isposinf": unary(lambda x: x == np.inf, diff=COMPARES),
    "log": unary(np.log, 0.2, 4),
    "log10": unary(np.log10, 0.2, 4),
    "log1p": unary(np.log1p, -0.8, 4),
    "log2": unary(np.log2, 0.2, 4),
    "logical_not": predicate(np.logical_not),
    "nan_to_num": unary(np.nan_to_num, dtypes="real"),
    "negative": unary(np.negative, dtypes="number"),
    "positive": unary(lambda x: x),
    "radians": unary(np.radians, dtypes="real"),
    "real": unary(np.real),
    "reciprocal": unary(lambda x: 1 / x, 0.3, 3),
    "round": unary(np.round, diff=CONSTANT, dtypes="real"),
    "rsqrt": unary(lambda x: 1 / np.sqrt(x), 0.3, 3),
    "sigmoid": unary(lambda x: 1 / (1 + np.exp(-x)), dtypes="real"),
    "sign": unary(np.sign, diff=CONSTANT, dtypes="number"),
    "sin": unary(np.sin),
    "sinh": unary(np.sinh),
    "sqrt": unary(np.sqrt, 0.3, 3),
    "square": unary(np.square, dtypes="number"),
    "stop_gradient": unary(lambda x: x, diff="stopping it is what it is for"),
    "tan": unary(np.tan, -1, 1),
    "tanh": unary(np.tanh),
    "trunc": unary(np.trunc, diff=CONSTANT, dtypes="real"),
    "bitwise_invert": unary(np.invert, diff=INTEGER_ARGUMENTS, dtypes="bits"),
}
POSITIVE = (1, 3)
BINARY = {
    "add": binary(np.add, dtypes="all"),
    "arctan2": binary(np.arctan2, dtypes="real"),
    "bitwise_and": bitwise(np.bitwise_and),
    "bitwise_or": bitwise(np.bitwise_or),
    "bitwise_xor": bitwise(np.bitwise_xor),
    "left_shift": bitwise(np.left_shift, (0, 3), "integer"),
    "right_shift": bitwise(np.right_shift, (0, 3), "integer"),
    "divide": binary(np.divide, second=POSITIVE),
    "divmod": binary(np.divmod, second=POSITIVE, diff=(0,), dtypes="real number"),
    "equal": compared(np.equal, "all"),
    "floor_divide": binary(np.floor_divide, second=POSITIVE, diff=CONSTANT, dtypes="real number"),
    "greater": compared(np.greater),
    "greater_equal": compared(np.greater_equal),
    "isclose": compared(np.isclose, "all"),
    "less": compared(np.less),
    "less_equal": compared(np.less_equal),
    "logaddexp": binary(np.logaddexp, dtypes="real"),
    "logical_and": compared(np.logical_and, "all"),
    "logical_or": compared(np.logical_or, "all"),
    "logical_xor": compared(np.logical_xor, "all"),
    "maximum": binary(np.maximum, dtypes="real"),
    "minimum": binary(np.minimum, dtypes="real"),
    "multiply": binary(np.multiply, dtypes="all"),
    "not_equal": compared(np.not_equal, "all"),
    "power": binary(np.power, (0.5, 3), (0, 3), ulps=64),
    "remainder": binary(np.remainder, second=POSITIVE, dtypes="real number"),
    "subtract": binary(np.subtract),
}
MORE = {
    "clip": Row(
        (A((2, 3)),),
        lambda x: np.clip(x, 0, 2),
        dtypes="real number",
        call=lambda fun, x: fun(x, 0, 2),
        shapes=(((0, 3),), ((),)),
    ),
    "where": Row(
        (np.array([True, False, True]), A((2, 3)), A((3,))),
        np.where,
        (1, 2),
        dtypes="all",
        shapes=((None, (0, 3), (3,)), (None, (), ())),
    ),
    "allclose": Row(
        (A((2, 3)), A((3,))),
        np.allclose,
        COMPARES,
        dtypes="all",
        shapes=(((0, 3), (3,)), ((), ())),
    ),
    "array_equal": Row(
        (A((2, 3)), A((2, 3))), np.array_equal, COMPARES, dtypes="all", shapes=(((0,), (0,)), ((), ()))
    ),
}
REDUCTIONS = {
    "all": reduction(np.all, diff=COMPARES),
    "any": reduction(np.any, diff=COMPARES),
    "argmax": reduction(np.argmax, diff=COUNTS, dtypes="real", shapes=(((0, 3),), ((),))),
    "argmin": reduction(np.argmin, diff=COUNTS, dtypes="real", shapes=(((0, 3),), ((),))),
    "count_nonzero": reduction(
        np.count_nonzero, diff=COUNTS, call=lambda fun, x: fun(x, axis=-1) if x.ndim else fun(x)
    ),
    "logsumexp": reduction(logsumexp, dtypes="real"),
    "max": reduction(np.max, dtypes="real"),
    "matrix_norm": Row((A((2, 3)),), np.linalg.norm, dtypes="inexact", shapes=(((0, 3),),)),
    "mean": reduction(np.mean),
    "median": reduction(np.median),
    "min": reduction(np.min, dtypes="real"),
    "minmax": reduction(extremes, dtypes="real"),
    "prod": reduction(np.prod),
    "softmax": reduction(softmax, dtypes="real"),
    "std": reduction(np.std, dtypes="real", ulps=32),
    "sum": reduction(np.sum),
    "var": reduction(np.var, dtypes="real", ulps=32),
}
SCANS = {
    "cummax": scan(np.maximum.accumulate),
    "cummin": scan(np.minimum.accumulate),
    "cumprod": scan(np.cumprod, dtypes="number"),
    "cumsum": scan(np.cumsum, dtypes="number"),
    "logcumsumexp": scan(logcumsumexp),
}
ROWS = UNARY | BINARY | MORE | REDUCTIONS | SCANS
