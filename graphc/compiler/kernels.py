"""The kernels of a schedule: their loops shaped for the machine, their source, their code."""

from __future__ import annotations

from collections.abc import Mapping

from graphc import config
from graphc.compiler.kernel import CompiledKernel
from graphc.errors import CompileError
from graphc.ir.site import raise_located
from graphc.loops.defer import defer_checks
from graphc.loops.hoist import hoist
from graphc.loops.ir import Kernel
from graphc.loops.lanes import rows_in_lanes
from graphc.loops.peel import peel
from graphc.loops.transpose import transpose
from graphc.loops.unroll import unroll
from graphc.loops.verify import verify as verify_loops
from graphc.schedule.lowered import Lowered
from graphc.schedule.schedule import KernelCall, Routine, Schedule, ScheduledStep, parts_of
from graphc.target.machine import Machine
from graphc.target.render import Rendered, render
from graphc.target.routine_source import routine_source


def render_steps(plan: Schedule) -> dict[ScheduledStep, Rendered]:
    """The source of each step that is a kernel."""
    found: dict[ScheduledStep, Rendered] = {}
    for part in parts_of(plan):
        found |= render_steps(part.schedule)
    for step in plan.steps:
        if isinstance(step, KernelCall):
            kernel = shaped_loops(step.lowered)
            if config.verify_enabled():
                verify_loops(kernel)
            found[step] = render(kernel)
        elif isinstance(step, Routine):
            source = routine_source(step.name, step.operands[0].buffer.dtype.name)
            found[step] = Rendered(source, (-1,) * len(source.splitlines()))
    return found


def shaped_loops(lowered: Lowered) -> Kernel:
    """The kernel of a step, with its loops made fit for vectors."""
    numbers = enumerate(value for _, value in lowered.scalars)
    sizes = {position: value for position, value in numbers if type(value) is int}
    kernel = peel(defer_checks(hoist(transpose(lowered.kernel))), sizes)
    rows = lowered.extent if isinstance(lowered.extent, int) else 0
    in_lanes = rows_in_lanes(kernel, sizes, rows)
    return unroll(kernel) if in_lanes is kernel else in_lanes


def compile_kernels(
    rendered: Mapping[ScheduledStep, Rendered], runner: Machine
) -> tuple[dict[ScheduledStep, int], tuple[CompiledKernel, ...]]:
    """Handles of the kernels; steps with the same source share one."""
    handles: dict[ScheduledStep, int] = {}
    kernels: dict[str, CompiledKernel] = {}
    ready = runner.kernels(dict.fromkeys(source.source for source in rendered.values()))
    for step, source in rendered.items():
        try:
            handle, seconds, cached = ready.get(source.source) or runner.kernel(source.source)
        except CompileError as error:
            names = ", ".join(node.op.name for node in step.nodes)
            raise_located(CompileError(f"the kernel of {names}: {error}"), step.nodes[0].sites)
        handles[step] = handle
        if source.source not in kernels:
            kernels[source.source] = CompiledKernel(len(kernels), source.source, seconds, cached)
        kernels[source.source].steps.append((step, source.origins))
    return handles, tuple(kernels.values())
