"""What the texts of products share: cells of an instruction, and panels of a matrix.

A panel is some columns copied to rows of vectors that lie side by side; see `small_product`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.target.instructions import Gemm
from graphc.target.llvm_vectors import VectorBuilder
from graphc.target.machine_intrinsics import BYTE, INT64

VECTORS = 2
"""In a row of a panel."""


class RowBuilder(VectorBuilder):
    """Reads an instruction, whose address is an integer."""

    def cell(self, row: Any, column: Gemm) -> Any:
        """The integer there."""
        place = self.builder.add(row, INT64(8 * int(column)))
        return self.builder.load(self.builder.inttoptr(place, INT64.as_pointer()))

    def scalar(self, row: Any, column: Gemm) -> Any:
        """The number there, as an element."""
        wide = self.builder.bitcast(self.cell(row, column), ir.DoubleType())
        return wide if self.size == 8 else self.builder.fptrunc(wide, self.element)


class PanelBuilder(RowBuilder):
    """Emits the copies: `terms` rows of VECTORS vectors, of which `width` elements exist."""

    def copy_rows(self, room: Any, source: Any, leading: Any, terms: Any, width: Any) -> None:
        """Rows of B, `width` columns of them, to rows of `room`.

        What the next panel is going to copy is asked for meanwhile: the processor does not foresee
        an access to another page.
        """
        builder = self.builder
        whole = builder.icmp_signed("==", width, INT64(VECTORS * self.lanes))
        with builder.if_else(whole) as (all_lanes, some_lanes):
            with all_lanes:
                self._copy_rows(room, source, leading, terms, [None] * VECTORS)
            with some_lanes:
                left = [builder.sub(width, INT64(place * self.lanes)) for place in range(VECTORS)]
                masks = [self.first_lanes(count) for count in left]
                self._copy_rows(room, source, leading, terms, masks)

    def _copy_rows(
        self, room: Any, source: Any, leading: Any, terms: Any, masks: list[Any]
    ) -> None:
        builder = self.builder
        with self.count(terms) as term:
            line = self.at(source, builder.mul(term, leading), BYTE)
            to = self.at(room, builder.mul(term, INT64(VECTORS * self.vector_bytes)), BYTE)
            for vector, mask in enumerate(masks):
                across = INT64(vector * self.vector_bytes)
                following = INT64((VECTORS + vector) * self.vector_bytes)
                self.prefetch(self.at(line, following, BYTE))
                loaded = self.load(self.at(line, across, self.vector), mask)
                self.store(loaded, self.at(to, across, self.vector))

    def copy_columns(self, room: Any, source: Any, leading: Any, terms: Any, width: Any) -> None:
        """Columns of op(B), stored as rows, to rows of `room`, in squares of lanes x lanes.

        What lies beyond the columns is a copy of the last, beyond the terms zero.
        """
        builder = self.builder
        last = builder.sub(width, INT64(1))
        with self.count(width, self.lanes) as column:
            places = [
                self.smaller(builder.add(column, INT64(lane)), last) for lane in range(self.lanes)
            ]
            lines = [self.at(source, builder.mul(place, leading), BYTE) for place in places]
            with self.count(terms, self.lanes) as term:
                mask = self.first_lanes(builder.sub(terms, term))
                along = self.bytes(term)
                square = [self.load(self.at(line, along, self.vector), mask) for line in lines]
                for lane, vector in enumerate(self.transposed(square)):
                    down = builder.add(term, INT64(lane))
                    down = builder.mul(down, INT64(VECTORS * self.lanes))
                    place = self.bytes(builder.add(down, column))
                    self.store(vector, self.at(room, place, self.vector))
