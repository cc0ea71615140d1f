"""What several test files need: types, layouts, comparisons, functions with telling rules."""

import math
import threading

import numpy as np
import pullback as pb

SIGNED = ["int8", "int16", "int32", "int64"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
INTEGERS = SIGNED + UNSIGNED
# What NumPy has too: bfloat16 is tested against float32 and a rounding of it.
FLOATS = ["float16", "float32", "float64"]
NUMPY_DTYPES = ["bool", *INTEGERS, *FLOATS, "complex64"]
DTYPES = ["bool_", *INTEGERS, "float16", "bfloat16", "float32", "float64", "complex64"]
EPS = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-23, "float64": 2**-52, "complex64": 2**-23}


def name(dtype):
    """The name of a type, as NumPy spells it."""
    return dtype.name if isinstance(dtype, pb.Dtype) else str(np.dtype(dtype))


def numpy(x):
    """The elements as a NumPy array; those of bfloat16 as float32."""
    return np.asarray(x.astype(pb.float32) if x.dtype == pb.bfloat16 else x)


def exactly(x):
    """An array of NumPy's elements in their own type: `pb.array` makes float32 of float64, as MLX does."""
    return pb.array(x, x.dtype)


def same(got, want):
    """Shape, type and every element are equal."""
    want = np.asarray(want)
    assert isinstance(got, pb.array), type(got)
    assert got.shape == want.shape
    assert got.dtype.name == str(want.dtype)
    np.testing.assert_array_equal(numpy(got), want)


def close(got, want, ulps=8, dtype=None, scale=None):
    """Shapes are equal, and elements within some units in the last place of `got`'s type."""
    dtype = dtype or got.dtype.name
    want = np.asarray(want)
    assert got.shape == want.shape
    if dtype not in EPS:
        np.testing.assert_array_equal(numpy(got), want)
        return
    eps = EPS[dtype] * ulps
    finite = want[np.isfinite(want)]
    if scale is None:
        scale = float(np.max(np.abs(finite))) if finite.size else 1.0
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(numpy(got), want, rtol=eps, atol=eps * min(scale, 1.0))


def near(got, want, tol=1e-5):
    """Trees of numbers and arrays are equal but for rounding."""
    if isinstance(want, dict):
        assert got.keys() == want.keys()
        for key in want:
            near(got[key], want[key], tol)
    elif isinstance(want, list | tuple) and isinstance(got, list | tuple):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            near(a, b, tol)
    else:
        a = numpy(got) if isinstance(got, pb.array) else np.asarray(got)
        b = numpy(want) if isinstance(want, pb.array) else np.asarray(want)
        assert a.shape == b.shape, (a.shape, b.shape)
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def values(dtype, shape, seed=0, low=None, high=None):
    """Random elements that a type holds well."""
    rng = np.random.default_rng([seed, *shape])
    dtype = np.dtype("bool" if dtype == "bool_" else dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "u":
        return rng.integers(low or 0, high or 100, shape).astype(dtype)
    if dtype.kind == "i":
        return rng.integers(-100 if low is None else low, high or 100, shape).astype(dtype)
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    if low is None and high is None:
        return np.asarray(rng.normal(size=shape), dtype)
    low, high = -2 if low is None else low, 2 if high is None else high
    return rng.uniform(low, high, shape).astype(dtype)


def layouts(x, device=None):
    """The same elements as `x`, laid out in all ways an array can lie; in two of them on a GPU.

    Each needs kernels of its own there, which software Vulkan is slow to compile.
    """
    yield "plain", exactly(x)
    if x.ndim == 0:
        return
    yield "transposed", exactly(np.ascontiguousarray(x.T)).T
    if device == pb.gpu:
        return
    yield "flipped", exactly(np.ascontiguousarray(x[::-1]))[::-1]
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    yield "strided", exactly(wide)[..., ::2]
    pad = np.concatenate([x[:1], x, x[:1]]) if x.shape[0] else np.concatenate([x, x])
    yield "offset", exactly(pad)[1 : 1 + x.shape[0]] if x.shape[0] else exactly(pad)


def probe(*rules, **options):
    """x² with rules that tell which of them answered: vjp 10·g·x, jvp 100·t·x, vmap x² + 7."""
    f = pb.custom_function(lambda x: x * x, **options)
    if "vjp" in rules:
        f.vjp(lambda x, g, y: 10 * g * x)
    if "jvp" in rules:
        f.jvp(lambda x, t: 100 * t * x)
    if "vmap" in rules:
        f.vmap(lambda x, axis: (x * x + 7, axis))
    return f


def slope(f, x):
    """The derivative of a function of one number by central differences, in float64."""
    h = 1e-6 * max(1.0, abs(x))
    above, below = f(pb.array(x + h, pb.float64)), f(pb.array(x - h, pb.float64))
    return (above.item() - below.item()) / (2 * h)


class Counted:
    """Counts the calls of a function."""

    def __init__(self, fun):
        self.fun, self.calls = fun, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.fun(*args, **kwargs)

    def take(self):
        """The count so far, which starts anew."""
        calls, self.calls = self.calls, 0
        return calls


def bfloat16(x):
    """float32 numbers rounded to the nearest bfloat16, halves to even."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def finite(x):
    """Whether a number is neither infinite nor NaN."""
    return math.isfinite(x)


def together(work, count=8):
    """Calls `work(i)` from so many threads, which start at once; raises what the first of them raised."""
    start, failed = threading.Barrier(count), []

    def run(i):
        try:
            start.wait(30)
            work(i)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if failed:
        raise failed[0]
