"""One bound program with places for arguments and results: a call once its sizes are known."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import numpy as np
from numpy import ndarray

from graphc.compiler.large_result import LargeResult
from graphc.target.instance import Instance
from graphc.target.storage import address

# Arrays up to this size are copied to or from a place whose address is known: that is faster than
# asking NumPy for an address.
SMALL_BYTES = 16_384

ShapeAndType = tuple[tuple[int, ...], Any]
# Position, place (None for a large array), shape, dtype, and the types of numbers that it may be.
_Argument = tuple[int, np.ndarray | None, tuple[int, ...], Any, Set[type]]

_NO_NUMBERS: frozenset[type] = frozenset()
_NUMBERS: dict[str, frozenset[type]] = {
    "f": frozenset((float, np.float64, np.float32)),
    "i": frozenset((int,)),
    "u": frozenset((int,)),
    "b": frozenset((bool,)),
}


def is_number(value: Any, dtype: np.dtype[Any]) -> bool:
    """Whether assigning `value` to an element casts it as it would an array of that one number.

    Not an integer to a float, which would be rounded twice, nor NumPy's integers, which would wrap
    around instead of being out of range.
    """
    return type(value) is dtype.type or type(value) in _NUMBERS[dtype.kind]


class Slot:
    """An instance with fixed places for small arguments and results.

    A call is `take(values)`, then `run(step)`, by one thread at a time. `numbers` are, for each
    argument, the types of numbers that are taken as they are where it has no axes.
    """

    __slots__ = (
        "_any_large", "_arguments", "_held", "_instance", "_large", "_registers", "_results",
        "_small",
    )  # fmt: skip

    def __init__(
        self,
        instance: Instance,
        arrays: Sequence[np.ndarray],
        outputs: list[ShapeAndType],
        numbers: Sequence[Set[type]] | None = None,
    ) -> None:
        self._instance = instance
        # Python reads and writes a memoryview faster than an array's elements.
        self._registers = memoryview(instance.registers)  # type: ignore[arg-type]
        known = numbers or [_NO_NUMBERS] * len(arrays)
        self._arguments: list[_Argument] = [
            (at, self._place(at, a.shape, a.dtype), a.shape, a.dtype, _NO_NUMBERS if a.ndim else n)
            for at, (a, n) in enumerate(zip(arrays, known, strict=True))
        ]
        self._held: dict[int, np.ndarray] = {}  # large arguments: they must outlive the run
        self._results = [
            self._place(position, *output)
            for position, output in enumerate(outputs, start=len(arrays))
        ]
        self._large = [
            (at, len(arrays) + at, LargeResult(*output))
            for at, output in enumerate(outputs)
            if self._results[at] is None
        ]
        self._any_large = any(place is None for place in self.places())
        self._small = [place for place in self._results if place is not None]

    def _place(self, register: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray | None:
        place = np.empty(shape, dtype)
        if place.nbytes > SMALL_BYTES:
            return None
        self._registers[register] = place.ctypes.data
        return place

    @property
    def instance(self) -> Instance:
        """The program that it runs."""
        return self._instance

    def places(self) -> list[np.ndarray | None]:
        """Where the program reads each argument and writes each result; None for a large one."""
        return [*(place for _, place, *_ in self._arguments), *self._results]

    @property
    def kept_bytes(self) -> int:
        """The bytes of large results that are kept for the next runs."""
        return sum(result.kept_bytes for _, _, result in self._large)

    def take(self, values: Sequence[Any]) -> bool:
        """Take the arguments of the next run. False if they have other shapes, or are yet to be
        made arrays of the declared dtypes."""
        try:
            for at, place, shape, dtype, numbers in self._arguments:  # faster than with zip
                value = values[at]
                if type(value) is ndarray:
                    if value.dtype is not dtype or value.shape != shape:
                        return False
                elif type(value) not in numbers:
                    return False
                if place is None:
                    self._point(at, value)
                else:
                    place[()] = value
        except OverflowError:  # an integer out of range
            return False
        return True

    def _point(self, position: int, array: np.ndarray) -> None:
        """Have the program read a large argument where it is, or a copy without gaps."""
        flags = array.flags
        if not (flags.c_contiguous and flags.aligned):
            array = np.array(array, order="C")
        self._held[position] = array
        self._registers[position] = address(array)

    def forget(self) -> None:
        """Let go of the large arguments taken."""
        self._held.clear()

    def run(self, step: int) -> list[Any]:
        """The outputs for the arguments taken last."""
        if self._any_large:
            return self._run_large(step)
        self._instance.run(step)
        results = []
        for place in self._small:  # faster than a comprehension of few
            results.append(place.copy() if place.ndim else place[()])
        return results

    def _run_large(self, step: int) -> list[Any]:
        """As `run`; large outputs are written to memory of their own, so they need no copy."""
        fresh: dict[int, np.ndarray] = {}
        for at, position, result in self._large:
            fresh[at] = made = result.make()
            self._registers[position] = address(made)
        try:
            self._instance.run(step)
        finally:
            self.forget()
        return [
            fresh[at] if place is None else place.copy() if place.ndim else place[()]
            for at, place in enumerate(self._results)
        ]
