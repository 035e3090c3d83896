"""The modified Bessel functions I0 and I1, exp(-abs(x)) times them, and I_k(x) / x**k.

Up to abs(x) = 8 a polynomial in x**2 / 4, beyond exp(a) / sqrt(a) P(1 / a), both interpolated at
Chebyshev's points, to 2**-33 and 2**-53. exp(a) goes on as exp(a - 8), since it overflows before
the product does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from graphc.target.arithmetic import Arithmetic, Value
from graphc.target.vmath_precision import exp_to, in_double

Tables = Mapping[int, Sequence[float]]
NEAR_END = 8.0
# sqrt(EXP_SHIFT_SQUARED) = exp(8)
EXP_SHIFT, EXP_SHIFT_SQUARED = 8.0, 8886110.520507872
# Every function that grows is infinite here.
LIMIT = 1000.0
# The orders of `quotient` and where its series gives way to the recurrence from I0 and I1.
ORDERS, SERIES_END = 12, 16.0
# Terms that the series needs there.
TERMS = {32: 24, 64: 34}
# (I0(x) - 1) / t, t = x**2 / 4
NEAR_ZERO = {
    32: (
        1.0000000000613896,
        0.24999999907184564,
        0.027777780093831597,
        0.0017361088608034139,
        6.944556353693222e-05,
        1.928688510927763e-06,
        3.942580970131105e-08,
        6.084355945818214e-10,
        8.082368810532722e-12,
        5.419294884571541e-14,
        1.1496750243872277e-15,
    ),
    64: (
        1.0,
        0.24999999999999978,
        0.02777777777777875,
        0.0017361111111093206,
        6.944444444616816e-05,
        1.9290123446805867e-06,
        3.936759926844542e-08,
        6.15118635186851e-10,
        7.594076206960491e-12,
        7.593826224406273e-14,
        6.278259905526438e-16,
        4.343856773095927e-18,
        2.645953779280478e-20,
        1.1142612357799538e-22,
        9.319145226834536e-25,
    ),
}
# (2 I1(x) / x - 1) / t
NEAR_ONE = {
    32: (
        0.5000000000045541,
        0.08333333326447712,
        0.00694444461628425,
        0.000347222055222881,
        1.1574157152993712e-05,
        2.755491391643887e-07,
        4.925276712816541e-09,
        6.784922181493729e-11,
        7.958033368373557e-13,
        5.277975807259882e-15,
        9.156391421722979e-17,
    ),
    64: (
        0.5,
        0.08333333333333331,
        0.0069444444444445004,
        0.00034722222222211924,
        1.1574074074173215e-05,
        2.7557319218242714e-07,
        4.920949883117534e-09,
        6.834652024314775e-11,
        7.594068661497428e-13,
        6.903555776165921e-15,
        5.231322843999412e-17,
        3.3442291404172145e-19,
        1.8807745721382152e-21,
        7.606686093077646e-24,
        5.66964120618676e-26,
    ),
}
# sqrt(a) exp(-a) I0(a), in 1 / a - 1 / 16
FAR_ZERO = {
    32: (
        0.40217650943039623,
        0.05376883163478406,
        0.03487150258016907,
        0.04564320153706311,
        0.09685570337087679,
        0.30884284167021564,
        1.7754482176078965,
        13.07752331860869,
        6.1272573722580566,
        -522.9981356133777,
    ),
    64: (
        0.4021765094450081,
        0.053768831738685664,
        0.03487131504443555,
        0.04564186641028467,
        0.09724543286765126,
        0.311804394517196,
        1.4885171154562513,
        10.556500878180078,
        92.53588807923731,
        519.0709623579104,
        -7399.496549164041,
        -235806.93721980634,
        -1539186.9160299562,
        33957766.502857916,
        546156089.7901996,
        -4017888253.657922,
        -114128892556.46205,
        441812785455.0078,
        18321250958292.402,
        -41973862276866.36,
        -2149349069727962.2,
        2832395861636434.0,
        1.602438831863155e17,
        -9.489707150241064e16,
        -5.594776734899409e18,
    ),
}
# sqrt(a) exp(-a) I1(a), in 1 / a - 1 / 16
FAR_ONE = {
    32: (
        0.3893984590413858,
        -0.15599323497761425,
        -0.056124554583753365,
        -0.06159935564921461,
        -0.11983973158571133,
        -0.362068888650915,
        -1.9807941796185555,
        -14.314030912644824,
        -10.020487122454368,
        536.8478147268714,
    ),
    64: (
        0.38939845902587233,
        -0.15599323509177165,
        -0.05612435554158123,
        -0.06159788933608728,
        -0.12025266919985128,
        -0.36530873742398595,
        -1.6779436202363074,
        -11.577449282512752,
        -100.37600018349416,
        -579.0703349078492,
        7384.179898676852,
        246809.9552259949,
        1700270.7165125136,
        -34363738.883520864,
        -579592268.7377318,
        3926617940.2728963,
        119640212413.78174,
        -417987073684.2832,
        -19108224314262.348,
        38832149956658.53,
        2236926609980471.8,
        -2590613951181836.5,
        -1.6663093942860874e17,
        8.640479015903806e16,
        5.815898171244302e18,
    ),
}


def _growing(d: Arithmetic, width: int, a: Value, near: Value, far: Tables) -> Value:
    """`near` up to 8, and exp(a) / sqrt(a) times the polynomial beyond."""
    a = d.select(a < LIMIT, a, d.constant(LIMIT))
    inverse = 1.0 / a
    scale = d.square_root(inverse * EXP_SHIFT_SQUARED)
    beyond = exp_to(d, width, a - EXP_SHIFT) * d.polynomial(inverse - 0.0625, far[width]) * scale
    return d.select(a < NEAR_END, near, beyond)


def _decaying(d: Arithmetic, width: int, a: Value, near: Value, far: Tables) -> Value:
    """The same times exp(-a)."""
    inverse = 1.0 / a
    beyond = d.polynomial(inverse - 0.0625, far[width]) * d.square_root(inverse)
    return d.select(a < NEAR_END, exp_to(d, width, -a) * near, beyond)


def _near_zero(d: Arithmetic, width: int, a: Value) -> Value:
    t = a * a * 0.25
    return d.multiply_add(t, d.polynomial(t, NEAR_ZERO[width]), d.constant(1.0))


def _near_one(d: Arithmetic, width: int, a: Value) -> Value:
    half = a * 0.5
    t = half * half
    return d.multiply_add(half * t, d.polynomial(t, NEAR_ONE[width]), half)


@in_double
def i0(d: Arithmetic, width: int, x: Value) -> Value:
    """I0(x), even; inf at both infinities."""
    a = d.absolute(x)
    return _growing(d, width, a, _near_zero(d, width, a), FAR_ZERO)


@in_double
def i1(d: Arithmetic, width: int, x: Value) -> Value:
    """I1(x), odd; i1(-0) = -0."""
    a = d.absolute(x)
    return d.copysign(_growing(d, width, a, _near_one(d, width, a), FAR_ONE), x)


@in_double
def i0e(d: Arithmetic, width: int, x: Value) -> Value:
    """exp(-abs(x)) I0(x); 0 at both infinities."""
    a = d.absolute(x)
    return _decaying(d, width, a, _near_zero(d, width, a), FAR_ZERO)


@in_double
def i1e(d: Arithmetic, width: int, x: Value) -> Value:
    """exp(-abs(x)) I1(x); 0, with the sign of x, at both infinities."""
    a = d.absolute(x)
    return d.copysign(_decaying(d, width, a, _near_one(d, width, a), FAR_ONE), x)


def _series(d: Arithmetic, width: int, k: Value, a: Value) -> Value:
    """I_k(a) / a**k = sum of t**j / (j! (k + j)!) / 2**k, t = a**2 / 4."""
    t = a * a * 0.25
    total = d.constant(1.0)
    for j in range(TERMS[width], 0, -1):
        total = d.multiply_add(t / ((k + float(j)) * float(j)), total, d.constant(1.0))
    divisor = d.constant(1.0)
    for j in range(1, ORDERS + 1):
        divisor = d.select(k >= float(j), divisor * float(2 * j), divisor)
    return total / divisor


def _recurrence(d: Arithmetic, width: int, k: Value, a: Value) -> Value:
    """exp(-a) I_k(a) / a**k from orders 0 and 1, for a well above k."""
    inverse = 1.0 / a
    root = d.square_root(inverse)
    before = d.polynomial(inverse - 0.0625, FAR_ZERO[width]) * root
    last = d.polynomial(inverse - 0.0625, FAR_ONE[width]) * root * inverse
    result = d.select(k == 0.0, before, last)
    square = inverse * inverse
    for j in range(1, ORDERS):
        before, last = last, (before - last * float(2 * j)) * square
        result = d.select(k == float(j + 1), last, result)
    return result


def _checked(d: Arithmetic, k: Value, result: Value) -> Value:
    known = (k == d.floor(k)) & (k >= 0.0) & (k <= float(ORDERS))
    return d.select(known, result, d.constant(math.nan))


@in_double
def bessel_quotient(d: Arithmetic, width: int, k: Value, x: Value) -> Value:
    """I_k(x) / x**k for k = 0, 1 ... 12, nan for other orders; even in x."""
    a = d.absolute(x)
    a = d.select(a < LIMIT, a, d.constant(LIMIT))
    far = _recurrence(d, width, k, a) * exp_to(d, width, a - EXP_SHIFT) * math.exp(EXP_SHIFT)
    return _checked(d, k, d.select(a < SERIES_END, _series(d, width, k, a), far))


@in_double
def bessel_quotient_scaled(d: Arithmetic, width: int, k: Value, x: Value) -> Value:
    """exp(-abs(x)) I_k(x) / x**k for k = 0, 1 ... 12, nan for other orders."""
    a = d.absolute(x)
    bounded = d.select(a < SERIES_END, a, d.constant(SERIES_END))
    near = _series(d, width, k, bounded) * exp_to(d, width, -bounded)
    return _checked(d, k, d.select(a < SERIES_END, near, _recurrence(d, width, k, a)))
