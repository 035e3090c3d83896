"""The Black-Scholes price of calls with its five gradients. Settings: `count`.

F. Black and M. Scholes, The Pricing of Options and Corporate Liabilities, 1973.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library

_NAMES = ("spot", "strike", "rate", "volatility", "time")


def arrays(random: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """spot, strike, rate, volatility and time, each (count,)."""
    ranges = ((50.0, 150.0), (50.0, 150.0), (0.01, 0.1), (0.1, 0.6), (0.2, 2.0))
    drawn = [random.uniform(*ends, (settings["count"],)).astype(np.float32) for ends in ranges]
    return dict(zip(_NAMES, drawn, strict=True))


def _reference(_: Settings, given: Given) -> list[Array]:
    ndtr = library("scipy.special").ndtr
    spot, strike, rate, volatility, time = (given[name] for name in _NAMES)
    spread = volatility * np.sqrt(time)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * time) / spread
    density = np.exp(-0.5 * d1**2) / np.sqrt(2 * np.pi)
    owed, chance = strike * np.exp(-rate * time), ndtr(d1 - spread)
    price = spot * ndtr(d1) - owed * chance
    vega = spot * density * np.sqrt(time)
    theta = spot * density * volatility / (2 * np.sqrt(time)) + rate * owed * chance
    return [price, ndtr(d1), -owed / strike * chance, time * owed * chance, vega, theta]


def _price(m: Any, ndtr: Any, *given: Any) -> Any:
    """The price, in a library whose functions have NumPy's names."""
    spot, strike, rate, volatility, time = given
    spread = volatility * m.sqrt(time)
    d1 = (m.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / spread
    return spot * ndtr(d1) - strike * m.exp(-rate * time) * ndtr(d1 - spread)


def _graphc(_: Settings, __: Given) -> in_graphc.Computed:
    given = [gx.input(name, ("n",)) for name in _NAMES]
    price = _price(gx, gx.ndtr, *given)
    return given, (price, *gx.grad(gx.sum(price), given))


def _torch(_: Settings, given: Given) -> in_torch.Computed:
    torch = library("torch")
    return lambda *g: _price(torch, torch.special.ndtr, *g), [given[name] for name in _NAMES]


def _jax(_: Settings, given: Given) -> in_jax.Computed:
    jax, jnp, ndtr = library("jax"), library("jax.numpy"), library("jax.scipy.special").ndtr

    def both(*arguments: Any) -> Any:
        price, back = jax.vjp(lambda *g: _price(jnp, ndtr, *g), *arguments)
        return price, *back(jnp.ones_like(price))

    return both, [given[name] for name in _NAMES]


MODEL = Model(
    arrays,
    _reference,
    {
        "graphc": in_graphc.calls(_graphc),
        **in_torch.gradients(_torch, wrt=5, value=True),
        **in_jax.calls(_jax),
    },
)
