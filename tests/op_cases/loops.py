"""Cases of loops, branches, and derivatives that an author wrote."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node
from tests.op_cases.case import Case


def _running(start: Node, rows: Node) -> Node:
    last, partial = gx.scan(lambda c, r: (gx.tanh(c + r), c * r), start, rows)
    return gx.sum(partial, axis=0) + last


def _running_oracle(start: np.ndarray, rows: np.ndarray) -> np.ndarray:
    total = np.zeros_like(start)
    for row in rows:
        total, start = total + start * row, np.tanh(start + row)
    return total + start


def _chosen(x: Node) -> Node:
    return gx.cond(gx.sum(x) > 0, lambda v: v * v, lambda v: gx.exp(v), x)  # type: ignore[no-any-return]


def _doubled(x: Node) -> Node:
    return gx.while_loop(lambda v: gx.sum(v * v) < 50, lambda v: v * 2, x, max_steps=9)  # type: ignore[no-any-return]


def _doubled_oracle(x: np.ndarray) -> np.ndarray:
    while (x * x).sum() < 50:
        x = x * 2
    return x


@gx.custom_gradient
def _cube(x: Node) -> Any:
    return x * x * x, lambda g: 3 * x * x * g


CASES: dict[str, Case] = {
    "scan": Case(_running, ((3,), (4, 3)), _running_oracle),
    "cond": Case(_chosen, ((3,),), lambda x: x * x if x.sum() > 0 else np.exp(x)),
    "while_loop": Case(_doubled, ((3,),), _doubled_oracle),
    "custom_gradient": Case(_cube, ((3, 4),), lambda x: x**3),
    "clip_gradient": Case(lambda x: gx.clip_gradient(x, -99, 99) * 1.0, ((3, 4),), lambda x: x),
}
