"""Functions of elements, reductions, sorts and subscripts beside NumPy: any type, any layout, empty ones too.

A drawn array goes through drawn views, with both libraries; then through one function.
"""

import warnings

import numpy as np
import pullback as pb
from hypothesis import given
from hypothesis import strategies as st
from samples import DTYPES, EPS, INTEGERS, bfloat16, numpy

REAL = [dtype for dtype in DTYPES if dtype != "complex64"]
NUMBERS = [dtype for dtype in DTYPES if dtype != "bool_"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
BITS = ["bool_", *INTEGERS]
DIVIDED = [*INTEGERS, "float32", "float64"]
NARROW = ["bool_", "int8", "uint8", "int16", "uint16"]
CURVES = ["cos", "tanh", "exp", "arctan"]
POSITIONS = ["int32", "int64", "int8"]
PARTS = {"reverse": slice(None, None, -1), "stride": slice(None, None, 2), "part": slice(1, None)}
ELEMENTS = {
    **dict.fromkeys(["abs", "square", "isnan", "isfinite", "conjugate", *CURVES], DTYPES),
    **dict.fromkeys(["logical_not", "real", "imag"], DTYPES),
    **dict.fromkeys(["floor", "ceil", "trunc", "round", "isposinf", "degrees"], REAL),
    **dict.fromkeys(["negative", "sign"], NUMBERS),
    "bitwise_invert": BITS,
}
PAIRS = {
    **dict.fromkeys(["add", "multiply", "equal", "not_equal", "logical_and", "logical_or"], DTYPES),
    **dict.fromkeys(["maximum", "minimum", "less", "greater_equal", "arctan2"], REAL),
    "subtract": NUMBERS,
    **dict.fromkeys(["bitwise_and", "bitwise_xor"], BITS),
    **dict.fromkeys(["floor_divide", "remainder"], DIVIDED),
}
OVER_AXES = {
    **dict.fromkeys(["sum", "prod", "mean", "all", "any"], DTYPES),
    **dict.fromkeys(["max", "min", "median", "std", "var"], REAL),
}
ALONG = {
    **dict.fromkeys(["sort", "argsort", "cumsum", "cumprod", "flip"], REAL),
    **dict.fromkeys(["argmax", "argmin"], REAL),
}
NO_EMPTY = {"max", "min", "argmax", "argmin", "median", "mean", "std", "var"}


def elements(rng, dtype, shape):
    """Small numbers of a type, as NumPy holds them: a `bfloat16` in a `float32`."""
    if dtype == "bool_":
        return rng.random(shape) < 0.5
    if dtype in INTEGERS:
        return rng.integers(0 if dtype[0] == "u" else -4, 5, shape).astype(dtype)
    x = np.asarray(rng.integers(-8, 9, shape) / 4)
    if dtype == "complex64":
        return (x + 1j * rng.integers(-4, 5, shape) / 4).astype(dtype)
    return bfloat16(x).reshape(shape) if dtype == "bfloat16" else x.astype(dtype)


def viewed(draw, x, y):
    """The same views of an array of each library."""
    for _ in range(draw(st.integers(0, 3))):
        way = draw(st.sampled_from(["reverse", "transpose", "stride", "part", "new", "repeat", "flat"]))
        if way == "flat":
            x, y = x.reshape(-1), y.reshape(-1)
        elif way == "new":
            x, y = x[None], y[None]
        elif x.ndim == 0:
            continue
        elif way == "transpose":
            axes = draw(st.permutations(range(x.ndim)))
            x, y = x.transpose(axes), y.transpose(*axes)
        elif way == "repeat":
            shape = (2, *x.shape)
            x, y = np.broadcast_to(x, shape), pb.broadcast_to(y, shape)
        else:
            at = (slice(None),) * draw(st.integers(0, x.ndim - 1)) + (PARTS[way],)
            x, y = x[at], y[at]
    return x, y


@st.composite
def array(draw, dtypes):
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    x = elements(np.random.default_rng(draw(st.integers(0, 2**32 - 1))), dtype, tuple(shape))
    return dtype, *viewed(draw, x, pb.array(x, getattr(pb, dtype)))


def wide(x, dtype):
    """Halves as NumPy computes them well."""
    return x.astype(np.float32) if dtype in ("float16", "bfloat16") else x


def agree(got, want, dtype, ulps=32):
    want = np.asarray(want)
    assert got.shape == want.shape
    x = numpy(got)
    if got.dtype.name not in EPS or want.dtype.kind not in "fc":
        np.testing.assert_array_equal(x, want)
        return
    eps = max(EPS[got.dtype.name], EPS.get(dtype, 2**-23))
    scale = max(1.0, float(np.max(np.abs(want[np.isfinite(want)]), initial=0)))
    np.testing.assert_allclose(x, want, rtol=0, atol=eps * ulps * scale)


def quiet(call):
    with warnings.catch_warnings(action="ignore"):
        return call()


@given(st.data())
def test_elements(data):
    name = data.draw(st.sampled_from(sorted(ELEMENTS)))
    dtype, x, y = data.draw(array(ELEMENTS[name]))
    x = wide(x, dtype)
    if dtype in NARROW and name in (*CURVES, "degrees"):
        x = x.astype(np.float32)
    agree(getattr(pb, name)(y), quiet(lambda: getattr(np, name)(x)), dtype)


@given(st.data())
def test_pairs(data):
    name = data.draw(st.sampled_from(sorted(PAIRS)))
    dtype, x, y = data.draw(array(PAIRS[name]))
    _, other, theirs = data.draw(array([dtype]))
    try:
        np.broadcast_shapes(x.shape, other.shape)
    except ValueError:
        other, theirs = other.reshape(-1)[:1].reshape(()) if other.size else x, None
        theirs = y if other is x else pb.array(other, y.dtype)
    if name in ("floor_divide", "remainder"):
        other = np.where(other == 0, 1, other).astype(other.dtype)
        theirs = pb.where(theirs == 0, 1, theirs)
    x, other = wide(x, dtype), wide(other, dtype)
    if name == "arctan2":
        x, other = (a.astype(np.float64) for a in (x, other))
    agree(getattr(pb, name)(y, theirs), quiet(lambda: getattr(np, name)(x, other)), dtype)


@given(st.data())
def test_reductions(data):
    name = data.draw(st.sampled_from(sorted(OVER_AXES)))
    dtype, x, y = data.draw(array(OVER_AXES[name]))
    axes = data.draw(st.lists(st.integers(0, x.ndim - 1), unique=True)) if x.ndim else []
    axes = tuple(axis - x.ndim if data.draw(st.booleans()) else axis for axis in axes)
    axis = data.draw(st.sampled_from([None, axes] if axes else [None]))
    keepdims = data.draw(st.booleans())
    gone = x.size if axis is None else int(np.prod([x.shape[a] for a in axis]))
    if gone == 0 and name in NO_EMPTY:
        return
    wider = np.complex128 if dtype == "complex64" else np.float64
    if name in ("mean", "std", "var", "median") or dtype in FLOATS or dtype == "complex64":
        x = x.astype(wider)
    want = quiet(lambda: getattr(np, name)(x, axis=axis, keepdims=keepdims))
    got = getattr(pb, name)(y, axis=axis, keepdims=keepdims)
    if name in ("sum", "prod") and got.dtype.name in INTEGERS:
        want = np.asarray(want).astype(got.dtype.name)
    agree(got, want, dtype)


@given(st.data())
def test_along_an_axis(data):
    name = data.draw(st.sampled_from(sorted(ALONG)))
    dtype, x, y = data.draw(array(ALONG[name]))
    if x.ndim == 0:
        return
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    if name in NO_EMPTY and x.shape[axis] == 0:
        return
    x = wide(x, dtype)
    want = np.argsort(x, axis, kind="stable") if name == "argsort" else getattr(np, name)(x, axis)
    got = getattr(pb, name)(y, axis)
    if name in ("cumsum", "cumprod") and got.dtype.name in INTEGERS:
        want = want.astype(got.dtype.name)
    elif name in ("cumsum", "cumprod") and got.dtype == pb.bool_:
        want = want.astype(bool)
    agree(got, want, dtype)


@st.composite
def subscripts(draw, shape):
    """What may stand in brackets, for NumPy."""
    found = []
    spot = draw(st.lists(st.integers(0, 3), max_size=2))
    for size in shape[: draw(st.integers(0, len(shape)))]:
        way = draw(st.sampled_from(["at", "slice", "array", "new"]))
        if way == "new":
            found.append(None)
            way = "slice"
        if way == "at" and size:
            found.append(draw(st.integers(-size, size - 1)))
        elif way == "array" and size:
            rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
            found.append(rng.integers(-size, size, spot).astype(draw(st.sampled_from(POSITIONS))))
        else:
            bound = st.one_of(st.none(), st.integers(-5, 5))
            step = draw(st.sampled_from([None, 1, 2, -1, -2]))
            found.append(slice(draw(bound), draw(bound), step))
    if draw(st.booleans()):
        found.append(...)
    return tuple(found)


def ours(list_):
    return tuple(pb.array(item, item.dtype) if isinstance(item, np.ndarray) else item for item in list_)


@given(st.data())
def test_subscripts(data):
    dtype, x, y = data.draw(array(DTYPES))
    at = data.draw(subscripts(x.shape))
    want = x[at]
    agree(y[ours(at)], want, dtype)
    # And written: what is there is replaced by what broadcasts to it.
    value = elements(np.random.default_rng(0), dtype, want.shape[data.draw(st.integers(0, want.ndim)) :])
    changed, mine = np.array(x), y + 0 if dtype != "bool_" else pb.logical_or(y, False)
    repeated = any(isinstance(item, np.ndarray) for item in at)
    if repeated:
        value = value.reshape(-1)[:1].reshape(()) if value.size else np.zeros((), value.dtype)
    changed[at] = value
    mine[ours(at)] = pb.array(value, y.dtype)
    agree(mine, changed, dtype)


@given(st.data())
def test_masks_and_positions_along_an_axis(data):
    dtype, x, y = data.draw(array(DTYPES))
    if x.ndim == 0 or x.size == 0:
        return
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    mask = rng.random(x.shape[: data.draw(st.integers(1, x.ndim))]) < 0.5
    agree(y[pb.array(mask)], x[mask], dtype)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    n = x.shape[axis]
    shape = list(x.shape)
    shape[axis] = data.draw(st.integers(0, 4))
    at = rng.integers(-n, n, shape)
    agree(pb.take_along_axis(y, pb.array(at), axis), np.take_along_axis(x, at, axis), dtype)
    places = rng.integers(-n, n, data.draw(st.lists(st.integers(0, 3), max_size=2)))
    agree(pb.take(y, pb.array(places), axis), np.take(x, places, axis), dtype)
