"""What is written is what is computed: the text of a graph, read as NumPy, gives its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as gx
from graphc.ir.node import Node
from graphc.view.arrange import arrange


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def _pad(x: np.ndarray, edges: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    result = np.zeros(
        [e[0] + e[1] + d + (d - 1) * e[2] for d, e in zip(x.shape, edges, strict=True)]
    )
    inside = zip(edges, result.shape, strict=True)
    result[tuple(slice(e[0], length - e[1], e[2] + 1) for e, length in inside)] = x
    return result


# The words of the text: NumPy's, and some more.
_READ_AS: dict[str, Any] = {
    "ones": lambda *shape: np.ones(shape),
    "zeros": lambda *shape: np.zeros(shape),
    "σ": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "softmax": _softmax,
    "pad": _pad,
    "float64": np.float64,
    **{
        name: getattr(np, name)
        for name in (
            "sin", "cos", "exp", "sqrt", "sum", "mean", "max", "reshape", "transpose",
            "broadcast_to", "outer", "where",
        )
    },
}  # fmt: skip


def read_as_numpy(shown: Node, values: dict[str, np.ndarray]) -> Any:
    """The value of the last line of the text, whose lines are assignments in NumPy's words."""
    scope = {**_READ_AS, **values}
    result = None
    for line in arrange(shown, width=40).lines:
        python = line.text.replace("ᵀ", ".T").replace("²", "**2")
        result = eval(python, {"__builtins__": {}}, scope)
        scope[line.name or "result"] = result
    return result


Draw = Callable[[st.SearchStrategy[Any]], Any]
_UNARY: list[Callable[[Node], Node]] = [
    gx.sin, gx.relu, gx.sigmoid, gx.square, lambda x: -x, lambda x: 2 * x, lambda x: x / 3,
    lambda x: 1 / (2 + gx.square(x)), lambda x: x - 1, lambda x: x**3, lambda x: 0.5 - x,
    lambda x: (x > 0).astype("float64"), lambda x: gx.where(x > 0.1, x, -x),
]  # fmt: skip
_BINARY: list[Callable[[Node, Node], Node]] = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / (2 + gx.square(b)),
    lambda a, b: a * (b > 0).astype("float64"),
]  # fmt: skip


def _changed_layout(draw: Draw, x: Node) -> Node:
    """The node with other axes: added, dropped, swapped, broadcast, reduced or sliced."""
    choice = draw(st.integers(0, 7))
    axis = draw(st.integers(0, max(x.ndim - 1, 0)))
    if choice == 0 and x.ndim < 3:
        return gx.expand_dims(x, draw(st.integers(0, x.ndim)))
    if choice == 1 and x.ndim and x.shape[axis] == 1:
        return gx.squeeze(x, axis)
    if choice == 2:
        return gx.transpose(x, draw(st.permutations(range(x.ndim))))
    if choice == 3 and x.ndim < 3:
        wider = tuple(3 if d == 1 and draw(st.booleans()) else d for d in x.shape)
        return gx.broadcast_to(x, (*draw(st.sampled_from([(), (1,), (3,)])), *wider))
    if choice == 4 and x.ndim:
        reduce = draw(st.sampled_from([gx.sum, gx.mean, gx.max]))
        return reduce(x, axis=axis, keepdims=draw(st.booleans()))
    if choice == 5 and x.ndim:
        return x[(slice(None),) * axis + (draw(st.sampled_from([0, slice(0, 2), None])),)]
    if choice == 6 and x.ndim == 2:
        return gx.reshape(x, (-1,))
    if choice == 7 and x.ndim:
        return gx.softmax(x, axis=axis)
    return x


def _broadcasts(a: Node, b: Node) -> bool:
    pairs = zip(reversed(a.shape), reversed(b.shape), strict=False)
    return all(p == q or 1 in (p, q) for p, q in pairs)


@st.composite
def graphs(draw: Draw) -> tuple[Node, list[Node]]:
    """A random graph over vectors and square matrices, where wrong axes would go unnoticed."""
    inputs = [
        gx.input(name, shape, "float64")
        for name, shape in (("a", (3,)), ("b", (3, 3)), ("c", (1, 3)), ("d", ()), ("e", (3, 1)))
    ]
    nodes = list(inputs)
    for _ in range(draw(st.integers(1, 9))):
        x = draw(st.sampled_from(nodes))
        y = draw(st.sampled_from(nodes))
        sort = draw(st.integers(0, 3))
        if sort == 0:
            nodes.append(draw(st.sampled_from(_UNARY))(x))
        elif sort == 1 and _broadcasts(x, y):
            nodes.append(draw(st.sampled_from(_BINARY))(x, y))
        elif sort == 2 and x.ndim in (1, 2) and y.ndim in (1, 2) and x.shape[-1] == y.shape[0]:
            nodes.append(x @ y)
        else:
            nodes.append(_changed_layout(draw, x))
    return nodes[-1], inputs


def _agree(shown: Node, inputs: list[Node]) -> None:
    rng = np.random.default_rng(0)
    feed = {node: rng.normal(size=node.shape) for node in inputs}
    expected = gx.evaluate(shown, feed)
    found = read_as_numpy(shown, {node.name: value for node, value in feed.items()})
    assert np.shape(found) == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=300)
@given(graphs())
def test_the_text_is_the_graph(case: tuple[Node, list[Node]]) -> None:
    """No axis, scalar or bracket that is left out changes the value."""
    _agree(*case)


@settings(max_examples=150)
@given(graphs())
def test_the_text_of_a_derivative_is_the_derivative(case: tuple[Node, list[Node]]) -> None:
    """The same for gradients, which are full of axes that come and go."""
    y, inputs = case
    for gradient in gx.grad(gx.sum(y * y), inputs, disconnected="zero"):
        _agree(gradient, inputs)
