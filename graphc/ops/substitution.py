"""A graph with some of its nodes replaced by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.ops.source import as_node
from graphc.ops.statement import restate


@at_user_line
def substitute(y: Node | Sequence[Node], replacements: Mapping[Node, Any]) -> Any:
    """`y` with nodes replaced by others of the same shape and dtype, all at once.

    Args: `y`, a node, or several (then a list comes back); `replacements`, any nodes of its graph
    with nodes, arrays or numbers to put in their place, which are not searched again. Checks and
    prints of what was replaced are stated of the new graph too.

    Raises ShapeError or ArgumentError where a replacement is of another type.

    >>> from graphc.ops.evaluate import evaluate
    >>> from graphc.ops.source import input
    >>> x, z = input("x"), input("z")
    >>> float(evaluate(substitute(x * x + 1, {x: z + 2}), {z: 1.0}))
    10.0
    """
    outputs = [y] if isinstance(y, Node) else list(y)
    known: dict[Node, Node] = {}
    for old, new in replacements.items():
        if not isinstance(old, Node):
            raise ArgumentError(f"substitute: expected nodes to replace, got {old!r}")
        made = as_node(new, old.dtype)
        if made.type != old.type:
            raise ShapeError(f"substitute: {old!r} is {old.type}, its replacement {made.type}")
        known[old] = made
    found = restate(outputs, known)
    return found[0] if isinstance(y, Node) else found
