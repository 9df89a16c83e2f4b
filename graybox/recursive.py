"""Two small white boxes whose differential equation is the model: a diode clipper, and a resonator with a cubic spring.

Few numbers, each with a meaning, fitted to a recording with exact sensitivities through the nonlinear recursion.

References
----------
Yeh, Abel, Vladimirescu, Smith, "Numerical methods for simulation of guitar distortion circuits", CMJ 32(2), 2008: the
clipper's equation. Wigren and Schoukens, "Three free data sets for development and benchmarking in nonlinear system
identification", ECC 2013: the Silverbox.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from circuits.errors import FitError
from circuits.kernels.jit import kernel
from graybox.parameters import Parameter


@kernel
def _clipper(x, J, P, h, rc, drive, limit, volts, gain, state, tangent, own_state, own, derive):
    """Trapezoidal rule for rc v' = drive x - v - limit sinh(v / volts); output gain v. ``state``: v, last input.

    ``tangent`` (2, columns): derivatives of v and of the last input; ``own_state`` (4,): of v for rc, drive, limit, volts.
    """
    n = x.shape[0]
    y = np.empty(n)
    k = h / (2.0 * rc)
    v = state[0]
    before = state[1]
    for t in range(n):
        push = drive * (before + x[t])
        s0 = math.sinh(v / volts)
        c0 = math.cosh(v / volts)
        right = v - k * (v + limit * s0) + k * push
        # start below the exponential: |v| at which the diodes alone would carry the whole right-hand side
        most = volts * math.asinh(abs(right) / (k * limit))
        w = min(max(v, -most), most)
        s1 = 0.0
        c1 = 1.0
        for _ in range(50):
            s1 = math.sinh(w / volts)
            c1 = math.cosh(w / volts)
            step = (w + k * (w + limit * s1) - right) / (1.0 + k * (1.0 + limit / volts * c1))
            w -= step
            if abs(step) < 1e-13 * (1.0 + abs(w)):
                break
        s1 = math.sinh(w / volts)
        c1 = math.cosh(w / volts)
        if derive:
            up = 1.0 - k * (1.0 + limit / volts * c0)
            down = 1.0 / (1.0 + k * (1.0 + limit / volts * c1))
            bend = push - v - w - limit * (s0 + s1)
            own_state[0] = (up * own_state[0] - k / rc * bend) * down
            own_state[1] = (up * own_state[1] + k * (before + x[t])) * down
            own_state[2] = (up * own_state[2] - k * (s0 + s1)) * down
            own_state[3] = (up * own_state[3] + k * limit / (volts * volts) * (v * c0 + w * c1)) * down
            for q in range(4):
                own[t, q] = gain * own_state[q]
            own[t, 4] = w
            for p in range(P):
                tangent[0, p] = (up * tangent[0, p] + k * drive * (tangent[1, p] + J[t, p])) * down
                tangent[1, p] = J[t, p]
                J[t, p] = gain * tangent[0, p]
        v = w
        before = x[t]
        y[t] = gain * v
    state[0] = v
    state[1] = before
    return y


@dataclass(frozen=True, slots=True)
class DiodeClipper:
    """Resistor into a capacitor with an antiparallel diode pair across it.

    Parameters
    ----------
    rc : float
        Resistance times capacitance, seconds.
    drive : float
        Volts at the input for one unit of the recording.
    limit : float
        Twice the saturation current times the resistance, volts.
    volts : float
        Ideality times thermal voltage, volts; fixed by default (a scale of the output could replace it).
    gain : float
        Units of the recording for one volt at the output.
    sample_rate : float
        Hz.
    """

    rc: float
    drive: float
    limit: float
    sample_rate: float
    volts: float = 1.752 * 0.02585  # 1N4148: n = 1.752 (SPICE model of the makers) at 300 K
    gain: float = 1.0
    fixed: tuple[str, ...] = ("volts",)
    kind: ClassVar[str] = "diode-clipper"
    PARAMETERS: ClassVar = (Parameter("rc", 0.0, unit="s"), Parameter("drive", unit="V"), Parameter("limit", 0.0, unit="V"),
                            Parameter("volts", 0.0, unit="V"), Parameter("gain", unit="1/V"))

    def __post_init__(self):
        if min(self.rc, self.limit, self.volts, self.sample_rate) <= 0.0:
            raise FitError("rc, limit, volts and sample rate of a diode clipper must be positive")

    def rest(self, columns=None):
        state = {"v": np.zeros(2)}
        if columns is not None:
            state |= {"J": np.zeros((2, columns)), "own": np.zeros(4)}
        return state

    def _numbers(self):
        return 1.0 / self.sample_rate, self.rc, self.drive, self.limit, self.volts, self.gain

    def run(self, x, state):
        empty = np.zeros((0, 0))
        return _clipper(x, empty, 0, *self._numbers(), state["v"], empty, np.zeros(4), empty, False)

    def push(self, x, J, P, state):
        own = np.empty((len(x), 5))
        return _clipper(x, J, P, *self._numbers(), state["v"], state["J"], state["own"], own, True), own

    def settle(self, level, state):
        state["v"][1] = level
        for _ in range(100_000):  # a contraction towards the resting voltage
            before = state["v"][0]
            self.run(np.full(16, level), state)
            if abs(state["v"][0] - before) < 1e-14:
                break
        return self.gain * float(state["v"][0])


@kernel
def _resonator(x, J, P, theta, state, tangent, own_state, own, row, derive):
    """y = b0 x + b1 x1 + b2 x2 + a1 y1 + a2 y2 + c3 y1^3 + c21 y1^2 y2 + c12 y1 y2^2 + c03 y2^3 + q2 y1^2 + q11 y1 y2 + c."""
    n = x.shape[0]
    y = np.empty(n)
    basis = np.empty(12)
    x1, x2, y1, y2 = state[0], state[1], state[2], state[3]
    for t in range(n):
        basis[0] = x[t]
        basis[1] = x1
        basis[2] = x2
        basis[3] = y1
        basis[4] = y2
        basis[5] = y1 * y1 * y1
        basis[6] = y1 * y1 * y2
        basis[7] = y1 * y2 * y2
        basis[8] = y2 * y2 * y2
        basis[9] = y1 * y1
        basis[10] = y1 * y2
        basis[11] = 1.0
        total = 0.0
        for q in range(12):
            total += theta[q] * basis[q]
        if derive:
            d1 = theta[3] + 3.0 * theta[5] * y1 * y1 + 2.0 * theta[6] * y1 * y2 + theta[7] * y2 * y2 + 2.0 * theta[9] * y1 + theta[10] * y2
            d2 = theta[4] + theta[6] * y1 * y1 + 2.0 * theta[7] * y1 * y2 + 3.0 * theta[8] * y2 * y2 + theta[10] * y1
            for q in range(12):
                own[t, q] = basis[q] + d1 * own_state[0, q] + d2 * own_state[1, q]
                own_state[1, q] = own_state[0, q]
                own_state[0, q] = own[t, q]
            for p in range(P):
                row[p] = (theta[0] * J[t, p] + theta[1] * tangent[0, p] + theta[2] * tangent[1, p] + d1 * tangent[2, p]
                          + d2 * tangent[3, p])
            for p in range(P):
                tangent[1, p] = tangent[0, p]
                tangent[0, p] = J[t, p]
                tangent[3, p] = tangent[2, p]
                tangent[2, p] = row[p]
                J[t, p] = row[p]
        y[t] = total
        x2 = x1
        x1 = x[t]
        y2 = y1
        y1 = total
    state[0], state[1], state[2], state[3] = x1, x2, y1, y2
    return y


@dataclass(frozen=True, slots=True)
class CubicResonator:
    """A discretised mass, damper and hardening spring: twelve numbers, linear in the one-step error.

    ``b``: x, x1, x2; ``a``: y1, y2; ``cubic``: y1^3, y1^2 y2, y1 y2^2, y2^3; ``square``: y1^2, y1 y2; ``offset``. Stable
    for small signals only if z^2 - a1 z - a2 is; a fit refuses steps that make the output grow without bound.
    """

    b: tuple[float, ...]
    a: tuple[float, ...]
    cubic: tuple[float, ...] = (0.0,) * 4
    square: tuple[float, ...] = (0.0,) * 2
    offset: float = 0.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "cubic-resonator"
    PARAMETERS: ClassVar = (Parameter("b"), Parameter("a"), Parameter("cubic"), Parameter("square"), Parameter("offset"))

    def __post_init__(self):
        if (len(self.b), len(self.a), len(self.cubic), len(self.square)) != (3, 2, 4, 2):
            raise FitError("a cubic resonator has 3 b, 2 a, 4 cubic and 2 square numbers")
        if np.abs(np.roots([1.0, -self.a[0], -self.a[1]])).max() >= 1.0:
            raise FitError("the resonator is unstable for small signals")

    @staticmethod
    def by_one_step(x, y) -> "CubicResonator":
        """Start for a fit: least squares of the one-step error on a recording."""
        rows = np.column_stack([x[2:], x[1:-1], x[:-2], y[1:-1], y[:-2], y[1:-1]**3, y[1:-1]**2 * y[:-2],
                                y[1:-1] * y[:-2]**2, y[:-2]**3, y[1:-1]**2, y[1:-1] * y[:-2], np.ones(len(x) - 2)])
        c = np.linalg.lstsq(rows, y[2:], rcond=None)[0].tolist()
        return CubicResonator(tuple(c[:3]), tuple(c[3:5]), tuple(c[5:9]), tuple(c[9:11]), c[11])

    def rest(self, columns=None):
        state = {"z": np.zeros(4)}
        if columns is not None:
            state |= {"J": np.zeros((4, columns)), "own": np.zeros((2, 12)), "row": np.zeros(columns)}
        return state

    def _theta(self):
        return np.array(self.b + self.a + self.cubic + self.square + (self.offset,))

    def run(self, x, state):
        empty = np.zeros((0, 0))
        return _resonator(x, empty, 0, self._theta(), state["z"], empty, empty, empty, np.zeros(0), False)

    def push(self, x, J, P, state):
        own = np.empty((len(x), 12))
        return _resonator(x, J, P, self._theta(), state["z"], state["J"], state["own"], own, state["row"], True), own

    def settle(self, level, state):
        state["z"][:2] = level
        for _ in range(100_000):
            before = state["z"][2:].copy()
            self.run(np.full(16, level), state)
            if np.abs(state["z"][2:] - before).max() < 1e-14:
                break
        return float(state["z"][2])
