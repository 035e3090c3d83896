"""The comparison measures what it says, refuses wrong results, and publishes losses beside wins."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.bench import child, reference
from graphc.bench.command import main
from graphc.bench.frameworks import FRAMEWORKS, framework
from graphc.bench.report import compare, comparison_text, document, table_text, write_json
from graphc.bench.suite import Sample, result_of, takes_part
from graphc.bench.workloads import WORKLOADS, Target, Workload, arrays, workload

SMALL_MLP = {"sizes": (7, 5, 3), "batch": 4, "steps": 6, "rate": 0.1}
SMALL = (
    Workload("sgd", "", "mlp", {**SMALL_MLP, "optimizer": "sgd"}),
    Workload("adam", "", "mlp", {**SMALL_MLP, "optimizer": "adam"}),
    Workload("rows", "", "softmax_cross_entropy", {"rows": 6, "classes": 5}),
    Workload("gelu", "", "gelu", {"count": 100}),
    Workload("scalar", "", "scalar", {"calls": 3}),
)


def sample(name: str, who: str, turn: int, value: float, **more: Any) -> Sample:
    return Sample(name, who, turn, {"value": value, "import_seconds": 1.0, **more})


# --- what is measured ---


def test_every_row_has_a_name_of_its_own_and_the_same_arrays_in_every_process():
    """Frameworks in different processes are compared on the same numbers."""
    assert len({work.name for work in WORKLOADS}) == len(WORKLOADS)
    for work in SMALL:
        first, second = (arrays(work.model, work.settings) for _ in range(2))
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[name], second[name]) for name in first)
        assert {a.dtype.name for a in first.values()} <= {"float32", "int64"}


def test_promises_name_frameworks_that_exist():
    """A promise about a misspelt peer would never be checked."""
    names = {each.name for each in FRAMEWORKS}
    wanted = {target.framework for work in WORKLOADS for target in work.targets}
    assert wanted - {""} <= names
    assert "jax-scan" in wanted


def test_a_scan_takes_part_only_where_there_are_steps():
    scan = framework("jax-scan")
    assert takes_part(scan, workload("mlp_tiny"))
    assert not takes_part(scan, workload("call_scalar"))
    assert not takes_part(scan, workload("import"))
    assert takes_part(framework("jax"), workload("import"))


# --- the reference, against finite differences ---


def test_the_reference_gradients_are_derivatives():
    """All frameworks are judged by the reference, so it is judged by differences itself."""
    x, step = np.array(0.3), 1e-6
    f = lambda x: np.sin(x) * np.exp(-x * x)  # noqa: E731
    want = (f(x + step) - f(x - step)) / (2 * step)
    narrow = Workload("scalar", "", "scalar", {"calls": 1})
    assert reference.expected(narrow) == pytest.approx(want, rel=1e-6)

    z = np.random.default_rng(0).standard_normal((3, 4))
    t = np.array([0, 3, 1])
    _, gradient = reference._softmax_cross_entropy(z, t)
    moved = np.zeros_like(z)
    moved[1, 2] = step
    higher, lower = (reference._softmax_cross_entropy(z + s * moved, t)[0] for s in (1, -1))
    assert gradient[1, 2] == pytest.approx((higher - lower) / (2 * step), rel=1e-5)


def test_the_reference_backward_pass_is_the_derivative_of_its_loss():
    given = {k: v.astype(float) for k, v in arrays("mlp", SMALL_MLP).items() if k != "t"}
    x, t = given["x"][:4], arrays("mlp", SMALL_MLP)["t"][:4]
    _, gradients = reference._backward(given, x, t, 2)
    for name in ("W0", "b0", "W1", "b1"):
        direction = np.random.default_rng(1).standard_normal(given[name].shape)
        higher, lower = (
            reference._backward({**given, name: given[name] + s * direction}, x, t, 2)[0]
            for s in (1e-6, -1e-6)
        )
        slope = (higher - lower) / 2e-6
        assert np.vdot(gradients[name], direction) == pytest.approx(slope, rel=1e-5)


def test_relative_error_is_infinite_for_what_cannot_be_compared():
    want = np.ones(3)
    assert reference.relative_error(np.array([1, 1, 1.5]), want) == 0.5
    assert reference.relative_error(np.ones(2), want) == float("inf")
    assert reference.relative_error(np.array([1, np.nan, 1]), want) == float("inf")


# --- graphc's side of it, and the guard ---


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_graphc_reproduces_the_reference(work):
    """Each model is written right in graphc, at sizes that take no time."""
    result = child.measure("graphc", dataclasses.replace(work, measure="first"), 0.5)
    assert not result["wrong"], result["relative_error"]
    assert result["value"] == result["first_seconds"] >= result["build_seconds"] > 0
    assert result["import_seconds"] == 0.5


def test_a_result_outside_the_tolerance_is_marked_wrong():
    """A fast wrong answer is no answer."""
    strict = dataclasses.replace(SMALL[3], measure="first", tolerance=0.0)
    assert child.measure("graphc", strict, 0.0)["wrong"]
    bad = sample("gelu", "graphc", 0, 1e-9, wrong=True, relative_error=0.25)
    row = compare(SMALL[3], [bad, sample("gelu", "jax", 0, 1.0)])[0]
    assert row.ratio is None
    assert "WRONG: relative error 2.5e-01" in comparison_text(row)


# --- reports ---


def test_ratios_pair_the_two_sides_of_each_round():
    """A machine that is slow for one whole round changes both sides, not their ratio."""
    work = Workload("w", "title", "gelu", targets=(Target("jax", 0.7), Target("torch", 9.0)))
    samples = [sample("w", "graphc", turn, 0.5e-6 * slow) for turn, slow in enumerate((1, 10, 2))]
    samples += [sample("w", "jax", turn, 1e-6 * slow) for turn, slow in enumerate((1, 10, 2))]
    row = compare(work, samples)[0]
    assert (row.best_peer, row.ratio) == ("jax", pytest.approx(0.5))
    assert row.promises == (("0.50 of jax, at most 0.7", True),)  # torch is not there
    own = row.figures[0]
    assert (own.framework, own.value, own.lowest, own.highest) == ("graphc", 1.0, 0.5, 5.0)


def test_losses_and_failures_are_published():
    work = Workload("w", "title", "gelu", targets=(Target("jax", 1.0), Target(limit=0.1)))
    failed = Sample("w", "torch", 0, {}, "no such operator")
    row = compare(work, [sample("w", "graphc", 0, 3e-6), sample("w", "jax", 0, 1e-6), failed])[0]
    assert row.ratio == pytest.approx(3.0)
    assert [kept for _, kept in row.promises] == [False, False]
    assert "failed: no such operator" in comparison_text(row)
    assert table_text([row]).count("MISSED") == 2


def test_first_steps_are_also_given_with_the_import():
    work = workload("first_step")
    alone, whole = compare(work, [sample(work.name, "graphc", 0, 0.25)])
    assert (alone.figures[0].value, whole.figures[0].value) == (0.25, 1.25)


def test_json_holds_every_sample(tmp_path):
    samples = [sample("w", "graphc", 0, 1.0)]
    rows = compare(Workload("w", "", "gelu"), samples)
    write_json(tmp_path / "all.json", document(rows, samples))
    read = json.loads((tmp_path / "all.json").read_text())
    assert read["samples"][0]["data"]["value"] == 1.0
    assert read["comparisons"][0]["figures"][0]["framework"] == "graphc"
    assert "numpy" in read["versions"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "all.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_json(path, {"not": {"for", "json"}})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# --- processes and the command ---


def test_a_process_that_fails_gives_its_last_words():
    data, failure = result_of([sys.executable, "-c", "raise ValueError('out of cheese')"])
    assert (data, failure) == ({}, "ValueError: out of cheese")
    assert result_of([sys.executable, "-c", "raise SystemExit(3)"]) == ({}, "exit status 3")
    noisy = "print('a warning'); print('{\"value\": 2}')"
    assert result_of([sys.executable, "-c", noisy]) == ({"value": 2}, "")


def test_list_names_every_workload(capsys):
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(work.name in listed for work in WORKLOADS)


def test_an_unknown_workload_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as exit_status:
        main(["mlp_huge"])
    assert exit_status.value.code == 2
    assert "expected one of mlp_tiny" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_measures_in_processes_of_their_own(tmp_path, capsys):
    """The whole way: driver cached, fresh kernel cache, a second process that finds its kernels."""
    path = Path(tmp_path, "bench.json")
    only = ["--framework", "graphc", "--processes", "1", "--json", str(path)]
    # Whether promises hold depends on the machine: that is not tested here.
    main(["first_step", "second_process", *only])
    samples = {each["workload"]: each for each in json.loads(path.read_text())["samples"]}
    assert not any(each["failure"] or each["data"]["wrong"] for each in samples.values())
    assert samples["second_process"]["data"]["value"] < samples["first_step"]["data"]["value"]
    assert "second_process + import" in capsys.readouterr().out
