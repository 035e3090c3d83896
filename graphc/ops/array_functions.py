"""Public functions of whole arrays; their errors end with the user's line."""

from __future__ import annotations

import graphc.ops.branch as branch
import graphc.ops.composite as composite
import graphc.ops.contraction as contraction
import graphc.ops.creation as creation
import graphc.ops.cumulative as cumulative
import graphc.ops.custom as custom
import graphc.ops.diagonals as diagonals
import graphc.ops.einsum as einstein
import graphc.ops.indexing as indexing
import graphc.ops.joining as joining
import graphc.ops.keys as keys
import graphc.ops.layout as layout
import graphc.ops.linalg as linalg
import graphc.ops.loop as loop
import graphc.ops.masks as masks
import graphc.ops.norms as norms
import graphc.ops.ordering as ordering
import graphc.ops.padding as padding
import graphc.ops.products as products
import graphc.ops.quantiles as quantiles
import graphc.ops.reduction as reduction
import graphc.ops.repetition as repetition
import graphc.ops.segments as segments
import graphc.ops.slicing as slicing
import graphc.ops.statement as statement
import graphc.ops.statistics as statistics
import graphc.ops.updates as updates
import graphc.ops.while_loop as while_loops
import graphc.ops.windows as windows
from graphc.ir.site import at_user_line

__all__: list[str] = []

# ---- reductions

sum = at_user_line(reduction.sum)
prod = at_user_line(reduction.prod)
max = at_user_line(reduction.max)
min = at_user_line(reduction.min)
mean = at_user_line(reduction.mean)
argmax = at_user_line(reduction.argmax)
argmin = at_user_line(reduction.argmin)
any = at_user_line(reduction.any)
all = at_user_line(reduction.all)
ptp = at_user_line(reduction.ptp)
var = at_user_line(statistics.var)
std = at_user_line(statistics.std)
count_nonzero = at_user_line(statistics.count_nonzero)
norm = at_user_line(norms.norm)
median = at_user_line(quantiles.median)
quantile = at_user_line(quantiles.quantile)
diff = at_user_line(statistics.diff)
cumsum = at_user_line(cumulative.cumsum)
cumprod = at_user_line(cumulative.cumprod)
cummax = at_user_line(cumulative.cummax)
cummin = at_user_line(cumulative.cummin)
linear_recurrence = at_user_line(cumulative.linear_recurrence)

__all__ += [
    "all", "any", "argmax", "argmin", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum",
    "diff", "linear_recurrence", "max", "mean", "median", "min", "norm", "prod", "ptp", "quantile",
    "std", "sum", "var",
]  # fmt: skip


# ---- ordering

sort = at_user_line(ordering.sort)
argsort = at_user_line(ordering.argsort)
top_k = at_user_line(ordering.top_k)
searchsorted = at_user_line(ordering.searchsorted)

__all__ += [
    "argsort", "searchsorted", "sort", "top_k",
]  # fmt: skip


# ---- layout

transpose = at_user_line(layout.transpose)
permute_dims = transpose
moveaxis = at_user_line(layout.moveaxis)
swapaxes = at_user_line(layout.swapaxes)
reshape = at_user_line(layout.reshape)
ravel = at_user_line(layout.ravel)
expand_dims = at_user_line(layout.expand_dims)
squeeze = at_user_line(layout.squeeze)
broadcast_to = at_user_line(layout.broadcast_to)
broadcast_arrays = at_user_line(layout.broadcast_arrays)
atleast_1d = at_user_line(layout.atleast_1d)
atleast_2d = at_user_line(layout.atleast_2d)
atleast_3d = at_user_line(layout.atleast_3d)
flip = at_user_line(slicing.flip)
fliplr = at_user_line(slicing.fliplr)
flipud = at_user_line(slicing.flipud)
pad = at_user_line(padding.pad)
repeat = at_user_line(repetition.repeat)
tile = at_user_line(repetition.tile)
window = at_user_line(windows.window)
fold = at_user_line(windows.fold)
diag = at_user_line(diagonals.diag)
diagonal = at_user_line(diagonals.diagonal)
trace = at_user_line(diagonals.trace)
tril = at_user_line(diagonals.tril)
triu = at_user_line(diagonals.triu)
arange = at_user_line(creation.arange)
eye = at_user_line(creation.eye)
full = at_user_line(creation.full)
full_like = at_user_line(creation.full_like)
linspace = at_user_line(creation.linspace)
meshgrid = at_user_line(creation.meshgrid)
ones = at_user_line(creation.ones)
ones_like = at_user_line(creation.ones_like)
zeros = at_user_line(creation.zeros)
zeros_like = at_user_line(creation.zeros_like)

__all__ += [
    "arange", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to",
    "diag", "diagonal", "expand_dims", "eye", "flip", "fliplr", "flipud", "fold", "full",
    "full_like",
    "linspace", "meshgrid", "moveaxis", "ones", "ones_like", "pad", "permute_dims", "ravel",
    "repeat", "reshape", "squeeze", "swapaxes", "tile", "trace", "transpose", "tril", "triu",
    "window", "zeros", "zeros_like",
]  # fmt: skip


# ---- joining

concat = at_user_line(joining.concat)
concatenate = concat
stack = at_user_line(joining.stack)
vstack = at_user_line(joining.vstack)
hstack = at_user_line(joining.hstack)
column_stack = at_user_line(joining.column_stack)
split = at_user_line(joining.split)
array_split = at_user_line(joining.array_split)
unstack = at_user_line(joining.unstack)
roll = at_user_line(joining.roll)

__all__ += [
    "array_split", "column_stack", "concat", "concatenate", "hstack", "roll", "split", "stack",
    "unstack", "vstack",
]  # fmt: skip


# ---- contraction

matmul = at_user_line(contraction.matmul)
dot = at_user_line(products.dot)
einsum = at_user_line(einstein.einsum)
inner = at_user_line(products.inner)
kron = at_user_line(products.kron)
matvec = at_user_line(products.matvec)
multi_dot = at_user_line(products.multi_dot)
outer = at_user_line(products.outer)
tensordot = at_user_line(products.tensordot)
vdot = at_user_line(products.vdot)
vecdot = at_user_line(products.vecdot)
vecmat = at_user_line(products.vecmat)

__all__ += [
    "dot", "einsum", "inner", "kron", "matmul", "matvec", "multi_dot", "outer", "tensordot", "vdot",
    "vecdot", "vecmat",
]  # fmt: skip


# ---- linear algebra

cholesky = linalg.cholesky
det = linalg.det
eigh = linalg.eigh
expm = linalg.expm
inv = linalg.inv
qr = linalg.qr
slogdet = linalg.slogdet
solve = linalg.solve
svd = linalg.svd

__all__ += [
    "cholesky", "det", "eigh", "expm", "inv", "qr", "slogdet", "solve", "svd",
]  # fmt: skip


# ---- indexing

one_hot = at_user_line(indexing.one_hot)
pick = at_user_line(indexing.pick)
take = at_user_line(indexing.take)
scatter_add = at_user_line(indexing.scatter_add)
take_along_axis = at_user_line(keys.take_along_axis)
put_along_axis = at_user_line(updates.put_along_axis)
compress = at_user_line(masks.compress)
nonzero = at_user_line(masks.nonzero)
segment_max = at_user_line(segments.segment_max)
segment_mean = at_user_line(segments.segment_mean)
segment_min = at_user_line(segments.segment_min)
segment_prod = at_user_line(segments.segment_prod)
segment_sum = at_user_line(segments.segment_sum)

__all__ += [
    "compress", "nonzero", "one_hot", "pick", "put_along_axis", "scatter_add", "segment_max",
    "segment_mean", "segment_min", "segment_prod", "segment_sum", "take", "take_along_axis",
]  # fmt: skip


# ---- random, effects

check = at_user_line(statement.check)
print = at_user_line(statement.print)

__all__ += [
    "check", "print",
]  # fmt: skip


# ---- derivatives by hand

clip_gradient = at_user_line(custom.clip_gradient)
custom_gradient = at_user_line(custom.custom_gradient)

__all__ += ["clip_gradient", "custom_gradient"]


# ---- loops and branches

cond = at_user_line(branch.cond)
scan = at_user_line(loop.scan)
while_loop = at_user_line(while_loops.while_loop)

__all__ += ["cond", "scan", "while_loop"]


# ---- composites

logsumexp = at_user_line(composite.logsumexp)
softmax = at_user_line(composite.softmax)
log_softmax = at_user_line(composite.log_softmax)
softmax_cross_entropy = at_user_line(composite.softmax_cross_entropy)
sigmoid_cross_entropy = at_user_line(composite.sigmoid_cross_entropy)

__all__ += [
    "log_softmax", "logsumexp", "sigmoid_cross_entropy", "softmax", "softmax_cross_entropy",
]  # fmt: skip
