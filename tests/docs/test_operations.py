"""docs/operations.md: what the registry says today, and nothing left out."""

from __future__ import annotations

import os
from pathlib import Path

import graphc as gx
from graphc.ir.op import REGISTRY
from graphc.ops.elementwise import ElementwiseOp
from tests.docs import operations
from tests.docs.operation_examples import example
from tests.docs.operations import BUILT_IN, END, START, page_text
from tests.docs.page import (
    ROOT,
    broken_links,
    check_outputs,
    examples,
    run_together,
    too_wide,
    unknown_names,
)

PAGE = ROOT / "docs" / "operations.md"


def test_the_page_is_current() -> None:
    """The page lists the operations as they are; `GRAPHC_UPDATE_DOCS=1` writes it."""
    written = PAGE.read_text("utf-8")
    if os.environ.get("GRAPHC_UPDATE_DOCS") == "1":
        PAGE.write_text(page_text(written), "utf-8")
    else:
        assert page_text(written) == written, "GRAPHC_UPDATE_DOCS=1 pytest tests/docs writes it"


def test_every_operation_is_there() -> None:
    """All that is public and all that is registered has its row."""
    text = PAGE.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    heads = [row[3 : row.index("`", 3)] for row in rows]
    named = {head.partition("(")[0].removeprefix("gx.") for head in heads}
    assert set(gx.ops.__all__) - named == set()
    aliases = {
        op.name
        for name in gx.ops.__all__
        if isinstance(op := getattr(getattr(gx, name), "__wrapped__", None), ElementwiseOp)
    }
    assert set(BUILT_IN) - named - aliases == set()


def test_rows_fit_their_tables() -> None:
    """No cell breaks its row: a table has the same number of cells in each."""
    for table in PAGE.read_text("utf-8").split("\n\n"):
        rows = [line for line in table.splitlines() if line.startswith("|")]
        cells = {row.replace(r"\|", "").count("|") for row in rows}
        assert len(cells) <= 1, rows[:3]
        assert all(row.count("$") % 2 == 0 for row in rows)


def test_the_example_prints_what_is_shown(tmp_path: Path) -> None:
    """The report of accuracy, but for its figures, which depend on NumPy's."""
    codes = [example.code.text for example in examples(PAGE.read_text("utf-8"))]
    check_outputs(PAGE, run_together(codes, tmp_path, "model.py"))


def test_links_and_names() -> None:
    """What the page points to exists, and its code needs no scrolling."""
    assert not too_wide(PAGE.read_text("utf-8"))
    assert not broken_links(PAGE)
    assert not unknown_names(PAGE.read_text("utf-8"))


def test_a_changed_definition_changes_the_page() -> None:
    """A page that is out of date is not taken for current."""
    page = f"intro\n{START}\nout of date\n{END}\nrest\n"
    text = page_text(page)
    assert text.startswith("intro\n")
    assert text.endswith("rest\n")
    assert "out of date" not in text
    assert page_text(text) == text


def test_gradients_are_those_of_the_registry() -> None:
    """A row shows what the operation itself says."""
    node = example("transpose")
    assert node is not None
    assert operations._gradients(REGISTRY["transpose"], node) == "`x`: `gᵀ`"
    tanh = REGISTRY["tanh"]
    assert isinstance(tanh, ElementwiseOp)
    x = gx.input("x")
    assert (
        operations._derivatives(tanh, tanh(x))
        == rf"${gx.latex(gx.simplify(1 - gx.square(tanh(x))))}$"
    )
