"""The nest of loops of one kernel: its rows, in blocks where that is so, and what blocks
add up."""

from __future__ import annotations

import numpy as np

from graphc.ir.dim import Dim, product
from graphc.ir.node import Node
from graphc.loops.ir import (
    PARALLEL,
    REDUCING,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Axis,
    Constant,
    Expression,
    Let,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.ops.reduction import ReductionOp
from graphc.schedule.addressing import Scope
from graphc.schedule.analysis import Anchors, is_free
from graphc.schedule.arguments import short_loops
from graphc.schedule.blocks import block_count, block_op, reduction_of
from graphc.schedule.buffer import View
from graphc.schedule.group import Group
from graphc.schedule.runs import Memory, Run, Runs
from graphc.schedule.structure import (
    BLOCK,
    in_inner_loop,
    inner_variables,
    kept_variables,
    root_indices,
    row_variables,
    value_indices,
)
from graphc.schedule.tiles import tile_extents
from graphc.schedule.values import Values

_BOUNDS = Variable("start", "int64"), Variable("stop", "int64")


class GroupNest:
    """The loops of one group and the values in them. `memory(node)` is the view of a stored node,
    wherever it was computed."""

    def __init__(self, group: Group, anchors: Anchors, memory: Memory) -> None:
        self.group, self.anchors, self.memory = group, anchors, memory
        self.structure = group.structure
        self.finished: set[Node] = set()  # anchors whose buffers hold the current row
        self.totals: list[Accumulator] = []  # what a block adds up from row to row
        merged: dict[str, tuple[str, Dim] | None] = {}
        runs = Runs(group, anchors, memory, merged)
        self.rows = self._row_runs(runs)
        self.inner = runs.of(inner_variables(self.structure), self.structure.inner)
        self.kept = runs.of(kept_variables(self.structure), self.structure.kept)
        self.values = Values(self._view, merged)
        self.values.row_names = set(row_variables(self.structure))
        loops = [*self.rows[1:], *self.inner, *self.kept]
        self.values.short = short_loops([(run.name, run.extent) for run in loops])
        several = self.structure.kind == "map" and not self.values.short
        # The two runs that are walked in tiles, if there are any.
        self.sides = runs.across(self.rows, self.structure.rows) if several else ()

    def _row_runs(self, runs: Runs) -> list[Run]:
        names, dims = row_variables(self.structure), self.structure.rows
        if not self.structure.block:
            return runs.of(names, dims)
        # The axis that is walked in blocks stays a loop of its own.
        return [*runs.of(names[:-1], dims[:-1]), *runs.of(names[-1:], dims[-1:])]

    # ---- where values come from

    def _view(self, node: Node) -> View | None:
        """The memory to load from; None for what this kernel computes in place."""
        source = self.anchors.memory_of(node)
        here = source in self.group.loop
        if here and source not in self.finished:
            return None
        if self.anchors.inlined(node) or is_free(node):
            return None
        return self.memory(node)

    # ---- the nest

    def _extents(self) -> tuple[Dim, Dim]:
        """The length of the parallel axis, and the elements visited at each of its indices."""
        inner = [run.extent for run in self.inner]
        outer = [run.extent for run in (*self.rows, *self.kept)]
        if self.structure.block:
            block = self.structure.block
            return block_count(outer.pop(), block), product((*outer, block, *inner))
        if self.sides:
            return tile_extents(self.rows, self.sides)
        extent: Dim = outer.pop(0) if outer else 1
        return extent, product((*outer, *inner))

    def _nest(self, runs: list[Run], body: list[Statement], parallel: bool) -> list[Statement]:
        """The body inside one loop a run; the outermost is the parallel one, which runs over a
        chunk."""
        for position in reversed(range(len(runs))):
            kind = PARALLEL if parallel and position == 0 else SEQUENTIAL
            body = [Loop(self._axis(runs[position], kind), tuple(body))]
        return body

    def _axis(self, run: Run, kind: str) -> Axis:
        # A parallel axis runs over what its chunk is given, so its own extent is not used.
        zero = Constant(0, "int64")
        literal = run.name in self.values.short
        stop = zero if kind == PARALLEL else self.values.arguments.dim(run.extent, literal)
        return Axis(run.name, zero, stop, kind)

    def _store(self, scope: Scope, anchor: Node, value: Expression) -> None:
        if self.memory(anchor) is not None:
            scope.statements.append(self._stored(anchor, value))

    def _stored(self, anchor: Node, value: Expression) -> Store:
        view = self.memory(anchor)
        assert view is not None
        slot = self.values.arguments.buffer(view.buffer, view.region)
        self.values.arguments.written.add(slot)
        index = self.values.flat(view, value_indices(self.structure, anchor))
        return Store(slot, index, value, self.values.origin(anchor))

    def _bounds(self, block: int, length: Dim) -> list[Statement]:
        """The first index of a block, and the one after its last."""
        size = self.values.arguments.scalar("int64", block)
        end = Apply("add", (_BOUNDS[0], size), "int64")
        last = Apply("minimum", (end, self.values.arguments.dim(length)), "int64")
        start = Apply("multiply", (Variable(BLOCK, "int64"), size), "int64")
        return [Let("start", start), Let("stop", last)]

    # ---- rows in blocks

    def _in_blocks(self, row: list[Statement]) -> list[Statement]:
        """The rows of each block, and what they add up to."""
        bounds = self._bounds(self.structure.block, self.rows[-1].extent)
        kind = REDUCING if self.totals else SEQUENTIAL
        walk = Loop(Axis(self.rows[-1].name, *_BOUNDS, kind), tuple(row), tuple(self.totals))
        around = self._nest(self.rows[:-1], self._around_block(walk), parallel=False)
        zero = Constant(0, "int64")
        return [Loop(Axis(BLOCK, zero, zero, PARALLEL), (*bounds, *around))]

    def _around_block(self, walk: Loop) -> list[Statement]:
        """The rows of a block, between the start of what is added up and its end."""
        results = [a for a in self.group.anchors if a.op is block_op]
        columns = [a for a in results if in_inner_loop(self.structure, a)]
        cleared = [self._stored(a, identity_of(reduction_of(a), a.dtype.name)) for a in columns]
        before = self._nest(self.inner, [*cleared], parallel=False) if cleared else []
        numbers = [a for a in results if a not in columns]
        after = [
            self._stored(anchor, Variable(total.name, total.dtype))
            for anchor, total in zip(numbers, self.totals, strict=True)
        ]
        return [*before, walk, *after]

    def _block_values(self, anchors: list[Node]) -> None:
        """What rows have one of and blocks add up, in registers."""
        for anchor in anchors:
            value = self.values.value(anchor.inputs[0], root_indices(self.structure, anchor))
            op, name = reduction_of(anchor), self.values.fresh(anchor.attrs["reduction"])
            origin = self.values.origin(anchor)
            identity = identity_of(op, value.dtype)
            self.totals.append(Accumulator(name, op.combine, value, identity, value.dtype, origin))

    def _added(self, anchor: Node, value: Expression) -> Expression:
        """The sum so far of a column of a block, and `value`."""
        view = self.memory(anchor)
        assert view is not None
        total = self.values.load(view, value_indices(self.structure, anchor))
        return Apply(reduction_of(anchor).combine, (total, value), value.dtype)


def identity_of(op: ReductionOp, dtype: str) -> Constant:
    """What a reduction starts from."""
    floats = dtype in ("float32", "float64")
    if op.combine == "maximum":
        low = False if dtype == "bool" else (-np.inf if floats else int(np.iinfo(dtype).min))
        return Constant(low, dtype)
    if op.combine == "minimum":
        high = True if dtype == "bool" else (np.inf if floats else int(np.iinfo(dtype).max))
        return Constant(high, dtype)
    return Constant(float(op.identity) if floats else int(op.identity), dtype)
