"""The sample loop: port prediction, a guarded Newton on each block of ports, state update. Table-driven; the oracle of emitted kernels.

Each block starts from the previous sample's solution moved by the last Jacobian and iterates with limited steps. If that does not settle within a few
steps, it goes on with steps as long as each brings the solution nearer (Deuflhard's natural monotonicity test, with the last Jacobian); and if that
fails too, it follows a path from a solution that is known (the previous ports under the source that they would solve) to the wanted one in adaptive steps.
Where the path ends at a fold, as when a comparator switches, pseudo-time (Kelley, Keyes 1998) takes the ports to where they rest again.
The final Newton step is applied to the laws' outputs to first order, so that the linear network is always solved exactly.
What remains at a port is the second-order term, dq^2 / (2 bend), with the voltage over which its law bends (n Vt for a junction):
a step is the last one when that is below the tolerance, and the report calls it the residual.

References
----------
Yeh, Abel, Smith 2010, section IV; Holters, Zölzer 2011 (homotopy for the nonlinear equation of a DK model);
Kelley, Keyes: Convergence analysis of pseudo-transient continuation, SIAM J. Numer. Anal. 35(2), 1998;
Deuflhard: Newton Methods for Nonlinear Problems, Springer 2004, section 3.3 (NLEQ-ERR: equations 3.46 to 3.49).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from circuits.kernels.jit import kernel
from circuits.nodal.laws import LawScratch, evaluate_laws, law_scratch
from circuits.nodal.model import DkModel, ModelArrays
from circuits.nodal.steps import carry, divide, jacobian, move, move_part, nearer, upright

PLAIN = 10  # Newton steps before they are damped: where a tube runs into its end, plain ones leap from one side of the knee to the other for ever
CREEPING = 24  # the same where steps still get shorter, or where junctions are: one that is held back by its limit climbs thus
DAMPED = 56  # laws evaluated on damped steps, from where Newton set out and again from where it ended, before the homotopy takes over
LEAST = 0.01  # share of a step that is taken even if it does not bring the solution nearer: a way around a bend
PATH = 16  # Newton steps for each point on the homotopy's path
POINTS = 48  # points tried on the path
ROUNDING = 1e-6  # volts: an error below it that 8 steps did not halve is rounding, as where two blocking junctions share a node in the teraohms
FALLS = 240  # steps of pseudo-time behind a fold
# What the solver of a block is at: damped Newton, plain, the path's beginning, the path, beyond its end, nothing left.
SETTLING, NEWTON, AIM, WALK, FALL, STAND = range(6)
WHOLE = True  # False in the kernel of plain steps alone, which `circuits.nodal.selected` cuts out of this one


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
    begin: np.ndarray
    step: np.ndarray
    other: np.ndarray
    laws: LawScratch


class Tally(NamedTuple):
    """Counts of a call: iterations, worst iterations, bad samples (whole numbers); worst residual; indices of the first bad samples."""

    counts: np.ndarray
    residual: np.ndarray
    bad: np.ndarray


def motion(model: DkModel) -> Motion:
    """Arrays for a model, all zero."""
    return motion_of(model.arrays)


def motion_of(arrays: ModelArrays) -> Motion:
    """Arrays for the arrays of a model, all zero."""
    blocks = len(arrays.direct)
    size = int(np.max(np.diff(arrays.block_start), initial=1))
    m, n = arrays.KT.shape
    return Motion(np.zeros(arrays.n_states), np.zeros(m), np.zeros(n), np.zeros(n), np.zeros(m), np.zeros((blocks, size, size)),
                  np.zeros((blocks, size), dtype=np.int64), np.zeros(blocks, dtype=np.int64), np.zeros(size))


def scratch(model: DkModel) -> Scratch:
    """Work space for a model."""
    return scratch_of(model.arrays)


def scratch_of(arrays: ModelArrays) -> Scratch:
    """Work space for the arrays of a model."""
    n = arrays.KT.shape[1]
    laws = arrays.laws
    slopes = int(laws.slope_start[-1]) if len(laws.slope_start) else 0
    return Scratch(np.zeros(len(arrays.f0)), np.zeros(slopes), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), law_scratch(laws))


def tally() -> Tally:
    """Fresh counts."""
    return Tally(np.zeros(3, dtype=np.int64), np.zeros(1), np.full(16, -1, dtype=np.int64))


@kernel(bare=True)
def solve_block(model, b, motion, scratch, tolerance):
    """Solve one block for the prediction in scratch.out; (iterations, converged, error left in volts).

    One loop for plain Newton and for the path behind it, so that the laws are compiled in once: they are most of the kernel.
    """
    lo, hi = model.block_start[b], model.block_start[b + 1]
    n = hi - lo
    laws, KT = model.laws, model.KT
    first, last = model.law_start[b], model.law_start[b + 1]
    s0, s1, slope = laws.slope_start[first], laws.slope_start[last], scratch.slope
    goal, target, dq, saved, origin, begin = scratch.out, scratch.target, scratch.dq, scratch.saved, scratch.origin, scratch.begin
    other = scratch.other  # a second point to set out from
    q, w, M, pivots = motion.q, motion.w, motion.M[b], motion.pivots[b]
    for k in range(model.earlier_start[b], model.earlier_start[b + 1]):
        column = model.earlier[k]
        value = w[column]
        for r in range(lo, hi):
            goal[r] += KT[column, r] * value
    direct = model.direct[b] == 1
    for r in range(lo, hi):
        saved[r] = q[r]
        target[r] = goal[r]
        if direct:
            q[r] = goal[r]
    if motion.ready[b] == 1:
        # the last Jacobian is as good as one more iteration, for the price of a substitution
        for r in range(lo, hi):
            dq[r] = goal[r] - motion.p[r]
        divide(M, pivots, dq, lo, n, 0)
        size, _ = move(q, dq, lo, hi, model.limits, model.bend)
        if size == np.inf:
            for r in range(lo, hi):
                q[r] = saved[r]
    patience = PLAIN
    for r in range(lo, hi):
        other[r] = q[r]
        if model.limits[0, r] > 0.0 or model.limits[2, r] > 0.0:
            patience = CREEPING
    stage, used, count, points, inertia = NEWTON, 0, 0, 0, 0.0
    done, step, share = 0.0, 0.25, 0.0
    good, cut, size, least, stuck = False, False, np.inf, np.inf, 0
    part, reach, again = 1.0, 0.0, False  # of a damped step, how long that is, squared, and whether they set out again
    while True:
        for k in range(model.column_start[b], model.column_start[b + 1]):
            w[model.columns[k]] = 0.0
        evaluate_laws(laws, first, last, q, model.a, motion.charge, w, slope, scratch.laws)
        if direct:
            return 0, True, 0.0
        if stage == STAND:  # the furthest point reached: finite, and told as not converged
            break
        for r in range(lo, hi):
            dq[r] = target[r] - q[r]
        for k in range(model.column_start[b], model.column_start[b + 1]):
            column = model.columns[k]
            value = w[column]
            for r in range(lo, hi):
                dq[r] += KT[column, r] * value
        walking = False  # on to another point of the path
        if stage == AIM:  # the saved ports solve a source of their own, q - K w: from there to the goal
            for r in range(lo, hi):
                origin[r] = target[r] - dq[r]
                if not np.isfinite(origin[r]):
                    points = POINTS
            stage = WALK
            walking = True
        else:
            used += 1
            count += 1
            most = DAMPED if stage == SETTLING else CREEPING if stage == NEWTON else PATH
            if reach > ROUNDING:
                for r in range(lo, hi):
                    origin[r] = dq[r]
                left, bent = nearer(M, pivots, origin, scratch.step, model.bend, lo, hi, part)
                wanted = 0.5 * part * part * np.sqrt(reach / bent) if np.isfinite(bent) else 0.0
                wanted = 0.1 * part if wanted < 0.1 * part else 0.5 * part if wanted > 0.5 * part else wanted
                less = 1.0 - 0.25 * part
                if left > less * less * reach and not (cut and left < reach) and wanted >= LEAST and count < most:
                    part = wanted
                    move_part(q, begin, scratch.step, part, lo, hi, model.limits)
                    continue
            jacobian(laws.slope_port, laws.slope_column, KT, s0, s1, lo, n, slope, M, inertia)
            failed = not divide(M, pivots, dq, lo, n, 1)
            if stage == FALL:
                # The path has ended at a fold: a comparator or a multivibrator lets go. The ports fall to where they rest again, q' = goal + K w - q, by
                # the backward rule in steps 1 / inertia, which must be short enough for motion to go where it really goes.
                if failed or not upright(M, pivots, n):
                    inertia = 10.0 * inertia + 1e-3
                else:
                    size, cut = move(q, dq, lo, hi, model.limits, model.bend)
                    if not cut and size <= tolerance and inertia == 0.0:
                        carry(laws.slope_port, laws.slope_column, s0, s1, lo, slope, dq, w)
                        good = True
                        break
                    inertia = 0.3 * inertia if inertia > 1e-6 else 0.0
                if count >= FALLS or size == np.inf or inertia > 1e12:
                    stage = STAND
                    for r in range(lo, hi):
                        q[r] = saved[r]
                continue
            if not failed:
                if stage == SETTLING:
                    for r in range(lo, hi):
                        begin[r], scratch.step[r] = q[r], dq[r]
                size, cut = move(q, dq, lo, hi, model.limits, model.bend)
                failed = size == np.inf
                if stage == NEWTON and count == 1 and motion.ready[b] != 1:  # from the last solution the first step is the move by its Jacobian
                    for r in range(lo, hi):
                        other[r] = q[r]
                least, stuck = (size, 0) if size < 0.5 * least else (least, stuck + 1)
                spent = count == most or stage == SETTLING
                settled = not cut and (size <= tolerance or (spent and stuck > 8 and size <= ROUNDING))
                if settled and stage == SETTLING and not upright(M, pivots, n):
                    failed = True  # a solution at which the ports' own motion would not rest: they are somewhere else
                elif settled:
                    carry(laws.slope_port, laws.slope_column, s0, s1, lo, slope, dq, w)
                    if stage <= NEWTON or share >= 1.0:
                        good = True
                        break
                    done = share
                    step = 2.0 * step if count <= 6 else step
                    for r in range(lo, hi):
                        saved[r] = q[r]
                    walking = True
                elif stage == SETTLING and not failed:
                    reach = size
                    part = 4.0 * part if part < 0.25 else 1.0
                    if part < 1.0:
                        move_part(q, begin, scratch.step, part, lo, hi, model.limits)
            if not walking and (failed or count >= most or (stage == NEWTON and count >= patience and stuck > 2)):
                if not WHOLE:  # the guarded kernel plays this sample, from where it began
                    for r in range(lo, hi):
                        q[r] = saved[r]
                    break
                reach, part = 0.0, 1.0
                for r in range(lo, hi):
                    ended = q[r]
                    q[r] = other[r] if stage <= NEWTON and not again else saved[r]
                    other[r] = saved[r] if failed else ended
                if stage == NEWTON:
                    stage, count, least, stuck = SETTLING, 0, np.inf, 0
                elif stage == SETTLING and not again:
                    again, count, least, stuck = True, 0, np.inf, 0
                elif stage == SETTLING:
                    stage = AIM
                    for r in range(lo, hi):
                        target[r] = goal[r]
                else:
                    step *= 0.3
                    walking = True
        if walking:
            count, least, stuck = 0, np.inf, 0
            points += 1
            if points > POINTS or step < 1e-9:
                stage = FALL
                for r in range(lo, hi):
                    target[r] = goal[r]
            else:
                share = done + step if done + step < 1.0 else 1.0
                for r in range(lo, hi):
                    target[r] = origin[r] + share * (goal[r] - origin[r])
    for r in range(lo, hi):
        motion.p[r] = goal[r]
    motion.ready[b] = 1 if good else 0
    return used, good, size


@kernel(solver=True)
def run(model, motion, scratch, course, u, y, first, last, tolerance, tally):
    """Process u (n_samples, n_moving) into y (n_outputs, n_samples) from sample ``first`` to before ``last``.

    A ``course`` is a model that moves while it plays; its rows are written into the model's arrays.

    Returns where it stopped: ``last``, or the first sample at which a number is not finite; cut to plain steps, also one that does not settle by them.
    """
    n_ports = len(motion.q)
    n_states, n_outputs = model.n_states, model.n_outputs
    out, h, w = scratch.out, motion.h, motion.w
    n_columns = len(w)
    for n in range(first, last):
        if course.every > 0 and (n - first + course.phase) % course.every == 0:
            row = (n - first + course.phase) // course.every
            for k in range(len(course.present)):
                course.present[k] = course.rows[row, k]
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
                if not WHOLE:
                    return n
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
