"""The diode root at the price of one short sum: its exact solution, expanded around a thousand voltages before the first sample.

For a given port resistance the voltage v of the diodes is one smooth function of the open-circuit voltage e. Around solved points (Wright's omega and
steps on the exact law, `wdf.diodes`) its Taylor series follows from the series of the exponentials; eight terms end at rounding, because
the solution's singularities lie at least pi n Vt away from the real axis and the points an eighth of n Vt apart. Beyond 32 n Vt, where the
function is nearly a logarithm, one n Vt apart is as good. The place where SPICE bends the blocking current is a border between two
expansions. They end before the first that does not meet its neighbour to rounding, and what lies behind is solved anew each time.

References
----------
Corless, Gonnet, Hare, Jeffrey, Knuth: On the Lambert W function, Advances in Computational Mathematics 5, 1996 (section 4: series and singularities).
Knuth: The Art of Computer Programming 2, section 4.7: powers and inverses of power series.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from circuits.kernels.jit import kernel
from wdf.diodes import Direction, one_direction, pair_voltage, prepared

TERMS = 8
FINE, COARSE = 0.125, 1.0  # distance of the points in n Vt, below and above BORDER
BORDER = 32.0  # n Vt
COARSE_ROWS = 992
ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN = (np.uint64(k) for k in range(1, TERMS))
EXACT = 3e-15  # of v + n Vt: how well neighbours must meet; a sum lies as near to the solved root
FAST_ERROR = 5e-6  # largest error of the fast form (four terms) in n Vt of the conducting diode: 0.2 uV for a 1N4148


class Pieces(NamedTuple):
    """Where the expansions of one polarity lie.

    first : row of the first, which begins at 0 V. inverse : 1 / width of the fine ones, 1/V. border : volts up to which they reach.
    coarse, shift : x coarse + shift is the place of the coarse ones, in rows. end : volts; 0 if there are none.
    """

    first: int
    inverse: float
    border: float
    coarse: float
    shift: float
    end: float


NONE = Pieces(0, 0.0, 0.0, 0.0, 0.0, 0.0)


@kernel
def expand(d, centres, widths, out):
    """Taylor polynomials of v(e) at open-circuit voltages ``centres``, in shares of ``widths`` from the left end, shape (n, TERMS).

    With P = R I exp(v / s) and Q the blocking current's R J exp(-v / r), or (beyond 3 r) its tail / v^3, the k-th order of v + P - Q = e is
    v_k (1 + P'(v_0) - Q'(v_0)) = [k = 1] - (what the lower orders give).
    """
    v, p, q = np.zeros(TERMS), np.zeros(TERMS), np.zeros(TERMS)
    for row in range(len(centres)):
        v[0] = one_direction(centres[row], d) if centres[row] > 0.0 else 0.0
        bent = v[0] > d.knee
        p[0] = d.conducting * math.exp(v[0] * d.inverse)
        q[0] = d.tail / (v[0] * v[0] * v[0]) if bent else d.blocking * math.exp(-v[0] * d.blocking_inverse)
        falls = 3.0 / v[0] if bent else d.blocking_inverse
        slope = 1.0 + p[0] * d.inverse + q[0] * falls
        for j in range(1, TERMS):
            p[j], q[j] = 0.0, 0.0
            for i in range(1, j):
                p[j] += i * v[i] * p[j - i]
                q[j] -= ((3.0 * i + (j - i)) if bent else i) * v[i] * q[j - i]
            p[j] *= d.inverse / j
            q[j] *= (1.0 / v[0] if bent else d.blocking_inverse) / j
            v[j] = ((widths[row] if j == 1 else 0.0) - p[j] + q[j]) / slope
            p[j] += p[0] * d.inverse * v[j]
            q[j] -= q[0] * falls * v[j]
        for first in range(TERMS - 1):  # from the centre to the left end: Horner's scheme for v(t - 1/2)
            for j in range(TERMS - 2, first - 1, -1):
                v[j] -= 0.5 * v[j + 1]
        for j in range(TERMS):
            out[row, j] = v[j]


@kernel
def unbroken(table, scale):
    """Pieces from the first on that begin where the one before ends, within `EXACT`."""
    before = 0.0
    for row in range(len(table)):
        if not abs(table[row, 0] - before) <= EXACT * (abs(before) + scale):
            return max(row - 1, 0)  # either of the two may be wrong
        before = 0.0
        for j in range(TERMS - 1, -1, -1):
            before += table[row, j]
    return len(table)


def _polarity(d: Direction, first: int) -> tuple[Pieces, np.ndarray]:
    fine, coarse = FINE * d.scale, COARSE * d.scale
    if d.blocking > 0.0:  # a border of two pieces falls on the knee: e where v = 3 r
        fine = FINE * min(d.scale, 1.0 / d.blocking_inverse)
        knee = d.knee + d.conducting * math.expm1(min(d.knee * d.inverse, 500.0)) - d.blocking * math.expm1(-3.0)
        fine = knee / math.ceil(knee / fine)
    near = min(math.ceil(BORDER * d.scale / fine), COARSE_ROWS)
    border, rows = near * fine, np.arange(near + COARSE_ROWS)
    centres = np.where(rows < near, (rows + 0.5) * fine, border + (rows - near + 0.5) * coarse)
    table = np.empty((len(rows), TERMS))
    expand(d, centres, np.where(rows < near, fine, coarse), table)
    count = unbroken(table, d.scale)
    table[0, 0] = 0.0  # silence is silence, not 1e-18 V
    end = (count * fine if count < near else border + (count - near) * coarse) * (1.0 - 1e-9)  # no rounding reaches behind the last
    return Pieces(first, 1.0 / fine, min(border, end), 1.0 / coarse, near - border / coarse, end), table


@lru_cache(maxsize=8)
def expansions(R: float, constants: tuple[float, float, float, float]) -> tuple[Pieces, Pieces, np.ndarray]:
    """Expansions of both polarities of diodes (I, s, J, r) behind a resistance R, ohms.

    Returns
    -------
    up, down : Pieces
        For positive and negative open-circuit voltages; the same for an antiparallel pair.
    table : ndarray, shape (n_rows * TERMS,), volts
        Read-only.

    Examples
    --------
    >>> constants = (2.52e-9, 0.0453, 2.52e-9, 0.0453)
    >>> up, down, table = expansions(4700.0, constants)
    >>> round(expanded_voltage(1.0, up, *prepared(4700.0, constants), table, 0), 6)
    0.483905
    """
    positive, negative = prepared(R, constants)
    up, table = _polarity(positive, 0)
    down = up
    if negative != positive:
        down, other = _polarity(negative, len(table))
        table = np.vstack([table, other])
    table = table.ravel()
    table.flags.writeable = False
    return up, down, table


@kernel
def piece(place, first, table, fast):
    """Sum of the expansion that lies at a place, in rows from the first."""
    k = int(place)
    t = place - k
    at = np.uint64(TERMS * (first + k))  # a signed index is tested for counting from the end
    t2 = t * t
    v = (table[at] + table[at + ONE] * t) + (table[at + TWO] + table[at + THREE] * t) * t2
    if fast:
        return v
    return v + ((table[at + FOUR] + table[at + FIVE] * t) + (table[at + SIX] + table[at + SEVEN] * t) * t2) * (t2 * t2)


@kernel
def expanded_voltage(e, pieces, up, down, table, fast):
    """Voltage of the diodes at the root, volts, as `wdf.diodes.pair_voltage`, from the expansion in which ``e`` lies.

    Parameters
    ----------
    e : float
        Open-circuit voltage, volts.
    pieces : Pieces
        Of the polarity of ``e``.
    up, down : Direction
        For what no expansion covers.
    table : ndarray, shape (n_rows * TERMS,)
    fast : int
        0: all terms, to rounding. 1: four terms, error at most `FAST_ERROR`.
    """
    x = abs(e)
    if x < pieces.border:
        return math.copysign(piece(x * pieces.inverse, pieces.first, table, fast), e)
    if x < pieces.end:
        return math.copysign(piece(x * pieces.coarse + pieces.shift, pieces.first, table, fast), e)
    return pair_voltage(e, up, down)
