"""The sample loop: port prediction, a guarded Newton on each block of ports, state update. Table-driven; the oracle of emitted kernels.

Each block starts from the previous sample's solution moved by the last Jacobian, iterates with limited steps, and if that
fails follows a path from a solution that is known (the previous ports under the source that they would solve) to the wanted one in adaptive steps.
The final Newton step is applied to the laws' outputs to first order, so that the linear network is always solved exactly.
What remains at a port is the second-order term, dq^2 / (2 bend), with the voltage over which its law bends (n Vt for a junction):
a step is the last one when that is below the tolerance, and the report calls it the residual.

References
----------
Yeh, Abel, Smith 2010, section IV; Holters, Zölzer 2011 (homotopy for the nonlinear equation of a DK model).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from circuits.kernels.dense import factor, substitute
from circuits.kernels.jit import kernel
from circuits.kernels.limits import limited
from circuits.nodal.laws import LawScratch, evaluate_laws, law_scratch
from circuits.nodal.model import DkModel

PLAIN = 24  # Newton steps before the homotopy takes over
PATH = 16  # Newton steps for each point on the homotopy's path
POINTS = 48  # points tried on the path
ROUNDING = 1e-6  # volts: an error below it that 8 steps did not halve is rounding, as where two blocking junctions share a node in the teraohms


class Motion(NamedTuple):
    """All that changes from sample to sample.

    h : (n_states,) companion states; charge : (n_columns,) those of nonlinear charges.
    q, p : (n_ports,) last solution and what it solved; w : (n_columns,).
    M : (n_blocks, size, size) factors of the last Jacobians; pivots : (n_blocks, size); ready : (n_blocks,) 1 if they are valid here, 2 in
    an emitted kernel. b : (size,) work space.
    """

    h: np.ndarray
    charge: np.ndarray
    q: np.ndarray
    p: np.ndarray
    w: np.ndarray
    M: np.ndarray
    pivots: np.ndarray
    ready: np.ndarray
    b: np.ndarray


class Scratch(NamedTuple):
    """Work space; its content has no meaning between samples."""

    out: np.ndarray
    slope: np.ndarray
    dq: np.ndarray
    target: np.ndarray
    saved: np.ndarray
    origin: np.ndarray
    kept: np.ndarray
    laws: LawScratch


class Tally(NamedTuple):
    """Counts of a call: iterations, worst iterations, bad samples (whole numbers); worst residual; indices of the first bad samples."""

    counts: np.ndarray
    residual: np.ndarray
    bad: np.ndarray


def motion(model: DkModel) -> Motion:
    """Arrays for a model, all zero."""
    arrays = model.arrays
    blocks = len(arrays.direct)
    size = max(model.block_sizes, default=1)
    n, m = len(model.ports), len(arrays.KT)
    return Motion(np.zeros(arrays.n_states), np.zeros(m), np.zeros(n), np.zeros(n), np.zeros(m), np.zeros((blocks, size, size)),
                  np.zeros((blocks, size), dtype=np.int64), np.zeros(blocks, dtype=np.int64), np.zeros(size))


def scratch(model: DkModel) -> Scratch:
    """Work space for a model."""
    arrays = model.arrays
    n = len(model.ports)
    laws = arrays.laws
    slopes = int(laws.slope_start[-1]) if len(laws.slope_start) else 0
    return Scratch(np.zeros(len(arrays.f0)), np.zeros(slopes), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(len(arrays.KT)),
                   law_scratch(laws))


def tally() -> Tally:
    """Fresh counts."""
    return Tally(np.zeros(3, dtype=np.int64), np.zeros(1), np.full(16, -1, dtype=np.int64))


@kernel(bare=True)
def _linearise(model, b, motion, scratch):
    """Evaluate the block's laws at q and set up the Jacobian's transpose I - (K dw/dq)'."""
    lo, hi = model.block_start[b], model.block_start[b + 1]
    w, M = motion.w, motion.M[b]
    for k in range(model.column_start[b], model.column_start[b + 1]):
        w[model.columns[k]] = 0.0
    laws = model.laws
    evaluate_laws(laws, model.law_start[b], model.law_start[b + 1], motion.q, model.a, motion.charge, w, scratch.slope, scratch.laws)
    n = hi - lo
    for i in range(n):
        for r in range(n):
            M[i, r] = 0.0
        M[i, i] = 1.0
    for law in range(model.law_start[b], model.law_start[b + 1]):
        s = laws.slope_start[law]
        i0, i1 = laws.input_start[law], laws.input_start[law + 1]
        for o in range(laws.output_start[law], laws.output_start[law + 1]):
            column = laws.output_column[o]
            for i in range(i0, i1):
                port = laws.input_index[i]
                g = scratch.slope[s]
                s += 1
                if port >= lo and g != 0.0:
                    for r in range(n):
                        M[port - lo, r] -= model.KT[column, lo + r] * g


@kernel(bare=True)
def _residual(model, b, motion, scratch, goal):
    """dq = goal + K w - q for the ports of a block, with the columns that the block writes."""
    lo, hi = model.block_start[b], model.block_start[b + 1]
    dq = scratch.dq
    for r in range(lo, hi):
        dq[r] = goal[r] - motion.q[r]
    for k in range(model.column_start[b], model.column_start[b + 1]):
        column = model.columns[k]
        value = motion.w[column]
        for r in range(lo, hi):
            dq[r] += model.KT[column, r] * value


@kernel(bare=True)
def _move(model, b, motion, scratch):
    """Apply dq with limits; return the largest error that is left, dq^2 / (2 bend) in volts, and whether a limit cut the step."""
    lo, hi = model.block_start[b], model.block_start[b + 1]
    largest = 0.0
    cut = False
    for r in range(lo, hi):
        step = scratch.dq[r]
        old = motion.q[r]
        new = limited(old, step, model.limits[0, r], model.limits[1, r], model.limits[2, r], model.limits[3, r], model.limits[4, r])
        if not np.isfinite(new):
            return np.inf, True
        if new != old + step:
            cut = True
        size = step * step * model.bend[r]
        if size > largest:
            largest = size
        motion.q[r] = new
    return largest, cut


@kernel(bare=True)
def _carry(model, b, motion, scratch):
    """Move the laws' outputs along the last step: w += dw/dq dq."""
    laws = model.laws
    lo = model.block_start[b]
    for law in range(model.law_start[b], model.law_start[b + 1]):
        s = laws.slope_start[law]
        for o in range(laws.output_start[law], laws.output_start[law + 1]):
            total = 0.0
            for i in range(laws.input_start[law], laws.input_start[law + 1]):
                port = laws.input_index[i]
                if port >= lo:
                    total += scratch.slope[s] * scratch.dq[port]
                s += 1
            motion.w[laws.output_column[o]] += total


@kernel(bare=True)
def _newton(model, b, motion, scratch, goal, most, tolerance):
    """Newton with limited steps; (iterations, converged, error left in volts)."""
    lo, hi = model.block_start[b], model.block_start[b + 1]
    n = hi - lo
    size, least, stuck, cut = np.inf, np.inf, 0, False
    for iteration in range(most):
        _linearise(model, b, motion, scratch)
        _residual(model, b, motion, scratch, goal)
        if n == 1:
            J = motion.M[b, 0, 0]
            if not (abs(J) > 0.0 and np.isfinite(J)):
                return iteration + 1, False, np.inf
            scratch.dq[lo] /= J
        else:
            if not factor(motion.M[b], motion.pivots[b], n):
                return iteration + 1, False, np.inf
            substitute(motion.M[b], motion.pivots[b], scratch.dq[lo:hi], n)
        size, cut = _move(model, b, motion, scratch)
        if size == np.inf:
            return iteration + 1, False, np.inf
        if size <= tolerance and not cut:
            _carry(model, b, motion, scratch)
            return iteration + 1, True, size
        if size < 0.5 * least:
            least, stuck = size, 0
        else:
            stuck += 1
    if stuck > 8 and size <= ROUNDING and not cut:
        _carry(model, b, motion, scratch)
        return most, True, size
    return most, False, size


@kernel(bare=True)
def _path(model, b, motion, scratch, goal, tolerance):
    """Homotopy from the saved ports, which solve a source of their own, to the goal; (iterations, converged, error left)."""
    lo, hi = model.block_start[b], model.block_start[b + 1]
    used = 0
    for r in range(lo, hi):
        motion.q[r] = scratch.saved[r]
    _linearise(model, b, motion, scratch)
    _residual(model, b, motion, scratch, goal)
    for r in range(lo, hi):  # origin = q - K w: the source that the saved ports solve
        scratch.origin[r] = goal[r] - scratch.dq[r]
        if not np.isfinite(scratch.origin[r]):
            return 1, False, np.inf
    done, step = 0.0, 0.25
    size = np.inf
    for _ in range(POINTS):
        share = min(1.0, done + step)
        for r in range(lo, hi):
            scratch.target[r] = scratch.origin[r] + share * (goal[r] - scratch.origin[r])
        count, good, size = _newton(model, b, motion, scratch, scratch.target, PATH, tolerance)
        used += count
        if good:
            if share >= 1.0:
                return used, True, size
            done = share
            step = 2.0 * step if count <= 6 else step
            for r in range(lo, hi):
                scratch.saved[r] = motion.q[r]
        else:
            step *= 0.3
            for r in range(lo, hi):
                motion.q[r] = scratch.saved[r]
            if step < 1e-9:
                break
    # keep the furthest point reached: finite, and told as not converged
    _linearise(model, b, motion, scratch)
    return used, False, size


@kernel(bare=True)
def solve_block(model, b, motion, scratch, tolerance):
    """Solve one block for the prediction in scratch.out; (iterations, converged, error left)."""
    lo, hi = model.block_start[b], model.block_start[b + 1]
    goal = scratch.out
    for k in range(model.earlier_start[b], model.earlier_start[b + 1]):
        column = model.earlier[k]
        value = motion.w[column]
        for r in range(lo, hi):
            goal[r] += model.KT[column, r] * value
    if model.direct[b]:
        motion.q[lo] = goal[lo]
        for k in range(model.column_start[b], model.column_start[b + 1]):
            motion.w[model.columns[k]] = 0.0
        evaluate_laws(model.laws, model.law_start[b], model.law_start[b + 1], motion.q, model.a, motion.charge, motion.w,
                      scratch.slope, scratch.laws)
        return 0, True, 0.0
    for r in range(lo, hi):
        scratch.saved[r] = motion.q[r]
    if motion.ready[b] == 1:
        # the last Jacobian is as good as one more iteration, for the price of a substitution
        for r in range(lo, hi):
            scratch.dq[r] = goal[r] - motion.p[r]
        if hi - lo == 1:
            scratch.dq[lo] /= motion.M[b, 0, 0]
        else:
            substitute(motion.M[b], motion.pivots[b], scratch.dq[lo:hi], hi - lo)
        size, _ = _move(model, b, motion, scratch)
        if size == np.inf:
            for r in range(lo, hi):
                motion.q[r] = scratch.saved[r]
    used, good, size = _newton(model, b, motion, scratch, goal, PLAIN, tolerance)
    if not good:
        more, good, size = _path(model, b, motion, scratch, goal, tolerance)
        used += more
    for r in range(lo, hi):
        motion.p[r] = goal[r]
    motion.ready[b] = 1 if good else 0
    return used, good, size


@kernel(bare=True)
def run(model, motion, scratch, u, y, first, last, tolerance, tally):
    """Process u (n_samples, n_moving) into y (n_outputs, n_samples) from sample ``first`` to before ``last``.

    Returns where it stopped: ``last``, or the first sample at which a number is not finite.
    """
    n_ports = len(motion.q)
    n_states, n_outputs = model.n_states, model.n_outputs
    out, h, w = scratch.out, motion.h, motion.w
    n_columns = len(w)
    for n in range(first, last):
        for k in range(len(out)):
            out[k] = model.f0[k]
        for j in range(n_states):
            value = h[j]
            for k in range(len(out)):
                out[k] += value * model.F[j, k]
        for j in range(u.shape[1]):
            value = u[n, j]
            if value != 0.0:
                for k in range(len(out)):
                    out[k] += value * model.F[n_states + j, k]
        used = 0
        fine = True
        for b in range(len(model.direct)):
            count, good, size = solve_block(model, b, motion, scratch, tolerance)
            used += count
            if not good:
                fine = False
            elif size > tally.residual[0]:
                tally.residual[0] = size
        for c in range(n_columns):
            value = w[c]
            if value != 0.0:
                for k in range(n_states + n_outputs):
                    out[n_ports + k] += value * model.WT[c, k]
            if model.charge[c]:
                motion.charge[c] += (1.0 + model.keep) * value
        total = 0.0
        for j in range(n_states):
            h[j] += out[n_ports + j]
            total += h[j]
        for k in range(n_outputs):
            y[k, n] = out[n_ports + n_states + k]
            total += y[k, n]
        tally.counts[0] += used
        if used > tally.counts[1]:
            tally.counts[1] = used
        if not fine:
            if tally.counts[2] < len(tally.bad):
                tally.bad[tally.counts[2]] = n
            tally.counts[2] += 1
        if not np.isfinite(total):
            return n
    return last
