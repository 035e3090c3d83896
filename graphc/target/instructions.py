"""The instruction set of the driver: one row of a table each, column 0 the opcode.

A program is an int64 table of `COLUMNS` columns. Cells hold integers, byte addresses, or the bits
of a float64 (`float_bits`). R[i] is a register. Unused cells are ignored.

| opcode | 1 | 2 | 3 | 4 | 5 | 6 | effect |
|---|---|---|---|---|---|---|---|
| HALT | | | | | | | return HALTED |
| KERNEL | kernel | lo | hi | argv | | | kernel(lo, hi, argv, context) |
| PARALLEL | kernel | extent | grain | argv | | | kernel for each chunk of the extent |
| GEMM | see `Gemm` | | | | | | C = alpha op(A) op(B) + beta C, row-major |
| SET | cell | base | register | stride | register2 | stride2 | *cell = see below |
| ADD | register | value | | | | | R[register] += value |
| MOVE | register | value | | | | | R[register] = value |
| LOAD | register | cell | | | | | R[register] = *cell (an int64) |
| JUMP | row | | | | | | go to row |
| JUMP_IF_LESS | register | limit | is_register | row | | | go to row if R[register] < limit |
| JUMP_IF_ZERO | address | row | | | | | go to row if the byte there is 0 |
| COPY | to | from | bytes | | | | as memmove |
| FILL_ZERO | to | bytes | | | | | |
| CHECK | | | | | | | stop if the context holds a failure |
| YIELD | register | | | | | | R[register] -= 1; at 0 return the next row |
| SUM | see `Gemm` | | | | | | C = P1 + P2 + ... + beta C |
| FORK | frames | count | | | | | run `count` tables, in any order |

SET writes base + R[register] * stride + R[register2] * stride2; the cell may lie in the table.
Chunk c of PARALLEL is kernel(c * grain, min((c + 1) * grain, extent), argv, context). With
is_register the limit of JUMP_IF_LESS is R[limit]. A program that YIELDed goes on at the row
returned.

A frame of FORK has the eight words of `native_pool`: the address of a table, its rows, and its
registers; it runs from row 0 until it halts. These tables neither YIELD nor FORK.

The context is looked at after every KERNEL, PARALLEL, GEMM and FORK, so CHECK is for failures that
were in it before. A failure writes its row into the context and returns that row.

Row 0 of a table runs first only because the caller starts there. Leaving the table is a failure,
not a crash.
"""

from __future__ import annotations

import struct
from enum import IntEnum

COLUMNS = 25
FRAME_WORDS = 8
"""What a run works on: see `native_pool`."""
HALTED = -1
"""What the driver returns for a program that came to its end."""

NOT_STARTED = -2
"""What the driver returns at once when its threads are to be started first, as after a fork."""

GEMM_LIMIT = 2**31 - 1
"""Sizes and leading dimensions of a product must fit what BLAS takes, a 32-bit integer."""


class Opcode(IntEnum):
    """Column 0 of a row."""

    HALT = 0
    KERNEL = 1
    PARALLEL = 2
    GEMM = 3
    SET = 4
    ADD = 5
    MOVE = 6
    LOAD = 7
    JUMP = 8
    JUMP_IF_LESS = 9
    JUMP_IF_ZERO = 10
    COPY = 11
    FILL_ZERO = 12
    CHECK = 13
    YIELD = 14
    SUM = 15
    FORK = 16


class Gemm(IntEnum):
    """Columns of a GEMM row.

    op(A) is m x k, op(B) k x n, C m x n, all row-major with leading dimensions `lda`, `ldb`,
    `ldc` in elements. A with `trans_a` is stored k x m. beta = 0 does not read C; k = 0 gives
    beta C. `batch` products are `stride_*` elements apart; where `group` is not 0, those of a group
    of so many are, and the groups `group_*` (C has one distance for all). C is computed in tiles of
    tile_m x tile_n, each done by one thread: by BLAS, or by a kernel of our own (`small_product`).

    Where `tile_k` is neither 0 nor k or more, the k terms are cut as well: every product of the
    batch gives ceil(k / tile_k) matrices, one after the other as C's, and a SUM row adds them up.
    There k counts them, `stride_a` is their distance, `lda` that of their rows, and the rows of C
    are computed tile_m at once.
    """

    DTYPE = 1  # 0 float32, 1 float64
    TRANS_A = 2
    TRANS_B = 3
    M = 4
    N = 5
    K = 6
    ALPHA = 7
    A = 8
    LDA = 9
    B = 10
    LDB = 11
    BETA = 12
    C = 13
    LDC = 14
    TILE_M = 15
    TILE_N = 16
    BATCH = 17
    STRIDE_A = 18
    STRIDE_B = 19
    STRIDE_C = 20
    GROUP = 21
    GROUP_A = 22
    GROUP_B = 23
    TILE_K = 24


class Context(IntEnum):
    """Words of the context that kernels and driver share; words 24 and up are nobody's."""

    STATUS = 0
    DETAIL = 1
    ROW = 2
    STEP = 3
    REGISTERS = 8


CONTEXT_WORDS = 24


class Failure(IntEnum):
    """Status codes of the driver itself. Kernels use positive ones."""

    BAD_OPCODE = -1
    BAD_ROW = -2
    GEMM_SIZE = -3  # beyond GEMM_LIMIT
    NO_BLAS = -4  # the table had no GEMM row when it was prepared


def float_bits(value: float) -> int:
    """The bits of a float64 as the int64 that a cell holds.

    >>> float_bits(1.0) == 0x3FF0000000000000
    True
    """
    bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return bits


def bits_float(bits: int) -> float:
    """The float64 whose bits a cell holds.

    >>> bits_float(float_bits(-0.5))
    -0.5
    """
    value: float = struct.unpack("<d", struct.pack("<q", bits))[0]
    return value
