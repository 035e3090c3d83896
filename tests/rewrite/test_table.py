"""The page of rules is that of the table: what a user reads is what the engine does."""

from __future__ import annotations

import doctest
import os
from pathlib import Path

import pytest

from graphc.errors import VerificationError
from graphc.rewrite.engine import PHASES, RULES
from graphc.rewrite.pattern import text
from graphc.rewrite.stabilize import exp, log, x
from graphc.rewrite.table import page_text, table_text

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rewriting.md"


def test_page_is_current() -> None:
    """The page lists the rules as they are; `GRAPHC_UPDATE_DOCS=1` writes it."""
    written = PAGE.read_text(encoding="utf-8")
    if os.environ.get("GRAPHC_UPDATE_DOCS") == "1":
        PAGE.write_text(page_text(written), encoding="utf-8")
    else:
        assert page_text(written) == written, "GRAPHC_UPDATE_DOCS=1 pytest tests/rewrite writes it"
    with pytest.raises(VerificationError, match="expected a page"):
        page_text("no marks")


def test_examples_of_the_page() -> None:
    """What the page shows is what is printed."""
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 5
    assert result.failed == 0


def test_table_shows_every_rule_once() -> None:
    """Each rule has its row, in the section of its phase."""
    lines = table_text().splitlines()
    for rule in RULES:
        (row,) = [line for line in lines if line.startswith(f"| `{rule.name}` ")]
        section = lines[: lines.index(row)]
        assert [line for line in section if line.startswith("### ")][-1] == f"### {rule.phase}"
    assert [line[4:] for line in lines if line.startswith("### ")] == list(PHASES)


def test_patterns_are_written_as_mathematics() -> None:
    """Parentheses where they are needed and nowhere else."""
    assert text(log(1 + exp(-x))) == "log(1 + exp(-x))"
    assert text(-(x * (x - 1)) / x) == "(-x * (x - 1)) / x"
