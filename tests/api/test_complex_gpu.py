"""complex64 on the GPU: values beside NumPy and beside the CPU, and nothing that moves to the CPU for it."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pullback as pb
import pytest
from pullback import testing
from samples import close, exactly, layouts, numpy, values

pytestmark = pytest.mark.skipif(not pb.is_available(pb.gpu), reason="no gpu here")

ONE = {
    "negative": np.negative,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "conj": np.conj,
    "real": np.real,
    "imag": np.imag,
    "abs": np.abs,
    "sum": np.sum,
    "prod": np.prod,
    "mean": np.mean,
    "transpose": np.transpose,
}
TWO = ["add", "subtract", "multiply", "divide", "equal", "not_equal"]
SHAPES = [((), ()), ((3, 4), (3, 4)), ((3, 1), (4,)), ((2, 3, 4), (3, 1)), ((0, 4), (1, 4)), ((3, 4), ())]


@pytest.fixture(autouse=True)
def there():
    """Operations are built for the GPU."""
    with pb.stream(pb.gpu):
        yield


def z(shape, seed=0):
    return values("complex64", shape, seed)


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("shape", [(), (3, 5), (0, 2), (70, 3)])
def test_functions_of_one_array(name, shape):
    if name == "mean" and 0 in shape:
        pytest.skip("NumPy warns")
    x = z(shape)
    want = ONE[name](x)
    for _, y in layouts(x, pb.gpu):
        got = getattr(pb, name)(y)
        assert got.dtype.name == str(want.dtype) and got.shape == want.shape
        close(got, want, ulps=200 if name in ("prod", "sum", "mean") else 8)


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("shapes", SHAPES)
def test_functions_of_two_arrays(name, shapes):
    x, y = (z(shape, seed) for seed, shape in enumerate(shapes))
    want = getattr(np, name)(x, y)
    for _, a in layouts(x, pb.gpu):
        got = getattr(pb, name)(a, exactly(y))
        assert got.dtype.name == str(want.dtype) and got.shape == want.shape
        close(got, want)
    close(pb.equal(exactly(x), exactly(x.copy())), np.ones(x.shape, bool))
    close(pb.where(exactly(x).real > 0, exactly(x), exactly(y)), np.where(x.real > 0, x, y), 0)


@pytest.mark.parametrize(
    "dtype", ["bool_", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32"]
)
def test_conversions(dtype):
    kind = getattr(pb, dtype)
    x = pb.array(values("float32", (3, 4), low=0, high=100)).astype(kind)
    up = x.astype(pb.complex64)
    np.testing.assert_array_equal(numpy(up), numpy(x).astype("complex64"))
    y = exactly(z((3, 4), 1) * 50)
    with pb.stream(pb.cpu):
        want = numpy(y.astype(kind) if dtype != "uint8" else pb.abs(y).astype(kind))
    got = y.astype(kind) if dtype != "uint8" else pb.abs(y).astype(kind)
    assert got.dtype == kind
    np.testing.assert_array_equal(numpy(got), want)
    close(pb.array(2.0) + 1j * pb.array([0.0, -3.0]), np.array([2, 2 - 3j], "complex64"), 0)


def edges():
    """Every pair of special parts."""
    parts = np.array([0.0, -0.0, 1.0, -2.5, 3e38, 1e-30, np.inf, -np.inf, np.nan], "float32")
    out = np.empty((parts.size, parts.size), "complex64")
    out.real, out.imag = parts[:, None], parts[None, :]
    return out.reshape(-1)


@pytest.mark.parametrize("name", [*TWO, "negative", "square", "reciprocal", "abs", "conj", "real", "imag"])
def test_special_parts_are_those_of_the_cpu(name):
    x = edges()
    operands = (x[:, None], x[None, :]) if name in TWO else (x,)
    results = []
    for device in (pb.cpu, pb.gpu):
        with pb.stream(device):
            arrays = [exactly(np.ascontiguousarray(x)) for x in operands]
            results.append(numpy(getattr(pb, name)(*arrays)))
    want, got = ([np.real(x), np.imag(x)] for x in results)
    for part in (0, 1):
        np.testing.assert_array_equal(np.isnan(got[part]), np.isnan(want[part]))
        np.testing.assert_array_equal(np.isinf(got[part]), np.isinf(want[part]))
        finite = np.isfinite(want[part])
        np.testing.assert_allclose(got[part][finite], want[part][finite], rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_quotients_and_moduli_neither_run_over_nor_vanish(size):
    x, y = (z((40,), seed) * np.float32(size) for seed in (0, 1))
    close(exactly(x) / exactly(y), (x.astype("complex128") / y).astype("complex64"), 16)
    close(pb.abs(exactly(x)), np.abs(x.astype("complex128")).astype("float32"), 16)


@pytest.mark.parametrize("shape", [(5, 0), (3, 700), (2, 70000), (9000, 3), (4, 3, 65)])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_reductions_of_all_sizes(shape, axis):
    x = z(shape)
    wide = x.astype("complex128")
    scale = np.abs(wide).sum(axis).max(initial=1)
    got = numpy(pb.sum(exactly(x), axis=axis))
    np.testing.assert_allclose(got, wide.sum(axis), rtol=0, atol=2e-6 * scale)
    # Of modulus 1, so that products stay where numbers are.
    unit = (x / np.maximum(np.abs(x), 1e-9)).astype("complex64")
    got = numpy(pb.prod(exactly(unit), axis=axis))
    depth = np.prod([shape[axis]] if axis is not None else shape)
    np.testing.assert_allclose(got, unit.astype("complex128").prod(axis), rtol=0, atol=1e-6 + 3e-7 * depth)


def test_moves_change_no_bit():
    x = edges().reshape(9, 9)
    y = exactly(x)
    at = np.array([3, 0, 3, 8], "int32")
    moved = {
        "copy": (y[:, ::-1], x[:, ::-1]),
        "take": (pb.take(y, pb.array(at), axis=1), x[:, at]),
        "concatenate": (pb.concatenate([y.T, y], axis=0), np.concatenate([x.T, x], 0)),
        "pad": (
            pb.pad(y, ((1, 0), (0, 2)), constant_values=1j),
            np.pad(x, ((1, 0), (0, 2)), constant_values=1j),
        ),
        "swap": (pb.moveaxis(y.reshape(3, 3, 9), 0, 2), np.moveaxis(x.reshape(3, 3, 9), 0, 2)),
        "broadcast": (pb.broadcast_to(y[0], (4, 9)), np.broadcast_to(x[0], (4, 9))),
        "bits": (y.view(pb.uint64), x.view("uint64")),
    }
    for name, (got, want) in moved.items():
        want = np.ascontiguousarray(want)
        np.testing.assert_array_equal(numpy(got).view("uint32"), want.view("uint32"), err_msg=name)


def test_writing_rows():
    x, updates = z((5, 3)), z((4, 3), 1)
    at = np.array([1, 4, 1, 0])
    want = {"add": x.copy(), "multiply": x.copy()}
    np.add.at(want["add"], at, updates)
    np.multiply.at(want["multiply"], at, updates)
    for name, rows in want.items():
        close(getattr(exactly(x).at[pb.array(at)], name)(exactly(updates)), rows, 16)
    placed = exactly(x)
    placed[pb.array([2, 0])] = exactly(updates[:2])
    x[[2, 0]] = updates[:2]
    close(placed, x, 0)


@pytest.mark.parametrize(
    "shapes", [((3, 4), (4, 5)), ((2, 70, 9), (9, 66)), ((0, 4), (4, 2)), ((3, 0), (0, 2)), ((4,), (4,))]
)
def test_products(shapes):
    x, y = (z(shape, seed) for seed, shape in enumerate(shapes))
    for _, a in layouts(x, pb.gpu):
        np.testing.assert_allclose(numpy(a @ exactly(y)), x @ y, rtol=1e-5, atol=1e-5)
    got = pb.einsum("...i,i->...", exactly(x), exactly(z(shapes[0][-1:], 2)))
    np.testing.assert_allclose(numpy(got), x @ z(shapes[0][-1:], 2), rtol=1e-5, atol=1e-5)


def parted(function):
    """A function of complex numbers as one of parts, with a real result."""

    def of(re, im):
        out = function(re.astype(pb.complex64) + 1j * im)
        return (out.real * 0.7 + out.imag * 0.3) if out.dtype == pb.complex64 else out

    return of


FUNCTIONS = {
    "products": lambda x: x * x[::-1] * (0.3 - 2j),
    "quotients": lambda x: (1 - x) / (x + (4 + 3j)),
    "moduli": lambda x: pb.abs(x) + pb.abs(pb.conj(x) * x),
    "matrices": lambda x: x @ pb.conj(x).T,
    "sums": lambda x: pb.sum(x, axis=0) * pb.prod(x, axis=1)[0],
    "chosen": lambda x: pb.where(x.real > 0, x * 1j, pb.cumsum(x, axis=1)),
    "spectra": lambda x: pb.fft.ifft(pb.fft.fft(x, axis=1) * (1 + 2j), axis=1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_maps_and_compiled_functions(name):
    function = FUNCTIONS[name]
    x = z((3, 3), 5)
    y = exactly(x)
    testing.check_grads(parted(function), [y.real, y.imag], order=1)
    with pb.stream(pb.cpu):
        want = numpy(function(exactly(x)))
    np.testing.assert_allclose(numpy(function(y)), want, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(numpy(pb.compile(function)(y)), want, rtol=2e-5, atol=2e-5)
    batch = z((2, 3, 3), 6)
    got = numpy(pb.vmap(function)(exactly(batch)))
    loop = np.stack([numpy(function(exactly(row))) for row in batch])
    np.testing.assert_allclose(got, loop, rtol=2e-5, atol=2e-5)


def test_nothing_moves_to_the_cpu():
    program = """
        import pullback as pb
        with pb.stream(pb.gpu):
            x, y = (pb.fft.fft(pb.random.normal((6, 6), key=pb.random.key(k))) for k in (0, 1))
            results = [
                x + y, x - y, x * y, x / y, -x, pb.conj(x), x.real, x.imag, pb.abs(x), pb.square(x),
                pb.reciprocal(x), x == y, x != y, pb.where(x.real > 0, x, y), x.astype(pb.int32),
                y.real.astype(pb.complex64), y.real + 1j * x.real,
                x.sum(0), x.prod(1), x.mean(), x.any(), x.all(),
                pb.cumsum(x, 0), pb.cumprod(x, 1), x.T + 0, x[::-1, ::2], pb.take(x, pb.array([3, 0]), 1),
                x.at[pb.array([1, 1])].add(y[:2]), pb.concatenate([x, y]), pb.pad(x, 2), x @ y, x[0] @ y,
                pb.conv1d(x[None], y[None]), pb.fft.ifft(x * y), pb.fft.irfft(x), pb.outer(x[0], y[0]),
                pb.zeros((3,), pb.complex64), pb.full((3,), 2j),
                pb.arange(4).astype(pb.complex64), pb.nonzero(x)[0],
                pb.vjp(lambda z: pb.abs(z * z).sum(), [x], [pb.array(1.0)])[1][0],
                pb.cummax(x, 0), pb.cummin(x, 1, reverse=True), pb.logcumsumexp(x, 0), pb.median(x, 1),
                pb.isposinf(x), pb.isneginf(x), pb.sort(x, 0), pb.searchsorted(x[0], y), pb.unique(x, 9),
                x.at[pb.array([1, 1])].maximum(y[:2]), x.at[pb.array([1, 1])].minimum(y[:2]),
            ]
            pb.eval(results)
        print(len(results))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=300,
    )
    assert done.stdout.split() == ["52"], done.stderr


def test_kernels_of_users_see_pairs():
    turn = pb.fast.wgsl_kernel(
        "turn", ["x"], ["y"], "let i = global_invocation_id.x; y[i] = T(-x[i].y, x[i].x);"
    )
    x = z((5,))
    how = {
        "grid": (5, 1, 1),
        "threadgroup": (5, 1, 1),
        "output_shapes": [(5,)],
        "output_dtypes": [pb.complex64],
        "template": [("T", pb.complex64)],
    }
    close(turn(inputs=[exactly(x)], **how)[0], 1j * x, 0)
    with pytest.raises(
        TypeError, match=r"\[wgsl_kernel\] expected integers of at most 32 bits as atomic outputs"
    ):
        added = pb.fast.wgsl_kernel("turn", ["x"], ["y"], "let i = 0;", atomic_outputs=True)
        pb.eval(added(inputs=[exactly(x)], **how))
