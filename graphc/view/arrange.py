"""Arranges a graph as assignments: which nodes get a line and a name of their own, and their order.

A line of its own goes to what is used more than once, unless it is as short as a name, and to what
would make a line too long. Everything else is written where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphc.errors import ArgumentError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.shape import Shape
from graphc.ops import layout
from graphc.ops.elementwise import cast_op
from graphc.view.composition import node_shape
from graphc.view.phrase import Phrase, render
from graphc.view.style import TextStyle
from graphc.view.writer import Writer

Shown = Node | Graph | Sequence[Node] | Mapping[str, Node]

# Written without a sign of their own, or with a small one.
_FREE = frozenset(
    (layout.transpose_op, layout.reshape_op, layout.broadcast_op, layout.slice_op, cast_op)
)
_SHORT = 12  # a text that is not longer is not worth a name


def _is_loop(node: Node) -> bool:
    """Whether a node has a body, which is shown below the line that it therefore gets."""
    return node.op.kind == "loop"


@dataclass(frozen=True)
class Line:
    """One assignment. A single result, without a name and other lines, has an empty name."""

    name: str
    node: Node
    shape: Shape  # of what is written; axes of length 1 may be left to those who use it
    text: str
    result: bool = False  # one of what was to be shown, which is written with all its axes


@dataclass
class Arrangement:
    """A graph as assignments, in an order in which each name is known before it is used."""

    leaves: list[Node] = field(default_factory=list)  # written by a name, explained elsewhere
    lines: list[Line] = field(default_factory=list)
    names: dict[Node, str] = field(default_factory=dict)
    order: list[Node] = field(default_factory=list)


def named_roots(shown: Shown) -> list[tuple[str, Node]]:
    """What is to be shown, each with its name; the name is empty where there is none."""
    if isinstance(shown, Node):
        return [("", shown)]
    if isinstance(shown, Graph):
        updates = [(f"{state.name}'", new) for state, new in shown.updates]
        return [*(("", node) for node in shown.outputs), *updates]
    pairs = shown.items() if isinstance(shown, Mapping) else [("", node) for node in shown]
    roots = [(name, node) for name, node in pairs]
    for _, node in roots:
        if not isinstance(node, Node):
            raise ArgumentError(f"expected nodes to show, got {type(node).__name__}")
    return roots


def check_names(names: Mapping[str, Node] | None) -> dict[Node, str]:
    """The name of each node, from the node of each name."""
    known: dict[Node, str] = {}
    for name, node in (names or {}).items():
        if not isinstance(name, str) or not name or not isinstance(node, Node):
            raise ArgumentError(f"names: expected {{name: node}}, got {name!r}: {node!r}")
        known.setdefault(node, name)
    return known


def walk(roots: Iterable[Node], known: Mapping[Node, str]) -> list[Node]:
    """The nodes that `roots` depend on, inputs first, not looking behind a known name."""
    order: list[Node] = []
    first = list(roots)
    opened = set(first)
    seen: set[Node] = set()
    for root in first:
        stack: list[tuple[Node, int]] = [(root, 0)]
        while stack:
            node, place = stack.pop()
            if place == 0:
                if node in seen:
                    continue
                seen.add(node)
            inputs = () if node in known and node not in opened else node.inputs
            if place < len(inputs):
                stack.append((node, place + 1))
                stack.append((inputs[place], 0))
            else:
                order.append(node)
    return order


def arrange(shown: Shown, names: Mapping[str, Node] | None = None, width: int = 80) -> Arrangement:
    """The assignments that show a graph, none much longer than `width` characters."""
    return _Arranger(named_roots(shown), check_names(names), width).run()


class Names:
    """Names that are taken, and new ones."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """The name itself if it is free, else with a number behind."""
        number, chosen = self._last.get(name, 1), name
        while chosen in self._taken:
            number += 1
            chosen = f"{name}_{number}"
        self._last[name] = number
        self._taken.add(chosen)
        return chosen

    def numbered(self, letter: str) -> str:
        """The next free name of `letter` and a number."""
        number = self._last.get(letter, 0) + 1
        while f"{letter}{number}" in self._taken:
            number += 1
        self._last[letter] = number
        self._taken.add(f"{letter}{number}")
        return f"{letter}{number}"


class _Arranger:
    def __init__(self, roots: list[tuple[str, Node]], known: dict[Node, str], width: int) -> None:
        self.known = known
        self.width = width
        self.names = Names([*known.values(), *(name for name, _ in roots if name)])
        self.roots: dict[Node, str] = {}
        self.aliases: list[tuple[str, Node]] = []
        for name, node in roots:
            if self.roots.setdefault(node, name or known.get(node, "")) != name and name:
                self.aliases.append((name, node))
        if len(self.roots) > 1:
            for node, name in self.roots.items():
                self.roots[node] = name or self.names.numbered("result")
        self.result = Arrangement(order=walk(self.roots, known))
        self.writer = Writer(TextStyle())
        self.phrases: dict[Node, Phrase] = {}
        for node in self.result.order:  # before names are made up, which must not be these
            if self._is_leaf(node):
                self._leaf(node)

    def run(self) -> Arrangement:
        shared = self._shared()
        for node in self.result.order:
            if node not in self.phrases:
                self._compose(node)
            if node in self.roots:
                self._root(node)
            elif (node in shared and self._is_long(node)) or _is_loop(node):
                self._own_line(node)
        return self._with_all_names()

    def _is_leaf(self, node: Node) -> bool:
        if node in self.roots:
            return node.declaration is not None
        return node in self.known or node.declaration is not None

    def _leaf(self, node: Node) -> None:
        name = self.known.get(node) or self.names.unique(node.name)
        self.result.leaves.append(node)
        self.result.names[node] = name
        self.phrases[node] = self.writer.symbol(node, name)

    def _compose(self, node: Node) -> None:
        # What surrounds a transpose or a broadcast has to fit too.
        limit = self.width // 2 if node.op in _FREE else self.width
        while True:
            phrase = self.writer.compose(node, [self.phrases[source] for source in node.inputs])
            long = [s for s in node.inputs if self._is_long(s)] if phrase.length > limit else []
            if not long:
                break
            self._own_line(max(long, key=lambda source: self.phrases[source].length))
        self.phrases[node] = phrase

    def _is_long(self, node: Node) -> bool:
        return node not in self.result.names and self.phrases[node].length > _SHORT

    def _own_line(self, node: Node) -> None:
        name, phrase = self.names.numbered("v"), self.phrases[node]
        text = render(phrase, self.writer.style)[0]
        self.result.lines.append(Line(name, node, phrase.shape, text))
        self.result.names[node] = name
        self.phrases[node] = self.writer.named(phrase, name)

    def _root(self, node: Node) -> None:
        name, phrase = self.roots[node], self.writer.complete(node, self.phrases[node])
        text = render(phrase, self.writer.style)[0]
        self.result.lines.append(Line(name, node, phrase.shape, text, result=True))
        if node.declaration is None and name:
            self.result.names[node] = name
            self.phrases[node] = self.writer.named(phrase, name)

    def _with_all_names(self) -> Arrangement:
        lines = self.result.lines
        if len(lines) > 1 and not lines[-1].name:
            lines[-1] = replace(lines[-1], name=self.names.unique("result"))
        for name, node in self.aliases:
            text = self.writer.style.symbol(self.result.names[node])
            lines.append(Line(name, node, node_shape(node), text, result=True))
        return self.result

    # -- what is used more than once

    def _shared(self) -> set[Node]:
        costs = self._costs()
        uses = dict.fromkeys(self.result.order, 0)
        shared: set[Node] = set()
        for node in reversed(self.result.order):
            if uses[node] > 1 and costs[node] > 1:
                shared.add(node)
            if self._is_leaf(node):
                continue
            own = node in shared or node in self.roots
            for source in node.inputs:
                uses[source] += 1 if own else max(uses[node], 1)
        return shared

    def _costs(self) -> dict[Node, int]:
        """How many signs a node takes when it is written out, up to a few."""
        costs: dict[Node, int] = {}
        for node in self.result.order:
            if self._is_leaf(node):
                costs[node] = 0
            else:
                own = 0 if node.op in _FREE or not node.inputs else 1
                costs[node] = min(9, own + sum(costs[source] for source in node.inputs))
        return costs
