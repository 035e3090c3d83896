"""The memory of a program: its arena, and the cells and registers of its table."""

from __future__ import annotations

import ctypes

import numpy as np

from graphc.schedule.memory import ALIGNMENT


def aligned(size: int) -> np.ndarray:
    """`size` bytes whose address is a multiple of 64."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -int(memory.ctypes.data) % ALIGNMENT
    return memory[start : start + size]


def address(array: np.ndarray) -> int:
    """Where the elements of a C-contiguous array are."""
    try:
        # A fifth of the time that NumPy takes to tell;
        # not for a read-only or an empty array.
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return int(array.ctypes.data)


class Cells:
    """int64 cells at fixed addresses: the argument tables of kernels, and everything that is
    patched."""

    def __init__(self, count: int) -> None:
        self.array = np.zeros(max(count, 1), np.int64)
        self._used = 0

    def take(self, count: int) -> int:
        """The index of the first of `count` new cells."""
        first = self._used
        self._used += count
        assert self._used <= self.array.size
        return first

    def address(self, index: int) -> int:
        """The address of a cell."""
        return int(self.array.ctypes.data) + 8 * index


class Registers:
    """The registers of a program: those of inputs and outputs, then those of its loops."""

    def __init__(self, array: np.ndarray, used: int) -> None:
        self.array, self._used = array, used

    def take(self) -> int:
        """The index of a new register."""
        self._used += 1
        assert self._used <= self.array.size
        return self._used - 1

    def address(self, index: int) -> int:
        """The address of a register."""
        return int(self.array.ctypes.data) + 8 * index
