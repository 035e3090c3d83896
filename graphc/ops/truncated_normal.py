"""The inverse of the distribution function of a normal number between two bounds, in all tails."""

from __future__ import annotations

import math

import numpy as np

import graphc.ops.scalar as scalar
import graphc.ops.special as special
from graphc.ir.node import Node

# From this many standard deviations on, probabilities (now below 1e-88, soon 0) are taken relative
# to that of the tail.
_FAR = 20.0
# Newton's method more than doubles the digits of a start that is within 1 / _FAR**2 of the tail.
_STEPS = 2
_ROOT = math.sqrt(0.5)


def truncated_standard_normal(u: Node, a: Node, b: Node) -> Node:
    """The number between a and b below which a fraction u of the normal distribution there lies.

    All float64, u in (0, 1]; nan unless a < b. The side of an interval that lies nearer to 0 is
    turned to the left, where probabilities have all their digits.
    """
    turned = scalar.greater(a + b, 0)
    low, high = scalar.where(turned, -b, a), scalar.where(turned, -a, b)
    far = scalar.less(high, -_FAR)
    # Each branch gets arguments that it can take, so that its derivatives are finite where it is
    # not chosen.
    near_low, near_high = scalar.where(far, -1.0, low), scalar.where(far, 0.0, high)
    from_end = scalar.where(far, -high, _FAR), scalar.where(far, -low, _FAR + 1)
    drawn = scalar.where(far, -_in_tail(u, *from_end), _in_middle(u, near_low, near_high))
    return scalar.where(scalar.less(a, b), scalar.where(turned, -drawn, drawn), np.nan)


def _in_middle(u: Node, low: Node, high: Node) -> Node:
    below = special.ndtr(low)
    return special.ndtri(below + u * (special.ndtr(high) - below))


def _in_tail(u: Node, start: Node, end: Node) -> Node:
    """The number z in start < z < end above which the fraction u of this part of the tail lies.

    Its logarithm, log(Q(z) / Q(start)), is known; with Q(z) = exp(-z**2 / 2) erfcx(z / sqrt(2)) / 2
    nothing in it is small. Newton's method finds z - start, from the tail of exp(-z**2 / 2) alone.
    """
    first = special.erfcx(_ROOT * start)
    closed = scalar.isfinite(end)
    last = scalar.where(closed, end, start)
    rest = scalar.exp(-0.5 * (last - start) * (last + start)) * special.erfcx(_ROOT * last) / first
    rest = scalar.where(closed, rest, 0.0)
    wanted = scalar.log(rest + u * (1 - rest))
    guess = -2 * wanted / (start + scalar.sqrt(start * start - 2 * wanted))
    for step in range(_STEPS):
        # The last step alone carries the derivative: that of the exact solution.
        at = scalar.stop_gradient(guess) if step == _STEPS - 1 else guess
        here = special.erfcx(_ROOT * (start + at))
        reached = scalar.log(here / first) - at * (start + 0.5 * at)
        guess = at + (reached - wanted) * here * math.sqrt(math.pi / 2)
    return start + guess
