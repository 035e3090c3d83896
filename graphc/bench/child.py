"""What runs in a process of its own: one framework, one workload, one figure.

The process starts with `LAUNCH`, which imports the framework before anything else, so that the
time of that import is its own. The result is the last line on standard output, as JSON.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from graphc.bench.frameworks import Job, framework
from graphc.bench.reference import expected, relative_error
from graphc.bench.workloads import Workload, arrays, workload
from graphc.target import driver

# Arguments: the library to import, then those of `main`.
LAUNCH = """
import sys, time
start = time.perf_counter()
__import__(sys.argv[1])
seconds = time.perf_counter() - start
from graphc.bench.child import main
main(seconds, sys.argv[2:])
"""

# A steady figure is the best of at least so many runs that take at least so long together.
_LEAST_RUNS = 5
_LEAST_SECONDS = 1.0


def main(import_seconds: float, arguments: list[str]) -> None:
    """Measure `arguments`: a framework and a workload; or "prepare": have the driver cached."""
    if arguments == ["prepare"]:
        driver.load()
        result: dict[str, Any] = {"value": import_seconds}
    else:
        result = measure(arguments[0], workload(arguments[1]), import_seconds)
    print("\n" + json.dumps(result))


def measure(name: str, work: Workload, import_seconds: float) -> dict[str, Any]:
    """The figure of one framework: seconds a step, a call, a first step or an import.

    Keys: `value`; `import_seconds`; for all but imports `first_seconds` (from arrays to the first
    result, with `build_seconds` of it before anything runs), `relative_error` and whether that
    makes it `wrong`, and `peak_bytes`, the most memory that the process held beyond what it did
    after the import.
    """
    result: dict[str, Any] = {"value": import_seconds, "import_seconds": import_seconds}
    if work.measure == "import":
        return result
    held = _memory("VmRSS")
    given = arrays(work.model, work.settings)
    start = time.perf_counter()
    job = framework(name).makers()[work.model](work.settings, given)
    built = time.perf_counter()
    first = job.first()
    done = time.perf_counter()
    result |= {"build_seconds": built - start, "first_seconds": done - start}
    result["value"] = done - start if work.measure != "steady" else _steady(job)
    result["peak_bytes"] = _memory("VmHWM") - held
    # After the timing: the reference wakes the threads of NumPy's BLAS.
    error = relative_error(first, expected(work))
    return result | {"relative_error": error, "wrong": not error <= work.tolerance}


def _steady(job: Job) -> float:
    """Seconds a step, the best of several runs: what else the machine does only ever adds to it."""
    job.run()
    best, total, runs = float("inf"), 0.0, 0
    while runs < _LEAST_RUNS or total < _LEAST_SECONDS:
        start = time.perf_counter()
        job.run()
        taken = time.perf_counter() - start
        best, total, runs = min(best, taken), total + taken, runs + 1
    return best / job.steps


def _memory(key: str) -> int:
    """Bytes of memory in use (VmRSS) or the most ever in use (VmHWM); 0 where none can be told."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return 1024 * int(lines[key].split()[0])
