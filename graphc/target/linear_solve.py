"""LU factorisation and solution of column-major systems in NumPy, as LAPACK defines them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def lu_factor_columns(columns: Array, pivots: Array) -> int:
    """Factor A = P L U in place, where `columns[j]` is column j of A.

    Partial pivoting, as LAPACK's getrf does it. `columns` is n x n, `pivots` n integers that become
    1-based row numbers. Returns 0, or the 1-based place of the first zero on U's diagonal; the
    factorisation is finished all the same.
    """
    matrix = columns.T
    info = 0
    with np.errstate(all="ignore"):
        for k in range(len(matrix)):
            chosen = k + int(np.argmax(np.abs(matrix[k:, k])))
            pivots[k] = chosen + 1
            if matrix[chosen, k] == 0:
                info = info or k + 1
                continue
            matrix[[k, chosen]] = matrix[[chosen, k]]
            matrix[k + 1 :, k] /= matrix[k, k]
            matrix[k + 1 :, k + 1 :] -= np.outer(matrix[k + 1 :, k], matrix[k, k + 1 :])
    return info


def lu_solve_columns(columns: Array, right: Array, pivots: Array) -> int:
    """Solve A X = B in place from `lu_factor_columns`; returns 0 as LAPACK's getrs does.

    `right` is nrhs x n: each row is one right side, then its solution.
    """
    matrix, solution = columns.T, right.T
    n = len(matrix)
    with np.errstate(all="ignore"):
        for k in range(n):
            chosen = int(pivots[k]) - 1
            solution[[k, chosen]] = solution[[chosen, k]]
        for k in range(n):
            solution[k + 1 :] -= np.outer(matrix[k + 1 :, k], solution[k])
        for k in reversed(range(n)):
            solution[k] /= matrix[k, k]
            solution[:k] -= np.outer(matrix[:k, k], solution[k])
    return 0
