"""Loops and branches as they are shown: their bodies below them, in text and in LaTeX."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node


def nested() -> tuple[Node, Node]:
    """A scan with a while loop and a branch inside; its input and a result."""
    x, w = gx.input("x", ("n", 2)), gx.param("W", np.eye(2, dtype="f4"))

    def step(h: Node, e: Node) -> tuple[Node, Node]:
        h = gx.tanh(h @ w + e)
        grown = gx.while_loop(
            lambda v: v < 9,
            lambda v: gx.cond(v > 0, lambda u: u * 2, lambda u: u + 1, v),
            gx.sum(h),
            max_steps=10,
        )
        return h, grown

    last, grown = gx.scan(step, gx.zeros((2,)), x, reverse=True)
    return x, gx.sum(last) + gx.sum(grown)


def columns(text: str) -> list[str]:
    """The lines of a listing without their types and places."""
    return [re.split(r"   +\(|  +bool", line)[0].rstrip() for line in str(text).splitlines()]


def test_a_body_stands_below_its_loop() -> None:
    """Protects the listing: arguments in the order of the inputs, carries after the step, nesting,
    the direction and the limit."""
    _, loss = nested()
    assert columns(gx.show(loss)) == [
        "   x: input",
        "   W: parameter",
        "1  v1 = scan(zeros(2), x, W)",
        "      n steps, the last first: body(carry, x, W):",
        "         carry' = tanh(carry @ W + x)",
        "         v1 = while_loop(sum(carry'))",
        "            while condition, at most 10 steps: body(carry):",
        "               condition = carry < 9",
        "               v1 = cond(carry > 0, carry)",
        "                  then(carry):",
        "                     result1 = 2 * carry",
        "                  else(carry):",
        "                     result1 = carry + 1",
        "               carry' = v1[0]",
        "         y = v1[0]",
        "2  result = sum(v1[0]) + sum(v1[1])",
    ]


def test_a_loop_alone_is_shown_with_its_body() -> None:
    """Protects a single line, which would hide what the loop does."""
    x = gx.input("x", ("n",))
    last, _ = gx.scan(lambda c, e: (c + e, None), 0.0, x)
    for shown in (last, last.inputs[0], {"total": last}, [last, x]):
        assert "carry' = carry + x" in str(gx.show(shown))  # type: ignore[arg-type]


def test_what_a_body_returns_unchanged() -> None:
    """Protects carries that swap or never change, and a result that is an argument, or a number."""
    x = gx.input("x", ("n",))
    (a, b, c), ys = gx.scan(
        lambda c, e: ((c[1], c[0], c[2]), (e, e, c[0], 7.0)), (0.0, 1.0, 2.0), x
    )
    text = str(gx.show([a, b, c, *ys]))
    for line in ("carry' = carry_2", "carry_2' = carry", "carry_3' = carry_3", "y1 = x", "y2 = x",
                 "y3 = carry", "y4 = 7"):  # fmt: skip
        assert re.search(rf"^ +{re.escape(line)} ", text, re.MULTILINE), line


def test_every_view_takes_a_loop_and_its_gradient() -> None:
    """Protects against a crash: LaTeX without double indices, pictures, DOT, a table of values."""
    x, loss = nested()
    gradient = gx.grad(loss, x)
    for node in (loss, gradient):
        latex = gx.latex(node)
        assert r"\operatorname{scan}" in latex
        assert re.search(r"(?<!\})_\{[^{}]*\}_\{", latex) is None  # TeX refuses a_{1}_{2}
        assert gx.to_dot(node).startswith("digraph")
        assert "scan" in gx.show(node)._repr_html_()
        assert gx.to_networkx(node).number_of_nodes() > 5
        assert "scan" in str(gx.why(node))
    small: Any = {x: np.ones((2, 2))}
    assert "scan" in str(gx.backprop_table(loss, small, [x]))


def test_a_compiled_loop_lists_the_steps_of_its_body() -> None:
    """Protects `source` and `explain` of a program with loops, before and after a call."""
    x, loss = nested()
    call = gx.compile(x, [loss, gx.grad(loss, x)])
    source = call.source()
    assert re.search(r"^# +\d+: scan, n times: \d+ steps\n#      0: ", source, re.MULTILINE)
    assert "while loop, at most 10 times" in source
    assert "call it once" in call.explain()
    call(np.ones((3, 2)))
    assert re.search(r"\d+\.\d+ +scan, n times", call.explain())
    assert call.memory.peak_bytes > 0
