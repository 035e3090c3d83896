"""What one process measures: the figure, and whether the result was right."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time

import numpy as np
import pytest

from graphc.bench import child
from graphc.bench.model import Job
from graphc.bench.workloads import Workload

GELU = Workload("gelu", "functions", "", "gelu", {"count": 100}, measure="first")


def test_a_first_step_is_timed_from_arrays_to_the_first_result():
    result = child.measure("graphc", GELU, 0.5)
    assert not result["wrong"], result["relative_error"]
    assert result["value"] == result["first_seconds"] >= result["build_seconds"] > 0
    assert result["import_seconds"] == 0.5


def test_a_steady_figure_is_for_one_call():
    work = Workload("scalar", "functions", "", "scalar", {"calls": 200})
    result = child.measure("graphc", work, 0.0)
    assert not result["wrong"]
    assert 0 < result["value"] < result["first_seconds"]


def test_a_result_outside_the_tolerance_is_marked_wrong():
    """A fast wrong answer is no answer."""
    strict = dataclasses.replace(GELU, tolerance=0.0)
    assert child.measure("graphc", strict, 0.0)["wrong"]


def test_a_first_result_whose_memory_is_used_again_is_compared_as_it_was(monkeypatch):
    """The timed runs come before the comparison."""
    memory = np.zeros(100, np.float32)
    model = child.model_of(GELU)
    want = model.reference({}, model.arrays(np.random.default_rng(20240229), GELU.settings))[0]

    def first() -> list[np.ndarray]:
        memory[:] = want
        return [memory]

    job = Job(first, lambda: memory.fill(7.0))
    fake = dataclasses.replace(model, makers={"graphc": lambda *_: job})
    monkeypatch.setattr(child, "model_of", lambda _: fake)
    monkeypatch.setattr(child, "_LEAST_SECONDS", 0.0)
    assert not child.measure("graphc", dataclasses.replace(GELU, measure="steady"), 0.0)["wrong"]


def test_runs_that_take_long_are_few(monkeypatch):
    monkeypatch.setattr(child, "_ENOUGH_SECONDS", 0.01)
    turns = []

    def run() -> None:
        turns.append(None)
        time.sleep(0.02)

    seconds = child._steady(Job(list, run, steps=4))
    assert len(turns) == 1 + child._FEWEST_RUNS
    assert seconds >= 0.005


def test_a_peer_s_process_holds_nothing_of_the_compiler():
    """Else the memory and the threads of numba would be counted among a peer's."""
    read = (
        "import sys, graphc.bench.child as child; from graphc.bench.workloads import *; "
        "[model_of(work) for work in WORKLOADS]; "
        "print([name for name in ('numba', 'llvmlite', 'scipy', 'sympy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_limits_of_the_machine_are_plausible():
    found = child._limits()
    assert 1e9 < found["copy_bytes"] < 1e13
    assert 1e9 < found["float64_products"] < found["float32_products"] < 1e15
