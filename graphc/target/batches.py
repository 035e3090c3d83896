"""What a native loop goes over: examples in batches, for some epochs."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from graphc.record import record


class Row(NamedTuple):
    """What one example of an input, or one step of an output, is made of."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def elements(self) -> int:
        """Its numbers."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return self.elements * self.dtype.itemsize


@record
class Batches:
    """How each epoch takes `count` examples: `batch` at once, in their order or shuffled."""

    count: int
    batch: int
    shuffle: bool

    @property
    def full(self) -> int:
        """Whole batches in an epoch."""
        return self.count // self.batch

    @property
    def rest(self) -> int:
        """Examples in the last, short batch; 0 if there is none."""
        return self.count % self.batch

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self.full + (self.rest > 0)


class LoopRun(NamedTuple):
    """What one run of a bound loop is given; `outputs` have a row for each step.

    `first_step` is the number of its first step, which is what random draws see.
    """

    data: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]
    epochs: range
    seed: int
    first_step: int


NO_RUN = LoopRun((), (), range(0), 0, 0)
