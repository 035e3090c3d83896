"""Kernels of linear algebra: one matrix of a stack after the other, by LAPACK.

Matrices lie row by row, which LAPACK reads as their transposes. A symmetric matrix is its own; the
LQ factors and the singular vectors of a transpose are those of the matrix, exchanged. Only LU and
eigenvectors are transposed element by element.

Decompositions of a matrix that holds nan or inf are nan: what LAPACK does with it is not defined.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.target.exponential_source import exponential_source

_SOLVE = """\
from graphc.target.primitives import (
    {dtype}_pointer, fail_index, from_element, int32_pointer, integer, lu_factor, lu_solve,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    right = {dtype}_pointer(argv, 1)
    result = {dtype}_pointer(argv, 2)
    factors_of = {dtype}_pointer(argv, 3)
    pivots_of = int32_pointer(argv, 4)
    solved_of = {dtype}_pointer(argv, 5)
    n = integer(argv, 6)
    columns = integer(argv, 7)
    code = integer(argv, 8)
    for entry in range(lo, hi):
        start = entry * n * n
        place = entry * n * columns
        factors = from_element(factors_of, start)
        pivots = from_element(pivots_of, entry * n)
        solved = from_element(solved_of, place)
        for i in range(n):
            for j in range(n):
                factors[j * n + i] = matrix[start + i * n + j]
            for j in range(columns):
                solved[j * n + i] = right[place + i * columns + j]
        singular = lu_factor(n, factors, pivots)
        if singular != 0:
            fail_index(context, code, entry, singular)
        if singular == 0:
            lu_solve(n, columns, factors, solved, pivots)
        for i in range(n):
            for j in range(columns):
                result[place + i * columns + j] = solved[j * n + i]
"""

_SLOGDET = """\
from graphc.target.primitives import (
    absolute, {dtype}, {dtype}_pointer, from_element, int32_pointer, integer, log, lu_factor,
    select,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    direction_of = {dtype}_pointer(argv, 1)
    logarithm = {dtype}_pointer(argv, 2)
    factors_of = {dtype}_pointer(argv, 3)
    pivots_of = int32_pointer(argv, 4)
    n = integer(argv, 5)
    for entry in range(lo, hi):
        start = entry * n * n
        factors = from_element(factors_of, start)
        pivots = from_element(pivots_of, entry * n)
        for i in range(n):
            for j in range(n):
                factors[j * n + i] = matrix[start + i * n + j]
        lu_factor(n, factors, pivots)
        direction = {dtype}(1.0)
        total = {dtype}(0.0)
        for i in range(n):
            pivot = factors[i * n + i]
            direction = select(pivots[i] != i + 1, -direction, direction)
            direction = select(pivot < {dtype}(0.0), -direction, direction)
            direction = select(pivot == {dtype}(0.0), {dtype}(0.0), direction)
            total = total + log(absolute(pivot))
        direction_of[entry] = direction
        logarithm[entry] = total
"""

# The product of the pivots, or where it leaves the range of floats on the way, the exponential of
# the sum of their logarithms.
_DET = """\
from graphc.target.primitives import (
    absolute, {dtype}, {dtype}_pointer, exp, from_element, int32_pointer, integer, log,
    logical_and, lu_factor, select,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    result = {dtype}_pointer(argv, 1)
    factors_of = {dtype}_pointer(argv, 2)
    pivots_of = int32_pointer(argv, 3)
    n = integer(argv, 4)
    for entry in range(lo, hi):
        start = entry * n * n
        factors = from_element(factors_of, start)
        pivots = from_element(pivots_of, entry * n)
        for i in range(n):
            for j in range(n):
                factors[j * n + i] = matrix[start + i * n + j]
        lu_factor(n, factors, pivots)
        direction = {dtype}(1.0)
        total = {dtype}(0.0)
        size = {dtype}(1.0)
        inside = True
        for i in range(n):
            pivot = factors[i * n + i]
            direction = select(pivots[i] != i + 1, -direction, direction)
            direction = select(pivot < {dtype}(0.0), -direction, direction)
            direction = select(pivot == {dtype}(0.0), {dtype}(0.0), direction)
            total = total + log(absolute(pivot))
            size = size * absolute(pivot)
            inside = logical_and(inside, size > {dtype}({tiny}))
            inside = logical_and(inside, size < {dtype}({huge}))
        size = select(inside, size, exp(total))
        size = select(direction == {dtype}(0.0), {dtype}(0.0), size)
        result[entry] = select(total == total, direction * size, total)
"""
_RANGES = {"float32": ("1e-37", "3e38"), "float64": ("1e-307", "1e308")}


def _det_source(dtype: str) -> str:
    tiny, huge = _RANGES[dtype]
    return _DET.format(dtype=dtype, tiny=tiny, huge=huge)


_TRIANGULAR_SOLVE = """\
from graphc.target.primitives import (
    {dtype}, {dtype}_pointer, fail_index, from_element, integer, select, triangular_divide,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    right = {dtype}_pointer(argv, 1)
    result = {dtype}_pointer(argv, 2)
    n = integer(argv, 3)
    columns = integer(argv, 4)
    lower = integer(argv, 5)
    transposed = integer(argv, 6)
    unit = integer(argv, 7)
    code = integer(argv, 8)
    for entry in range(lo, hi):
        start = entry * n * n
        place = entry * n * columns
        for i in range(place, place + n * columns):
            result[i] = right[i]
        singular = 0
        if unit == 0:
            for i in range(n):
                zero = select(matrix[start + i * n + i] == {dtype}(0.0), i + 1, 0)
                singular = select(singular == 0, zero, singular)
        if singular != 0:
            fail_index(context, code, entry, singular)
        if singular == 0:
            triangle = from_element(matrix, start)
            solved = from_element(result, place)
            triangular_divide(n, columns, lower, transposed, unit, triangle, solved)
"""

_CHOLESKY = """\
from graphc.target.primitives import (
    cholesky_factor, divide, {dtype}, {dtype}_pointer, fail_index, from_element, integer, isfinite,
    select,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    result = {dtype}_pointer(argv, 1)
    n = integer(argv, 2)
    code = integer(argv, 3)
    for entry in range(lo, hi):
        start = entry * n * n
        strange = 0
        for i in range(n):
            row = start + i * n
            for j in range(i + 1):
                element = matrix[row + j]
                strange = select(isfinite(element), strange, 1)
                result[row + j] = element
            for j in range(i + 1, n):
                result[row + j] = {dtype}(0.0)
        if strange == 0:
            pivot = cholesky_factor(n, from_element(result, start))
            if pivot != 0:
                fail_index(context, code, entry, pivot)
        if strange != 0:
            for i in range(n):
                for j in range(i + 1):
                    result[start + i * n + j] = divide({dtype}(0.0), {dtype}(0.0))
"""

_EIGH = """\
from graphc.target.primitives import (
    divide, {dtype}, {dtype}_pointer, fail_index, from_element, int32_pointer, integer, isfinite,
    select, symmetric_eigen,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    values_of = {dtype}_pointer(argv, 1)
    vectors_of = {dtype}_pointer(argv, 2)
    work_of = {dtype}_pointer(argv, 3)
    places_of = int32_pointer(argv, 4)
    n = integer(argv, 5)
    work_size = integer(argv, 6)
    places_size = integer(argv, 7)
    code = integer(argv, 8)
    for entry in range(lo, hi):
        start = entry * n * n
        values = from_element(values_of, entry * n)
        vectors = from_element(vectors_of, start)
        strange = 0
        for i in range(n):
            for j in range(i + 1):
                element = matrix[start + i * n + j]
                strange = select(isfinite(element), strange, 1)
                vectors[i * n + j] = element
                vectors[j * n + i] = element
        if strange == 0:
            work = from_element(work_of, entry * work_size)
            places = from_element(places_of, entry * places_size)
            left = symmetric_eigen(n, vectors, values, work, work_size, places, places_size)
            if left != 0:
                fail_index(context, code, entry, left)
            for i in range(n):
                for j in range(i):
                    element = vectors[i * n + j]
                    vectors[i * n + j] = vectors[j * n + i]
                    vectors[j * n + i] = element
        if strange != 0:
            for i in range(n):
                values[i] = divide({dtype}(0.0), {dtype}(0.0))
            for i in range(n * n):
                vectors[i] = divide({dtype}(0.0), {dtype}(0.0))
"""

_QR = """\
from graphc.target.primitives import (
    divide, {dtype}, {dtype}_pointer, from_element, integer, isfinite, lq_factor, lq_form, select,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    orthogonal_of = {dtype}_pointer(argv, 1)
    triangle_of = {dtype}_pointer(argv, 2)
    factors_of = {dtype}_pointer(argv, 3)
    scales_of = {dtype}_pointer(argv, 4)
    work_of = {dtype}_pointer(argv, 5)
    m = integer(argv, 6)
    n = integer(argv, 7)
    k = integer(argv, 8)
    work_size = integer(argv, 9)
    for entry in range(lo, hi):
        start = entry * m * n
        factors = from_element(factors_of, start)
        orthogonal = from_element(orthogonal_of, entry * m * k)
        triangle = from_element(triangle_of, entry * k * n)
        strange = 0
        for i in range(m * n):
            element = matrix[start + i]
            strange = select(isfinite(element), strange, 1)
            factors[i] = element
        if strange == 0:
            scales = from_element(scales_of, entry * k)
            work = from_element(work_of, entry * work_size)
            lq_factor(n, m, factors, scales, work, work_size)
            for i in range(k):
                for j in range(i):
                    triangle[i * n + j] = {dtype}(0.0)
                for j in range(i, n):
                    triangle[i * n + j] = factors[i * n + j]
            for i in range(m):
                for j in range(k):
                    orthogonal[i * k + j] = factors[i * n + j]
            lq_form(k, m, orthogonal, scales, work, work_size)
        if strange != 0:
            for i in range(m * k):
                orthogonal[i] = divide({dtype}(0.0), {dtype}(0.0))
            for i in range(k * n):
                triangle[i] = divide({dtype}(0.0), {dtype}(0.0))
"""

_SVD = """\
from graphc.target.primitives import (
    divide, {dtype}, {dtype}_pointer, fail_index, from_element, int32_pointer, integer, isfinite,
    select, singular_values,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    left_of = {dtype}_pointer(argv, 1)
    values_of = {dtype}_pointer(argv, 2)
    right_of = {dtype}_pointer(argv, 3)
    copy_of = {dtype}_pointer(argv, 4)
    work_of = {dtype}_pointer(argv, 5)
    places_of = int32_pointer(argv, 6)
    m = integer(argv, 7)
    n = integer(argv, 8)
    k = integer(argv, 9)
    work_size = integer(argv, 10)
    code = integer(argv, 11)
    for entry in range(lo, hi):
        start = entry * m * n
        copy = from_element(copy_of, start)
        left = from_element(left_of, entry * m * k)
        values = from_element(values_of, entry * k)
        right = from_element(right_of, entry * k * n)
        strange = 0
        for i in range(m * n):
            element = matrix[start + i]
            strange = select(isfinite(element), strange, 1)
            copy[i] = element
        if strange == 0:
            work = from_element(work_of, entry * work_size)
            places = from_element(places_of, entry * 8 * k)
            open = singular_values(n, m, k, copy, values, right, left, work, work_size, places)
            if open != 0:
                fail_index(context, code, entry, open)
        if strange != 0:
            for i in range(m * k):
                left[i] = divide({dtype}(0.0), {dtype}(0.0))
            for i in range(k):
                values[i] = divide({dtype}(0.0), {dtype}(0.0))
            for i in range(k * n):
                right[i] = divide({dtype}(0.0), {dtype}(0.0))
"""

LINEAR_ALGEBRA: dict[str, str | Callable[[str], str]] = {
    "solve": _SOLVE,
    "slogdet": _SLOGDET,
    "det": _det_source,
    "triangular_solve": _TRIANGULAR_SOLVE,
    "cholesky": _CHOLESKY,
    "eigh": _EIGH,
    "qr": _QR,
    "svd": _SVD,
    "expm": exponential_source,
}
"""The kernel of each routine: a text with places for the element type, or a function of it."""
