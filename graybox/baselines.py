"""Baselines that any block must beat: a memory polynomial and a truncated Volterra series, by least squares.

References
----------
Boyd and Chua, "Fading memory and the problem of approximating nonlinear operators with Volterra series", IEEE TCAS
32(11), 1985; Morgan et al., "A generalized memory polynomial model", IEEE TSP 54(10), 2006.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import reduce

import numpy as np

from circuits.errors import FitError
from graybox.session import Attempt

_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Baseline:
    """A model linear in its numbers.

    Parameters
    ----------
    name : str
    terms : tuple of tuple of int
        Each term is the product of the input at these delays: (0, 0, 3) is x[n] x[n] x[n - 3].
    numbers : ndarray, shape (n_terms,)
    """

    name: str
    terms: tuple[tuple[int, ...], ...]
    numbers: np.ndarray

    def play(self, x) -> np.ndarray:
        """Output for an input, from silence; (n_samples,)."""
        return np.concatenate([rows @ self.numbers for rows, _ in _rows(np.asarray(x, dtype=np.float64), self.terms)])


def _rows(x, terms):
    longest = max(max(term) for term in terms)
    padded = np.concatenate([np.zeros(longest), x])
    for start in range(0, len(x), _CHUNK):
        stop = min(start + _CHUNK, len(x))
        delayed = {d: padded[longest - d + start:longest - d + stop] for term in terms for d in term}
        rows = np.empty((stop - start, len(terms)))
        for i, term in enumerate(terms):
            rows[:, i] = reduce(np.multiply, [delayed[d] for d in term])
        yield rows, slice(start, stop)


def _fitted(name, terms, x, y) -> Baseline:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.shape != y.shape or len(x) < 4 * len(terms):
        raise FitError(f"a {name} of {len(terms)} numbers needs {4 * len(terms)} samples, not {len(x)} and {len(y)}")
    matrix, right = np.zeros((len(terms), len(terms))), np.zeros(len(terms))
    for rows, place in _rows(x, terms):
        matrix += rows.T @ rows
        right += rows.T @ y[place]
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    # scaled terms have norm one; the ridge only breaks ties between nearly equal ones
    numbers = np.linalg.solve(matrix / np.outer(scale, scale) + 1e-9 * np.eye(len(terms)), right / scale) / scale
    return Baseline(name, tuple(terms), numbers)


def memory_polynomial(x, y, *, order: int = 5, delays: int = 24) -> Baseline:
    """Sum of powers of delayed inputs: c[k, d] x[n - d]^k.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal(4000)
    >>> model = memory_polynomial(x, x**3 - np.concatenate([[0.0], x[:-1]]), order=3, delays=2)
    >>> bool(np.allclose(model.play(x)[1:], (x[1:]**3 - x[:-1]), atol=1e-5))
    True
    """
    return _fitted("memory polynomial", [(d,) * k for k in range(1, order + 1) for d in range(delays)], x, y)


def volterra(x, y, *, lengths: tuple[int, ...] = (64, 12, 5)) -> Baseline:
    """Volterra series with kernels of these lengths for the first, second, third order."""
    terms: list[tuple[int, ...]] = []
    for order, length in enumerate(lengths, start=1):
        grown = [()]
        for _ in range(order):
            grown = [term + (d,) for term in grown for d in range(term[-1] if term else 0, length)]
        terms += grown
    return _fitted("Volterra series", terms, x, y)


def unstructured(x, y, hold: float) -> tuple[Attempt, ...]:
    """Both baselines on the beginning of a pair, scored on its end: name, numbers, held-out ESR, CPU seconds.

    Parameters
    ----------
    x, y : ndarray, shape (n_samples,)
    hold : float
        Share at the end that is kept out.

    Raises
    ------
    FitError
        If the beginning is shorter than four times their numbers.
    """
    cut = len(x) - int(hold * len(x))
    found = []
    for make in (memory_polynomial, volterra):
        began = time.process_time()
        model = make(x[:cut], y[:cut])
        error = model.play(x)[cut:] - y[cut:]
        found.append(Attempt(model.name, len(model.numbers), float(error @ error / (y[cut:] @ y[cut:])), time.process_time() - began, "least squares"))
    return tuple(found)
