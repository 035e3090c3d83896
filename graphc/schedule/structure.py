"""The loops of a kernel, and where the elements of its anchors lie in terms of their variables."""

from __future__ import annotations

import functools
from typing import NamedTuple

from graphc.ir.dim import Dim, product
from graphc.ir.node import Node
from graphc.schedule.blocks import block_op
from graphc.schedule.index import ZERO, Indices, variable

Dims = tuple[Dim, ...]
Names = tuple[str, ...]

# The loop variable of the blocks of rows.
BLOCK = "b0"
# Rows of at most so many elements are computed side by side (see `loops.lanes`), which blocks of
# rows are not: their columns are added up in a kernel of its own. Measured: softmax cross-entropy
# with all gradients of 32 x 10, 2.0 us in blocks, 0.44 + 0.07 apart; of 200,000 x 10, a quarter to
# two fifths of the time; of 200,000 x 24 in float64 1.3 times as long, being read once more.
SHORT_ROW = 20


class Structure(NamedTuple):
    """The loops of a kernel: shared rows, inner axes of a row, and kept axes of an across
    reduction.

    Where `block` is not 0, the last axis of the rows is walked in blocks of so many.
    """

    kind: str  # "map", "row" or "across"
    rows: Dims
    inner: Dims = ()
    kept: Dims = ()
    block: int = 0


def structure_of(node: Node) -> Structure:
    """The loops that computing one anchor takes."""
    if node.op is block_op:
        rows, inner = split_at_blocks(node)
        return Structure("row", rows, inner, (), node.attrs["block"])
    if node.op.kind != "reduction":
        return Structure("map", tuple(dim for dim in node.shape if dim != 1))
    kept, reduced = split_axes(node)
    shape = node.inputs[0].shape
    last = max(reduced)
    tail = [axis for axis in kept if axis > last]
    inner = tuple(shape[axis] for axis in reduced)
    rows = tuple(shape[axis] for axis in kept if axis < last)
    if not tail:
        return Structure("row", rows, inner)
    return Structure("across", rows, inner, tuple(shape[axis] for axis in tail))


def split_axes(node: Node) -> tuple[list[int], list[int]]:
    """The axes of a reduction's input that are kept (those of length 1 left out) and that are
    reduced."""
    shape = node.inputs[0].shape
    reduced = [axis for axis in node.attrs["axes"] if shape[axis] != 1] or [node.attrs["axes"][-1]]
    kept = [
        axis for axis in range(len(shape)) if axis not in node.attrs["axes"] and shape[axis] != 1
    ]
    return kept, reduced


def split_at_blocks(node: Node) -> tuple[Dims, Dims]:
    """The lengths of the axes up to that of the blocks, and of those after it; without those of
    length 1."""
    shape, last = node.inputs[0].shape, node.attrs["axis"] + 1
    rows, inner = shape[:last], shape[last:]
    return tuple(dim for dim in rows if dim != 1), tuple(dim for dim in inner if dim != 1)


def merge(first: Structure, second: Structure) -> Structure | None:
    """The structure that serves both, None if there is none."""
    if first.kind != "map" and second.kind != "map":
        return first if first == second else _in_blocks(first, second)
    if first.kind == "map" and second.kind == "map":
        return first if first.rows == second.rows else None
    whole, part = (second, first) if first.kind == "map" else (first, second)
    fits = {
        "row": (whole.rows, whole.rows + whole.inner),
        "across": (whole.rows + whole.kept,),
    }[whole.kind]
    return whole if part.rows in fits else None


def _in_blocks(first: Structure, second: Structure) -> Structure | None:
    """The structure of both where one does its rows in blocks that the other may share."""
    blocks = {structure.block for structure in (first, second)} - {0}
    # Blocks without inner axes add up what rows have one of.
    inner = {structure.inner for structure in (first, second)} - {()}
    same = first.kind == second.kind == "row" and first.rows == second.rows
    if not same or len(blocks) != 1 or len(inner) > 1 or _is_short(first) or _is_short(second):
        return None
    return Structure("row", first.rows, next(iter(inner), ()), (), blocks.pop())


def _is_short(structure: Structure) -> bool:
    """Whether what is reduced along a row is so few elements that rows go side by side."""
    length = product(structure.inner)
    reduced = structure.inner != () and not structure.block
    return reduced and isinstance(length, int) and length <= SHORT_ROW


def row_variables(structure: Structure) -> Names:
    """The loop variables of the rows."""
    return _numbered("i", len(structure.rows))


def inner_variables(structure: Structure) -> Names:
    """The loop variables of the inner axes."""
    return _numbered("j", len(structure.inner))


def kept_variables(structure: Structure) -> Names:
    """The loop variables of the kept axes of an across reduction."""
    return _numbered("k", len(structure.kept))


@functools.lru_cache(maxsize=64)
def _numbered(letter: str, count: int) -> Names:
    return tuple([f"{letter}{number}" for number in range(count)])


def root_indices(structure: Structure, node: Node) -> Indices:
    """The place of an anchor (of a reduction: of the element it takes) in terms of the loop
    variables."""
    rows = row_variables(structure)
    if node.op.kind == "reduction":
        kept, reduced = split_axes(node)
        names = dict(zip(kept, [*rows, *kept_variables(structure)], strict=True))
        names.update(zip(reduced, inner_variables(structure), strict=True))
        return tuple(
            variable(names[axis]) if axis in names else ZERO for axis in range(node.inputs[0].ndim)
        )
    if node.op is block_op:
        return _block_indices(structure, node, row_variables(structure)[-1])
    return _element_indices(node.shape, element_variables(structure, node))


def element_variables(structure: Structure, node: Node) -> Names:
    """The loop variables of an elementwise anchor, one for each axis that is not of length 1."""
    dims = tuple(dim for dim in node.shape if dim != 1)
    names = row_variables(structure)
    if structure.kind == "across":
        return names + kept_variables(structure)
    return names if dims == structure.rows else names + inner_variables(structure)


def value_indices(structure: Structure, node: Node) -> Indices:
    """The place of an anchor's own value in terms of the loop variables."""
    if node.op is block_op:
        return _block_indices(structure, node, BLOCK)
    if node.op.kind != "reduction":
        return root_indices(structure, node)
    return _element_indices(node.shape, row_variables(structure) + kept_variables(structure))


@functools.lru_cache(maxsize=4096)  # asked for the same few shapes again and again
def _element_indices(shape: Dims, names: Names) -> Indices:
    left = iter(names)
    return tuple([ZERO if dim == 1 else variable(next(left)) for dim in shape])


def _block_indices(structure: Structure, node: Node, blocked: str) -> Indices:
    """A place in what is done in blocks, with `blocked` along their axis."""
    axis, shape = node.attrs["axis"], node.inputs[0].shape
    rows, inner = iter(row_variables(structure)[:-1]), iter(inner_variables(structure))
    return tuple(
        variable(blocked) if at == axis else ZERO if dim == 1 else variable(next(names))
        for at, dim in enumerate(shape)
        for names in (rows if at < axis else inner,)
    )


def in_inner_loop(structure: Structure, node: Node) -> bool:
    """Whether an anchor is computed for each inner element of a row, not once a row."""
    if structure.kind != "row" or node.op.kind == "reduction":
        return False
    if node.op is block_op:
        return bool(split_at_blocks(node)[1])
    return bool(structure.inner) and tuple(d for d in node.shape if d != 1) != structure.rows
