"""Joining in random graphs: concatenations of all that can be a piece, stacks, rolls, padding."""

from __future__ import annotations

import graphc as gx
from graphc.ir.dim import Size
from graphc.ir.node import Node
from tests.random_graphs.builder import GraphBuilder, Rejected

Made = tuple[Node, bool]


def join(b: GraphBuilder) -> Made:
    """Several arrays along one axis, some of them the same, views of one another, or results of
    products and reductions."""
    x = b.of_kind(lambda node: node.ndim > 0) if b.pick.random() < 0.2 else b.float_node(1)
    axis = b.pick.randrange(x.ndim)
    pieces = [x]
    for _ in range(b.pick.choice((0, 1, 1, 1, 2, 3))):
        pieces.append(_piece(b, x, axis))
    b.pick.shuffle(pieces)
    if b.pick.random() < 0.2:
        pieces.append(gx.concat(pieces[-2:], axis))
    return gx.concat(pieces, axis), b.is_exact(*pieces)


def _piece(b: GraphBuilder, x: Node, axis: int) -> Node:
    """An array that fits beside `x`."""
    kind = b.pick.choice(("any", "any", "any", "same", "part", "product", "sum"))
    if kind == "same" or not x.dtype.is_float:
        return x
    if kind == "part":
        return gx.flip(x, axis) if isinstance(x.shape[axis], Size) else gx.split(x, [1], axis)[0]
    if kind == "product" and x.ndim > 1:
        inner = b.dim()
        left = b.shaped(b.float_node(), (*x.shape[:-1], inner))
        right = b.shaped(b.float_node(), (inner, x.shape[-1]))
        return gx.matmul(left, right) * b.pick.choice((1.0, 0.5))
    if kind == "sum":
        return gx.sum(x, axis=axis, keepdims=True)
    wanted = (*x.shape[:axis], b.dim(), *x.shape[axis + 1 :])
    return gx.cast(b.shaped(b.float_node(), wanted), x.dtype)


def stack(b: GraphBuilder) -> Made:
    """Arrays along a new axis."""
    x = b.float_node()
    pieces = [x, *(b.shaped(b.float_node(), x.shape) for _ in range(b.pick.choice((1, 1, 2, 5))))]
    pieces = [gx.cast(piece, x.dtype) for piece in pieces]
    return gx.stack(pieces, b.pick.randrange(x.ndim + 1)), b.is_exact(*pieces)


def surround(b: GraphBuilder) -> Made:
    """Rolled, or padded with a constant or with the array's own elements."""
    x = b.float_node(1)
    axis = b.pick.randrange(x.ndim)
    least = min(world.shape((x.shape[axis],))[0] for world in b.worlds)
    if least < 2:
        raise Rejected
    by = b.pick.randrange(1, least)
    mode = b.pick.choice(("roll", "constant", "edge", "reflect", "symmetric", "wrap"))
    if mode == "roll":
        return gx.roll(x, b.pick.choice((by, -by)), axis), x in b.exact
    width = {axis: (b.pick.randrange(by + 1), by)}
    if mode == "constant":
        return gx.pad(x, width, constant_values=b.pick.choice((0, 0.5, -1))), x in b.exact
    return gx.pad(x, width, mode), x in b.exact
