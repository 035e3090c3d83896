"""Shapes: tuples of dimensions, how they broadcast, and the types of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.dim import Dim, as_dim
from graphc.ir.dtype import DType

Shape = tuple[Dim, ...]


@dataclass(frozen=True)
class TensorType:
    """What one array-valued node is: its element type and its shape."""

    dtype: DType
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype} {shape_text(self.shape)}"


@dataclass(frozen=True)
class TupleType:
    """What a node with several results is; each result is read by a projection."""

    items: tuple[TensorType, ...]

    def __str__(self) -> str:
        return "(" + ", ".join(map(str, self.items)) + ")"


NodeType = TensorType | TupleType


def shape_text(shape: Shape) -> str:
    """A shape as the user writes it.

    >>> shape_text((3,)), shape_text(())
    ('(3,)', '()')
    """
    inside = ", ".join(map(str, shape))
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def as_shape(value: object) -> Shape:
    """A shape from an int, a name, or a sequence of ints, names and dimensions."""
    if isinstance(value, tuple | Sequence | np.ndarray) and not isinstance(value, str):
        return tuple([as_dim(item) for item in value])
    return (as_dim(value),)


def broadcast_shapes(shapes: Iterable[Shape], context: str) -> Shape:
    """The shape in which `shapes` meet, by NumPy's rule; `context` names the operation in an error.

    Only a dimension that is literally 1 stretches. Two different names never broadcast against each
    other.
    """
    known = list(shapes)
    if known and known.count(known[0]) == len(known):  # most do not broadcast
        return tuple(known[0])
    rank = max((len(shape) for shape in known), default=0)
    result: list[Dim] = [1] * rank
    for shape in known:
        for axis, dim in enumerate(shape, start=rank - len(shape)):
            if dim == 1 or dim == result[axis]:
                continue
            if result[axis] != 1:
                texts = " and ".join(shape_text(s) for s in known)
                raise ShapeError(
                    f"{context}: shapes {texts} do not broadcast: axis {axis - rank} has "
                    f"{result[axis]} and {dim}; expected equal dimensions, or one of them 1"
                )
            result[axis] = dim
    return tuple(result)


def normalize_axis(axis: object, rank: int, context: str) -> int:
    """An axis in 0..rank-1 from one that may count from the end."""
    if type(axis) is not int and (isinstance(axis, bool) or not isinstance(axis, Integral)):
        raise ShapeError(f"{context}: an axis must be an integer; got {axis!r}")
    number = int(axis)
    if not -rank <= number < rank:
        raise ShapeError(
            f"{context}: axis {number} is out of range for an array with {rank} axes; "
            f"expected {-rank} <= axis < {rank}"
        )
    return number % rank


def normalize_axes(axis: object, rank: int, context: str) -> tuple[int, ...]:
    """Sorted axes from None (all), one axis, or several; a repeated axis is an error."""
    if axis is None:
        return tuple(range(rank))
    several = axis if isinstance(axis, Sequence) and not isinstance(axis, str) else (axis,)
    axes = [normalize_axis(a, rank, context) for a in several]
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{context}: each axis may be named once; got {axis!r}")
    return tuple(sorted(axes))
