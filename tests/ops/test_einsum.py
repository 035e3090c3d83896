"""Einstein summation against np.einsum: every spelling, several operands, named sizes, gradients,
and errors that name the operand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, ShapeError

# Subscripts and the shapes of the operands.
CASES: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk->ik", ((2, 3), (3, 4))),
    ("ij,jk", ((2, 3), (3, 4))),
    ("ij,jk->ki", ((2, 3), (3, 4))),
    ("ij,kj->ik", ((2, 3), (4, 3))),
    ("ji,jk->ik", ((3, 2), (3, 4))),
    ("ba,b", ((2, 3), (2,))),
    ("ij,j->i", ((2, 3), (3,))),
    ("ij,i->j", ((2, 3), (2,))),
    ("i,i->", ((3,), (3,))),
    ("i,i", ((3,), (3,))),
    ("i,j->ij", ((3,), (4,))),
    ("i,j->ji", ((3,), (4,))),
    ("ij,ij->ij", ((2, 3), (2, 3))),
    ("ij,ij->", ((2, 3), (2, 3))),
    ("ij,ji->", ((2, 3), (3, 2))),
    ("ij->ji", ((2, 3),)),
    ("ij->", ((2, 3),)),
    ("ij->i", ((2, 3),)),
    ("ij->j", ((2, 3),)),
    ("ii->i", ((3, 3),)),
    ("ii", ((3, 3),)),
    ("ii->", ((3, 3),)),
    ("iij->ij", ((3, 3, 2),)),
    ("iji->j", ((3, 2, 3),)),
    ("iii->i", ((3, 3, 3),)),
    ("iijj->ij", ((2, 2, 3, 3),)),
    ("ii,i->i", ((3, 3), (3,))),
    ("ii,ij->j", ((3, 3), (3, 2))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))),
    ("bij,jk->bik", ((2, 3, 4), (4, 5))),
    ("bhqd,bhkd->bhqk", ((2, 3, 4, 5), (2, 3, 6, 5))),
    ("bqhd,bkhd->bhqk", ((2, 4, 3, 5), (2, 6, 3, 5))),
    ("bhqk,bkhd->bqhd", ((2, 3, 4, 6), (2, 6, 3, 5))),
    ("abcd,dc->ab", ((2, 3, 4, 5), (5, 4))),
    ("abc,bd->acd", ((2, 3, 4), (3, 5))),
    ("abc,cab->", ((2, 3, 4), (4, 2, 3))),
    ("...ij,...jk->...ik", ((2, 3, 4), (2, 4, 5))),
    ("...ij,...jk->...ik", ((6, 1, 3, 4), (2, 4, 5))),
    ("...i,...i", ((2, 3), (2, 3))),
    ("...i->i...", ((2, 3, 4),)),
    ("i...->...i", ((2, 3, 4),)),
    ("i...->...", ((2, 3, 4),)),
    ("...", ((2, 3),)),
    ("...,...", ((2, 3), (3,))),
    ("ij...,jk->ik...", ((2, 3, 4), (3, 5))),
    (",ij->ij", ((), (2, 3))),
    (",", ((), ())),
    ("->", ((),)),
    ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 5))),
    ("ij,jk,kl", ((2, 3), (3, 4), (4, 5))),
    ("i,ij,j->", ((2,), (2, 3), (3,))),
    ("ab,bc,cd,de->ae", ((2, 3), (3, 4), (4, 2), (2, 3))),
    ("bi,bj,ijk->bk", ((4, 2), (4, 3), (2, 3, 5))),
    ("ij,ij,ij->i", ((2, 3), (2, 3), (2, 3))),
    ("ea,fb,abcd,gc,hd->efgh", ((2, 3), (2, 3), (3, 3, 3, 3), (2, 3), (2, 3))),
    ("i j , j k -> i k", ((2, 3), (3, 4))),
    ("iI,Ij->ij", ((2, 3), (3, 4))),
    ("zy,yx", ((2, 3), (3, 4))),
    # Axes of length 1 meet any other.
    ("ij,ij->ij", ((1, 3), (2, 3))),
    ("ij,jk->ik", ((2, 1), (3, 4))),
    ("i,i", ((1,), (3,))),
    ("ij,jk->ik", ((1, 3), (3, 1))),
    ("ij,jk->ik", ((2, 1), (1, 4))),
    # Axes without elements: a sum of nothing is 0.
    ("ij,jk->ik", ((2, 0), (0, 4))),
    ("ij,jk->ik", ((0, 3), (3, 4))),
    ("ij->i", ((2, 0),)),
    ("bij,bjk->bik", ((0, 3, 4), (0, 4, 5))),
]
IDS = [f"{number} {text}" for number, (text, _) in enumerate(CASES)]


def arrays_of(shapes: tuple[tuple[int, ...], ...], seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [np.asarray(random.standard_normal(shape)) for shape in shapes]


def nodes_of(arrays: list[np.ndarray]) -> list[gx.Node]:
    return [gx.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]


@pytest.mark.parametrize(("text", "shapes"), CASES, ids=IDS)
def test_value_and_gradient(text: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    """What NumPy computes; its gradient is the sum that the other operands make with it."""
    arrays = arrays_of(shapes)
    nodes = nodes_of(arrays)
    y = gx.einsum(text, *nodes)
    expected = np.einsum(text, *arrays)
    assert y.shape == expected.shape
    feed = dict(zip(nodes, arrays, strict=True))
    np.testing.assert_allclose(gx.evaluate(y, feed), expected, rtol=1e-12, atol=1e-12)
    compiled = gx.compile(nodes, y, target="python")
    np.testing.assert_allclose(compiled(*arrays), expected, rtol=1e-12, atol=1e-12)
    weights = np.random.default_rng(1).standard_normal(expected.shape)
    gradients = gx.grad(gx.sum(y * gx.const(weights)), nodes, disconnected="zero")
    again = gx.compile(nodes, gradients, target="python")(*arrays)
    for place, (gradient, array) in enumerate(zip(gradients, arrays, strict=True)):
        slope = np.zeros(array.shape)
        # It is linear in each operand: a unit step is an exact difference.
        for at in np.ndindex(array.shape):
            unit = np.zeros(array.shape)
            unit[at] = 1.0
            moved = [*arrays[:place], unit, *arrays[place + 1 :]]
            slope[at] = np.sum(np.einsum(text, *moved) * weights)
        if text.replace(" ", "").split("->")[0].count(",") == 0 or array.size < 40:
            np.testing.assert_allclose(gx.evaluate(gradient, feed), slope, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(again[place], slope, rtol=1e-9, atol=1e-9)


def test_native_code() -> None:
    """All the cases in one program on the compiled target."""
    inputs, outputs, arrays, expected = [], [], [], []
    for text, shapes in CASES:
        given = [a.astype("float32") for a in arrays_of(shapes)]
        nodes = [gx.input(f"x{len(inputs) + i}", a.shape) for i, a in enumerate(given)]
        inputs += nodes
        arrays += given
        outputs.append(gx.einsum(text, *nodes))
        expected.append(np.einsum(text, *[a.astype(float) for a in given]))
    found = gx.compile(inputs, outputs)(*arrays)
    for (text, _), have, want in zip(CASES, found, expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=2e-4, atol=2e-5, err_msg=text)


def test_named_sizes() -> None:
    """Sizes that only a call knows, also where a diagonal and several axes meet."""
    a, b = gx.input("a", ("n", "m", "n"), "float64"), gx.input("b", ("k", "m", "n"), "float64")
    left, right = arrays_of(((3, 2, 3), (4, 2, 3)))
    for text in ("iji,kji->kj", "iji,kji->ik", "ijl,kji->lk", "iji,kjl->ilk"):
        y = gx.einsum(text, a, b)
        want = np.einsum(text, left, right)
        for target in ("python", "cpu"):
            found = gx.compile([a, b], y, target=target)(left, right)
            np.testing.assert_allclose(found, want, rtol=1e-12, err_msg=text)


def test_lists_in_place_of_letters() -> None:
    """NumPy's second form, with and without subscripts for the result."""
    a, b = arrays_of(((2, 3), (3, 4)))
    x, y = nodes_of([a, b])
    feed = {x: a, y: b}
    for operands, nodes in (
        ((a, [0, 1], b, [1, 2], [2, 0]), (x, [0, 1], y, [1, 2], [2, 0])),
        ((a, [5, 12], b, [12, 3]), (x, [5, 12], y, [12, 3])),
        ((a, [0, ...], [..., 0]), (x, [0, ...], [..., 0])),
    ):
        found = gx.evaluate(gx.einsum(*nodes), feed)
        np.testing.assert_allclose(found, np.einsum(*operands), rtol=1e-12)
    np.testing.assert_allclose(gx.evaluate(np.einsum("ij,jk", x, y), feed), a @ b, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("text", ["ij,jk->ik", "ij,jk,kl->il", "ij,ij->", "ii->i", "ij->"])
def test_integers_and_truth_values(text: str, dtype: str) -> None:
    """Integers stay what they are and wrap; of truth values it is whether any product holds."""
    shapes = {1: ((3, 3),), 2: ((3, 3), (3, 3)), 3: ((3, 3), (3, 3), (3, 3))}[text.count(",") + 1]
    random = np.random.default_rng(4)
    arrays = [random.integers(0, 2 if dtype == "bool" else 90, s).astype(dtype) for s in shapes]
    nodes = nodes_of(arrays)
    y = gx.einsum(text, *nodes)
    assert y.dtype.name == dtype
    expected = np.einsum(text, *arrays)
    found = gx.compile(nodes, y, target="python")(*arrays)
    np.testing.assert_array_equal(found, expected.astype(dtype))


def test_order_of_products() -> None:
    """A chain of matrices is not multiplied from the left where that costs more; the choice is
    free."""
    a, b, c = gx.input("a", (50, 2)), gx.input("b", (2, 50)), gx.input("c", (50, 3))
    best = gx.einsum("ij,jk,kl->il", a, b, c)
    assert best is gx.matmul(a, gx.matmul(b, c))
    left = gx.einsum("ij,jk,kl->il", a, b, c, optimize=False)
    assert left is gx.matmul(gx.matmul(a, b), c)
    assert gx.multi_dot([a, b, c]) is best


def test_it_reads_as_products() -> None:
    """Matrix products are written as such; a product with a vector is a sum."""
    a, b = gx.input("A", (2, 3)), gx.input("B", (3, 4))
    assert gx.show(gx.einsum("ij,jk->ik", a, b)) == "A @ B"
    assert gx.show(gx.einsum("ij,kj->ik", a, b.T)) == "A @ B"
    assert gx.show(gx.einsum("ij,j->i", a, gx.input("v", (3,)))) == "sum(A * v, axis=1)"


ERRORS: list[tuple[Any, tuple[Any, ...], type[Exception], str]] = [
    ("ij,jk->ik", ((2, 3), (4, 5)), ShapeError,
     r"'j' is 3 in operand 0, \(2, 3\), and 4 in operand 1, \(4, 5\)"),
    ("ii->i", ((2, 3),), ShapeError, r"'i' names axes of 2 and 3 in operand 0, \(2, 3\)"),
    ("ii->i", ((1, 3),), ShapeError, r"'i' names axes of 1 and 3 in operand 0"),
    ("ijk->i", ((2, 3),), ShapeError, r"operand 0 has 2 axes, \(2, 3\); its subscripts name 3"),
    ("i->i", ((2, 3),), ShapeError, r"operand 0 has 2 axes, \(2, 3\); its subscripts name 1"),
    ("ij,jk->ik", ((2, 3),), ArgumentError, r"names 2 operands, got 1"),
    ("ij->il", ((2, 3),), ArgumentError, r"the result names 'l', which no operand has"),
    ("ij->ii", ((2, 3),), ArgumentError, r"the result names 'i' more than once"),
    ("i1->i", ((2, 3),), ArgumentError, r"expected letters.*got 'i1->i'"),
    ("i.j->i", ((2, 3),), ArgumentError, r"expected letters"),
    ("i->i->i", ((2,),), ArgumentError, r"expected letters"),
    ("......", ((2,),), ArgumentError, r"expected letters"),
    ("...i->i", ((2, 3),), ArgumentError, r"expected \.\.\. in the result too"),
    ("...i,...i", ((2, 3), (4, 3)), ShapeError, r"is 2 in operand 0.*and 4 in operand 1"),
    ("ij,jk", (("n", "m"), ("k", 2)), ShapeError, r"'j' is m in operand 0.*and k in operand 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shapes", "error", "message"), ERRORS)
def test_errors(text: Any, shapes: Any, error: type[Exception], message: str) -> None:
    """Wrong subscripts say what is wrong, with which operand, and where it is written."""
    nodes = [gx.input(f"x{i}", shape) for i, shape in enumerate(shapes)]
    with pytest.raises(error, match=f"(?s)einsum: .*{message}.*Written at.*test_einsum"):
        gx.einsum(text, *nodes)


def test_errors_of_lists() -> None:
    """The second form names what is no list of integers."""
    x = gx.input("x", (2, 3))
    with pytest.raises(ArgumentError, match="got nothing"):
        gx.einsum()
    with pytest.raises(ArgumentError, match="each followed by a list"):
        gx.einsum(x, "ij")
    with pytest.raises(ArgumentError, match="expected integers and"):
        gx.einsum(x, [0, "j"])
    with pytest.raises(ShapeError, match="subscript '1' is 3 in operand 0.*4 in operand 1"):
        gx.einsum(x, [0, 1], gx.input("y", (4, 2)), [1, 2])
