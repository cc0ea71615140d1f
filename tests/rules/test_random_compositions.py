"""Random nests of transforms around random programs of custom functions, of all doors.

Where the rules are true, the program is compared with the same one of plain functions. Where they are false,
a map is compared with a loop of the same functions, and what must change nothing with nothing. Control flow,
checkpoints and modules around the functions are compared with loops and branches of Python.
"""

import os

import numpy as np
import pullback as pb
import pytest
from compositions import (
    AXES,
    DERIVATIVES,
    FALSE,
    FORWARD,
    LINEAR,
    REVERSE,
    SAME,
    TRUE,
    nested,
    shapes,
    spelled_out,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from structures import AROUND, CHECKPOINTS, DEFERRED, Ours, program, without


def programs(names, most=3):
    around = st.lists(st.sampled_from(sorted(AROUND)), max_size=2)
    step = st.tuples(st.sampled_from(sorted(names)), around, st.integers(0, 4), st.integers(0, 4))
    return st.lists(step, min_size=1, max_size=most)


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


def possible(steps, order):
    """The same program without what is an error by intent, or has a test that is marked as failing."""
    if "compile" in order or any("compiled module" in around for _, around, _, _ in steps):
        steps = without(steps, DEFERRED)
    return steps


def arguments(order, seed):
    rng = np.random.default_rng(seed)
    return [pb.array(rng.uniform(-1, 1, shape), pb.float64) for shape in shapes(order)]


def same(f, reference, order, seed, said):
    x, y = arguments(order, seed)
    got, want = np.asarray(f(x, y)), np.asarray(reference(x, y))
    assert got.shape == want.shape and got.dtype == want.dtype == np.float64, said
    error = np.abs(got - want).max() / (1 + np.abs(want).max())
    if not error < 1e-9:
        # Higher derivatives of long programs may be large, and sines of what is large: as much as a change
        # of the last digits of the arguments does is no difference.
        moved = np.asarray(reference(x * (1 + 1e-15), y * (1 - 1e-15)))
        noise = np.abs(moved - want).max() / (1 + np.abs(want).max())
        assert error < 100 * noise, f"{said}: {error:.1e} apart, where {noise:.1e} would be noise"


def true_is_plain(steps, order, seed):
    custom = program(Ours, steps, {name: pair[0] for name, pair in TRUE.items()})
    plain = program(Ours, steps, {name: pair[1] for name, pair in TRUE.items()}, spelled_out=True)
    same(nested(custom, order), spelled_out(plain, order), order, seed, (steps, order))


def false_is_looped(steps, order, seed):
    run, looped = program(Ours, steps, FALSE), program(Ours, steps, FALSE, spelled_out=True)
    same(nested(run, order), spelled_out(looped, order), order, seed, (steps, order))


def once_after_a_map(order):
    """See `test_a_second_derivative_of_a_map_through_a_rule_that_is_not_linear`."""
    kept, mapped, slopes = [], False, 0
    for name in order:
        mapped = mapped or name in AXES
        slopes += mapped and name in DERIVATIVES
        if name not in DERIVATIVES or slopes <= 1:
            kept.append(name)
    return kept


MANY = settings(max_examples=10_000 if os.environ.get("PULLBACK_TESTS") == "slow" else 150)


@MANY
@given(programs(TRUE), orders(DERIVATIVES), st.integers(0, 999))
def test_true_rules(steps, order, seed):
    true_is_plain(possible(steps, order), order, seed)


@MANY
@given(programs(LINEAR), orders(DERIVATIVES), st.integers(0, 999))
def test_false_rules(steps, order, seed):
    false_is_looped(possible(steps, order), order, seed)


@MANY
@given(programs(FALSE), orders(REVERSE), st.integers(0, 999))
def test_rules_that_are_not_linear(steps, order, seed):
    if sum(name in DERIVATIVES for name in order) > 1:
        # A checkpoint computes twice. In higher derivatives each copy gets a part of the cotangent, and
        # a rule that is not linear makes other things of parts than of the whole: in JAX as well.
        order = [name for name in order if name not in ("checkpoint", "kept")]
        steps = without(steps, CHECKPOINTS)
        order = once_after_a_map(order)
    false_is_looped(possible(steps, order), order, seed)


NESTS = [
    ["grad", "vmap", "compile"],
    ["vmap of x", "grad", "jvp"],
    ["jvp", "vmap", "grad"],
    ["checkpoint", "compile", "jvp", "vmap of the last", "grad"],
    ["vmap", "vmap of x", "vjp", "grad"],
    ["grad", "checkpoint", "vmap", "grad", "compile"],
    ["value_and_grad", "vmap of the last", "compile", "jvp"],
    ["linearize", "kept", "vmap of modules", "grad of a module"],
    ["vmap", "transpose", "compile", "linearize"],
]


@pytest.mark.parametrize("order", NESTS, ids="(".join)
@pytest.mark.parametrize("name", TRUE)
def test_every_true_door(name, order):
    true_is_plain([(name, [], 0, 1), (name, [], 0, 1)], order, 7)


@pytest.mark.parametrize("order", [nest for nest in NESTS if not FORWARD.keys() & nest], ids="(".join)
@pytest.mark.parametrize("name", FALSE)
def test_every_false_door_in_reverse_mode(name, order):
    false_is_looped([(name, [], 0, 1), (name, [], 0, 1)], order, 7)


@pytest.mark.parametrize("order", [nest for nest in NESTS if FORWARD.keys() & nest], ids="(".join)
@pytest.mark.parametrize("name", LINEAR)
def test_every_false_door_in_forward_mode(name, order):
    false_is_looped([(name, [], 0, 1), (name, [], 0, 1)], order, 7)


@pytest.mark.parametrize("order", NESTS, ids="(".join)
@pytest.mark.parametrize("around", AROUND)
def test_every_structure(around, order):
    for each, check in [("mlx_vjp", true_is_plain), ("custom_jvp", false_is_looped)]:
        check(possible([(each, [around], 0, 1)], order), order, 7)


@pytest.mark.parametrize("second", DERIVATIVES)
def test_a_second_derivative_of_a_map_of_a_kept_result(second):
    false_is_looped([("custom_jvp", ["inner kept"], 0, 1)], ["grad", "vmap", second], 7)
    if second in REVERSE:
        false_is_looped([("custom_vjp", ["inner kept"], 0, 0)], ["grad", "vmap", second], 0)


@pytest.mark.parametrize("name", LINEAR)
def test_a_branch_in_a_checkpoint_takes_what_it_captured_for_captured(name):
    """What the map makes of it on the way, while the branch runs, is not made by the branch."""
    steps = [
        (name, ["fori_loop", "inner kept"], 0, 0),
        (name, [], 1, 1),
        (name, ["cond", "inner kept"], 0, 1),
    ]
    false_is_looped(possible(steps, ["vmap", "grad"]), ["vmap", "grad"], 0)


@pytest.mark.parametrize("name", TRUE)
def test_numbers_in_a_branch_are_no_captures_of_what_is_called_there(name):
    true_is_plain([(name, ["inner kept", "cond"], 0, 0)], ["grad", "vmap", "grad"], 0)


def test_a_second_derivative_of_a_map_through_a_rule_that_is_not_linear():
    false_is_looped([("clipped", [], 0, 0), ("custom_gradient", [], 0, 0)], ["vmap", "grad", "grad"], 0)


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
