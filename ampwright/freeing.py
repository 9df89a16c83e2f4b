"""Which numbers of a circuit a calibration may move: parameters, controls, values of parts, numbers of cards, fitted laws.

Positive numbers move on a logarithmic scale, controls within their range, the numbers of a law in parts of what they are.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Mapping, Sequence

import numpy as np

from ampwright.models import checked
from circuits.circuit import Circuit
from circuits.elements import Capacitor, Device, Inductor, Resistor
from circuits.errors import FitError, ModelFileError, Place
from circuits.expressions import Expression, Name
from graybox.device import Law, load_law
from netlists.reader import read

_LARGEST = math.log(1e4)  # how far a value may go from where the netlist puts it, as a factor


def read_learned(netlist: str | Path, **settings) -> tuple[Circuit, Mapping[str, Law]]:
    """Read a netlist together with the fitted laws that stand in it (``law="curve.json"``), under the names of their elements.

    Raises
    ------
    AmpwrightError
        If it is no netlist, or can't be read.
    """
    source = checked(netlist, settings)
    if source.kind != "netlist":
        raise ModelFileError(f"this is no netlist but a {source.kind}, which has no parts", place=Place(str(netlist)),
                             mend="A block or a capture is fitted with ampwright fit or train.")
    laws: dict[str, Law] = {}
    return read(source.path, laws=lambda path: _Placed(load_law(path), laws), **settings), laws


@dataclass(frozen=True, slots=True)
class _Placed:
    """A law that notes where it is put."""

    law: Law
    places: dict[str, Law]

    def expression(self, x: Expression, prefix: str) -> Expression:
        self.places[prefix] = self.law
        return self.law.expression(x, prefix)

    def numbers(self, prefix: str) -> Mapping[str, float]:
        return self.law.numbers(prefix)


@dataclass(frozen=True, slots=True)
class Slot:
    """One free number: the parameter's name, how it is told, and the way from the fit's coordinate (0 at the start) to its value."""

    name: str
    shown: str
    start: float
    low: float = 0.0
    high: float = math.inf
    unit: float = 0.0  # of a number that may take either sign: what its coordinate counts; 0 for a logarithm
    law: str = ""  # the element whose law it belongs to

    @property
    def bounded(self) -> bool:
        """A control, which moves between its ends."""
        return math.isfinite(self.high)

    def value(self, q: float) -> float:
        """Value at coordinate q."""
        if self.bounded:
            return float(np.clip(self.start + q * (self.high - self.low), self.low, self.high))
        return self.start + q * self.unit if self.unit else self.start * math.exp(q)

    def slope(self, q: float) -> float:
        """Derivative of the value."""
        if self.bounded:
            return self.high - self.low
        return self.unit or self.value(q)

    def limits(self) -> tuple[float, float]:
        """Bounds of the coordinate."""
        if self.bounded:
            span = self.high - self.low
            return (self.low - self.start) / span - 1e-9, (self.high - self.start) / span + 1e-9
        return (-math.inf, math.inf) if self.unit else (-_LARGEST, _LARGEST)


def freed(circuit: Circuit, names: Sequence[str], laws: Mapping[str, Law]) -> tuple[Circuit, tuple[Slot, ...]]:
    """The circuit with each name as a top-level parameter, and where each starts; ``d1.law`` means all free numbers of the law of D1.

    Raises
    ------
    FitError
        If there is no such number, or nothing is asked for.
    """
    names = [name.strip().lower() for name in names if name.strip()]
    if not names or len(set(names)) < len(names):
        raise FitError("no number is free" if not names else "a free number is named twice", mend="Name some, as in --free r1,c1,drive.")
    slots = []
    spelled = {name.lower(): name for name in circuit.parameters}
    for name in names:
        known = {control.name.lower(): control for control in circuit.controls}
        if name in known:
            control = known[name]
            ends = sorted((control.value_at(control.minimum), control.value_at(control.maximum)))
            slots.append(Slot(control.name, name, control.value, *ends))
            continue
        element, _, of = name.rpartition(".")
        if of == "law" and element in laws:
            slots.extend(_of_law(element, laws[element]))
            continue
        if name not in spelled:
            circuit = _as_parameter(circuit, name, laws)
            spelled[name] = _inner(name)
        start = circuit.values()[spelled[name]]
        slots.append(Slot(spelled[name], name, start, unit=0.0 if start > 0.0 else 1.0))
    return circuit, tuple(slots)


def _of_law(element: str, law: Law):
    """Free numbers of a law, each in parts of what it and its neighbours in the array are: the coefficients of a diode span ten decades."""
    numbers = law.numbers(element)
    names, sizes = list(numbers), np.abs(list(numbers.values()))
    for name in law.free(element):
        at = names.index(name)
        near = [k for k in (at - 1, at, at + 1) if 0 <= k < len(names) and _array(names[k]) == _array(name)]
        yield Slot(name, name, numbers[name], unit=float(sizes[near].max()) or 1.0, law=element)


def _array(name: str) -> str:
    return re.sub(r"\[\d+\]$", "", name)


def _inner(name: str) -> str:
    return "free_" + name.replace(".", "_")


def _as_parameter(circuit: Circuit, name: str, laws: Mapping[str, Law]) -> Circuit:
    """An element's value, or a number of a card (``card.number``), turned into a parameter of the circuit."""
    card, _, number = name.rpartition(".")
    values, elements, found = circuit.bound(), [], None
    for element, bound in zip(circuit.elements, values.elements):
        if not card and element.name.lower() == name and isinstance(element, (Resistor, Capacitor, Inductor)):
            found = float(bound.value)
            element = replace(element, value=Name(_inner(name)))
        elif card and isinstance(element, Device) and element.card.name.lower() == card and number in element.card.values:
            found = float(bound.card.values[number])
            element = replace(element, card=replace(element.card, values={**element.card.values, number: Name(_inner(name))}))
        elements.append(element)
    if found is None:
        there = [*circuit.parameters, *(e.name for e in circuit.elements if isinstance(e, (Resistor, Capacitor, Inductor))),
                 *(f"{e.card.name}.{key}" for e in circuit.elements if isinstance(e, Device) for key in e.card.values), *(f"{element}.law" for element in laws)]
        close = get_close_matches(name, [one.lower() for one in there], 1)
        raise FitError(f"there is no number {name!r} in the circuit", mend=f"Did you mean {close[0]}?" if close else f"There are: {', '.join(dict.fromkeys(there[:12]))}.")
    return replace(circuit, elements=tuple(elements), parameters={**circuit.parameters, _inner(name): found})


def inlined(circuit: Circuit, slots, values) -> Circuit:
    """The circuit without the parameters that `_as_parameter` brought in: the numbers stand where they were."""
    own = {slot.name: values[slot.name] for slot in slots if slot.name == _inner(slot.shown)}
    if not own:
        return circuit

    def put(value):
        return own.get(value.name, value) if isinstance(value, Name) else value

    elements = []
    for element in circuit.elements:
        if isinstance(element, (Resistor, Capacitor, Inductor)):
            element = replace(element, value=put(element.value))
        elif isinstance(element, Device):
            element = replace(element, card=replace(element.card, values={key: put(value) for key, value in element.card.values.items()}))
        elements.append(element)
    return replace(circuit, elements=tuple(elements), parameters={name: value for name, value in circuit.parameters.items() if name not in own})
