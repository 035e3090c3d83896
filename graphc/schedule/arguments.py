"""What a kernel is called with: its buffers and scalars, and what its checks stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphc.ir.dim import Dim
from graphc.ir.node import Node
from graphc.loops.ir import Argument, Constant, Expression


@dataclass(frozen=True)
class CheckNote:
    """What a failed check means: the node whose index is out of range, and the length it must stay
    under."""

    node: Node
    length: Dim


@dataclass
class Arguments:
    """The buffers and scalars of a kernel, in the order of first use."""

    views: list[Any] = field(default_factory=list)  # the buffers, one slot each
    # Each with its dtype: a Dim, a number or a CheckNote.
    scalars: list[tuple[str, Any]] = field(default_factory=list)
    written: set[int] = field(default_factory=set)

    def buffer(self, buffer: object) -> int:
        """The slot of a buffer."""
        for slot, known in enumerate(self.views):
            if known is buffer:
                return slot
        self.views.append(buffer)
        return len(self.views) - 1

    def scalar(self, dtype: str, value: Any) -> Argument:
        """The argument that holds a dimension, a number, or the code of a check."""
        for position, (known_dtype, known) in enumerate(self.scalars):
            if known_dtype == dtype and type(known) is type(value) and known == value:
                return Argument(position, dtype)
        self.scalars.append((dtype, value))
        return Argument(len(self.scalars) - 1, dtype)

    def dim(self, dim: Dim) -> Expression:
        """A dimension as an expression: 0 and 1 are literal, since strides of them change the
        code."""
        if isinstance(dim, int) and dim in (-1, 0, 1):
            return Constant(dim, "int64")
        return self.scalar("int64", dim)
