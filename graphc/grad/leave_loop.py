"""What does not depend on the carry leaves the loop.

A product of a step's element with a weight becomes one product of the whole sequence before the
loop; what only the stacked results need, such as the logits of each step or the gradient of the
sequence, one after it. Only parts with a product in them leave: cheap ones are better off where
they fuse with their neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.grad.vectorize import vectorize
from graphc.ir.body import Body
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import depends_on, rebuild, remake, substitute, topological
from graphc.ops.loop import Scan, scan_op
from graphc.ops.routine import item, item_op
from graphc.ops.source import input

# What has no batched form that is as cheap as the loop.
_STAYS = frozenset(("loop", "routine", "check", "print", "scatter", "random"))


def leave_loops(graph: Graph) -> Graph:
    """The graph in which scans do only what depends on their carries."""
    if not any(node.op is scan_op for node in graph.nodes):
        return graph
    results: dict[Node, list[Node]] = {}

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op is item_op and node.inputs[0].op is scan_op:
            return results[node.inputs[0]][node.attrs["index"]]
        same = remake(node, inputs)
        if node.op is scan_op:
            with inherit_sites(node.sites):
                results[node] = _Split(Scan(same)).results()
        return same

    return graph.with_roots(rebuild(list(graph.roots), change))


def _worth(nodes: set[Node]) -> bool:
    kinds = {node.op.kind for node in nodes}
    return "contraction" in kinds and not kinds & _STAYS


class _Split:
    """One scan, split into what comes before, inside and after."""

    def __init__(self, scan: Scan) -> None:
        self.scan, self.body = scan, scan.body
        self.carry, self.elements, self.outside = scan.split(self.body.placeholders)
        _, self.sequences, self.values = scan.split(scan.node.inputs)
        self.varying = depends_on(self.body.outputs, [*self.carry, *self.elements])
        self.carried = depends_on(self.body.outputs, self.carry)
        self.kept = set(topological(self.body.outputs[: scan.carries]))

    def results(self) -> list[Node]:
        """The carries and stacked results of the scan, as nodes of the graph around it."""
        count = self.scan.carries
        after = {y: self._after(y) for y in self.body.outputs[count:]}
        stacked: dict[Node, None] = {}
        for y, frontier in after.items():
            stacked.update((node, None) for node in ([y] if frontier is None else frontier))
        inside = [node for node in stacked if node not in self.elements]
        outputs = [*self.body.outputs[:count], *inside]
        before = self._before(outputs)
        passed = any(y in self.elements for y in after)
        if not before and not passed and all(frontier is None for frontier in after.values()):
            return [item(self.scan.node, i) for i in range(len(self.body.outputs))]
        made = self._inner(outputs, before)
        known = {node: item(made, count + i) for i, node in enumerate(inside)}
        known |= dict(zip(self.elements, self.sequences, strict=True))
        finals = [item(made, i) for i in range(count)]
        every = {
            y: known[y] if frontier is None else self._all(y, frontier, known)
            for y, frontier in after.items()
        }
        return finals + [every[y] for y in self.body.outputs[count:]]

    def _after(self, y: Node) -> list[Node] | None:
        """What a result is made of, if it is better made after the loop; None if it stays."""
        exclusive = {n for n in topological([y]) if n in self.varying and n not in self.kept}
        exclusive -= {*self.elements, *self.carry}
        # A loop stacks arrays: of a node with several results that stays, those that are taken.
        taken = {n for n in exclusive if n.op is item_op and n.inputs[0] not in exclusive}
        exclusive -= taken
        if y not in exclusive or not _worth(exclusive):
            return None
        used = (s for n in exclusive for s in n.inputs if s in self.varying and s not in exclusive)
        return sorted(set(used), key=lambda node: node.number)

    def _before(self, outputs: Sequence[Node]) -> list[Node]:
        """The outermost nodes with a product in them that depend on elements alone."""
        found: dict[Node, None] = {}
        for node in topological(outputs):
            if node not in self.carried and node not in outputs:
                continue
            for source in (node,) if node not in self.carried else node.inputs:
                alone = source in self.varying and source not in self.carried
                if alone and source not in self.elements and _worth(self._made_of(source)):
                    found[source] = None
        return list(found)

    def _made_of(self, node: Node) -> set[Node]:
        return {n for n in topological([node]) if n in self.varying} - set(self.elements)

    def _inner(self, outputs: Sequence[Node], before: list[Node]) -> Node:
        """The scan that is left; what comes before it are new elements."""
        known = dict(zip(self.elements, self.sequences, strict=True))
        places = {node: input("before", node.shape, node.dtype) for node in before}
        sequences = [self._all(node, self.elements, known) for node in before]
        elements = [*self.elements, *places.values()]
        body = Body((*self.carry, *elements, *self.outside), tuple(substitute(outputs, places)))
        starts, _, _ = self.scan.split(self.scan.node.inputs)
        attrs = {**self.scan.node.attrs, "body": body, "sequences": len(elements)}
        inputs = (*starts, *self.sequences, *sequences, *self.values)
        return make(scan_op, inputs, **attrs)

    def _all(self, node: Node, frontier: Sequence[Node], known: dict[Node, Node]) -> Node:
        """A node of the body for every step at once."""
        examples = {source: known[source] for source in frontier}
        (whole,) = vectorize([node], examples, self.scan.length)
        return Body(tuple(self.outside), (whole,)).apply(tuple(self.values))[0]
