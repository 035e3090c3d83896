"""Functions of matrices: the exponential, powers, the pseudo-inverse and least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dim import Dim, product
from graphc.ir.dtype import float32, int32
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, register
from graphc.ir.shape import TensorType, shape_text
from graphc.ops.composite import CompositeOp
from graphc.ops.contraction import matmul
from graphc.ops.creation import eye, zeros, zeros_like
from graphc.ops.decompositions import svd
from graphc.ops.determinants import inv
from graphc.ops.elementwise import cast_together
from graphc.ops.joining import concat
from graphc.ops.keys import getitem
from graphc.ops.layout import broadcast_to, expand_dims, reshape, swap_last_axes
from graphc.ops.matrices import (
    as_matrices,
    elimination_work,
    exact_of_stack,
    infer_matrices,
    stack_size,
)
from graphc.ops.routine import RoutineOp, item, same_operation
from graphc.ops.source import as_node, const
from graphc.ops.source import size as size_of

# ---- the exponential

_WORKING = 7  # matrices that the kernel computes with


def _expm_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    infer_matrices("expm", inputs[0], square=True)
    return inputs[0].tensor


def _expm_reference(attrs: Attributes, a: np.ndarray) -> Any:
    from scipy import linalg

    strange = ~np.isfinite(np.sum(np.abs(a), axis=-1)).all(-1)[..., None, None]
    if not a.size:
        return a
    return np.where(strange, np.nan, linalg.expm(np.where(strange, 0, a)))


def _expm_exact(attrs: Attributes, a: np.ndarray) -> np.ndarray:
    import mpmath

    return exact_of_stack(mpmath.expm, a)


def _expm_vjp(node: Node, g: Node) -> list[Node | None]:
    """The upper right block of exp [[A^T, G], [0, A^T]].

    R. Mathias, "A chain rule for matrix functions and applications" (1996); C. Van Loan (1978).
    """
    (a,) = node.inputs
    n = a.shape[-1]
    turned = swap_last_axes(a)
    above = concat([turned, g], axis=-1)
    below = concat([zeros_like(turned), turned], axis=-1)
    whole = expm(concat([above, below], axis=-2))
    return [getitem(whole, (..., slice(None, n), slice(n, None)))]


expm_op = RoutineOp(
    "expm", _expm_infer, _expm_reference, _expm_vjp,
    notation=Notation("expm({0})", "e^{{0}}", ATOM),
    doc="the matrix exponential, by scaling, a Pade approximant of degree 13 and squaring (Higham "
    "2005); of a matrix with nan or inf it is nan",
    sizes=lambda node: node.shape[-1:],
    workspace=lambda node: (
        (node.dtype, _WORKING * product(node.shape)), (int32, product(node.shape[:-1]))
    ),
    rows=stack_size, row_work=lambda node: 16 * elimination_work(node), stacked=same_operation,
    exact=_expm_exact,
)  # fmt: skip
register(expm_op)


def expm(a: object) -> Node:
    """The matrix exponential of each matrix, as scipy.linalg.expm.

    Shape: a (..., n, n). By scaling and squaring (Higham 2005). Its derivative is a block of the
    exponential of a matrix twice as large.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(expm([[0.0, 1.0], [0.0, 0.0]])).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return make(expm_op, (as_matrices("expm", a, square=True),))


# ---- powers


def matrix_power(a: object, n: int) -> Node:
    """Each matrix multiplied by itself `n` times, as np.linalg.matrix_power.

    Shape: a (..., m, m). 0 gives the identity matrix, a negative number powers of the inverse.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(matrix_power([[1.0, 1.0], [0.0, 1.0]], 5)).tolist()
    [[1.0, 5.0], [0.0, 1.0]]
    """
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise ArgumentError(f"matrix_power: expected an integer n; got {n!r}")
    node = as_node(a)
    count = int(n.__index__())
    if node.dtype.is_float or count < 0:
        node = as_matrices("matrix_power", node, square=True)
    if node.ndim < 2 or node.shape[-1] != node.shape[-2]:
        raise ShapeError(
            f"matrix_power: expected a square matrix or a stack of them, got "
            f"{shape_text(node.shape)}"
        )
    if count == 0:
        return broadcast_to(eye(node.shape[-1], dtype=node.dtype), node.shape)
    square = inv(node) if count < 0 else node
    result: Node | None = None
    for place, bit in enumerate(reversed(f"{abs(count):b}")):
        square = matmul(square, square) if place else square
        if bit == "1":
            result = square if result is None else matmul(result, square)
    assert result is not None
    return result


# ---- the pseudo-inverse and least squares


def _pinv_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (a,) = inputs
    infer_matrices("pinv", a)
    (*stack, m, n) = a.shape
    return TensorType(a.dtype, (*stack, n, m))


def _sides(a: Node) -> tuple[Dim, Dim]:
    """The smaller side of the matrices, as the singular values have it, and the larger one."""
    m, n = a.shape[-2:]
    k = item(svd(a), 1).shape[-1]
    return k, m + n - k


def _pinv_expand(node: Node) -> Node:
    (a,), rtol = node.inputs, node.attrs["rtol"]
    k, longer = _sides(a)
    if k == 0:
        return zeros(node.shape, a.dtype)
    u, s, vh = (item(svd(a), i) for i in range(3))
    if rtol is None:
        spacing = 2.0 ** (-23 if a.dtype is float32 else -52)  # from 1 to the next float
        share = size_of(longer, a.dtype) * const(spacing, a.dtype)
    else:
        share = const(rtol, a.dtype)
    kept = scalar.greater(s, getitem(s, (..., slice(0, 1))) * share)
    inverse = scalar.where(kept, 1 / scalar.where(kept, s, const(1, s.dtype)), const(0, s.dtype))
    return matmul(swap_last_axes(vh) * expand_dims(inverse, -2), swap_last_axes(u))


def _pinv_vjp(node: Node, g: Node) -> list[Node | None]:
    """-P^T G P^T + (I - A P) G^T P P^T + P^T P G^T (I - P A).

    G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
    problems whose variables separate" (1973), for a rank that does not change.
    """
    (a,) = node.inputs
    p, turned, share = node, swap_last_axes(node), swap_last_axes(g)
    total = -matmul(matmul(turned, g), turned)
    first = matmul(matmul(share, p), turned)
    second = matmul(matmul(turned, p), share)
    total = total + first - matmul(a, matmul(p, first))
    return [total + second - matmul(matmul(second, p), a)]


def _pinv_reference(attrs: Attributes, a: np.ndarray) -> Any:
    rtol = attrs["rtol"]
    if rtol is None:
        rtol = max(a.shape[-2:]) * np.finfo(a.dtype).eps
    strange = ~np.isfinite(a).all((-2, -1))[..., None, None]
    return np.where(strange, np.nan, np.linalg.pinv(np.where(strange, 0, a), rcond=rtol))


pinv_op = CompositeOp(
    "pinv", _pinv_infer, _pinv_reference, _pinv_vjp,
    notation=Notation(
        lambda node: "pinv({0})" if node.attrs["rtol"] is None
        else f"pinv({{0}}, rtol={node.attrs['rtol']:g})",
        "{0}^{+}", ATOM, (), None, (ATOM,),
    ),
    expand=_pinv_expand,
    doc="the pseudo-inverse of Moore and Penrose, by singular values; small ones count as 0, and "
    "the derivative is that for a rank which does not change",
)  # fmt: skip
register(pinv_op)


def pinv(a: object, rtol: float | None = None) -> Node:
    """The pseudo-inverse of each matrix, as np.linalg.pinv.

    Shapes: a (..., m, n), result (..., n, m). Singular values up to `rtol` times the largest count
    as 0: by default max(m, n) times the distance from 1 to the next float. The derivative is that
    for a rank which does not change.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(pinv([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    if rtol is not None and (isinstance(rtol, bool) or not isinstance(rtol, int | float)):
        raise ArgumentError(f"pinv: rtol must be None or a number; got {rtol!r}")
    return make(pinv_op, (as_matrices("pinv", a),), rtol=None if rtol is None else float(rtol))


def lstsq(a: object, b: object, rtol: float | None = None) -> Node:
    """The x of least length among those for which the length of a @ x - b is least.

    Shapes: a (..., m, n), b (m,) or (..., m, k): x (n,) or (..., n, k). It is the first of the
    results of np.linalg.lstsq, by `pinv`, whose `rtol` it takes.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0])).round(6).tolist()
    [1.0, 2.0]
    """
    left, right = cast_together([as_matrices("lstsq", a), as_node(b)])
    if right.ndim == 0 or right.shape[0 if right.ndim == 1 else -2] != left.shape[-2]:
        raise ShapeError(
            f"lstsq: expected a right side with {left.shape[-2]} rows for "
            f"{shape_text(left.shape)}, got {shape_text(right.shape)}"
        )
    if right.ndim == 1:
        column = matmul(pinv(left, rtol), expand_dims(right, 1))
        return reshape(column, column.shape[:-1])
    return matmul(pinv(left, rtol), right)
