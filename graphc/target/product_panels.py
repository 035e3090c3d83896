"""What the texts of products share: cells of an instruction, and panels of a matrix.

A panel is some columns copied to rows of vectors that lie side by side; see `small_product`. The
next one is copied while the one before is multiplied: a row after every few terms, for which the
processor's loads and stores have time. It takes what the caches beyond the second take to answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from llvmlite import ir

from graphc.target.instructions import Gemm
from graphc.target.llvm_vectors import VectorBuilder
from graphc.target.machine_intrinsics import BYTE, INT64

VECTORS = 2
"""In a row of a panel."""

BESIDE = 4
"""After so many terms of a product a row of the panel that follows is copied."""

# It is asked for as many rows before it is copied: some hundred cycles each. More of them, when
# they lie a page apart, would share more places of the nearest cache than it has.
_AHEAD = 8


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


class NextPanel(NamedTuple):
    """A panel on its way to where it is needed next. Pointers are variables, in memory."""

    source: Any  # the row that is copied next
    to: Any  # where to
    end: Any  # where the last row ends
    leading: Any  # the distance of rows of the source, in bytes


class PanelBuilder(RowBuilder):
    """Emits the copies: `terms` rows of VECTORS vectors, of which `width` elements exist."""

    @property
    def row_bytes(self) -> int:
        """Bytes in a row of a panel."""
        return VECTORS * self.vector_bytes

    def copy_rows(self, room: Any, source: Any, leading: Any, terms: Any, width: Any) -> None:
        """Rows of B, `width` columns of them, to rows of `room`."""
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
            to = self.at(room, builder.mul(term, INT64(self.row_bytes)), BYTE)
            self._copy_row(line, to, masks)

    def _copy_row(self, line: Any, to: Any, masks: list[Any]) -> None:
        for vector, mask in enumerate(masks):
            across = INT64(vector * self.vector_bytes)
            loaded = self.load(self.at(line, across, self.vector), mask)
            self.store(loaded, self.at(to, across, self.vector))

    # ---- the panel that comes next

    def next_panel(self, room: Any, leading: Any) -> NextPanel:
        """None yet."""
        builder = self.builder
        with builder.goto_entry_block():
            source, to, end = (builder.alloca(room.type) for _ in range(3))
        following = NextPanel(source, to, end, leading)
        self.copy_next(following, room, room, INT64(0))
        return following

    def copy_next(self, following: NextPanel, source: Any, room: Any, terms: Any) -> None:
        """Begin to copy `terms` rows, all of their columns, to `room`."""
        size = self.builder.mul(terms, INT64(self.row_bytes))
        places = (source, room, self.at(room, size, BYTE))
        for value, place in zip(places, following[:3], strict=True):
            self.builder.store(value, place)

    def has_come(self, following: NextPanel, room: Any, terms: Any) -> Any:
        """Whether `room` has all of the `terms` rows that it needs."""
        size = self.builder.mul(terms, INT64(self.row_bytes))
        to = self.builder.load(following.to)
        return self.builder.icmp_unsigned("==", to, self.at(room, size, BYTE))

    @contextmanager
    def terms_beside(self, following: NextPanel, terms: Any) -> Iterator[Any]:
        """A loop over terms of a product that copies rows meanwhile, if there are any to copy."""
        builder = self.builder
        copying = self._is_coming(following)
        step = builder.select(copying, INT64(BESIDE), builder.add(terms, INT64(1)))
        with self.between(INT64(0), terms, step) as first:
            with builder.if_then(self._is_coming(following)):
                self._copy_one(following)
            stop = self.smaller(builder.add(first, step), terms)
            with self.between(first, stop, INT64(1)) as term:
                yield term

    def _is_coming(self, following: NextPanel) -> Any:
        builder = self.builder
        to, end = builder.load(following.to), builder.load(following.end)
        return builder.icmp_unsigned("<", to, end)

    def _copy_one(self, following: NextPanel) -> None:
        builder = self.builder
        line, to = builder.load(following.source), builder.load(following.to)
        ahead = self.at(line, builder.mul(following.leading, INT64(_AHEAD)), BYTE)
        for vector in range(VECTORS):
            self.prefetch(self.at(ahead, INT64(vector * self.vector_bytes), BYTE))
        self._copy_row(line, to, [None] * VECTORS)
        builder.store(self.at(line, following.leading, BYTE), following.source)
        builder.store(self.at(to, INT64(self.row_bytes), BYTE), following.to)

    # ---- columns

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
