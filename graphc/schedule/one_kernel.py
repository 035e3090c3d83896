"""A scan with a small body as one kernel, with the steps as a sequential axis.

Where a body is nothing but kernels on a few elements, calling them costs more than what they do.
Their statements are put one after the other inside a loop over the steps. What moves on a row at
each step is addressed by the step; temporaries stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from graphc.ir.dim import Dim
from graphc.loops.ir import (
    PARALLEL,
    SEQUENTIAL,
    Accumulator,
    Apply,
    Argument,
    Axis,
    Buffer,
    Check,
    Constant,
    Expression,
    Kernel,
    Let,
    Load,
    Loop,
    RandomBits,
    Statement,
    Store,
    Variable,
)
from graphc.loops.work import work
from graphc.schedule import buffer as buffers
from graphc.schedule.arguments import Arguments
from graphc.schedule.buffer import View
from graphc.schedule.lowered import Lowered
from graphc.schedule.schedule import Control, Copy, KernelCall, Part, Port

STEP = "step"
# A kernel runs on one thread: what it does at a step must not be worth a second one.
_MOST_WORK = 8192
# Compile time grows with the text, so larger bodies stay several kernels, which are shared.
_MOST_STATEMENTS = 96


def as_one_kernel(control: Control) -> KernelCall | None:
    """The kernel that a scan is, or None where its body is not small or is more than kernels."""
    if control.kind != "scan" or control.length is None:
        return None
    (part,) = control.parts
    if not part.schedule.steps or not all(map(_is_small, part.schedule.steps)):
        return None
    texts = [s.lowered.kernel.body for s in part.schedule.steps if isinstance(s, KernelCall)]
    if sum(_statements(body) for body in texts) > _MOST_STATEMENTS:
        return None
    return _Fusion(control, part).call(control.length)


def _is_small(step: object) -> bool:
    if isinstance(step, Copy):
        return isinstance(step.target.elements, int) and step.target.elements <= _MOST_WORK
    if not isinstance(step, KernelCall):
        return False
    extent, row = step.lowered.extent, step.lowered.row_work
    if not isinstance(extent, int) or not isinstance(row, int):
        return False
    return extent * max(row, 1) * work(step.lowered.kernel.body) <= _MOST_WORK


def _statements(body: tuple[Statement, ...]) -> int:
    return sum(1 + (_statements(s.body) if isinstance(s, Loop) else 0) for s in body)


class _Fusion:
    """Builds one kernel of the steps of a body."""

    def __init__(self, control: Control, part: Part) -> None:
        self.control, self.part = control, part
        self.ports: dict[buffers.Buffer, Port] = {port.inside: port for port in part.ports}
        self.arguments = Arguments()
        self.notes: list[tuple[object, ...]] = []

    def call(self, length: Dim) -> KernelCall:
        """The call of the kernel, which does all steps."""
        before = [self._copied(source, target) for source, target in self.control.initial]
        inside: list[Statement] = []
        for number, step in enumerate(self.part.schedule.steps):
            if isinstance(step, KernelCall):
                inside += self._kernel(step, number)
            elif isinstance(step, Copy):
                inside.append(self._copy(step))
        axis = Axis(STEP, _ZERO, self.arguments.dim(length), SEQUENTIAL)
        arguments = self.arguments
        kernel = Kernel(
            tuple(
                Buffer(b.dtype.name, slot in arguments.written)
                for slot, b in enumerate(arguments.views)
            ),
            tuple(dtype for dtype, _ in arguments.scalars),
            (*before, Loop(axis, tuple(inside))),
        )
        lowered = Lowered(
            kernel, tuple(arguments.views), tuple(arguments.scalars), 1, length,
            tuple(self.notes),  # type: ignore[arg-type]
        )  # fmt: skip
        used = frozenset(arguments.views)
        writes = frozenset(arguments.views[slot] for slot in arguments.written)
        return KernelCall(lowered, self.control.nodes, used, writes)

    # ---- where the buffers of the body lie

    def _slot(self, buffer: buffers.Buffer, written: bool) -> int:
        port = self.ports.get(buffer)
        slot = self.arguments.buffer(buffer if port is None else port.outside.buffer)
        if written:
            self.arguments.written.add(slot)
        return slot

    def _place(self, buffer: buffers.Buffer, index: Expression) -> Expression:
        """An index into a buffer of the body as one into the buffer outside."""
        port = self.ports.get(buffer)
        if port is None:
            return index
        offset = port.outside.offset + port.start
        if offset != 0:
            index = _plus(index, self.arguments.dim(offset))
        if port.stride != 0:
            row: Expression = Variable(STEP, "int64")
            if port.stride != 1:
                row = Apply("multiply", (row, self.arguments.dim(port.stride)), "int64")
            index = _plus(row, index)
        return index

    # ---- copies

    def _copied(self, source: View, target: View) -> Statement:
        """A carry's first value, put where the carry lies."""
        reading = self.arguments.buffer(source.buffer)
        writing = self.arguments.buffer(target.buffer)
        self.arguments.written.add(writing)
        at = Variable("i0", "int64")
        there = at if source.offset == 0 else _plus(at, self.arguments.dim(source.offset))
        value = Load(reading, there, source.buffer.dtype.name)
        axis = Axis("i0", _ZERO, self.arguments.dim(target.buffer.elements), SEQUENTIAL)
        return Loop(axis, (Store(writing, at, value),))

    def _copy(self, step: Copy) -> Statement:
        reading = self._slot(step.source, False)
        writing = self._slot(step.target, True)
        at = Variable("i0", "int64")
        value = Load(reading, self._place(step.source, at), step.source.dtype.name)
        store = Store(writing, self._place(step.target, at), value)
        axis = Axis("i0", _ZERO, self.arguments.dim(step.target.elements), SEQUENTIAL)
        return Loop(axis, (store,))

    # ---- kernels

    def _kernel(self, step: KernelCall, number: int) -> list[Statement]:
        lowered = step.lowered
        first = len(self.notes)
        self.notes += lowered.notes
        pairs = zip(lowered.buffers, lowered.kernel.buffers, strict=True)
        slots = [self._slot(buffer, known.written) for buffer, known in pairs]
        scalars = [self.arguments.scalar(dtype, value) for dtype, value in lowered.scalars]
        moved = _Moved(
            slots, list(lowered.buffers), scalars, f"k{number}_", first, self._place,
            self.arguments.dim(lowered.extent),
        )  # fmt: skip
        return [moved.statement(statement) for statement in lowered.kernel.body]


_ZERO = Constant(0, "int64")


def _plus(a: Expression, b: Expression) -> Expression:
    return Apply("add", (a, b), "int64")


class _Moved:
    """The statements of a kernel as part of another: slots, scalars, names and notes replaced."""

    def __init__(
        self,
        slots: list[int],
        inside: list[buffers.Buffer],
        scalars: list[Argument],
        prefix: str,
        first_note: int,
        place: Callable[[buffers.Buffer, Expression], Expression],
        extent: Expression,
    ) -> None:
        self.slots, self.inside, self.scalars = slots, inside, scalars
        self.prefix, self.first_note, self.place, self.extent = prefix, first_note, place, extent

    def name(self, name: str) -> str:
        """A name that no other kernel of the body has."""
        return self.prefix + name

    def origin(self, origin: int) -> int:
        """The number of a note among those of all kernels."""
        return origin if origin < 0 else origin + self.first_note

    def statement(self, given: Statement) -> Statement:
        """A statement in its new place."""
        if isinstance(given, Let):
            return Let(self.name(given.name), self.value(given.value), self.origin(given.origin))
        if isinstance(given, Store):
            index = self.place(self.inside[given.buffer], self.value(given.index))
            value, origin = self.value(given.value), self.origin(given.origin)
            return Store(self.slots[given.buffer], index, value, origin)
        if isinstance(given, Check):
            return Check(
                self.value(given.condition), self.value(given.code), self.value(given.position),
                self.value(given.value), self.origin(given.origin),
            )  # fmt: skip
        assert isinstance(given, Loop)  # shapes of loops come after
        return self._loop(given)

    def _loop(self, loop: Loop) -> Loop:
        axis = loop.axis
        parallel = axis.kind == PARALLEL
        new = Axis(
            self.name(axis.name),
            _ZERO if parallel else self.value(axis.start),
            self.extent if parallel else self.value(axis.stop),
            SEQUENTIAL if parallel else axis.kind,
        )
        carries = tuple(
            replace(
                carry, name=self.name(carry.name), value=self.value(carry.value),
                initial=self.value(carry.initial), origin=self.origin(carry.origin),
            )
            for carry in loop.carries
        )  # fmt: skip
        body = tuple(self.statement(statement) for statement in loop.body)
        return Loop(new, body, tuple(map(self._accumulator, loop.accumulators)), carries)

    def _accumulator(self, given: Accumulator) -> Accumulator:
        return replace(
            given, name=self.name(given.name), value=self.value(given.value),
            identity=self.value(given.identity), origin=self.origin(given.origin),
        )  # fmt: skip

    def value(self, given: Expression) -> Expression:
        """An expression in its new place."""
        if isinstance(given, Variable):
            return Variable(self.name(given.name), given.dtype)
        if isinstance(given, Argument):
            return self.scalars[given.position]
        if isinstance(given, Load):
            index = self.place(self.inside[given.buffer], self.value(given.index))
            return Load(self.slots[given.buffer], index, given.dtype)
        if isinstance(given, Apply):
            return replace(given, operands=tuple(self.value(v) for v in given.operands))
        if isinstance(given, RandomBits):
            return replace(
                given, seed=self.value(given.seed), use=self.value(given.use),
                index=self.value(given.index),
            )  # fmt: skip
        return given
