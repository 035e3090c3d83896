"""From a graph to kernels: every pass in one tuple, each a function from a frozen value to the
next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from operator import is_
from typing import TYPE_CHECKING, Any

from graphc import config
from graphc.compiler.budget import Budgeted
from graphc.compiler.compiled_graph import Compilation
from graphc.compiler.kernels import compile_kernels, render_steps
from graphc.compiler.phases import Timer
from graphc.grad.leave_loop import leave_loops
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake, substitute
from graphc.ir.verify import verify
from graphc.ops.source import const, training
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
from graphc.target.compiled_program import CompiledProgram
from graphc.target.machine import Machine

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


def run_all(
    graph: Graph,
    timer: Timer,
    runner: Machine,
    disabled: str | Collection[str] = (),
    budget: Budgeted | None = None,
    stop: str | None = None,
) -> Any:
    """The `Compilation` of a graph: every pass, the schedule and its kernels; or what the stage
    `stop` gives."""
    graphs = run_passes(graph, timer, disabled)
    if stop in graphs:
        return graphs[stop]
    last = graphs[PASSES[-1][0]]
    plan: Schedule = timer.run("schedule", build_schedule, last)
    fitted: Budget | None = None
    if budget is not None:
        fitted = timer.run("budget", _fit, last, plan, *budget)
        plan = fitted.schedule
    if config.verify_enabled():
        verify_schedule(plan)
    if stop == "schedule":
        return plan
    rendered = timer.run("render", render_steps, plan)
    if stop == "source":
        return {source.source for source in rendered.values()}
    handles, kernels = timer.run("compile", compile_kernels, rendered, runner)
    lifetimes = timer.run("memory", lives, plan)
    draws = any(node.op.kind == "random" for node in plan.graph.nodes)
    most_bytes = None if fitted is None else fitted.bytes
    program = CompiledProgram(plan, lifetimes, handles, draws, most_bytes)
    return Compilation(graphs["rewrite"], program, kernels, fitted)


def _fit(graph: Graph, plan: Schedule, most: int, sizes: Mapping[str, int]) -> Budget:
    # Most compilations have no budget, and need not load this.
    found: Budget = import_module("graphc.schedule.recompute").fit(graph, plan, most, sizes)
    return found


def run_passes(
    graph: Graph, timer: Timer, disabled: str | Collection[str] = ()
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
