"""Oversampling around any Processor: linear-phase filters up and down, their delay told and whole.

Both filters are the same Kaiser-windowed sinc: flat to 0.469 of the outer rate (22.5 kHz at 48 kHz), 110 dB down from
0.531 of it on. Together they delay by `DELAY` outer samples, whatever the factor. What the first filter sounds ahead of the
first sample is not played: before its time zero a circuit rests, as it does in SPICE.

References
----------
Oppenheim, Schafer: Discrete-Time Signal Processing, 3rd ed., section 7.5.3 (Kaiser window design), 4.7 (polyphase forms).
"""

from __future__ import annotations

from functools import cache
from typing import Mapping

import numpy as np

from circuits.controls import Control
from circuits.errors import RateError
from circuits.kernels.jit import kernel
from circuits.processor import Processor, Run, State, check_samples, check_state, make_ready

FACTORS = (1, 2, 4, 8, 16)
BETA = 0.1102 * (110.0 - 8.7)  # of the Kaiser window, for 110 dB: Oppenheim and Schafer, equation 7.75
DELAY = 112  # outer samples, up and down together; even, so that each filter delays by a whole number


@cache
def half_band(factor: int) -> np.ndarray:
    """Polyphase taps of the interpolation filter, shape (DELAY + 1, factor); row k, column j weighs input n - k in output n * factor + j."""
    length = DELAY * factor + 1
    places = (np.arange(length) - (length - 1) / 2) / factor  # in outer samples
    taps = np.sinc(places) * np.kaiser(length, BETA)  # scipy.signal designs the same, and takes half a second to import
    padded = np.zeros((DELAY + 1) * factor)
    padded[:length] = taps / taps.sum()
    table = padded.reshape(DELAY + 1, factor)
    table.setflags(write=False)
    return table


@kernel
def interpolate(taps, history, x, out):
    """Raise the rate; ``history`` holds the last DELAY inputs and is moved on."""
    rows, factor = taps.shape
    kept = len(history)
    for n in range(len(x)):
        base = n * factor
        for j in range(factor):
            out[base + j] = 0.0
        for k in range(rows):
            value = x[n - k] if k <= n else history[kept + n - k]
            for j in range(factor):
                out[base + j] += value * taps[k, j]
        for j in range(factor):
            out[base + j] *= factor
    _keep(history, x)


@kernel
def decimate(taps, history, x, out, sums):
    """Lower the rate; ``history`` holds the last DELAY * factor inputs."""
    rows, factor = taps.shape
    kept = len(history)
    for n in range(len(out)):
        newest = n * factor
        for j in range(factor):
            sums[j] = 0.0
        for k in range(rows - 1):
            start = newest - k * factor
            if start - factor + 1 >= 0:
                for j in range(factor):
                    sums[j] += x[start - j] * taps[k, j]
            else:
                for j in range(factor):
                    at = start - j
                    sums[j] += (x[at] if at >= 0 else history[kept + at]) * taps[k, j]
        at = newest - (rows - 1) * factor
        total = (x[at] if at >= 0 else history[kept + at]) * taps[rows - 1, 0]
        for j in range(factor):
            total += sums[j]
        out[n] = total
    _keep(history, x)


@kernel
def _keep(history, x):
    kept, n = len(history), len(x)
    if n >= kept:
        for k in range(kept):
            history[k] = x[n - kept + k]
    else:
        for k in range(kept - n):
            history[k] = history[k + n]
        for k in range(n):
            history[kept - n + k] = x[k]


class Oversampled:
    """A Processor that runs another one at a multiple of its own rate.

    Parameters
    ----------
    inner : Processor
        Running at ``factor`` times the outer rate.
    factor : {2, 4, 8, 16}
        How many inner samples make an outer one.

    Raises
    ------
    RateError
        If the factor is not one of these.
    """

    def __init__(self, inner: Processor, factor: int):
        if factor not in FACTORS[1:]:
            raise RateError(f"oversampling by {factor}", mend=f"Use one of {', '.join(map(str, FACTORS))}.")
        self.inner = inner
        self.factor = factor
        self._taps = half_band(factor)
        if hasattr(inner, "lead"):
            # the deck's own moving sources (a tremolo's, a ring modulator's carrier) wait for the audio in the filter
            inner.lead = DELAY // 2 * factor
            inner.reset()
        self._clear()

    def _clear(self) -> None:
        self._up = np.zeros(DELAY)
        channels = len(getattr(self.inner, "outputs", ("out",)))
        self._down = np.zeros((channels, DELAY * self.factor))
        self._ahead = DELAY // 2  # outer samples until the filter has brought the first one
        self._fresh = True

    @property
    def sample_rate(self) -> float:
        """Outer rate, Hz."""
        return self.inner.sample_rate / self.factor

    @property
    def latency(self) -> int:
        """Delay of both filters and of the inner processor, outer samples."""
        return DELAY + -(-self.inner.latency // self.factor)

    @property
    def controls(self) -> Mapping[str, Control]:
        """The inner processor's controls."""
        return self.inner.controls

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output's channels."""
        return getattr(self.inner, "outputs", ("out",))

    @property
    def run(self) -> Run:
        """Convergence of the inner processor, at the inner rate."""
        return self.inner.run

    @property
    def state(self) -> State:
        """The inner state and both filters' histories; a copy."""
        state = {f"inner.{name}": values for name, values in self.inner.state.items()}
        state["up"], state["down"] = self._up.copy(), self._down.copy()
        state["fresh"], state["ahead"] = np.array([self._fresh]), np.array([self._ahead])
        return state

    @state.setter
    def state(self, state: State) -> None:
        copies = check_state(state, self.state)
        self.inner.state = {name.removeprefix("inner."): values for name, values in copies.items() if name.startswith("inner.")}
        self._up, self._down = copies["up"], copies["down"]
        self._fresh, self._ahead = bool(copies["fresh"][0]), int(copies["ahead"][0])

    def turn(self, **positions: float) -> None:
        """Set the inner processor's controls."""
        self.inner.turn(**positions)

    def ready(self) -> None:
        """Let the inner processor compile or load what it may need later, where it has such a thing."""
        make_ready(self.inner)

    def reset(self) -> None:
        """Inner processor and filters back to rest."""
        self.inner.reset()
        self._clear()

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Play at the outer rate; the output is ``latency`` samples late."""
        return self.lowered(self.inner.process(self.raised(samples)))

    def raised(self, samples: np.ndarray) -> np.ndarray:
        """The first half of `process`: what the inner processor is to play."""
        x = check_samples(samples)
        fast = np.empty(len(x) * self.factor)
        interpolate(self._taps, self._up, x, fast)
        early = min(self._ahead, len(x))
        fast[:early * self.factor] = 0.0  # before time zero the circuit rests: a filter's forerunners of an abrupt start would drive it, a thousandfold amplified
        self._ahead -= early
        return fast

    def lowered(self, heard: np.ndarray) -> np.ndarray:
        """The second half of `process`: what is heard of the inner processor's output."""
        heard = np.atleast_2d(heard)
        if self._fresh and heard.shape[1]:
            # before the first sample the inner output stood at its first value (a resting voltage), not at zero
            self._down[:] = heard[:, :1]
            self._fresh = False
        out = np.empty((len(heard), heard.shape[1] // self.factor))
        sums = np.empty(self.factor)
        for channel in range(len(heard)):
            decimate(self._taps, self._down[channel], np.ascontiguousarray(heard[channel]), out[channel], sums)
        return out[0] if len(out) == 1 else out


def oversampled(make, sample_rate: float, factor: int) -> Processor:
    """``make(rate)`` at ``factor`` times a rate, wrapped so that it plays at that rate; 1 leaves it alone.

    Examples
    --------
    >>> from circuits.circuit import Circuit
    >>> from circuits.elements import Resistor, VoltageSource
    >>> from circuits.nodal.processor import NodalProcessor
    >>> circuit = Circuit((VoltageSource("v", ("a", "0")), Resistor("r", ("a", "0"), 1e3)), input="v", outputs=("a",))
    >>> oversampled(lambda rate: NodalProcessor(circuit, rate), 48000.0, 4).latency
    112
    """
    if factor not in FACTORS:
        raise RateError(f"oversampling by {factor}", mend=f"Use one of {', '.join(map(str, FACTORS))}.")
    return make(sample_rate) if factor == 1 else Oversampled(make(sample_rate * factor), factor)


