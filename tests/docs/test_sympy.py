"""docs/sympy.md: every example runs, and the page shows what it prints."""

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

PAGE = ROOT / "docs" / "sympy.md"


def test_the_page_shows_what_its_code_prints(tmp_path: Path) -> None:
    """Every block of code runs, in order, and every output on the page is the one it prints."""
    codes = [example.code.text for example in examples(PAGE.read_text("utf-8"))]
    assert len(codes) > 6
    check_outputs(PAGE, run_together(codes, tmp_path, "sympy_page.py"))


def test_the_page_is_sound() -> None:
    """No line is wider than a page, every name exists, and the links lead somewhere."""
    text = PAGE.read_text("utf-8")
    assert not too_wide(text)
    assert not unknown_names(text)
    assert not broken_links(PAGE)
