"""Rows of gain stages, each a coupling filter, a creeping bias and a curve: starts drawn at random, judged in closed form.

A stage of an amplifier has few numbers: a coupling capacitor's high-pass, a shelf or two of cathode and bright capacitors, the low-pass of
the valve's own capacitance, all of first order, a curve with a bend for each side, a bias that the signal shifts. Filters that can be nothing
else keep their course where the recordings tell little, above all in the treble: three or four such stages err less on brighter playing than
what was heard than two with filters that can take any form, with fewer numbers. Such a row can't be grown from a simpler one, each stage would
have to be divided. So many are drawn, with the output filter by least squares, and the best descend.

References
----------
Macak and Schimmel, "Real-time guitar preamp simulation using modified blockwise method and approximations", EURASIP J. Adv. Signal Process.
2011 (an amplifier as a row of stages that load each other little).
Eichas and Zölzer, "Gray-box modeling of guitar amplifiers", JAES 66(12), 2018 (block-oriented amplifier models).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graybox.amplifier import back_bank, closed_form, rectifier
from graybox.blocks import Block
from graybox.chain import Static, rest_chain, run_chain
from graybox.curves import TanhSum
from graybox.dynamics import pole_of
from graybox.filters import Cascade


@dataclass(frozen=True, slots=True)
class GainStage:
    """What one stage has: sections of its filter (two at least), time constants of its biases (s, one group for each shape), units of its curve."""

    sections: int
    biases: tuple[tuple[float, ...], ...]
    units: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A row of stages, how many sections the filter behind them has, and the stage behind a tone stack, if there is one: the power amplifier."""

    stages: tuple[GainStage, ...]
    back: int
    power: GainStage


_QUICK, _SLOW = (0.003,), (0.03,)  # s
_POWER = GainStage(2, (_QUICK, _SLOW), 2)
PLANS = {
    "stages-3": Plan((GainStage(4, (_QUICK, _SLOW), 3), GainStage(3, (_QUICK, _SLOW), 3), GainStage(2, (_QUICK,), 2)), 8, _POWER),
    "stages-4": Plan((GainStage(4, (_QUICK, _SLOW), 3), GainStage(3, (_QUICK + _SLOW,), 3), GainStage(3, (_QUICK + _SLOW,), 2),
                      GainStage(2, (_QUICK,), 2)), 7, _POWER),
}
# What is drawn, evenly or (frequencies, boosts, drives) evenly in the logarithm
FIRST_HIGH_PASS, HIGH_PASS = (20.0, 150.0), (20.0, 400.0)  # Hz
SHELF, BOOST = (200.0, 4000.0), (0.8, 5.0)  # Hz of the pole, and how far below it the zero lies
LOW_PASS = (6000.0, 18000.0)  # Hz
DRIVE, LAST_DRIVE = (0.5, 10.0), (0.3, 5.0)  # of a curve, at an input of unit rms
SHIFT = 0.8  # of a curve's first unit, to either side
_BLOCKED, _TOP = 1.0, -0.3  # Hz, zero of a high-pass; zero of a low-pass near half the sample rate
_HIGHEST = 0.6  # pole of a low-pass: no lower than what is heard of it


def first_order(zeros, poles) -> Cascade:
    """A cascade of first-order sections (1 - zero z^-1) / (1 - pole z^-1), and of no higher order in a fit."""
    none = (0.0,) * len(poles)
    return Cascade(b1=tuple(-z for z in zeros), b2=none, k1=tuple(-p for p in poles), k2=none, fixed=("gain", "b0", "b2", "k2"))


def drawn_block(plan: Plan, pairs, sample_rate: float, rng: np.random.Generator, *, middle: tuple = (), controls: tuple = ()) -> tuple[float, Block]:
    """A row of stages as drawn, the linear stages of ``middle`` with a power amplifier if there are any, and the output bank in closed form.

    Parameters
    ----------
    pairs : sequence of Recording
        Short stretches that level the stages and fit the output bank.

    Returns
    -------
    error : float
        ESR on the stretches.
    block : Block
    """
    stages, signals = (), [pair.x for pair in pairs]
    row = plan.stages + (plan.power,) if middle else plan.stages
    for k, stage in enumerate(row):
        if k == len(plan.stages):
            stages += middle
            signals = [_through(Block(middle, sample_rate, controls).placed(pair.positions), u) for u, pair in zip(signals, pairs)]
        filter_ = _drawn_filter(stage.sections, HIGH_PASS if k else FIRST_HIGH_PASS, sample_rate, rng)
        signals = [_through((filter_,), u) for u in signals]
        level = max(float(np.sqrt(np.mean([np.var(u[pair.skip:]) for u, pair in zip(signals, pairs)]))), 1e-9)
        biases = tuple(rectifier(level, 0.02 * level, tuple(pole_of(s, sample_rate) for s in seconds)) for seconds in stage.biases)
        curve = _drawn_curve(stage.units, _between(*(DRIVE if k + 1 < len(row) else LAST_DRIVE), rng) / level, rng)
        signals = [_through(biases + (curve,), u) for u in signals]
        stages += (filter_,) + biases + (curve,)
    return closed_form(Block(stages + (back_bank(sample_rate, plan.back),), sample_rate, controls), pairs)[::-1]


def _drawn_filter(sections: int, high_pass: tuple[float, float], sample_rate: float, rng) -> Cascade:
    def pole(frequency):
        return float(np.exp(-2.0 * np.pi * frequency / sample_rate))

    zeros, poles = [pole(_BLOCKED)], [pole(_between(*high_pass, rng))]
    for _ in range(sections - 2):
        shelf = _between(*SHELF, rng)
        zeros.append(pole(shelf / _between(*BOOST, rng)))
        poles.append(pole(shelf))
    return first_order(zeros + [_TOP], poles + [min(pole(_between(*LOW_PASS, rng)), _HIGHEST)])


def _drawn_curve(units: int, gain: float, rng) -> Static:
    shifts = rng.uniform(-SHIFT, SHIFT) + 0.5 * np.arange(units) * rng.choice((-1.0, 1.0))
    gains = gain * np.geomspace(1.0, 0.4, units)
    return Static(TanhSum((1.0,) + (0.1,) * (units - 1), tuple(gains.tolist()), tuple(shifts.tolist()), fixed=("offset", "weight[0]")), adaa=True)


def _between(low: float, high: float, rng) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _through(stages, x: np.ndarray) -> np.ndarray:
    return run_chain(stages, x, rest_chain(stages))
