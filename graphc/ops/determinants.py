"""The inverse and the determinant, of one matrix or of each in a stack (leading axes).

Derivatives: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dim import product
from graphc.ir.dtype import int32
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, POWER, Attributes, Notation, register
from graphc.ir.shape import NodeType, TensorType, TupleType
from graphc.ops.composite import CompositeOp
from graphc.ops.contraction import matmul
from graphc.ops.creation import eye
from graphc.ops.layout import expand_dims, swap_last_axes
from graphc.ops.linear_systems import solve
from graphc.ops.matrices import (
    as_matrices,
    elimination_work,
    exact_of_stack,
    infer_matrices,
    reference_of_stack,
    singular,
    stack_size,
)
from graphc.ops.routine import RoutineOp, item, same_operation

# ---- the inverse


def _inv_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    infer_matrices("inv", inputs[0], square=True)
    return inputs[0].tensor


def _inv_vjp(node: Node, g: Node) -> list[Node | None]:
    turned = swap_last_axes(node)
    return [-matmul(matmul(turned, g), turned)]


inv_op = CompositeOp(
    "inv", _inv_infer,
    lambda attrs, a: reference_of_stack(np.linalg.inv, singular("inv"), a), _inv_vjp,
    notation=Notation("inv({0})", "{0}^{-1}", ATOM, (), POWER, (ATOM,)),
    expand=lambda node: solve(node.inputs[0], eye(node.shape[-1], dtype=node.dtype)),
    doc="the inverse of a matrix, by LU with partial pivoting",
)  # fmt: skip
register(inv_op)


def inv(a: object) -> Node:
    """The inverse of each matrix, as np.linalg.inv; to solve a system, `solve` is more accurate.

    Shape: a (..., n, n). A singular matrix is a SingularMatrixError when it runs.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(inv([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return make(inv_op, (as_matrices("inv", a, square=True),))


# ---- determinants


def _scalars(node: Node) -> TensorType:
    return TensorType(node.dtype, node.shape[:-2])


def _lu_workspace(node: Node) -> Any:
    (a,) = node.inputs
    return ((a.dtype, product(a.shape)), (int32, product(a.shape[:-1])))


def _over_matrices(x: Node) -> Node:
    """One number for each matrix, with axes of length 1 for its rows and columns."""
    return expand_dims(expand_dims(x, -1), -1)


def _inverse_transpose(a: Node) -> Node:
    return solve(swap_last_axes(a), eye(a.shape[-1], dtype=a.dtype))


def _slogdet_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    infer_matrices("slogdet", inputs[0], square=True)
    return TupleType((_scalars(inputs[0]), _scalars(inputs[0])))


def _det_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    infer_matrices("det", inputs[0], square=True)
    return _scalars(inputs[0])


def _det_exact(attrs: Attributes, a: np.ndarray) -> np.ndarray:
    import mpmath

    return exact_of_stack(mpmath.det, a).reshape(a.shape[:-2])


def _slogdet_exact(attrs: Attributes, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import mpmath

    determinants = np.asarray(_det_exact(attrs, a), object)
    signs, sizes = np.empty(a.shape[:-2], object), np.empty(a.shape[:-2], object)
    for at in np.ndindex(a.shape[:-2]):
        signs[at] = mpmath.sign(determinants[at])
        sizes[at] = mpmath.log(abs(determinants[at])) if determinants[at] else -mpmath.inf
    return signs, sizes


def _slogdet_vjp(node: Node, g: Node) -> list[Node | None]:
    """`g` is the cotangent of each result, as a tuple node; d log|det A| = A^-T (Jacobi)."""
    return [_over_matrices(item(g, 1)) * _inverse_transpose(node.inputs[0])]


slogdet_op = RoutineOp(
    "slogdet", _slogdet_infer, lambda attrs, a: tuple(np.linalg.slogdet(a)), _slogdet_vjp,
    notation=Notation("slogdet({0})", r"\operatorname{slogdet}\left({0}\right)", ATOM),
    doc="the sign and the logarithm of the absolute value of the determinant",
    sizes=lambda node: node.inputs[0].shape[-1:], workspace=_lu_workspace,
    rows=stack_size, row_work=elimination_work, stacked=same_operation, exact=_slogdet_exact,
)  # fmt: skip
register(slogdet_op)


def slogdet(a: object) -> Node:
    """The determinant as (sign, log |det|), a tuple node: `sign, logdet = gx.slogdet(a)`.

    Shapes: a (..., n, n), each result (...). A singular matrix gives (0, -inf); there its
    derivative is a SingularMatrixError when it runs.
    """
    return make(slogdet_op, (as_matrices("slogdet", a, square=True),))


det_op = RoutineOp(
    "det", _det_infer, lambda attrs, a: np.linalg.det(a),
    lambda node, g: [_over_matrices(g * node) * _inverse_transpose(node.inputs[0])],
    notation=Notation("det({0})", r"\det\left({0}\right)", ATOM),
    doc="the determinant, the product of the pivots of LU; its derivative det(A) A^-T needs a "
    "matrix that is not singular",
    sizes=lambda node: node.inputs[0].shape[-1:], workspace=_lu_workspace,
    rows=stack_size, row_work=elimination_work, stacked=same_operation, exact=_det_exact,
)  # fmt: skip
register(det_op)


def det(a: object) -> Node:
    """The determinant of each matrix, as np.linalg.det; use `slogdet` where it may overflow.

    Shapes: a (..., n, n), result (...). Of a singular matrix it is 0, and its derivative is a
    SingularMatrixError when it runs. Of a matrix with no rows it is 1.

    >>> from graphc.ops.evaluate import evaluate
    >>> round(float(evaluate(det([[1.0, 2.0], [3.0, 4.0]]))), 6)
    -2.0
    """
    return make(det_op, (as_matrices("det", a, square=True),))
