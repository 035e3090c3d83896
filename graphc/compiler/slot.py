"""One bound program with places for arguments and results: a call once its sizes are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.target.instance import Instance

# Arrays up to this size are copied to or from a place whose address is known: that is faster than
# asking NumPy for an address.
SMALL_BYTES = 16_384

ShapeAndType = tuple[tuple[int, ...], Any]


class Slot:
    """An instance with fixed places for small arguments and results."""

    __slots__ = ("_arguments", "_instance", "_large", "_registers", "_results", "_shapes")

    def __init__(
        self, instance: Instance, arrays: list[np.ndarray], outputs: list[ShapeAndType]
    ) -> None:
        self._instance = instance
        # Python reads and writes a memoryview faster than an array's elements.
        self._registers = memoryview(instance.registers)  # type: ignore[arg-type]
        self._arguments = [
            self._place(position, array.shape, array.dtype) for position, array in enumerate(arrays)
        ]
        self._shapes = outputs
        self._results = [
            self._place(position, *output)
            for position, output in enumerate(outputs, start=len(arrays))
        ]
        self._large = [
            (at, position)
            for at, position in enumerate(range(len(arrays), len(arrays) + len(outputs)))
            if self._results[at] is None
        ]

    def _place(self, register: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray | None:
        place = np.empty(shape, dtype)
        if place.nbytes > SMALL_BYTES:
            return None
        self._registers[register] = place.ctypes.data
        return place

    def run(self, arrays: list[np.ndarray], step: int) -> list[Any]:
        """The outputs for these arguments, which have the dtypes and shapes of the slot."""
        kept = []  # copies must outlive the run
        for position, place in enumerate(self._arguments):
            array = arrays[position]
            if place is not None:
                place[...] = array
                continue
            if not array.flags.c_contiguous:
                array = np.asarray(array, order="C")
                kept.append(array)
            self._registers[position] = array.ctypes.data
        fresh: dict[int, np.ndarray] = {}
        for at, position in self._large:
            fresh[at] = made = np.empty(*self._shapes[at])
            self._registers[position] = made.ctypes.data
        self._instance.run(step)
        return [
            fresh[at] if place is None else place.copy() if place.ndim else place[()]
            for at, place in enumerate(self._results)
        ]
