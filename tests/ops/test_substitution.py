"""Replacing nodes: what is replaced, what stays, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError


def test_replacements_are_simultaneous() -> None:
    """Protects a swap of two inputs, and several outputs at once."""
    a, b = gx.input("a"), gx.input("b")
    first, second = gx.substitute([a - b, a * 2], {a: b, b: a})
    assert gx.evaluate([first, second], {a: 5.0, b: 3.0}) == [-2.0, 6.0]


def test_an_intermediate_node_becomes_a_variable() -> None:
    """Protects replacing what is no input, inside bodies' captured values too."""
    x, h = gx.input("x", (3,)), gx.input("h", (3,))
    hidden = gx.tanh(x)
    total, _ = gx.scan(lambda c, _: (c + hidden, None), gx.zeros((3,)), length=4)
    y = gx.substitute(total, {hidden: h})
    np.testing.assert_allclose(gx.evaluate(y, {h: np.ones(3)}), 4.0)


def test_numbers_take_the_place_of_nodes() -> None:
    """Protects a constant as a replacement, of the node's dtype."""
    x = gx.input("x", (), "float64")
    assert float(gx.evaluate(gx.substitute(gx.exp(x), {x: 0}))) == 1.0


def test_what_does_not_fit_is_refused() -> None:
    """Protects shapes and dtypes, and keys that are no nodes."""
    x = gx.input("x", (3,))
    with pytest.raises(ShapeError, match=r"float32 \(3,\), its replacement float32 \(2,\)"):
        gx.substitute(x * 2, {x: gx.input("z", (2,))})
    with pytest.raises(ArgumentError, match="expected nodes to replace"):
        gx.substitute(x * 2, {"x": x})  # type: ignore[dict-item]
