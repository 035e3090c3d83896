"""What a model of the comparison is: its arrays, what they must give, and how each framework
writes it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Settings = Mapping[str, Any]
Given = Mapping[str, Array]

# How many losses from the start of a training are compared with the reference.
CHECKED_STEPS = 5
# What a training is fed, a row of each for each example; its other arrays are parameters.
DATA = ("x", "t")


@dataclass(frozen=True)
class Job:
    """A model written in a framework.

    `first` gives what is compared with the reference (its first call compiles, if anything does).
    `run` is what is timed: `steps` training steps or calls, with all results there when it returns.
    """

    first: Callable[[], Sequence[Array]]
    run: Callable[[], object]
    steps: int = 1


Maker = Callable[[Settings, Given], Job]


@dataclass(frozen=True)
class Model:
    """What is computed.

    `arrays` makes the arrays of some settings, the same for every framework; `reference` gives
    what each must return, from these arrays in float64; `makers` holds, by the name of a
    framework, what writes it there. A framework that is not among them does not take part.
    """

    arrays: Callable[[np.random.Generator, Settings], dict[str, Array]]
    reference: Callable[[Settings, Given], Sequence[Array]]
    makers: Mapping[str, Maker]


def repeated(
    settings: Settings, first: Callable[[], Sequence[Array]], call: Callable[[], object]
) -> Job:
    """A job that makes as many calls in a run as the settings have `calls`, or one."""
    count = int(settings.get("calls", 1))

    def many() -> None:
        for _ in range(count):
            call()

    return Job(first, call if count == 1 else many, count)


def library(name: str) -> Any:
    """A peer's library, which is optional and imported only in the process that measures it."""
    return importlib.import_module(name)


def given_arrays(model: Model, settings: Settings) -> dict[str, Array]:
    """The arrays that a model is fed, the same in every process."""
    return model.arrays(np.random.default_rng(20240229), settings)


def expected(model: Model, settings: Settings) -> list[Array]:
    """What every framework must return, by NumPy in float64."""
    given = {name: _wide(array) for name, array in given_arrays(model, settings).items()}
    return [np.asarray(array) for array in model.reference(settings, given)]


def relative_error(results: Sequence[Array], want: Sequence[Array]) -> float:
    """The largest difference by the largest expected number, of the worst of several arrays.

    Infinite for NaN, for another shape, or for another number of arrays.
    """
    if len(results) != len(want):
        return float("inf")
    return max(map(_relative_error, results, want))


def _relative_error(result: Array, want: Array) -> float:
    result = np.asarray(result)
    if result.shape != want.shape or not np.isfinite(result).all():
        return float("inf")
    return float(np.abs(result - want).max() / np.abs(want).max())


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def normal(random: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    """Normal numbers in float32."""
    return random.standard_normal(shape, np.float32) * np.float32(scale)


def parameters_of(given: Given) -> dict[str, Array]:
    """The arrays of a training that are no data."""
    return {name: array for name, array in given.items() if name not in DATA}
