"""The special functions of kernels, by name, for the tables of `vmath`."""

from __future__ import annotations

from collections.abc import Callable

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_bessel import bessel_quotient, bessel_quotient_scaled, i0, i0e, i1, i1e
from graphc.target.vmath_beta import betaln
from graphc.target.vmath_complementary import erfcx, log_erfc, log_ndtr
from graphc.target.vmath_entropy import entr, xlog1py
from graphc.target.vmath_gamma import digamma, gamma, lgamma
from graphc.target.vmath_inverse_error import erfcinv, erfinv, ndtri
from graphc.target.vmath_polygamma import polygamma
from graphc.target.vmath_tails import erfc, ndtr

UNARY: dict[str, Callable[[Arithmetic, Value], Value]] = {
    "bessel_i0": i0,
    "bessel_i0e": i0e,
    "bessel_i1": i1,
    "bessel_i1e": i1e,
    "digamma": digamma,
    "entr": entr,
    "erfc": erfc,
    "erfcinv": erfcinv,
    "erfcx": erfcx,
    "erfinv": erfinv,
    "gamma": gamma,
    "lgamma": lgamma,
    "log_erfc": log_erfc,
    "log_ndtr": log_ndtr,
    "ndtr": ndtr,
    "ndtri": ndtri,
}

BINARY: dict[str, Callable[[Arithmetic, Value, Value], Value]] = {
    "bessel_quotient": bessel_quotient,
    "bessel_quotient_scaled": bessel_quotient_scaled,
    "betaln": betaln,
    "polygamma": polygamma,
    "xlog1py": xlog1py,
}
