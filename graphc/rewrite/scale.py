"""Factors move outwards: signs and scalars come last, so a gradient ends with one division by n.

Linear operations let scalar factors through; products gather them. Only roundings change, and the
range of what is computed on the way: what over- or underflowed between two factors may no longer,
or now.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.node import Node, make
from graphc.ir.shape import Shape
from graphc.ops import contraction, indexing, layout, reduction, scalar
from graphc.ops.layout import broadcast_op, broadcast_to, reshape
from graphc.ops.source import const, size
from graphc.rewrite.facts import is_float, is_scalar, number
from graphc.rewrite.layout import count_of, repeated_axes
from graphc.rewrite.pattern import variables
from graphc.rewrite.rule import Context, Rule, rewrite_node, rewrite_pattern

PHASE = "simplify"
RANGE = "where an intermediate value over- or underflows"
x, y = variables("x y")
# Linear operations, with the operands in which they are.
LINEAR = {
    reduction.sum_op: (0,), reduction.mean_op: (0,), contraction.matmul_op: (0, 1),
    layout.transpose_op: (0,), layout.reshape_op: (0,), layout.slice_op: (0,), layout.pad_op: (0,),
    indexing.pick_op: (0,), indexing.take_op: (0,), indexing.scatter_add_op: (0,),
}  # fmt: skip

Wrap = Callable[[Node], Node]


def outer_scale(node: Node) -> tuple[Wrap, Node] | None:
    """A scalar multiple taken apart, as how to scale and what: -x, s * x, x / s with s a scalar."""
    if node.op is scalar.negative:
        return scalar.negative, node.inputs[0]
    if node.op is scalar.multiply:
        a, b = node.inputs
        if is_scalar(a) and not is_scalar(b):
            return (lambda value: scalar.multiply(a, value)), b
        if is_scalar(b) and not is_scalar(a):
            return (lambda value: scalar.multiply(b, value)), a
    if node.op is scalar.divide:
        a, b = node.inputs
        if is_scalar(b) and not is_scalar(a):
            return (lambda value: scalar.divide(value, b)), a
    return None


def _through_linear(node: Node, _: Context) -> Node | None:
    if not is_float(node):
        return None
    for place in LINEAR[node.op]:
        found = outer_scale(node.inputs[place])
        if found is not None:
            wrap, inner = found
            inputs = (*node.inputs[:place], inner, *node.inputs[place + 1 :])
            return wrap(make(node.op, inputs, **node.attrs))
    return None


def _through_sum(node: Node, _: Context) -> Node | None:
    """sum(f * x, axis) is f * sum(x, axis) if f does not vary along the axis."""
    (product,) = node.inputs
    if product.op not in (scalar.multiply, scalar.divide) or not is_float(node):
        return None
    pairs = [product.inputs]
    if product.op is scalar.multiply:
        pairs.append(product.inputs[::-1])
    for inner, factor in pairs:
        if inner.shape == product.shape and not _varies(factor, product.shape, node.attrs["axes"]):
            outer = _without_axes(factor, product.ndim, node)
            return make(product.op, (make(node.op, (inner,), **node.attrs), outer))
    return None


def _varies(factor: Node, shape: Shape, axes: tuple[int, ...]) -> bool:
    extra = len(shape) - factor.ndim
    return any(axis >= extra and factor.shape[axis - extra] != 1 for axis in axes)


def _without_axes(factor: Node, rank: int, node: Node) -> Node:
    if node.attrs["keepdims"] or is_scalar(factor):
        return factor
    full = (1,) * (rank - factor.ndim) + factor.shape
    kept = tuple(dim for axis, dim in enumerate(full) if axis not in node.attrs["axes"])
    return reshape(factor, kept)


def _sum_of_repeated(node: Node, _: Context) -> Node | None:
    """A sum over axes along which a value is repeated is a multiple of it."""
    (repeated,) = node.inputs
    if repeated.op is not broadcast_op:
        return None
    source, shape, axes = repeated.inputs[0], repeated.shape, node.attrs["axes"]
    counted = tuple(axis for axis in repeated_axes(source.shape, shape) if axis in axes)
    if not counted:
        return None
    extra = len(shape) - source.ndim
    own = tuple(axis - extra for axis in axes if axis >= extra)
    keepdims = node.attrs["keepdims"]
    if any(source.shape[axis] != 1 for axis in own):
        total = make(node.op, (source,), axes=own, keepdims=keepdims)
    else:
        kept = tuple(dim for axis, dim in enumerate(source.shape) if axis not in own)
        total = source if keepdims else reshape(source, kept)
    return scalar.multiply(
        size(count_of(shape, counted), node.dtype), broadcast_to(total, node.shape)
    )


def _gather_scalars(node: Node, _: Context) -> Node | None:
    """x * (s * y) is s * (x * y); s * (r * y) is (s * r) * y; a constant stands outside."""
    for outer, inner in (node.inputs, node.inputs[::-1]):
        if inner.op is not scalar.multiply:
            continue
        for factor, rest in (inner.inputs, inner.inputs[::-1]):
            if number(outer) is not None and number(factor) is not None:
                return scalar.multiply(scalar.multiply(outer, factor), rest)
            if is_scalar(factor) and not is_scalar(rest):
                if is_scalar(outer):
                    return scalar.multiply(scalar.multiply(outer, factor), rest)
                return scalar.multiply(factor, scalar.multiply(outer, rest))
            if number(factor) is not None and number(outer) is None and is_scalar(outer):
                return scalar.multiply(factor, scalar.multiply(outer, rest))
    return None


def _multiply_quotient(node: Node, _: Context) -> Node | None:
    """x * (1 / y) is x / y; x * (y / s) is (x * y) / s."""
    for outer, quotient in (node.inputs, node.inputs[::-1]):
        if quotient.op is not scalar.divide:
            continue
        above, below = quotient.inputs
        if number(above) == 1:
            return scalar.divide(outer, below)
        if number(above) is not None:
            if number(outer) is not None:
                return scalar.divide(scalar.multiply(above, outer), below)
            return scalar.multiply(above, scalar.divide(outer, below))
        if is_scalar(below) and not is_scalar(outer) and not is_scalar(above):
            return scalar.divide(scalar.multiply(outer, above), below)
    return None


def _divide_product(node: Node, _: Context) -> Node | None:
    """(s * x) / y is s * (x / y)."""
    product, below = node.inputs
    if product.op is not scalar.multiply:
        return None
    for factor, rest in (product.inputs, product.inputs[::-1]):
        constant = number(factor) is not None and number(rest) is None
        if constant or (is_scalar(factor) and not is_scalar(rest)):
            return scalar.multiply(factor, scalar.divide(rest, below))
    return None


def _divide_quotient(node: Node, _: Context) -> Node | None:
    """(x / y) / z is x / (y * z), with scalars last: (x / s) / y is (x / y) / s."""
    quotient, outer = node.inputs
    if quotient.op is not scalar.divide:
        return None
    above, below = quotient.inputs
    if is_scalar(below) and is_scalar(outer):
        return scalar.divide(above, scalar.multiply(below, outer))
    if is_scalar(below):
        return scalar.divide(scalar.divide(above, outer), below)
    return None if is_scalar(outer) else scalar.divide(above, scalar.multiply(below, outer))


def _reshape_of_reciprocal(node: Node, _: Context) -> Node | None:
    (quotient,) = node.inputs
    if quotient.op is not scalar.divide or not is_scalar(quotient.inputs[0]):
        return None
    return scalar.divide(quotient.inputs[0], reshape(quotient.inputs[1], node.shape))


def _ratio_of_constants(node: Node, _: Context) -> Node | None:
    """2 * (x / 32) is x / 16, and 32 * (x / 2) is 16 * x: only where the ratio is exact."""
    for outer, quotient in (node.inputs, node.inputs[::-1]):
        if quotient.op is not scalar.divide:
            continue
        a, b = number(outer), number(quotient.inputs[1])
        if a is None or not b or a == 0:
            continue
        above = quotient.inputs[0]
        if b == a * (b // a):
            return scalar.divide(above, const(b // a, node.dtype))
        if a == b * (a // b):
            return scalar.multiply(const(a // b, node.dtype), above)
    return None


RULES: tuple[Rule, ...] = (
    rewrite_pattern("reciprocal_of_quotient", PHASE, 1 / (x / y), y / x, changes=RANGE),
    rewrite_node(
        "scale_after_linear",
        PHASE,
        "(x / s) @ y",
        "(x @ y) / s",
        tuple(LINEAR),
        _through_linear,
        condition="s is a scalar; -x and s * x too; any of " + ", ".join(op.name for op in LINEAR),
        changes=RANGE,
    ),
    rewrite_node(
        "scale_after_sum",
        PHASE,
        "sum(x * y, axis=1)",
        "sum(x, axis=1) * y",
        (reduction.sum_op,),
        _through_sum,
        condition="y does not vary along the axis; x / y too",
        changes=RANGE,
    ),
    rewrite_node(
        "sum_of_repeated",
        PHASE,
        "sum(broadcast_to(x))",
        "n * x",
        (reduction.sum_op,),
        _sum_of_repeated,
        condition="x is repeated n times along the axes summed",
        changes="0 * inf where n is 0",
    ),
    rewrite_node(
        "gather_scalars",
        PHASE,
        "x * (s * y)",
        "s * (x * y)",
        (scalar.multiply,),
        _gather_scalars,
        condition="s is a scalar or a constant",
        changes=RANGE,
    ),
    rewrite_node(
        "multiply_quotient",
        PHASE,
        "x * (1 / y)",
        "x / y",
        (scalar.multiply,),
        _multiply_quotient,
        condition="also x * (y / s) => (x * y) / s with s a scalar",
        changes=RANGE,
    ),
    rewrite_node(
        "divide_product",
        PHASE,
        "(s * x) / y",
        "s * (x / y)",
        (scalar.divide,),
        _divide_product,
        condition="s is a scalar or a constant",
        changes=RANGE,
    ),
    rewrite_node(
        "divide_quotient",
        PHASE,
        "(x / y) / z",
        "x / (y * z)",
        (scalar.divide,),
        _divide_quotient,
        condition="y and z are both scalars or both arrays; (x / s) / y => (x / y) / s",
        changes=RANGE,
    ),
    rewrite_node(
        "reshape_of_reciprocal",
        PHASE,
        "reshape(s / x)",
        "s / reshape(x)",
        (layout.reshape_op,),
        _reshape_of_reciprocal,
        condition="s is a scalar",
    ),
    rewrite_node(
        "ratio_of_constants",
        PHASE,
        "2 * (x / 32)",
        "x / 16",
        (scalar.multiply,),
        _ratio_of_constants,
        condition="the ratio is exact",
        changes=RANGE,
    ),
)
