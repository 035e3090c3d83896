"""The machine that runs tables and kernels as plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import numpy as np

from graphc.errors import CompileError
from graphc.target import loader, python_driver
from graphc.target.machine import Compiled, Prepared, Words
from graphc.target.primitives import PRIMITIVES


class PythonMachine:
    """Kernels as plain Python functions: slow, and right without any compiler."""

    name = "python"

    def __init__(self) -> None:
        self._kernels: dict[int, Callable[[int, int, int, int], object]] = {}
        self._handles: dict[str, int] = {}

    def kernels(self, sources: Iterable[str]) -> dict[str, Compiled]:
        """Kernels loaded as Python, without those that are none."""
        ready = {}
        for source in sources:
            with suppress(CompileError):
                ready[source] = self.kernel(source)
        return ready

    def kernel(self, source: str) -> Compiled:
        """A kernel loaded as Python."""
        if source not in self._handles:
            handle = self._handles[source] = len(self._handles) + 1
            filename = f"<graphc kernel {handle}>"
            self._kernels[handle] = loader.load(source, PRIMITIVES, filename)["kernel"]
        return Compiled(self._handles[source], 0.0, False)

    def key(self, source: str) -> str | None:
        """None: there is no code to keep."""
        return None

    def kept(self, keys: Iterable[str]) -> list[Compiled] | None:
        """None are."""
        return None

    def prepare(self, table: Words, registers: Words, context: Words) -> Prepared:
        """Runs of the Python driver."""
        return _PythonRun(table, registers, context, self._kernels)


class _PythonRun:
    """A table with its registers and context, and the kernels that it may call."""

    def __init__(
        self,
        table: Words,
        registers: Words,
        context: Words,
        kernels: Mapping[int, python_driver.Kernel],
    ) -> None:
        self._table, self._registers, self._context = table, registers, context
        self._kernels = kernels
        self.enter = self.run

    def run(self, pc: int) -> int:
        with np.errstate(all="ignore"):
            return python_driver.run(self._table, pc, self._registers, self._context, self._kernels)
