"""The documents keep their word: Python blocks run in order, one namespace per file; links lead somewhere."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")
# Pages whose blocks need one.
ON_GPU = {"wgsl_kernel.md"}
INSTALLED = importlib.util.find_spec("pullback") is not None


def blocks(page: Path) -> list[tuple[int, str]]:
    """The Python blocks of a page, and the lines they start at."""
    text = page.read_text(encoding="utf-8")
    return [(text[: match.start(1)].count("\n"), match[1]) for match in BLOCK.finditer(text)]


def needs_package(code: str) -> bool:
    """Whether a block speaks of pullback."""
    return re.search(r"\bimport pullback\b|\bfrom pullback\b|\bpb\.", code) is not None


def run(page: Path, chosen: list[tuple[int, str]]) -> None:
    """Runs blocks; a traceback names the page and the line."""
    namespace = {"__name__": page.stem}
    for line, code in chosen:
        exec(compile("\n" * line + code, str(page), "exec"), namespace)


PAGES_WITH_CODE = [page for page in PAGES if page.exists() and blocks(page)]


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.name)
def test_page_runs(page):
    chosen = [(line, code) for line, code in blocks(page) if INSTALLED or not needs_package(code)]
    if not chosen:
        pytest.skip("every block needs pullback, which is not installed")
    if page.name in ON_GPU:
        import pullback as pb

        if not pb.is_available(pb.gpu):
            pytest.skip("no gpu here")
    run(page, chosen)


def test_no_block_was_left_out():
    if not INSTALLED:
        left = sum(needs_package(code) for page in PAGES_WITH_CODE for _, code in blocks(page))
        pytest.skip(f"{left} blocks need pullback, which is not installed")
    assert {"README.md", "custom_rules.md", "from_scratch.md"} <= {page.name for page in PAGES_WITH_CODE}


def anchor(heading: str) -> str:
    """What leads to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda page: page.name)
def test_anchors_lead_to_headings(page):
    text = page.read_text(encoding="utf-8")
    headings = {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target} is not there"
