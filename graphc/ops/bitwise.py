"""Operations on the bits of integers, with NumPy's meaning; truth values count as one bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import graphc.ops.scalar as scalar
from graphc.errors import DTypeError
from graphc.ir.dtype import bool_
from graphc.ir.node import Node
from graphc.ir.op import COMPARISON, PREFIX, SUM, Notation
from graphc.ops.elementwise import ElementwiseOp, cast_together, elementwise
from graphc.ops.source import as_nodes

_INTEGERS = "integers have no derivative"


def _infix(text: str, latex: str) -> Notation:
    # As loose as a comparison, as `logical_and` is; brackets around an operand of that kind.
    return Notation(f"{{0}} {text} {{1}}", f"{{0}} {latex} {{1}}", COMPARISON, (SUM, SUM))


and_op = elementwise(
    "bitwise_and", lambda sp, a, b: sp.Function("bitwise_and")(a, b), types="integer",
    reference=np.bitwise_and, primitive=True, notation=_infix("&", r"\mathbin{\&}"),
    properties=("commutative", "associative"), no_derivative=_INTEGERS,
    doc="the bits that both integers have",
)  # fmt: skip
or_op = elementwise(
    "bitwise_or", lambda sp, a, b: sp.Function("bitwise_or")(a, b), types="integer",
    reference=np.bitwise_or, primitive=True, notation=_infix("|", r"\mathbin{|}"),
    properties=("commutative", "associative"), no_derivative=_INTEGERS,
    doc="the bits that one of two integers has",
)  # fmt: skip
xor_op = elementwise(
    "bitwise_xor", lambda sp, a, b: sp.Function("bitwise_xor")(a, b), types="integer",
    reference=np.bitwise_xor, primitive=True, notation=_infix("^", r"\oplus"),
    properties=("commutative", "associative"), no_derivative=_INTEGERS,
    doc="the bits in which two integers differ",
)  # fmt: skip
invert_op = elementwise(
    "bitwise_invert", lambda sp, x: -x - 1, types="integer", reference=np.invert, primitive=True,
    notation=Notation("~{0}", r"\sim {0}", PREFIX, (PREFIX,)), no_derivative=_INTEGERS,
    doc="the bits that an integer has not: -x - 1 of a signed one",
)  # fmt: skip
bitwise_left_shift = elementwise(
    "bitwise_left_shift", lambda sp, a, b: a * 2**b, types="integer", reference=np.left_shift,
    primitive=True, notation=_infix("<<", r"\ll"), no_derivative=_INTEGERS,
    doc="a with its bits moved b places up; 0 for a b outside the width",
)  # fmt: skip
bitwise_right_shift = elementwise(
    "bitwise_right_shift", lambda sp, a, b: sp.floor(a / 2**b), types="integer",
    reference=np.right_shift, primitive=True, notation=_infix(">>", r"\gg"),
    no_derivative=_INTEGERS,
    doc="a with its bits moved b places down; its sign for a b outside the width",
)  # fmt: skip


def _choose(
    integers: ElementwiseOp, truths: Callable[..., Node], operands: tuple[object, ...]
) -> Node:
    """`truths` where all operands are bool, else `integers`."""
    nodes = cast_together(as_nodes(operands))
    dtype = nodes[0].dtype
    if dtype.is_float:
        raise DTypeError(f"{integers.name}: expected integers or truth values, got {dtype}")
    return truths(*nodes) if dtype is bool_ else integers(*nodes)


def bitwise_and(a: object, b: object) -> Node:
    """The bits that both integers have; of truth values, whether both hold.

    Raises DTypeError for floats.

    >>> from graphc.ops.evaluate import evaluate
    >>> int(evaluate(bitwise_and(12, 10)))
    8
    """
    return _choose(and_op, scalar.logical_and, (a, b))


def bitwise_or(a: object, b: object) -> Node:
    """The bits that one of two integers has; of truth values, whether one holds.

    Raises DTypeError for floats.
    """
    return _choose(or_op, scalar.logical_or, (a, b))


def bitwise_xor(a: object, b: object) -> Node:
    """The bits in which two integers differ; of truth values, whether they differ.

    Raises DTypeError for floats.
    """
    return _choose(xor_op, scalar.not_equal, (a, b))


def bitwise_invert(x: object) -> Node:
    """The bits that an integer has not; of a truth value, its opposite.

    Raises DTypeError for floats.
    """
    return _choose(invert_op, scalar.logical_not, (x,))
