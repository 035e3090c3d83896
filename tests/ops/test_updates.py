"""x.at[key]: what each method gives, how values are cast and broadcast, whose the gradient is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import DTypeError, IndexRangeError, NodeUseError, ShapeError

TARGETS = ("python", "cpu")


def gradients(build: Any, *values: Any) -> list[np.ndarray]:
    """The gradients of a weighted sum, from the interpreter, after the emitted source agrees."""
    arrays = [np.asarray(value, "float64") for value in values]
    nodes = [gx.input(f"x{i}", a.shape, "float64") for i, a in enumerate(arrays)]
    y = build(*nodes)
    weights = np.arange(1.0, 1.0 + np.prod(y.shape)).reshape(y.shape)
    loss = gx.sum(y * gx.const(weights))
    found = gx.grad(loss, nodes)
    expected = gx.evaluate(found, dict(zip(nodes, arrays, strict=True)))
    for have, want in zip(
        gx.compile(nodes, found, target="python")(*arrays), expected, strict=True
    ):
        np.testing.assert_array_equal(have, want)
    return expected  # type: ignore[no-any-return]


def test_the_last_value_wins_and_has_the_gradient() -> None:
    """Of values with one index the last is set; what was overwritten has no gradient."""
    i = gx.const([1, 1, 0])
    x, v = gradients(lambda x, v: x.at[i].set(v), [5.0, 6.0, 7.0], [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(x, [0, 0, 3])
    np.testing.assert_array_equal(v, [0, 2, 1])
    x, v = gradients(lambda x, v: x.at[:, i].set(v), np.ones((2, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(v, [[0, 2, 1], [0, 5, 4]])
    np.testing.assert_array_equal(x, [[0, 0, 3], [0, 0, 6]])


def test_ties_share_the_gradient() -> None:
    """The element and the values that equal the largest have equal parts of its gradient."""
    i = gx.const([0, 0, 1, 2])
    x, v = gradients(lambda x, v: x.at[i].max(v), [4.0, 1.0, 9.0], [4.0, 4.0, 2.0, 3.0])
    np.testing.assert_allclose(x, [1 / 3, 0, 3])
    np.testing.assert_allclose(v, [1 / 3, 1 / 3, 2, 0])
    x, v = gradients(lambda x, v: x.at[i].min(v), [4.0, 1.0, 9.0], [4.0, 4.0, 2.0, 3.0])
    np.testing.assert_allclose(x, [1 / 3, 2, 0])
    np.testing.assert_allclose(v, [1 / 3, 1 / 3, 0, 3])


@pytest.mark.parametrize("values, expected", [
    ([2.0, 3.0, 5.0], [3.0 * 7, 2.0 * 7, 2 * 1.0]),
    ([0.0, 3.0, 5.0], [3.0 * 7, 0.0, 2 * 1.0]),
    ([0.0, 0.0, 0.0], [0.0, 0.0, 2 * 1.0]),
])  # fmt: skip
def test_products_with_zeros(values: list[float], expected: list[float]) -> None:
    """The derivative of a product is that of the others, also where one of them is zero."""
    i = gx.const([0, 0, 1])
    _, v = gradients(lambda x, v: x.at[i].multiply(v), [7.0, 1.0], values)
    np.testing.assert_allclose(v, expected)


def test_second_derivatives_at_zero() -> None:
    """Distinct constant indices: the product's derivative is exact to any order."""
    x, v = gx.input("x", (3,), "float64"), gx.input("v", (2,), "float64")
    y = gx.sum(x.at[[0, 2]].multiply(v) ** 2)
    (slope,) = [gx.grad(gx.sum(gx.grad(y, v)), x)]
    found = gx.evaluate(slope, {x: [1.0, 2.0, 0.0], v: [0.0, 3.0]})
    np.testing.assert_allclose(found, [0.0, 0.0, 0.0])
    found = gx.evaluate(slope, {x: [1.0, 2.0, 5.0], v: [2.0, 3.0]})
    np.testing.assert_allclose(found, [4 * 2.0, 0.0, 4 * 5.0 * 3.0])


@pytest.mark.parametrize("target", TARGETS)
def test_slices(target: str) -> None:
    """Every method on basic keys, named sizes and negative steps too; -0.0 elsewhere stays."""
    x, v = gx.input("x", ("n", 3), "float64"), gx.input("v", (), "float64")
    value = np.array([[-0.0, 1.0, 2.0], [3.0, np.inf, 5.0], [np.nan, 7.0, 8.0]])
    keys: list[Any] = [0, -1, slice(1, 3), (slice(None), 1), (slice(None, None, -1), slice(0, 2)),
                       (..., None, 0), (), ...]  # fmt: skip
    methods = {"set": lambda a, b: b, "add": np.add, "subtract": np.subtract,
               "multiply": np.multiply, "divide": np.divide, "min": np.minimum,
               "max": np.maximum}  # fmt: skip
    outputs = [getattr(x.at[key], name)(v) for key in keys for name in methods]
    found = gx.compile([x, v], outputs, target=target)(value, 4.0)
    wanted = []
    for key in keys:
        for function in methods.values():
            changed = value.copy()
            changed[key] = function(changed[key], 4.0)  # type: ignore[no-untyped-call]
            wanted.append(changed)
    for have, want in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(have, want)
        np.testing.assert_array_equal(np.signbit(have), np.signbit(want))


def test_methods_on_indices() -> None:
    """subtract and divide follow add and multiply; get reads."""
    x = gx.const([1.0, 2.0, 4.0], "float64")
    at = x.at[gx.const([2, 0, 2])]
    np.testing.assert_array_equal(gx.evaluate(at.subtract([1.0, 2.0, 3.0])), [-1, 2, 0])
    np.testing.assert_array_equal(gx.evaluate(at.divide(2)), [0.5, 2, 1])
    np.testing.assert_array_equal(gx.evaluate(at.get()), [4, 1, 4])
    assert at.get() is x[gx.const([2, 0, 2])]


def test_values_take_the_dtype_of_the_array() -> None:
    """Numbers are weak; integers become floats, floats never integers."""
    x, k = gx.input("x", (3,)), gx.input("k", (3,), "int32")
    for value in (1, 2.5, True, np.float64(3), np.array([1, 2]), gx.input("d", (2,), "float64")):
        assert x.at[:2].set(value).dtype.name == "float32"
        assert x.at[[0, 1]].add(value).dtype.name == "float32"
    assert k.at[[0]].add(np.int64(7)).dtype.name == "int32"
    with pytest.raises(DTypeError, match="expected int32 values, got float32.*test_updates"):
        k.at[[0]].add(1.5)
    with pytest.raises(DTypeError, match="divide: expected floats, got int32"):
        k.at[0].divide(2)
    with pytest.raises(DTypeError, match="expected numbers to combine, got bool"):
        (x > 0).at[[0]].add(True)
    with pytest.raises(ShapeError, match=r"expected values that broadcast to \(2,\), got \(3, 2\)"):
        x.at[[0, 1]].set(np.zeros((3, 2)))
    with pytest.raises(ShapeError, match=r"shapes \(3,\) and \(2,\) do not broadcast"):
        x.at[[0, 1]].set(np.zeros(3))


def test_errors_name_the_place() -> None:
    """An index out of range with the user's line; a tuple has no places; assignment says what to
    write."""
    x, i = gx.input("x", (3,)), gx.input("i", ("m",), "int64")
    function = gx.compile([x, i], x.at[i].set(0.0), target="python")
    with pytest.raises(IndexRangeError, match=r"'i': 3 at position 1 .*axis 0.*test_updates"):
        function(np.zeros(3), [0, 3])
    with pytest.raises(NodeUseError, match="2 results"):
        gx.slogdet(gx.input("a", (2, 2))).at[0]
    with pytest.raises(NodeUseError, match=r"x.at\[key\].set\(value\)"):
        x[0] = 1.0  # type: ignore[index]


def test_it_reads_as_it_was_written() -> None:
    """Changes of slices and of computed places in text."""
    x, i, v = gx.input("x", (4, 3)), gx.input("i", (2,), "int64"), gx.input("v", (2, 3))
    assert gx.show(x.at[i].set(v)) == "x.at[i].set(v)"
    assert gx.show(x.at[1:3].set(v)) == "x.at[1:3, :].set(v)"
    assert gx.show(x.at[:, i[:1]].max(v[:1, :1])).startswith("x.at[:, ")


@pytest.mark.parametrize("target", TARGETS)
def test_in_native_loops(target: str) -> None:
    """A histogram that a loop counts, one batch after the other."""
    counts = gx.state("counts", np.zeros(5, np.int64))
    labels = gx.input("labels", ("n",), "int64")
    step = gx.compile(labels, gx.sum(labels), {counts: counts.at[labels].add(1)}, target=target)
    given = np.array([0, 4, 4, 1, 4, 0, 2, 2])
    step.loop((given,), batch_size=3, epochs=2)
    np.testing.assert_array_equal(counts.value, 2 * np.bincount(given, minlength=5))
