"""Small dense linear algebra for sample loops: factor and solve without allocation.

Matrices are stored transposed (``M[i, r]`` is row r, column i), so that the inner loops run over contiguous memory.
"""

from __future__ import annotations

import math

from circuits.kernels.jit import kernel


@kernel(bare=True)
def factor(M, pivots, n):
    """LU of the n x n matrix whose transpose stands in M, in place, with pivoting; False if it is singular or not finite."""
    for k in range(n):
        best, at = abs(M[k, k]), k
        for i in range(k + 1, n):
            if abs(M[i, k]) > best:
                best, at = abs(M[i, k]), i
        if not best > 0.0 or not math.isfinite(best):
            return False
        pivots[k] = at
        if at != k:
            for r in range(n):
                M[k, r], M[at, r] = M[at, r], M[k, r]
        inverse = 1.0 / M[k, k]
        for i in range(k + 1, n):
            m = M[i, k] * inverse
            M[i, k] = m
            if m != 0.0:
                for r in range(k + 1, n):
                    M[i, r] -= m * M[k, r]
    return True


@kernel(bare=True)
def substitute(M, pivots, b, n):
    """Solve with the factors of `factor`; b is replaced by the solution."""
    # M = Perm^T L U, and the matrix wanted is M^T = U^T L^T Perm
    for i in range(n):
        b[i] /= M[i, i]
        for r in range(i + 1, n):
            b[r] -= M[i, r] * b[i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            b[i] -= M[k, i] * b[k]
    for k in range(n - 1, -1, -1):
        at = pivots[k]
        if at != k:
            b[k], b[at] = b[at], b[k]
