"""Medians, spreads, ratios and promises: losses and failures are published beside wins."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from graphc.bench.report import compare
from graphc.bench.suite import Sample
from graphc.bench.table import comparison_text, table_text
from graphc.bench.workloads import JAX, Target, Workload, workload

LIMITS = {"copy_bytes": 1e10, "float32_products": 1e11, "float64_products": 5e10}


def sample(name: str, who: str, turn: int, value: float, **more: Any) -> Sample:
    return Sample(name, who, turn, {"value": value, "import_seconds": 1.0, **more})


def row_of(work: Workload, *samples: Sample):
    return compare(work, samples, LIMITS)[0]


def gelu(*targets: Target, **more: Any) -> Workload:
    return Workload("w", "functions", "title", "gelu", targets=targets, **more)


def test_ratios_pair_the_two_sides_of_each_round():
    """A machine that is slow for one whole round changes both sides, not their ratio."""
    work = gelu(Target(ratio=0.7), Target(ratio=9.0, peers=("torch",)))
    samples = [sample("w", "graphc", turn, 0.5e-6 * slow) for turn, slow in enumerate((1, 10, 2))]
    samples += [sample("w", "jax", turn, 1e-6 * slow) for turn, slow in enumerate((1, 10, 2))]
    row = row_of(work, *samples)
    assert (row.best_peer, row.ratio) == ("jax", pytest.approx(0.5))
    assert row.promises == (("time 0.50 of jax, at most 0.7", True),)  # torch is not there
    own = row.figures[0]
    assert (own.framework, own.value, own.lowest, own.highest) == ("graphc", 1.0, 0.5, 5.0)


def test_a_promise_is_about_the_best_of_its_peers():
    work = gelu(Target(ratio=1.0), Target(ratio=1.0, peers=JAX))
    peers = {"torch": 1e-6, "jax": 3e-6, "jax-scan": 2.5e-6}
    row = row_of(
        work, sample("w", "graphc", 0, 2e-6), *(sample("w", n, 0, v) for n, v in peers.items())
    )
    assert row.best_peer == "torch"
    assert row.promises == (
        ("time 2.00 of torch, at most 1", False),
        ("time 0.80 of jax-scan, at most 1", True),
    )


def test_memory_is_compared_with_the_least_of_jax():
    samples = [
        sample("w", "graphc", 0, 1e-6, peak_bytes=150), sample("w", "torch", 0, 1e-6, peak_bytes=1),
        sample("w", "jax", 0, 1e-6, peak_bytes=300),
        sample("w", "jax-scan", 0, 1e-6, peak_bytes=100),
    ]  # fmt: skip
    work = dataclasses.replace(gelu(Target(memory=1.0, peers=JAX)), group="training")
    row = row_of(work, *samples)
    assert row.memory_ratio == pytest.approx(1.5)
    assert row.promises == (("memory 1.50 of JAX, at most 1", False),)
    assert row_of(work, *samples[:2]).promises == ()


def test_the_rate_of_products_is_a_part_of_the_machine_s():
    work = gelu(Target(of_matrix_product=0.85), operations=90_000)
    row = row_of(work, sample("w", "graphc", 0, 1e-6))
    assert row.rate == pytest.approx(0.9)
    assert row.promises == (("90% of the rate of matrix products, at least 85%", True),)


def test_losses_failures_and_wrong_results_are_published():
    work = gelu(Target(ratio=1.0), Target(limit=0.1))
    failed = Sample("w", "torch", 0, {}, "no such operator")
    wrong = sample("w", "jax-scan", 0, 1e-9, wrong=True, relative_error=0.25)
    row = row_of(work, sample("w", "graphc", 0, 3e-6), sample("w", "jax", 0, 1e-6), failed, wrong)
    assert row.best_peer == "jax"
    assert row.ratio == pytest.approx(3.0)
    assert [kept for _, kept in row.promises] == [False, False]
    text = comparison_text(row)
    assert "failed: no such operator" in text
    assert "WRONG: relative error 2.5e-01" in text
    assert table_text([row]).count("MISSED") == 2


def test_a_fast_wrong_answer_of_graphc_has_no_figure():
    bad = sample("w", "graphc", 0, 1e-9, wrong=True, relative_error=0.25)
    row = row_of(gelu(Target(ratio=1.0)), bad, sample("w", "jax", 0, 1.0))
    assert row.ratio is None
    assert row.promises == (("no figure of graphc", False),)


def test_one_wrong_round_spoils_the_figure():
    """The others may have been lucky."""
    row = row_of(
        gelu(), sample("w", "graphc", 0, 1e-6),
        sample("w", "graphc", 1, 1e-6, wrong=True, relative_error=1.0),
    )  # fmt: skip
    assert row.figure("graphc") is None


def test_a_peer_that_is_late_is_neither_failed_nor_best():
    slow = Sample("w", "jax", 0, {"late": True}, "took more than 120 s")
    row = row_of(gelu(Target(ratio=1.0), Target(limit=60.0)), sample("w", "graphc", 0, 3e-6), slow)
    assert (row.best_peer, row.ratio) == ("", None)
    assert row.figures[1].late
    assert row.promises == (("3 of at most 60 us", True),)
    assert "jax            took more than 120 s" in comparison_text(row)


def test_first_steps_are_also_given_with_the_import():
    work = workload("first_step")
    alone, whole = compare(work, [sample(work.name, "graphc", 0, 0.25)], LIMITS)
    assert (alone.figures[0].value, whole.figures[0].value) == (0.25, 1.25)
    assert whole.promises == ()


def test_what_was_not_measured_is_not_reported():
    """After Ctrl-C, and for a part of the workloads."""
    assert compare(workload("lenet"), [sample("other", "graphc", 0, 1.0)], LIMITS) == []
