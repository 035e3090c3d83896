"""Reverse mode: back-propagation in general form, as a transformation of the graph.

The algorithm visits each node between the targets and the output once, output first, keeps a table
from node to gradient, and asks each operation for its inputs' shares. Shares that meet at a node
are summed. The result is nodes, so it can be printed, rewritten, compiled, and differentiated
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import ArgumentError, DisconnectedError, DTypeError, GradientError, ShapeError
from graphc.ir.node import Node
from graphc.ir.shape import TupleType, shape_text
from graphc.ir.site import at_user_line, inherit_sites, raise_located
from graphc.ir.traverse import depends_on, topological
from graphc.ops import zeros_like
from graphc.ops.elementwise import cast
from graphc.ops.layout import broadcast_to
from graphc.ops.routine import item, pack
from graphc.ops.source import as_node, const

GradientTable = dict[Node, Node]


def gradient_table(output: Node, cotangent: Node, targets: Sequence[Node]) -> GradientTable:
    """The gradient at every node between `targets` and `output`, from the gradient `cotangent` at
    the output."""
    between = depends_on([output], targets)
    table: GradientTable = {}
    if output not in between:
        return table
    table[output] = cotangent
    wanted = set(targets)
    for node in reversed(topological([output])):
        gradient = table.get(node)
        if gradient is None or not any(source in between for source in node.inputs):
            continue
        if node in wanted and not _reaches(node, between):
            continue
        with inherit_sites(node.sites):
            for source, share in zip(node.inputs, _shares(node, gradient), strict=True):
                if share is not None and source in between:
                    table[source] = _sum(table[source], share) if source in table else share
    return table


def _reaches(node: Node, between: set[Node]) -> bool:
    return any(source in between for source in node.inputs)


def _shares(node: Node, gradient: Node) -> Sequence[Node | None]:
    if node.op.vjp is None:
        reason = node.op.no_derivative or "none is defined for it"
        raise_located(GradientError(f"{node.op.name} has no derivative: {reason}"), node.sites)
    return node.op.vjp(node, gradient)


def _sum(first: Node, second: Node) -> Node:
    if isinstance(first.type, TupleType):
        count = len(first.type.items)
        return pack(tuple(item(first, i) + item(second, i) for i in range(count)))
    return first + second


def _as_targets(wrt: Node | Sequence[Node]) -> tuple[list[Node], bool]:
    single = isinstance(wrt, Node)
    targets = [wrt] if isinstance(wrt, Node) else list(wrt)
    for target in targets:
        if not isinstance(target, Node):
            raise ArgumentError(f"grad: wrt must hold nodes, got {type(target).__name__}")
        if not target.dtype.is_float:
            raise DTypeError(f"grad: cannot differentiate with respect to {target!r}: not floats")
    return targets, single


def _collect(
    table: GradientTable, output: Node, targets: Sequence[Node], disconnected: str
) -> list[Node]:
    if disconnected not in ("error", "zero"):
        raise ArgumentError(f"grad: disconnected must be 'error' or 'zero', got {disconnected!r}")
    result = []
    for target in targets:
        if target not in table and disconnected == "error":
            raise DisconnectedError(
                f"grad: {output!r} does not depend on {target!r} through differentiable "
                f"operations; "
                f"pass disconnected='zero' if zeros are meant"
            )
        result.append(table[target] if target in table else zeros_like(target))
    return result


@at_user_line
def vjp(y: Node, wrt: Node | Sequence[Node], cotangent: object, disconnected: str = "error") -> Any:
    """The gradient of sum(cotangent * y): one node for each target, of the target's shape.

    `cotangent` has the shape of `y`. Raises DisconnectedError for a target that `y` does not depend
    on.
    """
    targets, single = _as_targets(wrt)
    seed = cast(as_node(cotangent, y.dtype), y.dtype)
    if seed.shape != y.shape:
        raise ShapeError(
            f"vjp: expected a cotangent of the shape of y, {shape_text(y.shape)}, "
            f"got {shape_text(seed.shape)}"
        )
    table = gradient_table(y, seed, targets)
    result = _collect(table, y, targets, disconnected)
    return result[0] if single else result


@at_user_line
def grad(y: Node, wrt: Node | Sequence[Node], disconnected: str = "error") -> Any:
    """The gradient of a scalar with respect to one node or several, as nodes.

    Args: `y`, a float scalar; `wrt`, any nodes that `y` depends on, also intermediate ones;
    `disconnected`, "error" or "zero" for a node that it does not depend on.

    >>> from graphc.ops import input
    >>> x = input("x")
    >>> grad(x * x, x)
    <add: float32 ()>
    """
    if not isinstance(y, Node):
        raise ArgumentError(f"grad: expected a node to differentiate, got {type(y).__name__}")
    if y.shape != ():
        raise ShapeError(
            f"grad: expected a scalar, got shape {shape_text(y.shape)}: reduce it with gx.sum or "
            f"gx.mean, "
            f"or use gx.vjp(y, wrt, cotangent)"
        )
    if not y.dtype.is_float:
        raise DTypeError(f"grad: expected a float to differentiate, got {y.dtype}")
    return vjp(y, wrt, broadcast_to(const(1, y.dtype), ()), disconnected)


@at_user_line
def value_and_grad(y: Node, wrt: Node | Sequence[Node], disconnected: str = "error") -> Any:
    """(y, its gradient): the pair that a training step needs."""
    return y, grad(y, wrt, disconnected)
