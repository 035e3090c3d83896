"""The schedule: steps in order, and the buffers they read and write."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.schedule.buffer import Buffer, View
from graphc.schedule.lower import Lowered


@dataclass(eq=False)
class KernelCall:
    """A fused kernel and the nodes that it computes into memory."""

    lowered: Lowered
    nodes: tuple[Node, ...]
    reads: frozenset[Buffer]
    writes: frozenset[Buffer]


@dataclass(eq=False)
class Product:
    """C = scale * A @ B, or C + scale * A @ B where `accumulate` is set."""

    a: View
    b: View
    c: View
    scale: Node | None
    accumulate: bool
    nodes: tuple[Node, ...]

    @property
    def reads(self) -> frozenset[Buffer]:
        """The buffers it reads."""
        return frozenset(
            (self.a.buffer, self.b.buffer, *((self.c.buffer,) if self.accumulate else ()))
        )

    @property
    def writes(self) -> frozenset[Buffer]:
        """The buffers it writes."""
        return frozenset((self.c.buffer,))


@dataclass(eq=False)
class Routine:
    """A library routine, by the name of its operation, on contiguous arrays."""

    name: str
    operands: tuple[View, ...]
    results: tuple[Buffer, ...]
    scratch: tuple[Buffer, ...]
    nodes: tuple[Node, ...]

    @property
    def reads(self) -> frozenset[Buffer]:
        """The buffers it reads."""
        return frozenset(view.buffer for view in self.operands)

    @property
    def writes(self) -> frozenset[Buffer]:
        """The buffers it writes."""
        return frozenset((*self.results, *self.scratch))


@dataclass(eq=False)
class Copy:
    """One whole buffer copied to another of the same size."""

    source: Buffer
    target: Buffer
    nodes: tuple[Node, ...] = ()

    @property
    def reads(self) -> frozenset[Buffer]:
        """The buffers it reads."""
        return frozenset((self.source,))

    @property
    def writes(self) -> frozenset[Buffer]:
        """The buffers it writes."""
        return frozenset((self.target,))


ScheduledStep = KernelCall | Product | Routine | Copy


@dataclass(frozen=True)
class Schedule:
    """What a program does, for any sizes: steps in order. The buffers of inputs, states and outputs
    have their homes."""

    graph: Graph
    steps: tuple[ScheduledStep, ...]
    inputs: tuple[Buffer, ...]
    states: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    constants: tuple[Buffer, ...] = field(default=())

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """Every buffer that a step touches, in order of first use."""
        found: dict[Buffer, None] = {}
        for step in self.steps:
            found.update(dict.fromkeys(_in_order(step)))
        return tuple(found)


def _in_order(step: ScheduledStep) -> list[Buffer]:
    if isinstance(step, KernelCall):
        return list(step.lowered.buffers)
    if isinstance(step, Product):
        return [step.a.buffer, step.b.buffer, step.c.buffer]
    if isinstance(step, Routine):
        return [*(view.buffer for view in step.operands), *step.results, *step.scratch]
    return [step.source, step.target]
