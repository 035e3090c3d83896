"""Loops that are alike run once, and do only what is asked of them.

Differentiating a scan asks it for more results, as a node of its own. Scans with the same inputs
and the same carries are merged here; results that nobody takes, and what only they need, go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.body import Body
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake, topological
from graphc.ops.loop import Scan, scan_op
from graphc.ops.routine import item, item_op


def merge_loops(graph: Graph) -> Graph:
    """The graph with like scans merged, and without results, elements and captures not used."""
    groups: dict[Any, list[Node]] = {}
    for node in graph.nodes:
        if node.op is scan_op:
            groups.setdefault(_key(Scan(node)), []).append(node)
    if not groups:
        return graph
    asked = _asked(graph)
    merged = {node: _Merged(nodes, asked) for nodes in groups.values() for node in nodes[:1]}
    leader = {node: merged[nodes[0]] for nodes in groups.values() for node in nodes}

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op is scan_op:
            return leader[node].made(inputs)
        if node.op is item_op and node.inputs[0].op is scan_op:
            old = node.inputs[0]
            return item(inputs[0], leader[old].place(old, node.attrs["index"]))
        return remake(node, inputs)

    return graph.with_roots(rebuild(list(graph.roots), change))


def _key(scan: Scan) -> Any:
    """What two scans share that differ in their stacked results alone."""
    body, attrs = scan.body, scan.node.attrs
    rest = tuple(attrs[name] for name in ("sequences", "length", "reverse", "recompute"))
    return (scan.node.inputs, body.placeholders, body.outputs[: scan.carries], rest)


def _asked(graph: Graph) -> dict[Node, set[int]]:
    """For each scan the indices of the results that are taken."""
    found: dict[Node, set[int]] = {}
    for node in graph.nodes:
        if node.op is item_op and node.inputs[0].op is scan_op:
            found.setdefault(node.inputs[0], set()).add(node.attrs["index"])
    return found


class _Merged:
    """One scan in the place of several."""

    def __init__(self, nodes: Sequence[Node], asked: dict[Node, set[int]]) -> None:
        self.scan = Scan(nodes[0])
        count = self.scan.carries
        stacked: dict[Node, None] = {}
        for node in nodes:
            outputs = Scan(node).body.outputs
            stacked.update((outputs[i], None) for i in sorted(asked.get(node, ())) if i >= count)
        self.outputs = (*self.scan.body.outputs[:count], *stacked)
        self._places = {output: count + i for i, output in enumerate(stacked)}
        self._node: Node | None = None
        self._sites = tuple(dict.fromkeys(site for node in nodes for site in node.sites))[:3]

    def place(self, old: Node, index: int) -> int:
        """The index, in the merged scan, of a result of one of the old ones."""
        output = Scan(old).body.outputs[index]
        return index if index < self.scan.carries else self._places[output]

    def made(self, inputs: tuple[Node, ...]) -> Node:
        """The merged scan, one node for all that it stands for."""
        if self._node is None:
            self._node = self._make(inputs)
        return self._node

    def _make(self, inputs: tuple[Node, ...]) -> Node:
        scan, attrs = self.scan, dict(self.scan.node.attrs)
        used = set(topological(self.outputs))
        pairs = zip(scan.body.placeholders, inputs, strict=True)
        carries, elements, outside = scan.split(list(pairs))
        elements = [pair for pair in elements if pair[0] in used]
        outside = [pair for pair in outside if pair[0] in used]
        kept = [*carries, *elements, *outside]
        body = Body(tuple(place for place, _ in kept), self.outputs)
        attrs |= {"body": body, "sequences": len(elements)}
        with inherit_sites(self._sites):
            return make(scan_op, tuple(value for _, value in kept), **attrs)
