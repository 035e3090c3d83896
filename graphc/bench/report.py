"""Figures from samples: medians and their spread, ratios to the best peer, promises kept or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from graphc.bench.suite import Sample
from graphc.bench.workloads import JAX, Target, Workload

_SCALE = {"s": 1.0, "ms": 1e3, "us": 1e6}


@dataclass(frozen=True)
class Figure:
    """A framework on a workload: median and extremes of its processes, in the workload's unit.

    `late` says that it took too long, so that all that is known is that it is slower.
    """

    framework: str
    value: float | None
    lowest: float = 0.0
    highest: float = 0.0
    note: str = ""
    peak_bytes: int = 0
    by_round: tuple[tuple[int, float], ...] = ()
    late: bool = False


@dataclass(frozen=True)
class Comparison:
    """One workload: all figures, and graphc's against the best peer's.

    `memory_ratio` is graphc's peak memory by the least of JAX's, `rate` graphc's floating-point
    operations a second by the machine's.
    """

    workload: str
    group: str
    title: str
    unit: str
    figures: tuple[Figure, ...]
    best_peer: str = ""
    ratio: float | None = None
    memory_ratio: float | None = None
    rate: float | None = None
    promises: tuple[tuple[str, bool], ...] = ()

    def figure(self, framework: str) -> Figure | None:
        """The figure of a framework, if it has a value."""
        found = {each.framework: each for each in self.figures if each.value is not None}
        return found.get(framework)


def compare(
    work: Workload, samples: Sequence[Sample], limits: Mapping[str, Any]
) -> list[Comparison]:
    """The comparison of a workload; for first steps also the one that counts the import as well.

    `limits` are those of the machine, as `Suite.prepare` gives them. Empty without samples.
    """
    mine = [sample for sample in samples if sample.workload == work.name]
    if not mine:
        return []
    rows = [_compare(work, mine, work.name, work.title, "", limits)]
    if work.measure in ("first", "second"):
        title = f"{work.title}, import of the framework included"
        rows.append(_compare(work, mine, f"{work.name} + import", title, "import_seconds", limits))
    return rows


def _compare(
    work: Workload,
    samples: Sequence[Sample],
    name: str,
    title: str,
    extra: str,
    limits: Mapping[str, Any],
) -> Comparison:
    names = list(dict.fromkeys(sample.framework for sample in samples))
    names.sort(key=lambda name: name != "graphc")
    figures = tuple(_figure(work, [s for s in samples if s.framework == n], extra) for n in names)
    known = {figure.framework: figure for figure in figures if figure.value is not None}
    own, best = known.get("graphc"), _best(known, ())
    promises = () if extra else (_promise(t, own, known, work, limits) for t in work.targets)
    return Comparison(
        name, work.group, title, work.unit, figures,
        best.framework if best else "",
        _ratio(own, best) if own and best else None,
        _memory_ratio(own, known, JAX) if own and work.group == "training" else None,
        _rate(own, work, limits) if own else None,
        tuple(dict.fromkeys(promise for promise in promises if promise is not None)),
    )  # fmt: skip


def _figure(work: Workload, samples: Sequence[Sample], extra: str) -> Figure:
    """`extra` names what else of a sample counts."""
    scale, name = _SCALE[work.unit], samples[0].framework
    good = [(s, s.value) for s in samples if s.value is not None]
    pairs = [(s.round, scale * (value + s.data.get(extra, 0.0))) for s, value in good]
    note = next((_fault(s) for s in samples if s.value is None), "")
    if not pairs or note:
        return Figure(name, None, note=note, late=any(s.late for s in samples))
    values = [value for _, value in pairs]
    peak = int(median(s.data.get("peak_bytes", 0) for s in samples))
    return Figure(name, median(values), min(values), max(values), "", peak, tuple(pairs))


def _fault(sample: Sample) -> str:
    if sample.failure:
        return sample.failure if sample.late else f"failed: {sample.failure}"
    return f"WRONG: relative error {sample.data['relative_error']:.1e}"


def _best(known: Mapping[str, Figure], names: Sequence[str]) -> Figure | None:
    """The fastest of these peers, of all without names."""
    peers = [f for name, f in known.items() if name != "graphc" and (not names or name in names)]
    return min(peers, key=lambda figure: figure.value or 0.0, default=None)


def _ratio(own: Figure, peer: Figure) -> float | None:
    """The median of the rounds' ratios: both sides of each ran one after the other."""
    other = dict(peer.by_round)
    ratios = [value / other[at] for at, value in own.by_round if at in other]
    return median(ratios) if ratios else None


def _memory_ratio(own: Figure, known: Mapping[str, Figure], names: Sequence[str]) -> float | None:
    peaks = [known[name].peak_bytes for name in names if name in known]
    least = min(peaks, default=0)
    return own.peak_bytes / least if least and own.peak_bytes else None


def _rate(own: Figure, work: Workload, limits: Mapping[str, Any]) -> float | None:
    if not work.operations or own.value is None or not limits:
        return None
    seconds: float = own.value / _SCALE[work.unit]
    return float(work.operations / seconds / limits["float32_products"])


def _promise(
    target: Target,
    own: Figure | None,
    known: Mapping[str, Figure],
    work: Workload,
    limits: Mapping[str, Any],
) -> tuple[str, bool] | None:
    """What was promised and whether it holds; None where there is nothing to compare with."""
    if own is None or own.value is None:
        return "no figure of graphc", False
    if target.limit:
        return f"{own.value:.3g} of at most {target.limit:g} {work.unit}", own.value <= target.limit
    if target.memory:
        return _at_most("memory", "JAX", _memory_ratio(own, known, target.peers), target.memory)
    if target.of_matrix_product:
        rate, wanted = _rate(own, work, limits), target.of_matrix_product
        if rate is None:
            return None
        return f"{rate:.0%} of the rate of matrix products, at least {wanted:.0%}", rate >= wanted
    best = _best(known, target.peers)
    ratio = _ratio(own, best) if best else None
    return _at_most("time", best.framework if best else "", ratio, target.ratio)


def _at_most(what: str, whose: str, ratio: float | None, wanted: float) -> tuple[str, bool] | None:
    if ratio is None:
        return None
    return f"{what} {ratio:.2f} of {whose}, at most {wanted:g}", ratio <= wanted
