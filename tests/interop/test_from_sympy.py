"""SymPy expressions as nodes: values against SymPy's own evaluation and NumPy's lambdify."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy import special
from sympy.codegen import cfunctions

import graphc as gx
from graphc.errors import ArgumentError, CompileError
from graphc.ir.node import Node

x, y, z = sp.symbols("x y z")
t = sp.Symbol("t")


def value(expression: Any, **numbers: float) -> Any:
    """The value of a SymPy expression by way of its graph."""
    inputs: dict[Any, Node] = {}
    node = gx.from_sympy(expression, inputs)
    return gx.evaluate(node, {made: numbers[str(key)] for key, made in inputs.items()})


EXPRESSIONS = [
    x**2 + 3 * x - sp.Rational(1, 3), x**-2, x**-3 + x**3 + x**5, sp.sqrt(x) / x,
    x ** sp.Rational(3, 2), x ** sp.Rational(-5, 2), x ** sp.Rational(1, 3),
    x ** sp.Rational(-2, 3), x ** sp.Rational(2, 5), x**y, 2**x, 3**x, x**sp.pi, sp.E**x,
    x / y / (x + y), -x / y, x - y, -x - y, sp.exp(-(x**2)) * sp.sin(y) + sp.pi,
    sp.log(x, 2) + sp.log(x, 10) + sp.log(x), sp.Abs(x - y), sp.sign(x - y), sp.floor(3 * x),
    sp.ceiling(3 * x), sp.frac(3 * x), sp.Mod(5 * x, 2), sp.Max(x, y, 1), sp.Min(x, y, 1),
    sp.tan(x) + sp.sec(x) + sp.csc(x) + sp.cot(x), sp.asin(x / 2) + sp.acos(x / 2) + sp.atan(x),
    sp.atan2(x, -y), sp.sinh(x) + sp.cosh(x) + sp.tanh(x) + sp.coth(x) + sp.sech(x) + sp.csch(x),
    sp.asinh(x) + sp.acosh(1 + x) + sp.atanh(x / 2), sp.acot(x) + sp.asec(1 + x) + sp.acsc(1 + x),
    sp.sinc(x), sp.erf(x) + sp.erfc(x), sp.gamma(x),
    sp.loggamma(x), sp.digamma(x), sp.polygamma(2, x), sp.besseli(0, x) + sp.besseli(3, x),
    sp.factorial(x), sp.beta(x, y), sp.binomial(x + 3, y), sp.harmonic(x), sp.Heaviside(x - y),
    sp.re(x) + sp.conjugate(x), sp.im(x), sp.erf2(x, y), sp.KroneckerDelta(x, y),
    sp.Piecewise((x, x < y), (y**2, x < 2 * y), (1, True)), sp.Piecewise((1, x > y), (2, True)),
    sp.Piecewise((x, sp.And(x > 0, sp.Or(y < 0, sp.Not(x > 2)))), (0, True)),
    sp.Piecewise((x, sp.Xor(x > 1, y > 1)), (y, True)),
    sp.Piecewise((x, sp.ITE(x > 1, y > 0, y < 0)), (y, True)),
    cfunctions.expm1(x) + cfunctions.log1p(x) + cfunctions.exp2(x) + cfunctions.log2(x),
    sp.GoldenRatio * x + sp.EulerGamma, sp.Integral(t, (t, 0, 1)) + x,
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_a_value_is_sympys(expression: Any) -> None:
    """Each class that is allowed, against SymPy's evaluation to 30 digits."""
    for a, b in ((0.7, 0.3), (0.25, 0.9)):
        exact = expression.subs({x: sp.Float(a, 40), y: sp.Float(b, 40)})
        expected = float(
            sp.re(exact.rewrite([sp.erf2], sp.erf).rewrite(sp.Piecewise).doit().evalf(30))
        )
        assert value(expression, x=a, y=b) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    ("expression", "oracle"),
    [
        (sp.erfinv(x), special.erfinv),
        (sp.erfcinv(x), special.erfcinv),
        (cfunctions.Sqrt(x), np.sqrt),
        (cfunctions.Cbrt(x), np.cbrt),
        (cfunctions.log10(x), np.log10),
        (cfunctions.hypot(x, 2), lambda a: np.hypot(a, 2)),
    ],
    ids=["erfinv", "erfcinv", "Sqrt", "Cbrt", "log10", "hypot"],
)
def test_a_value_is_scipys(expression: Any, oracle: Any) -> None:
    """What SymPy itself does not evaluate."""
    assert value(expression, x=0.3) == pytest.approx(oracle(0.3), rel=1e-13)


def test_negative_bases_of_thirds_have_the_real_root() -> None:
    """x**(1/3) is the cube root of real numbers."""
    assert value(x ** sp.Rational(1, 3), x=-8.0) == pytest.approx(-2)
    assert value(x ** sp.Rational(-2, 3), x=-8.0) == pytest.approx(0.25)


def test_where_no_condition_holds_there_is_no_number() -> None:
    """As SymPy has it; the last branch is no default."""
    assert np.isnan(value(sp.Piecewise((x, x > 0)), x=-1.0))
    assert value(sp.Piecewise((x, x > 0)), x=2.0) == 2


def test_powers_share_their_factors() -> None:
    """1/x**3 divides by the node of x**3; sqrt(x)**3 uses sqrt(x)."""
    a = gx.input("a", (), "float64")
    cube, turned = gx.from_sympy([x**3, x**-3], {x: a})
    assert turned.inputs[1] is cube
    root, three_halves = gx.from_sympy([sp.sqrt(x), x ** sp.Rational(3, 2)], {x: a})
    assert root in three_halves.inputs


def test_the_same_expression_is_the_same_node() -> None:
    """Common subexpressions are one node, across calls that share their inputs."""
    inputs: dict[Any, Node] = {}
    first = gx.from_sympy(sp.exp(x * y) + 1, inputs)
    second = gx.from_sympy([sp.exp(x * y) + 1, sp.exp(x * y)], inputs)
    assert second[0] is first
    assert second[1] in first.inputs
    assert set(inputs) == {x, y}


def test_dtypes() -> None:
    """float64 unless the nodes say otherwise; integers become floats, truth values stay."""
    assert gx.from_sympy(x + 1).dtype.name == "float64"
    assert gx.from_sympy(sp.Integer(3)).dtype.name == "float64"
    single = gx.input("s", (3,), "float32")
    assert gx.from_sympy(sp.Rational(1, 3) * x + 2, {x: single}).dtype.name == "float32"
    assert gx.from_sympy(sp.Piecewise((x, x > 0), (0, True)), {x: single}).dtype.name == "float32"
    whole = gx.input("i", (), "int64")
    assert gx.from_sympy(x / 2, {x: whole}).dtype.name == "float64"
    assert gx.from_sympy(x > 2).dtype.name == "bool"


def test_places() -> None:
    """Any expression may stand for a symbol; assumptions are ignored; numbers are constants."""
    a = gx.input("a", (), "float64")
    f = sp.Function("f")
    moving = f(t) ** 2 + f(t).diff(t)
    node = gx.from_sympy(moving, {f(t): a, f(t).diff(t): 3.0})
    assert gx.evaluate(node, {a: 2.0}) == 7
    assert gx.from_sympy(sp.Symbol("x", positive=True), {x: a}) is a
    assert gx.from_sympy(x, {"x": a}) is a
    with pytest.raises(ArgumentError, match="expected a dict"):
        gx.from_sympy(x, [a])


def test_symbols_of_one_name_and_dummies() -> None:
    """Two dummies are two inputs."""
    one, two = sp.Dummy("d"), sp.Dummy("d")
    inputs: dict[Any, Node] = {}
    gx.from_sympy(one - two, inputs)
    assert inputs[one] is not inputs[two]


def test_structures() -> None:
    """Lists and tuples keep their kind; matrices and arrays are one node."""
    inputs: dict[Any, Node] = {}
    nodes = gx.from_sympy([x, (y, sp.Matrix([[x, 1], [2, y]])), sp.Array([[[x, y]]])], inputs)
    assert isinstance(nodes, list)
    assert isinstance(nodes[1], tuple)
    feed = {inputs[x]: 3.0, inputs[y]: 4.0}
    np.testing.assert_array_equal(gx.evaluate(nodes[1][1], feed), [[3, 1], [2, 4]])
    np.testing.assert_array_equal(gx.evaluate(nodes[2], feed), [[[3, 4]]])
    sparse = gx.from_sympy(sp.SparseMatrix(2, 3, {(1, 2): 5}))
    np.testing.assert_array_equal(gx.evaluate(sparse, {}), [[0, 0, 0], [0, 0, 5]])


def test_arrays_in_matrices_come_first() -> None:
    """An element that is an array puts its axes before those of the matrix."""
    rows = gx.input("r", ("n",), "float64")
    node = gx.from_sympy(sp.Matrix([[x, 1, 2], [0, x**2, 3]]), {x: rows})
    assert str(node.shape) == "(n, 2, 3)"
    found = gx.evaluate(node, {rows: np.array([5.0, 6.0])})
    np.testing.assert_array_equal(found[1], [[6, 1, 2], [0, 36, 3]])


N = sp.Symbol("n", integer=True)
P, Q, u = sp.MatrixSymbol("P", 3, 3), sp.MatrixSymbol("Q", 3, 3), sp.MatrixSymbol("u", 3, 1)
MATRICES = [
    P * Q, P + 2 * Q - P.T, P.I * u + u, P * Q.I, P**3, P**-2, sp.hadamard_product(P, Q),
    sp.HadamardPower(P, 2), sp.Trace(P * Q), sp.det(P), P[1, 2] * sp.exp(P[0, 0]), x * P,
    P[0:2, 1:3], sp.Identity(3) + P, sp.ZeroMatrix(3, 3) + P, sp.OneMatrix(2, 3) * P, P.T * u,
    (u.T * P * u)[0, 0], sp.BlockMatrix([[P, Q], [Q, P]]), sp.Matrix([[1, x, 3]]) * P,
    P.applyfunc(sp.Lambda(t, sp.exp(t) + 1)), sp.Transpose(P * Q), sp.Adjoint(P),
]  # fmt: skip


@pytest.mark.parametrize("expression", MATRICES, ids=str)
def test_matrix_expressions(expression: Any) -> None:
    """Against the same expression with explicit elements, evaluated by SymPy."""
    rng = np.random.default_rng(1)
    arrays = {P: rng.standard_normal((3, 3)) + 3 * np.eye(3), Q: rng.standard_normal((3, 3)) + 2}
    arrays[u] = rng.standard_normal((3, 1))
    inputs: dict[Any, Node] = {}
    node = gx.from_sympy(expression, inputs)
    feed = {made: arrays.get(key, np.float64(0.5)) for key, made in inputs.items()}
    explicit = {key: sp.ImmutableMatrix(array.tolist()) for key, array in arrays.items()}
    exact = expression.subs({**explicit, x: 0.5}).doit()
    exact = exact.as_explicit() if hasattr(exact, "as_explicit") else exact
    expected = np.array(sp.N(exact).tolist() if exact.is_Matrix else float(exact), np.float64)
    np.testing.assert_allclose(gx.evaluate(node, feed), expected, rtol=1e-9, atol=1e-10)


def test_sizes_and_vectors_of_matrix_symbols() -> None:
    """A symbolic size is a named one; a vector node serves as a column."""
    tall = sp.MatrixSymbol("T", N, 2)
    inputs: dict[Any, Node] = {}
    node = gx.from_sympy(tall.T * tall, inputs)
    assert str(inputs[tall].shape) == "(n, 2)"
    assert node.shape == (2, 2)
    vector = gx.input("u", (3,), "float64")
    assert gx.from_sympy(P * u, {u: vector}).shape == (3, 1)
    with pytest.raises(ArgumentError, match="the matrix P is mapped to"):
        gx.from_sympy(P * u, {P: vector})


def test_indexed() -> None:
    """With numbers an element; with one set of symbols the array, element by element."""
    base, i, j = sp.IndexedBase("b"), sp.Symbol("i"), sp.Idx("j")
    b = gx.input("b", ("n",), "float64")
    assert gx.evaluate(gx.from_sympy(base[1] ** 2, {base: b}), {b: np.array([1.0, 3.0])}) == 9
    node = gx.from_sympy(base[i] * sp.sin(base[i]), {base: b})
    assert str(node.shape) == "(n,)"
    assert gx.from_sympy(sp.IndexedBase("c", shape=(2, N))[0, 1]).shape == ()
    with pytest.raises(ArgumentError, match="the same index symbols everywhere"):
        gx.from_sympy(base[i] * base[j], {base: b})
    with pytest.raises(ArgumentError, match="its size is not known"):
        gx.from_sympy(base[1])


@pytest.mark.parametrize(
    ("expression", "error", "message"),
    [
        (sp.LambertW(x), CompileError, "SymPy's LambertW has no graph here; expected .*asinh"),
        (sp.besselj(0, x), CompileError, "besselj"),
        (sp.Function("f")(x).diff(x), CompileError, r"Derivative is not evaluated.*\.doit\(\)"),
        (sp.Integral(sp.exp(x * t), (t, 0, 1)), CompileError, "Integral is not evaluated"),
        (sp.Sum(x**t, (t, 0, 3)), CompileError, "Sum is not evaluated"),
        (sp.Function("gamma")(x), CompileError, "no class of SymPy's own, in gamma"),
        (sp.I * x, CompileError, "expected a real number, got I"),
        (sp.zoo + x, CompileError, "expected a real number"),
        ("x + 1", ArgumentError, "got the text 'x \\+ 1'"),
        (object(), ArgumentError, "got object"),
    ],
)
def test_what_is_refused(expression: Any, error: type[Exception], message: str) -> None:
    """The class, the expression, and what is allowed; text is never evaluated."""
    with pytest.raises(error, match=message):
        gx.from_sympy(expression)


def test_a_large_sum_and_a_deep_nest() -> None:
    """As deep and as wide as SymPy itself builds them."""
    deep = x
    for _ in range(50):
        deep = sp.sin(deep, evaluate=False)
    assert gx.evaluate(gx.from_sympy(deep, {x: gx.const(1.0)}), {}).shape == ()
    wide = sp.Add(*[x**k for k in range(1, 200)])
    assert value(wide, x=0.5) == pytest.approx(1.0, rel=1e-12)


def test_a_gradient_is_sympys() -> None:
    """grad of the graph against SymPy's diff, to 20 digits."""
    expression = sp.exp(sp.sin(x) * y) / (1 + x**2) + sp.loggamma(x + y) * sp.atan2(x, y)
    inputs: dict[Any, Node] = {}
    node = gx.from_sympy(expression, inputs)
    feed = {inputs[x]: 0.7, inputs[y]: 1.3}
    for symbol in (x, y):
        with mpmath.workdps(30):
            expected = float(expression.diff(symbol).evalf(20, {x: 0.7, y: 1.3}))
        found = gx.evaluate(gx.grad(node, inputs[symbol]), feed)
        assert found == pytest.approx(expected, rel=1e-12)


def test_numbers_alone_share_a_few_kernels() -> None:
    """A hundred outputs of numbers: not a kernel each, and no sine computed twice."""
    symbols = sp.symbols("s0:5")
    expressions = [
        sp.sin(symbols[i % 5] * symbols[(i + 1) % 5]) * symbols[i % 3] ** 2 + i for i in range(100)
    ]
    inputs: dict[Any, Node] = {}
    nodes = gx.from_sympy(expressions, inputs)
    plan = gx.compile(list(inputs.values()), nodes, stop="schedule")
    assert len(plan.steps) <= 4
