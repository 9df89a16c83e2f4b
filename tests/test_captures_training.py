"""Training in torch: the same sound as without it, every network and conditioning learns, nothing is lost by a stop, refusals."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

torch = pytest.importorskip("torch", reason="torch is not installed: training is not tested here")

from test_captures_trained import SMALL, made  # noqa: E402  (torch decides first)

from circuits.errors import FitError, ModelFileError  # noqa: E402
from validation.captures.architectures import PRESETS, Architecture, Stack, initial, shapes  # noqa: E402
from validation.captures.conditioning import WAYS, conditioning_shapes, effective  # noqa: E402
from validation.captures.exports import export  # noqa: E402
from validation.captures.hidden import hidden_activations  # noqa: E402
from validation.captures.load import load_capture, read_capture  # noqa: E402
from validation.captures.trained import TrainedCapture  # noqa: E402
from validation.captures.training import losses, networks  # noqa: E402
from validation.captures.training.train import Settings, Take, train  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
torch.set_num_threads(1)
RATE = 8000.0


def esr(target, estimate):
    return float(np.sum((target - estimate) ** 2) / np.sum(target**2))


CASES = [(name, "none") for name in SMALL if name not in ("graybox", "lstm-linear")] + [("graybox", "stack"), ("lstm", "concat"), ("lstm", "film"), ("lstm", "hyper"), ("lstm", "dynamic"), ("wavenet", "film"), ("wavenet", "hyper"),
                                               ("gcn-tfilm", "concat"), ("tcn", "film"), ("gru", "hyper"), ("window", "film")]


@pytest.mark.parametrize("name, way", CASES)
def test_torch_hears_what_is_played(name, way):
    """The equations of training and of playing agree to float32, knobs at rest."""
    network = made(name, way)
    arch = network.architecture
    played = TrainedCapture(network)
    x = 0.3 * np.random.default_rng(3).standard_normal(700)
    lead = 24001 if arch.recurrent else played._player.model.prewarm if arch.kind in ("tcn", "gcn") else arch.memory
    heard = np.concatenate([np.zeros(lead), x])
    weights = {key: torch.tensor(values, dtype=torch.float64) for key, values in network.weights.items()}
    knobs = torch.tensor(network.shares({one["name"]: one["position"] for one in network.knobs}))
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


def offered(name, way):
    """The reason why a pair is refused, or "" if it is offered."""
    try:
        conditioning_shapes(KNOBBED[name], way, 1)
    except ModelFileError as error:
        return str(error)
    return ""


KNOBBED = NETS | {"graybox": Architecture("graybox", (8, 4), stack=Stack((220e3, 1e6, 22e3, 33e3, 470e-12, 22e-9, 22e-9), knobs=("bass",), sample_rate=RATE))}
PAIRS = [(name, way) for name in KNOBBED for way in WAYS if way != "none"]


def test_pairs_that_are_not_offered_are_refused_by_name():
    refused = {pair: offered(*pair) for pair in PAIRS if offered(*pair)}
    assert len(PAIRS) - len(refused) == 7 * 3 + 2  # concat, film and hyper for all, dynamic for the LSTM, stack for the gray box
    for (name, way), words in refused.items():
        assert "dynamic hyper-network modulates an LSTM" in words if way == "dynamic" and name != "graybox" else f"{way!r} does not go with" in words


@pytest.mark.slow
@pytest.mark.parametrize("name, way", [pair for pair in PAIRS if not offered(*pair)])
def test_every_network_learns_a_knob_in_every_way(name, way):
    """One recording at two positions: a network without the knob can at best play the mean of both targets."""
    takes = [take(drive=1.0, knob=-1.0), take(drive=12.0, knob=1.0)]
    knobs = [{"name": "drive", "minimum": 1.0, "maximum": 12.0, "position": 1.0}]
    arch = KNOBBED[name]
    if name == "graybox":
        takes = [replace(take(knob=share), y=lfilter(*arch.stack.coefficients([share]), take().y)) for share in (-1.0, 1.0)]
        knobs = [{"name": "bass", "minimum": 0.0, "maximum": 1.0, "position": 0.0}]
    settings = replace(LEARN, goal=0.02, steps=16, lanes=2 if way == "dynamic" else 4, length=256 if way == "dynamic" else 1024, chunk=64 if way == "dynamic" else 128)
    done = train(arch, takes, RATE, rng=np.random.default_rng(1), way=way, knobs=knobs, settings=settings)
    low, high = (one.y for one in takes)
    deaf = 2.0 * np.sum((0.5 * (high - low)) ** 2) / np.sum(low**2 + high**2)
    assert done.held_out < 0.05 < deaf / 2.0, (done.history[-1], deaf)
    played = TrainedCapture(done.network)
    own = esr(takes[0].y[300:], played.process(takes[0].x)[300:])
    played.turn(**{knobs[0]["name"]: knobs[0]["maximum"]})
    played.reset()
    other = esr(takes[1].y[300:], played.process(takes[1].x)[300:])
    assert own < 0.12 and other < 0.08


def test_a_filter_beside_a_network_is_found_first_and_kept():
    """Of a device that is a filter and a little bend, least squares finds the filter; descent moves only what is beside it."""
    one = take()
    bent = replace(one, y=lfilter([0.5, 0.3, -0.2], [1.0], one.x) + 0.2 * one.x**2)
    settings = replace(LEARN, epochs=3, steps=4, goal=0.0)
    done = train(replace(NETS["lstm"], linear=64), [bent], RATE, rng=np.random.default_rng(1), settings=settings)
    alone = train(NETS["lstm"], [bent], RATE, rng=np.random.default_rng(1), settings=settings)
    taps = done.network.weights["linear.taps"] * done.network.input_gain * done.network.output_gain
    assert np.allclose(taps[:3], [0.5, 0.3, -0.2], atol=0.02) and np.abs(taps[3:]).max() < 0.02
    assert done.held_out < 0.3 * alone.held_out
    assert esr(bent.y[200:], TrainedCapture(done.network).process(bent.x)[200:]) < 1.1 * done.held_out + 1e-4


def explained(network, take, features):
    """Share of the teacher's features that a linear map of the network's hidden activations gives."""
    weights = {key: torch.tensor(values, dtype=torch.float32) for key, values in network.weights.items()}
    hidden = []
    networks.play(network.architecture, weights, torch.tensor(take.x * network.input_gain, dtype=torch.float32)[None], hidden=hidden)
    own = np.vstack([torch.cat(hidden, dim=1)[0].numpy(), np.ones(len(take.x))])[:, 100:]
    want = features[:, 100:] - features[:, 100:].mean(axis=1, keepdims=True)
    left = want - (want @ np.linalg.pinv(own)) @ own
    return 1.0 - float(np.sum(left**2) / np.sum(want**2))


def test_hidden_layers_of_a_teacher_are_taught(tmp_path):
    one = take()
    teacher = train(Architecture("wavenet", (6, 4), 3, ((1, 2, 4), (1, 2))), [one], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, epochs=20))
    export(teacher.network, tmp_path / "teacher.nam")
    model = read_capture(tmp_path / "teacher.nam")
    features = hidden_activations(model, one.x)
    weights = {key: torch.tensor(values) for key, values in teacher.network.weights.items()}
    hidden = []
    networks.play(teacher.network.architecture, weights, torch.tensor(one.x * teacher.network.input_gain)[None], hidden=hidden)
    assert features.shape == (10, len(one.x)) and np.allclose(torch.cat(hidden, dim=1)[0].numpy(), features, atol=1e-5)
    told = replace(one, hidden=features)
    settings = replace(LEARN, epochs=6, goal=0.0)
    taught = train(NETS["wavenet"], [told], RATE, rng=np.random.default_rng(1), settings=replace(settings, hints=3.0))
    alone = train(NETS["wavenet"], [told], RATE, rng=np.random.default_rng(1), settings=settings)
    assert not any(name.startswith("hint") for name in taught.network.weights) and taught.network.n_parameters == alone.network.n_parameters
    assert 1.0 - explained(taught.network, one, features) < 0.7 * (1.0 - explained(alone.network, one, features))
    knob = [{"name": "drive", "minimum": 0.0, "maximum": 1.0, "position": 0.5}]
    moved = train(NETS["lstm"], [replace(told, knobs=(0.0,))], RATE, rng=np.random.default_rng(1), way="dynamic", knobs=knob, settings=replace(settings, epochs=1, hints=1.0))
    assert not any(name.startswith("hint") for name in moved.network.weights)  # hints reach a dynamic hyper-network too
    with pytest.raises(FitError, match="hints need a teacher"):
        train(NETS["wavenet"], [one], RATE, rng=np.random.default_rng(1), settings=replace(settings, hints=1.0))
    export(train(NETS["lstm"], [one], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, epochs=1)).network, tmp_path / "lstm.nam")
    model = read_capture(tmp_path / "lstm.nam")
    head = model.net[-1]
    silence = np.zeros(model.prewarm)
    features = hidden_activations(model, np.concatenate([silence, one.x]))[:, len(silence):]
    assert esr(load_capture(tmp_path / "lstm.nam").process(one.x), model.output_gain * (head.weight[0, :, 0] @ features + head.bias[0])) < 1e-9


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


class Maker:
    """What a pickle that runs code looks like: reading it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))], ids=["torch", "pickle"])
def test_a_checkpoint_runs_no_code(write, tmp_path):
    path = tmp_path / "run.pt"
    write({"digest": Maker(tmp_path / "made")}, path)
    with pytest.raises(FitError, match="can't be read"):
        train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(5), settings=replace(LEARN, epochs=1), checkpoint=path)
    assert [one.name for one in tmp_path.iterdir()] == ["run.pt"]


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


FULL = """
import resource, signal, sys
sys.path[:0] = [{root!r}, {tests!r}]
import numpy as np
from dataclasses import replace
from circuits.errors import FitError
from test_captures_training import LEARN, NETS, RATE, take, train
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def told(done, text):
    if text.startswith("epoch 2,"):  # from here on no file may grow beyond a kilobyte
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
try:
    train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(5), settings=replace(LEARN, epochs=9, goal=0.0), checkpoint={path!r}, progress=told)
except FitError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_disk_that_is_full_keeps_the_epoch_before(tmp_path):
    """The limit is the kernel's own: the third checkpoint is refused while it is written."""
    path = tmp_path / "run.pt"
    code = FULL.format(root=str(ROOT), tests=str(ROOT / "tests"), path=str(path))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.count("\n") == 1 and "epoch 3 can't be written" in said and "Saved is epoch 2." in said, said
    assert [one.name for one in tmp_path.iterdir()] == ["run.pt"]
    settings = replace(LEARN, epochs=4, goal=0.0)
    rest = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(5), settings=settings, checkpoint=path)
    assert same(rest, train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(5), settings=settings))


def test_stops(tmp_path):
    early = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, rate=1e-9, patience=3, steps=1, goal=0.0))
    assert early.stop == "no better for 3 epochs"
    timed = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, goal=0.0, seconds=0.2))
    assert timed.stop == "0.2 s are over" and timed.history[-1].seconds >= 0.2 and all(one.seconds < 0.2 for one in timed.history[:-1])
    timed = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, goal=0.0, cpu=0.2))
    assert timed.stop == "0.2 s of processor time are over" and timed.history[-1].cpu >= 0.2 and all(one.cpu < 0.2 for one in timed.history[:-1])
    assert train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(LEARN, goal=100.0)).stop.startswith("held-out ESR at the goal")


def test_the_step_size_follows_half_a_cosine(tmp_path):
    settings = replace(LEARN, schedule="cosine", epochs=5, steps=2, goal=0.0)
    path = tmp_path / "run.pt"
    done = train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=settings, checkpoint=path)
    assert [one.rate for one in done.history] == pytest.approx(0.02 * (0.5 + 0.5 * np.cos(np.pi * np.arange(5) / 5)))
    assert settings.step_size(5, 0.0, 0.0) == pytest.approx(0.0002)
    with pytest.raises(FitError, match="another run"):  # the number of epochs belongs to it
        train(NETS["lstm"], [take()], RATE, rng=np.random.default_rng(1), settings=replace(settings, epochs=6), checkpoint=path)


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
    refused("no schedule 'linear'", one, schedule="linear")
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
            if arch.stack is not None:
                own |= dict(zip(("stack.b", "stack.a"), replace(arch.stack, sample_rate=48000.0).coefficients(())))
            y, _ = networks.play(arch, own, torch.zeros(1, 64))
            assert y.shape == (1, 64) and torch.isfinite(y).all(), name
