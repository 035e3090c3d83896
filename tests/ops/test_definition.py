"""Operations that a user defines: checked when they are defined, replaced, refused."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, CompileError, GradientError, ShapeError


def test_a_wrong_derivative_is_refused() -> None:
    """Protects users from a slip in a derivative by hand, with the place where it shows."""
    with pytest.raises(ArgumentError, match=r"respect to x0 is .* differences of the formula give"):
        gx.elementwise("slip_for_test", lambda sp, x: x**3, derivative=lambda x, y: 2 * x * x)
    right = gx.elementwise("slip_for_test", lambda sp, x: x**3, derivative=lambda x, y: 3 * x * x)
    x = gx.input("x", (), "float64")
    assert float(gx.evaluate(gx.grad(right(x), x), {x: 2.0})) == 12.0


def test_a_second_operand_is_checked_too() -> None:
    """Protects the derivative in every operand."""
    with pytest.raises(ArgumentError, match="respect to x1"):
        gx.elementwise(
            "slip_in_b", lambda sp, a, b: a * b * b, derivative=lambda a, b, y: (b * b, a)
        )


def test_a_corner_or_an_end_of_the_domain_is_no_mistake() -> None:
    """Protects formulas with corners and those that are only defined for some numbers."""
    gx.elementwise("corner_for_test", lambda sp, x: sp.Abs(x), derivative=lambda x, y: gx.sign(x))
    gx.elementwise("domain_for_test", lambda sp, x: sp.log(x), derivative=lambda x, y: 1 / x)


def test_an_operation_of_numpy_alone() -> None:
    """Protects the interpreter's values and derivatives, and the error of native targets."""
    sort = gx.numpy_operation(
        "numpy_cumulative", np.cumsum, vjp=lambda node, g: [gx.flip(gx.cumsum(gx.flip(g)))]
    )
    x = gx.input("x", ("n",), "float64")
    y = gx.sum(sort(x) ** 2)
    value = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(gx.evaluate(y, {x: value}), (np.cumsum(value) ** 2).sum())
    gx.check_gradients(y, x, {x: value})
    with pytest.raises(CompileError, match="numpy_cumulative has no native code"):
        gx.compile(x, y)


def test_numpy_operations_say_what_is_wrong() -> None:
    """Protects the messages: a missing derivative, a wrong shape, a taken name."""
    plain = gx.numpy_operation("numpy_plain", np.fft.fftshift)
    x = gx.input("x", (3,))
    with pytest.raises(GradientError, match="its author gave no vjp"):
        gx.grad(gx.sum(plain(x)), x)
    shorter = gx.numpy_operation("numpy_shorter", lambda a: a[1:])
    with pytest.raises(ShapeError, match=r"numpy_shorter: expected \(3,\), the reference gives"):
        gx.evaluate(shorter(x), {x: [1, 2, 3]})
    with pytest.raises(ArgumentError, match="choose another"):
        gx.numpy_operation("tanh", np.tanh)
    with pytest.raises(ArgumentError, match="function of arrays"):
        gx.numpy_operation("numpy_nothing", 3)  # type: ignore[arg-type]
