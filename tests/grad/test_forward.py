"""Forward mode: what `tests/test_every_op.py` does not ask of every operation."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DTypeError, GradientError, ShapeError
from graphc.ir.op import REGISTRY
from graphc.ops.elementwise import elementwise


def test_several_outputs_and_directions() -> None:
    """Protects the order of results, and that a number stands for a whole direction."""
    x, y = gx.input("x", (2,), "float64"), gx.input("y", (2,), "float64")
    first, second = gx.jvp([x * y, gx.sum(y)], [x, y], [1.0, np.array([1.0, 2.0])])
    feed = {x: [3.0, 4.0], y: [5.0, 6.0]}
    np.testing.assert_allclose(gx.evaluate(first, feed), [5 + 3, 6 + 8])
    np.testing.assert_allclose(gx.evaluate(second, feed), 3.0)


def test_what_does_not_depend_has_a_zero_tangent() -> None:
    """Protects disconnected nodes: zeros of the shape of the output."""
    x, y = gx.input("x"), gx.input("y", (3,))
    assert gx.evaluate(gx.jvp(y * 2, x, 1.0), {y: [1, 2, 3]}).tolist() == [0, 0, 0]


def test_intermediate_nodes_may_be_moved() -> None:
    """Protects jvp with respect to what is no input: it is taken as a variable."""
    x = gx.input("x", (), "float64")
    hidden = gx.sin(x)
    assert float(gx.evaluate(gx.jvp(hidden * x, hidden, 2.0), {x: 3.0})) == 6.0


def test_bad_input_says_what_was_expected() -> None:
    """Protects the messages for a wrong tangent, a wrong target, and an operation without one."""
    x = gx.input("x", (3,))
    n = gx.input("n", (3,), "int64")
    with pytest.raises(ShapeError, match=r"\(3,\), got \(2,\)"):
        gx.jvp(x * 2, x, np.zeros(2))
    with pytest.raises(DTypeError, match="not floats"):
        gx.jvp(x * 2, n, 1.0)
    with pytest.raises(ArgumentError, match="list of 2 tangents"):
        gx.jvp(x * 2, [x, x], [1.0])
    with pytest.raises(ArgumentError, match="expected a node or a list of nodes"):
        gx.jvp(x * 2, 3.0, 1.0)
    with pytest.raises(ArgumentError, match="wrt must hold nodes"):
        gx.jvp(x * 2, [3.0], [1.0])


def test_an_operation_without_derivative_is_named() -> None:
    """Protects against a silent zero through an operation that has no derivative."""
    op = elementwise("opaque_for_test", lambda sp, x: x, no_derivative="nobody knows it")
    try:
        x = gx.input("x")
        with pytest.raises(GradientError, match="opaque_for_test has no derivative: nobody knows"):
            gx.jvp(op(x), x, 1.0)
    finally:
        REGISTRY.pop("opaque_for_test")
