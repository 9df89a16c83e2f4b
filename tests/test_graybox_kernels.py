"""The swept-sine route as a fit: a sweep is known by its phase, its answer becomes a block, anything else is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from ampwright.commands.main import run
from ampwright.fitting import fit
from ampwright.simulation import recording
from circuits.errors import FitError
from graybox.kernels import fit_kernels, recognise
from graybox.optimise import render
from graybox.sweeps import synchronised_sweep
from validation.audio import Audio, write_audio

RATE = 48000.0


def device(x):
    """A Hammerstein device of third order: two filters, one of them behind a cube."""
    return lfilter([0.5], [1.0, -0.5], x) - lfilter([0.2], [1.0, 0.2], x**3)


@pytest.mark.parametrize("level, low, high, seconds, before", [(1.0, 20.0, 20000.0, 6.0, 0), (-0.25, 50.0, 9000.0, 3.0, 777)])
def test_a_sweep_is_known_by_its_phase(level, low, high, seconds, before):
    sweep = synchronised_sweep(low, high, seconds, RATE)
    noise = 1e-4 * abs(level) * np.random.default_rng(1).standard_normal(before + len(sweep.samples) + 2000)
    x = np.concatenate([np.zeros(before), level * sweep.samples, np.zeros(2000)])
    for heard in (x, np.round(x * 2**23) / 2**23, np.where(x == 0.0, 0.0, x + noise)):
        found = recognise(heard, RATE)
        assert abs(found.start - before) <= 1 and found.level == pytest.approx(level, rel=1e-3)
        assert found.sweep.low == pytest.approx(sweep.low, rel=1e-5) and found.sweep.rate == pytest.approx(sweep.rate, rel=1e-5)


def test_other_signals_are_no_sweeps():
    t = np.arange(96000) / RATE
    linear = np.sin(2.0 * np.pi * (100.0 + 2000.0 * t) * t)
    for x in (np.zeros(9000), np.sin(700.0 * t), linear, np.random.default_rng(2).standard_normal(40000), recording("chords").samples[:96000], t[:50]):
        assert recognise(x, RATE) is None


@pytest.mark.parametrize("level", [0.5, -0.8])
def test_the_block_is_the_device(level):
    sweep = synchronised_sweep(20.0, 6000.0, 6.0, RATE)  # three times 6 kHz stays below Nyquist
    x = np.concatenate([level * sweep.samples, np.zeros(4000)])
    result = fit_kernels(recognise(x, RATE), x, device(x), order=3)
    t = np.arange(24000) / RATE
    x = 0.25 * np.sin(2 * np.pi * 440.0 * t) + 0.2 * np.sin(2 * np.pi * 1310.0 * t)
    y, model = device(x)[4000:], render(result.block, x)[4000:]
    assert np.sum((model - y) ** 2) / np.sum(y**2) < 1e-4
    cubic = -lfilter([0.2], [1.0, 0.2], x**3)[4000:]
    assert np.sum((model - y) ** 2) < 0.1 * np.sum(cubic**2)  # the cube is in it, not the line alone


def test_through_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sweep = synchronised_sweep(20.0, 6000.0, 3.0, RATE)
    x = np.concatenate([0.5 * sweep.samples, np.zeros(9000)])
    write_audio("dry.wav", x, 48000, subtype="float")
    write_audio("wet.wav", device(x), 48000, subtype="float")
    assert run(["fit", "dry.wav", "wet.wav", "-o", "k.json", "--blocks", "kernels", "--baselines", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["structure"] == "kernels" and told["training_esr"] < 1e-2 and Path("k.png").exists()
    assert [one["structure"] for one in told["baselines"]] == ["memory polynomial", "Volterra series"]
    assert all(one["held_out"] > 0.0 for one in told["baselines"])
    assert run(["fit", "chords", "rc_lowpass", "-o", "n.json", "--blocks", "kernels"]) == 2
    assert "no synchronised sweep" in capsys.readouterr().err and not Path("n.json").exists()
    with pytest.raises(FitError, match="no curve to swap"):
        fit(Audio(x, RATE), Audio(device(x), RATE), blocks="kernels", curve="net")


def test_a_sweep_fitted_otherwise_tells_of_its_kernels():
    x = np.concatenate([0.5 * synchronised_sweep(20.0, 6000.0, 1.0, RATE).samples, np.zeros(2000)])
    found = fit(Audio(x, RATE), Audio(np.tanh(x), RATE), blocks="hammerstein", seconds=3.0)
    assert any("--blocks kernels" in note for note in found.notes)
