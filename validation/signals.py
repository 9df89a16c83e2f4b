"""Signals to test with: sines, sweeps, multisines, noise, steps, squares, twin tones and the three guitar phrases that ship.

Conventions: arrays of float64, shape (n_samples,); levels are peak values unless said otherwise; rates and frequencies in Hz.

References
----------
A. Novak, P. Lotton, L. Simon, "Synchronized swept-sine: theory, application, and implementation",
    J. Audio Eng. Soc. 63(10), 2015: the sweep, equations 33 and 47.
M. R. Schroeder, "Synthesis of low-peak-factor signals and binary sequences with low autocorrelation",
    IEEE Trans. Information Theory 16(1), 1970: phases of the multisine.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from circuits.errors import SignalError
from validation.audio import Audio, read_audio

PHRASES = ("single-notes", "chords", "palm-mutes")
SWEEP = "sweep"
FOLDER = Path(__file__).parent / "phrases"


def _times(duration: float, sample_rate: float) -> np.ndarray:
    if not (sample_rate > 0 and duration > 0):
        raise SignalError(f"no signal lasts {duration} s at {sample_rate} Hz", mend="Give positive numbers.")
    return np.arange(int(round(duration * sample_rate))) / sample_rate


def whole_periods(frequency: float, n_samples: int, sample_rate: float) -> float:
    """Frequency nearest to the one given that has a whole, odd number of periods in ``n_samples``.

    Then a discrete Fourier transform needs no window, and no two samples of the sine repeat for even ``n_samples``.

    Examples
    --------
    >>> whole_periods(1000.0, 48000, 48000.0), whole_periods(1000.0, 4800, 48000.0)
    (1001.0, 1010.0)
    """
    periods = 2 * int(frequency * n_samples / sample_rate / 2.0) + 1
    return periods * sample_rate / n_samples


def sine(frequency: float, duration: float, sample_rate: float, *, level: float = 1.0, phase: float = 0.0) -> np.ndarray:
    """``level * sin(2 pi frequency t + phase)``.

    Examples
    --------
    >>> sine(1000.0, 0.001, 4000.0).round(12).tolist()
    [0.0, 1.0, 0.0, -1.0]
    """
    return level * np.sin(2.0 * np.pi * frequency * _times(duration, sample_rate) + phase)


def twin_tone(low: float, high: float, duration: float, sample_rate: float, *, ratio: float = 1.0, level: float = 1.0) -> np.ndarray:
    """Two sines whose amplitudes are as ``ratio`` (low to high) and whose largest possible sum is ``level``.

    SMPTE RP 120 has 60 Hz and 7 kHz at 4 to 1; CCIF (IEC 60268-3) has 19 and 20 kHz at 1 to 1.

    Examples
    --------
    >>> tone = twin_tone(60.0, 7000.0, 0.1, 48000.0, ratio=4.0)
    >>> bool(np.abs(tone).max() <= 1.0)
    True
    """
    t = _times(duration, sample_rate)
    a, b = ratio / (1.0 + ratio), 1.0 / (1.0 + ratio)
    return level * (a * np.sin(2.0 * np.pi * low * t) + b * np.sin(2.0 * np.pi * high * t))


def square(frequency: float, duration: float, sample_rate: float, *, level: float = 1.0) -> np.ndarray:
    """A square wave, plus or minus ``level``, with its edges on samples (not band-limited: it is a test of endurance).

    Examples
    --------
    >>> square(1.0, 1.0, 4.0).tolist()
    [1.0, 1.0, -1.0, -1.0]
    """
    return np.where((_times(duration, sample_rate) * frequency) % 1.0 < 0.5, level, -level)


def steps(levels, hold: float, sample_rate: float) -> np.ndarray:
    """Each level held for ``hold`` seconds.

    Examples
    --------
    >>> steps([0.0, 10.0], 0.5, 4.0).tolist()
    [0.0, 0.0, 10.0, 10.0]
    """
    return np.repeat(np.asarray(levels, dtype=np.float64), len(_times(hold, sample_rate)))


def noise(duration: float, sample_rate: float, rng: np.random.Generator, *, level: float = 1.0) -> np.ndarray:
    """White Gaussian noise with the standard deviation ``level``.

    Examples
    --------
    >>> noise(1.0, 1000.0, np.random.default_rng(1)).shape
    (1000,)
    """
    return level * rng.standard_normal(len(_times(duration, sample_rate)))


def sweep_rate(start: float, stop: float, duration: float) -> float:
    """Seconds in which the synchronised sweep's frequency grows by e: Novak 2015, equation 47."""
    if not 0.0 < start < stop:
        raise SignalError(f"a sweep can't go from {start} Hz to {stop} Hz", mend="Give 0 < start < stop.")
    return max(round(start * duration / math.log(stop / start)), 1) / start


def sweep(start: float, stop: float, duration: float, sample_rate: float, *, level: float = 1.0, fade: float = 0.0) -> np.ndarray:
    """Exponential synchronised sweep: its harmonics are the sweep itself, shifted in time.

    Parameters
    ----------
    start, stop : float
        Hz.
    duration : float
        Seconds; made exact to the nearest period of ``start``, so the result may be longer or shorter by a little.
    level : float
        Peak.
    fade : float
        Seconds of raised-cosine fade at both ends.

    Examples
    --------
    >>> x = sweep(20.0, 20000.0, 1.0, 48000.0)
    >>> x[0] == 0.0, bool(abs(len(x) / 48000.0 - 1.0) < 0.2)
    (np.True_, True)
    """
    rate = sweep_rate(start, stop, duration)
    t = _times(rate * math.log(stop / start), sample_rate)
    x = level * np.sin(2.0 * np.pi * start * rate * np.expm1(t / rate))  # equation 33; start * rate is whole
    edge = min(int(fade * sample_rate), len(x) // 2)
    if edge:
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
        x[:edge] *= ramp
        x[len(x) - edge:] *= ramp[::-1]
    return x


def shipped_sweep() -> Audio:
    """Eight seconds of synchronised sweep from 20 Hz to 20 kHz at half of full scale and 48 kHz, half a second of silence behind: for Hammerstein kernels.

    Examples
    --------
    >>> shipped_sweep().sample_rate
    48000.0
    """
    return Audio(np.concatenate([sweep(20.0, 20000.0, 8.0, 48000.0, level=0.5), np.zeros(24000)]), 48000.0)


def multisine(frequencies, n_samples: int, sample_rate: float, *, level: float = 1.0, rng: np.random.Generator | None = None) -> np.ndarray:
    """Sum of equal sines, each moved to a whole number of periods in ``n_samples``.

    Parameters
    ----------
    frequencies : array_like of float
        Hz, below half the rate; those that fall on the same bin count once.
    level : float
        Peak of the sum.
    rng : numpy.random.Generator, optional
        Draws random phases; without it Schroeder's phases (1970) keep the crest factor low.

    Examples
    --------
    >>> x = multisine([100.0, 200.0, 300.0], 4800, 48000.0)
    >>> np.flatnonzero(np.abs(np.fft.rfft(x)) > 1.0).tolist()
    [10, 20, 30]
    """
    bins = np.unique(np.round(np.asarray(frequencies, dtype=np.float64) * n_samples / sample_rate).astype(int))
    if bins.size == 0 or bins[0] < 1 or bins[-1] >= n_samples / 2:
        raise SignalError("the frequencies of a multisine lie above 0 Hz and below half the sample rate",
                          mend="Give others, or more samples.")
    if rng is None:
        order = np.arange(1, bins.size + 1)
        phases = -np.pi * order * (order - 1) / bins.size
    else:
        phases = rng.uniform(0.0, 2.0 * np.pi, bins.size)
    spectrum = np.zeros(n_samples // 2 + 1, dtype=complex)
    spectrum[bins] = np.exp(1j * phases)
    x = np.fft.irfft(spectrum, n_samples)
    return x * (level / np.abs(x).max())


def shipped_phrase(name: str) -> Audio:
    """Read a phrase that ships: 48 kHz, mono.

    Examples
    --------
    >>> shipped_phrase("chords").sample_rate
    48000.0
    """
    if name not in PHRASES:
        raise SignalError(f"there is no phrase {name!r}", mend=f"Phrases: {', '.join(PHRASES)}.")
    return read_audio(FOLDER / f"{name}.flac")
