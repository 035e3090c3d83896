"""Kernels written by hand: linear algebra, sorting, minibatches by index, and shuffling. The same
form as emitted ones."""

from __future__ import annotations

from collections.abc import Callable

from graphc.target.lapack_source import LINEAR_ALGEBRA
from graphc.target.ordering_source import ORDERING
from graphc.target.shuffling_source import SHUFFLING

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
    **LINEAR_ALGEBRA,
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
