"""Wright's omega function for real numbers, w + ln(w) = x: the function that solves a diode behind a resistor.

References
----------
Lawrence, Corless, Jeffrey: Algorithm 917: Complex double-precision evaluation of the Wright omega function, ACM TOMS 38(3), 2012
(starting values by region, then the iteration of Fritsch, Shafer and Crowley, which is of fourth order).
"""

from __future__ import annotations

import math

from circuits.kernels.jit import kernel


@kernel(bare=True)
def omega(x):
    """The w > 0 with w + ln(w) = x, to rounding; its slope is w / (1 + w)."""
    if x < -40.0:
        return math.exp(x)  # w itself is below half a unit in the last place of x - ln(w)
    if x < -2.0:
        e = math.exp(x)
        w = e * (1.0 - e * (1.0 - 1.5 * e))
    elif x < 4.0:
        t = x - 1.0
        w = 1.0 + t * (0.5 + t * (0.0625 + t * (-1.0 / 192.0 + t * (-1.0 / 3072.0 + t * 13.0 / 61440.0))))
    else:
        y = math.log(x)
        w = x - y + y / x
    for _ in range(2):
        r = x - w - math.log(w)
        s = 1.0 + w
        t = s * (s + 2.0 / 3.0 * r)
        w *= 1.0 + r / s * (t - 0.5 * r) / (t - r)
    return w
