"""docs/add-an-op.md: doing what it says, on a copy of the package, gives what it shows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.docs.page import ROOT, broken_links, check_outputs, examples, run_together, too_wide

PAGE = ROOT / "docs" / "add-an-op.md"


def test_the_page_adds_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that begin with a file's name are added to that file; the others run and print."""
    shutil.copytree(ROOT / "graphc", tmp_path / "graphc")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    codes = [example.code.text for example in examples(PAGE.read_text("utf-8"))]
    added = [code for code in codes if code.startswith("# graphc/")]
    assert len(added) == 5
    for code in added:
        first, _, rest = code.partition("\n")
        path = tmp_path / first.removeprefix("# ")
        path.write_text(_with_import(path.read_text("utf-8"), rest) + "\n\n" + rest, "utf-8")
    printed = iter(run_together([c for c in codes if c not in added], tmp_path, "model.py"))
    check_outputs(PAGE, ["" if code in added else next(printed) for code in codes])


def _with_import(source: str, code: str) -> str:
    """The source with the import that the page asks for in its text, where the code needs it."""
    line = "from graphc.ops.source import size"
    assert f"`{line}`" in PAGE.read_text("utf-8")
    if " size(" not in code or re.search(
        r"^from graphc.ops.source import .*\bsize\b", source, re.M
    ):
        return source
    return source.replace("\nimport numpy as np\n", f"\nimport numpy as np\n{line}\n")


def test_the_page_fits() -> None:
    """No line of code or output is wider than a page, and the links lead somewhere."""
    assert not too_wide(PAGE.read_text("utf-8"))
    assert not broken_links(PAGE)
