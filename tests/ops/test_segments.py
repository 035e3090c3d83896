"""Values combined by segment, and what a computed mask selects, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import DTypeError, IndexRangeError, ShapeError

IDS = np.array([2, 0, 2, 4, 0])
TARGETS = ("python", "cpu")


def per_segment(values: np.ndarray, function: str, empty: float) -> np.ndarray:
    result = np.full((5, *values.shape[1:]), empty)
    for segment in set(IDS.tolist()):
        result[segment] = getattr(np, function)(values[segment == IDS], axis=0)
    return result


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(5,), (5, 3)])
def test_values(shape: tuple[int, ...], target: str) -> None:
    """Numbers in any order; segments without values are 0, 0, -inf, inf and 1."""
    v, s = gx.input("v", shape, "float64"), gx.input("s", (5,), "int32")
    cases = {"sum": 0.0, "mean": 0.0, "max": -np.inf, "min": np.inf, "prod": 1.0}
    outputs = [getattr(gx, f"segment_{name}")(v, s, 5) for name in cases]
    value = np.random.default_rng(0).standard_normal(shape)
    found = gx.compile([v, s], outputs, target=target)(value, IDS)
    for have, (name, empty) in zip(found, cases.items(), strict=True):
        np.testing.assert_allclose(have, per_segment(value, name, empty), rtol=1e-14, err_msg=name)


def test_integers_and_errors() -> None:
    """Integers keep their dtype, but for a mean; numbers outside are reported."""
    v = gx.const(np.array([3, -1, 2]))
    np.testing.assert_array_equal(
        gx.evaluate(gx.segment_max(v, [1, 1, 0], 3)), [2, 3, np.iinfo(np.int64).min]
    )
    assert gx.segment_mean(v, [0, 0, 1], 2).dtype.name == "float32"
    with pytest.raises(IndexRangeError, match=r"index -1 at position 1 .*0 <= index < 3"):
        gx.evaluate(gx.segment_sum(v, [0, -1, 0], 3))
    with pytest.raises(ShapeError, match=r"begins with that of the segment numbers, \(2,\)"):
        gx.segment_max(v, [0, 1], 3)
    with pytest.raises(DTypeError, match="segment_min: expected integer indices, got float32"):
        gx.segment_min(v, [0.0, 1.0, 2.0], 3)


@pytest.mark.parametrize("target", TARGETS)
def test_the_gradient_of_a_mean_by_segment(target: str) -> None:
    """Each value has one part of its segment's gradient."""
    v, s = gx.input("v", (5,), "float64"), gx.input("s", (5,), "int64")
    loss = gx.sum(gx.segment_mean(v, s, "k") * gx.ramp(("k",), 0, "float64"))
    k = gx.input("k", ("k",))
    found = gx.compile([v, s, k], gx.grad(loss, v), target=target)(np.ones(5), IDS, np.zeros(5))
    np.testing.assert_allclose(found, [1.0, 0.0, 1.0, 4.0, 0.0])


# ---- masks


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [0, 2, 4, 9])
def test_nonzero_and_compress(size: int, target: str) -> None:
    """The first elements in row-major order, then the fill value."""
    value = np.array([[0.0, 2.0, -1.0], [3.0, np.nan, 0.0]])
    x = gx.input("x", ("n", 3), "float64")
    rows, columns = gx.nonzero(x, size=size, fill_value=-1)
    some = gx.compress(gx.not_equal(x, 0), x, size=size, fill_value=7)
    lines = gx.compress(x[:, 0] > 0, x, axis=0, size=size)
    across = gx.compress(np.array([True, False, True]), x, axis=1, size=size, fill_value=-2)
    found = gx.compile(x, [rows, columns, some, lines, across], target=target)(value)
    expected = [*np.nonzero(value), value[value != 0], value[value[:, 0] > 0],
                value[:, [0, 2]].T]  # fmt: skip
    for have, want, fill in zip(found, expected, (-1, -1, 7, 0, -2), strict=True):
        have = have.T if have.shape == (2, size) else have
        kept = min(size, len(want))
        np.testing.assert_array_equal(have[:kept], want[:kept])
        np.testing.assert_array_equal(have[kept:], np.full(have[kept:].shape, fill))


def test_compress_has_the_gradient_of_what_it_took() -> None:
    """Elements that were not taken, or that came too late, have none."""
    x = gx.input("x", (4,), "float64")
    loss = gx.sum(gx.compress(x > 0, x, size=2) ** 2)
    found = gx.evaluate(gx.grad(loss, x), {x: [1.0, -1.0, 3.0, 4.0]})
    np.testing.assert_array_equal(found, [2.0, 0.0, 6.0, 0.0])


def test_errors_of_masks() -> None:
    """Shapes that do not go together, and scalars."""
    x = gx.input("x", (2, 3))
    with pytest.raises(ShapeError, match=r"expected a mask of shape \(2, 3\), or an axis"):
        gx.compress(x[0] > 0, x, size=2)
    with pytest.raises(ShapeError, match=r"expected a mask of shape \(3,\) for axis 1"):
        gx.compress(x[:, 0] > 0, x, axis=1, size=2)
    with pytest.raises(ShapeError, match="got a scalar"):
        gx.nonzero(gx.input("s"), size=1)
