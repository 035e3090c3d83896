"""What holds for every test: verified passes, a kernel cache of their own, repeatable examples."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports graphc, and inherited by parallel workers and by subprocesses.
os.environ.setdefault("GRAPHC_VERIFY", "1")

# Subprocesses test this checkout too, wherever they start.
_paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
if str(ROOT) not in _paths:
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, _paths)])

# The user's kernel cache is neither used nor filled: kernels are those of the code under test.
if "GRAPHC_CACHE_DIR" not in os.environ:
    os.environ["GRAPHC_CACHE_DIR"] = tempfile.mkdtemp(prefix="graphc-test-kernels-")
    _owner = os.getpid()

    @atexit.register
    def _remove_kernels() -> None:
        if os.getpid() == _owner:  # not in a forked child
            shutil.rmtree(os.environ["GRAPHC_CACHE_DIR"], ignore_errors=True)


# The first example of a test compiles a kernel, so no example has a deadline.
settings.register_profile("graphc", deadline=None, print_blob=True)
settings.register_profile("graphc-ci", settings.get_profile("graphc"), derandomize=True)
settings.load_profile("graphc-ci" if os.environ.get("CI") else "graphc")
