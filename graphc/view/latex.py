"""Graphs in LaTeX: one formula, or aligned equations."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.errors import ArgumentError
from graphc.ir.node import Node
from graphc.ir.op import SUM
from graphc.ir.site import at_user_line
from graphc.view.arrange import Arrangement, Shown, arrange, walk
from graphc.view.phrase import Phrase, render
from graphc.view.style import LatexStyle
from graphc.view.writer import Writer

# A line of LaTeX is about as wide as a line of text of so many characters.
WIDTH = 72
_LARGEST_SHOWN = 2000


@at_user_line
def latex(y: Shown, names: Mapping[str, Node] | None = None, limit: int = 40) -> str:
    r"""A graph in LaTeX, for mathematics mode: a formula, or for a larger graph aligned equations.

    Args: as for `gx.show`; `limit`, how many equations are written before those in the middle are
    left out. Vectors are columns, `\odot` multiplies element by element, a condition in square
    brackets is 1 where it holds and else 0. Names are escaped: none of them can be a command.

    >>> from graphc.ops import input, tanh
    >>> print(latex(tanh(input("x", ("n", 3)) @ input("W1", (3, 2))) / 2))
    \frac{1}{2} \, \tanh\left(x \, W_{1}\right)
    """
    if limit < 2:
        raise ArgumentError(f"latex: expected limit >= 2, got {limit}")
    return arranged_latex(arrange(y, names, WIDTH), limit)


def repr_latex(node: Node) -> str:
    """What a notebook shows for a node where it shows LaTeX."""
    count = len(walk([node], {}))
    if count > _LARGEST_SHOWN:
        return rf"$\text{{a graph of {count:,} nodes}}$"
    return rf"$\displaystyle {latex(node)}$"


def arranged_latex(arranged: Arrangement, limit: int) -> str:
    """An arrangement in LaTeX."""
    style = LatexStyle()
    texts = _texts(arranged, Writer(style))
    if not arranged.lines[0].name:
        return texts[arranged.lines[0].node]
    if len(arranged.lines) == 1:
        return f"{style.symbol(arranged.lines[0].name)} = {texts[arranged.lines[0].node]}"
    equations = []
    for line in arranged.lines:
        # A second name of a result stands for the first.
        text = texts.pop(line.node, "") or style.symbol(arranged.names[line.node])
        equations.append(f"{style.symbol(line.name)} &= {text}")
    if len(equations) > limit:
        equations[limit // 2 : -(limit - limit // 2)] = [r"&\;\;\vdots"]
    return "\n".join((r"\begin{aligned}", " \\\\\n".join(equations), r"\end{aligned}"))


def _texts(arranged: Arrangement, writer: Writer) -> dict[Node, str]:
    """The right side of each line, with the names that the arrangement chose."""
    lines = {line.node: line.result for line in arranged.lines}
    leaves = set(arranged.leaves)
    phrases: dict[Node, Phrase] = {}
    texts: dict[Node, str] = {}
    for node in arranged.order:
        name = arranged.names.get(node)
        if node in leaves and name is not None:
            phrases[node] = writer.symbol(node, name)
        else:
            phrases[node] = writer.compose(node, [phrases[source] for source in node.inputs])
        if node in lines:
            phrase = writer.complete(node, phrases[node]) if lines[node] else phrases[node]
            part = render(phrase, writer.style)
            # A comparison after the sign of an equation needs brackets.
            compares = name is not None and getattr(node.op, "types", "") == "comparison"
            texts[node] = writer.style.at_least(SUM, part) if compares else part[0]
            if name is not None:
                phrases[node] = writer.named(phrase, name)
    return texts
