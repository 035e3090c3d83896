"""A graph: what is fed, what is computed, and which states change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphc.ir.node import Node
from graphc.ir.traverse import consumers, topological


@dataclass(frozen=True)
class Graph:
    """Inputs, outputs, and simultaneous updates: `updates` holds (state, new value) pairs."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    updates: tuple[tuple[Node, Node], ...] = ()
    log: tuple[object, ...] = field(default=(), compare=False, repr=False)

    @property
    def roots(self) -> tuple[Node, ...]:
        """Everything that has to be computed: the outputs, then the new values of the states."""
        return (*self.outputs, *(new for _, new in self.updates))

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, each after its inputs."""
        return tuple(topological((*self.roots, *(state for state, _ in self.updates))))

    @cached_property
    def _consumers(self) -> dict[Node, list[Node]]:
        return consumers((*self.roots, *(state for state, _ in self.updates)))

    def consumers(self, node: Node) -> tuple[Node, ...]:
        """The nodes of this graph that take `node` as an input."""
        return tuple(self._consumers.get(node, ()))

    def with_roots(self, roots: Sequence[Node]) -> Graph:
        """The graph with its outputs and new values replaced, in the order of `roots`."""
        count = len(self.outputs)
        states = (state for state, _ in self.updates)
        updates = tuple(zip(states, roots[count:], strict=True))
        return Graph(self.inputs, tuple(roots[:count]), updates, self.log)

    def __len__(self) -> int:
        return len(self.nodes)
