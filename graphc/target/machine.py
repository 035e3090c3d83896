"""Machines: what runs a table. The native one calls compiled kernels, the Python one the same
source uncompiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from graphc.errors import ArgumentError, TargetError
from graphc.target import cpu, driver, loader, python_driver
from graphc.target.primitives import PRIMITIVES

Words = np.ndarray
Run = Callable[[int], int]


class Machine(Protocol):
    """Compiles kernels and runs tables."""

    name: str

    def kernel(self, source: str) -> tuple[int, float, bool]:
        """The handle of a kernel, the seconds it took, and whether it came from the cache."""

    def prepare(self, table: Words, registers: Words, context: Words) -> Run:
        """A function that runs the table from a row and gives the row it stopped at."""


class NativeMachine:
    """Kernels compiled by Numba, run by the native driver."""

    name = "cpu"

    def __init__(self, threads: int) -> None:
        self.parallel = threads > 1

    def kernel(self, source: str) -> tuple[int, float, bool]:
        """The address of a compiled kernel."""
        native = cpu.compile_kernel(source)
        return native.address, native.seconds, native.from_cache

    def prepare(self, table: Words, registers: Words, context: Words) -> Run:
        """A run of the native driver."""
        prepared = driver.prepare(table, registers, context)
        parallel = self.parallel
        return lambda pc: prepared.run(pc, parallel)


class PythonMachine:
    """Kernels as plain Python functions: slow, and right without any compiler."""

    name = "python"

    def __init__(self) -> None:
        self._kernels: dict[int, Callable[[int, int, int, int], object]] = {}
        self._handles: dict[str, int] = {}

    def kernel(self, source: str) -> tuple[int, float, bool]:
        """The handle of a kernel loaded as Python."""
        if source not in self._handles:
            handle = self._handles[source] = len(self._handles) + 1
            filename = f"<graphc kernel {handle}>"
            self._kernels[handle] = loader.load(source, PRIMITIVES, filename)["kernel"]
        return self._handles[source], 0.0, False

    def prepare(self, table: Words, registers: Words, context: Words) -> Run:
        """A run of the Python driver."""

        def run(pc: int) -> int:
            with np.errstate(all="ignore"):
                return python_driver.run(table, pc, registers, context, self._kernels)

        return run


def machine(target: str, threads: int) -> Machine:
    """The machine of a target: "cpu" or "python"."""
    if target == "cpu":
        return NativeMachine(threads)
    if target == "python":
        return PythonMachine()
    if target == "cuda":
        raise TargetError(
            'target "cuda" is not there yet: expected "cpu" (native code) or "python" (the same '
            "source, uncompiled)"
        )
    raise ArgumentError(f'target: expected "cpu", "python" or "cuda", got {target!r}')
