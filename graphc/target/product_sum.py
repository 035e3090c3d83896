"""C = P1 + P2 + ... + beta C for the parts of a product, written as LLVM instructions.

A product whose terms were cut has a matrix for each part of them. Each element is added up in the
order of the parts, whoever does it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from graphc.target.instructions import Gemm
from graphc.target.machine_intrinsics import BYTE, INT64, intrinsic
from graphc.target.product_panels import RowBuilder
from graphc.target.small_product import Block, host_block

_POINTER = BYTE.as_pointer()


class _Writer(RowBuilder):
    """Emits the function for one type of element."""

    def rows(self, row: Any, a: Any, c: Any, rows: Any) -> None:
        """`rows` rows of C, and of the first part, which begin at `c` and `a`."""
        builder = self.builder
        a, c = (builder.inttoptr(address, _POINTER) for address in (a, c))
        a_row, c_row = (self.bytes(self.cell(row, column)) for column in (Gemm.LDA, Gemm.LDC))
        width = self.bytes(self.cell(row, Gemm.N))
        with self.count(rows) as i:
            line = self.at(a, builder.mul(i, a_row), BYTE)
            to = self.at(c, builder.mul(i, c_row), BYTE)
            with self.count(width, self.vector_bytes) as across:
                left = builder.sdiv(builder.sub(width, across), INT64(self.size))
                whole = builder.icmp_signed(">=", left, INT64(self.lanes))
                places = self.at(line, across, self.vector), self.at(to, across, self.vector)
                with builder.if_else(whole) as (all_lanes, some_lanes):
                    with all_lanes:
                        self.vector_of(row, *places, None)
                    with some_lanes:
                        self.vector_of(row, *places, self.first_lanes(left))

    def vector_of(self, row: Any, place: Any, to: Any, mask: Any) -> None:
        """One vector of C."""
        builder = self.builder
        apart = self.bytes(self.cell(row, Gemm.STRIDE_A))
        beta = self.scalar(row, Gemm.BETA)
        total = self.memory(self.vector)
        builder.store(self.load(place, mask), total)
        with self.count(builder.sub(self.cell(row, Gemm.K), INT64(1))) as part:
            away = builder.mul(builder.add(part, INT64(1)), apart)
            following = self.load(self.at(place, away, self.vector), mask)
            builder.store(builder.fadd(builder.load(total), following), total)
        kept = builder.fcmp_unordered("!=", beta, ir.Constant(self.element, 0.0))
        with builder.if_then(kept):
            old = self.load(to, mask)
            builder.store(self.multiply_add(self.spread(beta), old, builder.load(total)), total)
        self.store(builder.load(total), to, mask)


def define(module: ir.Module, width: int, block: Block) -> ir.Function:
    """The function for floats of `width` bits in `module`, there once: some rows of a SUM row.

    void (row, a, c, rows), int64 each.
    """
    kind = ir.FunctionType(ir.VoidType(), [INT64] * 4)
    function = cgutils.get_or_insert_function(module, kind, f"graphc_product_sum_{width}")
    if function.is_declaration:
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        _Writer(builder, width, block.vector_bytes).rows(*function.args)
        builder.ret_void()
    return function


@intrinsic
def add_parts(typing_context: Any, row: Any, a: Any, c: Any, rows: Any) -> Any:
    """Some rows of a SUM row, of either type; see `define`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.add(args[0], INT64(8 * int(Gemm.DTYPE)))
        dtype = builder.load(builder.inttoptr(place, INT64.as_pointer()))
        narrow = builder.icmp_signed("==", dtype, INT64(0))
        with builder.if_else(narrow) as (single, double):
            for branch, width in ((single, 32), (double, 64)):
                with branch:
                    builder.call(define(builder.module, width, host_block()), args)
        return context.get_dummy_value()

    return types.none(*(types.int64,) * 4), emit
