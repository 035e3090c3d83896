"""LLVM instructions on whole vectors of floats, for texts that do not wait for the vectorizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from graphc.target.llvm_arithmetic import FLOAT_TYPES, host_fuses
from graphc.target.machine_intrinsics import BYTE, INT32, INT64


class VectorBuilder:
    """Emits operations on vectors of `vector_bytes` with floats of `width` bits in their lanes.

    A mask is a vector of bits, or None for all lanes. Where it is off, a load gives 0 and a store
    leaves the memory alone; neither touches it there.
    """

    def __init__(self, builder: ir.IRBuilder, width: int, vector_bytes: int) -> None:
        self.builder = builder
        self.vector_bytes = vector_bytes
        self.size = width // 8
        self.lanes = vector_bytes // self.size
        self.element = FLOAT_TYPES[width]
        self.vector = ir.VectorType(self.element, self.lanes)
        self._suffix = f"v{self.lanes}f{width}"

    # --- words and places ------------------------------------------------------------------------

    def bytes(self, elements: Any) -> Any:
        """What that many elements take."""
        return self.builder.mul(elements, INT64(self.size))

    def smaller(self, a: Any, b: Any) -> Any:
        """The minimum of two signed integers."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def at(self, pointer: Any, offset: Any, kind: Any) -> Any:
        """A pointer to `kind`, `offset` bytes behind another."""
        moved = self.builder.gep(pointer, [offset], source_etype=BYTE)
        return self.builder.bitcast(moved, kind.as_pointer())

    def memory(self, kind: Any) -> Any:
        """Room on the stack, not initialised (what Numba allocates is filled with zeros)."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(kind)
        place.align = self.vector_bytes
        return place

    @contextmanager
    def count(self, stop: Any, step: int = 1) -> Iterator[Any]:
        """A loop over 0, step, ... below `stop`."""
        with self.between(INT64(0), stop, INT64(step)) as index:
            yield index

    @contextmanager
    def between(self, start: Any, stop: Any, step: Any) -> Iterator[Any]:
        """A loop over start, start + step, ... below `stop`."""
        with cgutils.for_range_slice(self.builder, start, stop, step, INT64) as (index, _):
            yield index

    # --- vectors ---------------------------------------------------------------------------------

    def zero(self) -> Any:
        """Zeros."""
        return ir.Constant(self.vector, None)

    def spread(self, value: Any) -> Any:
        """A vector with `value`, a float or an integer, in each lane."""
        undefined = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, value, INT32(0))
        return self._shuffle(first, first, [0] * self.lanes)

    def first_lanes(self, count: Any) -> Any:
        """The mask that is on in the first `count` lanes: none if it is negative."""
        counted = self.spread(count)
        return self.builder.icmp_signed(
            "<", ir.Constant(counted.type, list(range(self.lanes))), counted
        )

    def load(self, pointer: Any, mask: Any = None) -> Any:
        """The vector there, at the alignment of its elements."""
        if mask is None:
            return self.builder.load(pointer, align=self.size)
        arguments = [pointer, INT32(self.size), mask, self.zero()]
        return self._call(f"llvm.masked.load.{self._suffix}.p0", self.vector, arguments)

    def store(self, value: Any, pointer: Any, mask: Any = None) -> None:
        """Write the vector there."""
        if mask is None:
            self.builder.store(value, pointer, align=self.size)
        else:
            arguments = [value, pointer, INT32(self.size), mask]
            self._call(f"llvm.masked.store.{self._suffix}.p0", ir.VoidType(), arguments)

    def prefetch(self, pointer: Any, to_write: bool = False) -> None:
        """Have the line there come near: into the nearest cache to be written, else the next."""
        kind = ir.FunctionType(ir.VoidType(), [BYTE.as_pointer(), INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        how = (INT32(1), INT32(3)) if to_write else (INT32(0), INT32(2))
        self.builder.call(function, [pointer, *how, INT32(1)])

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, rounded once where the processor can."""
        if host_fuses():
            return self._call(f"llvm.fma.{self._suffix}", self.vector, [a, b, c])
        return self.builder.fadd(self.builder.fmul(a, b), c)

    def transposed(self, square: list[Any]) -> list[Any]:
        """Rows to columns of lanes x lanes: in each stage pairs of rows exchange what the other's
        half misses."""
        distance = self.lanes // 2
        while distance:
            exchanged = list(square)
            for row in (row for row in range(self.lanes) if not row & distance):
                pair = square[row], square[row + distance]
                exchanged[row] = self._exchange(pair, distance, 0)
                exchanged[row + distance] = self._exchange(pair, distance, distance)
            square, distance = exchanged, distance // 2
        return square

    def _exchange(self, pair: tuple[Any, Any], distance: int, shift: int) -> Any:
        order = [
            lane + shift - distance + self.lanes if lane & distance else lane + shift
            for lane in range(self.lanes)
        ]
        return self._shuffle(*pair, order)

    def _shuffle(self, a: Any, b: Any, order: list[int]) -> Any:
        lanes = ir.Constant(ir.VectorType(INT32, self.lanes), order)
        return self.builder.shuffle_vector(a, b, lanes)

    def _call(self, name: str, result: Any, arguments: list[Any]) -> Any:
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, arguments)
