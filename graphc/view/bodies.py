"""The bodies of loops and branches, as lines to print below the node that has them.

The arguments of a body stand in the order of the node's inputs (a branch takes those after its
condition), and `carry'` is what a carry is after the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphc.ir.body import Body
from graphc.ir.node import Node
from graphc.ir.shape import Shape
from graphc.ops.branch import cond_op
from graphc.ops.loop import Scan, scan_op
from graphc.view.arrange import Names, arrange
from graphc.view.style import TextStyle

_INDENT = "   "


@dataclass(frozen=True)
class BodyLine:
    """A line: its text, how deep it stands, and the node that it names, if it is an assignment."""

    text: str
    depth: int
    node: Node | None = None
    shape: Shape | None = None

    @property
    def indented(self) -> str:
        """The text behind its indentation."""
        return f"{_INDENT * self.depth}{self.text}"


def body_lines(node: Node, width: int, depth: int = 1) -> Iterator[BodyLine]:
    """The lines of all bodies of a node, and of those inside them; none for other nodes."""
    for heading, body, carries, extra in _bodies(node):
        taken = Names(())
        names = [taken.unique(place.name) for place in body.placeholders]
        yield BodyLine(f"{heading}({', '.join(names)}):", depth)
        roots = dict(zip(_results(names[:carries], extra), body.outputs, strict=True))
        places = dict(zip(names, body.placeholders, strict=True))
        for line in arrange(roots, places, width).lines:
            text = f"{TextStyle().symbol(line.name)} = {line.text}"
            yield BodyLine(text, depth + 1, line.node, line.shape)
            yield from body_lines(line.node, width, depth + 2)


def _bodies(node: Node) -> Iterator[tuple[str, Body, int, list[str]]]:
    """Each body: what it is called, the number of its carries, and what else it gives."""
    if node.op is scan_op:
        scan = Scan(node)
        count = len(scan.body.outputs) - scan.carries
        last = ", the last first" if scan.reverse else ""
        extra = [f"y{i + 1}" if count > 1 else "y" for i in range(count)]
        yield f"{scan.length} steps{last}: body", scan.body, scan.carries, extra
    elif node.op is cond_op:
        for name in ("then", "else"):
            body: Body = node.attrs[f"{name}_body"]
            yield name, body, 0, [f"result{i + 1}" for i in range(len(body.outputs))]
    elif node.op.kind == "loop":
        body = node.attrs["body"]
        limit = node.attrs["max_steps"]
        most = "" if limit is None else f", at most {limit} steps"
        yield f"while condition{most}: body", body, len(body.outputs) - 1, ["condition"]


def _results(carries: Sequence[str], extra: Sequence[str]) -> list[str]:
    """The names of what a body gives; a condition comes before the carries, the rest after."""
    new = [f"{name}'" for name in carries]
    return [*extra, *new] if "condition" in extra else [*new, *extra]
