"""What a compiled function costs, step by step, for the sizes it was last used with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from graphc.compiler.measure import measure
from graphc.compiler.memory_report import sizes_text
from graphc.compiler.profile import step_profiles
from graphc.compiler.source_text import shortened
from graphc.errors import ArgumentError
from graphc.ir.dim import evaluate as evaluate_dim
from graphc.ir.dim import size_names

if TYPE_CHECKING:
    from graphc.compiler.function import Function

_REPEATS = 10
# What a run on zeros may take: a loop that waits for a condition may never end on them.
_LONGEST_RUN = 2.0


def explain(function: Function, given: Mapping[str, int] | None = None) -> str:
    """See `Function.explain`."""
    head = f"{function!r}: compiled in {function.compile_seconds:.3f} s"
    lines = [head, *(f"  {name}: cast {cast} at the call" for name, cast in function.casts.items())]
    if given is None and function.last_sizes is None:
        return "\n".join([*lines, "  call it once to see time, operations and bytes of each step"])
    arrays = _zeros(function, given if given is not None else function.last_sizes or {})
    sizes = function.last_sizes = function.sizes_of(arrays)
    lines.append(f"  sizes: {sizes_text(sizes)}; {function.memory}")
    try:
        # A matrix of zeros is singular, and takes as long.
        times = measure(function, arrays, sizes, _REPEATS, tolerant=True, longest_run=_LONGEST_RUN)
    except TimeoutError:
        return "\n".join([*lines, "  it does not end on zeros; profile(...) takes your arguments"])
    steps, limits = step_profiles(function, sizes, times)
    if limits is not None:
        lines += [f"  {line}" for line in f"limits: {limits}".splitlines()]
    lines.append(f"  {'us':>9} {'of the limit':>18} {'MFLOP':>9} {'KB':>9}  step")
    for step in steps:
        line = (
            f"  {step.seconds * 1e6:9.2f} {step.limit_text:>18} {step.cost.operations / 1e6:9.3f} "
            f"{step.cost.moved_bytes / 1e3:9.1f}  {step.description}"
        )
        lines.append(shortened(line))
    return "\n".join(lines)


def _zeros(function: Function, sizes: Mapping[str, int]) -> list[np.ndarray]:
    """An array of zeros for each input; an error names a size that is not given."""
    names = dict.fromkeys(n for node in function.inputs for d in node.shape for n in size_names(d))
    missing = [name for name in names if name not in sizes]
    unknown = [name for name in sizes if name not in names]
    if missing or unknown:
        known = ", ".join(names) or "none"
        problem = f"{missing[0]!r} is missing" if missing else f"got {unknown[0]!r}"
        raise ArgumentError(f"explain: expected the sizes {known}; {problem}")
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 0:
            raise ArgumentError(f"explain: expected {name} >= 0, an integer; got {size!r}")
    return [
        np.zeros([evaluate_dim(dim, sizes) for dim in node.shape], node.dtype.numpy)
        for node in function.inputs
    ]
