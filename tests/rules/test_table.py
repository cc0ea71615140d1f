"""The table of 114 compositions: every row for every door, and the page that tells of it."""

import functools
import os
from pathlib import Path

import pytest
from table import (  # noqa: F401
    page,
    rows_arguments,
    rows_bodies,
    rows_compiled,
    rows_composition,
    rows_failures,
    rows_first,
    rows_values,
)
from table.doors import DOORS
from table.published import ROWS as PUBLISHED
from table.record import ROWS, classify

ROOT = Path(__file__).resolve().parents[2]
marked = functools.cache(classify)


def test_every_row_is_asked():
    assert sorted(ROWS) == sorted(PUBLISHED) == list(range(1, 115))


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize("number", sorted(ROWS), ids=lambda number: f"row{number}")
def test_row(number, door):
    """What is neither right nor a clear error nor lacking raises, and fails."""
    mark = marked(number, door)
    title, _ = PUBLISHED[number]
    assert mark.letter in ("W", "E", "u"), title
    assert mark.letter == "W" or mark.reason, title


def test_the_page_is_what_was_found():
    """Writes the page; where nobody would see the change, an old page is a failure."""
    file = ROOT / "docs" / "custom_rules_table.md"
    if not file.parent.exists():
        pytest.skip("not a checkout")
    found = page.render(DOORS, {(n, door.name): marked(n, door) for n in sorted(ROWS) for door in DOORS})
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if before == found:
        return
    assert os.environ.get("CI") != "true", "the page is old: run this test without CI, and commit the page"
    file.write_text(found, encoding="utf-8")
