"""gx.why: the rules that made a node, as long as the node is there and no longer."""

from __future__ import annotations

import gc

import pytest

import graphc as gx
from graphc.errors import ArgumentError
from graphc.rewrite import explain
from graphc.rewrite.engine import simplify
from graphc.rewrite.explain import brief


def test_why_names_the_rules_and_the_line() -> None:
    """What was there, what came of it, by which rule, and where it was written."""
    x = gx.input("x")
    y = simplify(gx.log(1 + gx.exp(-x)))
    reasons = gx.why(y)
    assert [step.rule for step in reasons.steps] == [
        "operand_order",
        "log1p_from_log",
        "softplus_from_log1p",
    ]
    assert reasons.steps[-1].before == "log1p(exp(-x))"
    assert reasons.steps[-1].after == "softplus(-x)"
    assert str(reasons).startswith("softplus(-x):\n")
    assert "test_explain.py:" in str(reasons)


def test_why_of_what_was_written() -> None:
    """A node that no rule made says so; anything else than a node is an error."""
    x = gx.input("never_rewritten")
    assert "no rule made this" in str(gx.why(gx.tanh(x)))
    with pytest.raises(ArgumentError, match="expected a node"):
        gx.why("x")  # type: ignore[arg-type]


def test_the_log_goes_with_its_node() -> None:
    """The log is text beside the node: it neither outlives the node nor keeps it alive."""
    x = gx.input("x")
    gc.collect()
    before = len(explain._history)
    y = simplify(gx.log(gx.sigmoid(x)) * 2)
    assert len(explain._history) > before
    del y
    gc.collect()
    assert len(explain._history) == before


def test_brief_is_short() -> None:
    """A deep expression is cut, not written out."""
    y = gx.input("x")
    for _ in range(1000):
        y = gx.tanh(y)
    assert brief(y) == "tanh(tanh(tanh(tanh(…))))"
