"""Who is measured: each framework's library, under the name that the models know it by."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Framework:
    """A library, and by its name a way of using it."""

    name: str
    library: str

    def installed(self) -> bool:
        """Whether the library can be imported here; it is not imported."""
        return importlib.util.find_spec(self.library) is not None


FRAMEWORKS: tuple[Framework, ...] = (
    Framework("graphc", "graphc"),
    Framework("torch", "torch"),
    Framework("torch-compile", "torch"),
    Framework("jax", "jax"),
    Framework("jax-scan", "jax"),
    Framework("pytensor", "pytensor"),
)
