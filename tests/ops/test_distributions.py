"""Distributions of floats: against SciPy, in their tails, and how they vary with parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats

import graphc as gx
from graphc.errors import ArgumentError, DTypeError, GradientError, ShapeError
from graphc.ir.node import Node
from graphc.ops.gamma_draw import ATTEMPTS, _attempt
from graphc.ops.truncated_normal import truncated_standard_normal

COUNT = 200_000
# Seeds are fixed, so a test that passes always does. A correct generator fails one in so many.
UNLIKELY = 1e-5


def value(node: Node, feed: Any = None) -> np.ndarray:
    """What the interpreter draws."""
    return np.asarray(gx.evaluate(node, feed or {}))


Draw = Callable[[Any, str], Node]
SHAPE = (COUNT,)
DISTRIBUTIONS: dict[str, tuple[Draw, Any]] = {
    "uniform": (lambda r, t: r.uniform(SHAPE, dtype=t), stats.uniform()),
    "uniform between": (lambda r, t: r.uniform(SHAPE, -3.0, 5.0, dtype=t), stats.uniform(-3, 8)),
    "normal": (lambda r, t: r.normal(SHAPE, dtype=t), stats.norm()),
    "normal moved": (lambda r, t: r.normal(SHAPE, 5.0, 0.5, dtype=t), stats.norm(5, 0.5)),
    "exponential": (lambda r, t: r.exponential(SHAPE, 2.0, dtype=t), stats.expon(scale=2)),
    "laplace": (lambda r, t: r.laplace(SHAPE, 1.0, 2.0, dtype=t), stats.laplace(1, 2)),
    "logistic": (lambda r, t: r.logistic(SHAPE, 1.0, 2.0, dtype=t), stats.logistic(1, 2)),
    "gumbel": (lambda r, t: r.gumbel(SHAPE, 1.0, 2.0, dtype=t), stats.gumbel_r(1, 2)),
    "cauchy": (lambda r, t: r.cauchy(SHAPE, 1.0, 2.0, dtype=t), stats.cauchy(1, 2)),
    "gamma 0.3": (lambda r, t: r.gamma(0.3, SHAPE, dtype=t), stats.gamma(0.3)),
    "gamma 1": (lambda r, t: r.gamma(1.0, SHAPE, dtype=t), stats.gamma(1)),
    "gamma 2.5": (lambda r, t: r.gamma(2.5, SHAPE, 3.0, dtype=t), stats.gamma(2.5, scale=3)),
    "gamma 1000": (lambda r, t: r.gamma(1000.0, SHAPE, dtype=t), stats.gamma(1000)),
    "beta": (lambda r, t: r.beta(0.4, 2.0, SHAPE, dtype=t), stats.beta(0.4, 2)),
    "dirichlet": (
        lambda r, t: r.dirichlet(np.array([0.5, 1.0, 3.0]), SHAPE, dtype=t)[:, 1],
        stats.beta(1, 3.5),
    ),
    "truncated": (
        lambda r, t: r.truncated_normal(-0.5, 2.0, SHAPE, dtype=t), stats.truncnorm(-0.5, 2)
    ),
    "truncated tail": (
        lambda r, t: r.truncated_normal(3.0, np.inf, SHAPE, 1.0, 0.5, dtype=t),
        stats.truncnorm(4, np.inf, 1, 0.5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution_functions_are_scipys(name: str, dtype: str) -> None:
    """Kolmogorov and Smirnov's distance, and each of the first moments there are, at 6 sigma."""
    draw, exact = DISTRIBUTIONS[name]
    node = draw(gx.random.stream(12), dtype)
    assert node.dtype.name == dtype
    drawn = value(node).astype(np.float64)
    assert np.isfinite(drawn).all()
    assert stats.kstest(drawn, exact.cdf).pvalue > UNLIKELY
    if name == "cauchy":
        return
    mean, variance, skewness, kurtosis = (float(m) for m in exact.stats("mvsk"))
    assert abs(drawn.mean() - mean) < 6 * math.sqrt(variance / COUNT)
    spread = variance * math.sqrt((kurtosis + 2) / COUNT)
    assert abs(drawn.var() - variance) < 6 * spread
    assert abs(stats.skew(drawn) - skewness) < 0.2 * (1 + abs(skewness))


def test_float64_draws_have_53_bits() -> None:
    """More than 32 bits, up to but never 1, and zero bits where a float64 has none."""
    drawn = value(gx.random.stream(0).uniform((100_000,), dtype="float64"))
    whole = drawn * 2.0**53
    np.testing.assert_array_equal(whole, np.floor(whole))
    assert len(np.unique(drawn)) == len(drawn)
    assert abs((whole % 2).mean() - 0.5) < 0.01
    assert drawn.max() < 1
    single = value(gx.random.stream(0).uniform((100_000,))).astype(float) * 2.0**24
    np.testing.assert_array_equal(single, np.floor(single))


def test_tails_are_reached_in_float32() -> None:
    """Protects float32 from the coarse ends of a uniform number of 24 bits."""
    drawn = value(gx.random.stream(3).exponential((2**22,))).astype(float)
    assert drawn.max() > 14.5
    assert 0 < drawn.min() < 1e-6
    small = drawn[drawn < 1e-4] / 1e-4
    assert stats.kstest(small, "uniform").pvalue > UNLIKELY
    sides = value(gx.random.stream(3).laplace((2**22,)))
    assert min(sides.max(), -sides.min()) > 13


def test_no_word_gives_an_infinity() -> None:
    """The least and the greatest words of a block, at which logarithms and angles have poles."""
    from graphc.ir.dtype import float32, float64
    from graphc.ops import distributions

    w = [gx.input(f"w{i}", (3,), "uint32") for i in range(4)]
    ends = np.array([0, 2**31, 2**32 - 1], np.uint32)
    names = ("normal", "exponential", "laplace", "logistic", "gumbel", "cauchy")
    for name in names:
        for dtype in (float32, float64):
            node = getattr(distributions, f"standard_{name}")(tuple(w), dtype)
            for second in ends:
                feed = {w[0]: ends, w[1]: [second] * 3, w[2]: ends[::-1], w[3]: ends}
                assert np.isfinite(value(node, feed)).all(), (name, dtype)


# ---- gamma


def test_the_chance_of_no_attempt_is_as_stated() -> None:
    """The share that is refused is largest at a = 1, and its tenth power below 1e-12."""
    random = np.random.default_rng(0)
    bits = tuple(random.integers(0, 2**32, 1_000_000).astype(float) for _ in range(4))
    refused = [1 - _attempt(np, a, bits)[1].mean() for a in (1.0, 1.5, 4.0)]
    assert refused == sorted(refused, reverse=True)
    assert (refused[0] + 5e-4) ** ATTEMPTS < 1e-12


def test_small_shape_parameters() -> None:
    """Beta variates of tiny parameters are next to 0 or 1, not nan; gamma ones underflow to 0."""
    r = gx.random.stream(0)
    beta = value(r.beta(1e-3, 2e-3, (3000,), dtype="float64"))
    assert abs((beta > 0.5).mean() - 1 / 3) < 0.05
    assert np.isfinite(beta).all()
    rows = value(r.dirichlet(np.full(5, 1e-3), (100,)))
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(value(r.gamma(1e-3, (100,)))).all()
    a = gx.input("a", (3,))
    found = value(r.gamma(a), {a: [-1.0, 0.0, 2.0]})
    assert np.isnan(found[:2]).all()
    assert found[2] > 0


def test_gamma_has_a_derivative_of_its_scale_alone() -> None:
    """Rejection is not differentiable: an error says so, never a silent zero."""
    a, scale = gx.input("a", (4,)), gx.input("scale", ())
    drawn = gx.random.stream(0).gamma(a, scale=scale)
    feed = {a: [0.5, 1.0, 2.0, 9.0], scale: 3.0}
    slope = value(gx.grad(gx.sum(drawn), scale), feed)
    np.testing.assert_allclose(slope, value(drawn, feed).sum() / 3, rtol=1e-5)
    for node in (drawn, gx.random.stream(0).beta(a, 1.0), gx.random.stream(0).dirichlet(a)):
        with pytest.raises(GradientError, match="rejection"):
            gx.grad(gx.sum(node), a)


# ---- truncated normal


def fraction_error(u: float, a: float, b: float, z: float) -> float:
    """How far z is from the exact quantile, in units of its last place."""
    mpmath.mp.dps = 60

    def tail(x: float) -> Any:
        return mpmath.erfc(mpmath.mpf(x) / mpmath.sqrt(2)) / 2

    turned = a + b > 0
    low, high, at = (-b, -a, -z) if turned else (a, b, z)
    total = tail(-high) - tail(-low)
    error = (tail(-at) - tail(-low)) / total - mpmath.mpf(u)
    density = mpmath.exp(-(mpmath.mpf(z) ** 2) / 2) / mpmath.sqrt(2 * mpmath.pi)
    return float(abs(error * total / density) / np.spacing(max(abs(z), 2.0**-3)))


@pytest.mark.parametrize(
    "a, b",
    [(-1, 2), (-0.5, 0.1), (3, 4), (7, np.inf), (-np.inf, -7), (19.9, np.inf), (20.1, 21),
     (20.1, np.inf), (30, 31), (-50, -40), (1e3, np.inf), (2, 2.000001), (1e5, 1e5 + 1)],
)  # fmt: skip
def test_truncated_quantiles_are_exact_in_the_tails(a: float, b: float) -> None:
    """The inverse of the distribution function, to 4 units in the last place, however far out."""
    nodes = [gx.input(name, (7,), "float64") for name in "uab"]
    u = np.array([2.0**-53, 1e-9, 1e-3, 0.3, 0.5, 0.9, 0.999])
    node = truncated_standard_normal(*nodes)
    found = value(node, dict(zip(nodes, (u, np.full(7, a), np.full(7, b)), strict=True)))
    assert ((found >= a - 1e-15) & (found <= b + 1e-15)).all()  # draws are clipped after scaling
    for fraction, z in zip(u.tolist(), found.tolist(), strict=True):
        assert fraction_error(fraction, a, b, z) < 4, fraction


@pytest.mark.parametrize(
    "low, high, mean, std",
    [(-1.0, 2.0, 0.3, 1.5), (3.0, 4.0, 0.0, 1.0), (40.0, 41.0, 0.0, 1.5), (-np.inf, 1.0, 0.5, 2.0),
     (30.0, np.inf, 1.0, 1.0)],
)  # fmt: skip
def test_truncated_normals_vary_with_all_parameters(
    low: float, high: float, mean: float, std: float
) -> None:
    """Derivatives against differences, finite also where a bound is infinite or far away."""
    names = ("low", "high", "mean", "std")
    nodes = [gx.input(name, (), "float64") for name in names]
    drawn = gx.random.stream(4).truncated_normal(*nodes[:2], (50,), *nodes[2:], dtype="float64")
    weights = np.random.default_rng(0).normal(size=50)
    loss = gx.sum(drawn * gx.const(weights))
    at = np.array([low, high, mean, std])
    gradients = [float(value(g, dict(zip(nodes, at, strict=True)))) for g in gx.grad(loss, nodes)]

    def moved(position: int, by: float) -> float:
        place = at.copy()
        place[position] += by
        return float(value(loss, dict(zip(nodes, place, strict=True))))

    for position, gradient in enumerate(gradients):
        if not np.isfinite(at[position]):
            assert gradient == 0
            continue
        step = 1e-5
        difference = (moved(position, step) - moved(position, -step)) / (2 * step)
        np.testing.assert_allclose(gradient, difference, rtol=1e-6, atol=1e-8)


def test_truncated_normals_keep_their_bounds_in_float32() -> None:
    """Rounding to float32 never leaves the interval; an empty one of nodes is nan."""
    drawn = value(gx.random.stream(0).truncated_normal(0.1, 0.1000002, (1000,)))
    assert drawn.dtype == np.float32
    assert drawn.min() >= np.float32(0.1)
    assert drawn.max() <= np.float32(0.1000002)
    low = gx.input("low", ())
    assert np.isnan(value(gx.random.stream(0).truncated_normal(low, 1.0), {low: 2.0}))


# ---- parameters


def test_reparameterized_derivatives() -> None:
    """Locations, scales and ends: the draw is their smooth function, to every order."""
    r = gx.random.stream(1)
    mean, std = gx.input("mean", (2,), "float64"), gx.input("std", (2,), "float64")
    feed = {mean: [1.0, 2.0], std: [0.5, 3.0]}
    for drawn in (
        r.normal((5, 2), mean, std), r.laplace((5, 2), mean, std), r.gumbel((5, 2), mean, std),
        r.logistic((5, 2), mean, std), r.cauchy((5, 2), mean, std),
    ):  # fmt: skip
        by_mean, by_std = gx.grad(gx.sum(drawn), [mean, std])
        np.testing.assert_allclose(value(by_mean, feed), [5, 5])
        standard = (value(drawn, feed) - feed[mean]) / feed[std]
        np.testing.assert_allclose(value(by_std, feed), standard.sum(axis=0), rtol=1e-9)
    ends = r.uniform(low=mean, high=std)
    assert ends.shape == (2,)
    by_low, by_high = gx.grad(gx.sum(ends), [mean, std])
    np.testing.assert_allclose(value(by_low, feed) + value(by_high, feed), [1, 1])


def test_shapes_and_types_of_parameters() -> None:
    """By default those of the parameters; asked for, they have to fit."""
    r = gx.random.stream(0)
    a, b = gx.input("a", ("n", 1), "float64"), gx.input("b", (3,))
    assert r.normal(mean=a, std=b).shape == (*a.shape[:1], 3)
    assert r.normal(mean=a, std=b).dtype.name == "float64"
    assert r.normal(mean=b).dtype.name == "float32"
    assert r.uniform().shape == ()
    assert r.exponential((4, 3), b).shape == (4, 3)
    assert r.gamma(gx.input("k", (2,), "int32")).dtype.name == "float32"
    assert r.dirichlet(b, (5,)).shape == (5, 3)
    assert r.dirichlet(gx.input("m", (5, 3))).shape == (5, 3)
    with pytest.raises(ShapeError, match="do not broadcast to the shape"):
        r.normal((1,), mean=b)


BAD: list[tuple[Callable[[Any], object], type[Exception], str]] = [
    (lambda r: r.uniform((2,), 3.0, 1.0), ArgumentError, "low <= high"),
    (lambda r: r.uniform((2,), dtype="int32"), DTypeError, "a float dtype"),
    (lambda r: r.uniform((2,), low="a"), ArgumentError, "a number or a node as low"),
    (lambda r: r.normal((2,), std=-1.0), ArgumentError, "std >= 0"),
    (lambda r: r.normal((2,), mean=math.nan), ArgumentError, "got nan"),
    (lambda r: r.normal((2,), mean=gx.input("x") > 0), DTypeError, "numbers as mean"),
    (lambda r: r.exponential((2,), -1.0), ArgumentError, "scale >= 0"),
    (lambda r: r.gamma(0.0), ArgumentError, "a > 0"),
    (lambda r: r.beta(1.0, -2.0), ArgumentError, "b > 0"),
    (lambda r: r.dirichlet(1.0), ShapeError, "at least one axis"),
    (lambda r: r.truncated_normal(1.0, 1.0), ArgumentError, "low < high"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_arguments_are_errors_at_the_line(number: int) -> None:
    """What is wrong, what came, and where it was written."""
    call, error, text = BAD[number]
    with pytest.raises(error, match=rf"(?s){text}.*Written at .*test_distributions.py"):
        call(gx.random.stream(0))


def test_gamma_draws_in_a_loop_are_one_for_each_step() -> None:
    """Not the same one for all; with a parameter that the loop computes an error says how."""
    stream, x = gx.random.stream(0), gx.input("x", ("n",))
    zero = gx.const(0.0)
    _, drawn = gx.scan(lambda carry, _: (carry + 1, stream.gamma(2.0, (2,))), zero, x)
    found = value(drawn, {x: np.zeros(2000)})
    assert len(np.unique(found)) == found.size
    assert stats.kstest(found.ravel(), stats.gamma(2).cdf).pvalue > UNLIKELY
    with pytest.raises(ArgumentError, match=r"takes parameters from outside.*test_distributions"):
        gx.scan(lambda carry, _: (stream.gamma(carry), carry), zero + 1, x)
