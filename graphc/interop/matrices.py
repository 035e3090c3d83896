"""Matrices as SymPy's matrix expressions; a vector is a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.interop.elements import Names, number
from graphc.ir.dim import to_sympy as size_expression
from graphc.ir.node import Node
from graphc.ir.traverse import topological
from graphc.ops import contraction, layout, scalar
from graphc.ops.source import constant_op, uniform_value


class NoMatrixFormError(Exception):
    """A node that no matrix expression writes; its elements may still be written."""


class Matrices:
    """Writes nodes of up to two axes."""

    def __init__(self, known: dict[Node, Any]) -> None:
        self.names = Names(known)

    def of(self, node: Node) -> Any:
        """The matrix expression of a node."""
        written: dict[Node, Any] = {}
        for part in topological([node]):
            written[part] = self._write(part, [written[source] for source in part.inputs])
        return written[node]

    def _write(self, node: Node, operands: list[Any]) -> Any:
        import sympy

        if node.ndim > 2:
            raise NoMatrixFormError
        if self.names.has(node):
            symbol = self.names.of(node)
            if node.ndim == 0 or isinstance(symbol, sympy.MatrixSymbol):
                return symbol
            return sympy.MatrixSymbol(symbol.name, *_sizes(node))
        if node.op is constant_op:
            value = uniform_value(node)
            if value is None or node.ndim:
                raise NoMatrixFormError
            return number(value)
        if node.op not in _WRITERS:
            raise NoMatrixFormError
        return _WRITERS[node.op](node, operands)


def _sizes(node: Node) -> tuple[Any, Any]:
    rows, columns = (*node.shape, 1)[:2]
    return size_expression(rows), size_expression(columns)


def _needs_shape(node: Node, operand: Node) -> None:
    if operand.shape != node.shape:  # what broadcasts has no matrix form
        raise NoMatrixFormError


def _add(node: Node, operands: list[Any]) -> Any:
    if node.ndim:
        for operand in node.inputs:
            _needs_shape(node, operand)
    left, right = operands
    return left - right if node.op is scalar.subtract else left + right


def _multiply(node: Node, operands: list[Any]) -> Any:
    import sympy

    arrays = [part for part in node.inputs if part.ndim]
    for part in arrays:
        _needs_shape(node, part)
    left, right = operands
    if len(arrays) < 2:
        return left * right
    return sympy.HadamardProduct(left, right)


def _divide(node: Node, operands: list[Any]) -> Any:
    if node.inputs[1].ndim:
        raise NoMatrixFormError
    return operands[0] / operands[1]


def _transpose(node: Node, operands: list[Any]) -> Any:
    return operands[0].T if node.ndim == 2 else operands[0]


def _reshape(node: Node, operands: list[Any]) -> Any:
    """Between a vector and a column or a row; the product of a vector is written so."""
    (source,) = node.inputs
    shape = (*node.shape, 1) if node.ndim == 1 else node.shape
    if operands[0].shape == tuple(map(size_expression, shape)) if source.ndim else False:
        return operands[0]
    if source.ndim and operands[0].shape[::-1] == tuple(map(size_expression, shape)):
        return operands[0].T
    raise NoMatrixFormError


def _matmul(node: Node, operands: list[Any]) -> Any:
    return operands[0] * operands[1]


_WRITERS: dict[Any, Callable[[Node, list[Any]], Any]] = {
    scalar.add: _add,
    scalar.subtract: _add,
    scalar.multiply: _multiply,
    scalar.divide: _divide,
    scalar.negative: lambda node, operands: -operands[0],
    layout.transpose_op: _transpose,
    layout.reshape_op: _reshape,
    contraction.matmul_op: _matmul,
}
