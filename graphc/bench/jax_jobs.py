"""The workloads in JAX: a jitted step at a time, or ("scan") an epoch as one jitted `lax.scan`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.bench.frameworks import Job, Maker, library
from graphc.bench.workloads import CHECKED_STEPS, Array, layers


def makers(variant: str) -> dict[str, Maker]:
    """A maker for each model; a scan has something to do only where there are steps."""
    if variant == "scan":
        return {"mlp": _mlp_scan}
    return {
        "mlp": _mlp_steps, "softmax_cross_entropy": _softmax_cross_entropy, "gelu": _gelu,
        "scalar": _scalar,
    }  # fmt: skip


def _cross_entropy(logits: Any, t: Any) -> Any:
    jax, jnp = library("jax"), library("jax.numpy")
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), t[:, None], axis=1))


def _mlp_loss(parameters: Any, x: Any, t: Any) -> Any:
    jax = library("jax")
    for layer, (W, b) in enumerate(parameters):
        x = (jax.nn.relu(x) if layer else x) @ W + b
    return _cross_entropy(x, t)


def _mlp_step(settings: Mapping[str, Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    jax, jnp = library("jax"), library("jax.numpy")
    rate, gradient, each = settings["rate"], jax.value_and_grad(_mlp_loss), jax.tree.map

    def sgd(state: Any, batch: Any) -> tuple[Any, Any]:
        loss, g = gradient(state, *batch)
        return each(lambda p, g: p - rate * g, state, g), loss

    def adam(state: Any, batch: Any) -> tuple[Any, Any]:
        parameters, m, v, count = state
        loss, g = gradient(parameters, *batch)
        count = count + 1
        m = each(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        a, c = 1 / (1 - 0.9**count), 1 / (1 - 0.999**count)
        new = each(lambda p, m, v: p - rate * (m * a) / (jnp.sqrt(v * c) + 1e-8), parameters, m, v)
        return (new, m, v, count), loss

    return sgd if settings["optimizer"] == "sgd" else adam


def _mlp_state(settings: Mapping[str, Any], given: Mapping[str, Array]) -> Any:
    jax, jnp = library("jax"), library("jax.numpy")
    pairs = [(f"W{layer}", f"b{layer}") for layer in range(layers(settings))]
    state = jax.tree.map(lambda name: jnp.array(given[name]), pairs)
    if settings["optimizer"] == "sgd":
        return state
    zeros = functools.partial(jax.tree.map, jnp.zeros_like)
    return state, zeros(state), zeros(state), jnp.zeros(())


def _batches(settings: Mapping[str, Any], given: Mapping[str, Array]) -> tuple[Any, Any]:
    """x and t with an axis of steps in front."""
    jnp, shape = library("jax.numpy"), (settings["steps"], settings["batch"])
    return jnp.array(given["x"].reshape(*shape, -1)), jnp.array(given["t"].reshape(shape))


def _mlp_scan(settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    jax, lax = library("jax"), library("jax.lax")
    step, batches = _mlp_step(settings), _batches(settings, given)
    run = jax.jit(lambda state, batches: lax.scan(step, state, batches), donate_argnums=0)
    state = _mlp_state(settings, given)

    def epoch() -> Any:
        nonlocal state
        state, losses = run(state, batches)
        return losses.block_until_ready()

    return Job(lambda: np.asarray(epoch())[:CHECKED_STEPS], epoch, settings["steps"])


def _mlp_steps(settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    jax = library("jax")
    step = jax.jit(_mlp_step(settings), donate_argnums=0)
    batches = [(x, t) for x, t in zip(*_batches(settings, given), strict=True)]
    state = _mlp_state(settings, given)

    def some(count: int) -> Any:
        nonlocal state
        losses = []
        for batch in batches[:count]:
            state, loss = step(state, batch)
            losses.append(loss)
        jax.block_until_ready(state)
        return losses

    return Job(lambda: np.array(some(CHECKED_STEPS)), lambda: some(len(batches)), len(batches))


def _softmax_cross_entropy(_: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    jax, jnp = library("jax"), library("jax.numpy")
    f = jax.jit(jax.value_and_grad(_cross_entropy))
    x, t = jnp.array(given["x"]), jnp.array(given["t"])
    return Job(lambda: np.asarray(f(x, t)[1]), lambda: jax.block_until_ready(f(x, t)), 1)


def _gelu(_: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    jax, jnp = library("jax"), library("jax.numpy")
    f = jax.jit(jax.grad(lambda x: jnp.sum(jax.nn.gelu(x, approximate=True))))
    x = jnp.array(given["x"])
    return Job(lambda: np.asarray(f(x)), lambda: f(x).block_until_ready(), 1)


def _scalar(settings: Mapping[str, Any], given: Mapping[str, Array]) -> Job:
    jax, jnp = library("jax"), library("jax.numpy")
    f = jax.jit(jax.grad(lambda x: jnp.sin(x) * jnp.exp(-x * x)))
    x, calls = jnp.array(given["x"]), range(settings["calls"])

    def many() -> None:
        for _ in calls:
            f(x).block_until_ready()

    return Job(lambda: np.asarray(f(x)), many, settings["calls"])
