"""`ampwright dataset`: renderings equal what simulate plays, in processes and on a dask cluster, and go on after a stop."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ampwright as aw
from ampwright.commands.main import run
from validation.audio import write_audio
from validation.dataset import read_dataset

try:
    import dask.distributed as distributed
except ImportError:
    distributed = None


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_audio("dry.wav", 0.3 * np.random.default_rng(5).standard_normal(12000), 48000)
    return tmp_path


def check(folder):
    made = read_dataset(folder)
    dry = made.samples(made.dry)
    for item in made.items:
        played = aw.simulate("diode_clipper", dry, 48000.0, oversample=2, controls=item.positions).samples
        assert np.array_equal(made.samples(item), played.astype(np.float32))
    return made


COMMAND = ["dataset", "diode_clipper", "dry.wav", "-o", "set", "-n", "3", "--oversample", "2", "--guard", "0.01", "--stretch", "0.05", "--jobs", "2"]


def test_renderings_are_what_simulate_plays(desk, capsys):
    assert run([*COMMAND, "--json", "--sampling", "latin"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["renderings"] == 3 and told["controls"] == ["drive"]
    made = check("set")
    stamps = {path.name: path.stat().st_mtime_ns for path in (desk / "set").glob("*.wav")}
    assert run([*COMMAND, "--sampling", "latin"]) == 0
    assert stamps == {path.name: path.stat().st_mtime_ns for path in (desk / "set").glob("*.wav")} and read_dataset("set") == made


def test_refusals_in_one_line(desk, capsys):
    def refused(words, *arguments):
        assert run(list(arguments)) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and all(word in err for word in words.split("|")), err

    refused("no controls", "dataset", "rc_lowpass", "dry.wav", "-o", "set")
    refused("no control 'gain'|drive", *COMMAND, "--vary", "gain")
    refused("backend|loky", *COMMAND, "--backend", "slurm")
    refused("another dataset|seed", *COMMAND, "--seed", "4")
    write_audio("silent.wav", np.zeros(12000), 48000)
    refused("silent", "dataset", "diode_clipper", "silent.wav", "-o", "other")
    if distributed is None:
        refused("dask|ampwright[cluster]", *COMMAND, "--backend", "dask")


@pytest.mark.slow
@pytest.mark.skipif(distributed is None, reason="dask is not installed: the cluster is not tested here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_local_dask_cluster(desk):
    assert run([*COMMAND, "--backend", "dask"]) == 0
    check("set")
