"""The tiles of products, and the parts of their terms, by the sizes alone."""

from __future__ import annotations

from itertools import product

import pytest

from graphc.errors import ArgumentError
from graphc.schedule.product_tiles import gemm_terms, gemm_tiles

SIZES = [1, 2, 7, 10, 31, 64, 100, 128, 256, 784, 1000, 4096]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiles_are_sane_at_every_size(dtype: str) -> None:
    """Never empty, never beyond C, never more of them than the threads of a large machine want."""
    for m in SIZES:
        for n in SIZES:
            for k in (1, 10, 128, 1000):
                rows, columns = gemm_tiles(m, n, k, dtype)
                assert 1 <= rows <= m
                assert 1 <= columns <= n
                assert -(-m // rows) * -(-n // columns) <= 128


def test_small_products_are_one_tile_and_large_ones_enough_for_eight_threads() -> None:
    """A cut costs time in one thread, and none can be made later by more threads."""
    assert gemm_tiles(32, 32, 64, "float32") == (32, 32)
    assert gemm_tiles(128, 10, 128, "float32") == (128, 10)
    rows, columns = gemm_tiles(1024, 1024, 1024, "float32")
    assert -(-1024 // rows) * -(-1024 // columns) >= 8


@pytest.mark.parametrize("shape", [(8, 4096), (4096, 8), (3000, 40), (24, 5000), (600, 600)])
def test_long_products_are_cut_along_their_length(shape: tuple[int, int]) -> None:
    """A thin C has only one axis to cut: it must not be left whole because the other is short."""
    m, n = shape
    rows, columns = gemm_tiles(m, n, 4096, "float32")
    assert -(-m // rows) * -(-n // columns) >= 6


def test_what_is_stored_across_is_cut_along_its_rows() -> None:
    """To pack columns of a transposed A again costs three times as much as of another."""
    assert gemm_tiles(784, 256, 128, "float32", transposed=True)[1] == 256
    assert gemm_tiles(128, 256, 784, "float32")[0] == 128
    # Four tiles of this would cost more than a quarter of it.
    rows, columns = gemm_tiles(256, 128, 128, "float32", transposed=True)
    assert -(-256 // rows) * -(-128 // columns) == 2


def test_many_matrices_are_not_cut() -> None:
    """A batch is parallel by itself."""
    assert gemm_tiles(256, 256, 256, "float32") != (256, 256)
    assert gemm_tiles(256, 256, 256, "float32", batch=16) == (256, 256)


@pytest.mark.parametrize("shape", [(0, 5, 5), (5, 0, 5), (5, 5, 0), (0, 0, 0)])
def test_tiles_of_empty_products(shape: tuple[int, int, int]) -> None:
    """Sizes may be zero; a tile of zero would be a division by zero."""
    assert min(gemm_tiles(*shape, "float64")) >= 1


def test_tiles_of_another_dtype() -> None:
    """BLAS has two precisions."""
    with pytest.raises(ArgumentError, match="int32"):
        gemm_tiles(1, 1, 1, "int32")


def test_terms_are_cut_only_where_c_is_too_small() -> None:
    """Parts cost memory and a sum: tiles of C come first, and short sums stay whole."""
    for m, n, k in product([1, 7, 64, 500, 4096], repeat=3):
        for dtype in ("float32", "float64"):
            tile = gemm_tiles(m, n, k, dtype)
            terms = gemm_terms(m, n, k, dtype, 1, tile)
            tiles = -(-m // tile[0]) * -(-n // tile[1])
            parts = -(-k // terms)
            assert 1 <= terms <= k
            assert parts == 1 or (terms >= 512 and tiles * parts <= 64 and m * n <= 512 * 512)
    assert gemm_terms(32, 10, 64, "float32", 1, (32, 10)) == 64
    assert gemm_terms(5, 5, 0, "float32", 1, (5, 5)) == 0
    assert gemm_terms(0, 5, 9, "float32", 0, (1, 5)) == 9
