"""The right operand of a product, as rows of vectors: where it is, or copied.

Two rooms hold copies: a panel that is multiplied, and the one that comes next.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir

from graphc.target.instructions import Gemm
from graphc.target.machine_intrinsics import BYTE, INT64
from graphc.target.product_panels import VECTORS, NextPanel, PanelBuilder

PART = 256
"""Terms added at once: two vectors of so many rows of B stay in the nearest cache."""

# Measured: with rows of B a page or more apart, a copy gained up to a third for 32 to 125 rows of A
# (nothing for 16); with rows 1 KB apart it lost 4 per cent for 128. Copied beside the product
# before, B of 1024 x 1024 takes 7 per cent less time with 128 rows of A, and 22 with 32.
COPY_ROWS, COPY_DISTANCE = 32, 4096

_POINTER = BYTE.as_pointer()


class Right(NamedTuple):
    """B, which has `terms` rows and `columns`, and room for two panels of it."""

    rooms: Any
    used: Any  # a variable: how far the room in use lies from the first, in bytes
    following: NextPanel
    b: Any
    leading: Any
    flipped: Any
    copied: Any
    columns: Any
    terms: Any


class RightBuilder(PanelBuilder):
    """Emits what finds panels of B, or makes them."""

    def right(self, row: Any, b: Any, rows: Any, columns: Any, terms: Any) -> Right:
        builder = self.builder
        leading = self.bytes(self.cell(row, Gemm.LDB))
        flipped = builder.icmp_signed("!=", self.cell(row, Gemm.TRANS_B), INT64(0))
        many = builder.icmp_signed(">=", rows, INT64(COPY_ROWS))
        far = builder.icmp_signed(">=", leading, INT64(COPY_DISTANCE))
        rooms = self.memory(ir.ArrayType(self.vector, 2 * PART * VECTORS))
        rooms = builder.bitcast(rooms, _POINTER)
        with builder.goto_entry_block():
            used = builder.alloca(INT64)
        builder.store(INT64(0), used)
        return Right(
            rooms=rooms,
            used=used,
            following=self.next_panel(rooms, leading),
            b=builder.inttoptr(b, _POINTER),
            leading=leading,
            flipped=flipped,
            copied=builder.or_(flipped, builder.and_(many, far)),
            columns=columns,
            terms=terms,
        )

    def place(self, right: Right, term: Any, column: Any) -> Any:
        """Where a panel of B begins."""
        builder = self.builder
        down = builder.select(right.flipped, column, term)
        across = self.bytes(builder.select(right.flipped, term, column))
        return self.at(right.b, builder.add(builder.mul(down, right.leading), across), BYTE)

    def fill(self, right: Right, room: Any, source: Any, terms: Any, width: Any) -> None:
        """Copy a panel, unless it has been copied beside the one before."""
        builder = self.builder
        missing = builder.not_(self.has_come(right.following, room, terms))
        with builder.if_then(missing), builder.if_else(right.flipped) as (upright, level):
            with upright:
                self.copy_columns(room, source, right.leading, terms, width)
            with level:
                self.copy_rows(room, source, right.leading, terms, width)

    def begin_next(self, right: Right, term: Any, column: Any) -> None:
        """Begin to copy the panel after the one at `column`, of this part of the terms or of the
        next, to the other room: if it is copied by rows, and these are whole.

        There are BESIDE blocks of rows or more, so it has come when these have been multiplied.
        """
        builder, across = self.builder, VECTORS * self.lanes
        other = builder.xor(builder.load(right.used), INT64(PART * self.row_bytes))
        builder.store(other, right.used)
        beside = builder.add(column, INT64(across))
        last = builder.icmp_signed(">=", beside, right.columns)
        column = builder.select(last, INT64(0), beside)
        term = builder.select(last, builder.add(term, INT64(PART)), term)
        terms = self.smaller(builder.sub(right.terms, term), INT64(PART))
        whole = builder.icmp_signed("<=", builder.add(column, INT64(across)), right.columns)
        whole = builder.and_(whole, builder.not_(right.flipped))
        terms = builder.select(whole, terms, INT64(0))
        room = self.at(right.rooms, other, BYTE)
        self.copy_next(right.following, self.place(right, term, column), room, terms)
