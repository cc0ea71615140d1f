"""All functions beside the real MLX, where it is installed: shapes, types, elements, gradients."""

import importlib.util

import numpy as np
import pullback as pb
import pytest

if importlib.util.find_spec("mlx") is None:
    pytest.skip("mlx is not installed", allow_module_level=True)

import mlx.core as mx
from beside_mlx import DTYPES, answer, compare, elements, kind, leaves, pair, random
from mlx_calls import ALONG, BINARY, CALLS, PRODUCTS, UNARY
from mlx_differences import BEYOND, DIFFERENCES, GRADIENTS


def judge(name, dtype, found):
    """Hold what was found in the calls of a name against the table of differences: none may be idle."""
    compared = [one for one in found if one is not None]
    wrong = [text for one in compared for text in one]
    reason = DIFFERENCES.get((name, dtype))
    if reason is None:
        assert not wrong, f"{name} of {dtype}: {wrong[0]}"
    else:
        assert wrong, f"{name} of {dtype} is as MLX has it: no more '{reason}'"
    return len(compared)


# Of no elements, MLX answers them with whatever is in memory, some of them after minutes.
GUESSED = {"all", "any", "mean", "prod", "std", "sum", "var"}


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name):
    count = 0
    call = lambda m, x: getattr(m, name)(x)
    for dtype in DTYPES:
        layouts = ["plain", "transposed", "strided", "broadcast"]
        found = [compare(call, [pair(random(dtype, (3, 4)), dtype, layout)]) for layout in layouts]
        found += [compare(call, [pair(random(dtype, shape), dtype)]) for shape in [(2, 3, 4), (5,)]]
        if name in dir(mx.array):
            method = lambda m, x: getattr(x, name)()
            found.append(compare(method, [pair(random(dtype, (3, 4)), dtype)]))
        if name in ALONG:
            for axis in [0, -1, (0, 1), None]:
                along = lambda m, x, axis=axis: getattr(m, name)(x, axis=axis)
                found.append(compare(along, [pair(random(dtype, (3, 4)), dtype)]))
        count += judge(name, dtype, found)
        count += judge(f"{name} of ()", dtype, [compare(call, [pair(random(dtype, ()), dtype)])])
        if name not in GUESSED:
            empty = [compare(call, [pair(random(dtype, shape), dtype)]) for shape in [(0,), (2, 0, 3)]]
            count += judge(f"{name} of none", dtype, empty)
    assert count > 3


OTHERS = ["float32", "int32", "bool_", "bfloat16", "uint8"]
SIDES = [((3, 4), (3, 4)), ((3, 4), (4,)), ((), (4,)), ((0,), (0,)), ((2, 3, 4), (1, 4)), ((4, 4), (4, 4))]


def second(dtype, shape):
    """Elements of which none is zero: MLX ends the process where an integer is divided by it."""
    x = np.abs(random(dtype, shape, 7))
    return np.where(x == 0, 1, x)


@pytest.mark.parametrize("name", [*BINARY, *PRODUCTS])
def test_two_operands(name):
    count = 0
    call = lambda m, x, y: getattr(m, name)(x, y)
    for dtype in DTYPES:
        found = []
        for a, b in SIDES:
            layout = "transposed" if a == (3, 4) else "plain"
            found.append(
                compare(call, [pair(random(dtype, a), dtype, layout), pair(second(dtype, b), dtype)])
            )
        for other in OTHERS:
            found.append(
                compare(call, [pair(random(dtype, (4, 4)), dtype), pair(second(other, (4, 4)), other)])
            )
        if name in BINARY:
            x = pair(second(dtype, (3,)), dtype)
            for number in (True, 2, 2.5):
                found.append(compare(lambda m, x, n=number: getattr(m, name)(x, n), [x]))
                found.append(compare(lambda m, x, n=number: getattr(m, name)(n, x), [x]))
        count += judge(name, dtype, found)
    assert count > 5


def arguments(shapes, dtype):
    return [pair(random(dtype, shape, seed), dtype) for seed, shape in enumerate(shapes)]


@pytest.mark.parametrize("name", dict.fromkeys(name for name, *_ in CALLS))
def test_call(name):
    count = 0
    calls = [(call, shapes) for found, call, shapes in CALLS if found == name]
    for dtype in DTYPES:
        count += judge(name, dtype, [compare(call, arguments(shapes, dtype)) for call, shapes in calls])
        if not any(shapes for _, shapes in calls):
            break
    assert count


def loss(m, call):
    """A function of one number, with another weight for each element of all results."""

    def of(*xs):
        total = 0
        for y in leaves(call(m, *xs)):
            if isinstance(y, m.array) and y.size and kind(y) in ("float32", "complex64"):
                size = m.abs(y) * m.abs(y) if kind(y) == "complex64" else y
                total = total + (size * m.linspace(-1, 2, y.size).reshape(y.shape)).sum()
        return total

    return of


SMOOTH = [(name, lambda m, x, name=name: getattr(m, name)(x), [(3, 4)]) for name in UNARY]
SMOOTH += [(n, lambda m, x, y, n=n: getattr(m, n)(x, y), [(4, 4), (4, 4)]) for n in [*BINARY, *PRODUCTS]]
SMOOTH += [call for call in CALLS if call[2]]


def beyond(call, pairs):
    """Whether MLX refuses a call that is answered here."""
    ours, theirs = zip(*pairs, strict=True)
    refused = isinstance(answer(mx, call, theirs), Exception)
    return refused and not isinstance(answer(pb, call, ours), Exception)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_mlx_refuses_is_taken_for_a_reason(dtype):
    found = set()
    empty = [
        (f"{name} of none", call, [(2, 0, 3)]) for name, call, _ in SMOOTH if name in set(UNARY) - GUESSED
    ]
    for name, call, shapes in [*SMOOTH, *empty]:
        drawn = [random(dtype, shape, seed) for seed, shape in enumerate(shapes)]
        if name in BINARY:
            drawn[1] = second(dtype, shapes[1])
        if beyond(call, [pair(x, dtype) for x in drawn]):
            found.add(name)
    found -= {f"{name} of none" for name in found}
    assert found == {name for name, of in BEYOND if of == dtype}


@pytest.mark.parametrize("name", dict.fromkeys(name for name, *_ in SMOOTH))
def test_gradient(name):
    wrong, compared = [], 0
    for found, call, shapes in SMOOTH:
        if found != name:
            continue
        low = 1.1 if "acosh" in name or "arccosh" in name else 0.1
        points = [
            np.random.default_rng(seed).uniform(low, low + 0.8, shape).astype("f4")
            for seed, shape in enumerate(shapes)
        ]
        slopes = lambda m, *xs, call=call: m.grad(loss(m, call), tuple(range(len(xs))))(*xs)
        one = compare(slopes, [pair(x, "float32") for x in points])
        compared += one is not None
        wrong += one or []
    if name in GRADIENTS:
        assert wrong or not compared, f"as MLX has it: no more '{GRADIENTS[name]}'"
    elif compared:
        assert not wrong, wrong[0]


QUANTIZED = [("affine", group, bits) for group in (32, 64, 128) for bits in (2, 3, 4, 5, 6, 8)]
QUANTIZED += [("mxfp4", 32, 4), ("mxfp8", 32, 8), ("nvfp4", 16, 4)]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("mode, group, bits", QUANTIZED)
def test_quantized_words_are_bit_identical(mode, group, bits, dtype):
    w, x = pair(random(dtype, (32, 256)), dtype), pair(random(dtype, (5, 256), 1), dtype)
    parts = [m.quantize(w[i], group, bits, mode) for i, m in enumerate((pb, mx))]
    for got, want in zip(*parts, strict=True):
        assert (got.shape, kind(got)) == (want.shape, kind(want))
    words, scales = ([elements(part[i]) for part in parts] for i in (0, 1))
    assert np.array_equal(*scales)
    if mode in ("mxfp4", "nvfp4"):
        digits = [word[..., None] >> np.arange(0, 32, 4, "uint32") & 15 for word in words]
        words = [np.where(digit == 8, 0, digit) for digit in digits]  # of zero the sign, see mlx_differences
        # Half floats lie between two now and then, see mlx_differences.
        apart = np.abs((words[0] & 7).astype("i4") - (words[1] & 7).astype("i4"))
        assert apart.max() <= (dtype != "float32")
        if dtype != "float32":
            return
    else:
        assert np.array_equal(*words)
    options = {"group_size": group, "bits": bits, "mode": mode}

    def products(m, x, w):
        parts = m.quantize(w, group, bits, mode)
        both = [m.quantized_matmul(x, *parts, **options)]
        both.append(m.quantized_matmul(x[:, :32], *parts, transpose=False, **options))
        return [m.dequantize(*parts, **options), *both]

    assert compare(products, [x, w]) == []


RANDOM = {
    "uniform": lambda m, t, k: [
        m.random.uniform(-1, 2, (3, 5), t, k),
        m.random.uniform(shape=(0,), dtype=t, key=k),
    ],
    "normal": lambda m, t, k: [m.random.normal((3, 5), t, 1.0, 2.0, k), m.random.gumbel((3, 5), t, k)],
    "laplace": lambda m, t, k: m.random.laplace((3, 5), t, 1.0, 2.0, k),
    "truncated_normal": lambda m, t, k: m.random.truncated_normal(-1.0, 2.0, (3, 5), t, k),
    "normal of complex": lambda m, t, k: m.random.normal((3, 5), m.complex64, key=k),
    "randint": lambda m, t, k: [
        m.random.randint(-7, 9, (40,), key=k),
        m.random.randint(0, 100, (3,), m.uint8, k),
    ],
    "bernoulli": lambda m, t, k: [m.random.bernoulli(key=k), m.random.bernoulli(0.3, (2, 3), k)],
    "permutation": lambda m, t, k: [m.random.permutation(n, key=k) for n in (10, m.arange(12).reshape(3, 4))],
    "key": lambda m, t, k: [m.random.key(seed=5), m.random.split(k), m.random.split(k, num=4)],
    "categorical": lambda m, t, k: m.random.categorical(m.eye(4), num_samples=4, key=k),
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_random(name, dtype):
    for seed in (0, 3, 2**40):
        assert compare(lambda m, s=seed: RANDOM[name](m, getattr(m, dtype), m.random.key(s)), []) == []


BOUNDS = [(0, 1), (-1, 2), (0.1, 0.3), (-1e-3, 5), (100, 1000), (-1 / 3, 2 / 3)]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("given", ["number", "float32", "float16", "bfloat16"])
def test_uniform_is_bit_identical(dtype, given):
    for low, high in BOUNDS:
        drawn = []
        for m in (pb, mx):
            of = lambda x, m=m: x if given == "number" else m.array(x, getattr(m, given))
            x = m.random.uniform(of(low), of(high), (4096,), getattr(m, dtype), m.random.key(3))
            drawn.append(elements(x))
        assert np.array_equal(*drawn), (low, high)


@pytest.mark.parametrize("write", [pb, mx], ids=["pullback", "mlx"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("end", ["npy", "npz", "safetensors", "gguf"])
def test_files_of_one_are_read_by_the_other(tmp_path, write, dtype, end):
    read = mx if write is pb else pb
    if dtype == "float64" and end == "safetensors":
        pytest.skip("MLX has no such type there")
    if end == "gguf" and dtype not in ("int8", "int16", "int32", "float16", "float32"):
        pytest.skip("MLX has no such type there")
    for shape in [(2, 3), (), (0, 3)]:
        file = str(tmp_path / f"x.{end}")
        x = dict(zip((pb, mx), pair(random(dtype, shape), dtype), strict=True))[write]
        if end == "npy":
            write.save(file, x)
        elif end == "npz":
            write.savez(file, x=x)
        elif end == "safetensors":
            write.save_safetensors(file, {"x": x}, {"a": "b"})
        else:
            write.save_gguf(file, {"x": x}, {"s": "text", "l": ["a", "b"], "n": write.array(3)})
        if end in ("safetensors", "gguf"):
            found, told = read.load(file, return_metadata=True)
            assert (
                told == {"a": "b"}
                if end == "safetensors"
                else told["s"] == "text" and told["l"] == ["a", "b"]
            )
        else:
            found = read.load(file)
        y = found if end == "npy" else found["x"]
        assert (y.shape, kind(y)) == (x.shape, kind(x))
        assert np.array_equal(elements(y), elements(x))
