"""Every public function is given wrong input, a parameter at a time.

It raises the exception that users of NumPy and MLX expect, under its own name, at the call and not when
something is computed; and the engine works on.
"""

import re

import pullback as pb
import pytest
from bad_input import ELSEWHERE, ROOMS, ROWS, WRONG, called, functions, kind, parameters, right

FUNCTIONS = functions()
DEVICES = [device for device in (pb.cpu, pb.gpu) if pb.is_available(device)]

# What is no mistake there: no bound and no weight is needed; axes of two arrays may be alike, and to shift an
# axis twice has a meaning.
ALLOWED = {
    *("clip a_min None", "clip a_max None", "fast.layer_norm weight None", "fast.layer_norm bias None"),
    *("fast.rms_norm weight None", "tensordot axes (0, 0)", "linalg.tensordot axes (0, 0)"),
    *("fft.fftshift axes (0, 0)", "fft.ifftshift axes (0, 0)"),
}
# A shape that has to fit others is refused before its elements are counted; `rope` takes one of two.
OTHER_ERRORS = {
    f"{key} {(2**40, 2**40)}": ValueError
    for key in (
        *("reshape shape", "unflatten shape", "slice slice_size", "random.categorical shape"),
        *("random.multivariate_normal shape", "random.randint shape", "random.truncated_normal shape"),
    )
} | {"fast.rope base None": ValueError}
# They take arrays of any shapes, or one of these.
ANY_SHAPE = {
    *(
        "array_equal",
        "kron",
        "outer",
        "linalg.outer",
        "digitize x",
        "interp x",
        "searchsorted values",
        "slice a",
    ),
    *("slice_update a", "take"),
}
AXES_NEEDED = ("linalg.", "fft.", "fast.")
ANY_RANK = {
    *(
        "linalg.norm",
        "linalg.outer",
        "linalg.vector_norm",
        "fft.fftshift",
        "fft.ifftshift",
        "fast.rope scale",
    ),
    *("fast.scaled_dot_product_attention scale", "fast.rope base", "fast.rope offset"),
}

SIZES = {"n", "m", "M", "k", "num", "size", "length", "minlength", "repeats", "num_samples"}
# Diagonals, powers and how often differences are taken.
NO_SIZE = {
    *("diag k", "array.diag k", "tri k", "tril k", "triu k", "eye k", "linalg.matrix_power n"),
    *("fast.gated_delta_update k", "fast.scaled_dot_product_attention k"),
}


def refused(name, error, **wrong):
    """The call fails as it should; what it was given comes with the failure of this test."""
    fun = FUNCTIONS[name]
    with pytest.raises(error) as caught:
        called(name, fun, **wrong)
    assert caught.type is error, f"{wrong}: {caught.type}: {caught.value}"
    text = str(caught.value).splitlines()[0]
    assert re.match(rf"\[(random\.)?{fun.__name__}\] expected .+, got .+", text), f"{wrong}: {text}"


def works_on():
    for device in DEVICES:
        with pb.stream(device):
            assert pb.sum(pb.array([1.0, 2.0]) * 2).item() == 6.0


def arrays(name):
    """The arrays that have to be given."""
    given = parameters(FUNCTIONS[name])
    return [p.name for p in given if kind(name, p.name) == "array" and p.default is p.empty]


def dtype(name, key):
    """The type of what is right."""
    return getattr(right(name, FUNCTIONS[name])[key], "dtype", pb.float32)


def sizes(name):
    """The parameters that say how much there is of something."""
    return [
        p.name for p in parameters(FUNCTIONS[name]) if p.name in SIZES and f"{name} {p.name}" not in NO_SIZE
    ]


SIZED = [(name, key) for name in FUNCTIONS for key in sizes(name)]


def test_every_function_is_here():
    """A parameter of no kind, and a row of no function are mistakes of the table."""
    assert len(FUNCTIONS) > 330
    unknown = [
        f"{name} {p.name}"
        for name, fun in FUNCTIONS.items()
        for p in parameters(fun)
        if p.name != "self" and kind(name, p.name) is None
    ]
    assert unknown == []
    names = {f"{room}.{name}".lstrip(".") for room, home in ROOMS.items() for name in dir(home)}
    assert (set(ROWS) | ELSEWHERE) - names == set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_wrong_parameter(name):
    called(name, FUNCTIONS[name])
    for p in parameters(FUNCTIONS[name]):
        if p.name == "self":
            continue
        missing = [(None, TypeError)] if p.default is p.empty else []
        for value, error in WRONG[kind(name, p.name)] + missing:
            if f"{name} {p.name} {value}" in ALLOWED:
                called(name, FUNCTIONS[name], **{p.name: value})
            else:
                error = OTHER_ERRORS.get(f"{name} {p.name} {value}", error)
                refused(name, error, **{p.name: value})
    works_on()


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if len(arrays(name)) > 1])
def test_shapes_that_do_not_fit_each_other(name):
    for key in arrays(name):
        if not {name, f"{name} {key}"} & ANY_SHAPE:
            refused(name, ValueError, **{key: pb.ones((5, 7), dtype(name, key))})
    works_on()


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name.startswith(("linalg.", "fft.", "fast."))]
)
def test_scalars_where_axes_are_needed(name):
    for key in arrays(name):
        if not {name, f"{name} {key}"} & ANY_RANK:
            refused(name, ValueError, **{key: pb.array(1, dtype(name, key))})


@pytest.mark.parametrize("name, key", [at for at in SIZED if at[1] != "M"])
def test_negative_sizes(name, key):
    """A window of a negative size is empty, as in NumPy."""
    refused(name, ValueError, **{key: -3})


@pytest.mark.parametrize("name, key", [at for at in SIZED if at[0] != "diff"])
def test_sizes_that_no_machine_has(name, key):
    """Nothing is wrapped, and nothing is asked of the machine before it is known how much."""
    fun = FUNCTIONS[name]
    with pytest.raises((ValueError, MemoryError, OverflowError)) as caught:
        called(name, fun, **{key: 2**63 - 1})
    assert re.match(rf"\[(random\.)?{fun.__name__}\] expected .+, got .+", str(caught.value)), caught.value
    works_on()
