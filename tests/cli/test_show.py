"""`graphc show`: the forms of a graph, the user's names in a derivative, and what is refused."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from graphc.cli import main

MODEL = """\
import graphc as gx

x = gx.input("x", ("n", 3))
t = gx.input("t", ("n",))
w = gx.param("w", [0.1, 0.2, 0.3])
a = x @ w
error = a - t
squares = error * error
loss = gx.mean(squares)
rate = 0.5
dw = gx.grad(loss, w)
step = gx.compile([x, t], loss, updates={w: w - rate * dw}, target="python")
"""


@pytest.fixture(autouse=True)
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL, "utf-8")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["show", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["show", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_graph_in_the_names_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Each node that the file names has a line under that name, with shape and place."""
    lines = shown(capsys, "model.py:loss").splitlines()
    assert lines[0].startswith("loss of model.py: a graph of ")
    rows = {" ".join(line.split()) for line in lines}
    assert "1 a = x @ w (n,) model.py:6" in rows
    assert "2 error = a - t (n,) model.py:7" in rows
    assert "4 loss = mean(squares) () model.py:9" in rows
    assert "w: parameter (3,) model.py:5" in rows


def test_only_what_the_node_depends_on_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A question about an early node is not answered with the whole model."""
    text = shown(capsys, "model.py:a")
    assert "a = x @ w" in text
    assert "error" not in text


def test_the_derivative_is_simplified_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    """As a lecturer writes it, in the file's names, counted before and after rewriting."""
    text = shown(capsys, "model.py:loss", "--wrt", "w")
    assert "∂loss/∂w = 2 * xᵀ @ error / n" in text
    heading = text.splitlines()[0].split()
    after, before = int(heading[heading.index("of", 3) + 1]), int(heading[-4])
    assert 0 < after < before


def test_a_node_can_be_simplified_without_a_derivative(capsys: pytest.CaptureFixture[str]) -> None:
    """The gradient that the file made is rewritten on request only."""
    assert "dw = 2 * xᵀ @ error / n" not in shown(capsys, "model.py:dw")
    assert "dw = 2 * xᵀ @ error / n" in shown(capsys, "model.py:dw", "--simplify")


def test_latex(capsys: pytest.CaptureFixture[str]) -> None:
    """The derivative under a name that LaTeX can set."""
    text = shown(capsys, "model.py:loss", "--wrt", "w", "--latex")
    assert text.startswith("\\begin{aligned}\n")
    assert "\\mathrm{d}w &= " in text
    assert "∂" not in text


def test_dot(capsys: pytest.CaptureFixture[str]) -> None:
    """Graphviz's language, and nothing around it."""
    text = shown(capsys, "model.py:loss", "--dot")
    assert text.startswith("digraph ")
    assert text.endswith("}\n")
    assert "matmul" in text


def test_a_page_with_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """One file that needs no other, with the listing and the graph as a well-formed SVG."""
    text = shown(capsys, "model.py:loss", "--wrt", "w", "--html", "page.html")
    assert text == "written to page.html\n"
    page = Path("page.html").read_text("utf-8")
    assert "∂loss/∂w = 2 * xᵀ @ error / n" in page
    assert "http://" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "<script" not in page
    picture = page[page.index("<svg") : page.index("</svg>") + len("</svg>")]
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert [path.name for path in Path().iterdir() if "tmp" in path.name] == []


def test_hostile_names_stay_text_in_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    """A name can be any text; in a page it is never markup."""
    name = "</pre><script>alert(1)</script>"
    Path("model.py").write_text(
        f"import graphc as gx\nx = gx.input({name!r})\nlong = gx.tanh(x) + x\ny = gx.exp(long)\n"
    )
    shown(capsys, "model.py:y", "--html", "page.html")
    assert "<script" not in Path("page.html").read_text("utf-8")


def test_a_page_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason, not a traceback."""
    text = refused(capsys, "model.py:loss", "--html", "absent/page.html")
    assert "absent/page.html: cannot be written: No such file or directory" in text


def test_a_declaration(capsys: pytest.CaptureFixture[str]) -> None:
    """An input has no graph; its type and its line are what there is to say."""
    text = shown(capsys, "model.py:x")
    assert text.splitlines()[0] == "x of model.py: input float32 (n, 3), model.py:3"


def test_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    """A compiled function shows the graph that it was compiled from, with its updates."""
    text = shown(capsys, "model.py:step")
    assert "w' = " in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.py:rate"], "expected 'rate' to be a node, got an object of type float"),
        (
            ["model.py:los"],
            "did you mean 'loss'? Nodes in model.py: x, t, w, a, error, squares,",
        ),
        (["model.py:loss", "--wrt", "v"], "model.py has no 'v'"),
        (["model.py:step", "--wrt", "w"], "'step' is a compiled function"),
        (["model.py:a", "--wrt", "w"], "grad: expected a scalar, got shape (n,)"),
        (["model.py:loss", "--wrt", "step"], "expected 'step' to be a node, got an object of type"),
    ],
)
def test_what_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on standard error that names what is wrong, and points at no line of ours."""
    text = refused(capsys, *arguments)
    assert said in text
    assert text.startswith("graphc show: error: ")
    assert text.count("\n") == 1
    assert "Written at" not in text
