"""The kernel of a scatter: values combined at computed places, in the order of their indices.

Chunks of a kernel own different elements of the result, and each walks all indices in order, so
the result does not depend on how many threads there are. What the axes before the indexed ones
count is split between them, else what the other axes do. Where indices select single elements of a
vector one thread does all: to divide the places makes each thread read all indices, and two were no
faster than one (measured with 100,000 to 4,000,000 indices).

The result is updated where its base lies, or after a copy of it; a base that is no buffer of its
own is written by the kernel first, and so are zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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
)
from graphc.loops.tidy import tidy
from graphc.ops.indices import ScatterOp, checked_op, is_valid, placed
from graphc.schedule import buffer as buffers
from graphc.schedule.addressing import Scope
from graphc.schedule.analysis import checks_places, step_operands, unchecked
from graphc.schedule.buffer import View
from graphc.schedule.index import (
    Affine,
    Computed,
    Index,
    Indices,
    broadcast_indices,
    chosen_index,
    variable,
)
from graphc.schedule.lowered import Lowered
from graphc.schedule.values import Values

# Columns that one thread takes at least, as each reads all indices. Measured.
COLUMNS = 64

Memory = Callable[[Node], View]


def known_places(node: Node) -> bool:
    """Whether no index of a step can be out of range; true of every step but a scatter."""
    if not isinstance(node.op, ScatterOp):
        return True
    _, _, indices = operands_of(node)
    axes = node.attrs["axes"]
    if checks_places(node) and any(source.op is checked_op for source in indices):
        return False
    return all(
        is_valid(source, node.shape[axis]) for source, axis in zip(indices, axes, strict=True)
    )


def operands_of(node: Node) -> tuple[Node | None, Node, tuple[Node, ...]]:
    """The base of a scatter (None for zeros), its values, and its indices."""
    assert isinstance(node.op, ScatterOp)
    first = 1 if node.op.base else 0
    base = node.inputs[0] if node.op.base else None
    return base, node.inputs[first], node.inputs[first + 1 :]


def base_buffer(node: Node, memory: Memory) -> buffers.Buffer | None:
    """The buffer that holds the base of a scatter and nothing else; None if there is none.

    The step itself updates what is there: it comes after a copy of this buffer to the result's, or
    both are one.
    """
    base, _, _ = operands_of(node)
    if base is None or base not in step_operands(node):
        return None
    view = memory(base)
    alone = view.contiguous and view.offset == 0 and view.region is None
    return view.buffer if alone and view.buffer.elements == product(base.shape) else None


def lower_scatter(node: Node, memory: Memory) -> Lowered:
    """The kernel of one scatter."""
    return _Scatter(node, memory).lower()


class _Run(NamedTuple):
    """Neighbouring axes of the result walked as one: their variable, their number of elements."""

    axes: tuple[int, ...]
    name: str
    extent: Dim


class _Scatter:
    def __init__(self, node: Node, memory: Memory) -> None:
        self.node = node
        self.base, self.values, self.indices = operands_of(node)
        self.axes: tuple[int, ...] = node.attrs["axes"]
        stored = set(step_operands(node))
        self.emit = Values(lambda n: memory(n) if n in stored else None, {})
        self.view = memory(node)
        self.fresh = base_buffer(node, memory) is None
        self.out = self.emit.arguments.buffer(self.view.buffer, self.view.region)
        self.emit.arguments.written.add(self.out)
        self.given = memory(self.values) if self.values in stored else None
        self.runs = self._runs()
        self.outer = [run for run in self.runs if run.axes[0] < self.axes[0]]
        self.inner = [r for r in self.runs if r not in self.outer and r.axes[0] not in self.axes]

    # ---- axes

    def _entry_axes(self) -> int:
        """The number of axes that the indices have together."""
        return self.values.ndim - (self.node.ndim - len(self.axes))

    def _runs(self) -> list[_Run]:
        runs: list[list[int]] = []
        for axis in range(self.node.ndim):
            joins = bool(runs) and self._joins(runs[-1][-1], axis)
            if joins:
                runs[-1].append(axis)
            else:
                runs.append([axis])
        return [
            _Run(tuple(run), f"i{number}", product(tuple(self.node.shape[a] for a in run)))
            for number, run in enumerate(runs)
        ]

    def _joins(self, first: int, second: int) -> bool:
        """Whether two neighbouring axes that no index selects from can be walked as one."""
        selected = first in self.axes or second in self.axes
        if selected or self.given is None or (self.base is not None and self.fresh):
            return False
        extent = self.node.shape[second]
        far, near = (self.given.strides[self._value_axis(axis)] for axis in (first, second))
        own = self.view.strides
        return bool(own[first] == own[second] * extent and far == near * extent)

    def _value_axis(self, axis: int) -> int:
        """The axis of the values that goes with an axis of the result."""
        rest = [a for a in range(self.node.ndim) if a not in self.axes].index(axis)
        return rest if rest < placed(self.axes) else rest + self._entry_axes()

    def _places(self) -> dict[int, Index]:
        """The index along each axis that no array selects from, in the variables of the runs.

        The last axis of a run carries its variable, the others follow from it."""
        found: dict[int, Index] = {}
        for run in self.runs:
            for axis in run.axes[:-1]:
                found[axis] = Affine(())
            found[run.axes[-1]] = variable(run.name)
        return found

    # ---- loops

    def _loop(self, name: str, extent: Dim, body: list[Statement], parallel: bool) -> Loop:
        zero = Constant(0, "int64")
        stop = zero if parallel else self.emit.arguments.dim(extent)
        kind = PARALLEL if parallel else SEQUENTIAL
        return Loop(Axis(name, zero, stop, kind), tuple(body))

    def _nest(self, runs: list[_Run], body: list[Statement], split: _Run | None) -> list[Statement]:
        for run in reversed(runs):
            body = [self._loop(run.name, run.extent, body, run is split)]
        return body

    def lower(self) -> Lowered:
        """The kernel."""
        split = next(iter((*self.outer, *self.inner)), None)
        across = [run for run in self.runs if run not in self.outer]
        start = self._nest(across, self._start(), split) if self.fresh else []
        walk = self._walk(split)
        if self.outer:
            body = self._nest(self.outer, [*start, *walk], split)
        elif split is not None:
            body = [*start, *walk]
        else:  # one chunk does everything
            body = [self._loop("part", 1, [*start, *walk], True)]
        return self._finish(body, split)

    def _start(self) -> list[Statement]:
        """What an element is before the first value arrives."""
        scope = self.emit.element = Scope()
        places = self._places()
        at = tuple(places[axis] for axis in range(self.node.ndim))
        if self.base is None:
            zero = Constant(0.0 if self.node.dtype.is_float else 0, self.node.dtype.name)
            value: Expression = zero
        else:
            value = self.emit.value(self.base, at)
        store = Store(self.out, self.emit.flat(self.view, at), value)
        return [*scope.statements, store]

    def _walk(self, split: _Run | None) -> list[Statement]:
        """The values, one entry of the indices after the other."""
        count = self._entry_axes()
        first = placed(self.axes)
        across = self.values.shape[first : first + count]
        entry = tuple(variable(f"j{n}") for n in range(count))
        scope = self.emit.element = Scope()
        # An index is computed here, once for all that is combined at its place.
        chosen: dict[int, Index] = {}
        for axis, source in zip(self.axes, self.indices, strict=True):
            at = broadcast_indices(entry, across, source.shape)
            length = self.node.shape[axis]
            if checks_places(self.node) and source.op is checked_op:
                chosen[axis] = Computed(unchecked(source), at, length, source)
            else:
                chosen[axis] = chosen_index(source, at, length)
            self.emit.index(chosen[axis])
        inside = self.emit.element = Scope(known=dict(scope.known))
        body: list[Statement] = [self._combine({**self._places(), **chosen}, entry)]
        body = self._nest(self.inner, [*inside.statements, *body], split)
        body = [*scope.statements, *body]
        for name, extent in reversed(
            list(zip((f"j{n}" for n in range(count)), across, strict=True))
        ):
            body = [self._loop(name, extent, body, False)]
        return body

    def _combine(self, places: dict[int, Index], entry: Indices) -> Store:
        node, op = self.node, self.node.op
        assert isinstance(op, ScatterOp)
        at = tuple(places[axis] for axis in range(node.ndim))
        rest = tuple(places[axis] for axis in range(node.ndim) if axis not in self.axes)
        first = placed(self.axes)
        value = self.emit.value(self.values, (*rest[:first], *entry, *rest[first:]))
        place = self.emit.flat(self.view, at)
        if op.combine != "set":
            old = Load(self.out, place, node.dtype.name)
            value = combined(op.combine, old, value, node.dtype.name, node.dtype.compute)
        return Store(self.out, place, value, self.emit.origin(node))

    def _finish(self, body: list[Statement], split: _Run | None) -> Lowered:
        emit, arguments = self.emit, self.emit.arguments
        buffers = tuple(
            Buffer(b.dtype.name, slot in arguments.written)
            for slot, b in enumerate(arguments.views)
        )
        statements = tidy((*emit.top.statements, *body))
        kernel = Kernel(buffers, tuple(dtype for dtype, _ in arguments.scalars), statements)
        extent = split.extent if split is not None else 1
        others = [run.extent for run in (*self.outer, *self.inner) if run is not split]
        entries = self.values.shape[placed(self.axes) :][: self._entry_axes()]
        work = product((*others, *entries))
        return Lowered(
            kernel, tuple(arguments.views), tuple(arguments.scalars), extent, work,
            tuple(emit.notes), 1 if self.outer else COLUMNS,
        )  # fmt: skip


def combined(name: str, old: Expression, new: Expression, dtype: str, compute: str) -> Expression:
    """Two values of a buffer combined; small integers are computed wide."""
    if dtype == compute:
        return Apply(name, (old, new), dtype)
    wide = tuple(Apply("cast", (value,), compute) for value in (old, new))
    return Apply("cast", (Apply(name, wide, compute),), dtype)
