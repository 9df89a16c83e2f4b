"""The discrete K-method: all that can be computed before the first sample.

With the trapezoidal rule dz/dt = a z - h, a = 2/T, the circuit of `equations` becomes, sample by sample,

    [p; h' - h; y] = F [h; u] + f0 + W w,      q = p + K w(q),

where p is the part of the ports' voltages that the laws do not change, h the states (h' the next ones), y the outputs. Backward Euler has
a = 1/T and another update of h. The states' *change* is computed, from entries that were rounded only once: h' itself would hold a slow
mode to 1e-16 / (1 - pole) only, and drift by nanovolts that a fuzz makes microvolts. Ports fall into blocks that can be solved one after the other (strongly connected components).

References
----------
Yeh, Abel, Smith 2010; Holters, Zölzer 2015; Borin, De Poli, Rocchesso: Elimination of delay-free loops in discrete-time
models of nonlinear acoustic systems, IEEE Trans. SAP 8(5), 2000 (K-method).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import networkx as nx
import numpy as np
from scipy import linalg

from circuits.errors import CircuitError, RateError
from circuits.nodal.equations import Equations, Moving
from circuits.nodal.laws import PORT_LEAK, LINEAR, Entry, LawTable, law_table

RULES = ("trapezoidal", "backward-euler")


class ModelArrays(NamedTuple):
    """What the sample loop reads.

    F : (n_states + n_moving, n_ports + n_states + n_outputs), transposed; f0 : (n_ports + n_states + n_outputs,).
    KT : (n_columns, n_ports), K transposed; WT : (n_columns, n_states + n_outputs), transposed.
    block_start : (n_blocks + 1,) over ports; law_start : (n_blocks + 1,) over laws; direct : (n_blocks,) 1 where the laws do not act back.
    column_start, columns : the columns of w that each block writes; charge : (n_columns,) 1 where a column is a charge.
    earlier_start, earlier : columns of earlier blocks that act on a block.
    limits : (5, n_ports); bend : (n_ports,) 1/(2 V), half the inverse of the voltage over which a law bends; a : 1/s; keep : 1 for trapezoidal, 0 for backward Euler.
    """

    F: np.ndarray
    f0: np.ndarray
    KT: np.ndarray
    WT: np.ndarray
    laws: LawTable
    block_start: np.ndarray
    law_start: np.ndarray
    direct: np.ndarray
    column_start: np.ndarray
    columns: np.ndarray
    earlier_start: np.ndarray
    earlier: np.ndarray
    charge: np.ndarray
    limits: np.ndarray
    bend: np.ndarray
    a: float
    keep: float
    n_states: int
    n_outputs: int


@dataclass(frozen=True, slots=True)
class DkModel:
    """A circuit at one sample rate and one position of its controls.

    Parameters
    ----------
    sample_rate : float
        Hz.
    arrays : ModelArrays
        Read-only numbers for the kernel.
    moving : tuple of Moving
        What each entry of u is.
    ports : tuple of str
        Names of the ports in the order of the arrays.
    states : tuple of str
        Names of the elements that each state belongs to.
    order : ndarray
        Position in `Equations` of each port.
    patterns : tuple of ndarray of bool
        Structural nonzeros of F, f0, KT and WT, whatever the numbers are.
    equations : Equations
        What it was made from (with lent conductances, if any).
    """

    sample_rate: float
    arrays: ModelArrays
    moving: tuple[Moving, ...]
    ports: tuple[str, ...]
    states: tuple[str, ...]
    order: np.ndarray
    patterns: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    equations: Equations

    @property
    def n_ports(self) -> int:
        """Number of nonlinear ports."""
        return len(self.ports)

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """Ports in each block, in the order of solution."""
        return tuple(int(n) for n in np.diff(self.arrays.block_start))


def discretise(equations: Equations, sample_rate: float, rule: str = "trapezoidal") -> DkModel:
    """Turn equations into a model for one sample rate.

    Raises
    ------
    RateError
        If the sample rate is not a positive number.
    CircuitError
        If the equations have no unique solution even so; the message names the unknowns concerned.
    """
    if not (np.isfinite(sample_rate) and sample_rate > 0.0):
        raise RateError(f"a sample rate of {sample_rate} Hz", mend="Give a positive rate, for instance 48000.")
    if rule not in RULES:
        raise CircuitError(f"there is no integration rule {rule!r}", mend=f"Use {' or '.join(RULES)}.")
    a = (2.0 if rule == "trapezoidal" else 1.0) * sample_rate
    keep = 1.0 if rule == "trapezoidal" else 0.0
    e = equations
    solution = refined_solution(e, a, right_sides(e))
    if solution is None:
        # nodes between nonlinear parts: lend them a conductance between that of a junction that blocks (1e-10) and one that
        # conducts (1e-2): what is lent is subtracted again, and rounding costs least half way
        e = lend_conductance(leaking(equations), 1e-6)
        solution = refined_solution(e, a, right_sides(e))
    if solution is None:
        raise _singular(e, a)
    return _model(e, solution, sample_rate, a, keep)


def _between_nodes(equations: Equations):
    """Index and row of the ports that are the voltage of a node, or between two."""
    for k, row in enumerate(equations.Q):
        nodes = np.flatnonzero(row)
        if len(nodes) and nodes.max() < equations.n_nodes and np.all(np.abs(row[nodes]) == 1.0):
            yield k, row


def leaking(equations: Equations) -> Equations:
    """A leak across every nonlinear port that is a node voltage, a thousandth of SPICE's GMIN.

    Where all the parts at a node block, as in a bridge of rectifiers without a ground, or do not exist, as behind a supply pin that nothing is connected to,
    it alone says where the node is.
    """
    G = equations.G.copy()
    for _, row in _between_nodes(equations):
        G += PORT_LEAK * np.outer(row, row)
    return replace(equations, G=G)


def at_rest(equations: Equations, model: DkModel) -> Equations:
    """The equations of the operating point from which a model of them starts: they leak where the model does, so that it stands still there."""
    return equations if len(model.equations.entries) == len(equations.entries) else leaking(equations)


def lend_conductance(equations: Equations, siemens: float) -> Equations:
    """Add a conductance across every nonlinear port that is a node voltage, and take it back inside the laws: exact.

    Where nodes hang on nonlinear parts only, the linear network alone is singular; with this it is not.
    """
    G, P = equations.G.copy(), equations.P
    entries = list(equations.entries)
    columns = [P]
    charge = list(equations.charge_columns)
    for k, row in _between_nodes(equations):
        G += siemens * np.outer(row, row)
        entries.append(Entry("lent conductance", LINEAR, (-siemens,), ((k, 1.0),), ((P.shape[1] + len(columns) - 1, 1.0, 0),), None))
        columns.append(row[:, None])
    return replace(equations, G=G, P=np.hstack(columns), entries=tuple(entries), charge_columns=np.array(charge, dtype=np.int64))


def system_matrix(e: Equations, a: float) -> np.ndarray:
    """S = G + a T M R."""
    return (e.G + a * (e.T @ (e.M @ e.R))).astype(np.float64)


def right_sides(e: Equations) -> np.ndarray:
    """[T, U, b, P]: all that S^-1 is applied to."""
    return np.hstack([e.T, e.U, e.b[:, None], e.P])


def refined_solution(e: Equations, a: float, right: np.ndarray) -> np.ndarray | None:
    """S^-1 right in extended precision; None if S is singular to working precision.

    The columns are solved for one by one and never taken as differences of S^-1's own: a large capacitor between two nodes of 10 kohm
    has one of 2 ohm where S^-1 has 10 kohm in each node, and the difference would keep four digits less.
    """
    S = system_matrix(e, a)
    if not len(S):
        return np.zeros(right.shape, dtype=np.longdouble)
    rows = np.abs(S).max(axis=1)
    if not rows.all():
        return None
    scaled = S / rows[:, None]
    columns = np.abs(scaled).max(axis=0)
    if not columns.all():
        return None
    scaled = scaled / columns
    lu, pivots, info = linalg.lapack.dgetrf(scaled)
    if info != 0:
        return None
    rcond, _ = linalg.lapack.dgecon(lu, np.abs(scaled).sum(axis=0).max())
    if rcond < 1e-15:
        return None
    # refined in extended precision: beside the conductance of a large capacitor (2 S for 22 uF) a resistor's keeps half its digits
    # in S, which would show as microvolts of drift at the operating point
    long = np.longdouble
    exact = (e.G + long(a) * (e.T @ (e.M @ e.R))) / rows[:, None] / columns
    goal = right.astype(long) / rows[:, None]
    x = linalg.lu_solve((lu, pivots), goal.astype(np.float64)).astype(long)
    for _ in range(3):
        x += linalg.lu_solve((lu, pivots), (goal - exact @ x).astype(np.float64))
    return x / columns[:, None]


def _singular(e: Equations, a: float) -> CircuitError:
    S = system_matrix(e, a)
    rows = np.abs(S).max(axis=1)
    rows[rows == 0.0] = 1.0
    _, _, null = np.linalg.svd(S / rows[:, None])
    names = [e.unknowns[k] for k in np.argsort(-np.abs(null[-1]))[:4]]
    return CircuitError(f"the circuit has no unique solution near {', '.join(names)}",
                        mend="Look for nodes that float, ideal op-amps without feedback, or sources in a loop.")


def reachable(S: np.ndarray) -> np.ndarray:
    """Structural nonzeros of the inverse of S: [i, j] is True if b_j can move x_i, whatever the numbers are."""
    n = len(S)
    pattern = nx.Graph([(("row", int(i)), int(j)) for i, j in np.argwhere(S != 0.0)])
    found = nx.bipartite.maximum_matching(pattern, [node for node in pattern if isinstance(node, tuple)])
    if n == 0 or len(found) < 2 * n:
        return np.ones((n, n), dtype=bool)
    match = np.array([found["row", i] for i in range(n)])  # row i is solved for column match[i]
    depends = np.zeros((n, n), dtype=np.float32)  # unknown match[i] depends on the unknowns in row i
    depends[match] = (S != 0.0)
    np.fill_diagonal(depends, 1.0)
    for _ in range(max(1, int(np.ceil(np.log2(max(n, 2)))))):
        depends = np.minimum(depends @ depends, 1.0)
    reach = np.zeros((n, n), dtype=bool)
    reach[:, :] = depends[:, match] > 0.0  # b_j enters row j, which is solved for unknown match[j]
    return reach


def _model(e: Equations, solution: np.ndarray, sample_rate: float, a: float, keep: float) -> DkModel:
    pattern = reachable(system_matrix(e, a))
    solution = np.where(pattern @ (right_sides(e) != 0.0), solution, 0.0)
    long = np.longdouble
    flux = long((1.0 + keep) * a) * (e.M @ e.R)
    n_states, n_inputs = e.T.shape[1], e.T.shape[1] + e.U.shape[1]
    XT, XU, Xb, XP = solution[:, :n_states], solution[:, n_states:n_inputs], solution[:, n_inputs], solution[:, n_inputs + 1:]
    K = -(e.Q @ XP)
    some = (np.abs(e.Q) @ pattern @ np.abs(e.P)) > 0.0
    K[~some] = 0.0
    blocks, laws_of, direct = blocks_of(some, e.entries, len(e.Q))
    order = np.array([port for block in blocks for port in block], dtype=np.int64)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    entries = [_moved(e.entries[k], place) for laws in laws_of for k in laws]
    Q, Qu, K, some = e.Q[order], e.Qu[order], K[order], some[order]
    F = np.block([[Q @ XT, Q @ XU + Qu], [flux @ XT - (1.0 + keep) * np.eye(len(e.M)), flux @ XU], [e.L @ XT, e.L @ XU]])
    f0 = np.concatenate([Q @ Xb, flux @ Xb, e.L @ Xb])
    W = np.vstack([-(flux @ XP), -(e.L @ XP)])
    block_start = np.concatenate([[0], np.cumsum([len(block) for block in blocks])]).astype(np.int64)
    law_start = np.concatenate([[0], np.cumsum([len(laws) for laws in laws_of])]).astype(np.int64)
    columns = [sorted({c for k in laws for c, _, _ in e.entries[k].outputs}) for laws in laws_of]
    earlier = []
    for b, block in enumerate(blocks):
        before = {c for cs in columns[:b] for c in cs}
        rows = some[block_start[b]:block_start[b + 1]]
        earlier.append([c for c in sorted(before) if rows[:, c].any()])
    charge = np.zeros(K.shape[1], dtype=np.int64)
    charge[e.charge_columns] = 1
    limits = np.array([e.limits.plus_scale, e.limits.plus_bound, e.limits.minus_scale, e.limits.minus_bound, e.limits.step])[:, order]
    arrays = ModelArrays(
        F=rounded(F.T), f0=rounded(f0), KT=rounded(K.T), WT=rounded(W.T), laws=law_table(entries),
        block_start=block_start, law_start=law_start, direct=np.array(direct, dtype=np.int64),
        column_start=_starts(columns), columns=_flat(columns), earlier_start=_starts(earlier), earlier=_flat(earlier), charge=charge,
        limits=np.ascontiguousarray(limits), bend=bend_of(limits), a=a, keep=keep, n_states=len(e.M), n_outputs=len(e.L))
    return DkModel(sample_rate, arrays, e.moving, tuple(e.ports[k] for k in order), e.states, order, _patterns(e, pattern, order, some), e)


def _patterns(e: Equations, inverse: np.ndarray, order: np.ndarray, K: np.ndarray):
    def touched(left, right):
        return (np.abs(left) @ inverse @ np.abs(right)) > 0.0

    Q, flux = e.Q[order], e.M @ e.R
    states = touched(flux, e.T) | np.eye(len(e.M), dtype=bool)
    F = np.block([[touched(Q, e.T), touched(Q, e.U) | (e.Qu[order] != 0.0)], [states, touched(flux, e.U)], [touched(e.L, e.T), touched(e.L, e.U)]])
    f0 = np.concatenate([touched(Q, e.b[:, None]), touched(flux, e.b[:, None]), touched(e.L, e.b[:, None])])[:, 0]
    W = np.vstack([touched(flux, e.P), touched(e.L, e.P)])
    return F.T, f0, K.T, W.T


def bend_of(limits: np.ndarray) -> np.ndarray:
    """Half the inverse of the voltage over which each port's law bends: n Vt of a junction, a twentieth of a step limit, else 50 mV."""
    plus, minus, step = limits[0], limits[2], limits[4]
    scale = np.where(plus > 0.0, plus, np.inf)
    scale = np.minimum(scale, np.where(minus > 0.0, minus, np.inf))
    scale = np.where(np.isfinite(scale), scale, np.where(step > 0.0, 0.05 * step, 0.05))
    return 0.5 / scale


def rounded(values: np.ndarray) -> np.ndarray:
    """Contiguous float64."""
    return np.ascontiguousarray(values, dtype=np.float64)


def _starts(rows) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)


def _flat(rows) -> np.ndarray:
    return np.array([item for row in rows for item in row], dtype=np.int64)


def _moved(entry: Entry, place: np.ndarray) -> Entry:
    return entry._replace(inputs=tuple((int(place[i]), s) for i, s in entry.inputs))


def blocks_of(some: np.ndarray, entries: tuple[Entry, ...], n_ports: int):
    """Ports in blocks, in an order in which each needs only earlier ones; the laws evaluated in each; which need no Newton."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n_ports))
    for entry in entries:
        affected = set()
        for column, _, _ in entry.outputs:
            affected.update(int(k) for k in np.flatnonzero(some[:, column]))
        for port, _ in entry.inputs:
            graph.add_edges_from((port, other) for other in affected)
    # columns shared by laws on the same ports stay together: those laws have the same inputs, hence the same block
    condensed = nx.condensation(graph)
    order = list(nx.lexicographical_topological_sort(condensed, key=lambda k: min(condensed.nodes[k]["members"])))
    blocks = [sorted(condensed.nodes[k]["members"]) for k in order]
    block_of = {port: b for b, block in enumerate(blocks) for port in block}
    laws_of: list[list[int]] = [[] for _ in blocks]
    for k, entry in enumerate(entries):
        laws_of[max((block_of[port] for port, _ in entry.inputs), default=0) if blocks else 0].append(k)
    direct = [int(len(block) == 1 and not graph.has_edge(block[0], block[0])) for block in blocks]
    return blocks, laws_of, direct
