"""What a step must do, for given sizes: floating-point operations, bytes read and bytes written.

Operations are counted in the loop program, each loop as often as it runs; an elementary function
counts as the operations of its text (see `target.operation_count`). Each element of memory counts
once for a step that reads it and once for one that writes it, however often it does: the rest is
the work of caches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphc.ir.dim import Size
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.loops.ir import (
    PARALLEL,
    Apply,
    Argument,
    Constant,
    Expression,
    Let,
    Load,
    Loop,
    Statement,
    Store,
    Variable,
)
from graphc.loops.tidy import expressions, parts
from graphc.schedule.buffer import Buffer, View
from graphc.schedule.schedule import Copy, KernelCall, Product, Routine, ScheduledStep
from graphc.target.operation_count import operation_count

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, of which some are in float64; bytes read and written."""

    operations: int = 0
    double_operations: int = 0
    read_bytes: int = 0
    written_bytes: int = 0

    @property
    def moved_bytes(self) -> int:
        """The bytes read and written."""
        return self.read_bytes + self.written_bytes

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.operations + other.operations,
            self.double_operations + other.double_operations,
            self.read_bytes + other.read_bytes,
            self.written_bytes + other.written_bytes,
        )

    def __mul__(self, times: int) -> Cost:
        return Cost(
            self.operations * times, self.double_operations * times, self.read_bytes * times,
            self.written_bytes * times,
        )  # fmt: skip


def cost(step: ScheduledStep, sizes: Sizes) -> Cost:
    """The cost of one run of a step. A loop or branch has none of its own: its bodies have."""
    if isinstance(step, KernelCall):
        return _KernelCost(step, sizes).total()
    if isinstance(step, Product):
        return _product(step, sizes)
    if isinstance(step, Routine):
        return _routine(step, sizes)
    if isinstance(step, Copy):
        size = _bytes(step.target, evaluate_dim(step.target.elements, sizes))
        return Cost(read_bytes=size, written_bytes=size)
    return Cost()


def _bytes(buffer: Buffer, elements: int) -> int:
    return elements * buffer.dtype.itemsize


def _view_bytes(view: View, sizes: Sizes) -> int:
    """The bytes of the elements that a view shows; what it shows several times counts once."""
    shown = 1
    for dim, stride in zip(view.shape, view.strides, strict=True):
        if evaluate_dim(stride, sizes) != 0:
            shown *= evaluate_dim(dim, sizes)
        elif evaluate_dim(dim, sizes) == 0:
            shown = 0
    return _bytes(view.buffer, min(shown, evaluate_dim(view.buffer.elements, sizes)))


def _counted(operations: int, dtype: str) -> Cost:
    return Cost(operations, operations if dtype == "float64" else 0)


def _product(step: Product, sizes: Sizes) -> Cost:
    shape = [evaluate_dim(dim, sizes) for dim in (*step.c.shape, step.a.shape[-1])]
    operations = 2
    for dim in shape:
        operations *= dim
    written = _view_bytes(step.c, sizes)
    read = _view_bytes(step.a, sizes) + _view_bytes(step.b, sizes)
    read += written if step.accumulate else 0
    counted = _counted(operations, step.c.buffer.dtype.name)
    return counted + Cost(read_bytes=read, written_bytes=written)


def _routine(step: Routine, sizes: Sizes) -> Cost:
    """The operations of a routine are an estimate: its work as it is cut into chunks by."""
    op, node = step.op, step.nodes[0]
    operations = evaluate_dim(op.rows(node), sizes) * evaluate_dim(op.row_work(node), sizes)
    read = sum(_view_bytes(view, sizes) for view in step.operands)
    written = sum(_bytes(b, evaluate_dim(b.elements, sizes)) for b in step.results)
    counted = _counted(operations, step.operands[0].buffer.dtype.name)
    return counted + Cost(read_bytes=read, written_bytes=written)


class _KernelCost:
    """Walks a kernel and counts what it does at these sizes."""

    def __init__(self, step: KernelCall, sizes: Sizes) -> None:
        self.step, self.sizes = step, sizes
        self.extent = evaluate_dim(step.lowered.extent, sizes)
        self.operations: Counter[str] = Counter()
        self.loads: Counter[int] = Counter()
        self.stores: Counter[int] = Counter()
        # What names stand for the first time they are bound.
        self.integers: dict[str, int] = {"lo": 0, "hi": self.extent}

    def total(self) -> Cost:
        """The cost of the kernel."""
        self._body(self.step.lowered.kernel.body, 1)
        return Cost(
            sum(self.operations.values()), self.operations["float64"],
            self._touched(self.loads), self._touched(self.stores),
        )  # fmt: skip

    def _touched(self, accesses: Mapping[int, int]) -> int:
        """The bytes behind so many accesses of each slot: no more than its buffer has."""
        of_buffer: Counter[Buffer] = Counter()
        for slot, count in accesses.items():
            of_buffer[self.step.lowered.buffers[slot]] += count
        return sum(
            _bytes(buffer, min(count, evaluate_dim(buffer.elements, self.sizes)))
            for buffer, count in of_buffer.items()
        )

    def _body(self, body: tuple[Statement, ...], times: int) -> None:
        for statement in body:
            if isinstance(statement, Loop):
                self._loop(statement, times)
                continue
            for value in expressions(statement):
                self._expression(value, times)
            if isinstance(statement, Store):
                self.stores[statement.buffer] += times
            elif isinstance(statement, Let):
                self._bind(statement.name, self._integer(statement.value))

    def _loop(self, loop: Loop, times: int) -> None:
        axis = loop.axis
        start = self._integer(axis.start) or 0
        self._bind(axis.name, start)
        stop = self.extent if axis.kind == PARALLEL else self._integer(axis.stop)
        inside = times * max((1 if stop is None else stop) - start, 0)
        for accumulator in loop.accumulators:
            if accumulator.combine in ("add", "multiply"):
                self.operations[accumulator.dtype] += inside
            self._expression(accumulator.value, inside)
        for carry in loop.carries:
            self._expression(carry.value, inside)
        self._body(loop.body, inside)

    def _expression(self, value: Expression, times: int) -> None:
        if isinstance(value, Apply):
            count = operation_count(value.operation, value.dtype, len(value.operands))
            self.operations[value.dtype] += times * count
        elif isinstance(value, Load):
            self.loads[value.buffer] += times
        for part in parts(value):
            self._expression(part, times)

    def _bind(self, name: str, value: int | None) -> None:
        if value is not None:
            self.integers[name] = value

    def _integer(self, value: Expression) -> int | None:
        """An integer expression at the first iteration of the loops around it, None if it depends
        on data."""
        if isinstance(value, Constant):
            return value.value if isinstance(value.value, int) else None
        if isinstance(value, Variable):
            return self.integers.get(value.name)
        if isinstance(value, Argument):
            scalar: object = self.step.lowered.scalars[value.position][1]
            return evaluate_dim(scalar, self.sizes) if isinstance(scalar, int | Size) else None
        if isinstance(value, Apply) and value.dtype == "int64":
            operands = [self._integer(operand) for operand in value.operands]
            combine = _INTEGER_OPERATIONS.get(value.operation)
            known = [operand for operand in operands if operand is not None]
            if combine is not None and len(known) == len(operands):
                return combine(*known)
        return None


_INTEGER_OPERATIONS: dict[str, Callable[..., int]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "minimum": min,
    "maximum": max,
    "floor_divide": lambda a, b: a // b if b else 0,
}
