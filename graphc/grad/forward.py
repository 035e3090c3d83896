"""Forward mode: the derivative along a direction, carried through the graph with the values.

There is no second table of rules. An elementwise operation gives its partial derivatives; for any
other, its reverse rule, which is linear in the cotangent, is transposed by differentiating it once
more (Christianson 1992; "two reverse passes"). The result is nodes, as in reverse mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import graphc.ops.formula as formulas
from graphc.errors import ArgumentError, DTypeError, GradientError, ShapeError
from graphc.grad.branch import cond_jvp, while_jvp
from graphc.grad.loop import scan_jvp
from graphc.grad.reverse import gradient_table
from graphc.ir.node import Node
from graphc.ir.shape import TensorType, TupleType, shape_text
from graphc.ir.site import at_user_line, inherit_sites, raise_located
from graphc.ir.traverse import depends_on, substitute, topological
from graphc.ops import zeros_like
from graphc.ops.branch import cond_op
from graphc.ops.elementwise import ElementwiseOp, cast, cast_op
from graphc.ops.layout import broadcast_to
from graphc.ops.loop import scan_op
from graphc.ops.routine import item, item_op, pack, tuple_op
from graphc.ops.selection import scaled
from graphc.ops.source import as_node, input
from graphc.ops.while_loop import while_op

Tangents = dict[Node, Node]

_LOOPS = {scan_op: scan_jvp, cond_op: cond_jvp, while_op: while_jvp}


def tangent_table(outputs: Sequence[Node], seeds: Tangents) -> Tangents:
    """The tangent of every node between the keys of `seeds` and `outputs`; one that is not there is
    zero."""
    table = dict(seeds)
    between = depends_on(outputs, seeds)
    for node in topological(outputs):
        if node in table or node not in between:
            continue
        with inherit_sites(node.sites):
            made = _tangent(node, [table.get(source) for source in node.inputs])
        if made is not None:
            table[node] = made
    return table


def _tangent(node: Node, tangents: list[Node | None]) -> Node | None:
    """The tangent of a node, given those of its inputs; None where it is zero."""
    if all(tangent is None for tangent in tangents):
        return None
    if node.op is tuple_op or node.op is item_op:
        return _structural(node, tangents)
    if isinstance(node.type, TensorType) and not node.dtype.is_float:
        return None  # a count, an index or a truth value moves in jumps only
    if node.op.vjp is None:
        reason = node.op.no_derivative or "none is defined for it"
        raise_located(GradientError(f"{node.op.name} has no derivative: {reason}"), node.sites)
    if node.op in _LOOPS:
        return _LOOPS[node.op](node, tangents, tangent_table)
    if isinstance(node.op, ElementwiseOp) and node.op is not cast_op:
        return _elementwise(node, tangents)
    return _transposed(node, tangents)


def _structural(node: Node, tangents: list[Node | None]) -> Node | None:
    if node.op is item_op:
        assert tangents[0] is not None
        return item(tangents[0], node.attrs["index"])
    pairs = zip(node.inputs, tangents, strict=True)
    return pack(tuple(t if t is not None else zeros_like(source) for source, t in pairs))


def _elementwise(node: Node, tangents: list[Node | None]) -> Node | None:
    """The sum of partial derivatives times tangents."""
    op = node.op
    assert isinstance(op, ElementwiseOp)
    partials = (
        op.partials(*node.inputs, node)
        if op.partials is not None
        else formulas.differentiate(op, node)
    )
    total: Node | None = None
    for partial, tangent in zip(partials, tangents, strict=True):
        if partial is None or tangent is None:
            continue
        share = scaled(broadcast_to(tangent, node.shape), partial)
        total = share if total is None else total + share
    return None if total is None else broadcast_to(cast(total, node.dtype), node.shape)


def _transposed(node: Node, tangents: list[Node | None]) -> Node | None:
    """J t, from the reverse rule u -> transpose(J) u: the gradient of <transpose(J) u, t> in u."""
    cotangents = _cotangents(node)
    whole = cotangents[0] if isinstance(node.type, TensorType) else pack(tuple(cotangents))
    assert node.op.vjp is not None
    results: list[Node | None] = [None] * len(cotangents)
    for share, tangent in zip(node.op.vjp(node, whole), tangents, strict=True):
        if share is None or tangent is None:
            continue
        table = gradient_table(share, cast(tangent, share.dtype), cotangents)
        for place, cotangent in enumerate(cotangents):
            if cotangent in table:
                before = results[place]
                found = table[cotangent]
                results[place] = found if before is None else before + found
    return _assembled(node, cotangents, results)


def _cotangents(node: Node) -> list[Node]:
    types = node.type.items if isinstance(node.type, TupleType) else (node.tensor,)
    return [input("cotangent", known.shape, known.dtype) for known in types]


def _assembled(node: Node, cotangents: list[Node], results: list[Node | None]) -> Node | None:
    """The results, in which a cotangent that is still there only stands for its own zero."""
    if all(result is None for result in results):
        return None
    zeros = {cotangent: zeros_like(cotangent) for cotangent in cotangents}
    whole = [
        zeros_like(cotangent) if result is None else substitute([result], zeros)[0]
        for cotangent, result in zip(cotangents, results, strict=True)
    ]
    return whole[0] if isinstance(node.type, TensorType) else pack(tuple(whole))


@at_user_line
def jvp(
    y: Node | Sequence[Node], wrt: Node | Sequence[Node], tangent: object | Sequence[object]
) -> Any:
    """The derivative of `y` along a direction: its Jacobian times `tangent`, of the shape of `y`.

    Args: `y`, a node or several (then a list comes back); `wrt`, a node or several, also
    intermediate ones; `tangent`, for each of them a node, array or number of its shape. It costs
    about as much as `y` itself, however many elements `wrt` has.

    Raises ShapeError where a tangent does not have the shape of its node, GradientError naming an
    operation without derivative. Where `y` does not depend on `wrt` the result is zero.

    >>> from graphc.ops import input, exp
    >>> from graphc.ops.evaluate import evaluate
    >>> x = input("x", (2,), "float64")
    >>> evaluate(jvp(x * x, x, [1.0, 0.5]), {x: [3.0, 4.0]})
    array([6., 4.])
    """
    outputs = [y] if isinstance(y, Node) else list(y)
    if not isinstance(wrt, Node | list | tuple):
        raise ArgumentError(f"jvp: expected a node or a list of nodes, got {wrt!r}")
    targets = [wrt] if isinstance(wrt, Node) else list(wrt)
    directions = [tangent] if isinstance(wrt, Node) else _several(tangent, len(targets))
    seeds = {
        target: _seed(target, direction)
        for target, direction in zip(targets, directions, strict=True)
    }
    table = tangent_table(outputs, seeds)
    found = [table[output] if output in table else zeros_like(output) for output in outputs]
    return found[0] if isinstance(y, Node) else found


def _several(tangent: object, count: int) -> list[object]:
    if not isinstance(tangent, list | tuple) or len(tangent) != count:
        raise ArgumentError(f"jvp: expected a list of {count} tangents, one for each node of wrt")
    return list(tangent)


def _seed(target: Node, direction: object) -> Node:
    if not isinstance(target, Node):
        raise ArgumentError(f"jvp: wrt must hold nodes, got {type(target).__name__}")
    if not target.dtype.is_float:
        raise DTypeError(f"jvp: cannot differentiate with respect to {target!r}: not floats")
    seed = cast(as_node(direction, target.dtype), target.dtype)
    if seed.shape == ():
        seed = broadcast_to(seed, target.shape)
    if seed.shape != target.shape:
        raise ShapeError(
            f"jvp: expected a tangent of the shape of its node, {shape_text(target.shape)}, "
            f"got {shape_text(seed.shape)}"
        )
    return seed
