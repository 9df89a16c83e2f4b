"""`ampwright train`: from recordings, models, captures and datasets to files that play; refusals; and one line where torch is missing."""

from __future__ import annotations

import json
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

import ampwright as aw
from ampwright import training
from ampwright.commands.main import run
from ampwright.pairs import pair
from validation.audio import read_audio, write_audio
from validation.dataset import read_dataset

ROOT = Path(__file__).resolve().parents[1]
torch_is_missing = find_spec("torch") is None
needs_torch = pytest.mark.skipif(torch_is_missing, reason="torch is not installed: training is not tested here")
SHORT = ["--epochs", "2", "--steps", "4", "--lanes", "4", "--length", "512"]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if not torch_is_missing:
        import torch

        torch.set_num_threads(1)
    x = 0.3 * lfilter([1.0], [1.0, -0.7], np.random.default_rng(5).standard_normal(24000))
    write_audio("dry.wav", x, 48000)
    write_audio("wet.wav", np.concatenate([np.zeros(300), np.tanh(3.0 * x)])[:24000], 48000)
    return tmp_path


def trained(capsys, *arguments):
    code = run(["train", *arguments, "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


@needs_torch
def test_recordings_become_a_nam_file_that_plays(desk, capsys):
    told = trained(capsys, "dry.wav", "wet.wav", "-o", "x.nam", "--net", "lstm-8", *SHORT, "--epochs", "30", "--steps", "16", "--step-size", "0.02", "--resume", "run.pt")
    assert told["shift"] == 296 and told["test_esr"] < 0.1 and told["parameters"] == 329 and told["linear_esr"] > 0.02
    assert run(["simulate", "x.nam", "dry.wav", "-o", "again.wav"]) == 0
    wet, again = read_audio("wet.wav").samples[296:], read_audio("again.wav").samples[:24000 - 296]
    assert np.sum((again - wet)[4000:] ** 2) / np.sum(wet[4000:] ** 2) < 2.0 * max(told["test_esr"], told["held_out_esr"])
    metadata = json.loads(Path("x.nam").read_text())["metadata"]
    assert metadata["training"]["validation_esr"] == told["held_out_esr"]
    capsys.readouterr()
    again = trained(capsys, "dry.wav", "wet.wav", "-o", "y.nam", "--net", "lstm-8", *SHORT, "--epochs", "30", "--steps", "16", "--step-size", "0.02", "--resume", "run.pt")
    assert Path("y.nam").read_bytes() == Path("x.nam").read_bytes() and len(again["history"]) == 30


@needs_torch
def test_a_capture_is_distilled_and_a_netlist_is_a_target(desk, capsys):
    trained(capsys, "dry.wav", "diode_clipper", "-o", "big.nam", "--net", "wavenet-feather", *SHORT, "--oversample", "1")
    told = trained(capsys, "dry.wav", "--from", "big.nam", "-o", "small.aidax", "--net", "gru-8", *SHORT, "--epochs", "12")
    assert told["test_esr"] < 1.0 and told["alignment"] is None
    played = aw.simulate("small.aidax", read_audio("dry.wav").samples, 48000.0).samples
    assert np.isfinite(played).all() and np.ptp(played) > 0.0


@needs_torch
def test_a_dataset_becomes_a_capture_with_a_knob(desk, capsys):
    assert run(["dataset", "diode_clipper", "dry.wav", "-o", "set", "-n", "4", "--oversample", "1", "--hold", "0.25", "--backend", "threading"]) == 2
    assert "too short" in capsys.readouterr().err
    assert run(["dataset", "diode_clipper", "dry.wav", "-o", "set", "-n", "4", "--oversample", "1", "--hold", "0.25", "--guard", "0.01", "--backend", "threading"]) == 0
    capsys.readouterr()
    told = trained(capsys, "set", "-o", "knob.json", "--net", "lstm-8", "--conditioning", "film", *SHORT, "--epochs", "12", "--step-size", "0.02")
    assert told["conditioning"] == "film" and 0.0 < told["unseen_positions_esr"] < 1.0
    model = aw.load("knob.json")
    assert model.controls["drive"].maximum == 1.0
    item = next(one for one in read_dataset("set").items if one.held)
    target = read_dataset("set").samples(item)
    played = aw.simulate("knob.json", "dry.wav", controls=item.positions).samples
    assert np.sum((played - target)[3000:] ** 2) / np.sum(target[3000:] ** 2) < 3.0 * told["unseen_positions_esr"]
    assert run(["inspect", "knob.json"]) == 0 and "film" in capsys.readouterr().out
    trained(capsys, "set", "-o", "fixed.nam", "--net", "lstm-8", "--conditioning", "film", *SHORT, "--bake", "drive=0.9")
    assert not aw.load("fixed.nam").controls


@needs_torch
def test_refusals_before_hours_are_spent(desk, capsys):
    def refused(words, *arguments):
        assert run(["train", *arguments]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and all(word in err for word in words.split("|")), err
        assert not list(desk.glob("x.*"))

    write_audio("noise.wav", np.random.default_rng(7).standard_normal(24000), 48000)
    write_audio("silent.wav", np.zeros(24000), 48000)
    refused("coherence", "dry.wav", "noise.wav", "-o", "x.nam", *SHORT)
    refused("silent", "dry.wav", "silent.wav", "-o", "x.nam", *SHORT)
    refused("no network|wavenet-nano", "dry.wav", "wet.wav", "-o", "x.nam", "--net", "big")
    refused(".txt|.nam", "dry.wav", "wet.wav", "-o", "x.txt")
    refused("no target", "dry.wav", "-o", "x.nam")
    refused("two targets", "dry.wav", "wet.wav", "--from", "wet.wav", "-o", "x.nam")
    refused("loss|sdr", "dry.wav", "wet.wav", "-o", "x.nam", "--loss", "sdr", "--net", "lstm-8", *SHORT)
    refused("0 knobs|film", "dry.wav", "wet.wav", "-o", "x.nam", "--conditioning", "film", *SHORT)


def test_pairs_are_aligned(desk):
    joined = pair("dry.wav", "wet.wav")
    assert joined.shift == 296 and joined.recorded and len(joined.x) == len(joined.y) == 24000 - 296
    assert np.allclose(joined.y[4:], np.tanh(3.0 * joined.x[:-4]), atol=1e-6)


def test_without_torch_one_line_says_how_to_get_it(desk, capsys, monkeypatch):
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    assert run(["train", "dry.wav", "wet.wav", "-o", "x.nam"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "pip install 'ampwright[train]'" in err and not Path("x.nam").exists()


def test_the_extra_brings_torch_and_nothing_else():
    """No training framework comes along: two releases of one (pytorch_lightning 2.6.2, 2.6.3) were compromised."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = setup["options.extras_require"]["train"].split()
    assert [one.partition(">")[0] for one in wanted] == ["torch"]
