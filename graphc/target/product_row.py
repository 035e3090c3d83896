"""A matrix product bound to sizes: its instructions, all but the addresses of A, B and C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ir.dim import evaluate, product
from graphc.ops.evaluate import evaluate_static
from graphc.schedule.buffer import (
    BATCH_STRIDES,
    View,
    batch_axes,
    batch_runs,
    matrix_layout,
)
from graphc.schedule.product_tiles import cut, part_bytes
from graphc.schedule.schedule import Product
from graphc.target.chunks import chunk
from graphc.target.instructions import COLUMNS, Gemm, Opcode, float_bits


def product_row(step: Product, sizes: Mapping[str, int]) -> list[int]:
    """The GEMM row of a product."""
    a, b, c = step.a, step.b, step.c
    m, n, k, batch, dtype, tile, terms = cut(a, c, sizes)
    scale = 1.0 if step.scale is None else evaluate_static(step.scale, sizes)
    if k == 0:
        scale = 0.0  # a sum of nothing is 0, also where the scale is infinite
    row = [0] * COLUMNS
    row[0] = Opcode.GEMM
    row[Gemm.DTYPE] = int(dtype == "float64")
    row[Gemm.M], row[Gemm.N], row[Gemm.K], row[Gemm.BATCH] = m, n, k, batch
    row[Gemm.ALPHA], row[Gemm.BETA] = float_bits(scale), float_bits(float(step.accumulate))
    row[Gemm.TRANS_A], row[Gemm.LDA] = _layout(a, sizes, BATCH_STRIDES)
    row[Gemm.TRANS_B], row[Gemm.LDB] = _layout(b, sizes, BATCH_STRIDES)
    row[Gemm.LDC] = _layout(c, sizes)[1]
    row[Gemm.TILE_M], row[Gemm.TILE_N] = tile
    row[Gemm.TILE_K] = terms
    row[Gemm.STRIDE_C] = _batch_stride(c, sizes)
    _batches(row, a, b, sizes)
    return row


def _layout(view: View, sizes: Mapping[str, int], *batches: Any) -> tuple[int, int]:
    """Whether a matrix is stored transposed, and its leading dimension."""
    layout = matrix_layout(view, *batches)
    assert layout is not None
    return int(layout[0]), max(evaluate(layout[1], sizes), 1)


def _batches(row: list[int], a: View, b: View, sizes: Mapping[str, int]) -> None:
    """Where the matrices of a batch lie: inside a group of them, and from group to group."""
    runs = batch_runs((a, b))
    for name, view in (("A", a), ("B", b)):
        strides = [evaluate(view.strides[run[-1]], sizes) for run in runs] or [0]
        row[Gemm[f"STRIDE_{name}"]], row[Gemm[f"GROUP_{name}"]] = strides[-1], strides[0]
    if len(runs) > 1:
        row[Gemm.GROUP] = evaluate(product(tuple(a.shape[axis] for axis in runs[-1])), sizes)


def _batch_stride(view: View, sizes: Mapping[str, int]) -> int:
    """The distance between matrices; the batch axes before the last must follow from it."""
    axes = batch_axes(view)
    return evaluate(view.strides[axes[-1]], sizes) if axes else 0


def parts_row(row: list[int], workspace: int) -> list[int]:
    """The SUM row after a product whose terms are cut: then `row` gives parts of it to the memory
    at the address `workspace`.

    Else an empty list.
    """
    m, n = row[Gemm.M], row[Gemm.N]
    parts = -(-row[Gemm.K] // max(row[Gemm.TILE_K], 1))
    if parts < 2:
        return []
    dtype, itemsize = ("float64", 8) if row[Gemm.DTYPE] else ("float32", 4)
    total = list(row)
    total[0], total[Gemm.K], total[Gemm.TILE_K], total[Gemm.TILE_N] = Opcode.SUM, parts, 0, 0
    total[Gemm.TILE_M] = chunk(m, n * parts)
    total[Gemm.A], total[Gemm.LDA] = workspace, n
    total[Gemm.STRIDE_A] = row[Gemm.STRIDE_C] = part_bytes(m, n, dtype) // itemsize
    row[Gemm.C], row[Gemm.LDC], row[Gemm.BETA] = total[Gemm.A], n, float_bits(0.0)
    return total
