"""A reduction of everything is done in two: each row in parallel, then the rows' results.

One loop over a whole matrix would stay on one thread. The order of additions depends on the shape
alone.
"""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake
from graphc.ops.layout import reshape
from graphc.ops.reduction import ReductionOp

# Rows shorter than this are not worth a pass of their own.
_SHORTEST_ROW = 64


def split_reductions(graph: Graph) -> Graph:
    """The graph with reductions over all of several axes done row by row."""
    return graph.with_roots(rebuild(list(graph.roots), _split))


def _split(node: Node, inputs: tuple[Node, ...]) -> Node:
    same = remake(node, inputs)
    if not _reduces_all(same):
        return same
    (x,) = inputs
    first = next(axis for axis, dim in enumerate(x.shape) if dim != 1)
    with inherit_sites(node.sites):
        rows = make(same.op, (x,), axes=tuple(range(first + 1, x.ndim)), keepdims=False)
        whole = make(same.op, (rows,), axes=tuple(range(rows.ndim)), keepdims=False)
        return reshape(whole, node.shape)


def _reduces_all(node: Node) -> bool:
    op = node.op
    if not isinstance(op, ReductionOp) or op.combine in ("argmax", "argmin"):
        return False
    (x,) = node.inputs
    if len(node.attrs["axes"]) != x.ndim:
        return False
    long = [dim for dim in x.shape if dim != 1]
    return len(long) > 1 and any(
        not isinstance(dim, int) or dim >= _SHORTEST_ROW for dim in long[1:]
    )
