"""Figures from samples: medians and their spread, ratios to the best peer, promises kept or not."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from graphc.bench.suite import Sample
from graphc.bench.workloads import Target, Workload
from graphc.files import replace_text

_SCALE = {"s": 1.0, "us": 1e6}
_LIBRARIES = ("graphc", "numpy", "numba", "scipy", "torch", "jax", "jaxlib", "pytensor")


@dataclass(frozen=True)
class Figure:
    """A framework on a workload: median and extremes of its processes, in the workload's unit."""

    framework: str
    value: float | None
    lowest: float = 0.0
    highest: float = 0.0
    note: str = ""
    peak_bytes: int = 0
    by_round: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One workload: all figures, and graphc's against the best peer's."""

    workload: str
    title: str
    unit: str
    figures: tuple[Figure, ...]
    best_peer: str = ""
    ratio: float | None = None
    promises: tuple[tuple[str, bool], ...] = ()


def compare(work: Workload, samples: Sequence[Sample]) -> list[Comparison]:
    """The comparison of a workload; for first steps also the one that counts the import as well."""
    mine = [sample for sample in samples if sample.workload == work.name]
    rows = [_compare(work, mine, work.name, work.title, "value", work.targets)]
    if work.measure in ("first", "second"):
        title = f"{work.title}, import of the framework included"
        rows.append(_compare(work, mine, f"{work.name} + import", title, "total", ()))
    return rows


def _compare(
    work: Workload,
    samples: Sequence[Sample],
    name: str,
    title: str,
    what: str,
    targets: tuple[Target, ...],
) -> Comparison:
    names = list(dict.fromkeys(sample.framework for sample in samples))
    names.sort(key=lambda name: name != "graphc")
    figures = tuple(_figure(work, [s for s in samples if s.framework == n], what) for n in names)
    known = {figure.framework: figure for figure in figures if figure.value is not None}
    peers = [figure for figure in known.values() if figure.framework != "graphc"]
    own = known.get("graphc")
    best = min(peers, key=lambda figure: figure.value or 0.0, default=None)
    ratio = _ratio(own, best) if own and best else None
    promises = tuple(filter(None, (_promise(target, own, known, work) for target in targets)))
    return Comparison(
        name, title, work.unit, figures, best.framework if best else "", ratio, promises
    )


def _figure(work: Workload, samples: Sequence[Sample], what: str) -> Figure:
    scale, name = _SCALE[work.unit], samples[0].framework
    extra = "import_seconds" if what == "total" else ""
    good = [(s, s.value) for s in samples if s.value is not None]
    pairs = [(s.round, scale * (value + s.data.get(extra, 0.0))) for s, value in good]
    note = next((_fault(s) for s in samples if s.value is None), "")
    if not pairs or note:
        return Figure(name, None, note=note)
    values = [value for _, value in pairs]
    peak = int(median(s.data.get("peak_bytes", 0) for s in samples))
    return Figure(name, median(values), min(values), max(values), "", peak, tuple(pairs))


def _fault(sample: Sample) -> str:
    if sample.failure:
        return f"failed: {sample.failure}"
    return f"WRONG: relative error {sample.data['relative_error']:.1e}"


def _ratio(own: Figure, peer: Figure) -> float:
    """The median of the rounds' ratios: both sides of each ran one after the other."""
    other = dict(peer.by_round)
    return median(value / other[at] for at, value in own.by_round if at in other)


def _promise(
    target: Target, own: Figure | None, known: dict[str, Figure], work: Workload
) -> tuple[str, bool] | None:
    """What was promised and whether it holds; None where the peer is not there to compare with."""
    if own is None or own.value is None:
        return "no figure of graphc", False
    if not target.framework:
        return f"{own.value:.3g} of at most {target.limit:g} {work.unit}", own.value <= target.limit
    if target.framework not in known:
        return None
    ratio = _ratio(own, known[target.framework])
    return f"{ratio:.2f} of {target.framework}, at most {target.ratio:g}", ratio <= target.ratio


# ---- text


def comparison_text(row: Comparison) -> str:
    """All figures of one workload."""
    lines = [f"{row.workload}: {row.title} ({row.unit}; median, lowest - highest)"]
    for figure in row.figures:
        if figure.value is None:
            lines.append(f"  {figure.framework:<14} {figure.note}")
            continue
        spread = f"{_number(figure.lowest)} - {_number(figure.highest)}"
        megabytes = figure.peak_bytes / 1e6
        peak = f"peak {megabytes:,.0f} MB over the import" if megabytes else ""
        lines.append(f"  {figure.framework:<14} {_number(figure.value):>10}   {spread:<22} {peak}")
    return "\n".join(line.rstrip() for line in lines)


def table_text(rows: Sequence[Comparison]) -> str:
    """graphc against the best peer, workload by workload."""
    head = f"{'workload':<24} {'graphc':>11} {'best peer':>11}  {'':<14} {'ratio':>6}  promise"
    lines = [head, "-" * len(head)]
    for row in rows:
        known = {figure.framework: figure for figure in row.figures}
        own, best = known.get("graphc"), known.get(row.best_peer)
        cells = f"{_cell(own, row.unit):>11} {_cell(best, row.unit):>11}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        kept = "; ".join(f"{'kept' if ok else 'MISSED'}: {text}" for text, ok in row.promises)
        lines.append(f"{row.workload:<24} {cells}  {row.best_peer:<14} {ratio:>6}  {kept}")
    return "\n".join(line.rstrip() for line in lines)


def _cell(figure: Figure | None, unit: str) -> str:
    return "-" if figure is None or figure.value is None else f"{_number(figure.value)} {unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


# ---- JSON


def document(rows: Sequence[Comparison], samples: Sequence[Sample]) -> dict[str, Any]:
    """All that was found, for JSON: the machine, the versions, the comparisons, each process."""
    versions = {}
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "machine": {
            "system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "versions": versions,
        "comparisons": [asdict(row) for row in rows],
        "samples": [asdict(sample) for sample in samples],
    }  # fmt: skip


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the file as a whole or not at all."""
    replace_text(path, json.dumps(content, indent=1) + "\n")
