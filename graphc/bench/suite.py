"""Runs the comparison: a process for each figure, the frameworks in turn, several rounds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphc.bench.child import LAUNCH
from graphc.bench.frameworks import FRAMEWORKS, Framework
from graphc.bench.workloads import Workload
from graphc.errors import GraphcError

_TIMEOUT_SECONDS = 600
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


def installed() -> list[Framework]:
    """The frameworks that can be imported here, graphc first."""
    return [each for each in FRAMEWORKS if each.installed()]


def takes_part(framework: Framework, work: Workload) -> bool:
    """Whether a framework has this workload. A scan exists only over steps."""
    if work.frameworks:
        return framework.name in work.frameworks
    return framework.variant != "scan" or work.model == "mlp"


class Suite:
    """Processes with caches of their own in `directory`."""

    def __init__(
        self, frameworks: Sequence[Framework], directory: Path, unset: Sequence[str] = HELD_BACK
    ) -> None:
        self.frameworks, self.directory, self.unset = list(frameworks), directory, unset
        self._fresh = 0

    def run(
        self, works: Sequence[Workload], processes: int, tell: Callable[[Sample], None]
    ) -> list[Sample]:
        """All samples; `tell` is called with each when it is there."""
        self._prepare()
        samples = []
        for work in works:
            mine = [each for each in self.frameworks if takes_part(each, work)]
            for round_number in range(processes):
                # Each round begins with another one, so that none always runs at the same place.
                turn = round_number % max(len(mine), 1)
                for framework in [*mine[turn:], *mine[:turn]]:
                    samples.append(self._sample(framework, work, round_number))
                    tell(samples[-1])
        return samples

    def _prepare(self) -> None:
        """Bytecode of every library, and the driver of graphc in a cache that others copy."""
        for library in {each.library for each in self.frameworks}:
            cache = self.directory / "driver" if library == "graphc" else self._new_directory()
            _, failure = self._process([library, "prepare"], cache)
            if library == "graphc" and failure:
                raise BenchError(f"bench: the driver of graphc could not be loaded: {failure}")

    def _new_directory(self) -> Path:
        self._fresh += 1
        return self.directory / f"fresh{self._fresh}"

    def _cache(self, framework: Framework, work: Workload) -> Path:
        """The directory of compiled code: shared by steady runs of a framework, else new."""
        steady = work.measure not in ("first", "second")
        name = self.directory / framework.name if steady else self._new_directory()
        if framework.library == "graphc" and not name.exists():
            shutil.copytree(self.directory / "driver", name)
        return name

    def _sample(self, framework: Framework, work: Workload, round_number: int) -> Sample:
        cache = self._cache(framework, work)
        arguments = [framework.library, framework.name, work.name]
        data, failure = self._process(arguments, cache)
        if work.measure == "second" and not failure:
            data, failure = self._process(arguments, cache)
        return Sample(work.name, framework.name, round_number, data, failure)

    def _process(self, arguments: list[str], cache: Path) -> tuple[dict[str, Any], str]:
        unset = [word for name in (*_UNSET, *self.unset) for word in ("-u", name)]
        python = [sys.executable, "-c", LAUNCH, *arguments]
        return result_of(["env", *unset, *_settings(cache), *python])


def result_of(command: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The JSON object on the last line that a command prints, and what went wrong if it did."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return {}, f"took more than {_TIMEOUT_SECONDS} s"
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()
        return {}, said[-1] if said else f"exit status {done.returncode}"
    data: dict[str, Any] = json.loads(lines[-1])
    return data, ""


def _settings(cache: Path) -> list[str]:
    """Where each library keeps what it has compiled."""
    return [
        f"GRAPHC_CACHE_DIR={cache}",
        f"NUMBA_CACHE_DIR={cache / 'numba'}",
        f"TORCHINDUCTOR_CACHE_DIR={cache / 'inductor'}",
        f"PYTENSOR_FLAGS=base_compiledir={cache / 'pytensor'},floatX=float32",
    ]
