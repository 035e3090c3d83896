"""Arguments to try a formula on: even, by exponent, at the ends, near zero, and nearly equal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphc.errors import ArgumentError

SPACINGS = ("mixed", "linear", "log")


@dataclass(frozen=True)
class Span:
    """Where the values of one input lie: between two numbers, or some given ones."""

    low: float
    high: float
    spacing: str = "mixed"
    points: tuple[float, ...] = ()

    def __str__(self) -> str:
        if self.points:
            return f"{len(self.points)} given points"
        return f"[{self.low:g}, {self.high:g}]"

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Which of the values lie inside."""
        if self.points:
            return np.isin(values, self.points)
        return np.asarray((values >= self.low) & (values <= self.high))


def as_span(given: object, name: str) -> Span:
    """A span from (low, high), (low, high, spacing), or a list or array of points.

    Raises ArgumentError for anything else.
    """
    if isinstance(given, list | np.ndarray):
        points = np.asarray(given)
        if points.dtype.kind not in "fiu" or points.size == 0 or not np.all(np.isfinite(points)):
            raise ArgumentError(
                f"accuracy: expected finite numbers as the points of {name!r}; got {given!r}"
            )
        values = tuple(float(point) for point in points.ravel())
        return Span(min(values), max(values), points=values)
    wanted = f"accuracy: expected (low, high), or a list of points, as the range of {name!r}"
    if not isinstance(given, tuple) or len(given) not in (2, 3):
        raise ArgumentError(f"{wanted}; got {given!r}")
    low, high, spacing = (*given, "mixed")[:3]
    for end in (low, high):
        number = isinstance(end, int | float | np.number) and not isinstance(end, bool)
        if not number or not np.isfinite(end):
            raise ArgumentError(f"{wanted}, of finite numbers; got {given!r}")
    if not low <= high:
        raise ArgumentError(f"{wanted}, with low <= high; got {given!r}")
    if spacing not in SPACINGS:
        raise ArgumentError(f"{wanted}, spaced {', '.join(SPACINGS)}; got {spacing!r}")
    return Span(float(low), float(high), spacing)


def sample(spans: Sequence[Span], count: int, dtype: str, seed: int) -> np.ndarray:
    """A row of `count` for each sample, a column for each span; the same for the same seed.

    A quarter of the rows are made of the ends and other hard points of the spans, an eighth of
    nearly equal or opposite pairs, where differences cancel.
    """
    random = np.random.default_rng(seed)
    limits = np.finfo(dtype)
    rows = np.stack([_column(span, count, limits, random) for span in spans], axis=1)
    hard = _combinations([_edges(span, limits) for span in spans], max(1, count // 4), random)
    rows[: len(hard)] = hard
    if len(spans) > 1:
        _pair(rows[len(hard) : len(hard) + count // 8], spans, limits, random)
    rounded = rows.astype(dtype)
    for column, span in zip(rounded.T, spans, strict=True):
        if not span.points:  # rounding may have carried a value past an end
            low, high = np.asarray((span.low, span.high), dtype)
            column[column < span.low] = np.nextafter(low, high)
            column[column > span.high] = np.nextafter(high, low)
    return rounded


def _column(
    span: Span, count: int, limits: np.finfo[np.floating], random: np.random.Generator
) -> np.ndarray:
    if span.points:
        return np.resize(random.permutation(span.points), count)
    even = random.uniform(span.low, span.high, count)
    if span.spacing == "linear":
        return even
    scaled = _by_exponent(span.low, span.high, count, limits, random)
    if span.spacing == "log":
        return scaled
    return np.where(random.random(count) < 0.25, even, scaled)


def _by_exponent(
    low: float,
    high: float,
    count: int,
    limits: np.finfo[np.floating],
    random: np.random.Generator,
) -> np.ndarray:
    """Numbers whose exponents are even, of both signs where the span has both."""
    if low == high:
        return np.full(count, low)
    signs = random.choice([1.0, -1.0], count) if low < 0 < high else np.where(low >= 0, 1.0, -1.0)
    farthest = np.where(signs > 0, high, -low)
    nearest = np.where(signs > 0, max(low, 0.0), max(-high, 0.0))
    # Down to where squares vanish beside 1; some down to the smallest normal number.
    least = np.where(random.random(count) < 0.9, farthest * float(limits.eps) ** 2, limits.tiny)
    floor = np.maximum(nearest, np.minimum(least, farthest))
    exponents = random.uniform(np.log2(floor), np.log2(farthest), count)
    return np.asarray(signs * np.clip(np.exp2(exponents), floor, farthest))


def _edges(span: Span, limits: np.finfo[np.floating]) -> np.ndarray:
    """The ends and their neighbours, zero, one, and what is tiny or next to them."""
    if span.points:
        return np.asarray(span.points)
    eps, tiny = float(limits.eps), float(limits.tiny)
    steps = [span.low + (span.high - span.low) * eps, span.high - (span.high - span.low) * eps]
    known = [0.0, tiny, eps, eps**0.5, 1 - eps, 1.0, 1 + eps]
    values = np.array([span.low, span.high, *steps, *known, *(-k for k in known[1:])])
    return np.unique(values[span.holds(values)])


def _combinations(
    edges: Sequence[np.ndarray], count: int, random: np.random.Generator
) -> np.ndarray:
    """All combinations of hard points if they are few enough, else some of them."""
    if np.prod([float(len(e)) for e in edges]) <= count:
        return np.array(list(itertools.product(*edges)))
    return np.stack([random.choice(e, count) for e in edges], axis=1)


def _pair(
    rows: np.ndarray,
    spans: Sequence[Span],
    limits: np.finfo[np.floating],
    random: np.random.Generator,
) -> None:
    """Make two elements of each row nearly equal or opposite, where their spans allow it."""
    for row in rows:
        first, second = random.choice(len(spans), 2, replace=False)
        distance = float(limits.eps) ** random.uniform(0, 1) * random.choice([-1.0, 0.0, 1.0])
        value = row[first] * (1 + distance) * random.choice([-1.0, 1.0])
        if spans[second].holds(np.asarray(value)):
            row[second] = value
