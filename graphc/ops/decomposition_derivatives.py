"""Derivatives of decompositions, in operations, so that they can be differentiated again.

Each takes the node and the cotangent of its result, a tuple node for several. A result that nothing
depends on costs nothing.
"""

from __future__ import annotations

import graphc.ops.scalar as scalar
from graphc.ir.node import Node
from graphc.ops.contraction import matmul
from graphc.ops.creation import on_diagonal
from graphc.ops.diagonals import tril
from graphc.ops.joining import concat
from graphc.ops.keys import getitem
from graphc.ops.layout import expand_dims, swap_last_axes
from graphc.ops.linear_systems import triangular_solve
from graphc.ops.routine import absent, item
from graphc.ops.source import const


def _reciprocal(x: Node) -> Node:
    """1 / x, and 0 where x is 0."""
    none = scalar.equal(x, 0)
    return scalar.where(none, const(0, x.dtype), 1 / scalar.where(none, const(1, x.dtype), x))


def _diagonal_matrix(x: Node) -> Node:
    """Square matrices with the rows of the last axis on their diagonals."""
    n = x.shape[-1]
    return scalar.where(on_diagonal((n, n), 0), expand_dims(x, -1), const(0, x.dtype))


def _half_lower(x: Node) -> Node:
    """The lower triangle with half of the diagonal."""
    return scalar.where(on_diagonal(x.shape, 0), x * 0.5, tril(x))


def _symmetric(x: Node) -> Node:
    return (x + swap_last_axes(x)) * 0.5


def cholesky_vjp(node: Node, g: Node) -> list[Node | None]:
    """L^-T Phi(L^T G) L^-1, made symmetric; Phi halves the diagonal of the lower triangle.

    I. Murray, "Differentiation of the Cholesky decomposition" (2016), equation 10.
    """
    inner = _half_lower(matmul(swap_last_axes(node), g))
    left = triangular_solve(node, inner, transpose=True)
    both = swap_last_axes(triangular_solve(node, swap_last_axes(left), transpose=True))
    return [_symmetric(both)]


def eigh_vjp(node: Node, g: Node) -> list[Node | None]:
    """V (diag(gw) + F * (V^T gV)) V^T, made symmetric, with F[i, j] = 1 / (w[j] - w[i]).

    Giles (2008), section 3.1; M. Seeger et al., "Auto-differentiating linear algebra" (2017). F is
    0 where eigenvalues are equal.
    """
    values, vectors = item(node, 0), item(node, 1)
    value_share, vector_share = item(g, 0), item(g, 1)
    inner = _diagonal_matrix(value_share)
    turned = swap_last_axes(vectors)
    if not absent(vector_share):
        gaps = expand_dims(values, -2) - expand_dims(values, -1)
        inner = inner + _reciprocal(gaps) * matmul(turned, vector_share)
    return [_symmetric(matmul(matmul(vectors, inner), turned))]


def svd_vjp(node: Node, g: Node) -> list[Node | None]:
    """The share of A = U diag(s) V^T, with F[i, j] = 1 / (s[j]^2 - s[i]^2):

    U ((F * (U^T gU - gU^T U)) diag(s) + diag(gs) + diag(s) (F * (V^T gV - gV^T V))) V^T
    + (I - U U^T) gU diag(1 / s) V^T + U diag(1 / s) gV^T (I - V V^T)

    J. Townsend, "Differentiating the singular value decomposition" (2016); Seeger et al. (2017). F
    is 0 where singular values are equal, 1 / s where one is 0.
    """
    u, s, vh = (item(node, i) for i in range(3))
    u_share, s_share, vh_share = (item(g, i) for i in range(3))
    v, v_share = swap_last_axes(vh), swap_last_axes(vh_share)
    along, down = expand_dims(s, -2), expand_dims(s, -1)
    gaps = _reciprocal(along - down) * _reciprocal(along + down)
    inner = _diagonal_matrix(s_share)
    outside: list[Node] = []
    if not absent(u_share):
        inside = matmul(swap_last_axes(u), u_share)
        inner = inner + gaps * (inside - swap_last_axes(inside)) * along
        if u.shape[-2] != u.shape[-1]:
            outside.append(matmul((u_share - matmul(u, inside)) * _reciprocal(along), vh))
    if not absent(vh_share):
        inside = matmul(vh, v_share)
        inner = inner + down * (gaps * (inside - swap_last_axes(inside)))
        if v.shape[-2] != v.shape[-1]:
            rest = swap_last_axes(v_share - matmul(v, inside))
            outside.append(matmul(u * _reciprocal(along), rest))
    total = matmul(matmul(u, inner), vh)
    for part in outside:
        total = total + part
    return [total]


def qr_vjp(node: Node, g: Node) -> list[Node | None]:
    """The share of A = Q R; with more columns than rows, A = [X Y] and R = [U Q^T Y].

    S. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2018); for
    more columns D. Roberts and L. Roberts, "QR and LQ decomposition matrix backpropagation
    algorithms for square, wide, and deep matrices" (2020).
    """
    (a,) = node.inputs
    q, r = item(node, 0), item(node, 1)
    q_share, r_share = item(g, 0), item(g, 1)
    k = r.shape[-2]
    if r.shape[-1] == k:
        return [_tall_qr(q, r, q_share, r_share)]
    first, rest = (..., slice(None, k)), (..., slice(k, None))
    beyond = getitem(r_share, rest)
    q_share = q_share + matmul(getitem(a, rest), swap_last_axes(beyond))
    square = _tall_qr(q, getitem(r, first), q_share, getitem(r_share, first))
    return [concat([square, matmul(q, beyond)], axis=-1)]


def _tall_qr(q: Node, r: Node, q_share: Node, r_share: Node) -> Node:
    """(gQ + Q copyltu(M)) R^-T with M = R gR^T - gQ^T Q; copyltu mirrors the lower triangle."""
    m = matmul(r, swap_last_axes(r_share)) - matmul(swap_last_axes(q_share), q)
    mirrored = tril(m) + swap_last_axes(tril(m, -1))
    whole = q_share + matmul(q, mirrored)
    return swap_last_axes(triangular_solve(r, swap_last_axes(whole), lower=False))
