"""Routines: operations that a kernel written by hand does, with one or several results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphc.errors import ExecutionError, ShapeError
from graphc.ir.dim import Dim
from graphc.ir.dtype import DType
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, register
from graphc.ir.shape import NodeType, TupleType
from graphc.ops.layout import broadcast_op, broadcast_to
from graphc.ops.scalar import add
from graphc.ops.source import const, constant_op

# What went wrong, for the shapes of the operands, at which row, and what the kernel says of it
# (None where that is not known): an error.
Failure = Callable[[tuple[tuple[int, ...], ...], int, int | None], ExecutionError]


@dataclass(frozen=True, eq=False, repr=False)
class RoutineOp(Op):
    """A whole-array operation that a kernel written by hand does, on contiguous arrays.

    The kernel gets its operands, its results, a buffer for each (dtype, elements) of `workspace`,
    the integers `sizes`, and where there is a `failure` the code to report. It does the rows lo..hi
    of the `rows` that are independent of one another; `row_work` elements are visited for each. A
    kernel that fails reports a row and a number, from which `failure` makes the error.

    `stacked` applies the operation, as a node does, to operands with further leading axes, which
    broadcast; None where leading axes are not independent of one another.
    """

    sizes: Callable[[Node], tuple[Dim, ...]] = lambda node: ()
    workspace: Callable[[Node], tuple[tuple[DType, Dim], ...]] = lambda node: ()
    rows: Callable[[Node], Dim] = lambda node: 1
    row_work: Callable[[Node], Dim] = lambda node: 1
    failure: Failure | None = None
    stacked: Callable[[Node, tuple[Node, ...]], Node] | None = None

    kind = "routine"

    @property
    def fails(self) -> bool:
        """Whether values of the operands can make it fail."""
        return self.failure is not None


def same_operation(node: Node, operands: tuple[Node, ...]) -> Node:
    """The operation of a node, with its attributes, on other operands."""
    return make(node.op, operands, **node.attrs)


# ---- tuples: made by operations with several results, and by their derivatives


def _tuple_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    return TupleType(tuple(node.tensor for node in inputs))


def _item_infer(inputs: tuple[Node, ...], attrs: Attributes) -> NodeType:
    (whole,) = inputs
    if not isinstance(whole.type, TupleType):
        raise ShapeError(f"item: expected a node with several results, got {whole.op.name}")
    return whole.type.items[attrs["index"]]


def _item_vjp(node: Node, g: Node) -> list[Node | None]:
    (whole,) = node.inputs
    index = node.attrs["index"]
    assert isinstance(whole.type, TupleType)
    zeros = [broadcast_to(const(0, t.dtype), t.shape) for t in whole.type.items]
    return [pack((*zeros[:index], g, *zeros[index + 1 :]))]


tuple_op = Op(
    "tuple", _tuple_infer, lambda attrs, *values: tuple(values),
    lambda node, g: [item(g, i) for i in range(len(node.inputs))], doc="several values as one node",
    notation=Notation(
        lambda node: f"({', '.join(f'{{{i}}}' for i in range(len(node.inputs)))})",
        lambda node: rf"\left({', '.join(f'{{{i}}}' for i in range(len(node.inputs)))}\right)",
    ),
)  # fmt: skip
register(tuple_op)
item_op = Op(
    "item", _item_infer, lambda attrs, values: values[attrs["index"]], _item_vjp,
    notation=Notation(
        lambda node: f"{{0}}[{node.attrs['index']}]",
        lambda node: rf"{{{{0}}}}_{{\left[{node.attrs['index']}\right]}}",
        ATOM,
        (ATOM,),
    ),
    doc="one result of a node with several",
)  # fmt: skip
register(item_op)


def item(whole: Node, index: object) -> Node:
    """One result of a node with several."""
    if isinstance(index, bool) or not hasattr(index, "__index__"):
        raise ShapeError(f"a node with several results is indexed by an integer; got {index!r}")
    count = len(whole.type.items) if isinstance(whole.type, TupleType) else 0
    at = int(index.__index__())
    if not -count <= at < count:
        raise ShapeError(f"{whole.op.name} has {count} results; got index {at}")
    if whole.op is tuple_op:
        return whole.inputs[at % count]
    return make(item_op, (whole,), index=at % count)


def pack(values: tuple[Node, ...]) -> Node:
    """Several values as one tuple node."""
    return make(tuple_op, values)


def absent(cotangent: Node) -> bool:
    """Whether a cotangent is zero by its form: that of a result which nothing depends on."""
    if cotangent.op is add:
        return all(absent(part) for part in cotangent.inputs)
    inner = cotangent.inputs[0] if cotangent.op is broadcast_op else cotangent
    return inner.op is constant_op and inner.shape == () and not inner.attrs["value"].array
