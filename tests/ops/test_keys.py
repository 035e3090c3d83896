"""Keys of x[...] against NumPy: every combination of slices, integers, arrays, lists, masks, None
and ..., read and changed; errors that name the remedy."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

X = np.random.default_rng(0).standard_normal((3, 4, 5)).astype("float32")
ITEMS: list[Any] = [
    slice(None), slice(1, None), slice(None, None, -1), 1, -1, np.array([0, -1, 1]),
    np.array([[0, 1, 2], [1, 1, 0]]), [0, 2], np.array(1), np.array([2], "uint8"),
]  # fmt: skip
METHODS = {"set": None, "add": np.add, "multiply": np.multiply, "min": np.minimum,
           "max": np.maximum}  # fmt: skip


def random_key(choice: random.Random) -> tuple[Any, ...]:
    key = [choice.choice(ITEMS) for _ in range(choice.randint(1, 3))]
    if choice.random() < 0.4:
        key.insert(choice.randint(0, len(key)), None)
    if choice.random() < 0.4:
        key.insert(choice.randint(0, len(key)), Ellipsis)
    return tuple(key)


def with_nodes(key: tuple[Any, ...], choice: random.Random) -> tuple[Any, dict[gx.Node, Any]]:
    """The key with some of its arrays as inputs, and what to feed."""
    feed: dict[gx.Node, Any] = {}
    items = []
    for item in key:
        if isinstance(item, np.ndarray) and choice.random() < 0.6:
            node = gx.input(f"i{len(feed)}", item.shape, item.dtype)
            feed[node] = item
            items.append(node)
        else:
            items.append(item)
    return tuple(items), feed


def check(seed: int, target: str | None) -> bool:
    """One random key: reading, every change, the gradient; False for one that NumPy refuses."""
    choice = random.Random(seed)
    key = random_key(choice)
    try:
        expected = X[key]
    except IndexError:
        return False
    known, feed = with_nodes(key, choice)
    x, v = gx.input("x", X.shape), gx.input("v", expected.shape)
    values = np.random.default_rng(seed).standard_normal(expected.shape).astype("float32")
    y = x[known]
    wanted = [expected]
    for function in METHODS.values():
        changed = X.copy()
        if function is None:
            changed[key] = values
        else:
            function.at(changed, key, values)
        wanted.append(changed)
    total = np.zeros_like(X)
    np.add.at(total, key, values)
    outputs = [y, *(getattr(x.at[known], method)(v) for method in METHODS)]
    outputs.append(gx.grad(gx.sum(y * v), x))
    assert y.shape == expected.shape, key
    if target is None:
        found = gx.evaluate(outputs, {x: X, v: values, **feed})
    else:
        found = gx.compile([x, v, *feed], outputs, target=target)(X, values, *feed.values())
    for have, want in zip(found, [*wanted, total], strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-6, atol=1e-6, err_msg=str(key))
    return True


def test_random_keys_in_the_interpreter() -> None:
    """Shapes and values of three hundred keys."""
    assert sum(check(seed, None) for seed in range(400)) > 250


def test_random_keys_in_python() -> None:
    """The emitted source computes the same."""
    assert sum(check(seed, "python") for seed in range(1000, 1060)) > 30


def test_random_keys_in_native_code() -> None:
    """And so does native code."""
    assert sum(check(seed, "cpu") for seed in range(2000, 2006)) >= 3


def test_masks_that_are_constant() -> None:
    """A mask selects where it is true, also of several axes and beside other keys."""
    x = gx.input("x", X.shape)
    rows, matrix, whole = X[:, 0, 0] > 0, X[:, :, 0] > 0, X > 0
    for key in (rows, matrix, whole, (slice(None), matrix[0]), (1, matrix[0]), (matrix, 2),
                (rows.tolist(), slice(1, 3)), gx.const(rows)):  # fmt: skip
        numpy_key = rows if isinstance(key, gx.Node) else key
        found = gx.evaluate(x[key], {x: X})
        np.testing.assert_array_equal(found, X[numpy_key])
    changed = gx.evaluate(x.at[whole].set(0.0), {x: X})
    np.testing.assert_array_equal(changed, np.where(whole, 0, X))
    with pytest.raises(ShapeError, match="a mask has 2 elements where axis 0 has 3"):
        x[np.array([True, False])]
    with pytest.raises(DTypeError, match=r"gx.where.*gx.compress\(mask, x, size=k\)"):
        x[x > 0]


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_named_sizes(target: str) -> None:
    """On an axis of unknown length constants are checked when it is known."""
    x, i = gx.input("x", ("n", "m")), gx.input("i", ("k",), "int64")
    outputs = [x[[0, -1]], x[i, -1], x[:, i], x[i[:, None], i], x.at[i, 0].add(1), x[-1, i]]
    function = gx.compile([x, i], outputs, target=target)
    value, index = X[0], np.array([1, -2, 0])
    expected = [value[[0, -1]], value[index, -1], value[:, index], value[np.ix_(index, index)],
                value + 0, value[-1, index]]  # fmt: skip
    np.add.at(expected[4], (index, 0), 1)
    for have, want in zip(function(value, index), expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-6)
    with pytest.raises(IndexRangeError, match=r"'i': 3 at position 1 .*-3 <= index < 3"):
        function(value[:3, :3], np.array([0, 3]))
    alone = gx.compile([x], x[[0, -5]], target=target)
    with pytest.raises(IndexRangeError, match=r"-5 at position 1 .*axis 0.*-4 <= index < 4"):
        alone(value)


def test_constants_are_checked_where_they_are_written() -> None:
    """With the position, the axis, and the line."""
    x = gx.input("x", (3, 4))
    with pytest.raises(IndexRangeError, match=r"index 4 at position 1 .* axis 1; .*test_keys"):
        x[:, [0, 4]]
    with pytest.raises(IndexRangeError, match=r"index -4 at position 0 .* axis 0; .*-3 <= index"):
        x.at[[-4]].set(0.0)
    with pytest.raises(ShapeError, match="2 axes of \\(3, 4\\), got 3 indices"):
        x[[0], [1], 0]
    with pytest.raises(ShapeError, match="do not broadcast"):
        x[[0, 1], [0, 1, 2]]


@pytest.mark.parametrize(
    "key, error, message",
    [
        ([0.5], DTypeError, "expected integer indices, got float64"),
        (True, DTypeError, "expected indices, slices"),
        (np.array(True), DTypeError, "a mask with axes"),
        (["a"], DTypeError, "expected numbers"),
        (([0], "a"), DTypeError, "expected integers, slices"),
        (([0], 1.5), DTypeError, "expected integers, slices"),
        (([0], ..., ...), ShapeError, "axes|at most one"),
    ],
)
def test_what_is_no_key(key: Any, error: type[Exception], message: str) -> None:
    """Neither floats nor text select anything."""
    with pytest.raises(error, match=message):
        gx.input("x", (3, 4))[key]


def test_nodes_in_a_list() -> None:
    """They are joined first; a float node is no index."""
    x = gx.input("x", (3, 4))
    with pytest.raises(ArgumentError, match="gx.stack"):
        x[[gx.input("i", (), "int64"), 1]]
    with pytest.raises(DTypeError, match="expected integer indices, got float32"):
        x[gx.input("f", (2,))]


def test_it_reads_as_it_was_written() -> None:
    """Keys of arrays in text and LaTeX, gradients too."""
    x, i, j = gx.input("X", (3, 4)), gx.input("i", (2,), "int64"), gx.input("j", (2,), "int64")
    assert gx.show(x[i]) == "X[i]"
    assert gx.show(x[:, j]) == "X[:, j]"
    assert gx.show(x[i, j]) == "X[i, j]"
    assert gx.show(gx.take_along_axis(x, gx.input("k", (3, 2), "int64"))) == (
        "take_along_axis(X, k, axis=1)"
    )
    assert gx.show(x.at[i].add(1.0)).startswith("X.at[i].add(")
    assert gx.show(gx.grad(gx.sum(x[i, j]), x)).startswith("scatter_add(")
    assert gx.latex(x[:, j]) == "X_{:, j}"


# ---- take, take_along_axis, put_along_axis


@pytest.mark.parametrize("axis", [0, 1, 2, -1, None])
def test_take(axis: int | None) -> None:
    """np.take with every axis; gx.take goes along the first one by default, np.take flattens."""
    x, i = gx.input("x", X.shape), gx.input("i", (2, 2), "int32")
    index = np.array([[0, -1], [2, 1]])
    feed = {x: X, i: index}
    expected = np.take(X, index, axis=axis)
    np.testing.assert_array_equal(gx.evaluate(gx.take(x, i, axis), feed), expected)
    np.testing.assert_array_equal(gx.evaluate(np.take(x, i, axis=axis), feed), expected)
    np.testing.assert_array_equal(gx.evaluate(np.take(x, i), feed), np.take(X, index))
    np.testing.assert_array_equal(gx.evaluate(gx.take(x, 2), feed), X[2])
    with pytest.raises(ShapeError, match="axis 3 is out of range"):
        gx.take(x, i, axis=3)
    with pytest.raises(ShapeError, match="got a scalar"):
        gx.take(gx.input("s"), i)


@pytest.mark.parametrize("target", ["python", "cpu"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_an_axis(axis: int, target: str) -> None:
    """What argsort gives sorts; what was taken can be put back; axes of length 1 broadcast."""
    value = X[:, :, 0].astype("float64")
    x, i = gx.input("x", (3, 4), "float64"), gx.input("i", (3, 4), "int64")
    order = np.argsort(value, axis=axis)
    y = gx.take_along_axis(x, i, axis=axis)
    back = gx.put_along_axis(gx.zeros_like(x), i, y, axis=axis)
    g = gx.grad(gx.sum(y * gx.const(np.arange(12.0).reshape(3, 4))), x)
    sorted_value, same, slope = gx.compile([x, i], [y, back, g], target=target)(value, order)
    np.testing.assert_array_equal(sorted_value, np.sort(value, axis=axis))
    np.testing.assert_array_equal(same, value)
    expected = np.zeros((3, 4))
    np.put_along_axis(expected, order, np.arange(12.0).reshape(3, 4), axis)
    np.testing.assert_array_equal(slope, expected)


def test_along_an_axis_that_broadcasts() -> None:
    """As np.take_along_axis: either side may have axes of length 1."""
    for shape, index, axis in (
        ((3, 4), np.array([[0, -1]]), 1), ((1, 4), np.array([[0, 1], [1, 3], [2, 2]]), 1),
        ((3, 1), np.array([[2, 0, 1]]), 0), ((12,), np.array([3, -1]), None),
    ):  # fmt: skip
        value = np.arange(np.prod(shape), dtype=float).reshape(shape)
        x = gx.input("x", shape, "float64")
        found = gx.evaluate(gx.take_along_axis(x, index, axis=axis), {x: value})
        np.testing.assert_array_equal(found, np.take_along_axis(value, index, axis=axis))
    x = gx.input("x", (3, 4))
    with pytest.raises(ShapeError, match="expected indices with 2 axes"):
        gx.take_along_axis(x, [0, 1], axis=0)
    with pytest.raises(ShapeError, match="axis 0 has 3 in .* and 2 in the indices"):
        gx.take_along_axis(x, np.zeros((2, 2), int), axis=1)
    with pytest.raises(IndexRangeError, match="index 4 at position 0"):
        gx.take_along_axis(x, [[4]], axis=1)
