"""Lowering: from a group of anchors to one kernel of the loop IR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc.ir.dim import Dim, product
from graphc.ir.node import Node
from graphc.ir.site import Site
from graphc.loops.ir import (
    PARALLEL,
    REDUCING,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Axis,
    Buffer,
    Constant,
    Expression,
    Kernel,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.loops.tidy import tidy
from graphc.ops.reduction import ReductionOp
from graphc.schedule import buffer as buffers
from graphc.schedule.addressing import Scope
from graphc.schedule.analysis import Anchors, is_free
from graphc.schedule.arguments import short_loops
from graphc.schedule.buffer import View
from graphc.schedule.group import (
    Group,
    in_inner_loop,
    inner_variables,
    kept_variables,
    root_indices,
    row_variables,
    value_indices,
)
from graphc.schedule.runs import Memory, Run, Runs
from graphc.schedule.values import Values


@dataclass(frozen=True)
class Lowered:
    """A kernel, the buffers and scalars it is called with, the rows it may be split over, and its
    user lines."""

    kernel: Kernel
    buffers: tuple[buffers.Buffer, ...]
    scalars: tuple[tuple[str, Any], ...]
    extent: Dim
    row_work: Dim  # elements visited for each index of the parallel axis
    notes: tuple[tuple[Site, ...], ...]
    least: int = 1  # a chunk has a multiple of so many rows, where it has not all


class GroupLowering:
    """Builds the kernel of one group. `memory(node)` is the view of a stored node, wherever it was
    computed."""

    def __init__(self, group: Group, anchors: Anchors, memory: Memory) -> None:
        self.group, self.anchors, self.memory = group, anchors, memory
        self.structure = group.structure
        self.finished: set[Node] = set()  # anchors whose buffers hold the current row
        merged: dict[str, tuple[str, Dim] | None] = {}
        runs = Runs(group, anchors, memory, merged)
        self.rows = runs.of(row_variables(self.structure), self.structure.rows)
        self.inner = runs.of(inner_variables(self.structure), self.structure.inner)
        self.kept = runs.of(kept_variables(self.structure), self.structure.kept)
        self.values = Values(self._view, merged)
        self.values.row_names = set(row_variables(self.structure))
        loops = [*self.rows[1:], *self.inner, *self.kept]
        self.values.short = short_loops([(run.name, run.extent) for run in loops])

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

    def lower(self) -> Lowered:
        """The kernel of the group."""
        across = self.structure.kind == "across"
        statements = self._across() if across else self._rows()
        return self._finish([*self.values.top.statements, *statements])

    def _finish(self, statements: list[Statement]) -> Lowered:
        arguments = self.values.arguments
        kernel = Kernel(
            tuple(
                Buffer(b.dtype.name, slot in arguments.written)
                for slot, b in enumerate(arguments.views)
            ),
            tuple(dtype for dtype, _ in arguments.scalars),
            tidy(tuple(statements)),
        )
        lead = self.rows or self.kept
        extent: Dim = lead[0].extent if lead else 1
        rest = [run.extent for run in (*self.rows, *self.kept)[1:]] + [r.extent for r in self.inner]
        return Lowered(
            kernel,
            tuple(arguments.views),
            tuple(arguments.scalars),
            extent,
            product(tuple(rest)),
            tuple(self.values.notes),
        )

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

    def _rows(self) -> list[Statement]:
        last = max(self.group.loop.values())
        for number in range(last + 1):
            members = [a for a in self.group.anchors if self.group.loop[a] == number]
            self._row_values([a for a in members if not self._inside(a)])
            self._inner_loop([a for a in members if self._inside(a)])
            self.finished.update(a for a in members if self.memory(a) is not None)
        return self._nest(self.rows, self.values.row.statements, parallel=True)

    def _inside(self, anchor: Node) -> bool:
        return anchor.op.kind == "reduction" or in_inner_loop(self.structure, anchor)

    def _row_values(self, anchors: list[Node]) -> None:
        """Anchors that have one value a row: all are computed before any is stored."""
        computed = [self.values.compute(a, root_indices(self.structure, a)) for a in anchors]
        for anchor, value in zip(anchors, computed, strict=True):
            self._store(self.values.row, anchor, value)

    def _store(self, scope: Scope, anchor: Node, value: Expression) -> None:
        view = self.memory(anchor)
        if view is None:
            return
        slot = self.values.arguments.buffer(view.buffer, view.region)
        self.values.arguments.written.add(slot)
        index = self.values.flat(view, value_indices(self.structure, anchor))
        scope.statements.append(Store(slot, index, value, self.values.origin(anchor)))

    def _inner_loop(self, anchors: list[Node]) -> None:
        """One walk over the inner axes of a row: reductions, and values stored for each element."""
        if not anchors:
            return
        scope = self.values.element = Scope()
        reductions = [a for a in anchors if a.op.kind == "reduction"]
        stores = [a for a in anchors if a.op.kind != "reduction"]
        # In the order of the graph, so that each value finds those it is made of.
        computed = {anchor: self._inner_value(anchor) for anchor in anchors}
        for anchor in stores:
            self._store(scope, anchor, computed[anchor])
        accumulators = [self._accumulator(a, computed[a]) for a in reductions]
        self.values.element = None
        if not self.inner:
            self.values.row.statements.extend(scope.statements)
            return
        self.values.row.statements.extend(self._reducing_nest(scope.statements, accumulators))
        for anchor, accumulator in zip(reductions, accumulators, strict=True):
            self._bind_reduction(anchor, accumulator)

    def _inner_value(self, anchor: Node) -> Expression:
        """What an anchor stores, or for a reduction what it combines, at an inner element."""
        place = root_indices(self.structure, anchor)
        if anchor.op.kind == "reduction":
            return self.values.value(anchor.inputs[0], place)
        return self.values.compute(anchor, place)

    def _reducing_nest(
        self, body: list[Statement], accumulators: list[Accumulator]
    ) -> list[Statement]:
        """The inner axes as nested loops; each level combines the accumulators of the level
        inside."""
        for position in reversed(range(len(self.inner))):
            kind = REDUCING if accumulators else SEQUENTIAL
            level = tuple(accumulators)
            if position:
                level = tuple(replace(a, name=f"{a.name}_{position}") for a in accumulators)
            body = [Loop(self._axis(self.inner[position], kind), tuple(body), level)]
            accumulators = [
                _outer(a, f"{a.name}_{position}") if position else a for a in accumulators
            ]
        return body

    def _accumulator(self, anchor: Node, value: Expression) -> Accumulator:
        op = anchor.op
        assert isinstance(op, ReductionOp)
        name = self.values.fresh(op.name)
        index: Expression | None = None
        if op.combine in ("argmax", "argmin"):
            index = Variable(self.inner[0].name, "int64")
        return Accumulator(
            name, op.combine, value, _identity(op, value.dtype), value.dtype, index,
            self.values.origin(anchor),
        )  # fmt: skip

    def _bind_reduction(self, anchor: Node, accumulator: Accumulator) -> None:
        arg = accumulator.index is not None
        value = (
            Variable(accumulator.name + "_index", "int64")
            if arg
            else Variable(accumulator.name, accumulator.dtype)
        )
        self.values.bind(anchor, value_indices(self.structure, anchor), value)
        self._store(self.values.row, anchor, value)

    def _across(self) -> list[Statement]:
        """Outer axes are reduced: rows of the input are added up in the buffers of the results."""
        reductions = [a for a in self.group.anchors if a.op.kind == "reduction"]
        parallel = not self.rows
        before = self._kept_nest(lambda scope: self._start(scope, reductions), parallel)
        during = self._kept_nest(lambda scope: self._accumulate(scope, reductions), parallel)
        for run in reversed(self.inner):
            during = [Loop(self._axis(run, SEQUENTIAL), tuple(during))]
        self.finished.update(reductions)
        rest = [a for a in self.group.anchors if a.op.kind != "reduction"]
        after = self._kept_nest(lambda scope: self._epilogue(scope, rest), parallel) if rest else []
        whole = [*self.values.row.statements, *before, *during, *after]
        return self._nest(self.rows, whole, parallel=True)

    def _kept_nest(self, fill: Callable[[Scope], None], parallel: bool) -> list[Statement]:
        scope = self.values.element = Scope()
        fill(scope)
        self.values.element = None
        return self._nest(self.kept, scope.statements, parallel)

    def _start(self, scope: Scope, reductions: list[Node]) -> None:
        for anchor in reductions:
            assert isinstance(anchor.op, ReductionOp)
            self._store(scope, anchor, _identity(anchor.op, anchor.dtype.name))

    def _accumulate(self, scope: Scope, reductions: list[Node]) -> None:
        stores = []
        for anchor in reductions:
            assert isinstance(anchor.op, ReductionOp)
            value = self.values.value(anchor.inputs[0], root_indices(self.structure, anchor))
            view = self.memory(anchor)
            assert view is not None
            total = self.values.load(view, value_indices(self.structure, anchor))
            stores.append((anchor, Apply(anchor.op.combine, (total, value), value.dtype)))
        for anchor, value in stores:
            self._store(scope, anchor, value)

    def _epilogue(self, scope: Scope, anchors: list[Node]) -> None:
        computed = [self.values.compute(a, root_indices(self.structure, a)) for a in anchors]
        for anchor, value in zip(anchors, computed, strict=True):
            self._store(scope, anchor, value)


def _identity(op: ReductionOp, dtype: str) -> Constant:
    """What a reduction starts from."""
    floats = dtype in ("float32", "float64")
    if op.combine in ("maximum", "argmax"):
        low = False if dtype == "bool" else (-np.inf if floats else int(np.iinfo(dtype).min))
        return Constant(low, dtype)
    if op.combine in ("minimum", "argmin"):
        high = True if dtype == "bool" else (np.inf if floats else int(np.iinfo(dtype).max))
        return Constant(high, dtype)
    return Constant(float(op.identity) if floats else int(op.identity), dtype)


def _outer(accumulator: Accumulator, inner: str) -> Accumulator:
    """The accumulator one level out, which combines the results of the level inside."""
    index = Variable(f"{inner}_index", "int64") if accumulator.index is not None else None
    return replace(accumulator, value=Variable(inner, accumulator.dtype), index=index)
