"""What compilation leaves: the kernels of a program, and how long each phase took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from graphc.schedule.schedule import ScheduledStep


class Phase(NamedTuple):
    """A part of compilation and the seconds it took."""

    name: str
    seconds: float


@dataclass(eq=False)
class CompiledKernel:
    """A kernel: its source, how long it took, and the steps that call it with their lines'
    origins."""

    number: int
    source: str
    seconds: float
    from_cache: bool
    steps: list[tuple[ScheduledStep, tuple[int, ...]]] = field(default_factory=list)
