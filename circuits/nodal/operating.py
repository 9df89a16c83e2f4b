"""Where a circuit rests: the operating point by Newton, with gmin stepping, source stepping, pseudo-time, short steps and switching on behind it.

References
----------
Ho, Ruehli, Brennan 1975 (the equations); Nagel: SPICE2, ERL Memo M520, 1975 (limiting, stepping);
Kelley, Keyes: Convergence analysis of pseudo-transient continuation, SIAM J. Numer. Anal. 35(2), 1998.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from circuits.circuit import Circuit
from circuits.errors import ConvergenceError
from circuits.nodal.equations import Equations
from circuits.nodal.homotopy import GMIN, WAYS, Search, from_zero, solve

FROM_ZERO = from_zero.__doc__.split(":")[0]
_SHORT = 1e-9  # ohms in series with an inductor that closes a loop of ideal voltages at DC


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The rest of a circuit.

    Parameters
    ----------
    x : ndarray, shape (n_unknowns,)
        Node voltages and branch currents.
    q, w : ndarray
        Controlling quantities and outputs of the nonlinear laws; charges in coulombs in the columns that are charges.
    iterations : int
        Newton iterations in all.
    method : str
        "newton", "newton from the linear part", "gmin stepping", "source stepping", "pseudo-time", "short steps" or "switched on"; of
        `starting_point` also "none found, from zero".
    equations : Equations
        What was solved.
    """

    x: np.ndarray
    q: np.ndarray
    w: np.ndarray
    iterations: int
    method: str
    equations: Equations

    def voltage(self, node: str) -> float:
        """Voltage of a node, volts."""
        return 0.0 if node == "0" else float(self.x[self.equations.node(node)])

    @property
    def voltages(self) -> dict[str, float]:
        """Every node voltage by name, volts."""
        names = self.equations.unknowns[:self.equations.n_nodes]
        return {name[2:-1]: float(value) for name, value in zip(names, self.x)}

    @property
    def currents(self) -> dict[str, float]:
        """Every branch current by element, amperes, into the first pin."""
        start = self.equations.n_nodes
        return {name[2:-1]: float(value) for name, value in zip(self.equations.unknowns[start:], self.x[start:])}


def _grounded(e: Equations) -> np.ndarray:
    """G with a leak where no direct current can flow, and a trace of resistance in loops of inductors."""
    A = e.G.astype(np.float64)
    n = e.n_nodes
    graph = nx.Graph()
    graph.add_nodes_from(range(-1, n))
    for i in range(A.shape[0]):
        nodes = [j for j in np.flatnonzero(A[i]) if j < n]
        if i < n:
            nodes.append(i)
        for first, second in zip(nodes, nodes[1:]):
            graph.add_edge(int(first), int(second))
    # a row of G whose node entries do not cancel, or a branch on one node alone, reaches ground
    for i in range(A.shape[0]):
        nodes = [j for j in np.flatnonzero(A[i]) if j < n]
        if nodes and abs(A[i, :n].sum()) > 1e-12 * np.abs(A[i, :n]).max():
            graph.add_edge(int(nodes[0]), -1)
    for column in e.P.T:
        nodes = [int(j) for j in np.flatnonzero(column) if j < n]
        if len(nodes) == 1:
            graph.add_edge(nodes[0], -1)
        for first, second in zip(nodes, nodes[1:]):
            graph.add_edge(first, second)
    for part in nx.connected_components(graph):
        if -1 not in part:
            A[min(part), min(part)] += GMIN
    for k in _dependent(A, n, {int(np.flatnonzero(column)[0]) for column in e.T.T if np.flatnonzero(column)[0] >= n}):
        A[k, k] -= _SHORT
    return A


def _dependent(A: np.ndarray, n: int, inductive: set[int]) -> list[int]:
    """Inductors whose voltage the ideal branches before them fix already, directly in a loop or through windings.

    The rows of the ideal branches are orthogonalised one by one, sources and windings before inductors; what leaves nothing is no news.
    """
    branches = [k for k in range(n, len(A)) if k in inductive or (A[k, :n].any() and not A[k, n:].any())]
    known = np.zeros((0, n))
    found = []
    for k in sorted(branches, key=lambda k: k in inductive):
        row = A[k, :n] / np.linalg.norm(A[k, :n])
        for _ in range(2):  # the second pass takes away what rounding left of the first
            row = row - known.T @ (known @ row)
        size = np.linalg.norm(row)
        if size > 1e-9:
            known = np.vstack([known, row / size])
        elif k in inductive:
            found.append(k)
    return found


def operating_point(equations: Equations, start: OperatingPoint | None = None) -> OperatingPoint:
    """Solve the circuit at rest, with moving sources at their value at time zero and the audio input silent.

    Parameters
    ----------
    equations : Equations
        From `circuits.nodal.equations.assemble`.
    start : OperatingPoint, optional
        A neighbouring solution to begin at (a control turned a little).

    Returns
    -------
    OperatingPoint

    Raises
    ------
    ConvergenceError
        If no method finds a solution; the message names the port that moved most.
    """
    search, A, rhs, q = _search(equations, start)
    e = equations
    if e.hints:
        hinted, pushed = A.copy(), rhs.copy()
        for node, volts in e.hints:
            hinted[node, node] += 1.0
            pushed[node] += volts
        found = search.newton(hinted, pushed, q)
        q = q if found is None else found[1]
    for method in WAYS:
        found = method(search, A, rhs, q)
        if found is not None:
            return _point(search, found, method)
    raise _no_solution(search, A, rhs)


def starting_point(equations: Equations, strict: bool = False) -> OperatingPoint:
    """Where playing starts: the operating point, or where there is none (an oscillator of logic, a model that is only sane in motion), every capacitor and
    coil empty, as SPICE starts with ``uic``; `OperatingPoint.method` then says "none found, from zero".

    Raises
    ------
    ConvergenceError
        If that can't be solved either, or if ``strict`` and there is no operating point.
    """
    try:
        return operating_point(equations)
    except ConvergenceError:
        if strict:
            raise
        search, A, rhs, q = _search(equations, None)
        found = from_zero(search, A, rhs, q, np.zeros(len(equations.states)))
        if found is None:
            raise
        return _point(search, found, from_zero)


def start_of(circuit: Circuit, equations: Equations, strict: bool = False) -> OperatingPoint:
    """The start that a circuit asks for: `starting_point`, or if it is ``from_zero`` every capacitor and coil at its ``initial`` or empty.

    Raises
    ------
    ConvergenceError
        If it can't be solved.
    """
    if not circuit.from_zero:
        return starting_point(equations, strict)
    held = {element.name: float(element.initial) for element in circuit.bound().elements if getattr(element, "initial", None) is not None}
    search, A, rhs, q = _search(equations, None)
    found = from_zero(search, A, rhs, q, np.array([held.get(name, 0.0) for name in equations.states]))
    if found is None:
        raise ConvergenceError("the circuit does not start from zero", mend="Take uic or startup off its .tran line.")
    return replace(_point(search, found, from_zero), method="from zero, as asked")


def _point(search, found, method) -> OperatingPoint:
    x, q = found
    w, _ = search.laws.at(q, 1.0)
    return OperatingPoint(x, q, w, search.iterations, method.__doc__.split(":")[0], search.e)


def _search(e: Equations, start: OperatingPoint | None):
    """The search, its matrix and right side, and where it begins."""
    u = np.array([0.0 if m.kind != "waveform" else float(m.waveform.at(np.zeros(1))[0]) for m in e.moving])
    search = Search(e, _grounded(e), u)
    A, rhs = search.A.copy(), e.b + e.U @ u
    for node, volts in e.forced:
        A[node, node] += 1e6
        rhs[node] += 1e6 * volts
    q = np.zeros(len(e.Q)) if start is None or len(start.q) != len(e.Q) else start.q.copy()
    return search, A, rhs, q


def _no_solution(search: Search, A: np.ndarray, rhs: np.ndarray) -> ConvergenceError:
    e = search.e
    if not len(e.Q) and solve(A, rhs) is None:
        _, _, null = np.linalg.svd(A)
        names = [e.unknowns[k] for k in np.argsort(-np.abs(null[-1]))[:3]]
        return ConvergenceError(f"the equations have no unique solution near {', '.join(names)}",
                                mend="Look for a node without a path to ground or a source that nothing loads.")
    return ConvergenceError("no operating point was found by Newton, gmin stepping, source stepping, pseudo-time, short steps or switching on",
                            mend="Check the supply voltages and polarities, or give node voltages with .nodeset.")
