"""Cases of the group: contraction."""

from __future__ import annotations

import numpy as np

import graphc as gx
from tests.op_cases.case import Case

_A = np.array([[1, -2, 3], [40_000, 5, -6]], "int32")
_B = np.array([[7, 1], [2, 2], [60_000, -1]], "int32")

CASES: dict[str, Case] = {
    "integer_matmul": Case(
        gx.matmul, ((2, 3), (3, 2)), np.matmul, exact={0: _A, 1: _B}, smooth=False
    ),
    "einsum": Case(
        lambda a, b, c: gx.einsum("bqhd,bkhd,...k->bhq", a, b, c),
        ((2, 3, 2, 2), (2, 4, 2, 2), (4,)),
        lambda a, b, c: np.einsum("bqhd,bkhd,...k->bhq", a, b, c),
    ),
    "tensordot": Case(
        lambda a, b: gx.tensordot(a, b, ([2, 0], [0, 2])), ((2, 3, 4), (4, 5, 2)),
        lambda a, b: np.tensordot(a, b, ([2, 0], [0, 2])),
    ),
    "kron": Case(gx.kron, ((2, 3), (3, 1)), np.kron),
    "multi_dot": Case(
        lambda a, b, c: gx.multi_dot([a, b, c]), ((2, 5), (5, 2), (2, 3)),
        lambda a, b, c: a @ b @ c,
    ),
}  # fmt: skip
