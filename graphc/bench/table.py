"""Comparisons as text: for a terminal, and as the table of a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc.bench.report import Comparison, Figure
from graphc.bench.suite import BenchError
from graphc.files import replace_text

# What is between them in a page is written anew.
BEGIN, END = "<!-- graphc bench: table -->", "<!-- graphc bench: end -->"
_BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
_PEERS = ("torch", "jax", "pytensor")


def machine_text(host: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    """The machine and its limits in one sentence."""
    versions = [f"{name} {version}" for name, version in host["versions"].items()]
    return (
        f"{host['processor']}, {host['cores']} cores, {host['system']}, Python {host['python']}, "
        f"{', '.join(versions)}; {host['date']}. Copies {limits['copy_bytes'] / 1e9:.0f} GB/s "
        f"(read and written), matrix products {limits['float32_products'] / 1e9:.0f} GFLOP/s "
        f"float32, {limits['float64_products'] / 1e9:.0f} float64."
    )


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
    head = (
        f"{'workload':<30} {'graphc':>11} {'best peer':>11}  {'':<14} {'ratio':>6} {'memory':>6}"
        "  promise"
    )
    lines = [head, "-" * len(head)]
    for row in rows:
        own, best = row.figure("graphc"), row.figure(row.best_peer)
        cells = f"{_cell(own, row.unit):>11} {_cell(best, row.unit):>11}"
        ratios = f"{_two_digits(row.ratio):>6} {_two_digits(row.memory_ratio):>6}"
        kept = "; ".join(f"{'kept' if ok else 'MISSED'}: {text}" for text, ok in row.promises)
        lines.append(f"{row.workload:<30} {cells}  {row.best_peer:<14} {ratios}  {kept}")
    return "\n".join(line.rstrip() for line in lines)


def markdown(rows: Sequence[Comparison], host: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    """The table for a page, with the machine above it; what is slower than a peer stands out."""
    rounds = max((len(f.by_round) for row in rows for f in row.figures), default=0)
    lines = [
        f"Measured on {machine_text(host, limits)}", "",
        f"Medians of up to {rounds} processes each, lowest to highest in brackets, on the same "
        "data, side by side. The ratio is that of times to the best peer, in bold where graphc is "
        "slower; memory is the peak over the import, by the least of JAX's.", "",
        "| what | graphc | best peer | ratio | memory |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        own, best = row.figure("graphc"), row.figure(row.best_peer)
        ratio = _two_digits(row.ratio)
        if row.ratio is not None and row.ratio > 1:
            ratio = f"**{ratio}**"
        rate = f"; {row.rate:.0%} of the rate of matrix products" if row.rate else ""
        peer = f"{row.best_peer} {_spread(best, row.unit)}" if best else _why_none(row)
        memory = _two_digits(row.memory_ratio)
        lines.append(
            f"| {row.title}{rate} | {_spread(own, row.unit)} | {peer} | {ratio} | {memory} |"
        )
    return "\n".join(lines)


def write_into_page(path: Path, table: str) -> None:
    """Put a table between the two markers of a page; BenchError if it has none."""
    try:
        page = path.read_text("utf-8")
    except OSError as error:
        raise BenchError(f"bench: {path} cannot be read: {error}") from None
    if not _BLOCK.search(page):
        raise BenchError(f"bench: expected the lines {BEGIN} and {END} in {path}; found none")
    replace_text(path, _BLOCK.sub(lambda _: f"{BEGIN}\n\n{table}\n\n{END}", page, count=1))


def _why_none(row: Comparison) -> str:
    late = [figure for figure in row.figures if figure.late and figure.framework != "graphc"]
    return late[0].note if late else "-"


def _two_digits(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _cell(figure: Figure | None, unit: str) -> str:
    if figure is None or figure.value is None:
        return "-"
    scale, unit = _readable(figure.value, unit)
    return f"{_number(figure.value / scale)} {unit}"


def _spread(figure: Figure | None, unit: str) -> str:
    if figure is None or figure.value is None:
        return "-"
    scale, _ = _readable(figure.value, unit)
    ends = [_number(end / scale) for end in (figure.lowest, figure.highest)]
    return f"{_cell(figure, unit)} ({' to '.join(ends)})"


def _readable(value: float, unit: str) -> tuple[float, str]:
    """What to divide by, and the unit then: milliseconds for thousands of microseconds."""
    return (1000.0, "ms") if unit == "us" and value >= 1000 else (1.0, unit)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
