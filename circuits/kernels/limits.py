"""How far a Newton step may go: junctions by SPICE's logarithmic rule, tubes and transistors by a largest step.

References
----------
Nagel: SPICE2, ERL Memo M520, 1975, section 5.3 (junction voltage limiting).
"""

from __future__ import annotations

import math

from circuits.kernels.jit import kernel


@kernel(bare=True)
def junction_limit(new, old, scale, bound):
    """A junction voltage after a step, kept where the exponential can follow (pnjlim); from far below a breakdown first to where it begins."""
    if new > bound and abs(new - old) > 2.0 * scale:
        if old < bound - 40.0 * scale and bound > 40.0 * scale:
            return bound
        if old > 0.0:
            argument = 1.0 + (new - old) / scale
            return old + scale * math.log(argument) if argument > 0.0 else bound
        return scale * math.log(new / scale)
    return new


@kernel(bare=True)
def limited(old, step, plus_scale, plus_bound, minus_scale, minus_bound, largest):
    """The value of one port after a limited Newton step."""
    if largest > 0.0:
        if step > largest:
            step = largest
        elif step < -largest:
            step = -largest
    new = old + step
    if plus_scale > 0.0 and new > plus_bound:
        new = junction_limit(new, old, plus_scale, plus_bound)
    if minus_scale > 0.0 and -new > minus_bound:
        new = -junction_limit(-new, -old, minus_scale, minus_bound)
    return new
