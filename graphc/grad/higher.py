"""Jacobians, Hessians and products with them, whole rows or columns at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import ArgumentError, DTypeError
from graphc.grad.forward import jvp, tangent_table
from graphc.grad.reverse import grad, gradient_table, vjp
from graphc.grad.vectorize import vectorize
from graphc.ir.dim import Dim, is_nonnegative, product
from graphc.ir.node import Node
from graphc.ir.shape import TensorType
from graphc.ir.site import at_user_line
from graphc.ops.creation import eye
from graphc.ops.layout import broadcast_to, reshape, transpose
from graphc.ops.source import as_node, input

MODES = ("auto", "forward", "reverse")


@at_user_line
def jacobian(y: Node, x: Node | Sequence[Node], mode: str = "auto") -> Any:
    """All partial derivatives of `y` with respect to `x`: shape (*y.shape, *x.shape).

    Args: `x`, a node, or several (then a list comes back); `mode`, "reverse" (one row for each
    element of `y`), "forward" (one column for each element of `x`) or "auto", which takes the one
    with fewer. All rows, or columns, are computed together as one batch.

    Raises ArgumentError for an unknown mode, GradientError naming an operation without derivative.

    >>> from graphc.ops.evaluate import evaluate
    >>> x = input("x", (2,), "float64")
    >>> evaluate(jacobian(x * x, x), {x: [3.0, 4.0]})
    array([[6., 0.],
           [0., 8.]])
    """
    if mode not in MODES:
        raise ArgumentError(f"jacobian: mode must be one of {', '.join(MODES)}; got {mode!r}")
    _check_float("jacobian", y)
    targets = [x] if isinstance(x, Node) else list(x)
    for target in targets:
        _check_float("jacobian", target)
    found = [_jacobian(y, target, mode) for target in targets]
    return found[0] if isinstance(x, Node) else found


def _check_float(name: str, node: object) -> None:
    if not isinstance(node, Node):
        raise ArgumentError(f"{name}: expected a node, got {type(node).__name__}")
    if not isinstance(node.type, TensorType) or not node.dtype.is_float:
        raise DTypeError(f"{name}: expected a float array, got {node!r}")


def _jacobian(y: Node, x: Node, mode: str) -> Node:
    rows, columns = product(y.shape), product(x.shape)
    forward = mode == "forward" or (mode == "auto" and _fewer(columns, rows))
    return _columns(y, x, columns) if forward else _rows(y, x, rows)


def _fewer(columns: Dim, rows: Dim) -> bool:
    """Whether there are provably fewer columns than rows; reverse where sizes do not tell."""
    return columns != rows and is_nonnegative(rows - columns)


def _rows(y: Node, x: Node, count: Dim) -> Node:
    """Reverse mode, for a cotangent that is 1 at each element of `y` in turn."""
    cotangent = input("cotangent", y.shape, y.dtype)
    table = gradient_table(y, cotangent, [x])
    shape = (*y.shape, *x.shape)
    if x not in table:
        return broadcast_to(as_node(0, x.dtype), shape)
    basis = reshape(eye(count, dtype=y.dtype), (count, *y.shape))
    return reshape(vectorize([table[x]], {cotangent: basis}, count)[0], shape)


def _columns(y: Node, x: Node, count: Dim) -> Node:
    """Forward mode, for a tangent that is 1 at each element of `x` in turn."""
    tangent = input("tangent", x.shape, x.dtype)
    table = tangent_table([y], {x: tangent})
    shape = (*y.shape, *x.shape)
    if y not in table:
        return broadcast_to(as_node(0, y.dtype), shape)
    basis = reshape(eye(count, dtype=x.dtype), (count, *x.shape))
    columns = vectorize([table[y]], {tangent: basis}, count)[0]
    return reshape(transpose(columns, (*range(1, columns.ndim), 0)), shape)


@at_user_line
def hessian(y: Node, x: Node | Sequence[Node]) -> Any:
    """All second derivatives of a scalar: shape (*x.shape, *x.shape).

    For several nodes a list of lists, block [i][j] of shape (*x[i].shape, *x[j].shape). Columns of
    the Jacobian of the gradient, forward over reverse, computed together.

    >>> from graphc.ops.evaluate import evaluate
    >>> x = input("x", (2,), "float64")
    >>> evaluate(hessian(x[0] * x[0] * x[1], x), {x: [3.0, 4.0]})
    array([[8., 6.],
           [6., 0.]])
    """
    targets = [x] if isinstance(x, Node) else list(x)
    gradients = grad(y, targets, disconnected="zero")
    blocks = [jacobian(gradient, targets, mode="forward") for gradient in gradients]
    return blocks[0][0] if isinstance(x, Node) else blocks


@at_user_line
def hvp(y: Node, x: Node | Sequence[Node], v: object | Sequence[object]) -> Any:
    """The Hessian of a scalar times a direction, without the Hessian: of the shape of `x`.

    Forward over reverse: the derivative of the gradient along `v` (Pearlmutter 1994). It costs a
    small multiple of `y`. For several nodes, `v` holds a direction for each and a list comes back.

    >>> from graphc.ops.evaluate import evaluate
    >>> x = input("x", (2,), "float64")
    >>> evaluate(hvp(x[0] * x[0] * x[1], x, [1.0, 0.0]), {x: [3.0, 4.0]})
    array([8., 6.])
    """
    targets = [x] if isinstance(x, Node) else list(x)
    gradients = grad(y, targets, disconnected="zero")
    found = jvp(gradients, targets, [v] if isinstance(x, Node) else v)
    return found[0] if isinstance(x, Node) else found


@at_user_line
def gauss_newton_product(
    loss: Node, outputs: Node, x: Node | Sequence[Node], v: object | Sequence[object]
) -> Any:
    """The Gauss-Newton matrix times a direction: J^T H J v, of the shape of `x`.

    J is the Jacobian of `outputs` in `x`, H the Hessian of the scalar `loss` in `outputs`: positive
    semidefinite where the loss is convex in the outputs (Schraudolph 2002). `loss` must depend on
    `x` through `outputs` alone; what it depends on otherwise is left out.
    """
    _check_float("gauss_newton_product", outputs)
    forward = jvp(outputs, x, v)
    curved = hvp(loss, outputs, forward)
    return vjp(outputs, x, curved, disconnected="zero")
