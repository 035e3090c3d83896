"""Kernels written by hand: LAPACK routines, minibatches by index, and shuffling. The same form as
emitted ones."""

from __future__ import annotations

from collections.abc import Callable

from graphc.target.ordering_source import ORDERING
from graphc.target.shuffling_source import SHUFFLING

_SOLVE = """\
from graphc.target.primitives import (
    {dtype}_pointer, fail, int32_pointer, integer, lu_factor, lu_solve,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    right = {dtype}_pointer(argv, 1)
    result = {dtype}_pointer(argv, 2)
    factors = {dtype}_pointer(argv, 3)
    pivots = int32_pointer(argv, 4)
    solved = {dtype}_pointer(argv, 5)
    n = integer(argv, 6)
    columns = integer(argv, 7)
    code = integer(argv, 8)
    for i in range(n):
        for j in range(n):
            factors[j * n + i] = matrix[i * n + j]
        for j in range(columns):
            solved[j * n + i] = right[i * columns + j]
    singular = lu_factor(n, factors, pivots)
    if singular != 0:
        fail(context, code, singular)
    if singular == 0:
        lu_solve(n, columns, factors, solved, pivots)
    for i in range(n):
        for j in range(columns):
            result[i * columns + j] = solved[j * n + i]
"""

_SLOGDET = """\
from graphc.target.primitives import (
    absolute, {dtype}, {dtype}_pointer, int32_pointer, integer, log, lu_factor, select,
)


def kernel(lo, hi, argv, context):
    matrix = {dtype}_pointer(argv, 0)
    direction_of = {dtype}_pointer(argv, 1)
    logarithm = {dtype}_pointer(argv, 2)
    factors = {dtype}_pointer(argv, 3)
    pivots = int32_pointer(argv, 4)
    n = integer(argv, 5)
    for i in range(n):
        for j in range(n):
            factors[j * n + i] = matrix[i * n + j]
    lu_factor(n, factors, pivots)
    direction = {dtype}(1.0)
    total = {dtype}(0.0)
    for i in range(n):
        pivot = factors[i * n + i]
        direction = select(pivots[i] != i + 1, -direction, direction)
        direction = select(pivot < {dtype}(0.0), -direction, direction)
        direction = select(pivot == {dtype}(0.0), {dtype}(0.0), direction)
        total = total + log(absolute(pivot))
    direction_of[0] = direction
    logarithm[0] = total
"""

_GATHER = """\
from graphc.target.primitives import {dtype}_pointer, int64_pointer, integer


def kernel(lo, hi, argv, context):
    rows = {dtype}_pointer(argv, 0)
    order = int64_pointer(argv, 1)
    batch = {dtype}_pointer(argv, 2)
    first = integer(argv, 3)
    width = integer(argv, 4)
    for i in range(lo, hi):
        chosen = order[first + i] * width
        for j in range(width):
            batch[i * width + j] = rows[chosen + j]
"""

# The shuffle of Fisher and Yates, as Knuth gives it (algorithm 3.4.2P), with an index from 32
# random bits: for n items a place is off from uniform by less than n / 2**32.
_SHUFFLE = """\
from graphc.target.primitives import int64, int64_pointer, integer, random_bits


def kernel(lo, hi, argv, context):
    order = int64_pointer(argv, 0)
    n = integer(argv, 1)
    seed = integer(argv, 2)
    epoch = integer(argv, 3)
    for i in range(n):
        order[i] = i
    for k in range(n - 1):
        i = n - 1 - k
        j = (int64(random_bits(seed, {use}, epoch, i)) * (i + 1)) >> 32
        moved = order[i]
        order[i] = order[j]
        order[j] = moved
"""

# A use that no stream reaches: the order of examples is independent of every draw in the model.
SHUFFLE_USE = 2**62


# The kernel of each routine operation, by its name: a text with places for the first operand's
# dtype, or a function of it.
_ROUTINES: dict[str, str | Callable[[str], str]] = {
    "solve": _SOLVE,
    "slogdet": _SLOGDET,
    **ORDERING,
    **SHUFFLING,
}


def routine_source(name: str, dtype: str) -> str:
    """The kernel of a routine operation for one element type."""
    known = _ROUTINES[name]
    return known.format(dtype=dtype) if isinstance(known, str) else known(dtype)


def gather_source(dtype: str) -> str:
    """The kernel that copies chosen rows of a data set into a minibatch."""
    return _GATHER.format(dtype=dtype)


def shuffle_source() -> str:
    """The kernel that puts the examples of one epoch in order."""
    return _SHUFFLE.format(use=SHUFFLE_USE)
