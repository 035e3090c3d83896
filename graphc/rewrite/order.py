"""The canonical order of the operands of commutative operations.

The order is that of structure: it depends neither on addresses nor on hash seeds. Sums read
variables before constants, products constants before scalars before arrays.
"""

from __future__ import annotations

import zlib
from typing import Any

from graphc.ir.declaration import ConstantArray
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops import scalar
from graphc.ops.source import constant_op, size_op

# Tokens of the structure that are compared before the order of creation decides.
_TOKENS = 16
Key = tuple[Any, ...]
Token = tuple[int, float, str]


def _attribute_text(value: object) -> str:
    if isinstance(value, ConstantArray):
        array = value.array
        return f"{zlib.crc32(array.tobytes()):08x}"
    return str(value)


def _token(node: Node) -> Token:
    declared = node.declaration
    if declared is not None:
        return (0, declared.number, "")
    if node.op is constant_op:
        array = node.attrs["value"].array
        first = float(array.reshape(-1)[0]) if array.size else 0.0
        return (1, first if first == first else 0.0, str(node.type))
    attributes = ",".join(_attribute_text(node.attrs[name]) for name in sorted(node.attrs))
    return (2, 0, f"{node.op.name}:{len(node.inputs)}:{attributes}")


def _sum_class(node: Node) -> int:
    if node.op is constant_op:
        return 2
    return 1 if node.declaration is not None else 0


def _product_class(node: Node) -> int:
    if node.op is constant_op and node.shape == ():
        return 0
    if node.shape == ():
        return 1
    return 2 if node.declaration is not None or node.op is size_op else 3


class Order:
    """Compares operands, remembering the structure of what it has seen."""

    def __init__(self) -> None:
        self._structures: dict[Node, Key] = {}
        self._tokens: dict[Node, Token] = {}

    def key(self, node: Node) -> Key:
        """What decides between operands of the same class."""
        known = self._structures.get(node)
        if known is None:
            known = self._structures[node] = (self._structure(node), node.number)
        return known

    def _structure(self, node: Node) -> tuple[Token, ...]:
        """The first tokens of the expression, operation before operands, from left to right."""
        tokens: list[Token] = []
        known = self._tokens
        stack = [node]
        while stack and len(tokens) < _TOKENS:
            current = stack.pop()
            token = known.get(current)
            if token is None:
                token = known[current] = _token(current)
            tokens.append(token)
            stack.extend(current.inputs[::-1])
        return tuple(tokens)

    def product_key(self, node: Node) -> Key:
        """The place of a factor: constants, scalars, declared arrays, computed arrays."""
        return (_product_class(node), *self.key(node))

    def sum_key(self, node: Node) -> Key:
        """The place of a summand: computed values, declared ones, constants."""
        return (_sum_class(node), *self.key(node))

    def swapped(self, op: Op, a: Node, b: Node) -> bool:
        """Whether b comes before a as operands of `op`."""
        if a is b:
            return False
        place = _product_class if op is scalar.multiply else _sum_class
        first, second = place(a), place(b)
        return second < first if first != second else self.key(b) < self.key(a)
