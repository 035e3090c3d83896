"""Slices and concatenations: what is cut out of what was joined, and joined of what was cut."""

from __future__ import annotations

from graphc.ir.dim import Dim, is_nonnegative
from graphc.ir.node import Node, make
from graphc.ops.joining import concat_op, piece_starts
from graphc.ops.layout import broadcast_op, broadcast_to, slice_op
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "canonicalize"
Bound = tuple[Dim, Dim, int]


def _bound(start: Dim, count: Dim, step: int) -> Bound:
    """`count` elements from `start` on, as slicing writes them; for a symbolic count so that the
    length is provably that count."""
    if isinstance(count, int):
        return (start, start + count * step, step) if count else (0, 0, 1)
    return (start, start + (count - 1) * step + (1 if step > 0 else -1), step)


def _sliced(source: Node, bounds: tuple[Bound, ...]) -> Node:
    whole = tuple((0, dim, 1) for dim in source.shape)
    return source if bounds == whole else make(slice_op, (source,), bounds=bounds)


def _slice_of_slice(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    if inner.op is not slice_op:
        return None
    bounds: list[Bound] = []
    pairs = zip(inner.attrs["bounds"], node.attrs["bounds"], node.shape, strict=True)
    for inside, outside, count in pairs:
        (first, step), (second, other) = inside[::2], outside[::2]
        bounds.append(_bound(first + second * step, count, step * other))
    return _sliced(inner.inputs[0], tuple(bounds))


def _slice_of_broadcast(node: Node, _: Context) -> Node | None:
    (inner,) = node.inputs
    if inner.op is not broadcast_op:
        return None
    (source,) = inner.inputs
    extra = inner.ndim - source.ndim
    bounds = tuple(
        (0, 1, 1) if dim == 1 else bound
        for dim, bound in zip(source.shape, node.attrs["bounds"][extra:], strict=True)
    )
    return broadcast_to(_sliced(source, bounds), node.shape)


def _slice_of_concat(node: Node, _: Context) -> Node | None:
    """A slice that lies in one piece is a slice of that piece."""
    (joined,) = node.inputs
    if joined.op is not concat_op:
        return None
    axis = joined.attrs["axis"]
    bounds: tuple[Bound, ...] = node.attrs["bounds"]
    start, step = bounds[axis][0], bounds[axis][2]
    last = start + (node.shape[axis] - 1) * step
    low, high = (start, last) if step > 0 else (last, start)
    for piece, place in zip(joined.inputs, piece_starts(joined), strict=True):
        end = place + piece.shape[axis]
        if is_nonnegative(low - place) and is_nonnegative(end - 1 - high):
            moved = _bound(start - place, node.shape[axis], step)
            return _sliced(piece, (*bounds[:axis], moved, *bounds[axis + 1 :]))
    return None


def _concat_of_concat(node: Node, _: Context) -> Node | None:
    axis = node.attrs["axis"]
    pieces: list[Node] = []
    for piece in node.inputs:
        inner = piece.op is concat_op and piece.attrs["axis"] == axis
        pieces.extend(piece.inputs if inner else (piece,))
    kept = [piece for piece in pieces if piece.shape[axis] != 0] or pieces[:1]
    return None if tuple(kept) == node.inputs else _joined(kept, axis)


def _concat_of_slices(node: Node, _: Context) -> Node | None:
    """Neighbouring slices of one array are one slice."""
    axis = node.attrs["axis"]
    pieces: list[Node] = []
    for piece in node.inputs:
        met = _met(pieces[-1], piece, axis) if pieces else None
        if met is None:
            pieces.append(piece)
        else:
            pieces[-1] = met
    return None if len(pieces) == len(node.inputs) else _joined(pieces, axis)


def _met(first: Node, second: Node, axis: int) -> Node | None:
    if first.op is not slice_op or second.op is not slice_op or first.inputs != second.inputs:
        return None
    before, after = list(first.attrs["bounds"]), list(second.attrs["bounds"])
    start, stop, step = before.pop(axis)
    follows, end, other = after.pop(axis)
    if before != after or step != 1 or other != 1 or stop != follows:
        return None
    before.insert(axis, (start, end, 1))
    return _sliced(first.inputs[0], tuple(before))


def _joined(pieces: list[Node], axis: int) -> Node:
    return pieces[0] if len(pieces) == 1 else make(concat_op, tuple(pieces), axis=axis)


RULES: tuple[Rule, ...] = (
    rewrite_node("slice_of_slice", PHASE, "x[1:][::2]", "x[1::2]", (slice_op,), _slice_of_slice),
    rewrite_node(
        "slice_of_broadcast",
        PHASE,
        "broadcast_to(x)[1:]",
        "broadcast_to(x[1:])",
        (slice_op,),
        _slice_of_broadcast,
    ),
    rewrite_node(
        "slice_of_concat",
        PHASE,
        "concat([x, y])[:n]",
        "x",
        (slice_op,),
        _slice_of_concat,
        condition="the slice provably lies in one piece: it is a slice of that piece",
    ),
    rewrite_node(
        "concat_of_concat",
        PHASE,
        "concat([concat([x, y]), z])",
        "concat([x, y, z])",
        ("concat",),
        _concat_of_concat,
        condition="along the same axis; pieces of no elements go",
    ),
    rewrite_node(
        "concat_of_slices",
        PHASE,
        "concat([x[:2], x[2:]])",
        "x",
        ("concat",),
        _concat_of_slices,
        condition="neighbouring slices of one array",
    ),
)
