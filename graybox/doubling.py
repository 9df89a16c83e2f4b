"""A fitted block at twice its sample rate: the same filters and curves, ready for a last descent between finer samples.

Structures grow at the rate of the recordings, where a step is cheap. Treble in front of a hard curve asks for more: when the
curve bends between two samples, the straight line between them (`graybox.means`) is too coarse.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import soxr

from circuits.errors import FitError
from graybox.blocks import Block
from graybox.chain import Static
from graybox.dynamics import DynamicBias, EnvelopeGain
from graybox.filters import Bank, Cascade, Gain, Offset
from graybox.linear import LinearCircuit
from graybox.optimise import Recording

_LOWEST, _HIGHEST, _POINTS = 20.0, 0.45, 300  # Hz, share of the old rate, and how many between: where a filter is to stay what it was
_RIDGE = 1e-5  # of columns of norm one: pairs of poles that nearly coincide
_SPARE = 0.3  # pole in place of one at half the old rate, which has no counterpart


def doubled(block: Block) -> Block:
    """The block at twice its sample rate.

    Poles keep their frequency and decay, numerators follow the old response by least squares, together with what the mean between two
    samples of the curves before has lost of its delay and its loss of treble. A descent has to close the rest.

    Raises
    ------
    FitError
        If a stage has no counterpart at another rate.

    Examples
    --------
    >>> from graybox.filters import bank_at
    >>> twice = doubled(Block((replace(bank_at((100.0, 1000.0), 48000.0), direct=1.0),), 48000.0))
    >>> twice.sample_rate, abs(twice.stages[0].response(np.array([500.0]), 96000.0)).round(3).tolist()
    (96000.0, [1.0])
    """
    rate, stages, owed = block.sample_rate, [], 0
    for stage in block.stages:
        if isinstance(stage, Bank):
            stage, owed = _finer_bank(stage, rate, owed), 0
        elif isinstance(stage, Cascade):
            stage = _finer_cascade(stage, rate)  # too few numbers for a delay: the next bank takes what the curves owe
        elif isinstance(stage, (DynamicBias, EnvelopeGain)):
            pole = stage.pole
            stage = replace(stage, pole=tuple(p**0.5 for p in pole) if isinstance(pole, tuple) else pole**0.5)
        elif isinstance(stage, LinearCircuit):
            stage = replace(stage, sample_rate=2.0 * rate)
        elif isinstance(stage, Static):
            owed += stage.adaa
        elif not isinstance(stage, (Gain, Offset)):
            raise FitError(f"a {stage.kind} can't be taken to twice its sample rate")
        stages.append(stage)
    return Block(tuple(stages), 2.0 * rate, block.controls, block.name)


def _finer_bank(bank: Bank, rate: float, owed: int) -> Bank:
    poles = [_halved(k1, k2) for k1, k2 in zip(bank.k1, bank.k2)]
    finer = replace(bank, k1=tuple(k1 for k1, _ in poles), k2=tuple(k2 for _, k2 in poles))
    f = np.geomspace(_LOWEST, _HIGHEST * rate, _POINTS)
    w = 2.0 * np.pi * f / rate  # the mean of two samples is cos(w / 2) exp(-i w / 2), at twice the rate the same of w / 2
    wanted = bank.response(f, rate) * np.exp(-0.25j * w * owed)
    if owed:  # of every curve the delay; the treble that the last one loses, for what those before it lose is cut by it
        wanted = wanted * np.cos(w / 2) / np.cos(w / 4)
    c = _by_least_squares(finer.basis(f, 2.0 * rate), wanted)
    sections = len(poles)
    return replace(finer, direct=float(c[0]), b0=tuple(c[1:1 + sections].tolist()), b1=tuple(c[1 + sections:].tolist()))


def _finer_cascade(cascade: Cascade, rate: float) -> Cascade:
    """Section by section; those of first order stay so."""
    if any(b0 != 1.0 for b0 in cascade.b0):
        raise FitError("a cascade whose numerators do not begin with one can't be taken to twice its sample rate")
    f = np.geomspace(_LOWEST, _HIGHEST * rate, _POINTS)
    old, new = (np.exp(-2j * np.pi * f / r)[:, None] ** np.arange(3) for r in (rate, 2.0 * rate))
    gain, found = cascade.gain, []
    for b, a in zip(*cascade.polynomials):
        order = 1 if a[2] == b[2] == 0.0 else 2
        if order == 1:
            k1, k2 = (-np.sqrt(-a[1]) if a[1] < 0.0 else -_SPARE), 0.0
        else:
            k1, k2 = _halved(a[1] / (1.0 + a[2]), a[2])
        below = new @ np.array([1.0, k1 * (1.0 + k2), k2])
        c = _by_least_squares(new[:, :order + 1] / below[:, None], (old @ b) / (old @ a))
        gain *= c[0]
        found.append((c[1] / c[0], c[2] / c[0] if order == 2 else 0.0, k1, k2))
    b1, b2, k1, k2 = (tuple(float(v) for v in column) for column in zip(*found))
    return replace(cascade, gain=float(gain), b1=b1, b2=b2, k1=k1, k2=k2)


def _by_least_squares(basis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weights of the columns whose sum follows a response: relative errors, down to 40 dB below the top."""
    weight = 1.0 / np.maximum(np.abs(wanted), 1e-2 * np.abs(wanted).max())
    basis = basis * weight[:, None]
    rows, right = np.vstack([basis.real, basis.imag]), np.concatenate([(wanted * weight).real, (wanted * weight).imag])
    scale = np.linalg.norm(rows, axis=0)
    ridge = _RIDGE * np.eye(rows.shape[1])
    return np.linalg.lstsq(np.vstack([rows / scale, ridge]), np.concatenate([right, np.zeros(len(ridge))]), rcond=None)[0] / scale


def _halved(k1: float, k2: float) -> tuple[float, float]:
    """Reflection coefficients of the square roots of a pair of poles."""
    first, second = np.roots([1.0, k1 * (1.0 + k2), k2])
    if abs(first.imag) > 0.0:
        pole = np.sqrt(first)  # numpy's has a real part of at least zero
        a1, a2 = -2.0 * pole.real, abs(pole) ** 2
    else:
        p, q = (np.sqrt(r.real) if r.real > 0.0 else _SPARE for r in (first, second))
        a1, a2 = -(p + q), p * q
    return float(a1 / (1.0 + a2)), float(a2)


def doubled_recording(recording: Recording, rate: float) -> Recording:
    """The recording at twice its sample rate."""
    x, y = (soxr.resample(z, rate, 2.0 * rate, quality="VHQ") for z in (recording.x, recording.y))
    weight = None if recording.weight is None else np.repeat(recording.weight, 2)
    return Recording(x, y, recording.positions, 2 * recording.skip, weight)
