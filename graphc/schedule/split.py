"""A long reduction is done in two stages, so that all threads take part.

A reduction of everything is done for each row, then over the rows' results. One along an axis that
leaves few results, or that adds up the columns of what a kernel computes row by row, is done in
blocks (see `blocks`). The order of additions depends on the shape alone.
"""

from __future__ import annotations

from graphc.ir.dim import Dim, product
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake
from graphc.ops.layout import reshape
from graphc.ops.reduction import ReductionOp, min_op
from graphc.ops.routine import item_op
from graphc.schedule.analysis import is_step
from graphc.schedule.blocks import in_blocks
from graphc.schedule.first_place import ARG_REDUCTIONS, best_value, places_of

# Rows shorter than this are not worth a pass of their own.
_SHORTEST_ROW = 64
# A block has about so many elements: some microseconds of work, and results that are few beside
# them.
_BLOCK = 32_768
# The most columns that are added up in blocks: a block then has at least eight rows.
_MOST_COLUMNS = _BLOCK // 8
# A block of rows whose length is not known: the results of blocks take a sixteenth of the array.
_ROWS_OF_UNKNOWN = 16
# So many outer rows are shared among threads.
_MOST_ROWS = 15


def split_reductions(graph: Graph) -> Graph:
    """The graph with long reductions in two stages."""
    return graph.with_roots(rebuild(list(graph.roots), _split))


def _split(node: Node, inputs: tuple[Node, ...]) -> Node:
    same = remake(node, inputs)
    op = same.op
    if not isinstance(op, ReductionOp):
        return same
    with inherit_sites(node.sites):
        if op.combine not in ARG_REDUCTIONS:
            return _in_stages(same, op)
        best, x = best_value(same)
        axes = same.attrs["axes"]
        value = _in_stages(make(best, (x,), axes=axes, keepdims=True), best)
        return _in_stages(make(min_op, (places_of(x, value, axes[0]),), **same.attrs), min_op)


def _in_stages(node: Node, op: ReductionOp) -> Node:
    if _has_rows(node):
        return _by_rows(node, op)
    blocked = _blocked_axis(node)
    if blocked is None:
        return node
    return make(op, (in_blocks(op, node.inputs[0], *blocked),), **node.attrs)


def _by_rows(node: Node, op: ReductionOp) -> Node:
    """A reduction of everything, row by row."""
    (x,) = node.inputs
    first = next(axis for axis, dim in enumerate(x.shape) if dim != 1)
    rows = make(op, (x,), axes=tuple(range(first + 1, x.ndim)), keepdims=False)
    if _are_many_short(x.shape[first], product(x.shape[first + 1 :])):
        rows = in_blocks(op, rows, rows.ndim - 1, _block(product(x.shape[first + 1 :])))
    whole = make(op, (rows,), axes=tuple(range(rows.ndim)), keepdims=False)
    return reshape(whole, node.shape)


def _has_rows(node: Node) -> bool:
    """Whether a node reduces all of several axes, and many elements."""
    (x,) = node.inputs
    if len(node.attrs["axes"]) != x.ndim:
        return False
    long = [dim for dim in x.shape if dim != 1]
    if len(long) < 2 or 0 in long:
        return False
    worth = any(not isinstance(dim, int) or dim >= _SHORTEST_ROW for dim in long[1:])
    return worth or _are_many_short(long[0], product(tuple(long[1:])))


def _are_many_short(length: Dim, row: Dim) -> bool:
    """Whether rows are too short to be shared among threads one by one, and many."""
    return isinstance(row, int) and row < _SHORTEST_ROW and _is_long(length, _block(row))


def _blocked_axis(node: Node) -> tuple[int, int] | None:
    """The axis of a reduction to walk in blocks, and their size; None where it is done at once."""
    (x,) = node.inputs
    axis = next((a for a in node.attrs["axes"] if x.shape[a] != 1), None)
    if axis is None:
        return None
    outer, columns = product(x.shape[:axis]), product(x.shape[axis + 1 :])
    if not isinstance(outer, int) or outer > _MOST_ROWS or _has_many_results(node):
        return None
    if isinstance(columns, int) and not 0 < columns <= _MOST_COLUMNS:
        return None
    block = _block(columns) if isinstance(columns, int) else _ROWS_OF_UNKNOWN
    alone = columns == 1 and _is_result(x)
    return (axis, block) if _is_long(x.shape[axis], block) and not alone else None


def _has_many_results(node: Node) -> bool:
    """Whether threads can share the results, each computed in registers: the last axis is reduced
    too."""
    (x,) = node.inputs
    longer = [axis for axis, dim in enumerate(x.shape) if dim != 1]
    kept = product(tuple(x.shape[a] for a in longer if a not in node.attrs["axes"]))
    return longer[-1] in node.attrs["axes"] and isinstance(kept, int) and kept > _MOST_ROWS


def _block(columns: Dim) -> int:
    """The rows of a block, a power of two."""
    assert isinstance(columns, int)
    return 1 << (_BLOCK // columns).bit_length() - 1


def _is_long(length: Dim, block: int) -> bool:
    return not isinstance(length, int) or length >= 2 * block


def _is_result(x: Node) -> bool:
    """Whether a vector comes out of reductions or products, which take longer than reading it."""
    stack, seen = [x], {x}
    while stack:
        node = stack.pop()
        if node.op.kind == "reduction" or is_step(node) or node.op is item_op:
            return True
        wide = [n for n in node.inputs if any(dim != 1 for dim in n.shape) and n not in seen]
        seen.update(wide)
        stack.extend(wide)
    return False
