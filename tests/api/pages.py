"""The page of what there is of MLX: its first part, and the table of calls, are written by a test each."""

import os
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "docs" / "api_coverage.md"
HEADING = "\n## What holds of each\n"


def parts():
    """The first part, and the table of calls without its heading."""
    text = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    first, _, table = text.partition(HEADING)
    return [first, table]


def write(i, text):
    """Writes one of the parts; where nobody would see the change, an old one is a failure."""
    if not FILE.parent.exists():
        pytest.skip("not a checkout")
    before = parts()
    if before[i] == text:
        return
    assert os.environ.get("CI") != "true", "the page is old: run this file without CI, and commit the page"
    before[i] = text
    FILE.write_text(HEADING.join(before), encoding="utf-8")
