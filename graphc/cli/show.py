"""`graphc show`: a graph of the user's file, or its derivative, in one of several forms."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from html import escape
from pathlib import Path

from graphc.cli.exit_code import DONE
from graphc.cli.place import Place, add_place, find
from graphc.errors import ArgumentError
from graphc.files import replace_text
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.view.arrange import Shown, named_roots
from graphc.view.dot import to_dot
from graphc.view.latex import latex
from graphc.view.picture import draw
from graphc.view.show import show

# Of formulas, so that shapes and lines fit beside them.
_WIDTH = 60

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
        print(latex(_with_short_name(place, shown, f"d{options.wrt}") if options.wrt else shown))
    elif options.dot:
        print(to_dot(shown))
    elif options.html is not None:
        _write_html(options.html, place, shown)
    else:
        print(_listing(place, shown))
    return DONE


def _listing(place: Place, shown: Shown) -> str:
    return f"{_heading(place)}\n\n{show(shown, width=_WIDTH)}"


def _shown(place: Place) -> Shown:
    """Every node that the user named gets a line of its own; declarations are listed anyway."""
    if place.function is not None:
        return place.function.graph
    assert place.node is not None
    named = {k: v for k, v in place.named_nodes().items() if v.declaration is None}
    return named if place.node in named.values() else place.node


def _with_short_name(place: Place, shown: Shown, name: str) -> Shown:
    """The derivative under a name that LaTeX has signs for, if no other node has it."""
    if not isinstance(shown, dict) or name in shown:
        return shown
    return {name if key == place.name else key: node for key, node in shown.items()}


def _heading(place: Place) -> str:
    if place.function is not None:
        return f"{place.name} of {place.file.path}: {place.function!r}, rewritten"
    assert place.node is not None
    declared = place.node.declaration
    if declared is not None:
        sites = ", ".join(map(str, place.node.sites))
        return f"{place.name} of {place.file.path}: {declared.role} {place.node.type}, {sites}"
    heading = f"{place.name} of {place.file.path}: a graph of {_count(place.node)}"
    if place.before is None:
        return heading
    return f"{heading}, {_count(place.before)} before rewriting"


def _count(node: Node) -> str:
    count = len(topological([node]))
    return "1 node" if count == 1 else f"{count:,} nodes"


def _write_html(path: str, place: Place, shown: Shown) -> None:
    picture = draw(named_roots(shown), {})
    page = _PAGE.format(
        title=escape(place.name),
        listing=escape(f"{_listing(place, shown)}\n{picture.note}"),
        picture=picture.svg,
    )
    try:
        replace_text(Path(path), page)
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be written: {error.strerror or error}") from None
    print(f"written to {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc show",
        description='Run a file, without its `if __name__ == "__main__"` part, and print the '
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
