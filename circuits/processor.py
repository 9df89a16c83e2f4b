"""The one noun: a Processor turns audio into audio, block by block, and tells how well it did.

Circuits under either engine, fitted blocks, neural captures, impulse responses, chains and oversamplers are all
Processors. Any split of a signal into blocks gives the same result to the last bit.

Conventions: samples are float64, mono, shape (n_samples,); a Processor with several outputs returns
(n_outputs, n_samples). Time counts from the last `reset`, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Mapping, Protocol, runtime_checkable

import numpy as np

from circuits.controls import Control
from circuits.errors import CircuitError, SignalError

State = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Run:
    """What happened since the last reset.

    Parameters
    ----------
    samples : int
        Steps solved (at the inner rate, if oversampled).
    bad_samples : int
        Steps that did not converge.
    first_bad_time : float
        Seconds from the start to the first of them; NaN if there is none.
    worst_residual : float
        Largest error left at a nonlinear port of an accepted step, volts (estimated from the last Newton step).
    iterations : int
        Newton iterations in all.
    worst_iterations : int
        Largest number spent on one step.
    bad_times : tuple of float
        Times in seconds of the first non-converged steps, at most 16.
    """

    samples: int = 0
    bad_samples: int = 0
    first_bad_time: float = float("nan")
    worst_residual: float = 0.0
    iterations: int = 0
    worst_iterations: int = 0
    bad_times: tuple[float, ...] = field(default=())

    @property
    def mean_iterations(self) -> float:
        """Newton iterations a step, on average."""
        return self.iterations / self.samples if self.samples else 0.0

    @property
    def converged(self) -> bool:
        """True if every step converged."""
        return self.bad_samples == 0


@runtime_checkable
class Processor(Protocol):
    """What all models share; a protocol, never a base class.

    One that compiles or loads something only when the audio asks for it may have ``ready()``, which does so at once and changes no state; one that
    wraps others hands it on. `make_ready` is how it is called: most processors need no such thing.
    """

    @property
    def sample_rate(self) -> float:
        """Rate of input and output, Hz."""

    @property
    def latency(self) -> int:
        """Delay from input to output, samples."""

    @property
    def controls(self) -> Mapping[str, Control]:
        """Controls by name, each at its present position."""

    @property
    def state(self) -> State:
        """A copy of all that changes while audio runs; assigning it continues from there to the last bit."""

    @state.setter
    def state(self, state: State) -> None: ...

    @property
    def run(self) -> Run:
        """Convergence since the last reset; an empty `Run` for models that solve nothing."""

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Continue from the state; raises SignalError on input that is not finite mono audio."""

    def turn(self, **positions: float) -> None:
        """Set controls; takes effect before the next block. Raises CircuitError for unknown names or positions."""

    def reset(self) -> None:
        """Back to the operating point."""


def make_ready(processor: Processor) -> None:
    """Let a processor compile or load now what it may need while it plays, by its ``ready`` if it has one."""
    getattr(processor, "ready", lambda: None)()


def check_samples(samples) -> np.ndarray:
    """Return mono audio as a contiguous float64 array of shape (n_samples,).

    Raises
    ------
    SignalError
        If the shape is not 1-D or a number is not finite; the message says which sample.

    Examples
    --------
    >>> check_samples([0.0, 1.0])
    array([0., 1.])
    """
    array = np.ascontiguousarray(samples, dtype=np.float64)
    if array.ndim != 1:
        raise SignalError(f"a processor takes mono audio of shape (n_samples,), not {array.shape}",
                          mend="Process each channel with a processor of its own.")
    finite = np.isfinite(array)
    if not finite.all():
        index = int(np.argmin(finite))
        raise SignalError(f"sample {index} is {array[index]}", mend="Repair the recording: every sample must be finite.")
    return array


def check_state(state: State, present: State) -> State:
    """Return copies of the arrays of ``state`` after checking names and shapes against ``present``."""
    if state.keys() != present.keys():
        raise CircuitError(f"this state holds {sorted(state)}, not {sorted(present)}",
                           mend="Put back only states taken from the same model.")
    copies = {name: np.array(values, dtype=present[name].dtype) for name, values in state.items()}
    for name, values in copies.items():
        if values.shape != present[name].shape:
            raise CircuitError(f"the state {name!r} has shape {values.shape}, not {present[name].shape}",
                               mend="Put back only states taken from the same model.")
    return copies


def turned(controls: Mapping[str, Control], positions: Mapping[str, float]) -> dict[str, Control]:
    """Return the controls with some at new positions; raises CircuitError for an unknown name or position."""
    changed = dict(controls)
    for name, position in positions.items():
        if name not in changed:
            known = ", ".join(changed) or "none"
            raise CircuitError(f"there is no control {name!r}", mend=f"Controls: {known}.")
        changed[name] = replace(changed[name], position=changed[name].check(position))
    return changed
