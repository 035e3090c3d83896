"""Native text of GEMM and SUM rows: how many tiles a product has, and one tile of it.

Small tiles are computed by `small_product`, others by BLAS. BLAS is column-major, where our
row-major matrices are their own transposes, so a tile of C is computed as C' = op(B)' op(A)'. A
product with one row or one column is a matrix times a vector: BLAS's gemv takes a quarter of
gemm's time for it or less.
"""

from __future__ import annotations

from typing import Any

from graphc.target import threads as at
from graphc.target.instructions import Gemm, Opcode
from graphc.target.machine_intrinsics import (
    call_dgemm,
    call_dgemv,
    call_sgemm,
    call_sgemv,
    load_word,
    part,
)
from graphc.target.product_sum import add_parts
from graphc.target.small_product import host_block, multiply_small

(DTYPE, TRANS_A, TRANS_B, M, N, K, ALPHA, A, LDA, B, LDB, BETA, C, LDC, TILE_M, TILE_N, BATCH,
 STRIDE_A, STRIDE_B, STRIDE_C, GROUP, GROUP_A, GROUP_B, TILE_K) = (
    8 * int(column) for column in Gemm
)  # fmt: skip

SUM = int(Opcode.SUM)
BLOCK_BYTES, _, MASKS = host_block()
LANES = BLOCK_BYTES // 4

# Measured on one thread: up to the largest size our own product takes 0.3 to 0.95 of OpenBLAS's
# time at any height of a tile (with its AVX-512 kernels; with AVX2 kernels and ours 0.4 to 1.05,
# and 1.2 at eight times that size), unless most of its lanes lie beyond the last column of C. Then
# it wins as long as the call of BLAS is what costs. In multiply-adds.
LARGEST = {64: 1 << 27, 32: 1 << 24}.get(BLOCK_BYTES, 1 << 23)  # of float32
CALL = 1 << 12


@part
def tile_size(row: Any, extent: Any, column: Any) -> Any:
    wanted = load_word(row + column)
    return wanted if wanted > 0 else max(load_word(row + extent), 1)


@part
def tiles_along(row: Any, extent: Any, column: Any) -> Any:
    size = tile_size(row, extent, column)
    # A division takes longer than some products.
    return 1 if size >= load_word(row + extent) else (load_word(row + extent) + size - 1) // size


@part
def product(row: Any, limit: Any) -> Any:
    """The number of tiles; 0 for a product without elements, -1 if BLAS cannot take its sizes."""
    largest = max(max(load_word(row + M), load_word(row + N)), load_word(row + K))
    largest = max(max(largest, load_word(row + LDA)), load_word(row + LDB))
    if max(largest, load_word(row + LDC)) > limit:
        return -1
    if load_word(row + M) <= 0 or load_word(row + N) <= 0 or load_word(row + BATCH) <= 0:
        return 0
    tiles = tiles_along(row, M, TILE_M) * tiles_along(row, N, TILE_N)
    return load_word(row + BATCH) * tiles * tiles_along(row, K, TILE_K)


@part
def is_small(row: Any, rows: Any, columns: Any, k: Any) -> Any:
    """Whether a tile is computed without BLAS: by its sizes alone."""
    double = load_word(row + DTYPE)
    lanes = LANES >> double
    if not MASKS and columns & (lanes - 1) != 0:
        return False
    computed = rows * ((columns + lanes - 1) & -lanes) * k
    if computed << double > LARGEST:
        return False
    return 4 * (computed - CALL) <= 7 * rows * columns * k


@part
def multiply(pool: Any, row: Any, a: Any, b: Any, c: Any, rows: Any, columns: Any, k: Any) -> None:
    alpha, beta = load_word(row + ALPHA), load_word(row + BETA)
    flip_a, flip_b = load_word(row + TRANS_A), load_word(row + TRANS_B)
    # BLAS refuses a leading dimension below the width, also of a single row or of none at all.
    lda = max(load_word(row + LDA), max(rows if flip_a != 0 else k, 1))
    ldb = max(load_word(row + LDB), max(k if flip_b != 0 else columns, 1))
    ldc = max(load_word(row + LDC), columns)
    if load_word(row + DTYPE) == 0:
        call_sgemm(
            load_word(pool + at.SGEMM), flip_b, flip_a, columns, rows, k, alpha,
            b, ldb, a, lda, beta, c, ldc,
        )  # fmt: skip
    else:
        call_dgemm(
            load_word(pool + at.DGEMM), flip_b, flip_a, columns, rows, k, alpha,
            b, ldb, a, lda, beta, c, ldc,
        )  # fmt: skip


@part
def apply(
    pool: Any, row: Any, flip: Any, height: Any, k: Any, matrix: Any, leading: Any,
    x: Any, step_x: Any, y: Any, step_y: Any,
) -> None:  # fmt: skip
    """y = alpha op(matrix) x + beta y with `height` elements in y; row-major, `flip` its flag."""
    alpha, beta = load_word(row + ALPHA), load_word(row + BETA)
    # Stored height x k (or k x height, flipped): to BLAS k x height (or height x k).
    down, across = (height, k) if flip != 0 else (k, height)
    straight = 0 if flip != 0 else 1
    leading, step_x, step_y = max(leading, down), max(step_x, 1), max(step_y, 1)
    if load_word(row + DTYPE) == 0:
        call_sgemv(
            load_word(pool + at.SGEMV), straight, down, across, alpha, matrix, leading,
            x, step_x, beta, y, step_y,
        )  # fmt: skip
    else:
        call_dgemv(
            load_word(pool + at.DGEMV), straight, down, across, alpha, matrix, leading,
            x, step_x, beta, y, step_y,
        )  # fmt: skip


@part
def add_up(row: Any, chunk: Any) -> None:
    """Some rows of C as the sum of the parts of a product."""
    batch, i = 0, 0
    if chunk > 0:
        down = tiles_along(row, M, TILE_M)
        batch, i = chunk // down, chunk % down * tile_size(row, M, TILE_M)
    width = 4 if load_word(row + DTYPE) == 0 else 8
    a = batch * load_word(row + K) * load_word(row + STRIDE_A) + i * load_word(row + LDA)
    c = batch * load_word(row + STRIDE_C) + i * load_word(row + LDC)
    rows = min(tile_size(row, M, TILE_M), load_word(row + M) - i)
    add_parts(row, load_word(row + A) + width * a, load_word(row + C) + width * c, rows)


def tile(pool: Any, row: Any, chunk: Any) -> None:
    """Tile number `chunk`: rows and columns of C in one product of the batch, or in one part."""
    if load_word(row) == SUM:
        add_up(row, chunk)
        return
    number, first, i, j = 0, 0, 0, 0
    if chunk > 0:
        across = tiles_along(row, N, TILE_N)
        each = across * tiles_along(row, M, TILE_M)
        number = chunk // each
        i = (chunk % each) // across * tile_size(row, M, TILE_M)
        j = (chunk % each) % across * tile_size(row, N, TILE_N)
    batch, group, parts = number, 0, tiles_along(row, K, TILE_K)
    if parts > 1:
        batch = number // parts
        first = number % parts * load_word(row + TILE_K)
    together = load_word(row + GROUP)
    if together > 0:
        group = batch // together
        batch = batch % together
    lda, ldb, ldc = load_word(row + LDA), load_word(row + LDB), load_word(row + LDC)
    width = 4 if load_word(row + DTYPE) == 0 else 8
    flip_a, flip_b = load_word(row + TRANS_A), load_word(row + TRANS_B)
    a = group * load_word(row + GROUP_A) + batch * load_word(row + STRIDE_A)
    b = group * load_word(row + GROUP_B) + batch * load_word(row + STRIDE_B)
    a += i + first * lda if flip_a != 0 else i * lda + first
    b += j * ldb + first if flip_b != 0 else j + first * ldb
    c = number * load_word(row + STRIDE_C) + i * ldc + j
    a = load_word(row + A) + width * a
    b = load_word(row + B) + width * b
    c = load_word(row + C) + width * c
    rows = min(tile_size(row, M, TILE_M), load_word(row + M) - i)
    columns = min(tile_size(row, N, TILE_N), load_word(row + N) - j)
    k = min(tile_size(row, K, TILE_K), load_word(row + K) - first)
    # gemv leaves y as it is when k is 0; gemm scales it.
    if k > 0 and load_word(row + N) == 1:
        apply(pool, row, flip_a, rows, k, a, lda, b, 1 if flip_b != 0 else ldb, c, ldc)
    elif k > 0 and load_word(row + M) == 1:
        flip = 0 if flip_b != 0 else 1
        apply(pool, row, flip, columns, k, b, ldb, a, lda if flip_a != 0 else 1, c, 1)
    elif is_small(row, rows, columns, k):
        multiply_small(row, a, b, c, rows, columns, k)
    else:
        multiply(pool, row, a, b, c, rows, columns, k)
