"""Walks over graphs, all iterative: a chain of 100,000 nodes is as good as one of ten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites


def topological(outputs: Iterable[Node]) -> list[Node]:
    """All nodes that `outputs` depend on, each after its inputs, in an order that depends on the
    graph alone."""
    order: list[Node] = []
    seen: set[Node] = set()
    for output in outputs:
        if output in seen:
            continue
        seen.add(output)
        # Each node on the way down to where the walk is, with the inputs it has not looked at.
        stack = [(output, iter(output.inputs))]
        while stack:
            node, sources = stack[-1]
            for source in sources:
                if source not in seen:
                    seen.add(source)
                    stack.append((source, iter(source.inputs)))
                    break
            else:
                stack.pop()
                order.append(node)
    return order


def consumers(outputs: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node of the graph of `outputs`, the nodes that take it as an input, each once, in
    order."""
    users: dict[Node, list[Node]] = {}
    for node in topological(outputs):
        users[node] = []
        for source in dict.fromkeys(node.inputs):
            users[source].append(node)
    return users


def depends_on(outputs: Iterable[Node], targets: Iterable[Node]) -> set[Node]:
    """The nodes of the graph of `outputs` that depend on one of `targets` (targets included)."""
    reached = set(targets)
    for node in topological(outputs):
        if any(source in reached for source in node.inputs):
            reached.add(node)
    return reached


def remake(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The node with other inputs, keeping its lines; the node itself if they are the same
    objects."""
    if inputs == node.inputs:  # nodes are equal if they are the same
        return node
    with inherit_sites(node.sites):
        return make(node.op, inputs, **node.attrs)


def rebuild(
    outputs: Sequence[Node], change: Callable[[Node, tuple[Node, ...]], Node]
) -> list[Node]:
    """The outputs with every node replaced by `change(node, its new inputs)`, inputs first."""
    new: dict[Node, Node] = {}
    for node in topological(outputs):
        new[node] = change(node, tuple([new[source] for source in node.inputs]))
    return [new[output] for output in outputs]


def substitute(outputs: Sequence[Node], replacements: dict[Node, Node]) -> list[Node]:
    """The outputs with some nodes replaced by others (all at once; replacements are not searched
    again)."""

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        return replacements[node] if node in replacements else remake(node, inputs)

    return rebuild(outputs, change)
