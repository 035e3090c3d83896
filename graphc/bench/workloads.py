"""What is measured: each workload is a row of data about a model in `graphc.bench.models`.

To measure something else, add a row; for another model, a file beside the others as well.
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphc.bench.model import Model

JAX = ("jax", "jax-scan")


@dataclass(frozen=True)
class Target:
    """A promise about a workload: one of these.

    At most `ratio` of the best figure of `peers` (all, if empty); at most `limit` units; at most
    `memory` of the least peak memory of `peers`; at least `of_matrix_product` of the machine's
    rate of matrix products.
    """

    ratio: float = 0.0
    limit: float = 0.0
    memory: float = 0.0
    of_matrix_product: float = 0.0
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workload:
    """One row of the comparison.

    `model` says what is computed: the name of a module of `graphc.bench.models`; `settings` its
    sizes. `measure` says what of it is timed: "steady" (one step or call once all is compiled),
    "first" (from arrays to the first result, with an empty kernel cache), "second" (the same with
    the cache that such a process left) or "import". A result that differs from the float64
    reference by more than `tolerance`, relatively, is wrong. `operations` are the floating-point
    operations of the matrix products of a step, where these are nearly all of it. A process that
    takes longer than `timeout` seconds is stopped; there are at most `processes` of each framework,
    if that is not 0.
    """

    name: str
    group: str
    title: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    measure: str = "steady"
    unit: str = "us"
    tolerance: float = 1e-4
    targets: tuple[Target, ...] = ()
    frameworks: tuple[str, ...] = ()  # all that have the model, if empty
    operations: int = 0
    timeout: int = 300
    processes: int = 0


# ---- training steps

_NO_MORE_MEMORY = Target(memory=1.0, peers=JAX)


def _training(
    name: str, title: str, model: str, settings: Mapping[str, Any], ratio: float, **more: Any
) -> Workload:
    settings = {"optimizer": "sgd", "rate": 1e-3, **settings}
    targets = (Target(ratio=ratio), *more.pop("targets", ()), _NO_MORE_MEMORY)
    return Workload(name, "training", title, model, settings, targets=targets, **more)


def _mlp(
    name: str, sizes: tuple[int, ...], batch: int, steps: int, ratio: float, **more: Any
) -> Workload:
    settings = {"sizes": sizes, "batch": batch, "steps": steps, **more.pop("settings", {})}
    words = [
        settings.get("optimizer", "sgd").upper().replace("ADAM", "Adam"),
        settings.get("dtype", ""),
    ]
    title = ", ".join(["MLP " + "-".join(map(str, sizes)), f"batch {batch}", *filter(None, words)])
    return _training(name, title, "mlp", settings, ratio, **more)


_DIGITS = (784, 256, 128, 10)
_LARGE = (784, 1024, 1024, 10)
_LENET = {"size": 28, "channels": (20, 50), "hidden": 500, "batch": 64}
_LSTM = {"length": 50, "hidden": 64, "vocabulary": 32, "batch": 16}
_RNN = {"length": 100, "inputs": 4, "hidden": 16, "batch": 4}


def _products(sizes: tuple[int, ...], batch: int) -> int:
    """Forward, and twice as many for the gradients, but for the gradient of the data."""
    products = [a * b for a, b in itertools.pairwise(sizes)]
    return 2 * batch * (3 * sum(products) - products[0])


_TRAINING = (
    _mlp("mlp_tiny", (64, 32, 10), 32, 1000, 0.5),
    _mlp("mlp_small_batch", _DIGITS, 32, 300, 0.8),
    _mlp("mlp_mid", _DIGITS, 128, 300, 0.9),
    _mlp("mlp_adam", _DIGITS, 128, 300, 0.9, settings={"optimizer": "adam"}),
    _mlp(
        "mlp_large", _LARGE, 128, 40, 1.0, operations=_products(_LARGE, 128),
        targets=(Target(of_matrix_product=0.85),),
    ),
    _mlp("mlp_odd", (100, 300, 50, 7), 77, 300, 0.9),
    _mlp("mlp_float64", _DIGITS, 128, 100, 1.0, settings={"dtype": "float64"}),
    _training("lenet", "LeNet on 28 x 28, batch 64, SGD", "lenet", {**_LENET, "steps": 20}, 0.65),
    _training(
        "lstm", "LSTM, 50 steps, hidden 64, vocabulary 32, batch 16, SGD",
        "lstm", {**_LSTM, "steps": 40}, 0.65,
    ),
    _training(
        "rnn", "tanh RNN, 100 steps, 16 units, batch 4, SGD", "rnn", {**_RNN, "steps": 200}, 0.3
    ),
)  # fmt: skip

# ---- calls of a function


def _call(
    name: str, title: str, model: str, settings: Mapping[str, Any], ratio: float, **more: Any
) -> Workload:
    group = more.pop("group", "functions")
    return Workload(name, group, title, model, settings, targets=(Target(ratio=ratio),), **more)


_FUNCTIONS = (
    _call(
        "softmax_xent_grad", "softmax cross-entropy and gradient, 4096 x 1000",
        "softmax_cross_entropy", {"rows": 4096, "classes": 1000}, 0.5,
    ),
    _call(
        "layer_norm_grad", "gradient of layer norm, 4096 x 1024", "layer_norm",
        {"rows": 4096, "columns": 1024}, 0.5,
    ),
    _call(
        "gelu_chain_grad", "gradient of tanh-GELU, 2^22 numbers", "gelu", {"count": 1 << 22}, 0.85
    ),
    _call(
        "black_scholes", "Black-Scholes price and five gradients, 2^20 options", "black_scholes",
        {"count": 1 << 20}, 0.75,
    ),
    _call(
        "logsumexp_rows", "logsumexp of rows and gradient, 4096 x 64", "logsumexp",
        {"rows": 4096, "columns": 64}, 1.0,
    ),
    _call(
        "sum_of_squares", "sum of squares of 2^24 numbers", "sum_of_squares",
        {"count": 1 << 24}, 1.0, tolerance=1e-3,
    ),
    _call(
        "softmax_float64", "softmax in float64, 2048 x 512", "softmax",
        {"rows": 2048, "columns": 512}, 1.0, tolerance=1e-10,
    ),
    _call(
        "attention_grad", "gradient of attention, batch 32, 4 heads, 64 x 32", "attention",
        {"batch": 32, "heads": 4, "length": 64, "width": 32}, 1.0,
    ),
    _call(
        "hvp", "Hessian-vector product, MLP 784-256-128-10, batch 128", "hvp",
        {"sizes": _DIGITS, "batch": 128}, 0.8,
    ),
    _call(
        "gmm_grad", "ADBench: Gaussian mixture and gradient, n 1000, d 10, k 25",
        "gaussian_mixture", {"count": 1000, "dimension": 10, "components": 25}, 1.0, tolerance=1e-8,
    ),
    _call(
        "call_scalar", "gradient of sin(x) exp(-x^2), one call", "scalar", {"calls": 2000}, 0.35
    ),
)  # fmt: skip

# ---- from nothing to the first result


def _starts(name: str, title: str, model: str, settings: Mapping[str, Any]) -> tuple[Workload, ...]:
    settings = {"optimizer": "sgd", "rate": 1e-3, **settings}
    shared = Workload("", "start", "", model, settings, unit="s")
    return (
        dataclasses.replace(
            shared, name=f"{name}first_step", measure="first",
            title=f"{title}, arrays to first losses, nothing compiled before",
            targets=(Target(ratio=1.3, peers=JAX),),
        ),
        dataclasses.replace(
            shared, name=f"{name}second_process", measure="second",
            title=f"{title}, the same in a second process", targets=(Target(limit=0.1),),
        ),
    )  # fmt: skip


_START = (
    *_starts(
        "", "digits MLP 64-64-32-10", "mlp", {"sizes": (64, 64, 32, 10), "batch": 32, "steps": 45}
    ),
    *_starts("lenet_", "LeNet", "lenet", {**_LENET, "steps": 1}),
    *_starts("lstm_", "LSTM", "lstm", {**_LSTM, "steps": 1}),
    Workload(
        "import", "start", "import of the framework", "", measure="import", unit="s",
        targets=(Target(limit=0.25),), frameworks=("graphc", "jax", "torch", "pytensor"),
    ),
)  # fmt: skip


def _graph(nodes: int, operations: int, limit: float) -> tuple[Workload, ...]:
    title = f"generated graph of {nodes:,} nodes"
    first = Workload(
        f"graph_{nodes}", "graphs", f"{title}, arrays to first gradient", "generated",
        {"operations": operations, "side": 8}, measure="first", unit="s",
        targets=(Target(limit=limit),), timeout=120, processes=1,
    )  # fmt: skip
    second = dataclasses.replace(
        first, name=f"graph_{nodes}_second", measure="second",
        targets=(Target(limit=limit / 10),),
        title=f"{title}, the same in a second process",
    )  # fmt: skip
    return first, second


_GRAPHS = (*_graph(1_000, 110, 5.0), *_graph(10_000, 1150, 60.0))

WORKLOADS: tuple[Workload, ...] = (*_TRAINING, *_FUNCTIONS, *_START, *_GRAPHS)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(work.group for work in WORKLOADS))


def workload(name: str) -> Workload:
    """The workload of this name; KeyError if there is none."""
    return {each.name: each for each in WORKLOADS}[name]


def model_of(work: Workload) -> Model | None:
    """What a workload computes; None for an import."""
    if not work.model:
        return None
    found: Model = importlib.import_module(f"graphc.bench.models.{work.model}").MODEL
    return found
