"""What a person looks at after a fit: the filters, the curves with the data under them, the worst moment, what is left over.

Numbers only; `validation.gallery.fitting` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import welch

from graybox.blocks import Block
from graybox.chain import Static, latency, rest_chain, run_chain
from graybox.dynamics import DynamicBias, EnvelopeGain
from graybox.net import MemoryNet
from graybox.optimise import render
from graybox.recursive import CubicResonator, DiodeClipper

_BENT = (Static, DynamicBias, EnvelopeGain, MemoryNet, DiodeClipper, CubicResonator)  # not described by a frequency response
_LONG = 32768  # samples of an impulse response: 0.7 s, the slowest coupling capacitor
_WINDOW = 0.02  # s around the worst moment


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """Gain of the linear stages between two curves: label, Hz, dB; each array (n_lines,)."""

    label: str
    frequencies: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A static curve: label, points (n_points,), and a histogram of the inputs that the fit has seen: edges (n_bins + 1,), counts (n_bins,)."""

    label: str
    x: np.ndarray
    y: np.ndarray
    edges: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A fitted block beside its target.

    Parameters
    ----------
    sample_rate : float
        Hz.
    filters : tuple of Filter
    curves : tuple of Curve
    time, target, model : ndarray, shape (n_samples,)
        Seconds and both signals around the moment where the error is largest for its surroundings.
    frequencies, target_level, residual_level : ndarray, shape (n_lines,)
        Hz, and power densities in dB.
    """

    sample_rate: float
    filters: tuple[Filter, ...]
    curves: tuple[Curve, ...]
    time: np.ndarray
    target: np.ndarray
    model: np.ndarray
    frequencies: np.ndarray
    target_level: np.ndarray
    residual_level: np.ndarray


def portrait(block: Block, x: np.ndarray, y: np.ndarray) -> Portrait:
    """Look at a block beside what it was fitted to.

    Parameters
    ----------
    block : Block
    x, y : ndarray, shape (n_samples,)
        Input and target, aligned as for `graybox.fit.fit`.

    Examples
    --------
    >>> from graybox.curves import Tanh
    >>> x = np.random.default_rng(0).standard_normal(4000)
    >>> seen = portrait(Block((Static(Tanh(2.0)),), 48000.0), x, np.tanh(2.0 * x))
    >>> len(seen.filters), len(seen.curves), float(np.abs(seen.model - seen.target).max()) < 1e-12
    (0, 1, True)
    """
    rate = block.sample_rate
    model = render(block, x)[block.latency:]
    target = np.asarray(y, dtype=np.float64)[:len(model)]
    error = model - target
    half = min(int(_WINDOW * rate), len(error) // 2)
    start = min(2000, len(error) // 4)  # the filters have settled
    local = np.convolve(error**2, np.hanning(half + 2), mode="same")  # a window with a top: the worst moment comes to its middle
    local[:start + half // 2] = 0.0
    middle = int(np.argmax(local[:len(local) - half // 2])) if len(local) > half else len(error) // 2
    cut = slice(max(middle - half // 2, 0), middle + half // 2)
    size = min(4096, len(error))
    frequencies, wanted = welch(target[start:], rate, nperseg=min(size, len(target) - start))
    _, left = welch(error[start:], rate, nperseg=min(size, len(target) - start))
    return Portrait(rate, tuple(_filters(block)), tuple(_curves(block)), np.arange(len(error))[cut] / rate, target[cut], model[cut],
                    frequencies[1:], _decibels(wanted[1:]), _decibels(left[1:]))


def _decibels(power: np.ndarray) -> np.ndarray:
    return 10.0 * np.log10(np.maximum(power, 1e-30))


def _filters(block: Block):
    group, groups, before = [], [], 0
    for stage in (*block.placed({}), None):
        if stage is None or isinstance(stage, _BENT) or hasattr(stage, "branches"):
            if group:
                groups.append((tuple(group), before))
            group, before = [], before + isinstance(stage, Static)
        else:
            group.append(stage)
    for stages, passed in groups:
        where = ("no curve" if not before else "before the first curve" if passed == 0 else "after the last curve" if passed == before
                 else f"between curves {passed} and {passed + 1}")
        impulse = np.zeros(_LONG + latency(stages))
        impulse[0] = 1.0
        out = run_chain(stages, impulse, rest_chain(stages))[latency(stages):]
        frequencies = np.fft.rfftfreq(_LONG, 1.0 / block.sample_rate)
        heard = frequencies >= 15.0
        yield Filter(where, frequencies[heard], 2.0 * _decibels(np.abs(np.fft.rfft(out))[heard]))


def _curves(block: Block):
    seen = {one.stage: one for one in block.ranges}
    numbers = block.curve_stages()
    for k, at in enumerate(numbers):
        record = seen.get(at)
        low, high = (record.low, record.high) if record is not None else (-1.0, 1.0)
        beyond = 0.15 * (high - low)
        x = np.linspace(low - beyond, high + beyond, 601)
        counts = np.array(record.counts if record is not None else (), dtype=np.float64)
        name = block.stages[at].curve.kind
        yield Curve(f"curve {k + 1}: {name}" if len(numbers) > 1 else name, x, block.stages[at].curve.value(x), np.linspace(low, high, len(counts) + 1), counts)
