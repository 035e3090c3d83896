"""The chunks that a kernel's rows are cut into, to be computed by several threads."""

from __future__ import annotations

from graphc.loops.parallel import PARALLEL_WORK

# The work of copying an element from memory that no cache holds.
COPY_WORK = 4
# Rows of up to so many elements may be computed side by side in blocks of 16 (`loops.lanes`). Of so
# many rows or more, chunks are whole blocks: what that takes from the balance is then little.
_ROW_OF_BLOCKS, _MANY_ROWS = 512, 256
# The most chunks that a kernel is cut into: enough for balance, few enough to cost nothing.
MAXIMUM_CHUNKS = 64


def chunk(extent: int, row_work: int, visit_work: int = COPY_WORK) -> int:
    """Rows in a chunk, for rows of `row_work` elements with `visit_work` each.

    A function of the program and the sizes alone, so that results do not depend on the threads.

    >>> chunk(128, 256, visit_work=2)  # a bias and a ReLU
    128
    >>> chunk(128, 256, visit_work=13)  # a softmax
    22
    """
    total = extent * max(row_work, 1) * visit_work
    if total < 2 * PARALLEL_WORK or extent < 2:
        return max(extent, 1)
    chunks = min(MAXIMUM_CHUNKS, total // PARALLEL_WORK, extent)
    grain = -(-extent // chunks)
    # Whole cache lines, so that two threads do not write one; and whole blocks of short rows.
    whole = row_work < 16 or (row_work <= _ROW_OF_BLOCKS and extent >= _MANY_ROWS)
    return -(-grain // 16) * 16 if whole and grain > 16 else grain
