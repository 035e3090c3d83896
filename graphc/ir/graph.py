"""A graph: what is fed, what is computed, which states change, and what is checked or printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphc.ir.node import Node
from graphc.ir.traverse import consumers, topological


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """Inputs, outputs, and simultaneous updates: `updates` holds (state, new value) pairs.

    `effects` are checks and prints (see `graphc.ops.effect`), in the order in which they were
    stated.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    updates: tuple[tuple[Node, Node], ...] = ()
    log: tuple[object, ...] = field(default=(), compare=False, repr=False)
    effects: tuple[Node, ...] = ()

    @property
    def roots(self) -> tuple[Node, ...]:
        """Everything that has to be computed: the outputs, the new values of the states, then the
        effects."""
        return (*self.values, *self.effects)

    @property
    def values(self) -> tuple[Node, ...]:
        """The outputs, then the new values of the states."""
        return (*self.outputs, *(new for _, new in self.updates))

    @property
    def printed(self) -> tuple[Node, ...]:
        """The effects whose value is printed."""
        return tuple(effect for effect in self.effects if effect.op.kind == "print")

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
        """The graph with its outputs, new values and effects replaced, in the order of `roots`;
        the same graph if these are its own."""
        if tuple(roots) == self.roots:
            return self
        count, last = len(self.outputs), len(self.values)
        states = (state for state, _ in self.updates)
        updates = tuple(zip(states, roots[count:last], strict=True))
        return Graph(self.inputs, tuple(roots[:count]), updates, self.log, tuple(roots[last:]))

    def __len__(self) -> int:
        return len(self.nodes)
