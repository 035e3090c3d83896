"""Gamma variates by rejection with a fixed number of attempts, all of which are computed at once.

G. Marsaglia and W. W. Tsang: A simple method for generating gamma variables, ACM Transactions on
Mathematical Software 26, 2000: the cube of a normal number, scaled and moved, is accepted with a
probability of at least 0.95 for a shape parameter of at least 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc.ops.reduction as reduction
import graphc.ops.scalar as scalar
from graphc.errors import DTypeError
from graphc.ir.declaration import Declaration
from graphc.ir.dtype import float64
from graphc.ir.node import Node, make
from graphc.ir.op import Attributes, Notation, register
from graphc.ir.shape import Shape, TensorType
from graphc.ops.elementwise import cast
from graphc.ops.layout import broadcast_to, expand_dims, transpose
from graphc.ops.philox import random_words
from graphc.ops.random_bits import RandomOp, Words, flat_index, words
from graphc.ops.source import as_node, const, ramp, uniform_value

# All are refused with a probability below 0.0487**10 = 8e-14, at a = 1 where it is largest.
ATTEMPTS = 10


def _attempt(m: Any, a: Any, bits: tuple[Any, ...]) -> tuple[Any, Any]:
    """A candidate for each four words (as float64), and whether it is accepted.

    One text for nodes and for arrays: `m` has their functions.
    """
    radius = m.sqrt(-2 * m.log((bits[0] + 0.5) * 2.0**-32))
    normal = radius * m.cos((2 * np.pi * 2.0**-32) * bits[1])
    d = a - 1 / 3
    root = 1 + normal / m.sqrt(9 * d)
    positive = root > 0
    cube = m.where(positive, root * root * root, 1.0)
    level = 0.5 * normal * normal + d * (1 - cube + m.log(cube))
    # 53 bits decide: with fewer the smallest candidates would be accepted too often.
    decision = m.log(bits[2] * 2.0**-32 + (bits[3] + 0.5) * 2.0**-64)
    return d * cube, m.logical_and(positive, decision < level)


def _infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    (a,) = inputs
    if a.dtype is not float64:
        raise DTypeError(f"gamma_draw: expected a shape parameter of float64, got {a.dtype}")
    return a.tensor


def _as_floats(bits: Words) -> tuple[Node, ...]:
    return tuple(cast(word, float64) for word in bits)


def _expand(node: Node) -> Node:
    """All attempts, the number of the first that is accepted, and that one again."""
    (a,), attrs, shape = node.inputs, node.attrs, node.shape
    drawn = words(attrs["seed"], attrs["use"], attrs["declaration"], (*shape, ATTEMPTS))
    # Attempts come first, so that elements lie next to each other in the innermost loop.
    order = (len(shape), *range(len(shape)))
    tried = tuple(transpose(word, order) for word in _as_floats(drawn))
    _, accepted = _attempt(scalar, expand_dims(a, 0), tried)
    number = ramp((ATTEMPTS, *shape), 0)
    first = reduction.min(scalar.where(accepted, number, ATTEMPTS - 1), axis=0)
    index = flat_index(shape) * ATTEMPTS + first
    again = words(attrs["seed"], attrs["use"], attrs["declaration"], index)
    candidate, _ = _attempt(scalar, a, _as_floats(again))
    return as_node(candidate)


def _reference(attrs: Attributes, a: np.ndarray) -> np.ndarray:
    index = np.arange(a.size * ATTEMPTS, dtype=np.int64).reshape(*a.shape, ATTEMPTS)
    at = (attrs["seed"], attrs["use"], attrs.get("step", 0), index)
    bits = tuple(np.asarray(random_words(*at, word)).astype(np.float64) for word in range(4))
    candidates, accepted = _attempt(np, a[..., None], bits)
    accepted[..., -1] = True
    first = np.argmax(accepted, axis=-1)[..., None]
    return np.asarray(np.take_along_axis(candidates, first, axis=-1)[..., 0])


gamma_draw_op = RandomOp(
    "gamma_draw",
    _infer,
    _reference,
    no_derivative="a gamma variate is found by rejection: it does not vary smoothly with its shape "
    "parameter; differentiate with respect to the scale, or use a score-function estimate",
    notation=Notation("gamma({0})", r"\operatorname{Gamma}\left({0}\right)"),
    expand=_expand,
    doc="gamma variates of scale 1 for shape parameters of at least 1, in float64",
    parametric=True,
)
register(gamma_draw_op)


def gamma_and_boost(
    a: Node,
    shape: Shape,
    seed: int,
    uses: tuple[int, int],
    declared: tuple[Declaration, Declaration],
) -> tuple[Node, Node]:
    """`(g, boost)`, in float64, for parameters a > 0 that broadcast to `shape`: g exp(boost) is
    gamma distributed.

    A parameter below 1 is raised by 1, and the variate multiplied by u**(1/a) (Marsaglia and Tsang,
    section 6): `boost` is log(u) / a, in which a small parameter does not underflow. nan for a
    parameter that is not positive.
    """
    known = uniform_value(a)
    wide = broadcast_to(cast(a, float64), shape)
    if known is not None and known >= 1:
        variate = make(gamma_draw_op, (wide,), seed=seed, use=uses[0], declaration=declared[0])
        return variate, const(0.0, float64)
    low = scalar.less(wide, 1)
    raised = scalar.where(low, wide + 1, wide)
    variate = make(gamma_draw_op, (raised,), seed=seed, use=uses[0], declaration=declared[0])
    drawn = _as_floats(words(seed, uses[1], declared[1], shape))
    uniform = drawn[0] * 2.0**-32 + (drawn[1] + 0.5) * 2.0**-64
    boost = scalar.where(low, scalar.log(uniform) / wide, 0.0)
    valid = scalar.greater(wide, 0)
    return scalar.where(valid, variate, np.nan), boost
