"""What a compiled function tells of itself: its source, its memory, and the cost of its steps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import ExecutionError
from graphc.ir.dim import Dim
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.shape import TupleType, shape_text
from graphc.ir.site import Site
from graphc.loops.ir import Apply, Expression, Loop, Statement
from graphc.loops.tidy import expressions, parts
from graphc.schedule.buffer import Buffer, Life, View
from graphc.schedule.memory import live_bytes, lives, plan
from graphc.schedule.note import CheckNote
from graphc.schedule.recompute import Budget
from graphc.schedule.schedule import Control, KernelCall, Product, Routine, Schedule, ScheduledStep
from graphc.target.instance import Instance
from graphc.target.instructions import Opcode

if TYPE_CHECKING:
    from graphc.compiler.function import CompiledKernel, Function

_WIDTH = 100
_MEANING_COLUMN = 40


@dataclass(frozen=True)
class MemoryReport:
    """Planned memory for temporaries. `peak_bytes` is exact once sizes are known (after a first
    call)."""

    lives: tuple[Life, ...]
    schedule: Schedule
    sizes: Mapping[str, int] | None
    budget: Budget | None = None

    @property
    def peak_bytes(self) -> int:
        """The size of the arena, in bytes, for the sizes of the last call; before the first for
        those of the budget, or, without one, for sizes of 1."""
        return self.at(self._known_sizes)

    @property
    def peak_bytes_without_budget(self) -> int:
        """What the size of the arena would be if nothing were computed again, for the same
        sizes."""
        if self.budget is None:
            return self.peak_bytes
        return plan(lives(self.budget.plain), self._known_sizes).peak_bytes

    @property
    def _known_sizes(self) -> Mapping[str, int]:
        if self.sizes is not None:
            return self.sizes
        return self.budget.sizes if self.budget is not None else _Ones()

    def at(self, sizes: Mapping[str, int]) -> int:
        """The size of the arena, in bytes, for given sizes."""
        return plan(self.lives, sizes).peak_bytes

    @property
    def formulas(self) -> tuple[Dim, ...]:
        """The bytes alive during each step, as formulas of the sizes, without alignment."""
        return tuple(live_bytes(self.lives, step) for step in range(len(self.schedule.steps)))

    def __str__(self) -> str:
        sized = self.sizes is not None or self.budget is not None
        known = f" for {_sizes_text(self._known_sizes)}" if sized else ""
        text = f"{self.peak_bytes:,} bytes of temporaries{known}"
        if self.budget is None:
            return text
        return f"{text} ({self.peak_bytes_without_budget:,} without a budget; {self.budget})"


class _Ones(dict[str, int]):
    def __missing__(self, _: str) -> int:
        return 1


def _sizes_text(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sizes.items()) or "fixed sizes"


# ---- source


def source_text(schedule: Schedule, kernels: Sequence[CompiledKernel]) -> str:
    """The steps of a program, then its kernels below the user's lines."""
    number = {id(step): kernel.number for kernel in kernels for step, _ in kernel.steps}
    lines = ["# The program, step by step:"]
    lines += _steps_text(schedule, number, "#   ")
    for kernel in kernels:
        lines += ["", "", f"# Kernel {kernel.number}", *_commented(kernel)]
    return "\n".join(lines) + "\n"


def _steps_text(schedule: Schedule, number: Mapping[int, int], indent: str) -> list[str]:
    """A line for each step; the steps of a body are indented below their loop."""
    lines = []
    for position, step in enumerate(schedule.steps):
        lines.append(f"{indent}{position}: {describe(step, number.get(id(step)))}")
        if isinstance(step, Control):
            for part in step.parts:
                lines += _steps_text(part.schedule, number, indent + "   ")
    return lines


def kernel_text(kernel: CompiledKernel) -> str:
    """One kernel, its parts below the user's lines they compute."""
    return "\n".join(_commented(kernel))


def _commented(kernel: CompiledKernel) -> list[str]:
    step, origins = kernel.steps[0]
    notes = step.lowered.notes if isinstance(step, KernelCall) else ()
    meanings = iter(_meanings(step))
    result: list[str] = []
    previous: tuple[Site, ...] = ()
    for text, origin in zip(kernel.source.rstrip("\n").split("\n"), origins, strict=True):
        if "(argv, " in text:
            text = f"{text:<{_MEANING_COLUMN}}  # {next(meanings, '')}".rstrip(" #")
        sites = notes[origin] if 0 <= origin < len(notes) else ()
        if sites and sites != previous:
            result += _above(text, sites)
        previous = sites or previous
        result.append(text)
    return result


def _above(text: str, sites: tuple[Site, ...]) -> list[str]:
    """The user's lines as comments, as deep as the code below them."""
    indent = " " * (len(text) - len(text.lstrip()))
    lines = []
    for site in sites:
        line = f"{indent}# {site}:  {site.text}" if site.text else f"{indent}# {site}"
        lines.append(line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "...")
    return lines


def _meanings(step: ScheduledStep) -> list[str]:
    """What the arguments of a kernel are in the first step that calls it, in order."""
    if not isinstance(step, KernelCall):
        return []
    of_buffer = {id(buffer): _buffer_text(buffer) for buffer in step.lowered.buffers}
    scalars = [_scalar_text(dtype, value) for dtype, value in step.lowered.scalars]
    return [*(of_buffer[id(buffer)] for buffer in step.lowered.buffers), *scalars]


def _buffer_text(buffer: Buffer) -> str:
    if buffer.node is not None:
        return f"{buffer.node.op.name} {buffer.node.name!r} {shape_text(buffer.node.shape)}"
    return f"{buffer.home}, {buffer.elements} element{'' if buffer.elements == 1 else 's'}"


def _scalar_text(dtype: str, value: Any) -> str:
    if isinstance(value, CheckNote):
        return "the code of a failed check"
    # As many digits as the dtype holds: 0.1, not 0.10000000149011612.
    return str(np.dtype(dtype).type(value)) if isinstance(value, float) else str(value)


def describe(step: ScheduledStep, kernel: int | None = None) -> str:
    """One step in a few words."""
    if isinstance(step, KernelCall):
        names = ", ".join(dict.fromkeys(_named(node) for node in step.nodes))
        return f"kernel {kernel}: {names}" if kernel is not None else names
    if isinstance(step, Product):
        scale = "" if step.scale is None else "scale * "
        target = "C += " if step.accumulate else "C = "
        return f"matrix product {target}{scale}{_operand(step.a)} @ {_operand(step.b)}"
    if isinstance(step, Routine):
        return f"routine {step.name} (kernel {kernel})" if kernel is not None else step.name
    if isinstance(step, Control):
        return _control_text(step)
    return "copy"


def _control_text(step: Control) -> str:
    """A loop or branch, and how many steps its bodies have."""
    counts = [
        f"{len(p.schedule.steps)} step{'s' * (len(p.schedule.steps) != 1)}" for p in step.parts
    ]
    if step.kind == "scan":
        return f"scan, {step.length} times: {counts[0]}"
    if step.kind == "cond":
        return f"cond: {counts[0]}, or {counts[1]}"
    limit = "" if step.length is None else f", at most {step.length} times"
    return f"while loop{limit}: {counts[1]}, condition {counts[0]}"


def _named(node: Any) -> str:
    if isinstance(node.type, TupleType):
        length = node.attrs.get("length")
        return node.op.name if length is None else f"{node.op.name}, {length} times"
    return f"{node.op.name} {node.type.shape}" if node.type.shape else node.op.name


def _operand(view: View) -> str:
    return "(" + ", ".join(map(str, view.shape)) + ")"


# ---- cost


@dataclass(frozen=True)
class Cost:
    """What one step does: floating-point operations and bytes moved to and from memory."""

    operations: int
    moved_bytes: int


def cost(step: ScheduledStep, sizes: Mapping[str, int]) -> Cost:
    """The cost of a step for given sizes; each buffer is counted once."""
    buffers = step.reads | step.writes
    moved = sum(evaluate_dim(b.elements, sizes) * b.dtype.itemsize for b in buffers)
    if isinstance(step, Product):
        m, k, n = (evaluate_dim(d, sizes) for d in (*step.a.shape[-2:], step.c.shape[-1]))
        batch = int(np.prod([evaluate_dim(d, sizes) for d in step.c.shape[:-2]], dtype=np.int64))
        return Cost(2 * m * n * k * batch, moved)
    if isinstance(step, KernelCall):
        visits = evaluate_dim(step.lowered.extent, sizes) * evaluate_dim(
            step.lowered.row_work, sizes
        )
        return Cost(visits * _innermost(step.lowered.kernel.body), moved)
    if isinstance(step, Routine):
        node = step.nodes[0]
        rows, work = (evaluate_dim(d, sizes) for d in (step.op.rows(node), step.op.row_work(node)))
        return Cost(rows * work, moved)
    if isinstance(step, Control):
        return _control_cost(step, sizes)
    return Cost(0, moved)


def _control_cost(step: Control, sizes: Mapping[str, int]) -> Cost:
    """The bodies, as often as they run; of a branch the dearer one, of a while loop one turn."""
    costs = []
    for part in step.parts:
        inner = [cost(one, sizes) for one in part.schedule.steps]
        costs.append(Cost(sum(c.operations for c in inner), sum(c.moved_bytes for c in inner)))
    if step.kind == "cond":
        return max(costs, key=lambda known: known.operations)
    times = evaluate_dim(step.length, sizes) if step.kind == "scan" and step.length else 1
    return Cost(times * sum(c.operations for c in costs), times * sum(c.moved_bytes for c in costs))


def _innermost(body: tuple[Statement, ...]) -> int:
    """Floating-point operations for each index of the innermost loops."""
    total = 0
    for statement in body:
        for value in expressions(statement):
            total += _floats(value)
        if isinstance(statement, Loop):
            total += len(statement.accumulators) + _innermost(statement.body)
    return total


def _floats(value: Expression) -> int:
    own = isinstance(value, Apply) and value.dtype in ("float32", "float64")
    return int(own) + sum(map(_floats, parts(value)))


def explain(function: Function) -> str:
    """A table of the steps: time, operations, bytes. Needs sizes, so a call or a loop must have run
    before."""
    head = f"{function!r}: compiled in {function.compile_seconds:.3f} s"
    lines = [head, *(f"  {name}: cast {cast} at the call" for name, cast in function.casts.items())]
    if function.last_sizes is None:
        return "\n".join([*lines, "  call it once to see time, operations and bytes of each step"])
    sizes = function.last_sizes
    seconds = _times(function, sizes)
    number = {id(step): kernel.number for kernel in function.kernels for step, _ in kernel.steps}
    lines += [
        f"  sizes: {_sizes_text(sizes)}; {function.memory}",
        f"  {'us':>9} {'MFLOP':>9} {'GFLOP/s':>8} {'KB':>9} {'GB/s':>7}  step",
    ]
    for step, taken in zip(function.schedule.steps, seconds, strict=True):
        known = cost(step, sizes)
        again = " (again)" if function.budget and step in function.budget.again else ""
        rate, speed = known.operations / taken / 1e9, known.moved_bytes / taken / 1e9
        lines.append(
            f"  {taken * 1e6:9.2f} {known.operations / 1e6:9.3f} {rate:8.2f} "
            f"{known.moved_bytes / 1e3:9.1f} {speed:7.2f}  "
            f"{describe(step, number.get(id(step)))}{again}"
        )
    return "\n".join(lines)


def _times(function: Function, sizes: Mapping[str, int], repeats: int = 20) -> list[float]:
    """Seconds of each step alone, the best of some repeats, on zeros; states are put back."""
    with function.locked():
        states = [(node, node.value) for node, _ in function.original.updates]
        instance = Instance(
            function.schedule, function.lives, sizes, function.handles, function.machine
        )
        instance.arena[:] = 0
        ports = [*function.inputs, *function.outputs, *function.original.printed]
        held = [np.zeros([evaluate_dim(d, sizes) for d in n.shape], n.dtype.numpy) for n in ports]
        for register, array in enumerate(held):
            instance.registers[register] = array.ctypes.data
        try:
            with suppress(ExecutionError):  # a matrix of zeros is singular, and takes as long
                instance.run(0)
            starts = instance.starts
            return [_time_rows(instance, *rows, repeats) for rows in pairwise(starts)]
        finally:
            for node, value in states:
                node.value = value


def _time_rows(instance: Instance, start: int, end: int, repeats: int) -> float:
    """The best time of the rows from `start` to `end`, where the program halts meanwhile."""
    after = instance.table[end].copy()
    instance.table[end, 0] = Opcode.HALT
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        instance.run_rows(start)
        best = min(best, time.perf_counter() - begin)
    instance.table[end] = after
    return best
