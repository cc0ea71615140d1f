"""The table of 114 compositions: every row for every door, and the page that tells of it."""

import pytest
from table import (  # noqa: F401
    rows_arguments,
    rows_bodies,
    rows_compiled,
    rows_composition,
    rows_first,
    rows_values,
)
from table.doors import DOORS
from table.published import ROWS as TITLES
from table.record import ROWS, classify


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize("number", sorted(ROWS), ids=lambda number: f"row{number}")
def test_row(number, door):
    mark = classify(number, door)
    assert mark.letter in "WEu" and (mark.letter == "W" or mark.reason), TITLES[number]
