"""The Wave Digital Filter tree of a circuit: derived, frozen, and re-adapted along one path when a control turns.

A tree is derived in four steps: the circuit becomes ports on a graph (`wdf.network`); the graph falls into series, parallel and
rigid parts (`wdf.spqr`, `wdf.structure`); each part becomes an adaptor, leaves first (`wdf.adaptors`); a part that can't be adapted (the
resistance towards the root would be zero, infinite or negative) is joined with the one above it.

References
----------
Werner 2016, chapter 5; Karjalainen, Pakarinen: Wave digital simulation of a vacuum-tube amplifier, ICASSP 2006.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Mapping

import networkx as nx
import numpy as np

from circuits.circuit import EXPRESSION_TYPES, Card, Circuit, Element
from circuits.devices import families
from circuits.elements import Capacitor, Device, Inductor, Resistor
from circuits.errors import CircuitError, RateError, TopologyError
from circuits.expressions import Value, evaluate, names
from circuits.reduce import reduce
from circuits.waveforms import Waveform
from wdf.adaptors import Adaptor, Ports, adapt, pair_voltage
from wdf.diodes import stacked
from wdf.network import Network, network
from wdf.structure import Forest, Structure

RULES = ("trapezoidal", "backward-euler")


@dataclass(frozen=True, slots=True)
class Tree:
    """A circuit as a forest of adaptors at one sample rate and one position of its controls.

    Parameters
    ----------
    network : Network
    structure : Structure
    sample_rate : float
        Hz.
    rule : {"trapezoidal", "backward-euler"}
    root : str
        The port that was asked to be at the root; empty if the choice was free.
    adaptors : tuple of Adaptor
        Every child before its parent.
    resistances : mapping
        Port resistance of every leaf and virtual edge, ohms.
    coils : mapping
        Edge to (edges, port resistance matrix) for coupled inductors.
    fresh : tuple of str
        Names of the adaptors that were computed for this tree; the others were taken over from the tree before.
    """

    network: Network
    structure: Structure
    sample_rate: float
    rule: str
    root: str
    adaptors: tuple[Adaptor, ...]
    resistances: Mapping[str, float]
    coils: Mapping[str, tuple[tuple[str, ...], np.ndarray]]
    fresh: tuple[str, ...]

    @property
    def ports(self) -> Ports:
        """Surroundings of the adaptors."""
        return Ports(self.network, self.structure.ends, self.resistances, self.coils)

    @property
    def roots(self) -> tuple[Adaptor, ...]:
        """The adaptors that have nothing above them."""
        return tuple(adaptor for adaptor in self.adaptors if not adaptor.part.up)

    @property
    def root_moved(self) -> bool:
        """True if an adaptor with laws was computed for this tree."""
        return any(not adaptor.part.up and adaptor.part.name in self.fresh for adaptor in self.adaptors if adaptor.solved)

    def voltage(self, plus: str, minus: str) -> dict[str, float]:
        """Voltage between two nodes of the circuit as a sum of waves.

        Raises
        ------
        TopologyError
            If no chain of parts joins the two nodes.
        """
        if plus == minus:
            return {}
        graph = nx.Graph()
        ports = self.ports
        for k, adaptor in enumerate(self.adaptors):
            skeleton = nx.Graph(ports.ends[edge] for edge in adaptor.part.edges)
            for j, nodes in enumerate(nx.connected_components(skeleton)):
                graph.add_edges_from(((k, j), node) for node in nodes)
        if plus not in graph or minus not in graph or not nx.has_path(graph, plus, minus):
            raise TopologyError(f"no part joins the nodes {plus} and {minus}", mend="Name an output node that exists and reaches ground.")
        path = nx.shortest_path(graph, plus, minus)
        form: dict[str, float] = {}
        for k in range(0, len(path) - 1, 2):
            adaptor = self.adaptors[path[k + 1][0]]
            for name, value in pair_voltage(adaptor, ports, path[k], path[k + 2]).items():
                form[name] = form.get(name, 0.0) + value
        return form


def placed(circuit: Circuit) -> tuple[list[Element], list]:
    """Elements with devices replaced by their inner parts, and the laws of the devices, stacks of diodes joined; the circuit must be bound."""
    plain: list[Element] = []
    laws = []
    waiting = list(reversed(circuit.elements))
    while waiting:
        element = waiting.pop()
        if isinstance(element, Device):
            placement = families.place(element, circuit.temperature)
            laws.extend(placement.laws)
            waiting.extend(reversed(placement.elements))
        else:
            plain.append(element)
    return plain, stacked(plain, laws, circuit.outputs)


def derive(circuit: Circuit, sample_rate: float, *, rule: str = "trapezoidal", root: str = "") -> Tree:
    """Derive the tree of a circuit.

    Parameters
    ----------
    circuit : Circuit
        At its present control positions.
    sample_rate : float
        Hz.
    rule : {"trapezoidal", "backward-euler"}
        Integration rule of capacitors and inductors.
    root : str
        An element whose adaptor shall be the root of its tree; all nonlinear parts of that tree join it there.

    Returns
    -------
    Tree

    Raises
    ------
    RateError
        If the sample rate is not a positive number.
    TopologyError
        If a part has no unique solution; the message names its elements.
    CircuitError
        For values that make no sense.

    Examples
    --------
    >>> from circuits.elements import Capacitor, Resistor, VoltageSource
    >>> rc = Circuit((VoltageSource("v", ("in", "0")), Resistor("r", ("in", "out"), 1e3), Capacitor("c", ("out", "0"), 1e-7)))
    >>> [(a.part.name, a.part.leaves) for a in derive(rc, 48000.0).adaptors]
    [('S1', ('c', 'r', 'v'))]
    """
    if not (np.isfinite(sample_rate) and sample_rate > 0.0):
        raise RateError(f"a sample rate of {sample_rate} Hz", mend="Give a positive rate, for instance 48000.")
    if rule not in RULES:
        raise CircuitError(f"there is no integration rule {rule!r}", mend=f"Use {' or '.join(RULES)}.")
    bound = reduce(circuit).bound()
    return _derive(network(bound, *placed(bound)), float(sample_rate), rule, root)


def turned(tree: Tree, circuit: Circuit, moved: Mapping[str, Value] | None = None) -> Tree:
    """The tree of the same circuit at other control positions: only adaptors between what changed and the root are made anew.

    If a position changes the structure (a part can't be adapted any more), the whole tree is derived again.

    Parameters
    ----------
    tree : Tree
    circuit : Circuit
        At the new positions.
    moved : mapping, optional
        From `moved_leaves`: if the controls change nothing but these, nothing else is looked at.
    """
    old = tree.network
    if moved is not None:
        values = circuit.values()
        edges = {name: replace(old.edges[name], value=evaluate(value, values)) for name, value in moved.items()}
        if all(edge.value != 0.0 and old.edges[name].value != 0.0 for name, edge in edges.items()):
            return _readapted(tree, replace(old, edges={**old.edges, **edges}), {n for n, edge in edges.items() if edge.value != old.edges[n].value})
    bound = reduce(circuit).bound()
    new = network(bound, *placed(bound))
    same = (new.edges.keys() == old.edges.keys() and new.groups == old.groups and new.sensed == old.sensed
            and all(new.edges[e].role == old.edges[e].role for e in new.edges) and len(new.relations) == len(old.relations)
            and [use.outputs for use in new.uses] == [use.outputs for use in old.uses])
    if not same:
        return _derive(new, tree.sample_rate, tree.rule, tree.root)
    changed = {name for name, edge in new.edges.items() if edge.value != old.edges[name].value}
    for one, other in zip(new.relations, old.relations):
        if one != other:
            changed.update(edge for edge, _ in (*one.voltages, *one.currents, *other.voltages, *other.currents))
    for (names_, one), (_, other) in zip(new.coils, old.coils):
        if not np.array_equal(one, other):
            changed.update(names_)
    return _readapted(tree, new, changed)


def _readapted(tree: Tree, new: Network, changed: set[str]) -> Tree:
    found = _adapt_all(new, tree.structure, tree.sample_rate, tree.rule, {a.part.name: a for a in tree.adaptors}, changed)
    if isinstance(found, str):
        return _derive(new, tree.sample_rate, tree.rule, tree.root)
    return Tree(new, tree.structure, tree.sample_rate, tree.rule, tree.root, *found)


def moved_leaves(tree: Tree, circuit: Circuit) -> dict[str, Value] | None:
    """Resistors, capacitors and coils whose values follow controls, with their expressions; None if controls change anything else too."""
    following = {control.name for control in circuit.controls}
    count = -1
    while count != len(following):
        count = len(following)
        following |= {name for name, value in circuit.parameters.items() if _names(value) & following}
    net, moved = tree.network, {}
    for element in reduce(circuit).elements:
        read = {item.name: _names(getattr(element, item.name)) & following for item in fields(element)}
        if not any(read.values()):
            continue
        sensed = any(s.edge == element.name for s in net.sensed)
        if not isinstance(element, (Resistor, Capacitor, Inductor)) or any(read[name] for name in read if name != "value"):
            return None
        if sensed or net.coil_group(element.name) or element.name not in net.edges or net.edges[element.name].role == "open":
            return None
        moved[element.name] = element.value
    return moved


def _names(value) -> frozenset[str]:
    """Parameters that a field of an element reads."""
    if isinstance(value, Card):
        return _names(value.values)
    if isinstance(value, Waveform):
        return _names(value.values)
    if isinstance(value, Mapping):
        return frozenset().union(*(_names(item) for item in value.values()))
    if isinstance(value, tuple):
        return frozenset().union(*(_names(item) for item in value))
    return names(value) if isinstance(value, EXPRESSION_TYPES) else frozenset()


def _derive(net: Network, sample_rate: float, rule: str, root: str) -> Tree:
    forest = Forest(net)
    while True:
        structure = forest.oriented(forest.roots(root))
        found = _adapt_all(net, structure, sample_rate, rule, {}, set())
        if not isinstance(found, str):
            return Tree(net, structure, sample_rate, rule, root, *found)
        part = next(part for part in structure.parts if part.name == found)
        above = structure.above(part)
        if above is None:
            raise _refused(net, part)
        forest.join([forest.key(above), forest.key(part)])


def _refused(net: Network, part) -> TopologyError:
    shown = [edge for edge in part.leaves if edge in net.places][:6]
    place = next((net.places[edge] for edge in shown if net.places[edge] is not None), None)
    return TopologyError(f"the adaptor that holds {', '.join(shown)} has no unique solution", place=place,
                         mend="Look for nodes that float, ideal op-amps without feedback, or sources in a loop.",
                         findings=(f"{part.name}: {', '.join(part.leaves)}",))


def _leaf_resistances(net: Network, sample_rate: float, rule: str):
    a = (2.0 if rule == "trapezoidal" else 1.0) * sample_rate
    resistances, coils = {}, {}
    for name, edge in net.edges.items():
        if edge.role == "resistor":
            resistances[name] = edge.value
        elif edge.role == "capacitor":
            resistances[name] = 1.0 / (a * edge.value)
        elif edge.role == "inductor":
            resistances[name] = a * edge.value
    for names, inductances in net.coils:
        for name in names:
            coils[name] = (names, a * inductances)
    return resistances, coils


def _adapt_all(net: Network, structure: Structure, sample_rate: float, rule: str, before: Mapping[str, Adaptor], changed: set[str]):
    """(adaptors, resistances, coils, fresh), or the name of the part that can't be adapted."""
    resistances, coils = _leaf_resistances(net, sample_rate, rule)
    ports = Ports(net, structure.ends, resistances, coils)
    changed = set(changed)
    adaptors, fresh = [], []
    for part in structure.parts:
        old = before.get(part.name)
        if old is not None and not changed & set(part.edges):
            adaptor = old
        else:
            adaptor = adapt(part, ports)
            if adaptor is None:
                return part.name
            fresh.append(part.name)
        adaptors.append(adaptor)
        if part.up:
            resistances[part.up] = adaptor.resistance
            if old is None or old.resistance != adaptor.resistance:
                changed.add(part.up)
    return tuple(adaptors), resistances, coils, tuple(fresh)
