"""Both front ends of native code, and what their results are compared on."""

from __future__ import annotations

from typing import Any

import numpy as np

FRONT_ENDS = ("cpu", "numba")
FLOATS = ("float32", "float64")


def same_bits(one: Any, other: Any, label: str = "") -> None:
    """Equal in every bit; any NaN equals any."""
    one, other = np.asarray(one), np.asarray(other)
    assert one.dtype == other.dtype, label
    np.testing.assert_array_equal(one, other, err_msg=label)
    if one.dtype.kind == "f":
        numbers = ~np.isnan(one)
        np.testing.assert_array_equal(np.signbit(one)[numbers], np.signbit(other)[numbers], label)


def values(dtype: str) -> np.ndarray:
    """Ordinary and hard values of a dtype."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype in FLOATS:
        limits = np.finfo(dtype)
        sizes = [0, 0.3, 0.5, 1, 1.5, 2.75, 7.25, 88, 300, 1e20, np.inf, np.nan, limits.max]
        sizes += [limits.tiny, limits.smallest_subnormal, 1 + limits.eps, 2**31, 2**63]
        return np.array([*sizes, *(-size for size in sizes)], dtype)
    ends = np.iinfo(dtype)
    ordinary = [0, 1, 2, 3, 7, 100] + ([-1, -2, -7, -100] if ends.min < 0 else [])
    return np.array([*ordinary, ends.min, ends.max, ends.max - 1], dtype)


def pairs(dtype: str) -> list[np.ndarray]:
    """Every pair of them."""
    return [part.ravel() for part in np.meshgrid(values(dtype), values(dtype))]


def text(names: str, body: str) -> str:
    """A kernel that imports these primitives."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    return (
        f"from graphc.target.primitives import {names}\n\n\n"
        f"def kernel(lo, hi, argv, context):\n{lines}\n"
    )


def chunks(names: list[str], size: int = 6) -> list[tuple[str, ...]]:
    """Groups of names, each for one program."""
    return [tuple(names[at : at + size]) for at in range(0, len(names), size)]
