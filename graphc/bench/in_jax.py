"""Jobs in JAX: a jitted step at a time, or ("jax-scan") an epoch as one jitted `lax.scan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.bench.model import (
    CHECKED_STEPS,
    DATA,
    Given,
    Job,
    Maker,
    Settings,
    library,
    parameters_of,
    repeated,
)

# The loss of (parameters, x, t), the parameters, x and t.
Trained = tuple[Callable[..., Any], Any, Any, Any]
# A function of arrays that gives a tuple of results, and the arrays.
Computed = tuple[Callable[..., Any], Sequence[Any]]


def training(build: Callable[[Settings, Given], Trained]) -> dict[str, Maker]:
    """Training steps of a loss, one by one and as a scan."""
    return {
        "jax": lambda settings, given: _steps(settings, _trained(build, settings, given)),
        "jax-scan": lambda settings, given: _scan(settings, _trained(build, settings, given)),
    }


def parameters_and_data(given: Given) -> tuple[Any, Any, Any]:
    """A dictionary of parameters, x and t: what most models train with."""
    x, t = (given[name] for name in DATA)
    return parameters_of(given), x, t


def calls(build: Callable[[Settings, Given], Computed]) -> dict[str, Maker]:
    """Calls of a jitted function."""

    def make(settings: Settings, given: Given) -> Job:
        jax = _jax(given)
        function, arrays = build(settings, given)
        f, feed = jax.jit(function), [jax.numpy.array(array) for array in arrays]

        def first() -> list[Any]:
            return [np.asarray(result) for result in f(*feed)]

        return repeated(settings, first, lambda: jax.block_until_ready(f(*feed)))

    return {"jax": make}


def cross_entropy(logits: Any, t: Any) -> Any:
    """The mean over all rows."""
    jax, jnp = library("jax"), library("jax.numpy")
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), t[..., None], axis=-1))


def _jax(given: Given) -> Any:
    """The library, with float64 switched on where the arrays have it."""
    jax = library("jax")
    wide = any(array.dtype == np.float64 for array in given.values())
    jax.config.update("jax_enable_x64", wide)
    return jax


def _trained(build: Callable[[Settings, Given], Trained], settings: Settings, given: Given) -> Any:
    jax = _jax(given)
    loss, parameters, x, t = build(settings, given)
    parameters = jax.tree.map(jax.numpy.array, parameters)
    optimizer = {"sgd": _sgd, "adam": _adam}[settings["optimizer"]]
    step, state = optimizer(jax.value_and_grad(loss), settings["rate"], parameters)
    return step, state, x, t


def _sgd(gradient: Callable[..., Any], rate: float, parameters: Any) -> tuple[Any, Any]:
    jax = library("jax")

    def step(state: Any, batch: Any) -> tuple[Any, Any]:
        loss, g = gradient(state, *batch)
        return jax.tree.map(lambda p, g: p - rate * g, state, g), loss

    return step, parameters


def _adam(gradient: Callable[..., Any], rate: float, parameters: Any) -> tuple[Any, Any]:
    jax, jnp = library("jax"), library("jax.numpy")
    each = jax.tree.map

    def step(state: Any, batch: Any) -> tuple[Any, Any]:
        parameters, m, v, count = state
        loss, g = gradient(parameters, *batch)
        count = count + 1
        m = each(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        a, c = 1 / (1 - 0.9**count), 1 / (1 - 0.999**count)
        new = each(lambda p, m, v: p - rate * (m * a) / (jnp.sqrt(v * c) + 1e-8), parameters, m, v)
        return (new, m, v, count), loss

    m, v = (each(jnp.zeros_like, parameters) for _ in range(2))
    return step, (parameters, m, v, jnp.zeros(()))


def _scan(settings: Settings, trained: Any) -> Job:
    jax, jnp, lax = library("jax"), library("jax.numpy"), library("jax.lax")
    step, state, *data = trained
    shape = settings["steps"], settings["batch"]
    batches = tuple(jnp.asarray(array.reshape(*shape, *array.shape[1:])) for array in data)
    run = jax.jit(lambda state, batches: lax.scan(step, state, batches), donate_argnums=0)

    def epoch() -> Any:
        nonlocal state
        state, losses = run(state, batches)
        return jax.block_until_ready((state, losses))[1]

    return Job(lambda: [np.asarray(epoch())[:CHECKED_STEPS]], epoch, settings["steps"])


def _steps(settings: Settings, trained: Any) -> Job:
    jax, jnp = library("jax"), library("jax.numpy")
    step, state, *data = trained
    step, steps, batch = jax.jit(step, donate_argnums=0), settings["steps"], settings["batch"]
    batches = [
        tuple(jnp.asarray(array[at * batch : (at + 1) * batch]) for array in data)
        for at in range(steps)
    ]

    def some(count: int) -> Any:
        nonlocal state
        losses = []
        for each in batches[:count]:
            state, loss = step(state, each)
            losses.append(loss)
        jax.block_until_ready(state)
        return losses

    return Job(lambda: [np.array(some(min(steps, CHECKED_STEPS)))], lambda: some(steps), steps)
