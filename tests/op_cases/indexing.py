"""Cases of the group: indexing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from tests.op_cases.case import Case

_REPEATED = np.array([3, 0, 3])
_S = (4, 2)


def _changed(combine: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """What a change at _REPEATED gives, one value after the other."""

    def oracle(base: np.ndarray, values: np.ndarray) -> np.ndarray:
        result = base.copy()
        for value, index in zip(values, _REPEATED, strict=True):
            result[index] = combine(result[index], value)
        return result

    return oracle


def _set_slice(base: np.ndarray, values: np.ndarray) -> np.ndarray:
    result = base.copy()
    result[3:0:-2, 1:] = values
    return result


CASES: dict[str, Case] = {
    "at_add": Case(lambda x, v: x.at[_REPEATED].add(v), (_S, (3, 2)), _changed(np.add)),
    "at_set": Case(lambda x, v: x.at[_REPEATED].set(v), (_S, (3, 2)), _changed(lambda a, b: b)),
    "at_multiply": Case(
        lambda x, v: x.at[_REPEATED].multiply(v), (_S, (3, 2)), _changed(np.multiply)
    ),
    "at_max": Case(lambda x, v: x.at[_REPEATED].max(v), (_S, (3, 2)), _changed(np.maximum)),
    "at_min": Case(lambda x, v: x.at[_REPEATED].min(v), (_S, (3, 2)), _changed(np.minimum)),
    "set_slice": Case(
        lambda x, v: x.at[3:0:-2, 1:].set(v * v), ((4, 3), (2, 2)),
        lambda x, v: _set_slice(x, v * v),
    ),
    "take several axes": Case(
        lambda x, i, j: x[i, :, j], ((4, 2, 3), (3,), (3,)), lambda x, i, j: x[i, :, j],
        exact={1: _REPEATED, 2: np.array([1, -1, 1])},
    ),
    "take along an axis": Case(
        lambda x, i: gx.take_along_axis(x, i, axis=0), ((4, 3), (2, 3)),
        lambda x, i: np.take_along_axis(x, i, axis=0),
        exact={1: np.array([[3, 0, -1], [3, 1, 1]])},
    ),
    "segments": Case(
        lambda v: (gx.segment_max(v, _REPEATED, 4) * gx.segment_mean(v, _REPEATED, 4))[[0, 3]],
        ((3, 2),),
        lambda v: np.stack([v[1] * v[1], np.maximum(v[0], v[2]) * (v[0] + v[2]) / 2]),
    ),
    "compress": Case(
        lambda m, x: gx.compress(m, x, axis=0, size=3, fill_value=2), ((4,), (4, 2)),
        lambda m, x: np.concatenate([x[m], np.full((1, 2), 2.0)]),
        exact={0: np.array([True, False, False, True])},
    ),
}  # fmt: skip
