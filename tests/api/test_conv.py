"""Convolutions beside their definition: values, types, layouts, devices, transforms, refusals."""

import re

import numpy as np
import pullback as pb
import pytest
from convolved import convolved
from hypothesis import given, settings
from hypothesis import strategies as st
from pullback import testing
from samples import DTYPES, INTEGERS, close, exactly, layouts, name, numpy, values

NUMBERS = [dtype for dtype in DTYPES if dtype != "bool_"]


@st.composite
def cases(draw, sizes=6, channels=3):
    """Shapes that fit, and the numbers of `conv_general`."""
    r = draw(st.integers(1, 3), "axes")

    def each(low, high):
        return draw(st.lists(st.integers(low, high), min_size=r, max_size=r))

    dilation, kernel, low, high = each(1, 2), each(1, 3), each(0, 3), each(0, 2)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = [max(1, a - b - c) for a, b, c in zip(reach, low, high, strict=True)]
    input_sizes = [a + draw(st.integers(0, max(1, sizes // r))) for a in least]
    groups = draw(st.sampled_from([1, 1, 2, 9]))
    each_in, each_out = draw(st.integers(1, channels)), draw(st.integers(1, channels))
    n = draw(st.integers(1, 3))
    numbers = {
        "stride": each(1, 3),
        "padding": (low, high),
        "kernel_dilation": dilation,
        "input_dilation": each(1, 3),
        "groups": groups,
        "flip": draw(st.booleans()),
    }
    return (n, *input_sizes, groups * each_in), (groups * each_out, *kernel, each_in), numbers


def defined(x, w, numbers):
    pads = list(zip(*numbers["padding"], strict=True))
    spread = numbers["kernel_dilation"], numbers["input_dilation"]
    return convolved(x, w, numbers["stride"], pads, *spread, numbers["groups"], numbers["flip"])


@settings(max_examples=150)
@given(cases())
def test_any_numbers(case):
    input_shape, weight_shape, numbers = case
    x, w = values("float64", input_shape), values("float64", weight_shape, seed=1)
    got = pb.conv_general(exactly(x), exactly(w), **numbers)
    assert got.dtype == pb.float64
    close(got, defined(x, w, numbers), ulps=64, scale=1)


@settings(max_examples=40)
@given(cases(sizes=4, channels=2))
def test_any_numbers_on_each_device(device, case):
    input_shape, weight_shape, numbers = case
    x, w = values("float32", input_shape), values("float32", weight_shape, seed=1)
    got = pb.conv_general(exactly(x), exactly(w), **numbers)
    np.testing.assert_allclose(numpy(got), defined(x, w, numbers), rtol=1e-4, atol=1e-4)


@settings(max_examples=80)
@given(cases(sizes=3, channels=2))
def test_derivatives_of_any_numbers(case):
    input_shape, weight_shape, numbers = case
    x, w = values("float64", input_shape), values("float64", weight_shape, seed=1)
    testing.check_grads(lambda x, w: pb.conv_general(x, w, **numbers), [exactly(x), exactly(w)], order=2)


@settings(max_examples=40)
@given(cases(sizes=3, channels=2), st.sampled_from([(0, None), (None, 0), (0, 0), (2, 1)]))
def test_a_map_is_a_loop(case, axes):
    input_shape, weight_shape, numbers = case
    shapes = [
        shape if axis is None else (*shape[:axis], 3, *shape[axis:])
        for shape, axis in zip((input_shape, weight_shape), axes, strict=True)
    ]
    arrays = [exactly(values("float64", shape, seed=i)) for i, shape in enumerate(shapes)]

    def f(x, w):
        return pb.conv_general(x, w, **numbers)

    def example(i):
        taken = (
            a if axis is None else pb.take(a, i, axis=axis) for a, axis in zip(arrays, axes, strict=True)
        )
        return f(*taken)

    want = np.stack([numpy(example(i)) for i in range(3)])
    close(pb.vmap(f, in_axes=axes)(*arrays), want, ulps=64, scale=1)

    def loss(x, w):
        return (f(x, w) ** 2).sum()

    got = pb.grad(lambda x, w: pb.vmap(loss, in_axes=axes)(x, w).sum(), argnums=(0, 1))(*arrays)
    alone = pb.grad(lambda x, w: pb.stack([loss_of(i, x, w) for i in range(3)]).sum(), argnums=(0, 1))

    def loss_of(i, x, w):
        taken = (
            a if axis is None else pb.take(a, i, axis=axis) for a, axis in zip((x, w), axes, strict=True)
        )
        return loss(*taken)

    for a, b in zip(got, alone(*arrays), strict=True):
        np.testing.assert_allclose(numpy(a), numpy(b), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(("groups", "channels"), [(1, (3, 5)), (2, (2, 3)), (12, (1, 2)), (40, (1, 1))])
def test_types(device, dtype, groups, channels):
    if device == pb.gpu and dtype == "float64":
        pytest.skip("no type of this device")
    shapes = (2, 7, 6, groups * channels[0]), (groups * channels[1], 3, 2, channels[0])
    kind = "float32" if dtype == "bfloat16" else dtype
    x, w = (values(kind, shape, seed=i) for i, shape in enumerate(shapes))
    if dtype in INTEGERS:
        x, w = x % 9, w % 9
    a, b = pb.array(x, getattr(pb, dtype)), pb.array(w, getattr(pb, dtype))
    got = pb.conv2d(a, b, padding=1, stride=(1, 2), groups=groups)
    assert name(got.dtype) == dtype
    want = convolved(numpy(a), numpy(b), [1, 2], [(1, 1), (1, 1)], [1, 1], [1, 1], groups)
    if dtype in INTEGERS:
        want = want.astype("int64").astype(dtype)
    close(got, want, ulps=8, scale=1)


def test_integers_wrap_and_types_meet():
    x = pb.array([200, 100], pb.uint8).reshape(1, 2, 1)
    assert pb.conv1d(x, x.reshape(1, 2, 1)).item() == (200 * 200 + 100 * 100) % 256
    assert pb.conv1d(x, pb.ones((1, 2, 1))).dtype == pb.float32
    assert pb.conv1d(x > 1, x > 1).item() == 2


@pytest.mark.parametrize("groups", [1, 2, 16])
def test_layouts(device, groups):
    x, w = values("float32", (2, 6, 5, 16)), values("float32", (32, 3, 2, 16 // groups), seed=1)
    want = convolved(x, w, [2, 1], [(1, 1), (1, 1)], [1, 1], [1, 1], groups)
    for (_, a), (_, b) in zip(layouts(x, device), layouts(w, device), strict=True):
        close(pb.conv2d(a, b, stride=(2, 1), padding=1, groups=groups), want, ulps=32, scale=1)
    wide = pb.broadcast_to(pb.array(x[:1]), x.shape)
    close(pb.conv2d(wide, exactly(w), stride=(2, 1), padding=1, groups=groups)[1], want[0], ulps=32, scale=1)


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), ((2, 1), 3)])
def test_kernels_of_one_element_are_matrices(device, stride, groups):
    x, w = values("float32", (2, 5, 4, 6)), values("float32", (9, 1, 1, 6 // groups), seed=1)
    steps = [stride, stride] if isinstance(stride, int) else list(stride)
    want = convolved(x, w, steps, [(0, 0)] * 2, [1, 1], [1, 1], groups)
    close(pb.conv2d(exactly(x), exactly(w), stride=stride, groups=groups), want, ulps=32, scale=1)
    testing.check_grads(
        lambda x, w: pb.conv2d(x, w, stride=stride, groups=groups), [pb.array(x), pb.array(w)], order=2
    )


@pytest.mark.parametrize(
    ("rank", "names"),
    [
        (1, ("conv1d", "conv_transpose1d")),
        (2, ("conv2d", "conv_transpose2d")),
        (3, ("conv3d", "conv_transpose3d")),
    ],
)
@pytest.mark.parametrize("groups", [1, 2])
def test_transposes(rank, names, groups):
    """A transposed convolution is the transpose of the one whose kernels have their channels exchanged."""
    forward, back = (getattr(pb, name) for name in names)
    numbers = {"stride": [2, 1, 3][:rank], "padding": [1, 0, 2][:rank], "dilation": [1, 2, 2][:rank]}
    behind = [1, 0, 2][:rank]
    w = values("float64", (2 * groups, *[3, 2, 2][:rank], 3))
    x = exactly(values("float64", (2, *[4, 5, 3][:rank], 3 * groups), seed=1))
    got = back(x, exactly(w), **numbers, output_padding=behind, groups=groups)
    apart = w.reshape(groups, 2, *w.shape[1:])
    turned = np.ascontiguousarray(np.swapaxes(apart, 1, -1)).reshape(3 * groups, *w.shape[1:-1], 2)
    y = pb.zeros(got.shape, pb.float64)
    assert forward(y, exactly(turned), **numbers, groups=groups).shape == x.shape
    pulled = pb.vjp(lambda y: forward(y, exactly(turned), **numbers, groups=groups), [y], [x])[1][0]
    close(got, numpy(pulled), ulps=64, scale=1)
    testing.check_grads(
        lambda x, w: back(x, w, **numbers, output_padding=behind, groups=groups), [x, exactly(w)], order=2
    )


def test_transposes_cut_and_spread(device):
    x, w = pb.array([1.0, 2.0, 3.0]).reshape(1, 3, 1), pb.array([1.0, 10.0]).reshape(1, 2, 1)

    def made(**numbers):
        return pb.conv_transpose1d(x, w, **numbers).reshape(-1).tolist()

    assert made() == [1.0, 12.0, 23.0, 30.0]
    assert made(padding=1) == [12.0, 23.0]
    assert made(stride=3, output_padding=2) == [1.0, 10.0, 0.0, 2.0, 20.0, 0.0, 3.0, 30.0, 0.0, 0.0]
    assert made(dilation=2) == [1.0, 2.0, 13.0, 20.0, 30.0]
    assert made(padding=2) == []


def test_compiled_and_mixed_orders(device):
    x, w = pb.array(values("float32", (2, 6, 4))), pb.array(values("float32", (4, 3, 2), seed=1))

    def f(x, w):
        return pb.tanh(pb.conv1d(x, w, padding=1, groups=2)).sum()

    close(pb.compile(f)(x, w), numpy(f(x, w)))
    for got, want in zip(pb.compile(pb.grad(f, (0, 1)))(x, w), pb.grad(f, (0, 1))(x, w), strict=True):
        close(got, numpy(want), ulps=32)
    direction = pb.ones_like(w)

    def slope(w):
        return pb.jvp(lambda w: f(x, w), [w], [direction])[1][0]

    h = 1e-3
    steps = [numpy(pb.grad(lambda w: f(x, w))(w + sign * h * direction)) for sign in (1, -1)]
    np.testing.assert_allclose(numpy(pb.grad(slope)(w)), (steps[0] - steps[1]) / (2 * h), atol=5e-3)


@pytest.mark.parametrize(
    ("input_shape", "weight_shape", "padding", "shape"),
    [
        ((0, 5, 3), (2, 3, 3), 0, (0, 3, 2)),
        ((2, 5, 0), (2, 3, 0), 1, (2, 5, 2)),
        ((2, 5, 3), (0, 3, 3), 0, (2, 3, 0)),
        ((2, 0, 3), (2, 3, 3), 0, (2, 0, 2)),
        ((2, 0, 3), (2, 3, 3), 2, (2, 2, 2)),
    ],
)
def test_nothing(device, input_shape, weight_shape, padding, shape):
    x, w = pb.ones(input_shape), pb.ones(weight_shape)
    got = pb.conv1d(x, w, padding=padding)
    assert got.shape == shape and not numpy(got).any()
    grads = pb.grad(lambda x, w: pb.conv1d(x, w, padding=padding).sum(), argnums=(0, 1))(x, w)
    assert [g.shape for g in grads] == [input_shape, weight_shape]
    assert not any(numpy(g).any() for g in grads)
    assert pb.conv_transpose1d(x, w).shape[0] == input_shape[0]


def test_large_enough_for_threads():
    """Sums in parts, blocks of columns, and many tasks agree with the definition."""
    x, w = values("float32", (8, 40, 40, 8)), values("float32", (16, 3, 3, 8), seed=1)

    def f(x, w):
        return pb.conv2d(x, w, padding=1)

    want = convolved(x, w, [1, 1], [(1, 1)] * 2, [1, 1], [1, 1])
    y = f(pb.array(x), pb.array(w))
    np.testing.assert_allclose(numpy(y), want, rtol=1e-4, atol=1e-4)
    g = values("float32", want.shape, seed=2)
    of_x, of_w = pb.vjp(f, [pb.array(x), pb.array(w)], [pb.array(g)])[1]
    wide = [pb.array(a, pb.float64) for a in (x, w, g)]
    exact = pb.vjp(f, wide[:2], wide[2:])[1]
    np.testing.assert_allclose(numpy(of_x), numpy(exact[0]), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(numpy(of_w), numpy(exact[1]), rtol=1e-4, atol=1e-3)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]), (3, 3), (1, 2)
    )
    by_hand = np.einsum("nabckl,nabo->oklc", windows.astype("float64"), g)
    np.testing.assert_allclose(numpy(exact[1]), by_hand, rtol=1e-9, atol=1e-9)


def test_no_spatial_axis_at_all():
    x, w = values("float32", (2, 3)), values("float32", (4, 3), seed=1)
    close(pb.conv_general(exactly(x), exactly(w)), x @ w.T)


def test_numbers_are_checked_by_name():
    x, w = pb.ones((1, 4, 4, 2)), pb.ones((3, 3, 3, 2))
    for call, text in [
        (
            lambda: pb.conv1d(x, w),
            "[conv1d] expected input (N, .., C_in) and weight (C_out, .., C_in) of 3 axes each",
        ),
        (lambda: pb.conv2d(x[0], w), "[conv2d] expected input (N, .., C_in)"),
        (lambda: pb.conv_general(x, w[0]), "[conv_general] expected input (N, .., C_in)"),
        (lambda: pb.conv2d(x, w[..., :1]), "[conv2d] expected weight with a last axis of 2"),
        (
            lambda: pb.conv2d(x, w, groups=2),
            "[conv2d] expected numbers of channels that are multiples of 2 groups",
        ),
        (lambda: pb.conv2d(x, w, groups=0), "[conv2d] expected groups of at least 1, got 0"),
        (lambda: pb.conv2d(x, w, stride=0), "[conv2d] expected stride of at least 1"),
        (lambda: pb.conv2d(x, w, stride=(1, 1, 1)), "[conv2d] expected stride of 1 or 2 integers, got 3"),
        (
            lambda: pb.conv2d(x, w, padding=-1),
            "[conv2d] expected padding of at least 0 and below 2 ** 31, got -1",
        ),
        (lambda: pb.conv2d(x, w, padding=(0, -2)), "[conv2d] expected padding"),
        (lambda: pb.conv2d(x, w, dilation=-1), "[conv2d] expected kernel_dilation"),
        (lambda: pb.conv_general(x, w, input_dilation=0), "[conv_general] expected input_dilation"),
        (
            lambda: pb.conv2d(x, w, dilation=2),
            "[conv2d] expected kernels that fit into the input, got 5 elements over 4",
        ),
        (lambda: pb.conv2d(x, w[:, :0]), "[conv2d] expected kernels with an element on every spatial axis"),
        (lambda: pb.conv_transpose2d(x, w, padding=4), "[conv_transpose2d] expected padding of at most 3"),
        (lambda: pb.conv_transpose2d(x, w, output_padding=-1), "[conv_transpose2d] expected output_padding"),
        (lambda: pb.conv_transpose2d(x, w, groups=3), "[conv_transpose2d] expected numbers of channels"),
        (lambda: pb.conv2d(x, w, stride=2**40), "[conv2d] expected stride of at least 1 and below 2 ** 31"),
    ]:
        with pytest.raises(ValueError, match=re.escape(text)):
            call()
    with pytest.raises(MemoryError, match=r"\[conv2d\] expected spatial axes of fewer than 2 \*\* 31"):
        pb.conv2d(x, w, padding=2**31 - 1)
    for wrong in ("same", 1.5, [[1, 2], [3]]):
        with pytest.raises(TypeError, match="expected an integer"):
            pb.conv2d(x, w, padding=wrong)
    with pytest.raises(TypeError, match="expected an integer, a sequence of integers or a pair of sequences"):
        pb.conv_general(x, w, padding="same")


def test_beside_jax():
    jax = pytest.importorskip("jax")
    x, w = values("float32", (2, 9, 8, 6)), values("float32", (4, 3, 2, 3), seed=1)
    want = jax.lax.conv_general_dilated(
        x, np.moveaxis(w, 0, -1), (2, 1), [(1, 2), (0, 3)], lhs_dilation=(1, 2), rhs_dilation=(2, 1),
        dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=2, precision="highest",
    )  # fmt: skip
    got = pb.conv_general(
        exactly(x), exactly(w), stride=[2, 1], padding=([1, 0], [2, 3]), kernel_dilation=[2, 1],
        input_dilation=[1, 2], groups=2,
    )  # fmt: skip
    close(got, np.asarray(want), ulps=64, scale=1)
