"""Series, parallel and nodal adaptors: port resistance towards the root, and the sums that carry waves up and down.

An adaptor's work is a list of rows, each one wave as a sum of factors times other waves; rows run upwards (incident waves of the
leaves to the wave towards the root) and downwards (to the waves that leaves and children receive).
Resistors reflect nothing, so neither their incident nor their reflected wave is ever computed.

References
----------
Fettweis: Wave digital filters: theory and practice, Proc. IEEE 74(2), 1986, sections IV and V (series and parallel adaptors).
Werner 2016, chapters 3 and 4 (nodal adaptors).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np

from wdf.network import LEAVES, REACTIVE, Network
from wdf.scattering import Solved, incident, reflected, solve_node
from wdf.spqr import VIRTUAL
from wdf.structure import Part

Row = tuple[str, dict[str, float]]
OUTPUTS = ("y:", "g:")  # names of what laws put out: their currents, and lent conductances given back
LENT = 1e-6  # siemens, midway between a junction that blocks (1e-12) and one that conducts (1): rounding is least there
AMPLIFIED = 1e4  # largest gain from the difference of the waves at the port to an inner voltage; beyond it rounding would show


@dataclass(frozen=True, slots=True)
class Adaptor:
    """One node of the tree at work.

    Parameters
    ----------
    part : Part
    form : {"series", "parallel", "nodal"}
    resistance : float
        Port resistance towards the root, ohms; NaN at a root.
    up, down : tuple of rows
        A row is (target, {source: factor}).
    solved : Solved or None
        Of a nodal adaptor.
    lent : mapping
        Conductances lent to edges that hang on nonlinear parts only, siemens.
    """

    part: Part
    form: str
    resistance: float
    up: tuple[Row, ...]
    down: tuple[Row, ...]
    solved: Solved | None
    lent: Mapping[str, float]


class Ports:
    """What an adaptor needs to know of its surroundings: roles, port resistances, orientation."""

    def __init__(self, network: Network, ends: Mapping[str, tuple[str, str]], resistances: Mapping[str, float],
                 coils: Mapping[str, tuple[tuple[str, ...], np.ndarray]]):
        self.network, self.ends, self.resistances, self.coils = network, ends, resistances, coils

    def role(self, edge: str) -> str:
        return "virtual" if edge.startswith(VIRTUAL) else self.network.edges[edge].role

    def carries(self, edge: str) -> bool:
        """True if a wave comes in from this edge: everything but resistors and open ports."""
        return self.role(edge) in ("virtual", *REACTIVE)

    def answers(self, edge: str) -> bool:
        """True if somebody waits for the wave that goes out."""
        return self.carries(edge)


def form_of(part: Part, ports: Ports) -> str:
    """Which of the three forms can hold a part."""
    others = [edge for edge in part.edges if edge != part.up]
    if any(edge in ports.network.nonlinear or edge in ports.coils for edge in others):
        return "nodal"
    roles = {edge: ports.role(edge) for edge in others}
    passive = all(ports.resistances[edge] >= 0.0 for edge, role in roles.items() if role in ("virtual", *LEAVES))
    if part.kind == "S" and passive and all(role in ("virtual", "voltage", *LEAVES) for role in roles.values()):
        if any(role != "voltage" and ports.resistances[edge] > 0.0 for edge, role in roles.items()):
            return "series"
    if part.kind == "P" and all(role in ("open", "current") or (role in ("virtual", *LEAVES) and ports.resistances[edge] > 0.0)
                                for edge, role in roles.items()):
        if any(role not in ("open", "current") for role in roles.values()):
            return "parallel"
    return "nodal"


def adapt(part: Part, ports: Ports) -> Adaptor | None:
    """Make the adaptor of a part; None if it can't be adapted towards the root (or has no unique solution)."""
    form = form_of(part, ports)
    if form == "series":
        return _series(part, ports)
    if form == "parallel":
        return _parallel(part, ports)
    return _nodal(part, ports)


def cycle(part: Part, ports: Ports) -> list[tuple[str, str]]:
    """The edges of a series part in the order of a walk around it, each with the node where the walk enters it."""
    star: dict[str, list[str]] = {}
    for edge in part.edges:
        for node in ports.ends[edge]:
            star.setdefault(node, []).append(edge)
    edge = part.edges[0]
    node = ports.ends[edge][0]
    walk = []
    for _ in part.edges:
        walk.append((edge, node))
        node = next(end for end in ports.ends[edge] if end != node)
        edge = next(other for other in star[node] if other != edge)
    return walk


def _incoming(part: Part, ports: Ports) -> list[tuple[str, str, float]]:
    """(edge, wave, resistance) of every edge that brings a wave, ideal sources included as waves behind no resistance."""
    found = []
    for edge in part.edges:
        if edge == part.up:
            continue
        if ports.role(edge) == "voltage":
            found.append((edge, f"s:{edge}", 0.0))
        elif ports.carries(edge):
            found.append((edge, incident(edge), ports.resistances[edge]))
    return found


def _series(part: Part, ports: Ports) -> Adaptor:
    sign = {edge: 1.0 if ports.ends[edge][0] == node else -1.0 for edge, node in cycle(part, ports)}
    others = [edge for edge in part.edges if edge != part.up]
    total = sum(ports.resistances[edge] for edge in others if ports.role(edge) != "voltage")
    incoming = _incoming(part, ports)
    aux = f"x:{part.name}"
    down: list[Row] = []
    if part.up:
        # b_up = -sum a: the port resistance is the sum of the others
        up = [(reflected(part.up, part.up), {wave: -sign[part.up] * sign[edge] for edge, wave, _ in incoming})]
        down.append((aux, {incident(part.up, part.up): 1.0, reflected(part.up, part.up): -1.0}))
        factor = {edge: -sign[edge] * sign[part.up] * ports.resistances.get(edge, 0.0) / total for edge in others}
    else:
        up = []
        down.append((aux, {wave: 2.0 * sign[edge] / total for edge, wave, _ in incoming}))  # twice the current
        factor = {edge: -sign[edge] * ports.resistances.get(edge, 0.0) for edge in others}
    for edge in others:
        if ports.answers(edge):
            down.append((reflected(edge), {incident(edge): 1.0, aux: factor[edge]}))
    return Adaptor(part, "series", total if part.up else float("nan"), tuple(up), tuple(down), None, {})


def _parallel(part: Part, ports: Ports) -> Adaptor:
    plus = ports.ends[part.edges[0]][0]
    sign = {edge: 1.0 if ports.ends[edge][0] == plus else -1.0 for edge in part.edges}
    others = [edge for edge in part.edges if edge != part.up]
    conductance = {edge: 1.0 / ports.resistances[edge] for edge in others if ports.role(edge) not in ("open", "current")}
    total = sum(conductance.values())
    s = sign[part.up] if part.up else 1.0
    scale = 1.0 if part.up else 2.0
    row = {wave: scale * s * sign[edge] * conductance[edge] / total for edge, wave, _ in _incoming(part, ports)}
    for edge in others:
        if ports.role(edge) == "current":
            row[f"s:{edge}"] = -scale * s * sign[edge] / total
    aux = f"x:{part.name}"  # twice the voltage, in the direction of the port towards the root
    if part.up:
        up = [(reflected(part.up, part.up), row)]
        down: list[Row] = [(aux, {incident(part.up, part.up): 1.0, reflected(part.up, part.up): 1.0})]
    else:
        up, down = [], [(aux, row)]
    for edge in others:
        if ports.answers(edge):
            down.append((reflected(edge), {aux: s * sign[edge], incident(edge): -1.0}))
    return Adaptor(part, "parallel", 1.0 / total if part.up else float("nan"), tuple(up), tuple(down), None, {})


def _form(solved: Solved, row: np.ndarray, factor: float = 1.0) -> dict[str, float]:
    return {name: float(factor * value) for name, value in zip(solved.inputs, row) if value != 0.0}


def _nodal(part: Part, ports: Ports) -> Adaptor | None:
    network, up = ports.network, part.up
    lent: dict[str, float] = {}
    solved = solve_node(network, part.edges, ports.ends, ports.resistances, ports.coils, up)
    if solved is None and not up:
        # nodes between nonlinear parts: lend them a conductance; the laws give it back, so that nothing changes
        lent = {s.edge: LENT for s in network.sensed if s.quantity == "voltage" and s.edge in part.edges}
        solved = solve_node(network, part.edges, ports.ends, ports.resistances, ports.coils, up, lent)
    if solved is None:
        return None
    inputs = solved.inputs
    down: list[Row] = []
    ups: list[Row] = []
    aux = f"x:{part.name}"
    resistance = float("nan")
    answering = [edge for edge in part.edges if edge != up and ports.answers(edge)]
    gains = {}
    if up:
        row, resistance = solved.edge_voltage(up)
        ohms = {edge: solved.edge_voltage(edge)[1] for edge in answering}
        if resistance == 0.0 and not any(ohms.values()):
            gains = {}
        elif not resistance > 0.0 or any(abs(value) > AMPLIFIED * resistance for value in ohms.values()):
            return None
        else:
            gains = {edge: value / resistance for edge, value in ohms.items()}
        ups.append((reflected(up, up), _form(solved, row)))
        down.append((aux, {incident(up, up): 1.0, reflected(up, up): -1.0}))
    for k, sensed in enumerate(network.sensed):
        if sensed.quantity != "source" and sensed.edge in part.edges:
            row, _ = solved.edge_voltage(sensed.edge) if sensed.quantity == "voltage" else solved.edge_current(sensed.edge)
            form = _form(solved, row, sensed.factor)
            ups.append((f"p:{k}", {name: value for name, value in form.items() if not name.startswith(OUTPUTS)}))
    for edge in answering:
        # b = 2 v - a, as the change from a (or from -a) that it is: a capacitor at rest then stays where it is to the last bit
        row, own = 2.0 * solved.edge_voltage(edge)[0], inputs.index(incident(edge))
        near = 1.0 if row[own] > 1.0 else -1.0
        if near > 0.0:
            row[own] -= 2.0
        form = _form(solved, row)
        if gains.get(edge, 0.0) != 0.0:
            form[aux] = float(gains[edge])
        down.append((f"z:{edge}", form))
        down.append((reflected(edge), {incident(edge): near, f"z:{edge}": 1.0}))
    return Adaptor(part, "nodal", float(resistance), tuple(ups), tuple(down), solved, lent)


def feedback(adaptor: Adaptor, network: Network) -> dict[tuple[int, str], float]:
    """K of the laws at a root: (index of the sensed quantity, name of the law's output) to ohms (or a gain)."""
    entries = {}
    solved = adaptor.solved
    if solved is None:
        return entries
    for k, sensed in enumerate(network.sensed):
        if sensed.quantity != "source" and sensed.edge in adaptor.part.edges:
            row, _ = solved.edge_voltage(sensed.edge) if sensed.quantity == "voltage" else solved.edge_current(sensed.edge)
            for name, value in zip(solved.inputs, row):
                if name.startswith(OUTPUTS) and value != 0.0:
                    entries[k, name] = float(sensed.factor * value)
    return entries


def pair_voltage(adaptor: Adaptor, ports: Ports, plus: str, minus: str) -> dict[str, float]:
    """Voltage between two nodes of an adaptor as a sum of its waves."""
    part = adaptor.part
    aux = f"x:{part.name}"
    if adaptor.form == "nodal":
        row, ohms = adaptor.solved.voltage(plus, minus)
        form = _form(adaptor.solved, row)
        if part.up and adaptor.resistance > 0.0 and ohms != 0.0:
            form[aux] = float(0.5 * ohms / adaptor.resistance)
        return form
    if adaptor.form == "parallel":
        reference = ports.ends[part.up or part.edges[0]][0]
        return {aux: 0.5 if plus == reference else -0.5}
    walk = cycle(part, ports)
    start = next(k for k, (_, node) in enumerate(walk) if node == plus)
    walk = walk[start:] + walk[:start]
    stop = next(k for k, (_, node) in enumerate(walk) if node == minus)
    ways = [(walk[:stop], 1.0), (walk[stop:], -1.0)]
    way, direction = min(ways, key=lambda item: (part.up in [edge for edge, _ in item[0]], len(item[0])))
    form: dict[str, float] = {}
    for edge, node in way:
        sign = direction if ports.ends[edge][0] == node else -direction
        if edge == part.up:
            form[incident(edge, edge)] = form.get(incident(edge, edge), 0.0) + 0.5 * sign
            form[reflected(edge, edge)] = form.get(reflected(edge, edge), 0.0) + 0.5 * sign
            continue
        if ports.role(edge) == "voltage":
            form[f"s:{edge}"] = form.get(f"s:{edge}", 0.0) + sign
            continue
        wave = incident(edge)
        if ports.carries(edge):
            form[wave] = form.get(wave, 0.0) + sign
        form[aux] = form.get(aux, 0.0) + 0.5 * sign * _share(adaptor, ports, edge)
    return {name: value for name, value in form.items() if value != 0.0}


def _share(adaptor: Adaptor, ports: Ports, edge: str) -> float:
    """Factor of the auxiliary wave in an edge's reflected wave, in a series adaptor."""
    part = adaptor.part
    sign = {e: 1.0 if ports.ends[e][0] == node else -1.0 for e, node in cycle(part, ports)}
    if part.up:
        return -sign[edge] * sign[part.up] * ports.resistances[edge] / adaptor.resistance
    return -sign[edge] * ports.resistances[edge]
