"""The workloads in PyTorch: eager, or ("compile") with the loss through `torch.compile`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.bench.frameworks import Job, Maker, library
from graphc.bench.workloads import CHECKED_STEPS, Array, layers


def makers(variant: str) -> dict[str, Maker]:
    """A maker for each model."""
    through = library("torch").compile if variant == "compile" else _as_it_is
    every = {
        "mlp": _mlp, "softmax_cross_entropy": _softmax_cross_entropy, "gelu": _gelu,
        "scalar": _scalar,
    }  # fmt: skip
    return {name: functools.partial(make, through) for name, make in every.items()}


Through = Callable[[Callable[..., Any]], Callable[..., Any]]


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _mlp(through: Through, settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    torch = library("torch")
    functional = torch.nn.functional
    count, batch = layers(settings), settings["batch"]
    W = [torch.tensor(given[f"W{layer}"], requires_grad=True) for layer in range(count)]
    b = [torch.tensor(given[f"b{layer}"], requires_grad=True) for layer in range(count)]

    def loss_of(x: Any, t: Any) -> Any:
        for layer in range(count):
            x = torch.addmm(b[layer], functional.relu(x) if layer else x, W[layer])
        return functional.cross_entropy(x, t)

    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[settings["optimizer"]]
    optimizer, loss_of = kind([*W, *b], lr=settings["rate"]), through(loss_of)
    x, t = torch.tensor(given["x"]), torch.tensor(given["t"])

    def some(steps: int) -> list[Any]:
        losses = []
        for start in range(0, steps * batch, batch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(x[start : start + batch], t[start : start + batch])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return losses

    steps = settings["steps"]
    return Job(lambda: np.array(some(CHECKED_STEPS)), lambda: some(steps), steps)


def _gradient(loss_of: Callable[..., Any], x: Any, *rest: Any) -> Callable[[], Any]:
    torch = library("torch")
    return lambda: torch.autograd.grad(loss_of(x, *rest), x)[0]


def _softmax_cross_entropy(
    through: Through, _: Mapping[str, Any], given: Mapping[str, Array]
) -> Job:
    torch = library("torch")
    x, t = torch.tensor(given["x"], requires_grad=True), torch.tensor(given["t"])
    f = _gradient(through(lambda x, t: torch.nn.functional.cross_entropy(x, t)), x, t)
    return Job(lambda: f().numpy(), f, 1)


def _gelu(through: Through, _: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    torch = library("torch")
    gelu = functools.partial(torch.nn.functional.gelu, approximate="tanh")
    f = _gradient(through(lambda x: gelu(x).sum()), torch.tensor(given["x"], requires_grad=True))
    return Job(lambda: f().numpy(), f, 1)


def _scalar(through: Through, settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    torch = library("torch")
    x = torch.tensor(given["x"], requires_grad=True)
    f, calls = _gradient(through(lambda x: torch.sin(x) * torch.exp(-x * x)), x), settings["calls"]

    def many() -> None:
        for _ in range(calls):
            f()

    return Job(lambda: f().numpy(), many, calls)
