"""From one position of the controls to another without a step: the model moves a little with every audio sample.

The resistors that move get a value for each audio sample, quadratic between short knots; the matrices follow exactly, as a
low-rank update from where the glide began. What is left of the staircase lies at the audio rate and above, where an
oversampler's filter takes it; at the audio rate itself every sample has a model of its own.
"""

from __future__ import annotations

import numpy as np

from circuits.circuit import Circuit
from circuits.kernels.jit import kernel
from circuits.nodal.knots import Way, weights
from circuits.nodal.model import ModelArrays
from circuits.nodal.turning import Turning

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
        first, last = turning.ohms(start), turning.ohms(goal)
        self._moving = np.flatnonzero(first != last)
        self._parts = turning.around(start, self._moving)
        self._still = turning.model(start).arrays
        self.arrays: ModelArrays = self._still._replace(**{name: getattr(self._still, name).copy() for name in _MOVED})
        self._first = first[self._moving].astype(np.float64)
        self._way = Way(start, goal, self._ohms, sample_rate, seconds)

    def _ohms(self, circuit: Circuit) -> np.ndarray:
        return self._turning.ohms(circuit)[self._moving].astype(np.float64)

    @property
    def done(self) -> bool:
        """True when the goal is reached."""
        return self._way.done

    @property
    def circuit(self) -> Circuit:
        """The circuit at the present moment."""
        return self._way.circuit

    def take(self, wanted: int) -> int:
        """Samples, at most ``wanted``, that `arrays` holds for now; the next call moves it on."""
        way = self._way
        within = way.within % way.every
        if within == 0:
            low, half, high = weights((way.within + way.every) / way.length)
            ohms = low * way.stretch[0] + half * way.stretch[1] + high * way.stretch[2]
            follow(*self._parts, 1.0 / ohms - 1.0 / self._first, *[getattr(self.arrays, name) for name in _MOVED],
                   *[getattr(self._still, name) for name in _MOVED])
        count = min(wanted, way.every - within)
        way.move(count)
        return count
