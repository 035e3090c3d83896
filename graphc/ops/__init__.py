"""What can be computed: one definition for each operation, grouped by kind.

This page also gives nodes their Python operators, and every public function the user's line in its
errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError
from graphc.ir.node import OPERATORS, Node
from graphc.ir.shape import TupleType
from graphc.ir.site import at_user_line
from graphc.ops import (
    composite,
    contraction,
    indexing,
    layout,
    reduction,
    routine,
    scalar,
    slicing,
    source,
)  # fmt: skip
from graphc.ops import random as random
from graphc.ops.source import training as training

input = at_user_line(source.input)
param = at_user_line(source.param)
state = at_user_line(source.state)
const = at_user_line(source.const)
ramp = at_user_line(source.ramp)

add = at_user_line(scalar.add)
subtract = at_user_line(scalar.subtract)
multiply = at_user_line(scalar.multiply)
divide = at_user_line(scalar.divide)
negative = at_user_line(scalar.negative)
power = at_user_line(scalar.raise_to)
square = at_user_line(scalar.square)
exp = at_user_line(scalar.exp)
expm1 = at_user_line(scalar.expm1)
log = at_user_line(scalar.log)
log1p = at_user_line(scalar.log1p)
sqrt = at_user_line(scalar.sqrt)
sin = at_user_line(scalar.sin)
cos = at_user_line(scalar.cos)
tanh = at_user_line(scalar.tanh)
sigmoid = at_user_line(scalar.sigmoid)
softplus = at_user_line(scalar.softplus)
erf = at_user_line(scalar.erf)
relu = at_user_line(scalar.relu)
abs = at_user_line(scalar.absolute)
sign = at_user_line(scalar.sign)
floor = at_user_line(scalar.floor)
maximum = at_user_line(scalar.maximum)
minimum = at_user_line(scalar.minimum)
clip = at_user_line(scalar.clip)
where = at_user_line(scalar.where)
stop_gradient = at_user_line(scalar.stop_gradient)
less = at_user_line(scalar.less)
less_equal = at_user_line(scalar.less_equal)
greater = at_user_line(scalar.greater)
greater_equal = at_user_line(scalar.greater_equal)
equal = at_user_line(scalar.equal)
not_equal = at_user_line(scalar.not_equal)
logical_and = at_user_line(scalar.logical_and)
logical_or = at_user_line(scalar.logical_or)
logical_not = at_user_line(scalar.logical_not)
isnan = at_user_line(scalar.isnan)
isfinite = at_user_line(scalar.isfinite)
cast = at_user_line(scalar.as_dtype_node)

transpose = at_user_line(layout.transpose)
reshape = at_user_line(layout.reshape)
expand_dims = at_user_line(layout.expand_dims)
squeeze = at_user_line(layout.squeeze)
broadcast_to = at_user_line(layout.broadcast_to)

sum = at_user_line(reduction.sum)
prod = at_user_line(reduction.prod)
max = at_user_line(reduction.max)
min = at_user_line(reduction.min)
mean = at_user_line(reduction.mean)
argmax = at_user_line(reduction.argmax)
argmin = at_user_line(reduction.argmin)
one_hot = at_user_line(indexing.one_hot)

matmul = at_user_line(contraction.matmul)
pick = at_user_line(indexing.pick)
take = at_user_line(indexing.take)
scatter_add = at_user_line(indexing.scatter_add)
solve = at_user_line(routine.solve)
slogdet = at_user_line(routine.slogdet)
eye = at_user_line(routine.eye)

logsumexp = at_user_line(composite.logsumexp)
softmax = at_user_line(composite.softmax)
log_softmax = at_user_line(composite.log_softmax)
softmax_cross_entropy = at_user_line(composite.softmax_cross_entropy)
sigmoid_cross_entropy = at_user_line(composite.sigmoid_cross_entropy)


def zeros_like(x: Node) -> Node:
    """Zeros of the shape and dtype of `x`."""
    return layout.broadcast_to(source.const(0, x.dtype), x.shape)


def ones_like(x: Node) -> Node:
    """Ones of the shape and dtype of `x`."""
    return layout.broadcast_to(source.const(1, x.dtype), x.shape)


def _getitem(node: Node, key: object) -> Node:
    if isinstance(node.type, TupleType):
        return routine.item(node, key)
    if isinstance(key, Node | np.ndarray | list):
        return indexing.take(node, key)
    return slicing.getitem(node, key)


_UFUNCS: dict[str, Any] = {
    "true_divide": divide, "absolute": abs,
    **{name: globals()[name] for name in (
        "add", "subtract", "multiply", "divide", "negative", "power", "square", "exp", "expm1",
        "log",
        "log1p", "sqrt", "sin", "cos", "tanh", "sign", "floor", "maximum", "minimum", "less",
        "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or",
        "logical_not", "isnan", "isfinite", "matmul",
    )},
}  # fmt: skip
_FUNCTIONS: dict[str, Any] = {
    name: globals()[name]
    for name in (
        "sum", "prod", "max", "min", "mean", "argmax", "argmin", "where", "transpose", "reshape",
        "expand_dims", "squeeze", "broadcast_to", "clip", "take",
    )
}  # fmt: skip


def _array_ufunc(ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """`np.exp(x)` on a node builds a node."""
    if method == "__call__" and not kwargs and ufunc.__name__ in _UFUNCS:
        return _UFUNCS[ufunc.__name__](*inputs)
    raise DTypeError(f"np.{ufunc.__name__} does not take graphc nodes; use an operation of graphc")


def _array_function(function: Any, args: Any, kwargs: Any) -> Any:
    if function.__name__ in _FUNCTIONS:
        return _FUNCTIONS[function.__name__](*args, **kwargs)
    raise DTypeError(
        f"np.{function.__name__} does not take graphc nodes; use an operation of graphc"
    )


OPERATORS.update(
    {
        **{name: globals()[name] for name in (
            "add", "subtract", "multiply", "divide", "negative", "power", "matmul", "abs", "less",
            "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and",
            "logical_or",
            "logical_not", "transpose", "reshape", "sum", "mean", "cast", "exp", "log", "sqrt",
            "sin",
            "cos", "tanh", "erf", "sign", "floor", "maximum", "minimum", "where", "const",
        )},
        "getitem": at_user_line(_getitem),
        "as_dtype": cast,
        "array_ufunc": at_user_line(_array_ufunc),
        "array_function": at_user_line(_array_function),
    }
)  # fmt: skip

__all__ = [
    "abs", "add", "argmax", "argmin", "broadcast_to", "cast", "clip", "const", "cos", "divide",
    "equal", "erf", "exp", "expand_dims", "expm1", "eye", "floor", "greater", "greater_equal",
    "input", "isfinite", "isnan", "less", "less_equal", "log", "log1p", "log_softmax",
    "logical_and", "logical_not", "logical_or", "logsumexp", "matmul", "max", "maximum", "mean",
    "min", "minimum", "multiply", "negative", "not_equal", "one_hot", "ones_like", "param",
    "pick", "power", "prod", "ramp", "random", "relu", "reshape", "scatter_add", "sigmoid",
    "sigmoid_cross_entropy", "sign", "sin", "slogdet", "softmax", "softmax_cross_entropy",
    "softplus", "solve", "sqrt", "square", "squeeze", "state", "stop_gradient", "subtract",
    "sum", "take", "tanh", "training", "transpose", "where", "zeros_like",
]  # fmt: skip
