"""README.md: what it claims is so."""

from __future__ import annotations

import re
from pathlib import Path

import graphc
from graphc import config
from tests.docs.page import (
    ROOT,
    broken_links,
    check_outputs,
    examples,
    run_together,
    too_wide,
    unknown_names,
)

PAGE = ROOT / "README.md"
TEXT = PAGE.read_text("utf-8")
COMMAND = "python3 -m venv .venv && . .venv/bin/activate && pip install "


def words(text: str) -> set[str]:
    """What is written as code."""
    return set(re.findall(r"`(\w+)`", text))


def test_the_readme_shows_what_its_code_prints(tmp_path: Path) -> None:
    """The code of the README runs, as one program, and prints what is shown."""
    codes = [example.code.text for example in examples(TEXT)]
    assert len(codes) >= 3
    check_outputs(PAGE, run_together(codes, tmp_path, "model.py"))


def test_the_first_example_is_short() -> None:
    """The promise of its heading."""
    lines = examples(TEXT)[0].code.text.splitlines()
    assert sum(bool(line) for line in lines) == 15


def test_the_readme_lists_all_operations() -> None:
    """Exactly the public operations, so that nobody looks for one that is not there."""
    (listed,) = re.findall(r"^((?:> .*\n)+)", TEXT, re.M)
    public = {name for name in graphc.ops.__all__ if name not in ("linalg", "random", "training")}
    assert words(listed) == public


def test_the_readme_lists_all_settings() -> None:
    """Every environment variable that graphc reads."""
    read = set(re.findall(r"GRAPHC_\w+", Path(config.__file__).read_text("utf-8")))
    listed = set(re.findall(r"^\| `(GRAPHC_\w+)` \|", TEXT, re.M))
    assert listed == read


def test_the_readme_names_what_exists() -> None:
    """Names of the package, and links, lead somewhere; no line of code is too wide."""
    assert not unknown_names(TEXT)
    assert not broken_links(PAGE)
    assert not too_wide(TEXT)


def test_the_commands_are_there() -> None:
    """Two lines to copy."""
    lines = TEXT.splitlines()
    assert f"{COMMAND}. && graphc train" in lines
    assert f'{COMMAND}".[test]" && pytest -n auto' in lines
