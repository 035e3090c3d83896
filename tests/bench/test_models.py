"""Every model gives in each framework what its reference in float64 gives, at small sizes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from graphc.bench import models
from graphc.bench.frameworks import FRAMEWORKS
from graphc.bench.model import Model, expected, given_arrays, parameters_of, relative_error
from graphc.bench.workloads import WORKLOADS

# A large rate, so that five losses depend on all gradients.
STEPS = {"batch": 4, "steps": 6, "rate": 0.1, "optimizer": "sgd"}
SMALL: dict[str, Mapping[str, Any]] = {
    "mlp": {**STEPS, "sizes": (7, 5, 3)},
    "lenet": {**STEPS, "size": 16, "channels": (3, 4), "hidden": 6, "rate": 0.02},
    "lstm": {**STEPS, "length": 5, "hidden": 6, "vocabulary": 7},
    "rnn": {**STEPS, "length": 6, "inputs": 3, "hidden": 5},
    "softmax_cross_entropy": {"rows": 6, "classes": 5},
    "layer_norm": {"rows": 6, "columns": 10},
    "gelu": {"count": 100},
    "black_scholes": {"count": 50},
    "logsumexp": {"rows": 5, "columns": 7},
    "sum_of_squares": {"count": 1000},
    "softmax": {"rows": 3, "columns": 8},
    "attention": {"batch": 2, "heads": 2, "length": 5, "width": 4},
    "hvp": {"sizes": (7, 5, 4, 3), "batch": 6},
    "gaussian_mixture": {"count": 7, "dimension": 3, "components": 4},
    "scalar": {"calls": 3},
    "generated": {"operations": 40, "side": 6},
}
VARIANTS = {
    **{name: (name, settings) for name, settings in SMALL.items()},
    "mlp, adam": ("mlp", {**SMALL["mlp"], "optimizer": "adam"}),
    "mlp, float64": ("mlp", {**SMALL["mlp"], "dtype": "float64"}),
}


def model(name: str) -> Model:
    return importlib.import_module(f"graphc.bench.models.{name}").MODEL


def test_every_model_has_a_small_variant_and_a_workload():
    """A model without one would be measured untested, or be dead weight."""
    files = {found.name for found in pkgutil.iter_modules(models.__path__)}
    assert files == SMALL.keys() == {work.model for work in WORKLOADS} - {""}


def test_makers_are_called_by_the_names_of_frameworks():
    """A maker under a misspelt name would never be measured."""
    known = {each.name for each in FRAMEWORKS}
    for name in SMALL:
        makers = model(name).makers.keys()
        assert makers <= known
        assert {"graphc", "torch", "torch-compile", "jax"} <= makers


@pytest.mark.parametrize("name", SMALL)
def test_arrays_are_the_same_each_time(name):
    """Frameworks in different processes are compared on the same numbers."""
    first, second = (given_arrays(model(name), SMALL[name]) for _ in range(2))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert {a.dtype.name for a in first.values()} <= {"float32", "float64", "int64"}


# torch-compile is torch's maker through a compiler that takes seconds for each.
IN_PROCESS = [each for each in FRAMEWORKS if each.name != "torch-compile"]


@pytest.mark.parametrize("framework", IN_PROCESS, ids=lambda framework: framework.name)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_framework_reproduces_the_reference(variant, framework):
    """The reference is written by hand in NumPy; so each side is the other's oracle."""
    name, settings = VARIANTS[variant]
    maker = model(name).makers.get(framework.name)
    if maker is None:
        pytest.skip("does not take part")
    if not framework.installed():
        pytest.skip(f"{framework.library} is not installed")
    given = given_arrays(model(name), settings)
    kept = {key: array.copy() for key, array in given.items()}
    job = maker(settings, given)
    result = [np.array(array) for array in job.first()]
    tolerance = 1e-12 if "float64" in {a.dtype.name for a in given.values()} else 2e-6
    assert relative_error(result, expected(model(name), settings)) < tolerance
    job.run()
    assert job.steps == settings.get("steps", settings.get("calls", 1))
    assert all(np.array_equal(given[key], kept[key]) for key in given), "changed its arrays"


@pytest.mark.parametrize("name", [name for name in SMALL if "optimizer" in SMALL[name]])
def test_the_backward_pass_of_a_reference_is_the_derivative_of_its_loss(name):
    """All frameworks are judged by the reference, so it is judged by differences itself."""
    module = importlib.import_module(f"graphc.bench.models.{name}")
    backward = getattr(module, "backward", None) or module._backward
    given = {
        key: array.astype(float) if array.dtype.kind == "f" else array
        for key, array in given_arrays(module.MODEL, SMALL[name]).items()
    }
    x, t, parameters = given["x"][:4], given["t"][:4], parameters_of(given)
    _, gradients = backward(parameters, x, t)
    assert gradients.keys() == parameters.keys()
    random, step = np.random.default_rng(1), 1e-6
    for key, value in parameters.items():
        direction = random.standard_normal(value.shape)
        higher, lower = (
            backward({**parameters, key: value + s * direction}, x, t)[0] for s in (step, -step)
        )
        slope = (higher - lower) / (2 * step)
        assert np.vdot(gradients[key], direction) == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_relative_error_is_infinite_for_what_cannot_be_compared():
    want = [np.ones(3), np.full(2, 100.0)]
    assert relative_error([np.array([1, 1, 1.5]), np.full(2, 100.0)], want) == 0.5
    assert relative_error([np.ones(3), np.array([100.0, 101.0])], want) == pytest.approx(0.01)
    assert relative_error([np.ones(3)], want) == float("inf")
    assert relative_error([np.ones(2), want[1]], want) == float("inf")
    assert relative_error([np.array([1, np.nan, 1]), want[1]], want) == float("inf")
