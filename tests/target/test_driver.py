"""The driver: every instruction natively and in Python, programs, products, failures."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest

from graphc.errors import ArgumentError
from graphc.schedule.product_tiles import gemm_tiles
from graphc.target import cpu, driver, loader, primitives, python_driver
from graphc.target.instructions import (
    COLUMNS,
    CONTEXT_WORDS,
    FRAME_WORDS,
    GEMM_LIMIT,
    HALTED,
    Context,
    Failure,
    Gemm,
    Opcode,
    bits_float,
    float_bits,
)

TEXTS = {
    "scale": """
from graphc.target.primitives import int64_pointer, integer, context_word

def kernel(lo, hi, argv, context):
    x = int64_pointer(argv, 0)
    n = integer(argv, 1)
    for i in range(lo, hi):
        x[i] = x[i] * n + i + context_word(context, 8)
""",
    "check": """
from graphc.target.primitives import int64_pointer, fail

def kernel(lo, hi, argv, context):
    x = int64_pointer(argv, 0)
    for i in range(lo, hi):
        if x[i] < 0:
            fail(context, 3, i)
""",
}


@dataclass
class Program:
    """Rows, registers, context and kernels for both drivers, over the same memory."""

    rows: list[list[int]]
    registers: np.ndarray = field(default_factory=lambda: np.zeros(16, np.int64))
    context: np.ndarray = field(default_factory=lambda: np.zeros(CONTEXT_WORDS, np.int64))
    memory: list[np.ndarray] = field(default_factory=list)

    def table(self) -> np.ndarray:
        table = np.zeros((len(self.rows), COLUMNS), np.int64)
        for place, row in zip(table, self.rows, strict=True):
            place[: len(row)] = row
        return table

    def run(self, runner: Callable[..., int], pc: int = 0) -> tuple[Any, ...]:
        """What a run changed, with all memory put back afterwards."""
        changing = [self.table(), self.registers, self.context, *self.memory]
        before = [array.copy() for array in changing]
        result = runner(changing[0], pc, self.registers, self.context)
        after = tuple(array.tobytes() for array in changing)
        for array, saved in zip(changing, before, strict=True):
            array[...] = saved
        return result, *after


def native(parallel: bool) -> Callable[..., int]:
    return lambda table, pc, registers, context: driver.run(table, pc, registers, context, parallel)


def in_python(table: np.ndarray, pc: int, registers: np.ndarray, context: np.ndarray) -> int:
    return python_driver.run(table, pc, registers, context, kernels())


_kernels: dict[int, Any] = {}


def kernels() -> dict[int, Any]:
    """Python functions by the address of their native twins: one table runs on both."""
    if not _kernels:
        for name, text in TEXTS.items():
            function = loader.load(text, primitives.PRIMITIVES, f"<{name}>")["kernel"]
            _kernels[cpu.compile_kernel(text).address] = function
    return _kernels


def handle(name: str) -> int:
    return cpu.compile_kernel(TEXTS[name]).address


def agree(program: Program, pc: int = 0) -> int:
    """Run on all drivers; the common result."""
    results = [program.run(runner, pc) for runner in (native(True), native(False), in_python)]
    assert results[0] == results[1], "native, with and without threads"
    assert results[0] == results[2], "native and Python"
    return results[0][0]


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_halt_and_leaving_the_table() -> None:
    """The end of a program is a value; running off the table is a failure with its row."""
    assert agree(Program([[Opcode.HALT]])) == HALTED
    assert agree(Program([[Opcode.CHECK]])) == 1
    assert agree(Program([[Opcode.JUMP, -1]])) == -1
    assert agree(Program([[Opcode.JUMP, 10**15]])) == 10**15


def test_unknown_opcode() -> None:
    """A table that was not written for this driver stops at once, saying where."""
    program = Program([[Opcode.CHECK], [99]])
    table = program.table()
    assert agree(program) == 1
    assert driver.run(table, 0, program.registers, program.context) == 1
    assert program.context[:3].tolist() == [Failure.BAD_OPCODE, 99, 1]


def test_registers_and_cells() -> None:
    """MOVE, ADD, LOAD and SET, also into the table itself, which then acts on it."""
    data = np.arange(8)
    program = Program(
        [
            [Opcode.MOVE, 0, 5],
            [Opcode.ADD, 0, -2],
            [Opcode.LOAD, 1, address(data) + 8 * 4],
            [Opcode.SET, address(data), 100, 0, 10, 1, 1000],
            [Opcode.SET, address(data) + 8, -1, 0, 0, 0, 0],
            [Opcode.HALT],
        ],
        memory=[data],
    )
    assert agree(program) == HALTED
    driver.run(program.table(), 0, program.registers, program.context)
    assert program.registers[:2].tolist() == [3, 4]
    assert data[:2].tolist() == [4130, -1]


def test_a_program_may_change_itself() -> None:
    """A loop whose rows are cells: SET moves the base of a COPY on at each turn."""
    source, target = np.arange(6) + 1, np.zeros(6, np.int64)
    table = np.zeros((6, COLUMNS), np.int64)
    cell = address(table) + 3 * COLUMNS * 8
    for place, row in zip(
        table,
        [
            [Opcode.MOVE, 0, 0],
            [Opcode.SET, cell + 8, address(target), 0, 8, 1, 0],
            [Opcode.SET, cell + 16, address(source), 0, 8, 1, 0],
            [Opcode.COPY, 0, 0, 8],
            [Opcode.ADD, 0, 2],
            [Opcode.JUMP_IF_LESS, 0, 6, 0, 1],
        ],
        strict=True,
    ):
        place[: len(row)] = row
    registers, context = np.zeros(4, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    for runner in (native(True), in_python):
        target[:] = 0
        assert runner(table, 0, registers, context) == 6  # no HALT: off the table
        assert target.tolist() == [1, 0, 3, 0, 5, 0]
        assert context[Context.STATUS] == Failure.BAD_ROW
        context[:] = 0


@pytest.mark.parametrize("limit", [-1, 0, 1, 7])
@pytest.mark.parametrize("in_register", [False, True])
def test_loops(limit: int, in_register: bool) -> None:
    """JUMP_IF_LESS with both kinds of limit, counting turns."""
    program = Program(
        [
            [Opcode.MOVE, 2, limit],
            [Opcode.JUMP, 4],
            [Opcode.ADD, 0, 1],
            [Opcode.ADD, 1, 10],
            [Opcode.JUMP_IF_LESS, 0, 2 if in_register else limit, int(in_register), 2],
            [Opcode.HALT],
        ]
    )
    assert agree(program) == HALTED
    driver.run(program.table(), 0, program.registers, program.context)
    assert program.registers[1] == 10 * max(limit, 0)


def test_jump_if_zero() -> None:
    """A predicate is one byte, of a bool buffer."""
    flags = np.array([0, 1, 0, 7], np.uint8)
    for index, taken in enumerate([True, False, True, False]):
        program = Program(
            [[Opcode.JUMP_IF_ZERO, address(flags) + index, 2], [Opcode.ADD, 0, 1], [Opcode.HALT]],
            memory=[flags],
        )
        assert agree(program) == HALTED
        driver.run(program.table(), 0, program.registers, program.context)
        assert program.registers[0] == (0 if taken else 1)


@pytest.mark.parametrize("count", [0, 1, 7, 64, 1001])
def test_copy_and_fill(count: int) -> None:
    """Any number of bytes, overlapping too."""
    data = np.arange(3000).astype(np.uint8)
    program = Program(
        [
            [Opcode.COPY, address(data) + 5, address(data), count],
            [Opcode.FILL_ZERO, address(data) + 1500, count],
            [Opcode.HALT],
        ],
        memory=[data],
    )
    expected = data.copy()
    expected[5 : 5 + count] = data[:count]
    expected[1500 : 1500 + count] = 0
    assert agree(program) == HALTED
    driver.run(program.table(), 0, program.registers, program.context)
    assert data.tobytes() == expected.tobytes()


def test_yield_and_resume() -> None:
    """A run stops where its quota ends and goes on there, with nothing lost or done twice."""
    program = Program(
        [
            [Opcode.ADD, 0, 1],
            [Opcode.YIELD, 1],
            [Opcode.JUMP_IF_LESS, 0, 10, 0, 0],
            [Opcode.HALT],
        ]
    )
    for runner in (native(True), in_python):
        program.registers[:] = 0
        table, pc, stops = program.table(), 0, []
        while pc != HALTED:
            program.registers[1] = 4
            pc = runner(table, pc, program.registers, program.context)
            stops.append((pc, int(program.registers[0])))
        assert stops == [(2, 4), (2, 8), (HALTED, 10)]


@pytest.mark.parametrize("extent", [0, 1, 6, 7, 8, 500])
@pytest.mark.parametrize("grain", [0, 1, 7, 64, 1000])
def test_chunks_cover_the_extent_once(extent: int, grain: int) -> None:
    """PARALLEL and KERNEL do the same, whatever the grain."""
    data = np.arange(max(extent, 1))
    argv = np.array([address(data), 3])
    program = Program(
        [[Opcode.PARALLEL, handle("scale"), extent, grain, address(argv)], [Opcode.HALT]],
        memory=[data],
    )
    program.context[8] = 11
    expected = data.copy()
    expected[:extent] = data[:extent] * 3 + np.arange(extent) + 11
    assert agree(program) == HALTED
    driver.run(program.table(), 0, program.registers, program.context)
    assert data.tolist() == expected.tolist()


def test_kernel_runs_its_range() -> None:
    """KERNEL gives lo and hi as they are."""
    data = np.ones(10, np.int64)
    argv = np.array([address(data), 5])
    rows = [[Opcode.KERNEL, handle("scale"), 3, 5, address(argv)], [Opcode.HALT]]
    program = Program(rows, memory=[data])
    assert agree(program) == HALTED
    driver.run(program.table(), 0, program.registers, program.context)
    assert data.tolist() == [1, 1, 1, 8, 9, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("failing", [[0], [99], [40, 41, 90], [5, 60, 95]])
def test_the_smallest_failing_chunk_is_reported(failing: list[int]) -> None:
    """However chunks are spread over threads, the report is that of the serial order."""
    data = np.arange(100)
    data[failing] = -1
    argv = np.array([address(data)])
    program = Program(
        [
            [Opcode.CHECK],
            [Opcode.PARALLEL, handle("check"), 100, 10, address(argv)],
            [Opcode.HALT],
        ],
        memory=[data],
    )
    for _ in range(50):
        assert agree(program) == 1
    driver.run(program.table(), 0, program.registers, program.context)
    assert program.context[:3].tolist() == [3, failing[0], 1]


def test_every_chunk_fails() -> None:
    """All threads have a failure to report, in any order: chunk 0 is the one that counts."""
    data = np.full(4000, -1)
    argv = np.array([address(data)])
    rows = [[Opcode.PARALLEL, handle("check"), 4000, 2, address(argv)], [Opcode.HALT]]
    program = Program(rows)
    for _ in range(200):
        assert driver.run(program.table(), 0, program.registers, program.context) == 0
        assert program.context[:3].tolist() == [3, 0, 0]
        program.context[:] = 0


def branches(tables: list[list[list[int]]]) -> tuple[list[Any], np.ndarray]:
    """Tables to fork, with two registers each, as arrays to keep and the frames."""
    kept: list[Any] = []
    frames = np.zeros((len(tables), FRAME_WORDS), np.int64)
    for frame, rows in zip(frames, tables, strict=True):
        table, registers = Program(rows).table(), np.zeros(2, np.int64)
        kept += [table, registers]
        frame[:3] = address(table), len(rows), address(registers)
    return kept, frames


def test_fork_runs_every_table() -> None:
    """Each has registers of its own, and loops by itself; kernels see the context."""
    data = np.ones(40, np.int64)
    argvs = [np.array([address(data) + 80 * branch, 3]) for branch in range(4)]
    kept, frames = branches(
        [
            [
                [Opcode.MOVE, 0, 0],
                [Opcode.PARALLEL, handle("scale"), 10, 3, address(argv)],
                [Opcode.ADD, 0, 1],
                [Opcode.JUMP_IF_LESS, 0, 2 + branch, 0, 1],
                [Opcode.HALT],
            ]
            for branch, argv in enumerate(argvs)
        ]
    )
    rows = [[Opcode.FORK, address(frames), 4], [Opcode.HALT]]
    for _ in range(50):
        assert agree(Program(rows, memory=[data])) == HALTED
    driver.run(Program(rows).table(), 0, np.zeros(1, np.int64), np.zeros(CONTEXT_WORDS, np.int64))
    expected = np.ones((4, 10), np.int64)
    for branch, row in enumerate(expected):
        for _ in range(2 + branch):
            row[:] = row * 3 + np.arange(10)
    assert data.tolist() == expected.reshape(-1).tolist()
    assert len(kept) == 8


def test_the_first_failing_table_is_reported() -> None:
    """Its status and detail; the row is that of the fork."""
    argvs = [np.array([address(numbers)]) for numbers in FORKED]
    kept, frames = branches(
        [[[Opcode.KERNEL, handle("check"), 0, 9, address(a)], [Opcode.HALT]] for a in argvs]
    )
    rows = [[Opcode.CHECK], [Opcode.FORK, address(frames), 3], [Opcode.HALT]]
    for runner in (native(True), native(False), in_python):
        for _ in range(50):
            program = Program(rows)
            assert runner(program.table(), 0, program.registers, program.context) == 1
            assert program.context[:3].tolist() == [3, 5, 1]
    assert len(kept) == 6


FORKED = [np.arange(9), np.array([0, 1, 2, 3, 4, -1, 6, 7, -1]), np.full(9, -1)]


def test_check_stops_for_an_older_failure() -> None:
    """What is in the context before the run is seen by CHECK, not by other instructions."""
    program = Program([[Opcode.ADD, 0, 1], [Opcode.CHECK], [Opcode.HALT]])
    program.context[Context.STATUS] = 4
    assert agree(program) == 1


def random_row(rng: random.Random, rows: int, data: np.ndarray, argv: np.ndarray) -> list[int]:
    register, other = rng.randrange(1, 6), rng.randrange(1, 6)
    place = address(data) + 8 * rng.randrange(20)
    number = rng.randrange(-5, 6)
    extent = rng.randrange(20)
    target = 2 * rng.randrange(rows) + 1  # a YIELD: every program ends
    choices = [
        [Opcode.MOVE, register, number],
        [Opcode.ADD, register, number],
        [Opcode.LOAD, register, place],
        [Opcode.SET, place, number, register, rng.randrange(-3, 4), other, rng.randrange(3)],
        [Opcode.COPY, place, address(data) + 8 * rng.randrange(20), rng.randrange(60)],
        [Opcode.FILL_ZERO, place, rng.randrange(30)],
        [Opcode.KERNEL, handle("scale"), 0, extent, address(argv)],
        [Opcode.PARALLEL, handle("scale"), extent, rng.randrange(1, 9), address(argv)],
        [Opcode.PARALLEL, handle("check"), extent, rng.randrange(1, 9), address(argv)],
        [Opcode.JUMP_IF_ZERO, place, target],
        [Opcode.JUMP_IF_LESS, register, number, 0, target],
        [Opcode.JUMP_IF_LESS, register, other, 1, target],
        [Opcode.CHECK],
        [Opcode.YIELD, 0],
    ]
    return [int(cell) for cell in rng.choice(choices)]


@pytest.mark.filterwarnings("ignore:overflow encountered")  # NumPy's scalars tell, and wrap too
@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int) -> None:
    """Any program: the same registers, memory, context and row, natively and in Python."""
    rng = random.Random(seed)
    data = np.array([rng.randrange(-2, 50) for _ in range(40)])
    argv = np.array([address(data), 3])
    count = rng.randrange(4, 25)
    rows = [random_row(rng, count, data, argv) for _ in range(count)]
    rows = [row for pair in ((row, [int(Opcode.YIELD), 0]) for row in rows) for row in pair]
    program = Program([*rows, [Opcode.HALT]], memory=[data])
    program.registers[0] = 200
    agree(program)


# --- products ------------------------------------------------------------------------------------


def gemm_row(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, flips: tuple[bool, bool], **columns: Any
) -> list[int]:
    """A GEMM row for arrays (batch, rows, columns) as stored."""
    m, n = c.shape[-2:]
    cells = {
        Gemm.DTYPE: int(c.dtype == np.float64),
        Gemm.TRANS_A: int(flips[0]),
        Gemm.TRANS_B: int(flips[1]),
        Gemm.M: m,
        Gemm.N: n,
        Gemm.K: a.shape[-2] if flips[0] else a.shape[-1],
        Gemm.ALPHA: float_bits(1.0),
        Gemm.BETA: float_bits(0.0),
        Gemm.BATCH: c.shape[0],
    }
    for name, array in (("A", a), ("B", b), ("C", c)):
        cells[Gemm[name]] = address(array)
        cells[Gemm[f"LD{name}"]] = array.strides[-2] // array.itemsize
        cells[Gemm[f"STRIDE_{name}"]] = array.strides[0] // array.itemsize
    row = [0] * COLUMNS
    row[0] = Opcode.GEMM
    cells.update({Gemm[name.upper()]: value for name, value in columns.items()})
    for column, value in cells.items():
        row[column] = int(value)
    return row


def stored(rng: np.random.Generator, shape: tuple[int, int, int], flip: bool, dtype: str) -> Any:
    """A batch of matrices with room beside each row, as slices of larger ones are."""
    batch, rows, columns = shape
    if flip:
        rows, columns = columns, rows
    room = rng.standard_normal((batch, rows + 1, columns + 3)).astype(dtype)
    return room[:, :rows, :columns]


def reference(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, flips: tuple[bool, bool], alpha: float, beta: float
) -> np.ndarray:
    left = (a.swapaxes(1, 2) if flips[0] else a).astype(np.float64)
    right = (b.swapaxes(1, 2) if flips[1] else b).astype(np.float64)
    scaled = 0.0 if beta == 0 else beta * c.astype(np.float64)
    return alpha * (left @ right) + scaled


SIZES = [(1, 1, 1), (5, 7, 3), (17, 33, 9), (64, 1, 20), (1, 70, 20), (40, 48, 1), (66, 50, 70)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("flips", list(product([False, True], repeat=2)))
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_products_against_float64(
    size: tuple[int, int, int], flips: tuple[bool, bool], dtype: str
) -> None:
    """All transposes, alpha, beta, tiles and batches, vectors too, beside what is around C."""
    m, n, k = size
    rng = np.random.default_rng(m * n * k)
    for batch, alpha, beta, (tile_m, tile_n) in [
        (1, 1.0, 0.0, (0, 0)),
        (1, -0.3, 1.0, (16, 8)),
        (2, 2.0, 0.5, (7, 100)),
        (3, 0.0, 2.0, (1, 3)),
        (0, 1.0, 0.0, (4, 4)),
    ]:
        a = stored(rng, (batch, m, k), flips[0], dtype)
        b = stored(rng, (batch, k, n), flips[1], dtype)
        c = stored(rng, (batch, m, n), False, dtype)
        whole = c.base
        expected = whole.astype(np.float64)
        expected[:, :m, :n] = reference(a, b, c, flips, alpha, beta)
        bits = {"alpha": float_bits(alpha), "beta": float_bits(beta)}
        row = gemm_row(a, b, c, flips, tile_m=tile_m, tile_n=tile_n, **bits)
        tolerance = 2e-5 if dtype == "float32" else 1e-12
        program = Program([row, [Opcode.HALT]])
        for runner in (native(True), native(False), in_python):
            before = whole.copy()
            result = runner(program.table(), 0, program.registers, program.context)
            assert result == HALTED
            np.testing.assert_allclose(whole, expected, rtol=tolerance, atol=tolerance * k)
            whole[...] = before


@pytest.mark.parametrize("size", [(6, 5, 4), (6, 1, 4), (1, 5, 4), (6, 5, 0), (6, 1, 0), (1, 5, 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_beta_zero_does_not_read_c(size: tuple[int, int, int], dtype: str) -> None:
    """Fresh memory may hold NaN: 0 * NaN must not come in, by gemm, by gemv, without terms."""
    m, n, k = size
    a, b = np.ones((1, m, k), dtype), np.ones((1, k, n), dtype)
    c = np.full((1, m, n), np.nan, dtype)
    program = Program([gemm_row(a, b, c, (False, False)), [Opcode.HALT]])
    for runner in (native(True), in_python):
        c[:] = np.nan
        assert runner(program.table(), 0, program.registers, program.context) == HALTED
        assert (c == k).all()


def test_a_single_row_may_have_any_leading_dimension() -> None:
    """Array libraries give axes of size 1 any stride; BLAS would refuse to compute at all."""
    rng = np.random.default_rng(1)
    for m, n, k in [(1, 4, 3), (4, 1, 3), (4, 5, 1), (1, 1, 1), (1, 5, 1)]:
        a, b = rng.standard_normal((1, m, k)), rng.standard_normal((1, k, n))
        c = np.zeros((1, m, n))
        loose = {f"ld{name}": 0 for name, rows in (("a", m), ("b", k), ("c", m)) if rows == 1}
        row = gemm_row(a, b, c, (False, False), **loose)
        program = Program([row, [Opcode.HALT]])
        assert driver.run(program.table(), 0, program.registers, program.context) == HALTED
        np.testing.assert_allclose(c, a @ b, rtol=1e-12)


@pytest.mark.parametrize("size", [(0, 5, 4), (6, 0, 4), (0, 0, 0)])
def test_products_without_elements(size: tuple[int, int, int]) -> None:
    """An empty batch of rows is an ordinary case: nothing is read or written."""
    m, n, k = size
    a, b, c = (np.ones((1, *shape), np.float32) for shape in ((m, k), (k, n), (m, n)))
    assert agree(Program([gemm_row(a, b, c, (False, False)), [Opcode.HALT]])) == HALTED


@pytest.mark.parametrize("size", [(6, 5), (6, 1), (1, 5)])
def test_no_terms_leave_beta_c(size: tuple[int, int]) -> None:
    """k = 0: the sum is empty, C is only scaled."""
    m, n = size
    a, b = np.ones((1, m, 0)), np.ones((1, 0, n))
    c = np.arange(m * n, dtype=float).reshape(1, m, n)
    row = gemm_row(a, b, c, (False, False), beta=float_bits(0.5))
    program = Program([row, [Opcode.HALT]], memory=[c])
    assert agree(program) == HALTED
    driver.run(program.table(), 0, program.registers, program.context)
    np.testing.assert_array_equal(c[0], np.arange(m * n).reshape(m, n) / 2)


@pytest.mark.parametrize("column", ["m", "n", "k", "lda", "ldb", "ldc"])
def test_sizes_beyond_blas_are_a_failure(column: str) -> None:
    """A size that does not fit BLAS's integers would wrap around to a small or negative one."""
    a = np.ones((1, 2, 2))
    row = gemm_row(a, a, a, (False, False), **{column: GEMM_LIMIT + 1})
    program = Program([row, [Opcode.HALT]])
    assert agree(program) == 0
    driver.run(program.table(), 0, program.registers, program.context)
    assert program.context[0] == Failure.GEMM_SIZE


def test_tiles_give_the_same_bits_with_and_without_threads() -> None:
    """Work is cut by size, so who computes a tile cannot matter."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1, 200, 150)).astype(np.float32)
    b = rng.standard_normal((1, 150, 170)).astype(np.float32)
    c = np.zeros((1, 200, 170), np.float32)
    rows, columns = gemm_tiles(200, 170, 150, "float32")
    assert (rows, columns) != (200, 170)
    row = gemm_row(a, b, c, (False, False), tile_m=rows, tile_n=columns)
    program = Program([row, [Opcode.HALT]], memory=[c])
    runs = [program.run(native(parallel)) for parallel in (False, *[True] * 50)]
    assert len(set(runs)) == 1


# --- the door from Python ------------------------------------------------------------------------


def test_arguments_are_checked() -> None:
    """A wrong array would be read as memory that is not there."""
    table, words = np.zeros((2, COLUMNS), np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    bad: list[tuple[Any, Any, Any]] = [
        (table.astype(np.int32), words, words),
        (table[:, ::2], words, words),
        (np.zeros((0, COLUMNS), np.int64), words, words),
        (table, words.astype(float), words),
        (table, words, words[:5]),
        (table, words[:0], words),
    ]
    for arrays in bad:
        with pytest.raises(ArgumentError, match=r"expected"):
            driver.prepare(*arrays)
    table.flags.writeable = False
    with pytest.raises(ArgumentError, match="writable"):
        driver.prepare(table, words, words)


def test_prepared_run_keeps_its_arrays() -> None:
    """The native frame holds addresses: the arrays must live as long as it does."""
    prepared = driver.prepare(
        np.zeros((1, COLUMNS), np.int64), np.zeros(4, np.int64), np.zeros(CONTEXT_WORDS, np.int64)
    )
    assert prepared.run() == HALTED
    junk = [np.full((1, COLUMNS), 99, np.int64) for _ in range(100)]
    assert prepared.run() == HALTED
    assert junk


def test_float_bits() -> None:
    """Cells hold float64 bits as signed integers."""
    for value in (0.0, -0.0, 1.5, float("inf"), 5e-324):
        bits = float_bits(value)
        assert ctypes.c_double.from_buffer(ctypes.c_int64(bits)).value == value
        assert float_bits(bits_float(bits)) == bits
