"""What all draws of a stream share: its seed, the number of each use, and reading parameters."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.declaration import Declaration
from graphc.ir.dtype import DType, as_dtype, default_float, promote
from graphc.ir.node import Node
from graphc.ir.shape import Shape, as_shape, broadcast_shapes, shape_text
from graphc.ops.elementwise import cast
from graphc.ops.random_bits import Words, words
from graphc.ops.source import as_node

_MAXIMUM_SEED = 2**63


class DrawSource:
    """A seed, from which each use takes words of its own."""

    def __init__(self, seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise ArgumentError(f"random.stream: expected an integer seed, got {seed!r}")
        if not 0 <= seed < _MAXIMUM_SEED:
            raise ArgumentError(f"random.stream: expected 0 <= seed < 2**63, got {seed}")
        self.seed = int(seed)
        self._uses = itertools.count()

    def _use(self) -> tuple[int, Declaration]:
        """The number of a new use, and its declaration."""
        use = next(self._uses)
        return use, Declaration("draw", f"draw{use}")

    def _words(self, at: Shape | Node) -> Words:
        """The words of a new use, for a shape or at an index."""
        return words(self.seed, *self._use(), at)


def float_type(name: str, dtype: object, *given: object) -> DType:
    """The float type of a draw: as asked for, else the one in which its parameters meet."""
    if dtype is not None:
        chosen = as_dtype(dtype)
        if not chosen.is_float:
            raise DTypeError(f"{name}: expected a float dtype, got {chosen}")
        return chosen
    found = [value.dtype for value in given if isinstance(value, Node)]
    found += [as_dtype(v.dtype) for v in given if isinstance(v, np.ndarray | np.generic)]
    floats = [known for known in found if known.is_float]
    if not floats:
        return default_float()
    result = floats[0]
    for known in floats[1:]:
        result = promote(result, known)
    return result


def float_parameter(name: str, what: str, value: object, dtype: DType) -> Node:
    """A parameter as a node of the type of the draw; a number must not be nan."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isnan(value):
        raise ArgumentError(f"{name}: expected a number as {what}, got nan")
    try:
        node = as_node(value, dtype)
    except (DTypeError, TypeError, ValueError):
        text = f"{name}: expected a number or a node as {what}, got {value!r}"
        raise ArgumentError(text) from None
    if not (node.dtype.is_float or node.dtype.is_integer):
        raise DTypeError(f"{name}: expected numbers as {what}, got {node.dtype}")
    return cast(node, dtype)


def scale_parameter(name: str, what: str, value: object, dtype: DType) -> Node:
    """A parameter that must not be negative; of a node that is not looked at."""
    if isinstance(value, int | float) and value < 0:
        raise ArgumentError(f"{name}: expected {what} >= 0, got {value}")
    return float_parameter(name, what, value, dtype)


def draw_shape(name: str, shape: object, *given: Node) -> Shape:
    """The shape of a draw: that in which its parameters meet, or one they broadcast to."""
    met = broadcast_shapes((node.shape for node in given), name)
    if shape is None:
        return met
    known = as_shape(shape)
    if broadcast_shapes((known, met), name) != known:
        raise ShapeError(
            f"{name}: parameters of shape {shape_text(met)} do not broadcast to the shape "
            f"{shape_text(known)} that is asked for"
        )
    return known


def equals(value: Any, number: float) -> bool:
    """Whether a parameter is a plain number, and this one."""
    return isinstance(value, int | float) and value == number
