"""Pages of the documentation that tests write, a section by each."""

import os
from pathlib import Path

import pytest

API = Path(__file__).resolve().parents[2] / "docs" / "api_coverage.md"


def sections(file):
    """Text by heading of the second level; what is before the first of them is by `""`."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    parts = text.split("\n## ")
    return {"": parts[0]} | {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts[1:]}
