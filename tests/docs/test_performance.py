"""docs/performance.md: its program runs, and its kernel is the one that is compiled today."""

from __future__ import annotations

from pathlib import Path

from tests.docs.page import (
    ROOT,
    broken_links,
    check_outputs,
    examples,
    run_together,
    too_wide,
    unknown_names,
)

PAGE = ROOT / "docs" / "performance.md"


def test_the_page_shows_what_its_code_prints(tmp_path: Path) -> None:
    """Every block of code runs, in order; outputs are compared but for those of one machine."""
    codes = [example.code.text for example in examples(PAGE.read_text("utf-8"))]
    assert len(codes) >= 7
    check_outputs(PAGE, run_together(codes, tmp_path, "model.py"))


def test_the_page_speaks_of_what_there_is() -> None:
    """No line is wider than a page, every name is in the package, and links lead somewhere."""
    text = PAGE.read_text("utf-8")
    assert not too_wide(text)
    assert not unknown_names(text)
    assert not broken_links(PAGE)
