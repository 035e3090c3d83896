"""The elementwise kind: one scalar formula, applied to every element with broadcasting.

An elementwise operation is one statement: a name, and a formula over a namespace that stands for
SymPy. The same formula gives the value, the LaTeX, every derivative (SymPy differentiates it unless
`derivative=` is given) and the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc.ops.formula as formulas
from graphc.errors import ArgumentError, DTypeError
from graphc.ir.dtype import DType, as_dtype, bool_, default_float, int32, promote
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, broadcast_shapes
from graphc.ops.layout import sum_to_shape
from graphc.ops.selection import scaled
from graphc.ops.source import as_nodes

# How an operation's element types follow from its operands'.
TYPE_RULES = {
    "arithmetic": "operands meet in one type, and the result has it",
    "float": "the same, and integers become floats",
    "comparison": "operands meet, and the result is bool",
    "float_test": "the same, for floats",
    "logical": "bool in, bool out",
    "integer": "operands meet in one integer type",
    "select": "a bool first, and the rest meet",
    "any": "the operand as it is",
}

Partials = Sequence["Node | float | None"]


@dataclass(frozen=True, eq=False, repr=False)
class ElementwiseOp(Op):
    """An operation on single elements: arity, type rule, formula, partial derivatives.

    `primitive` operations are known to every target by name; others are expanded from their
    formula. `partials(*inputs, output)` gives the partial derivative for each input (a number, a
    node, or None for zero).
    """

    arity: int = 1
    types: str = "float"
    formula: Callable[..., Any] | None = None
    partials: Callable[..., Partials] | None = None
    primitive: bool = False
    # What rewriting may rely on: "commutative", "associative", "positive", "nonnegative".
    properties: frozenset[str] = field(default_factory=frozenset)
    # The largest error of native code by the width of the float, in units in the last place, for
    # exact operands and a fused multiply-add: float32 of every argument where there is one operand
    # (of some millions where there are more), float64 of some millions of random and hard ones.
    # Two roundings in place of one cost at most one unit more. Empty where `doc` says why.
    ulp: Mapping[int, float] = field(default_factory=dict)

    kind = "elementwise"

    def __call__(self, *operands: object) -> Node:
        """The operation on nodes, arrays and numbers, which broadcast and meet in one type."""
        if len(operands) != self.arity:
            raise DTypeError(f"{self.name}: expected {self.arity} operand(s), got {len(operands)}")
        return make(self, tuple(meet(self, as_nodes(operands))))


def meet(op: ElementwiseOp, nodes: list[Node]) -> list[Node]:
    """The operands cast to the types that the operation's rule asks for."""
    if op.types == "select":
        condition, *rest = nodes
        if condition.dtype is not bool_:
            raise DTypeError(f"{op.name}: expected a bool condition, got {condition.dtype}")
        return [condition, *cast_together(rest)]
    if op.types == "logical":
        return [node if node.dtype is bool_ else not_zero(node) for node in nodes]
    together = cast_together(nodes)
    dtype = together[0].dtype
    if op.types in ("float", "float_test") and not dtype.is_float:
        return [cast(node, default_float()) for node in together]
    if op.types == "arithmetic" and dtype is bool_:
        return [cast(node, int32) for node in together]
    if op.types == "integer" and not dtype.is_integer:
        raise DTypeError(f"{op.name}: expected integers, got {dtype}")
    return together


def cast_together(nodes: list[Node]) -> list[Node]:
    """The nodes cast to the type in which they meet."""
    target = nodes[0].dtype
    for node in nodes[1:]:
        target = promote(target, node.dtype)
    return [cast(node, target) for node in nodes]


def _infer(name: str, types: str) -> Callable[[tuple[Node, ...], Attributes], TensorType]:
    def infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
        shape = broadcast_shapes((node.shape for node in inputs), name)
        operands = inputs[1:] if types == "select" else inputs
        if any(node.dtype is not operands[0].dtype for node in operands):
            found = ", ".join(str(node.dtype) for node in operands)
            raise DTypeError(f"{name}: expected operands of one dtype, got {found}")
        boolean = types in ("comparison", "logical", "float_test")
        return TensorType(bool_ if boolean else operands[0].dtype, shape)

    return infer


def _vjp(node: Node, cotangent: Node) -> list[Node | None]:
    """Each input's share: cotangent times partial derivative, summed over the axes that
    broadcast."""
    op = node.op
    assert isinstance(op, ElementwiseOp)
    if op.partials is not None:
        partials: Partials = op.partials(*node.inputs, node)
    else:
        partials = formulas.differentiate(op, node)
    shares: list[Node | None] = []
    for source, partial in zip(node.inputs, partials, strict=True):
        if partial is None or not source.dtype.is_float:
            shares.append(None)
            continue
        shares.append(sum_to_shape(scaled(cotangent, partial), source.shape))
    return shares


def elementwise(
    name: str,
    formula: Callable[..., Any],
    *,
    derivative: Callable[..., Any] | None = None,
    reference: Callable[..., Any] | None = None,
    notation: Notation | None = None,
    types: str = "float",
    arity: int | None = None,
    primitive: bool = False,
    properties: Sequence[str] = (),
    no_derivative: str = "",
    doc: str = "",
    ulp: tuple[float, float] | None = None,
) -> ElementwiseOp:
    """Define an elementwise operation.

    `formula(sp, x, ...)` is written over SymPy's names. `derivative(x, ..., y)` gives the partial
    derivatives in operations (`y` is the output; one input: one value, several: a tuple).
    `reference` is a NumPy function. `ulp` is the largest error of float32 and of float64.
    """
    count = arity if arity is not None else formula.__code__.co_argcount - 1
    if types not in TYPE_RULES:
        raise ArgumentError(f"{name}: types must be one of {', '.join(TYPE_RULES)}; got {types!r}")
    partials = _as_partials(derivative) if derivative is not None else None
    op = ElementwiseOp(
        name,
        _infer(name, types),
        _reference(formula, reference),
        None if no_derivative else _vjp,
        no_derivative,
        notation or Notation(_call_text(name, count), _call_latex(name, count), ATOM),
        None if primitive else lambda node: formulas.expand(op, node),
        doc,
        count,
        types,
        formula,
        partials,
        primitive,
        frozenset(properties),
        dict(zip((32, 64), ulp, strict=True)) if ulp is not None else {},
    )
    register(op)
    return op


def _as_partials(derivative: Callable[..., Any]) -> Callable[..., Partials]:
    def partials(*arguments: Node) -> Partials:
        result = derivative(*arguments)
        return result if isinstance(result, tuple) else (result,)

    return partials


def _call_text(name: str, count: int) -> str:
    return f"{name}({', '.join(f'{{{i}}}' for i in range(count))})"


def _call_latex(name: str, count: int) -> str:
    escaped = name.replace("_", r"\_")
    return rf"\operatorname{{{escaped}}}\left({', '.join(f'{{{i}}}' for i in range(count))}\right)"


def _reference(
    formula: Callable[..., Any], reference: Callable[..., Any] | None
) -> Callable[..., Any]:
    if reference is not None:
        return lambda attrs, *arrays: reference(*arrays)
    return lambda attrs, *arrays: formula(formulas.NUMPY, *arrays)


def _cast_infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
    return TensorType(attrs["dtype"], inputs[0].shape)


def _cast_vjp(node: Node, cotangent: Node) -> list[Node | None]:
    source = node.inputs[0]
    return [
        cast(cotangent, source.dtype) if source.dtype.is_float and node.dtype.is_float else None
    ]


def _cast_reference(attrs: Mapping[str, Any], array: np.ndarray) -> np.ndarray:
    target = attrs["dtype"].numpy
    with np.errstate(invalid="ignore", over="ignore"):
        if array.dtype.kind != "f" or target.kind not in "iu":
            return array.astype(target)
        # NumPy leaves open what becomes of a number that does not fit.
        limits = np.iinfo(target)
        above, below = array >= float(limits.max + 1), array <= float(limits.min)
        inside = np.where(above | below | np.isnan(array), 0, array).astype(target)
        return np.where(above, limits.max, np.where(below, limits.min, inside)).astype(target)


cast_op = ElementwiseOp(
    "cast",
    _cast_infer,
    _cast_reference,
    _cast_vjp,
    notation=Notation(
        lambda node: f"{node.dtype}({{0}})",
        lambda node: rf"\operatorname{{{node.dtype}}}\left({{0}}\right)",
    ),
    doc="the values converted to another dtype; a float to an integer is cut towards zero and held "
    "within the range, nan is 0",
    types="cast",
    primitive=True,
    ulp={32: 0.5, 64: 0.5},
)
register(cast_op)


def cast(x: Node, dtype: object) -> Node:
    """The values of `x` converted to `dtype`; `x` itself if it has it."""
    chosen: DType = as_dtype(dtype)
    return x if x.dtype is chosen else make(cast_op, (x,), dtype=chosen)


not_zero = elementwise(
    "not_zero",
    lambda sp, x: sp.Ne(x, 0),
    types="comparison",
    reference=lambda x: x != 0,
    no_derivative="a truth value has no derivative",
    doc="whether a number differs from zero",
)
