"""How loud a recording is to the ear: BS.1770 loudness, levels and crest factor.

Levels are dB re 1.0 (full scale in files, 1 V in circuits). Mono only, as everywhere in the comparison.

References
----------
ITU-R BS.1770-4 (2015), annex 1: K-weighting and gated loudness, equations 1 to 7.
J. Boley, M. Lester, C. Danner, "Measuring dynamics: comparing and contrasting algorithms for the computation of dynamic range", AES 129,
    2010: crest factor.
B. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018: the analogue
    parameters of the two K-weighting filters, which give the tabulated coefficients at 48 kHz.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter

from circuits.errors import SignalError
from validation.waveform_metrics import check_pair


def k_weighting(sample_rate: float) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The two biquads of BS.1770 (shelf, then high-pass) at any rate, as (b, a) pairs.

    Examples
    --------
    >>> (b, a), _ = k_weighting(48000.0)
    >>> b.round(8).tolist()
    [1.53512486, -2.69169619, 1.19839281]
    """
    k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    q, gain = 0.7071752369554196, 10.0 ** (3.999843853973347 / 20.0)
    band = gain**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    shelf = (np.array([gain + band * k / q + k * k, 2.0 * (k * k - gain), gain - band * k / q + k * k]) / a0,
             np.array([1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0]))
    k = math.tan(math.pi * 38.13547087602444 / sample_rate)
    q = 0.5003270373238773
    a0 = 1.0 + k / q + k * k
    high_pass = (np.array([1.0, -2.0, 1.0]), np.array([1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0]))
    return shelf, high_pass


def loudness(samples, sample_rate: float) -> float:
    """Integrated loudness in LUFS (BS.1770-4): K-weighted, blocks of 400 ms, gates at -70 LUFS and 10 LU under the mean.

    Recordings shorter than one block, and recordings with every block under the absolute gate, are measured ungated.

    Parameters
    ----------
    samples : array_like, shape (n_samples,)
    sample_rate : float
        Hz.

    Returns
    -------
    float
        ``-inf`` for silence.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 997.0 * np.arange(96000) / 48000.0)
    >>> round(loudness(tone, 48000.0), 2)
    -3.01
    """
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim != 1 or samples.size == 0:
        raise SignalError(f"loudness is measured on mono audio, not on the shape {samples.shape}", mend="Give one channel.")
    for b, a in k_weighting(sample_rate):
        samples = lfilter(b, a, samples)
    block, hop = int(round(0.4 * sample_rate)), int(round(0.1 * sample_rate))
    total = np.concatenate([[0.0], np.cumsum(samples**2)])
    starts = np.arange(0, len(samples) - block + 1, hop)
    powers = np.maximum(total[starts + block] - total[starts], 0.0) / block  # equation 3; the running sum may round below 0
    loud = powers[powers > 10.0 ** ((-70.0 + 0.691) / 10.0)]
    if loud.size:
        loud = loud[loud > loud.mean() * 0.1]
    power = float(loud.mean()) if loud.size else float(np.mean(samples**2))
    return -0.691 + 10.0 * math.log10(power) if power > 0.0 else -math.inf  # equation 2


def loudness_difference(target, estimate, sample_rate: float) -> float:
    """Loudness of the estimate minus that of the target, LU.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(48000)
    >>> round(loudness_difference(x, 2.0 * x, 48000.0), 4)
    6.0206
    """
    target, estimate = check_pair(target, estimate)
    return loudness(estimate, sample_rate) - loudness(target, sample_rate)


def level(samples) -> float:
    """Root mean square level in dB re 1.0; ``-inf`` for silence.

    Examples
    --------
    >>> level([0.1, -0.1])
    -20.0
    """
    power = float(np.mean(np.asarray(samples, dtype=np.float64) ** 2))
    return 10.0 * math.log10(power) if power > 0.0 else -math.inf


def crest_factor(samples) -> float:
    """Peak over root mean square, dB (Boley, Lester and Danner 2010).

    Examples
    --------
    >>> crest_factor([1.0, -1.0])
    0.0
    """
    samples = np.asarray(samples, dtype=np.float64)
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak == 0.0:
        raise SignalError("the signal is silent", mend="Its crest factor does not exist.")
    return 20.0 * math.log10(peak) - level(samples)


def crest_factor_difference(target, estimate) -> float:
    """Crest factor of the estimate minus that of the target, dB: negative if the estimate is more compressed.

    Examples
    --------
    >>> round(crest_factor_difference([1.0, 0.0], [1.0, 1.0]), 4)
    -3.0103
    """
    target, estimate = check_pair(target, estimate)
    return crest_factor(estimate) - crest_factor(target)
