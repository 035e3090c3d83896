"""Rows put side by side by native code: as in Python, and without touching memory around them."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.target.primitives import PRIMITIVES
from tests.target.fence import Fenced
from tests.target.front_ends import FRONT_ENDS, text
from tests.target.test_numba_primitives import call

NAMES = ["float32", "float64", "int32", "int64", "uint32"]
THERE_AND_BACK = """
x = {dtype}_pointer(argv, 0)
lanes = {dtype}_pointer(argv, 1)
out = {dtype}_pointer(argv, 2)
own = {dtype}_array({room})
rows_to_lanes(own, x, integer(argv, 3), integer(argv, 4), integer(argv, 5), {columns})
for i in range({columns} * {count}):
    lanes[i] = own[i]
lanes_to_rows(out, own, integer(argv, 3), integer(argv, 4), integer(argv, 5), {columns})
"""


def moved(front_end: str, rows: np.ndarray, columns: int, out: np.ndarray) -> np.ndarray:
    """The lanes of the first columns of some rows; these columns are then in `out`."""
    dtype, count = rows.dtype.name, 64 // rows.itemsize
    imported = f"{dtype}_array, {dtype}_pointer, integer, lanes_to_rows, rows_to_lanes"
    room = -(-columns // count) * count * count
    body = THERE_AND_BACK.format(dtype=dtype, columns=columns, count=count, room=room)
    lanes = np.zeros((columns, count), rows.dtype)
    distance = rows.strides[0] // rows.itemsize
    call(front_end, text(imported, body), 1, rows, lanes, out, 0, distance, len(rows))
    return lanes


def expected_lanes(rows: np.ndarray, columns: int) -> np.ndarray:
    """The last row stands for those that are missing."""
    present = np.minimum(np.arange(64 // rows.itemsize), len(rows) - 1)
    return rows[present, :columns].T


@pytest.mark.parametrize("dtype", NAMES)
@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_rows_side_by_side(front_end: str, dtype: str) -> None:
    """Every bit of a number is moved, whatever it means; other columns of a row stay."""
    random = np.random.default_rng(0)
    for columns, count in ((1, 1), (7, 3), (8, 8), (9, 16), (16, 16), (17, 5), (33, 8)):
        count = min(count, 64 // np.dtype(dtype).itemsize)
        bits = random.integers(0, 256, (count, columns + 3, np.dtype(dtype).itemsize), np.uint8)
        rows = bits.view(dtype)[..., 0]
        out = np.zeros_like(rows)
        lanes = moved(front_end, rows, columns, out)
        assert lanes.tobytes() == np.ascontiguousarray(expected_lanes(rows, columns)).tobytes()
        assert out[:, :columns].tobytes() == rows[:, :columns].tobytes()
        assert not out.view(np.uint8).reshape(count, columns + 3, -1)[:, columns:].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_around_the_rows_is_not_touched(dtype: str) -> None:
    """Rows that end where memory ends: a whole vector there would end the process."""
    for columns in (1, 5, 15, 16, 17):
        for count in (1, 3, 8):
            fences = [Fenced(at_the_end=True) for _ in range(2)]
            memory = [fence.array(count * columns, dtype) for fence in fences]
            rows, out = (array.reshape(count, columns) for array in memory)
            rows[:] = np.random.default_rng(0).normal(size=rows.shape)
            moved("cpu", rows, columns, out)
            np.testing.assert_array_equal(out, rows)


def test_in_python() -> None:
    """What the primitives mean."""
    rows = np.arange(40, dtype=np.float32).reshape(2, 20)
    lanes, out = np.zeros((20, 16), np.float32), np.zeros((2, 20), np.float32)
    argv = np.array([rows.ctypes.data, lanes.ctypes.data, out.ctypes.data], np.int64)
    x, own, back = (PRIMITIVES["float32_pointer"](argv.ctypes.data, slot) for slot in range(3))
    PRIMITIVES["rows_to_lanes"](own, x, 20, 20, 1, 20)
    np.testing.assert_array_equal(lanes, np.repeat(rows[1][:, None], 16, axis=1))
    PRIMITIVES["lanes_to_rows"](back, own, 0, 20, 2, 20)
    np.testing.assert_array_equal(out, rows[[1, 1]])
