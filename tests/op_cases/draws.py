"""Cases of the group: draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.node import Node
from graphc.ops.philox import random_words
from graphc.ops.random_bits import below, bits_below_op
from graphc.ops.shuffling import permutation, swap_or_not
from tests.op_cases.case import Case

_WORDS = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)
_LIMITS = np.array([1, 7, 2**40 + 3, 2**63 - 1])
_CHOICES = np.array([0, 0, 2, 1, 9, -1])


def _below(a: Node, b: Node, c: Node, limit: Node) -> Node:
    return below(limit, (a, b, c, c))


def _exact_below(a: np.ndarray, b: np.ndarray, c: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """By whole numbers of any length."""
    parts = zip(a.tolist(), b.tolist(), c.tolist(), limit.tolist(), strict=True)
    return np.array([(((x << 64) | (y << 32) | z) * n) >> 96 for x, y, z, n in parts])


def _exchanged(choices: np.ndarray) -> np.ndarray:
    """The exchanges one by one, on a list that grows."""
    order: list[int] = []
    for i, j in enumerate(choices.tolist()):
        order.append(i)
        j = j if 0 <= j <= i else i
        order[i], order[j] = order[j], order[i]
    return np.array(order)


def _shuffled(index: Node, pivots: Node, keys: Node) -> Node:
    return swap_or_not(index, 12, pivots, keys)


def _swapped(index: np.ndarray, pivots: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """With pairs exchanged as the definition says, for one index after the other."""
    images = []
    for image in index.tolist():
        for number, (pivot, key) in enumerate(zip(pivots.tolist(), keys.tolist(), strict=True)):
            other = (pivot - image) % 12
            if int(random_words(key, 0, number, max(image, other))) >> 31:
                image = other
        images.append(image)
    return np.array(images)


def _case(build: Callable[..., Node], oracle: Callable[..., Any], *exact: np.ndarray) -> Case:
    shapes = tuple(array.shape for array in exact)
    return Case(build, shapes, oracle, exact=dict(enumerate(exact)), smooth=False)


CASES: dict[str, Case] = {
    bits_below_op.name: _case(_below, _exact_below, *(_WORDS[[3, 2, 1, 3]], _WORDS[[0, 3, 1, 3]],
    _WORDS[[2, 1, 0, 3]]), _LIMITS),
    "permutation": _case(permutation, _exchanged, _CHOICES),
    "swap_or_not": _case(_shuffled, _swapped, np.arange(12), np.array([3, 0, 11, 7]),
    np.array([1, -5, 2**62, 9])),
}  # fmt: skip
