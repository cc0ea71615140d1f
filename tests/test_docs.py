"""The examples in docstrings, the stubs, the demo."""

import doctest
import importlib
import pathlib
import subprocess
import sys

import pullback as pb
import pytest

ROOT = pathlib.Path(__file__).parents[1]
OBJECTS = [(name, getattr(pb, name)) for name in sorted(set(pb.__all__)) if not name.startswith("_")]
for room in ("fast", "fft", "linalg", "random"):
    module = getattr(pb, room)
    OBJECTS += [(f"{room}.{name}", getattr(module, name)) for name in dir(module) if not name.startswith("_")]
OBJECTS += [
    (f"array.{name}", member)
    for name, member in sorted(vars(pb.array).items())
    if getattr(member, "__doc__", None)
]
OBJECTS += [("pullback", pb), ("testing", importlib.import_module("pullback.testing"))]
OBJECTS += [(f"testing.{name}", getattr(OBJECTS[-1][1], name)) for name in OBJECTS[-1][1].__all__]
for module in (pb.tree, pb.utils, pb.debug):
    short = module.__name__.split(".")[-1]
    OBJECTS += [(short, module)]
    OBJECTS += [(f"{short}.{name}", getattr(module, name)) for name in module.__all__]
OBJECTS += [(f"debug.Graph.{name}", getattr(pb.debug.Graph, name)) for name in ("nodes", "svg", "html")]
TEXTS = {
    name: doc
    for name, member in OBJECTS
    if isinstance(doc := getattr(member, "__doc__", None), str) and ">>>" in doc
}


@pytest.mark.parametrize("name", TEXTS)
def test_example(name):
    space = {
        "pb": pb,
        **{k: v for k, v in vars(importlib.import_module("pullback.testing")).items() if k[0] != "_"},
    }
    test = doctest.DocTestParser().get_doctest(TEXTS[name], space, name, None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    said = []
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


def test_everything_public_has_a_text():
    missing = [name for name, member in OBJECTS if callable(member) and not (member.__doc__ or "").strip()]
    assert not missing


def test_stubs_are_fresh():
    script = ROOT / "crates" / "py" / "stubs.py"
    if not script.exists():
        pytest.skip("not a checkout")
    result = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_demo_runs():
    result = subprocess.run(
        [sys.executable, "-m", "pullback", "demo", "--device", "cpu"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "held-out" in result.stdout


def test_info_runs():
    result = subprocess.run([sys.executable, "-m", "pullback", "info"], capture_output=True, text=True)
    assert result.returncode == 0 and "cpu" in result.stdout
