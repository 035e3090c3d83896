"""Products of rows with rows are turned where the other way round copies less.

A product reads the elements of its left operand where they lie, and of its right one whole rows, so
a right operand that is stored transposed is copied first. In A Bᵀ, as in the gradient of the kernel
of a convolution, both lie along the terms, and B is copied. (B Aᵀ)ᵀ copies A in its place, and
transposes C: little, where there are many terms for each element of C.
"""

from __future__ import annotations

from graphc.ir.dim import Dim, evaluate, size_names
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake
from graphc.ops.contraction import matmul_op
from graphc.ops.layout import swap_last_axes, swaps_last_axes

# A product computes C in rows of whole vectors, four rows at once. Measured, with AVX-512: to copy
# a number of B takes as long as 14 to 19 multiply-adds. With 16 the ratio of both ways is within a
# fifth of what 26 sizes from 4 x 36 to 64 x 147 took; from a gain of a sixth on it was always one.
_VECTOR_BYTES, _ROWS = 64, 4
_COPY = 16
_GAIN = 1.2
# Fewer terms for each column are not many: what follows reads C across its rows.
_TERMS = 4


def orient_products(graph: Graph) -> Graph:
    """The graph with products turned where that takes less."""
    if not any(_is_dearer(node) for node in graph.nodes):
        return graph

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if not _is_dearer(node):
            return remake(node, inputs)
        with inherit_sites(node.sites):
            a, b = inputs
            return swap_last_axes(make(matmul_op, (swap_last_axes(b), swap_last_axes(a))))

    return graph.with_roots(rebuild(list(graph.roots), change))


def _is_dearer(node: Node) -> bool:
    """Whether a product is one of rows with rows that takes longer than its transpose."""
    if node.op is not matmul_op:
        return False
    a, b = node.inputs
    if swaps_last_axes(a) or not swaps_last_axes(b):
        return False
    rows, columns = node.shape[-2:]
    if not isinstance(rows, int) or not isinstance(columns, int) or min(rows, columns) < 2:
        return False
    if _least(a.shape[-1]) < _TERMS * columns:
        return False
    lanes = _VECTOR_BYTES // node.dtype.itemsize
    return _work(rows, columns, lanes) >= _GAIN * _work(columns, rows, lanes)


def _least(terms: Dim) -> int:
    """The number of terms, if all named sizes are 1."""
    return evaluate(terms, dict.fromkeys(size_names(terms), 1))


def _work(rows: int, columns: int, lanes: int) -> int:
    """What a term of A Bᵀ takes, in multiply-adds: of the vectors of C, and to copy a row of Bᵀ."""
    width = -(-columns // lanes) * lanes
    return -(-rows // _ROWS) * _ROWS * width + _COPY * width
