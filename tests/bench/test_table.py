"""The table on a Markdown page."""

from __future__ import annotations

from typing import Any

import pytest

from graphc.bench.report import compare
from graphc.bench.suite import BenchError, Sample
from graphc.bench.table import BEGIN, END, machine_text, markdown, write_into_page
from graphc.bench.workloads import Workload

HOST: dict[str, Any] = {
    "processor": "Abacus 7", "cores": 2, "system": "Linux", "python": "3.11",
    "date": "2026-02-29", "versions": {"graphc": "1", "jax": "2"},
}  # fmt: skip
LIMITS = {"copy_bytes": 36e9, "float32_products": 200e9, "float64_products": 99e9}


def rows(own: float, peer: float):
    work = Workload("w", "functions", "a title", "gelu")
    samples = [
        Sample("w", who, turn, {"value": value * (1 + turn), "import_seconds": 0.0})
        for who, value in (("graphc", own), ("jax", peer))
        for turn in range(3)
    ]
    return compare(work, samples, LIMITS)


def test_a_loss_stands_out_and_the_spread_is_told():
    assert "| a title | 2 us (1 to 3) | jax 4 us (2 to 6) | 0.50 |  |" in markdown(
        rows(1e-6, 2e-6), HOST, LIMITS
    )
    assert "| **2.00** |" in markdown(rows(2e-6, 1e-6), HOST, LIMITS)


def test_thousands_of_microseconds_are_milliseconds():
    assert "| 2.5 ms (1.25 to 3.75) |" in markdown(rows(1.25e-3, 1e-3), HOST, LIMITS)


def test_the_machine_its_limits_and_the_versions_are_stated():
    text = machine_text(HOST, LIMITS)
    for part in ("Abacus 7, 2 cores", "graphc 1, jax 2", "2026-02-29", "36 GB/s", "200 GFLOP/s"):
        assert part in text
    assert text in markdown(rows(1e-6, 2e-6), HOST, LIMITS)
    assert "up to 3 processes" in markdown(rows(1e-6, 2e-6), HOST, LIMITS)


def test_only_what_is_between_the_markers_is_written(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before \\1\n{BEGIN}\nold\n{END}\nafter\n")
    write_into_page(page, r"| new \1 |")
    assert page.read_text() == f"before \\1\n{BEGIN}\n\n| new \\1 |\n\n{END}\nafter\n"


def test_a_page_without_markers_is_refused_and_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    with pytest.raises(BenchError, match="expected the lines"):
        write_into_page(page, "table")
    assert page.read_text() == "nothing here\n"
    with pytest.raises(BenchError, match="cannot be read"):
        write_into_page(tmp_path / "none.md", "table")
