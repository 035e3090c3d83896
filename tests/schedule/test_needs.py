"""Which steps come before which: kept up to date as steps join, and found out once."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, cast

import pytest

import graphc as gx
from graphc.ir.node import Node
from graphc.schedule import analysis
from graphc.schedule.build import schedule
from graphc.schedule.group import add_needs


def reached(needs: dict[int, set[int]], step: int) -> set[int]:
    """All that a step needs, also indirectly, found the long way."""
    found: set[int] = set()
    stack = list(needs[step])
    while stack:
        other = stack.pop()
        if other not in found:
            found.add(other)
            stack += needs[other]
    return found


@pytest.mark.parametrize("seed", range(20))
def test_needs_reach_all_that_come_later(seed: int) -> None:
    """Edges in any order give each step exactly those that lead to it."""
    pick = random.Random(seed)
    names = list(range(24))
    order = pick.sample(names, len(names))  # so that a step may need one of a greater number
    edges: list[Any] = [
        (order[b], order[a]) for b in names for a in range(b) if pick.random() < 0.15
    ]
    pick.shuffle(edges)
    before: Any = dict.fromkeys(names, 0)
    needed_by: Any = {name: set() for name in names}
    needs: dict[int, set[int]] = {name: set() for name in names}
    for step, other in edges:
        needs[step].add(other)
        needed_by[other].add(step)
        add_needs(before, needed_by, step, before[other] | 1 << other)
    for name in names:
        assert before[name] == sum(1 << other for other in reached(needs, name))


def test_a_need_that_is_known_goes_no_further() -> None:
    """At the start of a long chain it ends where it is known already."""

    class Watched(dict[Any, Any]):
        seen = 0

        def __getitem__(self, key: Any) -> Any:
            Watched.seen += 1
            return super().__getitem__(key)

    count, third = 1000, cast("Any", 3)
    before: Any = {step: (1 << step) - 1 for step in range(count)}
    needed_by: Any = Watched({step: {step + 1} & set(range(count)) for step in range(count)})
    add_needs(before, needed_by, third, 0b11)
    assert Watched.seen == 0


def test_each_operand_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rounds it takes until it is settled what is stored."""
    x = gx.input("x", ("n", 6))
    h: Node = x
    for layer in range(4):
        h = gx.tanh(h @ gx.param(f"w{layer}", [[0.1] * 6] * 6)) + gx.exp(-h * h)
        h = h / gx.sqrt(1 + gx.sum(h * h, axis=layer % 2, keepdims=True))
    graph = gx.compile(x, [gx.mean(h), gx.grad(gx.mean(h), x)], stop="split")
    looked: Counter[tuple[Node, Node]] = Counter()
    rounds: list[int] = []
    real_view, real_anchors = analysis.trial_view, analysis.find_anchors

    def view(operand: Node, base: Node) -> Any:
        looked[operand, base] += 1
        return real_view(operand, base)

    def anchors(*given: Any) -> Any:
        rounds.append(1)
        return real_anchors(*given)

    monkeypatch.setattr(analysis, "trial_view", view)
    monkeypatch.setattr("graphc.schedule.build.find_anchors", anchors)
    schedule(graph)
    assert len(rounds) > 2
    assert set(looked.values()) == {1}
