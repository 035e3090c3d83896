"""What a failed check of a running program means: a code on the way, a note here, an error at the
end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from graphc.errors import ExecutionError, IndexRangeError
from graphc.ir.dim import Dim, evaluate
from graphc.ir.node import Node
from graphc.ir.site import written_at
from graphc.ops.effect import failed
from graphc.ops.indices import checked_op, counts_from_end, range_text
from graphc.ops.routine import RoutineOp
from graphc.record import record

Sizes = Mapping[str, int]


class CheckNote(ABC):
    """What the failure of a check means.

    `detail` is what the check reported: a place and a value (see `place_and_value`), or what else
    a routine says.
    """

    @abstractmethod
    def error(self, detail: int, sizes: Sizes) -> ExecutionError:
        """The error to raise, for given sizes."""

    @property
    def known(self) -> CheckNote:
        """The note itself, where another one stands for it."""
        return self


@record
class NodeNote(CheckNote):
    """The check belongs to a node."""

    node: Node


def place_and_value(detail: int) -> tuple[int, int]:
    """The flat index of an element, and its value, out of the word that a kernel reports."""
    return detail >> 32, (detail & 0xFFFFFFFF) - 2**31


@record
class IndexNote(NodeNote):
    """The node is an index out of range: it must stay under `length`."""

    length: Dim

    @property
    def indices(self) -> Node:
        """The index operand as the user wrote it."""
        return self.node.inputs[0] if self.node.op is checked_op else self.node

    def error(self, detail: int, sizes: Sizes) -> ExecutionError:
        position, value = place_and_value(detail)
        node, length = self.node, evaluate(self.length, sizes)
        name = f" {self.indices.name!r}" if self.indices.name else ""
        axis = node.attrs.get("axis") if node.op is checked_op else None
        text = range_text(value, position, length, counts_from_end(node), axis)
        return IndexRangeError(f"index{name}: {text}.{written_at(node.sites)}")


class ConditionNote(NodeNote):
    """The node is a check of the user's, whose condition fails."""

    def error(self, detail: int, sizes: Sizes) -> ExecutionError:
        shape = tuple(evaluate(dim, sizes) for dim in self.node.shape)
        place, _ = place_and_value(detail)
        return failed(self.node.attrs["message"], shape, place, self.node.sites)


class RoutineNote(NodeNote):
    """The node is a routine that failed; the detail is a row and a number, such as a pivot."""

    def error(self, detail: int, sizes: Sizes) -> ExecutionError:
        assert isinstance(self.node.op, RoutineOp)
        assert self.node.op.failure is not None
        shapes = tuple(
            tuple(evaluate(dim, sizes) for dim in source.shape) for source in self.node.inputs
        )
        found = self.node.op.failure(shapes, *place_and_value(detail))
        return type(found)(f"{found}.{written_at(self.node.sites)}")
