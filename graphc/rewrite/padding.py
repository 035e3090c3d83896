"""Sums of padded pieces: the gradient of slices that lie side by side is their concatenation."""

from __future__ import annotations

from graphc.ir.dim import Dim
from graphc.ir.node import Node, make
from graphc.ops import scalar
from graphc.ops.joining import concat_op
from graphc.ops.layout import pad, pad_op
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "simplify"
Edge = tuple[Dim, Dim, int]


def _axis_of(node: Node) -> int | None:
    """The one axis along which a node is padded at its ends; None if it is no such node."""
    if node.op is not pad_op:
        return None
    edges: tuple[Edge, ...] = node.attrs["edges"]
    axes = [axis for axis, edge in enumerate(edges) if edge != (0, 0, 0)]
    return axes[0] if len(axes) == 1 and edges[axes[0]][2] == 0 else None


def _terms(node: Node, context: Context) -> list[Node]:
    """The terms of a sum, through additions that serve nothing else."""
    found: list[Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if current.op is scalar.add and (current is node or context.users.get(current, 1) == 1):
            stack.extend(reversed(current.inputs))
        else:
            found.append(current)
    return found


def _join(first: Node, second: Node, axis: int) -> Node | None:
    """Two padded pieces as one, if the second begins where the first ends."""
    (low, _, _), (start, high, _) = first.attrs["edges"][axis], second.attrs["edges"][axis]
    (left,), (right,) = first.inputs, second.inputs
    if low + left.shape[axis] != start:
        return None
    joined = make(concat_op, (left, right), axis=axis)
    edges = list(first.attrs["edges"])
    edges[axis] = (low, high, 0)
    return pad(joined, tuple(edges))


def _pads_that_meet(node: Node, context: Context) -> Node | None:
    terms = _terms(node, context)
    for i, first in enumerate(terms):
        axis = _axis_of(first)
        if axis is None:
            continue
        for j, second in enumerate(terms):
            if i != j and _axis_of(second) == axis and first.shape == second.shape:
                joined = _join(first, second, axis)
                if joined is not None:
                    rest = [term for k, term in enumerate(terms) if k not in (i, j)]
                    return _sum([joined, *rest])
    return None


def _sum(terms: list[Node]) -> Node:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


_MEET = rewrite_node(
    "pads_that_meet", PHASE, "pad(x, after) + pad(y, before)", "concat([x, y])",
    (scalar.add,), _pads_that_meet, condition="one begins where the other ends, along one axis",
    changes="the sign of a zero", looks_around=True,
)  # fmt: skip
RULES: tuple[Rule, ...] = (_MEET._replace(needs=frozenset((pad_op,))),)
