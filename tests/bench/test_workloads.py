"""The rows of the comparison: their names, their promises, and who takes part."""

from __future__ import annotations

from graphc.bench.frameworks import FRAMEWORKS
from graphc.bench.suite import takes_part
from graphc.bench.workloads import GROUPS, WORKLOADS, workload

BY_NAME = {each.name: each for each in FRAMEWORKS}


def test_every_row_has_a_name_and_a_title_of_its_own():
    names = [work.name for work in WORKLOADS]
    assert len(set(names)) == len({work.title for work in WORKLOADS}) == len(names)
    assert not set(names) & set(GROUPS), "a word on the command line would mean both"


def test_a_promise_is_one_thing_and_names_frameworks_that_exist():
    """A promise about a misspelt peer would never be checked."""
    for target in (target for work in WORKLOADS for target in work.targets):
        parts = (target.ratio, target.limit, target.memory, target.of_matrix_product)
        assert sum(part > 0 for part in parts) == 1
        assert set(target.peers) <= BY_NAME.keys()
    assert all(work.targets for work in WORKLOADS)


def test_a_scan_takes_part_only_where_there_are_steps():
    scan = BY_NAME["jax-scan"]
    assert takes_part(scan, workload("mlp_tiny"))
    assert not takes_part(scan, workload("call_scalar"))
    assert not takes_part(scan, workload("import"))
    assert takes_part(BY_NAME["jax"], workload("import"))
    assert not takes_part(BY_NAME["torch-compile"], workload("import"))


def test_the_operations_of_a_step_are_those_of_its_products():
    """Forward, the gradients of the weights, and those of the layers but the first."""
    a, b, c, d = 784, 1024, 1024, 10
    forward = weights = a * b + b * c + c * d
    assert workload("mlp_large").operations == 2 * 128 * (forward + weights + b * c + c * d)
