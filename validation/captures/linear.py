"""The best linear filter between two signals, and how much of the second it explains: what is left is the work of anything that bends.

References
----------
J. Makhoul, "Linear prediction: a tutorial review", Proc. IEEE 63(4), 1975: the autocorrelation method, whose normal equations are Toeplitz.
"""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np
from scipy.linalg import solve_toeplitz

FILTER_TAPS = 1024
_EASE = 1e-7  # of the input's energy: keeps the equations solvable where the input has no treble


def best_filter(pairs: Sequence[tuple[np.ndarray, np.ndarray]], n_taps: int) -> np.ndarray:
    """Taps that lead from inputs to outputs with the smallest squared error, all pairs together; means of the outputs are left out.

    Parameters
    ----------
    pairs : sequence of (x, y)
        Arrays of shape (n_samples,) each.
    n_taps : int

    Returns
    -------
    ndarray, shape (n_taps,)

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(8000)
    >>> np.allclose(best_filter([(x, 0.5 * x)], 2), [0.5, 0.0], atol=1e-3)
    True
    """
    own, cross = np.zeros(n_taps), np.zeros(n_taps)
    for x, y in pairs:
        size = 1 << (len(x) + n_taps).bit_length()
        spectrum = np.fft.rfft(x, size)
        own += np.fft.irfft(np.abs(spectrum) ** 2, size)[:n_taps]
        cross += np.fft.irfft(np.conj(spectrum) * np.fft.rfft(y - np.mean(y), size), size)[:n_taps]
    own[0] *= 1.0 + _EASE
    return solve_toeplitz(own, cross)


def linear_share(x: np.ndarray, y: np.ndarray, n_taps: int = FILTER_TAPS) -> float:
    """Share of an output's energy that the best FIR filter explains: fitted on three quarters, judged on the last.

    Parameters
    ----------
    x, y : ndarray, shape (n_samples,)
        Input and output.
    n_taps : int
        Length of the filter.

    Returns
    -------
    float
        1 - ESR on the unseen part; NaN if the output is silent there. Below 0 a filter is worse than nothing.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(8000)
    >>> round(linear_share(x, 0.5 * x, 8), 3)
    1.0
    """
    cut = 3 * len(x) // 4
    estimate = np.convolve(x, best_filter([(x[:cut], y[:cut])], n_taps))[cut:len(x)]
    target = y[cut:] - np.mean(y[:cut])
    energy = float(np.sum(target**2))
    return 1.0 - float(np.sum((target - estimate) ** 2)) / energy if energy else math.nan
