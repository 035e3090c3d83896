"""DOT: all nodes and edges, and names that stay names."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

import graphc as gx
from graphc.view.dot import to_dot

# A quoted string of DOT, in which a quote or a backslash only stands behind a backslash.
STRING = r'"(?:[^"\\]|\\.)*"'
LINE = re.compile(
    rf"  n\d+ \[\w+={STRING}(?:, \w+=(?:{STRING}|[\d.]+))*\];"
    rf"|  n\d+ -> n\d+(?: \[label={STRING}\])?;"
    rf"|  node \[[^\]]*\];"
)


def test_a_small_graph() -> None:
    """Declared nodes by name, others by operation; places on edges; the result is bold."""
    x = gx.input("x", ("n", 3))
    W = gx.param("W", np.zeros((3, 2), np.float32))
    lines = to_dot({"y": gx.exp(x @ W)}).splitlines()
    assert lines[0] == "digraph graphc {"
    assert lines[-1] == "}"
    assert [line.split(",")[0] for line in lines if "label" in line and "->" not in line] == [
        r'  n0 [label="x\nfloat32 (n',
        r'  n1 [label="W\nfloat32 (3',
        r'  n2 [label="matmul\nfloat32 (n',
        r'  n3 [label="y = exp\nfloat32 (n',
    ]
    assert '  n0 -> n2 [label="0"];' in lines
    assert '  n1 -> n2 [label="1"];' in lines
    assert "  n2 -> n3;" in lines
    assert [line for line in lines if "penwidth" in line] == [lines[-3]]
    assert 'tooltip="tests/view/test_dot.py:' in lines[2] or "test_dot.py:" in lines[2]


@pytest.mark.parametrize(
    "name", ['a"]; b [label="c', "a\\", "a\nb", "<b>html</b>", "a\\N", "}", "\x00", "\u2028"]
)
def test_hostile_names_stay_in_their_string(name: str) -> None:
    """Every line is a statement of ours, whatever a name holds."""
    text = to_dot({name: gx.input(name) * 2})
    lines = text.split("\n")
    assert lines[0] == "digraph graphc {"
    assert lines[-1] == "}"
    for line in lines[1:-1]:
        assert LINE.fullmatch(line), line
    assert len(text.splitlines()) == len(lines)


def test_named_nodes_end_the_graph() -> None:
    """What is known by name has no inputs."""
    x = gx.input("x")
    h = gx.sin(x)
    text = to_dot(gx.exp(h), {"h": h})
    assert "h = sin" in text
    assert text.count("->") == 1


def test_long_chains() -> None:
    """100,000 nodes without recursion."""
    x = gx.input("x")
    y = x
    for _ in range(100_000):
        y = gx.sin(y)
    start = time.perf_counter()
    assert to_dot(y).count("->") == 100_000
    assert time.perf_counter() - start < 30
