"""A kernel that was compiled, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.schedule.schedule import ScheduledStep


@dataclass(eq=False)
class CompiledKernel:
    """A kernel: its source, how long it took, and the steps that call it with their lines'
    origins."""

    number: int
    source: str
    seconds: float
    from_cache: bool
    steps: list[tuple[ScheduledStep, tuple[int, ...]]] = field(default_factory=list)
