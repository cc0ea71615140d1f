"""Rows: what is asked of every door, and how an answer is marked."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pullback as pb
import pytest

LACKS = {
    "vjp": "has no rule for reverse mode",
    "jvp": "has no rule for forward mode",
    "vmap": "has no rule for batches",
    "derivative": "has no rule for derivatives",
}


class Mark(NamedTuple):
    """W: it works, and the rule answers. E: a clear error. u: no such feature."""

    letter: str
    reason: str = ""


class Row(NamedTuple):
    """One composition: `check(door)` asserts, and returns a mark unless it is W."""

    needs: str | None
    check: Callable[[Any], Mark | None]


ROWS: dict[int, Row] = {}


def row(number, needs=None):
    """Says that a function checks a row, for doors that hold a rule of this kind."""

    def register(check):
        assert number not in ROWS, number
        ROWS[number] = Row(needs, check)
        return check

    return register


def unable(reason):
    """The idiom has no such feature."""
    return Mark("u", reason)


def refused(reason, *cases):
    """An error that says what is wrong: each case is an action, and a pattern for the text of its error."""
    for action, pattern in cases:
        with pytest.raises((pb.RuleError, ValueError, TypeError), match=pattern) as caught:
            action()
        assert not isinstance(caught.value, UnicodeError)
    return Mark("E", reason)


def classify(number, door):
    """Asks a door: what is neither W nor E nor u raises."""
    needs, check = ROWS[number]
    held = door.holds & {"vjp", "jvp"} if needs == "derivative" else needs is None or needs in door.holds
    if not held:
        return unable(f"the idiom {LACKS[needs]}")
    return check(door) or Mark("W")
