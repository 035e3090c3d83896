"""Initial values: their statistics, their seeds, their dtypes, and shapes that are no shapes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.nn import init

RANDOM: list[Callable[..., Any]] = [
    init.normal,
    init.uniform,
    init.glorot_normal,
    init.glorot_uniform,
    init.he_normal,
    init.he_uniform,
]
STD = {
    init.glorot_normal: math.sqrt(2 / (300 + 500)),
    init.glorot_uniform: math.sqrt(2 / (300 + 500)),
    init.he_normal: math.sqrt(2 / 300),
    init.he_uniform: math.sqrt(2 / 300),
}


def test_shapes_are_an_int_or_several() -> None:
    """`zeros(10)` and `zeros((2, 3))` both work, as in NumPy; so does no axis at all."""
    assert init.zeros(10).shape == (10,)
    assert init.zeros((2, 3)).shape == (2, 3)
    assert init.zeros([2, np.int64(3)]).shape == (2, 3)
    assert init.zeros(()).shape == ()
    assert init.he_normal(4).shape == (4,)
    assert init.he_normal((0, 3)).shape == (0, 3)


def test_constants() -> None:
    """Zeros are 0 and constants are the value, in the asked-for dtype."""
    assert not init.zeros((3, 2)).any()
    assert (init.constant((2, 2), -1.5) == -1.5).all()
    assert init.constant(2, 7, "int64").dtype == np.int64


@pytest.mark.parametrize("function", STD)
def test_scaled_weights_have_the_variance_of_their_source(function: Callable[..., Any]) -> None:
    """Glorot: 2 / (fan_in + fan_out). He: 2 / fan_in. Means near 0."""
    values = function((300, 500), seed=3).astype(np.float64)
    assert values.std() == pytest.approx(STD[function], rel=0.01)
    assert abs(values.mean()) < 0.01 * STD[function] + 4 * STD[function] / math.sqrt(values.size)


@pytest.mark.parametrize("function", [init.glorot_uniform, init.he_uniform])
def test_uniform_weights_fill_their_interval(function: Callable[..., Any]) -> None:
    """The limit is sqrt(3) standard deviations, and the values come near it on both sides."""
    values = function((300, 500), seed=1)
    limit = math.sqrt(3) * STD[function]
    assert values.max() <= limit * (1 + 1e-6)
    assert values.min() >= -limit * (1 + 1e-6)
    assert values.max() > 0.99 * limit
    assert values.min() < -0.99 * limit


def test_normal_and_uniform_take_their_parameters() -> None:
    """Mean and deviation, and both bounds, arrive."""
    values = init.normal(100_000, mean=2.0, std=0.5, seed=1)
    assert values.mean() == pytest.approx(2.0, abs=0.01)
    assert values.std() == pytest.approx(0.5, rel=0.01)
    values = init.uniform(100_000, low=-3.0, high=1.0, seed=1)
    assert -3 <= values.min() < -2.99
    assert 0.99 < values.max() <= 1


def test_a_vector_is_a_layer_of_one_output() -> None:
    """`(fan_in,)` counts as (fan_in, 1), for models such as x @ w."""
    assert (init.he_normal(50, seed=2) == init.he_normal((50, 1), seed=2)[:, 0]).all()
    assert (init.glorot_normal(50, seed=2) == init.glorot_normal((50, 1), seed=2)[:, 0]).all()


@pytest.mark.parametrize("function", RANDOM)
def test_a_seed_is_all_that_matters(function: Callable[..., Any]) -> None:
    """Equal seeds give equal bits, also after other draws; unequal seeds do not."""
    first = function((5, 4), seed=7)
    np.random.default_rng(7).random(3)
    function((9, 9), seed=8)
    assert function((5, 4), seed=7).tobytes() == first.tobytes()
    assert function((5, 4), seed=np.int64(7)).tobytes() == first.tobytes()
    assert function((5, 4), seed=8).tobytes() != first.tobytes()


@pytest.mark.parametrize("function", RANDOM)
def test_float32_is_float64_rounded(function: Callable[..., Any]) -> None:
    """Both precisions begin at the same point, so their runs can be compared."""
    wide = function((6, 3), seed=5, dtype="float64")
    assert wide.dtype == np.float64
    assert (wide.astype(np.float32) == function((6, 3), seed=5, dtype="float32")).all()


def test_the_bits_of_a_seed_are_known() -> None:
    """A model trained today starts from the same weights tomorrow."""
    values = init.he_normal((64, 32), seed=0, dtype="float64")
    digest = hashlib.sha256(np.round(values, 12).tobytes()).hexdigest()
    assert digest[:16] == "5de3043cec81ecd4"


def test_the_default_float_is_followed() -> None:
    """`gx.set_default_float` reaches initial values."""
    gx.set_default_float("float64")
    try:
        assert init.he_normal((2, 2)).dtype == np.float64
    finally:
        gx.set_default_float("float32")
    assert init.zeros(2).dtype == np.float32


@pytest.mark.parametrize("shape", [-1, (2, -3), "n", ("n", 3), 2.0, True, None, (2, None)])
def test_what_is_no_shape_is_refused(shape: object) -> None:
    """The message shows what came; nothing is guessed."""
    with pytest.raises(ShapeError, match="expected a shape of integers.*test_init.py"):
        init.zeros(shape)


def test_bad_arguments_are_named() -> None:
    """Seeds, dtypes, ranks and parameters that make no sense."""
    with pytest.raises(ArgumentError, match="he_normal: expected an integer seed.*-1"):
        init.he_normal((2, 2), seed=-1)
    with pytest.raises(ArgumentError, match="expected an integer seed.*0.5"):
        init.uniform((2, 2), seed=0.5)  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="normal: expected float32 or float64, got int64"):
        init.normal(3, dtype="int64")
    with pytest.raises(ShapeError, match=r"glorot_uniform: expected .*got \(\)"):
        init.glorot_uniform(())
    with pytest.raises(ArgumentError, match="std >= 0"):
        init.normal(3, std=-1.0)
    with pytest.raises(ArgumentError, match="low <= high"):
        init.uniform(3, low=1.0, high=float("nan"))
