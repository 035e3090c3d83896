"""Linear algebra under NumPy's names: `gx.linalg`, as np.linalg and the Array API's extension.

Leading axes count matrices, each of them treated by itself. Results that are several come as a
tuple node, whose parts can be unpacked.
"""

from __future__ import annotations

import graphc.ops.contraction as contraction
import graphc.ops.decompositions as decompositions
import graphc.ops.determinants as determinants
import graphc.ops.diagonals as diagonals
import graphc.ops.linear_systems as linear_systems
import graphc.ops.matrix_functions as matrix_functions
import graphc.ops.norms as norms
import graphc.ops.products as products
from graphc.ir.node import Node
from graphc.ir.site import at_user_line

cholesky = at_user_line(decompositions.cholesky)
det = at_user_line(determinants.det)
eigh = at_user_line(decompositions.eigh)
eigvalsh = at_user_line(decompositions.eigvalsh)
expm = at_user_line(matrix_functions.expm)
inv = at_user_line(determinants.inv)
lstsq = at_user_line(matrix_functions.lstsq)
matmul = at_user_line(contraction.matmul)
matrix_power = at_user_line(matrix_functions.matrix_power)
multi_dot = at_user_line(products.multi_dot)
norm = at_user_line(norms.norm)
outer = at_user_line(products.outer)
pinv = at_user_line(matrix_functions.pinv)
qr = at_user_line(decompositions.qr)
slogdet = at_user_line(determinants.slogdet)
solve = at_user_line(linear_systems.solve)
svd = at_user_line(decompositions.svd)
svdvals = at_user_line(decompositions.svdvals)
tensordot = at_user_line(products.tensordot)
triangular_solve = at_user_line(linear_systems.triangular_solve)
vecdot = at_user_line(products.vecdot)


@at_user_line
def diagonal(x: object, offset: int = 0) -> Node:
    """The elements x[..., i, i + offset] of each matrix, as np.linalg.diagonal."""
    return diagonals.diagonal(x, offset, -2, -1)


@at_user_line
def trace(x: object, offset: int = 0) -> Node:
    """The sum of a diagonal of each matrix, as np.linalg.trace: of the last two axes, where
    `gx.trace` takes the first two as np.trace does."""
    return diagonals.trace(x, offset, -2, -1)


__all__ = [
    "cholesky", "det", "diagonal", "eigh", "eigvalsh", "expm", "inv", "lstsq", "matmul",
    "matrix_power", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd",
    "svdvals", "tensordot", "trace", "triangular_solve", "vecdot",
]  # fmt: skip
