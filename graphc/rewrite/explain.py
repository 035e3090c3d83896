"""Why a node is there: the rules that made it.

The log holds text, not nodes, and is kept beside the nodes that the rules made: it goes with them.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

from graphc.errors import ArgumentError
from graphc.ir.node import Node
from graphc.ir.op import ATOM
from graphc.ir.site import Site
from graphc.ir.traverse import topological
from graphc.ops.source import constant_op
from graphc.rewrite.pattern import write

# Operations shown below the top of a node's text, steps kept for a node, nodes explained at once.
_LEVELS = 4
_STEPS = 16
_NODES = 64


class Step(NamedTuple):
    """One rewrite: the rule, what was there, what came, and the lines that were written."""

    rule: str
    before: str
    after: str
    sites: tuple[Site, ...] = ()

    def __str__(self) -> str:
        return f"{self.rule}: {self.before}  =>  {self.after}"


class Explanation(NamedTuple):
    """The rules that made a node and the nodes it is computed from, inner ones first."""

    node: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        if not self.steps:
            return f"{self.node}: no rule made this; it is as it was written"
        lines = [f"{self.node}:"]
        for step in self.steps:
            sites = f"  ({', '.join(map(str, step.sites))})" if step.sites else ""
            lines.append(f"  {step}{sites}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


_history: weakref.WeakKeyDictionary[Node, tuple[Step, ...]] = weakref.WeakKeyDictionary()


# Texts of nodes, by how many levels they show, and how tightly they hold.
Known = dict[tuple[Node, int], tuple[str, int]]


def brief(node: Node, levels: int = _LEVELS, known: Known | None = None) -> str:
    """The node as text, a few operations deep; what lies deeper is an ellipsis.

    `known` are texts from earlier calls.
    """
    return _brief(node, levels, {} if known is None else known)[0]


def _brief(node: Node, levels: int, known: Known) -> tuple[str, int]:
    key = (node, levels)
    if key not in known:
        known[key] = _written(node, levels, known)
    return known[key]


def _written(node: Node, levels: int, known: Known) -> tuple[str, int]:
    if node.declaration is not None:
        return node.name, ATOM
    if node.op is constant_op:
        array = node.attrs["value"].array
        return (f"{array.item():g}" if array.size == 1 else f"const{array.shape}"), ATOM
    if levels == 0 and node.inputs:
        return "…", ATOM
    return write(node.op, [_brief(source, levels - 1, known) for source in node.inputs], node)


def record(rule: str, before: Node, after: Node, known: Known) -> Step:
    """Enter in the log that `rule` made `after` from `before`."""
    levels = _LEVELS - 1  # a step shows two expressions on one line
    step = Step(rule, brief(before, levels, known), brief(after, levels, known), before.sites)
    if after.inputs and after not in _history:
        earlier: dict[Step, None] = {}
        for node in (*before.inputs, before):
            earlier.update(dict.fromkeys(_history.get(node, ())))
        _history[after] = (*earlier, step)[-_STEPS:]
    return step


def why(y: Node) -> Explanation:
    """The rules that made `y` and the nodes it is computed from, with the lines that were written.

    Prints as text; `.steps` holds the records. A node that no rule made has none.
    """
    if not isinstance(y, Node):
        raise ArgumentError(f"why: expected a node, got {type(y).__name__}")
    steps: dict[Step, None] = {}
    made = [node for node in topological([y]) if node in _history]
    for node in made[-_NODES:]:
        steps.update(dict.fromkeys(_history[node]))
    return Explanation(brief(y), tuple(steps))
