"""The digits with which arrays print, against NumPy."""

import numpy as np
import pullback as pb
import pytest


@pytest.fixture(autouse=True)
def default():
    yield
    pb.set_printoptions()


def plain(text):
    return text.removeprefix("array(").split(", dtype")[0].rstrip(")")


@pytest.mark.parametrize("precision", [0, 1, 3, 8, 12])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(
    "values",
    [[1.0004, 2.5], [1e-10, 1.23456e10], [0.1, -3.14159265], [1, 2], [0.999999, 30], [np.nan, 1.5], [2.5]],
)
def test_digits_are_numpys(precision, dtype, values):
    theirs = np.array(values, dtype)
    with pb.printoptions(precision=precision), np.printoptions(precision=precision):
        assert plain(repr(pb.array(theirs, dtype))) == plain(repr(theirs))
        assert str(pb.array(theirs, dtype)) == repr(pb.array(theirs, dtype))


def test_options_are_set_and_restored():
    x = pb.array([3.14159265, 2.5])
    before = repr(x)
    assert pb.get_printoptions() == pb.PrintOptions() == pb.PrintOptions(precision=-1)
    with pb.printoptions(precision=2) as options:
        assert options.precision == pb.get_printoptions().precision == 2
        assert repr(x) == "array([3.14, 2.5 ], dtype=float32)"
        with pytest.raises(KeyError), pb.printoptions(4):
            assert f"{x}" == "array([3.1416, 2.5   ], dtype=float32)"
            raise KeyError
        assert pb.get_printoptions().precision == 2
    assert repr(x) == before
    pb.set_printoptions(precision=1)
    options = pb.get_printoptions()
    assert repr(x) == "array([3.1, 2.5], dtype=float32)"
    # They are a copy, as in MLX.
    options.precision = 5
    assert (pb.get_printoptions().precision, repr(options)) == (1, "PrintOptions(precision=5)")
    pb.set_printoptions(-1)
    assert repr(x) == before


@pytest.mark.parametrize("precision", [-2, 10**6])
def test_a_precision_that_is_none(precision):
    with pytest.raises(ValueError, match=r"\[printoptions\] expected a precision from 0"):
        pb.set_printoptions(precision)
    with pytest.raises(ValueError, match=r"\[printoptions\] expected"), pb.printoptions(precision):
        pass
    assert pb.get_printoptions().precision == -1
    with pytest.raises(TypeError):
        pb.set_printoptions("3")
