"""The list of all scores: what each is called, what it means, which way is better, and one call for all of them.

Each metric is a pure function ``(target, estimate)`` of the neighbouring files; this one only names them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from validation import distortion, loudness, spectral_metrics, waveform_metrics
from validation.waveform_metrics import check_pair


@dataclass(frozen=True, slots=True)
class Metric:
    """One score.

    Parameters
    ----------
    name, label, unit : str
        Key in files, heading in tables, unit ("" for a plain ratio).
    best : float
        The value of a perfect copy; the nearer to it the better.
    text : str
        What it means, for a reader who never heard of it.
    paper : str
        Where it is defined.
    needs_rate : bool
        True if the function takes the sample rate as its third argument.
    """

    name: str
    label: str
    unit: str
    best: float
    text: str
    paper: str
    function: Callable
    needs_rate: bool = False

    def __call__(self, target, estimate, sample_rate: float) -> float:
        """Value for a pair; the rate in Hz is used where it matters."""
        return self.function(target, estimate, sample_rate) if self.needs_rate else self.function(target, estimate)

    def badness(self, value: float) -> float:
        """Distance from the best value: sorts candidates, smallest first."""
        return -value if self.best == _INF else abs(value - self.best)


_INF = float("inf")
_WRIGHT = "Wright and Välimäki, ICASSP 2020"
_HYNDMAN = "Hyndman and Koehler, Int. J. Forecasting 22, 2006"
_LE_ROUX = "Le Roux et al., ICASSP 2019"

METRICS = {metric.name: metric for metric in (
    Metric("esr", "ESR", "", 0.0, "Error-to-signal ratio: energy of the difference over energy of the target. 0 is a perfect copy, 1 is as "
           "bad as silence; under 0.01 is hard to hear on distorted guitar.", _WRIGHT, waveform_metrics.esr),
    Metric("esr_first_order", "ESR, first-order", "", 0.0, "ESR after lifting the treble (1 - 0.85 z⁻¹), since low notes carry most energy.",
           _WRIGHT, waveform_metrics.esr_first_order),
    Metric("esr_a_weighted", "ESR, A-weighted", "", 0.0, "ESR after the A-weighting, which follows the ear's sensitivity at low level.",
           _WRIGHT, waveform_metrics.esr_a_weighted, True),
    Metric("esr_a_weighted_low_passed", "ESR, A + low-pass", "", 0.0, "ESR after A-weighting and a gentle low-pass: the variant that "
           "agreed best with listeners.", _WRIGHT, waveform_metrics.esr_a_weighted_low_passed, True),
    Metric("multi_resolution_stft", "MR-STFT", "", 0.0, "Multi-resolution STFT distance: spectral convergence plus log-magnitude difference over "
           "FFT 512, 1024 and 2048 (hops 50, 120, 240, windows 240, 600, 1200, Hann, power floor 1e-8). Deaf to phase.",
           "Yamamoto et al., ICASSP 2020; auraloss", spectral_metrics.multi_resolution_stft),
    Metric("log_spectral_distance", "LSD", "dB", 0.0, "Log-spectral distance: mean over time of the RMS difference between spectra, "
           "floored 80 dB under the strongest bin (FFT 2048, hop 512).", "Gray and Markel, 1976", spectral_metrics.log_spectral_distance),
    Metric("mel_cepstral_distance", "MCD", "dB", 0.0, "Mel-cepstral distance: difference of timbre on a hearing scale, without level "
           "(80 mel bands, coefficients 1 to 24).", "Kubichek, 1993", spectral_metrics.mel_cepstral_distance, True),
    Metric("si_sdr", "SI-SDR", "dB", _INF, "Scale-invariant signal-to-distortion ratio: like SNR, but a wrong gain does not count. Higher is better.",
           _LE_ROUX, waveform_metrics.si_sdr),
    Metric("sd_sdr", "SD-SDR", "dB", _INF, "Scale-dependent signal-to-distortion ratio: as SI-SDR, but a wrong gain counts. Higher is better.",
           _LE_ROUX, waveform_metrics.sd_sdr),
    Metric("snr", "SNR", "dB", _INF, "Signal-to-noise ratio of target to difference, means removed. Higher is better.", _LE_ROUX, waveform_metrics.snr),
    Metric("dc_error", "DC error", "", 0.0, "Squared difference of the means over the target's power.", _WRIGHT, waveform_metrics.dc_error),
    Metric("mean_absolute_error", "MAE", "FS", 0.0, "Mean absolute difference of samples.", _HYNDMAN, waveform_metrics.mean_absolute_error),
    Metric("root_mean_square_error", "RMSE", "FS", 0.0, "Root mean square difference of samples.", _HYNDMAN,
           waveform_metrics.root_mean_square_error),
    Metric("normalised_error", "NRMSE", "", 0.0, "RMSE over the standard deviation of the target.", "Jaeger and Haas, Science 304, 2004", waveform_metrics.normalised_error),
    Metric("log_cosh", "log-cosh", "", 0.0, "Mean of log cosh of the difference: squares small errors, takes large ones as they are.",
           "Chen et al., 2019", waveform_metrics.log_cosh),
    Metric("loudness_difference", "Loudness diff.", "LU", 0.0, "Loudness (BS.1770) minus that of the target.", "ITU-R BS.1770-4",
           loudness.loudness_difference, True),
    Metric("crest_factor_difference", "Crest diff.", "dB", 0.0, "Peak-to-RMS ratio minus that of the target: negative is more compressed.",
           "Boley, Lester and Danner, AES 129, 2010", loudness.crest_factor_difference),
    Metric("noise_floor_difference", "Noise diff.", "dB", 0.0, "Level of the quietest twentieth of all 50 ms blocks, minus that of the target.",
           "after Martin, IEEE Trans. SAP 9(5), 2001", distortion.noise_floor_difference, True),
)}


def evaluate(target, estimate, sample_rate: float, *, names=tuple(METRICS)) -> dict[str, float]:
    """All scores of one estimate.

    Parameters
    ----------
    target, estimate : array_like, shape (n_samples,)
        Aligned already: this function moves nothing.
    sample_rate : float
        Hz.
    names : iterable of str
        Keys of `METRICS`; all by default.

    Returns
    -------
    dict
        Name to value, in the order of ``names``.

    Raises
    ------
    SignalError
        If the two are not a pair, the target is silent, or they are too short for spectra.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(1).standard_normal(4800)
    >>> round(evaluate(x, 1.01 * x, 48000.0)["esr"], 12)
    0.0001
    """
    target, estimate = check_pair(target, estimate)
    return {name: METRICS[name](target, estimate, sample_rate) for name in names}
