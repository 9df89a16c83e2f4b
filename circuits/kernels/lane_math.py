"""exp, log, powers, tanh and arctangent of vectors: polynomials, no table, every lane by the same instructions.

Errors, in units of the last place (ulp) of the result, tested against higher precision in ``tests/test_kernels_lanes.py``: exp 1.5, log 1.5,
log1p 2, tanh 3, atan 2; x^y is exp(y log x), with a relative error of 2^-52 (2 + |y log x|). Infinities, zeros and NaN are those of
the C library; results below the least normal number keep fewer digits, as there.

References
----------
Cody, Waite: Software Manual for the Elementary Functions, 1980 (reduction of the argument by a constant in two parts);
Moshier: Cephes mathematical library, 1989 (rational approximation of the arctangent).
"""

from __future__ import annotations

import math

from circuits.kernels.jit import kernel
from circuits.kernels.lanes import (alike, copied_sign, each, fused, magnitude, mantissa_and_exponent, root, times_power_of_two, where,
                                     whole_above, whole_below)

LOG2E = 1.0 / math.log(2.0)
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first has 21 zeros at its end: n times it is exact
ROUND = 1.5 * 2.0**52  # the sum with it is a whole number
E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (1.0 / math.factorial(n) for n in range(2, 14))
A1, A2, A3, A4, A5, A6, A7, A8, A9, A10 = (2.0 / (2 * n + 1) for n in range(1, 11))
TINY = 2.2250738585072014e-308  # least normal number
TAN_PI_8, TAN_3PI_8 = math.sqrt(2.0) - 1.0, math.sqrt(2.0) + 1.0
INFINITY, NAN = math.inf, math.nan


@kernel(bare=True)
def reduced(x):
    """(n, r) with x = n ln 2 + r, |r| <= ln(2) / 2."""
    n = fused(x, LOG2E, ROUND) - ROUND
    return n, fused(n, -LN2_LOW, fused(n, -LN2_HIGH, x))


@kernel(bare=True)
def series(r):
    """exp(r) - 1 for |r| <= ln(2) / 2, Taylor's series to r^13."""
    r2 = r * r
    r4 = r2 * r2
    r8 = r4 * r4
    low = fused(r2, fused(r, E5, E4), fused(r, E3, E2))
    middle = fused(r2, fused(r, E9, E8), fused(r, E7, E6))
    high = fused(r2, fused(r, E13, E12), fused(r, E11, E10))
    return fused(r2, fused(r8, high, fused(r4, middle, low)), r)


@kernel(bare=True)
def exp(x):
    """e^x."""
    x = where(x > 710.0, 710.0, where(x < -750.0, -750.0, x))  # comparisons with NaN are false, so that it goes through
    n, r = reduced(x)
    return times_power_of_two(1.0 + series(r), where(n == n, n, 0.0))


@kernel(bare=True)
def log(x):
    """Natural logarithm: -inf at 0, NaN below."""
    small = x < TINY
    m, k = mantissa_and_exponent(where(small, x * 18014398509481984.0, x))
    k = where(small, k - 54.0, k)
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    tail = fused(z4, fused(z4, fused(z, A10, A9), fused(z2, fused(z, A8, A7), fused(z, A6, A5))), fused(z2, fused(z, A4, A3), fused(z, A2, A1)))
    # log m = f - f^2/2 + s (f^2/2 + z tail), which loses nothing where m is near 1
    half = 0.5 * f * f
    value = k * LN2_HIGH - ((half - fused(s, fused(z, tail, half), k * LN2_LOW)) - f)
    value = where(x < INFINITY, value, x)
    return where(x > 0.0, value, where(x == 0.0, -INFINITY, NAN))


@kernel(bare=True)
def log1p(x):
    """log(1 + x)."""
    u = 1.0 + x
    lost = x - (u - 1.0)
    return where((u > 0.0) & (u < INFINITY), log(u) + lost / u, log(u))


@kernel(bare=True)
def pow(x, y):
    """x^y; for x < 0 only with whole y, else NaN."""
    x, y = alike(x, y), alike(y, x)
    whole = y == whole_below(y)
    odd = whole & (0.5 * y != whole_below(0.5 * y))
    value = exp(y * log(magnitude(x)))
    value = where(odd, copied_sign(value, x), value)
    return where(y == 0.0, 1.0, where((x >= 0.0) | whole, value, NAN))


@kernel(bare=True)
def tanh(x):
    """Hyperbolic tangent: m / (m + 2) with m = exp(2 x) - 1."""
    a = magnitude(x)
    n, r = reduced(2.0 * where(a > 20.0, 20.0, a))
    n = where(n == n, n, 0.0)
    power = times_power_of_two(n * 0.0 + 1.0, n)
    m = fused(power, series(r), power - 1.0)
    return copied_sign(m / (m + 2.0), x)


@kernel(bare=True)
def atan(x):
    """Arctangent."""
    a = magnitude(x)
    high, middle = a > TAN_3PI_8, a > TAN_PI_8
    t = where(high, -1.0 / a, where(middle, (a - 1.0) / (a + 1.0), a))
    z = t * t
    top = fused(fused(fused(fused(z, -8.750608600031904122785e-1, -1.615753718733365076637e1), z, -7.500855792314704667340e1), z,
                      -1.228866684490136173410e2), z, -6.485021904942025371773e1)
    bottom = fused(fused(fused(fused(z + 2.485846490142306297962e1, z, 1.650270098316988542046e2), z, 4.328810604912902668951e2), z,
                         4.853903996359136964868e2), z, 1.945506571482613964425e2)
    value = fused(t, z * (top / bottom), t)
    # pi/2 and pi/4 in two parts: the second is what the first lacks
    value = where(high, (value + 6.123233995736765886130e-17) + 1.5707963267948966, where(middle, (value + 3.061616997868382943065e-17) + 0.7853981633974483, value))
    return copied_sign(value, x)


@kernel(bare=True)
def least(x, y):
    """The smaller of each pair."""
    return where(x < y, x, y)


@kernel(bare=True)
def most(x, y):
    """The larger of each pair."""
    return where(x > y, x, y)


@kernel(bare=True)
def squared(x):
    """x^2."""
    return x * x


sqrt, floor, ceil, copysign = root, whole_below, whole_above, copied_sign
sin, cos, tan, asin, acos = (each(name) for name in ("sin", "cos", "tan", "asin", "acos"))
sinh, cosh, asinh, acosh, atanh = (each(name) for name in ("sinh", "cosh", "asinh", "acosh", "atanh"))
expm1 = each("expm1")
atan2, hypot = each("atan2", 2), each("hypot", 2)
