"""The settings of graphc, and the only place that reads `GRAPHC_*` environment variables.

| variable | meaning | default |
|---|---|---|
| `GRAPHC_VERIFY` | `1` checks every graph, schedule and loop program after each pass | `0` |
| `GRAPHC_DEBUG` | `1` prints each phase and where kernels came from, `2` the kernels too | `0` |
| `GRAPHC_CACHE` | `0` switches the cache of kernels and programs on disk off | `1` |
| `GRAPHC_CACHE_DIR` | directory of the kernel cache | `~/.cache/graphc` |
| `GRAPHC_NUM_THREADS` | threads that a compiled program may use | all cores |
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from graphc.errors import ArgumentError

# When graphc was imported: files of its own that are younger are not those that run.
IMPORTED = time.time()


def _integer(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(f"{name}: expected an integer, got {text!r}") from None


def verify_enabled() -> bool:
    """Whether each pass is followed by the verifier (`GRAPHC_VERIFY`)."""
    return _integer("GRAPHC_VERIFY", 0) != 0


def debug_level() -> int:
    """How much the compiler tells about its own work (`GRAPHC_DEBUG`)."""
    return _integer("GRAPHC_DEBUG", 0)


def cache_enabled() -> bool:
    """Whether compiled kernels, and programs of them, are kept on disk (`GRAPHC_CACHE`)."""
    return _integer("GRAPHC_CACHE", 1) != 0


def cache_directory() -> Path:
    """The directory that holds compiled kernels and programs (`GRAPHC_CACHE_DIR`)."""
    chosen = os.environ.get("GRAPHC_CACHE_DIR", "")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "graphc"


def thread_count() -> int:
    """Threads that a compiled program may use (`GRAPHC_NUM_THREADS`, else the usable cores)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = _integer("GRAPHC_NUM_THREADS", cores or 1)
    if count < 1:
        raise ArgumentError(f"GRAPHC_NUM_THREADS: expected at least 1, got {count}")
    return count
