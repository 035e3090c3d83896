"""Effects of compiled functions: the values that are printed, and where a check failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.errors import CheckFailedError
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.effect import print_value
from graphc.ops.evaluate import evaluate_all

Sizes = Mapping[str, int]


def precise_failure(graph: Graph, feed: Mapping[Node, Any], step: int) -> CheckFailedError | None:
    """The error of the first check that fails, in the order in which they were stated.

    Found by the interpreter, so it does not depend on threads, and tells both sides of a
    comparison. What is printed before that check is printed. None if all of them hold.
    """
    try:
        evaluate_all(graph.effects, feed, step)
    except CheckFailedError as error:
        return error
    return None


class Prints:
    """The values that each step of a loop prints: bytes that it writes, and how to read them.

    `sizes` are those of a whole batch and of the last, short one, None where there is none.
    """

    def __init__(self, printed: tuple[Node, ...], sizes: tuple[Sizes | None, Sizes | None]) -> None:
        self._printed = printed
        self._shapes = [
            [tuple(evaluate_dim(d, known) for d in effect.shape) for effect in printed]
            if known is not None
            else []
            for known in sizes
        ]
        self.memory = tuple(np.zeros(self._most_bytes(n), np.uint8) for n in range(len(printed)))

    def _most_bytes(self, number: int) -> int:
        """The memory that one value may take: never none, so that it has an address."""
        effect = self._printed[number]
        return max([1, *(_bytes(effect, shapes[number]) for shapes in self._shapes if shapes)])

    def show(self, rest: bool) -> None:
        """Print what the last step has written; `rest` says whether it took the short batch."""
        shapes = self._shapes[int(rest)]
        for effect, memory, shape in zip(self._printed, self.memory, shapes, strict=True):
            count = _bytes(effect, shape)
            print_value(effect, memory[:count].view(effect.dtype.numpy).reshape(shape))


def _bytes(effect: Node, shape: tuple[int, ...]) -> int:
    return effect.dtype.itemsize * int(np.prod(shape, dtype=np.int64))
