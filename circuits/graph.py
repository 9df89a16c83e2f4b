"""Checks of a circuit's connections before any number is computed; every finding in one error.

Ground must exist, nodes must hang together, ideal voltage sources must not form loops, and current sources must not be
alone on a node. What a capacitor or a nonlinear part makes solvable is left to the solver.
"""

from __future__ import annotations

import networkx as nx

from circuits.circuit import GROUND, Circuit
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, CurrentControlledCurrent, CurrentControlledVoltage,
                               CurrentSource, Device, IdealTransformer, Nullor, VoltageControlledCurrent,
                               VoltageControlledVoltage, VoltageSource)
from circuits.errors import CircuitError, TopologyError

_VOLTAGES = (VoltageSource, VoltageControlledVoltage, CurrentControlledVoltage, BehaviouralVoltage)
_CURRENTS = (CurrentSource, VoltageControlledCurrent, CurrentControlledCurrent)


def connections(circuit: Circuit) -> nx.MultiGraph:
    """Nodes joined by every element through which current can pass; a device joins all its pins.

    Edges carry the element's name as ``name`` and whether it fixes a voltage or a current as ``role``.
    """
    graph = nx.MultiGraph()
    graph.add_nodes_from(circuit.nodes)
    for element in circuit.elements:
        if isinstance(element, (Device, Nullor)):
            first = element.nodes[0]
            for node in element.nodes[1:]:
                graph.add_edge(first, node, name=element.name, role="device")
        elif isinstance(element, IdealTransformer):
            graph.add_edge(*element.nodes[:2], name=element.name, role="device")
            graph.add_edge(*element.nodes[2:], name=element.name, role="device")
        elif len(element.nodes) >= 2:
            role = "voltage" if isinstance(element, _VOLTAGES) else "current" if isinstance(element, _CURRENTS) else "passive"
            graph.add_edge(element.nodes[0], element.nodes[1], name=element.name, role=role)
    return graph


def check(circuit: Circuit) -> None:
    """Raise TopologyError with all findings if the circuit's connections make no sense.

    Parameters
    ----------
    circuit : Circuit
        Bound or not: only connections are looked at.

    Raises
    ------
    TopologyError
        With one sentence for each finding in ``findings``.
    """
    findings = []
    graph = connections(circuit)
    if GROUND not in graph:
        findings.append("no element is connected to ground (node 0)")
    else:
        for part in nx.connected_components(graph):
            if GROUND not in part:
                shown = ", ".join(sorted(part)[:5])
                findings.append(f"the nodes {shown} have no connection to ground")
    findings += _voltage_loops(circuit)
    findings += _current_cuts(circuit, graph)
    for output in circuit.outputs:
        for node in output.split(","):
            if node != GROUND and node not in graph:
                findings.append(f"the output node {node} does not exist")
    if findings:
        place = next((element.place for element in circuit.elements if element.place is not None), None)
        where = None if place is None else type(place)(place.path)
        raise TopologyError("; ".join(findings), findings=tuple(findings), place=where,
                            mend="Connect or remove what is named; use node 0 for ground.")


def check_ends(circuit: Circuit) -> None:
    """Raise CircuitError, which lists the candidates, if a circuit has no input or no output."""
    if not circuit.input:
        sources = [element.name for element in circuit.elements if isinstance(element, (VoltageSource, CurrentSource)) and "." not in element.name]
        raise CircuitError("the circuit has no input", mend=f"Name a source or a node with *@ input or --input, or none to let its own sources play; "
                                                                 f"sources: {', '.join(sources[:8]) or 'none'}; nodes: {_listed(circuit)}.")
    if not circuit.outputs:
        raise CircuitError("the circuit has no output", mend=f"Name a node with *@ output or --output; nodes: {_listed(circuit)}.")


def _listed(circuit: Circuit) -> str:
    return ", ".join([node for node in circuit.nodes if node != GROUND and "." not in node and "#" not in node][:12])


def _voltage_loops(circuit: Circuit) -> list[str]:
    joined = nx.utils.UnionFind([GROUND, *circuit.nodes])
    findings = []
    for element in circuit.elements:
        if isinstance(element, _VOLTAGES):
            plus, minus = element.nodes[:2]
            if joined[plus] == joined[minus]:
                line = f" (line {element.place.line})" if element.place is not None and element.place.line else ""
                findings.append(f"{element.name}{line} closes a loop of voltage sources")
            joined.union(plus, minus)
    return findings


def _current_cuts(circuit: Circuit, graph: nx.MultiGraph) -> list[str]:
    # without the current sources, every piece must still reach ground through something that can carry a free current
    free = nx.Graph()
    free.add_nodes_from([GROUND, *circuit.nodes])
    free.add_edges_from((a, b) for a, b, role in graph.edges(data="role") if role != "current")
    for element in circuit.elements:
        if isinstance(element, BehaviouralCurrent):  # a law may depend on its own voltage: leave it to the solver
            free.add_edge(*element.nodes)
    whole = {node: k for k, part in enumerate(nx.connected_components(graph)) for node in part}
    findings = []
    for part in nx.connected_components(free):
        grounded = GROUND in part or whole.get(next(iter(part))) != whole.get(GROUND)
        if not grounded:
            findings.append(f"only current sources feed the nodes {', '.join(sorted(part)[:5])}")
    return findings
