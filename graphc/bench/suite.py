"""Runs the comparison: a process for each figure, the frameworks in turn, several rounds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphc.bench.child import LAUNCH
from graphc.bench.frameworks import FRAMEWORKS, Framework
from graphc.bench.workloads import Workload, model_of
from graphc.errors import GraphcError

_LONGEST_SECONDS = 600
# What a developer's shell may have set and a user's has not.
_UNSET = ("GRAPHC_VERIFY", "GRAPHC_DEBUG", "GRAPHC_CACHE", "PYTHONDONTWRITEBYTECODE")
# Settings that make OpenBLAS use the instructions of an older processor, which only some of the
# frameworks would feel.
HELD_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class BenchError(GraphcError):
    """A process of the comparison could not do what all others build on."""


@dataclass(frozen=True)
class Sample:
    """One figure of one process, or why there is none. `data` is what `child.measure` found."""

    workload: str
    framework: str
    round: int
    data: dict[str, Any]
    failure: str = ""

    @property
    def value(self) -> float | None:
        """The figure in seconds, unless it failed or is wrong."""
        return None if self.failure or self.data.get("wrong") else self.data["value"]

    @property
    def late(self) -> bool:
        """Whether the process was stopped because it took too long."""
        return bool(self.data.get("late"))


def installed() -> list[Framework]:
    """The frameworks that can be imported here, graphc first."""
    return [each for each in FRAMEWORKS if each.installed()]


def takes_part(framework: Framework, work: Workload) -> bool:
    """Whether a framework has this workload. A scan exists only over steps."""
    if work.frameworks:
        return framework.name in work.frameworks
    model = model_of(work)
    return model is None or framework.name in model.makers


class Suite:
    """Processes with caches of their own in `directory`."""

    def __init__(
        self, frameworks: Sequence[Framework], directory: Path, unset: Sequence[str] = HELD_BACK
    ) -> None:
        self.frameworks, self.directory, self.unset = list(frameworks), directory, unset
        self._fresh = 0
        self._driver = directory / "driver"
        self._limits: dict[str, Any] = {}

    def prepare(self) -> None:
        """Bytecode of every library, and the driver of graphc in a cache that others copy."""
        for library in {each.library for each in self.frameworks}:
            self._process([library, "nothing"], self._new_directory())
        _, failure = self._process(["graphc", "driver"], self._driver)
        if failure:
            raise BenchError(f"bench: the driver of graphc could not be loaded: {failure}")

    def limits(self) -> dict[str, Any]:
        """The machine's limits, the highest seen by this suite: other programs only lower them."""
        cache = self.directory / "limits"
        if not cache.exists():
            shutil.copytree(self._driver, cache)
        found, failure = self._process(["graphc", "limits"], cache)
        if failure:
            raise BenchError(f"bench: the machine's limits could not be measured: {failure}")
        for name, value in found.items():
            self._limits[name] = max(value, self._limits.get(name, value))
        return self._limits

    def run(
        self, works: Sequence[Workload], processes: int, tell: Callable[[Sample], None]
    ) -> None:
        """Measure; `tell` is called with each sample when it is there."""
        for work in works:
            mine = [each for each in self.frameworks if takes_part(each, work)]
            for round_number in range(min(processes, work.processes or processes)):
                # Each round begins with another one, so that none always runs at the same place.
                turn = round_number % max(len(mine), 1)
                for framework in [*mine[turn:], *mine[:turn]]:
                    tell(self._sample(framework, work, round_number))

    def _new_directory(self) -> Path:
        self._fresh += 1
        return self.directory / f"fresh{self._fresh}"

    def _cache(self, framework: Framework, work: Workload) -> Path:
        """The directory of compiled code: shared by steady runs of a framework, else new."""
        steady = work.measure not in ("first", "second")
        name = self.directory / framework.name if steady else self._new_directory()
        if framework.library == "graphc" and not name.exists():
            shutil.copytree(self._driver, name)
        return name

    def _sample(self, framework: Framework, work: Workload, round_number: int) -> Sample:
        cache = self._cache(framework, work)
        arguments = [framework.library, framework.name, work.name]
        data, failure = self._process(arguments, cache, work.timeout)
        if work.measure == "second" and not failure:
            data, failure = self._process(arguments, cache, work.timeout)
        return Sample(work.name, framework.name, round_number, data, failure)

    def _process(
        self, arguments: list[str], cache: Path, longest: int = _LONGEST_SECONDS
    ) -> tuple[dict[str, Any], str]:
        unset = [word for name in (*_UNSET, *self.unset) for word in ("-u", name)]
        python = [sys.executable, "-c", LAUNCH, *arguments]
        return result_of(["env", *unset, *_settings(cache), *python], longest)


def result_of(
    command: Sequence[str], longest: int = _LONGEST_SECONDS
) -> tuple[dict[str, Any], str]:
    """The JSON object on the last line that a command prints, and what went wrong if it did.

    A command that takes longer than `longest` seconds is stopped: {"late": True}.
    """
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            printed, said = process.communicate(timeout=longest)
        except BaseException as stop:
            # With all that it has started, which may hold its output open.
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(stop, subprocess.TimeoutExpired):
                raise
            return {"late": True}, f"took more than {longest} s"
    lines = printed.strip().splitlines()
    if process.returncode or not lines:
        return {}, (said.strip().splitlines() or [f"exit status {process.returncode}"])[-1]
    try:
        data: dict[str, Any] = json.loads(lines[-1])
    except ValueError:
        return {}, f"expected a JSON object on the last line, got {lines[-1]!r}"
    return data, ""


def _settings(cache: Path) -> list[str]:
    """Where each library keeps what it has compiled; and that it runs on the processor."""
    return [
        f"GRAPHC_CACHE_DIR={cache}",
        f"NUMBA_CACHE_DIR={cache / 'numba'}",
        f"TORCHINDUCTOR_CACHE_DIR={cache / 'inductor'}",
        "JAX_PLATFORMS=cpu",
        f"PYTENSOR_FLAGS=base_compiledir={cache / 'pytensor'},floatX=float32",
    ]
