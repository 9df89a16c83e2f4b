"""One Newton step on a block of ports: its Jacobian, the division by it, the limited move, and whether that brought the solution nearer.

In what order steps are taken is `circuits.nodal.transient`'s to say. ``lo`` and ``hi`` are a block's first port and the one behind its last, n their difference.

References
----------
Deuflhard: Newton Methods for Nonlinear Problems, Springer 2004, section 3.3 (NLEQ-ERR: equations 3.46 to 3.49).
"""

from __future__ import annotations

import numpy as np

from circuits.kernels.dense import factor, substitute
from circuits.kernels.jit import kernel
from circuits.kernels.limits import limited


@kernel(bare=True)
def jacobian(port, column, KT, first, last, lo, n, slope, M, inertia):
    """The transpose of (1 + inertia) I - K dw/dq for the ports of a block, from slopes ``first`` to before ``last``."""
    for i in range(n):
        for r in range(n):
            M[i, r] = 0.0
        M[i, i] = 1.0 + inertia
    for s in range(first, last):
        i, c, g = port[s] - lo, column[s], slope[s]
        if i >= 0 and g != 0.0:
            for r in range(n):
                M[i, r] -= KT[c, lo + r] * g


@kernel(bare=True)
def divide(M, pivots, dq, lo, n, fresh):
    """Divide dq by the Jacobian of a block, factored here if ``fresh`` is 1; False if it is singular."""
    if n == 1:
        J = M[0, 0]
        dq[lo] /= J
        return abs(J) > 0.0 and np.isfinite(J)
    if fresh > 0 and not factor(M, pivots, n):
        return False
    substitute(M, pivots, dq[lo:lo + n], n)
    return True


@kernel(bare=True)
def upright(M, pivots, n):
    """Whether the determinant of a factored Jacobian is positive, as it is wherever the ports' own motion would come to rest."""
    if n == 1:
        return M[0, 0] > 0.0
    positive = True
    for k in range(n):
        if (M[k, k] < 0.0) != (pivots[k] != k):
            positive = not positive
    return positive


@kernel(bare=True)
def move(q, dq, lo, hi, limits, bend):
    """Apply dq with limits; return the largest error that is left, dq^2 / (2 bend) in volts, and whether a limit cut the step."""
    largest = 0.0
    cut = False
    for r in range(lo, hi):
        step = dq[r]
        old = q[r]
        new = limited(old, step, limits[0, r], limits[1, r], limits[2, r], limits[3, r], limits[4, r])
        if not np.isfinite(new):
            return np.inf, True
        if new != old + step:
            cut = True
        size = step * step * bend[r]
        if size > largest:
            largest = size
        q[r] = new
    return largest, cut


@kernel(bare=True)
def nearer(M, pivots, test, step, bend, lo, hi, share):
    """Squares, in volts: how long the next step would be with the same Jacobian, and how far it is from what a straight line promised.

    ``test`` holds the residual after ``share`` of ``step``, and is used up.
    """
    divide(M, pivots, test, lo, hi - lo, 0)
    left, bent = 0.0, 0.0
    for r in range(lo, hi):
        if not np.isfinite(test[r]):
            return np.inf, np.inf
        size = test[r] * test[r] * bend[r]
        left = size if size > left else left
        away = test[r] - (1.0 - share) * step[r]
        size = away * away * bend[r]
        bent = size if size > bent else bent
    return left, bent


@kernel(bare=True)
def move_part(q, begin, step, share, lo, hi, limits):
    """Go a share of a limited step."""
    for r in range(lo, hi):
        whole = limited(begin[r], step[r], limits[0, r], limits[1, r], limits[2, r], limits[3, r], limits[4, r])
        q[r] = begin[r] + share * (whole - begin[r])


@kernel(bare=True)
def carry(port, column, first, last, lo, slope, dq, w):
    """Move the laws' outputs along the last step: w += dw/dq dq."""
    for s in range(first, last):
        if port[s] >= lo:
            w[column[s]] += slope[s] * dq[port[s]]
