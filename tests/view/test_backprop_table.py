"""Back-propagation with numbers: the table of the lecture, and the rules where arrays take part."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DisconnectedError, ShapeError
from graphc.view.backprop_table import backprop_table, value_text


def test_the_table_of_the_lecture() -> None:
    """f = (x + y) z at (-2, 5, -4): to the letter."""
    x, y, z = gx.input("x"), gx.input("y"), gx.input("z")
    q = x + y
    table = backprop_table(q * z, {x: -2, y: 5, z: -4}, [x, y, z], names={"q": q})
    assert str(table) == (
        "node       value  local derivative  gradient\n"
        "---------  -----  ----------------  ---------------------\n"
        "f = q * z  -12                      df/df = 1\n"
        "q = x + y  3      df/dq = z = -4    df/dq = 1 * (-4) = -4\n"
        "x          -2     dq/dx = 1         df/dx = (-4) * 1 = -4\n"
        "y          5      dq/dy = 1         df/dy = (-4) * 1 = -4\n"
        "z          -4     df/dz = q = 3     df/dz = 1 * 3 = 3"
    )
    assert float(table["q"].value) == 3
    assert [float(table[node].gradient) for node in (q, x, y, z)] == [-4, -4, -4, 3]
    assert repr(table) == str(table)
    with pytest.raises(KeyError):
        table["nonsense"]


def test_the_sigmoid_neuron_gate_by_gate() -> None:
    """The known numbers: 0.73 forward, 0.20 at the sum, and -0.20, -0.39, 0.20 at the weights."""
    w0, x0, w1, x1, w2 = (gx.input(name) for name in ("w0", "x0", "w1", "x1", "w2"))
    f = 1 / (1 + gx.exp(-(w0 * x0 + w1 * x1 + w2)))
    feed = {w0: 2, x0: -1, w1: -3, x1: -2, w2: -3}
    table = backprop_table(f, feed, [w0, x0, w1, x1, w2])
    assert float(table[f].value) == pytest.approx(0.7310586)
    found = [float(table[node].gradient) for node in (w0, x0, w1, x1, w2)]
    expected = 0.19661193
    assert found == pytest.approx([-expected, 2 * expected, -2 * expected, -3 * expected, expected])
    forward = [row.name for row in table.rows]
    assert forward[0] == "f"
    assert forward[-5:] == ["w0", "x0", "w1", "x1", "w2"]


def test_gradients_that_meet_are_summed() -> None:
    """One line for each consumer; x used twice by one operation is one consumer."""
    x = gx.input("x")
    table = backprop_table(x * x + gx.sin(x) * x, {x: 2.0}, x)
    row = table[x]
    assert len(row.derivatives) == 3
    assert {line.formula for line in row.derivatives} == {"x + x", "cos(x)", "v2"}
    assert float(row.gradient) == pytest.approx(4 + np.cos(2.0) * 2 + np.sin(2.0), rel=1e-6)
    assert "1 * 0.909297 + 2 * (-0.416147) + 1 * 4 = 4.077" in str(table)


def test_arrays_have_rules_instead_of_numbers() -> None:
    """Shapes or few numbers as values; the rule makes the gradient from the consumer's."""
    X, t = gx.input("X", ("n", 3)), gx.input("t", ("n",))
    w = gx.param("w", np.ones(3, np.float32))
    loss = gx.mean(gx.square(X @ w - t))
    feed = {X: np.ones((4, 3)), t: np.zeros(4)}
    table = backprop_table(loss, feed, w)
    np.testing.assert_array_equal(table[w].gradient, gx.evaluate(gx.grad(loss, w), feed))
    text = str(table)
    assert "v2 = X @ v1" in text
    assert "from v2: Xᵀ @ ∇v2" in text
    assert "(4, 3) of 1 to 1" in text
    assert table[t].gradient is None
    assert table[X].gradient is None


def test_several_results_and_intermediate_targets() -> None:
    """A tuple's gradient is a tuple; back-propagation stops at what was asked for."""
    A = gx.param("A", 2 * np.eye(2, dtype=np.float32))
    both = gx.slogdet(A)
    table = backprop_table(both[1] * 3, {}, A)
    assert value_text(table[both].gradient) == "(0, 3)"
    x = gx.input("x")
    h = gx.exp(x)
    below = backprop_table(h * h, {x: 0.0}, h)
    assert below[x].gradient is None
    assert float(below[h].gradient) == 2


def test_values_of_cells() -> None:
    """Few numbers are listed, many are a shape and a range."""
    assert value_text(np.float32(0.1)) == "0.1"
    assert value_text(np.array([[1, 2], [3, 4]])) == "[[1, 2], [3, 4]]"
    assert value_text(np.arange(12.0).reshape(3, 4)) == "(3, 4) of 0 to 11"
    assert value_text(np.array([True, False])) == "[True, False]"
    assert value_text(np.zeros((0, 3))) == "[]"


def test_the_table_in_a_notebook_is_escaped() -> None:
    """Names stay text."""
    x = gx.input("<script>")
    page = backprop_table(x * x, {x: 1.0}, x)._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<tr>") == 3


def test_mistakes_are_those_of_grad_and_evaluate() -> None:
    """What cannot be differentiated or is not fed is named."""
    x, y = gx.input("x", (3,)), gx.input("y")
    with pytest.raises(ShapeError, match="expected a scalar"):
        backprop_table(x * 2, {x: np.ones(3)}, x)
    with pytest.raises(DisconnectedError, match="does not depend on"):
        backprop_table(gx.sum(x), {x: np.ones(3)}, y)
    with pytest.raises(ArgumentError, match="input 'x' was not fed"):
        backprop_table(gx.sum(x), {}, x)


def test_long_tables_are_shortened() -> None:
    """A chain of thousands prints its first rows, without recursion."""
    x = gx.input("x")
    y = x
    for _ in range(3000):
        y = gx.sin(y) + x
    text = str(backprop_table(y, {x: 0.5}, x))
    assert "more nodes ..." in text
    assert len(text.splitlines()) < 210
