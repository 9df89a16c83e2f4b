"""Rows of gain stages: what is drawn, what a descent may change, and why they are worth it for brighter playing than was heard.

The twin is an amplifier of three stages in scipy and numpy alone, at four times the rate.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, lfilter, resample_poly, sosfilt

from circuits.controls import Control
from circuits.errors import FitError
from graybox import session as sessions
from graybox import structures
from graybox.blocks import Block, BlockProcessor
from graybox.doubling import doubled, doubled_recording
from graybox.dynamics import DynamicBias
from graybox.filters import Cascade
from graybox.gainstages import HIGH_PASS, PLANS, drawn_block, first_order
from graybox.linear import LinearCircuit, ToneStack
from graybox.optimise import Descent, Recording, Step, esr, levenberg_marquardt
from graybox.parameters import free_mask
from graybox.session import Session
from graybox.store import block_from_json, block_to_json
from graybox.structures import LADDER, Material, fit_structure, free_numbers

RATE = 44100.0


def three_stages(x: np.ndarray) -> np.ndarray:
    """Three stages: coupling capacitor that a conducting grid charges, a bend for each side, the valve's own low-pass."""
    fine, rate = resample_poly(x, 4, 1), 4.0 * RATE

    def stage(u, high, low, gain, shift, blocking):
        u = sosfilt(butter(1, high, "high", fs=rate, output="sos"), u)
        pole = np.exp(-1.0 / (0.01 * rate))
        u = gain * u
        u = u - blocking * lfilter([1.0 - pole], [1.0, -pole], np.log1p(np.exp(4.0 * (u - 1.0))) / 4.0)
        return sosfilt(butter(1, low, fs=rate, output="sos"), np.tanh(shift) - np.tanh(u + shift))

    u = stage(fine, 60.0, 9000.0, 12.0, 0.3, 0.5)
    u = stage(u, 120.0, 12000.0, 8.0, -0.4, 0.8)
    return resample_poly(0.3 * stage(u, 40.0, 7000.0, 3.0, 0.5, 0.3), 1, 4)


def plucked(seed: int, seconds: float, corner: float) -> np.ndarray:
    """Notes that die away, their overtones falling from ``corner`` Hz on."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    x = np.zeros(n)
    for start in range(0, n, 7000):
        t = np.arange(n - start) / RATE
        f = 82.4 * 2 ** (rng.integers(0, 24) / 12)
        x[start:] += sum(np.sin(2 * np.pi * f * k * t + 6.28 * rng.random()) / (1.0 + (f * k / corner) ** 2) for k in range(1, 24)) * np.exp(-5.0 * t)
    return 0.4 * x / np.abs(x).max() + 1e-4 * rng.standard_normal(n)


def recording(seed: int, seconds: float, corner: float) -> Recording:
    x = plucked(seed, seconds, corner)
    return Recording(x, three_stages(x), skip=2000)


@pytest.fixture(scope="module")
def dull() -> Recording:
    return recording(1, 1.2, 300.0)


@pytest.mark.parametrize("name", PLANS)
def test_what_is_drawn_is_a_row_of_stages_with_filters_of_first_order(name, dull):
    plan = PLANS[name]
    error, block = drawn_block(plan, [dull], RATE, np.random.default_rng(3))
    assert error == pytest.approx(esr(block, [dull]), rel=1e-4) and 0.0 < error < 1.0
    assert drawn_block(plan, [dull], RATE, np.random.default_rng(3))[1] == block != drawn_block(plan, [dull], RATE, np.random.default_rng(4))[1]
    cascades = [s for s in block.stages if isinstance(s, Cascade)]
    assert [len(c.b1) for c in cascades] == [stage.sections for stage in plan.stages]
    assert [s.kind for s in block.stages if not isinstance(s, (Cascade, DynamicBias))] == ["static"] * len(plan.stages) + ["bank"]
    for k, cascade in enumerate(cascades):
        poles = -np.array(cascade.k1)
        assert np.all((poles > 0.0) & (poles < 1.0)) and not any(cascade.k2) and not any(cascade.b2)
        corner = -np.log(poles[0]) * RATE / (2.0 * np.pi)
        assert 20.0 <= corner <= HIGH_PASS[1]
        assert abs(cascade.response([0.01], RATE)[0]) < 0.1  # a coupling capacitor lets no constant pass
        assert not free_mask(cascade)[0] and free_mask(cascade).sum() == 2 * len(poles)  # a pole and a zero a section, no gain


def test_a_descent_leaves_the_filters_at_first_order_and_lowers_the_error(dull):
    _, block = drawn_block(PLANS["stages-3"], [dull], RATE, np.random.default_rng(3))
    descent = levenberg_marquardt(block, [dull], iterations=4)
    assert descent.loss < 0.7 * esr(block, [dull])
    for cascade in (s for s in descent.block.stages if isinstance(s, Cascade)):
        assert not any(cascade.k2) and not any(cascade.b2) and set(cascade.b0) == {1.0}
    assert block_from_json(block_to_json(descent.block)) == descent.block


def test_first_order_sections_are_what_they_are_called():
    """One section against scipy; a zero at 1 and a pole below it are a coupling capacitor."""
    x = np.random.default_rng(5).standard_normal(500)
    cascade = first_order((1.0, -0.3), (0.99, 0.4))
    run = cascade.run(x, cascade.rest())
    assert np.abs(run - lfilter([1.0, 0.3], [1.0, -0.4], lfilter([1.0, -1.0], [1.0, -0.99], x))).max() < 1e-12


def test_a_row_of_stages_errs_less_on_brighter_playing_than_two_filters_of_any_form(dull, monkeypatch):
    """Both hear notes dull above 300 Hz; then they play notes with overtones to 2 kHz."""
    monkeypatch.setattr(structures, "DRAWN", 16)
    monkeypatch.setattr(structures, "KEPT", 2)
    held = recording(2, 0.6, 300.0)
    material = Material((dull,), (held,), RATE)
    bright = [recording(3, 0.8, 2000.0)]
    row = fit_structure("stages-3", {}, material, np.random.default_rng(0), seconds=30.0)
    free = fit_structure("lnlnl", {}, material, np.random.default_rng(0), seconds=30.0)
    assert free_numbers(row.block) < free_numbers(free.block)
    assert row.held_out < 0.1 * free.held_out and esr(row.block, bright) < 0.5 * esr(free.block, bright)
    played = BlockProcessor(row.block, oversample=2).process(bright[0].x)
    assert played.shape == bright[0].x.shape and np.isfinite(played).all()


def test_a_tone_stack_stands_between_the_row_and_a_power_amplifier(dull):
    knobs = tuple(Control(name, 0.0, 10.0, 5.0) for name in ToneStack.CONTROLS)
    middle = (LinearCircuit(ToneStack(), RATE),)
    pair = Recording(dull.x, dull.y, dict(bass=2.0, middle=5.0, treble=8.0), dull.skip)
    error, block = drawn_block(PLANS["stages-4"], [pair], RATE, np.random.default_rng(0), middle=middle, controls=knobs)
    at = [s.kind for s in block.stages].index("linear-circuit")
    kinds = [[s.kind for s in some if not isinstance(s, DynamicBias)] for some in (block.stages[:at], block.stages[at + 1:])]
    assert kinds == [["cascade", "static"] * 4, ["cascade", "static", "bank"]] and block.controls == knobs  # a power amplifier behind the stack
    assert error == pytest.approx(esr(block, [pair]), rel=1e-4)


def test_a_row_of_stages_at_twice_its_rate_sounds_the_same(dull):
    _, block = drawn_block(PLANS["stages-3"], [dull], RATE, np.random.default_rng(3))
    finer = doubled(block)
    assert finer.sample_rate == 2.0 * RATE
    for old, new in zip(block.stages, finer.stages):
        if isinstance(old, Cascade):
            f = np.array([30.0, 100.0, 1000.0, 4000.0])
            ratio = new.response(f, 2.0 * RATE) / old.response(f, RATE)
            assert np.abs(20.0 * np.log10(np.abs(ratio))).max() < 1.5 and not any(new.k2) and not any(new.b2) and new.fixed == old.fixed
    at_once, at_twice = (Recording(r.x, r.y, skip=r.skip) for r in (dull, doubled_recording(dull, RATE)))
    assert esr(finer, [at_twice]) == pytest.approx(esr(block, [at_once]), rel=0.1)
    pivoted = Cascade((4.0,), (0.2,), (-0.7,), (0.4,)).pivoted()
    with pytest.raises(FitError, match="numerators do not begin with one"):
        doubled(Block((pivoted,), RATE))
    two = Cascade((0.5,), (0.2,), (-0.7,), (0.4,))
    ratio = doubled(Block((two,), RATE)).stages[0].response(f, 2.0 * RATE) / two.response(f, RATE)
    assert np.abs(20.0 * np.log10(np.abs(ratio))).max() < 1.0


def test_a_richer_structure_is_left_out_where_the_last_steps_would_lack_the_time(monkeypatch, dull):
    """A climb whose every structure takes no time: with steps on all audio that are too many, the first rich one is the only one."""
    _, block = drawn_block(PLANS["stages-3"], [dull], RATE, np.random.default_rng(3))
    held = iter(0.5 ** np.arange(40))

    def quick(name, fitted, material, rng, **_):
        return Descent(block, (), "", 0.1, float(next(held)))

    monkeypatch.setattr(sessions, "fit_structure", quick)
    monkeypatch.setattr(sessions, "promises", lambda *_: {"wh-bias": 1.0, "wh-sag": 0.0, "wh-parallel": 0.0, "wh-memory": 0.0})
    monkeypatch.setattr(Session, "polish", lambda self, name: None)
    for steps, rich in ((0, {"stages-3", "stages-4", "lnlnl", "lnlnl-bias"}), (10**6, {"stages-3"})):
        monkeypatch.setattr(sessions, "LAST", steps)
        monkeypatch.setattr(Session, "_from_other_starts", lambda self, name: None)
        session = Session(Material((dull,), (dull,), RATE), np.random.default_rng(0), 100.0, None, None, "auto")
        session.climb(1.1)
        assert {t.structure for t in session.tried if np.isfinite(t.held_out)} & set(sessions.RICH) == rich
        left_out = [t for t in session.tried if t.structure in sessions.RICH and t.structure not in rich]
        assert all("CPU-s are left" in t.stop for t in left_out)
    assert set(sessions.RICH) <= set(LADDER)


def test_what_an_interruption_leaves_is_the_best_of_all_starts(dull):
    """A later start begins worse than an earlier one ended: it takes its place only when it is better."""
    session = Session(Material((dull,), (dull,), RATE), np.random.default_rng(0), 100.0, None, None, "stages-3")
    note = session.on_step("stages-3")
    for held, kept in ((0.4, 0.4), (0.2, 0.2), (0.9, 0.2), (0.3, 0.2), (0.1, 0.1)):
        note(Step(0.0, 1.0, held, 1.0), f"block {held}")
        assert session.current == ("stages-3", f"block {kept}")
