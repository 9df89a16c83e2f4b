"""Lay two recordings of one performance over each other: latency, polarity, gain, offset and drift, each told.

Nothing here is silent: `align` measures and returns the figures, `apply` moves what it is told to move, and a pair that does
not belong together is refused with the coherence that says so.

Conventions: a positive latency means that the estimate comes later than the target; samples are mono, shape (n_samples,).

References
----------
C. H. Knapp, G. C. Carter, "The generalized correlation method for estimation of time delay", IEEE Trans. ASSP 24(4), 1976:
    cross-correlation with the phase transform (equation 20, table I); delay as the slope of the cross-spectrum's phase.
G. C. Carter, C. H. Knapp, A. H. Nuttall, "Estimation of the magnitude-squared coherence function via overlapped fast Fourier
    transform processing", IEEE Trans. Audio Electroacoustics 21(4), 1973: coherence and its bias 1 / n_frames.
T. I. Laakso, V. Välimäki, M. Karjalainen, U. K. Laine, "Splitting the unit delay", IEEE Signal Processing Magazine 13(1), 1996:
    fractional delay by a windowed sinc.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import oaconvolve

from circuits.errors import SignalError
from validation.polarity import polarity
from validation.waveform_metrics import check_pair, esr

MODES = ("none", "latency", "latency+gain")
MAX_LATENCY = 0.5  # seconds
LEAST_COHERENCE = 0.2  # unrelated takes of the shipped phrases reach 0.06, a clean and a fuzzed rendering of one take over 0.5
_HALF = 256  # taps on each side of the fractional delay: flat to 0.96 of half the rate, -140 dB beyond
_CLEAR = 10.0  # peak of the phase transform over its root mean square; unrelated signals reach 6
_CLIMB = 2  # samples: what distortion moves the arrival at most
_LEAST_FRACTION = 1e-4  # samples; less is rounding, or the difference of the two, and no latency
_PLAIN = 0.5  # of the target's energy left as error: under it the sign of the correlation is plain
_STRETCH = 1 << 19  # samples of the loudest stretch in which the whole-sample latency is searched


@dataclass(frozen=True, slots=True)
class Alignment:
    """What was measured between a target and an estimate.

    Parameters
    ----------
    latency : float
        Samples by which the estimate is late.
    polarity : int
        1, or -1 if the estimate is upside down (`validation.polarity`); 0 if that can't be told, which is played as 1.
    gain : float
        Positive factor that, with polarity and offset, brings the estimate nearest to the target in least squares; the ratio of their levels
        where that would be negative.
    dc : float
        To be added after the gain, unit of the signals.
    drift, drift_error : float
        Growth of the latency in parts per million of elapsed time and its standard error; NaN if too short to tell.
    coherence : float
        Share of the target's power that some linear filter of the estimate explains, 0 to 1.
    esr_before, esr_latency, esr_after : float
        Error-to-signal ratio as it came, with the latency taken out, and with gain, polarity and offset too.
    """

    latency: float
    polarity: int
    gain: float
    dc: float
    drift: float
    drift_error: float
    coherence: float
    esr_before: float
    esr_latency: float
    esr_after: float

    @property
    def gain_db(self) -> float:
        """Gain in dB."""
        return 20.0 * math.log10(self.gain)

    @property
    def margin(self) -> tuple[int, int]:
        """Samples at the start and at the end that are not valid after the latency is taken out."""
        whole, share = _split(self.latency)
        blur = _HALF if share else 0
        return max(-whole, 0) + blur, max(whole, 0) + blur


def _split(delay: float) -> tuple[int, float]:
    whole = int(round(delay))
    return whole, delay - whole


def advance(samples: np.ndarray, latency: float) -> np.ndarray:
    """Move a signal earlier by any number of samples; zeros come in from outside.

    A whole number moves exactly; a fraction by a windowed sinc of 513 taps (Laakso et al. 1996), exact to -140 dB below
    0.96 of half the sample rate.

    Examples
    --------
    >>> advance(np.array([0.0, 1.0, 2.0, 3.0]), 1.0).tolist()
    [1.0, 2.0, 3.0, 0.0]
    """
    samples = np.asarray(samples, dtype=np.float64)
    whole, share = _split(latency)
    moved = np.zeros_like(samples)
    if abs(whole) < len(samples):
        if whole >= 0:
            moved[:len(samples) - whole] = samples[whole:]
        else:
            moved[-whole:] = samples[:whole]
    if share == 0.0:
        return moved
    n = np.arange(-_HALF, _HALF + 1) + share
    window = np.i0(14.0 * np.sqrt(np.maximum(1.0 - (n / (_HALF + 1.0)) ** 2, 0.0))) / np.i0(14.0)
    return oaconvolve(moved, np.sinc(n) * window, mode="same")


def apply(alignment: Alignment, estimate: np.ndarray, mode: str) -> np.ndarray:
    """Take out of an estimate what the mode says.

    Parameters
    ----------
    alignment : Alignment
    estimate : ndarray, shape (n_samples,)
    mode : {"none", "latency", "latency+gain"}
        Nothing; the latency; latency, gain, polarity and offset.

    Returns
    -------
    ndarray, shape (n_samples,)

    Raises
    ------
    SignalError
        For an unknown mode.
    """
    check_mode(mode)
    if mode == "none":
        return np.asarray(estimate, dtype=np.float64)
    moved = advance(estimate, alignment.latency)
    return moved if mode == "latency" else (alignment.polarity or 1) * alignment.gain * moved + alignment.dc


def check_mode(mode: str) -> None:
    """Raise SignalError unless the mode is one of `MODES`."""
    if mode not in MODES:
        raise SignalError(f"there is no alignment {mode!r}", mend=f"Use one of {', '.join(MODES)}.")


def _loudest(target: np.ndarray) -> slice:
    if len(target) <= _STRETCH:
        return slice(None)
    hop = _STRETCH // 4
    energy = np.add.reduceat(target**2, np.arange(0, len(target), hop))
    best = int(np.argmax(np.convolve(energy, np.ones(4), mode="valid")[:-1]))
    return slice(best * hop, best * hop + _STRETCH)


def _whole_latency(target: np.ndarray, estimate: np.ndarray, limit: int) -> int:
    """Whole-sample latency by the phase transform, or by plain correlation where that has no clear peak.

    Whitened, the correlation shows when the sound arrives; plain, it shows where the strongest partials fit best, which for two
    different tone settings of one amplifier can be a millisecond away. Tones without much bandwidth have no clear arrival.
    """
    size = next_fast_len(len(target) + limit + 1, real=True)
    cross = rfft(estimate - estimate.mean(), size) * np.conj(rfft(target - target.mean(), size))
    magnitude = np.abs(cross)
    strong = magnitude > 1e-6 * magnitude.max()  # the phase of nothing is no information
    phat = np.zeros_like(cross)
    phat[strong] = cross[strong] / magnitude[strong]
    plain, white = irfft(cross, size), irfft(phat, size)
    lags = np.concatenate([np.arange(limit + 1), np.arange(-limit, 0)])
    plain, white = plain[lags], np.abs(white[lags])
    first = int(np.argmax(white))
    furthest = limit
    if white[first] > _CLEAR * np.sqrt(np.mean(white**2)):
        furthest = _CLIMB
    else:
        best = max(plain.max(), 0.98 * -plain.min())  # half a period and upside down is as good for a sine: upright wins
        good = np.flatnonzero(np.maximum(plain, 0.98 * -plain) >= 0.98 * best)
        first = good[np.argmin(np.abs(lags[good]))]  # a periodic signal: the smallest of its equal latencies
    # climb towards the local maximum of the plain correlation, where the error is least
    height = dict(zip(lags.tolist(), np.abs(plain).tolist()))
    start = lag = int(lags[first])
    while max(height.get(lag - 1, 0.0), height.get(lag + 1, 0.0)) > height[lag]:
        further = lag + (1 if height.get(lag + 1, 0.0) > height.get(lag - 1, 0.0) else -1)
        if abs(further - start) > furthest:
            return start  # no maximum nearby: the two are filtered differently, and the arrival stands
        lag = further
    return lag


@dataclass(frozen=True, slots=True)
class _Spectra:
    """Sums over frames, for each of some groups of frames: shape (n_groups, n_bins)."""

    cross: np.ndarray
    target: np.ndarray
    estimate: np.ndarray
    centres: np.ndarray
    size: int
    n_frames: int


def _spectra(target: np.ndarray, estimate: np.ndarray, n_groups: int = 24) -> _Spectra:
    size = max(min(8192, 2 ** int(math.log2(max(len(target) / 12, 64)))), 64)
    window = np.hanning(size + 1)[:-1]
    frames = [np.lib.stride_tricks.sliding_window_view(samples - samples.mean(), size)[::size // 2] for samples in (target, estimate)]
    n_frames = len(frames[0])
    edges = np.linspace(0, n_frames, min(n_groups, n_frames) + 1).astype(int)
    sums = []
    for first, last in zip(edges[:-1], edges[1:]):
        y, x = (rfft(part[first:last] * window, axis=1) for part in frames)
        sums.append((np.sum(np.conj(y) * x, axis=0), np.sum(np.abs(y) ** 2, axis=0), np.sum(np.abs(x) ** 2, axis=0)))
    cross, of_target, of_estimate = (np.array(part) for part in zip(*sums))
    centres = ((edges[:-1] + edges[1:] - 1) * (size // 2) + size) / 2.0
    return _Spectra(cross, of_target, of_estimate, centres, size, n_frames)


def _phase_slope(cross: np.ndarray, size: int, around: float = 0.0, reach: float = 1.0) -> float:
    """Delay in samples within ``reach`` of ``around``: the maximum of ``|sum |S| cos(arg S + w tau)|`` over strong bins.

    Among quarter samples first, then by Newton's steps: near its maximum the sum falls off with the phase's slope.
    """
    magnitude = np.abs(cross)
    strong = magnitude > 1e-4 * magnitude.max()  # partials within 40 dB of the strongest
    weight, phase = magnitude[strong], np.angle(cross[strong])
    w = 2.0 * np.pi * np.flatnonzero(strong) / size
    grid = around + np.arange(-reach, reach + 0.125, 0.25)
    heights = np.cos(phase + np.outer(grid, w)) @ weight
    best = int(np.argmax(np.abs(heights)))
    if heights[best] < 0.0:
        phase = phase + np.pi
    tau = grid[best]
    for _ in range(30):
        angle = phase + w * tau
        slope, bend = -np.sum(weight * w * np.sin(angle)), -np.sum(weight * w * w * np.cos(angle))
        if bend >= 0.0:
            break
        step = float(np.clip(-slope / bend, -0.25, 0.25))
        tau += step
        if abs(step) < 1e-12:
            break
    return float(tau)


def _coherence(spectra: _Spectra) -> float:
    cross, target, estimate = (part.sum(axis=0) for part in (spectra.cross, spectra.target, spectra.estimate))
    explained = np.divide(np.abs(cross) ** 2, estimate, out=np.zeros(len(target)), where=estimate > 0.0)
    raw = float(explained.sum() / target.sum())
    bias = min(2.0 / spectra.n_frames, 0.5)  # half-overlapped frames: about n / 2 of them are independent
    return max((raw - bias) / (1.0 - bias), 0.0)


def _drift(spectra: _Spectra) -> tuple[float, float]:
    energy = np.sqrt(np.sum(np.abs(spectra.cross), axis=1))
    loud = energy > 0.03 * energy.max()
    if np.count_nonzero(loud) < 4:
        return math.nan, math.nan
    delays = np.zeros(len(energy))
    start = int(np.argmax(energy))
    for walk in (range(start, len(energy)), range(start - 1, -1, -1)):  # outwards from the loudest, each near its neighbour
        around = delays[start]
        for group in walk:
            if loud[group]:
                delays[group] = around = _phase_slope(spectra.cross[group], spectra.size, around, 16.0)
    delays = delays[loud]
    times, weights = spectra.centres[loud], energy[loud] / energy[loud].sum()
    middle = np.sum(weights * times)
    spread = np.sum(weights * (times - middle) ** 2)
    slope = np.sum(weights * (times - middle) * delays) / spread
    left = delays - np.sum(weights * delays) - slope * (times - middle)
    error = math.sqrt(np.sum(weights * left**2) / (len(times) - 2) / spread)
    return float(1e6 * slope), 1e6 * error


def align(target, estimate, sample_rate: float, *, max_latency: float = MAX_LATENCY) -> Alignment:
    """Measure how an estimate lies against its target.

    Parameters
    ----------
    target, estimate : array_like, shape (n_samples,)
    sample_rate : float
        Hz.
    max_latency : float
        Seconds searched in both directions.

    Returns
    -------
    Alignment

    Raises
    ------
    SignalError
        If target or estimate is silent, or the two do not belong together (coherence under 0.2 at the best latency).

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(9600)
    >>> found = align(x, -0.5 * np.roll(x, 7), 48000.0)
    >>> round(found.latency, 3), found.polarity, round(found.gain, 2)
    (7.0, -1, 2.0)
    """
    target, estimate = check_pair(target, estimate)
    if np.ptp(estimate) == 0.0:
        raise SignalError("the estimate is silent", mend="There is nothing to align: look at its level and at its input.")
    if len(target) < 256:
        raise SignalError(f"{len(target)} samples are too short to align", mend="Give at least 256, or align nothing.")
    limit = min(int(max_latency * sample_rate), len(target) // 2)
    stretch = _loudest(target)
    latency = float(_whole_latency(target[stretch], estimate[stretch], limit))
    moved = advance(estimate, latency)
    spectra = _spectra(target, moved)
    coherence = _coherence(spectra)
    if coherence < LEAST_COHERENCE:
        raise SignalError(f"the two recordings don't seem to belong together: their coherence is {coherence:.3f}, "
                          f"and at least {LEAST_COHERENCE} is expected", mend="Check the files, or align nothing.")
    fraction = _phase_slope(spectra.cross.sum(axis=0), spectra.size)
    edge = _HALF + abs(int(latency)) + 1
    inner = slice(edge, -edge) if len(target) > 4 * edge and np.any(target[edge:-edge]) else slice(None)
    finer = advance(estimate, latency + fraction)
    shifted = moved
    whole_error, finer_error = (esr(target[inner], _fitted(target, part, inner)[inner]) for part in (moved, finer))
    if _LEAST_FRACTION < abs(fraction) < 1.0 and finer_error < 0.99 * whole_error:  # only to a maximum, and if it brings the two closer by a hundredth
        latency, shifted = latency + fraction, finer
    gain, dc = _affine(target[inner], shifted[inner])
    if gain == 0.0:
        raise SignalError("the two recordings have nothing in common", mend="Check the files, or align nothing.")
    total = [part.sum(axis=0) for part in (spectra.cross, spectra.target, spectra.estimate)]
    sign, _ = polarity(*total)
    if sign == 0 and esr(target[inner], gain * shifted[inner] + dc) < _PLAIN:
        sign = 1 if gain > 0.0 else -1
    factor = abs(gain)
    if gain * (sign or 1) < 0.0:  # filtered so differently that they work against each other: no factor brings them nearer
        factor = math.sqrt(float(total[1].sum() / total[2].sum()))
        dc = float(target[inner].mean() - (sign or 1) * factor * shifted[inner].mean())
    drift, drift_error = _drift(spectra)
    return Alignment(latency, sign, factor, dc, drift, drift_error, coherence, esr(target, estimate), esr(target[inner], shifted[inner]),
                     esr(target[inner], (sign or 1) * factor * shifted[inner] + dc))


def _affine(target: np.ndarray, estimate: np.ndarray) -> tuple[float, float]:
    """Gain and offset in least squares."""
    level, centre = estimate.mean(), target.mean()
    spread = estimate - level
    gain = float(spread @ target / (spread @ spread)) if np.any(spread) else 0.0
    return gain, float(centre - gain * level)


def _fitted(target: np.ndarray, estimate: np.ndarray, inner: slice) -> np.ndarray:
    gain, dc = _affine(target[inner], estimate[inner])
    return gain * estimate + dc
