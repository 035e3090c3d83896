"""The engine that loads object code: what it may refer to."""

from __future__ import annotations

import subprocess
import sys


def test_the_process_is_known_before_the_first_kernel() -> None:
    """LLVM turns loops into memset and memcpy: a kernel from the cache may be the first to load."""
    text = "from graphc.target import engine; print(engine.is_defined('memset'))"
    found = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.strip() == "True"
