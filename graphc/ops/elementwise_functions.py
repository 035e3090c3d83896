"""Public functions of single elements, and declarations; errors end with the user's line."""

from __future__ import annotations

import graphc.ops.bitwise as bitwise
import graphc.ops.elementary as elementary
import graphc.ops.rounding as rounding
import graphc.ops.scalar as scalar
import graphc.ops.source as source
import graphc.ops.special as special
from graphc.ir.site import at_user_line

__all__: list[str] = []

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
