"""Draws of bits, whole numbers, choices and orders from a stream."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc.ops.distributions as distributions
import graphc.ops.reduction as reduction
import graphc.ops.scalar as scalar
import graphc.ops.shuffling as shuffling
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.dim import Dim, as_dim, product
from graphc.ir.dtype import DType, as_dtype, default_float, float64, int64
from graphc.ir.node import Node
from graphc.ir.shape import Shape, as_shape, normalize_axis, shape_text
from graphc.ir.site import at_user_line
from graphc.ops.bitwise import bitwise_right_shift
from graphc.ops.draw_source import DrawSource, draw_shape, float_parameter, float_type
from graphc.ops.elementwise import cast
from graphc.ops.indexing import take
from graphc.ops.indices import from_zero
from graphc.ops.layout import reshape, slice_axes, transpose
from graphc.ops.random_bits import below
from graphc.ops.source import as_node, const, ramp, size
from graphc.ops.statement import check_with_draw

_LARGEST_SPAN = 2**63
# Fewer than one in so many of a range: each chosen one is found for itself, without all the others.
_SPARSE = 64


class DiscreteDraws(DrawSource):
    """Bits, whole numbers, choices and orders. None of them has a derivative."""

    @at_user_line
    def bits(self, shape: Any = (), index: object = None) -> Node:
        """Uniform random uint32 integers of the given shape.

        With `index`, integers of any shape, in the place of `shape`: those at these indices of one
        endless sequence, whose beginning is what a vector of bits would be.
        """
        if index is None:
            return self._words(as_shape(shape))[0]
        node = as_node(index)
        if not node.dtype.is_integer:
            raise DTypeError(f"bits: expected integer indices, got {node.dtype}")
        return self._words(cast(node, int64))[0]

    @at_user_line
    def bernoulli(self, p: Any, shape: Any = None, dtype: Any = "bool") -> Node:
        """True with probability `p`, to a resolution of 2**-32.

        A node `p` counts as 0 below 0, as 1 above 1, and as 0 where it is nan. Raises
        ArgumentError for a number outside [0, 1].
        """
        if not isinstance(p, Node | np.ndarray):
            if isinstance(p, bool) or not isinstance(p, int | float | np.number) or not 0 <= p <= 1:
                raise ArgumentError(f"bernoulli: expected 0 <= p <= 1, got {p!r}")
            known = as_shape(() if shape is None else shape)
            return cast(self._below_threshold(float(p), known), dtype)
        chance = float_parameter("bernoulli", "p", p, float_type("bernoulli", None, p))
        words = self._words(draw_shape("bernoulli", shape, chance))
        threshold = cast(chance, float64) * 2.0**32
        return cast(scalar.less(cast(words[0], float64) + 0.5, threshold), dtype)

    def _below_threshold(self, p: float, shape: Shape) -> Node:
        bits = self._words(shape)[0]
        if p == 1:
            return scalar.greater_equal(bits, 0)
        return scalar.less(bits, np.uint32(min(round(p * 2**32), 2**32 - 1)))

    @at_user_line
    def rademacher(self, shape: Any = (), dtype: Any = None) -> Node:
        """-1 or 1, each with probability 1/2; of the default float type unless said otherwise."""
        chosen = default_float() if dtype is None else as_dtype(dtype)
        if not (chosen.is_float or chosen.family == "int"):
            raise DTypeError(f"rademacher: expected a dtype that has -1, got {chosen}")
        high = scalar.greater_equal(self._words(as_shape(shape))[0], np.uint32(2**31))
        return scalar.where(high, const(1, chosen), const(-1, chosen))

    # ---- whole numbers

    @at_user_line
    def integers(self, low: Any, high: Any = None, shape: Any = None, dtype: Any = "int64") -> Node:
        """Whole numbers uniform in low <= result < high; with one bound, in 0 <= result < low.

        Bounds are integers or nodes of them, at most 2**63 apart. Each number has its probability
        to 2**-32 of it or better. Raises ArgumentError for bounds that hold no number or do not fit
        the dtype; where nodes do so a call raises CheckFailedError.
        """
        start, stop = (0, low) if high is None else (low, high)
        chosen = as_dtype(dtype)
        if not chosen.is_integer:
            raise DTypeError(f"integers: expected an integer dtype, got {chosen}")
        first, last = (_bound(bound) for bound in (start, stop))
        if isinstance(first, int) and isinstance(last, int):
            known = as_shape(() if shape is None else shape)
            return cast(self._between(first, last, known, chosen), chosen)
        begin, end = (cast(as_node(bound), int64) for bound in (first, last))
        words = self._words(draw_shape("integers", shape, begin, end))
        fits = (begin >= int(_limits(chosen).min)) & (end - 1 <= int(_limits(chosen).max))
        span = end - begin  # wraps around to a negative number where it is 2**63 or more
        check_with_draw(
            (begin < end) & (span > 0) & fits,
            f"integers: expected low < high, less than 2**63 apart, in the range of {chosen}",
            words[0],
        )
        return cast(begin + below(span, words), chosen)

    def _between(self, low: int, high: int, shape: Shape, dtype: DType) -> Node:
        limits = _limits(dtype)
        if not low < high:
            raise ArgumentError(f"integers: expected low < high, got {low} and {high}")
        if low < limits.min or high - 1 > limits.max:
            raise ArgumentError(
                f"integers: expected {limits.min} <= low < high <= {limits.max + 1} for {dtype}, "
                f"got {low} and {high}"
            )
        if high - low > _LARGEST_SPAN:
            raise ArgumentError(
                f"integers: expected bounds at most 2**63 apart, got {low} and {high}"
            )
        words = self._words(shape)
        if high - low < _LARGEST_SPAN:
            drawn = below(const(high - low, int64), words)
        else:
            top, rest = (cast(word, int64) for word in words[:2])
            drawn = top * 2**31 + bitwise_right_shift(rest, 1)
        return drawn if low == 0 else drawn + const(low, int64)

    @at_user_line
    def categorical(self, logits: Any, axis: int = -1, shape: Any = None) -> Node:
        """Indices along `axis`, each with the probability softmax(logits), as int64.

        `shape` is that of the result: by default that of `logits` without the axis, or one it
        broadcasts to. The largest of logits plus Gumbel numbers, without the softmax (E. J. Gumbel:
        Statistical theory of extreme values, 1954); -inf is never drawn beside a finite one.
        """
        node = as_node(logits)
        if node.ndim == 0:
            raise ShapeError("categorical: expected logits with at least one axis, got a scalar")
        chosen = float_type("categorical", None, node)
        node = float_parameter("categorical", "logits", node, chosen)
        at = normalize_axis(axis, node.ndim, "categorical")
        last = transpose(node, (*(a for a in range(node.ndim) if a != at), at))
        batch = draw_shape("categorical", shape, last[..., 0])
        noise = distributions.standard_gumbel(self._words((*batch, last.shape[-1])), chosen)
        return reduction.argmax(last + noise, axis=-1)

    # ---- orders

    @at_user_line
    def permutation(self, n: Any, axis: int = 0) -> Node:
        """A random order: of 0..n-1 as int64 for an integer or the name of a size, of the elements
        along `axis` for a node or an array.

        Each order has the same probability, to n * 2**-96.
        """
        if isinstance(n, Node | np.ndarray | list | tuple):
            return self._shuffled(as_node(n), axis, "permutation")
        return self._order(_length("permutation", n))

    @at_user_line
    def shuffle(self, x: Any, axis: int = 0) -> Node:
        """`x` with its elements along `axis` in a random order; rows stay whole."""
        return self._shuffled(as_node(x), axis, "shuffle")

    def _order(self, length: Dim) -> Node:
        limits = ramp((length,), 0) + 1
        return shuffling.permutation(below(limits, self._words((length,)), largest=length))

    def _shuffled(self, x: Node, axis: int, name: str) -> Node:
        if x.ndim == 0:
            raise ShapeError(f"{name}: expected an array with at least one axis, got a scalar")
        at = normalize_axis(axis, x.ndim, name)
        order = (at, *(a for a in range(x.ndim) if a != at))
        inverse = tuple(order.index(a) for a in range(x.ndim))
        return transpose(take(transpose(x, order), self._order(x.shape[at])), inverse)

    @at_user_line
    def shuffled_index(self, index: Any, n: Any) -> Node:
        """The places of indices 0 <= index < n in one random order of 0..n-1, as int64.

        Each is computed for itself, in a time that does not depend on n, and no two indices have
        the same place: so any part of a random order can be had without the rest (the swap-or-not
        shuffle, see `graphc.ops.shuffling`). `n` is an integer or the name of a size. An index
        outside 0..n-1 is an IndexRangeError when it runs.
        """
        node, length = as_node(index), _length("shuffled_index", n)
        if not node.dtype.is_integer:
            raise DTypeError(f"shuffled_index: expected integer indices, got {node.dtype}")
        return self._image(from_zero(cast(node, int64), length), length)

    def _image(self, index: Node, length: Dim) -> Node:
        rounds = (shuffling.ROUNDS,)
        pivots, keys = below(size(length), self._words(rounds)), self._words(rounds)
        wide = cast(keys[0], int64) * 2**32 + cast(keys[1], int64)
        flat = reshape(index, (product(index.shape),))
        return reshape(shuffling.swap_or_not(flat, length, pivots, wide), index.shape)

    @at_user_line
    def choice(self, n: Any, shape: Any = (), replace: bool = True, p: Any = None) -> Node:
        """Random elements of 0..n-1 as int64, for an integer or the name of a size, or rows of a
        node or an array.

        With `replace` each is drawn for itself, with the probabilities `p` if they are given (a
        vector; they need not sum to 1); without it all are different. Raises ArgumentError for more
        than there are, and for `p` without `replace`.
        """
        if isinstance(n, Node | np.ndarray | list | tuple):
            rows = as_node(n)
            if rows.ndim == 0:
                raise ShapeError("choice: expected rows to choose from, got a scalar")
            return take(rows, self._chosen(rows.shape[0], as_shape(shape), replace, p))
        return self._chosen(_length("choice", n), as_shape(shape), replace, p)

    def _chosen(self, length: Dim, shape: Shape, replace: bool, p: Any) -> Node:
        if p is not None:
            return self._weighted(length, shape, replace, p)
        if replace:
            if length == 0:
                raise ArgumentError("choice: expected something to choose from, got nothing")
            return below(size(length), self._words(shape))
        count = product(shape)
        if isinstance(length, int) and isinstance(count, int) and count > length:
            raise ArgumentError(f"choice: expected at most {length} different ones, got {count}")
        if isinstance(length, int) and isinstance(count, int) and count * _SPARSE <= length:
            return reshape(self._image(ramp((count,), 0), length), shape)
        return reshape(slice_axes(self._order(length), ((0, count, 1),)), shape)

    def _weighted(self, length: Dim, shape: Shape, replace: bool, p: Any) -> Node:
        if not replace:
            raise ArgumentError("choice: expected replace=True with probabilities p")
        weights = float_parameter("choice", "p", p, float_type("choice", None, p))
        if weights.shape != (length,):
            raise ShapeError(
                f"choice: expected probabilities of shape {shape_text((length,))}, "
                f"got {shape_text(weights.shape)}"
            )
        noise = distributions.standard_gumbel(self._words((*shape, length)), weights.dtype)
        return reduction.argmax(scalar.log(weights) + noise, axis=-1)


def _limits(dtype: DType) -> Any:
    return np.iinfo(dtype.name)


def _bound(value: Any) -> int | Node:
    """A bound as an integer or a node of integers."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Node | np.ndarray):
        node = as_node(value)
        if node.dtype.is_integer:
            return node
        raise DTypeError(f"integers: expected integer bounds, got {node.dtype}")
    raise ArgumentError(f"integers: expected integers or nodes as bounds, got {value!r}")


def _length(name: str, n: Any) -> Dim:
    """The number of things to order or choose from: an integer, the name of a size, or a size."""
    try:
        return as_dim(n)
    except ShapeError as error:
        raise ShapeError(f"{name}: {error}") from None
