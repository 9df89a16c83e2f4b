"""Impulse responses and chains: convolution to rounding, no added latency, series, parallel, rates, controls, refusals."""

import json

import numpy as np
import pytest
import soundfile
from check_processor import check_processor, example_signal
from make_captures import every_nam, guitarml

from circuits.errors import CircuitError, ModelFileError, RateError
from validation.captures.chain import Chain, Parallel, load_chain
from validation.captures.impulse import PARTITION, Impulse, load_impulse
from validation.captures.load import load_capture
from validation.captures.resampled import Resampled


def opened(path, *, sample_rate, rate_strict, **settings):
    """What the front door does: look at the suffix."""
    if str(path).endswith(".wav"):
        return load_impulse(path, sample_rate, **settings)
    if str(path).endswith(".toml"):
        return load_chain(path, opened, sample_rate=sample_rate, rate_strict=rate_strict)
    return load_capture(path, sample_rate=sample_rate, rate_strict=rate_strict, **settings)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(40)
    (tmp_path / "amp.nam").write_text(json.dumps(every_nam(rng)["two arrays"]))
    (tmp_path / "pedal.json").write_text(json.dumps(guitarml(rng, "LSTM", 6, 2)))
    soundfile.write(tmp_path / "cab.wav", 0.1 * rng.standard_normal(900) * np.exp(-np.arange(900) / 100.0), 48000, subtype="DOUBLE")
    return tmp_path


def chain(folder, text, name="rig.toml", **options):
    (folder / name).write_text(text)
    return load_chain(folder / name, opened, **options)


@pytest.mark.parametrize("n_taps", [1, 5, PARTITION, PARTITION + 1, 1000, 5000])
def test_convolution_is_exact_and_starts_at_once(n_taps):
    rng = np.random.default_rng(n_taps)
    taps, x = rng.standard_normal(n_taps), rng.standard_normal(3000)
    impulse = Impulse(taps, 48000.0)
    assert np.allclose(impulse.process(x), np.convolve(x, taps)[:3000], atol=1e-11 * n_taps**0.5)
    assert impulse.latency == 0


def test_impulses_are_processors():
    taps = np.random.default_rng(41).standard_normal(700)
    check_processor(lambda: Impulse(taps, 48000.0))
    check_processor(lambda: Impulse(taps[:20], 48000.0))


def test_impulse_files(tmp_path):
    n = np.arange(4000)
    taps = np.exp(-n / 300.0) * np.sin(0.05 * n) * (n / 200.0) ** 2
    soundfile.write(tmp_path / "cab.wav", np.column_stack([taps, -taps]) / 20, 48000, subtype="DOUBLE")
    with pytest.raises(ModelFileError, match="2 channels"):
        load_impulse(tmp_path / "cab.wav")
    with pytest.raises(ModelFileError, match="no channel 2"):
        load_impulse(tmp_path / "cab.wav", channel=2)
    assert np.array_equal(load_impulse(tmp_path / "cab.wav", channel=1).taps, -taps / 20)
    # the same gain at a frequency, whatever the rate
    gains = []
    for rate in (48000, 44100, 96000):
        h = load_impulse(tmp_path / "cab.wav", rate, channel=0).taps
        gains.append(abs(np.sum(h * np.exp(-2j * np.pi * 380.0 / rate * np.arange(len(h))))))
    assert np.allclose(gains, gains[0], rtol=1e-3)
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 21), 8000)
    with pytest.raises(ModelFileError, match="too long"):
        load_impulse(tmp_path / "long.wav")
    with pytest.raises(CircuitError, match="finite taps"):
        Impulse([], 48000.0)


RIG = """
sample_rate = 48000
title = "A rig"
[[stage]]
load = "pedal.json"
name = "pedal"
set = { knob1 = 0.7 }
output_db = -6.0
[[stage]]
load = "amp.nam"
settings = { dtype = "float64" }
[[stage]]
load = "cab.wav"
"""


def test_a_rig_is_its_parts_one_after_another(folder):
    rig = chain(folder, RIG)
    pedal = load_capture(folder / "pedal.json", sample_rate=48000)
    pedal.turn(knob1=0.7)
    pedal.reset()
    amp, cab = load_capture(folder / "amp.nam", dtype="float64"), load_impulse(folder / "cab.wav")
    x = example_signal()
    assert np.array_equal(rig.process(x), cab.process(amp.process(pedal.process(x) * 10 ** (-6 / 20))))
    assert list(rig.controls) == ["pedal.knob1"] and rig.controls["pedal.knob1"].position == 0.7
    assert rig.latency == pedal.latency > 0 and [name for name, _ in rig.stages] == ["pedal", "amp", "cab"]
    assert rig.run.samples > len(x)


def test_chains_are_processors(folder):
    check_processor(lambda: chain(folder, RIG), n_samples=1500, blocks=(1, 7, 64, 1500))


PARALLEL = """
sample_rate = 48000
[[stage]]
output_db = -3.0
parallel = [ [ { load = "pedal.json" }, { load = "cab.wav", output_db = 6.0 } ], [ { load = "cab.wav" } ] ]
[[stage]]
load = "cab.wav"
[[stage]]
load = "cab.wav"
"""


def test_parallel_branches_are_aligned_and_summed(folder):
    rig = chain(folder, PARALLEL)
    assert list(rig.controls) == ["parallel.1.pedal.knob1"] and [name for name, _ in rig.stages] == ["parallel", "cab", "cab2"]
    rig.turn(**{"parallel.1.pedal.knob1": 0.2})
    assert rig.controls["parallel.1.pedal.knob1"].position == 0.2
    check_processor(lambda: chain(folder, PARALLEL), n_samples=1000, blocks=(1, 64, 1000))
    slow, quick = Resampled(Impulse([1.0], 44100.0), 48000.0), Impulse([1.0], 48000.0)
    both = Parallel([("slow", slow), ("quick", quick)])
    x = np.sin(0.03 * np.arange(4000))
    y = both.process(x)
    assert both.latency == slow.latency
    assert np.allclose(y[2000:], 2.0 * x[2000 - both.latency:-both.latency], atol=1e-3)


def test_rates_of_stages(folder):
    with pytest.raises(RateError, match="44100 Hz, not at 48000"):
        chain(folder, RIG, rate_strict=True)
    assert chain(folder, RIG, sample_rate=44100).sample_rate == 44100
    own_rate = load_capture(folder / "pedal.json")
    stubborn = '[[stage]]\nload = "pedal.json"\n'
    (folder / "a.toml").write_text(stubborn)
    rig = load_chain(folder / "a.toml", lambda path, **settings: own_rate, sample_rate=48000)
    assert isinstance(rig.stages[0][1], Resampled) and rig.sample_rate == 48000
    with pytest.raises(RateError, match="44100 Hz, the chain at 48000"):
        load_chain(folder / "a.toml", lambda path, **settings: own_rate, sample_rate=48000, rate_strict=True)
    with pytest.raises(RateError, match="no sample rate"):
        load_chain(folder / "a.toml", opened)
    with pytest.raises(RateError, match="Wrap it"):
        Chain([("a", own_rate, 1.0, 1.0)], 48000.0)


@pytest.mark.parametrize("text, match", [
    ("", "the chain has no stage.*load ="),
    ("stage = []", "stage is empty"),
    ("[[stage]]\nlaod = 'amp.nam'", "'laod' is unknown. Known: load, parallel"),
    ("wobble = 1\n[[stage]]\nload = 'amp.nam'", "'wobble' is unknown"),
    ("[[stage]]\nload = 'amp.nam'\nparallel = []", "either load or parallel"),
    ("[[stage]]\nname = 'x'", "either load or parallel"),
    ("[[stage]]\nparallel = []", "parallel is empty"),
    ("[[stage]]\nparallel = [[]]", "stage is empty"),
    ("[[stage]]\nload = 3", "should be a text"),
    ("[[stage]]\nload = 'amp.nam'\nset = { drive = 1.0 }", "no control 'drive'"),
    ("[[stage]]\nload = 'pedal.json'\nset = { knob1 = 3.0 }", "out of range"),
    ("[[stage]]\nload = 'amp.nam'\noutput_db = 1e9", "gain in dB"),
    ("[[stage]]\nload = 'amp.nam'\nsettings = { sample_rate = 1 }", "can't hold sample_rate"),
    ("[[stage]]\nload = 'amp.nam'\nname = 'a.b'", "letters, digits"),
    ("[[stage]]\nload = 'amp.nam'\nname = 'a'\n[[stage]]\nload = 'amp.nam'\nname = 'a'", "is taken"),
    ("[[stage]\n", "is not TOML"),
    ("[[stage]]\nload = 'rig.toml'", "leads back to itself"),
    ("[[stage]]\nload = 'absent.nam'", "No such file"),
    ("[[stage]]\nload = 'cab.wav'\n" * 100, "too many stages"),
    ("a = " + "[" * 50000, "nested too deeply|is not TOML"),
])
def test_bad_chains_are_refused_with_the_cause(folder, text, match):
    with pytest.raises((ModelFileError, RateError), match=match):
        chain(folder, text, sample_rate=48000)


def test_chains_may_hold_chains(folder):
    (folder / "inner.toml").write_text("sample_rate = 48000\n[[stage]]\nload = 'pedal.json'")
    rig = chain(folder, "[[stage]]\nload = 'inner.toml'", sample_rate=48000)
    assert list(rig.controls) == ["inner.pedal.knob1"]
    with pytest.raises(CircuitError, match="there is no control 'pedal'"):
        rig.turn(pedal=1.0)


def test_two_stages_need_two_names():
    with pytest.raises(CircuitError, match="one name"):
        Chain([("a", Impulse([1.0], 48000.0), 1.0, 1.0)] * 2, 48000.0)
