"""Cases of the group: joining."""

from __future__ import annotations

import numpy as np

import graphc as gx
from tests.op_cases.case import Case

CASES: dict[str, Case] = {
    "concat": Case(
        lambda x, y, z: gx.concat([x, gx.exp(y), z, x], axis=1),
        ((2, 3), (2, 1), (2, 4)),
        lambda x, y, z: np.concatenate([x, np.exp(y), z, x], axis=1),
    ),
}
