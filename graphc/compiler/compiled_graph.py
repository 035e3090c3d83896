"""What was compiled: the user's graph, the program that runs, and all else that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from graphc.compiler.kernel import CompiledKernel
from graphc.compiler.once import Once
from graphc.compiler.phases import Phase
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.schedule.buffer import Life
from graphc.schedule.schedule import Schedule, ScheduledStep
from graphc.target.compiled_program import CompiledProgram
from graphc.target.machine import Machine

if TYPE_CHECKING:
    from graphc.schedule.recompute import Budget


class Compilation(NamedTuple):
    """All that compiling a graph finds: the graph after rewriting, the program and its kernels."""

    graph: Graph
    program: CompiledProgram
    kernels: tuple[CompiledKernel, ...]
    budget: Budget | None = None


class CompiledGraph:
    """What a function tells of its graph and its program.

    `was_kept` says that the program was found on disk; the `compilation` is then done when
    something else is asked of it. `single` says that a call returns an array, not a tuple.
    """

    original: Graph
    program: CompiledProgram
    machine: Machine
    phases: tuple[Phase, ...]
    single: bool
    was_kept: bool
    _compilation: Once[Compilation]

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes that a call feeds."""
        return self.original.inputs

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The nodes that a call returns the values of."""
        return self.original.outputs

    @property
    def target(self) -> str:
        """What it was compiled for: "cpu", "numba" or "python"."""
        return self.machine.name

    @property
    def compilation(self) -> Compilation:
        """All that compiling it has found, or finds now if it was kept."""
        return self._compilation()

    @property
    def graph(self) -> Graph:
        """The graph after rewriting."""
        return self._compilation().graph

    @property
    def schedule(self) -> Schedule:
        """The steps of the program."""
        return self._compilation().program.schedule

    @property
    def lives(self) -> tuple[Life, ...]:
        """The lives of the temporaries of the schedule."""
        return self._compilation().program.lives

    @property
    def handles(self) -> Mapping[ScheduledStep, int]:
        """The handles of the kernels of the schedule, by the steps that call them."""
        return self._compilation().program.handles

    @property
    def kernels(self) -> tuple[CompiledKernel, ...]:
        """The kernels, in order of first use."""
        return self._compilation().kernels

    @property
    def kernel_count(self) -> int:
        """How many kernels there are."""
        return len(set(self.program.handles.values()))

    @property
    def budget(self) -> Budget | None:
        """What a budget of memory has changed, if there was one."""
        return self._compilation().budget if self.program.most_bytes is not None else None

    @property
    def compile_seconds(self) -> float:
        """How long compilation took."""
        return sum(phase.seconds for phase in self.phases)

    def __repr__(self) -> str:
        names = ", ".join(node.name for node in self.inputs)
        return (
            f"<Function ({names}) -> {len(self.outputs)} output(s), {self.kernel_count} kernels, "
            f"target {self.target}>"
        )
