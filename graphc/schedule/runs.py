"""Adjacent axes that are walked as one: fewer loops, and longer ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from graphc.ir.dim import Dim, product
from graphc.ir.node import Node
from graphc.ops.source import ramp_op
from graphc.schedule.analysis import Anchors, Demand, is_free
from graphc.schedule.arguments import is_near
from graphc.schedule.buffer import View
from graphc.schedule.group import Group, demands_in
from graphc.schedule.index import Added, Affine, Computed, Padded, Scaled, row_major_strides
from graphc.schedule.structure import Names, row_variables, value_indices

Memory = Callable[[Node], View | None]


class Run(NamedTuple):
    """Adjacent axes walked as one: the loop variable, and the number of indices."""

    name: str
    extent: Dim


def anchor_demands(anchors: Anchors, group: Group, node: Node) -> list[Demand]:
    """What computing one anchor of a group takes, with places in the group's loop variables."""
    return demands_in(anchors, group.structure, node)


class Runs:
    """Finds the runs of one group: axes whose accesses all lie one after the other."""

    def __init__(
        self,
        group: Group,
        anchors: Anchors,
        memory: Memory,
        merged: dict[str, tuple[str, Dim] | None],
    ) -> None:
        self.group, self.anchors, self.memory = group, anchors, memory
        self.structure, self.merged = group.structure, merged

    def of(self, names: Names, dims: tuple[Dim, ...]) -> list[Run]:
        """The runs of some axes, outermost first; a variable that went into another's is noted."""
        coefficients = self._coefficients(names, dims)
        runs: list[Run] = []
        start = 0
        for position in range(len(names)):
            last = position + 1 == len(names)
            if last or not self._joins(
                names[position], names[position + 1], dims[position + 1], coefficients
            ):
                for name in names[start:position]:
                    self.merged[name] = None
                self.merged[names[position]] = (names[position], 1)
                runs.append(Run(names[position], product(dims[start : position + 1])))
                start = position + 1
        return runs

    def across(self, runs: list[Run], dims: tuple[Dim, ...]) -> tuple[Run, ...]:
        """A run before the last along which an access is without gaps, where its elements lie far
        apart along the last one, and the last; nothing if there is none."""
        if len(runs) < 2:
            return ()
        accesses = self._coefficients(row_variables(self.structure), dims) or []
        for strides in accesses:
            for run in runs[:-1]:
                far = not is_near(strides.get(runs[-1].name, 0))
                if far and strides.get(run.name, 0) == 1:
                    return run, runs[-1]
        return ()

    def _joins(
        self, first: str, second: str, extent: Dim, coefficients: list[dict[str, Dim]] | None
    ) -> bool:
        if coefficients is None:
            return False
        return all(c.get(first, 0) == c.get(second, 0) * extent for c in coefficients)

    def _coefficients(self, names: Names, dims: tuple[Dim, ...]) -> list[dict[str, Dim]] | None:
        """For each memory access the flat stride of each loop variable; None if an index stands
        alone."""
        if len(names) < 2:
            return []
        found: list[dict[str, Dim]] = []
        for anchor in self.group.anchors:
            at = value_indices(self.structure, anchor)
            found.append(_flat_terms(at, row_major_strides(anchor.shape)))
            for node, indices in anchor_demands(self.anchors, self.group, anchor):
                terms = self._access(node, indices)
                if terms is None:
                    return None
                found.append(terms)
        return found

    def _access(self, node: Node, indices: Any) -> dict[str, Dim] | None:
        if any(isinstance(index, Computed | Padded | Scaled | Added) for index in indices):
            return None
        if node.op is ramp_op:
            return None if indices[node.attrs["axis"]].variables else {}
        if node.op.kind == "random" and not node.inputs:
            return _flat_terms(indices, row_major_strides(node.shape))
        if self.anchors.inlined(node) or is_free(node):
            return {}
        view = self.memory(node)
        return _flat_terms(indices, view.strides) if view is not None else {}


def _flat_terms(indices: Any, strides: tuple[Dim, ...]) -> dict[str, Dim]:
    total: dict[str, Dim] = {}
    for index, stride in zip(indices, strides, strict=True):
        if isinstance(index, Affine):
            for name, coefficient in index.terms:
                total[name] = total.get(name, 0) + coefficient * stride
    return total
