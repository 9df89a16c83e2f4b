"""What one asks first of an unknown device: is it static, how long does it remember, what share of its output is linear?

Each question plays a signal through ``process`` (array to array: a Processor's method, or a recorder) and answers with
numbers that a picture can show. The shares of linear, odd, even and noise are in `graybox.identify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from circuits.errors import FitError


@dataclass(frozen=True, slots=True)
class Scatter:
    """Output against input: a static device draws a line, memory makes it thick.

    Parameters
    ----------
    centres, middle, spread : ndarray, shape (n_bins,)
        Input of each bin, mean and standard deviation of the output there; bins without samples are left out.
    thickness : float
        Share of the output's power that no static curve explains, 0 for a static device.
    """

    centres: np.ndarray
    middle: np.ndarray
    spread: np.ndarray
    thickness: float


def input_output_scatter(x, y, *, bins: int = 200) -> Scatter:
    """Scatter of a recording or of a device's answer, in bins of equally many samples.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal(20000)
    >>> input_output_scatter(x, np.tanh(x)).thickness < 1e-3
    True
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 10 * bins:
        raise FitError(f"a scatter with {bins} bins needs {10 * bins} samples of both signals, not {x.shape} and {y.shape}")
    if not y.std() > 0.0:
        raise FitError("the output is silent")
    order = np.argsort(x, kind="stable")
    parts = np.array_split(order, bins)
    centres, middle, spread, left = [], [], [], 0.0
    for part in parts:
        u = x[part] - x[part].mean()
        power = u @ u
        slope = (u @ y[part]) / power if power > 0.0 else 0.0  # the curve may be steep inside a bin
        rest = y[part] - y[part].mean() - slope * u
        centres.append(x[part].mean())
        middle.append(y[part].mean())
        spread.append(rest.std())
        left += rest @ rest
    return Scatter(np.array(centres), np.array(middle), np.array(spread), float(left / np.sum((y - y.mean()) ** 2)))


@dataclass(frozen=True, slots=True)
class Memory:
    """Answer to silence, tone, silence.

    Parameters
    ----------
    rise, fall : float
        Seconds after the tone's start until its envelope stays within 1 % of its end, and after the tone until the output
        stays below ``floor`` of the tone's level.
    output : ndarray, shape (n_samples,)
    """

    rise: float
    fall: float
    output: np.ndarray


def memory_length(process: Callable[[np.ndarray], np.ndarray], sample_rate: float, *, frequency: float = 1000.0,
                  level: float = 0.1, seconds: float = 1.0, floor: float = 1e-3) -> Memory:
    """How long a device remembers: silence, tone, silence of ``seconds`` each.

    Raises FitError if the tone does not come through.
    """
    n = int(seconds * sample_rate)
    cycle = max(int(round(sample_rate / frequency)), 2)
    tone = level * np.sin(2.0 * np.pi * np.arange(n) / cycle)
    out = np.asarray(process(np.concatenate([np.zeros(n), tone, np.zeros(n)])), dtype=np.float64)
    out = out - out[:n][-cycle * 4:].mean()
    whole = n // cycle * cycle
    envelope = np.sqrt(np.mean(out[n:n + whole].reshape(-1, cycle) ** 2, axis=1))
    end = envelope[-10:].mean()
    if not end > 0.0:
        raise FitError(f"a tone of {frequency:g} Hz at {level:g} does not come through")
    off = np.flatnonzero(np.abs(envelope - end) > 0.01 * end)
    rise = (off[-1] + 1) * cycle / sample_rate if len(off) else 0.0
    loud = np.flatnonzero(np.abs(out[2 * n:]) > floor * np.sqrt(2.0) * end)
    fall = (loud[-1] + 1) / sample_rate if len(loud) else 0.0
    return Memory(float(rise), float(fall), out)
