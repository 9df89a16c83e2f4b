"""The nonlinear root: all laws of a circuit behind the resistive n-port that the trees present to them.

The adaptors at the roots give, for every quantity q that controls a law, the part p that the waves cause, and a matrix K for what the
laws' own outputs w add:

    q = p + K w(q)        (p: open-circuit voltages, -K: a resistance matrix, where w are currents)

which is the K-method in Kirchhoff variables at the root of a tree in waves. Ports that do not act on each other are separate roots and
are solved one after the other, each by the guarded Newton of the nodal engine.

References
----------
Werner, Nangia, Smith, Abel: Resolving wave digital filters with multiple/multiport nonlinearities, DAFx-15, 2015.
Borin, De Poli, Rocchesso: Elimination of delay-free loops in discrete-time models of nonlinear acoustic systems, IEEE Trans. SAP 8(5), 2000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.devices.law import Placed
from circuits.expressions import leaves, tape
from circuits.kernels.jit import kernel
from circuits.nodal.evaluation import Evaluation
from circuits.nodal.laws import PORT_LEAK, LINEAR, Entry, law_table
from circuits.nodal.model import ModelArrays, bend_of, blocks_of
from circuits.nodal.transient import solve_block
from wdf.adaptors import feedback
from wdf.scattering import returned
from wdf.tree import Tree


@dataclass(frozen=True, slots=True)
class Root:
    """The laws of a circuit and the matrix that couples them.

    Parameters
    ----------
    arrays : ModelArrays
        In the form of the nodal engine's solver, with no states of its own.
    ports : tuple of str
        Name of each port.
    order : ndarray
        Index into ``Network.sensed`` of each port.
    block_sizes : tuple of int
        Ports of each independent root, in the order of solution.
    charges : ndarray
        Columns of w that are charges.
    outputs : tuple of str
        Name of each column of w: "y:k" is the k-th output of a law, "g:edge" gives a lent conductance back.
    """

    arrays: ModelArrays
    ports: tuple[str, ...]
    order: np.ndarray
    block_sizes: tuple[int, ...]
    charges: np.ndarray
    outputs: tuple[str, ...]


def root_of(tree: Tree) -> Root:
    """Collect the laws of a tree with the matrix K that its roots present."""
    network = tree.network
    n_ports = len(network.sensed)
    entries, charge = [], []
    for use in network.uses:
        outputs = []
        for edge, _, is_charge in use.outputs:
            outputs.append((len(charge), 1.0, int(is_charge)))
            charge.append(int(is_charge))
        if isinstance(use.law, Placed):
            entries.append(Entry(use.name, use.law.law.code, tuple(float(c) for c in use.law.constants), use.inputs, tuple(outputs), None))
        else:
            entries.append(Entry(use.name, 0, (), use.inputs, tuple(outputs), tape(use.law, leaves(use.law))))
    outputs = [f"y:{k}" for k in range(len(charge))]
    for adaptor in tree.roots:
        for edge, siemens in adaptor.lent.items():
            # a current of -siemens * v through the port undoes the conductance that was lent to it, but for the leak
            port = next(k for k, s in enumerate(network.sensed) if s.edge == edge and s.quantity == "voltage")
            entries.append(Entry("lent conductance", LINEAR, ((PORT_LEAK - siemens) / network.sensed[port].factor,), ((port, 1.0),), ((len(charge), 1.0, 0),), None))
            outputs.append(returned(edge))
            charge.append(0)
    column = {name: k for k, name in enumerate(outputs)}
    K = np.zeros((n_ports, len(outputs)))
    for adaptor in tree.roots:
        for (port, name), value in feedback(adaptor, network).items():
            K[port, column[name]] = value
    limits = _limits(tree)
    some = K != 0.0
    blocks, laws_of, direct = blocks_of(some, tuple(entries), n_ports)
    order = np.array([port for block in blocks for port in block], dtype=np.int64)
    place = np.empty(n_ports, dtype=np.int64)
    place[order] = np.arange(n_ports)
    moved = [entries[k]._replace(inputs=tuple((int(place[i]), s) for i, s in entries[k].inputs)) for laws in laws_of for k in laws]
    K, some = K[order], some[order]
    columns = [sorted({c for k in laws for c, _, _ in entries[k].outputs}) for laws in laws_of]
    block_start = _starts(blocks)
    earlier = []
    for b in range(len(blocks)):
        before = {c for cs in columns[:b] for c in cs}
        earlier.append([c for c in sorted(before) if some[block_start[b]:block_start[b + 1], c].any()])
    a = (2.0 if tree.rule == "trapezoidal" else 1.0) * tree.sample_rate
    arrays = ModelArrays(
        F=np.zeros((0, n_ports)), f0=np.zeros(n_ports), KT=np.ascontiguousarray(K.T), WT=np.zeros((K.shape[1], 0)), laws=law_table(moved),
        block_start=block_start, law_start=_starts(laws_of), direct=np.array(direct, dtype=np.int64), column_start=_starts(columns),
        columns=_flat(columns), earlier_start=_starts(earlier), earlier=_flat(earlier), charge=np.array(charge, dtype=np.int64),
        limits=np.ascontiguousarray(limits[:, order]), bend=bend_of(limits[:, order]), a=a, keep=1.0 if tree.rule == "trapezoidal" else 0.0, n_states=0, n_outputs=0)
    names = tuple(f"{network.sensed[k].quantity} {network.sensed[k].edge}" for k in order)
    return Root(arrays, names, order, tuple(len(block) for block in blocks), np.flatnonzero(charge), tuple(outputs))


def same_form(one: Root, other: Root) -> bool:
    """True if the same straight-line code solves both roots: equal but for the numbers of K."""
    if one is other:
        return True
    pairs = [(one.arrays.KT != 0.0, other.arrays.KT != 0.0), (one.arrays.limits, other.arrays.limits), *zip(one.arrays.laws, other.arrays.laws)]
    names = ("block_start", "law_start", "direct", "column_start", "columns", "earlier_start", "earlier", "charge")
    pairs += [(getattr(one.arrays, name), getattr(other.arrays, name)) for name in names]
    return one.outputs == other.outputs and all(np.array_equal(x, y) for x, y in pairs)


def _starts(rows) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)


def _flat(rows) -> np.ndarray:
    return np.array([item for row in rows for item in row], dtype=np.int64)


def _limits(tree: Tree) -> np.ndarray:
    """Rows plus_scale, plus_bound, minus_scale, minus_bound, step; 0 means free."""
    limits = np.zeros((5, len(tree.network.sensed)))
    for use in tree.network.uses:
        if not isinstance(use.law, Placed):
            continue
        for (port, sign), limit in zip(use.inputs, use.law.limits):
            if limit.kind == 1:
                at = 0 if sign > 0 else 2
                if limits[at, port] == 0.0 or limit.bound < limits[at + 1, port]:
                    limits[at:at + 2, port] = limit.scale, limit.bound
            elif limit.kind == 2:
                limits[4, port] = limit.bound if limits[4, port] == 0.0 else min(limits[4, port], limit.bound)
    return limits


def charges_at(root: Root, q: np.ndarray) -> np.ndarray:
    """All law outputs at given ports; charges in coulombs, shape (n_columns,)."""
    return Evaluation(root.arrays.laws, len(root.ports), len(root.arrays.KT)).at(q, 1.0)[0]


@kernel(bare=True)
def solve_roots(model, motion, scratch, tolerance, tally):
    """Solve every block for the prediction in scratch.out and advance the charges; True if all converged."""
    used = 0
    fine = True
    for b in range(len(model.direct)):
        count, good, size = solve_block(model, b, motion, scratch, tolerance)
        used += count
        if not good:
            fine = False
        elif size > tally.residual[0]:
            tally.residual[0] = size
    for c in range(len(motion.w)):
        if model.charge[c]:
            motion.charge[c] += (1.0 + model.keep) * motion.w[c]
    tally.counts[0] += used
    if used > tally.counts[1]:
        tally.counts[1] = used
    return fine
