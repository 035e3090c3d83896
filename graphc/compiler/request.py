"""What `compile` is asked for: a checked graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dim import size_names
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.shape import TupleType, shape_text
from graphc.ir.site import raise_located
from graphc.ir.traverse import topological
from graphc.ops.effect import effects_of
from graphc.ops.source import const, input_op, param_op, size_op, state_op


def rule_names(disabled: object) -> tuple[str, ...]:
    """The names of rewriting rules and phases that are to be switched off, sorted."""
    if isinstance(disabled, str):
        return (disabled,)
    if not isinstance(disabled, Collection) or not all(isinstance(n, str) for n in disabled):
        raise ArgumentError(
            f"compile: expected disabled to be a name, or names, of rewriting rules or phases; got "
            f"{disabled!r}"
        )
    return tuple(sorted(set(disabled)))


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
