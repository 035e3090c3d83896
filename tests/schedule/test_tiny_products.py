"""Products of tiny matrices are written out: which ones, and what they give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphc as gx
from graphc.schedule.schedule import KernelCall, Product


def kinds(inputs: list[gx.Node], outputs: gx.Node | list[gx.Node]) -> set[type]:
    return {type(step) for step in gx.compile(inputs, outputs, stop="schedule").steps}


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        (("n", 3, 3), ("n", 3, 3), KernelCall),
        (("n", 8, 8), ("n", 8, 8), KernelCall),  # 512 multiply-adds
        (("n", 9, 8), ("n", 8, 8), Product),
        ((4, 4), (4, 4), KernelCall),  # 64 multiply-adds
        ((5, 4), (4, 4), Product),
        (("n", 4), (4, 4), Product),  # who knows how many rows
        (("b", 2, "k"), ("b", "k", 2), Product),
    ],
)
def test_which_products_are_written_out(
    left: tuple[int | str, ...], right: tuple[int | str, ...], kind: type
) -> None:
    """Protects the limits: sizes that are known and small, smaller for one matrix alone."""
    a, b = gx.input("a", left), gx.input("b", right)
    assert kinds([a, b], a @ b) == {kind}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", ["cpu", "python"])
def test_values_and_gradients_for_all_sizes(dtype: str, target: str) -> None:
    """Protects every layout of the operands: the product itself and the two with a transpose."""
    draw = np.random.default_rng(3)
    sizes = (1, 2, 3, 7) if target == "cpu" else (1, 3)
    for m, k, n in itertools.product(sizes, repeat=3):
        a, b = gx.input("a", ("b", m, k), dtype), gx.input("b", ("b", k, n), dtype)
        y = a @ b
        call = gx.compile([a, b], [y, *gx.grad(gx.sum(gx.sin(y)), [a, b])], target=target)
        first, second = (draw.normal(size=s).astype(dtype) for s in ((5, m, k), (5, k, n)))
        exact = first.astype(np.float64) @ second.astype(np.float64)
        slope = np.cos(exact)
        turned = second.transpose(0, 2, 1), first.transpose(0, 2, 1)
        wanted = [exact, slope @ turned[0], turned[1] @ slope]
        for found, expected in zip(call(first, second), wanted, strict=True):
            np.testing.assert_allclose(found, expected, atol=3e-5 if dtype == "float32" else 1e-13)


def test_no_matrices_and_no_terms() -> None:
    """Protects empty stacks, and sums of nothing, which are 0."""
    a, b = gx.input("a", ("b", 2, 3)), gx.input("b", ("b", 3, 2))
    assert gx.compile([a, b], a @ b)(np.ones((0, 2, 3)), np.ones((0, 3, 2))).shape == (0, 2, 2)
    c, d = gx.input("c", (4, 2, 0)), gx.input("d", (4, 0, 2))
    np.testing.assert_array_equal(
        gx.compile([c, d], c @ d)(np.ones((4, 2, 0)), np.ones((4, 0, 2))), np.zeros((4, 2, 2))
    )


def test_what_is_not_finite_stays_in_its_row() -> None:
    """Protects inf and nan: as in a product, they reach the sums that they are a term of."""
    a, b = gx.input("a", (2, 2, 2), "float64"), gx.input("b", (2, 2, 2), "float64")
    first, second = np.ones((2, 2, 2)), np.ones((2, 2, 2))
    first[0, 0, 1], second[1, 0, 0] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(
            gx.compile([a, b], a @ b)(first, second), np.matmul(first, second)
        )


def test_a_tiny_product_joins_its_neighbours() -> None:
    """Protects the gain: operands and results need no pass of their own."""
    a, b = gx.input("a", ("n", 3, 3)), gx.input("b", ("n", 3, 3))
    assert len(gx.compile([a, b], gx.tanh(2 * a @ b) + 1, stop="schedule").steps) == 1
