"""Random nests of transforms around random programs of custom functions, of all doors.

Where the rules are true, the program is compared with the same one of plain functions. Where they are false,
a map is compared with a loop of the same functions, and what must change nothing with nothing.
"""

import os

import numpy as np
import pullback as pb
import pytest
from compositions import (
    AXES,
    DERIVATIVES,
    FALSE,
    LINEAR,
    REVERSE,
    SAME,
    TRUE,
    nested,
    program,
    shapes,
    spelled_out,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@st.composite
def programs(draw, names, most=3):
    pick = st.tuples(st.sampled_from(sorted(names)), st.integers(0, 4), st.integers(0, 4))
    return draw(st.lists(pick, min_size=1, max_size=most))


@st.composite
def orders(draw, derivatives):
    """Up to five transforms, innermost first: at most three derivatives and two maps."""
    order = draw(st.lists(st.sampled_from([*derivatives, *AXES, *SAME]), min_size=1, max_size=5))
    kept, slopes, maps = [], 0, 0
    for name in order:
        slopes, maps = slopes + (name in DERIVATIVES), maps + (name in AXES)
        if slopes <= 3 and maps <= 2:
            kept.append(name)
    return kept


def arguments(order, seed):
    rng = np.random.default_rng(seed)
    return [pb.array(rng.uniform(-1, 1, shape), pb.float64) for shape in shapes(order)]


def same(got, want, said):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape and got.dtype == want.dtype == np.float64, said
    scale = 1 + np.abs(want).max()
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-10 * scale, err_msg=str(said))


def true_is_plain(steps, order, seed):
    custom = program(steps, {name: pair[0] for name, pair in TRUE.items()})
    plain = program(steps, {name: pair[1] for name, pair in TRUE.items()})
    x, y = arguments(order, seed)
    same(nested(custom, order)(x, y), spelled_out(plain, order)(x, y), (steps, order))


def false_is_looped(steps, order, seed):
    run = program(steps, FALSE)
    x, y = arguments(order, seed)
    same(nested(run, order)(x, y), spelled_out(run, order)(x, y), (steps, order))


MANY = settings(max_examples=10_000 if os.environ.get("PULLBACK_TESTS") == "slow" else 250)


@MANY
@given(programs(TRUE), orders(DERIVATIVES), st.integers(0, 999))
def test_true_rules(steps, order, seed):
    true_is_plain(steps, order, seed)


@MANY
@given(programs(LINEAR), orders(DERIVATIVES), st.integers(0, 999))
def test_false_rules(steps, order, seed):
    false_is_looped(steps, order, seed)


@MANY
@given(programs(FALSE), orders(REVERSE), st.integers(0, 999))
def test_rules_that_are_not_linear(steps, order, seed):
    if sum(name in DERIVATIVES for name in order) > 1:
        # A checkpoint computes twice. In higher derivatives each copy gets a part of the cotangent, and
        # a rule that is not linear makes other things of parts than of the whole: in JAX as well.
        order = [name for name in order if name != "checkpoint"]
    false_is_looped(steps, order, seed)


NESTS = [
    ["grad", "vmap", "compile"],
    ["vmap of x", "grad", "jvp"],
    ["jvp", "vmap", "grad"],
    ["checkpoint", "compile", "jvp", "vmap of the last", "grad"],
    ["vmap", "vmap of x", "vjp", "grad"],
    ["grad", "checkpoint", "vmap", "grad", "compile"],
    ["value_and_grad", "vmap of the last", "compile", "jvp"],
]


@pytest.mark.parametrize("order", NESTS, ids="(".join)
@pytest.mark.parametrize("name", TRUE)
def test_every_true_door(name, order):
    true_is_plain([(name, 0, 1), (name, 0, 1)], order, 7)


@pytest.mark.parametrize("order", [nest for nest in NESTS if "jvp" not in nest], ids="(".join)
@pytest.mark.parametrize("name", FALSE)
def test_every_false_door_in_reverse_mode(name, order):
    false_is_looped([(name, 0, 1), (name, 0, 1)], order, 7)


@pytest.mark.parametrize("order", [nest for nest in NESTS if "jvp" in nest], ids="(".join)
@pytest.mark.parametrize("name", LINEAR)
def test_every_false_door_in_forward_mode(name, order):
    false_is_looped([(name, 0, 1), (name, 0, 1)], order, 7)


def test_a_second_derivative_of_a_map_through_a_rule_that_is_not_linear():
    false_is_looped([("clipped", 0, 0), ("custom_gradient", 0, 0)], ["vmap", "grad", "grad"], 0)


@pytest.mark.parametrize("name", FALSE)
def test_false_rules_are_false(name):
    """Otherwise a rule that is skipped would not show."""
    x, y = arguments([], 3)
    f = FALSE[name]
    by_rule = pb.grad(lambda x: f(x, y).sum())(x)
    quotient = [
        (f(x + 1e-6 * e, y).sum() - f(x - 1e-6 * e, y).sum()).item() / 2e-6
        for e in (pb.array(row, pb.float64) for row in np.eye(x.size))
    ]
    assert np.abs(np.asarray(by_rule) - quotient).max() > 0.05
