"""Compilation without searches for circles of garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """No search for circles of garbage inside, unless there was none before.

    Graphs and kernels are made of many small objects that live on and point one way. The search
    goes over all of them again and again and finds nothing: a quarter of the time it takes to
    schedule a graph of 10,000 nodes. What no name refers to is freed at once all the same.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
