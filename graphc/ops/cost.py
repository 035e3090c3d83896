"""What elementwise operations cost, as far as it decides what is stored and what is done again."""

from __future__ import annotations

# Those that take a polynomial or more: as dear as the memory access that storing them takes.
COSTLY_FUNCTIONS: frozenset[str] = frozenset(
    [
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "bessel_i0", "bessel_i0e",
        "bessel_i1", "bessel_i1e", "bessel_quotient", "bessel_quotient_scaled", "betaln", "cbrt",
        "cos", "cosh", "digamma", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "exp",
        "exp2", "expm1", "floor_divide", "fmod", "gamma", "hypot", "lgamma", "log", "log10",
        "log1p", "log2", "log_erfc", "log_ndtr", "logaddexp", "logit", "ndtr", "ndtri", "polygamma",
        "power", "remainder", "sigmoid", "sin", "sinc", "sinh", "softplus", "softsign", "tan",
        "tanh", "xlog1py", "xlogy",
    ]
)  # fmt: skip
