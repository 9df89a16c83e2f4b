"""Where the answer of a device begins: what must stay in a recording for a causal filter, and what is mere latency.

The peak of a cross-correlation lies later than the beginning of the response by the delay of the device's own filters. Moving a
recording earlier by the peak would ask a filter to see the future; this looks for the first sample of the response instead.

References
----------
G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed. 2013, section 4.2: the squares of a forward substitution with the
Cholesky factor of a normal matrix are what each further column takes off the residual.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import cholesky, solve_triangular, toeplitz

_REACH = 256  # taps looked at on either side of the latency
_QUIET = 128  # the earliest of them, where nothing can have arrived: what they explain is chance, the yardstick
_OVER = 4.0  # times the largest chance that counts as an arrival
_FAINT = 1e-6  # of the largest share: less is rounding
_LEAST = 4  # samples left in before the arrival at least
_RIDGE = 1e-8  # of the input's power, so that bands that the input lacks stay quiet


def explained(dry: np.ndarray, wet: np.ndarray, first: int, taps: int) -> np.ndarray:
    """Share of the wet power that each tap of a linear filter explains beyond all later taps, shape (taps,).

    Parameters
    ----------
    dry, wet : ndarray, shape (n_samples,)
    first : int
        Lag of the first tap, samples.
    taps : int
        How many.
    """
    size = next_fast_len(len(dry) + abs(first) + taps)
    x, y = rfft(dry - dry.mean(), size), rfft(wet - wet.mean(), size)
    own = irfft(np.abs(x) ** 2, size)[:taps]
    cross = irfft(np.conj(x) * y, size)[(np.arange(first + taps - 1, first - 1, -1)) % size]
    own[0] *= 1.0 + _RIDGE
    steps = solve_triangular(cholesky(toeplitz(own), lower=True), cross, lower=True)  # from the latest tap to the earliest
    return (steps**2 / np.sum((wet - wet.mean()) ** 2))[::-1]


def removable(dry: np.ndarray, wet: np.ndarray, latency: float) -> int:
    """Samples by which a wet recording can be moved earlier without taking from its device's own response.

    Parameters
    ----------
    dry, wet : ndarray, shape (n_samples,)
        As they came.
    latency : float
        Where the correlation of both peaks, samples (see `validation.align.align`).

    Returns
    -------
    int
        0 where the response begins too early for anything to be taken out. Some samples before its beginning stay, as many as lie
        between beginning and peak where the response grows slowly: its first samples then drown.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal(20000)
    >>> removable(x, np.concatenate([np.zeros(300), x])[:20000], 300.0)
    296
    """
    peak = int(np.floor(latency))
    if len(dry) < 8 * _REACH:
        return 0 if 0 <= peak <= 2 * _LEAST else peak - _LEAST
    share = explained(dry, wet, peak - _REACH, 2 * _REACH)
    arrived = np.flatnonzero(share[_QUIET:] > max(_OVER * share[:_QUIET].max(), _FAINT * share.max()))
    begin = peak if len(arrived) == 0 else min(peak - _REACH + _QUIET + int(arrived[0]), peak)
    keep = max(_LEAST, peak - begin)
    if peak >= 0:
        found = max(begin - keep, 0)
        return found if found > _LEAST else 0
    return begin - keep
