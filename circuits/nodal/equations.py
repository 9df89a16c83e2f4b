"""A circuit as equations: modified nodal analysis with storage and nonlinear laws kept apart.

    G x + T dz/dt + P w(q) = b + U u(t),     z = M R x,     q = Q x + Qu u(t),     y = L x

x holds node voltages, then branch currents; z charges (of a spanning forest of the capacitors) and fluxes of inductors;
u the sources that move: the audio input first; w the outputs of the nonlinear laws and q what controls them.

What stores charge and flux, and why three capacitors of a triode are two states, is told in `circuits.nodal.storage`.

References
----------
Ho, Ruehli, Brennan: The modified nodal approach to network analysis, IEEE Trans. CAS 22(6), 1975.
Yeh, Abel, Smith: Automated physical modeling of nonlinear audio circuits for real-time audio effects, IEEE TASLP 18(4), 2010.
Holters, Zölzer: A generalized method for the derivation of nonlinear state-space models from circuit schematics, EUSIPCO 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.circuit import GROUND, Circuit, Element
from circuits.devices import families
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, CurrentControlledCurrent,
                               CurrentControlledVoltage, CurrentSource, Device, IdealTransformer, Inductor, Nullor, Resistor,
                               VoltageControlledCurrent, VoltageControlledVoltage, VoltageSource)
from circuits.expressions import Current, Voltage, evaluate, leaves, tape
from circuits.nodal.laws import MAX_INPUTS, Entry
from circuits.nodal.ports import Limits, Ports, Row
from circuits.nodal.storage import refused, storage
from circuits.waveforms import Waveform


@dataclass(frozen=True, slots=True)
class Moving:
    """One entry of u: the audio input, a source's waveform, or time itself (waveform None)."""

    name: str
    kind: str  # "audio", "waveform" or "time"
    waveform: Waveform | None = None


@dataclass(frozen=True, slots=True)
class Equations:
    """The arrays of the module's header; see there. ``unknowns`` names the entries of x, ``ports`` those of q.

    G and M are sums in extended precision: beside the conductance of a short wire or the charge of a large capacitor a small one's own
    digits would be rounded away, which a fuzz makes a visible current.
    """

    unknowns: tuple[str, ...]
    n_nodes: int
    G: np.ndarray
    T: np.ndarray
    M: np.ndarray
    R: np.ndarray
    U: np.ndarray
    b: np.ndarray
    P: np.ndarray
    Q: np.ndarray
    Qu: np.ndarray
    L: np.ndarray
    moving: tuple[Moving, ...]
    entries: tuple[Entry, ...]
    limits: Limits
    ports: tuple[str, ...]
    charge_columns: np.ndarray
    states: tuple[str, ...]
    ac: np.ndarray
    forced: tuple[tuple[int, float], ...]
    hints: tuple[tuple[int, float], ...]

    def node(self, name: str) -> int:
        """Index of a node's voltage in x."""
        return self.unknowns.index(f"v({name})")


def assemble(circuit: Circuit) -> Equations:
    """Write down the equations of a circuit at its present control positions.

    Parameters
    ----------
    circuit : Circuit
        Bound or not.

    Returns
    -------
    Equations

    Raises
    ------
    CircuitError
        For values that make no sense, each with its element and line.
    """
    bound = circuit.bound()
    return _Assembly(bound, *_placed(bound)).equations()


def _placed(circuit: Circuit):
    """Replace devices by their laws and inner elements."""
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
    return plain, laws


class _Assembly:
    """Collects rows and columns as sparse dictionaries while it walks through the elements."""

    def __init__(self, circuit: Circuit, elements: list[Element], laws: list):
        self.circuit = circuit
        self.elements = elements
        self.laws = laws
        nodes = dict.fromkeys(circuit.nodes)
        nodes.update(dict.fromkeys(node for element in elements for node in element.nodes))
        nodes.update(dict.fromkeys(node for law in laws for pair in (*law.inputs, *law.currents, *law.charges) for node in pair))
        nodes.pop(GROUND, None)
        self.index = {node: k for k, node in enumerate(nodes)}
        self.n_nodes = len(nodes)
        self.unknowns = [f"v({node})" for node in nodes]
        self.branches: dict[str, int] = {}
        self.stamps: list[tuple[int, int, float]] = []
        self.constant: list[tuple[int, float]] = []
        self.drives: list[tuple[int, int, float]] = []
        self.moving: list[Moving] = []
        self.ac: list[tuple[int, complex]] = []
        self.ports = Ports()
        self.entries: list[Entry] = []
        if circuit.input:
            self.moving.append(Moving(circuit.input, "audio"))

    # --- rows -------------------------------------------------------------------------------------------------------
    def difference(self, plus: str, minus: str) -> Row:
        """Row of v(plus) - v(minus), or column of a current from plus to minus."""
        row: Row = {}
        for node, sign in ((plus, 1.0), (minus, -1.0)):
            if node != GROUND:
                k = self.index[node]
                row[k] = row.get(k, 0.0) + sign
        return {k: s for k, s in row.items() if s}

    def branch(self, element: Element) -> int:
        """A new unknown: the current of an element, entering its first node."""
        k = len(self.unknowns)
        self.unknowns.append(f"i({element.name})")
        self.branches[element.name] = k
        return k

    def voltage_branch(self, element: Element) -> int:
        """A branch whose row reads v(plus) - v(minus) = ..."""
        k = self.branch(element)
        for node, sign in self.difference(*element.nodes[:2]).items():
            self.stamps += [(node, k, sign), (k, node, sign)]
        return k

    def sensor(self, element: Element, name: str) -> int:
        if name not in self.branches:
            raise refused(element, f"{name} has no current that can be sensed", "Name a voltage source or an inductor.")
        return self.branches[name]

    # --- elements ---------------------------------------------------------------------------------------------------
    def equations(self) -> Equations:
        later = (BehaviouralCurrent, BehaviouralVoltage, CurrentControlledCurrent, CurrentControlledVoltage, Coupling)
        for element in self.elements:
            if isinstance(element, BehaviouralVoltage):
                self.voltage_branch(element)
            elif not isinstance(element, later):
                self.linear(element)
        for element in self.elements:
            if isinstance(element, later) and not isinstance(element, Coupling):
                self.controlled(element)
        for law in self.laws:
            self.place_law(law)
        charges, M = storage(self.elements)
        T, R = np.zeros((len(self.unknowns), len(charges))), np.zeros((len(charges), len(self.unknowns)))
        for k, element in enumerate(charges):
            if isinstance(element, Capacitor):
                for node, sign in self.difference(*element.nodes).items():
                    T[node, k] = R[k, node] = sign
            else:
                branch = self.branches[element.name]
                T[branch, k], R[k, branch] = -1.0, 1.0
        return self.arrays(T, M, R, tuple(element.name for element in charges))

    def linear(self, element: Element) -> None:
        if isinstance(element, Resistor):
            if element.value == 0.0:
                self.voltage_branch(element)
                return
            if not abs(element.value) > 1e-15:
                raise refused(element, f"a resistance of {element.value:g} ohm", "Give a resistance that is not zero, or exactly 0 for a short.")
            self.conductance(self.difference(*element.nodes), 1.0 / element.value)
        elif isinstance(element, Inductor):
            self.voltage_branch(element)
        elif isinstance(element, VoltageSource):
            k = self.voltage_branch(element)
            self.source(element, {k: 1.0})
        elif isinstance(element, CurrentSource):
            self.source(element, {k: -s for k, s in self.difference(*element.nodes).items()})
        elif isinstance(element, VoltageControlledVoltage):
            k = self.voltage_branch(element)
            for node, sign in self.difference(*element.nodes[2:]).items():
                self.stamps.append((k, node, -sign * element.gain))
        elif isinstance(element, VoltageControlledCurrent):
            for row, s in self.difference(*element.nodes[:2]).items():
                for node, sign in self.difference(*element.nodes[2:]).items():
                    self.stamps.append((row, node, s * sign * element.gain))
        elif isinstance(element, Nullor):
            k = self.branch(element)
            for node, sign in self.difference(*element.nodes[2:]).items():
                self.stamps.append((node, k, sign))
            for node, sign in self.difference(*element.nodes[:2]).items():
                self.stamps.append((k, node, sign))
        elif isinstance(element, IdealTransformer):
            k = self.branch(element)  # the current into 1+; the secondary carries -ratio times it
            for nodes, factor in ((element.nodes[:2], 1.0), (element.nodes[2:], -element.ratio)):
                for node, sign in self.difference(*nodes).items():
                    self.stamps += [(node, k, sign * factor), (k, node, sign * factor)]
        elif not isinstance(element, Capacitor):
            raise refused(element, f"{type(element).__name__} is not known to the nodal equations")

    def conductance(self, row: Row, g: float) -> None:
        for i, s in row.items():
            for j, t in row.items():
                self.stamps.append((i, j, s * t * g))

    def source(self, element, row: Row) -> None:
        for k, s in row.items():
            if element.ac:
                self.ac.append((k, s * element.ac * np.exp(1j * np.deg2rad(element.ac_phase))))
        if element.name == self.circuit.input:
            self.constant += [(k, s * element.dc) for k, s in row.items()]
            self.drives += [(k, 0, s) for k, s in row.items()]
        elif element.waveform is not None:
            self.drives += [(k, len(self.moving), s) for k, s in row.items()]
            self.moving.append(Moving(element.name, "waveform", element.waveform))
        else:
            self.constant += [(k, s * element.dc) for k, s in row.items()]

    def controlled(self, element: Element) -> None:
        if isinstance(element, CurrentControlledCurrent):
            sensed = self.sensor(element, element.sensor)
            for row, s in self.difference(*element.nodes).items():
                self.stamps.append((row, sensed, s * element.gain))
        elif isinstance(element, CurrentControlledVoltage):
            k = self.voltage_branch(element)
            self.stamps.append((k, self.sensor(element, element.sensor), -element.gain))
        else:
            self.behavioural(element)

    def behavioural(self, element) -> None:
        inputs = []
        order = leaves(element.expression)
        if len(order) > MAX_INPUTS:
            raise refused(element, f"its expression reads {len(order)} voltages and currents", f"At most {MAX_INPUTS} are possible.")
        if not order:
            value = evaluate(element.expression, {})
            if isinstance(element, BehaviouralVoltage):
                self.constant.append((self.branches[element.name], value))
            else:
                self.constant += [(k, -s * value) for k, s in self.difference(*element.nodes).items()]
            return
        for leaf in order:
            if isinstance(leaf, Voltage):
                for node in (leaf.plus, leaf.minus):
                    if node != GROUND and node not in self.index:
                        raise refused(element, f"V({node}) names a node that does not exist")
                inputs.append(self.ports.port(self.difference(leaf.plus, leaf.minus), {}))
            elif isinstance(leaf, Current):
                inputs.append(self.ports.port(self.current_row(element, leaf.element), {}))
            else:
                inputs.append(self.ports.port({}, {self.time_input(): 1.0}))
        if isinstance(element, BehaviouralVoltage):
            row = {self.branches[element.name]: -1.0}
        else:
            row = self.difference(*element.nodes)
        column, sign = self.ports.column(row, tuple(i for i, _ in inputs), 0)
        self.entries.append(Entry(element.name, 0, (), tuple(inputs), ((column, sign, 0),), tape(element.expression, order)))

    def current_row(self, element: Element, name: str) -> Row:
        if name in self.branches:
            return {self.branches[name]: 1.0}
        for other in self.elements:
            if other.name == name and isinstance(other, Resistor):
                return {k: s / other.value for k, s in self.difference(*other.nodes).items()}
        raise refused(element, f"I({name}) can't be sensed", "Name a voltage source, an inductor or a resistor.")

    def time_input(self) -> int:
        for k, moving in enumerate(self.moving):
            if moving.kind == "time":
                return k
        self.moving.append(Moving("time", "time"))
        return len(self.moving) - 1

    def place_law(self, law) -> None:
        inputs = []
        for pair, limit in zip(law.inputs, law.limits):
            port, sign = self.ports.port(self.difference(*pair), {})
            self.ports.limit(port, sign, limit)
            inputs.append((port, sign))
        ports = tuple(port for port, _ in inputs)
        outputs = []
        for charge, pairs in enumerate((law.currents, law.charges)):
            outputs += [(*self.ports.column(self.difference(*pair), ports, charge), charge) for pair in pairs]
        self.entries.append(Entry(law.name, law.law.code, tuple(float(value) for value in law.constants), tuple(inputs), tuple(outputs), None))

    # --- arrays -----------------------------------------------------------------------------------------------------
    def arrays(self, T, M, R, states) -> Equations:
        n, nu = len(self.unknowns), len(self.moving)
        G, U, b = np.zeros((n, n), dtype=np.longdouble), np.zeros((n, nu)), np.zeros(n)
        for i, j, value in self.stamps:
            G[i, j] += value
        for i, j, value in self.drives:
            U[i, j] += value
        for i, value in self.constant:
            b[i] += value
        P, Q, Qu = self.ports.arrays(n, nu)
        L = np.zeros((len(self.circuit.outputs), n))
        for k, output in enumerate(self.circuit.outputs):
            plus, _, minus = output.partition(",")
            for i, s in self.difference(plus, minus or GROUND).items():
                L[k, i] = s
        ac = np.zeros(n, dtype=complex)
        for k, value in self.ac:
            ac[k] += value
        ports = tuple(self.describe(row, drive) for row, drive in self.ports.q_rows)
        return Equations(tuple(self.unknowns), self.n_nodes, G, T, M, R, U, b, P, Q, Qu, L, tuple(self.moving), tuple(self.entries),
                         self.ports.limits(), ports, np.flatnonzero(self.ports.column_charge), states, ac,
                         self.pins(self.circuit.initial), self.pins(self.circuit.nodeset))

    def pins(self, voltages) -> tuple[tuple[int, float], ...]:
        return tuple((self.index[node], float(value)) for node, value in voltages.items() if node in self.index)

    def describe(self, row: Row, drive: Row) -> str:
        parts = [f"{'+' if s > 0 else '-'}{self.unknowns[k]}" for k, s in row.items()]
        parts += [f"+{self.moving[k].name}" for k in drive]
        return "".join(parts).removeprefix("+")
