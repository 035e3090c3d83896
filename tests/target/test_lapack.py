"""The table of BLAS and LAPACK routines: each target has them all, with the same parameters."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

from graphc.target import blas, decompositions, native_primitives
from graphc.target.lapack import LAPACK, ROUTINES
from graphc.target.pointer import Pointer
from graphc.target.primitives import PRIMITIVES


@pytest.mark.parametrize("name", LAPACK)
def test_every_target_has_the_routine(name: str) -> None:
    """Python and native code take the parameters that the table states."""
    parameters = LAPACK[name].parameters
    assert tuple(inspect.signature(PRIMITIVES[name]).parameters) == parameters
    assert name in native_primitives.NATIVE
    for text in LAPACK[name].arguments:
        inner = re.sub(r"^ld\((\w+)\)$|^(\w+)\?.*", r"\1\2", text)
        assert inner in parameters or re.fullmatch(r"info|'\w'|\d\.\d", text), text


@pytest.mark.parametrize("routine", sorted(ROUTINES))
def test_scipy_has_the_routine(routine: str) -> None:
    """In the library that comes with SciPy, and behind SciPy's own interface."""
    kind = "blas" if routine[1:] in ("gemm", "gemv", "trsm") else "lapack"
    assert blas.address(routine) != 0
    assert blas._capsule_address(f"scipy.linalg.cython_{kind}", routine) != 0


def test_cholesky_says_which_pivot_fails() -> None:
    """As LAPACK's potrf: 1-based, also for nan."""
    for bad in (-1.0, 0.0, np.nan):
        matrix = np.diag([2.0, 3.0, bad, 1.0])
        assert decompositions.cholesky_factor(4, Pointer(matrix.ctypes.data, matrix.dtype)) == 3


def test_reflections_give_the_orthogonal_factor() -> None:
    """lq_form makes Q of what lq_factor left, as orglq does."""
    a = np.random.default_rng(0).standard_normal((5, 3))
    factors, scales, work = a.copy(), np.zeros(3), np.zeros(8)
    memory = [Pointer(array.ctypes.data, array.dtype) for array in (factors, scales, work)]
    assert decompositions.lq_factor(3, 5, *memory, 8) == 0
    triangle = np.triu(factors[:3])
    assert decompositions.lq_form(3, 5, *memory, 8) == 0
    np.testing.assert_allclose(factors @ triangle, a, atol=1e-14)
    np.testing.assert_allclose(factors.T @ factors, np.eye(3), atol=1e-14)
