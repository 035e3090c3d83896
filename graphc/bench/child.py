"""What runs in a process of its own: one framework, one workload, one figure.

The process starts with `LAUNCH`, which imports the framework before anything else, so that the
time of that import is its own. The result is the last line on standard output, as JSON.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphc.bench.model import Job, expected, given_arrays, library, relative_error
from graphc.bench.workloads import Workload, model_of, workload

# Arguments: the library to import, then those of `main`.
LAUNCH = """
import sys, time
start = time.perf_counter()
__import__(sys.argv[1])
seconds = time.perf_counter() - start
from graphc.bench.child import main
main(seconds, sys.argv[2:])
"""

# A steady figure is the best of at least so many runs that take at least so long together; of
# runs that take very long there are fewer.
_LEAST_RUNS, _LEAST_SECONDS = 5, 1.0
_FEWEST_RUNS, _ENOUGH_SECONDS = 2, 10.0
_PRODUCT = 2048


def main(import_seconds: float, arguments: list[str]) -> None:
    """Measure `arguments`: a framework and a workload, or what `_CHORES` has."""
    chore = _CHORES.get(arguments[0])
    result = chore() if chore else measure(arguments[0], workload(arguments[1]), import_seconds)
    print("\n" + json.dumps(result))


def measure(name: str, work: Workload, import_seconds: float) -> dict[str, Any]:
    """The figure of one framework: seconds a step, a call, a first step or an import.

    Keys: `value`; `import_seconds`; for all but imports `first_seconds` (from arrays to the first
    result, with `build_seconds` of it before anything runs), `relative_error` and whether that
    makes it `wrong`, and `peak_bytes`, the most memory that the process held beyond what it did
    after the import.
    """
    result: dict[str, Any] = {"value": import_seconds, "import_seconds": import_seconds}
    model = model_of(work)
    if model is None:
        return result
    held = _memory("VmRSS")
    given = given_arrays(model, work.settings)
    start = time.perf_counter()
    job = model.makers[name](work.settings, given)
    built = time.perf_counter()
    # A copy: a framework may give the same memory again.
    first = [np.array(array) for array in job.first()]
    done = time.perf_counter()
    result |= {"build_seconds": built - start, "first_seconds": done - start}
    result["value"] = done - start if work.measure != "steady" else _steady(job)
    result["peak_bytes"] = _memory("VmHWM") - held
    # After the timing: the reference wakes the threads of NumPy's BLAS.
    error = relative_error(first, expected(model, work.settings))
    return result | {"relative_error": error, "wrong": not error <= work.tolerance}


def _steady(job: Job) -> float:
    """Seconds a step, the best of several runs: what else the machine does only ever adds to it."""
    job.run()
    best, total, runs = float("inf"), 0.0, 0
    while runs < _FEWEST_RUNS or total < _ENOUGH_SECONDS:
        start = time.perf_counter()
        job.run()
        taken = time.perf_counter() - start
        best, total, runs = min(best, taken), total + taken, runs + 1
        if runs >= _LEAST_RUNS and total >= _LEAST_SECONDS:
            break
    return best / job.steps


def _memory(key: str) -> int:
    """Bytes of memory in use (VmRSS) or the most ever in use (VmHWM); 0 where none can be told."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return 1024 * int(lines[key].split()[0])


def _load_driver() -> dict[str, Any]:
    """Have the driver of graphc compiled and cached."""
    library("graphc.target.driver").load()
    return {"value": 0.0}


def _limits() -> dict[str, Any]:
    """The machine's limits: bytes copied in a second, read and written together, and operations of
    a large matrix product, the better of graphc's and of NumPy's."""
    found = library("graphc.target.limits").machine_limits(again=True)
    return {
        "copy_bytes": found.bandwidths[-1].copied,
        "float32_products": max(found.float32_products, _product_rate("float32")),
        "float64_products": max(found.float64_products, _product_rate("float64")),
        "threads": found.threads,
    }


def _product_rate(dtype: str) -> float:
    a, b, c = (np.ones((_PRODUCT, _PRODUCT), dtype) for _ in range(3))
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        np.matmul(a, b, out=c)
        best = min(best, time.perf_counter() - start)
    return 2.0 * _PRODUCT**3 / best


_CHORES: dict[str, Callable[[], dict[str, Any]]] = {
    "nothing": lambda: {"value": 0.0}, "driver": _load_driver, "limits": _limits,
}  # fmt: skip
