"""Linear algebra: derivatives against differences, conventions where there is none, and batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import linalg

import graphc as gx
from graphc.errors import SingularMatrixError
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from tests.ops.matrix_cases import (
    ONE_OF_EACH,
    POSITIVE,
    RANDOM,
    SQUARE,
    TALL,
    TARGETS,
    check,
    parts,
)


def symmetric(x: Node) -> Any:
    """A symmetric matrix, so that no difference leaves the symmetric ones."""
    return x + gx.swapaxes(x, -1, -2)


def first_vectors(y: Any, count: int = 1) -> Any:
    """What eigenvectors or singular vectors give without their sign: projections."""
    chosen = y[..., :count]
    return chosen @ gx.swapaxes(chosen, -1, -2)


DERIVATIVES: dict[str, tuple[Callable[[Node], Any], np.ndarray]] = {
    "solve": (lambda a: gx.solve(a, gx.swapaxes(a, -1, -2)), POSITIVE[0]),
    "one matrix, many sides": (lambda a: gx.solve(a[0], a), POSITIVE[0]),
    "inv": (gx.inv, POSITIVE[0]),
    "det": (gx.det, POSITIVE[0] / 3),
    "slogdet": (lambda a: gx.slogdet(a)[1], POSITIVE[0]),
    "cholesky": (lambda a: gx.cholesky(symmetric(a)), POSITIVE[0]),
    "cholesky, upper": (lambda a: gx.cholesky(symmetric(a), upper=True), POSITIVE[0]),
    "eigenvalues": (lambda a: gx.linalg.eigvalsh(symmetric(a)), SQUARE[0]),
    "eigenvectors": (lambda a: first_vectors(gx.eigh(symmetric(a))[1], 2), SQUARE[0]),
    "qr": (lambda a: gx.sum(gx.qr(a)[0] ** 3) + gx.qr(a)[1], SQUARE[0]),
    "qr, tall": (lambda a: gx.sum(gx.qr(a)[0] ** 3) + gx.qr(a)[1], TALL[0]),
    "qr, wide": (lambda a: gx.sum(gx.qr(a)[0] ** 3) + gx.qr(a)[1], TALL[0].mT),
    "singular values": (gx.linalg.svdvals, TALL[0]),
    "left vectors, tall": (lambda a: first_vectors(gx.svd(a)[0], 2), TALL[0]),
    "right vectors, tall": (lambda a: first_vectors(gx.swapaxes(gx.svd(a)[2], -1, -2)), TALL[0]),
    "left vectors, wide": (lambda a: first_vectors(gx.svd(a)[0]), TALL[0].mT),
    "right vectors, wide": (lambda a: first_vectors(gx.swapaxes(gx.svd(a)[2], -1, -2), 2),
        TALL[0].mT),
    "both vectors": (lambda a: gx.svd(a)[0] @ gx.svd(a)[2], SQUARE[0]),
    "expm": (gx.expm, SQUARE[0]),
    "pinv": (gx.linalg.pinv, TALL[0]),
    "pinv, wide": (gx.linalg.pinv, TALL[0].mT),
    "lstsq": (lambda a: gx.linalg.lstsq(a, a[:, :, 0:1] ** 2), TALL[0]),
    "matrix_power": (lambda a: gx.linalg.matrix_power(a, -3), POSITIVE[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_of_both_orders_in_both_modes(name: str) -> None:
    """Against differences, for every shape and result."""
    function, value = DERIVATIVES[name]
    x = gx.input("x", value.shape, "float64")
    gx.check_gradients(function(x), x, {x: value}, order=2)


def test_gradients_on_the_native_target() -> None:
    """What the derivatives are made of compiles, in float32 as in float64."""
    x = gx.input("x", (3, 4, 4))
    for function in (gx.inv, gx.det, gx.expm, lambda a: gx.cholesky(symmetric(a)),
    lambda a: gx.linalg.svdvals(a) ** 2, lambda a: gx.linalg.eigvalsh(symmetric(a)) ** 2,
    lambda a: gx.qr(a)[1]):  # fmt: skip
        slope = gx.grad(gx.sum(function(x)), x)
        value = (POSITIVE[0] / 4).astype("float32")
        found, expected = gx.compile(x, slope)(value), gx.evaluate(slope, {x: value})
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def test_gradients_of_symmetric_matrices_are_symmetric() -> None:
    """Of cholesky and eigh, whatever is asked of their results."""
    a = gx.input("a", (4, 4), "float64")
    w, v = gx.eigh(a)
    for loss in (gx.sum(gx.cholesky(a) ** 3), gx.sum(w**3), gx.sum(v[:, 0] ** 3)):
        slope = gx.evaluate(gx.grad(loss, a), {a: POSITIVE[0, 0]})
        np.testing.assert_allclose(slope, slope.T, atol=1e-14)
        assert np.abs(slope).max() > 1e-3


def test_equal_eigenvalues_and_singular_values() -> None:
    """Where vectors have no derivative it is 0, not nan; functions of the values keep theirs."""
    a = gx.input("a", (3, 3), "float64")
    w, v = gx.eigh(a)
    u, s, vh = gx.svd(a)
    for value in (np.eye(3), np.zeros((3, 3)), np.diag([1.0, 1.0, 2.0])):
        for loss in (gx.sum(w**2) + gx.sum(v**3), gx.sum(s**2) + gx.sum(u * vh)):
            slope = gx.grad(loss, a)
            bend = gx.grad(gx.sum(slope * slope), a)
            for found in gx.evaluate([slope, bend], {a: value}):
                assert np.isfinite(found).all()
        by_values = gx.evaluate(gx.grad(gx.sum(w**2), a), {a: value})
        np.testing.assert_allclose(by_values, 2 * value, atol=1e-14)


def test_the_derivative_of_a_singular_matrix_is_an_error() -> None:
    """det is 0 there, slogdet (0, -inf); their derivatives say that the matrix is singular."""
    a = gx.input("a", (2, 2), "float64")
    value = np.array([[1.0, 2.0], [2.0, 4.0]])
    check(gx.det, np.array(0.0), value)
    check(gx.slogdet, (np.array(0.0), np.array(-np.inf)), value)
    for y in (gx.det(a), gx.slogdet(a)[1]):
        for target in TARGETS:
            with pytest.raises(SingularMatrixError, match="2 x 2 matrix is singular"):
                gx.compile(a, gx.grad(y, a), target=target)(value)


# ---- batches


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_batches_are_stacks(name: str) -> None:
    """vmap makes one routine of a stack, no loop over examples; so do nested ones."""
    x = gx.input("x", (2, 3, 4, 4), "float64")
    batched = gx.vmap(gx.vmap(lambda a: tuple(parts(ONE_OF_EACH[name](a)))))(x)
    assert not [node for node in topological(batched) if node.op.kind == "loop"]
    expected = gx.evaluate(parts(ONE_OF_EACH[name](x)), {x: POSITIVE})
    for found, other in zip(gx.evaluate(list(batched), {x: POSITIVE}), expected, strict=True):
        np.testing.assert_allclose(found, other, atol=1e-12)


def test_one_matrix_is_factored_once_for_a_batch() -> None:
    """Right sides of a batch become columns; a batch of matrices shares a right side."""
    a, b = gx.input("a", (4, 4), "float64"), gx.input("b", (7, 4, 2), "float64")
    given = RANDOM.standard_normal((7, 4, 2))
    for function in (gx.solve, gx.linalg.triangular_solve):
        y = gx.vmap(lambda right, function=function: function(a, right))(b)
        routines = [node for node in topological([y]) if node.op.kind == "routine"]
        assert [node.shape for node in routines] == [(4, 14)]
        one = np.tril(POSITIVE[0, 0]) if function is not gx.solve else POSITIVE[0, 0]
        expected = np.linalg.solve(one, given)
        np.testing.assert_allclose(gx.evaluate(y, {a: one, b: given}), expected, atol=1e-12)
    many = gx.input("m", (3, 4, 4), "float64")
    y = gx.vmap(lambda one: gx.solve(one, b[0]))(many)
    expected = np.linalg.solve(POSITIVE[0], given[0])
    np.testing.assert_allclose(gx.evaluate(y, {many: POSITIVE[0], b: given}), expected, atol=1e-12)


def test_many_small_matrices_in_parallel() -> None:
    """Rows that are split over threads have scratch of their own: the same bits every time."""
    a = gx.input("a", ("n", 6, 6), "float64")
    value = RANDOM.standard_normal((3000, 6, 6))
    value = value @ value.mT + np.eye(6)
    outputs = [gx.inv(a), gx.cholesky(a), gx.expm(a / 50), *gx.eigh(a), *gx.svd(a), *gx.qr(a)]
    f = gx.compile(a, outputs)
    first = f(value)
    for found, again in zip(first, f(value), strict=True):
        np.testing.assert_array_equal(found, again)
    np.testing.assert_allclose(first[0], np.linalg.inv(value), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(first[1], np.linalg.cholesky(value), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(first[2], linalg.expm(value / 50), rtol=1e-9)
    np.testing.assert_allclose(first[3], np.linalg.eigvalsh(value), rtol=1e-8)
