"""Swapping one curve of a block for another kind, warm-started so that the sound hardly changes before refitting.

The new curve is fitted to the old one over the inputs that the old one has seen, weighted by how often they came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from circuits.errors import FitError
from graybox.chain import Static, rest_chain, run_chain
from graybox.curves import DiodePair, MonotoneSpline, Polynomial, Rational, SoftClip, Spline, Table, Tanh, TanhSum
from graybox.net import Net, tanh_net
from graybox.optimise import Recording, levenberg_marquardt
from graybox.parameters import with_values

SIZES = {"polynomial": 10, "spline": 24, "monotone-spline": 24}  # coefficients (splines: or more); 8 units for nets
KINDS = ("tanh", "soft-clip", "polynomial", "rational", "spline", "monotone-spline", "tanh-sum", "net", "diode-pair", "table")


@dataclass(frozen=True, slots=True)
class Seen:
    """What came into one curve during a fit: stage index, range, and a histogram of equal bins over it."""

    stage: int
    low: float
    high: float
    counts: tuple[int, ...]


def inputs_seen(block, x, positions=None, bins: int = 64) -> tuple[Seen, ...]:
    """Range and histogram of the input of each curve of a block, over a recording."""
    stages = block.placed(positions or {})
    states = rest_chain(stages)
    found = []
    for i, stage in enumerate(stages):
        if isinstance(stage, Static):
            low, high = float(x.min()), float(x.max())
            if high > low:
                counts, _ = np.histogram(x, bins, (low, high))
                found.append(Seen(i, low, high, tuple(int(c) for c in counts)))
        x = run_chain((stage,), x, {"0": states[str(i)]})
    return tuple(found)


def merge_seen(several) -> tuple[Seen, ...]:
    """One record for each curve out of those of several recordings, on the common range."""
    by_stage: dict[int, list[Seen]] = {}
    for record in several:
        for seen in record:
            by_stage.setdefault(seen.stage, []).append(seen)
    merged = []
    for stage, records in sorted(by_stage.items()):
        low, high, bins = min(r.low for r in records), max(r.high for r in records), len(records[0].counts)
        counts = np.zeros(bins)
        for r in records:
            centres = r.low + (np.arange(bins) + 0.5) * (r.high - r.low) / bins
            counts += np.histogram(centres, bins, (low, high), weights=np.array(r.counts))[0]
        merged.append(Seen(stage, low, high, tuple(int(c) for c in counts)))
    return tuple(merged)


def _points(seen: Seen, count: int = 2000) -> np.ndarray:
    """Inputs spread as the data were, with a fifth of them spread evenly so that the edges count."""
    share = np.cumsum(np.array(seen.counts, dtype=np.float64) + 1e-9)
    edges = np.linspace(seen.low, seen.high, len(seen.counts) + 1)
    like_data = np.interp((np.arange(count) + 0.5) / count, np.concatenate([[0.0], share / share[-1]]), edges)
    return np.concatenate([like_data, np.linspace(seen.low, seen.high, count // 4)])


def start_curve(kind: str, low: float, high: float, *, size: int | None = None, monotone: bool = False):
    """A curve of this kind, laid out for an input range; ``size`` is units, coefficients or degree.

    Raises FitError for an unknown kind.
    """
    reach = max(abs(low), abs(high))
    size = SIZES.get(kind, 8) if size is None else size
    if kind == "tanh":
        return Tanh(drive=1.0 / reach)
    if kind == "soft-clip":
        return SoftClip(reach, reach)
    if kind == "polynomial":
        return Polynomial(c=(0.0, 1.0) + (0.0,) * (size - 1), scale=reach)
    if kind == "rational":
        return Rational(c=(0.0, 1.0, 0.0, 0.1, 0.0, 0.01), d=(0.5, 0.1, 0.01), scale=reach)
    if kind == "spline":
        return Spline(low, high, (0.0,) * max(size, 4))
    if kind == "monotone-spline":
        return MonotoneSpline(low, high, (1.0 / size,) * max(size - 1, 3))
    if kind == "diode-pair":
        return DiodePair(limit=0.1 * reach, volts=0.1 * reach)
    if kind == "tanh-sum":
        centres = low + (high - low) * (np.arange(size) + 0.5) / size
        gain = np.full(size, 2.0 * size / (high - low))
        return TanhSum(weight=(1.0 / size,) * size, gain=tuple(gain.tolist()), shift=tuple((-gain * centres).tolist()),
                       monotone=monotone, fixed=())
    if kind == "net":
        return tanh_net(low, high, hidden=(size, size), monotone=monotone)
    raise FitError(f"there is no curve {kind!r}", mend=f"Curves: {', '.join(KINDS)}.")


def fit_curve(curve, x: np.ndarray, y: np.ndarray, *, iterations: int = 200):
    """The curve with its numbers moved to match points (least squares); x, y are (n_points,)."""
    if isinstance(curve, (Spline, Polynomial)):  # linear in its numbers
        _, _, basis = curve.jet(x)
        scale = np.maximum(np.linalg.norm(basis, axis=0), 1e-9 * np.sqrt(len(x)))
        ridge = 1e-8 * np.eye(basis.shape[1])  # cells without points
        c = np.linalg.lstsq(np.vstack([basis / scale, ridge]), np.concatenate([y, np.zeros(len(ridge))]), rcond=None)[0]
        return with_values(curve, c / scale)
    start = curve
    if isinstance(curve, TanhSum):
        start = _with_linear_weights(curve, x, y)
    elif isinstance(curve, MonotoneSpline):
        c = np.array(fit_curve(Spline(curve.low, curve.high, curve.c), x, y).c)
        rises = np.maximum(np.diff(c), 1e-4 * (c.max() - c.min()) / len(c))
        start = replace(curve, start=float(c[0]), rises=tuple(rises.tolist()))
    descent = levenberg_marquardt(_OnlyCurve((Static(start),)), [Recording(x, y)], iterations=iterations,
                                  tolerance=1e-6, damping=1e-4)
    return descent.block.stages[0].curve


def _distance(curve, x, y) -> float:
    change = curve.value(x) - y
    return float(change @ change / np.sum((y - y.mean()) ** 2))


def _with_linear_weights(curve, x, y):
    """Weights of a tanh sum by least squares, before all of it moves."""
    if curve.monotone:
        scale = (y.max() - y.min()) / max(curve.value(x).max() - curve.value(x).min(), 1e-30)
        return replace(curve, weight=tuple(scale * w for w in curve.weight), offset=float(y.mean()))
    _, _, own = curve.jet(x)
    units = own[:, :1 + len(curve.weight)]
    ridge = 1e-3 * np.sqrt(len(x)) * np.eye(units.shape[1])
    c = np.linalg.lstsq(np.vstack([units, ridge]), np.concatenate([y, np.zeros(len(ridge))]), rcond=None)[0]
    return replace(curve, weight=tuple(c[1:].tolist()), offset=float(c[0]))


@dataclass(frozen=True, slots=True)
class _OnlyCurve:
    """What the optimiser needs of a block: stages without controls."""

    stages: tuple
    PARAMETERS = ()
    PARTS = ("stages",)

    def placed(self, positions):
        return self.stages


def swapped(block, curve, *, at: int | None = None, size: int | None = None, monotone: bool = False):
    """A new block with one curve replaced, and how far the new curve lies from the old one.

    Parameters
    ----------
    block : Block
        One that was fitted, so that the inputs of its curves are known.
    curve : str or curve
        A kind (``"net"``, ``"spline"``, ...) or a curve to start from.
    at : int or None
        Index of the stage; may be left out if there is one curve.
    size : int
        Units, coefficients or degree for a kind given by name.

    Returns
    -------
    Block
    float
        Squared difference of the curves over the squared old curve without its mean, on the inputs seen.

    Raises
    ------
    FitError
        If the block has no such curve, several without ``at``, or no record of its inputs.
    """
    places = block.curve_stages()
    if at is None:
        if len(places) != 1:
            raise FitError(f"the block has {len(places)} curves", mend=f"Say which with at=, one of {places}.")
        at = places[0]
    if at not in places:
        raise FitError(f"stage {at} is not a curve", mend=f"Curves stand at {places}.")
    known = {seen.stage: seen for seen in block.ranges}
    if at not in known:
        raise FitError("this block has not seen a signal, so no curve can be matched to its curve",
                       mend="Fit it first, or give it ranges=inputs_seen(block, x).")
    old = block.stages[at].curve
    x = _points(known[at])
    y = old.value(x)
    if isinstance(curve, str):
        if curve == "table":
            grid = np.linspace(known[at].low, known[at].high, 257)
            new = Table(tuple(grid.tolist()), tuple((old.value(grid)).tolist()), source=f"sampled {old.kind}")
            if abs(float(old.value(np.zeros(1))[0])) > 0.0:
                raise FitError("a table is zero at rest and this curve is not", mend="Choose a spline.")
        elif curve == "net":
            inner = fit_curve(start_curve("tanh-sum", known[at].low, known[at].high, size=size, monotone=monotone), x, y)
            new = fit_curve(Net.from_tanh_sum(inner), x, y, iterations=60)
        else:
            for count in (24, 48, 96) if size is None and "spline" in curve else (size,):
                new = fit_curve(start_curve(curve, known[at].low, known[at].high, size=count, monotone=monotone), x, y)
                if _distance(new, x, y) < 2e-4:
                    break
    else:
        new = fit_curve(curve, x, y)
    error = _distance(new, x, y)
    stages = block.stages[:at] + (replace(block.stages[at], curve=new),) + block.stages[at + 1:]
    return replace(block, stages=stages), error
