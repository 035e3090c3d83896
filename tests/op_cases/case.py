"""What a case of an operation is: how to apply it, where it is smooth, an independent oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.node import Node

Arrays = list[np.ndarray]
Sample = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def anywhere(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers around 0, at least 0.1 from it, so that differences do not cross a corner."""
    values = random.uniform(0.1, 2.0, shape)
    return values * random.choice([-1.0, 1.0], shape)


def positive(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from 0.3 to 2.3."""
    return random.uniform(0.3, 2.3, shape)


def well_conditioned(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A square matrix far from singular."""
    return random.standard_normal(shape) + 4 * np.eye(shape[-1])


@dataclass(frozen=True)
class Case:
    """`build` applies the operation to nodes of `shapes`; `oracle` computes it in float64 NumPy.

    `exact` holds values of inputs that are not differentiated, such as labels, by position.
    """

    build: Callable[..., Node]
    shapes: tuple[tuple[int, ...], ...]
    oracle: Callable[..., Any]
    samples: tuple[Sample, ...] = ()
    exact: dict[int, np.ndarray] | None = None
    smooth: bool = True

    def arrays(self, seed: int = 0) -> Arrays:
        """Inputs to try."""
        random = np.random.default_rng(seed)
        found = []
        for position, shape in enumerate(self.shapes):
            if self.exact is not None and position in self.exact:
                found.append(self.exact[position])
            else:
                sample = self.samples[position] if self.samples else anywhere
                found.append(np.asarray(sample(random, shape)))
        return found
