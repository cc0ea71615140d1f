"""Rows of products, convolutions, and what is quantized."""

import numpy as np
import pullback as pb
from calls import A, Row

M, N = A((2, 3), -2, 2), A((3, 4), -2, 2)
CODES = "codes have no derivative"
STEP = 2 / 15 + 1e-3


def hadamard(n):
    return np.array([[1]]) if n == 1 else np.kron(hadamard(n // 2), [[1, 1], [1, -1]])


def masked(a, b, mask):
    rows = np.repeat(mask, 32, axis=0)[: a.shape[0]]
    return (a @ b) * np.repeat(rows, 32, axis=1)[:, : b.shape[1]]


def segments(a, b, parts):
    return np.stack([a[:, i:j] @ b[i:j] for i, j in parts])


def correlated(x, w):
    """A correlation along the axes between the first and the last, without padding."""
    axes = x.ndim - 2
    sizes = w.shape[1:-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, sizes, tuple(range(1, axes + 1)))
    space, window = "abc"[:axes], "xyz"[:axes]
    return np.einsum(f"n{space}i{window},o{window}i->n{space}o", windows, w)


def transposed(x, w):
    """What a correlation is the transpose of: every element spreads over a window."""
    axes, sizes = x.ndim - 2, w.shape[1:-1]
    out = np.zeros((x.shape[0], *[n + k - 1 for n, k in zip(x.shape[1:-1], sizes, strict=True)], w.shape[0]))
    out = out.astype(np.result_type(x, w))
    for place in np.ndindex(*x.shape[1:-1]):
        window = tuple(slice(p, p + k) for p, k in zip(place, sizes, strict=True))
        letters = "xyz"[:axes]
        out[:, *window] += np.einsum(f"ni,o{letters}i->n{letters}o", x[:, *place], w)
    return out


def convolution(want, axes):
    shape = (4, 3, 2)[:axes]
    args = (A((1, *shape, 2), -2, 2), A((3, *(2,) * axes, 2), -2, 2))
    shapes = (((0, *shape, 2), None),)
    return Row(args, want, (0, 1), dtypes="float", shapes=shapes, ulps=32)


def product(want, args=(M, N), shapes=(((0, 3), None), ((2, 0), (0, 4))), dtypes="inexact", **rest):
    return Row(args, want, (0, 1), dtypes=dtypes, shapes=shapes, ulps=32, **rest)


def dequantized(*parts):
    """Codes that MLX's formats hold, written out: eight of four bits in a word, the lowest first."""
    codes, scales, biases = (np.asarray(part) for part in parts)
    nibbles = (codes[..., None] >> np.arange(0, 32, 4, dtype=np.uint32)) & 15
    w = nibbles.reshape(*codes.shape[:-1], -1).astype(np.float64)
    return w * np.repeat(scales, 32, -1) + np.repeat(biases, 32, -1)


RNG = np.random.default_rng(3)
WORDS = RNG.integers(0, 2**32, (4, 4), dtype=np.uint32)
SCALES = RNG.uniform(0.1, 0.3, (4, 1)).astype(np.float32)
BIASES = RNG.uniform(-2, -1, (4, 1)).astype(np.float32)
WEIGHT = dequantized(WORDS, SCALES, BIASES)
Q = A((3, 32), -1, 1)
FOUR = {"group_size": 32, "bits": 4}


def e4m3(byte):
    """The value of the bits of a number of 4 bits of exponent and 3 of mantissa."""
    byte = byte.astype(int)
    exponent, mantissa = (byte >> 3) & 15, byte & 7
    size = np.where(exponent, (1 + mantissa / 8) * 2.0 ** (exponent - 7), mantissa / 8 * 2.0**-6)
    return np.where(byte & 128, -size, size)


def to_e4m3(x):
    """The nearest of all such values; none here lies halfway."""
    table = e4m3(np.r_[0:127, 128:255])
    return np.r_[0:127, 128:255][np.argmin(np.abs(x[..., None] - table), -1)]


PRODUCTS = {
    "matmul": product(np.matmul),
    "inner": product(np.inner, (M, A((4, 3), -2, 2)), (((0, 3), None),), "number"),
    "outer": product(np.outer, (A((2,)), A((3,))), (((0,), None),), "number"),
    "kron": product(np.kron, (A((2, 2)), A((2, 3))), (((0, 2), None),), "number"),
    "vecdot": product(lambda a, b: np.vecdot(a, b), (M, M), (((0, 3), (0, 3)),), "number"),
    "tensordot": product(
        lambda a, b: np.tensordot(a, b, 1), (M, N), (((0, 3), None),), call=lambda f, a, b: f(a, b, 1)
    ),
    "einsum": product(lambda a, b: np.einsum("ij,jk->ki", a, b), call=lambda f, a, b: f("ij,jk->ki", a, b)),
    "addmm": Row(
        (A((4,)), M, N),
        lambda c, a, b: 2 * (a @ b) + 0.5 * c,
        (0, 1, 2),
        dtypes="float",
        call=lambda f, c, a, b: f(c, a, b, 2.0, 0.5),
        shapes=((None, (0, 3), None),),
        ulps=32,
    ),
    "block_masked_mm": Row(
        (A((40, 33), -1, 1), A((33, 36), -1, 1), np.array([[True, False], [False, True]])),
        masked,
        (0, 1),
        dtypes="float",
        call=lambda f, a, b, mask: f(a, b, 32, mask),
        ulps=64,
    ),
    "gather_mm": Row(
        (A((3, 2, 3), -2, 2), A((2, 3, 2), -2, 2), np.array([2, 0], np.uint32), np.array([1, 1], np.uint32)),
        lambda a, b, i, j: a[i] @ b[j],
        (0, 1),
        dtypes="float",
    ),
    "segmented_mm": Row((M, N, np.array([[0, 1], [1, 3]], np.uint32)), segments, (0, 1), dtypes="float"),
    "hadamard_transform": Row(
        (A((2, 4)),), lambda x: x @ hadamard(4) / 2, dtypes="float", shapes=(((0, 4),),)
    ),
}
CONVOLUTIONS = {
    "conv1d": convolution(correlated, 1),
    "conv2d": convolution(correlated, 2),
    "conv3d": convolution(correlated, 3),
    "conv_general": convolution(correlated, 2),
    "conv_transpose1d": convolution(transposed, 1),
    "conv_transpose2d": convolution(transposed, 2),
    "conv_transpose3d": convolution(transposed, 3),
    "convolve": Row((A((5,)), A((3,))), np.convolve, (0, 1), dtypes="float"),
}
QUANTIZED = {
    "quantize": Row(
        (A((2, 32), -1, 1),),
        lambda w: w,
        CODES,
        dtypes="float",
        call=lambda f, w: f(w, **FOUR),
        # A code is off by half a step, and at one end by up to a step, so that there is a code for 0.
        told=lambda w, *parts: np.where(np.abs(dequantized(*parts) - w) < STEP, w, np.nan),
    ),
    "dequantize": Row(
        (WORDS, SCALES, BIASES), dequantized, (1, 2), dtypes="float32", call=lambda f, *x: f(*x, **FOUR)
    ),
    "quantized_matmul": Row(
        (Q, WORDS, SCALES, BIASES),
        lambda x, *w: x @ dequantized(*w).T,
        dtypes="float32",
        call=lambda f, *x: f(*x, **FOUR),
        ulps=64,
    ),
    "gather_qmm": Row(
        (A((2, 3, 32), -1, 1), WORDS[None], SCALES[None], BIASES[None], np.array([1, 0], np.uint32)),
        lambda x, w, s, b, i: x[i] @ dequantized(w, s, b)[0].T,
        dtypes="float32",
        call=lambda f, x, w, s, b, i: f(x, w, s, b, lhs_indices=i, **FOUR),
        ulps=64,
    ),
    "to_fp8": Row((A((2, 3), -20, 20),), lambda x: to_e4m3(x), CODES, dtypes="float"),
    "from_fp8": Row(
        (np.array([0, 1, 0x38, 0x7E, 0xB9], np.uint8),),
        e4m3,
        CODES,
        dtypes="float32",
        call=lambda f, x: f(x, pb.float32),
    ),
}
ROWS = PRODUCTS | CONVOLUTIONS | QUANTIZED
