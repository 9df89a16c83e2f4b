"""Where the knobs stand in each rendering of a dataset: drawn at random, spread evenly, on a grid, or read from a table.

A position is a mapping from the control's name to what its panel shows. Switches get whole positions only.

References
----------
M. D. McKay, R. J. Beckman, W. J. Conover, "A comparison of three methods for selecting values of input variables in the
    analysis of output from a computer code", Technometrics 21(2), 1979: Latin hypercube sampling.
L. Juvela et al., "End-to-end amp modeling: from data to controllable guitar amplifier models", ICASSP 2023: uniform random
    positions for every rendering.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Mapping, Sequence

import numpy as np

from circuits.controls import Control
from circuits.errors import CircuitError, Place, SignalError

SAMPLINGS = ("uniform", "latin", "grid")
MAX_POSITIONS = 1_000_000
Positions = tuple[dict[str, float], ...]


def draw_positions(controls: Sequence[Control], n: int, sampling: str, rng: np.random.Generator) -> Positions:
    """Positions for ``n`` renderings.

    Parameters
    ----------
    controls : sequence of Control
    n : int
        Renderings. A grid has the same number of steps for every continuous control, as many as fit into ``n``, and every
        position of every switch; it may come out smaller than ``n``.
    sampling : {"uniform", "latin", "grid"}
    rng : numpy.random.Generator

    Returns
    -------
    tuple of dict

    Raises
    ------
    CircuitError
        If there are no controls, ``n`` makes no sense, or the grid has no room.

    Examples
    --------
    >>> draw_positions([Control("tone")], 3, "grid", np.random.default_rng(0))
    ({'tone': 0.0}, {'tone': 0.5}, {'tone': 1.0})
    """
    if sampling not in SAMPLINGS:
        raise CircuitError(f"there is no sampling {sampling!r}", mend=f"Use one of {', '.join(SAMPLINGS)}, or a table in CSV.")
    if not 1 <= n <= MAX_POSITIONS:
        raise CircuitError(f"{n} renderings make no sense", mend=f"Give a number from 1 to {MAX_POSITIONS}.")
    if not controls:
        raise CircuitError("the model has no controls to vary", mend="Declare them with *@ control lines, or with --control NAME:MIN:MAX.")
    if sampling == "grid":
        return _grid(controls, n)
    if sampling == "uniform":
        shares = rng.random((n, len(controls)))
    else:  # each column visits each of n strata once: McKay et al. 1979, section 2.3
        strata = np.stack([rng.permutation(n) for _ in controls], axis=1)
        shares = (strata + rng.random((n, len(controls)))) / n
    return tuple({control.name: _at(control, share) for control, share in zip(controls, row)} for row in shares)


def _at(control: Control, share: float) -> float:
    span = control.maximum - control.minimum
    if control.switch:  # every position owns the same share
        return float(control.minimum + min(math.floor(share * (span + 1.0)), span))
    return float(control.minimum + share * span)


def _grid(controls: Sequence[Control], n: int) -> Positions:
    switches = math.prod(int(one.maximum - one.minimum) + 1 for one in controls if one.switch)
    knobs = sum(not one.switch for one in controls)
    steps = 0
    while knobs and switches * (steps + 1) ** knobs <= n:
        steps += 1
    if switches > n or knobs and steps < 2:
        least = switches * 2**knobs
        raise CircuitError(f"a grid of {len(controls)} controls does not fit into {n} renderings", mend=f"Give at least {least}, or another sampling.")
    axes = [np.arange(one.minimum, one.maximum + 0.5) if one.switch else np.linspace(one.minimum, one.maximum, steps) for one in controls]
    rows = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    return tuple({control.name: float(value) for control, value in zip(controls, row)} for row in rows)


def read_positions(path: str | Path, controls: Sequence[Control]) -> Positions:
    """Positions out of a CSV table whose first line names controls; controls without a column stay where they stand.

    Raises
    ------
    SignalError
        If the table can't be read, names no control, or holds something else than numbers; with line and column.
    CircuitError
        If a position is out of range.
    """
    known = {control.name: control for control in controls}
    place = Place(str(path))
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SignalError(f"the table can't be read ({' '.join(str(error).split())})", mend="Give a CSV file in UTF-8.", place=place) from error
    if len(rows) < 2:
        raise SignalError("the table holds no positions", mend="Give a line of names and at least one of numbers.", place=place)
    names = [cell.strip() for cell in rows[0]]
    for name in names:
        if name not in known or names.count(name) > 1:
            what = "stands twice" if name in known else "is no control"
            raise SignalError(f"{name!r} {what}", mend=f"Controls: {', '.join(known) or 'none'}.", place=Place(str(path), 1, names.index(name) + 1))
    found = []
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise SignalError(f"{len(row)} numbers for {len(names)} controls", mend="Give one for each.", place=Place(str(path), line))
        position: Mapping[str, float] = {name: control.position for name, control in known.items()}
        for column, (name, cell) in enumerate(zip(names, row), 1):
            try:
                number = float(cell)
            except ValueError:
                raise SignalError(f"{cell.strip()!r} is no number", mend="Give a position.", place=Place(str(path), line, column)) from None
            position = {**position, name: known[name].check(number)}
        found.append(dict(position))
    return tuple(found)
