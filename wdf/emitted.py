"""Straight-line source for one tree: every wave a local variable, the sums written out, numbers left as data.

The source depends on the tree's structure alone (which wave adds into which, and which factors are exactly 1 or -1), so a turned pot needs no
compiling. It is written to a file named by its content, compiled by numba and cached; it contains our identifiers and whole
numbers, never a word of a netlist. A tree with a linear or closed root is condensed first where that saves products (`wdf.condensed`); a linear one's
samples lie within `CONDENSED` of the output's peak of those of the table kernel in `wdf.sweeps`. Diodes on one port become closed-form roots
(`wdf.diodes`, `wdf.expansions`), other roots the unrolled Newton of `wdf.newton`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.kernels import store
from circuits.nodal import transient
from wdf import newton
from wdf.condensed import condensed
from wdf.diodes import pair_constants, prepared
from wdf.expansions import NONE, TERMS, expansions
from wdf.program import Program
from wdf.roots import Root
from wdf.tree import Tree

PREFIX = "wdf"
MOST_TERMS = 4000  # a longer source would take minutes to compile; the table kernel plays it as well
CONDENSED = 1e-12  # of the output's peak: how far a linear tree's condensed map may lie from its adaptors one after the other


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
    constants : tuple of float
        (I, s, J, r) of `wdf.diodes.prepared`.
    """

    port: int
    column: int
    sign: float
    silent: tuple[int, ...]
    earlier: tuple[tuple[int, float], ...]
    resistance: float
    constants: tuple[float, float, float, float]

    @property
    def even(self) -> bool:
        """True if both polarities are alike."""
        return self.constants[:2] == self.constants[2:]


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
        found.append(ClosedRoot(lo, columns[0], sign, tuple(columns[1:]), earlier, resistance, constants))
    silent = {column for one in found for column in one.silent}
    return tuple(ClosedRoot(one.port, one.column, one.sign, one.silent, tuple(item for item in one.earlier if item[0] not in silent),
                            one.resistance, one.constants) for one in found)


def _summed(terms: list[tuple[str, int]]) -> str:
    """A sum of (text, when it is ready), each time of the two that are ready first: the shortest way from the last sample's states."""
    terms = terms or [("0.0", 0)]
    while len(terms) > 1:
        first, second, *terms = sorted(terms, key=lambda term: term[1])
        terms.append((f"({first[0]} + {second[0]})", max(first[1], second[1]) + 1))
    return terms[0][0]


def source(program: Program, roots: tuple[ClosedRoot, ...], short: bool = False) -> str:
    """Text of the module for a tree whose roots are linear or closed; with ``short``, sums in the order that takes the least time."""
    arrays = program.arrays
    states = {int(k) for k in arrays.states}
    of_root = {arrays.n_ports + one.column: j for j, one in enumerate(roots)}
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
        if short:
            products = []
            for at, factor, k in terms:
                if factor == 1.0 and k in states:
                    products.append((wave(k), 0))
                elif k not in silent:
                    head.append(f"    f{at} = factors[{at}]")
                    j = of_root.get(k)
                    if j is None:
                        products.append((f"f{at} * {wave(k)}", 1 if k in states else -9))
                    else:  # the root's current (e - v) g, so that the voltage, which comes last, has one product to go
                        head.append(f"    c{at} = f{at} * {'' if roots[j].sign > 0 else '-'}g{j}")
                        products += [(f"c{at} * e{j}", 4), (f"(-c{at}) * v{j}", 40)]
            return _summed(products)
        for at, factor, k in terms:
            if k in silent:
                continue
            sign = "-" if factor == -1.0 else "+"
            product = wave(k) if abs(factor) == 1.0 else f"f{at} * {wave(k)}"
            if abs(factor) != 1.0:
                head.append(f"    f{at} = factors[{at}]")
            text += f" {sign} {product}" if text else (f"-{product}" if sign == "-" else product)
        return text or "0.0"

    updates: list[tuple[int, str]] = []
    for row in range(len(program.rows)):
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
    body += [f"n{k} = {text}" for k, text in updates] + [f"w{k} = n{k}" for k, _ in updates]
    lines += [f"    w{k} = w[{k}]" for k in held]
    lines += list(dict.fromkeys(head))
    lines.append("    for n in range(first, u.shape[0]):")
    lines += [f"        w{k} = u[n, {j}]" for j, k in enumerate(arrays.moving)]
    lines += ["        " + line for line in body]
    lines += [f"    w[{k}] = w{k}" for k, _ in updates]
    return _MODULE + "\n".join(lines) + "\n"


def _closed(roots, n_ports: int, head: list[str], body: list[str], made: set[int]) -> None:
    for j, one in enumerate(roots):
        head += [f"    up{j} = directions[{2 * j}]", f"    down{j} = directions[{2 * j + 1}]", f"    g{j} = conductances[{j}]"]
        head += [f"    near{j} = pieces[{2 * j}]", f"    far{j} = pieces[{2 * j + 1}]"]
        nearest = f"near{j}" if one.even else f"near{j} if e{j} > 0.0 else far{j}"
        earlier = "".join(f" + k{j}_{i} * w{n_ports + column}" for i, (column, _) in enumerate(one.earlier))
        head += [f"    k{j}_{i} = couplings[{j}, {i}]" for i in range(len(one.earlier))]
        body.append(f"e{j} = w{one.port}{earlier}")
        body.append(f"v{j} = expanded_voltage(e{j}, {nearest}, up{j}, down{j}, table, fast)")
        body.append(f"w{n_ports + one.column} = {'' if one.sign > 0 else '-'}((e{j} - v{j}) * g{j})")
        made.add(n_ports + one.column)


_MODULE = '''"""Emitted for one structure of a wave digital tree; see wdf.emitted."""
from circuits.kernels.jit import kernel
from wdf.expansions import expanded_voltage


@kernel
def run(factors, directions, pieces, table, conductances, couplings, fast, w, u, y, first):
    """Play u (n_samples, n_moving) into y (n_outputs, n_samples) from a sample on."""
'''


class Closed:
    """The emitted kernel of a tree whose roots are linear or closed, with its numbers."""

    def __init__(self, program: Program, roots: tuple[ClosedRoot, ...]):
        short = condensed(program)
        self.condensed = short is not None
        self._program, self._roots = short or program, roots
        self.text = source(self._program, roots, self.condensed)
        self.run = store.loaded(store.written(PREFIX, self.text)).run
        self._take(roots)
        arrays = program.arrays
        # compile now, not in the first block of a live host
        self.play(np.zeros(len(program.index)), np.zeros((0, len(arrays.moving))), np.zeros((arrays.n_outputs, 0)), 0, False)

    def _take(self, roots: tuple[ClosedRoot, ...]) -> None:
        self.factors = self._program.arrays.factors
        self.directions = tuple(d for one in roots for d in prepared(one.resistance, one.constants)) or prepared(1.0, (0.0, 1.0, 0.0, 1.0))
        pieces, tables, rows = [], [], 0
        for one in roots:
            up, down, table = expansions(one.resistance, one.constants)
            pieces += [up._replace(first=up.first + rows), down._replace(first=down.first + rows)]
            tables.append(table)
            rows += len(table) // TERMS
        self.pieces = tuple(pieces) or (NONE, NONE)
        self.table = tables[0] if len(tables) == 1 else np.concatenate([*tables, np.zeros(0)])
        self.conductances = np.array([1.0 / one.resistance for one in roots] or [0.0])
        most = max([len(one.earlier) for one in roots], default=0)
        self.couplings = np.zeros((max(len(roots), 1), max(most, 1)))
        for j, one in enumerate(roots):
            for i, (_, value) in enumerate(one.earlier):
                self.couplings[j, i] = value

    def adopt(self, tree: Tree, program: Program, root: Root) -> bool:
        """Take the numbers of another position of the same structure; False if this code can't play them."""
        roots = closed_roots(tree, root)
        if roots is None or [one.even for one in roots] != [one.even for one in self._roots]:
            return False
        short = condensed(program)  # asked anew, so that the position decides and not the way to it
        if (short is not None) != self.condensed or short is not None and not short.same_pattern(self._program):
            return False
        self._program, self._roots = short or program, roots
        self._take(roots)
        return True

    def play(self, w: np.ndarray, u: np.ndarray, y: np.ndarray, first: int, fast: bool) -> None:
        """Play a block from a sample on; ``w`` holds states and constants and receives the new states."""
        self.run(self.factors, self.directions, self.pieces, self.table, self.conductances, self.couplings, int(fast), w, u, y, first)


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
