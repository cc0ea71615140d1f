"""One call with two libraries: `pullback` and `mlx.core` get the same elements; answers are compared."""

import mlx.core as mx
import numpy as np
import pullback as pb

mx.set_default_device(mx.cpu)

FLOATS = ["float32", "float16", "bfloat16", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
DTYPES = ["bool_", *INTEGERS, *FLOATS, "complex64"]
# Of the largest element. MLX computes much of float64 in float32, and sums of half floats in half floats.
TOLERANCE = {"float16": 1e-2, "bfloat16": 6e-2, "float32": 3e-5, "complex64": 5e-5, "float64": 1e-6}


def kind(x):
    """The name of an array's type, which both write alike but for a module and a dash."""
    return str(x.dtype).split(".")[-1].rstrip("_")


def elements(x):
    """The elements as a NumPy array; those of bfloat16 as float32."""
    m = mx if isinstance(x, mx.array) else pb
    return np.array(x.astype(m.float32) if x.dtype == m.bfloat16 else x)


def random(dtype, shape, seed=0):
    """Elements that NumPy holds and a type holds well: small integers, normally distributed numbers."""
    rng = np.random.default_rng([seed, *shape])
    if dtype == "bool_":
        return rng.integers(0, 2, shape)
    if "int" in dtype:
        return rng.integers(0 if dtype.startswith("u") else -5, 6, shape)
    x = rng.normal(size=shape).astype("float32")
    return (x + 1j * rng.normal(size=shape)).astype("complex64") if dtype == "complex64" else x


def pair(x, dtype, layout="plain"):
    """The same elements in an array of each library, laid out alike."""
    found = []
    for m in (pb, mx):
        of = lambda x, m=m: m.array(x).astype(getattr(m, dtype))
        if layout == "transposed":
            found.append(of(np.ascontiguousarray(x.T)).T)
        elif layout == "strided":
            found.append(of(np.repeat(x, 2, axis=-1))[..., ::2])
        elif layout == "broadcast":
            found.append(m.broadcast_to(of(x[:1]), x.shape))
        else:
            found.append(of(x))
    return found


def leaves(x):
    """Arrays and other values of nested sequences, in order."""
    return [leaf for part in x for leaf in leaves(part)] if isinstance(x, list | tuple) else [x]


def answer(m, call, args):
    """What a call returns, computed, or the error that it raises."""
    try:
        found = leaves(call(m, *args))
        m.eval([x for x in found if isinstance(x, m.array)])
    except Exception as error:
        return error
    return found


def unlike(got, want):
    """What tells an answer from the one that is wanted; `None` if nothing does."""
    if isinstance(got, Exception):
        return f"raises {type(got).__name__}: {got}"
    if len(got) != len(want):
        return f"{len(got)} results, not {len(want)}"
    for a, b in zip(got, want, strict=True):
        if not isinstance(b, mx.array):
            if a != b:
                return f"{a}, not {b}"
            continue
        if (a.shape, kind(a)) != (b.shape, kind(b)):
            return f"{a.shape} of {kind(a)}, not {b.shape} of {kind(b)}"
        x, y = np.atleast_1d(elements(a)), np.atleast_1d(elements(b))
        tolerance = TOLERANCE.get(kind(b), 0)
        finite = np.abs(y[np.isfinite(y)]) if tolerance else y[:0]
        scale = max(1.0, finite.max(initial=0))
        same = np.isclose(x, y, tolerance, tolerance * scale, True) if tolerance else x == y
        if not same.all():
            return f"{x[~same][:3]}, not {y[~same][:3]}"
    return None


def compare(call, pairs):
    """Call both: what differs, as a list of none or one; `None` where MLX refuses: nothing to compare."""
    want = answer(mx, call, [theirs for _, theirs in pairs])
    if isinstance(want, Exception):
        return None
    found = unlike(answer(pb, call, [ours for ours, _ in pairs]), want)
    return [] if found is None else [found]
