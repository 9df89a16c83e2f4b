"""`ampwright dataset`: renderings equal what simulate plays, in processes and on a dask cluster, and go on after a stop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ampwright as aw
from ampwright.commands.main import run
from circuits import together
from circuits.kernels.lanes import host_lanes
from circuits.nodal.lanes import lane_kernel, process_lanes
from circuits.nodal.processor import NodalProcessor
from validation.audio import read_audio, write_audio
from validation.dataset import read_dataset

ROOT = Path(__file__).resolve().parents[1]
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


FULL = """
import resource, signal, sys
sys.path.insert(0, {root!r})
from ampwright import datasets
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
inner = datasets.render_dataset
def render(plan, make, *, progress=None, **options):
    def told(done, text):
        if text == "2 of 6 rendered":  # from here on no file may grow beyond {limit} bytes
            resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
    return inner(plan, make, progress=told, **{{**options, "size": 1}})
datasets.render_dataset = render
from ampwright.commands.main import run
sys.exit(run({arguments!r}))
"""


@pytest.mark.parametrize("limit", [1000, 10000])
def test_a_full_disk_keeps_what_was_rendered(desk, limit):
    """Refused by the kernel: at 10,000 bytes the recordings only, at 1,000 the manifest too."""
    arguments = [*COMMAND, "-n", "6", "--jobs", "1", "--backend", "threading"]
    done = subprocess.run([sys.executable, "-c", FULL.format(root=str(ROOT), limit=limit, arguments=arguments)], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "can't be written" in done.stderr, done.stderr
    assert "of 6 renderings are kept: repeat the command to go on" in done.stderr
    left = sorted(path.name for path in (desk / "set").iterdir())
    assert {"dataset.json", "dry.wav", "0000.wav", "0001.wav"} <= set(left) and all(name.endswith((".wav", ".json")) for name in left), left
    stamp = (desk / "set" / "0000.wav").read_bytes()
    assert run(arguments) == 0 and (desk / "set" / "0000.wav").read_bytes() == stamp
    check("set")


@pytest.mark.slow
@pytest.mark.skipif(distributed is None, reason="dask is not installed: the cluster is not tested here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_local_dask_cluster(desk):
    assert run([*COMMAND, "--backend", "dask"]) == 0
    check("set")


@pytest.mark.parametrize("backend", ["threading", pytest.param("dask", marks=pytest.mark.skipif(distributed is None, reason="dask is not installed"))])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_variants_share_lanes_on_every_backend(desk, capsys, monkeypatch, backend):
    circuit = aw.load("diode_clipper")
    lane_kernel(NodalProcessor(circuit, 48000.0).model)  # found ready, lanes are taken for short batches too
    played = []
    monkeypatch.setattr(together, "process_lanes", lambda kernel, group, signals: played.append(len(group)) or process_lanes(kernel, group, signals))
    positions = [k / 10 for k in range(host_lanes() + 1)]
    (desk / "table.csv").write_text("\n".join(["drive", *map(str, positions)]))
    assert run(["simulate", "diode_clipper", "dry.wav", "-o", "out.wav", "--variants", "table.csv", "--backend", backend, "--jobs", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["controls"]["drive"] for one in told] == positions and set(played) == {host_lanes(), 1}
    for number, position in enumerate(positions, 1):
        alone = aw.simulate("diode_clipper", "dry.wav", controls={"drive": position})
        assert np.max(np.abs(read_audio(f"out-{number:03d}.wav").samples - alone.samples)) <= 1e-7
        assert told[number - 1]["run"]["iterations"] == alone.run.iterations
    assert run(["simulate", "diode_clipper", "dry.wav", "-o", "no.wav", "--variants", "table.csv", "--backend", "slurm"]) == 2
    assert "backend" in capsys.readouterr().err
