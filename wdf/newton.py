"""Straight-line source for a tree whose root needs Newton: the waves of `wdf.emitted` around the unrolled ports of the nodal engine.

The rows before the root and behind it become local variables and sums; between them stand the laws, the Jacobian and the elimination that
`circuits.nodal.emitted` writes for the same ports. A sample whose plain Newton does not converge is left to the table kernel.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from circuits.nodal.emitted import write_block, write_tail
from circuits.nodal.source_text import Scalars, Text
from wdf.program import Program
from wdf.roots import Root


def source(program: Program, root: Root) -> str:
    """Text of the module; equal for all control positions of a circuit as long as its structure stays."""
    arrays, n_columns = program.arrays, program.arrays.n_columns
    ports = Text(SimpleNamespace(arrays=root.arrays, ports=root.ports, block_sizes=root.block_sizes, patterns=(
        np.zeros((0, arrays.n_ports)), np.zeros(arrays.n_ports), root.arrays.KT != 0.0, np.zeros((n_columns, 0)))), Scalars())
    held: dict[int, None] = {}
    made = {int(k) for k in arrays.moving}

    def wave(k: int) -> str:
        """o: what a port sees; w: what a law puts out; x: every other wave."""
        if k < arrays.n_ports:
            return f"o{k}"
        if k < arrays.n_ports + n_columns:
            return f"w{k - arrays.n_ports}"
        if k not in made:
            held[k] = None
        return f"x{k}"

    def total(row: int) -> str:
        text = ""
        for at in range(int(arrays.starts[row]), int(arrays.starts[row + 1])):
            factor, name = float(arrays.factors[at]), wave(int(arrays.sources[at]))
            sign = " - " if factor == -1.0 else " + "
            text += sign + (name if abs(factor) == 1.0 else f"{ports.number('factors', at)} * {name}")
        return text.removeprefix(" + ").replace(" - ", "-", 1) if text.startswith(" - ") else text.removeprefix(" + ") or "0.0"

    ports.head += [f"    q{k} = motion.q[{k}]\n    p{k} = motion.p[{k}]" for k in range(arrays.n_ports)]
    ports.head += [f"    w{c} = motion.w[{c}]" for c in range(n_columns)]
    ports.head += [f"    c{c} = motion.charge[{c}]" for c in np.flatnonzero(root.arrays.charge)]
    ports.say("for n in range(first, last):")
    ports.depth += 1
    for j, k in enumerate(arrays.moving):
        ports.say(f"x{k} = u[n, {j}]")
    states = {int(k) for k in arrays.states}
    updates: list[tuple[int, str]] = []
    for row in range(len(arrays.targets) + 1):
        if row == program.split:
            ports.say("used = 0")
            for b in range(len(root.block_sizes)):
                write_block(ports, b)
        if row == len(arrays.targets):
            break
        k, text = int(arrays.targets[row]), total(row)
        if k in states:
            updates.append((k, text))
        else:
            ports.say(f"{f'o{k}' if k < arrays.n_ports else f'x{k}'} = {text}")
            made.add(k)
    for k in range(arrays.n_outputs):
        ports.say(f"y[{k}, n] = x{arrays.first_output + k}")
    for k, text in updates:
        held[k] = None
        ports.say(f"x{k} = {text}")
    for c in np.flatnonzero(root.arrays.charge):
        ports.say(f"c{c} += (1.0 + keep) * w{c}")
    ports.say("iterations += used")
    ports.say("worst = max(worst, used)")
    head = [f"    x{k} = waves[{k}]" for k in held]
    tail = [f"    waves[{k}] = x{k}" for k, _ in updates]
    return _MODULE.format(imports=ports.import_lines(), head="\n".join(head + ports.head), body="\n".join(ports.lines), tail="\n".join([*tail, write_tail(ports)]))


_MODULE = '''"""Emitted for one structure of a wave digital tree; see wdf.newton."""
from circuits.kernels.jit import kernel
{imports}


@kernel(bare=True)
def run(factors, model, motion, waves, u, y, first, last, tolerance, tally):
    """Play samples first..last-1; returns where it stopped."""
    KT, limits, bend = model.KT, model.limits, model.bend
    constants, tape_constants, a, keep = model.laws.constants, model.laws.tape_constants, model.a, model.keep
    iterations, worst, residual = 0, 0, tally.residual[0]
    failed = False
    n = first
{head}
{body}
    tally.counts[0] += iterations
    tally.counts[1] = max(tally.counts[1], worst)
    tally.residual[0] = residual
{tail}
    return n if failed else last
'''
