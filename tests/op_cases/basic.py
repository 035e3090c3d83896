"""Cases of the first operations: arithmetic, reductions, layout, products, indexing, networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

import graphc as gx
from graphc.ir.node import Node, make
from graphc.ir.op import REGISTRY
from graphc.ops import layout, routine
from graphc.ops.indexing import checked_op
from graphc.ops.reduction import sum_op
from graphc.schedule.blocks import in_blocks
from graphc.schedule.contract import product_op
from tests.op_cases.case import Case, Sample, anywhere, positive, well_conditioned

_S = (3, 4)
_UNARY: dict[str, tuple[Callable[..., Any], Sample]] = {
    "negative": (np.negative, anywhere), "square": (np.square, anywhere), "exp": (np.exp, anywhere),
    "expm1": (np.expm1, anywhere), "log": (np.log, positive), "log1p": (np.log1p, positive),
    "sqrt": (np.sqrt, positive), "sin": (np.sin, anywhere), "cos": (np.cos, anywhere),
    "tanh": (np.tanh, anywhere), "sigmoid": (special.expit, anywhere),
    "softplus": (lambda x: np.logaddexp(0, x), anywhere), "erf": (special.erf, anywhere),
    "relu": (lambda x: np.maximum(x, 0), anywhere), "abs": (np.abs, anywhere),
    "sign": (np.sign, anywhere), "floor": (np.floor, lambda r, s: positive(r, s).round() + 0.5),
    "copy": (lambda x: x, anywhere),
}  # fmt: skip
_BINARY: dict[str, tuple[Callable[..., Any], Sample]] = {
    "add": (np.add, anywhere), "subtract": (np.subtract, anywhere),
    "multiply": (np.multiply, anywhere), "divide": (np.divide, positive),
    "power": (np.power, positive), "maximum": (np.maximum, anywhere),
    "minimum": (np.minimum, anywhere),
}  # fmt: skip
_TESTS = {
    "less": np.less, "less_equal": np.less_equal, "greater": np.greater,
    "greater_equal": np.greater_equal, "equal": np.equal, "not_equal": np.not_equal,
}  # fmt: skip
_LABELS = np.array([2, 0, 3])


def _apply(name: str) -> Callable[..., Node]:
    op: Any = REGISTRY[name]
    return lambda *nodes: make(op, nodes) if name == "copy" else op(*nodes)


def _reductions() -> dict[str, Case]:
    found = {}
    for name, function in (
        ("sum", np.sum), ("prod", np.prod), ("max", np.max), ("min", np.min), ("mean", np.mean)
    ):  # fmt: skip
        build: Any = getattr(gx, name)
        found[name] = Case(
            lambda x, build=build: build(x, axis=1), ((3, 4, 2),),
            lambda x, function=function: function(x, axis=1),
        )  # fmt: skip
    for name, function in (("argmax", np.argmax), ("argmin", np.argmin)):
        build = getattr(gx, name)
        found[name] = Case(
            lambda x, build=build: build(x, axis=1), (_S,),
            lambda x, function=function: function(x, axis=1), smooth=False,
        )  # fmt: skip
    return found


def _softmax(x: np.ndarray) -> np.ndarray:
    return np.asarray(special.softmax(x, axis=-1))


def _scatter(values: np.ndarray, indices: np.ndarray) -> np.ndarray:
    result = np.zeros((5, *values.shape[1:]))
    for value, index in zip(values, indices, strict=True):
        result[index] += value
    return result


def _padded(x: np.ndarray) -> np.ndarray:
    result = np.zeros((8, 4))
    result[1:7:2, 0:4] = x
    return result


def _cases() -> dict[str, Case]:
    cases = {name: Case(_apply(name), (_S,), f, (s,)) for name, (f, s) in _UNARY.items()}
    cases |= {name: Case(_apply(name), (_S, (4,)), f, (s, s)) for name, (f, s) in _BINARY.items()}
    cases |= {name: Case(_apply(name), (_S, _S), f, smooth=False) for name, f in _TESTS.items()}
    cases |= _reductions()
    positive_test = {"greater": 0.5}
    truth = lambda x: x > positive_test["greater"]  # noqa: E731
    cases |= {
        "cast": Case(lambda x: gx.cast(gx.cast(x, "float64"), "float64") * 1.0, (_S,), lambda x: x),
        "not_zero": Case(lambda x: gx.logical_not(gx.logical_not(x)), (_S,), lambda x: x != 0,
        smooth=False),
        "where": Case(lambda x, y: gx.where(x > 0.5, x, y), (_S, _S), lambda x,
        y: np.where(x > 0.5, x, y)),
        "stop_gradient": Case(gx.stop_gradient, (_S,), lambda x: x, smooth=False),
        "logical_and": Case(lambda x, y: gx.logical_and(x > 0.5, y > 0.5), (_S, _S), lambda x,
        y: truth(x) & truth(y), smooth=False),
        "logical_or": Case(lambda x, y: gx.logical_or(x > 0.5, y > 0.5), (_S, _S), lambda x,
        y: truth(x) | truth(y), smooth=False),
        "logical_not": Case(lambda x: gx.logical_not(x > 0.5), (_S,), lambda x: ~truth(x),
        smooth=False),
        "isnan": Case(gx.isnan, (_S,), np.isnan, smooth=False),
        "isfinite": Case(gx.isfinite, (_S,), np.isfinite, smooth=False),
        "transpose": Case(lambda x: gx.transpose(x, (1, 0)), (_S,), np.transpose),
        "reshape": Case(lambda x: gx.reshape(x * x, (2, 6)), (_S,), lambda x: (x * x).reshape(2,
        6)),
        "broadcast_to": Case(lambda x: gx.broadcast_to(x, (2, 3, 4)), ((3, 1),),
        lambda x: np.broadcast_to(x, (2, 3, 4))),
        "slice": Case(lambda x: x[::-1, 1:4:2], (_S,), lambda x: x[::-1, 1:4:2]),
        "pad": Case(lambda x: layout.pad(x, ((1, 2, 1), (0, 0, 0))), ((3, 4),), _padded),
        "matmul": Case(gx.matmul, ((2, 3, 4), (2, 4, 5)), np.matmul),
        "product": Case(lambda a, b: make(product_op, (a, b, gx.const(0.5, a.dtype))), ((3, 4), (4,
        2)), lambda a, b: 0.5 * a @ b, smooth=False),
        "block_reduction": Case(lambda x: in_blocks(sum_op, x, 0, 2), ((5, 3),),
        lambda x: np.stack([x[:2].sum(0), x[2:4].sum(0), x[4]]), smooth=False),
        "pick": Case(gx.pick, ((3, 4), (3,)), lambda x, t: x[np.arange(3), t], exact={1: _LABELS}),
        "take": Case(gx.take, ((4, 2), (3,)), lambda x, i: x[i], exact={1: np.array([3, 0, 3])}),
        "scatter_add": Case(lambda v, i: gx.scatter_add(v, i, 5), ((3, 2), (3,)), _scatter,
        exact={1: np.array([3, 0, 3])}),
        "checked_index": Case(
            lambda t: make(checked_op, (t,), length=4), ((3,),), lambda t: t, exact={0: _LABELS},
            smooth=False,
        ),
        "one_hot": Case(lambda t: gx.one_hot(t, 4, "float64"), ((3,),), lambda t: np.eye(4)[t],
        exact={0: _LABELS}, smooth=False),
        "solve": Case(gx.solve, ((3, 3), (3, 2)), np.linalg.solve, (well_conditioned, anywhere)),
        "slogdet": Case(lambda a: gx.slogdet(a)[1], ((3, 3),), lambda a: np.linalg.slogdet(a)[1],
        (well_conditioned,)),
        "item": Case(lambda a: gx.slogdet(a)[0], ((3, 3),), lambda a: np.linalg.slogdet(a)[0],
        (well_conditioned,), smooth=False),
        "tuple": Case(lambda a, b: routine.pack((a, b))[1], (_S, _S), lambda a, b: b, smooth=False),
        "logsumexp": Case(lambda x: gx.logsumexp(x, axis=1), (_S,), lambda x: special.logsumexp(x,
        axis=1)),
        "softmax": Case(gx.softmax, (_S,), _softmax),
        "log_softmax": Case(gx.log_softmax, (_S,), lambda x: np.log(_softmax(x))),
        "softmax_cross_entropy": Case(gx.softmax_cross_entropy, (_S, (3,)), lambda z,
        t: -np.log(_softmax(z))[np.arange(3), t], exact={1: _LABELS}),
        "sigmoid_cross_entropy": Case(gx.sigmoid_cross_entropy, (_S, _S), lambda z,
        t: np.logaddexp(0, z) - t * z),
        "ramp": Case(lambda x: x * gx.ramp((3, 4), 1, "float64"), (_S,),
        lambda x: x * np.arange(4)),
        "const": Case(lambda x: x * gx.const(np.arange(4.0)), (_S,), lambda x: x * np.arange(4.0)),
    }  # fmt: skip
    return cases


CASES = _cases()
