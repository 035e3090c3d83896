"""`graphc bench`: the comparison with whatever peers are installed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from graphc.bench.frameworks import FRAMEWORKS
from graphc.bench.report import compare, comparison_text, document, table_text, write_json
from graphc.bench.suite import HELD_BACK, Sample, Suite, installed
from graphc.bench.workloads import WORKLOADS, Workload


def main(arguments: list[str]) -> int:
    """Run `graphc bench` with these arguments.

    Returns 0, or 1 if a framework failed or was wrong, or graphc missed a promise.
    """
    options = _parser().parse_args(arguments)
    if options.list:
        _list()
        return 0
    here = installed()
    works = [work for work in WORKLOADS if not options.workload or work.name in options.workload]
    chosen = [each for each in here if not options.framework or each.name in options.framework]
    lost = [each.name for each in FRAMEWORKS if each not in here]
    print(f"frameworks: {', '.join(each.name for each in chosen)}", end="")
    print(f"; not installed: {', '.join(lost)}" if lost else "")
    unset = () if options.keep_environment else HELD_BACK
    if unset:
        print(f"every library at its defaults: {', '.join(unset)} unset")
    with tempfile.TemporaryDirectory(prefix="graphc-bench-") as directory:
        suite = Suite(chosen, Path(directory), unset)
        samples = suite.run(works, options.processes, _tell)
    return _report(works, samples, options.json)


def _report(works: Sequence[Workload], samples: list[Sample], path: Path | None) -> int:
    rows = [row for work in works for row in compare(work, samples)]
    for row in rows:
        print(f"\n{comparison_text(row)}")
    print(f"\n{table_text(rows)}")
    if path is not None:
        write_json(path, document(rows, samples))
        print(f"\nwritten to {path}")
    whole = all(figure.value is not None for row in rows for figure in row.figures)
    kept = all(ok for row in rows for _, ok in row.promises)
    return 0 if whole and kept else 1


def _tell(sample: Sample) -> None:
    """A line on standard error for each process, so that a long run shows where it is."""
    said = sample.failure or ("wrong" if sample.value is None else f"{sample.value:.6g} s")
    print(f"  {sample.workload} {sample.framework} #{sample.round + 1}: {said}", file=sys.stderr)


def _list() -> None:
    for work in WORKLOADS:
        print(f"{work.name:<18} {work.title} ({work.unit})")


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {count}")
    return count


def _workload(text: str) -> str:
    names = [work.name for work in WORKLOADS]
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}; got {text!r}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="graphc bench",
        description="Compare graphc with the frameworks that are installed, side by side.",
    )
    known = ", ".join(work.name for work in WORKLOADS)
    parser.add_argument(
        "workload", nargs="*", type=_workload, metavar="WORKLOAD",
        help=f"what to measure: {known} (default: all)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found to FILE")
    parser.add_argument(
        "--processes", type=_count, default=5, metavar="N",
        help="processes for each figure (default 5)",
    )  # fmt: skip
    parser.add_argument(
        "--framework", action="append", choices=[each.name for each in FRAMEWORKS],
        help="only this one; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--keep-environment", action="store_true",
        help=f"leave {', '.join(HELD_BACK)} as they are: they hold a library back",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the workloads and stop")
    return parser
