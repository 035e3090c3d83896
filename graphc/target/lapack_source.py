"""Kernels of linear systems and determinants: one matrix of a stack after the other, by LAPACK.

Matrices lie row by row, which LAPACK reads as their transposes: LU transposes element by element.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.target.decomposition_source import DECOMPOSITIONS
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

LINEAR_ALGEBRA: dict[str, str | Callable[[str], str]] = {
    "solve": _SOLVE,
    "slogdet": _SLOGDET,
    "det": _det_source,
    "triangular_solve": _TRIANGULAR_SOLVE,
    **DECOMPOSITIONS,
    "expm": exponential_source,
}
"""The kernel of each routine: a text with places for the element type, or a function of it."""
