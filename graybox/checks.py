"""Does this pair of recordings belong together, and can a fit learn from it? Each refusal says what was measured.

Alignment of files (sub-sample latency, drift, polarity) is done before, elsewhere; here come aligned arrays.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from circuits.errors import FitError, SignalError

SHORTEST = 4096  # samples
LEAST_COHERENT = 0.02  # share of the target's power that is linear in the input
WINDOW = 64  # samples of lag that the filters of a block can take up


def check_pair(x, y, sample_rate: float, *, what: str = "recording", related: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return input and target as float64 arrays, or refuse; ``related=False`` leaves out lag and coherence.

    Raises
    ------
    SignalError
        A shape that is not mono, a sample that is not finite.
    FitError
        Different lengths, too short, silent, clipped, delayed beyond the window, or unrelated.
    """
    pair = []
    for name, samples in (("input", x), ("target", y)):
        array = np.ascontiguousarray(samples, dtype=np.float64)
        if array.ndim != 1:
            raise SignalError(f"{what}: the {name} has the shape {array.shape}, a fit takes mono audio",
                              mend="Choose one channel.")
        finite = np.isfinite(array)
        if not finite.all():
            index = int(np.argmin(finite))
            raise SignalError(f"{what}: sample {index} of the {name} is {array[index]}",
                              mend="Repair the recording: every sample must be finite.")
        pair.append(array)
    x, y = pair
    if len(x) != len(y):
        raise FitError(f"{what}: the input has {len(x)} samples and the target {len(y)}",
                       mend="Align and cut both to the same length.")
    if len(x) < SHORTEST:
        raise FitError(f"{what}: {len(x)} samples are too few for a fit, {SHORTEST} is the least",
                       mend="Record some seconds.")
    for name, samples in (("input", x), ("target", y)):
        level = np.std(samples)
        if level <= 1e-9 * max(np.abs(samples).max(), 1e-3):
            raise FitError(f"{what}: the {name} is silent (standard deviation {level:.3g})")
        run = _flat_top(samples)
        if run >= 8:
            raise FitError(f"{what}: the {name} is clipped: {run} samples in a row stand at its peak of "
                           f"{np.abs(samples).max():.4g}", mend="Record it again at a lower level.")
    if related:
        _check_related(x, y, sample_rate, what)
    return x, y


def _flat_top(samples) -> int:
    """Longest run of samples that equal the largest magnitude, on one side."""
    longest = 0
    for peak in (samples.max(), samples.min()):
        if abs(peak) < 0.5 * np.abs(samples).max():
            continue
        at = np.concatenate([[0], (samples == peak).astype(np.int8), [0]])
        edges = np.flatnonzero(np.diff(at))
        if len(edges):
            longest = max(longest, int((edges[1::2] - edges[::2]).max()))
    return longest


def coherent_share(x, y, sample_rate: float) -> float:
    """Share of the target's power that is linear in the input (Welch, segments of up to 2,048 samples), bias removed."""
    segment = int(min(2048, len(x) // 8))
    f, c = signal.coherence(x, y, fs=sample_rate, nperseg=segment)
    _, syy = signal.welch(y, fs=sample_rate, nperseg=segment)
    segments = 0.947 * (2 * len(x) / segment - 1)  # independent ones, for half overlapping Hann windows (Welch 1967)
    unbiased = np.clip((c - 1.0 / segments) / (1.0 - 1.0 / segments), 0.0, 1.0)
    return float(np.sum(unbiased[1:] * syy[1:]) / np.sum(syy[1:]))


def _check_related(x, y, sample_rate, what) -> None:
    share = coherent_share(x, y, sample_rate)
    if share >= LEAST_COHERENT:
        check_order(x, y, sample_rate, what=what)
    far, lag = _better_lag(x, y)
    if far > 2.0:
        raise FitError(f"{what}: the target fits the input {far:.1f} times better when it is shifted by {lag} samples "
                       f"({1e3 * lag / sample_rate:.1f} ms) than within {WINDOW} samples", mend="Align the files first.")
    if share < LEAST_COHERENT:
        raise FitError(f"{what}: only {100 * share:.2f} % of the target's power is coherent with the input "
                       f"(at least {100 * LEAST_COHERENT:g} % are needed)",
                       mend="Check that both files are from the same take and not swapped.")


def check_order(x, y, sample_rate: float, *, what: str = "recording") -> None:
    """Refuse a pair whose files look swapped.

    A device answers after its input, and one that limits makes peaks flatter. A target that comes before its input and is far
    peakier (crest factor and kurtosis) is the input of such a device. Peaks alone prove nothing: a bright amplifier makes them too.

    Parameters
    ----------
    x, y : ndarray, shape (n_samples,)
    sample_rate : float
        Hz.

    Raises
    ------
    FitError
    """
    crest, tails = [], []
    for s in (x, y):
        s = s - s.mean()
        power = float(np.mean(s**2))
        crest.append(float(np.abs(s).max() / np.sqrt(power)))
        tails.append(float(np.mean(s**4) / power**2))
    if not (crest[1] > 1.2 * crest[0] and tails[1] > 1.5 * tails[0]):
        return
    r, lags = whitened(x, y)
    early = -int(lags[np.argmax(r)])
    if early >= 1:
        raise FitError(f"{what}: the target comes {early} samples ({1e3 * early / sample_rate:.2f} ms) before the input and is peakier "
                       f"(crest factor {crest[1]:.1f} against {crest[0]:.1f}, kurtosis {tails[1]:.1f} against {tails[0]:.1f}): the files "
                       f"look swapped", mend="Give the dry recording first.")


def whitened(x, y) -> tuple[np.ndarray, np.ndarray]:
    """Magnitude of the whitened cross-correlation of an input and a target, and how late the target is at each of its samples; both (n_lags,)."""
    n = 2 ** int(np.ceil(np.log2(2 * len(x))))
    cross = np.conj(np.fft.rfft(x, n)) * np.fft.rfft(y, n)
    magnitude = np.abs(cross)
    cross = cross / np.maximum(magnitude, 1e-3 * magnitude.max())
    lags = np.arange(n)
    return np.abs(np.fft.irfft(cross, n)), np.where(lags < n // 2, lags, lags - n)


def _better_lag(x, y) -> tuple[float, int]:
    """How much larger the whitened cross-correlation is outside the window than inside, and at which lag."""
    r, lags = whitened(x, y)
    near = np.abs(lags) <= WINDOW
    at = int(np.argmax(np.where(near, 0.0, r)))
    return float(r[at] / r[near].max()), int(lags[at])
