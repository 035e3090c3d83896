"""BLAS's and LAPACK's routines in plain NumPy, on the memory that kernels hand over.

They keep the contract of `target/lapack.py`: column-major matrices, results in place, `info`
returned. A column-major matrix is read here as the row-major array that is its transpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from graphc.target.pointer import Pointer

Array = np.ndarray[Any, np.dtype[Any]]


def cholesky_factor(n: int, matrix: Pointer) -> int:
    """potrf, upper: A = U^T U in place; returns 0, or the 1-based pivot that is not positive."""
    rows = matrix.array(n, n)  # U^T, below the diagonal
    with np.errstate(all="ignore"):
        for k in range(n):
            before = rows[k, :k]
            pivot = rows[k, k] - before @ before
            if not pivot > 0:
                rows[k, k] = pivot
                return k + 1
            rows[k, k] = np.sqrt(pivot)
            rows[k + 1 :, k] -= rows[k + 1 :, :k] @ before
            rows[k + 1 :, k] /= rows[k, k]
    return 0


def triangular_divide(
    n: int, columns: int, lower: int, transposed: int, unit: int, matrix: Pointer, right: Pointer
) -> int:
    """trsm: the solution of op(A) X = B in place of B (n x columns), both row-major; returns 0."""
    triangle, solution = matrix.array(n, n), right.array(n, columns)
    if transposed:
        triangle = triangle.T
    forward = bool(lower) != bool(transposed)
    with np.errstate(all="ignore"):
        for k in range(n) if forward else reversed(range(n)):
            if not unit:
                solution[k] /= triangle[k, k]
            rest = slice(k + 1, n) if forward else slice(0, k)
            solution[rest] -= np.outer(triangle[rest, k], solution[k])
    return 0


def symmetric_eigen(
    n: int,
    matrix: Pointer,
    values: Pointer,
    work: Pointer,
    work_size: int,
    places: Pointer,
    places_size: int,
) -> int:
    """syevd, upper: ascending eigenvalues; column-major eigenvectors replace the matrix."""
    rows = matrix.array(n, n)
    try:
        values.array(n)[...], vectors = np.linalg.eigh(rows, UPLO="L")
    except np.linalg.LinAlgError:
        return 1
    rows[...] = vectors.T
    return 0


def lq_factor(
    n: int, m: int, matrix: Pointer, scales: Pointer, work: Pointer, work_size: int
) -> int:
    """gelqf of the n x m matrix: L, and the reflections of Q in place of the rest; returns 0."""
    rows = matrix.array(m, n)  # the transpose, whose QR has the same reflections
    packed, tau = np.linalg.qr(rows, mode="raw")
    rows[...] = packed.T
    scales.array(min(n, m))[...] = tau
    return 0


def lq_form(k: int, m: int, matrix: Pointer, scales: Pointer, work: Pointer, work_size: int) -> int:
    """orglq: the k x m matrix Q from k reflections, in their place; returns 0."""
    columns, tau = matrix.array(m, k), scales.array(k)
    result = np.eye(m, k, dtype=columns.dtype)
    for i in reversed(range(k)):
        reflection = np.concatenate((np.ones(1, columns.dtype), columns[i + 1 :, i]))
        result[i:] -= tau[i] * np.outer(reflection, reflection @ result[i:])
    columns[...] = result
    return 0


def singular_values(
    n: int,
    m: int,
    k: int,
    matrix: Pointer,
    values: Pointer,
    left: Pointer,
    right: Pointer,
    work: Pointer,
    work_size: int,
    places: Pointer,
) -> int:
    """gesdd of the n x m matrix: left (n x k), descending values, right (k x m), column-major."""
    try:
        found = np.linalg.svd(matrix.array(m, n), full_matrices=False)
    except np.linalg.LinAlgError:
        return 1
    right.array(m, k)[...], values.array(k)[...], left.array(k, n)[...] = found
    return 0


def matrix_product(n: int, a: Pointer, b: Pointer, c: Pointer) -> int:
    """gemm: C = A B of n x n matrices, all row-major; returns 0."""
    with np.errstate(all="ignore"):
        np.matmul(a.array(n, n), b.array(n, n), out=c.array(n, n))
    return 0
