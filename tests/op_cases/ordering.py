"""Cases of the group: ordering."""

from __future__ import annotations

import numpy as np

import graphc as gx
from tests.op_cases.case import Case

CASES: dict[str, Case] = {
    "sort": Case(lambda x: gx.sort(x, axis=1) ** 2, ((3, 4, 2),),
        lambda x: np.sort(x, axis=1) ** 2),
    "searchsorted": Case(lambda a, v: gx.searchsorted(gx.sort(a), v), ((5,), (3, 4)),
        lambda a, v: np.searchsorted(np.sort(a), v), smooth=False),
}  # fmt: skip
