"""docs/tour.md: one model at every stage, as the code prints it today."""

from __future__ import annotations

from pathlib import Path

from tests.docs.page import ROOT, broken_links, check_outputs, examples, run_together, too_wide

PAGE = ROOT / "docs" / "tour.md"


def test_the_tour_shows_what_its_code_prints(tmp_path: Path) -> None:
    """Every block of code runs, in order, and every output on the page is the one it prints."""
    codes = [example.code.text for example in examples(PAGE.read_text("utf-8"))]
    assert len(codes) > 10
    check_outputs(PAGE, run_together(codes, tmp_path, "tour.py"))


def test_the_tour_fits_its_page() -> None:
    """No line of code or output is wider than a page, and the links lead somewhere."""
    assert not too_wide(PAGE.read_text("utf-8"))
    assert not broken_links(PAGE)
