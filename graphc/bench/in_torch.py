"""Jobs in PyTorch: eager, or ("torch-compile") with the loss through `torch.compile`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.bench.model import CHECKED_STEPS, DATA, Given, Job, Maker, Settings, library, repeated

# The loss of x and t, and the parameters, which it closes over.
Trained = tuple[Callable[..., Any], Sequence[Any]]
# A function of tensors that gives a tuple of results, and the arrays.
Computed = tuple[Callable[..., Any], Sequence[Any]]
Through = Callable[[Callable[..., Any]], Callable[..., Any]]


def training(build: Callable[[Settings, Given], Trained]) -> dict[str, Maker]:
    """Training steps of a loss."""

    def make(through: Through, settings: Settings, given: Given) -> Job:
        torch = library("torch")
        loss_of, parameters = build(settings, given)
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[settings["optimizer"]]
        optimizer, loss_of = kind(parameters, lr=settings["rate"]), through(loss_of)
        x, t = (torch.from_numpy(given[name]) for name in DATA)
        steps, batch = settings["steps"], settings["batch"]

        def some(steps: int) -> list[Any]:
            losses = []
            for start in range(0, steps * batch, batch):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_of(x[start : start + batch], t[start : start + batch])
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            return losses

        return Job(lambda: [np.array(some(min(steps, CHECKED_STEPS)))], lambda: some(steps), steps)

    return _both(make)


def gradients(
    build: Callable[[Settings, Given], Computed], wrt: int = 1, value: bool = False
) -> dict[str, Maker]:
    """Calls of a function and the gradients of its sum in its first `wrt` arguments.

    The results are the gradients, after the function's own result if `value`.
    """

    def make(through: Through, settings: Settings, given: Given) -> Job:
        torch = library("torch")
        loss_of, arrays = build(settings, given)
        loss_of, tensors = through(loss_of), [torch.tensor(array) for array in arrays]
        for tensor in tensors[:wrt]:
            tensor.requires_grad_()

        def call() -> list[Any]:
            loss = loss_of(*tensors)
            found = torch.autograd.grad(loss, tensors[:wrt], torch.ones_like(loss))
            return [loss.detach(), *found] if value else list(found)

        return repeated(settings, lambda: [each.numpy() for each in call()], call)

    return _both(make)


def calls(build: Callable[[Settings, Given], Computed]) -> dict[str, Maker]:
    """Calls of a function of tensors."""

    def make(through: Through, settings: Settings, given: Given) -> Job:
        torch = library("torch")
        function, arrays = build(settings, given)
        function, tensors = through(function), [torch.tensor(array) for array in arrays]

        def call() -> Sequence[Any]:
            found: Sequence[Any] = function(*tensors)
            return found

        return repeated(settings, lambda: [each.detach().numpy() for each in call()], call)

    return _both(make)


def parameter(array: Any) -> Any:
    """A tensor of its own memory that is trained."""
    return library("torch").tensor(array, requires_grad=True)


def _both(make: Callable[[Through, Settings, Given], Job]) -> dict[str, Maker]:
    return {
        "torch": lambda settings, given: make(lambda function: function, settings, given),
        "torch-compile": lambda settings, given: make(library("torch").compile, settings, given),
    }
