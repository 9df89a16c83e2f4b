"""tanh and log cosh of whole rows of numbers, as many at a time as the processor has lanes: what curves and rectifiers spend their time on.

Every number is computed by the same instructions wherever it stands, so a result does not depend on how the audio was cut into blocks.
"""

from __future__ import annotations

import numpy as np

from circuits.kernels.jit import kernel
from circuits.kernels.lane_math import exp, log
from circuits.kernels.lanes import copied_sign, host_lanes, load, magnitude, store

WIDTH = host_lanes()
_LN2 = 0.6931471805599453


@kernel(bare=True)
def padded(n):
    """Length of a row that has room for n numbers and ends with a full vector."""
    return -(-n // WIDTH) * WIDTH


@kernel
def squash_row(z):
    """tanh in place, absolute error below 4e-16; the length of ``z`` is one that `padded` gives."""
    for q in range(z.shape[0] // WIDTH):
        v = load(z, q, WIDTH)
        e = exp(-2.0 * magnitude(v))
        store(z, q, copied_sign((1.0 - e) / (1.0 + e), v))


@kernel
def squashed(values):
    """tanh of a few numbers, to the last bit what `squash_row` gives: their difference at rest is nothing."""
    z = np.zeros(padded(len(values)))
    z[:len(values)] = values
    squash_row(z)
    return z


@kernel
def squash_row_and_area(z, area):
    """tanh in place, and log cosh into ``area``: the antiderivative from zero on, without overflow."""
    for q in range(z.shape[0] // WIDTH):
        v = load(z, q, WIDTH)
        a = magnitude(v)
        e = exp(-2.0 * a)
        u = 1.0 + e
        store(area, q, a + (log(u) + (e - (u - 1.0)) / u - _LN2))
        store(z, q, copied_sign((1.0 - e) / u, v))
