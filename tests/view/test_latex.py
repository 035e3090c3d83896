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
from graphc.view.latex import latex, repr_latex
from graphc.view.symbol import latex_dim, latex_escape, latex_symbol

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
        (v @ M, r"v^{\top} \, M"),
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
        (gx.sum(M, axis=0), r"\sum_{\text{axis 0}}\left(M\right)"),
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
