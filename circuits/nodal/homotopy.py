"""Ways to a solution at rest: Newton from somewhere, and homotopies (conductances that fade, sources that rise, time that runs) for where it finds none.

Each way takes a `Search`, its matrix, right side and first guess, and gives (x, q) or None; its docstring begins with its name.

References
----------
Ho, Ruehli, Brennan 1975 (the equations); Nagel: SPICE2, ERL Memo M520, 1975 (limiting, stepping);
Kelley, Keyes: Convergence analysis of pseudo-transient continuation, SIAM J. Numer. Anal. 35(2), 1998.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from circuits.kernels.compiling import interpreted
from circuits.kernels.limits import limited
from circuits.nodal.equations import Equations
from circuits.nodal.evaluation import Evaluation
from circuits.nodal.laws import law_table

GMIN = 1e-12  # siemens, SPICE's: to ground from nodes that nothing else holds at rest. Capacitors hold them in motion: what leaks there too is `PORT_LEAK`
REACH = 5.0  # volts
SUDDEN = 1e12  # 1/s: in a picosecond no capacitor of audio charges
ROUNDING = 1e-6  # volts: a step that has stopped shrinking below this is rounding, not motion

_limited = interpreted(limited)


class Search:
    """Newton at DC on the full equations; the law is linearised at limited port values, as SPICE does."""

    def __init__(self, equations: Equations, A: np.ndarray, u: np.ndarray):
        self.e = equations
        self.u = u
        self.laws = Evaluation(law_table(list(equations.entries)), len(equations.Q), equations.P.shape[1])
        self.limits = np.array([equations.limits.plus_scale, equations.limits.plus_bound, equations.limits.minus_scale,
                                equations.limits.minus_bound, equations.limits.step])
        self.A = A
        self.drive = equations.Qu @ u
        self.iterations = 0
        self.reach = np.inf  # volts: no port moves further in one step, and the others keep their proportion to it

    def newton(self, A: np.ndarray, rhs: np.ndarray, q: np.ndarray, most: int = 150):
        """(x, q) or None."""
        least, stuck = np.inf, 0
        for _ in range(most):
            self.iterations += 1
            w, slopes = self.laws.at(q)
            J = A + self.e.P @ slopes @ self.e.Q
            right = rhs - self.e.P @ (w - slopes @ (q - self.drive))
            if not (np.isfinite(J).all() and np.isfinite(right).all()):
                return None
            x = solve(J, right)
            if x is None:
                return None
            target = self.e.Q @ x + self.drive
            # what remains after this step is its square over some 50 mV: far below a picovolt
            if np.all(np.abs(target - q) <= 1e-7 + 1e-10 * np.abs(target)):
                return x, target
            # A node held by reversed junctions behind a fraction of an ohm is known to some 1e-8 V at best: no step gets smaller there.
            size = np.max(np.abs(target - q) / (1.0 + np.abs(target)))
            least, stuck = (size, 0) if size < 0.5 * least else (least, stuck + 1)
            if stuck > 8 and size < ROUNDING:
                return x, target
            move = target - q
            furthest = np.max(np.abs(move))
            if furthest > self.reach:
                move *= self.reach / furthest
            limits = self.limits.copy()
            limits[4] = np.where(limits[4] > 0.0, np.maximum(limits[4], np.abs(q)), 0.0)  # a gate on its way to 300 V may double each step
            q = np.array([_limited(*port) for port in zip(q.tolist(), move.tolist(), *limits.tolist())])
        return None


def solve(A: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """Solve with rows and columns scaled to 1; None if singular."""
    rows = np.abs(A).max(axis=1, initial=0.0)
    if not rows.all():
        return None
    scaled = A / rows[:, None]
    columns = np.abs(scaled).max(axis=0)
    if not columns.all():
        return None
    lu, pivots, info = linalg.lapack.dgetrf(scaled / columns)
    if info != 0:
        return None
    x, _ = linalg.lapack.dgetrs(lu, pivots, b / rows)
    x = x / columns
    return x if np.isfinite(x).all() else None


def _held(search: Search, A: np.ndarray, siemens: float) -> np.ndarray:
    """A with a conductance from every node to ground."""
    held = A.copy()
    nodes = np.arange(search.e.n_nodes)
    held[nodes, nodes] += siemens
    return held


def _settled(search: Search, A: np.ndarray, rhs: np.ndarray, C: np.ndarray, fastest: float, begin: float, end: float):
    """Time runs from zero for what C stores, by the backward rule in steps of 1 / a that grow from ``begin`` to ``end`` (1/s); None if ``fastest`` is too slow."""
    x, q, a = np.zeros(len(A)), np.zeros(len(search.e.Q)), begin
    for _ in range(600):
        found = search.newton(A + a * C, rhs + a * (C @ x), q, 40)
        if found is None:
            a *= 4.0
            if a > fastest:
                return None
            continue
        x, q = found
        if a < end:
            break
        a *= 0.6
    return search.newton(A, rhs, q)


def plain(search, A, rhs, q):
    """newton: from where we are."""
    return search.newton(A, rhs, q)


def linear(search, A, rhs, q):
    """newton from the linear part: where the circuit would rest without its nonlinear parts, junctions no further than they can conduct."""
    x = solve(_held(search, A, 1e-9), rhs)
    if x is None or not len(q):
        return None
    limits = search.limits
    q = search.e.Q @ x + search.drive
    q = np.where((limits[0] > 0.0) & (q > limits[1]), limits[1], q)
    q = np.where((limits[2] > 0.0) & (-q > limits[3]), -limits[3], q)
    return search.newton(A, rhs, q)


def gmin(search, A, rhs, q, most=60):
    """gmin stepping: every node held to ground by a conductance that fades."""
    q = np.zeros_like(q)
    g, factor = 1e-2, 10.0
    good = None
    for _ in range(120):
        found = search.newton(_held(search, A, g), rhs, q, most)
        if found is not None:
            q, good = found[1], g
            if g < 1e-14:
                return search.newton(A, rhs, q) or leaking(search, A, rhs, q)
            factor = min(factor * 1.5, 10.0)
        elif good is None:
            g *= 10.0
            if g > 1e3:
                return None
            continue
        else:
            factor = factor**0.5
            if factor < 1.0005:
                return leaking(search, A, rhs, q) if good <= 10.0 * GMIN else None
        g = good / factor
    return None


def leaking(search, A, rhs, q):
    """The rest with the leak of SPICE's GMIN at every node: what a tube that is cut off or an unloaded winding leaves open is settled by it."""
    return search.newton(_held(search, A, GMIN), rhs, q)


def short_steps(search, A, rhs, q):
    """short steps: gmin stepping, then source stepping, where no port may move by more than some volts: for formulas that are only sane near a sane point."""
    search.reach = REACH
    try:
        return gmin(search, A, rhs, q, 250) or sources(search, A, rhs, q, 250)
    finally:
        search.reach = np.inf


def switched_on(search, A, rhs, q):
    """switched on: the supplies come on at once and the circuit's own capacitors and coils charge, by the backward rule with growing steps, until all stands."""
    return _settled(search, A, rhs, search.e.T @ search.e.M @ search.e.R, SUDDEN, SUDDEN, 1e-6)


def from_zero(search, A, rhs, q, held):
    """none found, from zero: every capacitor and coil stands at what it is held at, or empty, as with SPICE's uic.

    ``held`` are volts and amperes of what stores charge and flux, shape (n_states,). What ``.ic`` forces is forced more than that.
    """
    e = search.e
    A, rhs = A + SUDDEN * (e.T @ e.M @ e.R), rhs + SUDDEN * (e.T @ (e.M @ held))
    for node, volts in e.forced:
        A[node, node] += SUDDEN
        rhs[node] += SUDDEN * volts
    return search.newton(A, rhs, np.zeros_like(q), 250)


def sources(search, A, rhs, q, most=60):
    """source stepping: all supplies rise together from zero."""
    q = np.zeros_like(q)
    done, step = 0.0, 0.1
    drive = search.drive
    try:
        for _ in range(400):
            share = min(1.0, done + step)
            search.drive = drive * share
            found = search.newton(A, rhs * share, q, most)
            if found is not None:
                q, done = found[1], share
                if done >= 1.0:
                    return found
                step = min(2.0 * step, 0.2)
            else:
                step *= 0.25
                if step < 1e-7:
                    return None
    finally:
        search.drive = drive
    return None


def pseudo_time(search, A, rhs, q):
    """pseudo-time: every node carries a capacitor, and time runs with growing steps until nothing moves."""
    return _settled(search, A, rhs, _held(search, np.zeros_like(A), 1.0), 1e9, 1.0, 1e-13)


WAYS = (plain, linear, gmin, sources, pseudo_time, short_steps, switched_on)
