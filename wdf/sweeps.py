"""The sample loop of a tree: waves up to the root, the root's laws, waves down to the leaves. Table-driven; the oracle of emitted code."""

from __future__ import annotations

import numpy as np

from circuits.kernels.jit import kernel
from circuits.nodal.knots import weights
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


@kernel(bare=True)
def sample(program, model, motion, scratch, w, u, y, n, tolerance, tally):
    """One sample; True if all that it left is finite."""
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
    sweep(program, program.split, len(program.targets), w)
    total = 0.0
    for k in range(program.n_outputs):
        y[k, n] = w[program.first_output + k]
        total += y[k, n]
    for k in range(len(program.states)):
        total += w[program.states[k]]
    return np.isfinite(total)


@kernel
def run(program, model, motion, scratch, w, u, y, first, last, tolerance, tally):
    """Process samples first..last-1 of u (n_samples, n_moving) into y (n_outputs, n_samples); returns where a number is not finite, else last."""
    for n in range(first, last):
        if not sample(program, model, motion, scratch, w, u, y, n, tolerance, tally):
            return n
    return last


@kernel
def glide(program, model, motion, scratch, w, u, y, first, last, tolerance, tally, stretch, within, every, length):
    """As `run`, with factors and K on their way.

    ``stretch`` : (3, n_factors + n_columns n_ports), the numbers at a knot, half way and at the next one, ``length`` samples
    later; ``within``: samples since the knot; ``every``: samples for which one value holds.
    """
    n_factors, n_columns, n_ports = len(program.factors), model.KT.shape[0], model.KT.shape[1]
    for n in range(first, last):
        if within % every == 0:
            low, half, high = weights((within + every) / length)
            for k in range(n_factors):
                program.factors[k] = low * stretch[0, k] + half * stretch[1, k] + high * stretch[2, k]
            for c in range(n_columns):
                for r in range(n_ports):
                    k = n_factors + c * n_ports + r
                    model.KT[c, r] = low * stretch[0, k] + half * stretch[1, k] + high * stretch[2, k]
        within += 1
        if not sample(program, model, motion, scratch, w, u, y, n, tolerance, tally):
            return n
    return last
