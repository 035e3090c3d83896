"""What is measured: each workload is a row of data, and its arrays are a function of that row.

Every framework builds the model from the same row and is fed the same arrays. To measure something
else, add a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# How many losses from the start of a training are compared with the reference.
CHECKED_STEPS = 5


@dataclass(frozen=True)
class Target:
    """A promise about a workload: at most `ratio` of a peer's figure, or at most `limit` units."""

    framework: str = ""
    ratio: float = 0.0
    limit: float = 0.0


@dataclass(frozen=True)
class Workload:
    """One row of the comparison.

    `model` says what is computed (see `arrays`), `settings` its sizes. `measure` says what of it is
    timed: "steady" (one step or call once all is compiled), "first" (from arrays to the first
    result, with an empty kernel cache), "second" (the same with the cache that such a process left)
    or "import". A result that differs from the float64 reference by more than `tolerance`,
    relatively, is wrong.
    """

    name: str
    title: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    measure: str = "steady"
    unit: str = "us"
    tolerance: float = 1e-4
    targets: tuple[Target, ...] = ()
    frameworks: tuple[str, ...] = ()  # all, if empty


def _mlp(name: str, sizes: tuple[int, ...], batch: int, steps: int, **more: Any) -> Workload:
    """A training step of a multilayer perceptron with ReLU and softmax cross-entropy."""
    optimizer = more.pop("optimizer", "sgd")
    settings = {
        "sizes": sizes, "batch": batch, "steps": steps, "optimizer": optimizer, "rate": 1e-3,
    }  # fmt: skip
    title = f"MLP {'-'.join(map(str, sizes))}, batch {batch}, {optimizer.upper()}"
    return Workload(name, more.pop("title", title), "mlp", settings, **more)


_DIGITS: dict[str, Any] = {"sizes": (64, 64, 32, 10), "batch": 32, "steps": 45}

WORKLOADS: tuple[Workload, ...] = (
    _mlp("mlp_tiny", (64, 32, 10), 32, 1000, targets=(Target("jax-scan", 0.7),)),
    _mlp("mlp_mid", (784, 256, 128, 10), 128, 300, targets=(Target("jax-scan", 1.0),)),
    _mlp("mlp_adam", (784, 256, 128, 10), 128, 300, optimizer="adam"),
    Workload(
        "softmax_xent_grad", "softmax cross-entropy and gradient, 4096 x 1000",
        "softmax_cross_entropy", {"rows": 4096, "classes": 1000},
    ),
    Workload("gelu_chain_grad", "gradient of tanh-GELU, 2^22 numbers", "gelu", {"count": 1 << 22}),
    Workload("call_scalar", "gradient of sin(x) exp(-x^2), one call", "scalar", {"calls": 2000}),
    _mlp(
        "first_step", **_DIGITS, measure="first", unit="s",
        title="digits MLP 64-64-32-10, arrays to first losses, nothing compiled before",
        targets=(Target("jax-scan", 1.5),),
    ),
    _mlp(
        "second_process", **_DIGITS, measure="second", unit="s",
        title="the same in a second process", targets=(Target(limit=0.15),),
    ),
    Workload(
        "import", "import of the framework", "import", measure="import", unit="s",
        targets=(Target(limit=0.3),), frameworks=("graphc", "jax", "torch", "pytensor"),
    ),
)  # fmt: skip


def workload(name: str) -> Workload:
    """The workload of this name; KeyError if there is none."""
    return {each.name: each for each in WORKLOADS}[name]


def arrays(model: str, settings: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays that a workload is fed, float32 and int64, the same in every process.

    "mlp": `x` (steps * batch, in), `t` (steps * batch,), and `W0`, `b0`, `W1`, ...
    "softmax_cross_entropy": `x` (rows, classes), `t` (rows,). "gelu": `x` (count,). "scalar":
    `x` ().
    """
    random = np.random.default_rng(20240229)
    if model == "mlp":
        return _mlp_arrays(random, settings)
    if model == "softmax_cross_entropy":
        rows, classes = settings["rows"], settings["classes"]
        return {"x": _normal(random, rows, classes), "t": random.integers(0, classes, rows)}
    if model == "gelu":
        return {"x": _normal(random, settings["count"])}
    return {"x": np.array(0.3, np.float32)}


def _normal(random: np.random.Generator, *shape: int) -> Array:
    return random.standard_normal(shape, np.float32)


def _mlp_arrays(random: np.random.Generator, settings: Mapping[str, Any]) -> dict[str, Array]:
    sizes, count = settings["sizes"], settings["steps"] * settings["batch"]
    made = {"x": _normal(random, count, sizes[0]), "t": random.integers(0, sizes[-1], count)}
    for layer, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        made[f"W{layer}"] = _normal(random, rows, columns) * np.float32(np.sqrt(2 / rows))
        made[f"b{layer}"] = np.zeros(columns, np.float32)
    return made


def layers(settings: Mapping[str, Any]) -> int:
    """The number of weight matrices of an "mlp"."""
    return len(settings["sizes"]) - 1
