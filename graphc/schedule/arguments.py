"""What a kernel is called with: its buffers and scalars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.ir.dim import Dim
from graphc.loops.ir import Argument, Constant, Expression


@dataclass(eq=False, repr=False)
class Arguments:
    """The buffers and scalars of a kernel, in the order of first use."""

    views: list[Any] = field(default_factory=list)  # the buffers, one slot each
    regions: list[object] = field(default_factory=list)  # the part of its buffer each is limited to
    # Each with its dtype: a Dim, a number or a CheckNote.
    scalars: list[tuple[str, Any]] = field(default_factory=list)
    written: set[int] = field(default_factory=set)

    def buffer(self, buffer: object, region: object = None) -> int:
        """The slot of a buffer, or of one of its parts that share no element with the others.

        Elements of different slots never alias, which is what lets a loop be vectorized.
        """
        for slot, known in enumerate(zip(self.views, self.regions, strict=True)):
            if known[0] is buffer and known[1] is region:
                return slot
        self.views.append(buffer)
        self.regions.append(region)
        return len(self.views) - 1

    def scalar(self, dtype: str, value: Any) -> Argument:
        """The argument that holds a dimension, a number, or the code of a check."""
        for position, (known_dtype, known) in enumerate(self.scalars):
            if known_dtype == dtype and type(known) is type(value) and known == value:
                return Argument(position, dtype)
        self.scalars.append((dtype, value))
        return Argument(len(self.scalars) - 1, dtype)

    def dim(self, dim: Dim, literal: bool = False) -> Expression:
        """A dimension as an expression: 0 and 1 are literal, since strides of them change the
        code."""
        if isinstance(dim, int) and (literal or dim in (-1, 0, 1)):
            return Constant(dim, "int64")
        return self.scalar("int64", dim)


# Elements no farther apart are loaded and stored together by vector instructions, if a kernel's
# text says how far: pairs stored as the columns of one array are 20 times faster so.
NEAR = 16


def near_stride(strides: Sequence[Dim]) -> int:
    """The least distance between neighbours, where it is more than 1 but small; else 0."""
    known = [stride for stride in strides if isinstance(stride, int) and stride != 0]
    least = min(known, key=abs, default=0)
    return least if abs(least) > 1 and is_near(least) else 0


# Loops of no more iterations than this together are unrolled.
UNROLLED = 16


def short_loops(loops: Sequence[tuple[str, Dim]]) -> frozenset[str]:
    """The innermost of nested loops that have few iterations, as many for any sizes.

    Their bounds are part of a kernel's text, so that the compiler unrolls them and does the loop
    around them on vectors: the largest of windows of 2 x 2 took half the time.
    """
    short: list[str] = []
    total = 1
    for name, extent in reversed(loops):
        if not isinstance(extent, int) or total * extent > UNROLLED:
            break
        total *= extent
        short.append(name)
    return frozenset(short)


def is_near(distance: Dim) -> bool:
    """Whether a distance is fixed and small."""
    return isinstance(distance, int) and abs(distance) <= NEAR
