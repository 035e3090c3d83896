"""The tiles that a matrix product is cut into, and the parts of its terms: by its sizes alone.

Where parts of the terms are added up for themselves, they take memory, so this is known to the plan
of the memory.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

from graphc.errors import ArgumentError
from graphc.ir.dim import evaluate, product
from graphc.schedule.buffer import BATCH_STRIDES, Buffer, View, Workspace, matrix_layout
from graphc.schedule.memory import aligned_size

# Measured (OpenBLAS, one thread): a cut of C costs about these, divided by the tile's rows and by
# its columns, of the time of the whole, because every tile packs its rows of A and its columns of B
# anew. AVX2 kernels take 16, 5 and 14, AVX-512 kernels 24, 7 and 26.
_ROW_COST, _COLUMN_COST = 20.0, 6.0
_COLUMN_COST_TRANSPOSED = 20.0  # A is stored k x m: it is packed against its rows
_ROW_STEP = _COLUMN_STEP = 8  # whole vectors
_DEAREST = 0.22  # no cut that costs more than this of the whole


def _tiles_wanted(operations: int) -> int:
    """How many tiles a product of that many additions and multiplications is worth.

    A tile of less than half a million lasts no longer than handing it over; two threads lose by
    every cut, eight need some: the counts between are a compromise.
    """
    if operations < 1 << 20:
        return 1
    if operations < 1 << 22:
        return 2
    if operations < 200_000_000:
        return 4
    return min(64, 8 * -(-operations // 800_000_000))


def _cut(extent: int, parts: int, step: int) -> int:
    """The size of each of `parts` of an extent, in whole steps."""
    size = -(-extent // parts)
    return min(extent, -(-size // step) * step)


@functools.lru_cache(maxsize=1024)
def gemm_tiles(
    m: int, n: int, k: int, dtype: str, batch: int = 1, transposed: bool = False
) -> tuple[int, int]:
    """The tile of C (rows, columns) for a product op(A) (m x k) op(B) (k x n), `batch` times.

    A function of the sizes and the layout of A (`transposed`: stored k x m) alone: the bits of a
    product depend on its tiles, never on who computes them. `dtype` is "float32" or "float64". A
    small product is one tile, computed by its caller.

    >>> gemm_tiles(32, 10, 64, "float32")
    (32, 10)
    >>> gemm_tiles(128, 256, 784, "float32")
    (128, 64)
    >>> gemm_tiles(784, 256, 128, "float32", transposed=True)
    (200, 256)
    """
    if dtype not in ("float32", "float64"):
        raise ArgumentError(f"gemm_tiles: expected dtype float32 or float64, got {dtype!r}")
    if min(m, n) <= 1 or k <= 0:
        return _vector_tiles(m, n, k, batch)
    operations = 2 * m * n * k * (2 if dtype == "float64" else 1)  # in units of float32's time
    parts = -(-_tiles_wanted(operations * batch) // batch)
    column_cost = _COLUMN_COST_TRANSPOSED if transposed else _COLUMN_COST
    while parts > 1:
        costs = {tile: _cost(m, n, tile, column_cost) for tile in _cuts(m, n, parts)}
        tile = min(costs, key=costs.__getitem__, default=None)
        if tile is not None and costs[tile] <= _DEAREST:
            return tile
        parts //= 2
    return m, n


# A part of the terms of a product has at least so many: what is written and added up for each of
# them is then some per cent of the time.
_LEAST_TERMS = 512


@functools.lru_cache(maxsize=1024)
def gemm_terms(m: int, n: int, k: int, dtype: str, batch: int, tile: tuple[int, int]) -> int:
    """How many of the k terms of a product one tile of it adds up.

    Where C is too small for as many tiles as the product is worth, its terms are cut too, and the
    parts added up in their order. A function of the sizes alone, as `gemm_tiles`.

    >>> gemm_terms(20, 25, 36_864, "float32", 1, (20, 25))
    9216
    >>> gemm_terms(128, 256, 784, "float32", 1, (128, 64))
    784
    """
    operations = 2 * m * n * k * (2 if dtype == "float64" else 1) * batch
    parts = _tiles_wanted(operations) // max(batch * _count(m, n, tile), 1)
    parts = min(parts, k // _LEAST_TERMS)
    return _cut(k, parts, _LEAST_TERMS // 2) if parts > 1 else k


def _cuts(m: int, n: int, parts: int) -> list[tuple[int, int]]:
    """The tiles that give about as many parts as wanted, by rows, by columns or by both."""
    downs = [down for down in range(1, parts + 1) if parts % down == 0]
    tiles = [(_cut(m, down, _ROW_STEP), _cut(n, parts // down, _COLUMN_STEP)) for down in downs]
    return [tile for tile in tiles if 4 * _count(m, n, tile) >= 3 * parts]


def _count(m: int, n: int, tile: tuple[int, int]) -> int:
    return -(-m // tile[0]) * -(-n // tile[1])  # 0 if C has no elements


def _cost(m: int, n: int, tile: tuple[int, int], column_cost: float) -> float:
    rows, columns = tile
    packing = _ROW_COST * (1 / rows - 1 / m) + column_cost * (1 / columns - 1 / n)
    # A last tile that is smaller leaves a thread with nothing to do.
    return packing + (_count(m, n, tile) * rows * columns / (m * n) - 1)


def _vector_tiles(m: int, n: int, k: int, batch: int) -> tuple[int, int]:
    """A matrix times a vector reads each number once: tiles of a quarter of a megabyte or more."""
    length = max(m, n, 1)
    parts = min(8, max(1, length * max(k, 1) // 65_536)) if batch == 1 else 1
    size = _cut(length, parts, _COLUMN_STEP)
    return (size, 1) if m >= n else (max(m, 1), size)


class Cut(NamedTuple):
    """One product of given sizes: C (m x n) from k terms, `batch` times; a tile of it adds up
    `terms` of them."""

    m: int
    n: int
    k: int
    batch: int
    dtype: str
    tile: tuple[int, int]
    terms: int


def cut(a: View, c: View, sizes: Mapping[str, int]) -> Cut:
    """How the product of `a` and another matrix to `c` is cut."""
    m, k, n = (evaluate(dim, sizes) for dim in (a.shape[-2], a.shape[-1], c.shape[-1]))
    batch = evaluate(product(c.shape[:-2]), sizes)
    dtype, layout = c.buffer.dtype.name, matrix_layout(a, BATCH_STRIDES)
    assert layout is not None
    tile = gemm_tiles(m, n, k, dtype, max(batch, 1), layout[0])
    return Cut(m, n, k, batch, dtype, tile, gemm_terms(m, n, k, dtype, batch, tile))


def part_bytes(m: int, n: int, dtype: str) -> int:
    """From one part of a product to the next, each a matrix of its own."""
    return aligned_size(m * n * (8 if dtype == "float64" else 4))


class PartsWorkspace(Workspace):
    """Room for the parts of a product whose terms are cut."""

    def __init__(self, a: View, c: View) -> None:
        super().__init__()
        self.a, self.c = a, c

    def bytes(self, sizes: Mapping[str, int]) -> int:
        """A matrix like C for each part; nothing if all terms are added up at once."""
        found = cut(self.a, self.c, sizes)
        parts = -(-found.k // max(found.terms, 1))
        each = part_bytes(found.m, found.n, found.dtype)
        return found.batch * parts * each if parts > 1 else 0


def parts_workspace(a: View, c: View) -> tuple[Buffer, ...]:
    """What a product needs besides its operands and its result: nothing where it is known to have
    few terms."""
    terms = a.shape[-1]
    if isinstance(terms, int) and terms < 2 * _LEAST_TERMS:
        return ()
    return (PartsWorkspace(a, c),)
