"""Windows side by side are put together by views, after what is computed of them; values and
derivatives stay those of NumPy and of differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.ir.graph import Graph
from graphc.ops.windows import fold_op
from graphc.schedule.schedule import KernelCall

TARGETS = ("python", "cpu")
# Places, elements of a window; then what is computed of the whole, shape (n, 3, 8, 6).
G = gx.input("g", ("n", 3, 4, 2, 2, 3), "float64")
MASK = gx.input("mask", ("n", 3, 8, 6), "float64")
ROW = gx.input("row", (6,), "float64")
BIAS = gx.input("bias", (3, 1, 1), "float64")
UNITS = gx.input("units", ("n", 1, 8, 1), "float64")
W = gx.input("w", (3, 5), "float64")
WHOLE = gx.fold(G, (8, 6), None, (2, 3))
CASES: dict[str, Any] = {
    "alone": WHOLE,
    "with a whole": WHOLE * MASK,
    "with a row": ROW + WHOLE,
    "with a broadcast": gx.maximum(WHOLE, BIAS) / (2 + gx.square(UNITS)),
    "with itself": WHOLE * (WHOLE + 1),
    "transposed": gx.transpose(WHOLE * MASK, (3, 1, 0, 2)),
    "regrouped": gx.reshape(gx.transpose(WHOLE * MASK, (1, 0, 2, 3)), (3, -1)),
    "summed": gx.sum(WHOLE * MASK, axis=(0, 2, 3)),
    "summed over one": gx.sum(WHOLE * MASK, axis=2),
    "summed over an axis without windows": gx.sum(WHOLE * MASK, axis=1, keepdims=True),
    "summed, axes kept": gx.sum(WHOLE * MASK, axis=(1, 2), keepdims=True) * MASK,
    "largest": gx.max(WHOLE, axis=(2, 3), keepdims=True) - WHOLE,
    "place of the largest": gx.argmax(WHOLE, axis=3),
    "as a factor": gx.transpose(WHOLE * MASK, (0, 2, 3, 1)) @ W,
    "a part": (WHOLE * MASK)[:, :, 1:5, ::2],
    "windows again": gx.window(WHOLE, (3, 2)),
    "larger than the whole": WHOLE + gx.reshape(MASK, (1, *MASK.shape)),
}
INPUTS = [G, MASK, ROW, BIAS, UNITS, W]


def given(n: int) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [
        random.standard_normal([n if d == "n" else int(d) for d in map(_known, x.shape)])
        for x in INPUTS
    ]


def _known(dim: Any) -> Any:
    return dim if isinstance(dim, int) else "n"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_values(name: str, target: str) -> None:
    """Every consumer, for several examples and for none."""
    for n in (3, 0) if name not in ("largest", "place of the largest") else (3,):
        arrays = given(n)
        got = gx.compile(INPUTS, CASES[name], target=target)(*arrays)
        expected = gx.evaluate(CASES[name], dict(zip(INPUTS, arrays, strict=True)))
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def folds(graph: Graph) -> int:
    return sum(node.op is fold_op for node in graph.nodes)


@pytest.mark.parametrize(
    ("lengths", "strides", "dilations", "left"),
    [
        ((8, 6), (2, 3), 1, 0),
        ((9, 6), (2, 3), 1, 1),  # a rest
        ((8, 9), (2, 4), 1, 1),  # gaps
        ((8, 6), (2, 2), 1, 1),  # overlap
        ((9, 12), (2, 5), (2, 2), 1),  # elements apart
    ],
)
def test_only_side_by_side(lengths: Any, strides: Any, dilations: Any, left: int) -> None:
    """Where windows overlap, or leave something out, they are added up."""
    y = gx.fold(G, lengths, None, strides, dilations)
    graph = gx.compile([G], y * 2, stop="regroup")
    assert isinstance(graph, Graph)
    assert folds(graph) == left
    g = given(2)[0]
    np.testing.assert_allclose(gx.compile([G], y * 2)(g), gx.evaluate(y * 2, {G: g}), rtol=1e-14)


def test_symbolic_lengths_are_added_up() -> None:
    """Whether windows cover an image of any size is not known."""
    x = gx.input("x", ("n", 2, "h", 6))
    loss = gx.sum(gx.square(gx.nn.max_pool(x, 2)))
    graph = gx.compile(x, gx.grad(loss, x), stop="regroup")
    assert isinstance(graph, Graph)
    assert folds(graph) == 1
    image = np.random.default_rng(0).standard_normal((2, 2, 5, 6)).astype(np.float32)
    got = gx.compile(x, gx.grad(loss, x))(image)
    np.testing.assert_allclose(got, gx.evaluate(gx.grad(loss, x), {x: image}), rtol=1e-6)


def network() -> tuple[list[Any], Any, list[Any]]:
    x, w = gx.input("x", ("n", 2, 10, 8), "float64"), gx.input("w", (17, 2, 3, 3), "float64")
    b = gx.input("b", (17,), "float64")
    h = gx.nn.relu(gx.nn.conv2d(x, w, b, padding="same"))
    return [x, w, b], gx.nn.max_pool(h, 2), [w, b]


def test_the_derivatives_of_pooling_and_activation_are_one_kernel() -> None:
    """The gradient of a convolution's result is written once, where the next products take it."""
    inputs, y, wrt = network()
    plan = gx.compile(inputs, gx.grad(gx.sum(gx.square(y)), wrt), stop="schedule")
    calls = [step for step in plan.steps if isinstance(step, KernelCall)]
    assert not any(node.op is fold_op for step in calls for node in step.nodes)
    h = inputs[0].shape[0] * 17 * 80
    whole = [b for step in calls for b in step.writes if b.elements == h]
    assert len(whole) == 2  # the activation and the gradient


@pytest.mark.parametrize("values", ["random", "ties", "all negative"])
def test_second_derivatives_of_convolution_activation_and_pooling(values: str) -> None:
    """A gradient of a gradient, against the interpreter, which knows nothing of regrouping."""
    inputs, y, wrt = network()
    first = gx.grad(gx.sum(gx.square(y)), wrt)
    second = gx.grad(sum(gx.sum(gx.square(g)) for g in first), inputs)
    random = np.random.default_rng(1)
    arrays = [random.standard_normal([2 if not isinstance(d, int) else d for d in x.shape])
              for x in inputs]  # fmt: skip
    if values == "ties":
        arrays = [np.round(array) for array in arrays]
    if values == "all negative":
        arrays[2] = np.full(17, -1e3)
    expected = gx.evaluate(second, dict(zip(inputs, arrays, strict=True)))
    for target in TARGETS:
        for got, wanted in zip(
            gx.compile(inputs, second, target=target)(*arrays), expected, strict=True
        ):
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)
