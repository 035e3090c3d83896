"""BLAS and LAPACK routines that kernels call: their arguments, one table for every target.

Matrices are column-major, as these libraries have them. A kernel's matrix lies row by row, so what
a routine sees is its transpose; the kernels in `lapack_source` are written for that.
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "graphc_"  # of the symbols that object code refers to


class LapackRoutine(NamedTuple):
    """A routine as a primitive of kernels, which returns its `info` (0 where it has none).

    `parameters` are those of the primitive. `arguments` are those of the routine, all by address:
    a parameter, `ld(n)` for a leading dimension of at least 1, `'N'` for a letter, `lower?U:L` for
    a letter that a parameter decides, `1.0` for a number, `info`.
    """

    routine: str
    parameters: tuple[str, ...]
    arguments: tuple[str, ...]
    doc: str


def _routine(routine: str, parameters: str, arguments: str, doc: str) -> LapackRoutine:
    return LapackRoutine(routine, tuple(parameters.split()), tuple(arguments.split()), doc)


LAPACK: dict[str, LapackRoutine] = {
    "lu_factor": _routine(
        "getrf", "n matrix pivots", "n n matrix ld(n) pivots info",
        "A = P L U in place, with 1-based pivots.",
    ),
    "lu_solve": _routine(
        "getrs", "n nrhs matrix right pivots",
        "'N' n nrhs matrix ld(n) pivots right ld(n) info",
        "A X = B in place, from the result of `lu_factor`.",
    ),
    "cholesky_factor": _routine(
        "potrf", "n matrix", "'U' n matrix ld(n) info",
        "A = U^T U in place of the upper triangle.",
    ),
    "triangular_divide": _routine(
        "trsm", "n columns lower transposed unit matrix right",
        "'R' lower?U:L transposed?T:N unit?U:N columns n 1.0 matrix ld(n) right ld(columns)",
        "The solution of op(A) X = B in place of B, both row-major.",
    ),
    "symmetric_eigen": _routine(
        "syevd", "n matrix values work work_size places places_size",
        "'V' 'U' n matrix ld(n) values work work_size places places_size info",
        "Ascending eigenvalues of the upper triangle, and eigenvectors in place of the matrix.",
    ),
    "lq_factor": _routine(
        "gelqf", "n m matrix scales work work_size",
        "n m matrix ld(n) scales work work_size info",
        "The n x m matrix as L Q in place, by reflections.",
    ),
    "lq_form": _routine(
        "orglq", "k m matrix scales work work_size",
        "k m k matrix ld(k) scales work work_size info",
        "The first k rows (m columns) of the Q of `lq_factor`, in place of its reflections.",
    ),
    "singular_values": _routine(
        "gesdd", "n m k matrix values left right work work_size places",
        "'S' n m matrix ld(n) values left ld(n) right ld(k) work work_size places info",
        "The n x m matrix as left (n x k), descending values, right (k x m); it is overwritten.",
    ),
    "matrix_product": _routine(
        "gemm", "n a b c", "'N' 'N' n n n 1.0 b ld(n) a ld(n) 0.0 c ld(n)",
        "C = A B of n x n matrices, all row-major.",
    ),
}  # fmt: skip
"""Each primitive that is a routine of BLAS or LAPACK, by its name in kernels."""

ROUTINES = frozenset(letter + known.routine for known in LAPACK.values() for letter in "sd")
"""The names under which libraries have them, for float32 and float64."""
