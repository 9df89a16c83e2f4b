"""Where a circuit rests: the operating point by Newton, with gmin stepping, source stepping and pseudo-time behind it.

References
----------
Ho, Ruehli, Brennan 1975 (the equations); Nagel: SPICE2, ERL Memo M520, 1975 (limiting, stepping);
Kelley, Keyes: Convergence analysis of pseudo-transient continuation, SIAM J. Numer. Anal. 35(2), 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
from scipy import linalg

from circuits.errors import ConvergenceError
from circuits.kernels.compiling import interpreted
from circuits.kernels.limits import limited
from circuits.nodal.equations import Equations
from circuits.nodal.evaluation import Evaluation
from circuits.nodal.laws import law_table

_LEAK = 1e-12  # siemens to ground for nodes that hang on capacitors only: far below any leakage of a real part
_SHORT = 1e-9  # ohms in series with an inductor that closes a loop of ideal voltages at DC
_ROUNDING = 1e-6  # volts: a step that has stopped shrinking below this is rounding, not motion


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
        "newton", "newton from the linear part", "gmin stepping", "source stepping" or "pseudo-time".
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


_limited = interpreted(limited)


class _Search:
    """Newton at DC on the full equations; the law is linearised at limited port values, as SPICE does."""

    def __init__(self, equations: Equations, u: np.ndarray):
        self.e = equations
        self.u = u
        self.laws = Evaluation(law_table(list(equations.entries)), len(equations.Q), equations.P.shape[1])
        self.limits = np.array([equations.limits.plus_scale, equations.limits.plus_bound, equations.limits.minus_scale,
                                equations.limits.minus_bound, equations.limits.step])
        self.A = _grounded(equations)
        self.drive = equations.Qu @ u
        self.iterations = 0

    def newton(self, A: np.ndarray, rhs: np.ndarray, q: np.ndarray, most: int = 150):
        """(x, q) or None."""
        least, stuck = np.inf, 0
        for _ in range(most):
            self.iterations += 1
            w, slopes = self.laws.at(q)
            J = A + self.e.P @ slopes @ self.e.Q
            right = rhs - self.e.P @ (w - slopes @ (q - self.drive))
            if not (np.isfinite(J).all() and np.isfinite(right).all()):
                return None
            x = _solve(J, right)
            if x is None:
                return None
            target = self.e.Q @ x + self.drive
            # what remains after this step is its square over some 50 mV: far below a picovolt
            if np.all(np.abs(target - q) <= 1e-7 + 1e-10 * np.abs(target)):
                return x, target
            # A node held by reversed junctions behind a fraction of an ohm is known to some 1e-8 V at best: no step gets smaller there.
            size = np.max(np.abs(target - q) / (1.0 + np.abs(target)))
            least, stuck = (size, 0) if size < 0.5 * least else (least, stuck + 1)
            if stuck > 8 and size < _ROUNDING:
                return x, target
            q = np.array([_limited(*port) for port in zip(q.tolist(), (target - q).tolist(), *self.limits.tolist())])
        return None


def _solve(A: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """Solve with rows and columns scaled to 1; None if singular."""
    rows = np.abs(A).max(axis=1, initial=0.0)
    if not rows.all():
        return None
    scaled = A / rows[:, None]
    columns = np.abs(scaled).max(axis=0)
    if not columns.all():
        return None
    lu, pivots, info = linalg.lapack.dgetrf(scaled / columns)
    if info != 0:
        return None
    x, _ = linalg.lapack.dgetrs(lu, pivots, b / rows)
    x = x / columns
    return x if np.isfinite(x).all() else None


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
            A[min(part), min(part)] += _LEAK
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
    e = equations
    u = np.array([0.0 if m.kind != "waveform" else float(m.waveform.at(np.zeros(1))[0]) for m in e.moving])
    search = _Search(e, u)
    A, rhs = search.A.copy(), e.b + e.U @ u
    for node, volts in e.forced:
        A[node, node] += 1e6
        rhs[node] += 1e6 * volts
    q = np.zeros(len(e.Q)) if start is None or len(start.q) != len(e.Q) else start.q.copy()
    if e.hints:
        hinted, pushed = A.copy(), rhs.copy()
        for node, volts in e.hints:
            hinted[node, node] += 1.0
            pushed[node] += volts
        found = search.newton(hinted, pushed, q)
        q = q if found is None else found[1]
    for method in (_plain, _linear, _gmin, _sources, _pseudo_time):
        found = method(search, A, rhs, q)
        if found is not None:
            x, q = found
            w, _ = search.laws.at(q, 1.0)
            return OperatingPoint(x, q, w, search.iterations, method.__doc__.split(":")[0], e)
    raise _no_solution(search, A, rhs)


def _no_solution(search: _Search, A: np.ndarray, rhs: np.ndarray) -> ConvergenceError:
    e = search.e
    if not len(e.Q) and _solve(A, rhs) is None:
        _, _, null = np.linalg.svd(A)
        names = [e.unknowns[k] for k in np.argsort(-np.abs(null[-1]))[:3]]
        return ConvergenceError(f"the equations have no unique solution near {', '.join(names)}",
                                mend="Look for a node without a path to ground or a source that nothing loads.")
    return ConvergenceError("no operating point was found by Newton, gmin stepping, source stepping or pseudo-time",
                            mend="Check the supply voltages and polarities, or give node voltages with .nodeset.")


def _plain(search, A, rhs, q):
    """newton: from where we are."""
    return search.newton(A, rhs, q)


def _linear(search, A, rhs, q):
    """newton from the linear part: where the circuit would rest without its nonlinear parts, junctions no further than they can conduct."""
    held = A.copy()
    nodes = np.arange(search.e.n_nodes)
    held[nodes, nodes] += 1e-9
    x = _solve(held, rhs)
    if x is None or not len(q):
        return None
    limits = search.limits
    q = search.e.Q @ x + search.drive
    q = np.where((limits[0] > 0.0) & (q > limits[1]), limits[1], q)
    q = np.where((limits[2] > 0.0) & (-q > limits[3]), -limits[3], q)
    return search.newton(A, rhs, q)


def _gmin(search, A, rhs, q):
    """gmin stepping: every node held to ground by a conductance that fades."""
    q = np.zeros_like(q)
    nodes = np.arange(search.e.n_nodes)
    g, factor = 1e-2, 10.0
    good = None
    for _ in range(120):
        held = A.copy()
        held[nodes, nodes] += g
        found = search.newton(held, rhs, q, 60)
        if found is not None:
            q, good = found[1], g
            if g < 1e-14:
                return search.newton(A, rhs, q) or _leaking(search, A, rhs, q)
            factor = min(factor * 1.5, 10.0)
        elif good is None:
            g *= 10.0
            if g > 1e3:
                return None
            continue
        else:
            factor = factor**0.5
            if factor < 1.0005:
                return None
        g = good / factor
    return None


def _leaking(search, A, rhs, q):
    """The rest with the leak of SPICE's GMIN at every node: what a tube that is cut off or an unloaded winding leaves open is settled by it."""
    nodes = np.arange(search.e.n_nodes)
    held = A.copy()
    held[nodes, nodes] += _LEAK
    return search.newton(held, rhs, q)


def _sources(search, A, rhs, q):
    """source stepping: all supplies rise together from zero."""
    q = np.zeros_like(q)
    done, step = 0.0, 0.1
    drive = search.drive
    try:
        for _ in range(400):
            share = min(1.0, done + step)
            search.drive = drive * share
            found = search.newton(A, rhs * share, q, 60)
            if found is not None:
                q, done = found[1], share
                if done >= 1.0:
                    return found
                step = min(2.0 * step, 0.2)
            else:
                step *= 0.25
                if step < 1e-7:
                    return None
    finally:
        search.drive = drive
    return None


def _pseudo_time(search, A, rhs, q):
    """pseudo-time: every node carries a capacitor, and time runs with growing steps until nothing moves."""
    q = np.zeros_like(q)
    nodes = np.arange(search.e.n_nodes)
    x = np.zeros(len(A))
    g = 1.0
    for _ in range(600):
        held, right = A.copy(), rhs.copy()
        held[nodes, nodes] += g
        right[nodes] += g * x[nodes]
        found = search.newton(held, right, q, 40)
        if found is None:
            g *= 4.0
            if g > 1e9:
                return None
            continue
        x, q = found
        if g < 1e-13:
            return search.newton(A, rhs, q)
        g *= 0.6
    return search.newton(A, rhs, q)
