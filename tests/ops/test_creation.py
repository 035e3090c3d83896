"""Arrays made from nothing equal NumPy's, at fixed and symbolic sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from tests.ops.linear_check import check_linear

TARGETS = ("python", "cpu")


def values_of(node: gx.Node, length: int | None = None) -> list[np.ndarray]:
    """The value by the interpreter and on each target; `length` is that of the size n."""
    x = gx.input("x", ("n",))
    fed = np.zeros(3 if length is None else length, np.float32)
    found = [np.asarray(gx.evaluate([node, x], {x: fed})[0])]
    return found + [np.asarray(gx.compile(x, node, target=t)(fed)) for t in TARGETS]


@pytest.mark.parametrize(
    "arguments",
    [(5,), (0,), (-3,), (2, 12, 3), (5, 0, -2), (5, 5), (0.5,), (0, 1, 0.1), (1, -1, -0.25),
     (3, 0), (-2.5, 3), (np.int64(4),), (1e6, 1e6 + 2, 0.5)],
)  # fmt: skip
def test_arange_is_numpys(arguments: tuple[Any, ...]) -> None:
    """Whole and broken steps, both ways, of no elements."""
    expected = np.arange(*arguments)
    whole = expected.dtype.kind == "i"
    for found in values_of(gx.arange(*arguments)):
        assert found.dtype == ("int64" if whole else "float32")
        np.testing.assert_array_equal(found, expected.astype(found.dtype))
    for found in values_of(gx.arange(*arguments, dtype="float64")):
        np.testing.assert_allclose(found, expected, rtol=1e-15)


@pytest.mark.parametrize("length", [0, 1, 5])
def test_arange_of_sizes(length: int) -> None:
    """Bounds that are names and sizes, with a step."""
    n = gx.input("x", ("n",)).shape[0]
    cases = [
        (gx.arange("n"), np.arange(length)),
        (gx.arange(2, n + 2), np.arange(2, length + 2)),
        (gx.arange(0, 2 * n, 3), np.arange(0, 2 * length, 3)),
        (gx.arange(n, 0, -1), np.arange(length, 0, -1)),
        (gx.arange(n, dtype="float32"), np.arange(length, dtype="float32")),
    ]
    for node, expected in cases:
        for found in values_of(node, length):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_arange_errors() -> None:
    """A value that only a run knows cannot be a bound."""
    with pytest.raises(ArgumentError, match="decides the shape"):
        gx.arange(gx.input("x"))
    with pytest.raises(ArgumentError, match="step must not be 0"):
        gx.arange(1, 5, 0)
    with pytest.raises(ArgumentError, match="whole step"):
        gx.arange("n", 5, 0.5)
    with pytest.raises(ArgumentError, match="expected a number or a size"):
        gx.arange([1, 2])


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("num", [0, 1, 2, 7, 1000])
def test_linspace_is_numpys(num: int, endpoint: bool) -> None:
    """To the end, which is exact, and short of it; of one and of no numbers."""
    for start, stop in ((0, 1), (-2.5, 1e3), (3, 3), (1, 0)):
        expected = np.linspace(start, stop, num, endpoint)
        for found in values_of(gx.linspace(start, stop, num, endpoint)):
            assert found.dtype == "float32"
            np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)
            if endpoint and num > 1:
                assert found[-1] == np.float32(stop)
    expected = np.linspace(0, 9, num, endpoint, dtype=int)
    for found in values_of(gx.linspace(0, 9, num, endpoint, dtype="int64")):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("length", [1, 4])
def test_linspace_of_a_size_and_between_nodes(length: int) -> None:
    """A symbolic count; ends that are arrays, in which it is differentiable."""
    for found in values_of(gx.linspace(0, 1, "n", dtype="float64"), length):
        np.testing.assert_allclose(found, np.linspace(0, 1, length), rtol=1e-15)
    check = lambda a, b: np.linspace(a, b, 4)  # noqa: E731
    a, b = gx.input("a", (2,), "float64"), gx.input("b", (), "float64")
    left, right = np.array([0.5, 2.0]), np.array(3.0)
    made = gx.linspace(a, b, 4)
    np.testing.assert_allclose(gx.evaluate(made, {a: left, b: right}), check(left, right))
    da, db = gx.evaluate(gx.grad(gx.sum(made), [a, b]), {a: left, b: right})
    np.testing.assert_allclose(da, [2, 2])
    np.testing.assert_allclose(db, 4)


@pytest.mark.parametrize("k", [-4, -1, 0, 1, 2, 5])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (0, 2), (1, 1)])
def test_eye_is_numpys(shape: tuple[int, int], k: int) -> None:
    """Each diagonal of square and other matrices, also outside of it."""
    found = gx.evaluate(gx.eye(*shape, k=k))
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, np.eye(*shape, k=k))


def test_eye_of_sizes_and_types() -> None:
    """Symbolic lengths; the element type is an argument of its own."""
    for found in values_of(gx.eye("n", k=-1, dtype="int32"), 3):
        assert found.dtype == "int32"
        np.testing.assert_array_equal(found, np.eye(3, k=-1))
    with pytest.raises(ArgumentError, match="must be an integer"):
        gx.eye(3, k=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(), 3, (2, 3), (0, 2), ("n", 2)])
def test_uniform_arrays(shape: Any) -> None:
    """Zeros, ones and any value, of fixed, empty and symbolic shapes."""
    known = (3, 2) if shape == ("n", 2) else shape
    for node, expected in (
        (gx.zeros(shape), np.zeros(known, "float32")),
        (gx.ones(shape, "int32"), np.ones(known, "int32")),
        (gx.full(shape, 7), np.full(known, 7)),
        (gx.full(shape, 0.5, "float64"), np.full(known, 0.5)),
        (gx.full(shape, True), np.full(known, True)),
    ):
        for found in values_of(node):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_like() -> None:
    """The shape of an array, and its type unless said otherwise."""
    x = gx.input("x", ("n", 2), "float64")
    for node, value, dtype in (
        (gx.zeros_like(x), 0, "float64"), (gx.ones_like(x, "int32"), 1, "int32"),
        (gx.full_like(x, 2.5), 2.5, "float64"), (gx.full_like(x, 2, dtype=bool), True, "bool"),
        (np.full_like(x, 3), 3, "float64"), (np.zeros_like(x), 0, "float64"),
    ):  # fmt: skip
        found = gx.evaluate(node, {x: np.zeros((3, 2))})
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.full((3, 2), value))


def test_full_of_a_node() -> None:
    """A computed value repeated: its gradient is a sum."""
    check_linear(lambda c: gx.full((2, 3), c), lambda c: np.full((2, 3), c), (3,))


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_meshgrid_is_numpys(indexing: str, count: int) -> None:
    """Both orders, of one to three vectors of different lengths."""
    shapes = [(2,), (3,), (4,)][:count]
    check_linear(
        lambda *xs: gx.stack(gx.meshgrid(*xs, indexing=indexing)),
        lambda *xs: np.stack(np.meshgrid(*xs, indexing=indexing)),  # type: ignore[call-overload]
        *shapes, declared=[("n",), *shapes[1:]],
    )  # fmt: skip


def test_meshgrid_errors() -> None:
    """Only vectors, only two orders."""
    with pytest.raises(ShapeError, match="expected vectors"):
        gx.meshgrid(gx.input("x", (2, 2)))
    with pytest.raises(ArgumentError, match='"xy" or "ij"'):
        gx.meshgrid(gx.input("x", (2,)), indexing="yx")
