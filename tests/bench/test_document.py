"""A run as JSON holds every sample, and can be read again."""

from __future__ import annotations

import json

import pytest

from graphc.bench.document import document, machine, read_document, write_document
from graphc.bench.report import compare
from graphc.bench.suite import BenchError, Sample
from graphc.bench.workloads import Workload


def test_what_was_written_is_read_again(tmp_path):
    samples = [Sample("w", "graphc", 0, {"value": 1.0}), Sample("w", "jax", 1, {}, "no")]
    rows = compare(Workload("w", "functions", "", "gelu"), samples, {})
    path = tmp_path / "all.json"
    write_document(path, document(machine(), {"copy_bytes": 1.0}, rows, samples))
    host, limits, read = read_document(path)
    assert read == samples
    assert limits == {"copy_bytes": 1.0}
    assert "numpy" in host["versions"]
    assert host["processor"]
    comparisons = json.loads(path.read_text())["comparisons"]
    assert comparisons[0]["figures"][0]["framework"] == "graphc"


@pytest.mark.parametrize("text", ["", "[]", '{"samples": [1]}', '{"samples": []}'])
def test_another_file_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(BenchError, match=r"expected a file that --json wrote, .*other\.json"):
        read_document(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "all.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_document(path, {"not": {"for", "json"}})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
