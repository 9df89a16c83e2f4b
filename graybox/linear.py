"""A white-box linear network (a tone stack) as a stage between learned ones, with its component values free or fixed.

Any object can be the network that is a frozen description with ``PARAMETERS`` (its component values), a class attribute
``CONTROLS`` (names of its knobs) and a method ``coefficients(sample_rate, shares) -> (b, a)``: the digital transfer
function at knob positions given as shares of the travel, ``a`` starting with 1. That is the whole seam: a circuit from
a netlist stands behind the same method. Built in is the tone stack of Fender, Marshall and Vox amplifiers.

References
----------
Yeh and Smith, "Discretization of the '59 Fender Bassman tone stack", DAFx 2006, eq. 1 to 7 (analog coefficients of the
third order), bilinear transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Mapping, Protocol

import numpy as np

from circuits.errors import CircuitError
from circuits.tonestack import bilinear, tone_stack
from graybox import recursions
from graybox.parameters import Parameter, values, with_values

GLIDE = 512  # samples from the old coefficients to the new ones when a knob is turned


class Network(Protocol):
    """A linear circuit with knobs."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]]
    CONTROLS: ClassVar[tuple[str, ...]]

    def coefficients(self, sample_rate: float, shares: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Numerator b (order + 1,) and denominator a (order + 1,) with a[0] = 1."""


@dataclass(frozen=True, slots=True)
class ToneStack:
    """The Fender-Marshall-Vox tone stack by its component values, driven by a stiff source.

    Parameters
    ----------
    treble, bass, middle : float
        Potentiometers R1, R2, R3, ohms.
    slope : float
        Resistor R4, ohms.
    c1, c2, c3 : float
        Capacitors, farads.
    treble_bend, bass_bend, middle_bend : float
        Share of the track = travel ** bend: 1 for a linear pot, about 3.3 for an audio one (a tenth at half travel).
    load : float
        Resistance behind the output, ohms: a volume control, the leak of the next grid. As good as none if not given.

    Examples
    --------
    >>> b, a = ToneStack().coefficients(48000.0, {"treble": 0.5, "bass": 0.5, "middle": 0.5})
    >>> len(b), len(a), float(a[0])
    (4, 4, 1.0)
    """

    treble: float = 220e3
    bass: float = 1e6
    middle: float = 22e3
    slope: float = 33e3
    c1: float = 470e-12
    c2: float = 22e-9
    c3: float = 22e-9
    treble_bend: float = 1.0
    bass_bend: float = 3.3
    middle_bend: float = 1.0
    load: float = 1e15
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "tone-stack"
    CONTROLS: ClassVar = ("bass", "middle", "treble")
    PARAMETERS: ClassVar = (
        Parameter("treble", 0.0, unit="ohm"), Parameter("bass", 0.0, unit="ohm"), Parameter("middle", 0.0, unit="ohm"),
        Parameter("slope", 0.0, unit="ohm"), Parameter("c1", 0.0, unit="F"), Parameter("c2", 0.0, unit="F"),
        Parameter("c3", 0.0, unit="F"), Parameter("treble_bend", 0.0), Parameter("bass_bend", 0.0),
        Parameter("middle_bend", 0.0), Parameter("load", 0.0, unit="ohm"))

    def __post_init__(self):
        if not all(value > 0.0 for value in values(self)):
            raise CircuitError("every component of a tone stack must be positive")

    def analog(self, shares: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Numerator b0..b3 and denominator a0..a3 in rising powers of s: Yeh and Smith (2006), eq. 1 to 7, and the load."""
        tracks = tuple(max(shares[name], 0.0) ** bend for name, bend in
                       (("treble", self.treble_bend), ("bass", self.bass_bend), ("middle", self.middle_bend)))
        return tone_stack((self.treble, self.bass, self.middle, self.slope, self.c1, self.c2, self.c3), tracks, self.load)

    def coefficients(self, sample_rate, shares):
        """Digital transfer function by the bilinear transform."""
        return bilinear(*self.analog(shares), sample_rate)


@dataclass(frozen=True, slots=True)
class LinearCircuit:
    """A `Network` as a stage, at knob positions given as shares of the travel (0 to 1).

    Parameters
    ----------
    network : Network
        The circuit.
    sample_rate : float
        Hz.
    shares : tuple of (str, float)
        Where each knob stands.
    """

    network: Network
    sample_rate: float
    shares: tuple[tuple[str, float], ...] = ()
    kind: ClassVar[str] = "linear-circuit"
    PARAMETERS: ClassVar = ()
    PARTS: ClassVar = ("network",)

    def __post_init__(self):
        given = dict(self.shares)
        unknown = set(given) - set(self.network.CONTROLS)
        if unknown:
            raise CircuitError(f"the network has no control {sorted(unknown)[0]!r}",
                               mend=f"Controls: {', '.join(self.network.CONTROLS)}.")
        if not all(0.0 <= share <= 1.0 for share in given.values()):
            raise CircuitError("knob positions of a linear circuit are shares of the travel, from 0 to 1")
        whole = tuple((name, float(given.get(name, 0.5))) for name in self.network.CONTROLS)
        object.__setattr__(self, "shares", whole)

    def coefficients(self) -> tuple[np.ndarray, np.ndarray]:
        """Digital b and a at the present positions."""
        return self.network.coefficients(self.sample_rate, dict(self.shares))

    def response(self, frequencies, sample_rate=None) -> np.ndarray:
        """Complex frequency response at ``frequencies`` in Hz."""
        b, a = self.coefficients()
        z = np.exp(-2j * np.pi * np.asarray(frequencies) / self.sample_rate)
        return np.polynomial.polynomial.polyval(z, b) / np.polynomial.polynomial.polyval(z, a)

    def slopes(self) -> np.ndarray:
        """Derivatives of (b, a[1:]) for each component value: (n_coefficients, n_parameters).

        Five-point differences of a relative step of 1e-3: error near 1e-11, without asking the network for derivatives.
        """
        numbers = values(self.network)
        out = np.empty((2 * len(self.coefficients()[0]) - 1, len(numbers)))
        for i, number in enumerate(numbers):
            step = 1e-3 * abs(number) if number != 0.0 else 1e-6
            total = 0.0
            for shift, share in ((-2.0, 1.0), (-1.0, -8.0), (1.0, 8.0), (2.0, -1.0)):
                moved = numbers.copy()
                moved[i] += shift * step
                b, a = with_values(self.network, moved).coefficients(self.sample_rate, dict(self.shares))
                total = total + share * np.concatenate([b, a[1:]])
            out[:, i] = total / (12.0 * step)
        return out

    def rest(self, columns=None):
        b, a = self.coefficients()
        m = len(a) - 1
        state = {"b": b, "a": a[1:].copy(), "b_to": b.copy(), "a_to": a[1:].copy(), "left": np.zeros(1, dtype=np.int64),
                 "x": np.zeros(m), "y": np.zeros(m)}
        if columns is not None:
            state |= {"v": np.zeros(m), "w": np.zeros(m), "J": np.zeros((m, columns)), "out": np.zeros((m, columns)),
                      "row": np.zeros(columns), "slopes": self.slopes()}  # once a recording: a netlist is taken apart for them
        return state

    def glide(self, state) -> None:
        """Start moving a running state from its coefficients to those of the present positions."""
        b, a = self.coefficients()
        state["b_to"][:], state["a_to"][:], state["left"][0] = b, a[1:], GLIDE

    def run(self, x, state):
        return recursions.run_rational(x, state["b"], state["a"], state["b_to"], state["a_to"], state["left"],
                                       state["x"], state["y"])

    def push(self, x, J, P, state):
        own = np.empty((len(x), 2 * len(state["a"]) + 1))
        y = recursions.push_rational(x, J, P, state["b"], state["a"], state["x"], state["y"], state["v"], state["w"],
                                     state["J"], state["out"], state["row"], own)
        return y, own @ state["slopes"]

    def settle(self, level, state):
        out = level * state["b"].sum() / (1.0 + state["a"].sum())
        state["x"][:], state["y"][:] = level, out
        return float(out)
