"""erf: an odd polynomial near 0, else 1 - exp(log erfc).

log erfc is fitted where erfc is at most a quarter of erf, so that its own error counts little.
Both fits are minimax (Lawson's iteration at 300 bits), to 2**-29 and 2**-55 of the result.
"""

from __future__ import annotations

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_exponential import exp_of_moderate

# Where the one takes over from the other, and where erf is 1 to the last bit.
SWITCH = {32: 0.92, 64: 0.86}
LIMIT = {32: 3.95, 64: 6.0}
# erf(x) = x + x NEAR(x**2)
NEAR = {
    32: (
        0.12837916612625122,
        -0.37612631916999817,
        0.11283678561449051,
        -0.02685873955488205,
        0.005199799779802561,
        -0.000813169579487294,
        8.332419383805245e-05,
    ),
    64: (
        0.12837916709551256,
        -0.37612638903183254,
        0.11283791670928055,
        -0.026866170639388058,
        0.0052239775629041784,
        -0.0008548323046116129,
        0.00012055174981718305,
        -1.4921606248406214e-05,
        1.639522392479296e-06,
        -1.5670520509959215e-07,
        1.0598844963196258e-08,
    ),
}
# float32: log erfc(x) = FAR(x)
FAR_SINGLE = (
    -0.00018006813479587436,
    -1.1277406215667725,
    -0.6370719075202942,
    -0.10402925312519073,
    0.022274406626820564,
    -0.0030552383977919817,
    0.00019717436225619167,
)
# float64: log erfc(x) = FAR((x - 4) / (x + 4)) - x**2
FAR_DOUBLE = (
    -1.9877783117746055,
    -1.8910151236700332,
    -0.19146838547896772,
    -0.4340060351331258,
    -0.2341121876571296,
    -0.18984517534228973,
    -0.17509179818803944,
    -0.13386706185719827,
    -0.11062591308879641,
    -0.08303715492090037,
    -0.050482141552506014,
    -0.025032302812973053,
    -0.00868062763872164,
    -0.0014366613680831892,
)


def erf(m: Arithmetic, x: Value) -> Value:
    """The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
    size = m.absolute(x)
    limit = LIMIT[m.width]
    a = m.select(size > limit, m.constant(limit), size)
    z = a * a
    near = m.multiply_add(a, m.polynomial(z, NEAR[m.width]), a)
    if m.width == 32:
        exponent = m.polynomial(a, FAR_SINGLE)
    else:
        exponent = m.polynomial((a - 4.0) / (a + 4.0), FAR_DOUBLE) - z
    far = 1.0 - exp_of_moderate(m, exponent)
    return m.copysign(m.select(a < SWITCH[m.width], near, far), x)
