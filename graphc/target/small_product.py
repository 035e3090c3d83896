"""C = alpha op(A) op(B) + beta C for one tile of a product, written as LLVM instructions.

A BLAS call spends time on its arguments, on copies of A and B and on borders; on tiles up to some
hundreds of rows and columns that is more than what its copies save. Here a block of C, some rows by
two vectors, stays in registers while the terms are added: each element is alpha times one chain of
multiply-adds over k = 0, 1, ... (a new chain after every 256), whatever its place in C, and whoever
computes it.

- A is read element by element, so it may be transposed: only the two strides differ.
- B is read in rows of vectors, two vectors wide. The columns of a transposed one are first copied
  side by side; so are rows that lie a page or more apart, which would share few sets of the nearest
  cache, if enough rows of A use the copy. Rows of the next vectors are copied while those before
  are multiplied.
- Columns that fill no vector are masked off; rows that fill no block are computed as copies of
  the last one and not stored. Nothing outside the matrices is touched.
- With beta = 0, zeros stand for the rows of C. With alpha = 0, as in BLAS, A and B are not read.

The blocking is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
(2008), without the copies of A.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from llvmlite import binding, ir
from numba.core import cgutils, types

from graphc.target.instructions import Gemm
from graphc.target.machine_intrinsics import BYTE, INT64, intrinsic
from graphc.target.product_panels import VECTORS, NextPanel
from graphc.target.product_right import PART, Right, RightBuilder

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


class _Panel(NamedTuple):
    """Some columns of op(B) and of C."""

    b: Any
    b_term: Any
    column: Any  # where they begin in a row of C, in bytes
    masks: list[Any]  # of each vector; None if all its lanes exist
    following: NextPanel


class _Writer(RightBuilder):
    """Emits the function for one type of element."""

    def __init__(self, builder: ir.IRBuilder, width: int, block: Block) -> None:
        super().__init__(builder, width, block.vector_bytes)
        self.rows = block.rows

    def operands(self, row: Any, a: Any, c: Any, rows: Any, terms: Any) -> _Operands:
        builder, size = self.builder, INT64(self.size)
        alpha, beta = self.scalar(row, Gemm.ALPHA), self.scalar(row, Gemm.BETA)
        nothing, zero = ir.Constant(self.element, 0.0), INT64(0)
        flipped = builder.icmp_signed("!=", self.cell(row, Gemm.TRANS_A), zero)
        a_leading = self.bytes(self.cell(row, Gemm.LDA))
        c_row = self.bytes(self.cell(row, Gemm.LDC))
        c = builder.inttoptr(c, _POINTER)
        zeros = self.memory(ir.ArrayType(self.vector, VECTORS))
        builder.store(ir.Constant(ir.ArrayType(self.vector, VECTORS), None), zeros)
        fresh = builder.fcmp_ordered("==", beta, nothing)
        absent = builder.fcmp_ordered("==", alpha, nothing)
        return _Operands(
            a=builder.inttoptr(a, _POINTER),
            a_row=builder.select(flipped, size, a_leading),
            a_term=builder.select(flipped, a_leading, size),
            c=c,
            c_row=c_row,
            rows=rows,
            terms=builder.select(absent, zero, terms),
            alpha=self.spread(alpha),
            beta=self.spread(beta),
            old=builder.select(fresh, builder.bitcast(zeros, _POINTER), c),
            old_row=builder.select(fresh, zero, c_row),
            old_column=builder.select(fresh, zero, INT64(1)),
        )

    def product(
        self, row: Any, a: Any, b: Any, c: Any, rows: Any, columns: Any, terms: Any
    ) -> None:
        """The whole function: a part of the terms after the other, once at least."""
        builder = self.builder
        given = self.operands(row, a, c, rows, terms)
        right = self.right(row, b, rows, columns, given.terms)
        some = builder.icmp_signed(">", given.terms, INT64(0))
        with self.count(builder.select(some, given.terms, INT64(1)), PART) as term:
            self.panels(self.part(given, term), right, term)

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

    def panels(self, given: _Operands, right: Right, term: Any) -> None:
        """One panel of two vectors after the other."""
        builder, across = self.builder, VECTORS * self.lanes
        with self.count(right.columns, across) as j:
            width = self.smaller(builder.sub(right.columns, j), INT64(across))
            source = self.place(right, term, j)
            room = self.at(right.rooms, builder.load(right.used), BYTE)
            with builder.if_then(right.copied):
                self.fill(right, room, source, given.terms, width)
                self.begin_next(right, term, j)
            source = builder.select(right.copied, room, source)
            step = builder.select(right.copied, INT64(self.row_bytes), right.leading)
            panel = _Panel(source, step, self.bytes(j), [None] * VECTORS, right.following)
            self.panel(given, panel, width)

    def panel(self, given: _Operands, panel: _Panel, width: Any) -> None:
        """`width` columns: two vectors, two of which the second is a part, or a part of one."""
        builder = self.builder
        whole = builder.icmp_signed("==", width, INT64(VECTORS * self.lanes))
        with builder.if_else(whole) as (all_lanes, some_lanes):
            with all_lanes:
                self.blocks(given, panel)
            with some_lanes:
                masks = [
                    self.first_lanes(builder.sub(width, INT64(vector * self.lanes)))
                    for vector in range(VECTORS)
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
        if panel.masks == [None] * VECTORS:
            is_read = builder.icmp_signed("!=", given.old_column, INT64(0))
            with builder.if_then(is_read):
                self.ask_for(given, panel, i, count)
        whole = count == self.rows  # what is no whole block may be all there is, and is soon done
        terms = given.terms
        with self.terms_beside(panel.following, terms) if whole else self.count(terms) as term:
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

    def ask_for(self, given: _Operands, panel: _Panel, i: Any, count: int) -> None:
        """Have a block of C come near while its sums are made.

        Not where it is only written: a whole line that is overwritten need not be read.
        """
        builder = self.builder
        place = builder.add(builder.mul(i, given.c_row), panel.column)
        for _ in range(count):
            for vector in range(VECTORS):
                across = builder.add(place, INT64(vector * self.vector_bytes))
                self.prefetch(self.at(given.c, across, BYTE), to_write=True)
            place = builder.add(place, given.c_row)

    def finish(
        self, given: _Operands, panel: _Panel, i: Any, height: Any, sums: list[list[Any]]
    ) -> None:
        """alpha times the sums, plus beta C, to C: the rows that exist.

        All that is read comes first. What a part of a vector was written to cannot be read before
        the write has left the processor's queue, and parts of vectors in adjacent rows overlap.
        """
        builder = self.builder
        results = self.updated(given, panel, i, height, sums)
        done = builder.append_basic_block("stored")
        to = builder.add(builder.mul(i, given.c_row), panel.column)
        for row, line in enumerate(results):
            for vector, (result, mask) in enumerate(zip(line, panel.masks, strict=True)):
                across = INT64(vector * self.vector_bytes)
                place = self.at(given.c, builder.add(to, across), self.vector)
                self.store(result, place, mask)
            if row + 1 < len(results):
                following = builder.append_basic_block("row")
                more = builder.icmp_signed(">", height, INT64(row + 1))
                builder.cbranch(more, following, done)
                builder.position_at_end(following)
                to = builder.add(to, given.c_row)
        builder.branch(done)
        builder.position_at_end(done)

    def updated(
        self, given: _Operands, panel: _Panel, i: Any, height: Any, sums: list[list[Any]]
    ) -> list[list[Any]]:
        """alpha times the sums, plus beta C; for rows that do not exist, with the last one's C."""
        builder = self.builder
        last = builder.sub(height, INT64(1))
        old_column = builder.mul(panel.column, given.old_column)
        results: list[list[Any]] = []
        for row, line in enumerate(sums):
            place = builder.add(i, self.smaller(INT64(row), last))
            place = builder.add(builder.mul(place, given.old_row), old_column)
            results.append([])
            for vector, (total, mask) in enumerate(zip(line, panel.masks, strict=True)):
                across = builder.add(place, INT64(vector * self.vector_bytes))
                old = self.load(self.at(given.old, across, self.vector), mask)
                scaled = builder.fmul(given.alpha, total)
                results[-1].append(self.multiply_add(given.beta, old, scaled))
        return results


def define(module: ir.Module, width: int, block: Block) -> ir.Function:
    """The function for floats of `width` bits in `module`, there once: one tile of a GEMM row.

    void (row, a, b, c, rows, columns, terms), int64 each: the row's address for all but the tile's
    place and size.
    """
    kind = ir.FunctionType(ir.VoidType(), [INT64] * 7)
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
    typing_context: Any, row: Any, a: Any, b: Any, c: Any, rows: Any, columns: Any, terms: Any
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

    return types.none(*(types.int64,) * 7), emit
