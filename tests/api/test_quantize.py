"""Numbers of few bits: codes, their packing, scales, and products with quantised matrices."""

import itertools
import math

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import numpy

AFFINE = list(itertools.product((32, 64, 128), (1, 2, 3, 4, 5, 6, 8)))
FLOATS = ["float32", "float16", "bfloat16"]


def packed(codes, bits):
    """Codes as one string of bits, low bits first, in words of 32: by NumPy's, independent of ours."""
    each = np.unpackbits(codes.astype(np.uint8)[..., None], axis=-1, count=bits, bitorder="little")
    string = each.reshape(*codes.shape[:-1], -1)
    return np.packbits(string, axis=-1, bitorder="little").view("<u4")


def unpacked(words, bits):
    string = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=-1, bitorder="little")
    each = string.reshape(*words.shape[:-1], -1, bits)
    return np.packbits(each, axis=-1, bitorder="little")[..., 0]


def affine(w, group, bits):
    """Codes, scales and biases by the definition, in float32."""
    last = np.float32(2**bits - 1)
    groups = w.reshape(*w.shape[:-1], -1, group).astype(np.float32)
    low, high = groups.min(-1, keepdims=True), groups.max(-1, keepdims=True)
    from_low = np.abs(low) > np.abs(high)
    step = np.maximum((high - low) / last, np.float32(1e-7))
    step, edge = np.where(from_low, step, -step), np.where(from_low, low, high)
    count = np.rint(edge / step)
    scale = np.where(count != 0, edge / np.where(count != 0, count, 1), step)
    bias = np.where(count != 0, edge, 0)
    codes = np.clip(np.rint((groups - bias) / scale), 0, last)
    return codes.reshape(w.shape).astype(np.uint8), scale[..., 0], bias[..., 0]


def tensor(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def e4m3(code):
    """The number of a code, by the definition of the format."""
    sign, field, fraction = -1.0 if code & 0x80 else 1.0, code >> 3 & 15, code & 7
    if field == 15 and fraction == 7:
        return math.nan
    return sign * (fraction / 8 * 2**-6 if field == 0 else (1 + fraction / 8) * 2.0 ** (field - 7))


E4M3 = np.array([e4m3(code) for code in range(256)])
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])


def test_all_codes_of_fp8(device):
    codes = pb.arange(256).astype(pb.uint8)
    for dtype in ("float32", "float16", "bfloat16"):
        got = numpy(pb.from_fp8(codes, getattr(pb, dtype)))
        np.testing.assert_array_equal(got, E4M3.astype(np.float32))
        np.testing.assert_array_equal(np.signbit(got[[0, 128]]), [False, True])
        back = pb.to_fp8(pb.from_fp8(codes, getattr(pb, dtype)))
        assert back.dtype == pb.uint8
        np.testing.assert_array_equal(numpy(back), np.arange(256))
    assert pb.from_fp8(codes).dtype == pb.bfloat16


def test_fp8_rounds_to_the_nearest_and_halves_to_even(device):
    numbers = E4M3[:127]
    halves = (numbers[1:] + numbers[:-1]) / 2
    lower = np.arange(126)
    even = lower + lower % 2
    for sign, bit in ((1, 0), (-1, 128)):
        for value, want in (
            (halves, even),
            (np.nextafter(halves.astype(np.float32), np.float32(0)), lower),
            (np.nextafter(halves.astype(np.float32), np.float32(1e9)), lower + 1),
        ):
            got = numpy(pb.to_fp8(pb.array((sign * value).astype(np.float32))))
            np.testing.assert_array_equal(got, want + bit)


def test_fp8_saturates_and_keeps_nan(device):
    x = [464.0, 465.0, 1e38, np.inf, -np.inf, -1e9, np.nan, -0.0, 1e-40, 2.0**-10]
    got = numpy(pb.to_fp8(pb.array(np.array(x, np.float32))))
    np.testing.assert_array_equal(got & 0x7F, [126, 126, 126, 126, 126, 126, 127, 0, 0, 0])
    np.testing.assert_array_equal(got >> 7, [0, 0, 0, 0, 1, 1, got[6] >> 7, 1, 0, 0])


def test_fp8_of_doubles_is_rounded_once():
    halves = (E4M3[1:127] + E4M3[:126]) / 2
    up = np.nextafter(halves, 1e9)
    np.testing.assert_array_equal(numpy(pb.to_fp8(pb.array(up, pb.float64))), np.arange(126) + 1)
    down = np.nextafter(halves, 0)
    np.testing.assert_array_equal(numpy(pb.to_fp8(pb.array(down, pb.float64))), np.arange(126))
    got = numpy(pb.to_fp8(pb.array([1e300, -1e300, 1e-300], pb.float64)))
    np.testing.assert_array_equal(got, [126, 254, 0])
    assert pb.from_fp8(pb.array([56], pb.uint8), pb.float64).dtype == pb.float64


def test_fp8_of_other_types():
    with pytest.raises(TypeError, match=r"\[to_fp8\] expected a float type, got int32\[2\]"):
        pb.to_fp8(pb.array([1, 2]))
    with pytest.raises(TypeError, match=r"\[from_fp8\] expected codes of uint8, got int32\[2\]"):
        pb.from_fp8(pb.array([1, 2]))
    with pytest.raises(TypeError, match=r"\[from_fp8\] expected a float type to convert to, got int32"):
        pb.from_fp8(pb.array([1], pb.uint8), pb.int32)
    assert pb.to_fp8(pb.zeros((0, 3))).shape == (0, 3)
    assert pb.to_fp8(pb.array(1.0)).item() == 56


@pytest.mark.parametrize(("group", "bits"), AFFINE)
def test_affine_is_its_definition(group, bits):
    w = tensor((3, 2, 256))
    w[0, 0, :group] = 0.25
    w[0, 1, :group] = 0
    w[1] += 5
    w[2] -= 100
    codes, scales, biases = pb.quantize(pb.array(w), group, bits)
    want, scale, bias = affine(w, group, bits)
    assert codes.dtype == pb.uint32
    assert codes.shape == (3, 2, 256 * bits // 32)
    np.testing.assert_array_equal(numpy(codes), packed(want, bits))
    np.testing.assert_array_equal(numpy(scales), scale)
    np.testing.assert_array_equal(numpy(biases), bias)
    got = numpy(pb.dequantize(codes, scales, biases, group, bits))
    wide = want.reshape(3, 2, -1, group) * scale[..., None] + bias[..., None]
    np.testing.assert_allclose(got, wide.reshape(w.shape), rtol=3e-7, atol=1e-6)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 8])
def test_any_codes_are_unpacked(bits, device):
    """Every code at every place of a word: the words are random."""
    codes = np.random.default_rng(bits).integers(0, 2**bits, (5, 192))
    words = packed(codes, bits)
    np.testing.assert_array_equal(unpacked(words, bits), codes)
    one, none = pb.ones((5, 6)), pb.zeros((5, 6))
    got = pb.dequantize(pb.array(words), one, none, group_size=32, bits=bits)
    np.testing.assert_array_equal(numpy(got), codes)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_affine_is_within_half_a_step(bits, device):
    w = tensor((4, 512), seed=bits)
    codes, scales, biases = pb.quantize(pb.array(w), 64, bits)
    got = numpy(pb.dequantize(codes, scales, biases, 64, bits)).reshape(4, 8, 64)
    step, groups = np.abs(numpy(scales))[..., None], w.reshape(4, 8, 64)
    error = np.abs(got - groups)
    # Beyond the last code there is no nearer number: the interval begins at a multiple of the step.
    low, high = got.min(-1, keepdims=True), got.max(-1, keepdims=True)
    inside = (groups >= low) & (groups <= high)
    assert inside.mean() > 0.9
    assert np.all(error[inside] <= np.broadcast_to(step / 2 * 1.001, error.shape)[inside])
    assert np.all(error <= step * 1.01)
    # The end that is farther from 0 is met exactly.
    far = np.where(np.abs(groups.min(-1)) > np.abs(groups.max(-1)), groups.min(-1), groups.max(-1))
    np.testing.assert_array_equal(numpy(biases), far)


def test_affine_by_hand():
    w = pb.array([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 15.0, 7.5] * 4])
    codes, scales, biases = pb.quantize(w, group_size=32)
    # From 15 down in steps of 1; 7.5 steps are rounded to 8.
    word = sum(code << 4 * i for i, code in enumerate([15, 14, 13, 12, 11, 10, 0, 8]))
    assert codes.tolist() == [[word] * 4]
    assert scales.tolist() == [[-1.0]]
    assert biases.tolist() == [[15.0]]
    assert pb.quantize(pb.zeros((1, 64)))[2].tolist() == [[0.0]]


@pytest.mark.parametrize("dtype", [*FLOATS, "float64"])
def test_types_of_affine(dtype):
    w = pb.array(tensor((2, 64))).astype(getattr(pb, dtype))
    codes, scales, biases = pb.quantize(w)
    assert (codes.dtype, scales.dtype.name, biases.dtype.name) == (pb.uint32, dtype, dtype)
    got = pb.dequantize(codes, scales, biases)
    assert got.dtype.name == dtype
    assert pb.dequantize(codes, scales, biases, dtype=pb.float32).dtype == pb.float32
    np.testing.assert_allclose(numpy(got), numpy(w), atol=0.3)


def powers(x):
    """The codes of the smallest powers of two that are not below."""
    with np.errstate(divide="ignore"):
        return np.clip(np.ceil(np.log2(x)), -127, 127).astype(int) + 127


def nearest(x, numbers):
    """Codes of the nearest of ascending numbers, of two the even code."""
    at = np.clip(np.searchsorted(numbers, np.abs(x)), 1, len(numbers) - 1)
    low, high = np.abs(x) - numbers[at - 1], numbers[at] - np.abs(x)
    return np.where((low < high) | ((low == high) & (at % 2 == 1)), at - 1, at)


@pytest.mark.parametrize("mode", ["mxfp4", "mxfp8"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_microscaling_is_its_definition(mode, dtype, device):
    bits, numbers = (4, E2M1) if mode == "mxfp4" else (8, E4M3[:127])
    w = pb.array(tensor((3, 5, 96)) * np.logspace(-3, 3, 3).reshape(3, 1, 1)).astype(getattr(pb, dtype))
    groups = numpy(w).reshape(3, 5, 3, 32).astype(np.float64)
    most = np.abs(groups).max(-1, keepdims=True)
    want = powers((most / numbers[-1]).astype(np.float32))
    codes, scales = pb.quantize(w, mode=mode)
    assert (codes.dtype, scales.dtype) == (pb.uint32, pb.uint8)
    np.testing.assert_array_equal(numpy(scales), want[..., 0])
    scaled = groups / 2.0 ** (want - 127)
    assert scaled.max() <= numbers[-1]
    magnitudes = nearest(scaled, numbers)
    signs = np.signbit(scaled) * 2 ** (bits - 1)
    np.testing.assert_array_equal(numpy(codes), packed((magnitudes + signs).reshape(w.shape), bits))
    got = pb.dequantize(codes, scales, mode=mode)
    assert got.dtype == pb.bfloat16
    exact = np.sign(scaled) * numbers[magnitudes] * 2.0 ** (want - 127)
    wide = pb.dequantize(codes, scales, mode=mode, dtype=pb.float32)
    np.testing.assert_array_equal(numpy(wide), exact.reshape(w.shape))


def test_fp4_rounds_halves_to_even(device):
    """With 6 in the group the scale is 1."""
    x = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 6], np.float32)
    up = np.nextafter(x, np.float32(7))
    down = np.nextafter(x, np.float32(0))
    group = np.concatenate([x, -x, np.minimum(up, 6), down])[None]
    codes, scales = pb.quantize(pb.array(group), mode="mxfp4")
    assert scales.tolist() == [[127]]
    even = [0, 2, 2, 4, 4, 6, 6, 7]
    want = [*even, *(code + 8 for code in even), 1, 2, 3, 4, 5, 6, 7, 7, 0, 1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_array_equal(unpacked(numpy(codes), 4)[0], want)
    got = numpy(pb.dequantize(codes, scales, mode="mxfp4", dtype=pb.float32))[0, :8]
    np.testing.assert_array_equal(got, [0, 1, 1, 2, 2, 4, 4, 6])


def test_scales_of_microscaling():
    def scale(most, mode):
        return pb.quantize(pb.full((1, 32), most), mode=mode)[1].item()

    for mode, largest in (("mxfp4", 6.0), ("mxfp8", 448.0)):
        for k in (-100, -3, 0, 5, 100):
            assert scale(largest * 2.0**k, mode) == 127 + k
            assert (
                scale(float(np.nextafter(np.float32(largest * 2.0**k), np.float32(np.inf))), mode) == 128 + k
            )
        assert scale(0.0, mode) == 0
        assert scale(math.inf, mode) == 255
    codes, scales = pb.quantize(pb.zeros((1, 32)), mode="mxfp8")
    assert numpy(pb.dequantize(codes, scales, mode="mxfp8", dtype=pb.float32)).tolist() == [[0.0] * 32]
    codes, scales = pb.quantize(pb.full((1, 32), math.inf), mode="mxfp8")
    assert np.isnan(numpy(pb.dequantize(codes, scales, mode="mxfp8", dtype=pb.float32))).all()
    # All that a scale can be.
    every = pb.arange(256).astype(pb.uint8).reshape(256, 1)
    ones = pb.array(np.full((256, 8), 0x38383838, np.uint32))
    got = numpy(pb.dequantize(ones, every, mode="mxfp8", dtype=pb.float32))[:, 0]
    np.testing.assert_array_equal(got, [*np.exp2(np.arange(255) - 127.0).astype(np.float32), np.nan])


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
def test_nvfp4_is_its_definition(given, dtype):
    w = pb.array(tensor((4, 80)) * 3).astype(getattr(pb, dtype))
    groups = numpy(w).astype(np.float32).reshape(4, 5, 16)
    whole = np.abs(groups).max() if given else np.float32(6 * 448)
    step = np.float32(whole / np.float32(6 * 448))
    raw = np.abs(groups).max(-1, keepdims=True) / np.float32(6) / step
    want = nearest(raw.astype(np.float64), E4M3[:127])
    scale = (E4M3[want] * step).astype(np.float32)
    scaled = np.where(scale == 0, 0, groups / np.where(scale == 0, 1, scale))
    magnitudes = nearest(scaled.astype(np.float64), E2M1)
    globally = pb.array(whole) if given else None
    codes, scales = pb.quantize(w, mode="nvfp4", global_scale=globally)
    np.testing.assert_array_equal(numpy(scales), want[..., 0])
    signs = np.signbit(scaled) * 8
    np.testing.assert_array_equal(numpy(codes), packed((magnitudes + signs).reshape(w.shape), 4))
    got = pb.dequantize(codes, scales, mode="nvfp4", global_scale=globally, dtype=pb.float32)
    exact = (np.sign(scaled) * E2M1[magnitudes] * scale).reshape(w.shape)
    np.testing.assert_allclose(numpy(got), exact, rtol=1e-6)


def test_nvfp4_of_zeros_and_tiny_numbers():
    codes, scales = pb.quantize(pb.zeros((2, 32)), mode="nvfp4")
    assert codes.tolist() == [[0] * 4] * 2
    assert scales.tolist() == [[0, 0]] * 2
    # A scale that is rounded to 0 leaves nothing.
    codes, scales = pb.quantize(pb.full((1, 32), 1e-9), mode="nvfp4")
    assert scales.tolist() == [[0, 0]]
    assert numpy(pb.dequantize(codes, scales, mode="nvfp4", dtype=pb.float32)).max() == 0


@pytest.mark.parametrize("mode", ["affine", "mxfp4", "mxfp8", "nvfp4"])
def test_layouts_maps_records_and_empty_arrays(mode, device):
    w = tensor((64, 3, 2))
    plain = pb.array(np.ascontiguousarray(w.transpose(2, 1, 0)))
    want = [numpy(x) for x in pb.quantize(plain, mode=mode)]
    for form in (
        lambda: pb.quantize(pb.array(w).transpose(2, 1, 0), mode=mode),
        lambda: pb.vmap(lambda w: pb.quantize(w, mode=mode))(plain),
        lambda: pb.vmap(lambda w: pb.quantize(w, mode=mode), in_axes=1, out_axes=1)(plain),
        lambda: pb.compile(lambda w: pb.quantize(w, mode=mode))(plain),
    ):
        for got, x in zip(form(), want, strict=True):
            np.testing.assert_array_equal(numpy(got), x)
    back = numpy(pb.dequantize(*map(pb.array, want), mode=mode))
    mapped = pb.vmap(lambda *q: pb.dequantize(*q, mode=mode))(*map(pb.array, want))
    np.testing.assert_array_equal(numpy(mapped), back)
    for shape in ((0, 64), (2, 0), (3, 0, 128)):
        empty = pb.quantize(pb.zeros(shape), mode=mode)
        assert pb.dequantize(*empty, mode=mode).shape == shape


REFUSED = [
    (lambda w: pb.quantize(w, mode="int4"), ValueError, r"\[quantize\] expected mode 'affine', .*got 'int4'"),
    (lambda w: pb.quantize(w, bits=7), ValueError, r"\[quantize\] expected bits of 1, 2, .*got 7"),
    (
        lambda w: pb.quantize(w, group_size=16),
        ValueError,
        r"\[quantize\] expected a group_size of 32, 64, 128",
    ),
    (lambda w: pb.quantize(w, 64, mode="mxfp4"), ValueError, r"\[quantize\] expected a group_size of 32 in"),
    (lambda w: pb.quantize(w, bits=8, mode="nvfp4"), ValueError, r"\[quantize\] expected bits of 4 in mode"),
    (lambda w: pb.quantize(w[0]), ValueError, r"\[quantize\] expected a matrix, of two axes or more"),
    (
        lambda w: pb.quantize(w[:, :63]),
        ValueError,
        r"\[quantize\] expected a last axis of whole groups of 64",
    ),
    (
        lambda w: pb.quantize(w[:, :16], mode="nvfp4")[0].shape and pb.quantize(w[:, :17], mode="nvfp4"),
        ValueError,
        r"\[quantize\] expected a last axis of whole groups of 16, got float32\[4, 17\]",
    ),
    (lambda w: pb.quantize(w.astype(pb.int32)), TypeError, r"\[quantize\] expected a float type, got int32"),
    (
        lambda w: pb.quantize(w, global_scale=pb.array(1.0)),
        ValueError,
        r"\[quantize\] expected no global scale in mode 'affine'",
    ),
    (
        lambda w: pb.quantize(w, mode="nvfp4", global_scale=pb.ones(2)),
        ValueError,
        r"\[quantize\] expected one float32 as a global scale, got float32\[2\]",
    ),
    (lambda w: pb.dequantize(w, w, w), TypeError, r"\[dequantize\] expected codes packed in uint32, got"),
    (lambda w: pb.dequantize(*pb.quantize(w)[:2]), ValueError, r"\[dequantize\] expected biases in mode"),
    (
        lambda w: pb.dequantize(*pb.quantize(w, mode="mxfp8"), w, mode="mxfp8"),
        ValueError,
        r"\[dequantize\] expected no biases in mode 'mxfp8'",
    ),
    (
        lambda w: pb.dequantize(*pb.quantize(w, bits=8)),
        ValueError,
        r"\[dequantize\] expected a scale for each 64 codes of 4 bits: .*, got uint32\[4, 16\] and",
    ),
    (
        lambda w: pb.dequantize(pb.quantize(w)[0], pb.ones((4, 1)), pb.ones((4, 2))),
        ValueError,
        r"\[dequantize\] expected scales and biases of one shape and type",
    ),
    (
        lambda w: pb.dequantize(pb.quantize(w)[0], w.astype(pb.int32), w.astype(pb.int32)),
        TypeError,
        r"\[dequantize\] expected scales of a float type in mode 'affine'",
    ),
    (
        lambda w: pb.dequantize(pb.quantize(w, mode="mxfp8")[0], pb.ones((4, 2)), mode="mxfp8"),
        TypeError,
        r"\[dequantize\] expected codes of uint8 as scales in mode 'mxfp8'",
    ),
    (
        lambda w: pb.dequantize(*pb.quantize(w), dtype=pb.int32),
        TypeError,
        r"\[dequantize\] expected a float type for the result, got int32",
    ),
]


@pytest.mark.parametrize(("call", "error", "match"), REFUSED)
def test_what_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call(pb.array(tensor((4, 64))))


def test_scales_and_biases_have_derivatives():
    codes, scales, biases = pb.quantize(pb.array(tensor((2, 64))), group_size=32)
    weight = pb.array(tensor((2, 64), seed=1))

    def f(scales, biases):
        return pb.dequantize(codes, scales, biases, group_size=32) * weight

    testing.check_grads(f, [scales, biases], order=1)
    by_scale, by_bias = pb.grad(lambda s, b: f(s, b).sum(), argnums=(0, 1))(scales, biases)
    groups = numpy(weight).reshape(2, 2, 32)
    np.testing.assert_allclose(numpy(by_bias), groups.sum(-1), rtol=1e-5)
    each = unpacked(numpy(codes), 4).reshape(2, 2, 32)
    np.testing.assert_allclose(numpy(by_scale), (groups * each).sum(-1), rtol=1e-5)
    with pytest.raises(TypeError, match="uint32"):
        pb.grad(lambda c: pb.dequantize(c, scales, biases, group_size=32).sum())(codes)
