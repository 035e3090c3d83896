"""`graphc show`: a graph of the user's file, or its derivative, in one of several forms."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from html import escape
from pathlib import Path

from graphc.cli.files import write_text
from graphc.cli.place import Place, add_place, find
from graphc.errors import ArgumentError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.view.arrange import named_roots
from graphc.view.dot import to_dot
from graphc.view.latex import latex
from graphc.view.picture import draw
from graphc.view.show import show


_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family: sans-serif; margin: 2em">
<pre style="font-family: ui-monospace, 'DejaVu Sans Mono', monospace">{listing}</pre>
<div style="overflow-x: auto">{picture}</div>
</body>
</html>
"""


def main(arguments: Sequence[str]) -> int:
    """Run `graphc show` with these arguments; the exit code."""
    options = _parser().parse_args(arguments)
    place = find(options)
    shown = _shown(place)
    if options.latex:
        print(latex(shown))
    elif options.dot:
        print(to_dot(shown))
    elif options.html is not None:
        _write_html(options.html, place, shown)
    else:
        print(_listing(place, shown))
    return 0


def _listing(place: Place, shown: dict[str, Node] | Graph) -> str:
    return f"{_heading(place)}\n\n{show(shown)}"


def _shown(place: Place) -> dict[str, Node] | Graph:
    """Every node that the user named gets a line of its own; declarations are listed anyway."""
    if place.function is not None:
        return place.function.graph
    named = place.named_nodes()
    return {
        name: node
        for name, node in named.items()
        if node.declaration is None or node is place.node
    }


def _heading(place: Place) -> str:
    if place.function is not None:
        return f"{place.name}: {place.function!r}, its graph after rewriting"
    assert place.node is not None
    count = len(topological([place.node]))
    nodes = f"{place.name} of {place.file.path}: a graph of {count:,} nodes"
    if place.derivative is None:
        return nodes
    return f"{nodes}, {len(topological([place.derivative])):,} before rewriting"


def _write_html(path: str, place: Place, shown: dict[str, Node] | Graph) -> None:
    picture = draw(named_roots(shown), {})
    page = _PAGE.format(
        title=escape(place.name),
        listing=escape(f"{_listing(place, shown)}\n{picture.note}"),
        picture=picture.svg,
    )
    try:
        write_text(Path(path), page)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be written: {error.strerror or error}") from None
    print(f"written to {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc show",
        description="Run a file, without its `if __name__ == \"__main__\"` part, and print the "
        "graph of a node in it.",
        epilog="example: graphc show digits.py:loss --wrt W1",
        allow_abbrev=False,
    )
    add_place(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--latex", action="store_true", help="print LaTeX")
    form.add_argument("--dot", action="store_true", help="print a Graphviz graph")
    form.add_argument("--html", metavar="FILE", help="write a page with a picture to FILE")
    return parser
