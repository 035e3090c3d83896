"""Calls that are wrong, for every public operation: what each must refuse.

`OPERANDS` holds right operands of each operation; each is replaced by things that are no operand.
`AXES` holds operations along an axis, tried with axes that are none. `CALLS` holds what is wrong
with one operation alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node
from graphc.ops.elementwise import ElementwiseOp

Call = Callable[[], Any]


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
        "slogdet": (gx.slogdet, (square,)),
        "softmax_cross_entropy": (gx.softmax_cross_entropy, (x, k)),
        "solve": (gx.solve, (square, n3)),
        "split": (lambda a: gx.split(a, 2, axis=1), (x,)),
        "array_split": (lambda a: gx.array_split(a, 2), (x,)),
        "swapaxes": (lambda a: gx.swapaxes(a, 0, 1), (x,)),
        "take": (gx.take, (x, k)),
        "tile": (lambda a: gx.tile(a, 2), (x,)),
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


def calls() -> dict[str, dict[str, Call]]:
    """What is wrong with one operation alone: shapes, dtypes, ranges."""
    x, y, n3, n4 = numbers(), numbers((4, 3)), numbers((3,)), numbers((4,))
    n, m = numbers(("n",)), numbers(("m",))
    k, c, cube = integers(), truths(), numbers((2, 3, 4))
    square = numbers((3, 3))
    empty = numbers((0, 3))
    return {
        "training": {
            "as a number": lambda: gx.training + "a",
        },
        "input": {
            "no name": lambda: gx.input(""),
            "a number as name": lambda: gx.input(3),
            "a negative size": lambda: gx.input("x", (-1,)),
            "a fraction as size": lambda: gx.input("x", (1.5,)),
            "a size that is no name": lambda: gx.input("x", ("2n",)),
            "an object as shape": lambda: gx.input("x", object()),
            "an unknown dtype": lambda: gx.input("x", (), "float16"),
            "a dtype that is none": lambda: gx.input("x", (), object()),
        },
        "param": {
            "no name": lambda: gx.param("", 1.0),
            "no numbers": lambda: gx.param("w", "a"),
            "objects": lambda: gx.param("w", [None]),
            "ragged": lambda: gx.param("w", [[1.0], [1.0, 2.0]]),
            "a node": lambda: gx.param("w", x),
            "complex": lambda: gx.param("w", 1j),
            "an unknown dtype": lambda: gx.param("w", 1.0, "complex64"),
        },
        "state": {
            "no name": lambda: gx.state(None, 1.0),
            "no numbers": lambda: gx.state("s", "a"),
            "ragged": lambda: gx.state("s", [[1.0], [1.0, 2.0]]),
        },
        "const": {
            "a text": lambda: gx.const("a"),
            "None": lambda: gx.const(None),
            "ragged": lambda: gx.const([[1.0], [1.0, 2.0]]),
            "nodes": lambda: gx.const([n3, n4]),
            "an unknown dtype": lambda: gx.const(1.0, "int8"),
        },
        "ramp": {
            "a negative size": lambda: gx.ramp((-3,), 0),
            "no axis": lambda: gx.ramp((), 0),
            "an unknown dtype": lambda: gx.ramp((3,), 0, "int8"),
        },
        "cast": {
            "an unknown dtype": lambda: gx.cast(x, "float16"),
            "no dtype": lambda: gx.cast(x, object()),
        },
        "where": {
            "a float condition": lambda: gx.where(x, x, x),
            "shapes": lambda: gx.where(c, x, y),
            "condition shape": lambda: gx.where(c, y, y),
        },
        "clip": {"bounds of another shape": lambda: gx.clip(x, y, 1.0)},
        "matmul": {
            "inner": lambda: gx.matmul(x, x),
            "inner names": lambda: gx.matmul(numbers((3, "n")), numbers(("m", 3))),
            "scalars": lambda: gx.matmul(2.0, x),
            "batch": lambda: gx.matmul(cube, numbers((3, 4, 5))),
            "vectors": lambda: gx.matmul(n3, n4),
        },
        "solve": {
            "not square": lambda: gx.solve(x, n3),
            "rows": lambda: gx.solve(square, n4),
            "a vector": lambda: gx.solve(n3, n3),
            "three axes": lambda: gx.solve(square, cube),
        },
        "slogdet": {
            "not square": lambda: gx.slogdet(x),
            "a vector": lambda: gx.slogdet(n3),
            "names": lambda: gx.slogdet(numbers(("n", "m"))),
        },
        "reshape": {
            "count": lambda: gx.reshape(x, (5, 2)),
            "two free": lambda: gx.reshape(x, (-1, -1)),
            "does not divide": lambda: gx.reshape(x, (5, -1)),
            "a fraction": lambda: gx.reshape(x, (2.0, 6)),
            "a text": lambda: gx.reshape(x, ("2n", 3)),
            "names": lambda: gx.reshape(n, ("m",)),
            "negative": lambda: gx.reshape(x, (-2, 6)),
        },
        "transpose": {
            "too few axes": lambda: gx.transpose(x, (0,)),
            "no axes": lambda: gx.transpose(x, "ab"),
        },
        "permute_dims": {"twice": lambda: gx.permute_dims(x, (0, 0))},
        "broadcast_to": {
            "does not fit": lambda: gx.broadcast_to(x, (3, 5)),
            "fewer axes": lambda: gx.broadcast_to(x, (4,)),
            "names": lambda: gx.broadcast_to(n, ("m",)),
            "a fraction": lambda: gx.broadcast_to(x, (3, 4.0)),
        },
        "broadcast_arrays": {
            "do not fit": lambda: gx.broadcast_arrays(x, y),
            "names": lambda: gx.broadcast_arrays(n, m),
        },
        "expand_dims": {"twice": lambda: gx.expand_dims(x, (0, 0))},
        "squeeze": {"not one": lambda: gx.squeeze(x, 0), "symbolic": lambda: gx.squeeze(n, 0)},
        "moveaxis": {"counts": lambda: gx.moveaxis(x, (0, 1), (0,))},
        "one_hot": {
            "float labels": lambda: gx.one_hot(x, 4),
            "negative classes": lambda: gx.one_hot(k, -1),
            "a fraction": lambda: gx.one_hot(k, 2.5),
            "an unknown dtype": lambda: gx.one_hot(k, 4, "float16"),
        },
        "pick": {
            "float labels": lambda: gx.pick(x, n3),
            "shape": lambda: gx.pick(y, k),
            "a scalar": lambda: gx.pick(1.0, 0),
        },
        "take": {
            "float indices": lambda: gx.take(x, n3),
            "bool indices": lambda: gx.take(x, truths((3,))),
            "a scalar": lambda: gx.take(numbers(()), k, axis=0),
            "out of range": lambda: gx.take(x, [7], axis=0),
        },
        "scatter_add": {
            "float indices": lambda: gx.scatter_add(x, n3, 4),
            "rows": lambda: gx.scatter_add(y, k, 5),
            "negative length": lambda: gx.scatter_add(x, k, -1),
            "fraction": lambda: gx.scatter_add(x, k, 2.5),
        },
        "softmax_cross_entropy": {
            "float labels": lambda: gx.softmax_cross_entropy(x, n3),
            "rows": lambda: gx.softmax_cross_entropy(x, integers((4,))),
            "names": lambda: gx.softmax_cross_entropy(numbers(("n", 4)), integers(("m",))),
            "a scalar": lambda: gx.softmax_cross_entropy(1.0, 0),
        },
        "sigmoid_cross_entropy": {
            "shapes": lambda: gx.sigmoid_cross_entropy(x, y),
            "names": lambda: gx.sigmoid_cross_entropy(n, m),
        },
        "softmax": {
            "a scalar": lambda: gx.softmax(1.0),
            "an empty axis": lambda: gx.softmax(empty, axis=0),
        },
        "log_softmax": {
            "a scalar": lambda: gx.log_softmax(1.0),
            "an empty axis": lambda: gx.log_softmax(empty, axis=0),
        },
        "logsumexp": {"an empty axis": lambda: gx.logsumexp(empty, axis=0)},
        **{
            name: {
                "an empty axis": lambda name=name: getattr(gx, name)(empty, axis=0),
                "nothing at all": lambda name=name: getattr(gx, name)(numbers((0,))),
            }
            for name in ("argmax", "argmin", "max", "min")
        },
        "random": {
            "a text as seed": lambda: gx.random.stream("a"),
            "a negative seed": lambda: gx.random.stream(-1),
            "a large seed": lambda: gx.random.stream(2**63),
            "a fraction": lambda: gx.random.stream(0.5),
            "a probability": lambda: gx.random.stream(0).bernoulli(1.5),
            "a shape": lambda: gx.random.stream(0).uniform((-1,)),
            "a dtype": lambda: gx.random.stream(0).uniform((3,), dtype="float16"),
        },
        "check": {
            "a float": lambda: gx.check(x, "message"),
            "no message": lambda: gx.check(c, 3),
            "a text": lambda: gx.check("a", "message"),
        },
        "print": {
            "a text": lambda: gx.print("a"),
            "a number as label": lambda: gx.print(x, 3),
        },
        "concat": {
            "nothing": lambda: gx.concat([]),
            "one node": lambda: gx.concat(3),
            "shapes": lambda: gx.concat([x, y], axis=0),
            "names": lambda: gx.concat([numbers((2, "n")), numbers((2, "m"))], axis=0),
            "ranks": lambda: gx.concat([x, n3]),
            "scalars": lambda: gx.concat([1.0, 2.0]),
        },
        "concatenate": {"shapes": lambda: gx.concatenate([x, y], axis=0)},
        "stack": {
            "nothing": lambda: gx.stack([]),
            "shapes": lambda: gx.stack([x, y]),
            "names": lambda: gx.stack([n, m]),
            "a number": lambda: gx.stack(3),
        },
        "vstack": {"shapes": lambda: gx.vstack([x, y]), "nothing": lambda: gx.vstack([])},
        "hstack": {
            "shapes": lambda: gx.hstack([x, numbers((5, 3))]), "nothing": lambda: gx.hstack([]),
        },
        "column_stack": {
            "shapes": lambda: gx.column_stack([x, y]), "nothing": lambda: gx.column_stack([]),
        },
        "split": {
            "unequal": lambda: gx.split(x, 5),
            "zero": lambda: gx.split(x, 0),
            "a text": lambda: gx.split(x, "a"),
            "a fraction": lambda: gx.split(x, 1.5),
            "a scalar": lambda: gx.split(numbers(()), 1),
        },
        "array_split": {
            "zero": lambda: gx.array_split(x, 0),
            "a text": lambda: gx.array_split(x, "a"),
        },
        "unstack": {"symbolic": lambda: gx.unstack(n), "a scalar": lambda: gx.unstack(numbers(()))},
        "pad": {
            "negative": lambda: gx.pad(x, -1),
            "a text": lambda: gx.pad(x, "a"),
            "mode": lambda: gx.pad(x, 1, mode="mirror"),
            "pairs": lambda: gx.pad(x, ((1, 1), (1, 1), (1, 1))),
            "a fraction": lambda: gx.pad(x, 1.5),
        },
        "flip": {"a text": lambda: gx.flip(x, "a")},
        "fliplr": {"a vector": lambda: gx.fliplr(n3)},
        "flipud": {"a scalar": lambda: gx.flipud(numbers(()))},
        "roll": {
            "a fraction": lambda: gx.roll(x, 1.5),
            "a text": lambda: gx.roll(x, "a"),
            "counts": lambda: gx.roll(x, (1, 2, 3), axis=(0, 1)),
        },
        "tile": {
            "negative": lambda: gx.tile(x, -1),
            "a fraction": lambda: gx.tile(x, 1.5),
            "a text": lambda: gx.tile(x, "2n"),
        },
        "repeat": {
            "negative": lambda: gx.repeat(x, -1),
            "a fraction": lambda: gx.repeat(x, 1.5),
            "a text": lambda: gx.repeat(x, "2n"),
            "counts": lambda: gx.repeat(x, [1, 2], axis=0),
        },
        "tril": {"a scalar": lambda: gx.tril(1.0), "a text": lambda: gx.tril(x, "a")},
        "triu": {"a scalar": lambda: gx.triu(1.0), "a fraction": lambda: gx.triu(x, 0.5)},
        "diag": {
            "three axes": lambda: gx.diag(cube),
            "a scalar": lambda: gx.diag(1.0),
            "a text": lambda: gx.diag(n3, "a"),
        },
        "diagonal": {
            "a vector": lambda: gx.diagonal(n3),
            "one axis": lambda: gx.diagonal(x, axis1=0, axis2=0),
            "a text": lambda: gx.diagonal(x, "a"),
        },
        "trace": {"a vector": lambda: gx.trace(n3), "a text": lambda: gx.trace(x, "a")},
        "eye": {
            "negative": lambda: gx.eye(-1),
            "a fraction": lambda: gx.eye(1.5),
            "dtype": lambda: gx.eye(3, dtype="float16"),
            "a text": lambda: gx.eye("2n"),
        },
        "arange": {
            "a text": lambda: gx.arange("2n"),
            "no step": lambda: gx.arange(0, 3, 0),
            "a node": lambda: gx.arange(x),
            "dtype": lambda: gx.arange(3, dtype="int8"),
            "None": lambda: gx.arange(None),
        },
        "linspace": {
            "negative": lambda: gx.linspace(0, 1, -1),
            "a fraction": lambda: gx.linspace(0, 1, 2.5),
            "dtype": lambda: gx.linspace(0, 1, 3, dtype="float16"),
        },
        **{
            name: {
                "negative": lambda name=name: getattr(gx, name)((-1,)),
                "a fraction": lambda name=name: getattr(gx, name)((1.5,)),
                "dtype": lambda name=name: getattr(gx, name)((3,), dtype="float16"),
                "None": lambda name=name: getattr(gx, name)(None),
                "a node": lambda name=name: getattr(gx, name)(x),
            }
            for name in ("zeros", "ones")
        },
        "full": {
            "negative": lambda: gx.full((-1,), 0.0),
            "shapes": lambda: gx.full((3,), x),
        },
        "full_like": {"dtype": lambda: gx.full_like(x, 1, dtype="float16")},
        "zeros_like": {"dtype": lambda: gx.zeros_like(x, dtype="float16")},
        "ones_like": {"dtype": lambda: gx.ones_like(x, dtype="float16")},
        "meshgrid": {
            "indexing": lambda: gx.meshgrid(n3, n4, indexing="yx"),
            "matrices": lambda: gx.meshgrid(x, n3),
        },
        "custom_gradient": {"no function": lambda: gx.custom_gradient(3)},
        "clip_gradient": {
            "a text": lambda: gx.clip_gradient(x, "a", 1.0),
            "order": lambda: gx.clip_gradient(x, 1.0, -1.0),
            "no node": lambda: gx.clip_gradient("x", -1.0, 1.0),
        },
        "round": {"a fraction": lambda: gx.round(x, 0.5), "a text": lambda: gx.round(x, "a")},
        "nan_to_num": {"a text": lambda: gx.nan_to_num(x, nan="a")},
        "power": {"shapes": lambda: gx.power(x, y)},
        "dot": {
            "inner": lambda: gx.dot(x, x),
            "vectors": lambda: gx.dot(n3, n4),
            "names": lambda: gx.dot(n, m),
        },
        "vdot": {"lengths": lambda: gx.vdot(n3, n4), "names": lambda: gx.vdot(n, m)},
        "vecdot": {
            "lengths": lambda: gx.vecdot(n3, n4),
            "names": lambda: gx.vecdot(n, m),
            "scalars": lambda: gx.vecdot(1.0, 2.0),
        },
        "inner": {"lengths": lambda: gx.inner(n3, n4), "names": lambda: gx.inner(n, m)},
        "matvec": {"inner": lambda: gx.matvec(x, n3), "a vector": lambda: gx.matvec(n3, n3)},
        "vecmat": {"inner": lambda: gx.vecmat(n4, x), "a vector": lambda: gx.vecmat(n3, n3)},
        "multi_dot": {
            "nothing": lambda: gx.multi_dot([]),
            "inner": lambda: gx.multi_dot([x, x, x]),
            "a number": lambda: gx.multi_dot(3),
        },
        "tensordot": {
            "lengths": lambda: gx.tensordot(x, x, 1),
            "too many axes": lambda: gx.tensordot(x, x, 3),
            "a fraction": lambda: gx.tensordot(x, x, 1.5),
            "a text": lambda: gx.tensordot(x, x, "a"),
            "counts": lambda: gx.tensordot(x, x, ([0, 1], [0])),
            "twice": lambda: gx.tensordot(square, square, ([0, 0], [0, 1])),
        },
        "einsum": {
            "lengths": lambda: gx.einsum("ij,jk->ik", x, x),
            "names": lambda: gx.einsum("i,i->", n, m),
            "too few operands": lambda: gx.einsum("ij,jk->ik", x),
            "too many operands": lambda: gx.einsum("ij->ji", x, x),
            "rank": lambda: gx.einsum("ijk->i", x),
            "an unknown output": lambda: gx.einsum("ij->k", x),
            "output twice": lambda: gx.einsum("ij->ii", x),
            "a character": lambda: gx.einsum("i?->i", x),
            "no subscripts": lambda: gx.einsum(3, x),
            "two arrows": lambda: gx.einsum("ij->i->j", x),
            "a diagonal": lambda: gx.einsum("ii->i", x),
        },
        "searchsorted": {
            "a matrix": lambda: gx.searchsorted(x, n3),
            "side": lambda: gx.searchsorted(n3, n3, side="middle"),
        },
        "take_along_axis": {
            "float indices": lambda: gx.take_along_axis(x, x),
            "ranks": lambda: gx.take_along_axis(x, k),
        },
        "top_k": {
            "negative": lambda: gx.top_k(x, -1),
            "too many": lambda: gx.top_k(x, 5),
            "a fraction": lambda: gx.top_k(x, 1.5),
            "a scalar": lambda: gx.top_k(numbers(()), 1),
        },
        "linear_recurrence": {
            "shapes": lambda: gx.linear_recurrence(x, y),
            "names": lambda: gx.linear_recurrence(n, m),
            "scalars": lambda: gx.linear_recurrence(1.0, 2.0),
        },
        **{
            f"segment_{name}": {
                "float indices": lambda f=f"segment_{name}": getattr(gx, f)(x, n3, 4),
                "rows": lambda f=f"segment_{name}": getattr(gx, f)(y, k, 5),
                "negative": lambda f=f"segment_{name}": getattr(gx, f)(x, k, -1),
                "a fraction": lambda f=f"segment_{name}": getattr(gx, f)(x, k, 2.5),
            }
            for name in ("max", "mean", "min", "prod", "sum")
        },
        "norm": {
            "an unknown order": lambda: gx.norm(x, "nuclear"),
            "fro of a vector": lambda: gx.norm(n3, "fro"),
            "three axes": lambda: gx.norm(cube, 2, axis=(0, 1, 2)),
            "an object": lambda: gx.norm(n3, object()),
        },
        "quantile": {
            "above one": lambda: gx.quantile(x, 1.5),
            "below zero": lambda: gx.quantile(x, -0.1),
            "a text": lambda: gx.quantile(x, "a"),
            "method": lambda: gx.quantile(x, 0.5, method="cubic"),
            "nothing": lambda: gx.quantile(numbers((0,)), 0.5),
        },
        "median": {"nothing": lambda: gx.median(numbers((0,)))},
        "diff": {
            "negative": lambda: gx.diff(x, -1),
            "a fraction": lambda: gx.diff(x, 1.5),
            "a scalar": lambda: gx.diff(numbers(())),
        },
        **{
            name: {
                "a text as ddof": lambda name=name: getattr(gx, name)(x, ddof="a"),
                "ddof and correction": lambda name=name: getattr(gx, name)(x, 0, 1, correction=1),
            }
            for name in ("var", "std")
        },
        "cond": {
            "a text": lambda: gx.cond(truths(()), lambda v: v, lambda v: v, "x"),
            "a float": lambda: gx.cond(numbers(()), lambda: 1.0, lambda: 2.0),
            "a vector": lambda: gx.cond(truths((3,)), lambda: 1.0, lambda: 2.0),
            "no function": lambda: gx.cond(truths(()), 1.0, 2.0),
            "shapes": lambda: gx.cond(truths(()), lambda: x, lambda: y),
            "dtypes": lambda: gx.cond(truths(()), lambda: n3, lambda: k),
        },
        "scan": {
            "a text": lambda: gx.scan(lambda c, v: (c, v), "x", n3),
            "a text as xs": lambda: gx.scan(lambda c, v: (c, v), numbers(()), "x"),
            "no function": lambda: gx.scan(3, numbers(()), n3),
            "no pair": lambda: gx.scan(lambda c, v: c + v, numbers(()), n3),
            "the carry's shape": lambda: gx.scan(lambda c, v: (n3, v), numbers(()), n3),
            "neither xs nor length": lambda: gx.scan(lambda c, v: (c, v), numbers(())),
            "lengths": lambda: gx.scan(lambda c, v: (c, c), numbers(()), (n3, n4)),
            "a scalar": lambda: gx.scan(lambda c, v: (c, v), numbers(()), numbers(())),
        },
        "while_loop": {
            "a text": lambda: gx.while_loop(lambda c: c < 1, lambda c: c, "x"),
            "no function": lambda: gx.while_loop(3, lambda c: c, numbers(())),
            "no truth value": lambda: gx.while_loop(lambda c: c, lambda c: c + 1, numbers(())),
            "the carry's shape": lambda: gx.while_loop(lambda c: c < 1, lambda c: n3, numbers(())),
            "steps": lambda: gx.while_loop(lambda c: c < 1, lambda c: c, numbers(()), max_steps=-1),
        },
        "compress": {
            "shapes": lambda: gx.compress(truths((4,)), x, axis=0, size=2),
            "negative": lambda: gx.compress(truths((3,)), x, axis=0, size=-2),
            "a fraction": lambda: gx.compress(truths((3,)), x, axis=0, size=1.5),
        },
        "nonzero": {
            "negative": lambda: gx.nonzero(n3, size=-1),
            "a text": lambda: gx.nonzero(n3, size="2n"),
        },
        "put_along_axis": {
            "float indices": lambda: gx.put_along_axis(x, x, x),
            "ranks": lambda: gx.put_along_axis(x, k, 0.0),
        },
        "ptp": {"nothing": lambda: gx.ptp(numbers((0,)))},
        **{
            name: {"floats": lambda name=name: getattr(gx, name)(*_twice(name, x))}
            for name in (
                "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert", "bitwise_left_shift",
                "bitwise_right_shift",
            )
        },
    }  # fmt: skip


def _twice(name: str, x: Node) -> tuple[Node, ...]:
    return (x,) if name == "bitwise_invert" else (x, x)
