"""Products take in scales and additions, where that is the same number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.schedule.schedule import Copy, KernelCall, Product, Schedule

A = gx.input("a", ("n", 3), "float64")
B = gx.input("b", ("n", 4), "float64")


def compiled(outputs: Any, updates: dict[Node, Any]) -> Schedule:
    plan = gx.compile([A, B], outputs, updates, target="python", stop="schedule")
    assert isinstance(plan, Schedule)
    return plan


def weights() -> Node:
    return gx.param("w", np.arange(12.0).reshape(3, 4))


IN_PLACE: dict[str, Callable[[Node], Node]] = {
    "w - r AB": lambda w: w - 0.5 * (A.T @ B),
    "w - AB r": lambda w: w - (A.T @ B) * 0.5,
    "w + AB": lambda w: w + A.T @ B,
    "AB + w": lambda w: A.T @ B + w,
    "w - AB / n": lambda w: w - 0.5 * (A.T @ B) / gx.ops.source.size("n", "float64"),
    "w - -(AB)": lambda w: w - -(A.T @ B),
}


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("target", ["python", "cpu"])
def test_an_update_is_one_product_in_place(name: str, target: str) -> None:
    """No gradient is stored: C = beta C + alpha A B, in the memory of the parameter."""
    w = weights()
    new = IN_PLACE[name](w)
    plan = compiled([], {w: new})
    assert [type(step) for step in plan.steps] == [Product]
    a, b = np.random.default_rng(0).standard_normal((2, 5, 4))
    expected = gx.evaluate(new, {A: a[:, :3], B: b})
    gx.compile([A, B], [], {w: new}, target=target)(a[:, :3], b)
    np.testing.assert_allclose(w.value, expected, rtol=1e-12)


def kinds(plan: Schedule) -> tuple[int, int, int]:
    """The numbers of products, kernels and copies."""
    return tuple(  # type: ignore[return-value]
        sum(isinstance(step, kind) for step in plan.steps) for kind in (Product, KernelCall, Copy)
    )


def test_a_scaled_product_is_one_call() -> None:
    """The scale is the alpha of the product, also where it depends on a size."""
    size = gx.ops.source.size("n", "float64")
    assert kinds(compiled((A.T @ B) * 2.0 / size, {})) == (1, 0, 0)


def test_a_product_that_is_used_twice_is_computed_once() -> None:
    """The plain product is an output too: scaling it is a kernel of its own."""
    product = A.T @ B
    assert kinds(compiled([product, product * 2.0], {})) == (1, 1, 0)


def test_a_product_that_is_repeated_over_rows_is_not_an_update_in_place() -> None:
    """(1, 4) added to each row of (3, 4): the shapes differ, so this is no beta C + alpha A B."""
    w = weights()
    row = gx.reshape(gx.sum(A, axis=1), (1, -1)) @ B
    new = w - 0.1 * row
    plan = compiled([], {w: new})
    assert not any(isinstance(step, Product) and step.accumulate for step in plan.steps)
    a, b = np.ones((2, 3)), np.ones((2, 4))
    gx.compile([A, B], [], {w: new}, target="python")(a, b)
    np.testing.assert_allclose(w.value, np.arange(12.0).reshape(3, 4) - 0.6)


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_the_new_value_as_an_output_too(target: str) -> None:
    """The product cannot run in the parameter's memory, and still starts from its old value."""
    w = weights()
    new = w - 0.5 * (A.T @ B)
    a, b = np.ones((2, 3)), np.ones((2, 4))
    step = gx.compile([A, B], [new, w], {w: new}, target=target)
    for times in (1, 2):
        found, old = step(a, b)
        np.testing.assert_array_equal(found, np.arange(12.0).reshape(3, 4) - times)
        np.testing.assert_array_equal(old, np.arange(12.0).reshape(3, 4) - times + 1)
        np.testing.assert_array_equal(w.value, found)


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_a_product_of_nothing_is_zero_whatever_its_scale(target: str) -> None:
    """With n = 0 the scale 1 / n is infinite, and the sum of no terms is 0."""
    size = gx.ops.source.size("n", "float64")
    function = gx.compile([A, B], (A.T @ B) / size, target=target)
    np.testing.assert_array_equal(function(np.zeros((0, 3)), np.zeros((0, 4))), np.zeros((3, 4)))
