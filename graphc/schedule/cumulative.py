"""The kernels of recurrences along an axis: what runs in parallel is what lies beside the axis.

An array is walked as (outer, axis, inner). Where the axis is the last one, each outer row has a
running value in a register; else the inner elements of one place are done together, on vectors,
before the next place. Threads share outer rows or, where there are few, tiles of inner elements.
The order of additions is that of the axis in both, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphc.ir.dim import Dim, floor_divide, product
from graphc.ir.node import Node
from graphc.loops.ir import (
    PARALLEL,
    SEQUENTIAL,
    Apply,
    Axis,
    Buffer,
    Carry,
    Constant,
    Expression,
    Kernel,
    Let,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.loops.tidy import tidy
from graphc.ops.cumulative import CumulativeOp, identity
from graphc.schedule.buffer import View, around_axis
from graphc.schedule.index import ZERO, Affine, Indices, variable
from graphc.schedule.lowered import Lowered
from graphc.schedule.values import Values

OUTER, FIRST, PLACE, INNER, TILE = "i0", "f0", "r0", "j0", "t0"
# So many inner elements are walked together, the least that a thread takes. Measured: at 64, a few
# cache lines of each place, 1024 x 1024 sums took three times as long.
_WIDTH = 512
_ZERO, _ONE, _TILE = (Constant(value, "int64") for value in (0, 1, _WIDTH))
# So many outer rows are enough to share among threads; with fewer the inner elements are shared.
_ROWS = 16


def lower_cumulative(node: Node, memory: Callable[[Node], View]) -> Lowered:
    """The kernel of one recurrence."""
    return _Recurrence(node, memory).lower()


class _Walk(NamedTuple):
    """The lengths of (outer, axis, inner), and whether outer rows are what runs in parallel."""

    outer: Dim
    length: Dim
    inner: Dim
    by_rows: bool


def _walk(node: Node) -> _Walk:
    axis = node.attrs["axis"]
    outer, inner = product(node.shape[:axis]), product(node.shape[axis + 1 :])
    many = not isinstance(outer, int) or outer >= _ROWS
    by_rows = many or (isinstance(inner, int) and isinstance(outer, int) and inner <= outer)
    return _Walk(outer, node.shape[axis], inner, by_rows)


class _Recurrence:
    def __init__(self, node: Node, memory: Callable[[Node], View]) -> None:
        assert isinstance(node.op, CumulativeOp)
        self.node, self.op, self.walk = node, node.op, _walk(node)
        self.emit = Values(lambda n: None, {})
        self.emit.row_names = {OUTER, PLACE, INNER}
        axis = node.attrs["axis"]
        self.result = self._collapsed(memory(node), axis)
        self.out = self.emit.arguments.buffer(self.result.buffer)
        self.emit.arguments.written.add(self.out)
        self.operands = [self._collapsed(memory(source), axis) for source in node.inputs]

    def _collapsed(self, view: View, axis: int) -> View:
        strides = around_axis(view, axis)
        assert strides is not None
        shape = (self.walk.outer, self.walk.length, self.walk.inner)
        return view._replace(shape=shape, strides=strides)

    # ---- values

    def _place(self, back: int = 0) -> Indices:
        """The element so many places before the current one, in the order of the walk."""
        along = Affine(((PLACE, 1),), -back)
        if self.node.attrs["reverse"]:
            along = Affine(((PLACE, -1),), self.walk.length - 1 + back)
        return self._beside_axis(along)

    def _start(self) -> Indices:
        """The first element of the walk."""
        return self._beside_axis(
            Affine((), self.walk.length - 1 if self.node.attrs["reverse"] else 0)
        )

    def _beside_axis(self, along: Affine) -> Indices:
        outer = ZERO if self.walk.outer == 1 else variable(OUTER)
        return outer, along, ZERO if self.walk.inner == 1 else variable(INNER)

    def _store(self, place: Indices, value: Expression) -> Statement:
        index = self.emit.flat(self.result, place)
        return Store(self.out, index, value, self.emit.origin(self.node))

    def _first(self) -> Expression:
        if self.node.attrs["exclusive"]:
            value = identity(self.op.combine, self.node.dtype.numpy)
            return Constant(value, self.node.dtype.name)
        return self.emit.load(self.operands[-1], self._start())

    def _next(self, before: Expression) -> Expression:
        dtype, skipped = self.node.dtype.name, int(self.node.attrs["exclusive"])
        element = self.emit.load(self.operands[-1], self._place(skipped))
        if self.op.combine != "linear":
            return Apply(self.op.combine, (before, element), dtype)
        factor = self.emit.load(self.operands[0], self._place(int(self.node.attrs["lag"])))
        total = Apply("add", (Apply("multiply", (factor, before), dtype), element), dtype)
        anew = Apply("equal", (factor, Constant(0, dtype)), "bool")
        return Apply("where", (anew, element, total), dtype)

    # ---- loops

    def _beside(self, name: str, extent: Dim, body: list[Statement]) -> list[Statement]:
        if extent == 1:
            return body
        if name == OUTER and self.walk.by_rows:
            return [Loop(Axis(name, _ZERO, _ZERO, PARALLEL), tuple(body))]
        axis = Axis(name, _ZERO, self.emit.arguments.dim(extent), SEQUENTIAL)
        if name == INNER and not self.walk.by_rows:
            axis = Axis(name, Variable("start", "int64"), Variable("stop", "int64"), SEQUENTIAL)
        return [Loop(axis, tuple(body))]

    def _by_tiles(self, body: list[Statement]) -> list[Statement]:
        """The body for each tile of inner elements, from `start` to `stop`."""
        first = Apply("multiply", (Variable(TILE, "int64"), _TILE), "int64")
        end = Apply("add", (Variable("start", "int64"), _TILE), "int64")
        last = Apply("minimum", (end, self.emit.arguments.dim(self.walk.inner)), "int64")
        bounds = [Let("start", first), Let("stop", last)]
        return [Loop(Axis(TILE, _ZERO, _ZERO, PARALLEL), (*bounds, *body))]

    def lower(self) -> Lowered:
        """The kernel."""
        length = self.emit.arguments.dim(self.walk.length)
        # An axis may be empty; its first place is then none.
        some = _ONE if self.walk.length == 1 else Apply("minimum", (length, _ONE), "int64")
        once = Axis(FIRST, _ZERO, some, SEQUENTIAL)
        later = Axis(PLACE, _ONE, length, SEQUENTIAL)
        walked = self._in_register if self.walk.inner == 1 else self._in_memory
        body = self._beside(OUTER, self.walk.outer, walked(once, later))
        return self._finish(body if self.walk.by_rows else self._by_tiles(body))

    def _in_register(self, once: Axis, later: Axis) -> list[Statement]:
        """One running value at a time."""
        dtype, origin = self.node.dtype.name, self.emit.origin(self.node)
        first, running, following = (
            Variable(self.emit.fresh(stem), dtype) for stem in ("first", "running", "next")
        )
        step = [
            Let(following.name, self._next(running), origin),
            self._store(self._place(), following),
        ]
        walk = Loop(later, tuple(step), carries=(Carry(running.name, following, first, origin),))
        start = [Let(first.name, self._first(), origin), self._store(self._start(), first)]
        return [Loop(once, (*start, walk))]

    def _in_memory(self, once: Axis, later: Axis) -> list[Statement]:
        """All the inner elements of one place, from those of the place before."""
        before = self.emit.load(self.result, self._place(1))
        steps = (
            (once, self._store(self._start(), self._first())),
            (later, self._store(self._place(), self._next(before))),
        )
        return [Loop(axis, tuple(self._beside(INNER, self.walk.inner, [s]))) for axis, s in steps]

    def _finish(self, body: list[Statement]) -> Lowered:
        arguments, walk = self.emit.arguments, self.walk
        kernel = Kernel(
            tuple(
                Buffer(b.dtype.name, slot in arguments.written)
                for slot, b in enumerate(arguments.views)
            ),
            tuple(dtype for dtype, _ in arguments.scalars),
            tidy((*self.emit.top.statements, *body)),
        )
        extent, rest = walk.outer, walk.inner
        if not walk.by_rows:
            extent, rest = floor_divide(walk.inner + _WIDTH - 1, _WIDTH), walk.outer * _WIDTH
        return Lowered(
            kernel, tuple(arguments.views), tuple(arguments.scalars), extent, rest * walk.length,
            tuple(self.emit.notes),
        )  # fmt: skip
