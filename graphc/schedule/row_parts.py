"""The parts of a batch that a loop goes through each by itself (see `by_rows`): by its sizes
alone."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir.dim import Dim, evaluate, product, size_names
from graphc.loops.parallel import PARALLEL_WORK
from graphc.schedule.schedule import Call, KernelCall, Part, Product, ScheduledStep

MOST_PARTS = 4
"""A batch is divided into so many parts at most."""
# A part has so many rows at least: those of a block of a small product.
_LEAST_ROWS = 8
# What every part reads again at each step, such as weights, fits a cache of one processor.
_SHARED_BYTES = 1 << 20


def row_ranges(part: Part, length: Dim, batch: str, sizes: Mapping[str, int]) -> list[range]:
    """The rows of each part of a batch, for a loop of `length` steps whose body is `part`."""
    rows = sizes[batch]
    count = part_count(part, length, batch, sizes)
    each = max(-(-rows // count), 1)
    return [range(first, min(first + each, rows)) for first in range(0, max(rows, 1), each)]


def part_count(part: Part, length: Dim, batch: str, sizes: Mapping[str, int]) -> int:
    """The parts that a batch is done in: by its sizes alone.

    Not where the parts are too few rows for a product, where there is little to do, and where what
    all parts read at every step does not stay in a cache.
    """
    shared = sum(
        evaluate(port.inside.elements, sizes) * port.inside.dtype.itemsize
        for port in part.ports
        if port.stride == 0 and batch not in size_names(port.inside.elements)
    )
    count = min(MOST_PARTS, sizes[batch] // _LEAST_ROWS)
    if count < 2 or shared > _SHARED_BYTES:
        return 1
    work = evaluate(length, sizes) * sum(_work(step, sizes) for step in part.schedule.steps)
    return count if work >= 2 * PARALLEL_WORK else 1


def _work(step: ScheduledStep, sizes: Mapping[str, int]) -> int:
    if isinstance(step, KernelCall | Call):
        call = step.lowered if isinstance(step, KernelCall) else step
        visits = evaluate(call.extent, sizes) * max(evaluate(call.row_work, sizes), 1)
        return visits * call.visit_work
    if isinstance(step, Product):
        return evaluate(product(step.c.shape) * step.a.shape[-1], sizes)
    return 0
