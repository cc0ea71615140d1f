"""Products with quantised matrices, beside NumPy's products of the numbers that they stand for."""

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import numpy

MODES = [
    ("affine", 32, 3),
    ("affine", 64, 4),
    ("affine", 32, 8),
    *((m, None, None) for m in ("mxfp4", "mxfp8", "nvfp4")),
]


def tensor(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def quantised(shape, mode, group, bits, seed=1):
    """What `quantize` returns, how to call, and the numbers."""
    how = {"group_size": group, "bits": bits, "mode": mode}
    q = pb.quantize(pb.array(tensor(shape, seed)), **how)
    return q, how, numpy(pb.dequantize(*q, **how, dtype=pb.float32))


@pytest.mark.parametrize(("mode", "group", "bits"), MODES)
def test_products_are_those_of_the_numbers(mode, group, bits, device):
    q, how, w = quantised((64, 128), mode, group, bits)
    for shape in ((128,), (1, 128), (5, 128), (2, 3, 128), (0, 128)):
        x = tensor(shape)
        got = pb.quantized_matmul(pb.array(x), *q, **how)
        assert got.dtype == pb.float32
        np.testing.assert_allclose(numpy(got), x @ w.T, rtol=1e-4, atol=1e-4)
        y = tensor((*shape[:-1], 64))
        got = pb.quantized_matmul(pb.array(y), *q, transpose=False, **how)
        np.testing.assert_allclose(numpy(got), y @ w, rtol=1e-4, atol=1e-4)
    q, how, w = quantised((3, 64, 128), mode, group, bits)
    x = tensor((3, 2, 128))
    np.testing.assert_allclose(
        numpy(pb.quantized_matmul(pb.array(x), *q, **how)), x @ w.swapaxes(1, 2), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_types_of_products(dtype):
    x = pb.array(tensor((2, 64))).astype(getattr(pb, dtype))
    for mode in ("mxfp4", "mxfp8", "nvfp4"):
        q, how, _ = quantised((32, 64), mode, None, None)
        assert pb.quantized_matmul(x, *q, **how).dtype.name == dtype
    q, how, _ = quantised((32, 64), "affine", 64, 4)
    assert pb.quantized_matmul(x, *q, **how).dtype == pb.float32
    narrow = [q[0], q[1].astype(x.dtype), q[2].astype(x.dtype)]
    assert pb.quantized_matmul(x, *narrow, **how).dtype.name == dtype


@pytest.mark.parametrize(("mode", "group", "bits"), MODES)
def test_derivatives_and_maps(mode, group, bits):
    q, how, w = quantised((32, 64), mode, group, bits)
    x, g = pb.array(tensor((3, 64))), tensor((3, 32), seed=2)

    def f(x):
        return pb.quantized_matmul(x, *q, **how)

    testing.check_grads(f, [x], order=1)
    got = pb.vjp(f, [x], [pb.array(g)])[1][0]
    np.testing.assert_allclose(numpy(got), g @ w, rtol=1e-4, atol=1e-4)
    want = numpy(f(x))
    np.testing.assert_allclose(numpy(pb.vmap(f)(x)), want, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(numpy(pb.compile(f)(x)), want)
    stacked = [pb.stack([part, part]) for part in q]
    got = pb.vmap(lambda *q: pb.quantized_matmul(x, *q, **how))(*stacked)
    np.testing.assert_allclose(numpy(got), np.stack([want, want]), rtol=1e-5, atol=1e-5)


def test_scales_and_biases_have_derivatives_and_codes_have_none():
    q, how, _ = quantised((32, 64), "affine", 32, 4)
    x = pb.array(tensor((3, 64)))
    testing.check_grads(lambda s, b: pb.quantized_matmul(x, q[0], s, b, **how), list(q[1:]), order=1)
    with pytest.raises(TypeError, match="uint32"):
        pb.grad(lambda w: pb.quantized_matmul(x, w, *q[1:], **how).sum())(q[0])


@pytest.mark.parametrize(("mode", "group", "bits"), MODES)
def test_gathered_products(mode, group, bits, device):
    q, how, w = quantised((2, 3, 32, 64), mode, group, bits)
    x = tensor((5, 4, 64))
    flat = w.reshape(6, 32, 64)
    lhs, rhs = np.array([[0], [4]]), np.array([[5, 1, 1]])
    left, right = np.broadcast_arrays(lhs, rhs)
    want = np.einsum("abmk,abnk->abmn", x[left], flat[right])
    given = {"lhs_indices": pb.array(lhs), "rhs_indices": pb.array(rhs)}
    got = pb.gather_qmm(pb.array(x), *q, **given, **how, sorted_indices=False)
    np.testing.assert_allclose(numpy(got), want, rtol=1e-4, atol=1e-4)
    y = tensor((5, 4, 32))
    got = pb.gather_qmm(pb.array(y), *q, **given, transpose=False, **how)
    np.testing.assert_allclose(numpy(got), y[left] @ flat[right], rtol=1e-4, atol=1e-4)
    # Without positions of one side, all of its matrices in order.
    got = pb.gather_qmm(pb.array(x), *q, rhs_indices=pb.array([0, 1, 2, 3, 5]), **how)
    np.testing.assert_allclose(numpy(got), x @ flat[[0, 1, 2, 3, 5]].swapaxes(1, 2), rtol=1e-4, atol=1e-4)
    got = pb.gather_qmm(pb.array(x[:1, :1]), *q, lhs_indices=pb.array([0]), **how)
    np.testing.assert_allclose(numpy(got), x[:1, :1] @ w.swapaxes(2, 3), rtol=1e-4, atol=1e-4)
    testing.check_grads(lambda x: pb.gather_qmm(x, *q, **given, **how), [pb.array(x)], order=1)


@pytest.mark.parametrize("mode", ["mxfp8", "nvfp4"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_products_of_two_quantised(mode, dtype, device):
    x, w = pb.array(tensor((3, 64))).astype(getattr(pb, dtype)), pb.array(tensor((32, 64), seed=1))

    def numbers(x):
        return numpy(
            pb.dequantize(*pb.quantize(x.astype(pb.float32), mode=mode), mode=mode, dtype=pb.float32)
        )

    want = numbers(x) @ numbers(w).T
    rtol = {"float32": 1e-4, "float16": 2e-3, "bfloat16": 1e-2}[dtype]
    packed = pb.quantize(w, mode=mode)
    for got in (
        pb.qqmm(x, w, mode=mode),
        pb.qqmm(x, *packed, mode=mode),
        pb.compile(lambda x: pb.qqmm(x, w, mode=mode))(x),
    ):
        assert got.dtype.name == dtype
        np.testing.assert_allclose(numpy(got), want, rtol=rtol, atol=rtol * 8)
    got = pb.gather_qqmm(pb.stack([x, x]), pb.stack([w, 2 * w, w]), rhs_indices=pb.array([2, 0]), mode=mode)
    np.testing.assert_allclose(numpy(got), np.stack([want, want]), rtol=rtol, atol=rtol * 8)
    stacked = [pb.stack([part, part]) for part in packed]
    lhs = pb.array([1])
    got = pb.gather_qqmm(pb.stack([x, x]), *stacked, lhs_indices=lhs, rhs_indices=pb.array([0]), mode=mode)
    np.testing.assert_allclose(numpy(got), want[None], rtol=rtol, atol=rtol * 8)


def test_global_scales_of_both():
    x, w = tensor((3, 64)) * 1e4, tensor((32, 64), seed=1) * 1e-4
    scales = {"global_scale_x": pb.array(np.abs(x).max()), "global_scale_w": pb.array(np.abs(w).max())}
    got = numpy(pb.qqmm(pb.array(x), pb.array(w), **scales))
    want = x @ w.T
    assert np.abs(got - want).max() < 0.2 * np.abs(want).max()
    # Without them the scales of the small matrix vanish, and those of the large one saturate.
    assert np.abs(numpy(pb.qqmm(pb.array(x), pb.array(w))) - want).max() > 0.5 * np.abs(want).max()
    with pytest.raises(ValueError, match=r"\[qqmm\] expected no global scale in mode 'mxfp8'"):
        pb.qqmm(pb.array(x), pb.array(w), mode="mxfp8", **scales)


def test_rounding_is_the_identity_to_derivatives():
    x, w, g = pb.array(tensor((3, 64))), pb.array(tensor((32, 64), seed=1)), tensor((3, 32), seed=2)

    def numbers(x):
        return numpy(pb.dequantize(*pb.quantize(x, mode="mxfp8"), mode="mxfp8", dtype=pb.float32))

    _, (by_x, by_w) = pb.vjp(lambda x, w: pb.qqmm(x, w, mode="mxfp8"), [x, w], [pb.array(g)])
    np.testing.assert_allclose(numpy(by_x), g @ numbers(w), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numpy(by_w), g.T @ numbers(x), rtol=1e-4, atol=1e-5)
    _, (t,) = pb.jvp(lambda x: pb.qqmm(x, w, mode="mxfp8"), [x], [pb.ones(x.shape)])
    np.testing.assert_allclose(numpy(t), np.ones((3, 64)) @ numbers(w).T, rtol=1e-4, atol=1e-5)


REFUSED = [
    (
        lambda x, q: pb.quantized_matmul(x[:, :63], *q),
        ValueError,
        r"\[quantized_matmul\] expected x with a last axis of 64",
    ),
    (
        lambda x, q: pb.quantized_matmul(x, *q, transpose=False),
        ValueError,
        r"expected x with a last axis of 32",
    ),
    (lambda x, q: pb.quantized_matmul(pb.array(1.0), *q), ValueError, r"expected x with a last axis of 64"),
    (
        lambda x, q: pb.quantized_matmul(x.astype(pb.complex64), *q),
        TypeError,
        r"expected x of a float type, got c",
    ),
    (
        lambda x, q: pb.quantized_matmul(x, *q, bits=8),
        ValueError,
        r"expected a scale for each 64 codes of 8 bits",
    ),
    (lambda x, q: pb.quantized_matmul(x, *q, mode="fp4"), ValueError, r"\[quantized_matmul\] expected mode"),
    (
        lambda x, q: pb.quantized_matmul(x.astype(pb.int32), *pb.quantize(x, mode="mxfp8"), mode="mxfp8"),
        TypeError,
        r"\[quantized_matmul\] expected x of a float type, got int32",
    ),
    (
        lambda x, q: pb.gather_qmm(x, *q, lhs_indices=pb.array([0.5])),
        TypeError,
        r"\[gather_qmm\] expected integer indices, got float32\[1\]",
    ),
    (
        lambda x, q: pb.gather_qmm(x[0], *q, lhs_indices=pb.array([0])),
        ValueError,
        r"\[gather_qmm\] expected matrices, of two axes or more",
    ),
    (
        lambda x, q: pb.gather_qmm(x, *q, lhs_indices=pb.array([0, 0]), rhs_indices=pb.array([0, 0, 0])),
        ValueError,
        r"\[gather_qmm\] expected shapes that broadcast",
    ),
    (
        lambda x, q: pb.qqmm(x, x, mode="affine"),
        ValueError,
        r"\[qqmm\] expected mode 'nvfp4' or 'mxfp8', got 'affine'",
    ),
    (
        lambda x, q: pb.qqmm(x, x, mode="mxfp4"),
        ValueError,
        r"\[qqmm\] expected mode 'nvfp4' or 'mxfp8', got 'mxfp4'",
    ),
    (
        lambda x, q: pb.qqmm(x, q[0]),
        TypeError,
        r"\[qqmm\] expected w of float32, .*: packed codes need scales",
    ),
    (
        lambda x, q: pb.qqmm(x.astype(pb.float64), x),
        TypeError,
        r"\[qqmm\] expected x of float32, float16 or bf",
    ),
    (lambda x, q: pb.qqmm(x, x[:, :32]), ValueError, r"\[qqmm\] expected x and w with last axes of one size"),
    (
        lambda x, q: pb.gather_qqmm(x, x[:, :32]),
        ValueError,
        r"\[gather_qqmm\] expected x and w with last axes",
    ),
]


@pytest.mark.parametrize(("call", "error", "match"), REFUSED)
def test_what_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call(pb.array(tensor((2, 64))), pb.quantize(pb.array(tensor((32, 64)))))
