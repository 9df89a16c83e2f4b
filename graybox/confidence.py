"""What a fit knows about its numbers: 95 % intervals and correlations from the Gauss-Newton matrix at its end.

References
----------
Bartlett, "On the theoretical specification and sampling properties of autocorrelated time-series", JRSS supplement 8, 1946: how
many independent samples a coloured residual is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graybox.blocks import Block
from graybox.optimise import normal_equations, render
from graybox.parameters import free_mask, names, values


@dataclass(frozen=True, slots=True)
class Estimate:
    """One fitted number with the half-width of its 95 % interval (infinite where the data do not determine it)."""

    name: str
    value: float
    half_width: float


def confidence(block: Block, recordings) -> tuple[tuple[Estimate, ...], np.ndarray]:
    """95 % intervals of the free numbers and their correlations, from the Gauss-Newton matrix at the end of a fit.

    The variance of the residual is widened by its autocorrelation (Bartlett's factor over 400 lags): residuals of a model
    that is too simple are not white, and intervals that pretend so are too narrow. A number in a direction that the data
    do not feel (relative eigenvalue below 1e-12) gets an infinite interval.
    """
    recordings = tuple(recordings)
    A, _, error = normal_equations(block, recordings, np.ones(len(recordings)))
    mask = np.concatenate([free_mask(stage) for stage in block.stages])
    numbers = values(block)[mask]
    labels = [name for name, free in zip(names(block), mask) if free]
    samples = sum(len(r.x) - r.skip for r in recordings)
    factor = max(bartlett(render(block, r.x, r.positions)[r.skip:] - r.y[r.skip:]) for r in recordings)
    scale = np.sqrt(np.maximum(np.diag(A), 1e-300))
    eigenvalues, vectors = np.linalg.eigh(A / np.outer(scale, scale))
    weak = eigenvalues < 1e-12 * eigenvalues[-1]
    inverse = np.where(weak, 0.0, 1.0 / np.where(weak, 1.0, eigenvalues))
    covariance = (vectors * inverse) @ vectors.T
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    correlations = covariance / np.maximum(np.outer(spread, spread), 1e-300)
    half = 1.96 * spread / scale * np.sqrt(error / max(samples - len(numbers), 1) * factor)
    lost = (vectors[:, weak] ** 2).sum(axis=1) > 1e-6
    half = np.where(lost | (np.diag(A) <= 0.0), np.inf, half)
    return tuple(Estimate(n, float(v), float(h)) for n, v, h in zip(labels, numbers, half)), correlations


def bartlett(e, lags: int = 400) -> float:
    """By how much the autocorrelation of a residual widens variances that take it for white noise, at least 1."""
    e = e - e.mean()
    n = 2 ** int(np.ceil(np.log2(2 * len(e))))
    spectrum = np.abs(np.fft.rfft(e, n)) ** 2
    r = np.fft.irfft(spectrum, n)[1:lags] / max(spectrum.mean(), 1e-300)
    return 1.0 + 2.0 * float(np.sum(np.minimum(np.abs(r), 1.0) ** 2))
