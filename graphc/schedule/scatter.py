"""The kernel of scatter_add: rows added up in the order of their indices, columns in parallel."""

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
    Load,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.loops.tidy import tidy
from graphc.schedule.buffer import View
from graphc.schedule.index import Computed, variable
from graphc.schedule.lower import Lowered
from graphc.schedule.values import Scope, Values

COLUMN, ENTRY, ROW = "i0", "j0", "r0"


def lower_scatter(node: Node, memory: Callable[[Node], View]) -> Lowered:
    """The kernel of one scatter_add: each chunk owns some columns, and walks all indices in
    order."""
    rows, indices = node.inputs
    width, length = product(node.shape[1:]), node.shape[0]
    emit = Values(lambda n: memory(n) if n is indices else None, {})
    arguments = emit.arguments
    out = arguments.buffer(memory(node).buffer)
    arguments.written.add(out)
    source = memory(rows)
    flat = View(source.buffer, (indices.shape[0], width), (width, 1), source.offset)

    def loop(name: str, extent: Dim, kind: str, body: list[Statement]) -> Loop:
        zero = Constant(0, "int64")
        axis = Axis(name, zero, zero if kind == PARALLEL else arguments.dim(extent), kind)
        return Loop(axis, tuple(body))

    zero = Constant(0.0 if node.dtype.is_float else 0, node.dtype.name)
    clear = loop(ROW, length, SEQUENTIAL, [
        loop(COLUMN, width, PARALLEL, [Store(out, _place(emit, Variable(ROW, "int64"), width),
        zero)])
    ])  # fmt: skip
    scope = emit.element = Scope()
    chosen = emit.index(Computed(indices, (variable(ENTRY),), length))
    at = _place(emit, chosen, width)
    added = emit.load(flat, (variable(ENTRY), variable(COLUMN)))
    total = Apply("add", (Load(out, at, node.dtype.name), added), node.dtype.name)
    walk = loop(ENTRY, indices.shape[0], SEQUENTIAL, [
        *scope.statements, loop(COLUMN, width, PARALLEL, [Store(out, at, total)])
    ])  # fmt: skip
    buffers = tuple(
        Buffer(b.dtype.name, slot in arguments.written) for slot, b in enumerate(arguments.views)
    )
    kernel = Kernel(
        buffers,
        tuple(dtype for dtype, _ in arguments.scalars),
        tidy((*emit.top.statements, clear, walk)),
    )
    return Lowered(
        kernel, tuple(arguments.views), tuple(arguments.scalars), width, indices.shape[0],
        tuple(emit.notes),
    )  # fmt: skip


def _place(emit: Values, row: Expression, width: Dim) -> Expression:
    column = Variable(COLUMN, "int64")
    if width == 1:
        return row
    return Apply(
        "add", (Apply("multiply", (row, emit.arguments.dim(width)), "int64"), column), "int64"
    )
