"""The truth of what rewriting is checked on: finite numbers, exactly; nan where there is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import graphc.ops.exact as exact
from graphc.ir.node import Node


def truth(root: Node, feed: Mapping[Node, np.ndarray]) -> np.ndarray:
    """The exact value of a node: an array of mpmath numbers, or of integers or truth values.

    An infinite input counts as no number, so that its truth is nan.
    """
    known = {
        node: np.where(np.isfinite(value), value, np.nan) if node.dtype.is_float else value
        for node, value in feed.items()
    }
    found = exact.truth(root, known)
    assert isinstance(found, np.ndarray)
    return found
