"""Which poles and zeros stand before the curve, which behind it? All ways are tried, and the best are refined.

The best linear approximation of a Wiener-Hammerstein system is the product of its two filters (Bussgang), so its poles
and zeros only need to be divided. For each division the curve is a linear least-squares problem.

References
----------
Schoukens and Tiels, "Identification of block-oriented nonlinear systems starting from linear approximations: a survey",
Automatica 85, 2017, section 6. Sjöberg and Schoukens, "Initializing Wiener-Hammerstein models based on partitioning of
the best linear approximation", Automatica 48(2), 2012.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from circuits.errors import FitError
from graybox import recursions
from graybox.curves import Spline
from graybox.filters import Cascade
from graybox.identify import RationalFilter

MOST = 4096  # divisions tried at most; more groups than that are refused


def groups(roots: np.ndarray) -> list[np.ndarray]:
    """Conjugate pairs together; real roots alone, but joined in pairs while there are more than two."""
    roots = np.asarray(roots, dtype=complex)
    upper = roots[roots.imag > 1e-9]
    real = np.sort(roots[np.abs(roots.imag) <= 1e-9].real)
    found = [np.array([r, np.conj(r)]) for r in sorted(upper, key=lambda r: -abs(r))]
    return found + [np.array([r + 0j]) for r in real]


def cascade_of(zero_groups, pole_groups, sections: int) -> Cascade:
    """Sections with these groups of zeros and poles; the rest of the sections start as a plain wire."""
    b = _quadratics(zero_groups, sections)
    a = _quadratics(pole_groups, sections)
    k2 = np.clip(a[:, 1], -0.99999, 0.99999)
    k1 = np.clip(a[:, 0] / (1.0 + k2), -0.999999, 0.999999)
    return Cascade(b1=tuple(b[:, 0].tolist()), b2=tuple(b[:, 1].tolist()), k1=tuple(k1.tolist()), k2=tuple(k2.tolist()))


def _quadratics(root_groups, sections: int) -> np.ndarray:
    out = [np.real(np.poly(g))[1:] for g in root_groups if len(g) == 2]
    singles = [g[0].real for g in root_groups if len(g) == 1]
    for i in range(0, len(singles), 2):
        out.append(np.concatenate([np.poly(singles[i:i + 2])[1:], [0.0]])[:2])
    if len(out) > sections:
        raise FitError(f"{len(out)} second-order sections are needed, {sections} are allowed")
    return np.array(out + [np.zeros(2)] * (sections - len(out)))


@dataclass(frozen=True, slots=True)
class Division:
    """One way to divide the filter: both halves, the curve by least squares, its error (ESR on the samples used)."""

    front: Cascade
    curve: Spline
    back: Cascade
    error: float


def divisions(rational: RationalFilter, x, y, *, front_sections: int, back_sections: int, cells: int = 10,
              skip: int = 500) -> list[Division]:
    """All ways to divide the poles and zeros, each with its least-squares curve, best first.

    Parameters
    ----------
    x, y : ndarray, shape (n_samples,)
        A short stretch of the recording; some thousand samples suffice.
    cells : int
        Cells of the spline.

    Raises
    ------
    FitError
        If no division fits into the sections, or there are more than 4,096 of them.
    """
    poles, zeros = groups(rational.poles), groups(rational.zeros)
    if 2 ** (len(poles) + len(zeros)) > MOST:
        raise FitError(f"{len(poles)} groups of poles and {len(zeros)} of zeros make too many divisions",
                       mend="Fit a filter of lower order.")
    found = []
    target = y[skip:] - y[skip:].mean()
    for pole_choice in itertools.product((True, False), repeat=len(poles)):
        for zero_choice in itertools.product((True, False), repeat=len(zeros)):
            try:
                front = cascade_of([g for g, c in zip(zeros, zero_choice) if c],
                                   [g for g, c in zip(poles, pole_choice) if c], front_sections)
                back = cascade_of([g for g, c in zip(zeros, zero_choice) if not c],
                                  [g for g, c in zip(poles, pole_choice) if not c], back_sections)
            except FitError:  # does not fit into so few sections: not a candidate
                continue
            u = front.run(x, front.rest())
            level = np.sqrt(np.mean(u[skip:] ** 2))
            if not (np.isfinite(level) and level > 0.0):
                continue
            u = u / level
            low, high = 1.05 * u.min(), 1.05 * u.max()
            _, _, basis = Spline(low, high, (0.0,) * (cells + 3)).jet(u)
            state = back.rest(basis.shape[1])
            recursions.push_cascade(np.zeros(len(u)), basis, basis.shape[1], 1.0, np.array(back.b0), np.array(back.b1),
                                    np.array(back.b2), np.array(back.k1), np.array(back.k2), state["w"], state["v"],
                                    state["J"], state["own"], np.empty((len(u), 1 + 5 * back_sections)))
            rows = np.hstack([basis[skip:], np.ones((len(u) - skip, 1))])
            scale = np.maximum(np.linalg.norm(rows, axis=0), 1e-12)
            rows = rows / scale
            matrix = rows.T @ rows + 1e-10 * np.eye(rows.shape[1])  # empty cells and the constant: scaled columns of norm 1
            c = np.linalg.solve(matrix, rows.T @ y[skip:])
            e = y[skip:] - rows @ c
            curve = Spline(low, high, tuple((c / scale)[:-1].tolist()))
            front = Cascade(front.b1, front.b2, front.k1, front.k2, gain=1.0 / level)
            found.append(Division(front, curve, back, float(e @ e / (target @ target))))
    if not found:
        raise FitError(f"no division of {len(poles)} groups of poles and {len(zeros)} of zeros fits into "
                       f"{front_sections} + {back_sections} sections")
    return sorted(found, key=lambda division: division.error)


def regrid(curve, low: float, high: float, cells: int) -> Spline:
    """Least-squares spline on another grid, from any curve."""
    x = np.linspace(low, high, 20 * cells)
    _, _, basis = Spline(low, high, (0.0,) * (cells + 3)).jet(x)
    c = np.linalg.lstsq(basis, curve.value(x), rcond=None)[0]
    return Spline(low, high, tuple(c.tolist()))
