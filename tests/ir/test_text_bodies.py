"""Graphs with loops as text: bodies are graphs of their own, indented, and read back."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ParseError
from graphc.ir.graph import Graph
from graphc.ir.node import Node


def model() -> tuple[Node, Graph]:
    """An input, and a graph with every kind of body, some inside others, and a gradient."""
    x, w = gx.input("x", ("n", 2), "float64"), gx.param("W", np.eye(2) * 0.5)

    @gx.custom_gradient
    def rounded(value: Node) -> object:
        return gx.round(value), lambda g: g * 2

    def step(h: Node, e: Node) -> tuple[Node, Node]:
        h = gx.tanh(h @ w + rounded(e))
        grown = gx.while_loop(
            lambda v: v < 9,
            lambda v: gx.cond(v > 0, lambda u: u * 2, lambda u: u + 1, v),
            gx.sum(h),
            max_steps=10,
        )
        return h, grown

    last, grown = gx.scan(step, gx.zeros((2,), "float64"), x)
    loss = gx.sum(last) + gx.sum(grown)
    return x, gx.compile([x], [loss, *gx.grad(loss, [x, w])], stop="graph")


def test_a_loop_is_read_back() -> None:
    """Protects the round trip: the same text, and the same numbers."""
    x, graph = model()
    text = gx.to_text(graph)
    assert "\nbody @0\n  %0 = input()" in text
    assert "\n  body @0\n    %0" in text
    again = gx.parse(text, values={"W": np.eye(2) * 0.5})
    assert gx.to_text(again) == text
    value = np.random.default_rng(0).standard_normal((3, 2))
    expected = gx.evaluate(list(graph.outputs), {x: value})
    call = gx.compile(list(again.inputs), list(again.outputs))
    for have, want in zip(call(value), expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12)


def test_the_text_of_a_loop() -> None:
    """Protects the form, letter by letter."""
    x = gx.input("x", ("n",))
    last, _ = gx.scan(lambda c, e: (c + e, None), 0.0, x)
    assert (
        gx.to_text(gx.compile([x], [last], stop="graph"))
        == """\
%0 = const() dtype=float32 shape=() value=array(float32, (), [0.0])
%1 = input() declaration=input("x") dtype=float32 shape=(n,)
body @0
  %0 = input() declaration=input("carry") dtype=float32 shape=()
  %1 = input() declaration=input("x") dtype=float32 shape=()
  %2 = add(%0, %1) : float32 ()
  inputs %0, %1
  outputs %2
end
%2 = scan(%0, %1) body=@0 carries=1 length=n \
recompute=False reverse=False sequences=1 : (float32 ())
%3 = item(%2) index=0 : float32 ()
inputs %1
outputs %3
"""
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("body @0\n", "body @1\n", "line 3: bodies are numbered in order: expected @0"),
        ("body=@0", "body=@1", "line 10: the body @1 is used before it is written"),
        ("body=@0", "body=7", "line 10"),
        ("end\n", "", "line 9: a node comes after the lists"),
        ("end\n", "end end\n", "line 9: expected nothing more"),
        ("body @0\n", "end\n", "line 3: no body has begun that could end here"),
        ("  outputs %2\nend\n", "end\n", "line 8: the text ends without its outputs"),
        ("  inputs %0, %1\n", "  inputs %0\n", "not listed as an input"),
        ("  inputs %0, %1\n", "  inputs %1, %0\n  updates %0 = %2\n", "neither a parameter nor"),
        (
            'declaration=input("carry") dtype=float32',
            'declaration=input("carry") dtype=int64',
            "%2",
        ),
        ("  %2 = add(%0, %1) : float32 ()\n", "  %2 = less(%0, %1) : bool ()\n", "carry 0"),
        ("carries=1", "carries=2", "line 10"),
        ("sequences=1", "sequences=0", "its body takes"),
        ("outputs %3\n", "", "the text ends without its outputs"),
    ],
)
def test_a_broken_body_is_refused(old: str, new: str, message: str) -> None:
    """Protects the reader: each of these is a ParseError with its line, and no crash."""
    x = gx.input("x", ("n",))
    last, _ = gx.scan(lambda c, e: (c + e, None), 0.0, x)
    text = gx.to_text(gx.compile([x], [last], stop="graph"))
    assert old in text
    with pytest.raises(ParseError, match=None if message == "%2" else message):
        gx.parse(text.replace(old, new))


def test_bodies_nested_without_end_are_refused() -> None:
    """Protects the reader's own stack, and a text that ends in the middle."""
    with pytest.raises(ParseError, match="nested more than 50 deep"):
        gx.parse("body @0\n" * 100)
    with pytest.raises(ParseError, match="the text ends inside a body"):
        gx.parse("body @0\n")


def test_a_body_has_no_parameters() -> None:
    """A parameter comes in from outside, as every value that a body takes."""
    text = (
        'body @0\n  %0 = param() declaration=param("w") dtype=float32 shape=()\n'
        "  inputs\n  outputs %0\nend\n"
    )
    with pytest.raises(ParseError, match="line 5: a body has no parameters"):
        gx.parse(text)
