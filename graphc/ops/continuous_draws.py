"""Draws of floats from a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc.ops.distributions as distributions
import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dtype import DType, float64
from graphc.ir.node import Node
from graphc.ir.shape import Shape
from graphc.ir.site import at_user_line
from graphc.ops.composite import softmax
from graphc.ops.draw_source import (
    DrawSource,
    draw_shape,
    equals,
    float_parameter,
    float_type,
    scale_parameter,
)
from graphc.ops.elementwise import cast
from graphc.ops.gamma_draw import gamma_and_boost
from graphc.ops.random_bits import Words
from graphc.ops.truncated_normal import truncated_standard_normal

Parameter = Any
"""A number, an array or a node."""


def _standardized(bound: Node, mean: Node, std: Node) -> Node:
    """(bound - mean) / std in float64; an infinite bound stays as it is, with no derivative."""
    wide, finite = cast(bound, float64), scalar.isfinite(bound)
    inside = scalar.where(finite, wide, 0.0)
    return scalar.where(finite, (inside - cast(mean, float64)) / cast(std, float64), wide)


class ContinuousDraws(DrawSource):
    """Distributions of floats: `shape` is by default that of the parameters, `dtype` theirs."""

    @at_user_line
    def uniform(
        self, shape: Any = None, low: Parameter = 0.0, high: Parameter = 1.0, dtype: Any = None
    ) -> Node:
        """Numbers uniform in [low, high): multiples of 2**-24 (float32) or 2**-53 (float64) of the
        span, plus `low`; a sum may be rounded up to `high`.

        Differentiable with respect to both ends. Raises ArgumentError unless low <= high.
        """
        chosen = float_type("uniform", dtype, low, high)
        if all(isinstance(end, int | float) for end in (low, high)) and not low <= high:
            raise ArgumentError(f"uniform: expected low <= high, got {low} and {high}")
        start = float_parameter("uniform", "low", low, chosen)
        stop = float_parameter("uniform", "high", high, chosen)
        words = self._words(draw_shape("uniform", shape, start, stop))
        drawn = distributions.unit(words, chosen)
        return drawn if equals(low, 0) and equals(high, 1) else start + (stop - start) * drawn

    @at_user_line
    def normal(
        self, shape: Any = None, mean: Parameter = 0.0, std: Parameter = 1.0, dtype: Any = None
    ) -> Node:
        """Normal numbers, by the method of Box and Muller (1958).

        Differentiable with respect to `mean` and `std`. Raises ArgumentError for std < 0.
        """
        return self._located(
            "normal", distributions.standard_normal, shape, ("mean", mean), ("std", std), dtype
        )

    @at_user_line
    def truncated_normal(
        self,
        low: Parameter,
        high: Parameter,
        shape: Any = None,
        mean: Parameter = 0.0,
        std: Parameter = 1.0,
        dtype: Any = None,
    ) -> Node:
        """Normal numbers of `mean` and `std`, given that they lie in low <= x <= high.

        By inversion in float64, with full precision in both tails however far out; a bound may be
        infinite. Differentiable with respect to all parameters. nan where nodes are not low < high;
        raises ArgumentError for numbers that are not, and for std < 0.
        """
        name = "truncated_normal"
        chosen = float_type(name, dtype, low, high, mean, std)
        if all(isinstance(end, int | float) for end in (low, high)) and not low < high:
            raise ArgumentError(f"{name}: expected low < high, got {low} and {high}")
        middle = float_parameter(name, "mean", mean, chosen)
        width = scale_parameter(name, "std", std, chosen)
        start = float_parameter(name, "low", low, chosen)
        stop = float_parameter(name, "high", high, chosen)
        words = self._words(draw_shape(name, shape, start, stop, middle, width))
        ends = (_standardized(end, middle, width) for end in (start, stop))
        drawn = truncated_standard_normal(distributions.positive_unit(words, float64), *ends)
        return scalar.clip(middle + width * cast(drawn, chosen), start, stop)

    @at_user_line
    def laplace(
        self, shape: Any = None, loc: Parameter = 0.0, scale: Parameter = 1.0, dtype: Any = None
    ) -> Node:
        """Numbers of density exp(-|x - loc| / scale) / (2 scale)."""
        draw = distributions.standard_laplace
        return self._located("laplace", draw, shape, ("loc", loc), ("scale", scale), dtype)

    @at_user_line
    def logistic(
        self, shape: Any = None, loc: Parameter = 0.0, scale: Parameter = 1.0, dtype: Any = None
    ) -> Node:
        """Numbers x for which sigmoid((x - loc) / scale) is uniform."""
        draw = distributions.standard_logistic
        return self._located("logistic", draw, shape, ("loc", loc), ("scale", scale), dtype)

    @at_user_line
    def gumbel(
        self, shape: Any = None, loc: Parameter = 0.0, scale: Parameter = 1.0, dtype: Any = None
    ) -> Node:
        """Numbers of distribution function exp(-exp(-(x - loc) / scale))."""
        draw = distributions.standard_gumbel
        return self._located("gumbel", draw, shape, ("loc", loc), ("scale", scale), dtype)

    @at_user_line
    def cauchy(
        self, shape: Any = None, loc: Parameter = 0.0, scale: Parameter = 1.0, dtype: Any = None
    ) -> Node:
        """Numbers of density 1 / (pi scale (1 + ((x - loc) / scale)**2))."""
        draw = distributions.standard_cauchy
        return self._located("cauchy", draw, shape, ("loc", loc), ("scale", scale), dtype)

    @at_user_line
    def exponential(self, shape: Any = None, scale: Parameter = 1.0, dtype: Any = None) -> Node:
        """Numbers of density exp(-x / scale) / scale, x > 0; the mean is `scale`."""
        draw = distributions.standard_exponential
        return self._located("exponential", draw, shape, ("loc", 0.0), ("scale", scale), dtype)

    def _located(
        self,
        name: str,
        draw: Callable[[Words, DType], Node],
        shape: Any,
        location: tuple[str, Parameter],
        scale: tuple[str, Parameter],
        dtype: Any,
    ) -> Node:
        """location + scale * a standard draw."""
        chosen = float_type(name, dtype, location[1], scale[1])
        middle = float_parameter(name, *location, chosen)
        width = scale_parameter(name, *scale, chosen)
        drawn = draw(self._words(draw_shape(name, shape, middle, width)), chosen)
        scaled = drawn if equals(scale[1], 1) else width * drawn
        return scaled if equals(location[1], 0) else middle + scaled

    # ---- the gamma family

    @at_user_line
    def gamma(
        self, a: Parameter, shape: Any = None, scale: Parameter = 1.0, dtype: Any = None
    ) -> Node:
        """Gamma variates: density proportional to x**(a - 1) exp(-x / scale), x > 0.

        By rejection with ten attempts (see `graphc.ops.gamma_draw`), computed in float64; the
        chance that none is accepted, and the last one stands in, is below 1e-13. Differentiable
        with respect to `scale`; with respect to `a` there is no derivative. nan where a node `a` is
        not positive; raises ArgumentError for a number that is not.
        """
        chosen = float_type("gamma", dtype, a, scale)
        width = scale_parameter("gamma", "scale", scale, chosen)
        parameter = self._concentration("gamma", "a", a, chosen)
        known = draw_shape("gamma", shape, parameter, width)
        variate, boost = self._gamma(parameter, known)
        drawn = cast(variate * scalar.exp(boost), chosen)
        return drawn if equals(scale, 1) else width * drawn

    @at_user_line
    def beta(self, a: Parameter, b: Parameter, shape: Any = None, dtype: Any = None) -> Node:
        """Beta variates: density proportional to x**(a - 1) (1 - x)**(b - 1), 0 <= x <= 1.

        As for `gamma` there is no derivative with respect to `a` and `b`.
        """
        chosen = float_type("beta", dtype, a, b)
        first = self._concentration("beta", "a", a, chosen)
        second = self._concentration("beta", "b", b, chosen)
        known = draw_shape("beta", shape, first, second)
        difference = self._log_gamma(first, known) - self._log_gamma(second, known)
        return cast(scalar.sigmoid(difference), chosen)

    @at_user_line
    def dirichlet(self, alpha: Parameter, shape: Any = None, dtype: Any = None) -> Node:
        """Rows that sum to 1, of density proportional to the product of x[i]**(alpha[i] - 1).

        `alpha` has one parameter for each element along its last axis; `shape` is that of the
        result without this axis. As for `gamma` there is no derivative with respect to `alpha`.
        """
        chosen = float_type("dirichlet", dtype, alpha)
        parameter = self._concentration("dirichlet", "alpha", alpha, chosen)
        if parameter.ndim == 0:
            raise ShapeError("dirichlet: expected alpha with at least one axis, got a scalar")
        known = parameter.shape
        if shape is not None:
            batch = draw_shape("dirichlet", shape, parameter[..., 0])
            known = (*batch, parameter.shape[-1])
        return cast(softmax(self._log_gamma(parameter, known), axis=-1), chosen)

    def _concentration(self, name: str, what: str, value: Parameter, dtype: DType) -> Node:
        if isinstance(value, int | float) and not value > 0:
            raise ArgumentError(f"{name}: expected {what} > 0, got {value}")
        return float_parameter(name, what, value, dtype)

    def _gamma(self, a: Node, shape: Shape) -> tuple[Node, Node]:
        (first, one), (second, two) = self._use(), self._use()
        return gamma_and_boost(a, shape, self.seed, (first, second), (one, two))

    def _log_gamma(self, a: Node, shape: Shape) -> Node:
        """The logarithm of gamma variates, in float64: for small parameters they underflow."""
        variate, boost = self._gamma(a, shape)
        return scalar.log(variate) + boost
