"""Functional updates: `x.at[key].set(v)` is `x` with other elements where `x[key]` reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import DTypeError, ShapeError
from graphc.ir.dtype import bool_
from graphc.ir.node import Node, make
from graphc.ir.op import Op
from graphc.ir.shape import broadcast_shapes, shape_text
from graphc.ir.site import at_user_line
from graphc.ops.elementwise import cast
from graphc.ops.keys import Places, along_axis, select
from graphc.ops.layout import broadcast_to
from graphc.ops.scattering import (
    at_add_op,
    at_max_op,
    at_min_op,
    at_multiply_op,
    at_set_op,
    set_slice,
)
from graphc.ops.source import as_node


class At:
    """`x.at`: the places of an array, `x.at[key]` for every key of `x[key]`."""

    def __init__(self, x: Node) -> None:
        x.tensor  # noqa: B018 - a tuple has no places
        self._x = x

    @at_user_line
    def __getitem__(self, key: object) -> Place:
        return Place(select(self._x, key))


class Place:
    """Some elements of an array. Every method gives a new array; the old one stays what it is.

    Values have the shape of `x[key]` or broadcast to it, and are cast to the dtype of `x`, but not
    from floats to integers. Where an index repeats, values come in row-major order: `add`
    adds them all up, `multiply`, `min` and `max` combine them all, and of `set` the last one wins.

    >>> from graphc.ops import const
    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(const([1.0, 2.0, 3.0]).at[[0, 2]].add(10))
    array([11.,  2., 13.], dtype=float32)
    """

    def __init__(self, places: Places) -> None:
        self._places = places

    @at_user_line
    def get(self) -> Node:
        """The elements: `x[key]`."""
        return self._places.read()

    @at_user_line
    def set(self, values: object) -> Node:
        """The array with `values` there; the last value of a repeated index wins.

        Its gradient goes to the values that won; to `x` it is zero there.
        """
        return self._change(values, at_set_op, lambda old, new: new)

    @at_user_line
    def add(self, values: object) -> Node:
        """The array with `values` added there; those of a repeated index are all added."""
        return self._change(values, at_add_op, scalar.add)

    @at_user_line
    def subtract(self, values: object) -> Node:
        """The array with `values` subtracted there."""
        return self._change(-self._values(values), at_add_op, scalar.add)

    @at_user_line
    def multiply(self, values: object) -> Node:
        """The array multiplied by `values` there; those of a repeated index all count.

        Its first derivative is right with zeros among the values of a repeated index, the second
        one only with at most one.
        """
        return self._change(values, at_multiply_op, scalar.multiply)

    @at_user_line
    def divide(self, values: object) -> Node:
        """The array of floats divided by `values` there; at arrays of indices, multiplied by
        1 / values."""
        divisor = self._values(values)
        if not divisor.dtype.is_float:
            raise DTypeError(f"x.at[...].divide: expected floats, got {divisor.dtype}")
        if not self._places.axes:
            return self._change(divisor, at_multiply_op, scalar.divide)
        return self._change(1.0 / divisor, at_multiply_op, scalar.multiply)

    @at_user_line
    def min(self, values: object) -> Node:
        """The smaller of the array and `values` there; nan if one is; ties share the gradient."""
        return self._change(values, at_min_op, scalar.minimum)

    @at_user_line
    def max(self, values: object) -> Node:
        """The larger of the array and `values` there; nan if one is; ties share the gradient."""
        return self._change(values, at_max_op, scalar.maximum)

    def _values(self, values: object) -> Node:
        """Values in the dtype of the array and the shape of the selection."""
        chosen = self._places
        x = chosen.x
        node = as_node(values, x.dtype)
        if node.shape != chosen.shape:
            shape = broadcast_shapes((node.shape, chosen.shape), "x.at[...]")
            if shape != chosen.shape:
                raise ShapeError(
                    f"x.at[...]: expected values that broadcast to {shape_text(chosen.shape)}, "
                    f"got {shape_text(node.shape)}"
                )
        if not np.can_cast(node.dtype.numpy, x.dtype.numpy, "same_kind"):
            raise DTypeError(
                f"x.at[...]: expected {x.dtype} values, got {node.dtype}; cast them with .astype"
            )
        return broadcast_to(cast(node, x.dtype), chosen.shape)

    def _change(self, values: object, op: Op, elementwise: Callable[[Node, Node], Node]) -> Node:
        chosen = self._places
        new = chosen.arrange(self._values(values))
        if op is not at_set_op and new.dtype is bool_:
            raise DTypeError("x.at[...]: expected numbers to combine, got bool; use set")
        part = chosen.part
        if chosen.axes:
            changed = make(op, (part, new, *chosen.indices), axes=chosen.axes)
        else:
            changed = elementwise(part, new)
        return set_slice(chosen.x, changed, part)


def put_along_axis(x: object, indices: object, values: object, axis: int = -1) -> Node:
    """`x` with values put by an index for each place: `y[indices[i, j], j] = values[i, j]` for
    axis 0, the array that np.put_along_axis changes in place.

    Shapes: x and indices have the same axes, of equal length or of length 1 where they differ, but
    for `axis`; values broadcast to the shape in which they meet, with the length of the indices
    along `axis`. The last value of a repeated index wins.
    """
    node, chosen = along_axis("put_along_axis", as_node(x), indices, axis)
    shape = broadcast_shapes((index.shape for index in chosen), "put_along_axis")
    places = Places(node, node, tuple(range(node.ndim)), chosen, tuple(range(node.ndim)), shape)
    return Place(places).set(values)
