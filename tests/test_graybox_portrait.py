"""Pictures and first questions: the numbers behind them, against devices whose answers are known."""

import numpy as np

import ampwright as aw
from ampwright.answers import answers
from graybox.blocks import Block, BlockProcessor
from graybox.chain import Static
from graybox.curves import Polynomial, Tanh
from graybox.filters import Cascade, Gain
from graybox.portrait import portrait
from graybox.swap import Seen
from validation.gallery.fitting import fit_figure
from validation.gallery.questions import questions_figure
from validation.gallery.sheets import png

RATE = 48000.0
LOW = Cascade((0.0,), (0.0,), (-0.9,), (0.0,))  # 1 / (1 - 0.9 z^-1)


def test_a_portrait_tells_filters_curves_and_what_is_left_over():
    block = Block((LOW, Static(Tanh(2.0)), Gain(3.0)), RATE, ranges=(Seen(1, -2.0, 3.0, (1, 2, 3, 4)),))
    x = 0.1 * np.random.default_rng(1).standard_normal(20000)
    target = BlockProcessor(block).process(x) + np.where(np.arange(20000) == 9000, 0.5, 0.0)
    seen = portrait(block, x, target)
    assert [one.label for one in seen.filters] == ["before the first curve", "after the last curve"]
    first, last = seen.filters
    wanted = -20.0 * np.log10(np.abs(1.0 - 0.9 * np.exp(-2j * np.pi * first.frequencies / RATE)))
    assert np.allclose(first.gain, wanted, atol=1e-6) and np.allclose(last.gain, 20.0 * np.log10(3.0), atol=1e-9)
    assert seen.curves[0].edges[0] == -2.0 and seen.curves[0].counts.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert seen.time[0] < 9000 / RATE < seen.time[-1] and np.isclose(np.max(np.abs(seen.model - seen.target)), 0.5)
    assert np.all(seen.residual_level < seen.target_level + 3.0)
    assert png(fit_figure(seen, "a _title_ with $ in it")).startswith(b"\x89PNG")


def test_the_first_questions_are_answered_as_theory_says():
    static = BlockProcessor(Block((Static(Polynomial((0.0, 1.0, 0.2))),), RATE))
    found = answers(static, level=1.0)
    assert found.scatter.thickness < 1e-3 and found.memory.rise < 0.002 and found.memory.fall == 0.0
    assert found.levels.odd < 1e-12 and found.levels.even > 1e-4
    cubic = answers(BlockProcessor(Block((Static(Polynomial((0.0, 1.0, 0.0, 0.2))),), RATE)), level=1.0)
    assert cubic.levels.even < 1e-12 and cubic.levels.odd > 1e-5
    slow = answers(BlockProcessor(Block((LOW,), RATE)))
    assert slow.scatter.thickness > 0.1 and slow.levels.linear > 1.0 - 1e-9
    assert np.isclose(slow.memory.fall, np.log(1e3 * np.sqrt(0.5)) / -np.log(0.9) / RATE, rtol=0.35)
    assert png(questions_figure({"static": found, "slow": slow})).startswith(b"\x89PNG")


def test_the_door_asks_circuits_too():
    found = aw.questions(["rc_lowpass", "diode_clipper"])
    assert found["rc_lowpass"].levels.linear > 1.0 - 1e-9
    assert found["diode_clipper"].levels.odd > 0.01 > found["diode_clipper"].levels.even
