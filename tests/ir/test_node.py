"""Nodes: interned under exact keys, held weakly, shared between threads, and no numbers."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DTypeError, NodeUseError, ShapeError
from graphc.ir.declaration import ConstantArray, attribute_key
from graphc.ir.node import Node, interned_count, make
from graphc.ir.op import REGISTRY, Op, register

# ---- interning


def test_the_same_expression_is_one_object() -> None:
    """Common subexpressions need no search: building one again finds it."""
    x = gx.input("x", ("n", 3))
    assert gx.exp(x * 2) is gx.exp(x * 2)
    assert x + 1 is not x + 2
    assert x * x is not x + x
    assert gx.sum(x, axis=0) is not gx.sum(x, axis=1)


def test_declarations_are_nominal() -> None:
    """Two inputs of one name, shape and dtype are two inputs."""
    assert gx.input("x") is not gx.input("x")
    assert gx.param("w", 1.0) is not gx.param("w", 1.0)
    stream = gx.random.stream(0)
    assert stream.bits((2,)) is not stream.bits((2,))


def test_attributes_of_different_types_differ() -> None:
    """1, 1.0 and True are three values, 0.0 and -0.0 two, and a nan is itself."""
    keys = [attribute_key(value) for value in (1, 1.0, True, 0, 0.0, -0.0, False, (1,), (1.0,))]
    assert len(set(keys)) == len(keys)
    nan = float("nan")
    assert attribute_key(nan) == attribute_key(float("nan"))
    assert attribute_key((nan, 1)) == attribute_key((float("nan"), 1))


def test_constants_are_compared_by_bits() -> None:
    """Dtype, shape and every bit: a sign of zero or of a nan is a difference."""
    distinct = [
        gx.const(value, dtype)
        for value, dtype in (
            (1, "int64"), (1, "int32"), (1, "float32"), (1, "float64"), (True, "bool"),
            (0.0, "float32"), (-0.0, "float32"), ([0.0], "float32"), (np.nan, "float32"),
            (np.copysign(np.nan, -1), "float32"),
        )
    ]  # fmt: skip
    assert len(set(distinct)) == len(distinct)
    assert gx.const(np.nan, "float32") is gx.const(np.nan, "float32")
    assert gx.const([1.0, 2.0]) is gx.const(np.array([1, 2], "float32"))


def test_a_constant_cannot_be_changed_behind_the_graph() -> None:
    """The array is copied, and what is handed out is read-only."""
    array = np.zeros(2, np.float32)
    node = gx.const(array)
    array[0] = 1
    value: ConstantArray = node.attrs["value"]
    assert value.array.tolist() == [0, 0]
    with pytest.raises(ValueError, match="read-only"):
        value.array[0] = 1


def test_threads_build_the_same_objects() -> None:
    """Eight threads that build the same expressions at once get the same nodes."""
    x = gx.input("x", (3,))
    barrier = threading.Barrier(8)
    built: list[list[Node]] = [[] for _ in range(8)]

    def build(place: int) -> None:
        barrier.wait()
        y = x
        for i in range(300):
            y = gx.sin(y) * (i % 7) + x
            built[place].append(y)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=build, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    for other in built[1:]:
        assert len(other) == 300
        assert all(a is b for a, b in zip(built[0], other, strict=True))


# ---- memory


def test_nodes_are_freed() -> None:
    """The table holds no node alive."""
    gc.collect()
    before = interned_count()
    y = gx.input("x", ("n",))
    for _ in range(1000):
        y = gx.tanh(y) + 0.125
    assert interned_count() >= before + 2000
    del y
    gc.collect()
    assert interned_count() <= before + 1  # a constant may be shared


def test_a_long_chain_is_freed_without_recursion() -> None:
    """100,000 nodes that only the last one holds do not overflow the stack."""
    gc.collect()
    before = interned_count()
    y = gx.input("x")
    for _ in range(100_000):
        y = gx.sin(y)
    assert interned_count() >= before + 100_000
    del y
    gc.collect()
    assert interned_count() <= before


# ---- a node is not a number


@pytest.mark.parametrize(
    ("use", "remedy"),
    [
        (bool, "gx.where"), (float, "gx.evaluate"), (int, "gx.evaluate"), (complex, "gx.evaluate"),
        (np.asarray, "gx.evaluate"), (lambda x: [1, 2][x], "cannot be a Python index"),
        (lambda x: 1 if x > 0 else 2, "gx.where"), (lambda x: range(x), "Python index"),
    ],
)  # fmt: skip
def test_use_as_a_number_says_what_to_do_instead(use: Callable[[Node], Any], remedy: str) -> None:
    """The error is a TypeError that names the node, the remedy and the user's line."""
    x = gx.input("speed")
    with pytest.raises(NodeUseError) as caught:
        use(x)
    assert isinstance(caught.value, TypeError)
    assert remedy in str(caught.value)
    assert "test_node.py:" in str(caught.value)


def test_assignment_to_elements_is_refused() -> None:
    """A node is a value: there is nothing to assign to."""
    x = gx.input("x", (3,))
    with pytest.raises(NodeUseError, match="immutable"):
        x[0] = 1  # type: ignore[index]


def test_iteration_needs_a_fixed_length() -> None:
    """A fixed first axis is iterated; a symbolic one, or none, is an error with the line."""
    rows = list(gx.input("x", (2, 3)))
    assert [row.shape for row in rows] == [(3,), (3,)]
    assert len(gx.input("x", (2, 3))) == 2
    for shape in (("n", 3), ()):
        with pytest.raises(NodeUseError, match="no fixed length.*test_node.py:"):
            iter(gx.input("x", shape))
        with pytest.raises(NodeUseError, match="no fixed length"):
            len(gx.input("x", shape))


def test_a_tuple_node_is_unpacked_not_computed_with() -> None:
    """Several results are one node and its projections."""
    both = gx.slogdet(gx.param("A", np.eye(2)))
    sign, logdet = both
    assert sign.shape == logdet.shape == ()
    assert logdet is both[1]
    with pytest.raises(NodeUseError, match="2 results: take one"):
        _ = both.shape


def test_equality_is_identity() -> None:
    """Nodes are keys of dictionaries."""
    x, y = gx.input("x"), gx.input("x")
    assert x == x
    assert x != y
    assert {x: 1, y: 2}[x] == 1


# ---- values of declarations


def test_a_parameter_s_value_is_read_and_set_as_a_copy() -> None:
    """Neither what was given nor what is handed out is the parameter's own memory."""
    given = np.zeros((2, 2), np.float32)
    W = gx.param("W", given)
    given[0, 0] = 5
    assert W.value[0, 0] == 0
    W.value[0, 0] = 7
    assert W.value[0, 0] == 0
    W.value = np.ones((2, 2), np.float32)
    assert W.value.sum() == 4
    with pytest.raises(ShapeError, match=r"param 'W': expected a value of shape \(2, 2\)"):
        W.value = np.ones(3)
    with pytest.raises(DTypeError, match="expected float32"):
        W.value = np.ones((2, 2), complex)
    with pytest.raises(ArgumentError, match="only a parameter or a state"):
        _ = gx.input("x").value


def test_an_operation_s_name_is_an_identifier_and_taken_once() -> None:
    """A name goes into texts of graphs; a second operation of it would make them ambiguous."""
    for name in ("add", "a b", "", "x\n", "1x"):
        with pytest.raises(ArgumentError, match="exists already|identifier"):
            register(Op(name, REGISTRY["exp"].infer, REGISTRY["exp"].reference))


def test_make_reports_the_user_s_line() -> None:
    """A mistake in a type rule ends with where it was written, once."""
    x, y = gx.input("x", (2,)), gx.input("y", (3,))
    with pytest.raises(ShapeError) as caught:
        make(REGISTRY["add"], (x, y))
    assert str(caught.value).count("Written at") == 1
    assert "test_node.py:" in str(caught.value)
