"""What a run carries: which nodes, in which order, under which names."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.errors import CheckpointError
from graphc.train.carried import carried_nodes, check_fit, unique_names


def test_parameters_come_before_states_in_the_order_of_declaration() -> None:
    """The order does not depend on how the graph uses them."""
    s, W, b, t = (
        make(name, 1.0)
        for make, name in ((gx.state, "s"), (gx.param, "W"), (gx.param, "b"), (gx.state, "t"))
    )
    assert carried_nodes([t * b + 2.0, s * W]) == [W, b, s, t]


def test_equal_names_are_told_apart() -> None:
    """Later ones get a number, also around names that look numbered already."""
    nodes = [gx.param(name, 0.0) for name in ("W", "W", "W#2", "W", "reserved")]
    names = unique_names(nodes, {"reserved"})
    assert list(names) == ["W", "W#2", "W#2#2", "W#3", "reserved#2"]
    assert list(names.values()) == nodes


def test_every_difference_is_listed() -> None:
    """One error tells all, so that one look is enough."""
    expected = {"a": np.zeros(2), "b": np.zeros(2), "c": np.zeros((2, 1)), "d": np.zeros(())}
    found = {"a": np.zeros(2), "b": np.zeros(2, "f4"), "c": np.zeros((1, 2)), "x": np.zeros(1)}
    with pytest.raises(CheckpointError) as raised:
        check_fit("model.safetensors", found, expected)
    text = str(raised.value)
    assert text.startswith("model.safetensors: does not fit: ")
    assert "'b' is float32 (2,), expected float64 (2,)" in text
    assert "'c' is float64 (1, 2), expected float64 (2, 1)" in text
    assert "'d' is missing" in text
    assert "'x' is not in the model" in text
    assert "'a'" not in text
    check_fit("model.safetensors", expected, expected)
