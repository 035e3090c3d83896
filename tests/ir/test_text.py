"""Graphs as text and back: the same text is the same graph, and no text does harm."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ParseError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.text import parse, to_text
from graphc.ir.verify import verify

HOSTILE = 'W"); import os # <script>\n\u2028σ\\'


def sample() -> Graph:
    """A graph with every sort of attribute: dims, tuples, arrays, draws, several results."""
    x = gx.input("x", ("n", 4))
    t = gx.input("t", ("n",), dtype="int64")
    odd = gx.input("odd", ("nan", "float32", "é"), dtype="uint8")
    W = gx.param(HOSTILE, np.ones((4, 3), np.float32))
    seen = gx.state("seen", np.zeros((), np.int64))
    mask = gx.random.stream(7).bernoulli(0.5, ("n", 4))
    logits = gx.where(gx.training, x * mask.astype("float32"), x) @ W
    loss = gx.mean(gx.softmax_cross_entropy(logits, t)) + gx.sum(x[1:-1:2])
    sign, logdet = gx.slogdet(gx.eye(3) * np.float32(np.inf))
    big = gx.sum(gx.const(np.arange(40) * 0.1, "float64"))
    step = gx.grad(loss, W)
    return Graph(
        (x, t, odd),
        (loss, sign, logdet, big, odd[::-1, 1::3], gx.const([0.1, -0.0, np.nan])),
        ((W, W - 0.1 * step), (seen, seen + 1)),
    )


def test_a_small_graph_as_text() -> None:
    """The whole text of a small graph, to the letter."""
    x = gx.input("x", ("n", 3))
    W = gx.param("W", np.zeros((3, 2), np.float32))
    y = x @ W * 0.1
    graph = Graph((x,), (y,), ((W, W + 1),))
    assert to_text(graph) == (
        '%0 = input() declaration=input("x") dtype=float32 shape=(n, 3)\n'
        '%1 = param() declaration=param("W") dtype=float32 shape=(3, 2)\n'
        "%2 = matmul(%0, %1) : float32 (n, 2)\n"
        "%3 = const() dtype=float32 shape=() value=array(float32, (), [0.1])\n"
        "%4 = multiply(%2, %3) : float32 (n, 2)\n"
        "%5 = const() dtype=float32 shape=() value=array(float32, (), [1.0])\n"
        "%6 = add(%1, %5) : float32 (3, 2)\n"
        "inputs %0\n"
        "outputs %4\n"
        "updates %1 = %6\n"
    )


def test_text_reads_back_to_the_same_text() -> None:
    """Every sort of attribute survives, hostile names included."""
    graph = sample()
    text = to_text(graph)
    again = parse(text)
    assert to_text(again) == text
    verify(again)
    assert len(again) == len(graph)
    assert again.updates[0][0].name == HOSTILE
    assert text.count("\n") == len(text.splitlines())


def test_a_parsed_graph_computes_the_same() -> None:
    """Same inputs, same draws, same values, when parameters are given theirs."""
    graph = sample()
    given = {HOSTILE: graph.updates[0][0].value, "seen": np.int64(0)}
    again = parse(to_text(graph), values=given, declared={"training": gx.training})
    values = [np.linspace(-1, 1, 20).reshape(5, 4), [0, 1, 2, 0, 1], np.ones((2, 3, 4), np.uint8)]
    expected = gx.evaluate(list(graph.roots), dict(zip(graph.inputs, values, strict=True)), step=3)
    found = gx.evaluate(list(again.roots), dict(zip(again.inputs, values, strict=True)), step=3)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_declarations_are_new_and_all_else_is_interned() -> None:
    """Parsing twice shares constants, never inputs."""
    text = to_text(Graph((x := gx.input("x"),), (x + gx.const([1.0, 2.0]),)))
    first, second = parse(text), parse(text)
    assert first.inputs[0] is not second.inputs[0] is not x
    assert first.outputs[0].inputs[1] is second.outputs[0].inputs[1]


def test_parameters_are_zero_unless_given() -> None:
    """The text keeps shape and dtype of a value; the value itself is handed over."""
    W = gx.param("W", np.full((2, 2), 3.0))
    text = to_text(Graph((), (W * 2,)))
    assert parse(text).outputs[0].inputs[0].value.tolist() == [[0, 0], [0, 0]]
    filled = parse(text, values={"W": W.value}).outputs[0].inputs[0]
    assert filled.value.tolist() == [[3, 3], [3, 3]]
    assert filled.dtype is W.dtype
    with pytest.raises(ParseError, match=r"line 1: the value given for 'W' is int64 \(3,\)"):
        parse(text, values={"W": np.arange(3)})
    with pytest.raises(ArgumentError, match="declares nothing called 'V'"):
        parse(text, values={"V": W.value})


def test_a_given_node_stands_for_a_declaration() -> None:
    """`declared` puts known nodes in place of new ones, if they are what the text says."""
    x = gx.input("x", ("n",))
    text = to_text(Graph((x,), (gx.where(gx.training, x, -x),)))
    known = {"training": gx.training, "x": x}
    assert parse(text, declared=known).outputs[0] is gx.where(gx.training, x, -x)
    with pytest.raises(ParseError, match="the node given for input 'x' differs"):
        parse(text, declared={"x": gx.input("x", ("m",))})


def test_unused_inputs_are_kept() -> None:
    """A graph may be fed what it does not use."""
    x, y = gx.input("x"), gx.input("y")
    text = to_text(Graph((y, x), (x * 2,)))
    again = parse(text)
    assert [node.name for node in again.inputs] == ["y", "x"]
    assert to_text(again) == text


@pytest.mark.slow
def test_a_long_chain_in_seconds() -> None:
    """100,000 nodes are written and read without recursion."""
    x = gx.input("x")
    y = x
    for _ in range(100_000):
        y = gx.sin(y)
    start = time.perf_counter()
    text = to_text(Graph((x,), (y,)))
    again = parse(text)
    assert time.perf_counter() - start < 60
    assert to_text(again) == text


# ---- what is no graph

HEAD = '%0 = input() declaration=input("x") dtype=float32 shape=(n,)\n'
TAIL = "inputs %0\noutputs %0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the text ends without its inputs"),
        (HEAD, "line 2: the text ends without its inputs"),
        (HEAD + "inputs %0\n", "ends without its outputs"),
        (HEAD + "inputs\noutputs %0", "line 3: <input x.*not listed as an input"),
        (HEAD + "inputs %0, %0\noutputs %0", "listed twice"),
        (HEAD + TAIL + TAIL, "line 4: expected a node, or inputs, outputs, updates or effects"),
        (HEAD + TAIL + "updates %0 = %0", "neither a parameter nor a state"),
        (HEAD + TAIL + HEAD, "line 4: a node comes after the lists"),
        (HEAD + HEAD + TAIL, "line 2: nodes are numbered in order: expected %1"),
        (HEAD + "%1 = exp(%1)\n" + TAIL, "line 2: %1 is used before it is made"),
        (HEAD + "%1 = nonsense(%0)\n" + TAIL, "line 2: there is no operation 'nonsense'"),
        (HEAD + "%1 = exp(%0, %0)\n" + TAIL, "line 2: exp: expected 1 inputs, got 2"),
        (HEAD + "%1 = softmax(%0, %0) axis=0\n" + TAIL, "line 2: softmax: expected 1 inputs"),
        (HEAD + "%1 = input(%0)\n" + TAIL, "line 2: KeyError"),
        (HEAD + "%1 = exp(%0) : float32 ()\n" + TAIL, r"line 2: its type is written float32 \(\)"),
        (HEAD + "%1 = exp(%0) !\n" + TAIL, "line 2: cannot read '!'"),
        (HEAD + "%1 = exp(%0) 7\n" + TAIL, "line 2: expected an attribute or a type, got '7'"),
        (HEAD + "%1 = exp(%0\n" + TAIL, "line 2: expected '\\)', got 'the end of the line'"),
        (HEAD + "%1 = sum(%0) axes=(0,) axes=(0,)\n" + TAIL, "axes is given twice"),
        (HEAD + "%1 = sum(%0) axes=(0,)\n" + TAIL, "line 2: KeyError: 'keepdims'"),
        (HEAD.replace("float32", "3") + TAIL, "line 1: input: expected a dtype"),
        (HEAD.replace("(n,)", "(-1,)") + TAIL, "line 1: input: expected a shape of integers"),
        (HEAD.replace("(n,)", "n") + TAIL, "line 1: TypeError: 'Size' object is not iterable"),
        (HEAD.replace("declaration=input", "declaration=param") + TAIL, "cannot be declared as"),
        (HEAD.replace("= input() d", "= param() d") + TAIL, "line 1: param cannot be declared as"),
        ("# a comment\n\n%0 = exp(%0)", "line 3"),
    ],
)
def test_what_is_no_graph_is_told_with_its_line(text: str, message: str) -> None:
    """Every mistake is a ParseError that begins with the number of its line."""
    with pytest.raises(ParseError, match=message) as caught:
        parse(text)
    assert str(caught.value).startswith("line ")


def test_constants_must_be_what_they_say() -> None:
    """A constant's bytes, shape and dtype belong together."""
    line = "%0 = const() dtype=float32 shape=(2,) value=array({})\ninputs\noutputs %0\n"
    assert parse(line.format('float32, (2,), "AACAPwAAAEA="')).outputs[0] is gx.const([1.0, 2.0])
    for wrong, message in (
        ("float32, (3,), [1.0, 2.0]", "8 bytes are not float32 elements of the shape"),
        ("int32, (2,), [1, 2]", r"const: it holds int32 \(2,\), its type is float32 \(2,\)"),
        ("float32, (2,), [1.0, True]", "expected an element of float32, got True"),
        ("int32, (2,), [1, 3000000000]", "too large|out of bounds"),
        ('float32, (2,), "!!"', "not base64"),
        ("float16, (2,), [1.0, 2.0]", "expected a dtype"),
        ("float32, (n,), [1.0]", "expected the shape of an array"),
    ):
        with pytest.raises(ParseError, match=f"line 1: {message}"):
            parse(line.format(wrong))


@pytest.mark.parametrize(
    "line",
    [
        "%0 = size() dtype=int64 shape=() dim=" + "(" * 100_000,
        "%0 = size() dtype=int64 shape=() dim=n**" + "9" * 5_000,
        "%0 = size() dtype=int64 shape=() dim=" + "(n+1)//2*" * 3_000 + "n",
        "%0 = size() dtype=int64 shape=() dim=" + "(a+b)*" * 3_000 + "n",
        '%0 = param() declaration=param("w") dtype=float32 shape=(99999999, 99999999, 99999999)',
        '%0 = param() declaration=param("w") dtype=float32 shape=(n,)',
        "%0 = " + "x" * 100_000,
        "%" + "9" * 100_000 + " = exp()",
        "\0",
    ],
)
def test_texts_that_could_run_away_are_refused(line: str) -> None:
    """Deep brackets, huge numbers and products of sums end quickly, in an error."""
    start = time.perf_counter()
    with pytest.raises(ParseError, match="line 1: "):
        parse(line + "\ninputs\noutputs %0\n")
    assert time.perf_counter() - start < 5


def test_damaged_texts_are_graphs_or_parse_errors() -> None:
    """Nothing else ever comes out of a text with letters changed, lost or moved."""
    text, rng = to_text(sample()), random.Random(0)
    letters = '%()[]{}"\\,=:+-*/ n0123456789aZ.e\n\0σ`_inf'
    graphs, complaints = 0, []
    for _ in range(400):
        damaged = list(text)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(len(damaged))
            replacement = rng.choice((rng.choice(letters), "", text[at // 2 : at // 2 + 4]))
            damaged[at : at + rng.choice((0, 1, 3, 30))] = replacement
        try:
            graph = parse("".join(damaged))
        except ParseError as error:
            complaints.append(str(error))
        else:
            graphs += 1
            assert to_text(parse(to_text(graph))) == to_text(graph)
    assert graphs
    assert len(complaints) > 100
    assert all(complaint.startswith("line ") for complaint in complaints)


def test_an_attribute_without_a_text_is_an_error() -> None:
    """Better no text than one that reads back as something else."""
    x = gx.input("x")
    node: Node = gx.exp(x)
    odd = gx.ir.node.make(node.op, (x,), note=object())
    with pytest.raises(ArgumentError, match="type object cannot be written"):
        to_text(Graph((x,), (odd,)))
