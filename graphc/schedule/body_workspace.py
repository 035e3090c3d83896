"""The memory that the bodies of a loop or a branch take inside the program around them."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.dim import Dim
from graphc.schedule.buffer import Workspace
from graphc.schedule.memory import plan
from graphc.schedule.row_parts import row_ranges
from graphc.schedule.schedule import Part


class BodyWorkspace(Workspace):
    """Room for the temporaries of bodies that never run at the same time; or of one body for all
    parts of a batch, which do."""

    def __init__(self, parts: tuple[Part, ...], length: Dim | None, batch: str | None) -> None:
        super().__init__()
        self.parts, self.length, self.batch = parts, length, batch

    def bytes(self, sizes: Mapping[str, int]) -> int:
        """What a body takes, or the parts of a batch take together."""
        if self.batch is None or self.length is None:
            return max((plan(part.lives, sizes).peak_bytes for part in self.parts), default=0)
        (part,) = self.parts
        ranges = row_ranges(part, self.length, self.batch, sizes)
        inside = [{**sizes, self.batch: len(rows)} for rows in ranges]
        return sum(plan(part.lives, each).peak_bytes for each in inside)
