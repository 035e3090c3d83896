"""Random draws: streams of numbers that are a function of (seed, use, step, index).

Each use of a stream is a declared node of its own. Within one step a draw is one value, however
often it is used, so the forward and the derivative graph see the same dropout mask. An element's
index is its place in row-major order, so the first examples of a batch draw the same numbers
whatever its size. The bits are the same on every target (see `graphc.ops.random_bits`), and so are
whole numbers; floats that take a logarithm, a root or an angle agree to a few units in the last
place.

Parameters of distributions may be numbers or nodes. Derivatives with respect to them flow through
the draw where it is a smooth function of them (a location, a scale, the ends of an interval). Where
it is not, as in the shape parameter of a gamma variate, they are an error; whole numbers have none.
"""

from __future__ import annotations

from graphc.ir.site import at_user_line
from graphc.ops.continuous_draws import ContinuousDraws
from graphc.ops.discrete_draws import DiscreteDraws
from graphc.ops.random_bits import random_bits_op as random_bits_op


class Stream(ContinuousDraws, DiscreteDraws):
    """A source of draws from one seed; each call of a method is a use of its own."""


@at_user_line
def stream(seed: int) -> Stream:
    """A source of random draws from a seed, 0 <= seed < 2**63.

    >>> from graphc.ops.evaluate import evaluate
    >>> draw = stream(0)
    >>> evaluate(draw.integers(1, 7, (5,))).tolist(), evaluate(draw.permutation(4)).tolist()
    ([3, 6, 1, 5, 6], [2, 1, 3, 0])
    """
    return Stream(seed)
