"""`dtype=`: every function that has one gives results of that type, or says which it expected."""

import re
import warnings

import numpy as np
import pullback as pb
import pytest
from bad_input import called, functions, kind, parameters
from calls import FAMILIES
from samples import DTYPES, numpy

FUNCTIONS = functions()
TYPED = {
    name: p.name for name, fun in FUNCTIONS.items() for p in parameters(fun) if kind(name, p.name) == "dtype"
}
# What is taken, where it is not every type.
FLOATS = {"float16", "bfloat16", "float32", "float64"}
TAKEN = {
    "arange": FAMILIES["number"],
    "from_fp8": FLOATS,
    "dequantize": FLOATS,
    **dict.fromkeys(["random.uniform", "random.truncated_normal", "random.gumbel", "random.laplace"], FLOATS),
    "random.normal": {*FLOATS, "complex64"},
    "random.randint": FAMILIES["integer"],
    "random.multivariate_normal": {"float32"},
}


def test_there_are_many():
    assert len(TYPED) > 20


@pytest.mark.parametrize("name", TYPED)
def test_every_type(name, device):
    fun = FUNCTIONS[name]
    for dtype in DTYPES:
        wanted = getattr(pb, dtype)
        if dtype in TAKEN.get(name, DTYPES):
            for given in (wanted, dtype.rstrip("_")):
                result = called(name, fun, **{TYPED[name]: given})
                assert result.dtype == wanted
            with warnings.catch_warnings(action="ignore"):
                pb.eval(result)
            continue
        with pytest.raises(TypeError) as caught:
            called(name, fun, **{TYPED[name]: wanted})
        text = str(caught.value).splitlines()[0]
        assert re.match(rf"\[(random\.)?{fun.__name__}\] expected .+, got .*{dtype.rstrip('_')}", text), text


def test_casts_beside_numpy(device):
    """What has a value in both types, in all pairs of types."""
    for have in DTYPES:
        x = pb.array([0, 1, 2, 3]).astype(getattr(pb, have))
        for want in DTYPES:
            with warnings.catch_warnings(action="ignore"):
                got = numpy(x.astype(getattr(pb, want)))
                np.testing.assert_array_equal(got, numpy(x).astype(np.dtype(got.dtype)))


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype not in FAMILIES["integer"]])
def test_positions_are_integers(dtype):
    """Floats and complex numbers are none, and truth values are a mask, which stands for axes."""
    x, at = pb.arange(4.0), pb.array([0, 1]).astype(getattr(pb, dtype))
    if dtype == "bool_":
        for call in (lambda: x[at], lambda: x.__setitem__(at, 0), lambda: x.at[at].add(1)):
            with pytest.raises(IndexError, match=r"^\[index\] expected a mask of the axes it stands for"):
                call()
        return
    for call in (
        *(lambda: x[at], lambda: x.__setitem__(at, 0), lambda: x.at[at].add(1), lambda: x[at[0]]),
        *(lambda: x[numpy(at)], lambda: x[at.tolist()], lambda: x[None, at], lambda: x[..., at]),
    ):
        with pytest.raises(TypeError, match=r"^\[index\] expected .*, got .*(float|complex)"):
            call()
    with pytest.raises(TypeError, match=r"^\[index\] expected"):
        x[1.0]
    with pytest.raises(TypeError, match=r"^\[index\] expected integers in a slice, got"):
        x[1.0:]


def test_an_empty_list_is_of_positions():
    x = pb.arange(4)
    assert x[[]].tolist() == [] and x[[]].dtype == pb.int32 and x[[[]]].shape == (1, 0)
    x[[]] = 7
    assert x.tolist() == [0, 1, 2, 3]
