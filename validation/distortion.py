"""What a device adds to a tone: harmonics, intermodulation, aliasing, noise, and how long it remembers.

These figures are measured on the answer to a known test signal. Amplitudes come from a least-squares fit of sines of known
frequency, which needs neither windows nor whole periods; energy ratios off a grid need whole periods and say so.

References
----------
IEEE Std 1057-2017, clause 4.6: sine fit with known frequency, by linear least squares.
AES17-2020, 6.3: THD+N, relative to the total.
SMPTE RP 120:2005 and IEC 60268-3:2018, 14.12.7 to 14.12.9: intermodulation with unequal (SMPTE) and twin (CCIF) tones.
F. Esqueda, V. Välimäki, S. Bilbao, "Rounding corners with BLAMP", DAFx 2016: aliasing as energy off the harmonic grid of a sine.
R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", IEEE Trans. Speech and Audio
    Processing 9(5), 2001: the noise is what is left in the quietest moments; here of the whole band.
M. R. Schroeder, "New method of measuring reverberation time", J. Acoust. Soc. Am. 37, 1965: energy decay of an impulse response.
"""

from __future__ import annotations

import math

import numpy as np

from circuits.errors import SignalError
from validation.waveform_metrics import check_pair


def fit_tones(samples, frequencies, sample_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Complex amplitudes of sines of known frequency and what is left over (IEEE 1057, 4.6).

    Parameters
    ----------
    samples : array_like, shape (n_samples,)
    frequencies : array_like, shape (n_tones,)
        Hz, between 0 and half the rate.
    sample_rate : float
        Hz.

    Returns
    -------
    amplitudes : ndarray of complex, shape (n_tones,)
        Peak amplitude and phase of a cosine.
    residual : ndarray, shape (n_samples,)
        Samples without tones and without mean.

    Raises
    ------
    SignalError
        If a frequency is out of range or there are too few samples to tell the tones apart.

    Examples
    --------
    >>> x = 0.5 * np.cos(2 * np.pi * 100.0 * np.arange(999) / 8000.0)
    >>> round(float(abs(fit_tones(x, [100.0], 8000.0)[0][0])), 9)
    0.5
    """
    samples = np.asarray(samples, dtype=np.float64)
    frequencies = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise SignalError("tones are fitted to finite mono audio", mend="Give one channel without NaN.")
    if frequencies.min() <= 0.0 or frequencies.max() >= sample_rate / 2.0:
        raise SignalError(f"tones from {frequencies.min():g} Hz to {frequencies.max():g} Hz don't fit below half the rate",
                          mend=f"Use frequencies between 0 and {sample_rate / 2.0:g} Hz.")
    distance = min([frequencies.min(), *np.diff(np.sort(frequencies))])
    if len(samples) * distance < sample_rate:
        raise SignalError(f"{len(samples)} samples can't tell tones {distance:g} Hz apart", mend="Give a longer signal.")
    phase = 2.0 * np.pi / sample_rate * np.outer(np.arange(len(samples)), frequencies)
    columns = np.hstack([np.cos(phase), -np.sin(phase), np.ones((len(samples), 1))])
    solution = np.linalg.lstsq(columns, samples, rcond=None)[0]
    n_tones = len(frequencies)
    return solution[:n_tones] + 1j * solution[n_tones:2 * n_tones], samples - columns @ solution


def harmonics(samples, frequency: float, sample_rate: float, *, n_harmonics: int = 10) -> np.ndarray:
    """Peak amplitudes of the fundamental and its harmonics below half the rate.

    Returns
    -------
    ndarray, shape (n,), n <= n_harmonics

    Examples
    --------
    >>> t = np.arange(4800) / 48000.0
    >>> harmonics(np.cos(2 * np.pi * 100.0 * t) ** 2, 50.0, 48000.0, n_harmonics=4).round(6).tolist()
    [0.0, 0.0, 0.0, 0.5]
    """
    count = min(n_harmonics, int(math.ceil(sample_rate / 2.0 / frequency)) - 1)
    if count < 1:
        raise SignalError(f"a fundamental of {frequency:g} Hz does not fit below half of {sample_rate:g} Hz", mend="Lower it.")
    return np.abs(fit_tones(samples, frequency * np.arange(1, count + 1), sample_rate)[0])


def thd(samples, frequency: float, sample_rate: float, *, n_harmonics: int = 10) -> float:
    """Total harmonic distortion, root of the summed squares of harmonics 2 and up over the fundamental.

    Raises
    ------
    SignalError
        If there is no fundamental.

    Examples
    --------
    >>> w = 2 * np.pi * 100.0 * np.arange(4800) / 48000.0
    >>> round(thd(np.cos(w) + 0.03 * np.cos(2 * w) + 0.04 * np.cos(3 * w), 100.0, 48000.0), 9)
    0.05
    """
    lines = harmonics(samples, frequency, sample_rate, n_harmonics=n_harmonics)
    if lines[0] <= 1e-12 * np.max(np.abs(samples)):  # rounding of the fit, not a tone
        raise SignalError(f"there is no tone at {frequency:g} Hz", mend="Give the answer to a sine of that frequency.")
    return float(np.sqrt(np.sum(lines[1:] ** 2)) / lines[0])


def thd_plus_noise(samples, frequency: float, sample_rate: float) -> float:
    """All but mean and fundamental, relative to all but the mean, as a ratio of amplitudes (AES17, 6.3).

    Examples
    --------
    >>> w = 2 * np.pi * 100.0 * np.arange(4800) / 48000.0
    >>> round(thd_plus_noise(4 * np.cos(w) + 3 * np.cos(2 * w), 100.0, 48000.0), 9)
    0.6
    """
    samples = np.asarray(samples, dtype=np.float64)
    residual = fit_tones(samples, [frequency], sample_rate)[1]
    spread = float(np.std(samples))
    if spread == 0.0:
        raise SignalError("the signal is constant", mend="Give the answer to a sine.")
    return float(np.sqrt(np.mean(residual**2)) / spread)


def imd_smpte(samples, low: float, high: float, sample_rate: float, *, order: int = 3) -> float:
    """SMPTE intermodulation: sidebands ``high ± k low`` over the carrier ``high``, k from 1 to ``order - 1``.

    Sidebands on one side are added to their mirror in amplitude, then the orders in squares (IEC 60268-3, 14.12.7).

    Examples
    --------
    >>> t = 2 * np.pi * np.arange(48000) / 48000.0
    >>> x = (1.0 + 0.1 * np.cos(60 * t)) * np.cos(7000 * t) + 4.0 * np.cos(60 * t)
    >>> round(imd_smpte(x, 60.0, 7000.0, 48000.0), 9)
    0.1
    """
    k = np.arange(1, order)
    tones = np.concatenate([[low, high], high - k * low, high + k * low])
    lines = np.abs(fit_tones(samples, tones, sample_rate)[0])
    if lines[1] == 0.0:
        raise SignalError(f"there is no tone at {high:g} Hz", mend="Give the answer to the SMPTE signal.")
    pairs = lines[2:2 + len(k)] + lines[2 + len(k):]
    return float(np.sqrt(np.sum(pairs**2)) / lines[1])


def imd_ccif(samples, low: float, high: float, sample_rate: float) -> tuple[float, float]:
    """CCIF intermodulation of second (``high - low``) and third order (``2 low - high``, ``2 high - low``).

    Returns
    -------
    tuple of float
        Both relative to the sum of the two tones (IEC 60268-3, 14.12.8).

    Examples
    --------
    >>> t = 2 * np.pi * np.arange(48000) / 48000.0
    >>> x = np.cos(19000 * t) + np.cos(20000 * t) + 0.02 * np.cos(1000 * t)
    >>> [round(d, 9) for d in imd_ccif(x, 19000.0, 20000.0, 48000.0)]
    [0.01, 0.0]
    """
    lines = np.abs(fit_tones(samples, [low, high, high - low, 2 * low - high, 2 * high - low], sample_rate)[0])
    tones = lines[0] + lines[1]
    if tones == 0.0:
        raise SignalError(f"there are no tones at {low:g} and {high:g} Hz", mend="Give the answer to the CCIF signal.")
    return float(lines[2] / tones), float((lines[3] + lines[4]) / tones)


def _line_powers(samples, frequency: float, sample_rate: float) -> tuple[np.ndarray, int]:
    samples = np.asarray(samples, dtype=np.float64)
    periods = frequency * len(samples) / sample_rate
    if abs(periods - round(periods)) > 1e-6 or round(periods) < 1:
        raise SignalError(f"{len(samples)} samples hold {periods:.4f} periods of {frequency:g} Hz",
                          mend="Use a whole number of periods: validation.signals.whole_periods.")
    power = np.abs(np.fft.rfft(samples)) ** 2
    power[1:(len(samples) + 1) // 2] *= 2.0
    power[0] = 0.0
    return power, round(periods)


def imd_multitone(samples, frequencies, sample_rate: float) -> float:
    """Power off the lines of a multisine over the power on them, as a ratio of amplitudes.

    All tones must have whole periods in the signal, as `validation.signals.multisine` makes them.

    Examples
    --------
    >>> t = 2 * np.pi * np.arange(4800) / 4800.0
    >>> round(imd_multitone(np.cos(10 * t) + np.cos(14 * t) + 0.1 * np.cos(4 * t), [100.0, 140.0], 48000.0), 9)
    0.070710678
    """
    on = np.zeros(len(samples) // 2 + 1, dtype=bool)
    for frequency in np.atleast_1d(frequencies):
        power, line = _line_powers(samples, float(frequency), sample_rate)
        on[line] = True
    if not np.any(power[on]):
        raise SignalError("there is nothing at the frequencies of the multisine", mend="Give the answer to that signal.")
    return math.sqrt(float(power[~on].sum() / power[on].sum()))


def aliasing(samples, frequency: float, sample_rate: float) -> float:
    """Energy off the harmonic grid of a sine, relative to the whole, dB (``-inf`` if there is none).

    The signal holds a whole number of periods that shares no factor with its length (an odd number and a power of two, say),
    else folded harmonics hide on the grid.

    Examples
    --------
    >>> t = 2 * np.pi * np.arange(4096) / 4096.0
    >>> round(aliasing(np.cos(101 * t) + 0.01 * np.cos(333 * t), 101.0, 4096.0), 3)
    -40.0
    """
    power, line = _line_powers(samples, frequency, sample_rate)
    if math.gcd(line, len(samples)) != 1:
        raise SignalError(f"{line} periods and {len(samples)} samples share a factor: folded harmonics would hide on the grid",
                          mend="Choose an odd number of periods in a power of two.")
    total = float(power.sum())
    if total == 0.0:
        raise SignalError("the signal is silent", mend="Give the answer to a sine.")
    off = total - float(power[::line].sum())
    return 10.0 * math.log10(off / total) if off > 1e-32 * total else -math.inf  # 1e-32: the square of a rounding error


def noise_floor(samples, sample_rate: float, *, block: float = 0.05, quietest: float = 0.05) -> float:
    """Level of the quietest twentieth of all blocks of 50 ms, dB re 1.0, means removed; ``-inf`` for digital silence (after Martin 2001).

    Examples
    --------
    >>> x = 1e-3 * np.random.default_rng(1).standard_normal(48000)
    >>> x[:24000] += 1.0
    >>> round(noise_floor(x, 48000.0))
    -60
    """
    samples = np.asarray(samples, dtype=np.float64)
    size = min(max(int(round(block * sample_rate)), 1), len(samples))
    blocks = samples[:len(samples) // size * size].reshape(-1, size)
    powers = np.sort(np.var(blocks, axis=1))
    power = float(np.mean(powers[:max(int(quietest * len(powers)), 1)]))
    return 10.0 * math.log10(power) if power > 0.0 else -math.inf


def noise_floor_difference(target, estimate, sample_rate: float) -> float:
    """Noise floor of the estimate minus that of the target, dB; 0 if both are digitally silent between the notes.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(48000)
    >>> round(noise_floor_difference(x, 0.1 * x, 48000.0), 6)
    -20.0
    """
    target, estimate = check_pair(target, estimate)
    floors = noise_floor(target, sample_rate), noise_floor(estimate, sample_rate)
    return 0.0 if floors[0] == floors[1] else floors[1] - floors[0]


def memory_length(impulse_response, sample_rate: float, *, depth: float = 60.0) -> float:
    """Seconds until all but the last ``depth`` dB of an impulse response's energy has passed (Schroeder 1965).

    Examples
    --------
    >>> h = 10.0 ** (-3.0 * np.arange(48000) / 4800.0)
    >>> round(memory_length(h, 48000.0), 3)
    0.1
    """
    energy = np.asarray(impulse_response, dtype=np.float64) ** 2
    left = np.cumsum(energy[::-1])[::-1]
    if energy.size == 0 or left[0] == 0.0:
        raise SignalError("the impulse response is silent", mend="Give the answer to an impulse.")
    return float(np.count_nonzero(left > left[0] * 10.0 ** (-depth / 10.0)) / sample_rate)
