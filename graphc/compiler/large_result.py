"""Arrays for large results. One that nobody refers to any more serves the next call.

Memory that is new to a process costs a page fault for each 4 KB when it is first written, which can
take longer than computing what is written.
"""

from __future__ import annotations

import math
import sys
import threading
from typing import Any
from weakref import getweakrefcount

import numpy as np

# Two: `y = f(x)` in a loop still holds the last result while the next is made.
_KEPT = 2
# All large results that are kept in a process take at most so many bytes.
MOST_BYTES = 1 << 28


class _Budget:
    """The bytes that may still be kept."""

    def __init__(self, left: int) -> None:
        self._left, self._lock = left, threading.Lock()

    def take(self, count: int) -> bool:
        """Whether so many bytes were left; they are taken then."""
        with self._lock:
            fits = count <= self._left
            self._left -= count if fits else 0
            return fits

    def give_back(self, count: int) -> None:
        """They may be taken again."""
        with self._lock:
            self._left += count


_budget = _Budget(MOST_BYTES)


def _references(arrays: list[np.ndarray], at: int) -> int:
    """How many refer to an array: the list, this call, whoever got it, and views of it."""
    return sys.getrefcount(arrays[at])


# What it gives for an array that only the list refers to; that differs between versions of Python.
_OURS = _references([np.empty(0)], 0)
# Without the global lock, counts are not exact.
_REFERENCES_ARE_COUNTED = getattr(sys, "_is_gil_enabled", lambda: True)()


class LargeResult:
    """One result of a program, made for each run; by one thread at a time."""

    __slots__ = ("_bytes", "_dtype", "_kept", "_shape")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype
        self._bytes = math.prod(shape) * dtype.itemsize
        self._kept: list[np.ndarray] = []

    @property
    def kept_bytes(self) -> int:
        """The bytes that are kept, in use or not."""
        return len(self._kept) * self._bytes

    def make(self) -> np.ndarray:
        """An array to write to that nobody else refers to, directly or by a view."""
        for at in range(len(self._kept)):
            if _references(self._kept, at) == _OURS and self._is_whole(self._kept[at]):
                return self._kept[at]
        made = np.empty(self._shape, self._dtype)
        if len(self._kept) == _KEPT:
            self._kept.pop(0)  # whoever holds it keeps it
            self._kept.append(made)
        elif _REFERENCES_ARE_COUNTED and _budget.take(self._bytes):
            self._kept.append(made)
        return made

    def _is_whole(self, array: np.ndarray) -> bool:
        """Whether an array is as it was made: who had it may have given it another shape, or may
        find it by a weak reference."""
        flags = array.flags
        same = array.shape == self._shape and array.dtype == self._dtype and flags.c_contiguous
        return same and flags.writeable and flags.owndata and not getweakrefcount(array)

    def __del__(self) -> None:
        _budget.give_back(self.kept_bytes)
