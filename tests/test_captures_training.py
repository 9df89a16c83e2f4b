"""Training in torch: the same sound as without it, every network and conditioning learns, nothing is lost by a stop, refusals."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

torch = pytest.importorskip("torch", reason="torch is not installed: training is not tested here")

from test_captures_trained import SMALL, made  # noqa: E402  (torch decides first)

from circuits.errors import FitError  # noqa: E402
from validation.captures.architectures import PRESETS, Architecture, initial, shapes  # noqa: E402
from validation.captures.conditioning import effective  # noqa: E402
from validation.captures.exports import export  # noqa: E402
from validation.captures.load import load_capture  # noqa: E402
from validation.captures.trained import TrainedCapture  # noqa: E402
from validation.captures.training import losses, networks  # noqa: E402
from validation.captures.training.train import Settings, Take, train  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
torch.set_num_threads(1)
RATE = 8000.0


def esr(target, estimate):
    return float(np.sum((target - estimate) ** 2) / np.sum(target**2))


CASES = [(name, "none") for name in SMALL] + [("lstm", "concat"), ("lstm", "film"), ("lstm", "hyper"), ("lstm", "dynamic"), ("wavenet", "film"), ("wavenet", "hyper"),
                                               ("gcn-tfilm", "concat"), ("tcn", "film"), ("gru", "hyper"), ("window", "film")]


@pytest.mark.parametrize("name, way", CASES)
def test_torch_hears_what_is_played(name, way):
    """The equations of training and of playing agree to float32, knobs at rest."""
    network = made(name, way)
    arch = network.architecture
    played = TrainedCapture(network)
    x = 0.3 * np.random.default_rng(3).standard_normal(700)
    lead = 24001 if arch.recurrent else played._player.prewarm if arch.kind in ("tcn", "gcn") else arch.memory
    heard = np.concatenate([np.zeros(lead), x])
    if arch.recurrent and way == "dynamic":
        heard = heard[-3700:]  # a step of python a sample; the cell forgets in far less
    weights = {key: torch.tensor(values, dtype=torch.float64) for key, values in network.weights.items()}
    knobs = torch.tensor(network.shares({"drive": 3.0, "tone": 0.5}) if way != "none" else np.zeros(0))
    v = torch.tensor(heard * network.input_gain)[None]
    if way == "dynamic":
        y, _ = networks.play_dynamic(arch, weights, v, knobs)
    else:
        y, _ = networks.play(arch, effective(arch, way, weights, knobs), v)
    assert esr(network.output_gain * y[0, -len(x):].numpy(), played.process(x)) < 1e-10


def device(x, drive=4.0):
    """A clipper behind a low-pass: something that no linear filter can follow."""
    return 0.3 * np.tanh(drive * lfilter([0.5], [1.0, -0.5], x) + 0.2)


def take(n=4096, drive=4.0, knob=None, seed=7):
    rng = np.random.default_rng(seed)
    x = 0.3 * lfilter([1.0], [1.0, -0.7], rng.standard_normal(n))
    whole = ((0, n),)
    return Take(x, device(x, drive), () if knob is None else (knob,), whole, whole)


LEARN = Settings(rate=0.02, decay=1.0, epochs=60, steps=12, lanes=4, length=1024, chunk=128, warm_up=64, patience=60, goal=0.04, seconds=60.0)
NETS = {"window": Architecture("window", (16, 16), 16), "lstm": Architecture("lstm", (8,)), "gru": Architecture("gru", (8,), skip=True),
        "wavenet": Architecture("wavenet", (4, 2), 3, ((1, 2, 4), (1, 2))), "tcn": Architecture("tcn", (8,), 5, ((1, 4),)),
        "gcn": Architecture("gcn", (6,), 3, ((1, 2, 4),)), "gcn-tfilm": Architecture("gcn", (6,), 3, ((1, 2, 4),), block=64)}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_every_network_overfits_a_short_excerpt(name):
    one = take()
    done = train(NETS[name], [one], RATE, rng=np.random.default_rng(1), settings=LEARN)
    assert done.held_out < 0.05, done.history[-1]
    assert esr(one.y[200:], TrainedCapture(done.network).process(one.x)[200:]) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("name, way", [("lstm", "concat"), ("lstm", "film"), ("lstm", "hyper"), ("lstm", "dynamic"), ("wavenet", "film"), ("wavenet", "hyper"),
                                       ("gcn-tfilm", "concat")])
def test_every_conditioning_learns_a_knob(name, way):
    """One recording at two positions: a network without the knob can at best play the mean of both targets."""
    takes = [take(drive=1.0, knob=-1.0), take(drive=12.0, knob=1.0)]
    settings = replace(LEARN, goal=0.02, steps=16, lanes=2 if way == "dynamic" else 4, length=256 if way == "dynamic" else 1024, chunk=64 if way == "dynamic" else 128)
    arch = NETS[name]
    knobs = [{"name": "drive", "minimum": 1.0, "maximum": 12.0, "position": 1.0}]
    done = train(arch, takes, RATE, rng=np.random.default_rng(1), way=way, knobs=knobs, settings=settings)
    low, high = (one.y for one in takes)
    deaf = 2.0 * np.sum((0.5 * (high - low)) ** 2) / np.sum(low**2 + high**2)
    assert done.held_out < 0.05 < deaf / 2.0, (done.history[-1], deaf)
    played = TrainedCapture(done.network)
    own = esr(takes[0].y[300:], played.process(takes[0].x)[300:])
    played.turn(drive=12.0)
    played.reset()
    other = esr(takes[1].y[300:], played.process(takes[1].x)[300:])
    assert own < 0.12 and other < 0.08


def test_what_is_trained_is_what_a_nam_file_plays(tmp_path):
    done = train(NETS["wavenet"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, epochs=2))
    export(done.network, tmp_path / "x.nam")
    x = take().x
    assert esr(TrainedCapture(done.network).process(x), load_capture(tmp_path / "x.nam").process(x)) < 1e-10


def same(first, second):
    return all(np.array_equal(first.network.weights[name], second.network.weights[name]) for name in first.network.weights)


@pytest.mark.parametrize("name", ["lstm", "wavenet"])
def test_seeds_repeat_and_a_stopped_run_goes_on_to_the_same_end(name, tmp_path):
    settings = replace(LEARN, epochs=4, steps=3, goal=0.0)
    whole = train(NETS[name], [take()], RATE, rng=np.random.default_rng(5), settings=settings)
    assert same(whole, train(NETS[name], [take()], RATE, rng=np.random.default_rng(5), settings=settings))
    path = tmp_path / "run.pt"
    train(NETS[name], [take()], RATE, rng=np.random.default_rng(5), settings=replace(settings, epochs=2), checkpoint=path)
    told = []
    rest = train(NETS[name], [take()], RATE, rng=np.random.default_rng(5), settings=settings, checkpoint=path, progress=lambda done, text: told.append(text))
    assert same(whole, rest) and len(told) == 2 and "held-out ESR" in told[0] and "min left" in told[0]
    assert [one.held_out for one in rest.history] == [one.held_out for one in whole.history]
    with pytest.raises(FitError, match="another run"):
        train(NETS[name], [take(seed=8)], RATE, rng=np.random.default_rng(5), settings=settings, checkpoint=path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FitError, match="can't be read"):
        train(NETS[name], [take()], RATE, rng=np.random.default_rng(5), settings=settings, checkpoint=path)


KILLED = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import numpy as np
from dataclasses import replace
from test_captures_training import LEARN, NETS, RATE, take, train
train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(5), settings=replace(LEARN, epochs=100000, goal=0.0, patience=100000, seconds=1e9),
      checkpoint={path!r}, progress=lambda done, text: print(text, flush=True))
"""


@pytest.mark.slow
def test_a_kill_loses_at_most_one_epoch(tmp_path):
    path = tmp_path / "run.pt"
    code = KILLED.format(root=str(ROOT), tests=str(ROOT / "tests"), path=str(path))
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    said = [running.stdout.readline() for _ in range(3)]
    running.send_signal(signal.SIGKILL)
    said += running.stdout.read().splitlines()
    running.stdout.close()
    assert running.wait() == -signal.SIGKILL and said[0].startswith("epoch 1,")
    reached = len([line for line in said if line.strip()])
    settings = replace(LEARN, epochs=reached + 1, goal=0.0, patience=100000, seconds=1e9)
    rest = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(5), settings=settings, checkpoint=path)
    whole = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(5), settings=settings)
    assert same(whole, rest) and len(rest.history) == reached + 1


def test_stops(tmp_path):
    early = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, rate=1e-9, patience=3, steps=1, goal=0.0))
    assert early.stop == "no better for 3 epochs"
    begun = time.monotonic()
    timed = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, goal=0.0, seconds=0.2))
    assert timed.stop == "0.2 s are over" and time.monotonic() - begun < 20.0
    assert train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, goal=100.0)).stop.startswith("held-out ESR at the goal")


def test_refusals(tmp_path, monkeypatch):
    one, rng = take(), np.random.default_rng(1)

    def refused(words, *takes, **options):
        with pytest.raises(FitError, match=words):
            train(NETS["lstm"], takes, RATE, rng=rng, settings=replace(LEARN, epochs=3, steps=2, goal=0.0, **options))

    refused("target is silent", replace(one, y=np.zeros_like(one.y)))
    refused("dry recording is silent", replace(one, x=np.zeros_like(one.x)))
    refused("Give recordings of one length", replace(one, y=one.y[:-1]))
    refused("shorter than one excerpt", one, length=5000)
    refused("nothing to train on", replace(one, train=()))
    refused("can't be read at 'sdr'", one, loss="esr+sdr")
    refused("setting of the training", one, rate=-1.0)
    refused("silent wherever it is held out", replace(one, y=np.concatenate([one.y[:2000], np.zeros(2096)]), validation=((2000, 4096),)))

    path = tmp_path / "run.pt"
    inner = losses.TERMS["esr"]
    monkeypatch.setitem(losses.TERMS, "esr", lambda y, t: inner(y, t) if not path.exists() else inner(y, t) * float("nan"))
    with pytest.raises(FitError, match=r"in epoch 2 the error is no longer a number\. Lower the step size.* Saved is epoch 1 in"):
        train(NETS["lstm"], [one], RATE, rng=rng, settings=replace(LEARN, epochs=3, steps=2, goal=0.0), checkpoint=path)
    monkeypatch.undo()
    path.unlink()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(FitError, match="epoch 1 can't be written.*No space left.*Nothing was saved"):
        train(NETS["lstm"], [one], RATE, rng=rng, settings=replace(LEARN, epochs=3, steps=2, goal=0.0), checkpoint=path)
    assert not list(tmp_path.iterdir())


def test_losses_have_their_known_values():
    t = torch.ones(2, 3000)
    assert float(losses.esr(0 * t, t)) == 1.0 and float(losses.dc(0 * t, t)) == 1.0 and float(losses.mae(3 * t, t)) == 2.0
    assert float(losses.pre(0 * t, t)) == pytest.approx(0.15**2 / (1 + 0.85**2), rel=1e-5)
    noise = torch.tensor(np.random.default_rng(1).standard_normal((2, 6000)), dtype=torch.float32)
    assert float(losses.stft(noise, noise)) == 0.0
    assert float(losses.stft(0.5 * noise, noise)) == pytest.approx(0.5 + np.log(2.0), rel=1e-4)
    assert float(losses.stft(-noise, noise)) == pytest.approx(0.0, abs=1e-6), "spectra don't see polarity"


def test_presets_all_play():
    for name, arch in PRESETS.items():
        if name != "ff-4096":
            own = {key: torch.tensor(values, dtype=torch.float32) for key, values in initial(shapes(arch), np.random.default_rng(1)).items()}
            y, _ = networks.play(arch, own, torch.zeros(1, 64))
            assert y.shape == (1, 64) and torch.isfinite(y).all(), name
