"""Levenberg-Marquardt over whole recordings, with exact derivatives through the recursive filters.

The normal matrix is summed over chunks of audio, so memory does not grow with the recording. Steps come from the
eigendecomposition of the scaled normal matrix: one factorisation serves every damping that is tried.

References
----------
Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM J. 11(2), 1963.
Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05: the update of the damping.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Callable, Mapping

import numpy as np
from scipy.ndimage import uniform_filter1d

from circuits.errors import FitError
from graybox.chain import push_chain, rest_chain, run_chain
from graybox.parameters import bounds, free_mask, from_free, to_free, values, with_values

CHUNK = 2048  # samples: a tangent matrix of a hundred columns stays in the cache of one core


@dataclass(frozen=True, slots=True)
class Recording:
    """One aligned pair for a fit.

    Parameters
    ----------
    x, y : ndarray, shape (n_samples,)
        Input and target.
    positions : mapping of str to float
        Where the controls stood.
    skip : int
        Samples at the start that run but do not count (the filters' states are unknown there).
    weight : ndarray, shape (n_samples,), or None
        Weights of the squared errors in a descent (see `levelled`); None for ones. Errors that are told do not know them.
    """

    x: np.ndarray
    y: np.ndarray
    positions: Mapping[str, float] = field(default_factory=dict)
    skip: int = 0
    weight: np.ndarray | None = None

    def cut(self, begin: int, end: int, skip: int) -> "Recording":
        """The samples from ``begin`` to ``end``, the first ``skip`` of which do not count."""
        part = slice(begin, end)
        return Recording(self.x[part], self.y[part], self.positions, skip, None if self.weight is None else self.weight[part])

    @property
    def energy(self) -> float:
        """Sum of squares of the counted target, without its mean."""
        counted = self.y[self.skip:]
        return float(np.sum((counted - counted.mean()) ** 2))

    @property
    def weighted_energy(self) -> float:
        """The same with the weights of the descent."""
        if self.weight is None:
            return self.energy
        counted = self.y[self.skip:]
        return float(np.sum(self.weight[self.skip:] * (counted - counted.mean()) ** 2))


@dataclass(frozen=True, slots=True)
class Step:
    """One accepted step: CPU seconds since the start, training loss (ESR, weighted as fitted), held-out ESR."""

    seconds: float
    loss: float
    held_out: float
    damping: float


@dataclass(frozen=True, slots=True)
class Descent:
    """What an optimisation did: the best block (by held-out error, if there was any), its history and why it stopped."""

    block: object
    history: tuple[Step, ...]
    stop: str
    loss: float
    held_out: float


def esr(block, recordings) -> float:
    """Sum of squared errors over sum of squared targets (means removed), over all recordings."""
    error = sum(squared_error(block, r) for r in recordings)
    return error / sum(r.energy for r in recordings)


def render(block, x: np.ndarray, positions: Mapping[str, float] | None = None) -> np.ndarray:
    """Output of a block from rest (all states zero), without its latency compensated; (n_samples,)."""
    stages = block.placed(positions or {})
    states = rest_chain(stages)
    return run_chain(stages, np.ascontiguousarray(x, dtype=np.float64), states)


def squared_error(block, recording: Recording, emphasis: float = 0.0, weighted: bool = False) -> float:
    """Sum of squared errors over the counted part, after 1 - emphasis z^-1, and with the recording's weights if asked for."""
    e = render(block, recording.x, recording.positions)[recording.skip:] - recording.y[recording.skip:]
    if emphasis:
        e = e[1:] - emphasis * e[:-1]
    if weighted and recording.weight is not None:
        return float(e @ (recording.weight[-len(e):] * e))
    return float(e @ e)


def weighted_esr(block, recordings, emphasis: float = 0.0) -> float:
    """`esr` with the weights of the descent: what a descent lowers, and by which structures are chosen."""
    error = sum(squared_error(block, r, emphasis, weighted=True) for r in recordings)
    return error / sum(r.weighted_energy for r in recordings)


def levelled(recordings, sample_rate: float, share: float, *, seconds: float = 0.1, floor: float = 0.01) -> tuple[Recording, ...]:
    """The recordings with weights by which quiet passages count more.

    The weight is (local power + floor) ** -share, the power of the target over ``seconds`` and the floor in units of the mean
    power of all recordings: 0 leaves all as it is, 1 gives passages of every level down to the floor the same say.
    """
    if share == 0.0:
        return tuple(recordings)
    whole = float(np.mean(np.concatenate([(r.y - r.y.mean())[r.skip:] ** 2 for r in recordings])))
    size = max(int(seconds * sample_rate), 1)
    found = []
    for r in recordings:
        power = uniform_filter1d((r.y - r.y.mean()) ** 2, size, mode="nearest")
        weight = (np.maximum(power, 0.0) / whole + floor) ** -share
        found.append(Recording(r.x, r.y, r.positions, r.skip, weight))
    return tuple(found)


def evened(recordings) -> tuple[Recording, ...]:
    """The recordings with weights by which every position of the knobs counts alike in `weighted_esr`, however loud it is.

    One position alone is left as it is.
    """
    energies: dict[tuple, float] = {}
    places = [tuple(sorted(r.positions.items())) for r in recordings]
    for place, r in zip(places, recordings):
        energies[place] = energies.get(place, 0.0) + r.weighted_energy
    if len(energies) < 2 or min(energies.values()) <= 0.0:
        return tuple(recordings)
    mean = sum(energies.values()) / len(energies)
    return tuple(replace(r, weight=(np.ones(len(r.y)) if r.weight is None else r.weight) * (mean / energies[place]))
                 for place, r in zip(places, recordings))


def normal_equations(block, recordings, weights, emphasis: float = 0.0):
    """Normal matrix J'J, gradient J'e and weighted squared error, in the block's own numbers that are free.

    Returns
    -------
    A : ndarray, shape (n_free, n_free)
    g : ndarray, shape (n_free,)
    error : float
    """
    masks = [free_mask(stage) for stage in block.stages]
    size = int(sum(mask.sum() for mask in masks))
    A, g, total = np.zeros((size, size)), np.zeros(size), 0.0
    J = np.zeros((CHUNK, size))
    for recording, weight in zip(recordings, weights):
        stages = block.placed(recording.positions)
        states = rest_chain(stages, 0)
        last_row, last_error = np.zeros(size), 0.0
        for start in range(0, len(recording.x), CHUNK):
            x = recording.x[start:start + CHUNK]
            rows = J[:len(x)]
            e = push_chain(stages, x, rows, 0, states, masks) - recording.y[start:start + CHUNK]
            used = rows
            if emphasis:
                before = np.vstack([last_row, rows[:-1]])
                last_row, old, last_error = rows[-1].copy(), last_error, e[-1]
                used = rows - emphasis * before
                e = e - emphasis * np.concatenate([[old], e[:-1]])
            first = max(recording.skip + (1 if emphasis else 0) - start, 0)
            if first >= len(x):
                continue
            used, e = used[first:], e[first:]
            if recording.weight is not None:
                root = np.sqrt(recording.weight[start + first:start + len(x)])
                used, e = used * root[:, None], e * root
            A += weight * (used.T @ used)
            g += weight * (used.T @ e)
            total += weight * float(e @ e)
    return A, g, total


def expected_fall(block, recordings, emphasis: float = 0.0) -> tuple[float, float]:
    """Squared error of a block, and by how much one step of Gauss and Newton in all its free numbers would lower it were it linear.

    A ridge of 1e-6 of each column's power keeps directions out that the data do not feel.
    """
    A, g, error = normal_equations(block, recordings, np.ones(len(recordings)), emphasis)
    scale = np.sqrt(np.maximum(np.diag(A), 1e-30 * max(np.diag(A).max(), 1e-300)))
    steep = g / scale
    return error, float(steep @ np.linalg.solve(A / np.outer(scale, scale) + 1e-6 * np.eye(len(g)), steep))


def levenberg_marquardt(block, train, hold=(), *, iterations: int = 50, tolerance: float = 1e-4, patience: int = 6,
                        seconds: float = np.inf, emphasis: float = 0.0, damping: float = 1e-3, goal: float = 0.0,
                        balanced: bool = False, on_step: Callable[[Step, object], None] | None = None) -> Descent:
    """Minimise the squared error of a block over recordings.

    Parameters
    ----------
    block : Block
        Start; what its stages call fixed stays.
    train, hold : sequence of Recording
        Fitted, and watched for early stopping.
    iterations : int
        Largest number of accepted steps.
    tolerance : float
        Stop when the relative gain of the loss stays below it for six steps.
    patience : int
        Stop when the held-out error has not fallen for so many steps.
    seconds : float
        Stop after this much CPU time of the process.
    emphasis : float
        Pre-emphasis 1 - emphasis z^-1 of the error, in the loss only.
    goal : float
        Stop when the training loss is below.
    balanced : bool
        Weigh each recording by the inverse of its energy.
    on_step : callable
        Called with each accepted Step and the block there; what it raises ends the fit.

    Returns
    -------
    Descent

    Raises
    ------
    FitError
        If the start gives numbers that are not finite, or nothing is free.
    """
    train, hold = tuple(train), tuple(hold)
    started = time.process_time()
    energies = np.array([r.weighted_energy for r in train])
    whole = energies.sum()
    weights = 1.0 / (len(train) * energies) if balanced else np.full(len(train), 1.0 / whole)
    mask = np.concatenate([free_mask(stage) for stage in block.stages])
    if not mask.any():
        raise FitError("every number of this block is fixed, there is nothing to fit")
    limits = np.concatenate([bounds(stage) for stage in block.stages])[mask]
    bounded = np.isfinite(limits).any(axis=1)
    numbers = values(block)

    def loss_of(candidate):
        return sum(w * squared_error(candidate, r, emphasis, weighted=True) for r, w in zip(train, weights))

    def block_at(free):
        full = numbers.copy()
        full[mask] = numbers_at(free)
        return with_values(block, full)

    def numbers_at(free):
        return from_free(free, limits)[0]

    free = to_free(numbers[mask], limits)
    current = block_at(free)
    loss = loss_of(current)
    if not np.isfinite(loss):
        raise FitError("the block that the fit starts from gives numbers that are not finite")
    best, best_hold = current, weighted_esr(current, hold) if hold else loss
    history = [Step(0.0, loss, best_hold if hold else np.nan, damping)]
    lifted, path = False, [free]
    stop, stale, slow, growth = f"reached {iterations} steps", 0, 0, 2.0
    for _ in range(iterations):
        A, g, _ = normal_equations(current, train, weights, emphasis)
        slope = from_free(free, limits)[1]
        A *= np.outer(slope, slope)
        g *= slope
        if not (np.isfinite(A).all() and np.isfinite(g).all()):
            stop = "the derivatives are not finite"
            break
        reach = np.where(bounded, 1.0, 1.0 + np.abs(numbers_at(free)))
        scale = np.sqrt(np.maximum(np.diag(A), 1e-30 * max(np.diag(A).max(), 1e-300)))
        for _ in range(5):
            eigenvalues, vectors = np.linalg.eigh(A / np.outer(scale, scale))
            eigenvalues = np.maximum(eigenvalues, 0.0)
            tilted = vectors.T @ (g / scale)
            far = np.abs(vectors @ (tilted / (eigenvalues + damping))) / scale / reach
            if far.max() <= 1.0:
                break
            scale *= np.maximum(1.0, 2.0 * far)  # damp the numbers that the data hardly feel, not all of them
        accepted = False
        for _ in range(14):
            move = -tilted / (eigenvalues + damping)
            step = (vectors @ move) / scale
            step = np.clip(step, -2.0 * reach, 2.0 * reach)
            trial = block_at(free + step)
            new = loss_of(trial)
            expected = -(2.0 * tilted @ move + np.sum(eigenvalues * move * move))
            if np.isfinite(new) and new < loss:
                ratio = (loss - new) / max(expected, 1e-300)
                damping = max(damping * max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.5) - 1.0) ** 3), 1e-12)
                growth, accepted = 2.0, True
                break
            damping, growth = damping * growth, growth * 2.0
            if time.process_time() - started > seconds:
                break
        if not accepted:
            stop = "the time is over" if time.process_time() - started > seconds else "no step lowers the loss any more"
            break
        before = loss
        path = path[-2:] + [free + step]
        current, loss = trial, new
        if len(path) == 3:
            current, loss = _along(path, current, loss, block_at, loss_of)
        free = path[-1]
        slow = slow + 1 if before - loss < tolerance * before else 0
        held = weighted_esr(current, hold) if hold else loss
        if held < best_hold:
            stale = 0 if held < best_hold * (1.0 - 1e-3) else stale + 1
            best, best_hold = current, held
        else:
            stale += 1
        history.append(Step(time.process_time() - started, loss, held if hold else np.nan, damping))
        if on_step is not None:
            on_step(history[-1], best)
        if loss <= goal:
            stop = "reached the goal"
            break
        if slow == 3 and not lifted:
            damping, lifted = max(damping, 1e-5) * 100.0, True  # crawling along a valley: try a steeper direction once
        if slow >= 6:
            stop = f"the loss falls by less than {tolerance:g} a step"
            break
        if hold and stale >= patience:
            stop = f"the held-out error has not fallen for {patience} steps"
            break
        if time.process_time() - started > seconds:
            stop = "the time is over"
            break
    return Descent(best, tuple(history), stop, min(s.loss for s in history), best_hold)


def _along(path, block, loss, block_at, loss_of):
    """Follow the bend of the last three points further, as long as the loss falls; the end of ``path`` moves there.

    A descent that crawls along a curved valley takes many steps in nearly one direction. The parabola through three of
    them costs no derivatives, and each accepted reach is doubled.
    """
    first, second, last = path
    now, bend = last - second, (last - second) - (second - first)
    reach = 1.0
    while reach < 200.0:
        trial = block_at(last + reach * now + 0.5 * reach * (reach + 1.0) * bend)
        new = loss_of(trial)
        if not (np.isfinite(new) and new < loss):
            break
        path[-1] = last + reach * now + 0.5 * reach * (reach + 1.0) * bend
        block, loss = trial, new
        reach *= 2.0
    return block, loss
