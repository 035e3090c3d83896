"""What single operations must refuse: shapes, dtypes and ranges of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc as gx
from graphc.ir.node import Node
from tests.ops.bad_operands import integers, numbers, truths

Call = Callable[[], Any]


def calls() -> dict[str, dict[str, Call]]:
    """What is wrong with one operation alone: shapes, dtypes, ranges."""
    x, y, n3, n4 = numbers(), numbers((4, 3)), numbers((3,)), numbers((4,))
    n, m = numbers(("n",)), numbers(("m",))
    k, c, cube = integers(), truths(), numbers((2, 3, 4))
    square = numbers((3, 3))
    empty, draws = numbers((0, 3)), gx.random.stream(0)
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
            "too large": lambda: gx.const(300, "uint8"),
            "negative": lambda: gx.const([1, -1], "uint32"),
            "too large beside an operand": lambda: gx.input("k", (), "uint8") + 300,
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
            "stacks": lambda: gx.solve(numbers((2, 3, 3)), numbers((5, 3, 4))),
        },
        "slogdet": {
            "not square": lambda: gx.slogdet(x),
            "a vector": lambda: gx.slogdet(n3),
            "names": lambda: gx.slogdet(numbers(("n", "m"))),
        },
        "linalg": {
            "a triangle's rows": lambda: gx.linalg.triangular_solve(square, n4),
            "a triangle's flag": lambda: gx.linalg.triangular_solve(square, n3, lower="yes"),
            "a fraction as power": lambda: gx.linalg.matrix_power(square, 0.5),
            "a power that is not square": lambda: gx.linalg.matrix_power(x, 2),
            "a text as tolerance": lambda: gx.linalg.pinv(x, "small"),
            "least squares' rows": lambda: gx.linalg.lstsq(x, n4),
            "a vector's singular values": lambda: gx.linalg.svdvals(n3),
            "eigenvalues of no matrix": lambda: gx.linalg.eigvalsh(n3),
        },
        "cholesky": {"not square": lambda: gx.cholesky(x), "a vector": lambda: gx.cholesky(n3)},
        "det": {"not square": lambda: gx.det(x), "a vector": lambda: gx.det(n3)},
        "eigh": {
            "not square": lambda: gx.eigh(x),
            "an unknown triangle": lambda: gx.eigh(square, "lower"),
        },
        "expm": {"not square": lambda: gx.expm(x), "a vector": lambda: gx.expm(n3)},
        "inv": {"not square": lambda: gx.inv(x), "a vector": lambda: gx.inv(n3)},
        "qr": {
            "a vector": lambda: gx.qr(n3),
            "an unknown mode": lambda: gx.qr(x, mode="full"),
            "sides that are not known": lambda: gx.qr(numbers(("n", "m"))),
        },
        "svd": {
            "a vector": lambda: gx.svd(n3),
            "all vectors": lambda: gx.svd(x, full_matrices=True),
            "sides that are not known": lambda: gx.svd(numbers(("n", 3))),
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
            "a fraction as seed": lambda: gx.random.stream(0.5),
        },
        "random draws": {
            "a probability": lambda: draws.bernoulli(1.5),
            "a text as probability": lambda: draws.bernoulli("a"),
            "a negative size": lambda: draws.uniform((-1,)),
            "a fraction as size": lambda: draws.normal((1.5,)),
            "a dtype": lambda: draws.uniform((3,), dtype="float16"),
            "bounds the wrong way": lambda: draws.integers(5, 3),
            "no integers": lambda: draws.integers(0.5, 3),
            "integers of a float": lambda: draws.integers(0, 5, dtype="float32"),
            "a negative scale": lambda: draws.exponential((3,), scale=-1.0),
            "a negative deviation": lambda: draws.normal((3,), std=-1.0),
            "a negative parameter": lambda: draws.gamma(-1.0, (3,)),
            "a permutation of a negative": lambda: draws.permutation(-1),
            "a permutation of a fraction": lambda: draws.permutation(1.5),
            "more than there are": lambda: draws.choice(3, (5,), replace=False),
            "a choice of none": lambda: draws.choice(0, (5,)),
            "an axis of logits": lambda: draws.categorical(x, axis=5),
            "no interval": lambda: draws.truncated_normal(2.0, 1.0, (3,)),
        },
        "operators": {
            "x + text": lambda: x + "a",
            "text + x": lambda: "a" + x,
            "x - None": lambda: x - None,
            "x * shapes": lambda: x * y,
            "x @ number": lambda: x @ 3.0,
            "x ** text": lambda: x ** "a",
            "x // shapes": lambda: x // y,
            "x < object": lambda: x < object(),
            "x & float": lambda: x & x,
            "k << float": lambda: k << x,
            "x[9]": lambda: x[9],
            "x[1.5]": lambda: x[1.5],
            "x['a']": lambda: x["a"],
            "x[0, 0, 0]": lambda: x[0, 0, 0],
            "x[::0]": lambda: x[::0],
            "x['a':]": lambda: x["a":],
            "x[float indices]": lambda: x[n3],
            "x[[9]]": lambda: x[[9]],
            "x[ragged]": lambda: x[[[0], [0, 1]]],
            "x[mask of another shape]": lambda: x[np.array([True, False])],
            "x.at[9].set": lambda: x.at[9].set(0.0),
            "x.at[0].set(shape)": lambda: x.at[0].set(n3),
            "x.at[0].add(text)": lambda: x.at[0].add("a"),
            "x.sum(axis=5)": lambda: x.sum(axis=5),
            "x.reshape(5)": lambda: x.reshape(5),
            "x.astype": lambda: x.astype("float16"),
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
