"""The kernel of a fold: windows added up where they overlap, without threads that share elements.

A row of the result, at given places of all axes before the last one with windows, takes from each
of these axes the windows that hit it; along the last one it adds up whole runs of windows, which
are vectors. Rows are independent, so they run in parallel, and each element adds up in one order.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.dim import Dim, product
from graphc.ir.node import Node
from graphc.loops.ir import (
    PARALLEL,
    SEQUENTIAL,
    Apply,
    Axis,
    Buffer,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.loops.tidy import tidy
from graphc.ops.windows import Slide, slides_of
from graphc.schedule.arguments import short_loops
from graphc.schedule.buffer import View
from graphc.schedule.index import ZERO, Affine, Indices, variable
from graphc.schedule.lower import Lowered
from graphc.schedule.scatter import combined
from graphc.schedule.values import Values

_ZERO = Constant(0, "int64")


def lower_fold(node: Node, memory: Callable[[Node], View]) -> Lowered:
    """The kernel of one fold."""
    return _Fold(node, memory).lower()


class _Fold:
    def __init__(self, node: Node, memory: Callable[[Node], View]) -> None:
        self.node = node
        self.emit = Values(lambda n: None, {})
        self.view, self.given = memory(node), memory(node.inputs[0])
        self.out = self.emit.arguments.buffer(self.view.buffer, self.view.region)
        self.emit.arguments.written.add(self.out)
        self.slides = {slide.axis: slide for slide in slides_of(node)}
        self.last = max(self.slides)
        self.rows = [axis for axis in range(self.last) if node.shape[axis] != 1]
        self.inner = [axis for axis in range(self.last + 1, node.ndim) if node.shape[axis] != 1]
        # Few elements of a window are part of the text: the compiler unrolls their loop.
        self.emit.short = short_loops([(f"w{self.last}", self.slides[self.last].size)])

    def lower(self) -> Lowered:
        """The kernel."""
        body = [*self._zeros(), *self._sum()]
        for axis in reversed(self.rows[1:]):
            body = [self._loop(f"i{axis}", self.node.shape[axis], body)]
        name = f"i{self.rows[0]}" if self.rows else "part"
        body = [Loop(Axis(name, _ZERO, _ZERO, PARALLEL), tuple(body))]
        return self._finish(body)

    # ---- places

    def _place(self, axis: int) -> Affine:
        return ZERO if self.node.shape[axis] == 1 else variable(f"i{axis}")

    def _result(self, along: Affine) -> Indices:
        """A place in the result, given that along the last axis with windows."""
        return tuple(
            along if axis == self.last else self._place(axis) for axis in range(self.node.ndim)
        )

    def _operand(self) -> Indices:
        """The place in the operand: of a window along each axis, then inside the window."""
        before = [
            variable(f"p{axis}") if axis in self.slides else self._place(axis)
            for axis in range(self.node.ndim)
        ]
        return (*before, *(variable(f"w{axis}") for axis in self.slides))

    def _store(self, along: Affine, value: Expression) -> Store:
        index = self.emit.flat(self.view, self._result(along))
        return Store(self.out, index, value, self.emit.origin(self.node))

    # ---- loops

    def _loop(self, name: str, extent: Dim, body: list[Statement], gate: str = "") -> Loop:
        """A loop over an axis; with a gate one that is skipped where this is not set."""
        stop = self.emit.arguments.dim(extent, name in self.emit.short)
        if gate:
            stop = Apply("where", (Variable(gate, "bool"), stop, _ZERO), "int64")
        return Loop(Axis(name, _ZERO, stop, SEQUENTIAL), tuple(body))

    def _beside(self, body: list[Statement]) -> list[Statement]:
        for axis in reversed(self.inner):
            body = [self._loop(f"i{axis}", self.node.shape[axis], body)]
        return body

    def _zeros(self) -> list[Statement]:
        dtype = self.node.dtype
        value: float | int | bool = 0.0 if dtype.is_float else 0
        name = f"i{self.last}"
        store = self._store(variable(name), Constant(value, dtype.name))
        return [self._loop(name, self.node.shape[self.last], self._beside([store]))]

    def _sum(self) -> list[Statement]:
        """Windows that hit the row, and their runs along the last axis."""
        slide, dtype = self.slides[self.last], self.node.dtype
        along = Affine(((f"p{self.last}", slide.stride), (f"w{self.last}", slide.dilation)))
        old = Load(self.out, self.emit.flat(self.view, self._result(along)), dtype.name)
        total = combined(
            "add", old, self.emit.load(self.given, self._operand()), dtype.name, dtype.compute
        )
        body: list[Statement] = self._beside([self._store(along, total)])
        rows = [slide for slide in self.slides.values() if slide.axis != self.last]
        gate = f"hit{rows[-1].axis}" if rows else ""
        whole, inside = (f"p{self.last}", slide.count), (f"w{self.last}", slide.size)
        # Side by side, the elements of windows follow each other. Where windows overlap, adding at
        # one place of all windows first lets additions to the same elements follow each other: at
        # a place just beside, each would wait for the store before it.
        overlap = slide.span > slide.stride
        if overlap:
            body = [self._loop(*whole, [*body], gate)]
        else:
            body = [self._loop(*whole, [self._loop(*inside, [*body])], gate)]
        for position in reversed(range(len(rows))):
            gate = f"hit{rows[position - 1].axis}" if position else ""
            within = [*self._hit(rows[position]), *body]
            body = [self._loop(f"w{rows[position].axis}", rows[position].size, within, gate)]
        return [self._loop(*inside, body)] if overlap else body

    def _hit(self, slide: Slide) -> list[Statement]:
        """Which window along an axis has its element `w` in the row, and whether one has."""
        name, dim = f"p{slide.axis}", self.emit.arguments.dim
        moved = Affine(((f"w{slide.axis}", -slide.dilation),))
        if self.node.shape[slide.axis] != 1:
            moved = Affine(((f"i{slide.axis}", 1), *moved.terms))
        place: Expression = self.emit.index(moved)
        exact: list[Expression] = []
        statements: list[Statement] = []
        if slide.stride != 1:
            from_start = Variable(f"m{slide.axis}", "int64")
            statements.append(Let(from_start.name, place))
            place = Apply("floor_divide", (from_start, dim(slide.stride)), "int64")
            back = Apply("multiply", (Variable(name, "int64"), dim(slide.stride)), "int64")
            exact = [Apply("equal", (back, from_start), "bool")]
        at = Variable(name, "int64")
        hits: Expression = Apply("greater_equal", (at, _ZERO), "bool")
        for more in (Apply("less", (at, dim(slide.count)), "bool"), *exact):
            hits = Apply("logical_and", (hits, more), "bool")
        return [*statements, Let(name, place), Let(f"hit{slide.axis}", hits)]

    def _finish(self, body: list[Statement]) -> Lowered:
        arguments = self.emit.arguments
        kernel = Kernel(
            tuple(
                Buffer(b.dtype.name, slot in arguments.written)
                for slot, b in enumerate(arguments.views)
            ),
            tuple(dtype for dtype, _ in arguments.scalars),
            tidy((*self.emit.top.statements, *body)),
        )
        shape = self.node.shape
        extent: Dim = shape[self.rows[0]] if self.rows else 1
        others = [shape[axis] for axis in (*self.rows[1:], self.last, *self.inner)]
        sizes = [slide.size for slide in self.slides.values()]
        return Lowered(
            kernel, tuple(arguments.views), tuple(arguments.scalars), extent,
            product((*others, *sizes)), tuple(self.emit.notes),
        )  # fmt: skip
