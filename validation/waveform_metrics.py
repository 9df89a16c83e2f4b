"""How far two recordings are apart, sample by sample: error-to-signal ratios and their kin.

All functions are pure, take ``(target, estimate)`` in this order, mono float64 of one shape (n_samples,), and return a float.
A silent target raises, and no denominator hides an epsilon: identical signals have an infinite signal-to-noise ratio.

References
----------
A. Wright, V. Välimäki, "Perceptual loss function for neural modelling of audio systems", ICASSP 2020: ESR (equation 1), DC error
    (equation 3), first-order, A-weighting and low-pass pre-emphasis (section 3).
J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey, "SDR - half-baked or well done?", ICASSP 2019: SI-SDR (equation 3), SD-SDR (7).
P. Chen, G. Chen, S. Zhang, "Log hyperbolic cosine loss improves variational auto-encoder", 2019: log-cosh (equation 9).
R. J. Hyndman, A. B. Koehler, "Another look at measures of forecast accuracy", Int. J. Forecasting 22(4), 2006: MAE, RMSE (section 2.1).
H. Jaeger, H. Haas, "Harnessing nonlinearity", Science 304, 2004: NRMSE, the error over the standard deviation of the target.
C. J. Steinmetz, J. D. Reiss, "auraloss: audio-focused loss functions in PyTorch", DMRN 2020: the reference implementation.
IEC 61672-1:2013, annex E: poles of the A-weighting.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.signal import bilinear, firls, freqz, oaconvolve

from circuits.errors import SignalError

_A_POLES = (20.598997, 107.65265, 737.86223, 12194.217)  # Hz
_A_GAIN = 1.9997  # dB, makes the response 0 dB at 1 kHz


def check_pair(target, estimate) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64 arrays of one shape (n_samples,).

    Raises
    ------
    SignalError
        If the shapes differ, a number is not finite, or the target is silent.

    Examples
    --------
    >>> check_pair([1, 2], [3, 4])[1]
    array([3., 4.])
    """
    target, estimate = np.asarray(target, dtype=np.float64), np.asarray(estimate, dtype=np.float64)
    if target.ndim != 1 or target.shape != estimate.shape:
        raise SignalError(f"target {target.shape} and estimate {estimate.shape} are not two mono signals of one length",
                          mend="Cut both to the same samples.")
    for name, samples in (("target", target), ("estimate", estimate)):
        finite = np.isfinite(samples)
        if not finite.all():
            index = int(np.argmin(finite))
            raise SignalError(f"sample {index} of the {name} is {samples[index]}", mend="Repair it: every sample must be finite.")
    if not np.any(target):
        raise SignalError("the target is silent", mend="Errors relative to silence mean nothing: give a target with sound.")
    return target, estimate


def _ratio_db(signal: float, error: float) -> float:
    if signal == 0.0:
        return -math.inf
    return 10.0 * math.log10(signal / error) if error > 0.0 else math.inf


def esr(target, estimate) -> float:
    """Error-to-signal ratio, ``sum (y - ŷ)² / sum y²`` (Wright and Välimäki 2020, equation 1).

    Examples
    --------
    >>> round(esr([3.0, 4.0], [3.03, 4.04]), 12)
    0.0001
    """
    target, estimate = check_pair(target, estimate)
    error = target - estimate
    return float(error @ error / (target @ target))


def esr_first_order(target, estimate, *, coefficient: float = 0.85) -> float:
    """ESR after the pre-emphasis ``H(z) = 1 - 0.85 z⁻¹`` (Wright and Välimäki 2020, section 3).

    Examples
    --------
    >>> round(esr_first_order([3.0, 4.0], [3.03, 4.04]), 12)
    0.0001
    """
    target, estimate = check_pair(target, estimate)
    return _filtered_ratio(target, estimate, lambda samples: np.convolve(samples, (1.0, -coefficient)))


def _filtered_ratio(target: np.ndarray, estimate: np.ndarray, emphasis: Callable[[np.ndarray], np.ndarray]) -> float:
    """ESR behind a linear filter, which sees the target and the error."""
    signal, error = emphasis(target), emphasis(target - estimate)
    power = float(signal @ signal)
    if power == 0.0:
        raise SignalError("the target is silent behind the filter", mend="Errors relative to silence mean nothing: give a target with sound.")
    return float(error @ error) / power


@lru_cache(maxsize=8)
def a_weighting_taps(sample_rate: float, n_taps: int = 101) -> np.ndarray:
    """Linear-phase FIR of the A-weighting: least squares on the bilinear transform of the analogue filter.

    The same design as auraloss's ``FIRFilter("aw")``.

    Examples
    --------
    >>> taps = a_weighting_taps(44100.0)
    >>> tone = np.exp(-2j * np.pi * 1000.0 / 44100.0 * np.arange(101))
    >>> len(taps), round(float(abs(taps @ tone)), 1)
    (101, 1.0)
    """
    f1, f2, f3, f4 = (2.0 * math.pi * f for f in _A_POLES)
    numerator = [f4**2 * 10.0 ** (_A_GAIN / 20.0), 0.0, 0.0, 0.0, 0.0]
    denominator = np.poly([-f4, -f4, -f1, -f1, -f3, -f2])
    w, h = freqz(*bilinear(numerator, denominator, fs=sample_rate), worN=512, fs=sample_rate)
    taps = firls(n_taps, w, np.abs(h), fs=sample_rate)
    taps.flags.writeable = False
    return taps


def esr_a_weighted(target, estimate, sample_rate: float) -> float:
    """ESR after A-weighting (Wright and Välimäki 2020, section 3.2), as auraloss filters.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(1000)
    >>> round(esr_a_weighted(x, 1.01 * x, 44100.0), 12)
    0.0001
    """
    target, estimate = check_pair(target, estimate)
    taps = a_weighting_taps(float(sample_rate))
    return _filtered_ratio(target, estimate, lambda samples: oaconvolve(samples, taps, mode="same"))


def esr_a_weighted_low_passed(target, estimate, sample_rate: float) -> float:
    """ESR after A-weighting and the low-pass ``1 + 0.85 z⁻¹`` (Wright and Välimäki 2020, section 3.3).

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(1000)
    >>> round(esr_a_weighted_low_passed(x, 1.01 * x, 44100.0), 12)
    0.0001
    """
    target, estimate = check_pair(target, estimate)
    taps = np.convolve(a_weighting_taps(float(sample_rate)), [1.0, 0.85])
    return _filtered_ratio(target, estimate, lambda samples: oaconvolve(samples, taps))


def dc_error(target, estimate) -> float:
    """``(mean(y - ŷ))² / mean(y²)`` (Wright and Välimäki 2020, equation 3).

    Examples
    --------
    >>> round(dc_error([1.0, -1.0], [1.1, -0.9]), 12)
    0.01
    """
    target, estimate = check_pair(target, estimate)
    return float(np.mean(target - estimate) ** 2 / np.mean(target**2))


def mean_absolute_error(target, estimate) -> float:
    """``mean |y - ŷ|``, in the unit of the signals (Hyndman and Koehler 2006, section 2.1).

    Examples
    --------
    >>> mean_absolute_error([1.0, 2.0], [1.5, 2.5])
    0.5
    """
    target, estimate = check_pair(target, estimate)
    return float(np.mean(np.abs(target - estimate)))


def root_mean_square_error(target, estimate) -> float:
    """``sqrt(mean (y - ŷ)²)``, in the unit of the signals (Hyndman and Koehler 2006, section 2.1).

    Examples
    --------
    >>> root_mean_square_error([1.0, 2.0], [1.5, 2.5])
    0.5
    """
    target, estimate = check_pair(target, estimate)
    return float(np.sqrt(np.mean((target - estimate) ** 2)))


def normalised_error(target, estimate) -> float:
    """NRMSE: root mean square error over the standard deviation of the target (Jaeger and Haas 2004).

    Raises
    ------
    SignalError
        Also if the target is constant.

    Examples
    --------
    >>> normalised_error([1.0, -1.0], [1.5, -0.5])
    0.5
    """
    target, estimate = check_pair(target, estimate)
    spread = float(np.std(target))
    if spread == 0.0:
        raise SignalError("the target is constant", mend="An error relative to its variation means nothing.")
    return root_mean_square_error(target, estimate) / spread


def log_cosh(target, estimate, *, sharpness: float = 1.0) -> float:
    """``mean log cosh(a (ŷ - y)) / a`` (Chen, Chen and Zhang 2019, equation 9).

    Examples
    --------
    >>> round(log_cosh([1.0], [2.0]), 6)
    0.433781
    """
    target, estimate = check_pair(target, estimate)
    e = sharpness * np.abs(estimate - target)
    return float(np.mean(e + np.log1p(np.exp(-2.0 * e)) - math.log(2.0)) / sharpness)  # no overflow for large errors


def _without_mean(target, estimate) -> tuple[np.ndarray, np.ndarray]:
    target, estimate = check_pair(target, estimate)
    target, estimate = target - target.mean(), estimate - estimate.mean()
    if not np.any(target):
        raise SignalError("the target is constant", mend="An error relative to its variation means nothing.")
    return target, estimate


def snr(target, estimate) -> float:
    """Signal-to-noise ratio in dB, means removed: ``10 log10(|y|² / |y - ŷ|²)``.

    Examples
    --------
    >>> round(snr([1.0, -1.0], [1.1, -1.1]), 9)
    20.0
    """
    target, estimate = _without_mean(target, estimate)
    error = target - estimate
    return _ratio_db(float(target @ target), float(error @ error))


def si_sdr(target, estimate) -> float:
    """Scale-invariant signal-to-distortion ratio in dB, means removed (Le Roux et al. 2019, equation 3).

    Examples
    --------
    >>> round(si_sdr([1.0, -1.0, 1.0, -1.0], [2.2, -1.8, 1.8, -2.2]), 9)
    20.0
    """
    target, estimate = _without_mean(target, estimate)
    scaled = (estimate @ target) / (target @ target) * target
    error = estimate - scaled
    return _ratio_db(float(scaled @ scaled), float(error @ error))


def sd_sdr(target, estimate) -> float:
    """Scale-dependent signal-to-distortion ratio in dB, means removed (Le Roux et al. 2019, equation 7).

    Examples
    --------
    >>> round(sd_sdr([1.0, -1.0], [2.0, -2.0]), 4)
    6.0206
    """
    target, estimate = _without_mean(target, estimate)
    scaled = (estimate @ target) / (target @ target) * target
    error = estimate - target
    return _ratio_db(float(scaled @ scaled), float(error @ error))
