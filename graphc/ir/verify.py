"""The verifier of graphs: what every pass must leave true.

Each node comes after its inputs, is the interned node, and has the type that its operation's rule
gives; updates fit their states; every input that is reached is listed.
"""

from __future__ import annotations

import inspect
from functools import cache

from graphc.errors import GraphcError, VerificationError
from graphc.ir.declaration import ConstantArray
from graphc.ir.dim import Size
from graphc.ir.dtype import DTYPES
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.op import Op
from graphc.ir.shape import NodeType, TensorType, TupleType, shape_text
from graphc.ir.site import inherit_sites, written_at

CARRIED = ("param", "state")
# What a type rule raises on inputs and attributes that it does not expect.
_FAILURES = (
    GraphcError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def verify(graph: Graph, after: str = "building") -> None:
    """Check a graph, after the pass called `after`.

    Raises VerificationError with the pass, the node (by its place in `graph.nodes`) and the user's
    line.
    """
    places = {node: place for place, node in enumerate(graph.nodes)}
    for node, place in places.items():
        fault = _order_fault(places, node, place) or node_fault(node) or _interning_fault(node)
        if fault:
            raise _error(after, fault, node, f" %{place}")
    for fault, node in list_faults(graph):
        raise _error(after, fault, node, "")


def _error(after: str, fault: str, node: Node, place: str) -> VerificationError:
    error = VerificationError(f"after {after}:{place} {node!r}: {fault}.{written_at(node.sites)}")
    error.located = True
    return error


def node_fault(node: Node) -> str:
    """What is wrong with one node's inputs, attributes or type; empty if nothing is."""
    count = input_count(node.op)
    if count is not None and len(node.inputs) != count:
        return f"expected {count} inputs, got {len(node.inputs)}"
    try:
        inferred = node.op.infer(node.inputs, node.attrs)
    except _FAILURES as error:
        return f"its type rule fails: {type(error).__name__}: {error}"
    if inferred != node.type:
        return f"its type is {node.type}, its operation gives {inferred}"
    return type_fault(inferred) or _constant_fault(node)


@cache
def input_count(op: Op) -> int | None:
    """The number of inputs of an operation, None if it takes any number.

    A reference takes the attributes, then one array for each input.
    """
    arity = getattr(op, "arity", None)
    if isinstance(arity, int):
        return arity
    parameters = inspect.signature(op.reference).parameters.values()
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return None
    required = [p for p in parameters if p.kind in _POSITIONAL and p.default is p.empty]
    return len(required) - 1


def type_fault(found: NodeType) -> str:
    """What is wrong with a type; empty if nothing is."""
    items = found.items if isinstance(found, TupleType) else (found,)
    for item in items:
        if not isinstance(item, TensorType) or item.dtype not in DTYPES.values():
            return f"expected a dtype of {', '.join(DTYPES)}; its type is {item}"
        if not isinstance(item.shape, tuple) or not all(map(_is_dim, item.shape)):
            return f"expected a shape of integers >= 0 and symbolic sizes; its type is {item}"
    return ""


def _constant_fault(node: Node) -> str:
    value = node.attrs.get("value")
    if not isinstance(value, ConstantArray):
        return ""
    found = f"{value.array.dtype.name} {shape_text(value.array.shape)}"
    return "" if found == str(node.type) else f"it holds {found}, its type is {node.type}"


def list_faults(graph: Graph) -> list[tuple[str, Node]]:
    """What is wrong with the lists of inputs, updates and effects: what, and at which node."""
    return [*_input_faults(graph), *_update_faults(graph), *_effect_faults(graph)]


def _is_dim(dim: object) -> bool:
    return isinstance(dim, Size) or (type(dim) is int and dim >= 0)


def _order_fault(places: dict[Node, int], node: Node, place: int) -> str:
    for source in node.inputs:
        if places.get(source, place) >= place:
            return f"its input {source!r} does not come before it: the graph has a cycle"
    return ""


def _interning_fault(node: Node) -> str:
    # Sites are inherited so that looking a node up does not add the line of this check to it.
    with inherit_sites(node.sites):
        interned = make(node.op, node.inputs, **node.attrs)
    return "" if interned is node else "it is not the interned node: build nodes with `make`"


def _input_faults(graph: Graph) -> list[tuple[str, Node]]:
    faults = []
    for node in graph.inputs:
        if node.declaration is None or node.declaration.role != "input":
            faults.append(("it is listed as an input, but is not a declared input", node))
    if len(set(graph.inputs)) != len(graph.inputs):
        twice = next(n for n in graph.inputs if graph.inputs.count(n) > 1)
        faults.append(("it is listed twice as an input", twice))
    listed = set(graph.inputs)
    for node in graph.nodes:
        declared = node.declaration
        if declared is not None and declared.role == "input" and node not in listed:
            faults.append(("it is used, but not listed as an input", node))
    return faults


def _update_faults(graph: Graph) -> list[tuple[str, Node]]:
    faults = []
    updated: set[Node] = set()
    for carried, new in graph.updates:
        declared = carried.declaration
        if declared is None or declared.role not in CARRIED:
            faults.append(("it is updated, but is neither a parameter nor a state", carried))
        elif carried in updated:
            faults.append(("it is updated twice", carried))
        elif new.type != carried.type:
            faults.append((f"its update has the type {new.type}, expected {carried.type}", carried))
        updated.add(carried)
    return faults


def _effect_faults(graph: Graph) -> list[tuple[str, Node]]:
    return [
        ("it is listed as an effect, but neither checks nor prints", node)
        for node in graph.effects
        if node.op.kind not in ("check", "print")
    ]
