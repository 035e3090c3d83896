"""Kernels of decompositions: one matrix of a stack after the other, by LAPACK.

Matrices lie row by row, which LAPACK reads as their transposes. A symmetric matrix is its own; the
LQ factors and the singular vectors of a transpose are those of the matrix, exchanged. Only
eigenvectors are transposed element by element.

The decomposition of a matrix that holds nan or inf is nan: what LAPACK does with it is not defined.
"""

from __future__ import annotations

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

DECOMPOSITIONS = {"cholesky": _CHOLESKY, "eigh": _EIGH, "qr": _QR, "svd": _SVD}
"""The kernel of each decomposition: a text with places for the element type."""
