"""Machines: what runs a table. The native one calls compiled kernels; the one of `python_machine`
runs the same source uncompiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import NamedTuple, Protocol

import numpy as np

from graphc.errors import ArgumentError, TargetError
from graphc.target import cpu, driver

Words = np.ndarray
Run = Callable[[int], int]


class Compiled(NamedTuple):
    """A kernel that can be called."""

    handle: int
    seconds: float  # what it took to compile or to load
    from_cache: bool


class Prepared(Protocol):
    """A table that is ready to be run."""

    @property
    def enter(self) -> Run:
        """As `run`, with less in between; NOT_STARTED says that `run` is to be called instead."""

    def run(self, pc: int, /) -> int:
        """Run the table from a row; the row that it stopped at."""


class Machine(Protocol):
    """Compiles kernels and runs tables."""

    name: str

    def kernel(self, source: str) -> Compiled:
        """One kernel; raises CompileError for what cannot be compiled."""

    def kernels(self, sources: Iterable[str]) -> dict[str, Compiled]:
        """Several kernels by their sources, without those that cannot be compiled."""

    def key(self, source: str) -> str | None:
        """The name under which the code of a kernel is kept on disk; None if none is kept."""

    def kept(self, keys: Iterable[str]) -> list[Compiled] | None:
        """The kernels of these names; None if one of them is not there."""

    def prepare(self, table: Words, registers: Words, context: Words) -> Prepared:
        """Get ready to run a table, which may still change."""


class NativeMachine:
    """Compiled kernels, run by the native driver; `name` says whose: "cpu" or "numba"."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.threads = threads
        self.parallel = threads > 1

    def kernel(self, source: str) -> Compiled:
        """A compiled kernel; its handle is its address."""
        native = cpu.compile_kernel(source, self.name)
        return Compiled(native.address, native.seconds, native.from_cache)

    def kernels(self, sources: Iterable[str]) -> dict[str, Compiled]:
        """Compiled kernels, made by several threads at once."""
        ready = cpu.compile_kernels(sources, self.threads, self.name)
        return {
            source: Compiled(native.address, native.seconds, native.from_cache)
            for source, native in ready.items()
        }

    def key(self, source: str) -> str | None:
        """The hash of its text and of all that its code depends on."""
        return cpu.kernel_key(source, self.name)

    def kept(self, keys: Iterable[str]) -> list[Compiled] | None:
        """Kernels that were compiled before, by this process or another one."""
        found = cpu.kept_kernels(keys)
        if found is None:
            return None
        return [Compiled(native.address, native.seconds, native.from_cache) for native in found]

    def prepare(self, table: Words, registers: Words, context: Words) -> Prepared:
        """Runs of the native driver."""
        return driver.prepare(table, registers, context, self.parallel)


def machine(target: str, threads: int) -> Machine:
    """The machine of a target: "cpu", "numba" or "python"."""
    if target in ("cpu", "numba"):
        return NativeMachine(target, threads)
    if target == "python":
        # The primitives in Python, vector maths among them, take as long to load as all the rest.
        found: Machine = import_module("graphc.target.python_machine").PythonMachine()
        return found
    known = (
        '"cpu" (native code), "numba" (native code, every kernel compiled by Numba) or "python" '
        "(the same source, uncompiled)"
    )
    if target == "cuda":
        raise TargetError(f'target "cuda" is not there yet: expected {known}')
    raise ArgumentError(f"target: expected {known}, got {target!r}")
