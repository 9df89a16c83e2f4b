"""Curves without mirror frequencies: oversampling around a curve only, and first-order antiderivative antialiasing.

A fitted filter belongs to its sample rate, a curve does not: so only the curves run at a higher rate, between half-band
filters, and the fitted filters stay exactly what they were. Latency is 15 samples for each doubling's first stage and is
made whole for several.

References
----------
Parker, Zavalishin, Le Bivic, "Reducing the aliasing of nonlinear waveshaping using continuous-time convolution", DAFx 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from scipy.signal import firwin

from circuits.errors import FitError
from circuits.kernels.jit import kernel
from graybox.chain import Parallel, Static
from graybox.means import mean_by_integral

_M = 8  # half-band length 4 M - 1 = 31 taps


@cache
def _even_taps() -> np.ndarray:
    taps = firwin(4 * _M - 1, 0.5, window=("kaiser", 8.0))
    return np.ascontiguousarray(taps[0::2] / (2.0 * taps[0::2].sum()))


@kernel
def double_rate(x, past, taps):
    """Half-band interpolation to twice the rate; ``past`` (2 M - 1,) holds the last inputs, oldest first."""
    n, length = x.shape[0], taps.shape[0]
    held = past.shape[0]
    line = np.concatenate((past, x))
    y = np.empty(2 * n)
    for t in range(n):
        total = 0.0
        for k in range(length):
            total += taps[k] * line[t + held - k]
        y[2 * t] = 2.0 * total
        y[2 * t + 1] = line[t + held - (length // 2 - 1)]
    past[:] = line[n:]
    return y


@kernel
def halve_rate(v, past, taps):
    """Half-band decimation from twice the rate; ``past`` (4 M - 2,) holds the last inputs, oldest first."""
    n, length = v.shape[0] // 2, taps.shape[0]
    held = past.shape[0]
    line = np.concatenate((past, v))
    y = np.empty(n)
    for t in range(n):
        total = 0.5 * line[2 * t + held - (length - 1)]
        for k in range(length):
            total += taps[k] * line[2 * t + held - 2 * k]
        y[t] = total
    past[:] = line[2 * n:]
    return y


@dataclass(frozen=True, slots=True)
class Smooth:
    """A static stage with antialiasing: ``doublings`` of the rate around it, ``adaa`` on or off.

    A curve that was fitted as the mean between two samples has that mean's delay and factor in the filters beside it: at a higher
    rate it is ``halved``, its output averaged with the one before, which is the same for small signals.
    """

    curve: object
    doublings: int = 0
    adaa: bool = False
    halved: bool = False
    kind: ClassVar[str] = "smooth"

    def __post_init__(self):
        if self.adaa and self.curve.integral(np.zeros(1)) is None:
            raise FitError(f"the curve {self.curve.kind} has no antiderivative in closed form",
                           mend="Use oversampling instead of antiderivative antialiasing.")

    @property
    def latency(self) -> int:
        """Samples at the outer rate; the half sample of ADAA is not counted."""
        total = 0
        for _ in range(self.doublings):
            total = 2 * _M - 1 + (total + total % 2) // 2
        return total

    def rest(self, columns=None):
        state = {}
        inner = 0
        for level in range(self.doublings - 1, -1, -1):
            state[f"up{level}"] = np.zeros(2 * _M - 1)
            state[f"down{level}"] = np.zeros(4 * _M - 2)
            state[f"pad{level}"] = np.zeros(inner % 2)
            inner = 2 * _M - 1 + (inner + inner % 2) // 2
        if self.adaa:
            state["last"] = np.zeros(1)
        if self.halved:
            state["before"] = np.zeros(1)
        return state

    def _shape(self, x, state):
        if not self.adaa:
            return self.curve.value(x)
        if not len(x):
            return x
        line = np.concatenate((state["last"], x))
        state["last"][:] = x[-1]
        return mean_by_integral(self.curve, line)

    def run(self, x, state):
        y = self._level(x, state, 0)
        if self.halved and len(y):
            before, state["before"][:] = np.concatenate((state["before"], y[:-1])), y[-1]
            y = 0.5 * (y + before)
        return y

    def _level(self, x, state, level):
        if level == self.doublings:
            return self._shape(x, state)
        up = double_rate(x, state[f"up{level}"], _even_taps())
        v = self._level(up, state, level + 1)
        pad = state[f"pad{level}"]
        if len(pad):
            v, pad[:] = np.concatenate((pad, v))[:len(v)], v[-1:] if len(v) else pad
        return halve_rate(v, state[f"down{level}"], _even_taps())

    def settle(self, level, state):
        out = float(self.curve.value(np.array([level]))[0])
        for i in range(self.doublings):
            state[f"up{i}"][:] = level
            state[f"down{i}"][:] = out
            state[f"pad{i}"][:] = out
        if self.adaa:
            state["last"][:] = level
        if self.halved:
            state["before"][:] = out
        return out


def smoothed(stages, doublings: int, adaa: bool) -> tuple:
    """The stages with every `Static` one antialiased."""
    out = []
    for stage in stages:
        if isinstance(stage, Static):
            whole = stage.adaa and not doublings  # as it was fitted
            stage = Smooth(stage.curve, doublings, adaa or whole, halved=stage.adaa and not whole)
        elif isinstance(stage, Parallel):
            stage = Parallel(tuple(smoothed(branch, doublings, adaa) for branch in stage.branches))
        out.append(stage)
    return tuple(out)
