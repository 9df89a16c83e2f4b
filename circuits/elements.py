"""The elements that a circuit is made of: linear parts, sources, behavioural sources, and devices with a model card.

Values are SI floats, or expressions of parameters until `Circuit.bound` replaces them. Pins follow SPICE: current into
the first pin is positive, a source drives its current from the first pin through itself to the second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from circuits.circuit import Card
from circuits.errors import Place
from circuits.expressions import Expression, Value
from circuits.waveforms import Waveform


@dataclass(frozen=True, slots=True)
class Resistor:
    """R, ohms, between two nodes; exactly 0 is a short."""

    name: str
    nodes: tuple[str, str]
    value: Value
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Capacitor:
    """C, farads; ``initial`` volts if the netlist gives ``IC=``."""

    name: str
    nodes: tuple[str, str]
    value: Value
    initial: Value | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Inductor:
    """L, henries; ``initial`` amperes if the netlist gives ``IC=``."""

    name: str
    nodes: tuple[str, str]
    value: Value
    initial: Value | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Coupling:
    """K: two or more inductors (by name) coupled pairwise with one coefficient in -1..1; it has no nodes."""

    name: str
    inductors: tuple[str, ...]
    coefficient: Value
    nodes: tuple[str, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class VoltageSource:
    """V: ``dc`` volts, small-signal magnitude and phase (degrees), and a waveform that replaces ``dc`` in time."""

    name: str
    nodes: tuple[str, str]
    dc: Value = 0.0
    ac: Value = 0.0
    ac_phase: Value = 0.0
    waveform: Waveform | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class CurrentSource:
    """I: like `VoltageSource`, in amperes from the first node through the source to the second."""

    name: str
    nodes: tuple[str, str]
    dc: Value = 0.0
    ac: Value = 0.0
    ac_phase: Value = 0.0
    waveform: Waveform | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class VoltageControlledVoltage:
    """E, linear: nodes (out+, out-, control+, control-)."""

    name: str
    nodes: tuple[str, str, str, str]
    gain: Value
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class VoltageControlledCurrent:
    """G, linear: nodes (out+, out-, control+, control-), gain in siemens."""

    name: str
    nodes: tuple[str, str, str, str]
    gain: Value
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class CurrentControlledCurrent:
    """F, linear: controlled by the current of the voltage source ``sensor``."""

    name: str
    nodes: tuple[str, str]
    sensor: str
    gain: Value
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class CurrentControlledVoltage:
    """H, linear: controlled by the current of the voltage source ``sensor``; gain in ohms."""

    name: str
    nodes: tuple[str, str]
    sensor: str
    gain: Value
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class BehaviouralVoltage:
    """B or E with ``V=`` an expression of voltages, currents and time."""

    name: str
    nodes: tuple[str, str]
    expression: Expression
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class BehaviouralCurrent:
    """B or G with ``I=`` an expression of voltages, currents and time."""

    name: str
    nodes: tuple[str, str]
    expression: Expression
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Nullor:
    """An ideal op-amp: nodes (in+, in-, out, reference); no input current, no input voltage."""

    name: str
    nodes: tuple[str, str, str, str]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class IdealTransformer:
    """Nodes (1+, 1-, 2+, 2-) with v1 = ratio * v2 and i2 = -ratio * i1."""

    name: str
    nodes: tuple[str, str, str, str]
    ratio: Value
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A part with a law of its own (D, Q, J, M, S, tubes, ...): the card's kind says which family."""

    name: str
    nodes: tuple[str, ...]
    card: Card
    values: Mapping[str, Value] = field(default_factory=dict)
    place: Place | None = None
