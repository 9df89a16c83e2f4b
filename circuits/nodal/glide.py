"""From one position of the controls to another without a step: the model moves a little with every audio sample.

The resistors that move get a value for each audio sample, quadratic between short knots; the matrices follow exactly, as a
low-rank update from where the glide began. What is left of the staircase lies at the audio rate and above, where an
oversampler's filter takes it; at the audio rate itself every sample has a model of its own.
"""

from __future__ import annotations

import numpy as np

from circuits.circuit import Circuit
from circuits.kernels.jit import kernel
from circuits.nodal.model import ModelArrays
from circuits.nodal.turning import Turning

AUDIO_RATE = 48000.0
KNOT = 32  # audio samples between knots; a resistor is computed from its expression at each and half way
_MOVED = ("F", "f0", "KT", "WT")


@kernel
def follow(left, middle, right, d, F, f0, KT, WT, F1, f1, KT1, WT1):
    """H = H1 - left D (I + middle D)^-1 right, laid out as the model's arrays; ``d`` holds changes of conductance."""
    inner = np.eye(len(d)) + middle * d
    solved = np.linalg.solve(inner, right)
    for m in range(len(d)):
        for c in range(solved.shape[1]):
            solved[m, c] *= d[m]
    columns, ports = F.shape[0], KT.shape[1]
    for k in range(F.shape[1]):
        f0[k] = f1[k]
        for m in range(len(d)):
            f0[k] -= left[k, m] * solved[m, columns]
    for c in range(columns):
        for k in range(F.shape[1]):
            F[c, k] = F1[c, k]
        for m in range(len(d)):
            value = solved[m, c]
            for k in range(F.shape[1]):
                F[c, k] -= left[k, m] * value
    for c in range(KT.shape[0]):
        KT[c, :] = KT1[c]
        WT[c, :] = WT1[c]
        for m in range(len(d)):
            value = solved[m, columns + 1 + c]
            for k in range(ports):
                KT[c, k] -= left[k, m] * value
            for k in range(WT.shape[1]):
                WT[c, k] -= left[ports + k, m] * value


class Glide:
    """The way from one circuit to another that differs in positions only.

    Parameters
    ----------
    turning : Turning
        Source of the low-rank parts.
    start, goal : Circuit
        Where it begins and ends.
    sample_rate : float
        Hz, of the steps.
    seconds : float
        Duration, rounded to whole knots.
    """

    def __init__(self, turning: Turning, start: Circuit, goal: Circuit, sample_rate: float, seconds: float):
        self._turning = turning
        self._goal = goal
        self._from = {control.name: control.position for control in start.controls}
        self._chunk = max(1, round(sample_rate / AUDIO_RATE))
        self._knots = max(1, round(seconds * sample_rate / (KNOT * self._chunk)))
        self._at = 0
        first, last = turning.ohms(start), turning.ohms(goal)
        self._moving = np.flatnonzero(first != last)
        self._parts = turning.around(start, self._moving)
        self._still = turning.model(start).arrays
        self.arrays: ModelArrays = self._still._replace(**{name: getattr(self._still, name).copy() for name in _MOVED})
        self._first = first[self._moving].astype(np.float64)
        self._low, self._half, self._high = self._knot(0.0), self._knot(0.5), self._knot(1.0)

    @property
    def done(self) -> bool:
        """True when the goal is reached."""
        return self._at >= self._knots * KNOT * self._chunk

    @property
    def circuit(self) -> Circuit:
        """The circuit at the present moment."""
        return self._circuit_at(self._at / (self._knots * KNOT * self._chunk))

    def _circuit_at(self, share: float) -> Circuit:
        positions = {}
        for control in self._goal.controls:
            start = self._from[control.name]
            moving = start != control.position and share < 1.0
            positions[control.name] = start + share * (control.position - start) if moving and not control.switch else \
                control.position if share > 0.0 else start
        return self._goal.turn(**positions)

    def _knot(self, number: float) -> np.ndarray:
        # a little after the start, so that a switch stands where it goes from the first sample on
        return self._turning.ohms(self._circuit_at(max(number / self._knots, 1e-12)))[self._moving].astype(np.float64)

    def take(self, wanted: int) -> int:
        """Samples, at most ``wanted``, that `arrays` holds for now; the next call moves it on."""
        if self._at % self._chunk == 0:
            knot, within = divmod(self._at // self._chunk, KNOT)
            if within == 0 and knot:
                self._low, self._half, self._high = self._high, self._knot(knot + 0.5), self._knot(knot + 1)
            s = (within + 1) / KNOT
            ohms = (1.0 - s) * (1.0 - 2.0 * s) * self._low + 4.0 * s * (1.0 - s) * self._half + s * (2.0 * s - 1.0) * self._high
            follow(*self._parts, 1.0 / ohms - 1.0 / self._first, *[getattr(self.arrays, name) for name in _MOVED],
                   *[getattr(self._still, name) for name in _MOVED])
        count = min(wanted, self._chunk - self._at % self._chunk)
        self._at += count
        return count
