"""Rows of memory that become columns of an array, in plain Python; natively see `llvm_rows`."""

from __future__ import annotations

from graphc.target.pointer import Pointer

ROW_BYTES = 64  # what the numbers of a column take in `rows_to_lanes`


def rows_to_lanes(
    lanes: Pointer, memory: Pointer, start: int, distance: int, rows: int, columns: int
) -> None:
    """Put rows side by side: `lanes` gets for each column one number of each of as many rows as fit
    into 64 bytes.

    The rows begin at element `start` of `memory`, `distance` apart. The last of them stands for
    those that are missing.
    """
    count = ROW_BYTES // memory.dtype.itemsize
    for lane in range(count):
        first = start + min(lane, rows - 1) * distance
        for column in range(columns):
            lanes[column * count + lane] = memory[first + column]


def lanes_to_rows(
    memory: Pointer, lanes: Pointer, start: int, distance: int, rows: int, columns: int
) -> None:
    """The reverse of `rows_to_lanes`."""
    count = ROW_BYTES // memory.dtype.itemsize
    for lane in range(rows):
        for column in range(columns):
            memory[start + lane * distance + column] = lanes[column * count + lane]


def rows_to_columns(
    own: Pointer, memory: Pointer, start: int, distance: int, rows: int, columns: int, pitch: int
) -> None:
    """Copy element c of row r to element c * `pitch` + r of `own`.

    The rows begin at element `start` of `memory`, `distance` apart. What `own` has up to whole
    squares of 64 bytes a side is not defined afterwards.
    """
    for row in range(rows):
        for column in range(columns):
            own[column * pitch + row] = memory[start + row * distance + column]
