"""Right operands of every public operation, and what is none: to be put in their places.

`operands` says how each is called; `AXES` holds operations along an axis, to be tried with axes
that are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node
from graphc.ops.elementwise import ElementwiseOp


def numbers(shape: Any = (3, 4)) -> Node:
    """A float input."""
    return gx.input("x", shape)


def integers(shape: Any = (3,)) -> Node:
    """An integer input."""
    return gx.input("k", shape, "int32")


def truths(shape: Any = (3, 4)) -> Node:
    """A bool input."""
    return gx.input("c", shape, "bool")


def operands() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """How each operation is called, and operands that are right."""
    x, n3 = numbers(), numbers((3,))
    square, k = numbers((3, 3)), integers()
    found: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {}
    for name in gx.ops.__all__:
        op = getattr(getattr(gx, name), "__wrapped__", None)
        if isinstance(op, ElementwiseOp):
            whole = {"integer": k, "logical": truths()}.get(op.types, x)
            right = (truths(), x, x) if op.types == "select" else (whole,) * op.arity
            found[name] = (getattr(gx, name), right)
    for name in (
        "all", "any", "argmax", "argmin", "argsort", "atleast_1d", "atleast_2d", "atleast_3d",
        "broadcast_arrays", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum", "diag",
        "diagonal", "diff", "flip", "fliplr", "flipud", "full_like", "log_softmax", "logsumexp",
        "max", "mean", "median", "min", "nan_to_num", "norm", "ones_like", "permute_dims", "prod",
        "ptp", "quantile", "ravel", "round", "softmax", "sort", "squeeze", "std", "sum", "trace",
        "transpose", "tril", "triu", "unstack", "var", "zeros_like", "stop_gradient",
    ):  # fmt: skip
        rest: tuple[Any, ...] = {"full_like": (1.0,), "quantile": (0.5,)}.get(name, ())
        if hasattr(gx, name) and name not in found:
            found[name] = (_then(getattr(gx, name), *rest), (x,))
    known: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "broadcast_to": (lambda a: gx.broadcast_to(a, (2, 3, 4)), (x,)),
        "cast": (lambda a: gx.cast(a, "float64"), (x,)),
        "clip": (gx.clip, (x, x, x)),
        "expand_dims": (lambda a: gx.expand_dims(a, 0), (x,)),
        "matmul": (gx.matmul, (x, numbers((4, 2)))),
        "moveaxis": (lambda a: gx.moveaxis(a, 0, 1), (x,)),
        "one_hot": (lambda a: gx.one_hot(a, 4), (k,)),
        "pad": (lambda a: gx.pad(a, 1), (x,)),
        "pick": (gx.pick, (x, k)),
        "power": (gx.power, (x, x)),
        "repeat": (lambda a: gx.repeat(a, 2), (x,)),
        "reshape": (lambda a: gx.reshape(a, (4, 3)), (x,)),
        "roll": (lambda a: gx.roll(a, 1), (x,)),
        "scatter_add": (lambda a, i: gx.scatter_add(a, i, 5), (x, k)),
        "sigmoid_cross_entropy": (gx.sigmoid_cross_entropy, (x, x)),
        **{
            name: (getattr(gx, name), (square,))
            for name in ("cholesky", "det", "eigh", "expm", "inv", "qr", "slogdet", "svd")
        },
        "softmax_cross_entropy": (gx.softmax_cross_entropy, (x, k)),
        "solve": (gx.solve, (square, n3)),
        "split": (lambda a: gx.split(a, 2, axis=1), (x,)),
        "array_split": (lambda a: gx.array_split(a, 2), (x,)),
        "swapaxes": (lambda a: gx.swapaxes(a, 0, 1), (x,)),
        "take": (gx.take, (x, k)),
        "tile": (lambda a: gx.tile(a, 2), (x,)),
        "window": (lambda a: gx.window(a, 2), (x,)),
        "fold": (lambda a: gx.fold(a, 6), (x,)),
        "full": (lambda v: gx.full((2, 3), v), (numbers(()),)),
        "linspace": (lambda a, b: gx.linspace(a, b, 5), (0.0, 1.0)),
        "concat": (lambda a, b: gx.concat([a, b]), (x, x)),
        "concatenate": (lambda a, b: gx.concatenate([a, b]), (x, x)),
        "stack": (lambda a, b: gx.stack([a, b]), (x, x)),
        "vstack": (lambda a, b: gx.vstack([a, b]), (x, x)),
        "hstack": (lambda a, b: gx.hstack([a, b]), (x, x)),
        "column_stack": (lambda a, b: gx.column_stack([a, b]), (x, x)),
        "meshgrid": (gx.meshgrid, (n3, n3)),
        **{
            name: (getattr(gx, name, None), (n3, n3))
            for name in ("dot", "inner", "kron", "outer", "vdot", "vecdot")
        },
        "matvec": (lambda a, b: gx.matvec(a, b), (square, n3)),
        "vecmat": (lambda a, b: gx.vecmat(a, b), (n3, square)),
        "multi_dot": (lambda a, b: gx.multi_dot([a, b, b]), (square, square)),
        "einsum": (lambda a, b: gx.einsum("ij,j->i", a, b), (square, n3)),
        "tensordot": (lambda a, b: gx.tensordot(a, b, 1), (square, n3)),
        "searchsorted": (lambda a, b: gx.searchsorted(a, b), (n3, n3)),
        "top_k": (lambda a: gx.top_k(a, 2), (x,)),
        "linear_recurrence": (lambda a, b: gx.linear_recurrence(a, b), (x, x)),
        "take_along_axis": (lambda a, i: gx.take_along_axis(a, i, axis=0), (n3, k)),
        "put_along_axis": (lambda a, i, v: gx.put_along_axis(a, i, v, axis=0), (n3, k, n3)),
        "compress": (lambda c, a: gx.compress(c, a, size=2, axis=0), (truths((3,)), x)),
        "nonzero": (lambda a: gx.nonzero(a, size=2), (n3,)),
        **{
            f"segment_{name}": (_then(getattr(gx, f"segment_{name}", None), 5), (n3, k))
            for name in ("max", "mean", "min", "prod", "sum")
        },
    }
    return found | {name: spec for name, spec in known.items() if hasattr(gx, name)}


def _then(function: Any, *rest: Any) -> Callable[..., Any]:
    return lambda *values: function(*values, *rest)


def no_operands() -> dict[str, Any]:
    """What is no number, no array and no node with one value."""
    return {
        "a text": "x",
        "None": None,
        "an object": object(),
        "a set": {1.0},
        "a dictionary": {"a": 1},
        "a type": float,
        "a function": np.exp,
        "a complex number": 1j,
        "an array of texts": np.array(["a", "b"]),
        "an array of objects": np.array([None, 1]),
        "a date": np.datetime64("2020-01-01"),
        "a ragged list": [[1.0], [1.0, 2.0]],
        "nodes of unequal shapes": [numbers((3,)), numbers((4,))],
        "several results": gx.slogdet(numbers((2, 2))),
    }


# Operations along one axis or several: called with (array, axis).
AXES: dict[str, Callable[[Any, Any], Any]] = {
    **{
        name: lambda x, axis, name=name: getattr(gx, name)(x, axis=axis)
        for name in (
            "all",
            "any",
            "argmax",
            "argmin",
            "argsort",
            "count_nonzero",
            "cummax",
            "cummin",
            "cumprod",
            "cumsum",
            "diff",
            "expand_dims",
            "flip",
            "log_softmax",
            "logsumexp",
            "max",
            "mean",
            "median",
            "min",
            "norm",
            "prod",
            "ptp",
            "softmax",
            "sort",
            "squeeze",
            "std",
            "sum",
            "unstack",
            "var",
        )
    },
    "concat": lambda x, axis: gx.concat([x, x], axis=axis),
    "concatenate": lambda x, axis: gx.concatenate([x, x], axis=axis),
    "stack": lambda x, axis: gx.stack([x, x], axis=axis),
    "split": lambda x, axis: gx.split(x, 1, axis=axis),
    "array_split": lambda x, axis: gx.array_split(x, 1, axis=axis),
    "repeat": lambda x, axis: gx.repeat(x, 2, axis=axis),
    "roll": lambda x, axis: gx.roll(x, 1, axis=axis),
    "take": lambda x, axis: gx.take(x, [0], axis=axis),
    "take_along_axis": lambda x, axis: gx.take_along_axis(x, gx.argsort(x, axis=0), axis=axis),
    "quantile": lambda x, axis: gx.quantile(x, 0.5, axis=axis),
    "top_k": lambda x, axis: gx.top_k(x, 2, axis=axis),
    "put_along_axis": lambda x, axis: gx.put_along_axis(x, gx.argsort(x, axis=0), x, axis=axis),
    "compress": lambda x, axis: gx.compress(truths((3,)), x, axis=axis, size=2),
    "linear_recurrence": lambda x, axis: gx.linear_recurrence(x, x, axis=axis),
    "moveaxis": lambda x, axis: gx.moveaxis(x, axis, 0),
    "moveaxis to": lambda x, axis: gx.moveaxis(x, 0, axis),
    "swapaxes": lambda x, axis: gx.swapaxes(x, axis, 0),
    "swapaxes with": lambda x, axis: gx.swapaxes(x, 0, axis),
    "diagonal": lambda x, axis: gx.diagonal(x, axis1=axis, axis2=0),
    "trace": lambda x, axis: gx.trace(x, axis1=1, axis2=axis),
    "ramp": lambda x, axis: gx.ramp((3, 4), axis),
    "transpose": lambda x, axis: gx.transpose(x, (0, axis)),
    "permute_dims": lambda x, axis: gx.permute_dims(x, (axis, 1)),
    "tensordot": lambda x, axis: gx.tensordot(x, x, ([axis], [0])),
}
NO_AXES: dict[str, Any] = {
    "too large": 7, "too small": -7, "a fraction": 1.5, "a text": "rows", "a truth value": True,
    "an object": object(), "a node": gx.input("axis", (), "int32"),
}  # fmt: skip
# These take several axes, so one named twice is wrong.
SEVERAL_AXES = (
    "all", "any", "count_nonzero", "expand_dims", "flip", "logsumexp", "max", "mean", "min", "prod",
    "squeeze", "std", "sum", "var", "norm", "transpose", "permute_dims",
)  # fmt: skip
