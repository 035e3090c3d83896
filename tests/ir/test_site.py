"""Sites: the user's own line, in a file or a notebook cell, beside the node."""

from __future__ import annotations

import linecache
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.site import SITES_KEPT, Site, at_user_line, inherit_sites, user_sites


def _line() -> int:
    """The line that calls this."""
    return sys._getframe(1).f_lineno


def test_a_node_knows_its_file_and_line() -> None:
    """The innermost frame outside graphc is the user's."""
    x, line = gx.input("x"), _line()
    assert x.sites == (Site(__file__, line),)
    y, line = gx.exp(x), _line()
    assert [(site.filename, site.line) for site in y.sites] == [(__file__, line)]
    assert y.sites[0].text.startswith("y, line = gx.exp(x)")
    assert str(y.sites[0]).endswith(f"test_site.py:{line}")


def test_lines_that_build_the_same_node_are_all_kept() -> None:
    """Up to a few: the first lines, each once."""
    x = gx.input("x")
    lines = []
    nodes = []
    for _ in range(2):
        nodes.append(gx.cos(x) * 17)
        lines.append(_line() - 1)
    nodes.append(gx.cos(x) * 17)
    nodes.append(gx.cos(x) * 17)
    nodes.append(gx.cos(x) * 17)
    assert all(node is nodes[0] for node in nodes)
    found = [site.line for site in nodes[0].sites]
    assert len(found) == SITES_KEPT == 3
    assert found[0] == lines[0]
    assert len(set(found)) == 3


def test_derivatives_belong_to_the_lines_they_derive_from() -> None:
    """The gradient of a line is found at that line, not where `grad` was called."""
    x = gx.input("x")
    y, line = gx.sin(x), _line()
    gradient = gx.grad(y, x)
    assert gradient.sites[0].line == line


def test_a_call_that_does_not_fit_shows_the_signature() -> None:
    """At the user's line, as an error of graphc; a TypeError of another kind stays what it is."""

    @at_user_line
    def scaled(x: float, factor: float = 2.0) -> float:
        return x * factor

    for call in (lambda: scaled(), lambda: scaled(1.0, 2.0, 3.0), lambda: scaled(1.0, by=2.0)):
        with pytest.raises(ArgumentError, match=r"scaled\(x, factor=2.0\). Written at .*test_site"):
            call()
    with pytest.raises(TypeError, match="unsupported operand") as caught:
        scaled(None)  # type: ignore[arg-type]
    assert not isinstance(caught.value, ArgumentError)


def test_inherited_sites_end_with_their_block() -> None:
    """Also when the block raises."""
    place = Site("elsewhere.py", 7)
    with inherit_sites((place,)):
        assert gx.input("x").sites == (place,)
    with pytest.raises(ZeroDivisionError), inherit_sites((place,)):
        _ = 1 / 0
    assert gx.input("x").sites != (place,)
    assert user_sites()[0].filename == __file__


def test_a_path_is_shown_relative_only_below_here(tmp_path: Path) -> None:
    """A file somewhere else keeps its whole path."""
    assert str(Site(str(Path.cwd() / "models" / "mlp.py"), 3)) == "models/mlp.py:3"
    assert str(Site(str(tmp_path / "mlp.py"), 3)) == f"{tmp_path / 'mlp.py'}:3"


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A stand-in for IPython whose fourth cell has a file name as ipykernel makes them."""
    filename = "/tmp/ipykernel_77/123456.py"
    source = "import graphc as gx\nx = gx.input('x', (2,))\ny = x @ gx.input('W', (3, 2))\n"
    shell = types.SimpleNamespace(compile=types.SimpleNamespace(_filename_map={filename: 4}))
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", module)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    yield filename
    del linecache.cache[filename]


def test_a_notebook_cell_is_named_by_its_number(notebook: str) -> None:
    """An error in a cell points at the cell and its line."""
    code = compile("".join(linecache.getlines(notebook)), notebook, "exec")
    with pytest.raises(ShapeError, match=r"Written at notebook cell \[4\], line 3") as caught:
        exec(code, {})
    assert "inner dimensions differ" in str(caught.value)
    assert Site(notebook, 2).text == "x = gx.input('x', (2,))"


def test_old_cells_carry_their_number_in_their_name() -> None:
    """As IPython named them before; an unknown kernel's cell is at least called a cell."""
    assert str(Site("<ipython-input-12-0123abcd>", 2)) == "notebook cell [12], line 2"
    assert str(Site("/tmp/ipykernel_1/9.py", 2)) == "notebook cell [?], line 2"


def test_a_file_that_is_gone_has_no_text() -> None:
    """Where the source cannot be had, the line number alone is shown."""
    assert Site("/nowhere/at/all.py", 3).text == ""
