"""Batching of reads and changes at computed places.

Where indices depend on the example, the number of the example is one more index. The axes of the
indices come first then, or in the place of the axes they select from; see `placed`.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dim import Dim
from graphc.ir.node import Node, make
from graphc.ops.indices import ScatterOp, placed
from graphc.ops.layout import broadcast_to, moveaxis, reshape
from graphc.ops.source import ramp

Operand = tuple[Node, bool]


def batched_take(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    """Elements by their indices, for every example at once."""
    (x, x_batched), *indices = operands
    axes = node.attrs["axes"]
    count = node.ndim - (node.inputs[0].ndim - len(axes))
    if not x_batched:
        taken = make(node.op, (x, *_aligned(indices, count)), axes=axes)
        return moveaxis(taken, placed(axes), 0)
    if any(batched for _, batched in indices):
        chosen = (_examples(size, count), *_aligned(indices, count))
        taken = make(node.op, (x, *chosen), axes=(0, *_shifted(axes)))
        return _move_block(taken, 1, count, placed(axes) + 1)
    taken = make(node.op, (x, *(value for value, _ in indices)), axes=_shifted(axes))
    return taken if _adjacent(axes) else moveaxis(taken, count, 0)


def batched_scatter(node: Node, operands: Sequence[Operand], size: Dim) -> Node:
    """Arrays changed at computed places, for every example at once."""
    assert isinstance(node.op, ScatterOp)
    first = 1 if node.op.base else 0
    arrays = [_spread(operand, size) for operand in operands[: first + 1]]
    indices = operands[first + 1 :]
    axes = node.attrs["axes"]
    values = node.inputs[first]
    count = values.ndim - (node.ndim - len(axes))
    attrs = dict(node.attrs)
    if "shape" in attrs:
        attrs["shape"] = (size, *attrs["shape"])
    if any(batched for _, batched in indices):
        chosen = [_examples(size, count), *_aligned(indices, count)]
        attrs["axes"] = (0, *_shifted(axes))
        arrays[-1] = _move_block(arrays[-1], placed(axes) + 1, count, 1)
    else:
        chosen = [value for value, _ in indices]
        attrs["axes"] = _shifted(axes)
        if not _adjacent(axes):
            arrays[-1] = moveaxis(arrays[-1], 0, count)
    return make(node.op, (*arrays, *chosen), **attrs)


def _spread(operand: Operand, size: Dim) -> Node:
    value, batched = operand
    return value if batched else broadcast_to(value, (size, *value.shape))


def _adjacent(axes: tuple[int, ...]) -> bool:
    return axes[-1] - axes[0] + 1 == len(axes)


def _shifted(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in axes)


def _examples(size: Dim, count: int) -> Node:
    """The number of the example, beside indices with `count` axes."""
    return ramp((size, *[1] * count), 0)


def _aligned(indices: Sequence[Operand], count: int) -> list[Node]:
    """Indices that line up: those of an example with `count` axes after that of the examples."""
    return [
        reshape(value, (value.shape[0], *[1] * (count + 1 - value.ndim), *value.shape[1:]))
        if batched
        else value
        for value, batched in indices
    ]


def _move_block(x: Node, source: int, count: int, target: int) -> Node:
    """`count` neighbouring axes moved to another place."""
    return moveaxis(x, tuple(range(source, source + count)), tuple(range(target, target + count)))
