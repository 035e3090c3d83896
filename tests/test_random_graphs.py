"""Random graphs: interpreter, rewritten graph, uncompiled source and native code agree.

The oracle of everything is the interpreter, which runs without any pass. The native tests take few
examples, because each compiles kernels of its own; `-m nightly` takes many.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphc.target import chunks
from tests.random_graphs.cases import random_case, random_loop
from tests.random_graphs.checks import check_loop, check_rewriting, check_target

# Choices that shrink to a small graph, and choices that are as varied as they come.
PICKS = st.one_of(st.integers(0, 2**32 - 1).map(random.Random), st.randoms(use_true_random=False))


def examples(count: int) -> settings:
    """Settings for a number of examples."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=count, suppress_health_check=slow)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


@pytest.fixture(autouse=True, scope="module")
def small_chunks() -> Iterator[None]:
    """Kernels are cut into chunks at sizes that tests can afford."""
    usual = chunks.PARALLEL_WORK
    chunks.PARALLEL_WORK = 4
    yield
    chunks.PARALLEL_WORK = usual


@examples(150)
@given(PICKS, st.integers(1, 14))
def test_rewriting_keeps_values(pick: random.Random, steps: int) -> None:
    """Each stage of the graph is worth the same to the interpreter, gradients and updates too."""
    check_rewriting(random_case(pick, steps))


@examples(250)
@given(PICKS, st.integers(1, 16), st.sampled_from(["float64", "float64", "float32"]))
def test_the_emitted_source_gives_the_interpreters_values(
    pick: random.Random, steps: int, dtype: str
) -> None:
    """Fusion, memory, chunks and library calls, without a compiler in the way."""
    check_target(random_case(pick, steps, dtype), "python")


@examples(30)
@given(PICKS, st.integers(1, 14), st.sampled_from(["float64", "float32"]))
@pytest.mark.slow
def test_native_code_gives_the_interpreters_values(
    pick: random.Random, steps: int, dtype: str
) -> None:
    """The same graphs as machine code, on threads."""
    check_target(random_case(pick, steps, dtype), "cpu")


LOOPS = (st.integers(1, 25), st.integers(1, 3), st.integers(0, 99), st.booleans())


@examples(60)
@given(PICKS, st.integers(1, 12), *LOOPS)
def test_a_loop_is_its_steps(
    pick: random.Random, steps: int, batch: int, epochs: int, seed: int, shuffle: bool
) -> None:
    """Batches, the last short one, shuffling, several epochs, failures: the same bits."""
    check_loop(random_loop(pick, steps), "python", batch, epochs, seed, shuffle)


@examples(8)
@given(PICKS, st.integers(1, 12), *LOOPS)
@pytest.mark.slow
def test_a_native_loop_is_its_steps(
    pick: random.Random, steps: int, batch: int, epochs: int, seed: int, shuffle: bool
) -> None:
    """The same in machine code."""
    check_loop(random_loop(pick, steps), "cpu", batch, epochs, seed, shuffle)


@examples(1200)
@given(PICKS, st.integers(1, 40), st.sampled_from(["float64", "float32"]))
@pytest.mark.nightly
def test_large_random_graphs(pick: random.Random, steps: int, dtype: str) -> None:
    """Deep graphs, whose kernels reach the limits of fusion."""
    case = random_case(pick, steps, dtype)
    check_rewriting(case)
    check_target(case, "python")


@examples(250)
@given(PICKS, st.integers(1, 30), st.sampled_from(["float64", "float32"]))
@pytest.mark.nightly
def test_large_random_graphs_in_native_code(pick: random.Random, steps: int, dtype: str) -> None:
    """The same as machine code."""
    check_target(random_case(pick, steps, dtype), "cpu")
