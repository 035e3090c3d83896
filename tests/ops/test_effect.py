"""Checks and prints in the interpreter: what they say, where they hold, and when they are gone."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, CheckFailedError, DTypeError, ExecutionError
from graphc.ir.graph import Graph
from graphc.ops.effect import effects_of


def test_a_check_holds_though_its_condition_is_not_used() -> None:
    """The message, the first place that fails, what is compared there, and the user's line."""
    x = gx.input("x", ("n", 2), "float64")
    condition = x > 0
    assert gx.check(condition, "x must be positive") is condition
    y = gx.sum(x)
    assert gx.evaluate(y, {x: np.ones((3, 2))}) == 6
    with pytest.raises(CheckFailedError) as failure:
        gx.evaluate(y, {x: [[1.0, 2.0], [3.0, -4.0], [-5.0, 6.0]]})
    text = str(failure.value)
    assert text.startswith(
        "x must be positive: the condition fails at (1, 1) of (3, 2), for -4.0 and 0.0. Written at "
    )
    assert "test_effect.py" in text
    assert text.count("Written at") == 1
    assert isinstance(failure.value, ExecutionError | AssertionError)


def test_a_nan_fails_a_comparison() -> None:
    """What is not greater than 0 fails, also what is not a number; and a scalar has no index."""
    x = gx.input("x", ())
    gx.check(x > 0, "positive.")
    with pytest.raises(CheckFailedError, match=r"positive: the condition fails, for nan and 0.0\."):
        gx.evaluate(x + 1, {x: np.nan})


def test_a_check_of_an_empty_array_holds() -> None:
    """All of nothing is true."""
    x = gx.input("x", ("n",))
    gx.check(x > 0, "positive")
    assert gx.evaluate(gx.sum(x), {x: np.zeros(0)}) == 0


def test_where_a_check_holds() -> None:
    """Where all inputs, parameters, states and draws are there that it depends on: no sooner."""
    x, z = gx.input("x", ()), gx.input("z", ())
    w, s = gx.param("w", 1.0), gx.state("s", 1.0)
    draw = gx.random.stream(0).uniform()
    gx.check(x * w * s * (draw + 1) > 0, "all of them")
    feed = {x: -1.0, z: 1.0}
    for part in (x, x * w, x * w * s, x * w * draw, z):
        gx.evaluate(part, feed)
    with pytest.raises(CheckFailedError, match="all of them"):
        gx.evaluate([x * z, w + s, draw * 2], feed)


def test_checks_run_in_the_order_they_were_stated() -> None:
    """The first that fails is reported, and what was printed before it is printed."""
    x = gx.input("x", ())
    gx.check(x > 0, "first")
    gx.check(x > 1, "second")
    with pytest.raises(CheckFailedError, match="first"):
        gx.evaluate(x, {x: -1.0})
    with pytest.raises(CheckFailedError, match="second"):
        gx.evaluate(x, {x: 0.5})


def test_constants_are_checked_at_once() -> None:
    """At the line, and nothing is left to be checked later."""
    assert gx.check(True, "fine").shape == ()
    assert gx.check(gx.const([1.0, 2.0]) > 0, "fine").shape == (2,)
    with pytest.raises(
        CheckFailedError, match=r"not so: the condition fails at \(1,\).*test_effect"
    ):
        gx.check(np.array([True, False]), "not so")
    with pytest.raises(CheckFailedError, match="for 2.0 and 3.0"):
        gx.check(gx.const(2.0) > 3.0, "more than three")


def test_bad_statements_are_errors_at_the_line() -> None:
    """A condition that is not bool, a message that is not a string, sizes alone."""
    x = gx.input("x", (3,))
    with pytest.raises(DTypeError, match=r"a condition of bools, got <input x.*test_effect"):
        gx.check(x, "no")
    for message in (None, "", x):
        with pytest.raises(ArgumentError, match=r"check: expected a message.*test_effect"):
            gx.check(x > 0, message)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="depends on sizes alone"):
        gx.check(gx.ramp(("n",), 0) < 5, "few")
    with pytest.raises(
        ArgumentError, match=r"print: expected a label, a string; got 3.*test_effect"
    ):
        gx.print(x, 3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="several results"):
        gx.print(gx.slogdet(gx.input("a", (2, 2))))


def test_a_print_shows_the_node_wherever_it_is_computed(capsys: Any) -> None:
    """Label or formula, dtype, shape and value; not where only something else is computed."""
    x, w = gx.input("x", (2,)), gx.param("w", np.ones((2, 2), "float32"))
    h = gx.print(w @ x)
    assert gx.print(h, "hidden") is h
    gx.print(gx.sum(h), "sum")
    gx.evaluate(h + 1, {x: [1.0, 2.0]})
    assert capsys.readouterr().out == "w x: float32 (2,) [3. 3.]\nhidden: float32 (2,) [3. 3.]\n"
    gx.evaluate(gx.sum(h), {x: [1.0, 2.0]})
    assert capsys.readouterr().out.splitlines()[-1] == "sum: float32 6.0"
    gx.evaluate(x + 1, {x: [1.0, 2.0]})
    assert capsys.readouterr().out == ""
    gx.print(w * 2, "twice")
    gx.evaluate(w * 2)
    assert capsys.readouterr().out == "twice: float32 (2, 2)\n[[2. 2.]\n [2. 2.]]\n"


def test_a_constant_is_printed_at_once(capsys: Any) -> None:
    """There is nothing to wait for."""
    gx.print(gx.const([1, 2], "int64"), "now")
    assert capsys.readouterr().out == "now: int64 (2,) [1 2]\n"


def test_a_print_in_a_derivative(capsys: Any) -> None:
    """A gradient that uses a value computes the very node, and prints it."""
    x = gx.input("x", (), "float64")
    slope = gx.grad(gx.square(gx.print(gx.exp(x), "exp")), x)
    gx.evaluate(slope, {x: 0.0})
    assert capsys.readouterr().out == "exp: float64 1.0\n"


def test_what_a_check_uses_is_printed_too(capsys: Any) -> None:
    """A value is computed where a check takes it."""
    x = gx.input("x", ())
    gx.check(gx.print(x * 2, "doubled") < 10, "small")
    gx.evaluate(x + 1, {x: 3.0})
    assert capsys.readouterr().out == "doubled: float32 6.0\n"


def test_inference_restates_what_depends_on_the_flag(capsys: Any) -> None:
    """A check or a print of a value behind dropout holds in the graph that inference gives."""
    x = gx.input("x", (4,))
    noisy = gx.nn.dropout(x, 0.5, gx.random.stream(0))
    gx.check(noisy < 5, "not too large")
    gx.print(noisy, "noisy")
    plain = gx.inference(noisy * 1.0)
    gx.evaluate(plain, {x: np.ones(4)})
    assert capsys.readouterr().out == "noisy: float32 (4,) [1. 1. 1. 1.]\n"
    with pytest.raises(CheckFailedError, match="not too large"):
        gx.evaluate(plain, {x: np.full(4, 6.0)})
    with pytest.raises(CheckFailedError, match="not too large"):
        gx.evaluate(noisy * 1.0, {x: np.full(4, 3.0)})  # those that stay are doubled


def test_effects_end_with_what_they_depend_on() -> None:
    """No table keeps them: a parameter that lives on does not hold inputs, nodes or messages."""
    w = gx.param("w", np.ones(3, "float32"))

    def build() -> tuple[Any, Any]:
        x = gx.input("x", (3,))
        gx.check(x * w > 0, "positive")
        gx.print(x + w)
        declared: Any = x.declaration
        assert len(declared.effects) == 2
        return weakref.ref(x), weakref.ref(declared.effects[0])

    references = build()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    declared: Any = w.declaration
    assert declared.effects == []


def test_the_same_statement_twice_is_one() -> None:
    """As a cell of a notebook that runs again, while the nodes live."""
    x = gx.input("x", (3,))
    condition, total = x > 0, gx.sum(x)
    for _ in range(3):
        gx.check(condition, "positive")
        gx.print(total, "total")
    assert len(effects_of([total])) == 2


def test_a_graph_with_effects_as_text() -> None:
    """The text holds them, and reads back to the same text."""
    x = gx.input("x", ("n",))
    gx.check(x > 0, "positive")
    gx.print(x * 2, "twice")
    graph = gx.compile(x, x * 2, stop="graph")
    assert isinstance(graph, Graph)
    assert [node.op.name for node in graph.effects] == ["check", "print"]
    text = gx.to_text(graph)
    assert "check(%" in text
    assert gx.to_text(gx.parse(text)) == text


def test_no_effect_in_a_body_is_lost() -> None:
    """A branch has no place for a statement about what may not happen: an error, at its line. One
    in a scan is of all steps."""
    x = gx.input("x", ("n",))

    def body(carry: Any, element: Any) -> Any:
        gx.check(carry < 5, "small")
        return carry + element, carry

    with pytest.raises(ArgumentError, match=r"inside the body of a branch.*test_effect"):
        gx.cond(x[0] > 0, body, body, gx.const(0.0), x[0])
    total, _ = gx.scan(body, gx.const(0.0), x)
    with pytest.raises(CheckFailedError, match=r"small: .* at \(2,\) of \(3,\)"):
        gx.evaluate(total, {x: [3.0, 3.0, 3.0]})


def test_vmap_states_it_of_all_examples(capsys: Any) -> None:
    """A check or a print of one example becomes one of the batch."""
    rows = gx.input("rows", ("n", 2))

    def total(row: Any) -> Any:
        gx.check(row > 0, "positive")
        return gx.print(gx.sum(row), "total") * 2

    doubled = gx.vmap(total)(rows)
    gx.evaluate(doubled, {rows: np.ones((3, 2))})
    assert capsys.readouterr().out == "total: float32 (3,) [2. 2. 2.]\n"
    with pytest.raises(CheckFailedError, match=r"positive: .* at \(1, 0\) of \(2, 2\)"):
        gx.evaluate(doubled, {rows: [[1.0, 1.0], [-1.0, 1.0]]})
