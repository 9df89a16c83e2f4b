"""From one position of the controls to another without a step: the model moves a little with every audio sample.

Between knots, a millisecond or so apart and computed exactly, every matrix is interpolated linearly. What is left of the staircase lies at the
audio rate and above, where the oversampler's filter takes it; at the audio rate itself every sample has a model of its own.
"""

from __future__ import annotations

import numpy as np

from circuits.circuit import Circuit
from circuits.nodal.model import ModelArrays
from circuits.nodal.turning import Turning

AUDIO_RATE = 48000.0
KNOT = 64  # audio samples between exact models
_MOVED = ("F", "f0", "KT", "WT")


class Glide:
    """The way from one circuit to another that differs in positions only.

    Parameters
    ----------
    turning : Turning
        Source of the exact models.
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
        model = turning.model(self.circuit)
        self.arrays: ModelArrays = model.arrays._replace(**{name: getattr(model.arrays, name).copy() for name in _MOVED})
        self._steps = self._slopes()

    @property
    def _length(self) -> int:
        return self._knots * KNOT * self._chunk

    @property
    def done(self) -> bool:
        """True when the goal is reached."""
        return self._at >= self._length

    @property
    def circuit(self) -> Circuit:
        """The circuit at the present moment."""
        return self._circuit_at(min(1.0, self._at / self._length))

    def _circuit_at(self, share: float) -> Circuit:
        positions = {}
        for control in self._goal.controls:
            start = self._from[control.name]
            moving = start != control.position and not control.switch and 0.0 <= share < 1.0
            positions[control.name] = start + share * (control.position - start) if moving else control.position
        return self._goal.turn(**positions)

    def _slopes(self) -> tuple[np.ndarray, ...]:
        knot = self._at // (KNOT * self._chunk)
        following = self._turning.model(self._circuit_at((knot + 1) / self._knots)).arrays
        return tuple((getattr(following, name) - getattr(self.arrays, name)) / KNOT for name in _MOVED)

    def take(self, wanted: int) -> int:
        """Samples, at most ``wanted``, that `arrays` holds for now; the next call moves it on."""
        if self._at % self._chunk == 0:
            if self._at and self._at % (KNOT * self._chunk) == 0:
                self._steps = self._slopes()
            for name, step in zip(_MOVED, self._steps):
                getattr(self.arrays, name)[...] += step
        count = min(wanted, self._chunk - self._at % self._chunk)
        self._at += count
        return count
