"""What layout, indexing and creating operations must refuse: shapes, counts, places, modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc as gx
from tests.ops.bad_operands import integers, numbers, truths

Call = Callable[[], Any]


def layout_calls() -> dict[str, dict[str, Call]]:
    """What is wrong with one operation alone: shapes, dtypes, ranges."""
    x, y, n3, n4 = numbers(), numbers((4, 3)), numbers((3,)), numbers((4,))
    n, m = numbers(("n",)), numbers(("m",))
    cube, k = numbers((2, 3, 4)), integers()
    return {
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
            "shapes": lambda: gx.hstack([x, numbers((5, 3))]),
            "nothing": lambda: gx.hstack([]),
        },
        "column_stack": {
            "shapes": lambda: gx.column_stack([x, y]),
            "nothing": lambda: gx.column_stack([]),
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
        "window": {
            "too long": lambda: gx.window(x, 5),
            "negative": lambda: gx.window(x, -1),
            "stride": lambda: gx.window(x, 2, strides=0),
            "a text": lambda: gx.window(x, "ab"),
            "axis": lambda: gx.window(x, 2, axes=2),
        },
        "fold": {
            "too short": lambda: gx.fold(x, 5),
            "no windows": lambda: gx.fold(n3, 5),
            "of unknown length": lambda: gx.fold(numbers((3, "k")), 5),
            "a fraction": lambda: gx.fold(x, 6.5),
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
    }
