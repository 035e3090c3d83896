"""Random draws: bits that are a function of (seed, use, step, index), and distributions made of
them.

Each use of a stream is a declared node of its own. Within one step a draw is one value, however
often it is used, so the forward and the derivative graph see the same dropout mask. The bits are
those of Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3;
2011), the same on every target.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError
from graphc.ir.declaration import Declaration
from graphc.ir.dtype import as_dtype, default_float, float64, uint32
from graphc.ir.node import Node, make
from graphc.ir.op import Attributes, Op, register
from graphc.ir.shape import TensorType, as_shape
from graphc.ops.elementwise import cast
from graphc.ops.philox import random_words

_MAXIMUM_SEED = 2**63


class RandomOp(Op):
    """Random bits: attributes `seed`, `use` and `shape`; a run adds the step."""

    kind = "random"


def _bits_reference(attrs: Attributes, step: int = 0) -> np.ndarray:
    shape: tuple[int, ...] = attrs["shape"]
    index = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64)
    return np.asarray(random_words(attrs["seed"], attrs["use"], step, index)).reshape(shape)


random_bits_op = RandomOp(
    "random_bits",
    lambda inputs, attrs: TensorType(uint32, attrs["shape"]),
    _bits_reference,
    no_derivative="random bits do not depend on anything",
    doc="uniform random 32-bit integers",
)
register(random_bits_op)


class Stream:
    """A source of draws from one seed; each call is a use of its own."""

    def __init__(self, seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise ArgumentError(f"random.stream: expected an integer seed, got {seed!r}")
        if not 0 <= seed < _MAXIMUM_SEED:
            raise ArgumentError(f"random.stream: expected 0 <= seed < 2**63, got {seed}")
        self.seed = int(seed)
        self._uses = itertools.count()

    def bits(self, shape: Any = ()) -> Node:
        """Uniform random uint32 integers of the given shape."""
        use = next(self._uses)
        declared = Declaration("draw", f"draw{use}")
        known = as_shape(shape)
        return make(random_bits_op, declaration=declared, seed=self.seed, use=use, shape=known)

    def uniform(
        self, shape: Any = (), low: float = 0.0, high: float = 1.0, dtype: Any = None
    ) -> Node:
        """Numbers uniform in [low, high): multiples of 2**-24 (float32) or 2**-32 (float64) of the
        span."""
        chosen = default_float() if dtype is None else as_dtype(dtype)
        bits = self.bits(shape)
        if chosen is float64:
            unit = cast(bits, float64) * 2.0**-32
        else:
            unit = cast(scalar.shift_right(bits, 8), chosen) * 2.0**-24
        return unit if (low, high) == (0.0, 1.0) else low + (high - low) * unit

    def bernoulli(self, p: float, shape: Any = (), dtype: Any = "bool") -> Node:
        """True with probability `p`, to a resolution of 2**-32."""
        if not 0 <= p <= 1:
            raise ArgumentError(f"bernoulli: expected 0 <= p <= 1, got {p}")
        if p == 1:
            return cast(scalar.greater_equal(self.bits(shape), 0), dtype)
        threshold = np.uint32(round(p * 2**32) if round(p * 2**32) < 2**32 else 2**32 - 1)
        return cast(scalar.less(self.bits(shape), threshold), dtype)

    def normal(
        self, shape: Any = (), mean: float = 0.0, std: float = 1.0, dtype: Any = None
    ) -> Node:
        """Normal numbers, by the method of Box and Muller (1958) from two uniform draws."""
        chosen = default_float() if dtype is None else as_dtype(dtype)
        # 1 - u lies in (0, 1], so its logarithm is finite.
        radius = scalar.sqrt(-2 * scalar.log(1 - self.uniform(shape, dtype=chosen)))
        angle = (2 * np.pi) * self.uniform(shape, dtype=chosen)
        unit = radius * scalar.cos(angle)
        return unit if (mean, std) == (0.0, 1.0) else mean + std * unit


def stream(seed: int) -> Stream:
    """A source of random draws: functions of (seed, use, step, index)."""
    return Stream(seed)
