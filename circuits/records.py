"""A linear circuit as plain JSON values and back: elements by class and field, expressions as nested lists, nothing executed.

For files that carry a circuit inside something else (a tone stack in a fitted block). A netlist is the form for people.
"""

from __future__ import annotations

import math
from dataclasses import fields

from circuits.circuit import Circuit, Element
from circuits.controls import Control
from circuits.elements import (Capacitor, Coupling, CurrentControlledCurrent, CurrentControlledVoltage, IdealTransformer, Inductor, Nullor, Resistor,
                               VoltageControlledCurrent, VoltageControlledVoltage, VoltageSource)
from circuits.errors import AmpwrightError, CircuitError, ModelFileError, Place
from circuits.expressions import Call, Name, Number, Value

LINEAR = {kind.__name__: kind for kind in (Resistor, Capacitor, Inductor, Coupling, VoltageSource, VoltageControlledVoltage, VoltageControlledCurrent,
                                           CurrentControlledCurrent, CurrentControlledVoltage, Nullor, IdealTransformer)}
MAX_DEPTH = 50  # of an expression
_TUPLES = ("nodes", "inductors")
_TEXTS = ("name", "sensor")


def to_record(circuit: Circuit) -> dict:
    """Plain values of a linear circuit.

    Raises
    ------
    CircuitError
        For an element that is not linear, by name.

    Examples
    --------
    >>> part = Circuit((Resistor("r1", ("in", "0"), Call("mul", (Name("volume"), Number(1e6)))),), {"volume": 0.5})
    >>> to_record(part)["elements"]
    [['Resistor', {'name': 'r1', 'nodes': ['in', '0'], 'value': ['mul', 'volume', 1000000.0]}]]
    """
    return {"elements": [_element(element) for element in circuit.elements],
            "parameters": {name: _plain(value) for name, value in circuit.parameters.items()},
            "controls": [{item.name: getattr(control, item.name) for item in fields(control)} for control in circuit.controls],
            "input": circuit.input, "outputs": list(circuit.outputs), "title": circuit.title}


def from_record(record, place: Place | None = None) -> Circuit:
    """The circuit of plain values; raises ModelFileError that says which entry is wrong."""
    place = place or Place()
    if not isinstance(record, dict) or set(record) != {"elements", "parameters", "controls", "input", "outputs", "title"}:
        raise ModelFileError("a circuit needs elements, parameters, controls, input, outputs and title", place=place)
    try:
        elements = tuple(_made(entry, place) for entry in record["elements"])
        parameters = {_text(name, place): _value(value, place) for name, value in record["parameters"].items()}
        controls = tuple(Control(**entry) for entry in record["controls"])
        return Circuit(elements, parameters, controls, _text(record["input"], place), tuple(_text(one, place) for one in record["outputs"]),
                       title=_text(record["title"], place))
    except AmpwrightError as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"a circuit in it is damaged: {error}", place=place) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"a circuit in it is damaged: {error}", place=place) from error


def _element(element: Element) -> list:
    kind = type(element).__name__
    if kind not in LINEAR or getattr(element, "waveform", None) is not None:
        raise CircuitError(f"{element.name} is not linear", place=element.place, element=element.name,
                           mend="Only resistors, capacitors, inductors, transformers, ideal op-amps and controlled sources are.")
    values = {}
    for item in fields(element):
        value = getattr(element, item.name)
        if item.name not in ("place", "waveform") and value is not None:
            values[item.name] = list(value) if item.name in _TUPLES else value if item.name in _TEXTS else _plain(value)
    return [kind, values]


def _plain(value: Value):
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, Number):
        return value.value
    if isinstance(value, Name):
        return value.name
    if isinstance(value, Call):
        return [value.operation, *(_plain(argument) for argument in value.arguments)]
    raise CircuitError("a value that depends on voltages is not linear")


def _made(entry, place: Place) -> Element:
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], dict)):
        raise ModelFileError("an element of a circuit must be a kind and its fields", place=place)
    kind = LINEAR.get(entry[0])
    if kind is None:
        raise ModelFileError(f"a circuit has no element of the kind {entry[0]!r}", place=place, mend=f"Known: {', '.join(LINEAR)}.")
    known = {item.name for item in fields(kind)} - {"place", "waveform"}
    values = {}
    for name, value in entry[1].items():
        if name not in known:
            raise ModelFileError(f"a {entry[0]} has no {name!r}", place=place)
        values[name] = (tuple(_text(one, place) for one in value) if name in _TUPLES else _text(value, place) if name in _TEXTS
                        else _value(value, place))
    return kind(**values)


def _text(value, place: Place) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ModelFileError(f"{str(value)[:40]!r} stands where a circuit needs a name", place=place)
    return value


def _value(value, place: Place, depth: int = 0) -> Value:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if isinstance(value, str):
        return Name(value)
    if isinstance(value, list) and value and isinstance(value[0], str) and depth < MAX_DEPTH:
        arguments = (_value(one, place, depth + 1) for one in value[1:])
        return Call(value[0], tuple(Number(one) if isinstance(one, float) else one for one in arguments))
    raise ModelFileError(f"{str(value)[:40]} is no value of a circuit", place=place)
