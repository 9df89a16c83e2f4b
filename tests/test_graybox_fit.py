"""Fits of systems that we made ourselves: what was put in comes out, and bad pairs are refused with what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter, resample_poly

from ampwright.simulation import simulate
from circuits.controls import Control
from circuits.errors import FitError, SignalError
from graybox import structures
from graybox.blocks import Block, BlockProcessor
from graybox.chain import Static
from graybox.checks import check_order
from graybox.curves import DiodePair, Tanh, TanhSum
from graybox.doubling import doubled
from graybox.filters import Cascade, Delay, Fir, Gain
from graybox.fit import fit
from graybox.linear import LinearCircuit, ToneStack
from graybox.optimise import Descent, Recording, esr, evened, levenberg_marquardt, render, weighted_esr
from graybox.parameters import free_mask, values, with_values
from graybox.store import block_from_json, block_to_json
from graybox.structures import Material, fit_structure

RATE = 48000.0


def noise(seed: int, size: int, level: float = 1.0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(size)


def wiener_hammerstein(x: np.ndarray) -> np.ndarray:
    """A twin of the 2009 benchmark by scipy: low-pass, diode pair behind a resistor, low-pass with a transmission zero."""
    u = lfilter([0.05, 0.1, 0.05], [1.0, -1.3, 0.5], x)
    return lfilter([0.3, -0.2, 0.3], [1.0, -0.9, 0.3], DiodePair(limit=1e-3, volts=0.05).value(u))


def test_levenberg_marquardt_finds_the_numbers_that_made_the_signal():
    true = Block((Cascade((0.5,), (0.2,), (-0.7,), (0.4,)), Static(Tanh(2.0, 0.3, 0.8))), RATE)
    x = noise(1, 8000)
    pair = Recording(x, render(true, x), skip=100)
    start = with_values(true, values(true) * np.array([1.0, 1.0, 0.6, 0.5, 0.8, 0.7, 1.2, 1.4, 0.5]))
    descent = levenberg_marquardt(start, [pair], iterations=60, tolerance=1e-9)
    assert esr(descent.block, [pair]) < 1e-18
    assert np.allclose(values(descent.block), values(true), rtol=1e-6)


def test_fit_of_a_wiener_hammerstein_twin_by_division_of_poles():
    x = noise(2, 24000)
    clean = wiener_hammerstein(x)
    y = clean + noise(3, len(x), 1e-3 * clean.std())
    result = fit("wh-poles", x, y, sample_rate=RATE, rng=np.random.default_rng(0))
    fresh = noise(4, 8000)
    truth = wiener_hammerstein(fresh)
    out = BlockProcessor(result.block).process(fresh)
    assert np.sum((out - truth)[500:] ** 2) / np.sum(truth[500:] ** 2) < 5e-6
    assert result.held_out < 5e-6  # the noise put in is 1e-6 of the power
    assert result.structure == "wh-poles" and result.seed == "0" and result.stop
    assert len(result.estimates) == len(result.correlations) <= 52
    low, high = result.seen[0].low, result.seen[0].high
    assert low < result.block.stages[1].curve.low and high > result.block.stages[1].curve.high
    again = fit("wh-poles", x, y, sample_rate=RATE, rng=np.random.default_rng(0))
    assert again.block == result.block


def test_intervals_cover_the_truth():
    """White noise, known start: about 95 % of the intervals must hold the true numbers (here 84 intervals)."""
    true = Block((Cascade((0.5,), (0.2,), (-0.7,), (0.4,)), Static(Tanh(2.0, 0.3, 0.8))), RATE)
    inside, n = 0, 0
    for seed in range(12):
        x = noise(10 + seed, 6000)
        y = render(true, x)
        result = fit(true, x, y + noise(50 + seed, len(x), 0.01), sample_rate=RATE, rng=np.random.default_rng(seed))
        free = [v for name, v in true.parameters.items() if not name.endswith(("gain", "b0[0]")) or "curve" in name]
        for estimate, truth in zip(result.estimates, free):
            inside += abs(estimate.value - truth) <= estimate.half_width
            n += 1
    assert n == 84 and 74 <= inside <= 84


def test_two_numbers_that_do_the_same_are_reported_as_unknown():
    twin = Block((Cascade((0.5,), (0.2,), (-0.7,), (0.4,), fixed=("b0",)), Static(Tanh(2.0, 0.0, 0.8, fixed=("bias",)))), RATE)
    x = noise(5, 6000, 0.2)
    result = fit(twin, x, render(twin, x) + noise(6, 6000, 1e-3), sample_rate=RATE, rng=np.random.default_rng(0))
    half = {e.name: e.half_width for e in result.estimates}
    assert half["stages[0].gain"] == np.inf and half["stages[1].curve.drive"] == np.inf
    assert np.isfinite(half["stages[0].k1[0]"])


def test_a_fractional_delay_is_fitted_with_the_block():
    x = lfilter([0.2], [1.0, -0.8], noise(7, 12000))
    filter_ = Cascade((0.5,), (0.2,), (-0.7,), (0.4,), fixed=("gain", "b0", "b1", "b2", "k1", "k2"))  # it could take up delay
    block = Block((filter_, Static(Tanh(2.0))), RATE)
    late = render(block, Delay(1.37).run(x, Delay().rest()))
    y = np.concatenate([late[24:], np.zeros(24)])[:-24]  # late by 1.37 samples, not by the filter's latency
    start = replace(block, stages=(block.stages[0], Static(Tanh(1.8))))
    result = fit(start, x[:-24], y, sample_rate=RATE, rng=np.random.default_rng(0), delay=True)
    assert result.block.stages[0].delay == pytest.approx(1.37, abs=2e-3)
    assert result.block.latency == 24 and result.held_out < 1e-6


def test_one_fit_over_several_positions_of_a_white_box_tone_stack():
    knobs = tuple(Control(name, 0.0, 10.0, 5.0) for name in ("bass", "middle", "treble"))
    stack = ToneStack(treble=250e3, bass=1e6, middle=25e3, slope=56e3, fixed=("treble", "bass", "middle", "treble_bend",
                                                                              "middle_bend"))
    true = Block((Static(Tanh(3.0)), LinearCircuit(stack, RATE)), RATE, knobs)
    places = [dict(bass=b, middle=m, treble=t) for b, m, t in ((5.0, 2.0, 8.0), (9.0, 5.0, 1.0), (2.0, 7.0, 5.0))]
    xs = [noise(20 + i, 6000, 0.5) for i in range(3)]
    ys = [render(true, x, place) for x, place in zip(xs, places)]
    wrong = replace(stack, slope=33e3, c1=470e-12 * 1.5, c2=22e-9 * 0.6, bass_bend=2.0)
    start = replace(true, stages=(Static(Tanh(2.0)), LinearCircuit(wrong, RATE)))
    result = fit(start, xs, ys, positions=places, sample_rate=RATE, rng=np.random.default_rng(0))
    network = result.block.stages[1].network
    assert network.slope == pytest.approx(56e3, rel=1e-2) and network.bass_bend == pytest.approx(3.3, rel=1e-2)
    unseen = dict(bass=7.0, middle=3.0, treble=4.0)
    fresh = noise(30, 5000, 0.5)
    truth = render(true, fresh, unseen)
    assert np.sum((render(result.block, fresh, unseen) - truth) ** 2) / np.sum(truth**2) < 1e-6


def test_what_stands_before_the_knobs_grows_at_the_brightest_position():
    """Three positions of a twin: the growth hears the one with most treble, its stack stands still there, and all numbers move afterwards."""
    knobs = tuple(Control(name, 0.0, 10.0, 5.0) for name in ToneStack.CONTROLS)
    stack = ToneStack(bass_bend=2.0, load=3e5, fixed=("treble", "bass", "middle", "treble_bend", "middle_bend"))
    true = replace(stack, slope=39e3, c1=400e-12, load=6e5)
    places = [dict(bass=9.0, middle=4.0, treble=1.0), dict(bass=1.0, middle=1.0, treble=9.0), dict(bass=4.0, middle=8.0, treble=3.0)]
    x = plucked(7, 2.3)

    def device(x, place):
        u = lfilter([1.0, -1.0], [1.0, -0.98], x)
        circuit = Block((LinearCircuit(true, RATE),), RATE, knobs)
        return lfilter([0.2], [1.0, -0.8], render(circuit, np.tanh(4.0 * u + 0.4) - np.tanh(0.4), place))

    ys = [device(x, place) for place in places]
    train = tuple(Recording(x, y, place, 2000) for y, place in zip(ys, places))
    material = Material(train, train, RATE, (LinearCircuit(stack, RATE),), knobs)
    assert replace(material, middle=()).brightest() is None
    assert replace(material, train=tuple(r.cut(0, 40_000, 2000) for r in train)).brightest() is None
    alone = material.brightest()
    assert [r.positions for r in alone.train] == [places[1]] and not free_mask(alone.middle[0]).any()
    freed = material.released(Block((Static(Tanh()), alone.middle[0]), RATE, knobs))
    assert freed.stages[1] == material.middle[0]
    said = []
    result = fit("wh-bank", [x] * 3, ys, positions=places, middle=material.middle, controls=knobs, sample_rate=RATE,
                 rng=np.random.default_rng(0), seconds=4.0, progress=lambda done, text: said.append(text))
    assert any("one position" in text for text in said) and any("all positions" in text for text in said)
    fresh, unseen = plucked(8, 0.6), dict(bass=6.0, middle=5.0, treble=6.0)
    assert esr(result.block, [Recording(fresh, device(fresh, unseen), unseen, 2000)]) < 2e-3
    network = next(stage.network for stage in result.block.stages if isinstance(stage, LinearCircuit))
    assert network.slope == pytest.approx(39e3, rel=0.1) and network.c1 == pytest.approx(400e-12, rel=0.1)


def test_the_growth_at_one_position_is_repeated_while_there_is_time_and_the_best_with_all_positions_goes_on(monkeypatch):
    """Three growths with held-out errors of our making: the one that is worst alone is the best with all positions, and is chosen."""
    ends, heard, clock = iter((0.3, 0.1, 0.2)), [], [0.0]

    def grow(name, fitted, material, rng, *, seconds, say, on_step):
        clock[0] += 1.0
        held = next(ends)
        return Descent(f"block {held}", (), "", held, held)

    def descend(block, recordings, hold, *, iterations, seconds, **_):
        heard.append((block, iterations, seconds))
        return Descent(block, (), "", 0.0, {"block 0.3": 0.01}.get(block, 0.05))

    monkeypatch.setattr(structures, "fit_structure", grow)
    monkeypatch.setattr(structures, "lengthened", lambda block, material, rng, *, seconds, on_step: Descent(block, (), "", 0.0, 0.0))
    monkeypatch.setattr(structures, "levenberg_marquardt", descend)
    monkeypatch.setattr(structures.time, "process_time", lambda: clock[0])
    x = noise(1, 4000)
    material = Material((Recording(x, x),), (Recording(x, x),), RATE)
    monkeypatch.setattr(Material, "released", lambda self, block: block)
    structures._joined("lnlnl", material, None, np.random.default_rng(0), 10.0, lambda text: None, None)
    assert [entry[0] for entry in heard] == ["block 0.3", "block 0.1", "block 0.2", "block 0.3"]
    assert [entry[1] for entry in heard] == [structures.CHOSEN_AFTER] * 3 + [100]
    assert heard[0][2] == pytest.approx(0.7) and heard[3][2] == pytest.approx(0.7 * 7.0)
    ends = iter((0.3, 0.1))
    assert [d.block for d in structures._grown_alone("lnlnl", None, np.random.default_rng(0), 1.9, lambda text: None, None)] == ["block 0.3"]


def test_every_position_counts_alike_in_the_held_out_error():
    """A loud position and a quiet one, half of each wrong: the mean of the two shares, not that of the loud one."""
    x = noise(3, 4000)
    loud, quiet = Recording(x, 10.0 * x, {"a": 1.0}), Recording(x, 0.1 * x, {"a": 2.0})
    block = Block((Gain(10.0),), RATE)
    still = Block((Gain(10.0),), RATE, (Control("a", 0.0, 10.0, 1.0),))
    assert weighted_esr(still, [loud, quiet]) == pytest.approx((9.9 / 0.1) ** 2 * 1e-4 / (1.0 + 1e-4), rel=1e-3)
    assert weighted_esr(still, evened([loud, quiet])) == pytest.approx(0.5 * (9.9 / 0.1) ** 2, rel=1e-3)
    alone = (Recording(x, x), Recording(x, x))
    assert evened(alone) == alone and evened(alone)[0].weight is None and weighted_esr(block, evened(alone)) > 0.0


def amplifier(x: np.ndarray) -> np.ndarray:
    """Coupling capacitor, asymmetric stage, dark output: a twin of a small amplifier, by scipy and numpy alone."""
    u = lfilter([1.0, -1.0], [1.0, -0.98], x)
    return lfilter([0.2, 0.1], [1.0, -1.2, 0.5], np.tanh(4.0 * u + 0.4) - np.tanh(0.4))


def plucked(seed: int, seconds: float, level: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    x = np.zeros(n)
    for start in range(0, n, 6000):
        t = np.arange(n - start) / RATE
        f = 82.4 * 2 ** (rng.integers(0, 30) / 12)
        x[start:] += sum(np.sin(2 * np.pi * f * k * t + rng.random()) / k for k in (1, 2, 3, 4)) * np.exp(-6.0 * t)
    return level * x / np.abs(x).max() + noise(seed, n, 1e-3)


def test_auto_climbs_the_ladder_and_keeps_a_simple_structure(tmp_path):
    x = plucked(1, 1.2)
    y = amplifier(x)
    said = []
    result = fit("auto", x, y, sample_rate=RATE, rng=np.random.default_rng(0), seconds=12.0,
                 progress=lambda done, text: said.append((done, text)), checkpoint=tmp_path / "fit.json")
    tried = {t.structure: t for t in result.tried}
    assert {"hammerstein", "wh-poles"} <= set(tried)
    assert result.held_out <= 1.1 * min(t.held_out for t in tried.values()) * (1 + 1e-9)
    assert result.held_out < 1e-3 and result.held_out < 0.5 * tried["hammerstein"].held_out
    fresh = plucked(2, 0.5)
    truth = amplifier(fresh)
    out = BlockProcessor(result.block).process(fresh)
    assert np.sum((out - truth)[2000:] ** 2) / np.sum(truth[2000:] ** 2) < 3e-3
    assert all(0.0 <= done <= 1.0 for done, _ in said) and any("held-out" in text for _, text in said)
    # the same call finds its checkpoint and has nothing left to do but report
    again = fit("auto", x, y, sample_rate=RATE, rng=np.random.default_rng(0), seconds=0.5, checkpoint=tmp_path / "fit.json")
    assert again.held_out <= result.held_out * (1 + 1e-9)
    with pytest.raises(FitError, match="fit.json belongs to a fit of other recordings"):
        fit("auto", x, 0.5 * y, sample_rate=RATE, rng=np.random.default_rng(0), checkpoint=tmp_path / "fit.json")


def test_an_interrupted_fit_keeps_the_best_so_far_and_resumes(tmp_path):
    x = plucked(1, 0.8)
    y = amplifier(x)
    path = tmp_path / "fit.json"
    count = 0

    def stop_in_the_middle(done, text):
        nonlocal count
        if "step" in text:
            count += 1
            if count == 6:
                raise KeyboardInterrupt

    result = fit("wh", x, y, sample_rate=RATE, rng=np.random.default_rng(0), progress=stop_in_the_middle, checkpoint=path)
    assert result.stop.startswith("interrupted") and path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["fit.json"]
    assert np.isfinite(result.held_out)
    resumed = fit("wh", x, y, sample_rate=RATE, rng=np.random.default_rng(0), checkpoint=path)
    assert resumed.held_out <= result.held_out


# -- pairs that can't be used


def refused(match, x, y, kind=FitError, **options):
    with pytest.raises(kind, match=match):
        fit("wh", x, y, sample_rate=RATE, rng=np.random.default_rng(0), **options)


def test_bad_pairs_are_named_with_what_was_measured():
    x = plucked(3, 0.5)
    y = amplifier(x)
    refused("input has 24000 samples and the target 23000", x, y[:23000])
    refused("3 samples are too few", x[:3], y[:3])
    refused("target is silent", x, np.zeros_like(y))
    refused("input is silent", np.full_like(x, 0.3), y)
    refused("target is clipped: [0-9]+ samples in a row stand at its peak of 0.1", x, np.clip(y, -0.1, 0.1))
    refused(r"shape \(2, 24000\)", np.vstack([x, x]), y, kind=SignalError)
    broken = y.copy()
    broken[17] = np.nan
    refused("sample 17 of the target is nan", x, broken, kind=SignalError)
    refused("times better when it is shifted by 4[0-9]{2} samples", x, np.concatenate([np.zeros(450), y[:-450]]))
    refused("% of the target's power is coherent", plucked(3, 1.5), amplifier(plucked(4, 1.5)))
    refused("% of the target's power is coherent", x, noise(9, len(x)))
    refused("2 inputs were given for 1 targets", [x, x], [y])
    late = np.concatenate([np.zeros(3), np.tanh(12.0 * x)])[:len(x)]
    with pytest.raises(FitError, match=r"comes 3 samples \(0.06 ms\) before the input and is peakier .*the files look swapped"):
        check_order(late, x, RATE)
    check_order(x, late, RATE)
    check_order(np.tanh(12.0 * x), x, RATE)  # peaks alone prove nothing
    with pytest.raises(FitError, match="no structure 'magic'.*wh-bias"):
        fit("magic", x, y, sample_rate=RATE, rng=np.random.default_rng(0))
    refused("0.9 can't be held out", x, y, hold=0.9)
    with pytest.raises(FitError, match="everything|nothing to fit"):
        fit(Block((Static(TanhSum((1.0,), (1.0,), (0.0,), fixed=("weight", "gain", "shift", "offset"))),), RATE), x, y,
            sample_rate=RATE, rng=np.random.default_rng(0))


def sagging(x):
    """A stage whose gain sinks with the envelope of its input: scipy and numpy alone."""
    u = lfilter([1.0, -1.0], [1.0, -0.98], x)
    pole = np.exp(-1.0 / (0.08 * RATE))
    envelope = lfilter([1.0 - pole], [1.0, -pole], np.abs(u))
    return lfilter([0.4], [1.0, -0.6], np.tanh(3.0 * u / (1.0 + 20.0 * envelope)))


def blended(x):
    """A dark distorted path and a bright clean one beside it."""
    return lfilter([0.1], [1.0, -0.9], np.tanh(6.0 * lfilter([0.3], [1.0, -0.7], x))) + 0.5 * lfilter([1.0, -1.0], [1.0, -0.5], x)


def remembering(x):
    """A stage whose limit depends on the sample before: no static curve between filters does that."""
    before = np.concatenate([[0.0], x[:-1]])
    return lfilter([0.4], [1.0, -0.6], np.tanh(4.0 * x + 6.0 * before * before))


@pytest.mark.parametrize("structure, device", [("wh-sag", sagging), ("wh-parallel", blended), ("wh-memory", remembering)])
def test_richer_structures_pay_on_devices_of_their_kind(structure, device):
    x = plucked(5, 1.2)
    y = device(x)
    rng = np.random.default_rng(0)
    fitted = {}
    train = (Recording(x[:48000], y[:48000], {}, 2000),)
    material = Material(train, (Recording(x[28000:], y[28000:], {}, 20_000),), RATE)  # four times the sag's 0.1 s to settle
    rich = fit_structure(structure, fitted, material, rng, seconds=40.0)
    fresh = plucked(6, 0.6)
    test = [Recording(fresh, device(fresh), skip=2000)]
    assert esr(rich.block, test) < 0.35 * esr(fitted["wh-bank"], test)
    assert BlockProcessor(rich.block, oversample=2).process(fresh).shape == fresh.shape
    assert block_from_json(block_to_json(rich.block)) == rich.block


def test_a_block_at_twice_its_rate_sounds_the_same_and_descends_there():
    """A hard curve between two filters at eight times the rate: nothing is mirrored, and treble bends between two samples."""
    def device(x):
        fine = resample_poly(x, 8, 1)
        return resample_poly(lfilter([0.05], [1.0, -0.95], np.tanh(12.0 * (fine - lfilter([0.01], [1.0, -0.99], fine)))), 1, 8)

    rng = np.random.default_rng(3)
    x = resample_poly(noise(31, 20_000, 0.3), 2, 1)  # bright, up to half of Nyquist
    result = fit("wh-bank", x, device(x), sample_rate=RATE, rng=rng, seconds=20.0, check=False, double=True)
    assert result.structure == "wh-bank at twice the rate" and result.block.sample_rate == 2.0 * RATE
    single = next(t for t in result.tried if t.structure == "wh-bank")
    assert result.held_out < single.held_out
    fresh = resample_poly(noise(32, 10_000, 0.3), 2, 1)
    target, played = device(fresh), simulate(BlockProcessor(result.block), fresh, RATE).samples
    assert np.sum((played - target)[2000:-2000] ** 2) < 1.5 * result.held_out * np.sum(target[2000:-2000] ** 2)


def test_what_can_not_be_taken_to_twice_the_rate_is_refused():
    x = plucked(9, 0.5)
    with pytest.raises(FitError, match="can be taken to twice the rate"):
        fit("wh-poles", x, amplifier(x), sample_rate=RATE, rng=np.random.default_rng(0), double=True)
    with pytest.raises(FitError, match="fir can't be taken"):
        doubled(Block((Fir((0.5, 0.2)),), RATE))
