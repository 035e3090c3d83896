"""Buffers, and views of them: a base, an offset, and a stride for each axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from graphc.ir.dim import Dim, floor_divide, is_nonnegative, product
from graphc.ir.dtype import DType, uint8
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.shape import Shape
from graphc.ops.layout import broadcast_op, reshape_op, slice_op, transpose_op
from graphc.ops.windows import slides_of, window_op
from graphc.schedule.index import row_major_strides, unit_axes_only

# Where a buffer lives: planned in the arena, fed by the call, carried by a declaration, made for
# the caller, or fixed when the program is compiled.
ARENA, INPUT, CARRIED, OUTPUT, CONSTANT = "arena", "input", "carried", "output", "constant"

# The matrices of a batch are found by so many strides in each factor.
BATCH_STRIDES = 2


@dataclass(eq=False)
class Buffer:
    """Contiguous memory for one array; `node` is the declaration or constant whose value it is."""

    dtype: DType
    elements: Dim
    home: str
    node: Node | None = None
    position: int = 0


class Life(NamedTuple):
    """A temporary buffer and the steps from its first use to its last, inclusive."""

    buffer: Buffer
    first: int
    last: int


class Workspace(Buffer):
    """Room that one step uses for itself: how much, a function of the sizes tells."""

    def __init__(self) -> None:
        super().__init__(uint8, 0, ARENA)

    def bytes(self, sizes: Mapping[str, int]) -> int:
        """What it takes for given sizes; it may be nothing."""
        raise NotImplementedError


class View(NamedTuple):
    """An array inside a buffer: element (i, j, ...) lies at offset + i * strides[0] + j *
    strides[1] + ...

    Views with different `region`s, which are nodes, share no element.
    """

    buffer: Buffer
    shape: Shape
    strides: tuple[Dim, ...]
    offset: Dim = 0
    region: Node | None = None

    @property
    def contiguous(self) -> bool:
        """Whether elements follow each other in row-major order without gaps."""
        wanted = row_major_strides(self.shape)
        return all(
            stride == want or dim == 1
            for stride, want, dim in zip(self.strides, wanted, self.shape, strict=True)
        )


def whole(buffer: Buffer, shape: Shape) -> View:
    """The view of a whole buffer."""
    return View(buffer, shape, row_major_strides(shape))


VIEW_OPS: frozenset[Op] = frozenset((transpose_op, reshape_op, broadcast_op, slice_op, window_op))


def view_through(node: Node, source: View) -> View | None:
    """The view of a layout node, given the view of its input; None where elements would have to
    move."""
    attrs = node.attrs
    if node.op is transpose_op:
        axes = attrs["axes"]
        return View(
            source.buffer, node.shape, tuple(source.strides[axis] for axis in axes), source.offset
        )
    if node.op is broadcast_op:
        extra = node.ndim - len(source.shape)
        kept = tuple(
            0 if dim == 1 and full != 1 else stride
            for dim, full, stride in zip(
                source.shape, node.shape[extra:], source.strides, strict=True
            )
        )
        return View(source.buffer, node.shape, (0,) * extra + kept, source.offset)
    if node.op is slice_op:
        offset: Dim = source.offset
        strides: list[Dim] = []
        for (start, _, step), stride in zip(attrs["bounds"], source.strides, strict=True):
            offset = offset + stride * start
            strides.append(stride * step)
        return View(source.buffer, node.shape, tuple(strides), offset)
    if node.op is window_op:
        slides = slides_of(node)
        moved = list(source.strides)
        for slide in slides:
            moved[slide.axis] = moved[slide.axis] * slide.stride
        inside = (source.strides[slide.axis] * slide.dilation for slide in slides)
        return View(source.buffer, node.shape, (*moved, *inside), source.offset)
    if node.op is reshape_op and unit_axes_only(source.shape, node.shape):
        kept_strides = iter(
            [s for s, dim in zip(source.strides, source.shape, strict=True) if dim != 1]
        )
        strides = [1 if dim == 1 else next(kept_strides) for dim in node.shape]
        return View(source.buffer, node.shape, tuple(strides), source.offset)
    if node.op is reshape_op and source.contiguous:
        return View(source.buffer, node.shape, row_major_strides(node.shape), source.offset)
    return None


def elements(shape: Shape) -> Dim:
    """The number of elements of a shape."""
    return product(shape)


def matrix_layout(view: View, runs: int = 1) -> tuple[bool, Dim] | None:
    """(transposed, leading dimension) if a matrix product can read the last two axes in place, else
    None. The axes before them must form at most so many `runs`, see `batch_runs`."""
    if len(view.shape) < 2 or len(batch_runs((view,))) > runs:
        return None
    (rows, columns), (row, column) = view.shape[-2:], view.strides[-2:]
    # Rows must not overlap or run backwards; a single row or column has no distance to the next.
    if (column == 1 or columns == 1) and (rows == 1 or _apart(row, columns)):
        return (False, columns if rows == 1 else row)
    if (row == 1 or rows == 1) and (columns == 1 or _apart(column, rows)):
        return (True, rows if columns == 1 else column)
    return None


def _apart(distance: Dim, length: Dim) -> bool:
    """Whether lines of a length that begin at a distance never overlap, for any sizes."""
    if is_nonnegative(distance - length):
        return True
    if length == 0:
        return False
    times = floor_divide(distance, length)  # a multiple of the length, or of no elements
    return times != 0 and is_nonnegative(times) and times * length == distance


def batch_runs(views: Sequence[View]) -> list[list[int]]:
    """The axes before the last two along which there is more than one matrix, in runs: the axes of
    one can be walked as one in every view."""
    runs: list[list[int]] = []
    for axis in batch_axes(views[0]):
        if runs and all(_follows(view, runs[-1][-1], axis) for view in views):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs


def _follows(view: View, axis: int, after: int) -> bool:
    return bool(view.strides[axis] == view.strides[after] * view.shape[after])


def around_axis(view: View, axis: int) -> tuple[Dim, Dim, Dim] | None:
    """The strides of a view walked as (all axes before, `axis`, all axes after); None where axes do
    not join."""
    before = _joined(view, range(axis))
    after = _joined(view, range(axis + 1, len(view.shape)))
    return None if before is None or after is None else (before, view.strides[axis], after)


def _joined(view: View, axes: Iterable[int]) -> Dim | None:
    """The stride of adjacent axes that are walked as one, None if they cannot be."""
    longer = [axis for axis in axes if view.shape[axis] != 1]
    if any(view.strides[a] != view.strides[b] * view.shape[b] for a, b in pairwise(longer)):
        return None
    return view.strides[longer[-1]] if longer else 0


def batch_axes(view: View) -> list[int]:
    """The axes before the last two along which there is more than one matrix."""
    return [axis for axis in range(len(view.shape) - 2) if view.shape[axis] != 1]
