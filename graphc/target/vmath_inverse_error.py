"""erfinv, erfcinv and ndtri.

With w = -log(1 - x**2) and s = sqrt(w): erfinv(x) is x P(w) where w < 5, else s Q(s) up to s = 4.2,
else s R((s - 7) / (s + 7)) (the variables of Giles 2010). The three interpolate at Chebyshev's
points, to 2**-33 and 2**-53.
"""

from __future__ import annotations

import math

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_logarithm import log
from graphc.target.vmath_precision import in_double

CENTRE_END, MIDDLE_END = 5.0, 4.2
# The argument is w - 2.5.
CENTRE = {
    32: (
        1.501409351110606,
        0.2466402767817862,
        -0.004177317809166358,
        -0.0012527080710155482,
        0.00021825064973554723,
        -4.995894052261869e-06,
        -3.417116915007924e-06,
        4.786499092065107e-07,
        1.3692458864523415e-08,
        -1.0855286270479063e-08,
        8.325006466213088e-10,
        1.2308499142228495e-10,
        -2.1189626414022557e-11,
    ),
    64: (
        1.501409351110792,
        0.246640276744167,
        -0.0041773177243836215,
        -0.0012527079078110423,
        0.00021825026434404168,
        -4.996079598812457e-06,
        -3.4166195965117307e-06,
        4.78725218460083e-07,
        1.3416803681134769e-08,
        -1.0861168879244553e-08,
        9.073037091822312e-10,
        1.1960695546161643e-10,
        -3.1102816472698524e-11,
        9.11577357826747e-13,
        5.35643799335688e-13,
        -7.612915721391955e-14,
        -2.883044150815546e-15,
        1.8970578014029865e-15,
        -1.363754168963025e-16,
        -2.6853070051242457e-17,
        4.89208292708322e-18,
        1.7086741546590818e-19,
        -6.837821788160262e-20,
    ),
}
# The argument is s - 3.
MIDDLE = {
    32: (
        0.9442673283167634,
        0.019465017773574116,
        -0.004207114130090512,
        0.00025403707172485694,
        0.0002961867698442639,
        -0.00017255222362546162,
        4.510380863403896e-05,
        3.931938361156063e-06,
        -8.993400653102651e-06,
        3.1888439906629337e-06,
        -1.046900279807892e-07,
        -1.34734274526577e-07,
    ),
    64: (
        0.9442673282596029,
        0.01946501810410472,
        -0.004207109814110094,
        0.0002540265911813753,
        0.00029613655960092854,
        -0.00017245116646227794,
        4.529264311906895e-05,
        3.521524978817604e-06,
        -9.203223185119664e-06,
        3.918164060768433e-06,
        -2.5644627242234294e-07,
        -5.853051443490955e-07,
        3.210157286680757e-07,
        -4.3271960956542805e-08,
        -3.7497331841098957e-08,
        2.4588841922879604e-08,
        -4.583032846848751e-09,
        -1.9259125654791706e-09,
        1.4719792259970937e-09,
        -3.9109218958012113e-10,
        4.035053705759839e-11,
    ),
}
FAR = {
    32: (
        0.9812885217054618,
        0.0546141932675121,
        -0.06896853491410314,
        0.0570797504319887,
        -0.033274924705932046,
        0.0013867460184724125,
        0.03339725921553873,
        -0.0622089657720784,
        0.1137943231574653,
        -0.22811587112302303,
    ),
    64: (
        0.9812885216958581,
        0.05461419905368687,
        -0.06896852875400772,
        0.05707771199811225,
        -0.03327663716242042,
        0.0015828076951823328,
        0.033624106583669204,
        -0.0694083356940564,
        0.10294592717313478,
        -0.1322286532924647,
        0.15566636894907296,
        -0.17249454624032148,
        0.18326258590186462,
        -0.18811271764387621,
        0.16540176848542804,
        -0.07406055497923765,
        0.22742660046611454,
        -1.8388986038195274,
        2.8065394025617527,
        18.156769218654727,
        -103.36924794629452,
        230.63684344774887,
        -179.38611463525677,
        -340.6245372260409,
        1191.8054703742248,
        -1675.8556810778377,
        1333.9310445865995,
        -590.1133498750071,
        113.67486347103758,
    ),
}


def _inverse(d: Arithmetic, width: int, x: Value, w: Value, far: bool) -> Value:
    """erfinv(x) with w = -log(1 - x**2); `far` tells whether s goes beyond 4.2."""
    s = d.square_root(w)
    centre = x * d.polynomial(w - 2.5, CENTRE[width])
    tail = d.polynomial(s - 3.0, MIDDLE[width])
    if far:
        beyond = d.polynomial((s - 7.0) / (s + 7.0), FAR[width])
        tail = d.select(s < MIDDLE_END, tail, beyond)
    return d.select(w < CENTRE_END, centre, d.copysign(s * tail, x))


@in_double
def erfinv(d: Arithmetic, width: int, x: Value) -> Value:
    """The inverse of erf: erfinv(1) = inf, nan beyond; erfinv(-0) = -0."""
    a = d.absolute(x)
    result = _inverse(d, width, x, -log(d, (1.0 - a) * (a + 1.0)), width == 64)
    result = d.select(a == 1.0, d.copysign(d.constant(math.inf), x), result)
    return d.select(a <= 1.0, result, d.constant(math.nan))


def _complementary(d: Arithmetic, width: int, q: Value) -> Value:
    result = _inverse(d, width, 1.0 - q, -log(d, q * (2.0 - q)), True)
    result = d.select(q == 0.0, d.constant(math.inf), result)
    result = d.select(q == 2.0, d.constant(-math.inf), result)
    return d.select((q >= 0.0) & (q <= 2.0), result, d.constant(math.nan))


@in_double
def erfcinv(d: Arithmetic, width: int, q: Value) -> Value:
    """The inverse of erfc, also for the tiniest q: erfcinv(0) = inf, erfcinv(2) = -inf."""
    return _complementary(d, width, q)


@in_double
def ndtri(d: Arithmetic, width: int, p: Value) -> Value:
    """The inverse of ndtr, -sqrt(2) erfcinv(2 p): ndtri(0) = -inf, ndtri(1) = inf."""
    return _complementary(d, width, p + p) * -math.sqrt(2.0)
