"""What a compiled function tells of its memory: the planned peak, and what it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.ir.dim import Dim, size_names
from graphc.schedule.buffer import Life
from graphc.schedule.memory import live_bytes, lives, plan
from graphc.schedule.recompute import Budget
from graphc.schedule.schedule import Schedule

if TYPE_CHECKING:
    from graphc.compiler.function import Function
    from graphc.target.instance import Instance
    from graphc.target.loop import LoopProgram


@dataclass(frozen=True)
class Held:
    """The bytes that a function keeps from call to call, less those of calls under way.

    It has a program for each set of sizes that it was called with lately, and one for the loop that
    ran last: each with one of the `arenas` for temporaries, and with `tables` of instructions and
    their arguments. `places` are copies of small arguments and results, `results` are large ones,
    given to a caller or ready for the next; `batches` are rows that a loop gathers for a step.
    Parameters and states are not among them.
    """

    arenas: int = 0
    tables: int = 0
    places: int = 0
    batches: int = 0
    results: int = 0

    @property
    def total(self) -> int:
        """All of them together."""
        return self.arenas + self.tables + self.places + self.batches + self.results


@dataclass(frozen=True)
class MemoryReport:
    """Planned memory for temporaries, all that a call needs besides arguments, results, parameters
    and the table of its instructions. `peak_bytes` is exact once sizes are known (after a first
    call). `held` is what the function keeps."""

    lives: tuple[Life, ...]
    schedule: Schedule
    sizes: Mapping[str, int] | None
    budget: Budget | None = None
    held: Held = Held()

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
        if self.budget is not None:
            return self.budget.sizes
        inputs = self.schedule.graph.inputs
        return {name: 1 for node in inputs for dim in node.shape for name in size_names(dim)}

    def at(self, sizes: Mapping[str, int]) -> int:
        """The size of the arena, in bytes, for given sizes."""
        return plan(self.lives, sizes).peak_bytes

    @property
    def formulas(self) -> tuple[Dim, ...]:
        """The bytes alive during each step, as formulas of the sizes.

        Without alignment, and without what a step uses for itself: the temporaries in the body of a
        loop or branch, and the parts of a product whose terms are cut. `at` has these too.
        """
        return tuple(live_bytes(self.lives, step) for step in range(len(self.schedule.steps)))

    def __str__(self) -> str:
        sized = self.sizes is not None or self.budget is not None
        known = f" for {sizes_text(self._known_sizes)}" if sized else ""
        text = f"{self.peak_bytes:,} bytes of temporaries{known}"
        if self.budget is None:
            return text
        return f"{text} ({self.peak_bytes_without_budget:,} without a budget; {self.budget})"


def report(function: Function) -> MemoryReport:
    """See `Function.memory`."""
    known = function.lives, function.schedule, function.last_sizes, function.budget
    return MemoryReport(*known, _held(function))


def _held(function: Function) -> Held:
    slots, loops = function.idle_slots, [bound.program for bound in function.bound_loops]
    programs: list[Instance | LoopProgram] = [*(slot.instance for slot in slots), *loops]
    places = [place for slot in slots for place in slot.places() if place is not None]
    return Held(
        arenas=sum(program.arena.nbytes for program in programs),
        tables=sum(program.table_bytes for program in programs),
        places=sum(place.nbytes for place in places),
        batches=sum(program.staging_bytes for program in loops),
        results=sum(slot.kept_bytes for slot in slots),
    )


def sizes_text(sizes: Mapping[str, int]) -> str:
    """The values of named sizes, in words."""
    return ", ".join(f"{name} = {value}" for name, value in sizes.items()) or "fixed sizes"
