"""What a compiled function tells of its memory: the planned peak, for any sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.ir.dim import Dim
from graphc.schedule.buffer import Life
from graphc.schedule.memory import live_bytes, lives, plan
from graphc.schedule.recompute import Budget
from graphc.schedule.schedule import Schedule


@dataclass(frozen=True)
class MemoryReport:
    """Planned memory for temporaries. `peak_bytes` is exact once sizes are known (after a first
    call)."""

    lives: tuple[Life, ...]
    schedule: Schedule
    sizes: Mapping[str, int] | None
    budget: Budget | None = None

    @property
    def peak_bytes(self) -> int:
        """The size of the arena, in bytes, for the sizes of the last call; before the first for
        those of the budget, or, without one, for sizes of 1."""
        return self.at(self._known_sizes)

    @property
    def peak_bytes_without_budget(self) -> int:
        """What the size of the arena would be if nothing were computed again, for the same
        sizes."""
        if self.budget is None:
            return self.peak_bytes
        return plan(lives(self.budget.plain), self._known_sizes).peak_bytes

    @property
    def _known_sizes(self) -> Mapping[str, int]:
        if self.sizes is not None:
            return self.sizes
        return self.budget.sizes if self.budget is not None else _Ones()

    def at(self, sizes: Mapping[str, int]) -> int:
        """The size of the arena, in bytes, for given sizes."""
        return plan(self.lives, sizes).peak_bytes

    @property
    def formulas(self) -> tuple[Dim, ...]:
        """The bytes alive during each step, as formulas of the sizes, without alignment."""
        return tuple(live_bytes(self.lives, step) for step in range(len(self.schedule.steps)))

    def __str__(self) -> str:
        sized = self.sizes is not None or self.budget is not None
        known = f" for {sizes_text(self._known_sizes)}" if sized else ""
        text = f"{self.peak_bytes:,} bytes of temporaries{known}"
        if self.budget is None:
            return text
        return f"{text} ({self.peak_bytes_without_budget:,} without a budget; {self.budget})"


class _Ones(dict[str, int]):
    def __missing__(self, _: str) -> int:
        return 1


def sizes_text(sizes: Mapping[str, int]) -> str:
    """The values of named sizes, in words."""
    return ", ".join(f"{name} = {value}" for name, value in sizes.items()) or "fixed sizes"
