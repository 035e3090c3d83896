"""Kinds of operations that are a kernel of their own, and how each is lowered."""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.node import Node
from graphc.schedule.buffer import View
from graphc.schedule.cumulative import lower_cumulative
from graphc.schedule.fold import lower_fold
from graphc.schedule.lowered import Lowered
from graphc.schedule.scatter import lower_scatter

# From a node, and the memory of nodes, to its kernel.
OWN_KERNELS: dict[str, Callable[[Node, Callable[[Node], View]], Lowered]] = {
    "scatter": lower_scatter,
    "cumulative": lower_cumulative,
    "fold": lower_fold,
}
