"""What a curve alone cannot do: a bias that creeps with the signal (blocking) and a gain that sags under load.

References
----------
Eichas and Zölzer, "Gray-box modeling of guitar amplifiers", JAES 66(12), 2018 (block-oriented amplifier models).
Blencowe, "Designing High-Fidelity Tube Preamps", 2016, chapter on grid current: why the bias shifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from circuits.errors import FitError
from graybox import recursions
from graybox.parameters import Parameter, values


def pole_of(seconds: float, sample_rate: float) -> float:
    """Pole of a one-pole low-pass with this time constant."""
    return float(np.exp(-1.0 / (seconds * sample_rate)))


@dataclass(frozen=True, slots=True)
class DynamicBias:
    """y = x + sum over k of weight[k] L_k{curve(x)}, with slow one-pole low-passes L_k of unit gain at rest.

    The slow part of a rectified copy of the signal moves the working point of the curve that follows, as the charge on
    a coupling capacitor does when a grid conducts.

    Parameters
    ----------
    curve : curve
        What rectifies; its own gain is the path's, so fix one of the two (the first weight is fixed by default).
    weight, pole : tuple of float
        Strength and pole in (0, 1) of each low-pass; see `pole_of`.
    """

    curve: object
    weight: tuple[float, ...]
    pole: tuple[float, ...]
    fixed: tuple[str, ...] = ("weight[0]",)
    kind: ClassVar[str] = "dynamic-bias"
    PARAMETERS: ClassVar = (Parameter("weight"), Parameter("pole", 0.0, 1.0))
    PARTS: ClassVar = ("curve",)

    def __post_init__(self):
        if len(self.weight) != len(self.pole) or not self.weight:
            raise FitError("a dynamic bias needs one weight for each pole")
        if not all(0.0 < pole < 1.0 for pole in self.pole):
            raise FitError("the poles of a dynamic bias must lie between 0 and 1")

    def rest(self, columns=None):
        size = len(self.pole)
        state = {"e": np.zeros((size, 1))}
        if columns is not None:
            state |= {"d": np.zeros((size, 1)), "J": np.zeros((size, columns)),
                      "own": np.zeros((size, len(values(self.curve))))}
        return state

    def run(self, x, state):
        z = self.curve.value(x)
        y = x.copy()
        for k, (weight, pole) in enumerate(zip(self.weight, self.pole)):
            y += weight * recursions.run_lowpass(z, pole, state["e"][k])
        return y

    def push(self, x, J, P, state):
        z, slope, inner = self.curve.jet(x)
        size = len(self.pole)
        own = np.zeros((len(x), 2 * size + inner.shape[1]))
        steep = np.array(J[:, :P], order="C")
        recursions.scale_columns(steep, P, slope)
        y = x.copy()
        for k, (weight, pole) in enumerate(zip(self.weight, self.pole)):
            last = k + 1 == size
            mine, theirs = (steep, inner) if last else (steep.copy(), inner.copy())
            start = state["e"][k].copy()
            e = recursions.push_lowpass(z, mine, P, pole, state["e"][k], state["d"][k], state["J"][k], own, size + k)
            unused = np.empty((len(x), 1))
            recursions.push_lowpass(z, theirs, theirs.shape[1], pole, start, np.zeros(1), state["own"][k], unused, 0)
            y += weight * e
            own[:, k] = e
            own[:, size + k] *= weight
            own[:, 2 * size:] += weight * theirs
            recursions.add_columns(J, P, mine, weight)
        return y, own

    def settle(self, level, state):
        z = float(self.curve.value(np.array([level]))[0])
        state["e"][:] = z
        return level + sum(self.weight) * z


@dataclass(frozen=True, slots=True)
class EnvelopeGain:
    """y = x / (1 + depth e), e the low-passed |x|: a supply that sags under a loud signal.

    Parameters
    ----------
    depth : float
        Strength, at least 0, per unit of the envelope.
    pole : float
        Pole of the low-pass, in (0, 1); see `pole_of`.
    """

    depth: float
    pole: float
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "envelope-gain"
    PARAMETERS: ClassVar = (Parameter("depth", 0.0), Parameter("pole", 0.0, 1.0))

    def __post_init__(self):
        if self.depth < 0.0 or not 0.0 < self.pole < 1.0:
            raise FitError("an envelope gain needs a depth of at least 0 and a pole between 0 and 1")

    def rest(self, columns=None):
        state = {"e": np.zeros(1)}
        if columns is not None:
            state |= {"d": np.zeros(1), "J": np.zeros(columns)}
        return state

    def run(self, x, state):
        return x / (1.0 + self.depth * recursions.run_lowpass(np.abs(x), self.pole, state["e"]))

    def push(self, x, J, P, state):
        own = np.zeros((len(x), 2))
        slow = np.array(J[:, :P], order="C")
        recursions.scale_columns(slow, P, np.sign(x))
        e = recursions.push_lowpass(np.abs(x), slow, P, self.pole, state["e"], state["d"], state["J"], own, 1)
        gain = 1.0 / (1.0 + self.depth * e)
        bend = -x * gain * gain
        recursions.scale_columns(J, P, gain)
        recursions.scale_columns(slow, P, self.depth * bend)
        recursions.add_columns(J, P, slow, 1.0)
        own[:, 0] = bend * e
        own[:, 1] *= self.depth * bend
        return x * gain, own

    def settle(self, level, state):
        state["e"][:] = abs(level)
        return level / (1.0 + self.depth * abs(level))
