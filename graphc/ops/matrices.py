"""Stacks of matrices: what operations on the last two axes have in common.

Leading axes count matrices, each of them treated by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ExecutionError, ShapeError, SingularMatrixError
from graphc.ir.dim import Dim, product
from graphc.ir.dtype import default_float
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ops.elementwise import cast
from graphc.ops.routine import Failure
from graphc.ops.source import as_node

Shapes = tuple[tuple[int, ...], ...]


def as_matrices(name: str, x: object, square: bool = False) -> Node:
    """`x` as floats, its last two axes matrices; ShapeError otherwise."""
    node = as_node(x)
    check_matrices(name, node, square)
    return node if node.dtype.is_float else cast(node, default_float())


def check_matrices(name: str, node: Node, square: bool = False) -> None:
    """Raise ShapeError unless the last two axes are matrices, square ones if that is asked."""
    if square and (node.ndim < 2 or node.shape[-1] != node.shape[-2]):
        raise ShapeError(
            f"{name}: expected a square matrix or a stack of them, got {shape_text(node.shape)}"
        )
    if node.ndim < 2:
        raise ShapeError(
            f"{name}: expected a matrix or a stack of them, got {shape_text(node.shape)}"
        )


def infer_matrices(name: str, node: Node, square: bool = False) -> None:
    """What the type rules of operations on matrices have in common: shape, and floats."""
    check_matrices(name, node, square)
    if not node.dtype.is_float:
        raise DTypeError(f"{name}: expected floats, got {node.dtype}")


def stack_size(node: Node) -> Dim:
    """The number of matrices in the first operand."""
    return product(node.inputs[0].shape[:-2])


def elimination_work(node: Node) -> Dim:
    """The elements that an algorithm of cubic cost visits for each matrix."""
    rows, columns = node.inputs[0].shape[-2:]
    return rows * columns * columns


def which_matrix(shapes: Shapes, row: int) -> str:
    """The matrix that a failure is about, in words."""
    *stack, rows, columns = shapes[0]
    text = f"the {rows} x {columns} matrix"
    if not stack:
        return text
    place = ", ".join(str(int(index)) for index in np.unravel_index(row, stack))
    return f"{text} at [{place}] of the stack"


def reference_of_stack(function: Callable[..., Any], failure: Failure, *arrays: np.ndarray) -> Any:
    """A function of NumPy's on stacks, whose error names the first matrix at fault."""
    try:
        return function(*arrays)
    except np.linalg.LinAlgError:
        shapes = tuple(array.shape for array in arrays)
        for row, index in enumerate(np.ndindex(shapes[0][:-2])):
            try:
                function(*(array[index] for array in arrays))
            except np.linalg.LinAlgError:
                raise failure(shapes, row, None) from None
        raise failure(shapes, 0, None) from None


def exact_of_stack(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """A function of mpmath's matrices for each of a stack, as an array of its numbers."""
    stack = arrays[0].shape[:-2]
    found = [
        np.array(_numbers(function(*(_exact_matrix(array[index]) for array in arrays))), object)
        for index in np.ndindex(stack)
    ]
    shape = found[0].shape if found else arrays[-1].shape[-2:]
    result = np.empty((len(found), *shape), object)
    for place, value in enumerate(found):
        result[place] = value[()]
    return result.reshape((*stack, *shape))


def _exact_matrix(array: np.ndarray) -> Any:
    import mpmath

    made = mpmath.matrix(*array.shape)
    for place in np.ndindex(array.shape):
        made[place] = array[place]
    return made


def _numbers(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def singular(name: str) -> Failure:
    """The error of an operation whose kernel reports a pivot that is zero."""

    def failure(shapes: Shapes, row: int, pivot: int | None) -> ExecutionError:
        reason = "" if pivot is None else f": pivot {pivot} is zero"
        return SingularMatrixError(f"{name}: {which_matrix(shapes, row)} is singular{reason}")

    return failure
