"""BLAS's addresses."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from graphc.errors import CompileError
from graphc.target import blas


@pytest.mark.parametrize("bundled", [True, False])
def test_both_ways_to_the_address(bundled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SciPy that is not a wheel has no library of its own beside it: its Cython interface has."""
    if not bundled:
        monkeypatch.setattr(blas, "_library", lambda: None)
    elif blas._library() is None:
        pytest.skip("this SciPy brings no OpenBLAS")
    address = blas.address.__wrapped__("ddot" if not bundled else "dgemm")
    assert address > 0
    if not bundled:
        dot = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_void_p] * 5)(address)
        x = np.array([1.0, 2.0, 3.0])
        count, step = ctypes.c_int(3), ctypes.c_int(1)
        assert dot(
            ctypes.addressof(count), x.ctypes.data, ctypes.addressof(step), x.ctypes.data,
            ctypes.addressof(step),
        ) == 14  # fmt: skip


def test_a_routine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named in the error, instead of an address of zero."""
    monkeypatch.setattr(blas, "_library", lambda: None)
    with pytest.raises(CompileError, match="sfoo"):
        blas.address.__wrapped__("sfoo")
