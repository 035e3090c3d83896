"""Products by name against NumPy: shapes, dtypes, named sizes, gradients, what is copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError
from graphc.schedule.schedule import KernelCall, Product

Shapes = tuple[tuple[int, ...], ...]

# A name, further arguments, and the shapes of operands.
CASES: list[tuple[str, dict[str, Any], Shapes]] = [
    ("matmul", {}, ((2, 3), (3, 4))),
    ("matmul", {}, ((3,), (3,))),
    ("matmul", {}, ((3,), (3, 4))),
    ("matmul", {}, ((2, 3), (3,))),
    ("matmul", {}, ((5, 2, 3), (3, 4))),
    ("matmul", {}, ((5, 1, 2, 3), (6, 3, 4))),
    ("matmul", {}, ((5, 2, 3), (3,))),
    ("dot", {}, ((3,), (3,))),
    ("dot", {}, ((2, 3), (3, 4))),
    ("dot", {}, ((2, 3), (3,))),
    ("dot", {}, ((2, 5, 3), (4, 3, 2))),
    ("dot", {}, ((), (2, 3))),
    ("dot", {}, ((2, 3), ())),
    ("vdot", {}, ((2, 3), (6,))),
    ("vecdot", {}, ((2, 3), (3,))),
    ("vecdot", {"axis": 0}, ((3, 2), (3, 1))),
    ("inner", {}, ((3,), (3,))),
    ("inner", {}, ((2, 4, 3), (5, 3))),
    ("inner", {}, ((), (3,))),
    ("outer", {}, ((3,), (4,))),
    ("outer", {}, ((2, 3), (2, 2))),
    ("outer", {}, ((), ())),
    ("kron", {}, ((2, 3), (3, 2))),
    ("kron", {}, ((2, 3), (4,))),
    ("kron", {}, ((3,), (4,))),
    ("kron", {}, ((2, 1, 3), (2, 2))),
    ("kron", {}, ((), (2, 2))),
    ("tensordot", {}, ((2, 3, 4), (3, 4, 5))),
    ("tensordot", {"axes": 1}, ((2, 3), (3, 4))),
    ("tensordot", {"axes": 0}, ((2, 3), (4,))),
    ("tensordot", {"axes": ([1, 0], [0, -1])}, ((2, 3, 4), (3, 5, 2))),
    ("tensordot", {"axes": (1, 0)}, ((2, 3), (3, 4))),
    ("tensordot", {"axes": ([], [])}, ((2,), (3,))),
    ("matvec", {}, ((5, 2, 3), (3,))),
    ("matvec", {}, ((2, 3), (5, 3))),
    ("vecmat", {}, ((5, 2), (5, 2, 3))),
    # Axes without elements.
    ("matmul", {}, ((2, 0), (0, 4))),
    ("vecdot", {}, ((2, 0), (2, 0))),
    ("outer", {}, ((0,), (3,))),
    ("kron", {}, ((0, 2), (3, 1))),
    ("tensordot", {"axes": 1}, ((2, 0), (0, 3))),
]
IDS = [f"{number} {name}" for number, (name, _, _) in enumerate(CASES)]


def build(name: str, options: dict[str, Any], nodes: list[gx.Node]) -> gx.Node:
    return getattr(gx, name)(*nodes, **options)  # type: ignore[no-any-return]


def numpy_value(name: str, options: dict[str, Any], arrays: list[np.ndarray]) -> np.ndarray:
    return np.asarray(getattr(np, name)(*arrays, **options))


def drawn(shapes: Shapes, dtype: str = "float64") -> list[np.ndarray]:
    random = np.random.default_rng(0)
    if dtype == "bool":
        return [np.asarray(random.random(shape) < 0.5) for shape in shapes]
    if dtype.startswith("float"):
        return [np.asarray(random.standard_normal(shape), dtype) for shape in shapes]
    return [np.asarray(random.integers(0, 90, shape), dtype) for shape in shapes]


@pytest.mark.parametrize(("name", "options", "shapes"), CASES, ids=IDS)
def test_values_and_gradients(name: str, options: dict[str, Any], shapes: Shapes) -> None:
    """What NumPy gives, its shape, and a gradient that is exact as the product is bilinear."""
    arrays = drawn(shapes)
    nodes = [gx.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    y = build(name, options, nodes)
    expected = numpy_value(name, options, arrays)
    feed = dict(zip(nodes, arrays, strict=True))
    assert y.shape == expected.shape
    np.testing.assert_allclose(gx.evaluate(y, feed), expected, rtol=1e-13)
    found = gx.compile(nodes, y, target="python")(*arrays)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    weights = np.random.default_rng(1).standard_normal(expected.shape)
    slopes = gx.evaluate(gx.grad(gx.sum(y * gx.const(weights)), nodes, "zero"), feed)
    direction = drawn(shapes)[::-1] if shapes[0] == shapes[1] else [a + 1 for a in arrays]
    for place in (0, 1):
        moved = list(arrays)
        moved[place] = direction[place]
        change = np.sum(numpy_value(name, options, moved) * weights)
        np.testing.assert_allclose(np.sum(slopes[place] * direction[place]), change, rtol=1e-9,
        atol=1e-12)  # fmt: skip


def test_native_code() -> None:
    """All cases in one program, in float32."""
    inputs: list[gx.Node] = []
    outputs, arrays, expected = [], [], []
    for name, options, shapes in CASES:
        given = drawn(shapes, "float32")
        nodes = [gx.input(f"x{len(inputs) + i}", a.shape) for i, a in enumerate(given)]
        inputs, arrays = [*inputs, *nodes], [*arrays, *given]
        outputs.append(build(name, options, nodes))
        expected.append(numpy_value(name, options, [a.astype(float) for a in given]))
    for have, want in zip(gx.compile(inputs, outputs)(*arrays), expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", ["matmul", "dot", "inner", "outer", "tensordot", "vecdot"])
def test_integers_and_truth_values(name: str, dtype: str) -> None:
    """They keep their dtype and wrap as NumPy's do; of truth values it is any of them."""
    arrays = drawn(((3, 3), (3, 3)), dtype)
    nodes = [gx.input(f"x{i}", a.shape, dtype) for i, a in enumerate(arrays)]
    options = {"axes": 1} if name == "tensordot" else {}
    y = build(name, options, nodes)
    expected = numpy_value(name, options, arrays)
    assert (y.dtype.name, y.shape) == (expected.dtype.name, expected.shape)
    for target in ("python", "cpu"):
        found = gx.compile(nodes, y, target=target)(*arrays)
        np.testing.assert_array_equal(found, expected)


def test_dtypes_meet() -> None:
    """Integers and floats give floats, float32 beside an integer array stays float32."""
    k, x = gx.input("k", (2, 3), "int64"), gx.input("x", (3, 2))
    assert gx.matmul(k, x).dtype.name == "float32"
    assert gx.tensordot(k, x, 1).dtype.name == "float32"
    assert gx.einsum("ij,jk", k, gx.cast(x, "float64")).dtype.name == "float64"


def test_named_sizes() -> None:
    """kron and tensordot over sizes that only a call knows."""
    a, b = gx.input("a", ("n", 2), "float64"), gx.input("b", (3, "n"), "float64")
    outputs = [gx.kron(a, b), gx.tensordot(a, b, ([0], [1])), gx.outer(a, b), gx.inner(a.T, b)]
    left, right = drawn(((4, 2), (3, 4)))
    found = gx.compile([a, b], outputs, target="python")(left, right)
    expected = [np.kron(left, right), np.tensordot(left, right, ([0], [1])), np.outer(left, right),
                np.inner(left.T, right)]  # fmt: skip
    for have, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-13)


@pytest.mark.parametrize("shapes", [
    ((4, 2), (2, 5), (5, 3)), ((4,), (4, 5), (5, 3)), ((4, 2), (2, 5), (5,)), ((4,), (4, 5), (5,)),
    ((4, 2), (2, 3)), ((6, 5), (5, 4), (4, 3), (3, 2), (2, 7)),
])  # fmt: skip
def test_chains(shapes: Shapes) -> None:
    """np.linalg.multi_dot, which may begin and end with a vector."""
    arrays = drawn(shapes)
    nodes = [gx.input(f"x{i}", a.shape, "float64") for i, a in enumerate(arrays)]
    expected = np.linalg.multi_dot(arrays)
    feed = dict(zip(nodes, arrays, strict=True))
    np.testing.assert_allclose(gx.evaluate(gx.multi_dot(nodes), feed), expected, rtol=1e-12)
    np.testing.assert_allclose(gx.evaluate(np.linalg.multi_dot(nodes), feed), expected, rtol=1e-12)


def test_numpys_functions_build_nodes() -> None:
    """np.dot(x, y) and its kin, and the ufuncs among them."""
    a, b = gx.input("a", (3, 3)), gx.input("b", (3, 3))
    for name in ("dot", "inner", "outer", "kron", "vdot", "tensordot", "vecdot", "matvec",
                 "vecmat", "matmul"):  # fmt: skip
        assert getattr(np, name)(a, b) is getattr(gx, name)(a, b), name


ERRORS: list[tuple[Callable[[gx.Node, gx.Node], Any], type[Exception], str]] = [
    (lambda a, b: gx.matmul(a, a), ShapeError, r"inner dimensions differ: \(2, 3\) @ \(2, 3\)"),
    (lambda a, b: gx.dot(a, a), ShapeError, r"inner dimensions differ"),
    (lambda a, b: gx.inner(a, b), ShapeError, r"axis 1 of \(2, 3\) has 3, axis 1 of \(3, 4\)"),
    (lambda a, b: gx.vdot(a, b), ShapeError, r"got 6 and 12"),
    (lambda a, b: gx.vecdot(a, b), ShapeError, r"axis -1 has 3 in the first .* and 4"),
    (lambda a, b: gx.vecdot(a, 1.0), ShapeError, r"got a scalar"),
    (lambda a, b: gx.tensordot(a, b, 3), ShapeError, r"axes=3 for .*expected 0 to 2"),
    (lambda a, b: gx.tensordot(a, b, 2), ShapeError, r"axis 0 of \(2, 3\) has 2, axis 0 of"),
    (lambda a, b: gx.tensordot(a, b, "x"), ArgumentError, r"a number of axes or a pair"),
    (lambda a, b: gx.tensordot(a, b, ([0], [0, 1])), ShapeError, r"as many axes of one"),
    (lambda a, b: gx.tensordot(a, a, ([1, 1], [0, 1])), ShapeError, r"each once"),
    (lambda a, b: gx.tensordot(a, b, ([5], [0])), ShapeError, r"axis 5 is out of range"),
    (lambda a, b: gx.matvec(a, b), ShapeError, r"inner dimensions differ"),
    (lambda a, b: gx.vecmat(a[0], a[0]), ShapeError, r"expected \(..., n\) and \(..., n, m\)"),
    (lambda a, b: gx.multi_dot([a]), ArgumentError, r"at least two"),
    (lambda a, b: gx.multi_dot([a, a]), ShapeError, r"operand 0 is \(2, 3\), the next one"),
    (lambda a, b: gx.multi_dot([a, b[0], b]), ShapeError, r"operand 1 is \(4,\)"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    """Shapes that do not go together are named, with the user's line."""
    with pytest.raises(error, match=f"(?s){message}.*test_contraction"):
        call(gx.input("a", (2, 3)), gx.input("b", (3, 4)))


# Sizes above those of products that are written out.
IN_PLACE: list[tuple[str, Shapes, int]] = [
    ("ij,kj->ik", ((12, 9), (15, 9)), 0),
    ("bij,bjk->bik", ((2, 12, 9), (2, 9, 15)), 0),
    ("bqhd,bkhd->bhqk", ((2, 12, 3, 15), (2, 18, 3, 15)), 0),
    ("bhqk,bkhd->bhqd", ((2, 3, 12, 18), (2, 18, 3, 15)), 0),
    ("bhqd,bhkd->bhqk", ((2, 3, 12, 15), (2, 3, 18, 15)), 0),
    ("xyzab,xzybc->xyzac", ((2, 3, 4, 9, 9), (2, 4, 3, 9, 9)), 1),
]


@pytest.mark.parametrize(("text", "shapes", "copied"), IN_PLACE)
@pytest.mark.parametrize("target", ["python", "cpu"])
def test_batches_are_read_where_they_lie(
    text: str, shapes: Shapes, copied: int, target: str
) -> None:
    """Matrices of a batch that two strides find are not copied; where it takes three, one factor
    is."""
    arrays = drawn(shapes)
    nodes = [gx.input(f"x{i}", a.shape, "float64") for i, a in enumerate(arrays)]
    y = gx.einsum(text, *nodes)
    steps = gx.compile(nodes, y, stop="schedule").steps
    assert sum(isinstance(step, Product) for step in steps) == 1
    assert sum(isinstance(step, KernelCall) for step in steps) == copied
    found = gx.compile(nodes, y, target=target)(*arrays)
    np.testing.assert_allclose(found, np.einsum(text, *arrays), rtol=1e-12)


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_products_that_update_a_batch_of_weights(target: str) -> None:
    """scale * A @ B + C with factors found by two strides."""
    x = gx.input("x", ("b", "n", 3, 4), "float64")
    w = gx.param("w", np.ones((3, 4, 2)))
    y = gx.einsum("bnhd,hdk->bnhk", x, w)
    step = gx.compile(x, y, {w: w - 0.5 * gx.grad(gx.sum(y * y), w)}, target=target)
    (value,) = drawn(((2, 5, 3, 4),))
    found = step(value)
    np.testing.assert_allclose(found, np.einsum("bnhd,hdk->bnhk", value, np.ones((3, 4, 2))))
    slope = np.einsum("bnhd,bnhk->hdk", value, 2 * found)
    np.testing.assert_allclose(w.value, 1 - 0.5 * slope, rtol=1e-12)
