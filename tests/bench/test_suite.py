"""Processes: what they print, how they fail, and that none is waited for without end."""

from __future__ import annotations

import sys
import time

from graphc.bench.frameworks import Framework
from graphc.bench.suite import Sample, Suite, result_of
from graphc.bench.workloads import Workload


def test_a_process_that_fails_gives_its_last_words():
    data, failure = result_of([sys.executable, "-c", "raise ValueError('out of cheese')"])
    assert (data, failure) == ({}, "ValueError: out of cheese")
    assert result_of([sys.executable, "-c", "raise SystemExit(3)"]) == ({}, "exit status 3")
    noisy = "print('a warning'); print('{\"value\": 2}')"
    assert result_of([sys.executable, "-c", noisy]) == ({"value": 2}, "")
    data, failure = result_of([sys.executable, "-c", "print('no figure')"])
    assert (data, failure) == ({}, "expected a JSON object on the last line, got 'no figure'")


def test_a_process_that_takes_too_long_is_stopped_and_said_to_be_late():
    """With the processes that it has started itself, which hold its output open."""
    started = time.perf_counter()
    children = "import subprocess, time; subprocess.Popen(['sleep', '30']); time.sleep(30)"
    data, failure = result_of([sys.executable, "-c", children], 1)
    assert (data, failure) == ({"late": True}, "took more than 1 s")
    assert time.perf_counter() - started < 15


def test_the_order_of_the_frameworks_moves_on_with_each_round(tmp_path, monkeypatch):
    """Else one of them would always run after the same other one."""
    suite = Suite([Framework(name, name) for name in ("graphc", "torch", "jax")], tmp_path)
    seen: list[tuple[int, str]] = []
    monkeypatch.setattr(
        suite, "_sample", lambda framework, work, turn: Sample(work.name, framework.name, turn, {})
    )
    work = Workload("w", "functions", "", "gelu")
    suite.run([work], 2, lambda sample: seen.append((sample.round, sample.framework)))
    assert [name for turn, name in seen if turn == 0] == ["graphc", "torch", "jax"]
    assert [name for turn, name in seen if turn == 1] == ["torch", "jax", "graphc"]


def test_a_workload_may_ask_for_fewer_rounds(tmp_path, monkeypatch):
    suite, seen = Suite([Framework("graphc", "graphc")], tmp_path), []
    monkeypatch.setattr(suite, "_sample", lambda *_: Sample("w", "graphc", 0, {}))
    suite.run([Workload("w", "graphs", "", "generated", processes=1)], 5, seen.append)
    assert len(seen) == 1


def test_the_highest_limits_are_kept(tmp_path, monkeypatch):
    # Another program that takes a core at one of the measurements must not raise every percentage.
    found = iter([{"float32_products": 1.0, "copy_bytes": 5.0}, {"float32_products": 2.0,
                  "copy_bytes": 4.0}])  # fmt: skip
    suite = Suite([], tmp_path)
    (tmp_path / "driver").mkdir()
    monkeypatch.setattr(Suite, "_process", lambda self, *_: (next(found), ""))
    suite.limits()
    assert suite.limits() == {"float32_products": 2.0, "copy_bytes": 5.0}
