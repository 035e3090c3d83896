"""gx.accuracy: it finds the digits that formulas lose, and tells what rewriting won."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError
from graphc.view.hard_points import Span, sample


def test_a_cancellation_is_found_and_what_rewriting_won() -> None:
    """log(1 + x) near 0: all digits as written, none compiled, and the rule is named."""
    x = gx.input("x")
    found = gx.accuracy(gx.log(1 + x), {x: (1e-12, 1)}, samples=300)
    point = found.written.points[0]
    assert found.written.worst > 1e6
    assert found.written.digits_lost(found.digits) == pytest.approx(found.digits, abs=0.3)
    assert float(point.inputs["x"]) < 1e-6
    assert point.exact == pytest.approx(np.log1p(float(point.inputs["x"])), rel=1e-12)
    assert point.got == pytest.approx(float(np.log(np.float32(1) + point.inputs["x"])))
    assert point.condition == pytest.approx(1, abs=1e-5)
    assert found.compiled.worst < 1
    assert found.rules == ("log1p_from_log",)
    text = str(found)
    assert re.search(r"as written it loses 7 of 7 digits near x = \S+; the compiled form", text)
    assert "loses\nno digit" in text or "loses no digit" in text
    assert "log1p(x)" in text


def test_overflow_counts_as_failure() -> None:
    """exp(x) / (1 + exp(x)) is nan for large x, which is worse than any number."""
    x = gx.input("x")
    found = gx.accuracy(gx.exp(x) / (1 + gx.exp(x)), {x: (-120.0, 120.0)}, samples=200)
    assert found.written.failures > 5
    assert found.written.worst == np.inf
    assert found.compiled.failures == 0
    assert found.compiled.worst < 3


def test_a_derivative_and_another_dtype() -> None:
    """Derivatives are expressions; float64 keeps what float32 loses."""
    x = gx.input("x")
    slope = gx.grad(gx.square(x) - gx.square(x - 1e-3), x)
    single = gx.accuracy(slope, {x: (1, 100)}, samples=100)
    double = gx.accuracy(slope, {x: (1, 100)}, samples=100, dtype="float64")
    assert (single.dtype.name, double.dtype.name) == ("float32", "float64")
    lost = [found.written.worst * 2.0**-bits for found, bits in ((single, 24), (double, 53))]
    assert lost[1] < 1e-6 * lost[0]


def test_sensitive_problems_are_told_from_bad_formulas() -> None:
    """sin of large arguments: an exact formula, whose result hangs on the last digits of x."""
    x = gx.input("x")
    steep = gx.accuracy(gx.sin(x * 1.1), {x: (1e3, 1e6)}, samples=200)
    assert steep.compiled.worst > 10
    assert steep.compiled.points[0].condition > 1e3
    assert "is sensitive there" in steep.advice
    flat = gx.accuracy(gx.sqrt(1 + x) - 1, {x: (1e-9, 1e-3)}, samples=200)
    assert "is not that sensitive there" in flat.advice


def test_arrays_parameters_states_and_points() -> None:
    """Elements are sampled one by one; parameters have their values, or a range."""
    x, w = gx.input("x", (3,)), gx.param("w", np.array([1.0, 2.0, 3.0]), dtype="float32")
    y = gx.logsumexp(x * w)
    fixed = gx.accuracy(y, {x: [-100.0, 1.0, 3.0]}, samples=50)
    assert fixed.compiled.worst < 4
    assert all(set(p.inputs["x"]) <= {-100.0, 1.0, 3.0} for p in fixed.written.points)
    moved = gx.accuracy(y, {x: (-1, 1), w: (0, 1)}, samples=50)
    assert set(moved.compiled.points[0].inputs) == {"x", "w"}
    each = gx.accuracy(gx.softmax(x), {x: (-5, 5)}, samples=50)
    assert all(len(p.element) == 1 for p in each.compiled.points)


def test_an_intermediate_node_may_be_sampled() -> None:
    """What lies below a node with a range needs none."""
    x = gx.input("x")
    z = gx.exp(x)
    assert gx.accuracy(gx.log(1 + z), {z: (1e-9, 1)}, samples=40).written.worst > 1e4


def test_undefined_results_are_counted() -> None:
    """The logarithm of a negative number has no exact value, so it is no error."""
    x = gx.input("x")
    found = gx.accuracy(gx.log(x), {x: (-2, 2)}, samples=100)
    assert 10 < found.undefined < 90
    assert found.compiled.worst < 1
    assert f"{found.undefined} results have no exact value" in str(found)


def test_the_same_seed_gives_the_same_samples() -> None:
    """A report can be repeated."""
    x = gx.input("x")
    first, again, other = (
        gx.accuracy(gx.exp(x), {x: (-1, 1)}, samples=60, seed=seed).written for seed in (1, 1, 2)
    )
    assert (first.worst, first.median) == (again.worst, again.median)
    assert first.median != other.median


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, y: gx.accuracy(x + y, {x: (0, 1)}), ArgumentError, "a range for each input"),
        (lambda x, y: gx.accuracy(x, {x: (1, 0)}), ArgumentError, "low <= high"),
        (lambda x, y: gx.accuracy(x, {x: (1,)}), ArgumentError, r"expected \(low, high\)"),
        (lambda x, y: gx.accuracy(x, {x: 3}), ArgumentError, "got 3"),
        (lambda x, y: gx.accuracy(x, {x: (0, np.inf)}), ArgumentError, "finite"),
        (lambda x, y: gx.accuracy(x, {x: ("a", 1)}), ArgumentError, "finite numbers"),
        (lambda x, y: gx.accuracy(x, {x: (0, 1, "even")}), ArgumentError, "linear"),
        (lambda x, y: gx.accuracy(x, {x: []}), ArgumentError, "points of 'x'"),
        (lambda x, y: gx.accuracy(x, {x: ["a"]}), ArgumentError, "points of 'x'"),
        (lambda x, y: gx.accuracy(x, {x: (0, 1), y: (0, 1)}), ArgumentError, "does not depend on"),
        (lambda x, y: gx.accuracy(x, [(0, 1)]), ArgumentError, "input: .low, high"),
        (lambda x, y: gx.accuracy("x", {x: (0, 1)}), ArgumentError, "expected a node"),
        (lambda x, y: gx.accuracy(x > 0, {x: (0, 1)}), DTypeError, "float expression"),
        (lambda x, y: gx.accuracy(x, {x: (0, 1)}, samples=0), ArgumentError, "samples >= 1"),
        (lambda x, y: gx.accuracy(x, {x: (0, 1)}, dtype="int32"), DTypeError, "float32 or float64"),
    ],
)
def test_what_does_not_fit_is_said(
    call: Callable[..., Any], error: type[GraphcError], message: str
) -> None:
    """Each with what was expected and the user's line."""
    x, y = gx.input("x"), gx.input("y")
    with pytest.raises(error, match=message) as caught:
        call(x, y)
    assert "Written at" in str(caught.value)


def test_integers_sizes_and_draws_are_refused() -> None:
    """What cannot be sampled is an error that names it."""
    x, k, many = gx.input("x"), gx.input("k", (), "int32"), gx.input("many", (100,))
    rows, draw = gx.input("rows", ("n",)), gx.random.stream(0).uniform(())
    span = (0, 1)
    with pytest.raises(DTypeError, match="float inputs.*input k"):
        gx.accuracy(x * k, {x: span})
    with pytest.raises(DTypeError, match="a range is for float nodes.*input k"):
        gx.accuracy(x * k, {x: span, k: span})
    with pytest.raises(ShapeError, match="fixed shapes.*rows"):
        gx.accuracy(gx.sum(rows), {rows: span})
    with pytest.raises(ShapeError, match="at most 64 elements together; got 100"):
        gx.accuracy(gx.sum(many), {many: span})
    with pytest.raises(ShapeError, match="at most 1000 elements"):
        gx.accuracy(gx.sum(gx.broadcast_to(x, (2000,))), {x: span})
    with pytest.raises(ArgumentError, match="random_bits has no exact value"):
        gx.accuracy(x + draw, {x: span})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "span",
    [
        Span(-2.0, 3.0), Span(0.1, 0.2), Span(-1e30, -1e-30), Span(0.0, 0.0), Span(0.0, 1.0, "log"),
        Span(-1.0, 1.0, "linear"), Span(1.0, 7.0, points=(1.0, 2.0, 7.0)),
    ],
)  # fmt: skip
def test_samples_stay_in_their_span(span: Span, dtype: str) -> None:
    """Also after rounding; the ends and both signs are among them."""
    values = sample([span, span], 400, dtype, 0)
    assert values.shape == (400, 2)
    assert values.dtype == dtype
    assert np.all((values >= span.low) & (values <= span.high))
    if span.points:
        assert set(values.ravel().tolist()) == set(span.points)
    elif span.low < span.high:
        assert len(np.unique(values)) > 100
        assert (values.min() < 0) == (span.low < 0)
    if span.low <= 0 <= span.high:
        assert 0 in values
        assert span.spacing == "linear" or np.any((np.abs(values) < 1e-10) & (values != 0)) or (
            span.high == 0
        )  # fmt: skip


def test_pairs_cancel() -> None:
    """Some samples of two inputs are equal, nearly equal or opposite, where differences lose."""
    values = sample([Span(-1.0, 1.0), Span(-1.0, 1.0)], 800, "float64", 0)
    sizes = np.abs(values)
    gap = np.abs(sizes[:, 0] - sizes[:, 1])
    assert np.sum((gap > 0) & (gap < 1e-6 * sizes[:, 0])) > 10
