"""Calls of one point: numbers are written to where the program reads them, and back, without NumPy
in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from graphc.compiler.function import Function

# Types of which every value is a real number that Python makes a float of.
_NUMBERS = frozenset(
    [float, int, bool, *(kind for kind in np.sctypeDict.values() if np.dtype(kind).kind in "biuf")]
)

# Gives a result from the numbers that the program has written.
Reader = Callable[[], Any]


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether all of them are real numbers, or arrays without axes of one."""
    for value in values:
        if type(value) not in _NUMBERS and (
            type(value) is not ndarray or value.ndim or value.dtype.kind not in "biuf"
        ):
            return False
    return True


class NumberCall:
    """A program bound to one point, for one thread at a time.

    `function` has one float64 input with a row for each of `count` numbers, and one float64 output;
    `read` makes the reader of the results from the numbers of the output, which the next call
    overwrites.
    """

    __slots__ = ("_numbers", "_read", "_run", "_words")

    def __init__(
        self, function: Function, count: int, read: Callable[[np.ndarray], Reader]
    ) -> None:
        slot = function.bind([np.zeros((max(count, 1), 1))])
        argument, result = slot.places()
        assert argument is not None  # small, as the caller knows
        assert result is not None
        # Python writes a memoryview faster than an array's elements.
        self._words = memoryview(argument[:, 0])  # type: ignore[arg-type]
        self._numbers = range(count)
        self._run, self._read = slot.instance.run, read(result[:, 0])

    def __call__(self, values: Sequence[Any]) -> Any:
        """The results for these numbers."""
        words = self._words
        try:
            for at in self._numbers:  # faster than enumerate, for a few
                words[at] = values[at]
        except ValueError:
            raise OverflowError("int too large to convert to float") from None
        self._run(0)
        return self._read()
