"""Constant folding: what depends on constants alone is computed once, as the interpreter would."""

from __future__ import annotations

import numpy as np

from graphc.errors import GraphcError
from graphc.ir.dim import Size, product
from graphc.ir.node import Node
from graphc.ir.shape import TupleType
from graphc.ops import scalar
from graphc.ops.layout import broadcast_op, broadcast_to
from graphc.ops.source import const, constant_op, constant_value
from graphc.rewrite.facts import number
from graphc.rewrite.rule import Context, Rule, rewrite_node

PHASE = "canonicalize"
# A folded constant travels with the graph; what is larger is cheaper to compute where it is used.
_ELEMENTS = 4096
KINDS = (
    "elementwise",
    "reduction",
    "layout",
    "concat",
    "contraction",
    "indexing",
    "scatter",
    "composite",
    "op",
)


def _fold(node: Node, _: Context) -> Node | None:
    if not node.inputs or any(source.op is not constant_op for source in node.inputs):
        return None
    if isinstance(node.type, TupleType) or node.op is broadcast_op or _is_reciprocal(node):
        return None
    if any(isinstance(attribute, Size) for attribute in node.attrs.values()):
        return None  # a length that only a call knows
    sizes = [product(array.shape) for array in (*node.inputs, node)]
    if any(not isinstance(size, int) or size > _ELEMENTS for size in sizes):
        return None
    arrays = [source.attrs["value"].array for source in node.inputs]
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(node.op.reference(node.attrs, *arrays), dtype=node.dtype.numpy)
    except GraphcError:  # reported when it runs, if it runs
        return None
    made_nan = bool(np.isnan(result).any()) and not any(np.isnan(array).any() for array in arrays)
    # A nan made out of numbers is a mistake: left where it is, it can be found and named.
    return None if made_nan else const(result, node.dtype)


def _is_reciprocal(node: Node) -> bool:
    """1 / 32 waits to become a denominator: (a - y) / 32 reads better than 0.03125 * (a - y)."""
    if node.op is not scalar.divide:
        return False
    a, b = map(number, node.inputs)
    return a == 1 and b is not None and 1 < b < 2**31 and b == int(b)


def _uniform(node: Node, _: Context) -> Node | None:
    array = constant_value(node)
    if array is None or array.size == 0 or array.ndim == 0:
        return None
    if array.tobytes() != array.reshape(-1)[:1].tobytes() * array.size:
        return None
    return broadcast_to(const(array.reshape(-1)[0], node.dtype), node.shape)


RULES: tuple[Rule, ...] = (
    rewrite_node(
        "fold_constants",
        PHASE,
        "2 * 3",
        "6",
        KINDS,
        _fold,
        condition=f"at most {_ELEMENTS} elements; a result that becomes nan is left to be found",
    ),
    rewrite_node(
        "uniform_constant",
        PHASE,
        "const([2, 2, 2])",
        "broadcast_to(2)",
        (constant_op,),
        _uniform,
        condition="all elements have the same bits",
    ),
)
