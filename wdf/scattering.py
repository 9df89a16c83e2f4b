"""Scattering of a rigid node: its ports' waves from its nodal equations, whatever ideal parts it has swallowed.

Each port is a voltage source ``a`` behind its port resistance R, so that with the current i into the node

    a = v + R i,      b = v - R i = 2 v - a.

Modified nodal analysis of these sources (X z = B a + ...) gives every v, hence S = 2 V X^-1 B - I, which is the
S = I + 2 [0 R] X^-1 [0 I]^T of Werner et al. with the sign of the current on the left. Nullors, controlled sources,
transformers, coupled coils (a port resistance *matrix*) and ideal sources (R = 0, or a forced current) are rows of X.

The port that faces the root is left open: the voltage there is the reflected wave, and the resistance seen is the port
resistance that makes it free of reflections (adaptation).

References
----------
Werner, Smith, Abel: Wave digital filter adaptors for arbitrary topologies and multiport linear elements, DAFx-15, 2015, equations 9 to 13.
Werner: Virtual analog modeling of audio circuitry using wave digital filters, PhD thesis, Stanford 2016, chapters 3 and 4.
Fettweis: Wave digital filters: theory and practice, Proc. IEEE 74(2), 1986.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Mapping, Sequence

import networkx as nx
import numpy as np
from scipy import linalg

from circuits.circuit import GROUND
from circuits.kernels.jit import kernel
from circuits.nodal.model import reachable
from wdf.network import REACTIVE, Edge, Network
from wdf.spqr import VIRTUAL

LONG = np.longdouble
RCOND = 1e-15  # below it a matrix with rows and columns scaled to 1 counts as singular


def incident(edge: str, up: str = "") -> str:
    """Name of the wave that travels into the adaptor through an edge."""
    if edge.startswith(VIRTUAL):
        return f"d:{edge}" if edge == up else f"u:{edge}"
    return f"a:{edge}"


def reflected(edge: str, up: str = "") -> str:
    """Name of the wave that travels out of the adaptor through an edge."""
    if edge.startswith(VIRTUAL):
        return f"u:{edge}" if edge == up else f"d:{edge}"
    return f"b:{edge}"


def returned(edge: str) -> str:
    """Name of the current, from plus to minus, by which a law gives back the conductance that was lent to an edge."""
    return f"g:{edge}"


@dataclass(frozen=True, slots=True)
class Solved:
    """A node's voltages and currents as linear forms of its inputs.

    Parameters
    ----------
    inputs : tuple of str
        Incident waves and sources; waves of resistors are 0 and left out.
    transfer : ndarray, shape (n_unknowns, n_inputs), extended precision
        Node voltages, then branch currents.
    injected : ndarray, shape (n_unknowns,)
        The same for one ampere into the port that faces the root.
    nodes, branches : mapping
        Row of each node (-1: held at zero) and of each branch current.
    leaves : mapping
        Edge to (R, wave) of leaves whose current is not an unknown.
    ends : mapping
        Nodes of every edge.
    """

    inputs: tuple[str, ...]
    transfer: np.ndarray
    injected: np.ndarray
    nodes: Mapping[str, int]
    branches: Mapping[str, int]
    leaves: Mapping[str, tuple[float, str]]
    ends: Mapping[str, tuple[str, str]]

    def voltage(self, plus: str, minus: str) -> tuple[np.ndarray, float]:
        """v(plus) - v(minus): factors of the inputs, and ohms for the injected current."""
        row, ohms = np.zeros(len(self.inputs), dtype=LONG), LONG(0.0)
        for node, sign in ((plus, 1.0), (minus, -1.0)):
            k = self.nodes[node]
            if k >= 0:
                row = row + sign * self.transfer[k]
                ohms += sign * self.injected[k]
        return row, ohms

    def edge_voltage(self, edge: str) -> tuple[np.ndarray, float]:
        """Voltage of an edge, as `voltage`."""
        return self.voltage(*self.ends[edge])

    def edge_current(self, edge: str) -> tuple[np.ndarray, float]:
        """Current through an edge from plus to minus: factors, and amperes for each injected ampere."""
        if edge in self.branches:
            k = self.branches[edge]
            return self.transfer[k].copy(), self.injected[k]
        resistance, wave = self.leaves[edge]
        row, ohms = self.edge_voltage(edge)
        row = row.copy()
        if wave in self.inputs:
            row[self.inputs.index(wave)] -= 1.0
        return row / resistance, ohms / resistance


def solve_node(network: Network, edges: Sequence[str], ends: Mapping[str, tuple[str, str]], resistances: Mapping[str, float],
               coils: Mapping[str, tuple[tuple[str, ...], np.ndarray]], up: str = "", lent: Mapping[str, float] | None = None) -> Solved | None:
    """Solve the nodal equations of one node of the tree.

    Parameters
    ----------
    network : Network
        For the roles of edges and the relations of ideal parts.
    edges : sequence of str
        The node's edges, virtual ones included.
    ends : mapping
        Edge to (plus, minus).
    resistances : mapping
        Port resistance of every leaf and virtual edge except ``up``, ohms.
    coils : mapping
        Edge to (edges, port resistance matrix) for coupled inductors.
    up : str
        The port that faces the root, left open; empty at the root.
    lent : mapping, optional
        Conductances added across edges, siemens; the currents that give them back become inputs.

    Returns
    -------
    Solved or None
        None if the equations have no unique solution.
    """
    return _Nodal(network, edges, ends, resistances, coils, up, lent or {}).solve()


class _Nodal:
    def __init__(self, network, edges, ends, resistances, coils, up, lent):
        self.network, self.edges, self.ends, self.resistances, self.coils, self.up, self.lent = (
            network, tuple(edges), ends, resistances, coils, up, lent)
        inside = set(self.edges)
        self.relations = [r for r in network.relations if any(e in inside for e, _ in (*r.voltages, *r.currents))]
        sensed = {e for r in self.relations for e, _ in r.currents}
        sensed |= {s.edge for s in network.sensed if s.quantity == "current"}
        graph = nx.Graph()
        for edge in self.edges:
            graph.add_edge(*ends[edge])
        self.nodes: dict[str, int] = {}
        count = 0
        for part in nx.connected_components(graph):
            held = GROUND if GROUND in part else min(part)
            for node in sorted(part):
                self.nodes[node] = -1 if node == held else count
                count += node != held
        self.branches: dict[str, int] = {}
        self.leaves: dict[str, tuple[float, str]] = {}
        self.inputs: dict[str, int] = {}
        for edge in self.edges:
            role = self.role(edge)
            if role in ("voltage", "current", "branch"):
                self.branches[edge] = count
                count += 1
            elif role == "leaf":
                if edge in coils or edge in sensed or resistances[edge] == 0.0:
                    self.branches[edge] = count
                    count += 1
                else:
                    self.leaves[edge] = (resistances[edge], incident(edge))
                if self.waves(edge):
                    self.inputs[incident(edge)] = len(self.inputs)
        for relation in self.relations:
            for name, _ in relation.inputs:
                self.inputs.setdefault(name, len(self.inputs))
        for edge in lent:
            self.inputs[returned(edge)] = len(self.inputs)
        # extended precision: beside the conductance of a large capacitor a resistor's keeps half its digits in a float
        self.X = np.zeros((count, count), dtype=LONG)
        self.B = np.zeros((count, len(self.inputs) + 1), dtype=LONG)

    def role(self, edge: str) -> str:
        if edge == self.up:
            return "up"
        if edge.startswith(VIRTUAL):
            return "leaf"
        role = self.network.edges[edge].role
        return "leaf" if role in ("resistor", *REACTIVE) else role

    def waves(self, edge: str) -> bool:
        return edge.startswith(VIRTUAL) or self.network.edges[edge].role in REACTIVE

    def pins(self, edge: str):
        return [(self.nodes[node], sign) for node, sign in zip(self.ends[edge], (1.0, -1.0)) if self.nodes[node] >= 0]

    def solve(self) -> Solved | None:
        X, B = self.X, self.B
        for edge, (resistance, wave) in self.leaves.items():
            self.conductance(edge, LONG(1.0) / LONG(resistance))
            if wave in self.inputs:
                for k, sign in self.pins(edge):
                    B[k, self.inputs[wave]] += LONG(sign) / LONG(resistance)
        for edge, siemens in self.lent.items():
            self.conductance(edge, siemens)
            for node, sign in self.pins(edge):
                B[node, self.inputs[returned(edge)]] -= sign
        for edge, k in self.branches.items():
            for node, sign in self.pins(edge):
                X[node, k] += sign  # the branch's current leaves its first node
        rows = iter([k for edge, k in self.branches.items() if self.role(edge) != "leaf"])
        for edge, k in self.branches.items():
            if self.role(edge) == "leaf":
                for node, sign in self.pins(edge):
                    X[k, node] += sign
                names, matrix = self.coils.get(edge, ((edge,), np.array([[self.resistances.get(edge, 0.0)]])))
                for other, resistance in zip(names, matrix[names.index(edge)]):
                    X[k, self.branches[other]] -= resistance
                if self.waves(edge):
                    B[k, self.inputs[incident(edge)]] += 1.0
        for relation in self.relations:
            row = next(rows, None)
            if row is None:
                return None  # more conditions than unknowns
            for edge, factor in relation.voltages:
                for node, sign in self.pins(edge):
                    X[row, node] += sign * factor
            for edge, factor in relation.currents:
                X[row, self.branches[edge]] += factor
            for name, factor in relation.inputs:
                B[row, self.inputs[name]] += factor
        if self.up:
            for node, sign in self.pins(self.up):
                B[node, -1] += sign
        x = _solve(X, B)
        if x is None:
            return None
        return Solved(tuple(self.inputs), x[:, :-1], x[:, -1], self.nodes, self.branches, self.leaves,
                      {edge: self.ends[edge] for edge in self.edges})

    def conductance(self, edge: str, g: float) -> None:
        for i, s in self.pins(edge):
            for j, t in self.pins(edge):
                self.X[i, j] += s * t * g


def _solve(X: np.ndarray, B: np.ndarray) -> np.ndarray | None:
    """X^-1 B in extended precision: rows and columns scaled to 1, two steps of refinement, and exact zeros where the structure says so."""
    if not len(X):
        return np.zeros_like(B)
    rows = np.abs(X).max(axis=1)
    if not rows.all():
        return None
    exact = X / rows[:, None]
    columns = np.abs(exact).max(axis=0)
    if not columns.all():
        return None
    exact = exact / columns
    scaled = exact.astype(np.float64)
    lu, pivots, info = linalg.lapack.dgetrf(scaled)
    if info != 0:
        return None
    rcond, _ = linalg.lapack.dgecon(lu, np.abs(scaled).sum(axis=0).max())
    if rcond < RCOND:
        return None
    right = B / rows[:, None]
    x = substituted(lu, pivots, right.astype(np.float64)).astype(LONG)
    for _ in range(2):
        x += substituted(lu, pivots, (right - exact @ x).astype(np.float64))
    reach = _reach(len(X), (X != 0.0).tobytes())
    pattern = (reach @ (B != 0.0)) > 0.0
    return np.where(pattern, x / columns[:, None], 0.0)


@kernel
def substituted(lu, pivots, right):
    """Solve with LAPACK's factors, many right sides; a BLAS with threads takes milliseconds to wake them for such small systems."""
    x = right.copy()
    n, m = x.shape
    for i in range(n):
        p = pivots[i]
        if p != i:
            for k in range(m):
                x[i, k], x[p, k] = x[p, k], x[i, k]
    for i in range(n):
        for j in range(i):
            factor = lu[i, j]
            if factor != 0.0:
                for k in range(m):
                    x[i, k] -= factor * x[j, k]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            factor = lu[i, j]
            if factor != 0.0:
                for k in range(m):
                    x[i, k] -= factor * x[j, k]
        for k in range(m):
            x[i, k] /= lu[i, i]
    return x


@lru_cache(maxsize=256)
def _reach(n: int, pattern: bytes) -> np.ndarray:
    """Structural nonzeros of the inverse, as numbers; a turned pot asks for the same ones again and again."""
    return reachable(np.frombuffer(pattern, dtype=bool).reshape(n, n).astype(float)).astype(float)


def scattering_matrix(network: Network, edges: Sequence[str], resistances: Mapping[str, float]) -> tuple[tuple[str, ...], np.ndarray]:
    """Scattering matrix of all leaves among some edges, joined in one node.

    Parameters
    ----------
    network : Network
    edges : sequence of str
        Edges of one node; none virtual.
    resistances : mapping
        Port resistance of every leaf, ohms, all positive.

    Returns
    -------
    ports : tuple of str
        The leaves, in the order of ``edges``.
    S : ndarray, shape (n_ports, n_ports)
        b = S a, resistors included.

    Raises
    ------
    ValueError
        If the equations have no unique solution.

    Examples
    --------
    >>> parts = {name: Edge(name, "a", "0", "capacitor", 1e-9) for name in ("c1", "c2")}
    >>> parallel = Network(parts, (), (), (), {}, (), (), ())
    >>> scattering_matrix(parallel, ("c1", "c2"), {"c1": 1.0, "c2": 3.0})[1].tolist()
    [[0.5, 0.5], [1.5, -0.5]]
    """
    ports = tuple(edge for edge in edges if network.edges[edge].role in ("resistor", *REACTIVE))
    live = {name: Edge(name, edge.plus, edge.minus, "capacitor" if edge.role == "resistor" else edge.role, edge.value)
            for name, edge in network.edges.items()}
    ends = {name: (edge.plus, edge.minus) for name, edge in network.edges.items()}
    whole = Network(live, network.relations, network.groups, network.coils, network.sources, network.sensed, network.uses, network.outputs)
    solved = solve_node(whole, edges, ends, resistances, {})
    if solved is None:
        raise ValueError("the node has no unique solution")
    columns = [solved.inputs.index(incident(port)) for port in ports]
    V = np.array([solved.edge_voltage(port)[0][columns] for port in ports], dtype=np.float64)
    return ports, 2.0 * V - np.eye(len(ports))
