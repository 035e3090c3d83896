"""Binding: how a kernel is cut into chunks."""

from __future__ import annotations

import pytest

from graphc.target.chunks import MAXIMUM_CHUNKS, PARALLEL_WORK, chunk


def chunks(extent: int, grain: int) -> int:
    return -(-extent // grain)


@pytest.mark.parametrize("extent", [1, 2, 7, 100, 4096, 10**6])
@pytest.mark.parametrize("row_work", [0, 1, 10, 256, 10**6])
@pytest.mark.parametrize("visit_work", [1, 9, 40])
def test_chunks_at_every_size(extent: int, row_work: int, visit_work: int) -> None:
    """Never empty, never too many; every part but the last is worth handing over."""
    grain = chunk(extent, row_work, visit_work)
    assert 1 <= grain <= extent
    assert chunks(extent, grain) <= MAXIMUM_CHUNKS
    if grain < extent:
        assert grain * max(row_work, 1) * visit_work >= PARALLEL_WORK


def test_costly_kernels_are_cut_earlier() -> None:
    """An exponential takes as long as many additions: fewer of them are worth a thread."""
    assert chunk(64, 256, visit_work=2) == 64
    assert chunk(64, 256, visit_work=12) < 64
    assert chunk(4096, 1000, visit_work=1) < 4096


def test_no_rows() -> None:
    """A size of zero must not become a grain of zero."""
    assert chunk(0, 5) == 1
