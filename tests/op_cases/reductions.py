"""Cases of the group: reductions, statistics of groups, and recurrences along an axis."""

from __future__ import annotations

import numpy as np

import graphc as gx
from tests.op_cases.case import Case, anywhere, positive

_CUBE = (3, 4, 2)
_FACTORS = (positive, anywhere)


def _recurrence(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    result = np.zeros((3, 4))
    for i in range(3):
        result[i] = b[i] if i == 0 else a[i] * result[i - 1] + b[i]
    return result


CASES: dict[str, Case] = {
    "any": Case(lambda x: gx.any(x > 1.5, axis=1), (_CUBE,), lambda x: np.any(x > 1.5, axis=1),
        smooth=False),
    "all": Case(lambda x: gx.all(x > -1.5, axis=1), (_CUBE,), lambda x: np.all(x > -1.5, axis=1),
        smooth=False),
    "var": Case(lambda x: gx.var(x, axis=1), (_CUBE,), lambda x: np.var(x, axis=1)),
    "std": Case(lambda x: gx.std(x, axis=1, ddof=1), (_CUBE,), lambda x: np.std(x, axis=1, ddof=1)),
    "norm": Case(lambda x: gx.norm(x, axis=1) + gx.norm(x, 3, axis=1), (_CUBE,),
        lambda x: np.linalg.norm(x, axis=1) + np.linalg.norm(x, 3, axis=1)),
    "count_nonzero": Case(lambda x: gx.count_nonzero(gx.relu(x), axis=1), (_CUBE,),
        lambda x: np.count_nonzero(np.maximum(x, 0), axis=1), smooth=False),
    "diff": Case(lambda x: gx.diff(x, axis=1) ** 2, (_CUBE,), lambda x: np.diff(x, axis=1) ** 2),
    "median": Case(lambda x: gx.median(x, axis=1) ** 2, (_CUBE,),
        lambda x: np.median(x, axis=1) ** 2),
    "quantile": Case(lambda x: gx.quantile(x, [0.2, 0.7], axis=1) ** 2, (_CUBE,),
        lambda x: np.quantile(x, [0.2, 0.7], axis=1) ** 2),
    "cumsum": Case(lambda x: gx.cumsum(x, axis=1) ** 2, (_CUBE,),
        lambda x: np.cumsum(x, axis=1) ** 2),
    "cumprod": Case(lambda x: gx.cumprod(x, axis=1), (_CUBE,), lambda x: np.cumprod(x, axis=1)),
    "cummax": Case(lambda x: gx.cummax(x, axis=1) ** 2, (_CUBE,),
        lambda x: np.maximum.accumulate(x, axis=1) ** 2),
    "cummin": Case(lambda x: gx.cummin(x, axis=1) ** 2, (_CUBE,),
        lambda x: np.minimum.accumulate(x, axis=1) ** 2),
    "linear_recurrence": Case(gx.linear_recurrence, ((3, 4), (3, 4)), _recurrence, _FACTORS),
}  # fmt: skip
