"""Kernels written by hand that permute: see `graphc.ops.shuffling`."""

from __future__ import annotations

_PERMUTATION = """\
from graphc.target.primitives import int64_pointer, integer, logical_and, select


def kernel(lo, hi, argv, context):
    choices = int64_pointer(argv, 0)
    order = int64_pointer(argv, 1)
    n = integer(argv, 2)
    for i in range(n):
        chosen = choices[i]
        j = select(logical_and(chosen >= 0, chosen <= i), chosen, i)
        order[i] = order[j]
        order[j] = i
"""

# Rounds are the outer loop: a block of images stays near, and the inner loop has no branch.
_SWAP_OR_NOT = """\
from graphc.target.primitives import (
    int64, int64_pointer, integer, maximum, minimum, random_bits, select,
)


def kernel(lo, hi, argv, context):
    index = int64_pointer(argv, 0)
    pivots = int64_pointer(argv, 1)
    keys = int64_pointer(argv, 2)
    images = int64_pointer(argv, 3)
    n = integer(argv, 4)
    rounds = integer(argv, 5)
    for block in range((hi - lo + 1023) // 1024):
        first = lo + 1024 * block
        last = minimum(first + 1024, hi)
        for i in range(first, last):
            images[i] = index[i]
        for r in range(rounds):
            pivot = pivots[r]
            key = keys[r]
            for i in range(first, last):
                image = images[i]
                other = pivot - image
                other = select(other < 0, other + n, other)
                bits = int64(random_bits(key, 0, r, maximum(image, other)))
                images[i] = select(bits >= 2147483648, other, image)
"""

SHUFFLING = {"permutation": _PERMUTATION, "swap_or_not": _SWAP_OR_NOT}
