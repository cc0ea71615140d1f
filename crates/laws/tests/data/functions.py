"""Writes functions.txt: what MLX 0.32 makes of functions, for every type and many arguments."""

import itertools
import pathlib

import mlx.core as mx
import mlx.nn as nn
import numpy as np

mx.set_default_device(mx.cpu)
rng = np.random.default_rng(3)
TYPES = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()
# These MLX computes in float32 whatever the type is.
SINGLE = "exp sin sigmoid erf logaddexp logsumexp softmax log tanh"
lines = []


def of(dtype, values):
    return mx.array(np.array(values)).astype(mx.bool_ if dtype == "bool" else getattr(mx, dtype))


def show(x):
    name = str(x.dtype).removeprefix("mlx.core.").rstrip("_")
    shape = ",".join(map(str, x.shape))
    if name == "float64":
        values = np.array(x)
    elif name in ("float16", "bfloat16", "float32"):
        values = np.array(x.astype(mx.float32)).astype(float)
    else:
        values = np.array(x).astype(object)
    return f"{name}:{shape}=" + ",".join(str(int(v) if isinstance(v, (int, bool)) else float(v)) for v in values.ravel())


def emit(name, params, inputs, f):
    if name in SINGLE.split() and any(x.dtype == mx.float64 for x in inputs):
        return
    # Of integers MLX returns integers, which says nothing.
    if name == "softmax" and not mx.issubdtype(inputs[0].dtype, mx.inexact):
        return
    try:
        out = f(*inputs)
        out = out if isinstance(out, (list, tuple)) else [out]
        mx.eval(out)
    except (ValueError, RuntimeError, TypeError):
        return
    words = ";".join("" if p is None else ",".join(map(str, p)) if isinstance(p, (list, tuple)) else str(p) for p in params)
    lines.append(" | ".join([name, words, "/".join(map(show, inputs)), "/".join(map(show, out))]))


def floats(*shape):
    return mx.array(rng.uniform(-2, 2, shape).astype(np.float32))


def ints(*shape, low=-9, high=9):
    return mx.array(rng.integers(low, high, shape).astype(np.int32))


def types():
    unary = "abs sign square sqrt rsqrt reciprocal exp log sin tanh sigmoid erf floor ceil logical_not isnan isfinite"
    for name, dtype in itertools.product(unary.split() + ["negative", "bitwise_invert"], TYPES):
        if (name, dtype) != ("bitwise_invert", "bool"):  # MLX answers true for both
            emit(name, [], [of(dtype, [1, 3, 2])], getattr(mx, name))
    binary = "add subtract multiply divide power maximum minimum remainder floor_divide arctan2 logaddexp less"
    binary += " less_equal greater greater_equal equal not_equal logical_and logical_or bitwise_and bitwise_or"
    for name, a, b in itertools.product(binary.split(), TYPES, TYPES):
        # How types meet is one rule: a few functions show it, the others are asked about one type at a time.
        if a != b and name not in ("add", "divide", "equal", "bitwise_and"):
            continue
        if name in ("power", "remainder", "floor_divide") and "bool" in (a, b):
            continue
        emit(name, [], [of(a, [3, 1, 2]), of(b, [1, 2, 2])], getattr(mx, name))
    for name, dtype in itertools.product(["left_shift", "right_shift"], TYPES):
        emit(name, [], [of(dtype, [3, 1, 2]), of(dtype, [1, 2, 2])], getattr(mx, name))
    for name, dtype in itertools.product("sum prod max min any all mean var std logsumexp".split(), TYPES):
        emit(name, [[0], 0], [of(dtype, [[1, 3], [2, 2]])], lambda x: getattr(mx, name)(x, axis=0))
    for name, dtype in itertools.product("cumsum cumprod cummax cummin".split(), TYPES):
        emit(name, [0, 0, 1], [of(dtype, [[1, 3], [2, 2]])], lambda x: getattr(mx, name)(x, axis=0))
    for name, dtype in itertools.product("sort argsort softmax".split(), TYPES):
        emit(name, [0], [of(dtype, [[1, 3], [2, 2]])], lambda x: getattr(mx, name)(x, axis=0))


def reductions():
    x = floats(2, 3, 4)
    special = mx.array([[1.0, float("nan")], [float("inf"), -float("inf")]])
    for name in "sum prod max min any all mean var std logsumexp".split():
        for axes, keep in itertools.product([None, [0], [-1], [0, 2], [], [1, -3]], [0, 1]):
            if axes != []:
                emit(name, [axes, keep], [x], lambda x: getattr(mx, name)(x, axis=axes, keepdims=bool(keep)))
        emit(name, [[1], 0], [special], lambda x: getattr(mx, name)(x, axis=1))
        emit(name, [None, 0], [mx.array(2.5)], lambda x: getattr(mx, name)(x))
    for name in "sum prod any all".split():
        emit(name, [[0], 0], [mx.zeros((0, 3))], lambda x: getattr(mx, name)(x, axis=0))
    for name in ("var", "std"):
        emit(name, [[1], 0, 1], [x], lambda x: getattr(mx, name)(x, axis=1, ddof=1))
    for name, axis, keep in itertools.product(("argmax", "argmin"), [None, 0, -1], [0, 1]):
        emit(name, [axis, keep], [x], lambda x: getattr(mx, name)(x, axis=axis, keepdims=bool(keep)))
    for name, axis, back, own in itertools.product("cumsum cumprod cummax cummin".split(), [None, 0, -2], [0, 1], [0, 1]):
        emit(name, [axis, back, own], [x], lambda x: getattr(mx, name)(x, axis=axis, reverse=bool(back), inclusive=bool(own)))
    for name, axis in itertools.product(["sort", "argsort"], [None, 0, -1]):
        emit(name, [axis], [x], lambda x: getattr(mx, name)(x, axis=axis))
    for axes in (None, [0], [1, 2]):
        emit("softmax", [axes], [x], lambda x: mx.softmax(x, axis=axes))
    emit("softmax", [[1]], [mx.array([[0.0, -float("inf")], [1e4, 1e4]])], lambda x: mx.softmax(x, axis=1))


def shapes():
    x = ints(2, 3, 4)
    for axes in ([0], [-1], [0, 1], [4, 0]):
        emit("expand_dims", [axes], [x], lambda x: mx.expand_dims(x, axes))
    thin = ints(1, 3, 1)
    for axes in (None, [0], [-1], [0, 2]):
        emit("squeeze", [axes], [thin], lambda x: mx.squeeze(x, axes))
    for a, b in ((0, 1), (-1, 0), (1, 1)):
        emit("swapaxes", [a, b], [x], lambda x: mx.swapaxes(x, a, b))
        emit("moveaxis", [a, b], [x], lambda x: mx.moveaxis(x, a, b))
    for axes in (None, [2, 0, 1], [-1, 0, 1]):
        emit("permute", [axes], [x], lambda x: mx.transpose(x, axes))
    for a, b in ((0, -1), (1, 2), (0, 1)):
        emit("flatten", [a, b], [x], lambda x: mx.flatten(x, a, b))
    emit("flatten", [0, -1], [mx.array(3)], mx.flatten)
    emit("unflatten", [-1, [2, -1]], [x], lambda x: mx.unflatten(x, -1, (2, -1)))
    for shape in ([6, 4], [-1], [2, -1, 2], [24, 1, 1]):
        emit("reshape", [shape], [x], lambda x: mx.reshape(x, shape))
    for times, axis in ((2, None), (3, 0), (2, -1), (0, 1)):
        emit("repeat", [times, axis], [x], lambda x: mx.repeat(x, times, axis))
    for reps in ([2], [2, 1, 3], [2, 2, 1, 1]):
        emit("tile", [reps], [x], lambda x: mx.tile(x, reps))
    for by, axis in ((1, None), (-5, None), (2, 1), (-1, -1), (7, 0)):
        emit("roll", [by, axis], [x], lambda x: mx.roll(x, by, axis))
    for axis in (0, -1):
        emit("stack", [axis], [x, x + 1], lambda *a: mx.stack(a, axis))
        emit("concatenate", [axis], [x, x + 1, x], lambda *a: mx.concatenate(a, axis))
    emit("split", [3, None, 1], [x], lambda x: mx.split(x, 3, 1))
    emit("split", [None, [1, 3], -1], [x], lambda x: mx.split(x, [1, 3], -1))
    emit("pad", [[1, 0, 0, 2, 1, 1]], [x], lambda x: mx.pad(x, [(1, 0), (0, 2), (1, 1)], 7))
    emit("pad_edge", [[1, 0, 0, 2, 1, 1]], [x], lambda x: mx.pad(x, [(1, 0), (0, 2), (1, 1)], mode="edge"))
    for k in (-5, -1, 0, 1, 4):
        emit("tril", [k], [x], lambda x: mx.tril(x, k))
        emit("triu", [k], [x], lambda x: mx.triu(x, k))
        emit("eye", [3, 4, k], [], lambda: mx.eye(3, 4, k))
        emit("tri", [3, 4, k], [], lambda: mx.tri(3, 4, k))
    for k in (-2, 0, 1):
        emit("diag", [k], [ints(3)], lambda x: mx.diag(x, k))
        emit("diag", [k], [ints(3, 4)], lambda x: mx.diag(x, k))
        for a, b in ((0, 1), (2, 0), (-1, 1)):
            emit("diagonal", [k, a, b], [x], lambda x: mx.diagonal(x, k, a, b))
    emit("trace", [1, 0, 1], [x], lambda x: mx.trace(x, 1, 0, 1))
    for start, stop, step in ((0, 5, 1), (5, 0, -2), (0.5, 3, 0.25), (3, 1, 1)):
        for dtype in ("int32", "float32", "float16"):
            if dtype != "int32" or isinstance(start, int):
                emit("arange", [start, stop, step, dtype], [], lambda: mx.arange(start, stop, step, getattr(mx, dtype)))
    for start, stop, count in ((0, 1, 5), (2, -3, 7), (1, 2, 1), (1, 2, 0)):
        emit("linspace", [start, stop, count], [], lambda: mx.linspace(start, stop, count))


def products():
    pairs = [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4))]
    pairs += [((5, 1, 2, 3), (6, 3, 4)), ((3,), (5, 3, 2)), ((5, 2, 3), (3,)), ((2, 0), (0, 3)), ((0, 2), (2, 3))]
    for a, b in pairs:
        emit("matmul", [], [floats(*a), floats(*b)], mx.matmul)
    emit("addmm", [0.5, 2.0], [floats(4), floats(2, 3), floats(3, 4)], lambda c, a, b: mx.addmm(c, a, b, 0.5, 2.0))
    emit("outer", [], [floats(2, 2), floats(3)], mx.outer)
    emit("inner", [], [floats(2, 3), floats(4, 3)], mx.inner)
    emit("inner", [], [floats(3), floats(3)], mx.inner)
    emit("tensordot", [[1, 0], [0, 2]], [floats(2, 3, 4), floats(3, 5, 2)], lambda a, b: mx.tensordot(a, b, [[1, 0], [0, 2]]))


def positions():
    x = floats(3, 4, 2)
    for axis, at in itertools.product((None, 0, 1, -1), (mx.array([1, 0, -1]), mx.array([[1, 0]]), mx.array(1))):
        emit("take", [axis], [x, at], lambda x, at: mx.take(x, at, axis))
    at = ints(3, 2, 2, low=-4, high=4)
    emit("take_along_axis", [1], [x, at], lambda x, at: mx.take_along_axis(x, at, 1))
    emit("take_along_axis", [1], [x, ints(1, 3, 1, low=0, high=4)], lambda x, at: mx.take_along_axis(x, at, 1))
    emit("take_along_axis", [None], [x, ints(5, low=0, high=20)], lambda x, at: mx.take_along_axis(x, at, None))
    once = mx.array([[[0], [2]]] * 3)
    emit("put_along_axis", [1], [x, once, floats(3, 2, 1)], lambda x, at, v: mx.put_along_axis(x, at, v, 1))


def elements():
    x = mx.array([-3.0, -1.0, -0.25, 0.0, 0.5, 2.0, 40.0, -40.0])
    for name, f in (("relu", nn.relu), ("gelu", nn.gelu), ("gelu_approx", nn.gelu_approx), ("silu", nn.silu)):
        emit(name, [], [x], f)
    emit("clip", [], [x, mx.array(-1.0), mx.array(1.5)], mx.clip)
    for digits in (-1, 0, 1, 2):
        emit("round", [digits], [mx.array([1.25, 2.5, -3.55, 125.0, 0.5])], lambda x: mx.round(x, digits))
        emit("round", [digits], [mx.array([125, 135, -15])], lambda x: mx.round(x, digits))
    a = mx.array([1.0, float("nan"), float("inf"), -float("inf"), 2.0])
    b = mx.array([1.00001, float("nan"), float("inf"), float("inf"), 3.0])
    for equal in (0, 1):
        emit("isclose", [1e-3, 1e-6, equal], [a, b], lambda a, b: mx.isclose(a, b, 1e-3, 1e-6, equal_nan=bool(equal)))
        emit("allclose", [1e-3, 1e-6, equal], [a, a], lambda a, b: mx.allclose(a, b, 1e-3, 1e-6, equal_nan=bool(equal)))
        emit("array_equal", [equal], [a, a], lambda a, b: mx.array_equal(a, b, equal_nan=bool(equal)))
    emit("array_equal", [0], [a, b[:2]], mx.array_equal)
    emit("where", [], [mx.array([True, False, True]), mx.array([1, 2, 3]), mx.array(0.5)], mx.where)
    emit("degrees", [], [x], mx.degrees)
    emit("radians", [], [x], mx.radians)
    i, f = mx.array([-7, 7, -7, 7]), mx.array([2, -2, -2, 2])
    for name in ("remainder", "floor_divide"):
        emit(name, [], [i, f], getattr(mx, name))
        emit(name, [], [i.astype(mx.float32), f.astype(mx.float32)], getattr(mx, name))


for part in (types, reductions, shapes, products, positions, elements):
    part()
pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
