"""Products whose terms are cut: their parts are added up in order, whoever computes them."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.schedule.product_tiles import gemm_terms, gemm_tiles, part_bytes
from graphc.target import driver, python_driver
from graphc.target.instructions import (
    COLUMNS,
    CONTEXT_WORDS,
    HALTED,
    Gemm,
    Opcode,
    bits_float,
    float_bits,
)
from graphc.target.product_row import parts_row
from graphc.target.storage import aligned


class Cut:
    """A batch of products with C a slice of a larger matrix, as the rows of a table."""

    def __init__(
        self, sizes: tuple[int, int, int, int], flips: tuple[bool, bool], dtype: str, **cells: int
    ) -> None:
        batch, m, n, k = sizes
        rng = np.random.default_rng(m * n * k)
        self.a = rng.standard_normal((batch, k, m) if flips[0] else (batch, m, k)).astype(dtype)
        self.b = rng.standard_normal((batch, n, k) if flips[1] else (batch, k, n)).astype(dtype)
        self.whole = rng.standard_normal((batch, m, n + 3)).astype(dtype)
        self.c, self.flips = self.whole[:, :, :n], flips
        row = [0] * COLUMNS
        row[0], row[Gemm.DTYPE] = Opcode.GEMM, int(dtype == "float64")
        row[Gemm.TRANS_A], row[Gemm.TRANS_B] = map(int, flips)
        row[Gemm.M], row[Gemm.N], row[Gemm.K], row[Gemm.BATCH] = m, n, k, batch
        row[Gemm.ALPHA] = float_bits(1.0)
        for name, array in (("A", self.a), ("B", self.b), ("C", self.c)):
            row[Gemm[name]] = array.ctypes.data
            row[Gemm[f"LD{name}"]] = array.strides[1] // array.itemsize
            row[Gemm[f"STRIDE_{name}"]] = array.strides[0] // array.itemsize
        for name, value in cells.items():
            row[Gemm[name.upper()]] = value
        parts = -(-k // row[Gemm.TILE_K])
        self.row, self.workspace = row, aligned(batch * parts * part_bytes(m, n, dtype))
        self.workspace[...] = 255  # NaN
        self.total = parts_row(row, self.workspace.ctypes.data)

    def table(self) -> np.ndarray:
        return np.array([self.row, self.total, [Opcode.HALT, *[0] * (COLUMNS - 1)]], np.int64)

    def expected(self) -> np.ndarray:
        a, b = (matrices.astype(np.float64) for matrices in (self.a, self.b))
        a = a.swapaxes(1, 2) if self.flips[0] else a
        b = b.swapaxes(1, 2) if self.flips[1] else b
        alpha, beta = bits_float(self.row[Gemm.ALPHA]), bits_float(self.total[Gemm.BETA])
        return alpha * (a @ b) + (beta * self.c.astype(np.float64) if beta else 0.0)

    def run(self, how: str) -> np.ndarray:
        """All of C and what is beside it, after a run; then C is as before."""
        before = self.whole.copy()
        words = np.zeros(1, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
        if how == "python":
            assert python_driver.run(self.table(), 0, *words, {}) == HALTED
        else:
            parallel = how == "parallel"
            assert driver.run(self.table(), 0, *words, parallel=parallel) == HALTED
        result = self.whole.copy()
        self.whole[...] = before
        return result


SIZES = [(1, 20, 25, 3001), (3, 5, 17, 100), (2, 1, 40, 90), (1, 33, 1, 64), (1, 9, 16, 17)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("flips", list(product([False, True], repeat=2)), ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_parts_against_float64(
    size: tuple[int, int, int, int], flips: tuple[bool, bool], dtype: str
) -> None:
    """A last part that is shorter, tiles, batches, vectors, alpha and beta; natively, in Python."""
    k = size[3]
    for terms, alpha, beta, tile in [(16, 1.0, 0.0, 0), (k - 1, -0.5, 1.0, 8), (16, 2.0, 0.5, 3)]:
        bits = {"alpha": float_bits(alpha), "beta": float_bits(beta)}
        cut = Cut(size, flips, dtype, tile_k=terms, tile_m=tile, tile_n=tile, **bits)
        assert cut.total[Gemm.K] == -(-k // terms)
        expected, tolerance = cut.expected(), 1e-5 if dtype == "float32" else 1e-13
        for how in ("parallel", "alone", "python"):
            found = cut.run(how)
            inside = found[:, :, : size[2]]
            np.testing.assert_allclose(inside, expected, rtol=tolerance, atol=tolerance * k)
            np.testing.assert_array_equal(found[:, :, size[2] :], cut.whole[:, :, size[2] :])


def test_what_c_holds_does_not_matter() -> None:
    """Fresh memory may hold NaN: with beta = 0 it must not come in through the sum either."""
    cut = Cut((1, 6, 21, 600), (False, False), "float32", tile_k=256)
    cut.c[...] = np.nan
    for how in ("parallel", "python"):
        assert np.isfinite(cut.run(how)[:, :, :21]).all()


def test_the_same_bits_with_and_without_threads() -> None:
    """The parts and their order follow from the sizes, so who computes one cannot matter."""
    m, n, k = 20, 25, 30_000
    tile = gemm_tiles(m, n, k, "float32")
    terms = gemm_terms(m, n, k, "float32", 1, tile)
    assert terms < k
    cut = Cut((1, m, n, k), (True, False), "float32", tile_k=terms, beta=float_bits(1.0))
    assert len({cut.run(how).tobytes() for how in ("alone", *["parallel"] * 30)}) == 1


BITS = """
import hashlib
import numpy as np
import graphc as gx
from graphc.target import threads
x, y = gx.input("x", ("n", 20)), gx.input("y", ("n", 25))
f = gx.compile([x, y], x.T @ y)
numbers = np.random.default_rng(0)
given = numbers.standard_normal((30_000, 20), "f"), numbers.standard_normal((30_000, 25), "f")
print(hashlib.sha256(f(*given).tobytes()).hexdigest(), threads.pool.word(threads.WORKERS).value)
"""


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    """One, two or five threads: the same sum to the last bit."""
    found = []
    for count in "125":
        environment = {**os.environ, "GRAPHC_NUM_THREADS": count}
        done = subprocess.run(
            [sys.executable, "-c", BITS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(done.stdout.split())
    assert [int(workers) for _, workers in found] == [0, 1, 4]
    assert len({bits for bits, _ in found}) == 1


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_a_compiled_product(target: str) -> None:
    """From a graph: the size decides at each call, an update adds to what is there."""
    numbers = np.random.default_rng(0)
    start = numbers.standard_normal((20, 25))
    weights = gx.param("W", start)
    x, y = (gx.input(name, ("n", size), dtype="float64") for name, size in (("x", 20), ("y", 25)))
    update: Any = weights - 0.5 * (x.T @ y)
    step = gx.compile([x, y], gx.sum(x), updates={weights: update}, target=target)
    expected = start
    for n in (3, 9_000, 1_000):
        given = numbers.standard_normal((n, 20)), numbers.standard_normal((n, 25))
        step(*given)
        expected = expected - 0.5 * (given[0].T @ given[1])
        np.testing.assert_allclose(weights.value, expected, rtol=1e-11, atol=1e-11)


def test_infinity_comes_through_the_sum() -> None:
    """inf - inf in different parts is NaN, an infinite term infinite: as in one sum."""
    x = gx.input("x", (3, "n"), dtype="float64")
    f = gx.compile([x], x @ x.T)
    values = np.ones((3, 200_000))
    values[0, 5], values[1, 150_000] = np.inf, np.nan
    found = f(values)
    assert found[0, 0] == np.inf
    assert found[0, 2] == np.inf
    assert np.isnan(found[1]).all()
    assert found[2, 2] == 200_000
