"""`graphc source`: the emitted code of a node and of a function."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import graphc as gx
from graphc.cli import main
from graphc.cli.user_file import run_file

MODEL = """\
import numpy as np
import graphc as gx

x = gx.input("x", ("n", 3))
w = gx.param("w", np.ones(3, np.float32))
y = gx.tanh(x @ w)
loss = gx.mean(y * y)
step = gx.compile([x], loss, updates={w: w - 0.1 * gx.grad(loss, w)})
"""


@pytest.fixture(autouse=True)
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL, "utf-8")


def source(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["source", *arguments]) == 0
    return capsys.readouterr().out


def test_the_source_of_a_function_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """What `Function.source()` gives, to the letter."""
    expected = run_file("model.py").names["step"].source()
    assert source(capsys, "model.py:step") == expected


def test_a_node_has_the_source_of_the_native_target(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not compiled for this, and yet it is what would be compiled."""
    text = source(capsys, "model.py:y")
    file = run_file("model.py")
    assert text == gx.compile(file.nodes["x"], file.nodes["y"]).source()
    assert "tanh" in text


def test_the_source_is_python_that_names_the_users_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It parses, and points back at the file."""
    text = source(capsys, "model.py:loss", "--wrt", "w")
    assert any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(text)))
    assert "# model.py:6" in text


def test_what_is_no_node_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """As `graphc show` does."""
    assert main(["source", "model.py:np"]) == 2
    assert "expected 'np' to be a node" in capsys.readouterr().err


def test_what_the_steps_cost(capsys: pytest.CaptureFixture[str]) -> None:
    """`--explain` with sizes adds the table as comments, so that the whole is Python still."""
    for name in ("step", "y"):
        text = source(capsys, f"model.py:{name}", "--explain", "n=128")
        ast.parse(text)
        table = text[text.index("# <Function") :]
        assert "# " in table
        assert all(line.startswith("#") for line in table.splitlines())
        assert "sizes: n = 128" in table
        assert "matrix product C = (n, 3) @ (3, 1)" in table


@pytest.mark.parametrize(
    ("sizes", "message"),
    [([], "'n' is missing"), (["n"], "such as n=128"), (["n=-1"], "such as n=128"),
     (["n=1", "k=2"], "got 'k'")],
)  # fmt: skip
def test_sizes_that_do_not_fit(
    capsys: pytest.CaptureFixture[str], sizes: list[str], message: str
) -> None:
    """What was expected, on standard error."""
    assert main(["source", "model.py:y", "--explain", *sizes]) == 2
    assert message in capsys.readouterr().err
