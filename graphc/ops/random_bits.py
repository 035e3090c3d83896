"""Random bits: a function of (seed, use, step, index), and whole numbers made of them.

The bits are those of Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy
as 1, 2, 3; SC 2011), the same on every target. A block has four words of 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import DTypeError
from graphc.ir.declaration import Declaration
from graphc.ir.dim import Dim, product
from graphc.ir.dtype import int64, uint32
from graphc.ir.node import Node, make
from graphc.ir.op import PRODUCT, Attributes, Notation, Op, register
from graphc.ir.shape import Shape, TensorType, broadcast_shapes
from graphc.ops.bitwise import bitwise_right_shift
from graphc.ops.elementwise import cast
from graphc.ops.layout import broadcast_to
from graphc.ops.philox import random_words
from graphc.ops.source import const, ramp, size, uniform_value


@dataclass(frozen=True, eq=False, repr=False)
class RandomOp(Op):
    """A draw: attributes `seed` and `use`; a run adds the `step`.

    An operand is the index of each element, or, where `parametric`, a parameter of it, whose index
    is its place.
    """

    parametric: bool = False

    kind = "random"


def _bits_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    if not inputs:
        return TensorType(uint32, attrs["shape"])
    (index,) = inputs
    if index.dtype is not int64:
        raise DTypeError(f"random_bits: expected an index of int64, got {index.dtype}")
    return TensorType(uint32, index.shape)


def _bits_reference(attrs: Attributes, *index: np.ndarray) -> np.ndarray:
    if index:
        (places,) = index
    else:
        shape: tuple[int, ...] = attrs["shape"]
        places = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64).reshape(shape)
    seed, use, step = attrs["seed"], attrs["use"], attrs.get("step", 0)
    return np.asarray(random_words(seed, use, step, places, attrs["word"]))


random_bits_op = RandomOp(
    "random_bits",
    _bits_infer,
    _bits_reference,
    no_derivative="random bits do not depend on anything",
    doc="uniform random 32-bit integers: a word of the block at each index, by default the place "
    "of the element",
)
register(random_bits_op)

Words = tuple[Node, Node, Node, Node]


def words(seed: int, use: int, declared: Declaration, at: Shape | Node) -> Words:
    """The four words of each block, for a shape or at an index; only those used are computed."""

    def word(number: int) -> Node:
        attrs: dict[str, Any] = {"declaration": declared, "seed": seed, "use": use, "word": number}
        if isinstance(at, Node):
            return make(random_bits_op, (at,), **attrs)
        return make(random_bits_op, shape=at, **attrs)

    return word(0), word(1), word(2), word(3)


def flat_index(shape: Shape) -> Node:
    """The place of each element in row-major order, as int64 of this shape."""
    total = const(0, int64)
    for axis in range(len(shape)):
        total = total + ramp(shape, axis) * size(product(shape[axis + 1 :]))
    return broadcast_to(total, shape)


# ---- whole numbers below a limit


def _low(value: Node) -> Node:
    """The low 32 bits of an int64, as one."""
    return cast(cast(value, uint32), int64)


def _high(value: Node) -> Node:
    """The high 32 bits of an int64 taken as unsigned, as an int64."""
    return _low(bitwise_right_shift(value, 32))


def _below_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    *bits, limit = inputs
    if any(word.dtype is not uint32 for word in bits) or limit.dtype is not int64:
        raise DTypeError("bits_below: expected three words of uint32 and a limit of int64")
    return TensorType(int64, broadcast_shapes((node.shape for node in inputs), "bits_below"))


def _below_expand(node: Node) -> Node:
    """The product of 96 bits and a limit in parts of 32 bits (Knuth, algorithm 4.3.1M).

    Parts are unsigned: what may exceed 63 bits is taken apart before it is added to.
    """
    *bits, limit = node.inputs
    a, b, c = (cast(word, int64) for word in bits)
    if node.attrs["small"]:
        # At most 2**31: two words are enough, and every sum stays below 2**63.
        return bitwise_right_shift(a * limit + bitwise_right_shift(b * limit, 32), 32)
    top, low = _high(limit), _low(limit)
    carry = _low(b * low) + _low(c * top) + _high(c * low)
    middle = _low(a * low) + _low(b * top) + _high(b * low) + _high(c * top)
    middle = middle + bitwise_right_shift(carry, 32)
    return a * top + _high(a * low) + _high(b * top) + bitwise_right_shift(middle, 32)


def _below_reference(
    attrs: Attributes, a: np.ndarray, b: np.ndarray, c: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    a, b, c = (np.asarray(word).astype(np.uint64) for word in (a, b, c))
    wide, mask, half = np.asarray(limit).astype(np.uint64), np.uint64(2**32 - 1), np.uint64(32)
    if attrs["small"]:
        return np.asarray(((a * wide + (b * wide >> half)) >> half).astype(np.int64))
    top, low = wide >> half, wide & mask
    carry = (b * low & mask) + (c * top & mask) + (c * low >> half)
    middle = (a * low & mask) + (b * top & mask) + (b * low >> half) + (c * top >> half)
    middle = middle + (carry >> half)
    result = a * top + (a * low >> half) + (b * top >> half) + (middle >> half)
    return np.asarray(result.astype(np.int64))


bits_below_op = Op(
    "bits_below",
    _below_infer,
    _below_reference,
    no_derivative="random integers do not vary smoothly with their limit",
    notation=Notation("below({3})", r"\operatorname{below}\left({3}\right)", PRODUCT),
    expand=_below_expand,
    doc="96 random bits times a limit, over 2**96 and rounded down: 0 <= result < limit",
)
register(bits_below_op)


def below(limit: Node, bits: Words, largest: Dim | None = None) -> Node:
    """Whole numbers uniform in 0 <= result < limit, as int64; `limit` is int64, at least 1, and at
    most `largest`.

    Each has a probability within 2**-64 of 1 / limit up to a limit of 2**31, and within
    limit * 2**-96 of it, relative to it, beyond.
    """
    known = uniform_value(limit) if largest is None else largest
    small = isinstance(known, int | np.integer) and 1 <= known <= 2**31
    return make(bits_below_op, (*bits[:3], limit), small=small)
