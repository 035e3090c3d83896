"""Views of buffers, and which of them a matrix product reads in place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphc as gx
from graphc.errors import ShapeError
from graphc.ir.dtype import float64
from graphc.ir.node import Node
from graphc.ops import layout
from graphc.schedule.buffer import (
    VIEW_OPS,
    Buffer,
    View,
    batch_axes,
    matrix_layout,
    view_through,
    whole,
)

ACTIONS = ("transpose", "flip", "slice", "step", "broadcast", "reshape", "unit")


def random_view(data: st.DataObject) -> tuple[Node, Node]:
    """An array, and a chain of layout operations on it."""
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    x = gx.input("x", shape, "float64")
    y = x
    for action in data.draw(st.lists(st.sampled_from(ACTIONS), max_size=4)):
        axis = data.draw(st.integers(0, max(y.ndim - 1, 0)))
        try:
            y = apply(action, y, axis)
        except ShapeError:
            continue
    return x, y


def apply(action: str, y: Node, axis: int) -> Node:
    """One layout operation."""
    if action == "transpose":
        return gx.transpose(y, (*range(axis), *reversed(range(axis, y.ndim))))
    if action == "flip":
        return layout.flip(y, [a == axis for a in range(y.ndim)])
    if action == "slice":
        return y[(*[slice(None)] * axis, slice(1, None))]
    if action == "step":
        return y[(*[slice(None)] * axis, slice(None, None, 2))]
    if action == "broadcast":
        return gx.broadcast_to(y, (2, *y.shape))
    if action == "reshape":
        return gx.reshape(y, (*y.shape[:axis], -1)) if y.ndim > axis else y
    return gx.expand_dims(y, axis)


def view_of(y: Node, x: Node) -> View | None:
    """The view that a chain of layout operations is of the memory of `x`."""
    if y is x:
        return whole(Buffer(float64, int(np.prod(x.shape)), "test"), x.shape)  # type: ignore[arg-type]
    assert y.op in VIEW_OPS
    source = view_of(y.inputs[0], x)
    return view_through(y, source) if source is not None else None


@given(st.data())
def test_a_view_is_where_the_elements_lie(data: st.DataObject) -> None:
    """Offset and strides find in flat memory what the interpreter computes."""
    x, y = random_view(data)
    view = view_of(y, x)
    memory = np.arange(np.prod(x.shape), dtype=float)  # type: ignore[arg-type]
    expected = gx.evaluate(y, {x: memory.reshape(x.shape)})  # type: ignore[arg-type]
    if view is None:
        return
    found = np.array([read(memory, view, index) for index in np.ndindex(expected.shape)])
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    if view.contiguous:
        start = int(view.offset)  # type: ignore[arg-type]
        np.testing.assert_array_equal(memory[start : start + expected.size], expected.ravel())


def read(memory: np.ndarray, view: View, index: tuple[int, ...]) -> float:
    """The element of a view at an index."""
    strides = zip(index, view.strides, strict=True)
    return float(memory[view.offset + sum(i * s for i, s in strides)])  # type: ignore[index,misc,operator]


@given(st.data())
def test_a_matrix_layout_reads_the_right_elements(data: st.DataObject) -> None:
    """As BLAS reads them: rows or columns next to each other, a leading dimension that is long
    enough, one stride between the matrices of a batch."""
    x, y = random_view(data)
    view = view_of(y, x)
    found = matrix_layout(view) if view is not None and y.ndim >= 2 else None
    if view is None or found is None:
        return
    transposed, leading = found
    rows, columns = y.shape[-2:]
    assert leading >= (rows if transposed else columns)  # type: ignore[operator]
    if 0 in y.shape:
        return
    memory = np.arange(np.prod(x.shape), dtype=float)  # type: ignore[arg-type]
    expected = gx.evaluate(y, {x: memory.reshape(x.shape)})  # type: ignore[arg-type]
    matrices = expected.reshape(-1, rows, columns)
    axes = batch_axes(view)
    step = view.strides[axes[-1]] if axes else 0
    for number, matrix in enumerate(matrices):
        start = view.offset + number * step  # type: ignore[operator]
        for row, column in np.ndindex(matrix.shape):
            distance = column * leading + row if transposed else row * leading + column
            assert memory[start + distance] == matrix[row, column]  # type: ignore[index]


@pytest.mark.parametrize(
    "build, readable",
    [
        (lambda x: x, True),
        (lambda x: x.T, True),
        (lambda x: x[:, 1:3], True),
        (lambda x: x[1:], True),
        (lambda x: x[::2], True),
        (lambda x: x[::-1], False),
        (lambda x: x[:, ::-1], False),
        (lambda x: x[:, ::2], False),
        (lambda x: gx.broadcast_to(x[:1], (5, 4)), False),
        (lambda x: gx.broadcast_to(x[:, :1], (5, 4)), False),
    ],
)
def test_what_a_product_reads_in_place(build: object, readable: bool) -> None:
    """Transposes and parts of rows need no copy; repeated and reversed rows do."""
    x = gx.input("x", (5, 4), "float64")
    y = build(x)  # type: ignore[operator]
    view = view_of(y, x)
    assert view is not None
    assert (matrix_layout(view) is not None) == readable
