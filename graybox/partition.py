"""The route for filters of low order: linear approximation, rational fit, every division of its poles and zeros, descent.

The best divisions race: each descends by a few steps, since the winner by least squares is rarely the winner after them, and of
each round only the better part goes on, to more steps, longer stretches and in the end all samples.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Callable

import numpy as np

from circuits.errors import FitError
from graybox.allocate import cascade_of, divisions, groups, regrid
from graybox.blocks import Block
from graybox.chain import Static
from graybox.identify import RationalFilter, linear_approximation, rational_fit
from graybox.optimise import Descent, Recording, esr, levenberg_marquardt

_log = logging.getLogger(__name__)
CELLS = 24  # of the final spline: 27 coefficients


def refined_filter(x, y, sample_rate: float, zeros: int, poles: int) -> RationalFilter:
    """Rational filter by Sanathanan-Koerner from the Welch estimate, then by output-error descent in the time domain."""
    segment = int(min(1024, len(x) // 8))
    bla = linear_approximation(x, y, sample_rate, segment=segment)
    start = rational_fit(bla.frequencies, bla.response, sample_rate, zeros, poles,
                         weight=1.0 / np.maximum(bla.deviation, 1e-9 * np.abs(bla.response).max()))
    zero_groups, pole_groups = groups(start.zeros), groups(start.poles)
    sections = (max(zeros, poles) + 1) // 2
    linear = replace(cascade_of(zero_groups, pole_groups, sections), gain=start.gain, fixed=("b0",))
    pair = Recording(x, y - y.mean(), skip=min(1000, len(x) // 10))
    block = Block((linear,), sample_rate)
    descent = levenberg_marquardt(block, [pair], iterations=20, tolerance=1e-5)
    b, a = descent.block.stages[0].polynomials
    z = np.concatenate([np.roots(row) for row in b])
    p = np.concatenate([np.roots(row) for row in a])
    return RationalFilter(z[np.abs(z) > 1e-9], p[np.abs(p) > 1e-9], descent.block.stages[0].gain)


def widened(block: Block, x, cells: int) -> Block:
    """The block with its spline laid out anew over what its input reaches, but for the outermost 1 in 2,000 samples.

    Rare peaks lie on the straight continuation: cells that only a few samples reach would be free to run away.
    """
    front, static = block.stages[0], block.stages[1]
    u = front.run(x, front.rest())[len(x) // 20:]
    low, high = np.quantile(u, [5e-4, 1.0 - 5e-4])
    curve = regrid(static.curve, float(low), float(high), cells)
    return replace(block, stages=(front.pivoted(), Static(curve)) + tuple(stage.pivoted() for stage in block.stages[2:]))


def wiener_hammerstein_starts(x, y, sample_rate: float, rng: np.random.Generator, *, zeros: int, poles: int,
                              front_sections: int, back_sections: int, keep: int = 16) -> list[tuple[float, Block, Recording]]:
    """Blocks filter, spline, filter from the best divisions, each after four steps on 10,000 samples; best first.

    Returns
    -------
    list of (float, Block, Recording)
        Loss (ESR on the stretch), block, and the stretch that it was fitted to.
    """
    count = min(len(x), 30_000)
    begin = int(rng.integers(0, len(x) - count + 1))
    rational = refined_filter(x[begin:begin + count], y[begin:begin + count], sample_rate, zeros, poles)
    short, middle = min(6_000, len(x)), min(10_000, len(x))
    at = int(rng.integers(0, len(x) - middle + 1))
    skip = min(1000, middle // 8)
    candidates = divisions(rational, x[at:at + short], y[at:at + short], front_sections=front_sections,
                           back_sections=back_sections, skip=skip // 2)
    pair = Recording(x[at:at + middle], y[at:at + middle], skip=skip)
    blocks = [widened(Block((division.front, Static(division.curve), division.back), sample_rate), pair.x, CELLS)
              for division in candidates[:keep]]
    return raced([(0.0, block, pair) for block in blocks], iterations=4)


def raced(starts: list[tuple[float, Block, Recording]], *, iterations: int) -> list[tuple[float, Block, Recording]]:
    """The starts after so many steps each on their stretches, best first; those that diverge are left out.

    Raises
    ------
    FitError
        If none is left.
    """
    found = []
    for _, block, pair in starts:
        try:
            descent = levenberg_marquardt(block, [pair], iterations=iterations, tolerance=1e-4)
        except FitError as error:  # this division diverges from its start; others go on
            _log.debug("division dropped: %s", error)
            continue
        found.append((descent.loss, descent.block, pair))
    if not found:
        raise FitError("no division of the poles and zeros can be followed",
                       mend="Ask for another structure or more sections.")
    return sorted(found, key=lambda start: start[0])


def fit_partitioned(train: Recording, hold: Recording, sample_rate: float, rng: np.random.Generator, *,
                    orders=((6, 2, 2), (8, 2, 3), (8, 3, 2)), finalists: int = 6, say: Callable[[str], None] = lambda text: None,
                    on_step=None, seconds: float = np.inf) -> tuple[Descent, list[tuple[str, int, float]]]:
    """Fit filter, spline, filter by division of poles and zeros.

    Parameters
    ----------
    orders : sequence of (int, int, int)
        Poles (and zeros) of the linear approximation, sections before and behind the curve.
    finalists : int
        How many go on to 30,000 samples, over all orders.

    Returns
    -------
    Descent
        The winner by held-out error, on all samples.
    list of (str, int, float)
        What was tried: name, numbers, held-out ESR.
    """
    x, y = train.x, train.y
    starts, tried = [], []
    for order, front, back in orders:
        say(f"dividing {order} poles into {front} + {back} sections")
        try:
            starts += wiener_hammerstein_starts(x, y, sample_rate, rng, zeros=order, poles=order,
                                                front_sections=front, back_sections=back)
        except FitError as error:
            tried.append((f"division of {order} poles: {error}", 0, float("nan")))
    if not starts:
        raise FitError("no division of poles and zeros works for this pair", mend="Ask for the structure 'auto'.")
    starts.sort(key=lambda start: start[0])
    say(f"{len(starts)} divisions race")
    starts = raced(starts[:3 * finalists], iterations=5)
    count = min(len(x), 30_000)
    stretch = Recording(x[:count], y[:count], skip=train.skip)
    middle = []
    for i, (_, block, _) in enumerate(starts[:finalists]):
        say(f"finalist {i + 1} of {min(finalists, len(starts))}")
        descent = levenberg_marquardt(widened(block, x, CELLS), [stretch], iterations=12, tolerance=3e-4)
        held = esr(descent.block, [hold])
        tried.append((f"filter, spline, filter, candidate {i + 1}", descent.block.n_parameters, held))
        middle.append((held, descent.block))
    middle.sort(key=lambda pair: pair[0])
    say("all samples")
    last = [levenberg_marquardt(block, [train], [hold], iterations=20, tolerance=1e-4, seconds=seconds, on_step=on_step)
            for _, block in middle[:3]]
    return min(last, key=lambda descent: descent.held_out), tried
