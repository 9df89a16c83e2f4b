"""The sample loop of a tree: waves up to the root, the root's laws, waves down to the leaves. Table-driven; the oracle of emitted code."""

from __future__ import annotations

import numpy as np

from circuits.kernels.jit import kernel
from wdf.roots import solve_roots


@kernel(bare=True)
def sweep(program, first, last, w):
    """Compute rows first..last-1 in order."""
    for row in range(first, last):
        start, stop = program.starts[row], program.starts[row + 1]
        total = 0.0
        if stop > start:
            total = program.factors[start] * w[program.sources[start]]
            for k in range(start + 1, stop):
                total += program.factors[k] * w[program.sources[k]]
        w[program.targets[row]] = total


@kernel
def run(program, model, motion, scratch, w, u, y, first, last, tolerance, tally):
    """Process samples first..last-1 of u (n_samples, n_moving) into y (n_outputs, n_samples); returns where a number is not finite, else last."""
    n_rows = len(program.targets)
    for n in range(first, last):
        for k in range(u.shape[1]):
            w[program.moving[k]] = u[n, k]
        sweep(program, 0, program.split, w)
        if program.n_ports > 0:
            for k in range(program.n_ports):
                scratch.out[k] = w[k]
            fine = solve_roots(model, motion, scratch, tolerance, tally)
            for k in range(program.n_columns):
                w[program.n_ports + k] = motion.w[k]
            if not fine:
                if tally.counts[2] < len(tally.bad):
                    tally.bad[tally.counts[2]] = n
                tally.counts[2] += 1
        sweep(program, program.split, n_rows, w)
        total = 0.0
        for k in range(program.n_outputs):
            y[k, n] = w[program.first_output + k]
            total += y[k, n]
        for k in range(len(program.states)):
            total += w[program.states[k]]
        if not np.isfinite(total):
            return n
    return last
