"""What `gx.accuracy` finds: records of it, and how they are printed."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.shape import shape_text

_WIDTH = 100
_NOTICED = 10.0  # units in the last place that make a digit


@dataclass(frozen=True)
class AccuracyPoint:
    """One place: the inputs there, what is exact, what came, and the condition number.

    `element` is the place in the result of what is compared; `error` is in units in the last place
    of the exact value. The condition number is the sum of |x df/dx| / |f| over all inputs: how many
    times larger than a relative change of the inputs that of the result is.
    """

    inputs: Mapping[str, Any]
    element: tuple[int, ...]
    exact: float
    got: float
    error: float
    condition: float


@dataclass(frozen=True)
class FormAccuracy:
    """One way of computing it: its formula, its errors in units in the last place, its worst
    places, and how often it was infinite or nan where the exact value is a number of the dtype."""

    name: str
    formula: str
    worst: float
    median: float
    failures: int
    points: tuple[AccuracyPoint, ...]

    def digits_lost(self, digits: float) -> float:
        """How many decimal digits the worst error takes away, of so many."""
        return min(digits, math.log10(self.worst)) if self.worst > 1 else 0.0


@dataclass(frozen=True)
class Accuracy:
    """What `gx.accuracy` found. It prints as a table and what follows from it.

    `undefined` counts the elements that have no exact value, such as the logarithm of a negative
    number; they are left out. `rules` are the rewriting rules that made the compiled form.
    """

    dtype: DType
    ranges: Mapping[str, str]
    samples: int
    undefined: int
    written: FormAccuracy
    compiled: FormAccuracy
    rules: tuple[str, ...]

    @property
    def digits(self) -> float:
        """The decimal digits that the dtype has."""
        return float((np.finfo(self.dtype.numpy.name).nmant + 1) * math.log10(2))

    @property
    def advice(self) -> str:
        """What the figures say, in words."""
        return "\n".join(textwrap.fill(line, _WIDTH) for line in _advice(self))

    def __str__(self) -> str:
        places = ", ".join(f"{name} in {span}" for name, span in self.ranges.items())
        head = f"{self.samples} samples in {self.dtype}: {places}"
        if self.undefined:
            head += f"; {self.undefined} results have no exact value"
        formulas = [
            f"{form.name + ':':<12}{form.formula}" for form in (self.written, self.compiled)
        ]
        return "\n".join([head, "", *_table(self), "", *formulas, "", self.advice])

    __repr__ = __str__


def _table(result: Accuracy) -> list[str]:
    columns = ("", "worst ulp", "digits lost", "median", "at", "exact", "got", "condition")
    rows: list[tuple[str, ...]] = [columns]
    for form in (result.written, result.compiled):
        lost = f"{form.digits_lost(result.digits):.1f} of {result.digits:.1f}"
        cells = [form.name, _ulps(form.worst), lost, _ulps(form.median)]
        if form.points:
            point = form.points[0]
            numbers = (point.exact, point.got)
            cells += [_place(point), *(_number(v, result.dtype) for v in numbers)]
            cells.append(f"{point.condition:.2g}")
        rows.append((*cells, *[""] * (len(columns) - len(cells))))
    widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _ulps(error: float) -> str:
    return f"{error:.2f}" if error < 100 else f"{error:.2g}"


def _number(value: float, dtype: DType) -> str:
    with np.errstate(over="ignore"):
        return str(dtype.numpy.type(value))


def _place(point: AccuracyPoint) -> str:
    texts = [f"{name} = {_value(value)}" for name, value in point.inputs.items()]
    element = f" [{', '.join(map(str, point.element))}]" if point.element else ""
    return ", ".join(texts) + element


def _value(value: Any) -> str:
    array = np.asarray(value)
    if array.size > 6:
        return f"{shape_text(array.shape)} of {array.min():.3g} to {array.max():.3g}"
    digits = 7 if array.ndim == 0 else 3
    return np.array2string(
        array, formatter={"float_kind": lambda v: f"{v:.{digits}g}"}, separator=", "
    ).replace("\n", "")


def _advice(result: Accuracy) -> list[str]:
    written, compiled = (_loss(form, result) for form in (result.written, result.compiled))
    lines = [f"as written it {written}; the compiled form {compiled}"]
    if result.rules:
        lines[0] += f" (rules used: {', '.join(result.rules)})"
    lines[0] += "."
    worst = result.compiled
    if worst.worst >= _NOTICED and worst.points:
        condition = worst.points[0].condition
        if worst.worst <= 4 * condition:
            lines.append(
                f"The problem itself is sensitive there (condition number {condition:.1e}): the "
                f"rounding of its inputs costs as much, whatever the formula."
            )
        else:
            lines.append(
                f"The problem itself is not that sensitive there (condition number "
                f"{condition:.1e}): {_remedy(result.dtype)} would keep more."
            )
    return lines


def _remedy(dtype: DType) -> str:
    return "another formula, or float64," if dtype.name == "float32" else "another formula"


def _loss(form: FormAccuracy, result: Accuracy) -> str:
    if form.worst < _NOTICED:
        return "loses no digit"
    lost, place = form.digits_lost(result.digits), _place(form.points[0])
    text = f"loses {lost:.0f} of {result.digits:.0f} digits near {place}"
    return text + (f" and fails {form.failures} times" if form.failures else "")
