"""All adaptors of a tree as one scattering: from the incident waves of the leaves, the sources and the root straight to the next waves.

Around its root a tree is a linear map, and the product of all its adaptors (in extended precision, once) needs fewer
multiplications than the adaptors one after the other if the states are few. Each state gets its *change*, so that the map of a slow mode is
rounded to its own size. What the product can't keep is the adaptors' own virtue, that energy is kept whatever the coefficients' last bits, and
that what rests stays where it is: a tree with a mode that hardly decays stays a tree.

References
----------
Fettweis: Wave digital filters: theory and practice, Proc. IEEE 74(2), 1986, section VI (pseudopassivity under rounded coefficients).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wdf.program import Program, Terms

SLOWEST = 1e-4  # share by which every mode decays in a sample; a slower one (0.2 s at 48 kHz) would add up rounding beyond 1e-12
MOST = 10  # states
FEW = 48  # products that take no longer than the way through two or three adaptors, each of which waits for the one before
LONG = np.longdouble


def condensed(program: Program) -> Program | None:
    """The same open-circuit voltages, outputs and next states as sums of states, sources and laws' outputs alone.

    Parameters
    ----------
    program : Program
        Of a tree whose roots do not act on themselves otherwise than through the laws.

    Returns
    -------
    Program or None
        Its rows are the voltages that the laws see, the outputs, then each state as its old value plus a sum; its waves lie where those of
        ``program`` lie.
        None if there are more than `MOST` states, if the adaptors need fewer multiplications (and not just a `FEW`), or if a mode decays more slowly than `SLOWEST`.
    """
    arrays, names = program.arrays, {k: name for name, k in program.index.items()}
    if len(arrays.states) > MOST:
        return None
    states = {int(k) for k in arrays.states}
    targets = [int(k) for k in arrays.targets]
    free = sorted({int(k) for k in arrays.sources} - (set(targets) - states) | states | {int(k) for k in arrays.moving})
    place = {k: j for j, k in enumerate(free)}
    forms: dict[int, np.ndarray] = {k: np.eye(len(free), dtype=LONG)[j] for k, j in place.items()}
    touched = {k: form != 0.0 for k, form in forms.items()}  # structural: whatever the factors are
    final = dict(forms), dict(touched)
    for row, target in enumerate(targets):
        total, some = np.zeros(len(free), dtype=LONG), np.zeros(len(free), dtype=bool)
        for at in range(int(arrays.starts[row]), int(arrays.starts[row + 1])):
            source = int(arrays.sources[at])
            total = total + arrays.factors[at] * forms[source]
            some = some | touched[source]
        if target in states:  # rows of states stand last; every state keeps its old value while they are computed
            final[0][target], final[1][target] = total, some
        else:
            forms[target], touched[target] = total, some
    order = [int(k) for k in arrays.states]
    own = [place[k] for k in order]
    change = np.array([final[0][k] for k in order]).reshape(len(order), len(free))
    if len(order):
        modes = np.linalg.eigvals(change[:, own].astype(np.float64))
        if not np.abs(modes).max() < 1.0 - SLOWEST:
            return None
    rows: list[tuple[str, Terms]] = []
    for k in [*range(arrays.n_ports), *range(arrays.first_output, arrays.first_output + arrays.n_outputs)]:
        form = forms.get(k, np.zeros(len(free)))
        rows.append((names[k], tuple((names[free[j]], float(form[j])) for j in np.flatnonzero(touched.get(k, form != 0.0)))))
    for j, k in enumerate(order):
        change[j, own[j]] -= 1.0
        final[1][k][own[j]] = True
        terms = [(names[free[i]], float(change[j, i])) for i in np.flatnonzero(final[1][k])]
        rows.append((names[k], ((names[k], 1.0), *terms)))
    products = sum(len(terms) for _, terms in rows) - len(order)
    if products > FEW and products > sum(abs(f) != 1.0 for _, terms in program.rows for _, f in terms):
        return None
    flat = [(program.index[name], factor) for _, terms in rows for name, factor in terms]
    return replace(program, rows=tuple(rows), split=arrays.n_ports, arrays=arrays._replace(
        starts=np.concatenate([[0], np.cumsum([len(terms) for _, terms in rows])]).astype(np.int64),
        targets=np.array([program.index[target] for target, _ in rows], dtype=np.int64),
        sources=np.array([k for k, _ in flat], dtype=np.int64), factors=np.array([f for _, f in flat], dtype=np.float64), split=arrays.n_ports))
