"""Dropout: its mask, scale, gradient and independence, and that it is off outside training."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import ArgumentError, DTypeError
from graphc.nn import dropout


def test_kept_elements_are_scaled_and_the_rest_is_zero() -> None:
    """A share of about `rate` is 0; the others are x / (1 - rate); the mean stays."""
    x = gx.input("x", ("n", 50))
    values = np.full((400, 50), 3.0, np.float32)
    result = gx.evaluate(dropout(x, 0.25, gx.random.stream(0)), {x: values})
    assert set(np.unique(result)) == {np.float32(0), np.float32(4)}
    assert (result == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert result.mean() == pytest.approx(3.0, abs=0.05)


def test_the_gradient_sees_the_same_mask() -> None:
    """Where the output is 0 the gradient is 0, else 1 / (1 - rate)."""
    x = gx.input("x", ("n",))
    y = dropout(x, 0.5, gx.random.stream(3))
    value, gradient = gx.evaluate([y, gx.grad(gx.sum(y), x)], {x: np.ones(1000)})
    assert (gradient == value).all()
    assert set(np.unique(gradient)) == {0.0, 2.0}


def test_two_dropouts_have_two_masks_and_steps_differ() -> None:
    """Each call is a draw of its own; each step draws anew; the same step repeats."""
    x = gx.input("x", ("n",))
    stream = gx.random.stream(0)
    first, second = dropout(x, 0.5, stream), dropout(x, 0.5, stream)
    feed = {x: np.ones(1000)}
    a, b = gx.evaluate([first, second], feed)
    assert (a != b).any()
    assert (gx.evaluate(first, feed, step=1) != a).any()
    assert (gx.evaluate(first, feed, step=0) == a).all()


def test_it_is_a_choice_on_the_training_flag() -> None:
    """With `gx.training` off, the graph gives x, to the bit, also where x is infinite."""
    x = gx.input("x", ("n",))
    y = dropout(x, 0.9, gx.random.stream(0))
    values = np.array([1.0, -0.0, np.inf, np.nan, 1e-40], np.float32)
    off = gx.evaluate(y, {x: values, gx.training: False})
    assert off.tobytes() == values.tobytes()


def test_a_dropped_infinity_is_zero() -> None:
    """Dropping selects; it does not multiply by 0, which would make NaN of an infinity."""
    x = gx.input("x", ("n",))
    result = gx.evaluate(dropout(x, 0.5, gx.random.stream(0)), {x: np.full(100, np.inf)})
    assert set(result.tolist()) == {0.0, np.inf}


def test_rate_zero_is_the_identity() -> None:
    """No node, no draw: later uses of the stream do not shift."""
    x = gx.input("x", ("n",))
    stream, other = gx.random.stream(0), gx.random.stream(0)
    assert dropout(x, 0, stream) is x
    assert dropout(x, 0.0, stream) is x
    feed = {x: np.ones(100)}
    a, b = gx.evaluate([dropout(x, 0.5, stream), dropout(x, 0.5, other)], feed)
    assert (a == b).all()


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, float("nan"), float("inf"), True, "0.5", None])
def test_bad_rates(rate: object) -> None:
    """The range is in the message; rate 1 would drop everything and divide by 0."""
    with pytest.raises(ArgumentError, match="dropout: expected 0 <= rate < 1, got .*test_dropout"):
        dropout(gx.input("x", (3,)), rate, gx.random.stream(0))  # type: ignore[arg-type]


def test_other_bad_arguments() -> None:
    """A seed in place of a stream, and integers, which cannot be scaled."""
    with pytest.raises(ArgumentError, match=r"expected a stream made by gx.random.stream\(seed\)"):
        dropout(gx.input("x", (3,)), 0.5, 0)  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="dropout: expected floats, got int64"):
        dropout(gx.input("x", (3,), dtype="int64"), 0.5, gx.random.stream(0))
