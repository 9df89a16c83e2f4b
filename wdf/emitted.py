"""Straight-line source for one tree: every wave a local variable, the sums written out, numbers left as data.

The source depends on the tree's structure alone (which wave adds into which, and which factors are exactly 1 or -1), so a turned pot needs no
compiling. It is written to a file named by its content, compiled by numba and cached; it contains our identifiers and whole
numbers, never a word of a netlist. For a linear tree it computes the same sums in the same order as the table kernel in
`wdf.sweeps`, and is equal to it to the last bit. Diodes on one port become closed-form roots (`wdf.diodes`), other roots the
unrolled Newton of `wdf.newton`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.kernels import store
from circuits.nodal import transient
from wdf import newton
from wdf.diodes import Direction, pair_constants, prepared
from wdf.program import Program
from wdf.roots import Root
from wdf.tree import Tree

PREFIX = "wdf"
MOST_TERMS = 4000  # a longer source would take minutes to compile; the table kernel plays it as well


@dataclass(frozen=True, slots=True)
class ClosedRoot:
    """One port of diodes.

    Parameters
    ----------
    port : int
        Index of its open-circuit voltage.
    column, sign : int, float
        The law output that carries the whole current of the port, and its sign; the other outputs of the port stay 0.
    silent : tuple of int
        Those others.
    earlier : tuple of (int, float)
        Outputs of roots solved before that act on this port, with their K.
    resistance : float
        Ohms.
    directions : tuple of Direction
        For positive and negative voltages.
    """

    port: int
    column: int
    sign: float
    silent: tuple[int, ...]
    earlier: tuple[tuple[int, float], ...]
    resistance: float
    directions: tuple[Direction, Direction]


def closed_roots(tree: Tree, root: Root) -> tuple[ClosedRoot, ...] | None:
    """The roots of a circuit if each is one port of plain diodes; None if any needs Newton."""
    network, arrays = tree.network, root.arrays
    if len(root.outputs) != sum(len(use.outputs) for use in network.uses):
        return None  # a lent conductance is a law too
    found = []
    first = np.concatenate([[0], np.cumsum([len(use.outputs) for use in network.uses])])
    for b, size in enumerate(root.block_sizes):
        lo = int(arrays.block_start[b])
        sensed = int(root.order[lo])
        uses = [k for k, use in enumerate(network.uses) if any(port == sensed for port, _ in use.inputs)]
        if size != 1 or arrays.direct[b] or not uses:
            return None
        constants = pair_constants([network.uses[k] for k in uses], sensed)
        if constants is None:
            return None
        columns = [int(first[k]) for k in uses]
        sign = float(network.uses[uses[0]].inputs[0][1])
        resistance = -float(arrays.KT[columns[0], lo]) * sign
        if not resistance > 0.0:
            return None
        earlier = tuple((int(c), float(arrays.KT[c, lo])) for c in arrays.earlier[arrays.earlier_start[b]:arrays.earlier_start[b + 1]])
        found.append(ClosedRoot(lo, columns[0], sign, tuple(columns[1:]), earlier, resistance, prepared(resistance, constants)))
    silent = {column for one in found for column in one.silent}
    return tuple(ClosedRoot(one.port, one.column, one.sign, one.silent, tuple(item for item in one.earlier if item[0] not in silent),
                            one.resistance, one.directions) for one in found)


def source(program: Program, roots: tuple[ClosedRoot, ...]) -> str:
    """Text of the module for a tree whose roots are linear or closed."""
    arrays = program.arrays
    silent = {arrays.n_ports + column for one in roots for column in one.silent}
    lines: list[str] = []
    head: list[str] = []
    held: dict[int, None] = {}  # waves that come from before the call: states and constants
    made = {int(k) for k in arrays.moving}
    body: list[str] = []

    def wave(k: int) -> str:
        if k not in made:
            held[k] = None
        return f"w{k}"

    def total(terms) -> str:
        text = ""
        for at, factor, k in terms:
            if k in silent:
                continue
            sign = "-" if factor == -1.0 else "+"
            product = wave(k) if abs(factor) == 1.0 else f"f{at} * {wave(k)}"
            if abs(factor) != 1.0:
                head.append(f"    f{at} = factors[{at}]")
            text += f" {sign} {product}" if text else (f"-{product}" if sign == "-" else product)
        return text or "0.0"

    states = {int(k) for k in arrays.states}
    updates: list[tuple[int, str]] = []
    for row, (target, _) in enumerate(program.rows):
        if row == program.split:
            _closed(roots, arrays.n_ports, head, body, made)
        start, stop = int(arrays.starts[row]), int(arrays.starts[row + 1])
        text = total([(k, float(arrays.factors[k]), int(arrays.sources[k])) for k in range(start, stop)])
        k = int(arrays.targets[row])
        if k in states:
            updates.append((k, text))  # every state still holds its old value while the others are computed
        else:
            body.append(f"w{k} = {text}")
            made.add(k)
    if program.split == len(program.rows):
        _closed(roots, arrays.n_ports, head, body, made)
    for k, _ in updates:
        held[k] = None
    body += [f"y[{k}, n] = w{arrays.first_output + k}" for k in range(arrays.n_outputs)]
    body += [f"w{k} = {text}" for k, text in updates]
    lines += [f"    w{k} = w[{k}]" for k in held]
    lines += list(dict.fromkeys(head))
    lines.append("    for n in range(u.shape[0]):")
    lines += [f"        w{k} = u[n, {j}]" for j, k in enumerate(arrays.moving)]
    lines += ["        " + line for line in body]
    lines += [f"    w[{k}] = w{k}" for k, _ in updates]
    return _MODULE + "\n".join(lines) + "\n"


def _closed(roots, n_ports: int, head: list[str], body: list[str], made: set[int]) -> None:
    for j, one in enumerate(roots):
        head += [f"    up{j} = directions[{2 * j}]", f"    down{j} = directions[{2 * j + 1}]", f"    g{j} = conductances[{j}]"]
        earlier = "".join(f" + k{j}_{i} * w{n_ports + column}" for i, (column, _) in enumerate(one.earlier))
        head += [f"    k{j}_{i} = couplings[{j}, {i}]" for i in range(len(one.earlier))]
        body.append(f"e{j} = w{one.port}{earlier}")
        body.append(f"w{n_ports + one.column} = {'' if one.sign > 0 else '-'}((e{j} - pair_voltage(e{j}, up{j}, down{j}, fast)) * g{j})")
        made.add(n_ports + one.column)


_MODULE = '''"""Emitted for one structure of a wave digital tree; see wdf.emitted."""
from circuits.kernels.jit import kernel
from wdf.diodes import pair_voltage


@kernel
def run(factors, directions, conductances, couplings, fast, w, u, y):
    """Play u (n_samples, n_moving) into y (n_outputs, n_samples)."""
'''


class Closed:
    """The emitted kernel of a tree whose roots are linear or closed, with its numbers."""

    def __init__(self, program: Program, roots: tuple[ClosedRoot, ...]):
        self.text = source(program, roots)
        self.run = store.loaded(store.written(PREFIX, self.text)).run
        self._take(program, roots)
        arrays = program.arrays
        # compile now, not in the first block of a live host
        self.play(np.zeros(len(program.index)), np.zeros((0, len(arrays.moving))), np.zeros((arrays.n_outputs, 0)), False)

    def _take(self, program: Program, roots: tuple[ClosedRoot, ...]) -> None:
        self.factors = program.arrays.factors
        none = prepared(1.0, (0.0, 1.0, 0.0, 1.0))
        self.directions = tuple(d for one in roots for d in one.directions) or none
        self.conductances = np.array([1.0 / one.resistance for one in roots] or [0.0])
        most = max([len(one.earlier) for one in roots], default=0)
        self.couplings = np.zeros((max(len(roots), 1), max(most, 1)))
        for j, one in enumerate(roots):
            for i, (_, value) in enumerate(one.earlier):
                self.couplings[j, i] = value

    def adopt(self, tree: Tree, program: Program, root: Root) -> bool:
        """Take the numbers of another position of the same structure; False if its roots are not closed."""
        roots = closed_roots(tree, root)
        if roots is None:
            return False
        self._take(program, roots)
        return True

    def play(self, w: np.ndarray, u: np.ndarray, y: np.ndarray, fast: bool) -> None:
        """Play a block; ``w`` holds states and constants and receives the new states."""
        self.run(self.factors, self.directions, self.conductances, self.couplings, int(fast), w, u, y)


class Iterated:
    """The emitted kernel of a tree whose roots need Newton."""

    def __init__(self, text: str, program: Program, root: Root, motion: transient.Motion):
        self.text = text
        path = store.written(PREFIX, text)
        self.run = store.loaded(path).run
        self.factors, self.model = program.arrays.factors, root.arrays
        nothing = np.zeros((0, len(program.arrays.moving))), np.zeros((program.arrays.n_outputs, 0))
        self.play(motion, np.zeros(len(program.index)), *nothing, 0, 0, 1.0, transient.tally())
        store.mark(path)

    def adopt(self, tree: Tree, program: Program, root: Root) -> bool:
        """Take the numbers of another position of the same structure."""
        self.factors, self.model = program.arrays.factors, root.arrays
        return True

    def play(self, motion: transient.Motion, w: np.ndarray, u: np.ndarray, y: np.ndarray, first: int, last: int, tolerance: float, tally) -> int:
        """Play samples first..last-1; returns ``last``, or the sample whose plain Newton did not converge."""
        return self.run(self.factors, self.model, motion, w, u, y, first, last, tolerance, tally)


def emit(tree: Tree, program: Program, root: Root, motion: transient.Motion, compile: bool) -> Closed | Iterated | None:
    """The emitted kernel of a tree.

    Parameters
    ----------
    tree, program, root
        What `wdf.processor` holds.
    motion : Motion
        Arrays of the root's form; their content is not used.
    compile : bool
        Compile a kernel with Newton even if that takes seconds; closed ones take a second at most and always are.

    Returns
    -------
    Closed, Iterated or None
        None if the table kernel should play: Newton not compiled before, or a source that would be too long.
    """
    if len(program.arrays.factors) > MOST_TERMS:
        return None
    roots = closed_roots(tree, root)
    if roots is not None:
        return Closed(program, roots)
    text = newton.source(program, root)
    return Iterated(text, program, root, motion) if compile or store.is_compiled(store.path_of(PREFIX, text)) else None
