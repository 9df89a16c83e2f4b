"""A network with a tone stack inside, playing: LSTM, the stack as a filter whose coefficients follow the knobs, LSTM with skip.

References
----------
Š. Miklánek, A. Wright, V. Välimäki, J. Schimmel, "Neural grey-box guitar amplifier modelling with limited data", DAFx 2023.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from circuits.processor import State, check_state
from validation.captures.capture import Capture


class Toned:
    """The engine of `trained.TrainedCapture` for networks of the kind graybox.

    Parameters
    ----------
    before, after : Capture
        The networks on both sides.
    coefficients : tuple of ndarray
        b and a of the filter, shape (4,) each.
    settle : int
        Samples of silence played by `reset`.
    """

    def __init__(self, before: Capture, after: Capture, coefficients, settle: int):
        self._before, self._after, self._settle = before, after, settle
        self._memory = np.zeros(3)
        self.retune(coefficients)
        self.reset()

    @property
    def prewarm(self) -> int:
        """Samples of silence played by `reset`."""
        return self._settle

    def retune(self, coefficients) -> None:
        """Other coefficients from the next sample on; the memory stays."""
        self._b, self._a = coefficients

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Play the next samples, shape (n_samples,)."""
        heard = self._before.process(samples)
        toned, self._memory = lfilter(self._b, self._a, heard, zi=self._memory)
        return self._after.process(toned)

    @property
    def state(self) -> State:
        """What the networks and the filter remember."""
        return {**{f"before.{name}": values for name, values in self._before.state.items()}, "memory": self._memory.copy(),
                **{f"after.{name}": values for name, values in self._after.state.items()}}

    @state.setter
    def state(self, state: State) -> None:
        state = check_state(state, self.state)
        for name, half in (("before.", self._before), ("after.", self._after)):
            half.state = {key.removeprefix(name): values for key, values in state.items() if key.startswith(name)}
        self._memory = state["memory"]

    def reset(self) -> None:
        """Back to settled silence."""
        self._before.reset()
        self._after.reset()
        self._memory = np.zeros(3)
        self.process(np.zeros(self._settle))
