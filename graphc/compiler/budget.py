"""What a memory budget is given with, and what a call may take of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from graphc.errors import ArgumentError, MemoryBudgetError
from graphc.ir.dim import size_names
from graphc.ir.graph import Graph
from graphc.schedule.buffer import Life
from graphc.schedule.memory import plan

# Bytes, and the sizes that they are for.
Budgeted = tuple[int, dict[str, int]]


def check_budget(
    graph: Graph, budget: int | None, sizes: Mapping[str, int] | None
) -> Budgeted | None:
    """A budget and the sizes that it is for; ArgumentError if one is missing or none of the
    inputs'."""
    if budget is None:
        if sizes is not None:
            raise ArgumentError("compile: budget_sizes are the sizes of a memory_budget; give both")
        return None
    if not _is_count(budget) or budget < 1:
        raise ArgumentError(
            f"compile: expected memory_budget, a number of bytes >= 1, an integer; got {budget!r}"
        )
    names = dict.fromkeys(n for node in graph.inputs for d in node.shape for n in size_names(d))
    given = dict(sizes or {})
    example = ", ".join(f'"{name}": 128' for name in names)
    for name in names:
        if name not in given:
            raise ArgumentError(
                f"compile: a memory_budget needs the size {name!r} that it is for, as in "
                f"budget_sizes={{{example}}}"
            )
    for name, value in given.items():
        if name not in names:
            raise ArgumentError(
                f"compile: budget_sizes has {name!r}; the inputs' sizes are "
                f"{', '.join(map(repr, names)) or 'all fixed'}"
            )
        if not _is_count(value) or value < 0:
            raise ArgumentError(
                f"compile: expected budget_sizes[{name!r}] >= 0, an integer; got {value!r}"
            )
    return int(budget), {name: int(value) for name, value in given.items()}


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_bound(most: int, lives: tuple[Life, ...], sizes: Mapping[str, int]) -> None:
    """Raise MemoryBudgetError if temporaries take more than the budget for the sizes of a call."""
    taken = plan(lives, sizes).peak_bytes
    if taken > most:
        named = ", ".join(f"{name} = {value}" for name, value in sizes.items())
        raise MemoryBudgetError(
            f"temporaries take {taken:,} bytes for {named}: expected at most {most:,}, the "
            f"memory_budget; compile with the largest sizes of a call in budget_sizes",
            taken,
        )
