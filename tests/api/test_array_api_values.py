"""The array API's functions beside NumPy's of the same names: over dtypes, shapes, empty arrays and scalars.

Where both exist, results have the same dtype up to NumPy's defaults of 64 bits.
"""

import numpy as np
import pullback as pb
import pytest
from pullback.testing import check_grads

xp = pb.array_api

FLOATS = ["float32", "float64"]
SIGNED = ["int8", "int16", "int32", "int64"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
INTEGERS = SIGNED + UNSIGNED
REAL = INTEGERS + FLOATS
NUMBERS = [*REAL, "complex64"]
ALL = ["bool", *NUMBERS]
SHAPES = [(), (5,), (0,), (2, 3), (2, 0, 3)]


def each(rows):
    """A table with a row for every word of the keys."""
    return {name: dtypes for names, dtypes in rows.items() for name in names.split()}


UNARY = each(
    {
        "abs negative positive square round sign": NUMBERS,
        "acos acosh asin asinh atan atanh cos cosh exp expm1 log log10": [*FLOATS, "complex64"],
        "log1p log2 reciprocal sin sinh sqrt tan tanh": [*FLOATS, "complex64"],
        "isfinite isinf isnan": [*FLOATS, "complex64"],
        "conj imag real": ["float32", "complex64"],
        "ceil floor trunc": REAL,
        "bitwise_invert": ["bool", *INTEGERS],
        "logical_not": ["bool"],
        "signbit": FLOATS,
    }
)
BINARY = each(
    {
        "add multiply subtract equal not_equal": NUMBERS,
        "divide": [*FLOATS, "complex64"],
        "greater greater_equal less less_equal maximum minimum floor_divide remainder": REAL,
        "pow": [*UNSIGNED, *FLOATS, "complex64"],
        "atan2 copysign hypot logaddexp nextafter": FLOATS,
        "bitwise_and bitwise_or bitwise_xor": ["bool", *INTEGERS],
        "bitwise_left_shift bitwise_right_shift": UNSIGNED,
        "logical_and logical_or logical_xor": ["bool"],
    }
)


def numbers(dtype, shape, seed=0):
    generator = np.random.default_rng(seed)
    if dtype == "bool":
        return generator.random(shape) < 0.5
    if dtype == "complex64":
        return (generator.normal(size=shape) + 1j * generator.normal(size=shape)).astype(dtype)
    if dtype in FLOATS:
        return np.asarray(generator.normal(size=shape) * 2).astype(dtype)
    return generator.integers(-3 if dtype in SIGNED else 1, 6, shape).astype(dtype)


def ours(value):
    return xp.asarray(value, dtype=getattr(xp, value.dtype.name))


def agree(got, expected, default=False):
    """Same shape, dtype and elements; with `default`, a dtype of NumPy's default width is of ours."""
    expected = np.asarray(expected)
    narrow = {"int64": "int32", "uint64": "uint32", "complex128": "complex64"}
    dtype = narrow.get(expected.dtype.name, expected.dtype.name) if default else expected.dtype.name
    assert (got.shape, np.asarray(got).dtype) == (expected.shape, np.dtype(dtype))
    tolerance = 1e-12 if "64" in dtype and dtype[0] == "f" else 2e-5
    np.testing.assert_allclose(np.asarray(got), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    for dtype in UNARY[name]:
        for shape in SHAPES:
            a = numbers(dtype, shape)
            with np.errstate(all="ignore"):
                expected = getattr(np, name)(a)
            agree(getattr(xp, name)(ours(a)), expected)


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    for dtype in BINARY[name]:
        for one, two in [
            ((), ()),
            ((5,), (5,)),
            ((0,), (0,)),
            ((2, 3), (3,)),
            ((2, 1), ()),
            ((2, 0), (1, 1)),
        ]:
            a, b = numbers(dtype, one), numbers(dtype, two, 1)
            if name in ("floor_divide", "remainder") and dtype in INTEGERS:
                b = np.where(b == 0, 1, b).astype(dtype)
            with np.errstate(all="ignore"):
                expected = getattr(np, name)(a, b)
            agree(getattr(xp, name)(ours(a), ours(b)), expected)
        if dtype in ("float32", "int32") and name not in ("bitwise_left_shift", "bitwise_right_shift"):
            x = ours(numbers(dtype, (3,)))
            assert getattr(xp, name)(x, 2).dtype == getattr(xp, name)(x, xp.asarray(2, dtype=x.dtype)).dtype
            assert getattr(xp, name)(2, x).shape == (3,)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, 3e38, -3e38], np.float32)


@pytest.mark.parametrize("name", ["copysign", "nextafter", "hypot"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_special_floats(name, dtype):
    a, b = (part.ravel() for part in np.meshgrid(SPECIAL.astype(dtype), SPECIAL.astype(dtype)))
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(a, b)
    got = np.asarray(getattr(xp, name)(ours(a), ours(b)))
    np.testing.assert_array_equal(np.signbit(got[~np.isnan(a)]), np.signbit(expected[~np.isnan(a)]))
    if name == "hypot":
        np.testing.assert_allclose(got, expected, rtol=3e-7)
    else:
        np.testing.assert_array_equal(got, expected)


def test_complex_cuts_and_small_numbers():
    z = np.array(
        [2, -2, 2 - 0j, 0.5j, -3j, 1e-4 + 1e-4j, -0.5, 1e-3j, 40 + 1j, 2 + 3j, -2 + 3j], np.complex64
    )
    for name in ["asin", "acos", "atan", "asinh", "acosh", "atanh", "sqrt", "log", "log1p", "expm1", "tanh"]:
        got, expected = np.asarray(getattr(xp, name)(ours(z))), getattr(np, name)(z.astype("complex128"))
        np.testing.assert_allclose(got, expected, rtol=3e-6, atol=1e-9, err_msg=name)
    assert xp.pow(pb.array([0j, 0j]), pb.array([0j, 1 + 0j])).tolist() == [1, 0]
    assert xp.sign(pb.array([0j, 3 + 4j])).tolist() == pytest.approx([0, 0.6 + 0.8j])


REDUCTIONS = each({"sum prod all any count_nonzero": ALL, "max min": REAL, "mean std var": FLOATS})


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    for dtype in REDUCTIONS[name]:
        for shape, axis in [
            ((), None),
            ((5,), None),
            ((2, 3), 0),
            ((2, 3), (0, -1)),
            ((4, 3), -1),
            ((0, 3), 0),
        ]:
            if 0 in shape and name in ("max", "min", "mean", "std", "var"):
                continue
            a = numbers(dtype, shape)
            for keepdims in (False, True):
                got = getattr(xp, name)(ours(a), axis=axis, keepdims=keepdims)
                default = dtype not in ("int64", "uint64", "float64")
                agree(
                    got,
                    getattr(np, name)(a, axis=axis, keepdims=keepdims),
                    default or name == "count_nonzero",
                )
    with pytest.raises(TypeError):
        getattr(xp, name)(pb.ones((2, 2)), 0)


def test_reductions_with_more_arguments():
    a = numbers("float64", (3, 4))
    for correction in (0, 1, 0.5):
        agree(xp.var(ours(a), axis=0, correction=correction), a.var(axis=0, ddof=correction))
        agree(xp.std(ours(a), correction=correction), a.std(ddof=correction))
    small = numbers("int8", (6,))
    for name in ("sum", "prod"):
        agree(getattr(xp, name)(ours(small), dtype=xp.float64), getattr(np, name)(small, dtype="float64"))
        agree(getattr(xp, name)(ours(small), dtype=xp.int8), getattr(np, name)(small, dtype="int8"))


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_running(name, dtype):
    default = dtype not in ("int64", "uint64")
    for shape, axis in [((5,), None), ((5,), 0), ((2, 3), -1), ((0,), None), ((3, 0), 0)]:
        for initial in (False, True):
            a = numbers(dtype, shape)
            got = getattr(xp, name)(ours(a), axis=axis, include_initial=initial)
            agree(got, getattr(np, name)(a, axis=axis, include_initial=initial), default)
    assert getattr(xp, name)(pb.ones(2), dtype=xp.int16).dtype == xp.int16
    with pytest.raises(ValueError, match=rf"^\[{name}\] expected an axis"):
        getattr(xp, name)(pb.ones((2, 2)))


X = np.arange(24).reshape(2, 3, 4)
PLACES = [
    ("broadcast_to", (X, (5, 2, 3, 4)), {}),
    ("concat", ([X, X],), {"axis": -1}),
    ("concat", ([X, X[0]],), {"axis": None}),
    ("expand_dims", (X,), {"axis": -2}),
    ("expand_dims", (np.array(3), 0), {}),
    ("flip", (X,), {}),
    ("flip", (X,), {"axis": (0, -1)}),
    ("moveaxis", (X, 0, -1), {}),
    ("moveaxis", (X, (0, 2), (1, 0)), {}),
    ("permute_dims", (X, (2, 0, 1)), {}),
    ("repeat", (X, 2), {}),
    ("repeat", (X, np.array([1, 0, 2])), {"axis": 1}),
    ("repeat", (X, np.array([2])), {"axis": 0}),
    ("reshape", (X, (4, -1)), {"copy": True}),
    ("roll", (X, 5), {}),
    ("roll", (X, (1, -2)), {"axis": (0, 2)}),
    ("squeeze", (X[:1], 0), {}),
    ("stack", ([X, X],), {"axis": -1}),
    ("take", (X, np.array([2, 0])), {"axis": 1}),
    ("take", (X[0, 0], np.array([3])), {}),
    ("take_along_axis", (X, np.array([[[0], [2], [1]]] * 2)), {}),
    ("tile", (X, (2, 1, 1, 2)), {}),
    ("tril", (X,), {"k": 1}),
    ("triu", (X,), {"k": -1}),
    ("where", (X > 3, X, -X), {}),
    ("clip", (X, 3, 9), {}),
    ("clip", (X,), {"max": 9}),
    ("clip", (X,), {}),
    ("diff", (X,), {"axis": 0}),
    ("diff", (X,), {"n": 2, "prepend": X[..., :1], "append": X[..., :2]}),
    ("sort", (X[:, ::-1] % 5,), {"axis": 1}),
    ("argsort", (X % 3,), {"stable": True}),
    ("argmax", (X % 5,), {}),
    ("argmin", (X % 5,), {"axis": -1, "keepdims": True}),
    ("searchsorted", (np.array([1, 3, 5]), X), {"side": "right"}),
    ("searchsorted", (np.array([5, 1, 3]), X), {"sorter": np.array([1, 2, 0])}),
]


def numpys(name, args, kwargs):
    if name == "clip":
        low, high = (*args[1:], None, None)[:2]
        return args[0] if not args[1:] and not kwargs else np.clip(args[0], low, kwargs.get("max", high))
    if name in ("take_along_axis", "where", "searchsorted", "argsort"):
        kwargs = {**kwargs, **({"axis": -1} if name == "take_along_axis" else {})}
    if name == "expand_dims" and len(args) > 1:
        return np.expand_dims(*args)
    return getattr(np, name)(*args, **kwargs)


@pytest.mark.parametrize("case", range(len(PLACES)), ids=lambda i: f"{PLACES[i][0]}-{i}")
def test_places(case):
    name, args, kwargs = PLACES[case]

    def convert(value):
        if isinstance(value, list):
            return [convert(one) for one in value]
        return ours(value) if isinstance(value, np.ndarray) else value

    got = getattr(xp, name)(*map(convert, args), **{key: convert(value) for key, value in kwargs.items()})
    default = name in ("argsort", "argmax", "argmin", "searchsorted")
    agree(got, numpys(name, args, kwargs), default)


def test_lists_of_arrays():
    x, y = ours(X[0, 0]), ours(X[:, :1, 0])
    for got, expected in zip(
        xp.broadcast_arrays(x, y), np.broadcast_arrays(X[0, 0], X[:, :1, 0]), strict=True
    ):
        agree(got, expected)
    for indexing in ("xy", "ij"):
        grids = xp.meshgrid(x, x[:2], indexing=indexing)
        for got, expected in zip(grids, np.meshgrid(X[0, 0], X[0, 0, :2], indexing=indexing), strict=True):
            agree(got, expected)
    assert xp.meshgrid() == [] and [part.shape for part in xp.unstack(ours(X), axis=-1)] == [(2, 3)] * 4


def test_refused_places():
    x = ours(X)
    for bad in (lambda: xp.moveaxis(x, (0, 1), (0,)), lambda: xp.moveaxis(x, (0, 0), (0, 1))):
        with pytest.raises(ValueError, match=r"^\[moveaxis\] expected"):
            bad()
    with pytest.raises(ValueError, match=r"^\[take\] expected an axis"):
        xp.take(x, pb.array([0]))
    with pytest.raises(ValueError, match=r"^\[repeat\] expected"):
        xp.repeat(x, pb.array([1, -1]), axis=0)


def test_descending():
    a = np.array([[2, 1, 2, 3], [0, 0, 5, 0]])
    agree(xp.sort(ours(a), descending=True), -np.sort(-a))
    agree(xp.argsort(ours(a), descending=True), np.argsort(-a, kind="stable"), default=True)
    agree(xp.argsort(ours(a), axis=0, descending=True), np.argsort(-a, axis=0, kind="stable"), default=True)


@pytest.mark.parametrize("shape", [(6,), (2, 3), (0,)])
def test_sets(shape):
    a = numbers("int32", shape)
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        got, expected = getattr(xp, name)(ours(a)), getattr(np, name)(a)
        assert got._fields == expected._fields
        for one, two in zip(got, expected, strict=True):
            agree(one, two, default=True)
    agree(xp.unique_values(ours(a)), np.unique(a))
    for one, two in zip(xp.nonzero(ours(a)), np.nonzero(a), strict=True):
        agree(one, two, default=True)


def test_creation():
    agree(xp.arange(5), np.arange(5), default=True)
    agree(xp.arange(5, 1, -2, dtype=xp.float64), np.arange(5, 1, -2, dtype="float64"))
    agree(xp.arange(1, 1), np.arange(1, 1), default=True)
    agree(xp.arange(0.5, 2), np.arange(0.5, 2, dtype="float32"))
    for num in (0, 1, 5):
        for endpoint in (False, True):
            agree(
                xp.linspace(1, 3, num, endpoint=endpoint, dtype=xp.float64),
                np.linspace(1, 3, num, endpoint=endpoint),
            )
    agree(xp.linspace(0, 1 + 2j, 3), np.linspace(0, 1 + 2j, 3), default=True)
    agree(xp.eye(2, 4, k=-1, dtype=xp.int8), np.eye(2, 4, -1, dtype="int8"))
    for shape in (3, (), (2, 0)):
        for name in ("zeros", "ones", "empty"):
            assert getattr(xp, name)(shape).dtype == xp.float32
        agree(xp.ones(shape, dtype=xp.uint8), np.ones(shape, "uint8"))
        agree(xp.full(shape, 7), np.full(shape, 7), default=True)
    x = xp.asarray([[1, 2]], dtype=xp.int16)
    for name, fill in (("zeros_like", 0), ("ones_like", 1)):
        agree(getattr(xp, name)(x), np.full((1, 2), fill, "int16"))
    assert xp.empty_like(x, dtype=xp.float64).dtype == xp.float64
    agree(xp.full_like(x, 3, dtype=xp.float32), np.full((1, 2), 3, "float32"))


@pytest.mark.parametrize("dtype", FLOATS)
def test_matrices(dtype):
    a = numbers(dtype, (2, 3, 3))
    positive = a @ a.mT + np.eye(3, dtype=dtype)
    b = numbers(dtype, (2, 3, 2), 3)
    lin = xp.linalg
    tolerance = {"rtol": 1e-3, "atol": 1e-3} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-9}

    def near(got, expected):
        assert got.dtype == getattr(xp, dtype)
        np.testing.assert_allclose(np.asarray(got), expected, **tolerance)

    near(lin.cholesky(ours(positive)), np.linalg.cholesky(positive))
    near(lin.cholesky(ours(positive), upper=True), np.linalg.cholesky(positive).mT)
    for name in ("det", "inv", "eigvalsh", "svdvals"):
        near(getattr(lin, name)(ours(positive)), getattr(np.linalg, name)(positive))
    near(lin.solve(ours(positive), ours(b)), np.linalg.solve(positive, b))
    near(lin.solve(ours(positive), ours(b[0, :, 0])), np.linalg.solve(positive, b[0, :, 0]))
    near(lin.pinv(ours(b)), np.linalg.pinv(b))
    near(lin.matrix_power(ours(a), 3), np.linalg.matrix_power(a, 3))
    values, vectors = lin.eigh(ours(positive))
    near(vectors @ (values[..., None] * vectors.mT), positive)
    assert lin.eigh(ours(positive))._fields == ("eigenvalues", "eigenvectors")
    for mode, columns in (("reduced", 2), ("complete", 3)):
        factors = lin.qr(ours(b), mode=mode)
        assert factors.Q.shape == (2, 3, columns)
        near(factors.Q @ factors.R, b)
    for full, columns in ((True, 3), (False, 2)):
        parts = lin.svd(ours(b), full_matrices=full)
        assert parts.U.shape == (2, 3, columns)
        near((parts.U[..., :2] * parts.S[..., None, :]) @ parts.Vh, b)
    assert lin.svd(ours(b)).U.shape == (2, 3, 3)
    sign, size = np.linalg.slogdet(a)
    near(lin.slogdet(ours(a)).sign, sign)
    near(lin.slogdet(ours(a)).logabsdet, size)
    for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf, None):
        expected = np.linalg.matrix_norm(b, ord="fro" if order is None else order, keepdims=True)
        near(lin.matrix_norm(ours(b), ord=order, keepdims=True), expected)
    for order in (0, 1, 2, 3.5, np.inf, -np.inf):
        near(
            lin.vector_norm(ours(b), axis=(0, 2), ord=order), np.linalg.vector_norm(b, axis=(0, 2), ord=order)
        )


@pytest.mark.parametrize("dtype", NUMBERS)
def test_products(dtype):
    a, b = numbers(dtype, (2, 3, 3)), numbers(dtype, (2, 3, 3), 1)
    default = dtype in ("int8", "int16", "int32", "uint8", "uint16", "uint32")
    agree(xp.matmul(ours(a), ours(b)), a @ b)
    agree(xp.matmul(ours(a), ours(b[0, 0])), a @ b[0, 0])
    agree(xp.tensordot(ours(a), ours(b), axes=((1, 0), (2, 0))), np.tensordot(a, b, ((1, 0), (2, 0))))
    agree(xp.vecdot(ours(a), ours(b[0]), axis=-1), np.vecdot(a, b[0]))
    agree(xp.linalg.cross(ours(a), ours(b[:1])), np.linalg.cross(a, b[:1]))
    agree(xp.linalg.outer(ours(a[0, 0]), ours(b[0, 0])), np.outer(a[0, 0], b[0, 0]))
    agree(xp.linalg.diagonal(ours(a), offset=1), np.linalg.diagonal(a, offset=1))
    agree(xp.linalg.trace(ours(a), offset=-1), np.linalg.trace(a, offset=-1), default)
    agree(xp.matrix_transpose(ours(a)), a.mT)
    with pytest.raises(ValueError, match=r"^\[cross\] expected 3 elements"):
        xp.linalg.cross(ours(a[..., :2]), ours(b[..., :2]))


def test_rank():
    ranks = xp.linalg.matrix_rank(ours(np.stack([np.eye(3), np.ones((3, 3))])))
    assert ranks.tolist() == [3, 1] and ranks.dtype == xp.int32
    assert xp.linalg.matrix_rank(ours(np.diag([1.0, 0.1])), rtol=0.5).item() == 1


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_transforms(norm):
    real, half = numbers("float32", (3, 6)), numbers("complex64", (3, 4))
    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
        a = real if name in ("rfft", "ihfft") else half
        for n, axis in ((None, -1), (5, 0)):
            expected = getattr(np.fft, name)(a, n=n, axis=axis, norm=norm)
            agree(getattr(xp.fft, name)(ours(a), n=n, axis=axis, norm=norm), expected)
    for name in ("fftn", "ifftn", "rfftn", "irfftn"):
        a = real if name == "rfftn" else half
        for s, axes in ((None, None), ((4, 5), (0, 1))):
            expected = getattr(np.fft, name)(a, s=s, axes=axes, norm=norm)
            agree(getattr(xp.fft, name)(ours(a), s=s, axes=axes, norm=norm), expected)


def test_frequencies():
    for n in (4, 5):
        for name in ("fftfreq", "rfftfreq"):
            expected = getattr(np.fft, name)(n, d=0.5)
            agree(getattr(xp.fft, name)(n, d=0.5), expected.astype("float32"))
            assert getattr(xp.fft, name)(n, dtype=xp.float64, device=pb.cpu).dtype == xp.float64
        agree(xp.fft.fftshift(ours(np.arange(n))), np.fft.fftshift(np.arange(n)))
        agree(xp.fft.ifftshift(ours(np.arange(n)), axes=0), np.fft.ifftshift(np.arange(n)))


def test_transforms_of_functions_go_through():
    def loss(x):
        size = xp.hypot(x, xp.asarray(4.0))
        return xp.sum(size * xp.var(x, correction=1))

    x = pb.array([3.0, 1.0, -2.0])
    assert pb.compile(pb.grad(loss))(x).tolist() == pytest.approx(pb.grad(loss)(x).tolist(), rel=1e-6)
    check_grads(loss, (x,), order=1)
    batch = pb.stack([x, 2 * x])
    np.testing.assert_allclose(pb.vmap(loss)(batch), [loss(x).item(), loss(2 * x).item()], rtol=1e-6)
    z = pb.array([0.3, -0.2])
    check_grads(lambda x: xp.abs(xp.exp(xp.sqrt(x + 1j))).sum(), (z,), order=1)
