"""How far two recordings are apart as the ear's filters see them: distances between short-time spectra.

All functions are pure and take ``(target, estimate)`` in this order, mono float64 of one shape (n_samples,).
Long recordings are analysed in stretches of frames, so that a minute of audio needs tens of megabytes.

References
----------
R. Yamamoto, E. Song, J.-M. Kim, "Parallel WaveGAN", ICASSP 2020: multi-resolution STFT distance, equations 4 to 6 and table 1.
C. J. Steinmetz, J. D. Reiss, "auraloss", DMRN 2020: the same with a floor of 1e-8 under the power; this module equals it.
A. H. Gray, J. D. Markel, "Distance measures for speech processing", IEEE Trans. ASSP 24(5), 1976: log-spectral distance.
R. Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", IEEE PACRIM 1993.
M. Slaney, "Auditory toolbox", Interval Research TR 1998-010: the mel scale and its triangles of equal area.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.fft import dct, rfft

from circuits.errors import SignalError
from validation.waveform_metrics import check_pair

RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))  # FFT size, hop, window: table 1 of Yamamoto et al.
_STRETCH = 1 << 16  # points of spectrum at once: half a megabyte stays in the cache, and takes half the time of sixteen


def power_stretches(samples: np.ndarray, size: int, hop: int, length: int):
    """Short-time power spectra, centred frames with reflected ends, in stretches.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,)
        At least ``size // 2 + 1`` samples.
    size, hop, length : int
        FFT size, hop and length of the periodic Hann window, in samples.

    Yields
    ------
    ndarray, shape (n_frames, size // 2 + 1)
    """
    if len(samples) <= size // 2:
        raise SignalError(f"{len(samples)} samples are too short for spectra of {size}", mend="Compare longer recordings.")
    padded = np.pad(samples, size // 2, mode="reflect")
    window = np.zeros(size)
    start = (size - length) // 2
    window[start:start + length] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    stretch = max(_STRETCH // size, 1)
    for first in range(0, len(frames), stretch):
        spectrum = rfft(frames[first:first + stretch] * window, axis=-1)
        yield spectrum.real**2 + spectrum.imag**2


def multi_resolution_stft_many(target, estimates, *, resolutions=RESOLUTIONS, floor: float = 1e-8) -> list[float]:
    """`multi_resolution_stft` of several estimates against one target, which is transformed only once.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(4800)
    >>> multi_resolution_stft_many(x, [x, -x])
    [0.0, 0.0]
    """
    pairs = [check_pair(target, estimate) for estimate in estimates]
    if not pairs:
        return []
    totals = np.zeros(len(pairs))
    for size, hop, length in resolutions:
        difference, absolute = np.zeros(len(pairs)), np.zeros(len(pairs))
        energy, count = 0.0, 0
        streams = [power_stretches(estimate, size, hop, length) for _, estimate in pairs]
        for power in power_stretches(pairs[0][0], size, hop, length):
            np.maximum(power, floor, out=power)
            magnitude, logarithm = np.sqrt(power), np.log(power)
            energy += float(power.sum())
            count += power.size
            for k, stream in enumerate(streams):
                other = np.maximum(next(stream), floor)
                absolute[k] += 0.5 * float(np.abs(np.log(other) - logarithm).sum())
                difference[k] += float(((np.sqrt(other) - magnitude) ** 2).sum())
        totals += np.sqrt(difference / energy) + absolute / count  # spectral convergence (5) and log magnitude (6)
    return [float(total) for total in totals / len(resolutions)]


def multi_resolution_stft(target, estimate, *, resolutions=RESOLUTIONS, floor: float = 1e-8) -> float:
    """Multi-resolution STFT distance: mean of spectral convergence plus mean log-magnitude difference.

    Parameters
    ----------
    target, estimate : array_like, shape (n_samples,)
    resolutions : tuple of (int, int, int)
        FFT size, hop and window length; by default (1024, 120, 600), (2048, 240, 1200), (512, 50, 240), periodic Hann.
    floor : float
        Least power of a bin, as auraloss has it: -80 dB re one unit squared.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(4800)
    >>> round(multi_resolution_stft(x, 2.0 * x), 6) == round(1.0 + math.log(2.0), 6)
    True
    """
    return multi_resolution_stft_many(target, [estimate], resolutions=resolutions, floor=floor)[0]


def _log_spectral(target: np.ndarray, estimate: np.ndarray, depth: float) -> float:
    """Root mean square difference in dB of two lists of power spectra, floored under the target's strongest bin."""
    least = target.max() * 10.0 ** (-depth / 10.0)
    total = 0.0
    for first in range(0, len(target), 64):  # some frames at a time, for the cache's sake
        part = slice(first, first + 64)
        difference = 10.0 * np.log10(np.maximum(target[part], least) / np.maximum(estimate[part], least))
        total += float(np.sqrt(np.mean(difference**2, axis=1)).sum())
    return total / len(target)


def log_spectral_distance(target, estimate, *, size: int = 2048, hop: int = 512, depth: float = 80.0) -> float:
    """Log-spectral distance in dB: root mean square over frequency, mean over time (Gray and Markel 1976, equation 5).

    Parameters
    ----------
    target, estimate : array_like, shape (n_samples,)
    size, hop : int
        FFT size (Hann window of the same length) and hop, samples.
    depth : float
        Both spectra are floored this many dB under the target's strongest bin, so that inaudible bins don't count.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(9600)
    >>> round(log_spectral_distance(x, 10.0 * x), 3)
    20.0
    """
    powers = [np.concatenate(list(power_stretches(samples, size, hop, size))) for samples in check_pair(target, estimate)]
    return _log_spectral(*powers, depth)


def _mel(frequency):
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    frequency = np.asarray(frequency, dtype=np.float64)
    return np.where(frequency < 1000.0, frequency * 0.015, 15.0 + np.log(np.maximum(frequency, 1000.0) / 1000.0) * 27.0 / math.log(6.4))


def _mel_inverse(mel):
    return np.where(mel < 15.0, mel / 0.015, 1000.0 * np.exp((np.maximum(mel, 15.0) - 15.0) * math.log(6.4) / 27.0))


@lru_cache(maxsize=8)
def mel_bank(sample_rate: float, size: int, n_bands: int) -> np.ndarray:
    """Triangular mel filters of equal area (Slaney 1998), from 0 Hz to half the rate.

    Returns
    -------
    ndarray, shape (n_bands, size // 2 + 1)

    Examples
    --------
    >>> mel_bank(48000.0, 2048, 40).shape
    (40, 1025)
    """
    frequencies = np.fft.rfftfreq(size, 1.0 / sample_rate)
    edges = _mel_inverse(np.linspace(0.0, _mel(sample_rate / 2.0), n_bands + 2))
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    bank = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    bank.flags.writeable = False
    return bank


def mel_cepstral_distance(target, estimate, sample_rate: float, *, size: int = 2048, hop: int = 512, n_bands: int = 80,
                          order: int = 24, depth: float = 80.0) -> float:
    """Mel-cepstral distance in dB, ``10/ln 10 sqrt(2 sum (c - ĉ)²)`` over coefficients 1 to 24, mean over time (Kubichek 1993).

    The cepstra ``c`` are those of ``ln |S| = c_0 + sum c_m cos(m w)`` over the bands, so the distance is the root mean
    square difference of the smoothed mel spectra in dB. Level alone, coefficient 0, does not count. Each signal is floored
    ``depth`` dB under its own strongest band.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(9600)
    >>> mel_cepstral_distance(x, 2.0 * x, 48000.0) < 1e-9
    True
    """
    bank = mel_bank(float(sample_rate), size, n_bands)
    bands = [np.concatenate([power @ bank.T for power in power_stretches(samples, size, hop, size)]) for samples in check_pair(target, estimate)]
    return _between_cepstra(*(_cepstra(band, order, depth) for band in bands), n_bands)


def _cepstra(bands: np.ndarray, order: int, depth: float) -> np.ndarray:
    """Mel cepstra 1 to ``order`` of the powers in bands, shape (n_frames, order)."""
    strongest = bands.max()
    if strongest == 0.0:
        raise SignalError("the estimate is silent", mend="Its cepstrum does not exist.")
    return dct(0.5 * np.log(np.maximum(bands, strongest * 10.0 ** (-depth / 10.0))), norm="ortho", axis=1)[:, 1:order + 1]


def _between_cepstra(target: np.ndarray, estimate: np.ndarray, n_bands: int) -> float:
    scale = math.sqrt(2.0 / n_bands)  # from the orthonormal transform to c_m
    return float(10.0 / math.log(10.0) * np.mean(np.sqrt(2.0 * np.sum((scale * (target - estimate)) ** 2, axis=1))))


def frame_distances_many(target, estimates, sample_rate: float, *, size: int = 2048, hop: int = 512, n_bands: int = 80, order: int = 24,
                         depth: float = 80.0) -> list[tuple[float, float]]:
    """`log_spectral_distance` and `mel_cepstral_distance` of several estimates against one target: each signal is transformed only once.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(9600)
    >>> frame_distances_many(x, [x, 10.0 * x], 48000.0)[0]
    (0.0, 0.0)
    """
    bank = mel_bank(float(sample_rate), size, n_bands)

    def seen(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        power = np.concatenate(list(power_stretches(samples, size, hop, size)))
        return power, _cepstra(power @ bank.T, order, depth)

    found = []
    reference = None
    for estimate in estimates:
        truth, other = check_pair(target, estimate)
        reference = reference or seen(truth)
        power, cepstra = seen(other)
        found.append((_log_spectral(reference[0], power, depth), _between_cepstra(reference[1], cepstra, n_bands)))
    return found
