"""What stands in place of an array: lists, NumPy arrays and numbers that are taken, and what is none."""

import re

import numpy as np
import pullback as pb
import pytest
from bad_input import called, functions
from operand_types import CELLS
from samples import numpy
from test_operand_types import agree, computed

FUNCTIONS = functions()
# NumPy's arrays of what is no number.
NO_NUMBERS = {
    "objects": np.array([object()]),
    "text": np.array(["a", "b"]),
    "bytes": np.array([b"a"]),
    "dates": np.array(["2020"], "datetime64[Y]"),
    "records": np.zeros(2, [("a", np.int32)]),
}
NO_ARRAYS = {
    "a set": {1, 2},
    "a generator": (i for i in range(3)),
    "a list of words": ["a"],
    "a list of None": [None],
    "a ragged list": [[1, 2], [3]],
    "a class": int,
    "a module": np,
    "an ellipsis": ...,
}
ARRAYS = [cell for cell in CELLS if cell[0].split(".")[0] != "array" or cell[1] != "self"]


@pytest.mark.parametrize(("name", "key"), ARRAYS)
def test_lists_and_numpy_arrays(name, key):
    fun, base = FUNCTIONS[name], CELLS[name, key]
    parts = base if isinstance(base, list) else [base]
    pb.random.seed(0)
    want = computed(called(name, fun, **{key: base}))
    for other in (lambda x: numpy(x), lambda x: np.array(numpy(x), order="F"), lambda x: x.tolist()):
        # A list of integers is of int32, and a scalar of NumPy is an array without axes.
        given = [other(pb.array(part)) for part in parts]
        if isinstance(given[0], list) and pb.array(given[0]).dtype != pb.array(parts[0]).dtype:
            continue
        pb.random.seed(0)
        got = computed(called(name, fun, **{key: given if isinstance(base, list) else given[0]}))
        agree(got, want, "float32", 1)


@pytest.mark.parametrize(("name", "key"), ARRAYS)
def test_what_is_no_array(name, key):
    fun, many = FUNCTIONS[name], isinstance(CELLS[name, key], list)
    for what, wrong in (NO_NUMBERS | NO_ARRAYS).items():
        error = (TypeError, ValueError) if what == "a ragged list" else TypeError
        with pytest.raises(error) as caught:
            called(name, fun, **{key: [wrong] if many else wrong})
        text = str(caught.value).splitlines()[0]
        assert re.match(rf"\[(random\.)?{fun.__name__}\] expected .+, got .+", text), f"{what}: {text}"
