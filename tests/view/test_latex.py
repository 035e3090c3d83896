"""LaTeX: the mathematics of a graph, and names that cannot be commands."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphc as gx
from graphc.errors import ArgumentError
from graphc.ir.dim import named_size
from graphc.ir.node import Node
from graphc.ir.op import REGISTRY
from graphc.ops.elementwise import ElementwiseOp
from graphc.view.latex import latex, repr_latex
from graphc.view.symbol import latex_dim, latex_escape, latex_symbol
from tests.op_cases.registry import CASES

a, b = gx.input("a"), gx.input("b")
v, M = gx.input("v", (3,)), gx.input("M", (3, 3))
X = gx.input("X", ("n", 3))


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (a + b * 2, r"a + 2 \, b"),
        ((a + b) * 2, r"2 \, \left(a + b\right)"),
        (a / b, r"\frac{a}{b}"),
        (a / b / 2, r"\frac{a}{b \cdot 2}"),
        (-a / 2, r"-\frac{a}{2}"),
        (2 * (3 * v), r"2 \cdot 3 \, v"),
        (a**2, "a^{2}"),
        ((a / b) ** 2, r"\left(\frac{a}{b}\right)^{2}"),
        (a ** (b + 1), "a^{b + 1}"),
        (gx.sqrt(a), r"\sqrt{a}"),
        (abs(a), r"\left|a\right|"),
        (gx.sigmoid(a), r"\sigma\left(a\right)"),
        (M @ v, r"M \, v"),
        (M.T @ v, r"M^{\top} \, v"),
        (v @ M, r"M^{\top} \, v"),
        (v @ M @ v, r"v^{\top} \, M \, v"),
        (M.T.T @ v, r"M \, v"),
        ((M @ M).T @ v, r"\left(M \, M\right)^{\top} \, v"),
        (v @ v, r"v^{\top} \, v"),
        (M * M, r"M \odot M"),
        (a * M, r"a \, M"),
        ((M @ M) * M, r"\left(M \, M\right) \odot M"),
        (v[:, None] @ v[None], r"v \, v^{\top}"),
        (gx.solve(M, v), r"M^{-1} \, v"),
        (M * (M > 0).astype("float32"), r"M \odot \left[M > 0\right]"),
        (gx.where(a < b, a, b), r"\begin{cases} a & a < b \\ b & \text{else} \end{cases}"),
        (
            1 + gx.where(a < b, a, b),
            r"1 + \left(\begin{cases} a & a < b \\ b & \text{else} \end{cases}\right)",
        ),
        (gx.sum(M, axis=0), r"\sum_{i} M_{i, :}"),
        (gx.sum(M, axis=1, keepdims=True), r"\sum_{j} M_{:, j}"),
        (gx.sum(v), r"\sum_{i} v_{i}"),
        (gx.sum(v * v), r"\sum_{i} \left(v \odot v\right)_{i}"),
        (gx.sum(gx.exp(M) * M), r"\sum_{i, j} \left(\exp\left(M\right) \odot M\right)_{i j}"),
        (gx.sum(gx.input("W1", (3,))), r"\sum_{i} \left(W_{1}\right)_{i}"),
        (gx.prod(v), r"\prod_{i} v_{i}"),
        (a + gx.sum(v) * 2, r"a + 2 \, \sum_{i} v_{i}"),
        (a * a, "a^{2}"),
        ((a + b) * (a + b), r"\left(a + b\right)^{2}"),
        (v + v, r"2 \, v"),
        (v - v, "v - v"),
        (a / b / b, r"\frac{a}{b^{2}}"),
        (v[:, None] * v, r"v \, v^{\top}"),
        (v * gx.input("w", (4,))[:, None], r"w \, v^{\top}"),
        (gx.input("w", (4,))[:, None] - v, r"w - v^{\top}"),
        (M[:, None] - M[None], r"{M}_{\left[:, \text{new}\right]} - M"),
        (gx.mean(v), r"\operatorname{mean}\left(v\right)"),
        (gx.zeros_like(M), r"\mathbf{0}_{3 \times 3}"),
        (a * 1e-7, r"10^{-7} \, a"),
        (a * 2.5e-7, r"2.5 \cdot 10^{-7} \, a"),
        (a * np.inf, r"\infty \, a"),
        (gx.pick(M, gx.input("t", (3,), "int32")), "{M}_{t}"),
        (M[1:, 0], r"{M}_{\left[1:, 0\right]}"),
        (gx.reshape(M, (9,)), r"\operatorname{reshape}_{9}\left(M\right)"),
        (gx.input("W1") * gx.input("sigma_2"), r"W_{1} \, \sigma_{2}"),
    ],
)
def test_how_things_are_written(node: Node, text: str) -> None:
    """Vectors are columns, fractions have lines, elementwise products have their own sign."""
    assert latex(node) == text


def test_a_derivative() -> None:
    """The gradient of logistic regression."""
    w, t = gx.param("w", np.zeros(3, np.float32)), gx.input("t", ("n",))
    cost = gx.mean(gx.sigmoid_cross_entropy(X @ w, t))
    assert latex({"dw": gx.grad(cost, w)}) == (
        r"\mathrm{d}w = \frac{1}{n} \, X^{\top} \, \left(\sigma\left(X \, w\right) - t\right)"
    )


Q, u, y = gx.input("Q", (3, 3)), gx.input("u", (3,)), gx.input("y", ("n",))
p, T = gx.input("p", (3,)), gx.input("T", ("n", 3))
lam = gx.input("lambda")
# What is differentiated, by what, and what a lecturer writes.
DERIVATIVES = [
    (v @ Q @ v, v, r"Q^{\top} \, v + Q \, v"),
    (v @ Q @ v, Q, r"v \, v^{\top}"),
    (v @ Q @ u, v, r"Q \, u"),
    (v @ Q @ u, u, r"Q^{\top} \, v"),
    (v @ v, v, r"2 \, v"),
    (gx.sum(gx.square(X @ v - y)), v, r"2 \, X^{\top} \, \left(X \, v - y\right)"),
    (
        gx.sum(gx.square(X @ v - y)) + lam * gx.sum(gx.square(v)),
        v,
        r"2 \, \lambda \, v + 2 \, X^{\top} \, \left(X \, v - y\right)",
    ),
    (gx.sum(T * (X @ Q)), Q, r"X^{\top} \, T"),
    (gx.sum(T * (X @ Q)), X, r"T \, Q^{\top}"),
    (gx.sum(gx.square(M)), M, r"2 \, M"),
    (gx.logsumexp(v), v, r"\operatorname{softmax}\left(v\right)"),
    (
        gx.sum(gx.softmax(v) * u),
        v,
        r"\operatorname{softmax}\left(v\right) \odot \left(u - \sum_{i} \left(u \odot "
        r"\operatorname{softmax}\left(v\right)\right)_{i}\right)",
    ),
    (
        gx.mean(gx.softmax_cross_entropy(X @ Q, gx.input("t", ("n",), "int32"))),
        Q,
        r"\frac{1}{n} \, X^{\top} \, \left(\operatorname{softmax}\left(X \, Q\right) - "
        r"\operatorname{onehot}\left(t\right)\right)",
    ),
    (gx.var(v), v, r"\frac{2}{3} \, \left(v - \operatorname{mean}\left(v\right)\right)"),
    (gx.sum(gx.solve(Q, v) * u), v, r"\left(Q^{\top}\right)^{-1} \, u"),
    (gx.sum(gx.log(v)), v, r"\frac{1}{v}"),
    (a**3, a, r"3 \, a^{2}"),
    (a**2.5, a, r"2.5 \, a^{1.5}"),
    (gx.tanh(a), a, r"1 - \tanh\left(a\right)^{2}"),
    (
        gx.grad(gx.tanh(a), a),
        a,
        r"-2 \, \tanh\left(a\right) \, \left(1 - \tanh\left(a\right)^{2}\right)",
    ),
    (
        gx.sum(gx.relu(X @ v)),
        v,
        r"X^{\top} \, \left[\operatorname{relu}\left(X \, v\right) > 0\right]",
    ),
    (gx.sum(gx.cumsum(v) * u), v, r"\operatorname{cumsum}_{\text{reverse}}\left(u\right)"),
    (a / (b * b), a, r"\frac{1}{b^{2}}"),
]


@pytest.mark.parametrize(("cost", "by", "text"), DERIVATIVES, ids=[d[2] for d in DERIVATIVES])
def test_derivatives_as_a_lecturer_writes_them(cost: Node, by: Node, text: str) -> None:
    """No factors of ones, no transpose of a transpose, vectors as columns, sums with an index."""
    assert latex(gx.grad(cost, by)) == text


def test_a_hessian_product() -> None:
    """Forward over reverse, and reverse over reverse, both sides of the matrix."""
    assert latex(gx.hvp(v @ Q @ v, v, u)) == r"Q^{\top} \, u + Q \, u"


def test_a_comparison_in_an_equation_has_brackets() -> None:
    """x = y = z would be read as a chain."""
    texts = latex({"same": gx.equal(a, b), "more": a + b})
    assert r"\mathrm{same} &= \left(a = b\right)" in texts
    assert latex(gx.equal(a, b)) == "a = b"


# matplotlib knows no environments of several lines.
SEVERAL_LINES = r"\begin"
# Nor these, which LaTeX, MathJax and KaTeX know.
ALSO_KNOWN = {
    r"\le ": r"\leq ", r"\ge ": r"\geq ", r"\bmod": r"\operatorname{mod}",
    r"\mathbin{\&}": "+", r"\mathbin{|}": "|",
}  # fmt: skip
ELEMENTWISE = [
    name
    for name, op in sorted(REGISTRY.items())
    if op.kind == "elementwise" and name in CASES and name not in ("cast", "copy")
]


def parse(text: str) -> None:
    """Raise unless matplotlib's mathematics takes a text."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    for command, other in ALSO_KNOWN.items():
        text = text.replace(command, other)
    mathtext.MathTextParser("path").parse(f"${text}$")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_elementwise_operation_is_valid_latex(name: str) -> None:
    """Its notation, alone and in a product, a power and a fraction, as matplotlib reads it."""
    op, case = REGISTRY[name], CASES[name]
    assert isinstance(op, ElementwiseOp)
    flags = op.types in ("logical", "select")
    whole = op.types == "integer"
    inputs = [
        gx.input(
            f"x{i}",
            (),
            "int32"
            if whole
            else "bool"
            if flags and (i == 0 or len(case.shapes) == op.arity)
            else "float64",
        )
        for i in range(op.arity)
    ]
    node = op(*inputs)
    for made in (node, node.astype("float64") * inputs[-1], node.astype("float64") ** 2):
        text = latex(made)
        assert text.count("{") == text.count("}")
        if SEVERAL_LINES not in text:
            parse(text)


@pytest.mark.parametrize("text", [d[2] for d in DERIVATIVES])
def test_derivatives_are_valid_latex(text: str) -> None:
    """As matplotlib reads them."""
    parse(text)


def test_long_graphs_are_aligned_equations() -> None:
    """One equation a line; too many are shortened in the middle."""
    y = gx.sin(a) * gx.cos(b) + gx.exp(a)
    assert latex(y / (1 + y)) == (
        "\\begin{aligned}\n"
        "v_{1} &= \\sin\\left(a\\right) \\, \\cos\\left(b\\right) + \\exp\\left(a\\right) \\\\\n"
        "\\mathrm{result} &= \\frac{v_{1}}{1 + v_{1}}\n"
        "\\end{aligned}"
    )
    for _ in range(60):
        y = gx.sin(y) * gx.cos(y) + gx.exp(y) * b
    text = latex(y, limit=6)
    assert text.count("&=") == 6
    assert r"\vdots" in text
    with pytest.raises(ArgumentError, match="limit >= 2"):
        latex(y, limit=1)


def test_what_a_notebook_shows() -> None:
    """Formulas between dollars; a graph too large to read is counted."""
    assert repr_latex(a + b) == r"$\displaystyle a + b$"
    assert (a + b)._repr_latex_() == repr_latex(a + b)
    y = a
    for _ in range(3000):
        y = gx.sin(y)
    assert repr_latex(y) == r"$\text{a graph of 3,001 nodes}$"
    assert repr_latex(gx.slogdet(M)).startswith("$")


# ---- names

KNOWN = {
    "text", "backslash", "sim", "wedge", "mathrm", "frac", "left", "right", "lfloor", "rfloor",
}  # fmt: skip
GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)


@given(st.text(min_size=1, max_size=30))
def test_no_name_is_a_command(name: str) -> None:
    """Whatever a name holds, its LaTeX has only known commands and balanced braces."""
    text = latex_symbol(name)
    commands = re.findall(r"\\([A-Za-z]+|.)", text)
    assert all(c in KNOWN or c in GREEK.split() or c in "{}$&#_%" for c in commands), (name, text)
    bare = re.sub(r"\\[{}$&#_%]", "", text)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"[$&#%~]", bare)
    assert "\n" not in text


def test_names_as_symbols() -> None:
    """Indices, Greek letters, words, differentials."""
    expected = {"W": "W", "W12": "W_{12}", "b_1": "b_{1}", "h_max": r"h_{\mathrm{max}}", "x'": "x'",
                "sigma": r"\sigma", "sigma2": r"\sigma_{2}", "loss": r"\mathrm{loss}",
                "dW3": r"\mathrm{d}W_{3}", "d": "d", "data": r"\mathrm{data}"}  # fmt: skip
    assert {name: latex_symbol(name) for name in expected} == expected
    assert latex_escape("a_b") == r"\text{a}\_\text{b}"
    assert latex_symbol(r"\evil{$") == r"{\backslash \text{evil}\{\$}"


def test_sizes() -> None:
    """Polynomials, and floor brackets for quotients."""
    n = named_size("n")
    assert latex_dim(2 * n * n - 1)[0] == r"2 \, {n}^{2} - 1"
    assert latex_dim((n + 1) // 2)[0] == r"\left\lfloor \frac{n + 1}{2} \right\rfloor"
    assert latex_dim(-n + 3)[0] == "-n + 3"
