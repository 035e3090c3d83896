"""`graphc bench`: the comparison with whatever peers are installed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from graphc.bench.document import document, machine, read_document, write_document
from graphc.bench.frameworks import FRAMEWORKS
from graphc.bench.report import compare
from graphc.bench.suite import HELD_BACK, BenchError, Sample, Suite, installed
from graphc.bench.table import (
    comparison_text,
    machine_text,
    markdown,
    table_text,
    write_into_page,
)
from graphc.bench.workloads import GROUPS, WORKLOADS, Workload

_INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Run `graphc bench` with these arguments.

    Returns 0; 1 if a framework failed or was wrong, or graphc missed a promise; 130 after Ctrl-C,
    with a report of what was measured until then.
    """
    options = _parser().parse_args(arguments)
    if options.list:
        _list()
        return 0
    if options.read is not None:
        return _report(options, *read_document(options.read))
    with tempfile.TemporaryDirectory(prefix="graphc-bench-") as directory:
        suite = _suite(options, Path(directory))
        suite.prepare()
        limits = suite.limits()
        samples: list[Sample] = []
        whole = _run(suite, options, samples)
        if whole:
            # Something else may have run at the beginning. What was measured is not lost by this.
            with suppress(BenchError):
                limits = suite.limits()
    status = _report(options, machine(), limits, samples)
    return status if whole else _INTERRUPTED


def _suite(options: argparse.Namespace, directory: Path) -> Suite:
    here = installed()
    chosen = [each for each in here if not options.framework or each.name in options.framework]
    lost = [each.name for each in FRAMEWORKS if each not in here]
    print(f"frameworks: {', '.join(each.name for each in chosen)}", end="")
    print(f"; not installed: {', '.join(lost)}" if lost else "")
    unset = () if options.keep_environment else HELD_BACK
    if unset:
        print(f"every library at its defaults: {', '.join(unset)} unset")
    return Suite(chosen, directory, unset)


def _run(suite: Suite, options: argparse.Namespace, samples: list[Sample]) -> bool:
    """Collect the samples; False if Ctrl-C ended it."""

    def collect(sample: Sample) -> None:
        samples.append(sample)
        _tell(sample)

    try:
        suite.run(_chosen(options.workload), 1 if options.quick else options.processes, collect)
    except KeyboardInterrupt:
        print("interrupted; what was measured until then:", file=sys.stderr)
        return False
    return True


def _chosen(names: Sequence[str]) -> list[Workload]:
    """The workloads of these names or groups, all without names."""
    return [work for work in WORKLOADS if not names or {work.name, work.group} & set(names)]


def _report(
    options: argparse.Namespace,
    host: Mapping[str, Any],
    limits: Mapping[str, Any],
    samples: Sequence[Sample],
) -> int:
    rows = [row for work in _chosen(options.workload) for row in compare(work, samples, limits)]
    for row in rows:
        print(f"\n{comparison_text(row)}")
    print(f"\n{machine_text(host, limits)}\n\n{table_text(rows)}")
    if options.json is not None:
        write_document(options.json, document(host, limits, rows, samples))
        print(f"\nwritten to {options.json}")
    if options.readme is not None:
        write_into_page(options.readme, markdown(rows, host, limits))
        print(f"\nwritten into {options.readme}")
    failed = [f for row in rows for f in row.figures if f.value is None and not f.late]
    kept = all(ok for row in rows for _, ok in row.promises)
    return 0 if kept and not failed else 1


def _tell(sample: Sample) -> None:
    """A line on standard error for each process, so that a long run shows where it is."""
    said = sample.failure or ("wrong" if sample.value is None else f"{sample.value:.6g} s")
    print(f"  {sample.workload} {sample.framework} #{sample.round + 1}: {said}", file=sys.stderr)


def _list() -> None:
    for work in WORKLOADS:
        print(f"{work.name:<22} {work.group:<10} {work.title} ({work.unit})")


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {count}")
    return count


def _workload(text: str) -> str:
    names = [*GROUPS, *(work.name for work in WORKLOADS)]
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}; got {text!r}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc bench",
        description="Compare graphc with the frameworks that are installed, side by side.",
    )
    parser.add_argument(
        "workload", nargs="*", type=_workload, metavar="WORKLOAD",
        help=f"what to measure: a name of --list, or a group: {', '.join(GROUPS)} (default: all)",
    )  # fmt: skip
    count = parser.add_mutually_exclusive_group()
    count.add_argument(
        "--processes", type=_count, default=5, metavar="N",
        help="processes for each figure (default 5)",
    )  # fmt: skip
    count.add_argument("--quick", action="store_true", help="one process for each figure")
    parser.add_argument(
        "--framework", action="append", choices=[each.name for each in FRAMEWORKS],
        help="only this one; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--keep-environment", action="store_true",
        help=f"leave {', '.join(HELD_BACK)} as they are: they hold a library back",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found to FILE")
    parser.add_argument(
        "--from", dest="read", type=Path, metavar="FILE",
        help="measure nothing: report what --json wrote to FILE",
    )  # fmt: skip
    parser.add_argument(
        "--readme", type=Path, metavar="FILE",
        help="write the table into a Markdown page, between its two marker comments",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the workloads and stop")
    return parser
