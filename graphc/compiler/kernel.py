"""What compilation leaves: a program, its kernels, and the graph that they compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from graphc.ir.graph import Graph
from graphc.schedule.schedule import ScheduledStep
from graphc.target.compiled_program import CompiledProgram

if TYPE_CHECKING:
    from graphc.schedule.recompute import Budget


@dataclass(eq=False)
class CompiledKernel:
    """A kernel: its source, how long it took, and the steps that call it with their lines'
    origins."""

    number: int
    source: str
    seconds: float
    from_cache: bool
    steps: list[tuple[ScheduledStep, tuple[int, ...]]] = field(default_factory=list)


class Compilation(NamedTuple):
    """All that compiling a graph finds: the graph after rewriting, the program and its kernels."""

    graph: Graph
    program: CompiledProgram
    kernels: tuple[CompiledKernel, ...]
    budget: Budget | None = None
