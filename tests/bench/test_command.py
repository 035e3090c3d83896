"""`graphc bench`: what it chooses, what it reports, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphc.bench import command
from graphc.bench.command import main
from graphc.bench.suite import BenchError, Sample, Suite
from graphc.bench.table import BEGIN, END
from graphc.bench.workloads import WORKLOADS

LIMITS = {"copy_bytes": 1e10, "float32_products": 1e11, "float64_products": 5e10}


@pytest.fixture
def measured(monkeypatch):
    """Stands for the processes: a list of (workload, framework, data or failure or an error)."""
    found: list[tuple[str, str, Any]] = []

    def run(self: Suite, works: Any, processes: int, tell: Any) -> None:
        chosen = {work.name for work in works}
        for name, framework, what in found:
            if isinstance(what, BaseException):
                raise what
            if name in chosen:
                failure = what if isinstance(what, str) else ""
                data = {} if failure else {"value": what, "import_seconds": 0.0}
                tell(Sample(name, framework, 0, data, failure))

    monkeypatch.setattr(Suite, "prepare", lambda self: None)
    monkeypatch.setattr(Suite, "limits", lambda self: LIMITS)
    monkeypatch.setattr(Suite, "run", run)
    return found


def test_list_names_every_workload(capsys):
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(work.name in listed for work in WORKLOADS)


def test_an_unknown_workload_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as exit_status:
        main(["mlp_huge"])
    assert exit_status.value.code == 2
    said = capsys.readouterr().err
    assert "expected one of training" in said
    assert "mlp_tiny" in said


def test_kept_promises_are_status_0_and_missed_ones_1(measured, capsys):
    measured += [("call_scalar", "graphc", 1e-6), ("call_scalar", "jax", 5e-6)]
    assert main(["call_scalar"]) == 0
    assert "kept: time 0.20 of jax, at most 0.35" in capsys.readouterr().out
    measured[0] = ("call_scalar", "graphc", 4e-6)
    assert main(["call_scalar"]) == 1
    assert "MISSED: time 0.80 of jax" in capsys.readouterr().out


def test_a_framework_that_fails_is_shown_and_is_status_1(measured, capsys):
    measured += [("call_scalar", "graphc", 1e-6), ("call_scalar", "jax", "no such operator")]
    assert main(["functions"]) == 1
    assert "failed: no such operator" in capsys.readouterr().out


def test_ctrl_c_leaves_a_report_of_what_was_measured(measured, capsys, tmp_path):
    """A long run is not lost."""
    measured += [("call_scalar", "graphc", 1e-6), ("", "", KeyboardInterrupt())]
    path = tmp_path / "part.json"
    assert main(["--json", str(path)]) == 130
    captured = capsys.readouterr()
    assert "interrupted; what was measured until then:" in captured.err
    assert "call_scalar" in captured.out
    assert len(json.loads(path.read_text())["samples"]) == 1


def test_a_group_chooses_its_workloads():
    chosen = command._chosen(["graphs", "import"])
    assert [work.name for work in chosen] == [
        "import", "graph_1000", "graph_1000_second", "graph_10000", "graph_10000_second",
    ]  # fmt: skip
    assert command._chosen([]) == list(WORKLOADS)


def test_a_page_is_written_from_an_earlier_run(measured, tmp_path, capsys):
    measured += [("call_scalar", "graphc", 1e-6), ("call_scalar", "jax", 5e-6)]
    run, page = tmp_path / "run.json", tmp_path / "page.md"
    page.write_text(f"# Title\n{BEGIN}\n{END}\n")
    main(["--json", str(run)])
    measured.clear()
    assert main(["--from", str(run), "--readme", str(page)]) == 0
    assert "| gradient of sin(x) exp(-x^2), one call | 1 us (1 to 1) | jax 5 us" in page.read_text()


@pytest.mark.slow
def test_the_command_measures_in_processes_of_their_own(tmp_path, capsys):
    """The whole way: driver cached, fresh kernel cache, a second process that finds its kernels."""
    path = Path(tmp_path, "bench.json")
    only = ["--framework", "graphc", "--quick", "--json", str(path)]
    # Whether promises hold depends on the machine: that is not tested here.
    main(["first_step", "second_process", *only])
    samples = {each["workload"]: each for each in json.loads(path.read_text())["samples"]}
    assert not any(each["failure"] or each["data"]["wrong"] for each in samples.values())
    assert samples["second_process"]["data"]["value"] < samples["first_step"]["data"]["value"]
    assert "second_process + import" in capsys.readouterr().out


def test_limits_that_fail_after_the_run_lose_nothing(monkeypatch, tmp_path, capsys):
    # What was measured for minutes is reported with the limits that were found before.
    found = [LIMITS]

    def limits(suite):
        if not found:
            raise BenchError("bench: the machine's limits could not be measured")
        return found.pop()

    monkeypatch.setattr(Suite, "prepare", lambda self: None)
    monkeypatch.setattr(Suite, "limits", limits)
    monkeypatch.setattr(Suite, "run", lambda self, works, processes, tell: None)
    target = tmp_path / "run.json"
    main(["mlp_tiny", "--quick", "--json", str(target)])
    assert json.loads(target.read_text())["limits"] == LIMITS
    assert found == []
