"""Who is measured: each framework's library, and the module that writes the workloads in it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphc.bench.workloads import Array


@dataclass(frozen=True)
class Job:
    """A workload written in a framework.

    `first` gives what is compared with the reference (its first call compiles, if anything does).
    `run` is what is timed: `steps` training steps or calls, with all results there when it returns.
    """

    first: Callable[[], Array]
    run: Callable[[], object]
    steps: int


Maker = Callable[[Mapping[str, Any], Mapping[str, Array]], Job]


@dataclass(frozen=True)
class Framework:
    """A library, and a way of using it."""

    name: str
    library: str
    jobs: str  # the module whose function `makers(variant)` gives a Maker for each model
    variant: str = ""

    def installed(self) -> bool:
        """Whether the library can be imported here; it is not imported."""
        return importlib.util.find_spec(self.library) is not None

    def makers(self) -> Mapping[str, Maker]:
        """For each model that this framework runs, what builds it. Imports the library."""
        made: Mapping[str, Maker] = importlib.import_module(self.jobs).makers(self.variant)
        return made


FRAMEWORKS: tuple[Framework, ...] = (
    Framework("graphc", "graphc", "graphc.bench.graphc_jobs"),
    Framework("torch", "torch", "graphc.bench.torch_jobs"),
    Framework("torch-compile", "torch", "graphc.bench.torch_jobs", "compile"),
    Framework("jax", "jax", "graphc.bench.jax_jobs"),
    Framework("jax-scan", "jax", "graphc.bench.jax_jobs", "scan"),
    Framework("pytensor", "pytensor", "graphc.bench.pytensor_jobs"),
)


def framework(name: str) -> Framework:
    """The framework of this name; KeyError if there is none."""
    return {each.name: each for each in FRAMEWORKS}[name]


def library(name: str) -> Any:
    """A peer's library, which is optional and imported only in the process that measures it."""
    return importlib.import_module(name)
