"""Matrix products: with a diagonal they scale, and of three the cheaper pair comes first."""

from __future__ import annotations

import numpy as np

from graphc.ir.dim import Dim, is_nonnegative
from graphc.ir.node import Node, make
from graphc.ops import contraction, scalar
from graphc.ops.elementwise import cast_op
from graphc.ops.layout import broadcast_op, reshape, swap_last_axes, swaps_last_axes, transpose_op
from graphc.ops.source import const, constant_value, ramp_op
from graphc.rewrite.facts import is_scalar, number
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "simplify"
# A constant matrix is looked through element by element up to this size.
_ELEMENTS = 4096


def _is_identity(node: Node) -> bool:
    """Whether a square matrix, of numbers or truth values, is the identity by the way it is
    written."""
    if node.ndim != 2 or node.shape[0] != node.shape[1]:
        return False
    if node.op is cast_op:
        return _is_identity(node.inputs[0])
    if node.op is scalar.equal:
        ramps = [source for source in node.inputs if source.op is ramp_op]
        places = {source.attrs["axis"] for source in ramps if source.shape == node.shape}
        return places == {0, 1}
    array = constant_value(node)
    return array is not None and array.size <= _ELEMENTS and bool((array == _eye(array)).all())


def _eye(array: np.ndarray) -> np.ndarray:
    return np.eye(len(array), dtype=array.dtype)


def diagonal_of(node: Node) -> Node | None:
    """The diagonal of a matrix that is written as one, a vector or a scalar; None for another."""
    while node.op is broadcast_op and node.inputs[0].ndim == 2 == len(node.shape[-2:]):
        if node.inputs[0].shape != node.shape[-2:]:
            break
        node = node.inputs[0]  # repeated for each matrix of a batch
    if node.ndim != 2 or node.shape[0] != node.shape[1]:
        return None
    if _is_identity(node):
        return const(1, node.dtype)
    if node.op is scalar.where and number(node.inputs[2]) == 0:
        mask, value = node.inputs[:2]
        return _along(value, node) if _is_identity(mask) else None
    if node.op is scalar.multiply:
        for mask, value in (node.inputs, node.inputs[::-1]):
            if _is_identity(mask):
                return _along(value, node)
        return None
    array = constant_value(node)
    if array is None or array.size > _ELEMENTS or (array != array * _eye(array)).any():
        return None
    return const(np.diagonal(array), node.dtype)


def _along(value: Node, matrix: Node) -> Node | None:
    """What stands on the diagonal when a scalar, row or column is cut to it."""
    if is_scalar(value):
        return value
    length = matrix.shape[0]
    fits = value.shape in ((length,), (1, length), (length, 1))
    return reshape(value, (length,)) if fits else None


def _diagonal(node: Node, _: Context) -> Node | None:
    a, b = node.inputs
    right = diagonal_of(b)
    if right is not None:
        return scalar.multiply(a, right)
    left = diagonal_of(a)
    if left is None:
        return None
    column = left if is_scalar(left) else reshape(left, (*left.shape, 1))
    return scalar.multiply(column, b)


def _cost(*products: tuple[Dim, Dim, Dim]) -> Dim:
    """Multiplications of matrix products of these sizes."""
    total: Dim = 0
    for rows, inner, columns in products:
        total = total + rows * inner * columns
    return total


def _is_less(first: Dim, second: Dim) -> bool:
    """Whether a cost is provably less, for all sizes."""
    return first != second and is_nonnegative(second - first - 1)


def _associate(node: Node, context: Context) -> Node | None:
    """(x @ A) @ B or x @ (A @ B), whichever is cheaper."""
    a, b = node.inputs
    if node.ndim != 2:
        return None
    if a.op is contraction.matmul_op and context.users.get(a) == 1:
        x, y = a.inputs
        (n, k), (m, p) = x.shape, b.shape
        if _is_less(_cost((k, m, p), (n, k, p)), _cost((n, k, m), (n, m, p))):
            return make(node.op, (x, make(node.op, (y, b))))
    if b.op is contraction.matmul_op and context.users.get(b) == 1:
        x, y = b.inputs
        (n, k), (m, p) = a.shape, y.shape
        if _is_less(_cost((n, k, m), (n, m, p)), _cost((k, m, p), (n, k, p))):
            return make(node.op, (make(node.op, (a, x)), y))
    return None


def _of_affine(node: Node, context: Context) -> Node | None:
    """(x @ A + b) @ B is x @ (A @ B) + b @ B, where that is cheaper."""
    total, right = node.inputs
    if node.ndim != 2 or total.op is not scalar.add or context.users.get(total) != 1:
        return None
    for inner, bias in (total.inputs, total.inputs[::-1]):
        if inner.op is not contraction.matmul_op or context.users.get(inner) != 1:
            continue
        x, first = inner.inputs
        (n, k), (m, p) = x.shape, right.shape
        if bias.shape not in ((m,), (1, m)):
            continue
        before = _cost((n, k, m), (n, m, p))
        if _is_less(_cost((k, m, p), (n, k, p), (1, m, p)), before):
            moved = make(node.op, (reshape(bias, (1, m)), right))
            whole = make(node.op, (x, make(node.op, (first, right))))
            return scalar.add(whole, moved)
    return None


def _transposed(node: Node, _: Context) -> Node | None:
    """(xᵀ @ yᵀ)ᵀ is y @ x."""
    (product,) = node.inputs
    if product.op is not contraction.matmul_op or not swaps_last_axes(node):
        return None
    a, b = product.inputs
    if not (swaps_last_axes(a) and swaps_last_axes(b)):
        return None
    return make(product.op, (swap_last_axes(b), swap_last_axes(a)))


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "product_with_diagonal",
        PHASE,
        "x @ diag(v)",
        "x * v",
        (contraction.matmul_op,),
        _diagonal,
        condition="diag(v), eye * v, where(eye, v, 0), a diagonal constant, or the identity; on "
        "the left it scales rows",
        changes="finite where inf or nan meets a zero beside the diagonal",
    ),
    rewrite_node(
        "product_of_products",
        PHASE,
        "(x @ A) @ B",
        "x @ (A @ B)",
        (contraction.matmul_op,),
        _associate,
        condition="provably fewer multiplications, for all sizes; x @ A is not used elsewhere; "
        "and the reverse",
        looks_around=True,
        changes="where an intermediate value over- or underflows",
    ),
    rewrite_node(
        "product_of_affine",
        PHASE,
        "(x @ A + b) @ B",
        "x @ (A @ B) + b @ B",
        (contraction.matmul_op,),
        _of_affine,
        condition="provably fewer multiplications; b is a row; x @ A + b is not used elsewhere",
        looks_around=True,
        changes="where an intermediate value over- or underflows",
    ),
    rewrite_node(
        "transpose_of_product",
        PHASE,
        "(xᵀ @ yᵀ)ᵀ",
        "y @ x",
        (transpose_op,),
        _transposed,
        condition="both operands are transposed",
    ),
)
