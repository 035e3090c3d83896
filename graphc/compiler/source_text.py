"""The source of a program as it is shown: steps in a few words, kernels below the user's lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.shape import TupleType, shape_text
from graphc.ir.site import Site
from graphc.schedule.buffer import Buffer, View
from graphc.schedule.note import CheckNote
from graphc.schedule.schedule import Control, KernelCall, Product, Routine, Schedule, ScheduledStep

if TYPE_CHECKING:
    from graphc.compiler.kernel import CompiledKernel

_WIDTH = 100
_MEANING_COLUMN = 40


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


def line_text(site: Site) -> str:
    """A line of the user's: where it is, and what it says if that is to be had."""
    return f"{site}:  {site.text}" if site.text else str(site)


def _above(text: str, sites: tuple[Site, ...]) -> list[str]:
    """The user's lines as comments, as deep as the code below them."""
    indent = " " * (len(text) - len(text.lstrip()))
    lines = []
    for site in sites:
        lines.append(shortened(f"{indent}# {line_text(site)}"))
    return lines


def shortened(line: str) -> str:
    """A line that fits a page, its end cut off if need be."""
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..."


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
