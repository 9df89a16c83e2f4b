"""The way of turned controls: any numbers that follow from their positions, a value for every audio sample, quadratic between short knots.

Both engines glide along it. What the numbers are is theirs: resistances of moving pots, factors of a tree.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

from circuits.circuit import Circuit
from circuits.kernels.jit import kernel

AUDIO_RATE = 48000.0
KNOT = 32  # audio samples between knots; the numbers are computed at each and half way


@kernel(bare=True)
def weights(share):
    """Of the numbers at the start, half way and at the end of a stretch between knots, for a place 0..1 in it."""
    return (1.0 - share) * (1.0 - 2.0 * share), 4.0 * share * (1.0 - share), share * (2.0 * share - 1.0)


def knot_of(samples: int, least: int) -> int:
    """Audio samples between knots, such that ``least`` of them or a few more fit the duration to the sample; `KNOT` if none do.

    Examples
    --------
    >>> knot_of(232, 8), knot_of(256, 8), knot_of(239, 8)
    (29, 32, 32)
    """
    return next((samples // knots for knots in range(least, 4 * least + 1) if samples % knots == 0), KNOT)


class Way:
    """From one circuit to another that differs in positions only.

    Parameters
    ----------
    start, goal : Circuit
        Where it begins and ends.
    numbers : callable
        Circuit to ndarray, always of one shape.
    sample_rate : float
        Hz.
    seconds : float
        Duration, rounded to whole knots.
    knot : int
        Audio samples between knots, a power of two; down to `KNOT` where the duration is no multiple of it.
    """

    def __init__(self, start: Circuit, goal: Circuit, numbers: Callable[[Circuit], np.ndarray], sample_rate: float, seconds: float, knot: int = KNOT):
        self._goal, self._numbers = goal, numbers
        self._from = {control.name: control.position for control in start.controls}
        self.every = max(1, round(sample_rate / AUDIO_RATE))  # samples for which one value holds
        while knot > KNOT and round(seconds * sample_rate / self.every) % knot:
            knot //= 2  # a short way arrives in time
        self.length = knot * self.every  # samples between knots
        self._knots = max(1, round(seconds * sample_rate / self.length))
        self._at = 0
        self.stretch = np.array([self._knot(0.0), self._knot(0.5), self._knot(1.0)])  # numbers at the start, half way and at the end

    @property
    def done(self) -> bool:
        """True when the goal is reached."""
        return self._at >= self._knots * self.length

    @property
    def within(self) -> int:
        """Samples since the last knot."""
        return self._at % self.length

    @property
    def circuit(self) -> Circuit:
        """The circuit at the present moment."""
        return self._circuit_at(self._at / (self._knots * self.length))

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
        return self._numbers(self._circuit_at(max(number / self._knots, 1e-12)))

    def move(self, samples: int) -> None:
        """Go on, at most to the next knot."""
        self._at += samples
        if self._at % self.length == 0 and not self.done:
            knot = self._at // self.length
            self.stretch = np.array([self.stretch[2], self._knot(knot + 0.5), self._knot(knot + 1)])
