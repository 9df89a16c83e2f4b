"""`ampwright train`: from recordings, models, captures and datasets to files that play; refusals; and one line where torch is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
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
FRAMEWORKS = {"pytorch-lightning", "lightning", "neural-amp-modeler"}  # the last one brings the first
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
    told = trained(capsys, "set", "-o", "fixed.nam", "--net", "lstm-8", "--conditioning", "film", *SHORT, "--bake", "drive=0.9")
    assert not aw.load("fixed.nam").controls and told["notes"] == ["a .nam has no knobs: drive stands at 0.9; --bake chooses where"]
    assert run(["train", "set", "-o", "x.nam", "--net", "lstm-8", "--epochs", "100000", "--bake", "drove=0.9"]) == 2  # before hours are spent
    assert "there is no knob 'drove' to bake. Knobs: drive." in capsys.readouterr().err


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


@needs_torch
def test_a_gray_box_block_is_fitted_where_a_network_would_be_trained(desk, capsys):
    trained(capsys, "dry.wav", "diode_clipper", "-o", "big.nam", "--net", "lstm-8", *SHORT, "--oversample", "1")
    write_audio("dry.wav", 0.3 * lfilter([1.0], [1.0, -0.7], np.random.default_rng(6).standard_normal(96000)), 48000)
    told = trained(capsys, "dry.wav", "--from", "big.nam", "-o", "block.json", "--net", "hammerstein", "--cpu-seconds", "5")
    assert told["test_esr"] < 0.1 and told["net"] == "hammerstein" and told["parameters"] > 5
    x = read_audio("dry.wav").samples
    teacher, block = (aw.simulate(name, x, 48000.0).samples for name in ("big.nam", "block.json"))
    assert np.sum((teacher - block)[2000:] ** 2) / np.sum(teacher[2000:] ** 2) < 3.0 * told["test_esr"] + 1e-3
    assert run(["train", "dry.wav", "-o", "x.json", "--net", "wh"]) == 2 and "one recording and one target" in capsys.readouterr().err


@needs_torch
def test_hints_and_a_filter_from_the_command_line(desk, capsys):
    trained(capsys, "dry.wav", "diode_clipper", "-o", "big.nam", "--net", "lstm-8", *SHORT, "--oversample", "1")
    told = trained(capsys, "dry.wav", "--from", "big.nam", "-o", "small.json", "--net", "lstm-8", "--hints", "0.5", "--linear", "64", *SHORT)
    assert told["parameters"] == 329 + 64 and aw.load("small.json").n_parameters == 329 + 64
    assert run(["train", "dry.wav", "wet.wav", "-o", "x.json", "--net", "lstm-8", "--hints", "0.5", *SHORT]) == 2
    assert "hidden layers of a capture" in capsys.readouterr().err
    assert run(["train", "dry.wav", "--from", "big.nam", "-o", "x.nam", "--net", "lstm-8", "--linear", "64", *SHORT]) == 2
    assert "can't hold a filter beside" in capsys.readouterr().err


@needs_torch
def test_a_tone_stack_between_networks_learns_from_a_dataset(desk, capsys):
    assert run(["dataset", "tonestack_fmv", "dry.wav", "-o", "set", "-n", "4", "--oversample", "1", "--hold", "0.25", "--guard", "0.01",
                "--vary", "bass", "--vary", "treble", "--backend", "threading"]) == 0
    capsys.readouterr()
    told = trained(capsys, "set", "-o", "amp.json", "--net", "graybox-fender", "--epochs", "6", "--steps", "16", "--lanes", "4", "--length", "1024",
                   "--step-size", "0.01", "--positions", "2")
    assert told["conditioning"] == "stack" and told["unseen_positions_esr"] < 0.3
    model = aw.load("amp.json")
    assert set(model.controls) == {"bass", "treble"}
    item = next(one for one in read_dataset("set").items if one.held)
    target = read_dataset("set").samples(item)
    played = aw.simulate("amp.json", "dry.wav", controls=item.positions).samples
    assert np.sum((played - target)[3000:] ** 2) / np.sum(target[3000:] ** 2) < 2.0 * told["unseen_positions_esr"]
    assert run(["train", "set", "-o", "x.json", "--net", "graybox-fender", "--conditioning", "film", *SHORT]) == 2
    assert "does not go with the network graybox" in capsys.readouterr().err
    assert run(["train", "dry.wav", "wet.wav", "-o", "x.json", "--net", "graybox-fender", *SHORT]) == 2
    assert "dataset of treble, bass, middle" in capsys.readouterr().err


FULL = """
import resource, signal, sys
sys.path.insert(0, {root!r})
from ampwright.commands.main import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from ampwright import training
inner = training.export
def export(*arguments, **options):  # the disk fills up between the last checkpoint and the capture
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))
    return inner(*arguments, **options)
training.export = export
sys.exit(run({arguments!r}))
"""


@needs_torch
def test_a_disk_that_is_full_at_the_end_keeps_the_checkpoint(desk, capsys):
    arguments = ["train", "dry.wav", "wet.wav", "-o", "x.nam", "--net", "lstm-8", *SHORT, "--json"]
    for more, saved in (([], "Nothing was saved"), (["--resume", "run.pt"], "Saved is epoch 2 in run.pt")):
        done = subprocess.run([sys.executable, "-c", FULL.format(root=str(ROOT), arguments=[*arguments, *more])], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and saved in done.stderr and "x.nam" in done.stderr, done.stderr
        assert sorted(path.name for path in desk.iterdir()) == sorted(["dry.wav", "wet.wav", *more[1:]])
    assert run([*arguments, "--resume", "run.pt"]) == 0 and Path("x.nam").exists()


def test_pairs_are_aligned(desk):
    joined = pair("dry.wav", "wet.wav")
    assert joined.shift == 296 and joined.recorded and len(joined.x) == len(joined.y) == 24000 - 296
    assert np.allclose(joined.y[4:], np.tanh(3.0 * joined.x[:-4]), atol=1e-6)


def test_without_torch_one_line_says_how_to_get_it(desk, capsys, monkeypatch):
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    assert run(["train", "dry.wav", "wet.wav", "-o", "x.nam"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "pip install 'ampwright[train]'" in err and not Path("x.nam").exists()


def test_no_extra_brings_a_training_framework():
    """Two releases of one (pytorch_lightning 2.6.2 and 2.6.3) were compromised: no requirement of ours may name any, and torch asks for none."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = {name: [Requirement(one) for one in text.split("\n") if one.strip()] for name, text in setup["options.extras_require"].items()}
    assert [one.name for one in extras["train"]] == ["torch"]
    wanted = {one.name.lower().replace("_", "-") for requirements in extras.values() for one in requirements}
    assert not wanted & FRAMEWORKS and "torch" in wanted
    if not torch_is_missing:
        asked = {Requirement(one).name.lower().replace("_", "-") for one in requires("torch") or ()}
        assert asked and not asked & FRAMEWORKS
