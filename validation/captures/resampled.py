"""A Processor at another rate than its own: rational resampling in and out, block by block, with the latency told.

Filters are Kaiser-windowed sincs in polyphase form, computed from absolute sample numbers, so every output sample is
the same sum wherever a block ends. (libsoxr's streams can be neither copied nor put back, which a Processor must allow.)

Conventions: outer rate / inner rate = L / M in lowest terms. Both filters are flat to 0.9 of the lower Nyquist rate and
100 dB down from 1.1 of it on.

References
----------
R. E. Crochiere, L. R. Rabiner, Multirate Digital Signal Processing, 1983, section 3.3 (structures for L / M).
J. F. Kaiser, Nonrecursive digital filter design using the I0-sinh window function, ISCAS 1974.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Mapping

import numpy as np
from scipy import signal

from circuits.controls import Control
from circuits.errors import RateError
from circuits.kernels.jit import kernel
from circuits.processor import Processor, Run, State, check_samples, check_state

ATTENUATION = 100.0  # dB
WIDTH = 0.2  # transition, as a share of the lower Nyquist rate
MAX_PHASES = 4000


@lru_cache(maxsize=32)
def _phases(up: int, down: int) -> tuple[np.ndarray, int]:
    """Taps of a conversion by up / down: (up, n) with row p for outputs at phase p, and the delay in input samples.

    Output m stands at input time m * down / up and weighs the inputs back from there; the delay is whole.
    """
    lower = min(1.0, up / down)  # of the input's Nyquist rate
    half = int(np.ceil((ATTENUATION - 7.95) / (2.285 * np.pi * WIDTH * lower) / 2.0)) + 1
    beta = signal.kaiser_beta(ATTENUATION)
    n = 2 * half + 1
    times = np.arange(up)[:, None] / up + np.arange(n)[None, :] - half  # input samples from the centre
    inside = np.clip(1.0 - (times / (half + 1)) ** 2, 0.0, None)
    taps = lower * np.sinc(lower * times) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
    taps /= taps.sum(axis=1, keepdims=True)  # every phase passes a constant exactly
    taps.setflags(write=False)
    return taps, half


@kernel
def _convert(taps, up, down, first, shift, buffer, start, out):
    """out[m] at input time ((first + m) * down - shift) / up; buffer[0] is absolute input sample ``start``."""
    n = taps.shape[1]
    for m in range(len(out)):
        position = (first + m) * down - shift
        newest, phase = position // up, position % up
        total = 0.0
        for k in range(n):
            total += taps[phase, k] * buffer[newest - k - start]
        out[m] = total


class _Converter:
    """One direction; ``shift`` (in 1 / up input samples) delays the output by a fraction."""

    def __init__(self, up: int, down: int):
        self.up, self.down, self.shift = up, down, 0
        self.taps, self.delay = _phases(up, down)
        self.clear()

    def clear(self, value: float = 0.0) -> None:
        """Forget everything; the past was ``value``."""
        self.taken = self.given = 0
        self.history = np.full(self.taps.shape[1] + 3 + -(-self.down // self.up), value)

    def push(self, samples: np.ndarray, total: int) -> np.ndarray:
        """Take samples and give the outputs up to number ``total``, which they must determine."""
        buffer = np.concatenate([self.history, samples])
        start = self.taken - len(self.history)
        out = np.empty(total - self.given)
        _convert(self.taps, self.up, self.down, self.given, self.shift, buffer, start, out)
        self.taken += len(samples)
        self.given = total
        self.history = buffer[len(samples):]
        return out


class Resampled:
    """A Processor that plays another one at a foreign rate.

    Parameters
    ----------
    inner : Processor
        At its own rate.
    sample_rate : float
        Rate of input and output, Hz.

    Raises
    ------
    RateError
        If the rates have no ratio of whole numbers up to 4000.

    Examples
    --------
    >>> from validation.captures.impulse import Impulse
    >>> Resampled(Impulse([1.0], 44100.0), 48000.0).latency
    74
    """

    def __init__(self, inner: Processor, sample_rate: float):
        ratio = Fraction(inner.sample_rate / sample_rate).limit_denominator(MAX_PHASES)
        if not 0 < ratio.numerator <= MAX_PHASES or abs(float(ratio) * sample_rate / inner.sample_rate - 1.0) > 1e-9:
            raise RateError(f"{sample_rate:g} Hz and {inner.sample_rate:g} Hz have no simple ratio",
                            mend="Use one of the usual rates: 44100, 48000, 88200, 96000 Hz.")
        up, down = ratio.numerator, ratio.denominator
        self.inner = inner
        self._rate = float(sample_rate)
        self._in, self._out = _Converter(up, down), _Converter(down, up)
        behind = self._out.delay + inner.latency  # inner samples, filled up to whole outer ones
        whole = -(-behind * down // up)
        self._out.shift = whole * up - behind * down
        self._latency = self._in.delay + whole
        self._fresh = True

    @property
    def taps(self) -> tuple[int, int]:
        """Taps that make one inner sample, and one outer one."""
        return self._in.taps.shape[1], self._out.taps.shape[1]

    @property
    def sample_rate(self) -> float:
        """Outer rate, Hz."""
        return self._rate

    @property
    def latency(self) -> int:
        """Delay of both filters and of the inner processor, outer samples."""
        return self._latency

    @property
    def controls(self) -> Mapping[str, Control]:
        """The inner processor's controls."""
        return self.inner.controls

    @property
    def run(self) -> Run:
        """The inner processor's, at its rate."""
        return self.inner.run

    @property
    def state(self) -> State:
        """The inner state, both histories and the sample counts; a copy."""
        state = {f"inner.{name}": values for name, values in self.inner.state.items()}
        state["in"], state["out"] = self._in.history.copy(), self._out.history.copy()
        state["counts"] = np.array([self._in.taken, self._in.given, self._fresh], dtype=np.int64)
        return state

    @state.setter
    def state(self, state: State) -> None:
        copies = check_state(state, self.state)
        self.inner.state = {name.removeprefix("inner."): values for name, values in copies.items()
                            if name.startswith("inner.")}
        self._in.history, self._out.history = copies["in"], copies["out"]
        self._in.taken = self._out.given = int(copies["counts"][0])
        self._in.given = self._out.taken = int(copies["counts"][1])
        self._fresh = bool(copies["counts"][2])

    def turn(self, **positions: float) -> None:
        """Set the inner processor's controls."""
        self.inner.turn(**positions)

    def reset(self) -> None:
        """Inner processor and filters back to rest."""
        self.inner.reset()
        self._in.clear()
        self._out.clear()
        self._fresh = True

    def process(self, samples) -> np.ndarray:
        """Play at the outer rate; the output is ``latency`` samples late."""
        x = check_samples(samples)
        taken = self._in.taken + len(x)
        inside = self._in.push(x, -(-taken * self._in.up // self._in.down))
        heard = self.inner.process(inside)
        if self._fresh and len(heard):
            self._out.clear(heard[0])  # before the first sample the inner output stood at rest, not at zero
            self._fresh = False
        return self._out.push(heard, taken)
