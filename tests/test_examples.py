"""Every program in `examples/` runs, says something, and finds no value that it did not expect."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.count("\n") > 5


def test_there_are_examples():
    if not EXAMPLES:
        pytest.skip("not a checkout")
    assert len(EXAMPLES) >= 5
