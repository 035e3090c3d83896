"""Elementwise kernels that read an operand across its lines of memory walk their rows in tiles.

A transposition reads down a column where it writes along a row. Row by row it takes one element of
each line of memory, which has left the cache before the next one is wanted. In a tile of few rows
and few columns every line stays until all of its elements are taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dim import Dim, product
from graphc.loops.ir import (
    PARALLEL,
    SEQUENTIAL,
    Apply,
    Axis,
    Constant,
    Expression,
    Let,
    Loop,
    Statement,
    Variable,
)
from graphc.schedule.arguments import Arguments
from graphc.schedule.blocks import block_count
from graphc.schedule.runs import Run
from graphc.schedule.structure import BLOCK

# The elements along each side of a tile. exp(x.T) + x of 2048 x 2048 took 6.1 ms in tiles of 32,
# 2.6 in tiles of 64 and 3.0 in tiles of 128.
TILE = 64
# What it takes to turn an element of a tile, in the units of `loops.work`. Measured: 0.13 ns.
_TURNING = 4
_ZERO = Constant(0, "int64")


def tile_extents(runs: Sequence[Run], sides: Sequence[Run]) -> tuple[Dim, Dim]:
    """The number of tiles, and the work of each."""
    counts = [_count(run, sides) for run in runs]
    return product(tuple(counts)), _TURNING * TILE * TILE


def in_tiles(
    runs: Sequence[Run], sides: Sequence[Run], body: Sequence[Statement], arguments: Arguments
) -> list[Statement]:
    """The body for each element of each tile; `sides` are the runs that are walked in tiles."""
    statements: list[Statement] = []
    rest: Expression = Variable(BLOCK, "int64")
    for run in reversed(runs[1:]):
        count = arguments.dim(_count(run, sides))
        above = Variable(f"before_{run.name}", "int64")
        here = _apply("subtract", rest, _apply("multiply", above, count))
        statements += [
            Let(above.name, _apply("floor_divide", rest, count)),
            _place(run, sides, here),
        ]
        rest = above
    statements.append(_place(runs[0], sides, rest))
    inner: tuple[Statement, ...] = tuple(body)
    for run in reversed(runs):
        if run in sides:
            statements += _end(run, arguments)
            first, stop = _bounds(run)
            inner = (Loop(Axis(run.name, first, stop, SEQUENTIAL, TILE), inner),)
    return [Loop(Axis(BLOCK, _ZERO, _ZERO, PARALLEL), (*statements, *inner))]


def _count(run: Run, sides: Sequence[Run]) -> Dim:
    return block_count(run.extent, TILE) if run in sides else run.extent


def _bounds(run: Run) -> tuple[Variable, Variable]:
    return Variable(f"start_{run.name}", "int64"), Variable(f"stop_{run.name}", "int64")


def _place(run: Run, sides: Sequence[Run], position: Expression) -> Let:
    """The index along a run, or the first one of a tile."""
    if run not in sides:
        return Let(run.name, position)
    return Let(_bounds(run)[0].name, _apply("multiply", position, Constant(TILE, "int64")))


def _end(run: Run, arguments: Arguments) -> list[Statement]:
    start, stop = _bounds(run)
    end = _apply("add", start, Constant(TILE, "int64"))
    return [Let(stop.name, _apply("minimum", end, arguments.dim(run.extent)))]


def _apply(operation: str, first: Expression, second: Expression) -> Apply:
    return Apply(operation, (first, second), "int64")
