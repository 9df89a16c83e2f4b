"""Elimination for wide blocks in vector lanes: every lane has a matrix of its own, all are factored by the same steps, without pivoting."""

from __future__ import annotations

from circuits.kernels.jit import kernel
from circuits.kernels.lanes import load, store


@kernel(bare=True)
def factor_lanes(M, first, n, count):
    """LU of the n x n matrices whose entry (i, k) is row first + i n + k of M, in place, with inverses on the diagonal."""
    for k in range(n):
        inverse = 1.0 / load(M, first + k * n + k, count)
        store(M, first + k * n + k, inverse)
        for i in range(k + 1, n):
            m = load(M, first + i * n + k, count) * inverse
            store(M, first + i * n + k, m)
            for r in range(k + 1, n):
                store(M, first + i * n + r, load(M, first + i * n + r, count) - m * load(M, first + k * n + r, count))


@kernel(bare=True)
def substitute_lanes(M, first, b, n, count):
    """Solve with the factors of `factor_lanes`; rows of b are replaced by the solution."""
    for i in range(1, n):
        total = load(b, i, count)
        for k in range(i):
            total -= load(M, first + i * n + k, count) * load(b, k, count)
        store(b, i, total)
    for i in range(n - 1, -1, -1):
        total = load(b, i, count)
        for k in range(i + 1, n):
            total -= load(M, first + i * n + k, count) * load(b, k, count)
        store(b, i, total * load(M, first + i * n + i, count))
