"""What lowering makes of a group of nodes: a kernel, and what it is called with."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from graphc.ir.dim import Dim
from graphc.ir.site import Site
from graphc.loops.ir import Kernel
from graphc.loops.work import work
from graphc.schedule.buffer import Buffer


@dataclass(frozen=True, eq=False, repr=False)
class Lowered:
    """A kernel, the buffers and scalars it is called with, the rows it may be split over, and its
    user lines."""

    kernel: Kernel
    buffers: tuple[Buffer, ...]
    scalars: tuple[tuple[str, Any], ...]
    extent: Dim
    row_work: Dim  # elements visited for each index of the parallel axis
    notes: tuple[tuple[Site, ...], ...]
    least: int = 1  # a chunk has a multiple of so many rows, where it has not all

    @functools.cached_property
    def visit_work(self) -> int:
        """What is computed for each element visited, as `loops.work` counts it."""
        return work(self.kernel.body)
