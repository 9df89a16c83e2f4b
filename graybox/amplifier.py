"""First guesses for amplifiers: a grid of simple front ends with the output filter in closed form, then growth by stages.

An amplifier has too many poles for a rational fit. Both filters are banks with fixed poles (linear in what is free), and
the start is the best of a grid over high-pass, low-pass, drive and asymmetry, each with its least-squares output bank.
Richer structures are grown from fitted simple ones, so that each starts where the last one ended.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from circuits.errors import FitError
from graybox.blocks import Block
from graybox.chain import Parallel, Static, rest_chain, run_chain
from graybox.curves import TanhSum
from graybox.dynamics import DynamicBias, EnvelopeGain, pole_of
from graybox.filters import Bank, Gain, bank_at
from graybox.net import MemoryNet
from graybox.optimise import Recording

HIGH_PASS = (10.0, 60.0, 200.0, 500.0)  # Hz
LOW_PASS = (4000.0, 20000.0)  # Hz
DRIVES = (0.2, 0.6, 1.5, 4.0, 10.0, 25.0, 60.0)  # at an input of unit rms
ASYMMETRIES = (0.0, 0.6)


def front_bank(sample_rate: float, sections: int = 5) -> Bank:
    """Empty bank for the filter before a curve."""
    return bank_at(np.geomspace(35.0, min(9000.0, 0.4 * sample_rate), sections), sample_rate)


def back_bank(sample_rate: float, sections: int = 9) -> Bank:
    """Empty bank for the filter behind a curve."""
    return bank_at(np.geomspace(30.0, min(14000.0, 0.42 * sample_rate), sections), sample_rate)


def bank_like(bank: Bank, response, sample_rate: float) -> Bank:
    """The bank with numerators that follow a response (callable of Hz), by least squares on a logarithmic grid."""
    f = np.geomspace(20.0, 0.45 * sample_rate, 240)
    basis, wanted = bank.basis(f, sample_rate), response(f)
    rows = np.vstack([basis.real, basis.imag])
    scale = np.linalg.norm(rows, axis=0)
    ridge = 1e-4 * np.eye(rows.shape[1])
    right = np.concatenate([wanted.real, wanted.imag, np.zeros(len(ridge))])
    c = np.linalg.lstsq(np.vstack([rows / scale, ridge]), right, rcond=None)[0] / scale
    return _with_numerators(bank, c)


def _with_numerators(bank: Bank, c) -> Bank:
    sections = len(bank.b0)
    return replace(bank, direct=float(c[0]), b0=tuple(c[1:1 + sections].tolist()), b1=tuple(c[1 + sections:].tolist()))


def _columns(bank: Bank, x) -> np.ndarray:
    """Signals that the bank's numerators weigh: (n_samples, 1 + 2 sections)."""
    found = [x]
    late = []
    for k1, k2 in zip(bank.k1, bank.k2):
        w = lfilter([1.0], [1.0, k1 * (1.0 + k2), k2], x)
        found.append(w)
        late.append(np.concatenate([[0.0], w[:-1]]))
    return np.column_stack(found + late)


def closed_form(block: Block, pairs) -> tuple[Block, float]:
    """The block with the numerators of its last bank by least squares over all recordings, and the ESR of the result."""
    bank = block.stages[-1]
    size = 1 + 2 * len(bank.b0)
    matrix, right, energy, power = np.zeros((size, size)), np.zeros(size), 0.0, 0.0
    for pair in pairs:
        stages = block.placed(pair.positions)[:-1]
        z = run_chain(stages, pair.x, rest_chain(stages))
        rows, target = _columns(bank, z)[pair.skip:], pair.y[pair.skip:]
        matrix += rows.T @ rows
        right += rows.T @ target
        energy += pair.energy
        power += float(target @ target)
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-24))
    # scaled columns have norm one: the ridge lies far below the noise of any recording
    c = np.linalg.solve(matrix / np.outer(scale, scale) + 1e-7 * np.eye(size), right / scale) / scale
    error = power - 2.0 * c @ right + c @ matrix @ c
    return replace_stages(block, block.stages[:-1] + (_with_numerators(bank, c),)), float(error / energy)


def with_free_poles(block: Block) -> Block:
    """The block with the poles of its banks free (they stay stable)."""
    return replace_stages(block, tuple(replace(s, fixed=()) if isinstance(s, Bank) else s for s in block.stages))


def grid_start(pairs, sample_rate: float, *, front_sections: int = 5, back_sections: int = 9, units: int = 4,
               middle: tuple = (), controls: tuple = (), keep: int = 8, flat: bool = False) -> list[tuple[float, Block]]:
    """Blocks bank, tanh sum, (middle), bank for the best points of the grid, before any descent.

    Parameters
    ----------
    pairs : sequence of Recording
        Short stretches; at several control positions if the middle has knobs.
    middle : tuple of stages
        Linear stages with their own numbers between curve and output bank: a tone stack.
    flat : bool
        Leave out the front filter (a Hammerstein block).

    Returns
    -------
    list of (float, Block)
        ESR on the stretches and block, best first.

    Raises
    ------
    FitError
        If the stretches are silent or too short.
    """
    for pair in pairs:
        if len(pair.x) < pair.skip + 2000 or not np.std(pair.x[pair.skip:]) > 0.0 or not pair.energy > 0.0:
            raise FitError(f"a stretch of {len(pair.x)} samples is too short or silent for a first guess")
    back = back_bank(sample_rate, back_sections)
    frame = Block(middle + (back,), sample_rate, controls)
    scored = []
    for high, low in itertools.product(HIGH_PASS, LOW_PASS) if not flat else ((None, None),):
        b, a = (np.ones(1), np.ones(1)) if flat else _band(high, low, sample_rate)
        fronts = [lfilter(b, a, pair.x) for pair in pairs]
        level = float(np.sqrt(np.mean([np.var(u[pair.skip:]) for u, pair in zip(fronts, pairs)])))
        for drive, asymmetry in itertools.product(DRIVES, ASYMMETRIES):
            shift = asymmetry * min(drive, 1.5)
            shaped = [Recording(np.tanh(drive / level * u + shift) - np.tanh(shift), pair.y, pair.positions, pair.skip)
                      for u, pair in zip(fronts, pairs)]
            block, error = closed_form(frame, shaped)
            scored.append((error, b, a, level, drive, shift, block))
    scored.sort(key=lambda entry: entry[0])
    found = []
    for error, b, a, level, drive, shift, block in scored[:keep]:
        def response(f, b=b, a=a, level=level):
            z = np.exp(-2j * np.pi * f / sample_rate)
            return np.polynomial.polynomial.polyval(z, b) / np.polynomial.polynomial.polyval(z, a) / level
        front = Gain(1.0 / level) if flat else bank_like(front_bank(sample_rate, front_sections), response, sample_rate)
        gains = drive * np.geomspace(1.0, 0.3, units)
        weights = np.concatenate([[1.0], np.full(units - 1, 0.1)])
        shifts = shift + 0.6 * np.concatenate([[0.0], np.linspace(-1.0, 1.0, units - 1)])
        curve = TanhSum(tuple(weights.tolist()), tuple(gains.tolist()), tuple(shifts.tolist()),
                        fixed=("offset", "weight[0]", "gain[0]"))
        found.append(closed_form(Block((front, Static(curve)) + block.stages, sample_rate, controls), pairs)[::-1])
    return sorted(found, key=lambda pair: pair[0])


def _band(high: float, low: float, sample_rate: float):
    p, q = (pole_of(1.0 / (2.0 * np.pi * f), sample_rate) for f in (high, low))
    return np.array([1.0, -1.0]) * (1.0 - q), np.convolve([1.0, -p], [1.0, -q])


def replace_stages(block: Block, stages) -> Block:
    """The block with other stages (what it has seen no longer holds)."""
    return replace(block, stages=tuple(stages), ranges=())


def _level(block: Block, at: int, pairs) -> float:
    """Standard deviation of what comes into stage ``at``, over the recordings."""
    powers = []
    for pair in pairs:
        stages = block.placed(pair.positions)[:at]
        powers.append(np.var(run_chain(stages, pair.x, rest_chain(stages))[pair.skip:]))
    return max(float(np.sqrt(np.mean(powers))), 1e-9)


def with_bias(block: Block, at: int, pairs, *, seconds=(0.02, 0.5)) -> Block:
    """A dynamic-bias path put before stage ``at``, nearly silent at the start."""
    level = _level(block, at, pairs)
    steep = max(abs(g) for g in block.stages[at].curve.gain)  # a shift counts by what it is to the curve behind
    small = 0.02 * min(level, 1.0 / steep)
    path = rectifier(level, small, tuple(pole_of(s, block.sample_rate) for s in seconds))
    return replace_stages(block, block.stages[:at] + (path,) + block.stages[at:])


def rectifier(level: float, small: float, poles: tuple[float, ...]) -> DynamicBias:
    """A dynamic-bias path for signals of this standard deviation, by ``small`` at most to start with."""
    curve = TanhSum(weight=(small, -small), gain=(0.7 / level, 0.7 / level), shift=(0.8, -0.8))
    return DynamicBias(curve, weight=(1.0,) + (0.3,) * (len(poles) - 1), pole=poles)


def with_second_curve(block: Block, pairs, *, sections: int = 5, units: int = 4) -> Block:
    """A second filter and curve put behind the first curve, before the linear stages in the middle; plain wires at the start.

    What a curve of high gain mirrors at half the sample rate is shaped again by the next one, and no recording of a device has it:
    in a cascade every curve is its mean between two samples (`graybox.means`).
    """
    at = block.curve_stages()[0] + 1
    block = replace_stages(block, tuple(replace(s, adaa=True) if isinstance(s, Static) else s for s in block.stages))
    level = _level(block, at, pairs)
    middle = replace(front_bank(block.sample_rate, sections), direct=1.0 / level)
    gain = 0.4  # tanh bends by 5 % at the signal's standard deviation
    gains = gain * np.geomspace(1.0, 2.0, units)
    weights = np.concatenate([[level / gain], np.full(units - 1, 0.01 * level)])
    shifts = np.concatenate([[0.0], np.linspace(-0.6, 0.6, units - 1)])
    curve = TanhSum(tuple(weights.tolist()), tuple(gains.tolist()), tuple(shifts.tolist()),
                    fixed=("offset", "weight[0]", "gain[0]"))
    return replace_stages(block, block.stages[:at] + (middle, Static(curve, adaa=True)) + block.stages[at:])


def with_clean_path(block: Block, *, sections: int = 5) -> Block:
    """A linear path beside the whole block, silent at the start: what a blend knob or an op-amp's direct path does."""
    bank = replace(front_bank(block.sample_rate, sections), direct=0.0)
    return replace_stages(block, (Parallel((block.stages, (bank,))),))


def with_memory(block: Block, at: int, *, taps: int = 3) -> Block:
    """The curve at stage ``at`` as a tiny net of the same output that may also see some past samples and a state of its own."""
    net = MemoryNet.from_tanh_sum(block.stages[at].curve, taps=taps)
    return replace_stages(block, block.stages[:at] + (replace(net, fixed=("offset", "w[0]", "out[0]")),) + block.stages[at + 1:])


def with_sag(block: Block, at: int, pairs, *, seconds: float = 0.1) -> Block:
    """A gain that sinks with the envelope put before stage ``at``, by a hundredth at the signal's level to start with."""
    sag = EnvelopeGain(depth=0.01 / _level(block, at, pairs), pole=pole_of(seconds, block.sample_rate))
    return replace_stages(block, block.stages[:at] + (sag,) + block.stages[at:])
