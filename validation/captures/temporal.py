"""Temporal FiLM: the maxima of each block of samples go through an LSTM, whose output scales and shifts the block behind it.

State in the arena: h (2 C) and the maxima so far (C), then how many samples of the block are over; the next h; c (2 C). Each of the three has ``padded`` numbers.

References
----------
M. Comunità, C. J. Steinmetz, H. Phan, J. D. Reiss, "Modelling black-box audio effects with time-varying feature modulation", ICASSP 2023. Here a block is
    modulated by what was heard up to the block before it.
"""

from __future__ import annotations

import math

import numpy as np

from circuits.kernels.jit import kernel

LOWEST = -2.0  # no gated activation goes below -1


def pack(w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rows of the four gates one after another: bias, columns of the maxima, columns of h."""
    return np.column_stack([b, w, u]).ravel()


def at_rest(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """First (h, maxima, count) and c."""
    return np.concatenate([np.zeros(2 * channels), np.full(channels, LOWEST), np.zeros(1)]), np.zeros(3 * channels + 1)


@kernel(bare=True)
def _logistic(z):
    return 0.5 + 0.5 * math.tanh(0.5 * z)


@kernel(bare=True)
def _step(a, w, channels, state, padded, w0):
    """One step of the LSTM; the new h takes the place of the old one at the end only."""
    n, columns = 2 * channels, 1 + 3 * channels
    for j in range(n):
        i, f, g, o = 0.0, 0.0, 0.0, 0.0
        row = w0 + j * columns
        for k in range(columns):
            v = 1.0
            if k > channels:
                v = a[state + k - 1 - channels]
            elif k > 0:
                v = a[state + n + k - 1]
            i += w[row + k] * v
            f += w[row + n * columns + k] * v
            g += w[row + 2 * n * columns + k] * v
            o += w[row + 3 * n * columns + k] * v
        c = _logistic(f) * a[state + 2 * padded + j] + _logistic(i) * math.tanh(g)
        a[state + 2 * padded + j] = c
        a[state + padded + j] = _logistic(o) * math.tanh(c)
    for j in range(n):
        a[state + j] = a[state + padded + j]
    for j in range(channels):
        a[state + n + j] = LOWEST


@kernel
def temporal_film(a, w, n, rows, stride, channels, block, state, padded, w0):
    """Modulate some rows in place, n samples from ``rows`` on."""
    count_at = state + 3 * channels
    t = 0
    while t < n:
        count = int(a[count_at])
        m = min(n - t, block - count)
        for j in range(channels):
            at = rows + j * stride + t
            highest, scale, shift = a[state + 2 * channels + j], 1.0 + a[state + j], a[state + channels + j]
            for k in range(at, at + m):
                v = a[k]
                highest = max(highest, v)
                a[k] = scale * v + shift
            a[state + 2 * channels + j] = highest
        t += m
        if count + m == block:
            _step(a, w, channels, state, padded, w0)
            a[count_at] = 0.0
        else:
            a[count_at] = count + m
