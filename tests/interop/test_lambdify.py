"""gx.lambdify: values and derivatives in one call, in the shapes that NumPy's users expect."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import sympy as sp

import graphc as gx
from graphc.errors import ArgumentError, CompileError, DTypeError, ShapeError
from tests.compiler.test_concurrency import together

x, y, z = sp.symbols("x y z")
TARGETS = pytest.mark.parametrize("target", ["cpu", "python"])
EXPRESSIONS = [
    sp.exp(-x) * sp.sin(x * y) + y**3 / (1 + x**2),
    sp.sqrt(x + y) - sp.log(1 + x * x * y),
    sp.Piecewise((x**2, x < y), (sp.atan2(x, y), True)),
]


@TARGETS
def test_numbers(target: str) -> None:
    """Numbers give floats, with SymPy's own values and derivatives of both orders."""
    f = gx.lambdify((x, y), EXPRESSIONS, derivatives=2, target=target)
    point = {x: 0.7, y: 1.9}
    values, jacobian, hessian = f(0.7, 1.9)
    assert all(type(value) is float for value in values)
    np.testing.assert_allclose(values, [float(e.subs(point)) for e in EXPRESSIONS], rtol=1e-13)
    assert jacobian.shape == (3, 2)
    assert hessian.shape == (3, 2, 2)
    for i, expression in enumerate(EXPRESSIONS):
        for j, first in enumerate((x, y)):
            exact = float(expression.diff(first).subs(point))
            assert jacobian[i, j] == pytest.approx(exact, rel=1e-12)
            for k, second in enumerate((x, y)):
                exact = float(expression.diff(first, second).subs(point))
                assert hessian[i, j, k] == pytest.approx(exact, rel=1e-11, abs=1e-14)


@TARGETS
def test_arrays_broadcast(target: str) -> None:
    """Element by element, as sympy.lambdify does with NumPy; derivatives have their axes last."""
    a, b = np.linspace(0.1, 2, 5)[:, None], np.linspace(0.2, 3, 4)
    f = gx.lambdify((x, y), EXPRESSIONS, derivatives=2, target=target)
    values, jacobian, hessian = f(a, b)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sp.lambdify((x, y), EXPRESSIONS, "numpy")(a, b)
    for value, known in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, known, rtol=1e-13)
    assert jacobian.shape == (5, 4, 3, 2)
    assert hessian.shape == (5, 4, 3, 2, 2)
    alone = f(float(a[3, 0]), float(b[2]))
    np.testing.assert_allclose(jacobian[3, 2], alone[1], rtol=1e-13)
    np.testing.assert_allclose(hessian[3, 2], alone[2], rtol=1e-13)


def test_structures() -> None:
    """Values come back as the expressions were given; a matrix has its axes last."""
    matrix = sp.Matrix([[x, 1, 0], [x * y, y**2, 2]])
    f = gx.lambdify([x, y], (matrix, [x, {"a": 1}["a"]], x > y))
    values = f(3, 2)
    assert isinstance(values, tuple)
    np.testing.assert_array_equal(values[0], [[3, 1, 0], [6, 4, 2]])
    assert values[1:] == ([3.0, 1.0], True)
    arrays = f(np.array([3.0, 1.0]), 2)
    assert arrays[0].shape == (2, 2, 3)
    np.testing.assert_array_equal(arrays[2], [True, False])
    assert arrays[2].dtype == bool
    cube = gx.lambdify(x, sp.Array([[[x, 1]], [[2, x**2]]]))
    np.testing.assert_array_equal(cube(3.0), [[[3, 1]], [[2, 9]]])


def test_one_symbol_and_one_expression_have_no_axis() -> None:
    """f, f', f'' of one number are three floats."""
    f = gx.lambdify(x, x**3, derivatives=2)
    assert f(2.0) == (8.0, 12.0, 12.0)
    assert f(np.array([1.0, 2.0]))[1].tolist() == [3.0, 12.0]
    one, gradient = gx.lambdify((x,), x**3, derivatives=1)(2.0)
    assert one == 8
    np.testing.assert_array_equal(gradient, [12])


def test_nested_symbols() -> None:
    """An inner sequence is one argument, whose members may be arrays."""
    f = gx.lambdify(((x, y), z), x * y + z)
    assert f((2, 3), 4) == 10
    np.testing.assert_array_equal(f(([1, 2], 3), 4), [7, 10])
    assert gx.lambdify(((x, (y, z)),), x * y + z)((1, (2, 3))) == 5


def test_matrices_as_arguments() -> None:
    """A matrix symbol, or a matrix of symbols, is one argument of its shape."""
    A, v = sp.MatrixSymbol("A", 2, 2), sp.MatrixSymbol("v", 2, 1)
    f = gx.lambdify((A, v), [A * v, sp.Trace(A), (v.T * A * v)[0, 0]], derivatives=1)
    array, vector = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0])
    values, jacobian = f(array, vector)
    np.testing.assert_array_equal(values[0][:, 0], array @ vector)
    assert values[1] == 5
    assert values[2] == vector @ array @ vector
    assert jacobian.shape == (4, 6)  # two of A v, the trace, the form; four of A, two of v
    np.testing.assert_array_equal(jacobian[3, 4:], (array + array.T) @ vector)
    with pytest.raises(ShapeError, match=r"A: expected values of shape \(2, 2\), got \(3,\)"):
        f(np.ones(3), vector)


def test_functions_of_time_as_symbols() -> None:
    """x(t) and its derivative, as in mechanics."""
    t = sp.Symbol("t")
    q = sp.Function("q")(t)
    f = gx.lambdify((q, q.diff(t)), q**2 + 3 * q.diff(t), derivatives=1)
    value, gradient = f(2.0, 1.0)
    assert value == 7
    np.testing.assert_array_equal(gradient, [4, 3])


def test_hard_values() -> None:
    """Nothing, no points, infinities, many axes, integers, truth values, 0-dimensional arrays."""
    f = gx.lambdify((x, y), [x / y, x + 1], derivatives=1)
    with np.errstate(all="ignore"):
        values, jacobian = f(1.0, 0.0)
    assert values == [np.inf, 2.0]
    assert jacobian[0, 0] == np.inf
    empty, nothing = f(np.zeros((0, 3)), 1.0)
    assert empty[0].shape == (0, 3)
    assert nothing.shape == (0, 3, 2, 2)
    assert f(np.int64(3), True)[0] == [3.0, 4.0]
    assert f(np.asarray(3.0), 1)[0] == [3.0, 4.0]
    assert gx.lambdify((), [sp.pi, 2])() == [np.pi, 2.0]
    assert gx.lambdify(x, [], derivatives=1)(1.0)[0] == []
    assert f(np.ones((2, 1, 2)), np.ones((3, 1)))[1].shape == (2, 3, 2, 2, 2)


def test_results_are_the_callers() -> None:
    """A later call does not change an earlier result."""
    f = gx.lambdify((x, y), sp.Matrix([x, y]))
    first = f(1.0, 2.0)
    f(3.0, 4.0)
    np.testing.assert_array_equal(first, [[1], [2]])


def test_the_compiled_function() -> None:
    """One kernel source to look at, one row a symbol and one a number of the results."""
    f = gx.lambdify((x, y), [x * y, x], derivatives=1)
    assert "def kernel" in f.function.source()
    assert [str(dim) for dim in f.function.inputs[0].shape] == ["2", "n"]
    assert f.function.outputs[0].shape[0] == 2 + 4
    assert "lambdify (x, y)" in repr(f)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gx.lambdify(x, x * y), ArgumentError, "hold y, which is not among the symbols"),
        (lambda: gx.lambdify((x, x), x), ArgumentError, "each symbol once"),
        (lambda: gx.lambdify((x, 2), x), ArgumentError, "expected symbols, got 2"),
        (lambda: gx.lambdify("x", x), ArgumentError, "expected symbols, got 'x'"),
        (lambda: gx.lambdify(x, x, derivatives=3), ArgumentError, "must be 0, 1 or 2; got 3"),
        (lambda: gx.lambdify(x, sp.LambertW(x)), CompileError, "LambertW has no graph"),
        (lambda: gx.lambdify(x, "x"), ArgumentError, "got the text 'x'"),
        (lambda: gx.lambdify((x, y), x)(1.0), ArgumentError, r"expected 2 argument\(s\) \(x, y\)"),
        (lambda: gx.lambdify(x, x)(1j), DTypeError, "expected real numbers, got complex128"),
        (lambda: gx.lambdify(x, x)("a"), DTypeError, "expected real numbers"),
        (
            lambda: gx.lambdify((x, y), x * y)(np.ones(2), np.ones(3)),
            ShapeError,
            r"that broadcast, got shapes \(2,\), \(3,\)",
        ),
        (lambda: gx.lambdify([(x, y)], x)((1.0,)), ArgumentError, "expected 2 values"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    """What was expected, and what came."""
    with pytest.raises(error, match=message):
        call()


KINDS: list[Any] = [
    0.3, 2, True, np.float64(0.3), np.float32(0.3), np.float16(0.3), np.int64(-2), np.uint8(3),
    np.bool(True), np.array(0.3), np.array(7, "uint64"), np.array(0.3, ">f4"), np.inf, -0.0, 10**30,
    np.longdouble(0.3),
]  # fmt: skip


@TARGETS
def test_one_point_is_as_many(target: str) -> None:
    """Numbers of all kinds take a way of their own: the same bits as a point among others."""
    f = gx.lambdify((x, y), EXPRESSIONS, derivatives=2, target=target)
    for number in KINDS:
        values, jacobian, hessian = f(number, 0.7)
        rows, jacobians, hessians = f(np.array([float(number), 1.0]), np.array([0.7, 1.0]))
        assert [type(value) for value in values] == [float] * 3
        np.testing.assert_array_equal(values, [row[0] for row in rows])
        np.testing.assert_array_equal(jacobian, jacobians[0])
        np.testing.assert_array_equal(hessian, hessians[0])
        assert jacobian.flags.owndata
        assert hessian.flags.writeable


def test_what_is_no_number() -> None:
    """Refused as it is among arrays; the next call is right."""
    f = gx.lambdify((x, y), x * y)
    for bad, error in ((1j, DTypeError), ("1", DTypeError), (None, DTypeError),
                       (np.array(1j), DTypeError), (np.complex64(1), DTypeError),
                       (10**400, OverflowError)):  # fmt: skip
        with pytest.raises(error):
            f(2.0, bad)
        assert f(2.0, 3.0) == 6.0
    with pytest.raises(ArgumentError, match=r"expected 2 argument\(s\)"):
        f(2.0)
    np.testing.assert_array_equal(f([2.0], 3.0), [6.0])
    np.testing.assert_array_equal(f(np.array([2.0]), 3), [6.0])


def test_more_numbers_than_a_call_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points with results of many kilobytes go the way of arrays."""
    for name in ("graphc.interop.lambdify.SMALL_BYTES", "graphc.compiler.slot.SMALL_BYTES"):
        monkeypatch.setattr(name, 24)
    f = gx.lambdify(x, x * sp.Matrix([[2, 1], [1, 2]]))
    np.testing.assert_array_equal(f(2.0), [[4, 2], [2, 4]])
    np.testing.assert_array_equal(f(np.array([2.0, 3.0]))[1], [[6, 3], [3, 6]])


def test_results_of_one_point_are_the_callers() -> None:
    """Matrices, derivatives and lists: none changes when another point is computed."""
    f = gx.lambdify((x, y), [x + y, sp.Matrix([x, y]), x > y], derivatives=1)
    first, again = f(1.0, 2.0), f(1.0, 2.0)
    f(5.0, 4.0)
    for values, jacobian in (first, again):
        assert values[0] == 3.0
        np.testing.assert_array_equal(values[1], [[1], [2]])
        assert values[2] is False
        np.testing.assert_array_equal(jacobian, [[1, 1], [1, 0], [0, 1], [0, 0]])


def test_threads_with_points_of_their_own() -> None:
    """Calls of one function from several threads do not see each other's numbers."""
    f = gx.lambdify((x, y), [x * y, x + y], derivatives=1)
    f(1.0, 1.0)

    def work(number: int) -> None:
        for turn in range(500):
            values, jacobian = f(float(number), turn)
            assert values == [number * turn, number + turn]
            assert jacobian.tolist() == [[turn, number], [1, 1]]

    together(4, work)
