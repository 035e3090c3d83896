"""Lowering: from a group of anchors to one kernel of the loop IR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from graphc.ir.node import Node
from graphc.loops.ir import (
    REDUCING,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Buffer,
    Expression,
    Kernel,
    Loop,
    Statement,
    Variable,
)
from graphc.loops.tidy import tidy
from graphc.ops.reduction import ReductionOp
from graphc.schedule.addressing import Scope
from graphc.schedule.blocks import block_op
from graphc.schedule.lowered import Lowered
from graphc.schedule.nest import GroupNest, identity_of
from graphc.schedule.structure import (
    in_inner_loop,
    root_indices,
    value_indices,
)
from graphc.schedule.tiles import in_tiles


class GroupLowering(GroupNest):
    """Builds the kernel of one group."""

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
        extent, row_work = self._extents()
        return Lowered(
            kernel,
            tuple(arguments.views),
            tuple(arguments.scalars),
            extent,
            row_work,
            tuple(self.values.notes),
        )

    def _rows(self) -> list[Statement]:
        last = max(self.group.loop.values())
        for number in range(last + 1):
            members = [a for a in self.group.anchors if self.group.loop[a] == number]
            once = [a for a in members if not self._inside(a)]
            self._row_values([a for a in once if a.op is not block_op])
            self._block_values([a for a in once if a.op is block_op])
            self._inner_loop([a for a in members if self._inside(a)])
            self.finished.update(a for a in members if self.memory(a) is not None)
        if self.structure.block:
            return self._in_blocks(self.values.row.statements)
        if self.sides:
            body = self.values.row.statements
            return in_tiles(self.rows, self.sides, body, self.values.arguments)
        return self._nest(self.rows, self.values.row.statements, parallel=True)

    def _inside(self, anchor: Node) -> bool:
        return anchor.op.kind == "reduction" or in_inner_loop(self.structure, anchor)

    def _row_values(self, anchors: list[Node]) -> None:
        """Anchors that have one value a row: all are computed before any is stored."""
        computed = [self.values.compute(a, root_indices(self.structure, a)) for a in anchors]
        for anchor, value in zip(anchors, computed, strict=True):
            self._store(self.values.row, anchor, value)

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
        if anchor.op is block_op:
            return self._added(anchor, self.values.value(anchor.inputs[0], place))
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
        identity, origin = identity_of(op, value.dtype), self.values.origin(anchor)
        return Accumulator(name, op.combine, value, identity, value.dtype, origin=origin)

    def _bind_reduction(self, anchor: Node, accumulator: Accumulator) -> None:
        value = Variable(accumulator.name, accumulator.dtype)
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
            self._store(scope, anchor, identity_of(anchor.op, anchor.dtype.name))

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


def _outer(accumulator: Accumulator, inner: str) -> Accumulator:
    """The accumulator one level out, which combines the results of the level inside."""
    return replace(accumulator, value=Variable(inner, accumulator.dtype))
