"""Calls of all functions of `mlx.core`, with the shapes of their arguments, for `pullback` and MLX alike."""

from mlx_calls_numeric import FAST, FFT, LINALG

# They take `axis`.
ALONG = [
    "softmax",
    "all",
    "any",
    "argmax",
    "argmin",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "count_nonzero",
    "logcumsumexp",
    "logsumexp",
    "max",
    "mean",
    "median",
    "min",
    "minmax",
    "prod",
    "std",
    "sum",
    "var",
    "sort",
    "argsort",
    "diff",
    "flip",
    "squeeze",
    "cumulative_sum",
    "cumulative_prod",
]
UNARY = [
    "abs",
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "bitwise_invert",
    "ceil",
    "conj",
    "conjugate",
    "contiguous",
    "cos",
    "cosh",
    "degrees",
    "erf",
    "erfinv",
    "exp",
    "expm1",
    "floor",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "log",
    "log10",
    "log1p",
    "log2",
    "logical_not",
    "matrix_transpose",
    "nan_to_num",
    "negative",
    "ones_like",
    "zeros_like",
    "positive",
    "radians",
    "real",
    "reciprocal",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "stop_gradient",
    "tan",
    "tanh",
    "transpose",
    "permute_dims",
    "trunc",
    "tril",
    "triu",
    "flatten",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "diagonal",
    "diag",
    "unstack",
    "to_fp8",
    *ALONG,
]
BINARY = [
    "add",
    "arctan2",
    "atan2",
    "array_equal",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "divide",
    "divmod",
    "equal",
    "floor_divide",
    "greater",
    "greater_equal",
    "left_shift",
    "less",
    "less_equal",
    "logaddexp",
    "logical_and",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "not_equal",
    "pow",
    "power",
    "remainder",
    "right_shift",
    "subtract",
]
PRODUCTS = ["allclose", "isclose", "inner", "kron", "matmul", "outer", "vecdot", "tensordot"]


def index(m, *numbers):
    return m.array(list(numbers), m.uint32)


MAKING = [
    (
        "arange",
        lambda m: [m.arange(5), m.arange(1, 5, 0.5), m.arange(5.0), m.arange(5, 0, -2), m.arange(5, 1)],
        [],
    ),
    (
        "arange",
        lambda m: [m.arange(0, 5, dtype=m.float16), m.arange(0, 1, 0.3, m.int32), m.arange(stop=4)],
        [],
    ),
    ("linspace", lambda m: [m.linspace(0, 1), m.linspace(0, 5, 5, dtype=m.int32), m.linspace(3, 1, 1)], []),
    (
        "linspace",
        lambda m: [m.linspace(0, 1, 5, False), m.linspace(0, 10, 4, endpoint=False, dtype=m.int32)],
        [],
    ),
    ("linspace", lambda m: [m.linspace(0, 1, 0), m.linspace(-1, 2, 7, dtype=m.float16)], []),
    ("eye", lambda m: [m.eye(3), m.eye(3, 4, 1), m.eye(3, k=-1, dtype=m.int32), m.identity(3)], []),
    ("tri", lambda m: [m.tri(3), m.tri(3, 4, 1), m.tri(2, dtype=m.int32)], []),
    (
        "full",
        lambda m, x: [
            m.full((2,), 1),
            m.full((2,), 1.5),
            m.full((2,), True),
            m.full((2, 3), x),
            m.full(3, 2),
        ],
        [(3,)],
    ),
    (
        "full_like",
        lambda m, x: [m.full_like(x, 3), m.full_like(x, 3, m.int32), m.full_like(x, x[0])],
        [(2, 3)],
    ),
    ("zeros", lambda m: [m.zeros((2, 3)), m.ones(3), m.zeros((), m.int8), m.ones((0, 2), m.bool_)], []),
    ("windows", lambda m: [f(n) for n in (5, 1) for f in (m.bartlett, m.hanning, m.hamming, m.blackman)], []),
    (
        "asarray",
        lambda m, x: [m.asarray([1, 2.0]), m.asarray(x, dtype=m.float16), m.asarray(x, copy=True)],
        [(2,)],
    ),
    (
        "meshgrid",
        lambda m, a, b: [m.meshgrid(a, b), m.meshgrid(a, b, indexing="ij"), m.meshgrid(a, b, sparse=True)],
        [(3,), (2,)],
    ),
    (
        "fftfreq",
        lambda m: [m.fft.fftfreq(5), m.fft.fftfreq(6, 0.5), m.fft.rfftfreq(5), m.fft.rfftfreq(6, 2)],
        [],
    ),
    (
        "finfo",
        lambda m: [
            f(m.finfo(t))
            for t in (m.float32, m.float16, m.bfloat16)
            for f in (lambda i: i.min, lambda i: i.eps)
        ],
        [],
    ),
    ("finfo", lambda m: [m.finfo(m.float32).smallest_normal, m.iinfo(m.int8).min, m.iinfo(m.uint32).max], []),
    (
        "isdtype",
        lambda m: [m.isdtype(m.float32, "real floating"), m.isdtype(m.bool_, ("bool", "numeric"))],
        [],
    ),
    ("issubdtype", lambda m: [m.issubdtype(m.int8, m.signedinteger), m.issubdtype(m.bool_, m.integer)], []),
    ("can_cast", lambda m: [m.can_cast(getattr(m, a), getattr(m, b)) for a in TYPES for b in TYPES], []),
    (
        "result_type",
        lambda m: [
            str(m.result_type(getattr(m, a), getattr(m, b))).split(".")[-1].rstrip("_")
            for a in TYPES
            for b in TYPES
        ],
        [],
    ),
    ("broadcast_shapes", lambda m: [list(m.broadcast_shapes((3, 1), (4,), (2, 1, 1)))], []),
    ("from_fp8", lambda m: m.from_fp8(m.arange(256).astype(m.uint8), m.float32), []),
]
TYPES = [
    "bool_",
    "int8",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "complex64",
]

SHAPES = [
    ("as_strided", lambda m, x: [m.as_strided(x, (3, 2), (1, 2), 1), m.as_strided(x, (4,))], [(10,)]),
    ("broadcast_to", lambda m, a, b: [m.broadcast_to(b, (2, 4)), m.broadcast_arrays(a, b)], [(3, 1), (4,)]),
    ("concatenate", lambda m, a, b: [m.concatenate([a, b], 1), m.concat([a, a])], [(2, 3), (2, 2)]),
    ("diag", lambda m, x: [m.diag(x[0], 1), m.diag(x, 1), m.diag(x, -2), m.trace(x, 1)], [(4, 5)]),
    ("diagonal", lambda m, x: [m.diagonal(x), m.diagonal(x, 1, 1, 2), m.diagonal(x, -1, 0, 2)], [(3, 4, 5)]),
    ("trace", lambda m, x: [m.trace(x, 0, 1, 2), m.trace(x[0], dtype=m.float16)], [(2, 3, 4)]),
    ("expand_dims", lambda m, x: [m.expand_dims(x, 0), m.expand_dims(x, (0, -1))], [(3, 4)]),
    ("flatten", lambda m, x: [m.flatten(x, 1), m.flatten(x, 0, 1), m.flip(x, (0, 2))], [(2, 3, 4)]),
    ("moveaxis", lambda m, x: [m.moveaxis(x, 0, -1), m.swapaxes(x, 0, 2)], [(2, 3, 4)]),
    ("pad", lambda m, x: [m.pad(x, 1), m.pad(x, (1, 2)), m.pad(x, [(1, 1), (2, 0)], "edge")], [(2, 3)]),
    ("pad", lambda m, x: m.pad(x, [(1, 0), (0, 2)], constant_values=3), [(2, 3)]),
    (
        "pad",
        lambda m, x: [m.pad(x, n, mode) for n in (1, 2, 5) for mode in ("reflect", "symmetric")],
        [(3, 4)],
    ),
    (
        "repeat",
        lambda m, x: [m.repeat(x, 2), m.repeat(x, 2, 1), m.tile(x, 2), m.tile(x, (2, 1, 1))],
        [(2, 3)],
    ),
    (
        "reshape",
        lambda m, x: [m.reshape(x, (3, 2)), m.reshape(x, [2, -1]), m.unflatten(x, 1, (3, -1))],
        [(2, 3)],
    ),
    (
        "roll",
        lambda m, x: [m.roll(x, 2), m.roll(x, 1, 0), m.roll(x, (1, -1), (0, 1)), m.roll(x, (1, 2), 0)],
        [(3, 4)],
    ),
    ("roll", lambda m, x: m.roll(x, 1, (0, 1)), [(3, 4)]),
    (
        "split",
        lambda m, x: [m.split(x, 2), m.split(x, [1, 3]), m.split(x, 3, 1), m.unstack(x, axis=1)],
        [(4, 3)],
    ),
    ("stack", lambda m, x: [m.stack([x, x]), m.stack([x, x], -1)], [(2, 3)]),
    ("view", lambda m, x: [m.view(x, t) for t in (m.int32, m.float16, m.uint8, m.int64)], [(3, 4)]),
    ("view", lambda m, x: x.view(m.uint16).view(x.dtype), [(2, 4)]),
    (
        "astype",
        lambda m, x: [m.astype(m.abs(x), t) for t in (m.int32, m.uint8, m.bool_, m.float16)],
        [(3, 4)],
    ),
]

PLACES = [
    (
        "take",
        lambda m, x: [
            m.take(x, m.array([0, 2])),
            m.take(x, m.array([[0, 1]]), 0),
            m.take(x, m.array([-1]), 1),
        ],
        [(3, 4)],
    ),
    (
        "take_along_axis",
        lambda m, x: [
            m.take_along_axis(x, index(m, 1, 0, 2)[None], 1),
            m.take_along_axis(x, index(m, 0, 5), None),
        ],
        [(3, 4)],
    ),
    ("take_along_axis", lambda m, x: m.take_along_axis(x, m.array([[3], [0], [1]])), [(3, 4)]),
    (
        "put_along_axis",
        lambda m, x: m.put_along_axis(x, index(m, 0, 2)[None], m.array([[5, 6]]).astype(x.dtype), 1),
        [(1, 3)],
    ),
    (
        "put_along_axis",
        lambda m, x: m.put_along_axis(x, index(m, 0, 4), m.array([5, 6]).astype(x.dtype)),
        [(2, 3)],
    ),
    (
        "slice",
        lambda m, x: [m.slice(x, m.array([1]), (0,), (2, 3)), m.slice_update(x, x[:2], m.array([1]), (0,))],
        [(4, 3)],
    ),
    (
        "where",
        lambda m, x: [m.where(x, x, 0), m.where(x, 1, 2), m.where(x, 1, 2.5), m.where(True, x, 1)],
        [(3, 4)],
    ),
    (
        "searchsorted",
        lambda m, x: [m.searchsorted(m.sort(x), x), m.searchsorted(m.sort(x), x, "right")],
        [(6,)],
    ),
    ("unique", lambda m, x: [m.unique(x, 4), m.unique(x, 7, True, True, True, fill_value=0)], [(6,)]),
    ("partition", lambda m, x: [m.partition(x, 2)[..., 2], m.partition(x, 1, axis=0)[1]], [(3, 6)]),
    (
        "argpartition",
        lambda m, x: m.take_along_axis(x, m.argpartition(x, 2, axis=-1)[..., 2:3], -1),
        [(3, 6)],
    ),
    ("topk", lambda m, x: [m.sort(m.topk(x, 2)), m.sort(m.topk(x, 2, axis=0), axis=0)], [(3, 6)]),
    (
        "at",
        lambda m, x: [
            getattr(x.at[m.array([0, 0, 2])], n)(x[0])
            for n in ("add", "subtract", "multiply", "maximum", "minimum")
        ],
        [(3, 4)],
    ),
    (
        "index",
        lambda m, x: [
            x[1],
            x[..., 0],
            x[::-1],
            x[:, None, 1:3],
            x[m.array([0, -1])],
            x[m.array([0, 1]), m.array([2, 3])],
        ],
        [(3, 4)],
    ),
]

SUMS = [
    ("cumsum", lambda m, x: [f(x, 1, reverse=True) for f in (m.cumsum, m.cumprod, m.logcumsumexp)], [(3, 4)]),
    (
        "cumsum",
        lambda m, x: [f(x, 0, inclusive=False) for f in (m.cumsum, m.cumprod, m.logcumsumexp)],
        [(3, 4)],
    ),
    ("cumsum", lambda m, x: [m.cumsum(x, 1, dtype=m.float32), m.cumprod(x, 0, dtype=m.int32)], [(3, 4)]),
    ("cummax", lambda m, x: [m.cummax(x, 1, reverse=True), m.cummin(x, 0, reverse=True)], [(3, 4)]),
    (
        "exclusive cummax",
        lambda m, x: [m.cummax(x, 1, inclusive=False), m.cummin(x, 0, inclusive=False)],
        [(3, 4)],
    ),
    ("diff", lambda m, x: [m.diff(x, 2), m.diff(x, 1, 0)], [(4, 5)]),
    ("var", lambda m, x: [m.var(x, 0, ddof=1), m.std(x, 1, True, 2), m.var(x, ddof=20)], [(3, 4)]),
    (
        "var",
        lambda m, x: [x.var(correction=1), x.std(0, correction=1), x.var(ddof=1, correction=0)],
        [(3, 4)],
    ),
    ("count_nonzero", lambda m, x: m.count_nonzero(x, axis=0, keepdims=True), [(3, 4)]),
    ("minmax", lambda m, x: m.minmax(x, axis=0, keepdims=True), [(3, 4)]),
    ("softmax of rows", lambda m, x: [m.softmax(x, -1), m.softmax(x, -1, precise=True)], [(3, 4)]),
    ("clip", lambda m, x: [m.clip(x, 1, 3), m.clip(x, None, 1), m.clip(x, x[0], None)], [(3, 4)]),
    ("clip", lambda m, x: m.clip(x, 0, 2.5), [(3, 4)]),
    ("round", lambda m, x: [m.round(x * 9, 1), m.round(x * 100, -1)], [(3,)]),
    ("nan_to_num", lambda m, x: [m.nan_to_num(x / 0, 1, 2, 3), m.nan_to_num(x / 0)], [(5,)]),
    (
        "isclose",
        lambda m, x: [m.isclose(x, x + 1), m.allclose(x, x), m.isclose(x, x, equal_nan=True)],
        [(3,)],
    ),
    ("depends", lambda m, x: [m.depends(x, x + 1), m.depends([x], [x + 1])], [(2,)]),
]

MATRICES = [
    (
        "addmm",
        lambda m, c, a, b: [m.addmm(c, a, b, alpha=0.5, beta=2.0), m.addmm(c[0], a[0], b)],
        [(3, 5), (3, 4), (4, 5)],
    ),
    (
        "tensordot",
        lambda m, a, b: [m.tensordot(a, b, n) for n in (0, 1, 2, [[0], [1]], ((0,), (1,)))],
        [(3, 3), (3, 3)],
    ),
    (
        "einsum",
        lambda m, a, b: [m.einsum(s, a, b) for s in ("ij,jk->ik", "ij,jk", "...j,jk->...k")],
        [(3, 4), (4, 5)],
    ),
    (
        "einsum",
        lambda m, a: [m.einsum("ij->ji", a), m.einsum("ij->", a), m.einsum_path("ij,ij->", a, a)[0]],
        [(3, 4)],
    ),
    (
        "block_masked_mm",
        lambda m, a, b: m.block_masked_mm(a, b, 32, m.array([[True, False], [False, True]])),
        [(64, 64), (64, 64)],
    ),
    ("gather_mm", lambda m, a, b: m.gather_mm(a, b, index(m, 0, 1), index(m, 1, 0)), [(2, 3, 4), (2, 4, 5)]),
    (
        "segmented_mm",
        lambda m, a, b: m.segmented_mm(a, b, m.array([[0, 2], [2, 6]], m.uint32)),
        [(3, 6), (6, 2)],
    ),
    ("hadamard_transform", lambda m, x: [m.hadamard_transform(x), m.hadamard_transform(x, 2.0)], [(3, 24)]),
    (
        "vecdot",
        lambda m, a, b: [m.vecdot(a, b, axis=0), m.vecdot(a.astype(m.complex64) * 1j, b)],
        [(3, 4), (3, 4)],
    ),
    ("kron", lambda m, a, b: m.kron(a, b), [(2, 3), (3,)]),
    (
        "conv1d",
        lambda m, x, w: [m.conv1d(x, w, 2, 1, 2, 1), m.conv_transpose1d(x, w, 2, 1, 1, 1)],
        [(2, 10, 4), (6, 3, 4)],
    ),
    ("conv1d", lambda m, x, w: m.conv1d(x, w, groups=2), [(2, 10, 4), (6, 3, 2)]),
    ("conv2d", lambda m, x, w: m.conv2d(x, w, (2, 1), (1, 0), (1, 2), 2), [(2, 8, 9, 4), (6, 3, 2, 2)]),
    (
        "conv2d",
        lambda m, x, w: m.conv_transpose2d(x, w, 2, 1, output_padding=(1, 0)),
        [(2, 4, 5, 4), (6, 3, 2, 4)],
    ),
    (
        "conv3d",
        lambda m, x, w: [m.conv3d(x, w, padding=1), m.conv_transpose3d(x, w, 2)],
        [(1, 4, 5, 6, 2), (3, 2, 3, 2, 2)],
    ),
    (
        "conv_general",
        lambda m, x, w: m.conv_general(x, w, 1, ([1, 0], [2, 1]), 1, (2, 1), 1, True),
        [(2, 5, 4, 3), (4, 2, 2, 3)],
    ),
    ("convolve", lambda m, a, b: [m.convolve(a, b, k) for k in ("full", "same", "valid")], [(8,), (3,)]),
]


CALLS = [*MAKING, *SHAPES, *PLACES, *SUMS, *MATRICES, *LINALG, *FFT, *FAST]
