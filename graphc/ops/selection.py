"""Gradients that are nothing but zeros for some elements, and stay so.

Where `where(c, x, y)` takes y, the gradient of x is zero. Times a partial derivative that is inf or
nan there, as that of log(x) at 0, it would be nan: the branch that is not taken would spoil the
gradient of the one that is. So a gradient remembers where it was selected, in its own structure
(`where(c, g, 0)`, through layout, sums and broadcasts), and a product with a partial derivative is
selected again.
"""

from __future__ import annotations

from graphc.ir.dtype import bool_
from graphc.ir.node import Node, make
from graphc.ir.op import REGISTRY, Op
from graphc.ops.layout import broadcast_to
from graphc.ops.source import constant_value

# How far the structure of a gradient is followed: to the product that selected it last.
_DEPTH = 6
_MOVING = frozenset(["reshape", "transpose", "broadcast_to", "slice"])


def scaled(cotangent: Node, partial: Node | float) -> Node:
    """A gradient times a partial derivative; a condition as the partial derivative selects.

    Where the gradient is selected away the result is 0, also if the partial derivative is inf or
    nan.
    """
    if not isinstance(partial, Node):
        if partial == 1:
            return cotangent
        return -cotangent if partial == -1 else cotangent * partial
    if partial.dtype is bool_:
        return _where(partial, cotangent)
    mask = None if _is_given(partial) and not _is_selected(cotangent) else selection(cotangent)
    if mask is None:
        return cotangent * partial
    return _where(mask, _inside(cotangent) * partial)


def selection(gradient: Node, depth: int = _DEPTH) -> Node | None:
    """The condition outside which a gradient is zero by the way it was made; None if not known.

    Its shape broadcasts to that of the gradient.
    """
    op = gradient.op
    if depth == 0 or not gradient.inputs:
        return None
    if _is_selected(gradient):
        condition, inner = gradient.inputs[:2]
        further = selection(inner, depth - 1)
        return condition if further is None else _and(condition, further)
    if op.name in ("add", "subtract"):
        return _of_sum(*(selection(source, depth - 1) for source in gradient.inputs))
    if op.name not in _MOVING and op.name not in ("sum", "negative", "cast"):
        return None
    source = gradient.inputs[0]
    mask = selection(source, depth - 1)
    if mask is None or op.name in ("negative", "cast"):
        return mask
    whole = broadcast_to(mask, source.shape)
    if op.name == "sum":
        return make(REGISTRY["any"], (whole,), **gradient.attrs)
    return make(op, (whole,), **gradient.attrs)


def _of_sum(first: Node | None, second: Node | None) -> Node | None:
    """Where one of two is selected; None if that is everywhere."""
    if first is None or second is None or first is second:
        return first if second is not None else None
    if _is_negation(first, second) or _is_negation(second, first):
        return None
    return _call("logical_or", first, second)


def _is_negation(first: Node, second: Node) -> bool:
    return first.op.name == "logical_not" and first.inputs[0] is second


def _is_selected(node: Node) -> bool:
    """Whether the node is where(c, g, 0)."""
    if node.op.name != "where":
        return False
    other = constant_value(node.inputs[2])
    return other is not None and other.shape == () and not other.any()


def _inside(gradient: Node) -> Node:
    """g for where(c, g, 0), in the shape of the gradient."""
    inner = gradient
    while _is_selected(inner):
        inner = inner.inputs[1]
    return broadcast_to(inner, gradient.shape)


def _is_given(partial: Node) -> bool:
    """Whether a partial derivative was declared or is constant: no operation made it infinite."""
    return not partial.inputs


def _and(first: Node, second: Node) -> Node:
    return first if first is second else _call("logical_and", first, second)


def _where(mask: Node, value: Node) -> Node:
    return broadcast_to(_call("where", mask, value, 0), value.shape)


def _call(name: str, *operands: object) -> Node:
    op: Op = REGISTRY[name]
    result: Node = op(*operands)  # type: ignore[operator]
    return result
