"""The exact interpreter: the oracle of accuracy, so it is compared with oracles of its own."""

from __future__ import annotations

import dataclasses
from typing import Any

import mpmath
import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, IndexRangeError, ShapeError
from graphc.ir.op import REGISTRY
from graphc.ops.elementwise import ElementwiseOp
from graphc.ops.exact import condition_number, lift, settled_truth, truth, ulp_errors
from graphc.ops.exact_names import evaluate_formula
from tests.op_cases.registry import CASES

# Operations whose value is no function of what is fed, or of bodies that have none; and
# decompositions, whose factors are found by iteration.
NO_EXACT_VALUE = frozenset(
    n for n in CASES if n in REGISTRY and REGISTRY[n].kind in ("random", "loop")
) | {"eigh", "pinv", "qr", "svd"}


def as_floats(values: Any) -> Any:
    return np.asarray(values, float if values.dtype == object else values.dtype)


@pytest.mark.parametrize("name", sorted(set(CASES) - NO_EXACT_VALUE))
def test_every_operation_has_an_exact_value(name: str) -> None:
    """It is what the case's own oracle computes in float64, which knows nothing of graphc."""
    case = CASES[name]
    arrays = case.arrays()
    nodes = [
        gx.input(f"x{i}", a.shape, "float64" if a.dtype.kind == "f" else a.dtype)
        for i, a in enumerate(arrays)
    ]
    found = truth(case.build(*nodes), dict(zip(nodes, arrays, strict=True)))
    expected = case.oracle(*arrays)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(as_floats(found), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(n for n in REGISTRY if n in CASES))
def test_more_digits_change_nothing_but_the_end(name: str) -> None:
    """Nothing on the way is rounded to a float: 30 and 60 digits agree in the first 25."""
    op = REGISTRY[name]
    if not isinstance(op, ElementwiseOp) or name in ("cast", "where"):
        pytest.skip("formulas of single numbers")
    case = CASES[name]
    arrays = case.arrays(seed=4)
    nodes = [
        gx.input(f"x{i}", a.shape, "float64" if a.dtype.kind == "f" else a.dtype)
        for i, a in enumerate(arrays)
    ]
    feed = dict(zip(nodes, arrays, strict=True))
    y = case.build(*nodes)
    if not y.dtype.is_float:
        pytest.skip("no float")
    for few, many in zip(truth(y, feed, 30).flat, truth(y, feed, 60).flat, strict=True):
        assert mpmath.isnan(few) == mpmath.isnan(many)
        assert mpmath.isnan(few) or abs(few - many) <= abs(many) * 1e-25 + mpmath.mpf(10) ** -28


def test_the_digits_are_as_many_as_it_takes() -> None:
    """A cancellation of 200 digits needs more than 40, and gets them."""
    x = gx.input("x", (), "float64")
    for size in (1e-10, 1e-100, 1e-200):
        found = settled_truth(gx.log(1 + x) / x, {x: size})
        with mpmath.workdps(50):
            assert abs(found[()] - (1 - mpmath.mpf(size) / 2)) < 1e-19


def test_what_is_zero_settles_and_what_never_settles_is_nan() -> None:
    """exp(log x) - x is 0 in truth; whether floor of exp(log 3) is 2 or 3 hangs on the digits."""
    x = gx.input("x", (), "float64")
    difference = settled_truth(gx.exp(gx.log(x)) - x, {x: 3.0})
    assert abs(difference[()]) < mpmath.mpf("1e-300")
    edge = settled_truth(gx.floor(gx.exp(gx.log(x))), {x: 3.0})[()]
    assert mpmath.isnan(edge) or edge in (2, 3)


@pytest.mark.parametrize(
    ("build", "value", "expected"),
    [
        (lambda x: gx.log(x), -1.0, "nan"),
        (lambda x: gx.sqrt(x), -1.0, "nan"),
        (lambda x: 1 / x, 0.0, "nan"),
        (lambda x: gx.log(x), 0.0, "-inf"),
        (lambda x: gx.exp(x), -np.inf, "0"),
        (lambda x: gx.where(x > 0, 1 / x, 2.0), 1.0, "1"),
        (lambda x: gx.maximum(x, 1.0), np.nan, "nan"),
        (lambda x: gx.cast(gx.isnan(x), "float64"), np.nan, "1"),
        (lambda x: gx.cast(gx.cast(x, "int32"), "float64"), 1e20, "2147483647"),
        (lambda x: gx.cast(gx.cast(x, "uint8"), "float64"), -2.7, "0"),
        (lambda x: gx.cast(gx.cast(x, "int32"), "float64"), -2.7, "-2"),
    ],
)
def test_corners(build: Any, value: float, expected: str) -> None:
    """nan where mathematics has no number, infinity where it has a limit from one side."""
    x = gx.input("x", (), "float64")
    found = truth(build(x), {x: value})[()]
    wanted = mpmath.mpf(expected)
    assert found == wanted or (mpmath.isnan(found) and mpmath.isnan(wanted))


def test_a_pole_in_a_branch_that_is_not_taken() -> None:
    """A formula that divides by zero where another branch holds has its value."""
    guarded = gx.elementwise(
        "guarded_quotient",
        lambda sp, x: sp.Piecewise((1, sp.Eq(x, 0)), (sp.sin(x) / x, True)),
    )
    x = gx.input("x", (3,), "float64")
    found = truth(guarded(x), {x: [0.0, 1.0, 1e-200]})
    np.testing.assert_allclose(as_floats(found), [1, np.sin(1), 1])


def test_parameters_sizes_and_flags_have_values() -> None:
    """A whole small model, with a symbolic batch, and its gradient."""
    x, w = gx.input("x", ("n", 3)), gx.param("w", np.array([0.1, 0.2, 0.3]))
    loss = gx.mean(gx.square(gx.where(gx.training, x, 0.0) @ w))
    rows = np.array([[1, 2, 3], [4, 5, 6]], "float32")
    found = truth(gx.grad(loss, w), {x: rows})
    product = rows.astype(float) @ w.value
    np.testing.assert_allclose(as_floats(found), rows.T @ product, rtol=1e-6)


def test_errors_name_what_has_no_value() -> None:
    """An input that is not fed, a random draw, an index out of range, a size that is not known."""
    x, i = gx.input("x", (2,)), gx.input("i", (), "int32")
    with pytest.raises(ArgumentError, match="input 'x' was not fed"):
        truth(gx.sum(x), {})
    with pytest.raises(ArgumentError, match="random_bits has no exact value"):
        truth(gx.random.stream(0).uniform((2,)), {})
    with pytest.raises(ArgumentError, match="cond has no exact value: bodies of loops"):
        truth(gx.cond(gx.sum(x) > 0, lambda: gx.sum(x), lambda: 0.0), {x: [1.0, 2.0]})
    with pytest.raises(IndexRangeError, match="Written at"):
        truth(gx.take(x, gx.reshape(i, (1,))), {x: [1.0, 2.0], i: 2})
    with pytest.raises(ShapeError, match="expected shape"):
        truth(gx.sum(x), {x: 1.0})


def test_errors_in_units_in_the_last_place() -> None:
    """Also below the normal numbers, at the edge of overflow, for zeros, infinities and nan."""
    one, tiny, most = np.float32(1), np.float32(1e-45), np.finfo(np.float32).max
    cases = [
        (one, 1, 0), (one, 1 + 2.0**-23, 1), (np.nextafter(one, 0), 1, 0.5), (tiny, 0, 1),
        (np.float32(0), 2.0**-150, 0.5), (most, mpmath.mpf(2) ** 128, 1),
        (np.inf, mpmath.mpf(10) ** 50, 0), (np.inf, most, 1), (np.inf, 1, np.inf),
        (np.nan, 1, np.inf), (-np.inf, mpmath.inf, np.inf), (np.inf, mpmath.inf, 0),
    ]  # fmt: skip
    for got, exact, expected in cases:
        number = mpmath.mpf(exact if isinstance(exact, mpmath.mpf) else float(exact))
        found = ulp_errors(np.asarray(got, "float32"), lift(np.asarray(number, object)))
        assert found[()] == expected, (got, exact)
    with mpmath.workdps(50):  # no rounding of the exact number before it is compared
        third = lift(np.asarray(mpmath.mpf(1) / 3, object))
    assert ulp_errors(np.asarray(1 / 3), third)[()] == pytest.approx(1 / 3, abs=1e-9)
    undefined = ulp_errors(np.asarray(1.0), lift(np.asarray(np.nan)))
    assert np.isnan(undefined[()])


def test_condition_numbers() -> None:
    """|x f'(x) / f(x)|, summed over the inputs; 0 for what does not matter, infinite at a zero."""
    x, y = gx.input("x", (), "float64"), gx.input("y", (2,), "float64")
    assert condition_number(gx.exp(x), {x: 30.0}) == pytest.approx(30)
    assert condition_number(gx.sqrt(x), {x: 7.0}) == pytest.approx(0.5)
    assert condition_number(x - gx.sum(y), {x: 1.0, y: [1e-9, 1.0]}) == pytest.approx(2e9)
    assert condition_number(x * y, {x: 1.0, y: [3.0, 4.0]}, (1,)) == pytest.approx(2)
    assert condition_number(gx.floor(x), {x: 3.5}) == 0
    assert condition_number(x - 1, {x: 1.0}) == np.inf


def test_formulas_without_a_name_in_mpmath_go_through_sympy() -> None:
    """A function that mpmath has under another name still has its value."""
    op = REGISTRY["exp"]
    assert isinstance(op, ElementwiseOp)
    sine_integral = dataclasses.replace(op, formula=lambda sp, x: sp.Si(x))
    found = evaluate_formula(sine_integral, mpmath.mpf(2))
    assert abs(found - mpmath.si(2)) < 1e-14
