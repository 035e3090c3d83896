"""How long each part of compilation takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Phase(NamedTuple):
    """A part of compilation and the seconds it took."""

    name: str
    seconds: float


@dataclass(eq=False, repr=False)
class Timer:
    """Runs parts of compilation and notes their times."""

    phases: list[Phase]

    def run(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """What the function gives."""
        start = time.perf_counter()
        result = function(*args)
        self.phases.append(Phase(name, time.perf_counter() - start))
        return result
