"""Stages one behind the other: running audio through them, and pushing all derivatives through in the same pass.

The derivatives are forward sensitivities: a matrix with one column for each free number met so far travels with the
audio, is filtered by every filter that it passes and scaled by the slope of every curve. States are dictionaries of
arrays (nested for parallel branches) and are changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from circuits.errors import FitError
from graybox import recursions
from graybox.means import mean_jet, mean_value
from graybox.parameters import free_mask, values


@dataclass(frozen=True, slots=True)
class Static:
    """A stage without memory: a curve from `graybox.curves` or `graybox.net`.

    With ``adaa`` the output is the mean of the curve between two samples (`graybox.means`), in fits as in playing.
    """

    curve: object
    adaa: bool = False
    kind: ClassVar[str] = "static"
    PARAMETERS: ClassVar = ()
    PARTS: ClassVar = ("curve",)

    def rest(self, columns=None):
        if not self.adaa:
            return {}
        return {"last": np.zeros(1)} | ({"J": np.zeros(columns)} if columns is not None else {})

    def run(self, x, state):
        if not self.adaa or not len(x):
            return self.curve.value(x)
        line = np.concatenate([state["last"], x])
        state["last"][0] = x[-1]
        return mean_value(self.curve, line)

    def push(self, x, J, P, state):
        if not self.adaa:
            y, slope, own = self.curve.jet(x)
            recursions.scale_columns(J, P, slope)
            return y, own
        y, late, early, own = mean_jet(self.curve, np.concatenate([state["last"], x]))
        state["last"][0] = x[-1]
        recursions.blend_columns(J, P, late, early, state["J"])
        return y, own

    def settle(self, level, state):
        if self.adaa:
            state["last"][0] = level
        return float(self.curve.value(np.array([level]))[0])


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches that share the input and are summed; each is a tuple of stages, the empty tuple a plain wire."""

    branches: tuple[tuple, ...]
    kind: ClassVar[str] = "parallel"
    PARAMETERS: ClassVar = ()
    PARTS: ClassVar = ("branches",)

    def __post_init__(self):
        if not self.branches:
            raise FitError("parallel branches need at least one branch")

    @property
    def latency(self) -> int:
        """Samples; the same for all branches, shorter ones wait."""
        return max(latency(branch) for branch in self.branches)

    def rest(self, columns=None):
        state = {}
        for i, branch in enumerate(self.branches):
            wait = self.latency - latency(branch)
            inner = rest_chain(branch, columns, all_columns=True)
            end = columns if columns is None else columns + sum(len(values(stage)) for stage in branch)
            inner["wait"] = {"x": np.zeros(wait)} | ({} if end is None else {"J": np.zeros((wait, end))})
            state[str(i)] = inner
        return state

    def run(self, x, state):
        total = np.zeros(len(x))
        for i, branch in enumerate(self.branches):
            inner = state[str(i)]
            y = run_chain(branch, x, inner)
            total = total + _waited(y, inner["wait"]["x"])
        return total

    def push(self, x, J, P, state):
        total, summed, owns = np.zeros(len(x)), np.zeros((len(x), P)), []
        for i, branch in enumerate(self.branches):
            inner = state[str(i)]
            size = sum(len(values(stage)) for stage in branch)
            room = np.zeros((len(x), P + size))
            room[:, :P] = J[:, :P]
            y = push_chain(branch, x, room, P, inner, None)
            if len(inner["wait"]["x"]):
                recursions.push_fir(room, P + size, _wait_taps(len(inner["wait"]["x"])), inner["wait"]["J"])
            total = total + _waited(y, inner["wait"]["x"])
            summed += room[:, :P]
            owns.append(room[:, P:])
        J[:, :P] = summed
        return total, np.hstack(owns)

    def settle(self, level, state):
        total = 0.0
        for i, branch in enumerate(self.branches):
            out = settle_chain(branch, level, state[str(i)])
            state[str(i)]["wait"]["x"][:] = out
            total += out
        return total


def _wait_taps(samples: int) -> np.ndarray:
    taps = np.zeros(samples + 1)
    taps[-1] = 1.0
    return taps


def _waited(y, past):
    return recursions.run_fir(y, _wait_taps(len(past)), past) if len(past) else y


def latency(stages) -> int:
    """Delay through the stages, samples."""
    return sum(getattr(stage, "latency", 0) for stage in stages)


def rest_chain(stages, columns=None, *, all_columns: bool = False) -> dict:
    """States of all stages at zero; with ``columns`` also those of the derivatives.

    ``columns`` is the number of tangent columns at the input. Each stage adds its free numbers, or all of them with
    ``all_columns``.
    """
    states = {}
    for i, stage in enumerate(stages):
        states[str(i)] = stage.rest(columns)
        if columns is not None:
            columns += len(values(stage)) if all_columns else int(free_mask(stage).sum())
    return states


def run_chain(stages, x: np.ndarray, states: dict) -> np.ndarray:
    """Audio through the stages; ``states`` moves on."""
    for i, stage in enumerate(stages):
        x = stage.run(x, states[str(i)])
    return x


def push_chain(stages, x: np.ndarray, J: np.ndarray, P: int, states: dict, masks) -> np.ndarray:
    """Audio and derivatives through the stages.

    Parameters
    ----------
    J : ndarray, shape (n_samples, n_columns)
        Its first ``P`` columns are filled; each stage adds its own behind them. Changed in place.
    masks : list of ndarray of bool or None
        Which own columns each stage adds; None for all.

    Returns
    -------
    ndarray, shape (n_samples,)
        The output.
    """
    for i, stage in enumerate(stages):
        x, own = stage.push(x, J, P, states[str(i)])
        if masks is not None:
            own = own[:, masks[i]]
        J[:, P:P + own.shape[1]] = own
        P += own.shape[1]
    return x


def settle_chain(stages, level: float, states: dict) -> float:
    """Put all states where a constant input leaves them; returns the constant output."""
    for i, stage in enumerate(stages):
        level = stage.settle(level, states[str(i)])
    return level


def flat(states: dict, prefix: str = "") -> dict[str, np.ndarray]:
    """Nested states as one dictionary with dotted names (no copies)."""
    found = {}
    for name, value in states.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
