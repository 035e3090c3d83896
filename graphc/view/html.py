"""Nodes in a notebook: LaTeX, and a picture below it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from graphc.ir.node import Node
from graphc.view.arrange import Shown, arrange, check_names, named_roots, walk
from graphc.view.latex import WIDTH, arranged_latex
from graphc.view.picture import Picture, draw

# Larger graphs are drawn in part and not written in LaTeX: no one reads a page of it in a cell.
_MOST_EQUATIONS = 12
_MOST_NODES = 2000


def repr_html(node: Node) -> str:
    """What a notebook shows for a node: its LaTeX, and the picture of its graph."""
    return picture_html(node, None)


def picture_html(shown: Shown, names: Mapping[str, Node] | None) -> str:
    """LaTeX for MathJax, an inline SVG, and what its colours mean. All text is escaped."""
    roots, known = named_roots(shown), check_names(names)
    count = len(walk([node for _, node in roots], known))
    formula = ""
    if count <= _MOST_NODES:
        arranged = arrange(shown, names, WIDTH)
        if len(arranged.lines) <= _MOST_EQUATIONS:
            formula = f"$\\displaystyle {arranged_latex(arranged, _MOST_EQUATIONS)}$"
    picture = draw(roots, known)
    blocks = [f'<div style="margin: 0.4em 0">{escape(formula)}</div>'] if formula else []
    blocks += [picture.svg, _caption(picture)]
    return f'<div style="overflow-x: auto">{"".join(blocks)}</div>'


def _caption(picture: Picture) -> str:
    swatches = "".join(
        f'<span style="white-space: nowrap; margin-right: 1em">'
        f'<span style="display: inline-block; width: 0.7em; height: 0.7em; border-radius: 2px; '
        f"margin-right: 0.35em; background: {palette.fill}; "
        f'border: 1px solid {palette.border}"></span>{escape(palette.name)}</span>'
        for palette in picture.legend
    )
    note = f"<span>{escape(picture.note)}</span>" if picture.note else ""
    return f'<div style="font-size: 11px; color: #64748b; margin-top: 4px">{swatches}{note}</div>'
