"""A block out of one answer to a sweep: powers of the input, each behind a filter of its own, side by side.

The dry signal is recognised as a synchronised exponential sweep by its phase; `graybox.sweeps` reads the kernels, here they become stages.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.linalg import solve_toeplitz
from scipy.signal import hilbert, oaconvolve

from circuits.errors import FitError
from graybox.blocks import Block
from graybox.chain import Parallel, Static
from graybox.curves import Polynomial
from graybox.filters import Fir
from graybox.fit import FitResult
from graybox.session import Attempt
from graybox.sweeps import Sweep, hammerstein_kernels, synchronised_sweep

ALIKE = 1e-2  # rms of what a recognised sweep may leave unexplained, over its own: dither and fades, not another signal
KERNELS = "kernels"
FLAT = 0.05  # how far rms over peak may lie from a sine's
SHORTEST, LONGEST = 256, 4096  # samples of a kernel's window, half of it before time zero
OUTSIDE = 1e-4  # weight of what the sweep did not excite
HEARD = 1e-3  # root of the share of a kernel's energy that may be cut off behind its end


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """A sweep found in a recording: the sweep at peak 1, the sample at which it begins, its peak."""

    sweep: Sweep
    start: int
    level: float


def recognise(x, sample_rate: float) -> Swept | None:
    """The synchronised exponential sweep that a recording is; None if it is something else.

    Parameters
    ----------
    x : ndarray, shape (n_samples,)
        May have silence before and behind.
    sample_rate : float
        Hz.

    Notes
    -----
    The phase of x = sin(2 pi f1 L exp(t / L)) is exponential (Novak et al. 2015, eq. 47): two numbers from a straight line through the
    logarithm of the instantaneous frequency, refined on the unwrapped phase; f1 L is whole.

    Examples
    --------
    >>> sweep = synchronised_sweep(20.0, 15000.0, 3.0, 48000.0)
    >>> found = recognise(np.concatenate([np.zeros(100), 0.3 * sweep.samples]), 48000.0)
    >>> found.start, round(found.level, 6), bool(abs(found.sweep.low - sweep.low) < 1e-6)
    (100, 0.3, True)
    """
    x = np.asarray(x, dtype=np.float64)
    peak = np.abs(x).max() if len(x) else 0.0
    loud = np.flatnonzero(np.abs(x) > 1e-4 * peak)
    if len(loud) < 4096:
        return None
    first, last = max(int(loud[0]) - 1, 0), int(loud[-1]) + 1
    if abs(np.sqrt(np.mean(x[first:last] ** 2)) / peak - np.sqrt(0.5)) > FLAT:
        return None  # no sine, whatever its frequency does: long recordings of playing are not transformed whole
    phase = np.unwrap(np.angle(hilbert(x[first:last]))) + 0.5 * np.pi  # of a sine
    t = np.arange(len(phase)) / sample_rate
    inner = slice(len(t) // 5, -len(t) // 20)  # the analytic signal is poor at the ends, above all at the low one
    speed = np.gradient(phase, t)[inner]
    if speed.min() <= 0.0:
        return None
    slope, height = np.polyfit(t[inner], np.log(speed), 1)
    if not slope * (t[-1] - t[0]) > 0.7:  # less than an octave is no sweep
        return None
    rate = 1.0 / slope
    for _ in range(8):  # phase = 2 pi a exp(t / L) + a multiple of pi (upside down): Gauss-Newton for a and L
        a = np.exp(height) * rate / (2.0 * np.pi)
        model = 2.0 * np.pi * a * np.exp(t[inner] / rate)
        error = phase[inner] - model
        error -= np.pi * np.round(error[0] / np.pi)
        columns = np.column_stack([model, -model * t[inner] / rate])  # by log a and log L
        step = np.linalg.lstsq(columns, error, rcond=None)[0]
        rate *= float(np.exp(step[1]))
        height += float(step[0]) - float(step[1])
    a = np.exp(height) * rate / (2.0 * np.pi)
    cycles = round(a)
    if cycles < 1:
        return None
    late = round(rate * np.log(cycles / a) * sample_rate)  # noise before or a fade at the beginning moves the first loud sample
    first, length = first + late, last - first - late
    if first < 0:
        return None
    low = cycles / rate
    samples = np.sin(2.0 * np.pi * cycles * np.exp(np.arange(length) / (rate * sample_rate)))
    level = float(samples @ x[first:last] / (samples @ samples))
    if np.sqrt(np.mean((x[first:last] - level * samples) ** 2)) > ALIKE * abs(level):
        return None
    return Swept(Sweep(low, low * float(np.exp(length / (rate * sample_rate))), rate, float(sample_rate), samples), first, level)


def fit_kernels(found: Swept, x, y, *, order: int = 5) -> FitResult:
    """Hammerstein branches from the answer to a sweep: for each power of the input a filter.

    Parameters
    ----------
    found : Swept
    x, y : ndarray, shape (n_samples,)
        The recording in which the sweep was found, and its answer, aligned.
    order : int
        Highest power; fewer where a slower sweep would be needed to tell the harmonics apart.

    Returns
    -------
    FitResult
        Both errors are those on the recording itself: nothing is kept out.

    Raises
    ------
    FitError
        If the sweep is too short for any kernel.
    """
    began = time.process_time()
    sweep, rate = found.sweep, found.sweep.sample_rate
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    answer = np.concatenate([y[found.start:], np.zeros(max(len(sweep.samples) - len(y) + found.start, 0))])
    while order > 1 and int(sweep.rate * np.log(order / (order - 1.0)) * rate) < SHORTEST:
        order -= 1
    if order == 1:
        raise FitError("the sweep is too short: its harmonics can't be told apart", mend="Play one of several seconds.")
    room = int(sweep.rate * np.log(order / (order - 1.0)) * rate)
    length = min(LONGEST, 2 ** int(np.log2(room)))
    kernels = hammerstein_kernels(sweep, answer, order=order, length=length, level=found.level)
    band = (kernels.frequencies >= sweep.low) & (kernels.frequencies <= sweep.high)
    filters = [_causal(response, band, length // 2) for response in kernels.powers]
    branches = [((Static(Polynomial((0.0,) * (k + 1) + (1.0,), fixed=("c",))),) if k else ()) + (Fir(tuple(taps.tolist()), fixed=("taps",)),)
                for k, taps in enumerate(filters)]
    error = sum(oaconvolve(x ** (k + 1), taps)[:len(x)] for k, taps in enumerate(filters)) - y
    esr = float(error @ error / (y @ y))
    stop = "read from the answer, nothing is descended"
    notes = {"structure": KERNELS, "held_out_esr": esr, "training_esr": esr, "recordings": 1, "stop": stop}
    block = Block((Parallel(tuple(branches)),), rate, notes=MappingProxyType(notes))
    attempt = Attempt(KERNELS, sum(map(len, filters)), esr, time.process_time() - began, stop)
    return FitResult(block, KERNELS, (), "none", stop, esr, esr, (), np.zeros((0, 0)), (attempt,))


def _causal(response, band, taps: int) -> np.ndarray:
    """The causal filter nearest to a response, by least squares over the band that the sweep excites: outside it nothing is known.

    The band's edges ring in the plain inverse transform, half of it before time zero; a weight W asks for taps h with
    R h = p, R the Toeplitz matrix of W's autocorrelation and p that of W times the response.
    """
    weight = np.where(band, 1.0, OUTSIDE)
    rows, right = np.fft.irfft(weight)[:taps], np.fft.irfft(weight * response)[:taps]
    rows[0] *= 1.0 + 1e-9
    half = solve_toeplitz(rows, right)
    left = np.cumsum(half[::-1] ** 2)[::-1]
    return half[:max(int(np.count_nonzero(left > HEARD**2 * left[0])), 1)]
