"""Graphs in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.literal import quote
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.view.arrange import Shown, check_names, named_roots, walk
from graphc.view.palette import palette_of

# What Graphviz reads as an escape inside a string: its backslash is doubled.
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


@at_user_line
def to_dot(y: Shown, names: Mapping[str, Node] | None = None) -> str:
    """A graph in DOT: every node with its operation and type, every edge with its place.

    Args: as for `gx.show`. Names and lines are escaped: nothing in them is DOT or HTML. The edges
    of an operation that takes several inputs are labelled with their places.

    >>> from graphc.ops import input
    >>> x = input("x")
    >>> print(to_dot(x * x))  # doctest: +ELLIPSIS
    digraph graphc {
      node [shape=box, style="rounded,filled", fontname="sans-serif"];
      n0 [label="x\\nfloat32 ()", fillcolor="#dbeafe", color="#2563eb"...];
      n1 [label="multiply\\nfloat32 ()", fillcolor="#ffffff", color="#475569", penwidth=2.5...];
      n0 -> n1 [label="0"];
      n0 -> n1 [label="1"];
    }
    """
    roots, known = dict.fromkeys(node for _, node in named_roots(y)), check_names(names)
    for name, node in named_roots(y):
        if name:
            known.setdefault(node, name)
    order = walk(roots, known)
    places = {node: f"n{place}" for place, node in enumerate(order)}
    lines = [
        "digraph graphc {",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
    ]
    for node in order:
        lines.append(_node_line(node, known.get(node, ""), places[node], node in roots))
        if node not in known or node in roots:
            lines += _edge_lines(node, places)
    return "\n".join([*lines, "}"])


def _node_line(node: Node, name: str, place: str, result: bool) -> str:
    palette = palette_of(node)
    title = f"{name} = {node.op.name}" if name else node.op.name
    if node.declaration is not None:
        title = name or node.name
    label = "\\n".join(_escape(text) for text in (title, str(node.type)))
    site = f', tooltip="{_escape(str(node.sites[0]))}"' if node.sites else ""
    wide = ", penwidth=2.5" if result else ""
    colours = f'fillcolor="{palette.fill}", color="{palette.border}"'
    return f'  {place} [label="{label}", {colours}{wide}{site}];'


def _edge_lines(node: Node, places: Mapping[Node, str]) -> list[str]:
    several = len(node.inputs) > 1
    return [
        f"  {places[source]} -> {places[node]}" + (f' [label="{position}"];' if several else ";")
        for position, source in enumerate(node.inputs)
    ]


def _escape(text: str) -> str:
    """Text for a quoted string: what does not print is shown as an escape."""
    printable = text if text.isprintable() else quote(text)[1:-1].replace('\\"', '"')
    return printable.translate(_ESCAPES)
