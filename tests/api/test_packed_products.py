"""Products with packed matrices beside products in float64: every format, layout and number of rows."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import numpy

AFFINE = [(bits, group) for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128)]
FORMATS = [("affine", group, bits) for bits, group in [*AFFINE, (1, 32)]]
FORMATS += [("mxfp4", 32, 4), ("mxfp8", 32, 8), ("nvfp4", 16, 4)]
SOME = [("affine", 64, 4), ("affine", 32, 3), ("affine", 128, 8), ("mxfp8", 32, 8), ("nvfp4", 16, 4)]
# Half the distance of numbers below the normal ones.
SMALLEST = {"float32": 2.0**-126, "float16": 2.0**-25, "bfloat16": 2.0**-126}
DTYPES = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}


def packed(shape, mode, group, bits, seed=1, dtype="float32"):
    """Random codes, scales and biases: arrays, how to call, and numbers and sizes of terms in float64."""
    rng = np.random.default_rng(seed)
    groups = (*shape[:-1], shape[-1] // group)
    codes = rng.integers(0, 1 << 32, (*shape[:-1], shape[-1] * bits // 32), np.uint32)
    how = {"group_size": group, "bits": bits, "mode": mode}
    if mode == "affine":
        q = [codes, rng.normal(size=groups), rng.normal(size=groups)]
        parts = [pb.array(codes), *(pb.array(x.astype("f")).astype(getattr(pb, dtype)) for x in q[1:])]
        with pb.stream(pb.cpu):
            wide = [parts[0], *(x.astype(pb.float64) for x in parts[1:])]
            numbers = numpy(pb.dequantize(*wide, **how))
        sizes = np.abs(np.repeat(numpy(parts[2]), group, -1))
        return parts, how, numbers, np.abs(numbers) + 2 * sizes
    scales = (
        rng.integers(112, 122, groups, np.uint8)
        if mode != "nvfp4"
        else rng.integers(1, 100, groups, np.uint8)
    )
    if mode == "mxfp8":
        # No code of NaN.
        codes &= np.uint32(0x7F7F7F7F) ^ np.uint32(0x01010101)
    parts = [pb.array(codes), pb.array(scales)]
    with pb.stream(pb.cpu):
        numbers = numpy(pb.dequantize(*parts, **how, dtype=pb.float64))
    return parts, how, numbers, np.abs(numbers)


def check(got, x, w, sizes, dtype="float32"):
    """Within the bound that the kernel states, and one rounding to the type of the result."""
    want, terms = x @ w, np.abs(x) @ sizes
    bound = (w.shape[-2] + 3) * 2.0**-24 * terms + DTYPES[dtype] * np.abs(want) + SMALLEST[dtype]
    got = numpy(got).astype("d")
    assert got.shape == want.shape
    worst = np.max(np.abs(got - want) / bound, initial=0)
    assert worst <= 1, worst


def drawn(shape, dtype="float32", seed=0):
    """An array and its elements in float64."""
    x = pb.array(np.random.default_rng(seed).normal(size=shape).astype("f")).astype(getattr(pb, dtype))
    return x, numpy(x).astype("d")


@pytest.mark.parametrize(("mode", "group", "bits"), FORMATS)
@pytest.mark.parametrize("transpose", [True, False])
def test_every_format_and_number_of_rows(mode, group, bits, transpose, device):
    # A row that ends within a vector, one of several vectors, and one of one group.
    for n, k in ((7, 3 * group), (33, 640 + 128), (1, group)):
        q, how, w, sizes = packed((n, k), mode, group, bits)
        if transpose:
            w, sizes = w.T, sizes.T
        for rows in (1, 3, 9, 40):
            x, exact = drawn((rows, w.shape[0]))
            check(pb.quantized_matmul(x, *q, transpose=transpose, **how), exact, w, sizes)


@pytest.mark.parametrize(("mode", "group", "bits"), SOME)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_floats(mode, group, bits, dtype, device):
    q, how, w, sizes = packed((40, 256), mode, group, bits, dtype=dtype)
    for rows in (1, 3, 9, 40):
        x, exact = drawn((rows, 256), dtype)
        got = pb.quantized_matmul(x, *q, **how)
        assert got.dtype.name == dtype
        check(got, exact, w.T, sizes.T, dtype)
        x, exact = drawn((rows, 40), dtype)
        check(pb.quantized_matmul(x, *q, transpose=False, **how), exact, w, sizes, dtype)


def test_double_precision():
    q, how, w, _ = packed((5, 192), "affine", 64, 3)
    with pb.stream(pb.cpu):
        q = [q[0], *(x.astype(pb.float64) for x in q[1:])]
        for x, transpose, want in (((4, 192), True, w.T), ((4, 5), False, w)):
            x = np.random.default_rng(0).normal(size=x)
            got = pb.quantized_matmul(pb.array(x, pb.float64), *q, transpose=transpose, **how)
            assert got.dtype == pb.float64
            np.testing.assert_allclose(numpy(got), x @ want, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize(("mode", "group", "bits"), SOME)
@pytest.mark.parametrize("transpose", [True, False])
def test_batches(mode, group, bits, transpose, device):
    q, how, w, sizes = packed((2, 3, 5, 128), mode, group, bits)
    if transpose:
        w, sizes = w.swapaxes(2, 3), sizes.swapaxes(2, 3)
    for lead in ((2, 3), (3,), (1, 1), (4, 2, 3), ()):
        for rows in (1, 2, 11):
            x, exact = drawn((*lead, rows, w.shape[2]))
            check(pb.quantized_matmul(x, *q, transpose=transpose, **how), exact, w, sizes)
    one = [part[0, 0] for part in q]
    for lead in ((3, 2), (0,), (2, 0, 3)):
        x, exact = drawn((*lead, 2, w.shape[2]))
        check(pb.quantized_matmul(x, *one, transpose=transpose, **how), exact, w[0, 0], sizes[0, 0])
    # One column of matrices for all rows of them.
    x, exact = drawn((2, 3, 4, w.shape[2]))
    shared = [part[:1] for part in q]
    check(pb.quantized_matmul(x, *shared, transpose=transpose, **how), exact, w[:1], sizes[:1])


@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("rows", [1, 20])
def test_layouts(rows, transpose, device):
    q, how, w, sizes = packed((12, 256), "affine", 64, 4)
    want = (w.T, sizes.T) if transpose else (w, sizes)
    x, exact = drawn((rows, want[0].shape[0]))
    ways = {
        "transposed": lambda x: pb.contiguous(x.T).T,
        "sliced": lambda x: pb.concatenate([x, x, x], axis=1)[:, x.shape[1] : 2 * x.shape[1]],
        "stepped": lambda x: pb.repeat(x, 2, axis=1)[:, ::2],
        "backwards": lambda x: pb.contiguous(x[::-1, ::-1])[::-1, ::-1],
        "rows apart": lambda x: pb.repeat(x, 3, axis=0)[1::3],
    }
    for way in ways.values():
        parts = [x, *q]
        for changed in (*([i] for i in range(4)), range(4)):
            given = [way(part) if i in changed else part for i, part in enumerate(parts)]
            check(pb.quantized_matmul(*given, transpose=transpose, **how), exact, *want)
    repeated = [pb.broadcast_to(part[:1], part.shape) for part in q]
    one = (np.broadcast_to(w[:1], w.shape), np.broadcast_to(sizes[:1], w.shape))
    one = tuple(x.T for x in one) if transpose else one
    check(pb.quantized_matmul(x, *repeated, transpose=transpose, **how), exact, *one)
    fixed = [q[0], pb.full(q[1].shape, 0.5), pb.zeros(q[2].shape)]
    w = 0.5 * numpy(pb.dequantize(q[0], pb.ones(q[1].shape), pb.zeros(q[2].shape), **how)).astype("d")
    w = w.T if transpose else w
    check(pb.quantized_matmul(x, *fixed, transpose=transpose, **how), exact, w, np.abs(w))


@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("rows", [2, 30])
def test_what_is_not_finite(rows, transpose, device):
    q, how, w, _ = packed((32, 64), "affine", 32, 4)
    w = w.T if transpose else w
    x = np.random.default_rng(0).normal(size=(rows, w.shape[0])).astype("f")
    x[0, 1], x[1, 2] = np.inf, np.nan
    got = numpy(pb.quantized_matmul(pb.array(x), *q, transpose=transpose, **how))
    assert np.array_equal(got[0], np.where(w[1] > 0, np.inf, -np.inf))
    assert np.isnan(got[1]).all() and np.isfinite(got[2:]).all()
    # Not of its group alone, but no further than its row.
    scales = numpy(q[1]).copy()
    scales[3, 1] = np.inf
    got = numpy(
        pb.quantized_matmul(
            pb.ones((rows, w.shape[0])), q[0], pb.array(scales), q[2], transpose=transpose, **how
        )
    )
    bad = np.zeros((64 if not transpose else 32,), bool)
    bad[3 if transpose else slice(32, 64)] = True
    assert not np.isfinite(got[:, bad]).any() and np.isfinite(got[:, ~bad]).all()


def test_every_code_of_small_floats(device):
    for mode, group, count in (("mxfp4", 32, 32), ("mxfp8", 32, 256), ("nvfp4", 16, 16)):
        bits = 8 if mode == "mxfp8" else 4
        codes = np.arange(count, dtype=np.uint32) % (1 << bits)
        words = (codes.reshape(-1, 32 // bits) << (bits * np.arange(32 // bits, dtype=np.uint32))).sum(1)
        scales = np.full((1, count // group), 127 if mode != "nvfp4" else 0x38, np.uint8)
        q = [pb.array(words.astype(np.uint32)[None]), pb.array(scales)]
        want = numpy(pb.dequantize(*q, mode=mode, dtype=pb.float32))
        for rows in (1, 9):
            got = numpy(pb.quantized_matmul(pb.ones((rows, 1)), *q, transpose=False, mode=mode))
            np.testing.assert_array_equal(got, np.repeat(want, rows, 0))


def test_nothing(device):
    q, how, _, _ = packed((4, 64), "affine", 32, 4)
    assert pb.quantized_matmul(pb.zeros((0, 64)), *q, **how).shape == (0, 4)
    empty = [part[:0] for part in q]
    assert pb.quantized_matmul(pb.zeros((3, 64)), *empty, **how).shape == (3, 0)
    for rows in (1, 20):
        got = pb.quantized_matmul(pb.zeros((rows, 0)), *empty, transpose=False, **how)
        np.testing.assert_array_equal(numpy(got), np.zeros((rows, 64)))
        none = [part[:, :0] for part in q]
        got = pb.quantized_matmul(pb.zeros((rows, 0)), *none, **how)
        np.testing.assert_array_equal(numpy(got), np.zeros((rows, 4)))
        assert pb.quantized_matmul(pb.zeros((rows, 4)), *none, transpose=False, **how).shape == (rows, 0)


@pytest.mark.parametrize(("group", "bits"), [(32, 2), (64, 3), (64, 4), (128, 8)])
@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("rows", [1, 12])
def test_gradients_are_those_of_the_composition(group, bits, transpose, rows, device):
    q, how, _, _ = packed((6, 128), "affine", group, bits)
    x, _ = drawn((rows, 128 if transpose else 6))

    def plain(x, scales, biases):
        w = pb.dequantize(q[0], scales, biases, **how)
        return pb.sin(x @ (w.T if transpose else w)).sum()

    def fused(x, scales, biases):
        return pb.sin(pb.quantized_matmul(x, q[0], scales, biases, transpose=transpose, **how) * 1).sum()

    for wanted in (0, 1, 2, (0, 1, 2)):
        got, want = (pb.grad(f, wanted)(x * 0.01, *q[1:]) for f in (fused, plain))
        pairs = zip(got, want, strict=True) if isinstance(wanted, tuple) else [(got, want)]
        for got, want in pairs:
            want = numpy(want)
            np.testing.assert_allclose(numpy(got), want, rtol=1e-4, atol=1e-4 * np.abs(want).max())
    testing.check_grads(
        lambda x, s, b: pb.quantized_matmul(x, q[0], s, b, transpose=transpose, **how), [x, *q[1:]], order=2
    )


@pytest.mark.parametrize("mode", ["mxfp4", "mxfp8", "nvfp4"])
@pytest.mark.parametrize("transpose", [True, False])
def test_gradients_of_small_floats(mode, transpose, device):
    group, bits = 16 if mode == "nvfp4" else 32, 8 if mode == "mxfp8" else 4
    q, how, w, sizes = packed((6, 96), mode, group, bits)
    x, _ = drawn((3, 96 if transpose else 6))
    g, exact = drawn((3, 6 if transpose else 96), seed=2)
    _, (found,) = pb.vjp(lambda x: pb.quantized_matmul(x, *q, transpose=transpose, **how), [x], [g])
    check(found, exact, w if transpose else w.T, sizes if transpose else sizes.T)


@pytest.mark.parametrize(("mode", "group", "bits"), SOME)
@pytest.mark.parametrize("transpose", [True, False])
def test_maps(mode, group, bits, transpose, device):
    q, how, _, _ = packed((3, 4, 128), mode, group, bits)
    x, _ = drawn((3, 2, 128 if transpose else 4))

    def f(x, *q):
        return pb.quantized_matmul(x, *q, transpose=transpose, **how)

    def stacked(x, q):
        return np.stack([numpy(f(*one)) for one in zip(x, *q, strict=True)])

    first = [part[0] for part in q]
    for axis in range(3):
        got = pb.vmap(lambda x: f(x, *first), in_axes=axis)(pb.moveaxis(x, 0, axis))
        np.testing.assert_allclose(
            numpy(got), stacked(x, [[part] * 3 for part in first]), rtol=1e-4, atol=1e-4
        )
        axes = (None, *[axis] * len(q))
        moved = [pb.moveaxis(part, 0, axis) for part in q]
        got = pb.vmap(f, in_axes=axes)(x[0], *moved)
        np.testing.assert_allclose(numpy(got), stacked([x[0]] * 3, q), rtol=1e-4, atol=1e-4)
        got = pb.vmap(f, in_axes=(axis, *axes[1:]))(pb.moveaxis(x, 0, axis), *moved)
        np.testing.assert_allclose(numpy(got), stacked(x, q), rtol=1e-4, atol=1e-4)
    both = pb.vmap(pb.vmap(f, in_axes=(0, *[None] * len(q))), in_axes=(None, *[0] * len(q)))
    want = np.stack([np.stack([numpy(f(x, *one)) for x in x]) for one in zip(*q, strict=True)])
    np.testing.assert_allclose(numpy(both(x, *q)), want, rtol=1e-4, atol=1e-4)
    got = pb.vmap(pb.grad(lambda x, *q: f(x, *q).sum()), in_axes=(0, *[None] * len(q)))(x, *first)
    want = np.stack([numpy(pb.grad(lambda x: f(x, *first).sum())(x)) for x in x])
    np.testing.assert_allclose(numpy(got), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("mode", "group", "bits"), SOME)
def test_compiled_and_exported(mode, group, bits, tmp_path, device):
    q, how, _, _ = packed((4, 128), mode, group, bits)
    x, _ = drawn((3, 128))

    def f(x):
        return pb.quantized_matmul(x, *q, **how)

    want = numpy(f(x))
    np.testing.assert_array_equal(numpy(pb.compile(f)(x)), want)
    path = str(tmp_path / "f.pb")
    pb.export_function(path, f, x)
    (got,) = pb.import_function(path)(x)
    np.testing.assert_array_equal(numpy(got), want)
    gradient = pb.grad(lambda x: f(x).sum())
    pb.export_function(path, gradient, x)
    (got,) = pb.import_function(path)(x)
    np.testing.assert_array_equal(numpy(got), numpy(gradient(x)))


def test_one_operation():
    """What a product is made of, so that it does not fall back to unpacking unseen."""
    q, how, _, _ = packed((4, 128), "affine", 64, 4)
    x, _ = drawn((3, 128))
    text = str(pb.debug.graph(lambda x: pb.quantized_matmul(x, *q, **how), x))
    assert "packed_matmul" in text and "right_shift" not in text


def test_products_with_factors_in_codes(device):
    x, _ = drawn((3, 64))
    w, _ = drawn((2, 8, 64), seed=1)
    packed_w = pb.quantize(w, mode="mxfp8")
    got = pb.qqmm(x, *packed_w, mode="mxfp8")
    np.testing.assert_allclose(numpy(got), numpy(pb.qqmm(x, w, mode="mxfp8")), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r"\[qqmm\] expected x and w with last axes of one size"):
        pb.qqmm(x[:, :32], *packed_w, mode="mxfp8")
