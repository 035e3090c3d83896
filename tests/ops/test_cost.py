"""The table of costs names operations that exist."""

from __future__ import annotations

from graphc.ir.op import REGISTRY
from graphc.ops.cost import COSTLY_FUNCTIONS
from graphc.target import vmath


def test_every_costly_function_is_an_operation() -> None:
    """Protects the table from a name that an operation no longer has."""
    assert set(REGISTRY) >= COSTLY_FUNCTIONS


def test_the_transcendental_functions_of_targets_are_costly() -> None:
    """Protects a new function from being computed wherever its value is used."""
    cheap = {
        "sqrt",
        "divide",
        "rsqrt",
        "reciprocal",
        "round",
        "trunc",
        "ceil",
        "floor",
        "heaviside",
    }
    known = {name for name in (*vmath.UNARY, *vmath.BINARY) if name in REGISTRY}
    assert known - COSTLY_FUNCTIONS - cheap == set()
