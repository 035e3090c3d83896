"""docs/decisions: numbered pages of one form, all in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.page import ROOT, broken_links

FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_has_its_parts(page: Path) -> None:
    """Its number, what the situation was, what was decided, what follows; links lead somewhere."""
    text = page.read_text("utf-8")
    assert text.startswith(f"# {page.name[:4]}: ")
    parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.M)
    assert parts == ["Context", "Decision", "Consequences"]
    assert not broken_links(page)


def test_the_decisions_are_numbered_and_listed() -> None:
    """No number is missing or taken twice, and the index has every title."""
    assert [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))
    titles = [page.read_text("utf-8").split("\n")[0].removeprefix("# ") for page in PAGES]
    entries = [f"- [{title}]({page.name})" for title, page in zip(titles, PAGES, strict=True)]
    assert entries == re.findall(r"^- .*$", INDEX.read_text("utf-8"), re.M)
    assert not broken_links(INDEX)


def test_files_named_in_decisions_exist() -> None:
    """A decision that points to a file points to one that is there."""
    texts = "".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"`(graphc/[\w/.]+)`", texts))
    gone = {"graphc/compile.py", "graphc/function.py"}  # of which a decision tells why
    assert sorted(name for name in named - gone if not (ROOT / name).exists()) == []
