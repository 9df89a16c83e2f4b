"""A circuit that speaks full scale: 1.0 of a recording is so many volts, on the way in and on the way out."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from circuits.controls import Control
from circuits.errors import CircuitError
from circuits.processor import Processor, Run, State, check_samples


def check_level(volts: float) -> None:
    """Raise CircuitError unless a full-scale sample can be so many volts."""
    if not (np.isfinite(volts) and volts > 0.0):
        raise CircuitError(f"a level of {volts:g} V makes no sense", mend="Give volts above 0.")


class Scaled:
    """A Processor that hears and says ``volts`` for 1.0.

    Parameters
    ----------
    inner : Processor
        In volts.
    volts : float
        Volts of a full-scale sample.

    Raises
    ------
    CircuitError
        If the level is not positive.

    Examples
    --------
    >>> from ampwright.models import load, player
    >>> Scaled(player(load("rc_lowpass"), 48000.0), 0.2).volts
    0.2
    """

    def __init__(self, inner: Processor, volts: float):
        check_level(volts)
        self.inner, self.volts = inner, float(volts)

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self.inner.sample_rate

    @property
    def latency(self) -> int:
        """Samples."""
        return self.inner.latency

    @property
    def controls(self) -> Mapping[str, Control]:
        """The circuit's controls."""
        return self.inner.controls

    @property
    def state(self) -> State:
        """The circuit's state, in volts."""
        return self.inner.state

    @state.setter
    def state(self, state: State) -> None:
        self.inner.state = state

    @property
    def run(self) -> Run:
        """The circuit's convergence, in volts."""
        return self.inner.run

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Continue from the state."""
        return self.lowered(self.inner.process(self.raised(samples)))

    def raised(self, samples: np.ndarray) -> np.ndarray:
        """The first half of `process`: what the circuit is to play, volts."""
        return check_samples(samples) * self.volts

    def lowered(self, heard: np.ndarray) -> np.ndarray:
        """The second half of `process`: the circuit's output as full scale."""
        return heard / self.volts

    def turn(self, **positions: float) -> None:
        """Set controls."""
        self.inner.turn(**positions)

    def reset(self) -> None:
        """Back to the operating point."""
        self.inner.reset()
