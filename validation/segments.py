"""Is the difference real? Errors over segments and levels, their intervals, and paired tests between candidates.

Neighbouring segments of music are not independent: read a p-value near 0.05 as a hint.

References
----------
B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: percentile intervals, here over segments.
F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945: the paired test.
S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6(2), 1979.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
from scipy.stats import wilcoxon

from validation.comparison import Pair

LEVEL_EDGES = (-10.0, -20.0, -30.0, -40.0, -50.0, -60.0)  # dB under the loudest frame of the target
_FEWEST = 6  # segments; with fewer no two-sided p-value can be under 0.05
_SILENT = 1e-6  # a segment 60 dB under the loudest has no error worth a ratio


def loud_segments(signal: np.ndarray) -> np.ndarray:
    """Which segments of these energies are more than 60 dB over nothing: within 60 dB of the loudest.

    Examples
    --------
    >>> loud_segments(np.array([1.0, 1e-9])).tolist()
    [True, False]
    """
    return signal > _SILENT * signal.max(initial=0.0)


def segment_energies(reference: np.ndarray, estimate: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Energies of target and error in whole segments; a broken last one is left out."""
    count = len(reference) // size
    cut = reference[:count * size].reshape(count, size)
    error = cut - estimate[:count * size].reshape(count, size)
    return np.einsum("ij,ij->i", cut, cut), np.einsum("ij,ij->i", error, error)


def bootstrap_interval(signal: np.ndarray, error: np.ndarray, rng: np.random.Generator, *, n_draws: int = 2000,
                       confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of ``sum error / sum signal`` over resampled segments (Efron and Tibshirani 1993).

    Parameters
    ----------
    signal, error : ndarray, shape (n_segments,)
        Energies.
    rng : numpy.random.Generator

    Returns
    -------
    (float, float)
        NaN with fewer than three segments.

    Examples
    --------
    >>> bootstrap_interval(np.ones(9), np.full(9, 0.25), np.random.default_rng(1))
    (0.25, 0.25)
    """
    if len(signal) < 3:
        return math.nan, math.nan
    counts = rng.multinomial(len(signal), np.full(len(signal), 1.0 / len(signal)), size=n_draws)
    totals = counts @ signal
    ratios = (counts @ error)[totals > 0.0] / totals[totals > 0.0]
    low, high = np.quantile(ratios, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high)


def paired_tests(labels, errors) -> tuple[Pair, ...]:
    """Wilcoxon's signed-rank test on the logarithms of the segments' errors, for all pairs, with Holm's correction.

    Parameters
    ----------
    labels : list of str
    errors : list of ndarray, shape (n_segments,)
        Error energies in the same segments.

    Examples
    --------
    >>> pair, = paired_tests(["a", "b"], [np.arange(1.0, 21.0), 2.0 * np.arange(1.0, 21.0)])
    >>> pair.better, pair.p_value < 1e-4, pair.share
    ('a', True, 1.0)
    """
    found = []
    for (name, first), (other, second) in itertools.combinations(zip(labels, errors), 2):
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = np.log(first) - np.log(second)  # two perfect segments are a tie, one perfect one is a win
        difference = np.where(np.isnan(difference), 0.0, np.clip(difference, -700.0, 700.0))
        if len(difference) < _FEWEST:
            p_value = math.nan
        else:
            p_value = float(wilcoxon(difference, zero_method="zsplit").pvalue) if np.any(difference) else 1.0
        if np.median(difference) > 0.0:
            name, other, difference = other, name, -difference
        found.append(Pair(name, other, p_value, float(np.mean(difference < 0.0)) if len(difference) else math.nan))
    corrected, running = list(found), 0.0
    if any(math.isnan(pair.p_value) for pair in found):  # the number of segments is the same for all
        return tuple(found)
    for rank, index in enumerate(sorted(range(len(found)), key=lambda k: found[k].p_value)):
        running = max(running, min(1.0, (len(found) - rank) * found[index].p_value))
        corrected[index] = replace(found[index], p_value=running)
    return tuple(corrected)


def errors_by_level(reference: np.ndarray, estimate: np.ndarray, size: int) -> np.ndarray:
    """ESR of the frames of ``size`` samples at each level of the reference; NaN where there are none.

    Returns
    -------
    ndarray, shape (len(LEVEL_EDGES),)
    """
    signal, error = segment_energies(reference, estimate, size)
    if not signal.size or signal.max() == 0.0:
        return np.full(len(LEVEL_EDGES), math.nan)
    with np.errstate(divide="ignore"):
        level = 10.0 * np.log10(signal / signal.max())
    result = []
    for low in LEVEL_EDGES:
        inside = (level >= low) & (level < low + 10.0 if low < LEVEL_EDGES[0] else level <= 0.0)
        result.append(float(error[inside].sum() / signal[inside].sum()) if inside.any() else math.nan)
    return np.array(result)
