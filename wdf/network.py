"""A circuit as ports on a graph: one edge for each port, relations between the ports of ideal parts, and groups that must stay together.

Every element becomes one or more edges. A one-port (R, C, L, source) is one edge. A multiport (controlled source, op-amp,
transformer, coupled coils, nonlinear law) is several edges that obey the port condition, and a *group*: its edges must end
up in one adaptor. Merging the components between them does what the replacement graphs of Fränken et al. do, and gives the finest tree.

Currents run through an edge from ``plus`` to ``minus``.

References
----------
Fränken, Ochs, Ochs: Generation of wave digital structures for networks containing multiport elements, IEEE Trans. CAS-I 52(3), 2005.
Werner, Smith, Abel: Wave digital filter adaptors for arbitrary topologies and multiport linear elements, DAFx-15, 2015.
Werner, Nangia, Smith, Abel: Resolving wave digital filters with multiple/multiport nonlinearities, DAFx-15, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

import numpy as np

from circuits.circuit import GROUND, Circuit, Element
from circuits.devices.law import Placed
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, CurrentControlledCurrent,
                               CurrentControlledVoltage, CurrentSource, IdealTransformer, Inductor, Nullor, Resistor,
                               VoltageControlledCurrent, VoltageControlledVoltage, VoltageSource)
from circuits.errors import CircuitError
from circuits.expressions import Current, Expression, Time, Voltage, leaves
from circuits.waveforms import Waveform

REACTIVE = ("capacitor", "inductor")
LEAVES = ("resistor", *REACTIVE)
TIME = "time"  # name of the source that holds the seconds


@dataclass(frozen=True, slots=True)
class Edge:
    """One port.

    Parameters
    ----------
    name, plus, minus : str
    role : {"resistor", "capacitor", "inductor", "voltage", "current", "branch", "open"}
        "voltage" and "current" are independent sources, "branch" has a current that a relation determines, "open" carries none.
    value : float
        Ohms, farads or henries of a leaf.
    """

    name: str
    plus: str
    minus: str
    role: str
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Relation:
    """sum(factor * v_edge) + sum(factor * i_edge) = sum(factor * input) for one branch of an ideal part."""

    voltages: tuple[tuple[str, float], ...] = ()
    currents: tuple[tuple[str, float], ...] = ()
    inputs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """What an independent source gives: constant volts or amperes, plus the audio, or a waveform instead."""

    name: str
    kind: str  # "constant", "audio", "waveform" or "time"
    constant: float = 0.0
    waveform: Waveform | None = None


@dataclass(frozen=True, slots=True)
class Sensed:
    """A quantity that controls a law: the voltage of an edge, or the current through one, or a source's value, with a factor."""

    edge: str
    factor: float = 1.0
    quantity: str = "voltage"  # "voltage", "current" or "source"


@dataclass(frozen=True, slots=True)
class Use:
    """One law at work.

    Parameters
    ----------
    name : str
        Element that it belongs to.
    law : Placed or Expression
        A device law, or the expression of a behavioural source.
    inputs : tuple of (int, float)
        Index into ``Network.sensed`` and sign.
    outputs : tuple of (str, float, bool)
        Edge, sign, and whether the output is a charge.
    """

    name: str
    law: Placed | Expression
    inputs: tuple[tuple[int, float], ...]
    outputs: tuple[tuple[str, float, bool], ...]


@dataclass(frozen=True, slots=True)
class Network:
    """Ports, relations, groups and laws of a circuit at one position of its controls; see the module's header.

    ``coils`` maps each set of coupled inductors (by edge) to its inductance matrix, henries.
    """

    edges: Mapping[str, Edge]
    relations: tuple[Relation, ...]
    groups: tuple[tuple[str, ...], ...]
    coils: tuple[tuple[tuple[str, ...], np.ndarray], ...]
    sources: Mapping[str, Source]
    sensed: tuple[Sensed, ...]
    uses: tuple[Use, ...]
    outputs: tuple[tuple[str, str], ...]
    places: Mapping[str, object] = field(default_factory=dict)

    @property
    def nonlinear(self) -> frozenset[str]:
        """Edges that belong to a law, as input or output."""
        edges = {edge for use in self.uses for edge, _, _ in use.outputs}
        edges |= {self.sensed[k].edge for use in self.uses for k, _ in use.inputs if self.sensed[k].quantity != "source"}
        return frozenset(edges)

    def coil_group(self, edge: str) -> tuple[tuple[str, ...], np.ndarray] | None:
        """The coupled inductors to which an edge belongs."""
        return next(((names, matrix) for names, matrix in self.coils if edge in names), None)


def network(circuit: Circuit, elements: list[Element], laws: list[Placed]) -> Network:
    """Lay a bound circuit out as ports.

    Parameters
    ----------
    circuit : Circuit
        For its input, outputs and names; every value a number.
    elements : list of Element
        Its elements with devices replaced by their inner parts.
    laws : list of Placed
        The laws of its devices.

    Returns
    -------
    Network

    Raises
    ------
    CircuitError
        For an element whose current can't be sensed, or a node that does not exist.
    """
    return _Builder(circuit, elements, laws).network()


class _Builder:
    def __init__(self, circuit: Circuit, elements: list[Element], laws: list[Placed]):
        self.circuit = circuit
        self.elements = {element.name: element for element in elements}
        self.laws = laws
        self.edges: dict[str, Edge] = {}
        self.relations: list[Relation] = []
        self.groups: list[tuple[str, ...]] = []
        self.coils: list[tuple[tuple[str, ...], np.ndarray]] = []
        self.sources: dict[str, Source] = {}
        self.sensed: dict[Sensed, int] = {}
        self.uses: list[Use] = []
        self.pairs: dict[frozenset, str] = {}

    def refuse(self, element: Element, what: str, mend: str = "") -> CircuitError:
        return CircuitError(f"{element.name}: {what}", mend=mend, place=element.place, element=element.name)

    def edge(self, name: str, nodes, role: str, value: float = 0.0) -> str:
        """Add a port; one between a node and itself has no voltage and is left out."""
        if nodes[0] != nodes[1]:
            self.edges[name] = Edge(name, nodes[0], nodes[1], role, float(value))
        return name

    def terms(self, *pairs: tuple[str, float]) -> tuple[tuple[str, float], ...]:
        return tuple((name, float(factor)) for name, factor in pairs if name in self.edges and factor != 0.0)

    def relate(self, voltages=(), currents=(), inputs=()) -> None:
        self.relations.append(Relation(self.terms(*voltages), self.terms(*currents), tuple(inputs)))

    def group(self, *names: str) -> None:
        present = tuple(dict.fromkeys(name for name in names if name in self.edges))
        if len(present) > 1:
            self.groups.append(present)

    def network(self) -> Network:
        for element in self.elements.values():
            if isinstance(element, (Resistor, Capacitor, Inductor)):
                self.one_port(element)
            elif isinstance(element, (VoltageSource, CurrentSource)):
                self.source(element)
            elif isinstance(element, BehaviouralVoltage):
                self.edge(element.name, element.nodes, "branch")
        for element in self.elements.values():
            if isinstance(element, (VoltageControlledVoltage, VoltageControlledCurrent, Nullor, IdealTransformer)):
                self.two_port(element)
            elif isinstance(element, (CurrentControlledVoltage, CurrentControlledCurrent)):
                self.current_controlled(element)
        self.couplings()
        for law in self.laws:
            self.place_law(law)
        for element in self.elements.values():
            if isinstance(element, (BehaviouralCurrent, BehaviouralVoltage)):
                self.behavioural(element)
        driven: dict[str, list[tuple[str, float]]] = {}
        column = 0
        for use in self.uses:
            for edge, sign, _ in use.outputs:
                driven.setdefault(edge, []).append((f"y:{column}", sign))
                column += 1
        for edge, inputs in driven.items():
            if edge in self.edges:
                behavioural = isinstance(self.elements.get(edge), BehaviouralVoltage)
                own = ((edge, 1.0),)
                self.relate(own if behavioural else (), () if behavioural else own, inputs)
        outputs = []
        for output in self.circuit.outputs:
            plus, _, minus = output.partition(",")
            outputs.append((plus, minus or GROUND))
        places = {name: element.place for name, element in self.elements.items()}
        return Network(self.edges, tuple(self.relations), tuple(self.groups), tuple(self.coils), self.sources,
                       tuple(self.sensed), tuple(self.uses), tuple(outputs), places)

    def one_port(self, element) -> None:
        if isinstance(element, Resistor):
            if element.value != 0.0 and not abs(element.value) > 1e-15:
                raise self.refuse(element, f"a resistance of {element.value:g} ohm", "Give a resistance that is not zero, or exactly 0 for a short.")
            self.edge(element.name, element.nodes, "resistor", element.value)
        elif isinstance(element, Inductor):
            self.edge(element.name, element.nodes, "inductor", element.value)
        else:
            role = "capacitor" if element.value != 0.0 else "open"
            self.edge(element.name, element.nodes, role, element.value)

    def source(self, element) -> None:
        kind = "audio" if element.name == self.circuit.input else "waveform" if element.waveform is not None else "constant"
        self.sources[element.name] = Source(element.name, kind, float(element.dc), element.waveform if kind == "waveform" else None)
        if isinstance(element, VoltageSource):
            self.edge(element.name, element.nodes, "voltage")
            self.relate(voltages=[(element.name, 1.0)], inputs=[(f"s:{element.name}", 1.0)])
        else:
            self.edge(element.name, element.nodes, "current")
            if element.name in self.edges:
                self.relate(currents=[(element.name, 1.0)], inputs=[(f"s:{element.name}", 1.0)])

    def two_port(self, element) -> None:
        if isinstance(element, IdealTransformer):
            one, two = f"{element.name}~1", f"{element.name}~2"
            self.edge(one, element.nodes[:2], "branch")
            self.edge(two, element.nodes[2:], "branch")
            self.relate(voltages=[(one, 1.0), (two, -element.ratio)])
            self.relate(currents=[(two, 1.0), (one, element.ratio)])
            self.group(one, two)
            return
        out, control = element.name, f"{element.name}~control"
        if isinstance(element, Nullor):
            self.edge(out, element.nodes[2:], "branch")
            self.edge(control, element.nodes[:2], "open")
            self.relate(voltages=[(control, 1.0)])
        else:
            self.edge(out, element.nodes[:2], "branch")
            self.edge(control, element.nodes[2:], "open")
            if isinstance(element, VoltageControlledVoltage):
                self.relate(voltages=[(out, 1.0), (control, -element.gain)])
            elif out in self.edges:
                self.relate(voltages=[(control, -element.gain)], currents=[(out, 1.0)])
        self.group(out, control)

    def current_controlled(self, element) -> None:
        sensor = self.elements.get(element.sensor)
        if not isinstance(sensor, (VoltageSource, Inductor, BehaviouralVoltage, VoltageControlledVoltage)):
            raise self.refuse(element, f"{element.sensor} has no current that can be sensed", "Name a voltage source or an inductor.")
        self.edge(element.name, element.nodes, "branch")
        if isinstance(element, CurrentControlledVoltage):
            self.relate(voltages=[(element.name, 1.0)], currents=[(element.sensor, -element.gain)])
        elif element.name in self.edges:
            self.relate(currents=[(element.name, 1.0), (element.sensor, -element.gain)])
        self.group(element.name, element.sensor)

    def couplings(self) -> None:
        parts: list[tuple[list[str], dict]] = []
        for element in self.elements.values():
            if not isinstance(element, Coupling):
                continue
            joined, mutual = list(element.inductors), {}
            for name in element.inductors:
                if not isinstance(self.elements.get(name), Inductor):
                    raise self.refuse(element, f"there is no inductor {name!r}")
            for i, one in enumerate(element.inductors):
                for other in element.inductors[i + 1:]:
                    mutual[frozenset((one, other))] = float(element.coefficient)
            for part in [part for part in parts if set(part[0]) & set(joined)]:
                parts.remove(part)
                joined = list(dict.fromkeys(part[0] + joined))
                mutual = {**part[1], **mutual}
            parts.append((joined, mutual))
        for names, mutual in parts:
            names = [name for name in names if name in self.edges]
            L = np.diag([self.edges[name].value for name in names])
            for i, one in enumerate(names):
                for j, other in enumerate(names):
                    if i != j:
                        L[i, j] = mutual.get(frozenset((one, other)), 0.0) * np.sqrt(L[i, i] * L[j, j])
            self.coils.append((tuple(names), L))
            self.group(*names)

    # --- laws -------------------------------------------------------------------------------------------------------
    def pair(self, plus: str, minus: str, role: str) -> tuple[str, float]:
        """The port of the laws between two nodes, and its sign; made if there is none."""
        key = frozenset((plus, minus))
        if key not in self.pairs:
            name = f"{plus}-{minus}"
            while name in self.edges or name in self.elements:
                name += "'"
            self.pairs[key] = self.edge(name, (plus, minus), role)
        name = self.pairs[key]
        edge = self.edges[name]
        if role == "branch" and edge.role == "open":
            self.edges[name] = Edge(name, edge.plus, edge.minus, "branch")
        return name, 1.0 if edge.plus == plus else -1.0

    def sense(self, sensed: Sensed) -> int:
        return self.sensed.setdefault(sensed, len(self.sensed))

    def place_law(self, law: Placed) -> None:
        outputs = []
        for pairs, charge in ((law.currents, False), (law.charges, True)):
            for plus, minus in pairs:
                outputs.append((*self.pair(plus, minus, "branch"), charge) if plus != minus else ("", 1.0, charge))
        inputs = [self.voltage(plus, minus) for plus, minus in law.inputs]
        self.use(law.name, law, inputs, outputs)

    def voltage(self, plus: str, minus: str) -> tuple[int, float]:
        if plus == minus:
            return self.sense(Sensed("", 0.0, "source")), 1.0
        name, sign = self.pair(plus, minus, "open")
        return self.sense(Sensed(name)), sign

    def use(self, name: str, law, inputs, outputs) -> None:
        senses = tuple(self.sensed)
        self.uses.append(Use(name, law, tuple(inputs), tuple(outputs)))
        self.group(*(senses[k].edge for k, _ in inputs if senses[k].quantity != "source"), *(edge for edge, _, _ in outputs))

    def behavioural(self, element) -> None:
        inputs = []
        known = {node for edge in self.edges.values() for node in (edge.plus, edge.minus)} | {GROUND}
        for leaf in leaves(element.expression):
            if isinstance(leaf, Voltage):
                for node in (leaf.plus, leaf.minus):
                    if node not in known:
                        raise self.refuse(element, f"V({node}) names a node that does not exist")
                inputs.append(self.voltage(leaf.plus, leaf.minus))
            elif isinstance(leaf, Time):
                self.sources[TIME] = Source(TIME, "time")
                inputs.append((self.sense(Sensed(TIME, 1.0, "source")), 1.0))
            else:
                inputs.append((self.current(element, leaf), 1.0))
        if isinstance(element, BehaviouralVoltage):
            output = (element.name, 1.0, False)
        else:
            output = (*self.pair(*element.nodes, "branch"), False) if element.nodes[0] != element.nodes[1] else ("", 1.0, False)
        self.use(element.name, element.expression, inputs, [output])

    def current(self, element, leaf: Current) -> int:
        sensor = self.elements.get(leaf.element)
        if isinstance(sensor, Resistor) and sensor.value != 0.0:
            return self.sense(Sensed(leaf.element, 1.0 / sensor.value))
        if isinstance(sensor, (VoltageSource, Inductor, Resistor, BehaviouralVoltage, VoltageControlledVoltage, CurrentControlledVoltage)):
            return self.sense(Sensed(leaf.element, 1.0, "current"))
        raise self.refuse(element, f"I({leaf.element}) can't be sensed", "Name a voltage source, an inductor or a resistor.")
