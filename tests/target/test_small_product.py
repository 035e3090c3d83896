"""The generated product of small matrices: values, borders, and the memory around them."""

from __future__ import annotations

import ctypes
import functools
import itertools
import random
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from graphc.target import blas, driver, engine, object_code, product_right, small_product, threads
from graphc.target.instructions import (
    COLUMNS,
    CONTEXT_WORDS,
    HALTED,
    Gemm,
    Opcode,
    float_bits,
)
from tests.target.fence import Fenced

BLOCKS = [
    small_product.Block(64, 8, True),
    small_product.Block(32, 6, True),
    small_product.Block(16, 4, False),
]
TOLERANCES = {"float32": 4e-6, "float64": 1e-14}


@functools.cache
def compiled(dtype: str, block: small_product.Block) -> Callable[..., None]:
    """The function for any block: LLVM splits vectors that this processor does not have."""
    symbol = f"small_{dtype}_{block.vector_bytes}"
    module = ir.Module()
    inner = small_product.define(module, np.dtype(dtype).itemsize * 8, block)
    outer = ir.Function(module, inner.function_type, symbol)
    builder = ir.IRBuilder(outer.append_basic_block())
    builder.call(inner, outer.args)
    builder.ret_void()
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    object_code.optimize(parsed)
    code, needs = object_code.loadable(object_code.emit(parsed), symbol)
    address = engine.load(code, symbol, needs)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 7)(address)


class Case:
    """One product, its operands fenced in and C with a canary in the room beside its rows."""

    def __init__(self, rng: random.Random, sizes: tuple[int, int, int], dtype: str, **given: Any):
        self.m, self.n, self.k = sizes
        self.dtype = dtype
        self.flips = given.get("flips") or (rng.random() < 0.5, rng.random() < 0.5)
        self.alpha = given.get("alpha", rng.choice([1.0, 1.0, -0.25, 3.0]))
        self.beta = given.get("beta", rng.choice([0.0, 0.0, 1.0, 0.5]))
        fence = Fenced(given.get("at_the_end", True))
        self.fence = fence
        numbers = np.random.default_rng(rng.randrange(2**32))
        self.a, self.lda = self._operand(fence, self.m, self.k, self.flips[0], rng, numbers)
        self.b, self.ldb = self._operand(fence, self.k, self.n, self.flips[1], rng, numbers)
        self.c, self.ldc = self._operand(fence, self.m, self.n, False, rng, numbers)
        if self.beta == 0:
            self.c[...] = np.nan

    def _operand(
        self, fence: Fenced, rows: int, columns: int, flip: bool, rng: random.Random, numbers: Any
    ) -> tuple[np.ndarray, int]:
        if flip:
            rows, columns = columns, rows
        leading = max(columns + rng.choice([0, 0, 1, 13]), 1)
        count = (rows - 1) * leading + columns if rows and columns else 0
        flat = fence.array(count, self.dtype)
        flat[:] = numbers.standard_normal(count)
        return flat, leading

    def matrix(self, flat: np.ndarray, rows: int, columns: int, leading: int) -> np.ndarray:
        strides = (leading * flat.itemsize, flat.itemsize)
        if not flat.size:
            return np.zeros((rows, columns))
        return np.lib.stride_tricks.as_strided(flat, (rows, columns), strides)

    def operand(self, name: str) -> np.ndarray:
        """op(A) or op(B)."""
        rows, columns = (self.m, self.k) if name == "a" else (self.k, self.n)
        flat, leading = (self.a, self.lda) if name == "a" else (self.b, self.ldb)
        if self.flips[name == "b"]:
            return self.matrix(flat, columns, rows, leading).T
        return self.matrix(flat, rows, columns, leading)

    def row(self) -> np.ndarray:
        row = np.zeros(COLUMNS, np.int64)
        row[0] = Opcode.GEMM
        cells = {
            Gemm.DTYPE: self.dtype == "float64",
            Gemm.TRANS_A: self.flips[0], Gemm.TRANS_B: self.flips[1],
            Gemm.M: self.m, Gemm.N: self.n, Gemm.K: self.k,
            Gemm.ALPHA: float_bits(self.alpha), Gemm.BETA: float_bits(self.beta),
            Gemm.A: self.a.ctypes.data, Gemm.LDA: self.lda,
            Gemm.B: self.b.ctypes.data, Gemm.LDB: self.ldb,
            Gemm.C: self.c.ctypes.data, Gemm.LDC: self.ldc, Gemm.BATCH: 1,
        }  # fmt: skip
        for column, value in cells.items():
            row[column] = int(value)
        return row

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        """What all of C is to hold, in float64, and how far from it rounding may lead."""
        whole = self.c.astype(np.float64)
        bound = np.zeros_like(whole)
        if whole.size:
            a, b = (self.operand(name).astype(np.float64) for name in "ab")
            inside = self.matrix(whole, self.m, self.n, self.ldc)
            old = self.beta * inside if self.beta else np.zeros_like(inside)
            size = np.abs(self.alpha) * (np.abs(a) @ np.abs(b)) + np.abs(old)
            self.matrix(bound, self.m, self.n, self.ldc)[...] = TOLERANCES[self.dtype] * size
            inside[...] = self.alpha * (a @ b) + old
        return whole, bound

    def check(self, call: Callable[[Case], None]) -> None:
        expected, bound = self.expected()
        call(self)
        beside = np.ones(self.c.size, bool)
        if beside.size:
            self.matrix(beside, self.m, self.n, self.ldc)[...] = False
        np.testing.assert_array_equal(self.c[beside], expected[beside])
        difference = np.abs(self.c[~beside] - expected[~beside])
        assert (difference <= bound[~beside]).all(), (self.m, self.n, self.k, self.flips)


def directly(block: small_product.Block) -> Callable[[Case], None]:
    def call(case: Case) -> None:
        row = case.row()
        operands = (int(row[column]) for column in (Gemm.A, Gemm.B, Gemm.C))
        compiled(case.dtype, block)(row.ctypes.data, *operands, case.m, case.n, case.k)

    return call


def by_driver(case: Case) -> None:
    table = np.zeros((2, COLUMNS), np.int64)
    table[0], table[1, 0] = case.row(), Opcode.HALT
    registers, context = np.zeros(1, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    assert driver.run(table, 0, registers, context) == HALTED


each_kind = pytest.mark.parametrize(
    "dtype,block",
    list(itertools.product(["float32", "float64"], BLOCKS)),
    ids=lambda value: value if isinstance(value, str) else str(value.vector_bytes),
)


@each_kind
def test_every_small_size(dtype: str, block: small_product.Block) -> None:
    """All remainders of rows and of lanes, at either edge of memory that may be touched."""
    rng = random.Random(0)
    edges = (1, 2, 3, 5, 7, 8, 9, 13, 16, 17)
    for m, n in itertools.product(edges, (*edges, 31, 32, 33, 50)):
        case = Case(rng, (m, n, rng.choice([1, 2, 7, 16])), dtype, at_the_end=rng.random() < 0.6)
        case.check(directly(block))


@each_kind
@pytest.mark.parametrize("flips", list(itertools.product([False, True], repeat=2)), ids=str)
def test_random_products(dtype: str, block: small_product.Block, flips: tuple[bool, bool]) -> None:
    """Sizes, strides, alpha and beta at random; also sums of several parts."""
    rng = random.Random(1)
    sizes = [tuple(rng.randrange(1, 90) for _ in range(3)) for _ in range(12)]
    sizes += [
        (77, 50, 7),
        (64, 32, 32),
        # Rows of B that lie a page apart, with and without a last panel of some columns.
        (product_right.COPY_ROWS, 1024 + 32, 3),
        (product_right.COPY_ROWS + 1, 1024 + 5, product_right.PART + 2),
        *((5, 35, product_right.PART * 2 + over) for over in (-1, 0, 1)),
    ]
    for size in sizes:
        case = Case(rng, size, dtype, flips=flips, at_the_end=rng.random() < 0.5)
        case.check(directly(block))


@each_kind
@pytest.mark.parametrize("size", [(0, 5, 4), (5, 0, 4), (0, 0, 0), (5, 7, 0), (40, 33, 0)])
def test_sizes_of_zero(dtype: str, block: small_product.Block, size: tuple[int, ...]) -> None:
    """Nothing to write, or an empty sum: beta C, and zeros for beta = 0, whatever C holds."""
    for beta, flips in itertools.product([0.0, 0.5], itertools.product([False, True], repeat=2)):
        case = Case(random.Random(2), size, dtype, beta=beta, flips=flips)
        case.check(directly(block))


@each_kind
def test_alpha_zero_reads_no_operand(dtype: str, block: small_product.Block) -> None:
    """As in BLAS: a NaN in A or B does not come in, in either implementation."""
    case = Case(random.Random(3), (9, 21, 6), dtype, alpha=0.0, beta=0.5)
    case.a[...] = np.nan
    whole = case.c.copy()
    inside = case.matrix(whole, case.m, case.n, case.ldc)
    inside[...] = inside * np.asarray(0.5, dtype)
    directly(block)(case)
    np.testing.assert_array_equal(case.c, whole)


@each_kind
def test_an_element_depends_on_its_row_and_column_alone(
    dtype: str, block: small_product.Block
) -> None:
    """The order of a sum is that of k, at every place of C: tiles and batches keep their bits."""
    numbers = np.random.default_rng(4)
    a, b = numbers.standard_normal((1, 40)), numbers.standard_normal((40, 1))
    case = Case(random.Random(4), (21, 51, 40), dtype, alpha=1.0, beta=0.0, flips=(False, False))
    case.operand("a")[...] = a
    case.operand("b")[...] = b
    directly(block)(case)
    assert len(set(case.matrix(case.c, case.m, case.n, case.ldc).ravel().tolist())) == 1


@each_kind
@pytest.mark.parametrize("rows", [32, 37, 77])
def test_copies_beside_the_product_keep_its_bits(
    dtype: str, block: small_product.Block, rows: int
) -> None:
    """Columns of a wide B, whose panels are copied while those before are multiplied, and the same
    columns of a narrow one, which is read where it is. Several parts of terms; odd borders."""
    terms = 2 * product_right.PART + 5
    for width in (4096 // np.dtype(dtype).itemsize, 1024 + 45):
        if not block.masks:
            width &= -4
        wide = Case(random.Random(7), (rows, width, terms), dtype, flips=(False, False), beta=0.0)
        wide.check(directly(block))
        whole = wide.matrix(wide.c, rows, width, wide.ldc)
        for first in range(0, width, 400):
            columns = slice(first, min(first + 400, width))
            size = (rows, columns.stop - first, terms)
            narrow = Case(random.Random(8), size, dtype, flips=(False, False), beta=0.0)
            narrow.alpha = wide.alpha
            narrow.operand("a")[...] = wide.operand("a")
            narrow.operand("b")[...] = wide.operand("b")[:, columns]
            directly(block)(narrow)
            part = narrow.matrix(narrow.c, rows, size[1], narrow.ldc)
            np.testing.assert_array_equal(part, whole[:, columns])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_the_driver(dtype: str) -> None:
    """Sizes on either side of the choice between this and BLAS: the same product."""
    rng = random.Random(5)
    sizes = [(1, 1, 1), (2, 3, 4), (32, 10, 32), (50, 2, 50), (77, 50, 7), (64, 32, 64)]
    sizes += [(20, 40, 256), (20, 40, 257), (3, 100, 100), (100, 3, 100)]
    for size, flips in itertools.product(sizes, itertools.product([False, True], repeat=2)):
        Case(rng, size, dtype, flips=flips).check(by_driver)


@pytest.mark.parametrize("size,calls", [((32, 16, 32), 0), ((600, 600, 400), 1)], ids=str)
def test_who_computes(size: tuple[int, int, int], calls: int) -> None:
    """A product the size of a small layer's never enters BLAS; a large one does."""
    blas.connect()
    called = []
    gemm = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(lambda *given: called.append(given))
    word = threads.pool.word(threads.SGEMM)
    before = word.value
    word.value = ctypes.cast(gemm, ctypes.c_void_p).value or 0
    try:
        by_driver(Case(random.Random(6), size, "float32"))
    finally:
        word.value = before
    assert len(called) == calls
