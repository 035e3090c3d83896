"""Memory whose neighbours may not be touched."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np


class Fenced:
    """Arrays between pages that may not be touched, at the end of what may be or at the start."""

    PAGE = mmap.PAGESIZE

    def __init__(self, at_the_end: bool) -> None:
        self.at_the_end = at_the_end
        self.kept: list[mmap.mmap] = []

    def array(self, count: int, dtype: str) -> np.ndarray:
        size = count * np.dtype(dtype).itemsize
        inside = -(-max(size, 1) // self.PAGE) * self.PAGE
        memory = mmap.mmap(-1, inside + 2 * self.PAGE)
        self.kept.append(memory)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        protect = ctypes.CDLL(None).mprotect
        for page in (start, start + self.PAGE + inside):
            assert protect(ctypes.c_void_p(page), ctypes.c_size_t(self.PAGE), 0) == 0
        offset = self.PAGE + (inside - size if self.at_the_end else 0)
        return np.frombuffer(memory, dtype, count, offset)
