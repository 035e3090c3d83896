"""From expressions to a compiled function: every pass in one tuple, each a function from a frozen
value to the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from operator import is_
from typing import TYPE_CHECKING, Any

from graphc import config
from graphc.compiler.budget import check_budget
from graphc.compiler.collection import without_collection
from graphc.compiler.function import Function
from graphc.compiler.kernel import Phase
from graphc.compiler.kernels import compile_kernels, render_steps
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.grad.leave_loop import leave_loops
from graphc.ir.dim import size_names
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.shape import TupleType, shape_text
from graphc.ir.site import at_user_line, inherit_sites, raise_located
from graphc.ir.traverse import rebuild, remake, substitute, topological
from graphc.ir.verify import verify
from graphc.ops.effect import effects_of
from graphc.ops.source import const, input_op, param_op, size_op, state_op, training
from graphc.ops.statement import restate
from graphc.rewrite.engine import rewrite
from graphc.rewrite.loops import merge_loops
from graphc.schedule.build import schedule as build_schedule
from graphc.schedule.contract import contract
from graphc.schedule.control import body_graphs, with_graphs
from graphc.schedule.expand import expand
from graphc.schedule.kinks import test_extremes
from graphc.schedule.memory import lives
from graphc.schedule.orient import orient_products
from graphc.schedule.regroup import regroup_windows
from graphc.schedule.schedule import Schedule
from graphc.schedule.split import split_reductions
from graphc.schedule.tiny_products import write_out_tiny_products
from graphc.schedule.verify import verify_schedule
from graphc.target.machine import machine

if TYPE_CHECKING:
    from graphc.schedule.recompute import Budget


def fix_flags(graph: Graph) -> Graph:
    """The training flag becomes a constant: on, unless `gx.inference` has switched it off
    before."""
    if training not in graph.nodes:
        return graph
    return graph.with_roots(substitute(list(graph.roots), {training: const(True)}))


def rewrite_all(graph: Graph, disabled: str | Collection[str] = ()) -> Graph:
    """All rewriting phases."""
    return rewrite(graph, disabled=disabled)


def rewrite_expanded(graph: Graph, disabled: str | Collection[str] = ()) -> Graph:
    """What expansion left: canonical order and simplification. Stable forms were found before."""
    return rewrite(graph, phases=("canonicalize",), disabled=disabled)


# The passes from the user's graph to the one that is scheduled, in order.
PASSES: tuple[tuple[str, Callable[..., Graph]], ...] = (
    ("flags", fix_flags),
    ("merge", merge_loops),
    ("leave", leave_loops),
    ("prune", merge_loops),
    ("rewrite", rewrite_all),
    ("expand", expand),
    ("simplify", rewrite_expanded),
    ("tiny", write_out_tiny_products),
    ("orient", orient_products),
    ("contract", contract),
    ("kinks", test_extremes),
    ("regroup", regroup_windows),
    ("split", split_reductions),
)
# The passes that apply rewriting rules, which `disabled` switches off.
_REWRITING = ("rewrite", "simplify")
STAGES = ("graph", *(name for name, _ in PASSES), "schedule", "source")


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


@dataclass(eq=False, repr=False)
class _Timer:
    phases: list[Phase]

    def run(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        start = time.perf_counter()
        result = function(*args)
        self.phases.append(Phase(name, time.perf_counter() - start))
        return result


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

    Raises ArgumentError, ShapeError or DTypeError for what does not fit, CompileError naming the
    node for what cannot be compiled, MemoryBudgetError stating the least number of bytes for a
    budget that cannot be kept. Nothing falls back to Python.
    """
    if stop is not None and stop not in STAGES:
        raise ArgumentError(f"compile: stop must be one of {', '.join(STAGES)}; got {stop!r}")
    timer = _Timer([])
    runner = machine(target, config.thread_count())
    graph = timer.run("graph", make_graph, inputs, outputs, updates or {})
    sizes = check_budget(graph, memory_budget, budget_sizes)
    graphs = run_passes(graph, timer, disabled)
    if stop in graphs:
        return graphs[stop]
    last = graphs[PASSES[-1][0]]
    plan: Schedule = timer.run("schedule", build_schedule, last)
    budget: Budget | None = None
    if memory_budget is not None:
        budget = timer.run("budget", _fit, last, plan, int(memory_budget), sizes)
        plan = budget.schedule
    if config.verify_enabled():
        verify_schedule(plan)
    if stop == "schedule":
        return plan
    rendered = timer.run("render", render_steps, plan)
    if stop == "source":
        return {source.source for source in rendered.values()}
    handles, kernels = timer.run("compile", compile_kernels, rendered, runner)
    lifetimes = timer.run("memory", lives, plan)
    function = Function(
        graphs["graph"], graphs["rewrite"], plan, lifetimes, handles, kernels, runner,
        tuple(timer.phases), single=isinstance(outputs, Node), budget=budget,
    )  # fmt: skip
    _report(timer, function)
    return function


def _fit(graph: Graph, plan: Schedule, most: int, sizes: Mapping[str, int]) -> Budget:
    # Most compilations have no budget, and need not load this.
    found: Budget = import_module("graphc.schedule.recompute").fit(graph, plan, most, sizes)
    return found


def run_passes(
    graph: Graph, timer: _Timer, disabled: str | Collection[str] = ()
) -> dict[str, Graph]:
    """The graph as given ("graph") and after each pass, by the pass's name."""
    stages = {"graph": graph}
    for name, run_pass in PASSES:
        switched_off = (disabled,) if name in _REWRITING else ()
        graph = stages[name] = timer.run(name, with_bodies, run_pass, graph, *switched_off)
        if config.verify_enabled():
            verify(graph, after=name)
    return stages


def with_bodies(run_pass: Callable[..., Graph], graph: Graph, *arguments: Any) -> Graph:
    """The graph after a pass, which the bodies of its loops and branches go through first."""
    if not any(node.op.kind == "loop" for node in graph.nodes):
        return run_pass(graph, *arguments)

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        same = remake(node, inputs)
        if node.op.kind != "loop":
            return same
        bodies = body_graphs(same)
        graphs = [with_bodies(run_pass, body, *arguments) for body in bodies]
        if all(map(is_, graphs, bodies)):
            return same
        with inherit_sites(node.sites):
            return make(same.op, same.inputs, **{**same.attrs, **with_graphs(same, graphs)})

    return run_pass(graph.with_roots(rebuild(list(graph.roots), change)), *arguments)


def make_graph(
    inputs: Node | Sequence[Node], outputs: Node | Sequence[Node], updates: Mapping[Node, Any]
) -> Graph:
    """The checked graph of what `compile` was given."""
    fed = (inputs,) if isinstance(inputs, Node) else tuple(inputs)
    wanted = (outputs,) if isinstance(outputs, Node) else tuple(outputs)
    for node in (*fed, *wanted):
        if not isinstance(node, Node):
            raise ArgumentError(f"compile: expected nodes, got {type(node).__name__}")
    for node in fed:
        if node.op is not input_op:
            raise ArgumentError(f"compile: {node!r} is not an input; declare it with gx.input")
    if len(set(fed)) != len(fed):
        raise ArgumentError("compile: an input is listed twice")
    for node in wanted:
        if isinstance(node.type, TupleType):
            raise ArgumentError(
                f"compile: {node!r} has several results; take them with node[index]"
            )
    pairs = tuple((state, _as_update(state, new)) for state, new in updates.items())
    roots = (*fed, *wanted, *(node for pair in pairs for node in pair))
    graph = Graph(fed, wanted, pairs, effects=effects_of(roots))
    _check_fed(graph)
    return graph


def _as_update(state: Node, new: Any) -> Node:
    if not isinstance(state, Node) or state.op not in (param_op, state_op):
        raise ArgumentError(f"compile: updates must be of parameters or states; got {state!r}")
    value = new if isinstance(new, Node) else const(new, state.dtype)
    if value.shape != state.shape:
        raise ShapeError(
            f"compile: the update of {state.name!r} has shape {shape_text(value.shape)}, "
            f"expected {shape_text(state.shape)}"
        )
    if value.dtype is not state.dtype:
        raise DTypeError(
            f"compile: the update of {state.name!r} is {value.dtype}, expected {state.dtype}"
        )
    return value


def _check_fed(graph: Graph) -> None:
    known = {str(dim) for node in graph.inputs for dim in node.shape}
    for node in topological(graph.roots):
        if node.op is input_op and node not in graph.inputs:
            raise ArgumentError(
                f"compile: the outputs depend on {node!r}, which is not among inputs"
            )
        for name in _sizes_in(node):
            if name not in known:
                error = ArgumentError(
                    f"compile: no input has the size {name!r} that {node!r} takes: declare one "
                    f"with an axis of that size alone"
                )
                raise_located(error, node.sites)


def _sizes_in(node: Node) -> Iterator[str]:
    """The named sizes in the shape of a node, or of its results, or of which it is the value."""
    types = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    for dim in (dim for known in types for dim in known.shape):
        yield from size_names(dim)
    if node.op is size_op:
        yield from size_names(node.attrs["dim"])


def _report(timer: _Timer, function: Function) -> None:
    if config.debug_level() >= 1:
        for phase in timer.phases:
            print(f"graphc: {phase.name:<10} {phase.seconds * 1e3:8.1f} ms")
        print(f"graphc: {'total':<10} {function.compile_seconds * 1e3:8.1f} ms")
        print(f"graphc: {_kernels_text(function)}")
    if config.debug_level() >= 2:
        print(function.source())


def _kernels_text(function: Function) -> str:
    """How many kernels there are, and where they came from."""
    kernels = function.kernels
    calls = sum(len(kernel.steps) for kernel in kernels)
    text = f"{len(kernels)} kernel(s) for {calls} step(s)"
    if function.target == "python":
        return text
    made, found = (
        [kernel.seconds for kernel in kernels if kernel.from_cache == cached]
        for cached in (False, True)
    )
    return (
        f"{text}: {len(made)} compiled ({sum(made) * 1e3:.1f} ms), {len(found)} from the cache "
        f"({sum(found) * 1e3:.1f} ms)"
    )
