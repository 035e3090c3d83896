"""From expressions to a compiled function: by the passes, or as a program that was kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphc import config
from graphc.compiler.budget import Budgeted, check_budget
from graphc.compiler.collection import without_collection
from graphc.compiler.function import Function
from graphc.compiler.kept import Kept
from graphc.compiler.once import Once
from graphc.compiler.phases import Timer
from graphc.compiler.request import make_graph, rule_names
from graphc.errors import ArgumentError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.site import at_user_line
from graphc.ops.source import const, training
from graphc.ops.statement import restate
from graphc.target.machine import Machine, machine

if TYPE_CHECKING:
    from graphc.compiler.compiled_graph import Compilation


@at_user_line
def inference(y: Node | Sequence[Node]) -> Any:
    """The graph with `gx.training` off: dropout passes everything, normalization uses what it has
    learned.

    Takes one node, or several and gives a list. Checks and prints of values that depend on the flag
    are stated of the new graph too.
    """
    outputs = [y] if isinstance(y, Node) else list(y)
    result = restate(outputs, {training: const(False)})
    return result[0] if isinstance(y, Node) else result


@at_user_line
@without_collection()
def compile(
    inputs: Node | Sequence[Node],
    outputs: Node | Sequence[Node],
    updates: Mapping[Node, Any] | None = None,
    target: str = "cpu",
    stop: str | None = None,
    disabled: str | Collection[str] = (),
    memory_budget: int | None = None,
    budget_sizes: Mapping[str, int] | None = None,
) -> Any:
    """Compile expressions to a `Function`.

    Args: `inputs`, the nodes that a call feeds, in order; `outputs`, a node (the call returns an
    array) or several (a tuple); `updates`, new values of parameters and states, all computed from
    the old ones; `target`, "cpu", "numba" (the same with every kernel compiled by Numba) or
    "python" (the same source, uncompiled); `stop`, the name of a stage ("graph", "rewrite",
    "schedule", "source", ...) whose result to return; `disabled`, names of rewriting rules or
    phases to switch off (docs/rewriting.md lists them), or "rewrite" for all of them;
    `memory_budget`, the most bytes that temporaries may take: where they would take more, values
    are computed again in place of being kept, products only if nothing else helps, and every
    number stays the same; `budget_sizes`, the named sizes that the budget is for, such as
    {"n": 128}, needed if the inputs have any.

    The program of a graph is kept on disk with its kernels: to compile the same graph again, in
    this process or another, takes about as long as to read it (docs/performance.md).

    Raises ArgumentError, ShapeError or DTypeError for what does not fit, CompileError naming the
    node for what cannot be compiled, MemoryBudgetError stating the least number of bytes for a
    budget that cannot be kept. Nothing falls back to Python.
    """
    if stop is not None and stop not in _passes().STAGES:
        known = ", ".join(_passes().STAGES)
        raise ArgumentError(f"compile: stop must be one of {known}; got {stop!r}")
    timer = Timer([])
    runner = machine(target, config.thread_count())
    off = rule_names(disabled)
    graph = timer.run("graph", make_graph, inputs, outputs, updates or {})
    budget = check_budget(graph, memory_budget, budget_sizes)
    if stop is not None:
        return _passes().run_all(graph, timer, runner, off, budget, stop)
    function = _function(graph, timer, runner, off, budget, isinstance(outputs, Node))
    _report(timer, function)
    return function


def _passes() -> Any:
    # A program that was kept needs none of them, and they take longer to load than it.
    return import_module("graphc.compiler.passes")


def _function(
    graph: Graph,
    timer: Timer,
    runner: Machine,
    disabled: tuple[str, ...],
    budget: Budgeted | None,
    single: bool,
) -> Function:
    """The compiled graph; as it was kept, if it was."""
    kept = timer.run("key", Kept.of, graph, runner, disabled, budget)
    compilation = Once(partial(_compiled, graph, runner, disabled, budget))
    program = timer.run("read", kept.find, compilation) if kept is not None else None
    if program is None:
        made: Compilation = _passes().run_all(graph, timer, runner, disabled, budget)
        if kept is not None:
            timer.run("keep", kept.keep, made)
        program, compilation = made.program, Once.ready(made)
    return Function(graph, program, compilation, runner, tuple(timer.phases), single)


@without_collection()
def _compiled(
    graph: Graph, runner: Machine, disabled: tuple[str, ...], budget: Budgeted | None
) -> Compilation:
    """What the passes make of a graph whose program was kept."""
    made: Compilation = _passes().run_all(graph, Timer([]), runner, disabled, budget)
    return made


def _report(timer: Timer, function: Function) -> None:
    if config.debug_level() >= 1:
        for phase in timer.phases:
            print(f"graphc: {phase.name:<10} {phase.seconds * 1e3:8.1f} ms")
        print(f"graphc: {'total':<10} {function.compile_seconds * 1e3:8.1f} ms")
        print(f"graphc: {_kernels_text(function)}")
    if config.debug_level() >= 2:
        print(function.source())


def _kernels_text(function: Function) -> str:
    """How many kernels there are, and where they came from."""
    program = function.program
    text = f"{function.kernel_count} kernel(s) for {len(program.handles)} step(s)"
    if function.target == "python":
        return text
    if function.was_kept:
        return f"{text}: the program was kept, with all of them"
    kernels = function.kernels
    made, found = (
        [kernel.seconds for kernel in kernels if kernel.from_cache == cached]
        for cached in (False, True)
    )
    return (
        f"{text}: {len(made)} compiled ({sum(made) * 1e3:.1f} ms), {len(found)} from the cache "
        f"({sum(found) * 1e3:.1f} ms)"
    )
