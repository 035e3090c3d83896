"""Nodes as SymPy expressions, and back: the same numbers, and nothing that SymPy cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

import graphc as gx
from graphc.errors import ArgumentError, CompileError
from graphc.ir.op import REGISTRY
from graphc.ops.elementwise import ElementwiseOp
from tests.op_cases.registry import CASES

x = gx.input("x", (), "float64")
v, w = gx.input("v", ("n",), "float64"), gx.input("w", ("n",), "float64")
A, B = gx.input("A", ("m", "n"), "float64"), gx.input("B", ("n", 2), "float64")

# What a formula says of real numbers, but SymPy has no class for; each is refused by name.
NO_FORM = {
    "isnan", "isinf", "isfinite", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert",
    "bitwise_left_shift", "bitwise_right_shift", "cast",
}  # fmt: skip
ELEMENTWISE = sorted(
    name for name, op in REGISTRY.items() if isinstance(op, ElementwiseOp) and name in CASES
)


# The order of these is a number in SymPy too, not a symbol.
OF_ORDER = {"bessel_quotient", "bessel_quotient_scaled", "polygamma"}


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name not in NO_FORM])
def test_there_and_back_is_the_same_number(name: str) -> None:
    """Every elementwise operation, as an expression and back, on random points of its domain."""
    op = REGISTRY[name]
    assert isinstance(op, ElementwiseOp)
    rng = np.random.default_rng(3)
    arrays = CASES[name].arrays(seed=3)[: op.arity]
    if op.types in ("logical", "select"):
        arrays = [rng.integers(0, 2, 4) > 0, rng.standard_normal(4), rng.standard_normal(4)]
    if op.types == "logical":
        arrays = [rng.integers(0, 2, 4) > 0 for _ in range(op.arity)]
    for point in [[np.asarray(a).reshape(-1)[i % np.size(a)] for a in arrays] for i in range(4)]:
        inputs = [
            gx.input(f"x{i}", (), "bool" if isinstance(at, np.bool_) else "float64")
            for i, at in enumerate(point)
        ]
        order = gx.const(float(point[0]), "float64")
        node = op(order, *inputs[1:]) if name in OF_ORDER else op(*inputs)
        back = gx.from_sympy(gx.to_sympy(node), {sp.Symbol(i.name): i for i in inputs})
        feed = dict(zip(inputs, point, strict=True))
        first, second = gx.evaluate(node, feed), gx.evaluate(back, feed)
        np.testing.assert_allclose(second, first, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite"])
def test_what_sympy_cannot_say_is_refused_by_name(name: str) -> None:
    """No formula that SymPy would simplify to a wrong constant."""
    with pytest.raises(CompileError, match=f"to_sympy: {name}: it has no form in SymPy"):
        gx.to_sympy(getattr(gx, name)(x))


def test_an_operation_without_a_form_names_itself() -> None:
    """Extremes over an axis, integer bits, regrouped elements, several results."""
    with pytest.raises(CompileError, match="to_sympy: max"):
        gx.to_sympy(gx.max(v))
    i = gx.input("i", (), "int32")
    with pytest.raises(CompileError, match="to_sympy: bitwise_and"):
        gx.to_sympy(i & 3)
    with pytest.raises(CompileError, match="regrouped"):
        gx.to_sympy(gx.sum(gx.reshape(gx.input("c", (2, 3)), (3, 2)) * gx.input("d", (3, 2))))
    with pytest.raises(ArgumentError, match="expected a node, got int"):
        gx.to_sympy(3)


X = sp.Symbol("x")


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (x * gx.sin(x) + 0.1, "x*sin(x) + 1/10"),
        (gx.sum(v * w), "Sum(v[k]*w[k], (k, 0, n - 1))"),
        (v @ w, "Sum(v[k]*w[k], (k, 0, n - 1))"),
        (gx.sum(A, axis=0), "Sum(A[k, i], (k, 0, m - 1))"),
        (gx.grad(gx.sum(gx.exp(v) * w), v), "exp(v[i])*w[i]"),
        (v[:, None] * w, "v[i]*w[j]"),
        (A @ v, "A*v"),
        (2 * (A @ B).T, "2*B.T*A.T"),
        (A * A, "HadamardProduct(A, A)"),
        (gx.where(x > 0, x, 2 * x), "Piecewise((x, x > 0), (2*x, True))"),
        (v[3] * x, "x*v[3]"),
        (gx.prod(v), "Product(v[k], (k, 0, n - 1))"),
        (gx.mean(v), "Sum(v[k], (k, 0, n - 1))/n"),
    ],
)  # fmt: skip
def test_how_things_are_written(node: Any, text: str) -> None:
    """Numbers over symbols, sums with an index, matrices where they have a form."""
    assert str(gx.to_sympy(node)) == text


def test_a_sum_has_the_value_of_the_graph() -> None:
    """Sums with numbers for the sizes, worked out by SymPy, against NumPy."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3)), rng.standard_normal(3)
    P, q = gx.input("P", (2, 3), "float64"), gx.input("q", (3,), "float64")
    node = gx.sum(gx.square(P @ q)) + gx.var(q)
    expression = gx.to_sympy(node).doit()
    values = {sp.IndexedBase("P", (2, 3))[i, j]: a[i, j] for i in range(2) for j in range(3)}
    values |= {sp.IndexedBase("q", (3,))[i]: b[i] for i in range(3)}
    expected = np.sum((a @ b) ** 2) + np.var(b)
    assert float(expression.subs(values)) == pytest.approx(expected, rel=1e-12)


def test_names_and_structures() -> None:
    """The mapping of from_sympy, two inputs of one name, lists and tuples."""
    other = gx.input("x", (), "float64")
    y = sp.Symbol("y", positive=True)
    assert str(gx.to_sympy(x + other)) == "x + x_2"
    assert gx.to_sympy(gx.exp(x) * x, {y: gx.exp(x)}) == y * X
    assert gx.to_sympy(x * 2, {"z": x}) == 2 * sp.Symbol("z")
    assert gx.to_sympy([x, (x, x * x)]) == [X, (X, X**2)]


def test_constants_are_exact_or_the_float_itself() -> None:
    """0.1 is a tenth also in float32; what is no short fraction keeps its digits."""
    y = gx.input("y", (), "float32")
    assert gx.to_sympy(y * 0.1) == sp.Rational(1, 10) * sp.Symbol("y")
    assert float(gx.to_sympy(gx.const(np.float64(np.pi)))) == np.pi
    assert gx.to_sympy(gx.const(np.float64(np.inf))) == sp.oo
    assert gx.to_sympy(gx.const(7)) == 7


def test_a_long_chain() -> None:
    """No recursion over the graph."""
    y = x
    for _ in range(3000):
        y = y + x
    assert gx.to_sympy(y) == 3001 * X
