"""What can be computed: one definition for each operation, grouped by kind.

This page also gives nodes their Python operators, and every public function the user's line in its
errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError
from graphc.ir.node import OPERATORS, Node
from graphc.ir.shape import TupleType
from graphc.ir.site import at_user_line
from graphc.ops import (
    bitwise,
    branch,
    composite,
    contraction,
    creation,
    cumulative,
    custom,
    diagonals,
    elementary,
    indexing,
    joining,
    keys,
    layout,
    loop,
    masks,
    norms,
    ordering,
    padding,
    products,
    quantiles,
    reduction,
    repetition,
    rounding,
    routine,
    scalar,
    segments,
    slicing,
    source,
    special,
    statement,
    statistics,
    updates,
    windows,
)  # fmt: skip
from graphc.ops import einsum as einstein
from graphc.ops import linalg as linalg
from graphc.ops import random as random
from graphc.ops import while_loop as while_loops
from graphc.ops.source import training as training

__all__ = ["training"]

# ---- declarations and constants

input = at_user_line(source.input)
param = at_user_line(source.param)
state = at_user_line(source.state)
const = at_user_line(source.const)
ramp = at_user_line(source.ramp)

__all__ += [
    "const", "input", "param", "ramp", "state",
]  # fmt: skip

# ---- scalar operations

add = at_user_line(scalar.add)
subtract = at_user_line(scalar.subtract)
multiply = at_user_line(scalar.multiply)
divide = at_user_line(scalar.divide)
negative = at_user_line(scalar.negative)
power = at_user_line(scalar.raise_to)
square = at_user_line(scalar.square)
exp = at_user_line(scalar.exp)
expm1 = at_user_line(scalar.expm1)
log = at_user_line(scalar.log)
log1p = at_user_line(scalar.log1p)
sqrt = at_user_line(scalar.sqrt)
sin = at_user_line(scalar.sin)
cos = at_user_line(scalar.cos)
tanh = at_user_line(scalar.tanh)
sigmoid = at_user_line(scalar.sigmoid)
softplus = at_user_line(scalar.softplus)
erf = at_user_line(scalar.erf)
relu = at_user_line(scalar.relu)
abs = at_user_line(scalar.absolute)
sign = at_user_line(scalar.sign)
floor = at_user_line(scalar.floor)
maximum = at_user_line(scalar.maximum)
minimum = at_user_line(scalar.minimum)
clip = at_user_line(scalar.clip)
where = at_user_line(scalar.where)
stop_gradient = at_user_line(scalar.stop_gradient)
less = at_user_line(scalar.less)
less_equal = at_user_line(scalar.less_equal)
greater = at_user_line(scalar.greater)
greater_equal = at_user_line(scalar.greater_equal)
equal = at_user_line(scalar.equal)
not_equal = at_user_line(scalar.not_equal)
logical_and = at_user_line(scalar.logical_and)
logical_or = at_user_line(scalar.logical_or)
logical_not = at_user_line(scalar.logical_not)
isnan = at_user_line(scalar.isnan)
isfinite = at_user_line(scalar.isfinite)
cast = at_user_line(scalar.as_dtype_node)

__all__ += [
    "abs", "add", "cast", "clip", "cos", "divide", "equal", "erf", "exp", "expm1", "floor",
    "greater", "greater_equal", "isfinite", "isnan", "less", "less_equal", "log", "log1p",
    "logical_and", "logical_not", "logical_or", "maximum", "minimum", "multiply", "negative",
    "not_equal", "power", "relu", "sigmoid", "sign", "sin", "softplus", "sqrt", "square",
    "stop_gradient", "subtract", "tanh", "where",
]  # fmt: skip

# ---- elementary

acos = at_user_line(elementary.acos)
acosh = at_user_line(elementary.acosh)
asin = at_user_line(elementary.asin)
asinh = at_user_line(elementary.asinh)
atan = at_user_line(elementary.atan)
atan2 = at_user_line(elementary.atan2)
atanh = at_user_line(elementary.atanh)
cbrt = at_user_line(elementary.cbrt)
cosh = at_user_line(elementary.cosh)
exp2 = at_user_line(elementary.exp2)
hypot = at_user_line(elementary.hypot)
log10 = at_user_line(elementary.log10)
log2 = at_user_line(elementary.log2)
logaddexp = at_user_line(elementary.logaddexp)
logit = at_user_line(elementary.logit)
reciprocal = at_user_line(elementary.reciprocal)
rsqrt = at_user_line(elementary.rsqrt)
sinc = at_user_line(elementary.sinc)
sinh = at_user_line(elementary.sinh)
softsign = at_user_line(elementary.softsign)
tan = at_user_line(elementary.tan)
xlogy = at_user_line(elementary.xlogy)
ceil = at_user_line(rounding.ceil)
floor_divide = at_user_line(rounding.floor_divide)
fmod = at_user_line(rounding.fmod)
heaviside = at_user_line(rounding.heaviside)
isinf = at_user_line(rounding.isinf)
nan_to_num = at_user_line(rounding.nan_to_num)
remainder = at_user_line(rounding.remainder)
round = at_user_line(rounding.round)
trunc = at_user_line(rounding.trunc)
bitwise_and = at_user_line(bitwise.bitwise_and)
bitwise_invert = at_user_line(bitwise.bitwise_invert)
bitwise_left_shift = at_user_line(bitwise.bitwise_left_shift)
bitwise_or = at_user_line(bitwise.bitwise_or)
bitwise_right_shift = at_user_line(bitwise.bitwise_right_shift)
bitwise_xor = at_user_line(bitwise.bitwise_xor)

__all__ += [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "cbrt",
    "ceil",
    "cosh",
    "exp2",
    "floor_divide",
    "fmod",
    "heaviside",
    "hypot",
    "isinf",
    "log2",
    "log10",
    "logaddexp",
    "logit",
    "nan_to_num",
    "reciprocal",
    "remainder",
    "round",
    "rsqrt",
    "sinc",
    "sinh",
    "softsign",
    "tan",
    "trunc",
    "xlogy",
]  # fmt: skip

# ---- special

betaln = at_user_line(special.betaln)
digamma = at_user_line(special.digamma)
entr = at_user_line(special.entr)
erfc = at_user_line(special.erfc)
erfcinv = at_user_line(special.erfcinv)
erfcx = at_user_line(special.erfcx)
erfinv = at_user_line(special.erfinv)
gamma = at_user_line(special.gamma)
i0 = at_user_line(special.i0)
i0e = at_user_line(special.i0e)
i1 = at_user_line(special.i1)
i1e = at_user_line(special.i1e)
lgamma = at_user_line(special.lgamma)
log_erfc = at_user_line(special.log_erfc)
log_ndtr = at_user_line(special.log_ndtr)
ndtr = at_user_line(special.ndtr)
ndtri = at_user_line(special.ndtri)
polygamma = at_user_line(special.polygamma)
xlog1py = at_user_line(special.xlog1py)

__all__ += [
    "betaln", "digamma", "entr", "erfc", "erfcinv", "erfcx", "erfinv", "gamma", "i0", "i0e", "i1",
    "i1e", "lgamma", "log_erfc", "log_ndtr", "ndtr", "ndtri", "polygamma", "xlog1py",
]  # fmt: skip

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
_REDUCTIONS = (
    "all", "any", "argmax", "argmin", "count_nonzero", "cumprod", "cumsum", "diff", "max", "mean",
    "median", "min", "norm", "prod", "ptp", "quantile", "std", "sum", "var",
)  # fmt: skip

__all__ += [*_REDUCTIONS, "cummax", "cummin", "linear_recurrence"]

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
    "diag", "diagonal", "expand_dims", "eye", "flip", "fliplr", "flipud", "fold", "full", "full_like",
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
    "cholesky", "det", "eigh", "expm", "inv", "linalg", "qr", "slogdet", "solve", "svd",
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
    "check", "print", "random",
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


def _getitem(node: Node, key: object) -> Node:
    if isinstance(node.type, TupleType):
        return routine.item(node, key)
    return keys.getitem(node, key)


def _numpy_take(x: Any, indices: Any, axis: Any = None) -> Node:
    """np.take, which selects from all elements unless it is given an axis."""
    return take(x, indices, axis)


_UFUNCS: dict[str, Any] = {
    "true_divide": divide, "absolute": abs,
    # SciPy's functions are ufuncs too: scipy.special.erfc(x) builds a node.
    "gammaln": lgamma, "psi": digamma,
    **{name: globals()[name] for name in (
        "betaln", "entr", "erfc", "erfcinv", "erfcx", "erfinv", "gamma", "i0", "i0e", "i1", "i1e",
        "log_ndtr", "ndtr", "ndtri", "xlog1py",
    )},
    "arccos": acos, "arccosh": acosh, "arcsin": asin, "arcsinh": asinh, "arctan": atan,
    "arctan2": atan2, "arctanh": atanh, "bitwise_and": bitwise_and, "bitwise_or": bitwise_or,
    "bitwise_xor": bitwise_xor, "cbrt": cbrt, "ceil": ceil, "cosh": cosh, "exp2": exp2,
    "floor_divide": floor_divide, "fmod": fmod, "heaviside": heaviside, "hypot": hypot,
    "invert": bitwise_invert, "isinf": isinf, "left_shift": bitwise_left_shift, "log10": log10,
    "log2": log2, "logaddexp": logaddexp, "reciprocal": reciprocal, "remainder": remainder,
    "right_shift": bitwise_right_shift, "rint": round, "sinh": sinh, "tan": tan, "trunc": trunc,
    **{name: globals()[name] for name in (
        "add", "subtract", "multiply", "divide", "negative", "power", "square", "exp", "expm1",
        "log",
        "log1p", "sqrt", "sin", "cos", "tanh", "sign", "floor", "maximum", "minimum", "less",
        "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or",
        "logical_not", "isnan", "isfinite", "matmul",
    )},
}  # fmt: skip
_FUNCTIONS: dict[str, Any] = {
    name: globals()[name]
    for name in (
        *_REDUCTIONS, "argsort", "searchsorted", "sort", "where", "transpose", "reshape",
        "expand_dims", "squeeze", "broadcast_to", "clip", "i0", "take", "nan_to_num", "round",
        "sinc",
    )
}  # fmt: skip
_UFUNCS |= {"matvec": matvec, "vecdot": vecdot, "vecmat": vecmat}
_FUNCTIONS |= {
    name: globals()[name]
    for name in (
        "dot", "einsum", "inner", "kron", "multi_dot", "outer", "tensordot", "vdot",
    )
}  # fmt: skip
_FUNCTIONS |= {"take": _numpy_take, "take_along_axis": take_along_axis}
_FUNCTIONS |= {
    name: globals()[name]
    for name in (
        "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays",
        "column_stack", "concatenate", "diag", "diagonal", "flip", "fliplr", "flipud", "full_like",
        "hstack", "linspace", "meshgrid", "moveaxis", "ones_like", "pad", "ravel", "repeat", "roll",
        "split", "stack", "swapaxes", "tile", "trace", "tril", "triu", "unstack", "vstack",
        "zeros_like",
    )
}  # fmt: skip


def _numpy_svd(a: Any, full_matrices: bool = True) -> Node:
    """np.linalg.svd, which gives all singular vectors unless it is asked for fewer."""
    return linalg.svd(a, full_matrices)


# np.linalg has functions of its own under names that np has too, of the last two axes.
_LINALG: dict[str, Any] = {name: getattr(linalg, name) for name in linalg.__all__}
_LINALG["svd"] = _numpy_svd


def _array_ufunc(ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """`np.exp(x)` on a node builds a node."""
    if method == "__call__" and not kwargs and ufunc.__name__ in _UFUNCS:
        return _UFUNCS[ufunc.__name__](*inputs)
    raise DTypeError(f"np.{ufunc.__name__} does not take graphc nodes; use an operation of graphc")


def _array_function(function: Any, args: Any, kwargs: Any) -> Any:
    table = _LINALG if function.__module__ == "numpy.linalg" else _FUNCTIONS
    if function.__name__ in table:
        return table[function.__name__](*args, **kwargs)
    raise DTypeError(
        f"np.{function.__name__} does not take graphc nodes; use an operation of graphc"
    )


OPERATORS.update(
    {
        **{name: globals()[name] for name in (
            "add", "subtract", "multiply", "divide", "negative", "power", "matmul", "abs", "less",
            "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and",
            "logical_or",
            "logical_not", "transpose", "reshape", *_REDUCTIONS, "cast", "exp", "log", "sqrt",
            "sin",
            "cos", "tanh", "erf", "sign", "floor", "maximum", "minimum", "where", "const",
            "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
            "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
            "bitwise_xor", "cbrt", "ceil", "cosh", "exp2", "expm1", "floor_divide", "hypot",
            "log10", "log1p", "log2", "reciprocal", "remainder", "rsqrt", "sinc", "sinh", "tan",
            "digamma", "erfc", "erfcinv", "erfinv", "gamma", "i0", "i1", "lgamma", "polygamma",
        )},
        "bessel_quotient": special.bessel_quotient,
        "at": at_user_line(updates.At),
        "getitem": at_user_line(_getitem),
        "as_dtype": cast,
        "array_ufunc": at_user_line(_array_ufunc),
        "array_function": at_user_line(_array_function),
    }
)  # fmt: skip
