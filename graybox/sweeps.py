"""The swept-sine route: a synchronised exponential sweep, and the kernels of a polynomial Hammerstein model from it.

One sweep of some seconds gives the impulse responses of all harmonics at once; a linear change of basis makes them the
filters behind the powers of the input.

References
----------
Novak, Lotton, Simon, "Synchronized swept-sine: theory, application, and implementation", JAES 63(10), 2015, eq. 47 (the
signal), 43 (the inverse filter) and 28 to 33 (harmonics to powers).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.signal import fftconvolve
from scipy.signal.windows import tukey

from circuits.errors import FitError


@dataclass(frozen=True, slots=True)
class Sweep:
    """Synchronised exponential sweep from ``low`` to ``high`` Hz; ``rate`` is L of Novak et al., seconds."""

    low: float
    high: float
    rate: float
    sample_rate: float
    samples: np.ndarray


def synchronised_sweep(low: float, high: float, seconds: float, sample_rate: float, *, level: float = 1.0) -> Sweep:
    """A sweep whose harmonics start in phase: x = sin(2 pi f1 L exp(t / L)) with f1 L whole.

    Raises FitError if the band is empty or reaches Nyquist.

    Examples
    --------
    >>> sweep = synchronised_sweep(50.0, 10000.0, 2.0, 48000.0)
    >>> round(sweep.low * sweep.rate % 1.0, 9)
    0.0
    """
    if not 0.0 < low < high < 0.5 * sample_rate:
        raise FitError(f"a sweep from {low:g} to {high:g} Hz does not fit below {0.5 * sample_rate:g} Hz")
    rate = round(low * seconds / np.log(high / low)) / low
    if rate <= 0.0:
        raise FitError(f"{seconds:g} s are too short for a sweep that starts at {low:g} Hz", mend="Make it longer.")
    t = np.arange(int(rate * np.log(high / low) * sample_rate)) / sample_rate
    return Sweep(low, high, rate, sample_rate, level * np.sin(2.0 * np.pi * low * rate * np.exp(t / rate)))


@dataclass(frozen=True, slots=True)
class HammersteinKernels:
    """Frequency responses G_n behind the powers x^n of the input, of a generalised Hammerstein model.

    Parameters
    ----------
    frequencies : ndarray, shape (n_frequencies,), Hz
    powers : ndarray of complex, shape (order, n_frequencies)
        Row n - 1 belongs to x^n, for an input of peak 1.
    harmonics : ndarray of complex, shape (order, n_frequencies)
        Higher harmonic responses H_n before the change of basis.
    """

    frequencies: np.ndarray
    powers: np.ndarray
    harmonics: np.ndarray


def hammerstein_kernels(sweep: Sweep, output, *, order: int = 5, length: int = 2048, level: float = 1.0) -> HammersteinKernels:
    """Kernels of the powers of the input from the recorded answer to a sweep.

    Parameters
    ----------
    output : ndarray, shape (n_samples,)
        Answer to ``sweep.samples``, aligned; silence behind the end may be included.
    order : int
        Highest power.
    length : int
        Samples of each harmonic's impulse response (windowed around its place).
    level : float
        Peak of the sweep.

    Raises
    ------
    FitError
        If the harmonics lie closer together than ``length``, or the answer is shorter than the sweep.
    """
    output = np.asarray(output, dtype=np.float64)
    if len(output) < len(sweep.samples):
        raise FitError(f"the answer has {len(output)} samples and the sweep {len(sweep.samples)}")
    gap = sweep.rate * np.log(order / (order - 1.0)) * sweep.sample_rate if order > 1 else np.inf
    if gap < length:
        raise FitError(f"harmonics {order - 1} and {order} lie {gap:.0f} samples apart, closer than {length}",
                       mend="Use a slower sweep, a lower order or a shorter response.")
    n = int(2 ** np.ceil(np.log2(len(output) + length)))
    f = np.fft.rfftfreq(n, 1.0 / sweep.sample_rate)
    spectrum = np.fft.rfft(output, n) / sweep.sample_rate
    inverse = np.zeros(len(f), dtype=complex)
    # beyond the band the inverse filter would amplify what the sweep never excited
    use = (f >= 0.5 * sweep.low) & (f <= min(1.05 * sweep.high * order, 0.5 * sweep.sample_rate))
    g = f[use]
    inverse[use] = 2.0 * np.sqrt(g / sweep.rate) * np.exp(-2j * np.pi * g * sweep.rate * (1.0 - np.log(g / sweep.low)) + 0.25j * np.pi)
    impulse = np.fft.irfft(spectrum * inverse, n)
    out_f = np.fft.rfftfreq(length, 1.0 / sweep.sample_rate)
    harmonics = np.zeros((order, len(out_f)), dtype=complex)
    half = length // 2
    window = tukey(length, 0.25)
    for k in range(1, order + 1):
        place = sweep.rate * np.log(k) * sweep.sample_rate
        whole = int(np.floor(place))
        take = (np.arange(length) - half - whole) % n
        response = np.fft.rfft(impulse[take] * window)
        # the fraction of a sample, and the half window in front of the response
        harmonics[k - 1] = response * np.exp(2j * np.pi * out_f / sweep.sample_rate * (half - (place - whole)))
    return HammersteinKernels(out_f, _powers(harmonics, level), harmonics)


def _powers(harmonics, level) -> np.ndarray:
    """Solve sin^n = sum of its harmonics for the filters behind the powers (Novak et al. 2015, eq. 30)."""
    order = len(harmonics)
    A = np.zeros((order, order), dtype=complex)
    for n in range(1, order + 1):
        for k in range(n // 2 + 1 if n % 2 == 0 else (n + 1) // 2):
            m = n - 2 * k  # harmonic
            if m > 0:
                sign = (-1.0) ** ((n - 1) // 2 + k) if n % 2 else (-1.0) ** (n // 2 + k)
                share = 2.0 * comb(n, k) / 2.0**n * sign
                # sin^n holds sines for odd n and cosines for even n: cos = sin shifted by j for positive frequencies
                A[m - 1, n - 1] = share * (1.0 if n % 2 else 1j) * level**n
    return np.linalg.solve(A, harmonics)


def play_kernels(kernels: HammersteinKernels, x) -> np.ndarray:
    """Output of the generalised Hammerstein model for an input: the sum of G_n applied to x^n."""
    x = np.asarray(x, dtype=np.float64)
    total = np.zeros(len(x))
    for n, response in enumerate(kernels.powers, start=1):
        impulse = np.fft.irfft(response)
        half = len(impulse) // 2
        impulse = np.roll(impulse, half)
        total += fftconvolve(x**n, impulse)[half:half + len(x)]
    return total
