"""How much of MLX's names there is: the list, and the page that tells of it."""

import inspect
import pickle

import pages
import pullback as pb
import pytest
from names import ELSEWHERE, NAMES

LINE = 110


def room(module):
    """What has the names of a module of MLX; `None` where there is nothing yet."""
    return getattr(pb, module, None) if module else pb


def missing(module):
    here = room(module)
    return [name for name in NAMES[module] if here is None or not hasattr(here, name)]


def wrapped(names):
    """Names as code, in lines that are not too long."""
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > LINE:
            lines.append("")
        lines[-1] += f"`{name}` "
    return [line.strip() for line in lines]


def page():
    lines = [
        "# Names of MLX",
        "",
        "This part is written by `tests/api/test_coverage.py`, asking for all names of `mlx.core` 0.32.4.",
        "It says what is there; what each of them does is asked below.",
        "",
        "| module | names | here | lacking | of no meaning here |",
        "|---|---|---|---|---|",
    ]
    for module, names in NAMES.items():
        lacking = missing(module)
        aside = sum(name in ELSEWHERE for name in lacking)
        title = f"mlx.core.{module}".rstrip(".")
        here, rest = len(names) - len(lacking), len(lacking) - aside
        lines.append(f"| `{title}` | {len(names)} | {here} | {rest} | {aside} |")
    for module in NAMES:
        lacking = [name for name in missing(module) if name not in ELSEWHERE]
        if lacking:
            lines += ["", f"## Lacking in {f'mlx.core.{module}'.rstrip('.')}", "", *wrapped(lacking)]
    reasons = [f"- `{name}`: {why}" for name, why in ELSEWHERE.items()]
    return "\n".join([*lines, "", "## Of no meaning here", "", *reasons]) + "\n"


def test_each_name_is_listed_once():
    for module, names in NAMES.items():
        assert len(set(names)) == len(names), module
    assert ELSEWHERE.keys() <= {name for names in NAMES.values() for name in names}


@pytest.mark.parametrize("module", NAMES)
def test_what_is_there_can_be_found_from_the_package(module):
    """By attribute, and by `from pullback import *` or `dir`."""
    here = room(module)
    if here is None:
        pytest.skip("nothing yet")
    there = [name for name in NAMES[module] if hasattr(here, name)]
    assert set(there) <= set(dir(here))
    if not module:
        assert set(there) <= set(pb.__all__)


@pytest.mark.parametrize("module", ["random", "linalg", "fft", "fast"])
def test_functions_of_modules_are_pickled_by_name(module):
    here = room(module)
    found = [member for name in dir(here) if inspect.isbuiltin(member := getattr(here, name))]
    assert found and all(pickle.loads(pickle.dumps(member)) is member for member in found)


def test_the_page_is_what_was_found():
    pages.write(0, page())
