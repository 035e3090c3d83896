"""Permutations from random numbers: whole ones, and the image of single indices.

Both are routines that compute a permutation from draws that are nodes of their own.
"""

from __future__ import annotations

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.ir.dim import Dim
from graphc.ir.dtype import int64
from graphc.ir.node import Node, make
from graphc.ir.op import Attributes, Notation, register
from graphc.ir.shape import TensorType, shape_text
from graphc.ops.philox import random_words
from graphc.ops.routine import RoutineOp

# An event of a few images differs from uniform in probability by about (7/8)**ROUNDS for three
# images, (3/4)**ROUNDS for two, 2**-ROUNDS for one: below 3e-6 in all.
ROUNDS = 96

_INTEGER = "integers do not vary smoothly"


def _exchange_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (choices,) = inputs
    if choices.dtype is not int64 or choices.ndim != 1:
        raise ShapeError(f"permutation: expected a vector of int64 choices, got {choices!r}")
    return choices.tensor


def _exchange_reference(attrs: Attributes, choices: np.ndarray) -> np.ndarray:
    order = np.arange(len(choices))
    for i, chosen in enumerate(choices.tolist()):
        j = chosen if 0 <= chosen <= i else i
        order[i] = order[j]
        order[j] = i
    return order


exchange_op = RoutineOp(
    "permutation",
    _exchange_infer,
    _exchange_reference,
    no_derivative=_INTEGER,
    notation=Notation("permutation({0})", r"\operatorname{permutation}\left({0}\right)"),
    doc="the permutation of 0..n-1 that exchanges each i with choices[i] <= i, in order of i "
    "(a choice outside 0..i stands for i)",
    sizes=lambda node: node.shape,
    row_work=lambda node: node.shape[0],
)
register(exchange_op)


def permutation(choices: Node) -> Node:
    """A uniform permutation, if choices[i] is uniform in 0..i: Fisher and Yates, inside out.

    R. Durstenfeld: Algorithm 235, Communications of the ACM 7, 1964; Knuth, algorithm 3.4.2P.
    """
    return make(exchange_op, (choices,))


def _swap_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    index, pivots, keys = inputs
    if any(node.dtype is not int64 for node in inputs):
        raise DTypeError("swap_or_not: expected int64 indices, pivots and keys")
    if index.ndim != 1 or pivots.ndim != 1 or keys.shape != pivots.shape:
        raise ShapeError(
            f"swap_or_not: expected vectors, with a key for each pivot; got "
            f"{', '.join(shape_text(node.shape) for node in inputs)}"
        )
    return index.tensor


def _swap_reference(
    attrs: Attributes, index: np.ndarray, pivots: np.ndarray, keys: np.ndarray
) -> np.ndarray:
    count, image = attrs["length"], index
    for number, (pivot, key) in enumerate(zip(pivots.tolist(), keys.tolist(), strict=True)):
        other = pivot - image
        other = np.where(other < 0, other + count, other)
        bits = np.asarray(random_words(key, 0, number, np.maximum(image, other)))
        image = np.where(bits >= 2**31, other, image)
    return image


swap_or_not_op = RoutineOp(
    "swap_or_not",
    _swap_infer,
    _swap_reference,
    no_derivative=_INTEGER,
    notation=Notation("shuffled({0})", r"\operatorname{shuffled}\left({0}\right)"),
    doc="the images of indices 0 <= i < length under a permutation, each computed for itself",
    sizes=lambda node: (node.attrs["length"], node.inputs[1].shape[0]),
    rows=lambda node: node.shape[0],
    row_work=lambda node: 4 * node.inputs[1].shape[0],
)
register(swap_or_not_op)


def swap_or_not(index: Node, length: Dim, pivots: Node, keys: Node) -> Node:
    """The images of a vector of indices under the swap-or-not shuffle.

    In each round i and pivot - i (mod length) change places or not, as one random bit of the pair
    says; pivots are uniform in 0..length-1. So it is a permutation for any length, and each image
    is found without the others. V. T. Hoang, B. Morris and P. Rogaway: An enciphering scheme based
    on a card shuffle, CRYPTO 2012.
    """
    return make(swap_or_not_op, (index, pivots, keys), length=length)
