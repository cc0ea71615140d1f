"""Every public function is given arrays of every element type, a parameter at a time.

What is taken is a table, `operand_types.py`. What it takes has the values that it has in the type that it is
made for; what it does not is a `TypeError` at the call, which names the type.
"""

import re
import warnings
import zlib

import numpy as np
import pullback as pb
import pytest
from bad_input import called, functions
from operand_types import APART, CELLS, OPTIONAL, OTHER_ELEMENTS, TAKEN, taken
from samples import DTYPES, EPS, numpy

FUNCTIONS = functions()
NUMBERS = {("fast.rope", "scale"), ("fast.scaled_dot_product_attention", "scale")}
DEVICES = [device for device in (pb.cpu, pb.gpu) if pb.is_available(device)]


def leaves(result):
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, list | tuple):
        return [leaf for part in result for leaf in leaves(part)]
    return [result]


def typed(base, dtype):
    """What is right, in another type; of integers and of truth values where that is one."""
    if isinstance(base, list):
        return [typed(part, dtype) for part in base]
    return pb.array(base).astype(getattr(pb, dtype))


def usual(base, x):
    """The elements of `x` in the type of what is right."""
    if isinstance(base, list):
        return [usual(a, b) for a, b in zip(base, x, strict=True)]
    return (pb.real(x) if x.dtype == pb.complex64 else x).astype(pb.array(base).dtype)


def computed(result):
    found = leaves(result)
    pb.eval([x for x in found if isinstance(x, pb.array)])
    return found


def agree(got, want, dtype, tolerance):
    """Values are equal but for the rounding of the coarser type, and shapes are."""
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        if not isinstance(b, pb.array):
            assert a == b or isinstance(a, complex | float)
            continue
        assert a.shape == b.shape, f"shape {a.shape}, not {b.shape}"
        eps = max(EPS.get(name, 0) for name in (dtype, a.dtype.name, b.dtype.name))
        x, y = numpy(a), numpy(b)
        if np.iscomplexobj(x) and not np.iscomplexobj(y):
            # Where a real function has no value, the complex one may have one.
            x, y = x[np.isfinite(y)], y[np.isfinite(y)]
        if eps == 0:
            np.testing.assert_array_equal(x, y)
            continue
        scale = max(1.0, float(np.max(np.abs(y[np.isfinite(y)]), initial=0)))
        np.testing.assert_allclose(x, y, rtol=0, atol=eps * tolerance * scale)


def check(name, key, dtype):
    fun, base = FUNCTIONS[name], CELLS[name, key]
    x = typed(base, dtype)
    if dtype not in taken(name, key):
        with pytest.raises(TypeError) as caught:
            called(name, fun, **{key: x})
        text = str(caught.value).splitlines()[0]
        assert re.match(rf"\[(random\.)?{fun.__name__}\] expected .+, got .+", text), text
        # What is read as a number of Python is told of as one.
        named = "complex" if (name, key) in NUMBERS else dtype.rstrip("_")
        assert named in text.split(", got ")[1], text
        return
    pb.random.seed(0)
    got = computed(called(name, fun, **{key: x}))
    if f"{name} {key}" not in OTHER_ELEMENTS:
        pb.random.seed(0)
        want = computed(called(name, fun, **{key: usual(base, x)}))
        agree(got, want, dtype, 64)


@pytest.mark.parametrize(("name", "key"), CELLS)
def test_every_type(name, key):
    wrong = []
    for dtype in DTYPES:
        try:
            check(name, key, dtype)
        except (Exception, pytest.fail.Exception) as error:
            wrong.append(f"{dtype}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(len(DEVICES) < 2, reason="no GPU")
@pytest.mark.parametrize(("name", "key"), CELLS)
def test_a_type_on_the_gpu(name, key):
    """One of them each, other than `float32`: programs are slow to make on software Vulkan."""
    others = [dtype for dtype in DTYPES if dtype != "float32"]
    dtype = others[zlib.crc32(f"{name} {key}".encode()) % len(others)]
    with pb.stream(pb.gpu), warnings.catch_warnings(action="ignore"):
        check(name, key, dtype)


def test_the_table_says_no_more_than_there_is():
    assert len(CELLS) > 430
    assert {
        cell for cell in [*TAKEN, *OPTIONAL, *OTHER_ELEMENTS] if tuple(cell.split()) not in CELLS
    } == set()
    assert {tuple(cell.split()) for cell in APART} & CELLS.keys() == set()
