"""The schedule: steps in order, and the buffers they read and write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.ir.dim import Dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.routine import RoutineOp
from graphc.schedule.buffer import Buffer, Life, View

if TYPE_CHECKING:
    from graphc.schedule.lowered import Lowered


@dataclass(eq=False, repr=False)
class KernelCall:
    """A fused kernel and the nodes that it computes into memory."""

    lowered: Lowered
    nodes: tuple[Node, ...]
    reads: frozenset[Buffer]
    writes: frozenset[Buffer]


@dataclass(eq=False, repr=False)
class Product:
    """C = scale * A @ B, or C + scale * A @ B where `accumulate` is set."""

    a: View
    b: View
    c: View
    scale: Node | None
    accumulate: bool
    nodes: tuple[Node, ...]
    scratch: tuple[Buffer, ...] = ()

    @property
    def reads(self) -> frozenset[Buffer]:
        """The buffers it reads."""
        return frozenset(
            (self.a.buffer, self.b.buffer, *((self.c.buffer,) if self.accumulate else ()))
        )

    @property
    def writes(self) -> frozenset[Buffer]:
        """The buffers it writes."""
        return frozenset((self.c.buffer, *self.scratch))


@dataclass(eq=False, repr=False)
class Routine:
    """A kernel written by hand, on contiguous arrays: see `RoutineOp`."""

    op: RoutineOp
    operands: tuple[View, ...]
    results: tuple[Buffer, ...]
    scratch: tuple[Buffer, ...]
    nodes: tuple[Node, ...]

    @property
    def name(self) -> str:
        """The name of its operation."""
        return self.op.name

    @property
    def reads(self) -> frozenset[Buffer]:
        """The buffers it reads."""
        return frozenset(view.buffer for view in self.operands)

    @property
    def writes(self) -> frozenset[Buffer]:
        """The buffers it writes."""
        return frozenset((*self.results, *self.scratch))


@dataclass(eq=False, repr=False)
class Call:
    """All that a run must know of a kernel's call or of a routine's, and no more.

    The kernel gets the `places`, then the `scalars`, each with its dtype. It may be split over
    `extent` rows, in chunks of a multiple of `least`; each row visits `row_work` elements and
    computes `visit_work` for each of them, in units of one addition.
    """

    places: tuple[Buffer | View, ...]
    scalars: tuple[tuple[str, Any], ...]
    extent: Dim
    row_work: Dim
    visit_work: int
    least: int
    reads: frozenset[Buffer]
    writes: frozenset[Buffer]
    nodes: tuple[Node, ...] = ()


@dataclass(eq=False, repr=False)
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


class Port(NamedTuple):
    """Where a buffer of a body lies outside: at element `start` + step * `stride` of a view."""

    inside: Buffer
    outside: View
    start: Dim = 0
    stride: Dim = 0


class Part(NamedTuple):
    """One body: its schedule, the lives of its temporaries, and its ports."""

    schedule: Schedule
    lives: tuple[Life, ...]
    ports: tuple[Port, ...]


@dataclass(eq=False, repr=False)
class Control:
    """Bodies that run some number of times.

    - "scan": the one part `length` times;
    - "cond": the first part where the byte of `flag` is not 0, else the second;
    - "while": the first part, which computes `flag`, then the second while it is not 0, at most
      `length` times if that is not None.

    Before it starts, each view of `initial` is copied to its buffer. `batch` is the named size of
    which a scan can do one part after the other, or beside each other; see `by_rows`.
    """

    kind: str
    parts: tuple[Part, ...]
    length: Dim | None
    flag: View | None
    initial: tuple[tuple[View, View], ...]
    results: tuple[Buffer, ...]
    scratch: tuple[Buffer, ...]
    operands: tuple[View, ...]
    nodes: tuple[Node, ...]
    batch: str | None = None

    @property
    def reads(self) -> frozenset[Buffer]:
        """The buffers it reads."""
        return frozenset(view.buffer for view in self.operands)

    @property
    def writes(self) -> frozenset[Buffer]:
        """The buffers it writes."""
        return frozenset((*self.results, *self.scratch))


ScheduledStep = KernelCall | Product | Routine | Call | Control | Copy


@dataclass(frozen=True, eq=False, repr=False)
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
            found.update(dict.fromkeys(buffers_of(step)))
        return tuple(found)


def buffers_of(step: ScheduledStep) -> list[Buffer]:
    """The buffers that a step touches, in the order of its operands."""
    if isinstance(step, KernelCall):
        return list(step.lowered.buffers)
    if isinstance(step, Call):
        return [place.buffer if isinstance(place, View) else place for place in step.places]
    if isinstance(step, Product):
        return [step.a.buffer, step.b.buffer, step.c.buffer, *step.scratch]
    if isinstance(step, Routine | Control):
        return [*(view.buffer for view in step.operands), *step.results, *step.scratch]
    return [step.source, step.target]


def parts_of(schedule: Schedule) -> Iterator[Part]:
    """The bodies in a schedule, without those inside them."""
    for step in schedule.steps:
        if isinstance(step, Control):
            yield from step.parts
