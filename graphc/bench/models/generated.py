"""The gradient of a generated graph of many operations: what compiling it costs.

Elementwise operations, reductions of rows and columns, and matrix products, drawn at random from
the seed of the settings, each of results drawn before. Settings: `operations`, `side` of the
square matrices.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from graphc.bench import in_graphc, in_jax, in_torch
from graphc.bench.model import Array, Given, Model, Settings, library, normal

# In NumPy's terms; each keeps numbers of about 1 where they are. None of them is `maximum`: of two
# operands that are equal by construction, compiled code may see either as the larger, and its
# gradient then is another.
_STEPS: tuple[Callable[[Any, Any, Any], Any], ...] = (
    lambda m, a, b: 0.7 * (a + b),
    lambda m, a, b: a - 0.5 * b,
    lambda m, a, b: m.tanh(a) * b,
    lambda m, a, b: m.sin(a) + 0.5 * b,
    lambda m, a, b: a / (1.0 + b * b),
    lambda m, a, b: m.exp(-a * a) - b,
    lambda m, a, b: a / m.sqrt(1.0 + b * b),
    lambda m, a, b: m.abs(a) - b,
    lambda m, a, b: m.where(a > b, a - b, 0.5 * (a - b)),  # no jump, only a kink
    lambda m, a, b: a - m.mean(b, axis=1, keepdims=True),
    lambda m, a, b: a * m.tanh(m.sum(b, axis=0, keepdims=True)),
    lambda m, a, b: m.tanh(m.matmul(a, b)),
)
_RECENT = 12


def arrays(random_numbers: np.random.Generator, settings: Settings) -> dict[str, Array]:
    """x and y (side, side)."""
    side = settings["side"]
    return {name: normal(random_numbers, side, side) for name in "xy"}


def build(m: Any, settings: Settings, x: Any, y: Any) -> Any:
    """The mean of what no operation has used, in a library whose functions have NumPy's names."""
    draw = random.Random(settings["operations"])
    values, unused = [x, y], {0, 1}
    for _ in range(settings["operations"]):
        first, second = (draw.randrange(max(0, len(values) - _RECENT), len(values)) for _ in "ab")
        step = draw.choice(_STEPS)
        unused -= {first, second}
        unused.add(len(values))
        values.append(step(m, values[first], values[second]))
    total = values[-1]
    for place in sorted(unused - {len(values) - 1}):
        total = total + values[place]
    return m.mean(total)


class _Dual:
    """A value and its derivatives in every element of x: `slopes` (elements of x, *shape)."""

    __array_ufunc__ = None  # so that NumPy leaves the operators to this class

    def __init__(self, value: Any, slopes: Any) -> None:
        self.value, self.slopes = value, slopes

    def __add__(self, other: Any) -> _Dual:
        other = _dual(other)
        return _Dual(self.value + other.value, self.slopes + other.slopes)

    def __mul__(self, other: Any) -> _Dual:
        other = _dual(other)
        slopes = self.slopes * other.value + self.value * other.slopes
        return _Dual(self.value * other.value, slopes)

    def __truediv__(self, other: _Dual) -> _Dual:
        ratio = self.value / other.value
        return _Dual(ratio, (self.slopes - ratio * other.slopes) / other.value)

    def __neg__(self) -> _Dual:
        return _Dual(-self.value, -self.slopes)

    def __sub__(self, other: Any) -> _Dual:
        return self + -_dual(other)

    def __gt__(self, other: _Dual) -> Any:
        return self.value > other.value

    __radd__, __rmul__ = __add__, __mul__


def _dual(value: Any) -> _Dual:
    return value if isinstance(value, _Dual) else _Dual(value, 0.0)


class _DualNumbers:
    """NumPy's functions of dual numbers: forward mode, as far from graphc's way as can be."""

    @staticmethod
    def tanh(a: _Dual) -> _Dual:
        y = np.tanh(a.value)
        return _Dual(y, (1 - y * y) * a.slopes)

    @staticmethod
    def sin(a: _Dual) -> _Dual:
        return _Dual(np.sin(a.value), np.cos(a.value) * a.slopes)

    @staticmethod
    def exp(a: _Dual) -> _Dual:
        y = np.exp(a.value)
        return _Dual(y, y * a.slopes)

    @staticmethod
    def sqrt(a: _Dual) -> _Dual:
        y = np.sqrt(a.value)
        return _Dual(y, a.slopes / (2 * y))

    @staticmethod
    def where(chosen: Array, a: _Dual, b: _Dual) -> _Dual:
        return _Dual(np.where(chosen, a.value, b.value), np.where(chosen, a.slopes, b.slopes))

    @staticmethod
    def abs(a: _Dual) -> _Dual:
        return _Dual(np.abs(a.value), np.sign(a.value) * a.slopes)

    @staticmethod
    def sum(a: _Dual, axis: int, keepdims: bool) -> _Dual:
        value = a.value.sum(axis=axis, keepdims=keepdims)
        return _Dual(value, a.slopes.sum(axis=axis + 1, keepdims=keepdims))

    @staticmethod
    def mean(a: _Dual, axis: int | None = None, keepdims: bool = False) -> _Dual:
        axes = (1, 2) if axis is None else (axis + 1,)
        value = a.value.mean(axis=axis, keepdims=keepdims)
        return _Dual(value, a.slopes.mean(axis=axes, keepdims=keepdims))

    @staticmethod
    def matmul(a: _Dual, b: _Dual) -> _Dual:
        return _Dual(a.value @ b.value, a.slopes @ b.value + a.value @ b.slopes)


def _reference(settings: Settings, given: Given) -> list[Array]:
    x, y = given["x"], given["y"]
    directions = np.eye(x.size).reshape(x.size, *x.shape)
    value = build(_DualNumbers, settings, _Dual(x, directions), _Dual(y, np.zeros_like(directions)))
    return [value.value, value.slopes.reshape(x.shape)]


def _feed(given: Given) -> list[Array]:
    return [given[name] for name in "xy"]


def _graphc(settings: Settings, given: Given) -> in_graphc.Computed:
    x, y = (gx.input(name, given[name].shape) for name in "xy")
    value = build(gx, settings, x, y)
    return (x, y), (value, gx.grad(value, x))


def _torch(settings: Settings, given: Given) -> in_torch.Computed:
    torch = library("torch")
    return lambda x, y: build(torch, settings, x, y), _feed(given)


def _jax(settings: Settings, given: Given) -> in_jax.Computed:
    jax, jnp = library("jax"), library("jax.numpy")
    return jax.value_and_grad(lambda x, y: build(jnp, settings, x, y)), _feed(given)


MODEL = Model(
    arrays,
    _reference,
    {
        "graphc": in_graphc.calls(_graphc),
        **in_torch.gradients(_torch, value=True),
        **in_jax.calls(_jax),
    },
)
