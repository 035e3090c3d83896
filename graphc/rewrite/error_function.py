"""The error function's complement, its logarithm, and their slopes, which neither cancel nor
underflow."""

from __future__ import annotations

from graphc.ops import scalar, special
from graphc.rewrite.gates import OVERFLOW
from graphc.rewrite.pattern import function, variables
from graphc.rewrite.rule import Rule, rewrite_pattern

PHASE = "stabilize"
UNDERFLOW = "finite where erfc underflows"
(x,) = variables("x")
erf, exp, square = map(function, (scalar.erf, scalar.exp, scalar.square))
log, log1p = function(scalar.log), function(scalar.log1p)
erfc, erfcx, log_erfc = map(function, (special.erfc, special.erfcx, special.log_erfc))
ndtr, log_ndtr = function(special.ndtr), function(special.log_ndtr)

RULES: tuple[Rule, ...] = (
    rewrite_pattern("erfc_from_erf", PHASE, 1 - erf(x), erfc(x)),
    rewrite_pattern("negative_erfc_from_erf", PHASE, erf(x) - 1, -erfc(x)),
    # 1 + erf(x) stays, but in a logarithm: erfc is slower, and a gate ends in 0 either way.
    rewrite_pattern("half_of_erf", PHASE, 0.5 * erf(x) + 0.5, 0.5 * (erf(x) + 1)),
    rewrite_pattern("half_erfc", PHASE, 0.5 - 0.5 * erf(x), 0.5 * erfc(x)),
    rewrite_pattern("log_of_erfc", PHASE, log(erfc(x)), log_erfc(x), changes=UNDERFLOW),
    rewrite_pattern("log1p_of_erf", PHASE, log1p(erf(x)), log_erfc(-x), changes=UNDERFLOW),
    rewrite_pattern("log1p_of_negative_erf", PHASE, log1p(-erf(x)), log_erfc(x), changes=UNDERFLOW),
    rewrite_pattern("log_of_ndtr", PHASE, log(ndtr(x)), log_ndtr(x), changes=UNDERFLOW),
    rewrite_pattern(
        "erfcx_from_quotient",
        PHASE,
        exp(-square(x)) / erfc(x),
        1 / erfcx(x),
        changes=UNDERFLOW,
    ),
    rewrite_pattern(
        "erfcx_of_negative_from_quotient",
        PHASE,
        exp(-square(x)) / erfc(-x),
        1 / erfcx(-x),
        changes=UNDERFLOW,
    ),
    rewrite_pattern(
        "erfcx_from_product", PHASE, exp(square(x)) * erfc(x), erfcx(x), changes=OVERFLOW
    ),
)
