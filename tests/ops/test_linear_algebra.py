"""Linear algebra: values against NumPy and SciPy on both targets, derivatives against differences,
and the hard cases: nothing, one, singular, badly conditioned, equal eigenvalues, nan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import linalg

import graphc as gx
from graphc.errors import NotPositiveDefiniteError, ShapeError, SingularMatrixError
from graphc.ir.node import Node
from graphc.ops.exact import truth
from tests.ops.matrix_cases import (
    ONE_OF_EACH,
    POSITIVE,
    RANDOM,
    SQUARE,
    SYMMETRIC,
    TALL,
    TARGETS,
    check,
    computed,
    parts,
)

SHAPES = {"square": SQUARE, "tall": TALL, "wide": TALL.mT, "one matrix": TALL[0, 0]}


# ---- values


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 2e-4)])
def test_stacks_against_numpy(dtype: str, tolerance: float) -> None:
    """Every matrix of a stack is treated as NumPy does, in both precisions."""
    options: dict[str, Any] = {"dtype": dtype, "tolerance": tolerance}
    right = RANDOM.standard_normal((2, 3, 4, 2))
    check(gx.solve, np.linalg.solve(POSITIVE, right), POSITIVE, right, **options)
    check(gx.inv, np.linalg.inv(POSITIVE), POSITIVE, **options)
    check(gx.det, np.linalg.det(SQUARE), SQUARE, **options)
    check(gx.slogdet, tuple(np.linalg.slogdet(SQUARE)), SQUARE, **options)
    check(gx.cholesky, np.linalg.cholesky(POSITIVE), POSITIVE, **options)
    check(gx.linalg.eigvalsh, np.linalg.eigvalsh(SYMMETRIC), SYMMETRIC, **options)
    check(gx.expm, linalg.expm(SQUARE / 2), SQUARE / 2, **options)
    check(gx.linalg.pinv, np.linalg.pinv(TALL), TALL, **options)


@pytest.mark.parametrize("shape", SHAPES)
def test_qr_and_singular_values_of_any_shape(shape: str) -> None:
    """QR is NumPy's, with its signs; singular vectors are orthonormal and give the matrix back."""
    a = np.ascontiguousarray(SHAPES[shape])
    check(gx.qr, tuple(np.linalg.qr(a)), a)
    check(lambda x: gx.linalg.qr(x, mode="r"), np.linalg.qr(a, mode="r"), a)
    check(gx.linalg.svdvals, np.linalg.svdvals(a), a)
    for u, s, vh in computed(gx.svd, a):
        identity = np.broadcast_to(np.eye(s.shape[-1]), (*s.shape, s.shape[-1]))
        np.testing.assert_allclose((u * s[..., None, :]) @ vh, a, atol=1e-13)
        np.testing.assert_allclose(u.mT @ u, identity, atol=1e-13)
        np.testing.assert_allclose(vh @ vh.mT, identity, atol=1e-13)


@pytest.mark.parametrize("name", ["qr", "svd"])
def test_larger_matrices_take_the_blocked_algorithms(name: str) -> None:
    """Protects the sizes of workspaces: LAPACK's blocks begin at some tens of columns."""
    for shape in ((150, 70), (70, 150), (128, 128), (300, 20)):
        a = RANDOM.standard_normal(shape)
        for found in computed(getattr(gx, name), a)[2:]:
            whole = found[0] @ found[1] if name == "qr" else (found[0] * found[1]) @ found[2]
            np.testing.assert_allclose(whole, a, atol=1e-12)


def test_eigenvectors() -> None:
    """Columns, orthonormal, in the order of ascending eigenvalues; large and small matrices."""
    for a in (SYMMETRIC, RANDOM.standard_normal((120, 120))):
        symmetric = a + a.mT
        for w, v in computed(gx.eigh, symmetric):
            assert (np.diff(w) >= 0).all()
            np.testing.assert_allclose(symmetric @ v, v * w[..., None, :], atol=1e-11)
            identity = np.broadcast_to(np.eye(a.shape[-1]), v.shape)
            np.testing.assert_allclose(v.mT @ v, identity, atol=1e-12)


def test_the_triangle_that_is_read() -> None:
    """cholesky and eigh read one triangle; what the other holds does not matter."""
    above = np.triu(np.full((4, 4), np.nan), 1)
    lower, upper = POSITIVE + above, POSITIVE + above.T
    check(gx.cholesky, np.linalg.cholesky(POSITIVE), lower)
    expected = np.linalg.cholesky(POSITIVE).mT
    check(lambda a: gx.linalg.cholesky(a, upper=True), expected, upper)
    values = np.linalg.eigvalsh(POSITIVE)
    check(gx.linalg.eigvalsh, values, lower)
    check(lambda a: gx.linalg.eigvalsh(a, UPLO="U"), values, upper)


@pytest.mark.parametrize("unit_diagonal", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("lower", [False, True])
def test_triangular_solve(lower: bool, transpose: bool, unit_diagonal: bool) -> None:
    """Every combination of flags against SciPy, for vectors and stacks; and its derivatives. What
    is not read holds nan."""
    flags: dict[str, Any] = {"lower": lower, "transpose": transpose, "unit_diagonal": unit_diagonal}
    a, b = SQUARE[0] + 4 * np.eye(4), RANDOM.standard_normal((3, 4, 2))

    def expected(one: np.ndarray, right: np.ndarray) -> Any:
        trans: Any = int(transpose)
        return linalg.solve_triangular(
            one, right, trans=trans, lower=lower, unit_diagonal=unit_diagonal
        )

    unread = ~np.tri(4, 4, dtype=bool) if lower else np.tri(4, 4, -1, dtype=bool)
    marked = np.where(unread | (np.eye(4, dtype=bool) & unit_diagonal), np.nan, a)

    def function(x: Node, y: Node) -> Any:
        return gx.linalg.triangular_solve(x, y, **flags)

    check(function, np.stack([expected(*pair) for pair in zip(a, b, strict=True)]), marked, b)
    check(function, expected(a[0], b[0, :, 0]), marked[0], b[0, :, 0])
    check(function, np.stack([expected(a[0], y) for y in b]), marked[0], b)
    x, y = gx.input("x", a.shape, "float64"), gx.input("y", b.shape, "float64")
    gx.check_gradients(function(x, y), [x, y], {x: a, y: b})


def test_right_sides_broadcast() -> None:
    """As in NumPy 2: only an array of one axis is a vector; leading axes broadcast."""
    one, b = POSITIVE[0, 0], RANDOM.standard_normal((3, 4, 2))
    vector = RANDOM.standard_normal(4)
    check(gx.solve, np.linalg.solve(POSITIVE, vector), POSITIVE, vector)
    check(gx.solve, np.linalg.solve(POSITIVE, b), POSITIVE, b)
    check(gx.solve, np.linalg.solve(one, b), one, b)
    check(gx.linalg.lstsq, np.linalg.lstsq(TALL[0, 0], np.arange(5.0))[0], TALL[0, 0], np.arange(5))


def test_powers_and_integers() -> None:
    """matrix_power of both signs, and of integers, which stay integers."""
    for n in (0, 1, 2, 3, 7, -1, -3):
        expected = np.linalg.matrix_power(POSITIVE / 9, n)
        check(lambda a, n=n: gx.linalg.matrix_power(a, n), expected, POSITIVE / 9, tolerance=1e-9)
    whole = np.array([[1, 2], [3, 4]], "int32")
    check(lambda a: gx.linalg.matrix_power(a, 5), np.linalg.matrix_power(whole, 5), whole)
    assert gx.det(gx.const(whole)).dtype.name == "float32"


@pytest.mark.parametrize("scale", [1e-9, 1.0, 30.0, 300.0])
def test_exponentials_of_small_and_large_matrices(scale: float) -> None:
    """Scaling and squaring against SciPy's, and a nilpotent and a rotation in closed form."""
    a = SYMMETRIC[0] * scale / 10
    size = np.abs(linalg.expm(a)).max(axis=(-2, -1), keepdims=True)
    for (found,) in computed(gx.expm, a):
        np.testing.assert_allclose(found / size, linalg.expm(a) / size, atol=1e-11)
    turn = np.array([[0.0, -scale], [scale, 0.0]])
    c, s = np.cos(scale), np.sin(scale)
    check(gx.expm, np.array([[c, -s], [s, c]]), turn, tolerance=1e-10)
    check(gx.expm, np.array([[1, scale], [0, 1]]), [[0.0, scale], [0.0, 0.0]])


def test_determinants_whose_products_leave_the_range() -> None:
    """Pivots of 1e-200 and 1e200 multiply to 1 whatever comes first; 0 and infinity stay."""
    for order in ((1e-200, 1e-200, 1e200, 1e200), (1e200, 1e200, 1e-200, -1e-200)):
        check(gx.det, np.prod(np.sign(order)), np.diag(order), tolerance=1e-9)
    check(gx.det, np.array(0.0), np.diag([1e200, 1e200, 0.0]))
    check(gx.det, np.array(np.inf), np.diag([1e200, 1e200]))


def test_exact_values() -> None:
    """The oracle with many digits agrees, so `gx.accuracy` can measure these."""
    a = gx.input("a", (2, 3, 3), "float64")
    value = POSITIVE[0, :2, :3, :3]
    for y in (gx.inv(a), gx.det(a), gx.slogdet(a)[1], gx.cholesky(a), gx.expm(a),
    gx.linalg.triangular_solve(a, a, lower=False)):  # fmt: skip
        exact = np.asarray(truth(y, {a: value}), float)
        np.testing.assert_allclose(gx.evaluate(y, {a: value}), exact, rtol=1e-12, atol=1e-12)


def test_matrix_norms_by_singular_values() -> None:
    """ord 2, -2 and nuc, along any two axes, and their gradients."""
    for ord in (2, -2, "nuc"):
        expected = np.linalg.norm(TALL, ord, axis=(0, 2))
        check(lambda x, ord=ord: gx.norm(x, ord, axis=(0, 2)), expected, TALL)
        kept = np.linalg.norm(TALL, ord, axis=(-1, -2), keepdims=True)
        check(lambda x, ord=ord: gx.norm(x, ord, axis=(-1, -2), keepdims=True), kept, TALL)
        x = gx.input("x", (4, 3), "float64")
        gx.check_gradients(gx.norm(x, ord), x, {x: TALL[0, 0, :4]})


def test_numpys_functions_take_nodes() -> None:
    """np.linalg's functions build nodes, also those that np has under the same name."""
    a = gx.input("a", (2, 3, 4, 4), "float64")
    for name in ("inv", "det", "cholesky", "eigvalsh", "pinv", "svdvals", "trace", "diagonal"):
        function = getattr(np.linalg, name)
        expected = function(POSITIVE)
        np.testing.assert_allclose(gx.evaluate(function(a), {a: POSITIVE}), expected, rtol=1e-9)
    values, vectors = np.linalg.eigh(a)
    assert (values.shape, vectors.shape) == ((2, 3, 4), (2, 3, 4, 4))
    assert len(parts(np.linalg.svd(a))) == 3


# ---- symbolic sizes, nothing, and one


def test_symbolic_sizes() -> None:
    """Matrices and stacks of any size, compiled once; QR where it is known which side is longer."""
    a = gx.input("a", ("b", "n", "n"), "float64")
    f = gx.compile(a, [gx.inv(a), *gx.eigh(a), *gx.svd(a)])
    n = a.shape[-1]
    tall = gx.input("t", (n + 2, n), "float64")
    g = gx.compile(tall, list(gx.qr(tall)))
    for b, size in ((1, 1), (3, 2), (2, 5), (0, 3), (2, 0)):
        value = RANDOM.standard_normal((b, size, size))
        value = value @ value.mT + np.eye(size)
        inverse, w, _, u, s, vh = f(value)
        np.testing.assert_allclose(inverse, np.linalg.inv(value), rtol=1e-9)
        np.testing.assert_allclose(w, np.linalg.eigvalsh(value), rtol=1e-10)
        np.testing.assert_allclose((u * s[..., None, :]) @ vh, value, atol=1e-12)
        long = RANDOM.standard_normal((size + 2, size))
        for found, expected in zip(g(long), np.linalg.qr(long), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (0, 3, 3), (2, 0, 0)])
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_nothing_and_one(name: str, shape: tuple[int, ...]) -> None:
    """No rows, no matrices and one element, in value and in gradient."""
    x = gx.input("x", shape, "float64")
    outputs = parts(ONE_OF_EACH[name](x))
    slope = gx.grad(sum(gx.sum(y) for y in outputs), x)
    value = np.full(shape, 2.0)
    if 3 in shape:
        value = np.zeros(shape)
    expected = gx.evaluate([*outputs, slope], {x: value})
    for target in TARGETS:
        found = gx.compile(x, [*outputs, slope], target=target)(value)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.abs(one), np.abs(other), rtol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3), (0, 3, 2)])
@pytest.mark.parametrize("name", ["qr", "svd"])
def test_sides_of_nothing(name: str, shape: tuple[int, ...]) -> None:
    """Shapes as NumPy's, where one side or the stack is empty."""
    function = np.linalg.qr if name == "qr" else lambda x: np.linalg.svd(x, full_matrices=False)
    for found in computed(getattr(gx, name), np.zeros(shape)):
        assert [f.shape for f in found] == [f.shape for f in function(np.zeros(shape))]
    turned = (*shape[:-2], shape[-1], shape[-2])
    check(gx.linalg.pinv, np.zeros(turned), np.zeros(shape))


# ---- what goes wrong


@pytest.mark.parametrize("target", [*TARGETS, "evaluate"])
def test_failures_name_the_matrix_and_the_line(target: str) -> None:
    """Which matrix of the stack, which pivot (of the kernels), and where it was written."""
    a = gx.input("a", (2, 2, 2, 2), "float64")
    value = np.broadcast_to(np.eye(2), (2, 2, 2, 2)).copy()
    value[1, 0] = [[1, 2], [2, 4]]
    diagonal = np.broadcast_to(np.eye(2), (2, 2, 2, 2)).copy()
    diagonal[0, 1, 0, 0] = 0
    cases: list[tuple[Node, np.ndarray, str, Any]] = [
        (gx.solve(a, a), value, r"at \[1, 0\] of the stack is singular: pivot 2 is zero",
         SingularMatrixError),
        (gx.linalg.triangular_solve(a, a), diagonal,
         r"the 2 x 2 matrix at \[0, 1\] of the stack is singular: pivot 1 is", SingularMatrixError),
        (gx.cholesky(a), value - np.eye(2) * 1e-3,
         r"at \[0, 0\]|at \[1, 0\] of the stack is not positive definite: pivot 2",
         NotPositiveDefiniteError),
    ]  # fmt: skip
    for y, given, message, error in cases:
        known = message.partition(": pivot")[0] if target == "evaluate" else message
        compute = gx.compile(a, y, target=target) if target != "evaluate" else None
        run = compute or (lambda value, y=y: gx.evaluate(y, {a: value}))
        with pytest.raises(error, match=known) as caught:
            run(given)
        assert "test_linear_algebra.py" in str(caught.value)
    with pytest.raises(ShapeError, match="the smaller of n and 3 .* not known"):
        gx.svd(gx.input("x", ("n", 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_nan_and_infinity_come_to_an_end(name: str, bad: float) -> None:
    """What is not finite neither hangs nor spoils the other matrices of the stack: decompositions
    of it are nan."""
    value = POSITIVE[0].copy()
    value[1, 2, 1] = bad
    whole = computed(ONE_OF_EACH[name], value)
    rest = computed(ONE_OF_EACH[name], POSITIVE[0][[0, 2]])
    for found, others in zip(whole, rest, strict=True):
        for one, other in zip(found, others, strict=True):
            np.testing.assert_allclose(one[[0, 2]], other, rtol=1e-12, atol=1e-13)
            if name in ("eigh", "qr", "svd", "expm", "pinv"):
                assert np.isnan(one[1]).all()
    if name == "cholesky":
        assert all(np.isnan(found[0][1][np.tri(4, dtype=bool)]).all() for found in whole)


def test_badly_conditioned_matrices() -> None:
    """Backward stable: the residual is small beside the matrix, whatever the condition (1e13)."""
    a = linalg.hilbert(10)
    b = a @ np.ones(10)
    for (x,) in computed(gx.solve, a, b):
        assert np.abs(a @ x - b).max() < 1e-15 * np.abs(x).max() * 10
    for u, s, vh in computed(gx.svd, a):
        np.testing.assert_allclose((u * s) @ vh, a, atol=1e-14)
    for (inverse,) in computed(lambda x: gx.linalg.pinv(x, 1e-8), a):
        np.testing.assert_allclose(inverse, np.linalg.pinv(a, rcond=1e-8), rtol=1e-6, atol=1)
