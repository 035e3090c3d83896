"""A run as JSON: the machine, the versions, its limits, the comparisons and every sample."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import graphc
from graphc.bench.report import Comparison
from graphc.bench.suite import BenchError, Sample
from graphc.files import replace_text

_LIBRARIES = ("numpy", "numba", "scipy", "torch", "jax", "jaxlib", "pytensor")
_PROCESSOR = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """The machine, its versions, and the date."""
    versions = {"graphc": graphc.__version__}
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "system": f"{platform.system()} {platform.machine()}", "processor": _processor(),
        "cores": os.cpu_count(), "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "versions": versions,
    }  # fmt: skip


def _processor() -> str:
    """The model of the processor, by the name that it gives itself."""
    with suppress(OSError):
        for line in _PROCESSOR.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def document(
    host: Mapping[str, Any],
    limits: Mapping[str, Any],
    rows: Sequence[Comparison],
    samples: Sequence[Sample],
) -> dict[str, Any]:
    """All that was found, for JSON."""
    return {
        "machine": dict(host), "limits": dict(limits),
        "comparisons": [asdict(row) for row in rows],
        "samples": [asdict(sample) for sample in samples],
    }  # fmt: skip


def write_document(path: Path, content: dict[str, Any]) -> None:
    """Write the file as a whole or not at all."""
    replace_text(path, json.dumps(content, indent=1) + "\n")


def read_document(path: Path) -> tuple[dict[str, Any], dict[str, Any], list[Sample]]:
    """The machine, its limits and the samples of a run that was written before."""
    try:
        content = json.loads(path.read_text("utf-8"))
        samples = [Sample(**each) for each in content["samples"]]
        return content["machine"], content["limits"], samples
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"bench: expected a file that --json wrote, {path}: {error}") from None
