"""The truth: graphs evaluated with 60 digits by mpmath, from the operations' own formulas.

Where mathematics defines no finite real number (log of a negative, 0 / 0, an infinite input), the
truth is nan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
import numpy as np

from graphc.ir.node import Node
from graphc.ops.elementwise import ElementwiseOp, cast_op
from graphc.ops.evaluate import bind_sizes, resolve
from graphc.ops.indices import numpy_key
from graphc.ops.source import constant_op, input_op, size_op

DIGITS = 60
NAN = mpmath.mpf("nan")


def _extreme(choose: Any) -> Any:
    return lambda *values: NAN if any(mpmath.isnan(v) for v in values) else choose(values)


def _piecewise(*branches: tuple[Any, Any]) -> Any:
    return next(value for value, condition in branches if condition)


class Exact:
    """SymPy's names, on single mpmath numbers."""

    exp, log, sqrt, sin, cos = mpmath.exp, mpmath.log, mpmath.sqrt, mpmath.sin, mpmath.cos
    sinh, cosh, erfc = mpmath.sinh, mpmath.cosh, mpmath.erfc
    tanh, erf, sign, floor, Abs = mpmath.tanh, mpmath.erf, mpmath.sign, mpmath.floor, abs
    Max, Min = staticmethod(_extreme(max)), staticmethod(_extreme(min))
    Piecewise = staticmethod(_piecewise)
    And, Or = staticmethod(lambda a, b: bool(a and b)), staticmethod(lambda a, b: bool(a or b))
    Not = staticmethod(lambda a: not a)
    Eq, Ne = staticmethod(lambda a, b: a == b), staticmethod(lambda a, b: a != b)
    Lt, Le = staticmethod(lambda a, b: a < b), staticmethod(lambda a, b: a <= b)
    Gt, Ge = staticmethod(lambda a, b: a > b), staticmethod(lambda a, b: a >= b)


def _number(value: Any) -> Any:
    return mpmath.mpf(float(value)) if np.isfinite(value) else NAN


def _lift(array: Any) -> np.ndarray:
    known = np.asarray(array)
    if known.dtype.kind != "f":
        return known
    lifted = np.empty(known.shape, dtype=object)
    lifted[...] = np.vectorize(_number, otypes=[object])(known) if known.size else known
    return lifted


def truth(root: Node, feed: Mapping[Node, np.ndarray]) -> np.ndarray:
    """The exact value of a node: an array of mpmath numbers, or of integers or truth values."""
    sizes = bind_sizes([(node, np.shape(value)) for node, value in feed.items()])
    known: dict[Node, np.ndarray] = {node: _lift(value) for node, value in feed.items()}
    with mpmath.workdps(DIGITS):
        return _value(root, known, sizes)


def _value(node: Node, known: dict[Node, np.ndarray], sizes: Mapping[str, int]) -> np.ndarray:
    if node not in known:
        known[node] = np.asarray(_compute(node, known, sizes))
    return known[node]


def _compute(node: Node, known: dict[Node, np.ndarray], sizes: Mapping[str, int]) -> Any:
    assert node.op is not input_op, node
    attrs = {name: resolve(value, sizes) for name, value in node.attrs.items()}
    if node.op in (constant_op, size_op):
        value = attrs["value"].array if node.op is constant_op else np.float64(attrs["dim"])
        return _lift(np.asarray(value))
    expand = None if isinstance(node.op, ElementwiseOp) else node.op.expand
    if expand is not None and node.op.name != "one_hot":
        return _value(expand(node), known, sizes)
    arrays = [_value(source, known, sizes) for source in node.inputs]
    if isinstance(node.op, ElementwiseOp):
        return _elementwise(node, arrays)
    if node.op.kind == "reduction" and node.op.name in ("sum", "max", "min"):
        reduce = {"sum": np.sum, "max": np.max, "min": np.min}[node.op.name]
        return reduce(arrays[0], axis=attrs["axes"], keepdims=attrs["keepdims"])
    if node.op.name == "one_hot":
        return _lift(node.op.reference({**attrs, "dtype": node.dtype}, *arrays))
    if node.op.name == "scatter_add":
        result = np.full(attrs["shape"], mpmath.mpf(0))
        np.add.at(result, numpy_key(attrs, "scatter_add", result.shape, arrays[1:]), arrays[0])
        return result
    return node.op.reference(attrs, *arrays)


def _elementwise(node: Node, arrays: list[np.ndarray]) -> Any:
    if node.op is cast_op:
        return _cast(node, arrays[0])
    assert isinstance(node.op, ElementwiseOp)
    formula = node.op.formula
    assert formula is not None

    def single(*elements: Any) -> Any:
        try:
            result = formula(Exact, *elements)
        except (ZeroDivisionError, ValueError, OverflowError):
            return NAN
        return NAN if isinstance(result, mpmath.mpc) else result

    shapes = np.broadcast(*arrays) if len(arrays) > 1 else arrays[0]
    if shapes.size == 0:
        return np.empty(shapes.shape, dtype=object)
    result = np.frompyfunc(single, len(arrays), 1)(*arrays)
    return np.asarray(result, dtype=object if node.dtype.is_float else node.dtype.numpy)


def _cast(node: Node, array: np.ndarray) -> Any:
    """Exact: rounding to a float type is what is being measured, so the truth does not round."""
    if node.dtype.is_float:
        return array if array.dtype == object else _lift(array.astype(np.float64))
    if array.dtype == object:
        return np.vectorize(lambda v: int(v) if mpmath.isfinite(v) else 0)(array)
    return array.astype(node.dtype.numpy)
