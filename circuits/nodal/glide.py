"""From one position of the controls to another without a step: the model moves a little with every audio sample.

The resistors that move get a value for each audio sample, quadratic between knots of the controls' travel; the matrices follow exactly, as a
low-rank update from where the glide began. What is left of the staircase lies at the audio rate and above, where an
oversampler's filter takes it; at the audio rate itself every sample has a model of its own.
"""

from __future__ import annotations

import numpy as np

from circuits.circuit import Circuit
from circuits.nodal.course import NODE, ROWS, Course, between, follow, views
from circuits.nodal.knots import AUDIO_RATE, KNOT, Way, knot_of, weights
from circuits.nodal.model import ModelArrays
from circuits.nodal.turning import Turning

TRAVEL = 75  # knots in a whole travel of a control: a slow turn needs fewer than one every `KNOT` audio samples


class Glide:
    """The way from one circuit to another that differs in positions only.

    Parameters
    ----------
    turning : Turning
        Source of the low-rank parts; both circuits are within its `Turning.reach`.
    start, goal : Circuit
        Where it begins and ends.
    sample_rate : float
        Hz, of the steps.
    seconds : float
        Duration, rounded to whole audio samples.
    before : Glide, optional
        The last one. Where nothing else moves than did on it, its low-rank parts serve on: a control that is turned steadily costs half as much.
    """

    def __init__(self, turning: Turning, start: Circuit, goal: Circuit, sample_rate: float, seconds: float, before: Glide | None = None):
        self._turning = turning
        first, last = turning.ohms(start), turning.ohms(goal)
        if before is not None and before._turning is turning and before._serves(first) and before._serves(last):
            self._origin, self._moving, self._first, self._still, self._parts = before._origin, before._moving, before._first, before._still, before._parts
            self._memory, self._start, self.arrays = before._memory, before._start, before.arrays
        else:
            self._origin = first
            self._moving = np.flatnonzero(first != last)
            self._first = first[self._moving].astype(np.float64)
            self._still, *self._parts = turning.around(start, self._moving)
            self._memory = np.concatenate([part.ravel() for part in (self._still.F, self._still.f0, self._still.KT, self._still.WT)])
            self._start = self._memory.copy()
            self.arrays: ModelArrays = views(self._still, self._memory)  # the model that moves: what a `Course` writes to
        self._way = Way(start, goal, self._ohms, sample_rate, seconds, _knot(start, goal, sample_rate, seconds))

    def _serves(self, ohms: np.ndarray) -> bool:
        """True if only resistors that move here differ from where the low-rank parts were computed."""
        differs = ohms != self._origin
        return int(np.count_nonzero(differs)) == int(np.count_nonzero(differs[self._moving]))

    def _ohms(self, circuit: Circuit) -> np.ndarray:
        return np.array(self._turning.ohms_at({control.name: control.value for control in circuit.controls}, self._moving))

    @property
    def done(self) -> bool:
        """True when the goal is reached."""
        return self._way.done

    @property
    def circuit(self) -> Circuit:
        """The circuit at the present moment."""
        return self._way.circuit

    def take(self, wanted: int) -> tuple[int, Course]:
        """A number of samples, at most ``wanted``, and the course of the model through them, good until the next call, which begins behind them."""
        way = self._way
        row, phase = divmod(way.within, way.every)
        count = min(wanted, way.length - way.within, ROWS * way.every - phase)
        n_rows = -(-(phase + count) // way.every)
        last = way.length // way.every
        first = (row + 1) // NODE
        places = np.minimum(NODE * np.arange(first, -(-(row + n_rows) // NODE) + 1), last)
        low, half, high = weights.py_func(places[:, None] / last)
        ohms = low * way.stretch[0] + half * way.stretch[1] + high * way.stretch[2]
        nodes, rows = self._turning.nodes[:len(places)], self._turning.rows[:n_rows]
        follow(*self._parts, 1.0 / ohms - 1.0 / self._first, self._start, len(self._still.F), self._still.KT.shape[1], nodes)
        between(nodes, first, last, row + 1, rows)
        way.move(count)
        return count, Course(way.every, phase, rows, self._memory)


def _knot(start: Circuit, goal: Circuit, sample_rate: float, seconds: float) -> int:
    """Audio samples between knots, such that they fit the duration: a slow turn needs few of them."""
    samples = max(1, round(seconds * sample_rate / max(1, round(sample_rate / AUDIO_RATE))))
    travel = max(abs(to.position - at.position) / (to.maximum - to.minimum) for at, to in zip(start.controls, goal.controls))
    return knot_of(samples, max(1, int(np.ceil(min(samples / KNOT, TRAVEL * travel)))))
