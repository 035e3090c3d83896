"""Matrices that tests of linear algebra share, and how a function of them is compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.shape import TupleType

TARGETS = ("python", "cpu")
RANDOM = np.random.default_rng(0)
SQUARE = RANDOM.standard_normal((2, 3, 4, 4))
SYMMETRIC = SQUARE + SQUARE.mT
POSITIVE = SQUARE @ SQUARE.mT + np.eye(4)
TALL = RANDOM.standard_normal((2, 3, 5, 3))
ONE_OF_EACH: dict[str, Callable[[Node], Any]] = {
    "solve": lambda a: gx.solve(a, a),
    "triangular_solve": lambda a: gx.linalg.triangular_solve(a, a),
    "inv": gx.inv,
    "det": gx.det,
    "slogdet": gx.slogdet,
    "cholesky": gx.cholesky,
    "eigh": gx.eigh,
    "qr": gx.qr,
    "svd": gx.svd,
    "expm": gx.expm,
    "pinv": gx.linalg.pinv,
}


def parts(y: Any) -> list[Node]:
    """The results of a node, several or one."""
    whole: Node = y
    return list(whole) if isinstance(whole.type, TupleType) else [whole]


def computed(function: Callable[..., Any], *arrays: Any, dtype: Any = None) -> list[list[Any]]:
    """The results of a function of nodes: the interpreter's, then those of both targets."""
    given = [np.asarray(a, dtype or np.asarray(a).dtype) for a in arrays]
    nodes = [gx.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(given)]
    outputs = parts(function(*nodes))
    found = [gx.evaluate(outputs, dict(zip(nodes, given, strict=True)))]
    return found + [list(gx.compile(nodes, outputs, target=t)(*given)) for t in TARGETS]


def check(function: Callable[..., Any], expected: Any, *arrays: Any, tolerance: float = 1e-11,
**options: Any) -> None:  # fmt: skip
    """Compare with one array, or with a tuple of them."""
    wanted = expected if isinstance(expected, tuple) else (expected,)
    for found in computed(function, *arrays, **options):
        for one, other in zip(found, wanted, strict=True):
            assert one.shape == np.shape(other)
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
