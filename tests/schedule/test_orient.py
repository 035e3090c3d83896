"""Products of rows with rows are turned where that copies less: which ones, and what they give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.schedule.schedule import Product

TARGETS = ("python", "cpu")


def shapes(a: gx.Node, b: gx.Node) -> list[tuple[Any, ...]]:
    """The shapes of what the products of a @ bᵀ give."""
    steps = gx.compile([a, b], a @ b.T, stop="schedule").steps
    return [step.c.shape for step in steps if isinstance(step, Product)]


@pytest.mark.parametrize(
    ("rows", "columns", "terms", "dtype", "turned"),
    [
        (16, 150, 2000, "float32", True),
        (150, 16, 2000, "float32", False),
        (32, 400, 1600, "float32", True),
        (32, 400, 1599, "float32", False),  # C is read across its rows, which has to be worth it
        (6, 25, 2000, "float32", False),  # 6 of 16 lanes would be used
        (6, 25, 2000, "float64", True),  # of 8
        (64, 64, 2000, "float32", False),
        (1, 64, 2000, "float32", False),  # a vector
    ],
)
def test_which_products_are_turned(
    rows: int, columns: int, terms: int, dtype: str, turned: bool
) -> None:
    """Protects the limits, which are a function of the sizes and the type."""
    a, b = gx.input("a", (rows, terms), dtype), gx.input("b", (columns, terms), dtype)
    assert shapes(a, b) == [(columns, rows) if turned else (rows, columns)]


def test_named_sizes_count_as_one() -> None:
    """Protects products over a batch: its places are many in any case, its examples may be few."""
    few = gx.input("a", (16, "n")), gx.input("b", (150, "n"))
    assert shapes(*few) == [(16, 150)]
    x, g = gx.input("x", (150, "n", 28, 28)), gx.input("g", (16, "n", 28, 28))
    product = gx.reshape(g, (16, -1)) @ gx.reshape(x, (150, -1)).T
    steps = gx.compile([g, x], product, stop="schedule").steps
    assert [step.c.shape for step in steps if isinstance(step, Product)] == [(150, 16)]


def test_other_layouts_stay() -> None:
    """Protects what is read in rows as it lies, or transposed on the left."""
    a, b = gx.input("a", (16, 2000)), gx.input("b", (2000, 150))
    (step,) = gx.compile([a, b], a @ b, stop="schedule").steps
    assert step.c.shape == (16, 150)
    c = gx.input("c", (2000, 16))
    d = gx.input("d", (150, 2000))
    products = gx.compile([c, d], c.T @ d.T, stop="schedule").steps
    assert [step.c.shape for step in products if isinstance(step, Product)] == [(16, 150)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(target: str, dtype: str) -> None:
    """Protects scales, sums with what is stored in rows, stacks, and values that are updated."""
    draw = np.random.default_rng(5)
    a, b = gx.input("a", (3, 12, 500), dtype), gx.input("b", (3, 77, 500), dtype)
    first, second = (draw.normal(size=x.shape).astype(dtype) for x in (a, b))
    one, two = first[0].astype("float64"), second[0].astype("float64")
    W = gx.param("W", np.ones((12, 77), dtype))
    product = a[0] @ b[0].T
    outputs = [a @ gx.transpose(b, (0, 2, 1)), gx.exp(product / 100) + W, gx.sum(product, axis=1)]
    step = gx.compile([a, b], outputs, updates={W: W - 0.5 * product}, target=target)
    found = step(first, second)
    exact = first.astype("float64") @ second.astype("float64").transpose(0, 2, 1)
    wanted = [exact, np.exp(one @ two.T / 100) + 1, (one @ two.T).sum(1)]
    tolerance = {"atol": 3e-4, "rtol": 1e-5} if dtype == "float32" else {"atol": 1e-11}
    for value, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(value, expected, **tolerance)
    np.testing.assert_allclose(W.value, 1 - 0.5 * (one @ two.T), **tolerance)


def test_no_terms() -> None:
    """Protects a batch without examples: sums of nothing are 0."""
    x, g = gx.input("x", (150, "n", 784)), gx.input("g", (16, "n", 784))
    call = gx.compile([g, x], gx.reshape(g, (16, -1)) @ gx.reshape(x, (150, -1)).T)
    empty = call(np.ones((16, 0, 784), "float32"), np.ones((150, 0, 784), "float32"))
    np.testing.assert_array_equal(empty, np.zeros((16, 150)))
