"""Decompositions of matrices, of one or of each in a stack (leading axes): Cholesky, eigenvalues of
symmetric matrices, QR and singular values.

A matrix that holds nan or inf has a decomposition of nan. Signs of eigenvectors, singular vectors
and rows of R are LAPACK's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import (
    ArgumentError,
    ConvergenceError,
    ExecutionError,
    NotPositiveDefiniteError,
    ShapeError,
)
from graphc.ir.dim import Dim, is_nonnegative, product
from graphc.ir.dtype import int32
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, register
from graphc.ir.shape import NodeType, Shape, TensorType, TupleType, shape_text
from graphc.ops.decomposition_derivatives import (
    cholesky_vjp,
    eigh_vjp,
    qr_vjp,
    svd_vjp,
)
from graphc.ops.layout import swap_last_axes
from graphc.ops.matrices import (
    Shapes,
    as_matrices,
    elimination_work,
    exact_of_stack,
    infer_matrices,
    reference_of_stack,
    stack_size,
    which_matrix,
)
from graphc.ops.routine import Failure, RoutineOp, item, same_operation

_BLOCK = 32  # columns that LAPACK's blocked algorithms take at a time


def _of_finite(function: Callable[..., Any], a: np.ndarray, known: np.ndarray, spare: Any) -> Any:
    """A function of NumPy's for matrices whose elements (those `known`) are finite, nan for the
    others."""
    strange = ~np.all(np.isfinite(known), axis=(-2, -1))
    found = function(np.where(strange[..., None, None], spare, a))
    several = found if isinstance(found, tuple) else (found,)
    marked = tuple(
        np.where(strange.reshape(*strange.shape, *[1] * (part.ndim - strange.ndim)), np.nan, part)
        for part in several
    )
    return marked if isinstance(found, tuple) else marked[0]


def _unfinished(name: str, sought: str) -> Failure:
    def failure(shapes: Shapes, row: int, count: int | None) -> ExecutionError:
        left = "" if count is None else f" ({count} left)"
        place = which_matrix(shapes, row)
        return ConvergenceError(f"{name}: {sought} of {place} were not found{left}")

    return failure


# ---- Cholesky


def _indefinite(shapes: Shapes, row: int, pivot: int | None) -> ExecutionError:
    reason = "" if pivot is None else f": pivot {pivot} is not positive"
    return NotPositiveDefiniteError(
        f"cholesky: {which_matrix(shapes, row)} is not positive definite{reason}"
    )


def _cholesky_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    infer_matrices("cholesky", inputs[0], square=True)
    return inputs[0].tensor


def _cholesky_reference(attrs: Attributes, a: np.ndarray) -> Any:
    def function(x: np.ndarray) -> Any:
        return reference_of_stack(np.linalg.cholesky, _indefinite, x)

    spare = np.eye(a.shape[-1], dtype=a.dtype)
    return np.tril(_of_finite(function, a, np.tril(a), spare))


def _cholesky_exact(attrs: Attributes, a: np.ndarray) -> np.ndarray:
    import mpmath

    lower = np.tril(a)
    strict = np.tril(a, -1)
    whole = lower + np.swapaxes(strict, -1, -2)
    try:
        return exact_of_stack(mpmath.cholesky, whole)
    except ValueError:
        raise NotPositiveDefiniteError("cholesky: a matrix is not positive definite") from None


cholesky_op = RoutineOp(
    "cholesky", _cholesky_infer, _cholesky_reference, cholesky_vjp,
    notation=Notation(
        "cholesky({0})", r"\operatorname{chol}\left({0}\right)", ATOM
    ),
    doc="the lower triangle L with L L^T = A; only the lower triangle of A is read, and the "
    "derivative is the symmetric one",
    sizes=lambda node: node.shape[-1:], rows=stack_size, row_work=elimination_work,
    failure=_indefinite, stacked=same_operation, exact=_cholesky_exact,
)  # fmt: skip
register(cholesky_op)


def cholesky(a: object, *, upper: bool = False) -> Node:
    """The triangle L with L @ L.T = a for symmetric positive definite matrices, as
    np.linalg.cholesky.

    Shape: a (..., n, n). Only the lower triangle is read; with `upper`, only the upper one, and the
    result is U with U.T @ U = a. The derivative is symmetric: half of that of each pair of elements
    goes to either. A matrix that is not positive definite is a NotPositiveDefiniteError when it
    runs, which names the matrix and the pivot.

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(cholesky([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    node = as_matrices("cholesky", a, square=True)
    if upper:
        return swap_last_axes(make(cholesky_op, (swap_last_axes(node),)))
    return make(cholesky_op, (node,))


# ---- eigenvalues of symmetric matrices


def _eigh_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    (a,) = inputs
    infer_matrices("eigh", a, square=True)
    return TupleType((TensorType(a.dtype, a.shape[:-1]), a.tensor))


_no_eigenvalues = _unfinished("eigh", "eigenvalues")


def _eigh_reference(attrs: Attributes, a: np.ndarray) -> Any:
    def function(x: np.ndarray) -> Any:
        return tuple(reference_of_stack(np.linalg.eigh, _no_eigenvalues, x))

    return _of_finite(function, a, np.tril(a), 0)


def _eigh_room(node: Node) -> tuple[Dim, Dim]:
    """The elements that LAPACK's syevd asks for, of floats and of integers."""
    n = node.inputs[0].shape[-1]
    return 1 + 6 * n + 2 * n * n + _BLOCK * n, 3 + 5 * n


eigh_op = RoutineOp(
    "eigh", _eigh_infer, _eigh_reference, eigh_vjp,
    notation=Notation("eigh({0})", r"\operatorname{eigh}\left({0}\right)", ATOM),
    doc="ascending eigenvalues of a symmetric matrix, and eigenvectors as columns; only the lower "
    "triangle is read, and the derivative is the symmetric one; shares between eigenvectors of "
    "equal eigenvalues, where there is no derivative, are taken as 0",
    sizes=lambda node: (node.inputs[0].shape[-1], *_eigh_room(node)),
    workspace=lambda node: (
        (node.inputs[0].dtype, stack_size(node) * _eigh_room(node)[0]),
        (int32, stack_size(node) * _eigh_room(node)[1]),
    ),
    rows=stack_size, row_work=lambda node: 8 * elimination_work(node),
    failure=_no_eigenvalues, stacked=same_operation,
)  # fmt: skip
register(eigh_op)


def eigh(a: object, UPLO: str = "L") -> Node:
    """Eigenvalues, ascending, and eigenvectors of symmetric matrices: `w, v = gx.eigh(a)`.

    As np.linalg.eigh. Shapes: a (..., n, n), w (..., n), v (..., n, n), its columns orthonormal, so
    that a @ v = v * w. Only the lower triangle is read (the upper one for `UPLO` "U"). The
    derivative is symmetric. Eigenvectors of equal eigenvalues have none: what would be divided by
    their difference is taken as 0. A search that does not end is a ConvergenceError.
    """
    node = as_matrices("eigh", a, square=True)
    if UPLO not in ("L", "U"):
        raise ArgumentError(f'eigh: expected UPLO "L" or "U"; got {UPLO!r}')
    return make(eigh_op, (swap_last_axes(node) if UPLO == "U" else node,))


def eigvalsh(a: object, UPLO: str = "L") -> Node:
    """The eigenvalues of symmetric matrices, ascending, as np.linalg.eigvalsh (see `eigh`).

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(eigvalsh([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [1.0, 2.0]
    """
    return item(eigh(a, UPLO), 0)


# ---- QR and singular values of matrices of any shape


def _shorter(name: str, shape: Shape) -> Dim:
    """The smaller of the numbers of rows and of columns."""
    rows, columns = shape[-2:]
    if is_nonnegative(rows - columns):
        return columns
    if is_nonnegative(columns - rows):
        return rows
    raise ShapeError(
        f"{name}: the result is as long as the smaller of {rows} and {columns} in "
        f"{shape_text(shape)}, which is not known; declare one as the other plus a size"
    )


def _qr_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    (a,) = inputs
    infer_matrices("qr", a)
    (*stack, m, n), k = a.shape, _shorter("qr", a.shape)
    return TupleType((TensorType(a.dtype, (*stack, m, k)), TensorType(a.dtype, (*stack, k, n))))


def _qr_sizes(node: Node) -> tuple[Dim, ...]:
    m, n = node.inputs[0].shape[-2:]
    # At least 1; LAPACK's blocks take that many rows at a time.
    return m, n, _shorter("qr", (m, n)), 1 + _BLOCK * (m + n)


qr_op = RoutineOp(
    "qr", _qr_infer,
    lambda attrs, a: _of_finite(lambda x: tuple(np.linalg.qr(x)), a, a, 0), qr_vjp,
    notation=Notation("qr({0})", r"\operatorname{qr}\left({0}\right)", ATOM),
    doc="A = Q R with orthonormal columns of Q and an upper triangle R, by reflections; the "
    "derivative needs independent columns (of the leading square block, where there are more "
    "columns than rows)",
    sizes=_qr_sizes,
    # What LAPACK overwrites: copies of the matrices; the scales of reflections; room for blocks.
    workspace=lambda node: (
        (node.inputs[0].dtype, product(node.inputs[0].shape)),
        (node.inputs[0].dtype, stack_size(node) * _qr_sizes(node)[2]),
        (node.inputs[0].dtype, stack_size(node) * _qr_sizes(node)[3]),
    ),
    rows=stack_size, row_work=lambda node: 2 * elimination_work(node), stacked=same_operation,
)  # fmt: skip
register(qr_op)


def qr(a: object, mode: str = "reduced") -> Node:
    """Q with orthonormal columns and an upper triangle R with q @ r = a: `q, r = gx.qr(a)`.

    As np.linalg.qr. Shapes, for k = min(m, n): a (..., m, n), q (..., m, k), r (..., k, n).
    With `mode` "r" only R. The derivative needs independent columns; else it is a
    SingularMatrixError when it runs.

    >>> from graphc.ops.source import input
    >>> q, r = qr(input("a", (5, 3)))
    >>> q.shape, r.shape
    ((5, 3), (3, 3))
    """
    node = as_matrices("qr", a)
    if mode not in ("reduced", "r"):
        raise ArgumentError(f'qr: expected mode "reduced" or "r"; got {mode!r}')
    both = make(qr_op, (node,))
    return both if mode == "reduced" else item(both, 1)


def _svd_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    (a,) = inputs
    infer_matrices("svd", a)
    (*stack, m, n), k = a.shape, _shorter("svd", a.shape)
    shapes = ((*stack, m, k), (*stack, k), (*stack, k, n))
    return TupleType(tuple(TensorType(a.dtype, shape) for shape in shapes))


_no_singular_values = _unfinished("svd", "singular values")


def _svd_reference(attrs: Attributes, a: np.ndarray) -> Any:
    def function(x: np.ndarray) -> Any:
        return tuple(np.linalg.svd(x, full_matrices=False))

    return _of_finite(lambda x: reference_of_stack(function, _no_singular_values, x), a, a, 0)


def _svd_sizes(node: Node) -> tuple[Dim, ...]:
    """Rows, columns, the smaller of them, and the elements that LAPACK's gesdd asks for: the
    largest of its formulas, and room for blocks."""
    m, n = node.inputs[0].shape[-2:]
    k = _shorter("svd", (m, n))
    return m, n, k, 1 + 4 * k * k + 10 * k + (1 + _BLOCK) * (m + n)


svd_op = RoutineOp(
    "svd", _svd_infer, _svd_reference, svd_vjp,
    notation=Notation("svd({0})", r"\operatorname{svd}\left({0}\right)", ATOM),
    doc="A = U diag(s) Vh with orthonormal columns of U and rows of Vh, and s descending; shares "
    "between singular vectors of equal singular values, and what would be divided by one that is "
    "0, are taken as 0",
    sizes=_svd_sizes,
    workspace=lambda node: (
        (node.inputs[0].dtype, product(node.inputs[0].shape)),
        (node.inputs[0].dtype, stack_size(node) * _svd_sizes(node)[3]),
        (int32, stack_size(node) * 8 * _svd_sizes(node)[2]),
    ),
    rows=stack_size, row_work=lambda node: 8 * elimination_work(node),
    failure=_no_singular_values, stacked=same_operation,
)  # fmt: skip
register(svd_op)


def svd(a: object, full_matrices: bool = False) -> Node:
    """Singular values, descending, and singular vectors: `u, s, vh = gx.svd(a)`.

    As np.linalg.svd(a, full_matrices=False). Shapes, for k = min(m, n): a (..., m, n),
    u (..., m, k), s (..., k), vh (..., k, n), so that (u * s) @ vh = a. Singular vectors of equal
    singular values have no derivative: what would be divided by their difference is taken as 0, as
    is what would be divided by a singular value of 0. A search that does not end is a
    ConvergenceError. Raises ArgumentError for `full_matrices` of a matrix that is not square: the
    other vectors are not unique and have no derivative.
    """
    node = as_matrices("svd", a)
    if full_matrices and node.shape[-1] != node.shape[-2]:
        raise ArgumentError(
            f"svd: expected full_matrices=False for {shape_text(node.shape)}: singular vectors "
            f"beyond the smaller of its sides are not unique"
        )
    return make(svd_op, (node,))


def svdvals(a: object) -> Node:
    """The singular values of each matrix, descending, as np.linalg.svdvals (see `svd`).

    >>> from graphc.ops.evaluate import evaluate
    >>> evaluate(svdvals([[0.0, 3.0], [2.0, 0.0], [0.0, 0.0]])).tolist()
    [3.0, 2.0]
    """
    return item(svd(a), 1)
