"""What is in a model: elements, controls, operating point, nonlinear ports, and what the reader assumed; as plain data.

Values are shown at the present positions of the controls. Currents are positive into the first pin.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Mapping, Sequence

from ampwright.models import engine_of, load
from circuits.circuit import EXPRESSION_TYPES, Card, Circuit, Element
from circuits.controls import Control
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, CurrentSource, Device, Inductor, Resistor,
                               VoltageSource)
from circuits.errors import CircuitError, ModelFileError
from circuits.expressions import names
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Processor
from circuits.units import format_number
from graybox.blocks import BlockProcessor
from netlists.writer import write as deck
from validation.audio import check_writable, whole_file
from validation.captures.capture import Capture
from validation.captures.chain import Chain
from validation.captures.impulse import Impulse
from validation.captures.load import describe
from validation.captures.trained import TrainedCapture
from validation.captures.wavenetva import to_nam
from wdf.tree import Tree, derive

RATE = 48000.0  # Hz: resistances of the tree belong to a rate
UNITS = {Resistor: "ohm", Capacitor: "F", Inductor: "H"}


@dataclass(frozen=True, slots=True)
class Part:
    """One element: ``value`` as people write it, ``follows`` the controls that change it, ``line`` of the netlist (0 if unknown)."""

    name: str
    kind: str
    nodes: tuple[str, ...]
    value: str
    follows: tuple[str, ...]
    line: int
    path: str


@dataclass(frozen=True, slots=True)
class Branch:
    """An adaptor of the Wave Digital Filter: how deep below the root, its form, its port resistance (ohms, NaN at a root), and its leaves.

    A leaf is (port, role, port resistance); nonlinear ports have NaN.
    """

    name: str
    depth: int
    form: str
    resistance: float
    leaves: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """All that `inspect` finds.

    Parameters
    ----------
    title, path : str
        Of the netlist.
    input : str
        Source that the audio drives.
    outputs : tuple of str
        Nodes listened to.
    level : float
        Volts of a full-scale sample.
    controls : tuple of Control
    parameters : mapping of str to float
        Top-level parameters that are no controls.
    parts : tuple of Part
        Every element, in the order of the page.
    voltages, currents : mapping of str to float
        Operating point: node voltages (V), branch currents (A).
    method : str
        How the operating point was found.
    iterations : int
        Newton iterations that it took.
    ports : tuple of str
        Nonlinear ports in the order of solution.
    blocks : tuple of int
        Ports in each block that is solved on its own.
    states : int
        Capacitors and inductors (and charges) that remember.
    notes : tuple of str
        What the reader skipped or assumed.
    tree : tuple of Branch
        With ``engine="wdf"``: the adaptors, each followed by those below it.
    """

    title: str
    path: str
    input: str
    outputs: tuple[str, ...]
    level: float
    controls: tuple[Control, ...]
    parameters: Mapping[str, float]
    parts: tuple[Part, ...]
    voltages: Mapping[str, float]
    currents: Mapping[str, float]
    method: str
    iterations: int
    ports: tuple[str, ...]
    blocks: tuple[int, ...]
    states: int
    notes: tuple[str, ...]
    tree: tuple[Branch, ...] = ()


def inspect(model: str | Path | Circuit | Processor, *, engine: str = "nodal") -> Inspection | Mapping[str, object]:
    """Look into a model.

    Parameters
    ----------
    model : str, Path, Circuit or Processor
        A path, a library name, or what `load` gave.
    engine : {"nodal", "wdf"}
        With "wdf" the tree is told too.

    Returns
    -------
    Inspection, or a mapping of facts for a model that is no circuit.

    Raises
    ------
    ModelFileError, NetlistError, CircuitError, TopologyError, ConvergenceError
        If it can't be read, makes no sense, or does not rest.

    Examples
    --------
    >>> seen = inspect("diode_clipper")
    >>> seen.blocks, seen.outputs
    ((2,), ('out',))
    """
    circuit = load(model) if isinstance(model, (str, Path)) else model
    if not isinstance(circuit, Circuit):
        return facts(circuit)
    engine_of(engine)  # refuses what is none
    processor = NodalProcessor(circuit, RATE)
    rest, plan = processor.operating_point, processor.model
    values = circuit.values()
    turned = {control.name for control in circuit.controls}
    return Inspection(
        circuit.title, circuit.path, circuit.input, circuit.outputs, circuit.level, circuit.controls,
        {name: value for name, value in values.items() if name not in turned and "." not in name},
        tuple(_part(element, bound, circuit) for element, bound in zip(circuit.elements, circuit.bound().elements)),
        rest.voltages, rest.currents, rest.method, rest.iterations, plan.ports, plan.block_sizes, len(plan.states), circuit.notes,
        branches(derive(circuit, RATE)) if engine == "wdf" else ())


def branches(tree: Tree) -> tuple[Branch, ...]:
    """The adaptors from the roots down.

    Examples
    --------
    >>> [(branch.depth, branch.form) for branch in branches(derive(load("rc_lowpass"), 48000.0))][0]
    (0, 'series')
    """
    above = {adaptor.part.up: adaptor for adaptor in tree.adaptors if adaptor.part.up}
    found: list[Branch] = []
    waiting = [(adaptor, 0) for adaptor in reversed(tree.roots)]
    while waiting:
        adaptor, depth = waiting.pop()
        leaves = tuple((edge, tree.network.edges[edge].role, float(tree.resistances.get(edge, float("nan")))) for edge in adaptor.part.leaves)
        found.append(Branch(adaptor.part.name, depth, adaptor.form, float(adaptor.resistance), leaves))
        waiting += [(above[edge], depth + 1) for edge in reversed(adaptor.part.children)]
    return tuple(found)


def facts(processor: Processor) -> dict[str, object]:
    """What can be told of a Processor: of a capture all that is in its file, of a chain its stages, of an impulse response its length."""
    told: dict[str, object] = {"kind": _words(processor), "sample_rate": processor.sample_rate, "latency": processor.latency}
    if isinstance(processor, (Capture, TrainedCapture)):
        told |= describe(processor)
    elif isinstance(processor, Chain):
        told["stages"] = [f"{name} ({_words(part)})" for name, part, *_ in processor.stages]
    elif isinstance(processor, BlockProcessor):
        block = processor.block
        told |= {"name": block.name, "stages": [_stage(stage) for stage in block.stages], "parameters": block.parameters,
                 "inputs_seen": [f"{seen.low:.4g} to {seen.high:.4g} at stage {seen.stage}" for seen in block.ranges], **block.notes}
    elif isinstance(processor, Impulse):
        told["taps"] = len(processor.taps)
    return {**told, "controls": tuple(replace(control, name=name) for name, control in processor.controls.items())}


def write_netlist(circuit: Circuit | Processor, path: str | Path) -> Path:
    """Write a circuit as a plain deck that ngspice runs; raises SignalError if the file can't be written, CircuitError for what SPICE can't say."""
    if not isinstance(circuit, Circuit):
        raise CircuitError("this model is no circuit, and no netlist says what it does", mend="Leave out --write-netlist.")
    return _write(path, deck(circuit), ())


def write_nam(capture: Circuit | Processor, path: str | Path) -> Path:
    """Write a capture of the WaveNetVA family as a ``.nam`` file; raises ModelFileError for any other."""
    if not isinstance(capture, Capture):
        raise ModelFileError("this model is no capture", mend="Leave out --write-nam.")
    return _write(path, json.dumps(to_nam(capture.model)), (".nam",))


def _write(path: str | Path, text: str, suffixes: tuple[str, ...]) -> Path:
    check_writable(path, suffixes=suffixes)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def _stage(stage) -> str:
    return f"{stage.kind} ({stage.curve.kind})" if hasattr(stage, "curve") else stage.kind


def _part(element: Element, bound: Element, circuit: Circuit) -> Part:
    place = element.place
    return Part(element.name, _kind(element), element.nodes if element.nodes else getattr(element, "inductors", ()), _value(bound),
                _follows(element, circuit), place.line if place else 0, place.path if place else "")


def _kind(element: Element) -> str:
    if isinstance(element, Device):
        return element.card.kind
    return _words(element)


def _words(thing: object) -> str:
    """What a thing's class is called, in words: "voltage source", "nodal"."""
    name = type(thing).__name__.removesuffix("Processor")
    return "".join(" " + letter.lower() if letter.isupper() else letter for letter in name).strip()


def _value(element: Element) -> str:
    """Value of a bound element as people write it."""
    if type(element) in UNITS:
        return f"{format_number(element.value, 4)} {UNITS[type(element)]}"
    if isinstance(element, (VoltageSource, CurrentSource)):
        unit = "V" if isinstance(element, VoltageSource) else "A"
        said = [f"DC {format_number(element.dc, 4)} {unit}"] if element.dc or not (element.ac or element.waveform) else []
        said += [f"AC {format_number(element.ac, 4)}"] if element.ac else []
        said += [element.waveform.shape.upper()] if element.waveform else []
        return " ".join(said)
    if isinstance(element, Device):
        instance = " ".join(f"{name}={format_number(value, 4)}" for name, value in element.values.items() if isinstance(value, float))
        return f"{element.card.name} {instance}".strip()
    if isinstance(element, (BehaviouralVoltage, BehaviouralCurrent)):
        return "V = f(...)" if isinstance(element, BehaviouralVoltage) else "I = f(...)"
    if isinstance(element, Coupling):
        return f"k = {element.coefficient:.6g}"
    for name in ("gain", "ratio"):
        if hasattr(element, name):
            return f"{name} {format_number(getattr(element, name), 4)}"
    return ""


def _follows(element: Element, circuit: Circuit) -> tuple[str, ...]:
    """Controls on which a value depends, through as many parameters as it takes."""
    waiting: list[str] = []
    for item in fields(element):
        value = getattr(element, item.name)
        for one in value.values.values() if isinstance(value, Card) else value.values() if isinstance(value, Mapping) else (value,):
            if isinstance(one, EXPRESSION_TYPES):
                waiting += names(one)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            definition = circuit.parameters.get(name)
            if isinstance(definition, EXPRESSION_TYPES):
                waiting += names(definition)
    return tuple(control.name for control in circuit.controls if control.name in seen)


def engineering(value: float, unit: str) -> str:
    """A measured value for people: four digits and a unit.

    Examples
    --------
    >>> engineering(0.00123456, "A")
    '1.235m A'
    """
    return f"{format_number(value, 4)} {unit}" if abs(value) >= 1e-14 else f"0 {unit}"


def listing(parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """Rows for a table: name, kind, nodes, value, controls, line."""
    return [(part.name, part.kind, " ".join(part.nodes), part.value, " ".join(part.follows), str(part.line or "")) for part in parts]
