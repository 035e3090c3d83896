"""The kernel of the matrix exponential, by scaling, a Pade approximant of degree 13 and squaring.

N. Higham, "The scaling and squaring method for the matrix exponential revisited", SIAM J. Matrix
Anal. Appl. 26 (2005). A matrix and its transpose have transposed exponentials, and the numerator of
the approximant commutes with its denominator: so LAPACK may read rows as columns throughout.
"""

from __future__ import annotations

_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
    960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_LARGEST_NORM = 5.371920351148152  # for which the approximant is exact to float64
_HALVINGS = {"float32": 128, "float64": 1024}  # of the largest number, to below that
MATRICES = 7  # that the kernel works with, of the size of its argument

_EXPM = """\
from graphc.target.primitives import (
    absolute, divide, {dtype}, {dtype}_pointer, from_element, int32_pointer, integer, isfinite,
    lu_factor, lu_solve, matrix_product, maximum,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    result = {dtype}_pointer(argv, 1)
    work = {dtype}_pointer(argv, 2)
    pivots_of = int32_pointer(argv, 3)
    n = integer(argv, 4)
    size = n * n
    for entry in range(lo, hi):
        start = entry * size
        pivots = from_element(pivots_of, entry * n)
        a = from_element(work, {matrices} * start)
        a2 = from_element(work, {matrices} * start + size)
        a4 = from_element(work, {matrices} * start + 2 * size)
        a6 = from_element(work, {matrices} * start + 3 * size)
        u = from_element(work, {matrices} * start + 4 * size)
        v = from_element(work, {matrices} * start + 5 * size)
        t = from_element(work, {matrices} * start + 6 * size)
        norm = {dtype}(0.0)
        for i in range(n):
            total = {dtype}(0.0)
            for j in range(n):
                total = total + absolute(matrix[start + i * n + j])
            norm = maximum(norm, total)
        if isfinite(norm):
            scale = {dtype}(1.0)
            squarings = 0
            for step in range({halvings}):
                if norm * scale > {dtype}({largest_norm}):
                    scale = scale * {dtype}(0.5)
                    squarings = squarings + 1
            for i in range(size):
                a[i] = matrix[start + i] * scale
            matrix_product(n, a, a, a2)
            matrix_product(n, a2, a2, a4)
            matrix_product(n, a4, a2, a6)
            for i in range(size):
                t[i] = {b13} * a6[i] + {b11} * a4[i] + {b9} * a2[i]
            matrix_product(n, a6, t, u)
            for i in range(size):
                u[i] = u[i] + ({b7} * a6[i] + {b5} * a4[i] + {b3} * a2[i])
            for i in range(n):
                u[i * n + i] = u[i * n + i] + {b1}
            matrix_product(n, a, u, t)
            for i in range(size):
                u[i] = {b12} * a6[i] + {b10} * a4[i] + {b8} * a2[i]
            matrix_product(n, a6, u, v)
            for i in range(size):
                v[i] = v[i] + ({b6} * a6[i] + {b4} * a4[i] + {b2} * a2[i])
            for i in range(n):
                v[i * n + i] = v[i * n + i] + {b0}
            for i in range(size):
                a[i] = v[i] - t[i]
                u[i] = v[i] + t[i]
            lu_factor(n, a, pivots)
            lu_solve(n, n, a, u, pivots)
            for step in range(squarings):
                matrix_product(n, u, u, v)
                for i in range(size):
                    u[i] = v[i]
            for i in range(size):
                result[start + i] = u[i]
        else:
            for i in range(size):
                result[start + i] = divide({dtype}(0.0), {dtype}(0.0))
"""


def exponential_source(dtype: str) -> str:
    """The kernel that exponentiates the matrices of a stack."""
    coefficients = {f"b{i}": f"{dtype}({value})" for i, value in enumerate(_PADE)}
    return _EXPM.format(
        dtype=dtype, matrices=MATRICES, halvings=_HALVINGS[dtype], largest_norm=_LARGEST_NORM,
        **coefficients,
    )  # fmt: skip
