"""All functions beside the real MLX, where it is installed: shapes, types and elements of results, and gradients."""

import importlib.util

import numpy as np
import pullback as pb
import pytest

if importlib.util.find_spec("mlx") is None:
    pytest.skip("mlx is not installed", allow_module_level=True)

import mlx.core as mx
from beside_mlx import DTYPES, FLOATS, INTEGERS, answer, compare, elements, kind, leaves, pair, random, unlike
from mlx_calls import ALONG, BINARY, CALLS, PRODUCTS, UNARY
from mlx_differences import DIFFERENCES, GRADIENTS


def judge(name, dtype, found):
    """Hold what was found in the calls of a name against the table of differences, of which none may be idle."""
    compared = [one for one in found if one is not None]
    wrong = [text for one in compared for text in one]
    reason = DIFFERENCES.get((name, dtype))
    if reason is None:
        assert not wrong, f"{name} of {dtype}: {wrong[0]}"
    else:
        assert wrong, f"{name} of {dtype} is as MLX has it: no more '{reason}'"
    return len(compared)


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
        if name not in ("all", "prod"):  # MLX answers with whatever is in memory
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
    for dtype in [d for d in DTYPES if d != "complex64" or name not in BINARY]:
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
