"""docs/errors.md: every class of error, and messages as the code gives them today."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from graphc import errors
from tests.docs.page import (
    ROOT,
    broken_links,
    check_outputs,
    examples,
    run_apart,
    too_wide,
    unknown_names,
)

PAGE = ROOT / "docs" / "errors.md"
CLASSES = dict(inspect.getmembers(errors, inspect.isclass))
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.M | re.S))


def test_the_page_shows_the_messages(tmp_path: Path) -> None:
    """Each program on the page ends with the error shown below it."""
    codes = [example.code.text for example in examples(PAGE.read_text("utf-8"))]
    check_outputs(PAGE, run_apart(codes, tmp_path, "model.py"))


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_has_its_section(name: str) -> None:
    """Each class is explained, with the built-in exception that it also is; most by an example."""
    section = SECTIONS[name]
    builtin = [base for base in CLASSES[name].__bases__ if base.__module__ == "builtins"]
    assert all(f"`{base.__name__}`" in section for base in builtin if base is not Exception)
    shown = [example.shown for example in examples(section)]
    assert all(text.startswith(tuple(CLASSES)) for text in shown)
    # What is raised is more particular; LAPACK converges for every matrix that is known.
    if name not in ("GraphcError", "ExecutionError", "ConvergenceError"):
        assert any(text.startswith(f"{name}: ") for text in shown)


def test_the_page_fits() -> None:
    """No line is wider than a page; links, also those inside the page, lead somewhere."""
    text = PAGE.read_text("utf-8")
    assert not too_wide(text)
    assert not broken_links(PAGE)
    headings = {h.lower() for h in re.findall(r"^#+ ([\w-]+)$", text, re.M)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings


def test_remedies_name_what_exists() -> None:
    """Messages and remedies never point to a function that graphc does not have."""
    assert not unknown_names(PAGE.read_text("utf-8"))
