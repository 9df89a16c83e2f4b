"""Fit through the door: from recordings and from models to a block that is a model again, and every refusal in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import cheby1, cheby2, lfilter

import ampwright as aw
from ampwright.commands.main import run
from circuits.errors import FitError, ModelFileError, SignalError
from validation.align import align
from validation.arrival import removable
from validation.audio import Audio, read_audio, write_audio


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A dry recording, and a wet one that is late and clipped."""
    monkeypatch.chdir(tmp_path)
    x = 0.5 * np.random.default_rng(5).standard_normal(24000)
    y = np.tanh(2.0 * lfilter([0.6], [1.0, -0.4], x))
    write_audio("dry.wav", x, 48000)
    write_audio("wet.wav", np.concatenate([np.zeros(300), y])[:24000], 48000)
    return tmp_path


def test_fit_takes_out_the_latency_and_saves_a_model(desk, capsys):
    code = run(["fit", "dry.wav", "wet.wav", "-o", "block.json", "--blocks", "wh-poles", "--seconds", "8", "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    told = json.loads(out)
    assert told["picture"] == "block.png" and Path("block.png").read_bytes().startswith(b"\x89PNG")
    assert told["held_out_esr"] < 1e-3 and told["alignment"]["latency"] == pytest.approx(300.0, abs=1.5) and 290 <= told["shift"] <= 300
    assert run(["simulate", "block.json", "dry.wav", "-o", "again.wav"]) == 0
    wet, again = read_audio("wet.wav").samples, read_audio("again.wav").samples
    late = np.concatenate([np.zeros(told["shift"]), again])[:len(wet)]
    assert np.sum((late - wet)[2000:] ** 2) / np.sum(wet[2000:] ** 2) < 2e-3
    capsys.readouterr()
    assert run(["inspect", "block.json"]) == 0
    shown = capsys.readouterr().out
    assert "held out esr" in shown and "stages" in shown and "48000" in shown


def benchmark_circuit(x):
    """Slow third-order filters around a diode-like knee, by scipy: its answer peaks some fifteen samples after its beginning."""
    u = lfilter(*cheby1(3, 0.5, 4400.0, fs=51200.0), x)
    v = np.where(u > 0.0, 0.3 * np.tanh(u / 0.3), u)
    return lfilter(*cheby2(3, 40.0, 5000.0, fs=51200.0), v)


def test_the_delay_of_the_devices_own_filters_is_not_taken_for_latency(desk):
    """Volts beyond full scale in float files, the command alone, and the block played on what it has not heard."""
    rng = np.random.default_rng(8)
    x = 2.0 * lfilter(*cheby1(4, 0.5, 10000.0, fs=51200.0), rng.standard_normal(50000))
    y = benchmark_circuit(x)
    assert np.abs(x).max() > 4.0 and np.abs(y).max() > 1.0
    write_audio("u.wav", x[:40000], 51200, subtype="float")
    write_audio("y.wav", y[:40000] + 1e-3 * rng.standard_normal(40000), 51200, subtype="float")
    write_audio("unheard.wav", x[39000:], 51200, subtype="float")
    assert run(["fit", "u.wav", "y.wav", "-o", "wh.json"]) == 0
    assert run(["simulate", "wh.json", "unheard.wav", "-o", "played.wav"]) == 0
    error = (read_audio("played.wav").samples - y[39000:])[1000:]
    assert np.sqrt(np.mean(error**2)) < 1e-3  # below the noise of the recording, which is 2e-3 of its level


@pytest.mark.parametrize("extra", [0, 37, 300, -50])
def test_where_the_answer_begins(extra):
    x = np.random.default_rng(9).standard_normal(30000)
    y = benchmark_circuit(x)
    late = np.concatenate([np.zeros(extra), y])[:30000] if extra >= 0 else np.concatenate([y[-extra:], np.zeros(-extra)])
    found = removable(x, late, align(x, late, 51200.0).latency)
    assert found == 0 if extra == 0 else extra - 12 <= found <= extra  # never later than the answer, at most some samples before it


def test_fit_to_a_model_with_another_curve(desk):
    x = Audio(0.3 * np.random.default_rng(6).standard_normal(16000), 48000.0)
    found = aw.fit(x, "diode_clipper", "clipper.json", blocks="hammerstein", curve="spline", oversample=1, controls={"drive": 0.2}, seconds=12.0)
    assert found.alignment is None and found.first is not None and found.result.held_out <= 1.05 * found.first.held_out
    played = aw.simulate("clipper.json", x.samples, 48000.0)
    target = aw.simulate("diode_clipper", x.samples, 48000.0, controls={"drive": 0.2})
    error = np.sum((played.samples - target.samples)[1000:] ** 2) / np.sum(target.samples[1000:] ** 2)
    assert error < 0.05 and error < 3.0 * found.result.held_out
    finer = aw.player(aw.load("clipper.json"), 48000.0, oversample=4)
    assert finer.latency > 0 and finer.process(x.samples).shape == x.samples.shape


def test_a_block_at_twice_the_rate_plays_at_the_rate_of_the_recordings(desk):
    x = Audio(0.3 * lfilter([0.5, 0.5], [1.0], np.random.default_rng(6).standard_normal(12000)), 48000.0)
    found = aw.fit(x, "diode_clipper", "fine.json", blocks="wh-bank", controls={"drive": 0.6}, seconds=8.0, double=True)
    kept = {48000.0: "wh-bank", 96000.0: "wh-bank at twice the rate"}
    assert found.result.structure == kept[found.block.sample_rate] and found.portrait.sample_rate == found.block.sample_rate
    assert found.result.held_out <= 1.05 * min(one.held_out for one in found.result.tried)  # the finer block is kept unless it is worse by a twentieth
    played = aw.simulate("fine.json", x.samples, 48000.0)
    target = aw.simulate("diode_clipper", x.samples, 48000.0, controls={"drive": 0.6}, oversample=4)
    error = np.sum((played.samples - target.samples)[1000:-1000] ** 2) / np.sum(target.samples[1000:-1000] ** 2)
    assert error < 3.0 * found.result.held_out


def test_refusals(desk, capsys):
    def refused(words, *arguments):
        before = sorted(Path().iterdir())
        assert run([str(one) for one in arguments]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and all(word in err for word in words.split("|")), err
        assert sorted(Path().iterdir()) == before

    write_audio("noise.wav", np.random.default_rng(7).standard_normal(24000), 48000)
    write_audio("two.wav", np.zeros((2, 24000)) + 0.1, 48000)
    refused("coherence|belong", "fit", "dry.wav", "noise.wav", "-o", "block.json")
    write_audio("silent.wav", np.zeros(24000), 48000)
    refused("silent.wav|all 24000 samples are 0", "fit", "dry.wav", "silent.wav", "-o", "block.json")
    refused("silent.wav|silent", "fit", "silent.wav", "wet.wav", "-o", "block.json")
    plucked = np.exp(-np.arange(24000) % 6000 / 900.0) * np.sin(0.06 * np.arange(24000)) + 0.01 * np.random.default_rng(8).standard_normal(24000)
    write_audio("plucked.wav", 0.5 * plucked, 48000)
    write_audio("driven.wav", np.concatenate([np.zeros(20), lfilter([0.4], [1.0, -0.6], np.tanh(15.0 * plucked))])[:24000] * 0.5, 48000)
    refused("swapped|crest factor|before the input|dry recording first", "fit", "driven.wav", "plucked.wav", "-o", "block.json")
    write_audio("warm.wav", np.concatenate([np.zeros(20), np.tanh(4.0 * plucked)])[:24000] * 0.5, 48000)
    refused("swapped|ms) before the input|kurtosis", "fit", "warm.wav", "plucked.wav", "-o", "block.json")
    write_audio("take.wav", np.random.default_rng(10).permutation(plucked) * 0.5, 48000)
    refused("belong|coherence is", "fit", "plucked.wav", "take.wav", "-o", "block.json")
    write_audio("flat.wav", np.clip(0.5 * plucked, -0.2, 0.2), 48000)
    refused("clipped|samples in a row stand at its peak of 0.2", "fit", "plucked.wav", "flat.wav", "-o", "block.json")
    write_audio("three.wav", np.array([0.1, 0.2, 0.3]), 48000)
    hiss = 0.3 * np.random.default_rng(11).standard_normal(24000)
    write_audio("far.wav", np.concatenate([np.zeros(14000), np.tanh(hiss)])[:24000], 24000)
    write_audio("here.wav", hiss, 24000)
    refused("far.wav|14000 samples (0.583 s) behind the input|at most 0.5 s", "fit", "here.wav", "far.wav", "-o", "block.json")
    refused("here.wav|before the input", "fit", "far.wav", "here.wav", "-o", "block.json")
    refused("three.wav|3 samples are too few", "fit", "dry.wav", "three.wav", "-o", "block.json")
    refused("three.wav|3 samples", "fit", "three.wav", "wet.wav", "-o", "block.json")
    refused("3 samples", "fit", "dry.wav", "three.wav", "-o", "block.json")
    refused("structure|wh-poles", "fit", "dry.wav", "wet.wav", "-o", "block.json", "--blocks", "magic")
    refused("curve|net", "fit", "dry.wav", "wet.wav", "-o", "block.json", "--curve", "magic")
    refused("block.txt|.json", "fit", "dry.wav", "wet.wav", "-o", "block.txt")
    refused("two.wav|2 channels|--channel", "fit", "two.wav", "wet.wav", "-o", "block.json")
    refused("missing.wav", "fit", "missing.wav", "wet.wav", "-o", "block.json")
    refused("seconds", "fit", "dry.wav", "wet.wav", "-o", "block.json", "--seconds", "0")
    Path("block.json").write_text('{"format": "ampwright-block", "version": 99}')
    refused("block.json|version 99|Update", "inspect", "block.json")
    Path("report.json").write_text('{"format": "ampwright-comparison", "version": 1}')
    refused("report.json|ampwright compare", "inspect", "report.json")


def test_python_refusals(desk):
    with pytest.raises(FitError, match="Use one of auto, wh, hammerstein"):
        aw.fit("dry.wav", "wet.wav", blocks="x")
    with pytest.raises(FitError, match="taken to twice the rate"):
        aw.fit("dry.wav", "wet.wav", double=True)
    with pytest.raises(FitError, match="swapped curves stay at the rate"):
        aw.fit("dry.wav", "wet.wav", blocks="wh-bank", curve="net", double=True)
    with pytest.raises(SignalError, match="no channel 3"):
        aw.fit("dry.wav", "wet.wav", channel=3)
    with pytest.raises(ModelFileError, match="Did you mean diode_clipper"):
        aw.fit("dry.wav", "diode_cliper")
