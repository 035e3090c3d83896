"""Cases of the group: windows."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import graphc as gx
from tests.op_cases.case import Case


def _overlap_add(g: np.ndarray) -> np.ndarray:
    """Windows (3, 2) at strides (2, 1) and dilations (1, 2), added up one by one."""
    result = np.zeros((2, 8, 5))
    for i, j, k, m in np.ndindex(3, 3, 3, 2):
        result[:, 2 * i + k, j + 2 * m] += g[:, i, j, k, m]
    return result


CASES: dict[str, Case] = {
    "window": Case(
        lambda x: gx.window(x, (2, 3), axes=(1, 0), strides=(1, 2), dilations=(2, 1)),
        ((7, 5, 2),),
        lambda x: sliding_window_view(x, (3, 3), (1, 0))[::2, ..., ::2, :],
    ),
    "fold": Case(
        lambda x: gx.fold(x, (8, 5), strides=(2, 1), dilations=(1, 2)),
        ((2, 3, 3, 3, 2),),
        _overlap_add,
    ),
}
