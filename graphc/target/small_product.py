"""C = alpha op(A) op(B) + beta C for small matrices, written as LLVM instructions.

A BLAS call on such sizes spends more time on its arguments, on copies of A and B and on borders
than on arithmetic. Here a block of C, some rows by two vectors, stays in registers while the
terms are added: each element is alpha times one chain of multiply-adds over k = 0, 1, ... (a
new chain after every 256), whatever its place in C, and whoever computes it.

- A is read element by element, so it may be transposed: only the two strides differ.
- B is read in rows of vectors. The columns of a transposed one are first copied side by side.
- Columns that fill no vector are masked off; rows that fill no block are computed as copies of
  the last one and not stored. Nothing outside the matrices is touched.
- With beta = 0, zeros stand for the rows of C. With alpha = 0, as in BLAS, A and B are not read.

The blocking is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
(2008), without the copies that pay only where matrices exceed a cache.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from llvmlite import binding, ir
from numba.core import cgutils, types

from graphc.target.instructions import Gemm
from graphc.target.llvm_vectors import VectorBuilder
from graphc.target.machine_intrinsics import BYTE, INT64, intrinsic

PART = 256
"""Terms added at once: two vectors of so many rows of B stay in the nearest cache."""

_VECTORS = 2  # across a block
_POINTER = BYTE.as_pointer()


class Block(NamedTuple):
    """The part of C that is computed at once: `rows` by two vectors."""

    vector_bytes: int
    rows: int  # even; enough sums to keep the multipliers busy, and all in registers
    masks: bool  # loads and stores of a part of a vector are instructions


@cache
def host_block() -> Block:
    """The block for this processor's registers."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f", False):
        return Block(64, 8, True)
    if features.get("avx", False):
        return Block(32, 6, True)
    x86 = str(binding.get_default_triple()).startswith(("x86_64", "i686"))
    return Block(16, 4 if x86 else 8, False)


class _Operands(NamedTuple):
    """Arguments as LLVM values: strides in bytes, counts in elements."""

    a: Any
    a_row: Any
    a_term: Any
    c: Any
    c_row: Any
    rows: Any
    terms: Any
    alpha: Any
    beta: Any
    old: Any  # what beta multiplies: C itself, or zeros
    old_row: Any
    old_column: Any  # 1, or 0


class _Stored(NamedTuple):
    """B, and room for columns of it."""

    room: Any
    b: Any
    leading: Any
    flipped: Any


class _Panel(NamedTuple):
    """Some columns of op(B) and of C."""

    b: Any
    b_term: Any
    column: Any  # where they begin in a row of C, in bytes
    masks: list[Any]  # of each vector; None if all its lanes exist


class _Writer(VectorBuilder):
    """Emits the function for one type of element."""

    def __init__(self, builder: ir.IRBuilder, width: int, block: Block) -> None:
        super().__init__(builder, width, block.vector_bytes)
        self.rows = block.rows

    def cell(self, row: Any, column: Gemm) -> Any:
        place = self.builder.add(row, INT64(8 * int(column)))
        return self.builder.load(self.builder.inttoptr(place, INT64.as_pointer()))

    def scalar(self, row: Any, column: Gemm) -> Any:
        wide = self.builder.bitcast(self.cell(row, column), ir.DoubleType())
        return wide if self.size == 8 else self.builder.fptrunc(wide, self.element)

    def operands(self, row: Any, a: Any, c: Any, rows: Any) -> _Operands:
        builder, size = self.builder, INT64(self.size)
        alpha, beta = self.scalar(row, Gemm.ALPHA), self.scalar(row, Gemm.BETA)
        nothing, zero = ir.Constant(self.element, 0.0), INT64(0)
        flipped = builder.icmp_signed("!=", self.cell(row, Gemm.TRANS_A), zero)
        a_leading = self.bytes(self.cell(row, Gemm.LDA))
        c_row = self.bytes(self.cell(row, Gemm.LDC))
        c = builder.inttoptr(c, _POINTER)
        zeros = self.memory(ir.ArrayType(self.vector, _VECTORS))
        builder.store(ir.Constant(ir.ArrayType(self.vector, _VECTORS), None), zeros)
        fresh = builder.fcmp_ordered("==", beta, nothing)
        absent = builder.fcmp_ordered("==", alpha, nothing)
        return _Operands(
            a=builder.inttoptr(a, _POINTER),
            a_row=builder.select(flipped, size, a_leading),
            a_term=builder.select(flipped, a_leading, size),
            c=c,
            c_row=c_row,
            rows=rows,
            terms=builder.select(absent, zero, self.cell(row, Gemm.K)),
            alpha=self.spread(alpha),
            beta=self.spread(beta),
            old=builder.select(fresh, builder.bitcast(zeros, _POINTER), c),
            old_row=builder.select(fresh, zero, c_row),
            old_column=builder.select(fresh, zero, INT64(1)),
        )

    def product(self, row: Any, a: Any, b: Any, c: Any, rows: Any, columns: Any) -> None:
        """The whole function: a part of the terms after the other, once at least."""
        builder = self.builder
        given = self.operands(row, a, c, rows)
        b = builder.inttoptr(b, _POINTER)
        leading = self.bytes(self.cell(row, Gemm.LDB))
        flipped = builder.icmp_signed("!=", self.cell(row, Gemm.TRANS_B), INT64(0))
        b_term = builder.select(flipped, INT64(self.size), leading)
        room = self.memory(ir.ArrayType(self.vector, PART * _VECTORS))
        stored = _Stored(builder.bitcast(room, _POINTER), b, leading, flipped)
        some = builder.icmp_signed(">", given.terms, INT64(0))
        with self.count(builder.select(some, given.terms, INT64(1)), PART) as term:
            start = self.at(b, builder.mul(term, b_term), BYTE)
            self.panels(self.part(given, term), stored._replace(b=start), columns)

    def part(self, given: _Operands, term: Any) -> _Operands:
        """The product of some terms from `term` on, added to C except for the first."""
        builder = self.builder
        first = builder.icmp_signed("==", term, INT64(0))
        one = self.spread(ir.Constant(self.element, 1.0))
        return given._replace(
            a=self.at(given.a, builder.mul(term, given.a_term), BYTE),
            terms=self.smaller(builder.sub(given.terms, term), INT64(PART)),
            beta=builder.select(first, given.beta, one),
            old=builder.select(first, given.old, given.c),
            old_row=builder.select(first, given.old_row, given.c_row),
            old_column=builder.select(first, given.old_column, INT64(1)),
        )

    def panels(self, given: _Operands, stored: _Stored, columns: Any) -> None:
        """One panel of two vectors after the other."""
        builder, across = self.builder, _VECTORS * self.lanes
        room, b, leading, flipped = stored
        with self.count(columns, across) as j:
            width = self.smaller(builder.sub(columns, j), INT64(across))
            column = self.bytes(j)
            start = builder.select(flipped, builder.mul(j, leading), column)
            source = self.at(b, start, BYTE)
            with builder.if_then(flipped):
                self.copy(room, source, leading, given.terms, width)
            source = builder.select(flipped, room, source)
            step = builder.select(flipped, INT64(_VECTORS * self.vector_bytes), leading)
            self.panel(given, _Panel(source, step, column, [None] * _VECTORS), width)

    def copy(self, room: Any, source: Any, leading: Any, terms: Any, width: Any) -> None:
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
                    down = builder.mul(down, INT64(_VECTORS * self.lanes))
                    place = self.bytes(builder.add(down, column))
                    self.store(vector, self.at(room, place, self.vector))

    def panel(self, given: _Operands, panel: _Panel, width: Any) -> None:
        """`width` columns: two vectors, two of which the second is a part, or a part of one."""
        builder = self.builder
        whole = builder.icmp_signed("==", width, INT64(_VECTORS * self.lanes))
        with builder.if_else(whole) as (all_lanes, some_lanes):
            with all_lanes:
                self.blocks(given, panel)
            with some_lanes:
                masks = [
                    self.first_lanes(builder.sub(width, INT64(vector * self.lanes)))
                    for vector in range(_VECTORS)
                ]
                wide = builder.icmp_signed(">", width, INT64(self.lanes))
                with builder.if_else(wide) as (two, one):
                    with two:
                        self.blocks(given, panel._replace(masks=[None, *masks[1:]]))
                    with one:
                        self.blocks(given, panel._replace(masks=masks[:1]))

    def blocks(self, given: _Operands, panel: _Panel) -> None:
        """All rows of a panel; what is left at the end may be half a block."""
        builder = self.builder
        with self.count(given.rows, self.rows) as i:
            height = self.smaller(builder.sub(given.rows, i), INT64(self.rows))
            many = builder.icmp_signed(">", height, INT64(self.rows // 2))
            with builder.if_else(many) as (whole, half):
                for branch, count in ((whole, self.rows), (half, self.rows // 2)):
                    with branch:
                        sums = self.sums(given, panel, i, height, count)
                        self.finish(given, panel, i, height, sums)

    def sums(
        self, given: _Operands, panel: _Panel, i: Any, height: Any, count: int
    ) -> list[list[Any]]:
        """op(A) op(B) on a block of `count` rows, of which `height` exist: rows of vectors."""
        builder = self.builder
        last = builder.sub(height, INT64(1))
        rows = [builder.add(i, self.smaller(INT64(row), last)) for row in range(count)]
        lines = [self.at(given.a, builder.mul(row, given.a_row), BYTE) for row in rows]
        sums = [[self.memory(self.vector) for _ in panel.masks] for _ in rows]
        for place in (place for places in sums for place in places):
            builder.store(self.zero(), place)
        with self.count(given.terms) as term:
            along = self.at(panel.b, builder.mul(term, panel.b_term), BYTE)
            right = [
                self.load(self.at(along, INT64(vector * self.vector_bytes), self.vector), mask)
                for vector, mask in enumerate(panel.masks)
            ]
            across = builder.mul(term, given.a_term)
            for line, places in zip(lines, sums, strict=True):
                left = self.spread(builder.load(self.at(line, across, self.element)))
                for place, factor in zip(places, right, strict=True):
                    builder.store(self.multiply_add(left, factor, builder.load(place)), place)
        return [[builder.load(place) for place in places] for places in sums]

    def finish(
        self, given: _Operands, panel: _Panel, i: Any, height: Any, sums: list[list[Any]]
    ) -> None:
        """alpha times the sums, plus beta C, to C: the rows that exist."""
        builder = self.builder
        done = builder.append_basic_block("stored")
        to = builder.add(builder.mul(i, given.c_row), panel.column)
        old_column = builder.mul(panel.column, given.old_column)
        old_place = builder.add(builder.mul(i, given.old_row), old_column)
        for row, line in enumerate(sums):
            for vector, (total, mask) in enumerate(zip(line, panel.masks, strict=True)):
                across = INT64(vector * self.vector_bytes)
                place = self.at(given.old, builder.add(old_place, across), self.vector)
                scaled = builder.fmul(given.alpha, total)
                result = self.multiply_add(given.beta, self.load(place, mask), scaled)
                place = self.at(given.c, builder.add(to, across), self.vector)
                self.store(result, place, mask)
            if row + 1 < len(sums):
                following = builder.append_basic_block("row")
                more = builder.icmp_signed(">", height, INT64(row + 1))
                builder.cbranch(more, following, done)
                builder.position_at_end(following)
                to = builder.add(to, given.c_row)
                old_place = builder.add(old_place, given.old_row)
        builder.branch(done)
        builder.position_at_end(done)


def define(module: ir.Module, width: int, block: Block) -> ir.Function:
    """The function for floats of `width` bits in `module`, there once: one tile of a GEMM row.

    void (row, a, b, c, rows, columns), int64 each: the row's address for all but the tile's place
    and size.
    """
    kind = ir.FunctionType(ir.VoidType(), [INT64] * 6)
    function = cgutils.get_or_insert_function(module, kind, f"graphc_small_product_{width}")
    if function.is_declaration:
        function.linkage = "internal"
        function.attributes.add("noinline")
        # All vectors are written out: LLVM is not to look for others.
        function.attributes.add("noimplicitfloat")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        _Writer(builder, width, block).product(*function.args)
        builder.ret_void()
    return function


@intrinsic
def multiply_small(
    typing_context: Any, row: Any, a: Any, b: Any, c: Any, rows: Any, columns: Any
) -> Any:
    """One tile of a GEMM row, of either type; see `define`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.add(args[0], INT64(8 * int(Gemm.DTYPE)))
        dtype = builder.load(builder.inttoptr(place, INT64.as_pointer()))
        narrow = builder.icmp_signed("==", dtype, INT64(0))
        with builder.if_else(narrow) as (single, double):
            for branch, width in ((single, 32), (double, 64)):
                with branch:
                    builder.call(define(builder.module, width, host_block()), args)
        return context.get_dummy_value()

    return types.none(*(types.int64,) * 6), emit
