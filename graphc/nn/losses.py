"""Losses for each example, of which `gx.mean` or `gx.sum` makes one number, and penalties."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dtype import default_float
from graphc.ir.node import Node
from graphc.ir.shape import shape_text
from graphc.ir.site import at_user_line
from graphc.ops import sigmoid_cross_entropy, softmax_cross_entropy, square, sum
from graphc.ops.elementwise import cast
from graphc.ops.source import as_nodes

__all__ = ["l2_penalty", "sigmoid_cross_entropy", "softmax_cross_entropy", "squared_error"]


@at_user_line
def squared_error(a: object, y: object) -> Node:
    """(a - y)**2 / 2 for each output `a` and its target `y`; the derivative is a - y.

    Shapes: `a` and `y` are the same, and so is the result. They do not broadcast: (n, 1) beside
    (n,) would compare every output with every target. Raises ShapeError naming both shapes.
    """
    output, target = as_nodes((a, y))
    if output.shape != target.shape:
        raise ShapeError(
            f"squared_error: expected targets of the outputs' shape {shape_text(output.shape)}, "
            f"got {shape_text(target.shape)}"
        )
    difference = output - target
    if not difference.dtype.is_float:
        difference = cast(difference, default_float())
    return 0.5 * square(difference)


@at_user_line
def l2_penalty(parameters: Node | Sequence[Node], strength: float) -> Node:
    """strength times the sum of the squares of all parameters: the gradient at W is 2 strength W.

    A scalar to be added to a loss. `strength` is a number of at least 0.
    """
    known = [parameters] if isinstance(parameters, Node) else list(parameters)
    if not known:
        raise ArgumentError("l2_penalty: expected at least one parameter, got none")
    number = isinstance(strength, int | float) and not isinstance(strength, bool)
    if not number or not math.isfinite(strength) or strength < 0:
        raise ArgumentError(f"l2_penalty: expected a finite strength >= 0, got {strength!r}")
    squares = [sum(square(node)) for node in known]
    total = squares[0]
    for square_sum in squares[1:]:
        total = total + square_sum
    return strength * total
