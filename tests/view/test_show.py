"""Graphs to read: formulas as a lecturer writes them, listings for the rest."""

from __future__ import annotations

import time

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.view.show import Listing, formula, show


def _param(name: str, *shape: int) -> Node:
    return gx.param(name, np.zeros(shape, np.float32))


x = gx.input("x", ("n", 64))
t = gx.input("t", ("n",), dtype="int64")
W1, b1, W2, b2, W3, b3 = (
    _param("W1", 64, 64), _param("b1", 64), _param("W2", 64, 32), _param("b2", 32),
    _param("W3", 32, 10), _param("b3", 10),
)  # fmt: skip
h1 = gx.relu(x @ W1 + b1)
h2 = gx.relu(h1 @ W2 + b2)
a3 = h2 @ W3 + b3
loss = gx.mean(gx.softmax_cross_entropy(a3, t))
names = {"h1": h1, "h2": h2, "a3": a3}

# ---- formulas


def test_the_last_layer_as_the_lecturer_writes_it() -> None:
    """The derivative of a perceptron's last layer, before and after rewriting."""
    dW3 = gx.grad(loss, W3)
    assert str(show({"dW3": dW3}, names)) == "dW3 = h2ᵀ @ (softmax(a3) - onehot(t)) / n"
    assert formula(dW3, names) == "h2ᵀ (softmax(a3) - onehot(t)) / n"
    assert formula(gx.simplify(dW3), names) == "h2ᵀ (softmax(a3) - onehot(t)) / n"


def test_the_whole_model_on_one_line() -> None:
    """A loss is short enough to be a formula."""
    assert str(show(loss)) == (
        "mean(cross_entropy(softmax(relu(relu(x @ W1 + b1) @ W2 + b2) @ W3 + b3), t))"
    )


def test_logistic_regression() -> None:
    """The gradient of the lecture, and that of least squares with decay."""
    X, target = gx.input("X", ("n", 3)), gx.input("t", ("n",))
    w, b = _param("w", 3), _param("b")
    z = X @ w + b
    cost = gx.mean(gx.sigmoid_cross_entropy(z, target))
    assert str(show(cost)) == "mean(cross_entropy(σ(X @ w + b), t))"
    assert str(show(gx.grad(cost, w))) == "Xᵀ @ (σ(X @ w + b) - t) / n"
    assert str(show(gx.grad(cost, b))) == "sum(σ(X @ w + b) - t) / n"
    assert formula(gx.grad(cost, w)) == "Xᵀ (σ(X w + b) - t) / n"
    squares = gx.mean(gx.square(z - target))
    assert str(show(gx.grad(squares, w))) == "2 * Xᵀ @ (X @ w + b - t) / n"


def test_a_scalar_function_and_its_gradient() -> None:
    """(x + y) z, gate by gate."""
    a, b, c = gx.input("x"), gx.input("y"), gx.input("z")
    f = (a + b) * c
    assert str(show(f)) == "(x + y) * z"
    assert [str(show(g)) for g in gx.grad(f, [a, b, c])] == ["z", "z", "x + y"]


a, b, c = gx.input("a"), gx.input("b"), gx.input("c")
v, M = gx.input("v", (3,)), gx.input("M", (3, 3))


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (a - (b - c), "a - (b - c)"),
        (a - b + c, "a - b + c"),
        (a + -b, "a - b"),
        (a - -b, "a + b"),
        (-(a + b), "-(a + b)"),
        (-a * b, "-a * b"),
        (-(a * b), "-a * b"),
        ((a + b) * c, "(a + b) * c"),
        (a / b / c, "a / (b * c)"),
        (a / (b / c), "a / (b / c)"),
        (a / (b * c), "a / (b * c)"),
        (1 / a * b, "b / a"),
        (a * 2, "2 * a"),
        (a**2, "a**2"),
        ((-a) ** 2, "(-a)**2"),
        (a**-0.5, "a**(-0.5)"),
        ((a + b) ** 2, "(a + b)**2"),
        (2**a, "2**a"),
        (a**b**c, "a**b**c"),
        ((a**b) ** c, "(a**b)**c"),
        (gx.square(a + b), "(a + b)²"),
        (abs(a - b), "|a - b|"),
        (gx.exp(-a), "exp(-a)"),
        (a < b, "a < b"),
        ((a < b) & ~(a < c), "(a < b) & ~(a < c)"),
        (gx.where(a < b, a, b + 1), "where(a < b, a, b + 1)"),
        (gx.maximum(a, 0), "max(a, 0)"),
        (a * 0.1, "0.1 * a"),
        (a * 1e-7, "1e-7 * a"),
        (a * np.inf, "inf * a"),
        (a / 3, "a / 3"),
        (M.T @ v, "Mᵀ @ v"),
        (v @ M, "v @ M"),
        (v @ v, "v @ v"),
        (2 * (M @ v), "2 * M @ v"),
        (M @ (v * 2), "2 * M @ v"),
        (M @ (M @ v), "M @ (M @ v)"),
        ((M @ M) @ v, "M @ M @ v"),
        ((M @ M) * M, "(M @ M) * M"),
        (M @ (M * M), "M @ (M * M)"),
        ((M + M.T) @ v, "(M + Mᵀ) @ v"),
        ((M @ M).T, "(M @ M)ᵀ"),
        (M * v, "M * v"),
        (M * v[:, None], "M * v[:, None]"),
        (v[:, None], "v[:, None]"),
        (v[None], "v[None]"),
        (M[0], "M[0]"),
        (M[:, 1], "M[:, 1]"),
        (M[1:, ::-1], "M[1:, ::-1]"),
        (M[1:2], "M[1][None]"),
        (M[0] + v, "M[0] + v"),
        (gx.sum(M), "sum(M)"),
        (gx.sum(M, axis=0), "sum(M, axis=0)"),
        (M / gx.sum(M, axis=1, keepdims=True), "M / sum(M, axis=1, keepdims=True)"),
        (gx.softmax(M, axis=0), "softmax(M, axis=0)"),
        (gx.argmax(M, axis=1), "argmax(M, axis=1)"),
        (gx.broadcast_to(a, (3,)), "a * ones(3)"),
        (gx.zeros_like(M), "zeros(3, 3)"),
        (gx.broadcast_to(v, (2, 3)), "broadcast_to(v, (2, 3))"),
        (M @ gx.ones_like(v), "M @ ones(3)"),
        (gx.reshape(M, (9,)), "reshape(M, (9,))"),
        ((a < b).astype("float32"), "float32(a < b)"),
        (M * (M > 0).astype("float32"), "M * (M > 0)"),
        (M.astype("float64"), "float64(M)"),
        (gx.const([1.0, 2.5]), "[1, 2.5]"),
        (gx.const(np.eye(3)), "const(3, 3)"),
        (gx.const(-3), "-3"),
        (gx.slogdet(M)[1], "slogdet(M)[1]"),
        (gx.solve(M, v), "solve(M, v)"),
        (gx.take(M, gx.input("i", (2,), "int32")), "M[i]"),
        (gx.pick(M, gx.input("i", (3,), "int32")), "pick(M, i)"),
    ],
)
def test_how_things_are_written(node: Node, text: str) -> None:
    """Brackets where they are needed and nowhere else; broadcasting without noise."""
    assert str(show(node)) == text


def test_numbers_are_shortest() -> None:
    """0.1 is no 0.10000000149 for being a float32."""
    assert str(show(gx.input("z") * 0.1 + 1e-8)) == "0.1 * z + 1e-8"
    assert str(show(gx.input("z", dtype="float64") * (1 / 3))) == "0.3333333333333333 * z"


def test_a_formula_is_one_line_whatever_the_graph() -> None:
    """What would be too long is left out; a ladder of diamonds does not explode."""
    y = z = gx.input("z")
    for _ in range(200):
        y = gx.sin(y) * y
    text = formula(y, limit=100)
    assert len(text) < 300
    assert "…" in text
    assert "\n" not in text
    assert formula(z + 1) == "z + 1"
    assert formula(y, {"y": y}, limit=100) == text, "a root's own name does not hide it"


# ---- listings


def test_a_listing_has_lines_shapes_and_sites() -> None:
    """Names for what is used twice, in an order in which each is known."""
    listing = str(show({"dW3": gx.grad(loss, W3), "db3": gx.grad(loss, b3)}, {"h2": h2, "a3": a3}))
    lines = [line.split("  ") for line in listing.splitlines()]
    found = [[part.strip() for part in line if part.strip()] for line in lines]
    assert [line[:-1] for line in found] == [
        ["h2: given", "(n, 32)"],
        ["a3: given", "(n, 10)"],
        ["t: input", "int64 (n,)"],
        ["1", "v1 = (softmax(a3) - onehot(t)) / n", "(n, 10)"],
        ["2", "dW3 = h2ᵀ @ v1", "(32, 10)"],
        ["3", "db3 = sum(v1, axis=0)", "(10,)"],
    ]
    assert all("test_show.py:" in line[-1] for line in found)


def test_updates_of_a_graph_are_new_values() -> None:
    """A state's new value is the state with a prime."""
    s = gx.state("s", np.float32(0))
    text = str(show(Graph((a,), (a * s,), ((s, s + a),))))
    assert "result1 = a * s" in text
    assert "s' = s + a" in text


def test_outputs_are_numbered_as_they_are_listed() -> None:
    """Whichever is computed first."""
    inner = gx.exp(a) + b
    text = str(show([gx.sin(inner), inner]))
    assert "result2 = exp(a) + b" in text
    assert "result1 = sin(result2)" in text


def test_names_are_unique_and_hostile_ones_quoted() -> None:
    """Two inputs of one name are told apart; a name never passes for an operation or a new line."""
    one, two = gx.input("q"), gx.input("q")
    assert str(show(one - two)) == "q - q_2"
    assert str(show(gx.input("v1") * gx.input("layer.0/W"))) == "v1 * layer.0/W"
    for name in ("a + b", 'x"', "x\ny", "1", "", "x'y", "\u202eabc"):
        if name:
            text = str(show(gx.input(name) * 2))
            assert text.startswith('2 * "'), text
            assert text.isprintable()
    taken = gx.sin(a) * gx.cos(b) + gx.tanh(c)
    clash = str(show(taken * gx.exp(taken) + gx.input("v1")))
    assert "v2 = sin(a) * cos(b) + tanh(c)" in clash


def test_several_names_of_one_node() -> None:
    """The second name stands for the first."""
    assert str(show({"p": a * b, "q": a * b})) == "p = a * b\nq = p"
    assert str(show({"p": a})) == "p = a"
    assert str(show(a)) == "a"


@pytest.mark.slow
def test_long_graphs_are_shortened_in_the_middle() -> None:
    """100,000 nodes are listed from both ends, in seconds."""
    y = z = gx.input("z")
    for _ in range(50_000):
        y = gx.sin(y) + z
    start = time.perf_counter()
    text = str(show(y, limit=10))
    assert time.perf_counter() - start < 30
    assert len(text.splitlines()) == 11
    assert "more lines ..." in text
    assert text.splitlines()[-1].lstrip().split(" ")[0] == text.splitlines()[-1].split()[0]


def test_a_listing_is_text_that_notebooks_draw() -> None:
    """It prints, it is a string, and it has a picture."""
    listing = show(a + b)
    assert isinstance(listing, Listing)
    assert isinstance(listing, str)
    assert listing == "a + b"
    assert repr(listing) == "a + b"
    assert "<svg" in listing._repr_html_()


def test_mistakes_are_told() -> None:
    """Names must name nodes; sizes must leave room."""
    for wrong in ({"y": 3}, {3: a}, {"": a}):
        with pytest.raises(ArgumentError, match="expected {name: node}.*test_show.py:"):
            show(a, wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="width >= 20"):
        show(a, width=3)
    with pytest.raises(ArgumentError, match="expected nodes to show, got int"):
        show([a, 3])  # type: ignore[list-item]
