"""Growth of structures: what a part promises before it is fitted, two rectifiers before a curve, stretches from everywhere.

The twins are blocks written down by hand, so no fit is needed to have a device of a known kind.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graybox.amplifier import back_bank, bank_like, front_bank, replace_stages, with_bias
from graybox.blocks import Block
from graybox.chain import Parallel, Static
from graybox.curves import TanhSum
from graybox.dynamics import DynamicBias, EnvelopeGain, pole_of
from graybox.optimise import Recording, expected_fall, levenberg_marquardt, normal_equations, render
from graybox.session import WORTH
from graybox.stretches import LEAST, stretches
from graybox.structures import PARTS, Material, promises

RATE = 48000.0


def simple() -> Block:
    """A filter, a curve, a filter: what all parts are added to."""
    front = bank_like(front_bank(RATE), lambda f: 3.0 / (1.0 + 1j * f / 6000.0), RATE)
    back = bank_like(back_bank(RATE), lambda f: 0.5j * f / 80.0 / (1.0 + 1j * f / 80.0) / (1.0 + 1j * f / 5000.0), RATE)
    curve = TanhSum((1.0, 0.2), (1.5, 0.6), (0.3, -0.4), fixed=("offset", "weight[0]", "gain[0]"))
    return Block((front, Static(curve), back), RATE)


def held_still(block: Block) -> Block:
    """The block with all its numbers fixed."""
    return replace_stages(block, tuple(
        Static(replace(s.curve, fixed=("offset", "weight", "gain", "shift"))) if isinstance(s, Static)
        else replace(s, fixed=tuple(p.name for p in s.PARAMETERS)) for s in block.stages))


def playing(seed: int, n: int = 24_000) -> np.ndarray:
    """Notes that die away, loud and soft."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / RATE
    x = np.zeros(n)
    for start, loud in zip(rng.uniform(0.0, 0.9, 8) * t[-1], rng.uniform(0.2, 1.0, 8)):
        rung = np.maximum(t - start, 0.0)
        x += loud * np.sin(2 * np.pi * rng.uniform(90.0, 500.0) * rung) * np.exp(-8.0 * rung) * (t >= start)
    return x + 1e-4 * rng.standard_normal(n)


def biased() -> Block:
    """A quick and a slow rectifier of different shapes before the curve."""
    block = simple()
    slow = DynamicBias(TanhSum((0.4,), (3.0,), (-4.0,)), (1.0,), (pole_of(0.06, RATE),))
    quick = DynamicBias(TanhSum((-0.5,), (2.0,), (1.5,)), (1.0,), (pole_of(0.004, RATE),))
    return replace_stages(block, (block.stages[0], quick, slow) + block.stages[1:])


def sagging() -> Block:
    block = simple()
    return replace_stages(block, (block.stages[0], EnvelopeGain(0.5, pole_of(0.1, RATE))) + block.stages[1:])


def blended() -> Block:
    block = simple()
    beside = bank_like(front_bank(RATE), lambda f: 0.3j * f / 3000.0 / (1.0 + 1j * f / 3000.0), RATE)
    return replace_stages(block, (Parallel((block.stages, (beside,))),))


def recording(block: Block, seed: int, n: int = 24_000) -> Recording:
    x = playing(seed, n)
    return Recording(x, render(block, x), skip=2000)


@pytest.mark.parametrize("device, part", [(biased, "wh-bias"), (sagging, "wh-sag"), (blended, "wh-parallel")])
def test_the_part_that_a_device_has_promises_most(device, part):
    material = Material((recording(device(), 1),), (recording(device(), 2, 4000),), RATE)
    promised = promises(simple(), material, np.random.default_rng(0))
    assert set(promised) == set(PARTS) and 0.0 < promised[part] < 1.0
    assert all(value < WORTH * promised[part] for name, value in promised.items() if name != part), "the others are left out"


def test_the_fall_that_is_expected_is_that_of_a_linear_fit():
    """With only the last filter's numerators free the block is linear: one step is the whole descent."""
    block, target = simple(), recording(sagging(), 3)
    still = held_still(block)
    linear = replace_stages(block, still.stages[:2] + (replace(still.stages[2], fixed=("k1", "k2")),))
    error, fall = expected_fall(linear, [target])
    A, g, whole = normal_equations(linear, [target], [1.0])
    least = whole - g @ np.linalg.lstsq(A, g, rcond=None)[0]
    assert error == whole and error - fall == pytest.approx(least, rel=0.02) and error - fall >= least * (1.0 - 1e-9)


def test_a_quick_and_a_slow_rectifier_need_a_shape_each():
    target, held = recording(biased(), 8, 36_000), recording(biased(), 9)
    found = {}
    for name, groups in (("one shape", ((0.004, 0.06),)), ("two shapes", ((0.004,), (0.06,)))):
        block = held_still(simple())  # only the rectifiers move
        for seconds in groups:
            block = with_bias(block, 1, [target], seconds=seconds)
        found[name] = levenberg_marquardt(block, [target], [held], iterations=40, patience=40, tolerance=1e-5).held_out
    assert found["two shapes"] < 1e-6 and found["one shape"] > 1e-3


def test_stretches_come_from_everywhere():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(8 * LEAST)
    long = Recording(x, x, {}, 2000)
    found = stretches([long], 4 * LEAST, rng)
    assert len(found) == 4 and sum(len(r.x) for r in found) == 4 * LEAST
    starts = sorted(int(np.flatnonzero(x == r.x[0])[0]) for r in found)
    assert all(b - a >= LEAST for a, b in zip(starts, starts[1:])), "no sample twice"
    five = [Recording(x[i * LEAST:(i + 2) * LEAST], x[i * LEAST:(i + 2) * LEAST], {}, 2000) for i in range(0, 8, 2)]
    found = stretches(five, 4 * LEAST, rng)
    assert len(found) == 4 and len({float(r.x[0]) for r in found}) == 4
    assert {next(i for i, whole in enumerate(five) if r.x[0] in whole.x) for r in found} == {0, 1, 2, 3}
    knobs = [Recording(r.x, r.y, {"gain": float(i)}, 2000) for i, r in enumerate(five)]
    assert {r.positions["gain"] for r in stretches(knobs, LEAST, rng)} == {0.0, 1.0, 2.0, 3.0}
    assert stretches([long], len(x), rng) == (long,)
