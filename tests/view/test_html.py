"""Pictures in notebooks: well-formed, escaped, complete, and bounded."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.view.html import picture_html, repr_html
from graphc.view.picture import MOST_DRAWN, draw

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\n</svg>&amp;'
SVG = "{http://www.w3.org/2000/svg}"


def picture(node: Node, names: dict[Node, str] | None = None) -> ElementTree.Element:
    """The picture of a node, read as XML."""
    return ElementTree.fromstring(draw([("", node)], names or {}).svg)


def labels(svg: ElementTree.Element) -> list[str]:
    """The large texts of a picture, in the order in which boxes are drawn."""
    return [text.text or "" for text in svg.iter(f"{SVG}text") if text.get("font-size") == "13"]


def test_boxes_edges_and_tooltips() -> None:
    """One box a node, one line an edge, and what a reader may ask of a node."""
    x, y = gx.input("x", ("n", 3)), gx.input("y", (3,))
    svg = picture(gx.tanh(x) + y)
    assert labels(svg) == ["x", "tanh", "y", "+"]
    titles = [title.text or "" for title in svg.iter(f"{SVG}title")]
    assert titles[1].startswith("tanh: float32 (n, 3)\n")
    assert "test_html.py:" in titles[1]
    assert "svg = picture(gx.tanh(x) + y)" in titles[1]
    assert len(list(svg.iter(f"{SVG}path"))) == 2 * 3, "a line and an arrow for each edge"


def test_scalars_are_written_into_what_takes_them() -> None:
    """Numbers and sizes are no boxes of their own, unless they are the result."""
    x = gx.input("x", ("n", 3))
    assert labels(picture(0.5 * x > 1)) == ["x", "0.5 × •", "• > 1"]
    rows = gx.sum(gx.square(x), axis=1)
    assert labels(picture(gx.grad(gx.mean(rows), x))) == ["x", "2 × •", "• / n"]
    assert labels(picture(gx.const(3.0))) == ["3"]


@pytest.mark.parametrize(
    ("node", "label"),
    [
        (gx.sum(gx.input("M", (2, 3)), axis=0), "sum axis=0"),
        (gx.input("M", (2, 3)) @ gx.input("v", (3, 2)), "@"),
        (gx.transpose(gx.input("M", (2, 3))), "transpose"),
        (gx.square(gx.input("a")), "•²"),
        (-gx.input("a"), "-•"),
        (gx.softmax_cross_entropy(gx.input("z", (2, 3)), gx.input("t", (2,), "int32")),
         "cross_entropy(softmax(•), •)"),
        (gx.input("a") / gx.input("b"), "÷"),
        (gx.slogdet(gx.input("M", (2, 2))), "slogdet"),
    ],
)  # fmt: skip
def test_labels(node: Node, label: str) -> None:
    """A sign where there is one, else a name."""
    assert labels(picture(node))[-1] == label


def test_leaves_with_many_uses_are_copied() -> None:
    """Instead of a bundle of long lines."""
    x = gx.input("x")
    y = x
    for _ in range(6):
        y = gx.sin(y) * x
    assert labels(picture(y)).count("x") == 7
    assert labels(picture(gx.sin(x) * x)).count("x") == 1


class _Tags(HTMLParser):
    """The tags of a page, as a browser sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_hostile_names_stay_text() -> None:
    """Names, in boxes, tooltips and formulas, bring neither tags nor attributes."""
    harmless, hostile = _Tags(), _Tags()
    for name, page in (("x", harmless), (HOSTILE, hostile)):
        W = gx.param(name, np.ones((2, 2)))
        page.feed(picture_html({name: W @ W}, {name + "2": W}))
        page.feed(repr_html(W * gx.input(name)))
    assert hostile.tags == harmless.tags
    assert hostile.attributes == harmless.attributes
    ElementTree.fromstring(draw([(HOSTILE, gx.input(HOSTILE) * 2)], {}).svg)


def test_named_nodes_end_the_picture() -> None:
    """What is known by name is drawn without what it is made of."""
    x = gx.input("x", (3,))
    h = gx.tanh(x * 2)
    assert labels(picture(gx.exp(h), {h: "h"})) == ["h", "exp"]
    page = picture_html({"y": gx.exp(h)}, {"h": h})
    assert "y = exp" in page
    assert ">x<" not in page


def test_large_graphs_are_drawn_in_part() -> None:
    """The nodes nearest to the result, in bounded time, with a note of how many there are."""
    x = gx.input("x")
    y = x
    for _ in range(50_000):
        y = gx.sin(y) + x
    start = time.perf_counter()
    page = repr_html(y)
    assert time.perf_counter() - start < 30
    assert "60 of 100,001 nodes: those nearest to the result" in page
    assert page.count("<rect") <= MOST_DRAWN
    assert len(page) < 100_000
    assert "more nodes, not drawn" in page
    assert "displaystyle" not in page


def test_formula_and_legend() -> None:
    """LaTeX above the picture, colours explained below."""
    W = gx.param("W", np.ones((3, 2)))
    page = (gx.input("x", ("n", 3)) @ W)._repr_html_()
    assert re.search(r"\$\\displaystyle .*W", page)
    for word in ("input", "parameter", "matrix product"):
        assert f">{word}<" in page or f"</span>{word}" in page
    assert page.count("<svg") == 1
