"""Every rule by example: the pairs of tests/rewrites, as graphs and as numbers.

Protects: what each rule makes; that it can be switched off; and that what it makes is at least as
near the truth as what was written, on inputs chosen to break it.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.rewrite.engine import RULES, rewrite_nodes
from graphc.rewrite.gates import KINK, UNDERFLOW
from graphc.rewrite.gather import UNSELECTED
from graphc.rewrite.logarithm import CANCELS
from graphc.rewrite.losses import SPREADS
from graphc.rewrite.scale import RANGE
from tests.rewrite.exact import truth
from tests.rewrite.reading import Pair, names, pairs, read

PAIRS = list(pairs())
ROWS = 24
FLOAT = np.finfo(np.float32)
HARD = (
    0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e-3, 1e-8, -1e-8, 1e-30, -1e-30, 1e-40, 17.0, -17.0,
    60.0, -60.0, 89.0, -89.0, 1000.0, -1000.0, 1e30, -1e30, 3e38, np.inf, -np.inf, np.nan,
)  # fmt: skip
# For rules that may move an overflow: nothing here over- or underflows on the way.
MODERATE = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e-3, -1e-3, 7.0, -7.0, 20.0, -20.0)


def rewritten(node: Node, **options: object) -> Node:
    (result,), _ = rewrite_nodes([node], **options)  # type: ignore[arg-type]
    return result


def rules_applied(node: Node, **options: object) -> set[str]:
    return {step.rule for step in rewrite_nodes([node], **options)[1]}  # type: ignore[arg-type]


def identified(pair: Pair) -> str:
    return f"{pair.place}-{pair.rule}"


@pytest.mark.parametrize("pair", PAIRS, ids=identified)
def test_pair_as_a_graph(pair: Pair) -> None:
    """The rewritten graph is the expected one: the same nodes."""
    before, after = read(pair.before), read(pair.after)
    assert rewritten(before) is rewritten(after, phases=("canonicalize",))
    assert pair.rule in rules_applied(before)


@pytest.mark.parametrize("pair", PAIRS, ids=identified)
def test_rule_can_be_switched_off(pair: Pair) -> None:
    """A rule that is disabled by name is not applied, and its phase likewise."""
    (rule,) = (rule for rule in RULES if rule.name == pair.rule)
    before = read(pair.before)
    assert pair.rule not in rules_applied(before, disabled=(pair.rule,))
    assert pair.rule not in rules_applied(before, disabled=(rule.phase,))


def test_every_rule_has_a_pair() -> None:
    """A rule without an example is not documented."""
    assert {rule.name for rule in RULES} == {pair.rule for pair in PAIRS}


def feed_for(node: Node, values: tuple[float, ...]) -> dict[Node, np.ndarray]:
    """Hard values, mixed so that each meets many others."""
    random = np.random.default_rng(len(values))
    feed = {}
    for name, declared in names().items():
        if declared.declaration is None:
            continue
        shape = tuple(dim if isinstance(dim, int) else ROWS for dim in declared.shape)
        if name in ("t", "k"):
            feed[declared] = random.integers(0, 4, shape)
        elif declared.dtype.name == "bool":
            feed[declared] = random.integers(0, 2, shape).astype(bool)
        elif declared.dtype.is_integer:
            feed[declared] = random.integers(-5, 6, shape).astype(np.int32)
        else:
            feed[declared] = random.choice(np.array(values, np.float32), shape)
    return {n: v for n, v in feed.items() if n in set(topological([node])) or n is names()["u"]}


def errors(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distances to the truth; infinite for a nan or an infinity."""
    result = np.full(found.shape, np.inf)
    for place in np.ndindex(found.shape):
        if np.isfinite(found[place]):
            result[place] = float(abs(mpmath.mpf(float(found[place])) - exact[place]))
    return result


@pytest.mark.parametrize("pair", PAIRS, ids=identified)
def test_pair_as_numbers(pair: Pair) -> None:
    """Where the truth is a float, rewriting comes at least as near to it as what was written."""
    before = read(pair.before)
    after = rewritten(before)
    changes = {rule.changes for rule in RULES if rule.name in rules_applied(before)}
    moderate = not changes.isdisjoint((RANGE, SPREADS, UNSELECTED)) or (
        changes != {""} and not before.dtype.is_float
    )
    if not before.dtype.is_float:
        feed = feed_for(before, MODERATE if moderate else HARD)
        np.testing.assert_array_equal(gx.evaluate(before, feed), gx.evaluate(after, feed))
        return
    values = tuple(value for value in HARD if value != 0 or KINK not in changes)
    tiny = FLOAT.tiny if UNDERFLOW in changes else 0.0
    hard = 0
    if not moderate:
        near = CANCELS in changes  # rounded as the terms of a sum are
        hard = compare(before, after, values, near, changes == {""}, tiny)
    # One nan makes a sum over everything nan: ordinary values must show the truth then.
    values = tuple(value for value in MODERATE if value != 0 or KINK not in changes)
    near = moderate or CANCELS in changes
    assert hard + compare(before, after, values, near, strict=False) > 0


def compare(
    before: Node,
    after: Node,
    values: tuple[float, ...],
    reordered: bool,
    strict: bool,
    tiny: float = 0.0,
) -> int:
    """Compare two nodes with the truth; the number of elements that have one.

    Where sums are `reordered`, an error is measured against the largest summand. A `strict` rule
    leaves infinities and nans what they are. `tiny` is what may become 0.
    """
    feed = feed_for(before, values)
    old, new = gx.evaluate(before, feed), gx.evaluate(after, feed)
    exact = truth(before, feed)
    known = np.vectorize(_is_a_float, otypes=[bool])(exact)
    size = np.abs(np.where(known, exact, 0).astype(float))
    if reordered:
        size = size + float(np.max(np.abs(old[np.isfinite(old)]), initial=1))
    allowed = 4 * errors(old, exact) + 8 * FLOAT.eps * np.maximum(size, FLOAT.tiny) + tiny
    worse = known & (errors(new, exact) > allowed)
    assert not worse.any(), (old[worse], new[worse], exact[worse])
    same = known | (old == new) | np.isnan(old)
    assert same.all() or not strict, (old[~same], new[~same], exact[~same])
    return int(known.sum())


def _is_a_float(value: mpmath.mpf) -> bool:
    return bool(mpmath.isfinite(value) and abs(value) < FLOAT.max)
