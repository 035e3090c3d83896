"""Tiny matrix products are multiplications and sums, which fuse with what surrounds them.

A call of a product costs about 40 ns; a product of 3 x 3 matrices has 27 multiply-adds. Written out
it is a part of the kernel that makes its operands or takes its result.
"""

from __future__ import annotations

from graphc.ir.dim import product
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.site import inherit_sites
from graphc.ir.traverse import rebuild, remake
from graphc.ops.contraction import matmul_op
from graphc.ops.layout import expand_dims
from graphc.ops.reduction import sum as sum_over

# The most multiply-adds of a matrix that is written out. Measured for stacks of m x k by k x n in
# float32 and float64: with 512 that is 1.2 to 4 times as fast as products, with 100 or less 8 to 40
# times; from 1,000 on it is slower. One matrix alone is worth it where it joins a kernel: a Kalman
# filter of 4 x 4 takes half the time.
_MOST_IN_A_STACK = 512
_MOST_ALONE = 64


def write_out_tiny_products(graph: Graph) -> Graph:
    """The graph with the products of tiny matrices as sums of products."""
    return graph.with_roots(rebuild(list(graph.roots), _write_out))


def _write_out(node: Node, inputs: tuple[Node, ...]) -> Node:
    same = remake(node, inputs)
    if not _is_tiny(same):
        return same
    a, b = same.inputs
    with inherit_sites(node.sites):
        return sum_over(expand_dims(a, -1) * expand_dims(b, -3), axis=-2)


def _is_tiny(node: Node) -> bool:
    if node.op is not matmul_op:
        return False
    a, b = node.inputs
    work = product((*a.shape[-2:], b.shape[-1]))
    most = _MOST_ALONE if node.ndim == 2 else _MOST_IN_A_STACK
    return isinstance(work, int) and 0 < work <= most
