"""The kernel of a fold: windows added up where they overlap, without threads that share elements.

Windows overlap along the axes that they slide over only. A plane of the result, at given places of
the axes outside these, is cleared; then all windows of the plane are added, one place inside them
after the other, in runs that are vectors. Planes are independent, so they run in parallel, and
each element adds up in one order.
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
from graphc.ops.windows import slides_of
from graphc.schedule.arguments import short_loops
from graphc.schedule.buffer import View
from graphc.schedule.index import ZERO, Affine, Indices, variable
from graphc.schedule.lowered import Lowered
from graphc.schedule.scatter import combined
from graphc.schedule.values import Values

_ZERO = Constant(0, "int64")
_PLANE = "plane"


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
        last = max(self.slides)
        longer = [axis for axis in range(node.ndim) if node.shape[axis] != 1]
        # Nothing overlaps along the other axes: those outside are for threads to share.
        self.outer = [a for a in longer if a < last and a not in self.slides]
        self.inner = [a for a in longer if a > last]
        order = [(name, extent) for name, extent in self._walk() if extent != 1]
        # A known length helps where neighbours lie side by side: the rest of a vector is masked.
        strided = self._overlaps() and self.slides[last].stride > 1
        self.emit.short = frozenset() if strided else short_loops(order)

    def lower(self) -> Lowered:
        """The kernel."""
        body = [*self._outer_places(), *self._zeros(), *self._sum()]
        return self._finish([Loop(Axis(_PLANE, _ZERO, _ZERO, PARALLEL), tuple(body))])

    # ---- places

    def _outer_places(self) -> list[Statement]:
        """The place along each outer axis, from the number of the plane."""
        statements: list[Statement] = []
        rest: Expression = Variable(_PLANE, "int64")
        for axis in reversed(self.outer[1:]):
            extent = self.emit.arguments.dim(self.node.shape[axis])
            quotient = Apply("floor_divide", (rest, extent), "int64")
            above = Variable(f"above{axis}", "int64")
            statements.append(Let(above.name, quotient))
            whole = Apply("multiply", (above, extent), "int64")
            statements.append(Let(f"i{axis}", Apply("subtract", (rest, whole), "int64")))
            rest = above
        if self.outer:
            statements.append(Let(f"i{self.outer[0]}", rest))
        return statements

    def _place(self, axis: int) -> Affine:
        return ZERO if self.node.shape[axis] == 1 else variable(f"i{axis}")

    def _result(self) -> Indices:
        """The place in the result of an element of a window."""
        return tuple(
            Affine(
                ((f"p{axis}", self.slides[axis].stride), (f"w{axis}", self.slides[axis].dilation))
            )
            if axis in self.slides
            else self._place(axis)
            for axis in range(self.node.ndim)
        )

    def _operand(self) -> Indices:
        """The place in the operand: of a window along each axis, then inside the window."""
        before = [
            variable(f"p{axis}") if axis in self.slides else self._place(axis)
            for axis in range(self.node.ndim)
        ]
        return (*before, *(variable(f"w{slide.axis}") for slide in slides_of(self.node)))

    def _store(self, place: Indices, value: Expression) -> Store:
        index = self.emit.flat(self.view, place)
        return Store(self.out, index, value, self.emit.origin(self.node))

    # ---- loops

    def _nest(self, loops: list[tuple[str, Dim]], body: list[Statement]) -> list[Statement]:
        for name, extent in reversed(loops):
            stop = self.emit.arguments.dim(extent, name in self.emit.short)
            body = [Loop(Axis(name, _ZERO, stop, SEQUENTIAL), tuple(body))]
        return body

    def _walk(self) -> list[tuple[str, Dim]]:
        """The loops over windows and what is in them, outermost first.

        Where windows overlap, adding at one place of all windows first lets additions to the same
        element follow far apart: at a place just beside, each would wait for the store before it.
        Side by side, the elements of windows follow each other.
        """
        slides = sorted(self.slides.values(), key=lambda slide: slide.axis)
        places: list[tuple[str, Dim]] = [(f"p{slide.axis}", slide.count) for slide in slides]
        inside: list[tuple[str, Dim]] = [(f"w{slide.axis}", slide.size) for slide in slides]
        beside = [(f"i{axis}", self.node.shape[axis]) for axis in self.inner]
        return [*inside, *places, *beside] if self._overlaps() else [*places, *inside, *beside]

    def _overlaps(self) -> bool:
        return any(slide.span > slide.stride for slide in self.slides.values())

    def _zeros(self) -> list[Statement]:
        dtype = self.node.dtype
        zero = Constant(0.0 if dtype.is_float else 0, dtype.name)
        last_outer = max(self.outer, default=-1)
        tail = range(last_outer + 1, self.node.ndim)
        shape = tuple(self.node.shape[axis] for axis in tail)
        strides = tuple(self.view.strides[axis] for axis in tail)
        between = [axis for axis in sorted(self.slides) if axis < last_outer]
        if not between and View(self.view.buffer, shape, strides).contiguous:
            # In one piece: one loop.
            start = (*(self._place(axis) for axis in range(last_outer + 1)), *(ZERO for _ in tail))
            index = self.emit.flat(self.view, start)
            index = Apply("add", (index, Variable("j", "int64")), "int64")
            store = Store(self.out, index, zero, self.emit.origin(self.node))
            return self._nest([("j", product(shape))], [store])
        names = [
            f"j{axis}" if axis in self.slides else f"i{axis}" for axis in range(self.node.ndim)
        ]
        place = tuple(
            ZERO if self.node.shape[axis] == 1 else variable(names[axis])
            for axis in range(self.node.ndim)
        )
        loops = [
            (names[axis], self.node.shape[axis])
            for axis in range(self.node.ndim)
            if self.node.shape[axis] != 1 and axis not in self.outer
        ]
        return self._nest(loops, [self._store(place, zero)])

    def _sum(self) -> list[Statement]:
        """Every element of every window added where it lies."""
        dtype = self.node.dtype
        old = Load(self.out, self.emit.flat(self.view, self._result()), dtype.name)
        new = self.emit.load(self.given, self._operand())
        total = combined("add", old, new, dtype.name, dtype.compute)
        return self._nest(self._walk(), [self._store(self._result(), total)])

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
        extent = product(tuple(self.node.shape[axis] for axis in self.outer))
        each = product(tuple(count for _, count in self._walk()))
        return Lowered(
            kernel, tuple(arguments.views), tuple(arguments.scalars), extent,
            each, tuple(self.emit.notes),
        )  # fmt: skip
