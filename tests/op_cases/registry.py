"""Every case, by the name of its operation."""

from __future__ import annotations

from tests.op_cases import (
    basic,
    contraction,
    draws,
    effects,
    elementary,
    indexing,
    joining,
    linear_algebra,
    loops,
    ordering,
    reductions,
    special,
    windows,
)
from tests.op_cases.case import Case

_GROUPS = (
    basic,
    elementary,
    special,
    reductions,
    ordering,
    joining,
    contraction,
    linear_algebra,
    indexing,
    draws,
    effects,
    loops,
    windows,
)
CASES: dict[str, Case] = {name: case for group in _GROUPS for name, case in group.CASES.items()}

# Declared by every case as its inputs, or with tests of their own: parameters and states in
# test_function.py, draws and the training flag in test_random.py, sizes in the mean of a symbolic
# axis.
ELSEWHERE = frozenset(("input", "param", "state", "flag", "random_bits", "gamma_draw", "size"))
