"""A tree as a list of sums: which wave is computed from which others, in what order, with every name turned into an index.

One flat array holds all waves of a sample. The rows before the root run from the leaves to the voltages that the laws see,
those behind it from the laws' currents down to the next state of every leaf. What nobody needs is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wdf.network import REACTIVE, Network
from wdf.tree import Tree

Terms = tuple[tuple[str, float], ...]


class ProgramArrays(NamedTuple):
    """What the sample loop reads.

    starts : (n_rows + 1,), targets : (n_rows,), sources and factors : flat, one entry a term.
    split : rows before the root. moving : (n_moving,) index of each source that changes with time.
    n_ports, n_columns : sensed quantities at index 0, outputs of laws behind them. first_output, n_outputs : where the outputs lie.
    states : (n_states,) indices of the incident waves of leaves.
    """

    starts: np.ndarray
    targets: np.ndarray
    sources: np.ndarray
    factors: np.ndarray
    split: int
    moving: np.ndarray
    n_ports: int
    n_columns: int
    first_output: int
    n_outputs: int
    states: np.ndarray


@dataclass(frozen=True, slots=True)
class Program:
    """The sums of a tree.

    Parameters
    ----------
    rows : tuple of (target, terms)
        In order; those before ``split`` come before the root.
    split : int
    index : mapping
        Name of a wave to its place in the array.
    moving : tuple of str
        Names of the sources that change with time, the audio first.
    states : tuple of str
        Edges whose wave is a state.
    constants : ndarray, shape (n_waves,)
        Values of constant sources, 0 elsewhere.
    arrays : ProgramArrays
    """

    rows: tuple[tuple[str, Terms], ...]
    split: int
    index: dict[str, int]
    moving: tuple[str, ...]
    states: tuple[str, ...]
    constants: np.ndarray
    arrays: ProgramArrays

    def same_rows(self, other: "Program") -> bool:
        """True if two programs differ in factors only."""
        a, b = self.arrays, other.arrays
        pairs = [(a.starts, b.starts), (a.targets, b.targets), (a.sources, b.sources), (a.moving, b.moving), (a.states, b.states)]
        return self.split == other.split and all(np.array_equal(x, y) for x, y in pairs)

    def same_pattern(self, other: "Program") -> bool:
        """True if two programs differ in factors only, and in none that is exactly 1 or -1."""
        a, b = self.arrays, other.arrays
        if not self.same_rows(other):
            return False
        return all(np.array_equal(a.factors == unit, b.factors == unit) for unit in (1.0, -1.0))


def moving_sources(network: Network) -> tuple[str, ...]:
    """Sources that change with time, the audio first."""
    return tuple(name for kind in ("audio", "waveform", "time") for name, source in network.sources.items() if source.kind == kind)


def compile_rows(tree: Tree, order: np.ndarray, outputs: tuple[str, ...]) -> Program:
    """Lay a tree out as rows.

    Parameters
    ----------
    tree : Tree
    order : ndarray
        ``order[k]`` is the sensed quantity that stands at port k of the root solver.
    outputs : tuple of str
        Name of each output of the root solver.
    """
    network = tree.network
    states = tuple(name for name, edge in network.edges.items() if edge.role in REACTIVE)
    place = {int(k): port for port, k in enumerate(order)}

    def port(name: str) -> str:
        return f"p:{place[int(name[2:])]}" if name.startswith("p:") else name

    before = [(port(target), terms) for adaptor in tree.adaptors for target, terms in adaptor.up]
    for k, sensed in enumerate(network.sensed):
        if sensed.quantity == "source":
            before.append((f"p:{place[k]}", {f"s:{sensed.edge}": sensed.factor} if sensed.edge else {}))
    after = [row for adaptor in reversed(tree.adaptors) for row in adaptor.down]
    for k, (plus, minus) in enumerate(network.outputs):
        after.append((f"o:{k}", tree.voltage(plus, minus)))
    for name in states:
        capacitor = network.edges[name].role == "capacitor"
        if tree.rule == "trapezoidal":
            after.append((f"a:{name}", {f"b:{name}": 1.0 if capacitor else -1.0}))
        else:  # backward Euler: the voltage of a capacitor, minus R times the current of an inductor
            after.append((f"a:{name}", {f"a:{name}": 0.5, f"b:{name}": 0.5 if capacitor else -0.5}))
    rows = [(target, tuple((name, float(f)) for name, f in terms.items() if f != 0.0)) for target, terms in before + after]
    wanted = {f"o:{k}" for k in range(len(network.outputs))} | {f"a:{name}" for name in states} | {f"p:{k}" for k in range(len(order))}
    kept: list[tuple[str, Terms]] = []
    split = 0
    for k in range(len(rows) - 1, -1, -1):
        target, terms = rows[k]
        if target in wanted:
            wanted.update(name for name, _ in terms)
            kept.append(rows[k])
            split += k < len(before)
    kept.reverse()
    return _indexed(tuple(kept), split, network, states, len(order), outputs)


def _indexed(rows, split: int, network: Network, states: tuple[str, ...], n_ports: int, outputs: tuple[str, ...]) -> Program:
    n_columns = len(outputs)
    names = [f"p:{k}" for k in range(n_ports)] + list(outputs)
    names += [f"o:{k}" for k in range(len(network.outputs))]
    names += [f"s:{name}" for name in network.sources] + [f"a:{name}" for name in states]
    index = {name: k for k, name in enumerate(names)}
    for target, terms in rows:
        for name in (target, *(name for name, _ in terms)):
            index.setdefault(name, len(index))
    constants = np.zeros(len(index))
    for name, source in network.sources.items():
        if source.kind == "constant":
            constants[index[f"s:{name}"]] = source.constant
    moving = moving_sources(network)
    arrays = ProgramArrays(
        starts=np.concatenate([[0], np.cumsum([len(terms) for _, terms in rows])]).astype(np.int64),
        targets=np.array([index[target] for target, _ in rows], dtype=np.int64),
        sources=np.array([index[name] for _, terms in rows for name, _ in terms], dtype=np.int64),
        factors=np.array([f for _, terms in rows for _, f in terms], dtype=np.float64),
        split=split, moving=np.array([index[f"s:{name}"] for name in moving], dtype=np.int64), n_ports=n_ports, n_columns=n_columns,
        first_output=n_ports + n_columns, n_outputs=len(network.outputs),
        states=np.array([index[f"a:{name}"] for name in states], dtype=np.int64))
    return Program(tuple(rows), split, index, moving, states, constants, arrays)
