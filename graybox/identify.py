"""First looks at a device: the best linear approximation with its noise and distortion, and a rational fit of it.

Conventions: frequencies in Hz, responses complex, (n_frequencies,); audio (n_samples,).

References
----------
Pintelon and Schoukens, "System Identification: A Frequency Domain Approach", 2nd ed. 2012, chapters 3 and 4: the best
linear approximation, random-phase odd multisines, detection lines.
Welch, "The use of fast Fourier transform for the estimation of power spectra", IEEE Trans. Audio 1967.
Sanathanan and Koerner, "Transfer function synthesis as a ratio of two complex polynomials", IEEE TAC 8(1), 1963.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from circuits.errors import FitError


@dataclass(frozen=True, slots=True)
class LinearApproximation:
    """Best linear approximation of a device for one class of inputs.

    Parameters
    ----------
    frequencies : ndarray, shape (n_frequencies,), Hz
    response : ndarray of complex, shape (n_frequencies,)
    deviation : ndarray, shape (n_frequencies,)
        Standard deviation of real and of imaginary part, from all that is not linear (noise and distortion together).
    coherence : ndarray, shape (n_frequencies,)
        Share of the output power that is linear in the input, 0 to 1.
    """

    frequencies: np.ndarray
    response: np.ndarray
    deviation: np.ndarray
    coherence: np.ndarray


def linear_approximation(x, y, sample_rate: float, *, segment: int = 2048, floor: float = 1e-4) -> LinearApproximation:
    """Best linear approximation by Welch's method, over the frequencies that the input excites.

    Parameters
    ----------
    segment : int
        Samples of a segment (Hann window, half overlapping).
    floor : float
        Frequencies whose input power is below this share of the largest are left out.

    Raises
    ------
    FitError
        If the recording is shorter than four segments, or silent.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal(50000)
    >>> bla = linear_approximation(x, 0.5 * x, 48000.0)
    >>> bool(abs(bla.response - 0.5).max() < 1e-9)
    True
    """
    if len(x) != len(y) or len(x) < 4 * segment:
        raise FitError(f"a linear approximation needs four segments of {segment} samples of both signals, "
                       f"not {len(x)} and {len(y)} samples")
    settings = dict(fs=sample_rate, window="hann", nperseg=segment, detrend=False)
    f, sxx = signal.welch(x, **settings)
    _, syy = signal.welch(y, **settings)
    _, sxy = signal.csd(x, y, **settings)
    if not sxx.max() > 0.0:
        raise FitError("the input is silent")
    use = (sxx > floor * sxx.max()) & (f > 0.0)
    f, sxx, syy, sxy = f[use], sxx[use], syy[use], sxy[use]
    coherence = np.clip(np.abs(sxy) ** 2 / np.maximum(sxx * syy, 1e-300), 0.0, 1.0)
    response = sxy / sxx
    segments = 2 * len(x) // segment - 1
    # Bendat and Piersol, Random Data, section 9.2: variance of real and imaginary part from the coherence; half
    # overlapping Hann segments count for 1 / (1 + 2 / 36) each (Welch 1967)
    deviation = np.abs(response) * np.sqrt((1.0 - coherence) / np.maximum(coherence * 2.0 * segments * 0.947, 1e-300))
    return LinearApproximation(f, response, deviation, coherence)


@dataclass(frozen=True, slots=True)
class Multisine:
    """One period of a random-phase odd multisine, and which lines of its spectrum are excited.

    Parameters
    ----------
    period : ndarray, shape (n_samples,)
    lines : ndarray of int
        Excited lines of the period's spectrum: odd ones, one of each group of four left out to detect odd distortion.
    sample_rate : float
        Hz.
    """

    period: np.ndarray
    lines: np.ndarray
    sample_rate: float


def odd_multisine(samples: int, sample_rate: float, rng: np.random.Generator, *, low: float = 20.0,
                  high: float | None = None, rms: float = 0.1) -> Multisine:
    """Random-phase odd multisine with random detection lines (Pintelon and Schoukens 2012, section 4.3.1.3)."""
    high = 0.4 * sample_rate if high is None else high
    odd = np.arange(1, samples // 2, 2)
    odd = odd[(odd * sample_rate / samples >= low) & (odd * sample_rate / samples <= high)]
    if len(odd) < 8:
        raise FitError(f"a multisine of {samples} samples has only {len(odd)} odd lines between {low:g} and {high:g} Hz",
                       mend="Give a longer period.")
    groups = np.arange(len(odd)) // 4
    left_out = np.array([rng.choice(np.flatnonzero(groups == g)) for g in range(groups[-1] + 1)])
    lines = np.delete(odd, left_out)
    spectrum = np.zeros(samples // 2 + 1, dtype=complex)
    spectrum[lines] = np.exp(2j * np.pi * rng.random(len(lines)))
    period = np.fft.irfft(spectrum, samples)
    return Multisine(period * rms / np.sqrt(np.mean(period**2)), lines, sample_rate)


@dataclass(frozen=True, slots=True)
class Levels:
    """How much of an output is what: shares of its power.

    Parameters
    ----------
    linear, odd, even, noise : float
        Shares, which sum to one up to rounding.
    frequencies, response : ndarray
        Best linear approximation on the excited lines.
    """

    linear: float
    odd: float
    even: float
    noise: float
    frequencies: np.ndarray
    response: np.ndarray


def distortion_levels(periods: np.ndarray, sine: Multisine) -> Levels:
    """Linear, odd, even and noise shares from steady-state output periods.

    Parameters
    ----------
    periods : ndarray, shape (n_periods, n_samples)
        Successive steady periods of the output; noise is what differs between them.
    sine : Multisine
        What went in.

    Raises
    ------
    FitError
        If there are fewer than two periods or their length is another.
    """
    periods = np.atleast_2d(np.asarray(periods, dtype=np.float64))
    if len(periods) < 2 or periods.shape[1] != len(sine.period):
        raise FitError(f"two or more periods of {len(sine.period)} samples are needed, not {periods.shape}")
    spectra = np.fft.rfft(periods, axis=1)[:, 1:-1]
    mean = spectra.mean(axis=0)
    noise = np.sum(np.abs(spectra - mean) ** 2, axis=0) / (len(periods) - 1)  # of one period
    power = np.maximum(np.abs(mean) ** 2 - noise / len(periods), 0.0)
    line = np.arange(1, len(mean) + 1)
    excited = np.isin(line, sine.lines)
    odd_lines = (line % 2 == 1) & (line <= sine.lines.max()) & (line >= sine.lines.min())
    silent_odd = odd_lines & ~excited
    # odd distortion also falls on the excited lines: as much on each as on the odd lines left silent
    hidden = power[silent_odd].mean() * excited.sum() if silent_odd.any() else 0.0
    linear = max(power[excited].sum() - hidden, 0.0)
    odd = power[(line % 2 == 1) & ~excited].sum() + hidden
    even = power[line % 2 == 0].sum()
    total = linear + odd + even + noise.sum()
    into = np.fft.rfft(sine.period)[1:-1][excited]
    return Levels(linear / total, odd / total, even / total, noise.sum() / total,
                  line[excited] * sine.sample_rate / len(sine.period), mean[excited] / into)


def multisine_response(process, sine: Multisine, *, periods: int = 4, settle: int = 2) -> Levels:
    """Send a multisine through ``process`` (array to array, e.g. a Processor's) and split its output into shares."""
    out = process(np.tile(sine.period, periods + settle))
    return distortion_levels(np.reshape(out, (periods + settle, -1))[settle:], sine)


@dataclass(frozen=True, slots=True)
class RationalFilter:
    """Zeros, poles and gain of a discrete-time filter gain prod(1 - z_i z^-1) / prod(1 - p_i z^-1)."""

    zeros: np.ndarray
    poles: np.ndarray
    gain: float

    def response(self, frequencies, sample_rate: float) -> np.ndarray:
        """Complex frequency response at ``frequencies`` in Hz."""
        z = np.exp(-2j * np.pi * np.asarray(frequencies) / sample_rate)[:, None]
        return self.gain * np.prod(1.0 - self.zeros * z, axis=1) / np.prod(1.0 - self.poles * z, axis=1)


def rational_fit(frequencies, response, sample_rate: float, zeros: int, poles: int, *, weight=None,
                 iterations: int = 30) -> RationalFilter:
    """Rational filter close to a frequency response, by the iteration of Sanathanan and Koerner (1963, eq. 13).

    Parameters
    ----------
    zeros, poles : int
        Degrees of numerator and denominator.
    weight : ndarray or None
        Weight of each frequency, for instance one over the deviation.

    Returns
    -------
    RationalFilter
        Poles outside the unit circle are mirrored into it.
    """
    f = np.asarray(frequencies, dtype=np.float64)
    w = np.ones(len(f)) if weight is None else np.asarray(weight, dtype=np.float64)
    if 2 * len(f) < zeros + poles + 1:
        raise FitError(f"{len(f)} frequencies are too few for {zeros} zeros and {poles} poles")
    z = np.exp(-2j * np.pi * f / sample_rate)
    top, bottom = z[:, None] ** np.arange(zeros + 1), z[:, None] ** np.arange(1, poles + 1)
    denominator = np.ones(len(f), dtype=complex)
    best = None
    for _ in range(iterations):
        rows = np.hstack([top, -response[:, None] * bottom]) * (w / np.abs(denominator))[:, None]
        right = response * w / np.abs(denominator)
        real = np.vstack([rows.real, rows.imag])
        scale = np.linalg.norm(real, axis=0)
        solution = np.linalg.lstsq(real / scale, np.concatenate([right.real, right.imag]), rcond=None)[0] / scale
        a = np.concatenate([[1.0], solution[zeros + 1:]])
        p = np.roots(a)
        p = np.where(np.abs(p) >= 1.0, 1.0 / np.conj(p), p)
        denominator = np.polynomial.polynomial.polyval(z, np.real(np.poly(p)))
        numerator = np.linalg.lstsq(np.vstack([(top * (w / np.abs(denominator))[:, None]).real,
                                               (top * (w / np.abs(denominator))[:, None]).imag]),
                                    _stacked(response * w * denominator / np.abs(denominator)), rcond=None)[0]
        error = np.linalg.norm(w * (top @ numerator / denominator - response))
        if best is None or error < best[0]:
            best = (error, numerator, p)
    _, b, p = best
    lead = b[0] if abs(b[0]) > 1e-9 * np.abs(b).max() else 1e-9 * np.abs(b).max()
    return RationalFilter(np.roots(np.concatenate([[lead], b[1:]])), p, float(lead))


def _stacked(values) -> np.ndarray:
    return np.concatenate([values.real, values.imag])
