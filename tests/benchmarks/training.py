"""What networks learn of our own circuits on a fixed budget of processor time: the tables of docs/training.md, one a subcommand.

    python tests/benchmarks/training.py nano     [--cpu 300]      a nano WaveNet of the overdrive, exported and read back
    python tests/benchmarks/training.py circuits [--cpu 60]       every architecture on three circuits, gray boxes beside them
    python tests/benchmarks/training.py knobs    [--cpu 120]      200 positions of two knobs, four ways of conditioning, gray box
    python tests/benchmarks/training.py distil CAPTURE [--cpu 120]  a large capture into small ones, with and without hints
    python tests/benchmarks/training.py linear   [--cpu 60]       with and without a fixed filter beside the network

Budgets are processor seconds of training (one thread; rendering is not counted), so other work on the machine shortens no run by much. Each
row ends with its seed and the seconds that it took. Scores are taken on stretches that neither the descent nor the choice of the epoch
has seen: ESR, ESR after pre-emphasis (0.85), multi-resolution STFT; x real: seconds of sound a second of processor time.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np  # noqa: E402  (thread counts and path must stand before)
import torch  # noqa: E402
from calibrated import CURVES, calibrated, player_of  # noqa: E402

from ampwright.datasets import dataset  # noqa: E402
from ampwright.fitting import STRUCTURES  # noqa: E402
from ampwright.pairs import pair  # noqa: E402
from ampwright.training import train  # noqa: E402
from graybox.blocks import BlockProcessor  # noqa: E402
from graybox.fit import fit  # noqa: E402
from validation.audio import Audio, write_audio  # noqa: E402
from validation.captures.architectures import architecture  # noqa: E402
from validation.captures.linear import FILTER_TAPS, best_filter  # noqa: E402
from validation.captures.load import load_capture  # noqa: E402
from validation.captures.trained import TrainedCapture  # noqa: E402
from validation.dataset import divide, read_dataset  # noqa: E402
from validation.signals import PHRASES, shipped_phrase  # noqa: E402
from validation.spectral_metrics import multi_resolution_stft  # noqa: E402

CIRCUITS = "preamp_ab763,tube_screamer,fuzz_face"  # clean preamp, overdrive, fuzz
NETS = "ff-32,ff-4096,lstm-16,gru-16,wavenet-nano,wavenet-standard,tcn-small,gcn,gcn-tfilm"
RATE = 48000.0
EMPHASIS = 0.85
# Step sizes and batches for the kinds of network: recurrent ones take many short lanes, convolutions few long ones. An epoch ends with a scoring of all that is
# held out, which a recurrent network has to play in one lane: many steps in each leave most of the budget to the descent.
RECURRENT = {"rate": 0.008, "lanes": 32, "length": 4096, "steps": 80}
CONVOLVED = {"rate": 0.006, "lanes": 8, "length": 8192, "steps": 10}
LONG = {"rate": 0.001, "lanes": 8, "length": 8192, "steps": 20}  # thousands of taps each: a large step throws all of them off


def settings_for(net: str) -> dict:
    """How a network is trained here."""
    arch = architecture(net)
    chosen = dict(RECURRENT if arch.recurrent else LONG if arch.kind == "window" and arch.taps > 256 else CONVOLVED)
    if arch.kind == "graybox":
        chosen["warm_up"] = 4096  # the stack's slowest pole
    return chosen


def budget(net: str, cpu: float, seed: int, way: str = "") -> dict:
    """Keywords of `train` for a run that only processor time ends."""
    own = settings_for(net)
    if way == "dynamic":  # in one lane it plays ten times slower than the others, so it is scored half as often
        own["steps"] *= 2
    if way == "hyper" and architecture(net).kind == "window":  # every weight moves with eight hidden units at once: at a large step rectifiers die
        own["rate"] = min(own["rate"], 0.002)
    return {"net": net, "cpu": cpu, "epochs": 10**6, "patience": 10**6, "schedule": "cosine", "seed": seed, **own}


def material() -> Audio:
    """The shipped phrases, one after another: 30 s."""
    return Audio(np.concatenate([shipped_phrase(name).samples for name in PHRASES]), RATE)


def played(model, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Output of a model from rest with its latency taken out, and seconds of sound a processor second."""
    model.process(x[:4800])
    model.reset()
    begun = time.thread_time()
    y = model.process(np.concatenate([x, np.zeros(model.latency)]))[model.latency:]
    return y, len(x) / RATE / (time.thread_time() - begun)


def scores(y: np.ndarray, estimate: np.ndarray, spans) -> tuple[float, float, float]:
    """ESR, pre-emphasised ESR and MR-STFT on stretches, the first two over all together, the last as their mean."""
    def ratio(target, guess):
        return sum(float(np.sum((target[a:b] - guess[a:b]) ** 2)) for a, b in spans) / sum(float(np.sum(target[a:b] ** 2)) for a, b in spans)

    def lifted(v):
        return np.concatenate([v[:1], v[1:] - EMPHASIS * v[:-1]])

    return ratio(y, estimate), ratio(lifted(y), lifted(estimate)), float(np.mean([multi_resolution_stft(y[a:b], estimate[a:b]) for a, b in spans]))


def head(*extra: str) -> None:
    """The table's first lines, as the docs have them."""
    names = ("model", "numbers", "ESR", "pre-emphasised ESR", "MR-STFT", "times real time", "CPU s", "seed", *extra)
    print("| " + " | ".join(names) + " |\n" + "| --- " * len(names) + "|", flush=True)


def row(name: str, numbers: int, found, speed: float, cpu: float, seed: int, *extra) -> None:
    """One line of the table."""
    first, second, third = found
    told = (name, numbers, f"{first:.5f}", f"{second:.5f}", f"{third:.2f}", f"{speed:.0f}", f"{cpu:.0f}", seed, *extra)
    print("| " + " | ".join(str(one) for one in told) + " |", flush=True)


def better(linear: float, esr: float) -> str:
    """By what factor an error is below the best filter's."""
    return f"{linear / esr:.3g}"


def quarter(spans) -> list[tuple[int, int]]:
    """The first stretches that together are a quarter of all."""
    left, found = sum(b - a for a, b in spans) // 4, []
    for a, b in spans:
        if left > RATE // 2:
            found.append((a, min(b, a + left)))
            left -= found[-1][1] - a
    return found


def nano(chosen) -> None:
    """A nano WaveNet of the overdrive: processor time from the netlist on, and the exported file against the network."""
    head("held out", "file's ESR")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(chosen.out or Path(folder) / "nano.nam")
        begun = time.process_time()
        done = train("phrases", chosen.circuits.split(",")[0], path, **budget("wavenet-nano", chosen.cpu, chosen.seed))
        spent = time.process_time() - begun
        _, tests, joined = parts_of(done.pair, chosen.seed)
        y, speed = played(TrainedCapture(done.network), joined.x)
        again = load_capture(path).process(joined.x)
        row(f"{chosen.circuits.split(',')[0]} wavenet-nano", done.network.n_parameters + 1, scores(joined.y, y, tests), speed, spent, chosen.seed,
            f"{done.held_out:.5f}", f"{np.sum((again - y) ** 2) / np.sum(y ** 2):.1e}")


def parts_of(joined, seed: int):
    """Training (validation included) and test stretches as `train` divides them with this seed."""
    parts = divide(len(joined.x), RATE, np.random.default_rng(seed), guard=min(0.1, len(joined.x) / RATE / 40.0))
    return sorted((*parts["train"], *parts["validation"])), parts["test"], joined


def circuits(chosen) -> None:
    """Every architecture and the gray boxes on each circuit."""
    head("best filter", "better by")
    dry = material()
    for circuit in chosen.circuits.split(","):
        joined = pair(dry, circuit)
        learned, tests, _ = parts_of(joined, chosen.seed)
        taps = best_filter([(joined.x[a:b], joined.y[a:b]) for a, b in learned], FILTER_TAPS)
        filtered = scores(joined.y, np.convolve(joined.x, taps)[:len(joined.x)] + np.mean(joined.y), tests)[0]
        for net in (net for net in chosen.nets.split(",") if net):
            begun = time.process_time()
            done = train(joined, **budget(net, chosen.cpu, chosen.seed))
            spent = time.process_time() - begun
            y, speed = played(TrainedCapture(done.network), joined.x)
            found = scores(joined.y, y, tests)
            row(f"{circuit} {net}", done.network.n_parameters, found, speed, spent, chosen.seed, f"{filtered:.4f}", better(filtered, found[0]))
        for label, spans in (("", learned), (", quarter of the data", quarter(learned))):
            xs, ys = [joined.x[a:b] for a, b in spans], [joined.y[a:b] for a, b in spans]
            if "auto" in chosen.gray:
                begun = time.process_time()
                block = fit("auto", xs, ys, sample_rate=RATE, rng=np.random.default_rng(chosen.seed), seconds=chosen.cpu, check=False).block
                spent = time.process_time() - begun
                y, speed = played(BlockProcessor(block), joined.x)
                found = scores(joined.y, y, tests)
                row(f"{circuit} gray box, auto{label}", block.n_parameters, found, speed, spent, chosen.seed, f"{filtered:.4f}", better(filtered, found[0]))
            for kind in ("circuit", "curves"):
                if kind in chosen.gray and (kind == "circuit" or circuit in CURVES):
                    begun = time.process_time()
                    fitted, free, before = calibrated(circuit, xs, ys, RATE, np.random.default_rng(chosen.seed), chosen.cpu, curves=kind == "curves")
                    spent = time.process_time() - begun
                    y, speed = played(player_of(fitted, RATE), joined.x)
                    found = scores(joined.y, y, tests)
                    row(f"{circuit} gray box, circuit{' with learned curves' if kind == 'curves' else ''} (from {before:.4f}){label}", free, found, speed, spent, chosen.seed,
                        f"{filtered:.4f}", better(filtered, found[0]))


def knobs(chosen) -> None:
    """Ways of conditioning on many positions, and a tone stack as a circuit between two networks on many, three and one."""
    head("on stretches never heard too", "best filters", "better by", "epochs")
    circuit, _, names = chosen.knobs.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(chosen.folder or Path(folder) / "set")
        dataset(circuit, mix(chosen.seconds, folder), place, n=chosen.positions, sampling="latin", vary=names.split(","), seed=chosen.seed, held=0.1, stretch=0.5,
                guard=0.02, oversample=chosen.oversample)
        for case in chosen.ways.split(","):
            net, _, way = case.partition(":")
            counts = [int(one) for one in chosen.settings.split(",")] if architecture(net).kind == "graybox" or way == chosen.few else [0]
            for count in counts:
                begun = time.process_time()
                done = train(place, None, conditioning=way or None, positions=count, **budget(net, chosen.cpu, chosen.seed, way))
                spent = time.process_time() - begun
                told = read_dataset(place)
                x, capture, found, energy, speed, left = told.samples(told.dry), TrainedCapture(done.network), [], [], 0.0, 0.0
                for item in (one for one in told.items if one.held):
                    capture.turn(**{name: item.positions[name] for name in capture.controls})
                    y, speed = played(capture, x)
                    target = told.samples(item)
                    found.append(scores(target, y, [(2400, len(x))]))
                    energy.append(float(np.sum(target[2400:] ** 2)))
                    filtered = np.convolve(x, best_filter([(x, target)], FILTER_TAPS))[:len(x)] + np.mean(target)  # of this very position, which is more than the networks know
                    left += float(np.sum((target - filtered)[2400:] ** 2))
                mean = np.average(np.array(found), axis=0, weights=energy)
                row(f"{circuit} {case}" + (f", {count} settings" if count else ""), done.network.n_parameters, tuple(mean), speed, spent, chosen.seed,
                    f"{done.unseen:.4f}", f"{left / sum(energy):.4f}", better(left / sum(energy), mean[0]), len(done.history))


def mix(seconds: float, folder: str) -> Path:
    """A short mix of the phrases: their loudest stretches one after another, as a file."""
    size = int(seconds * RATE / len(PHRASES))
    parts = []
    for name in PHRASES:
        x = shipped_phrase(name).samples
        power = np.convolve(x**2, np.ones(size), "valid")
        at = int(np.argmax(power))
        parts.append(x[at:at + size])
    path = Path(folder) / "mix.wav"
    write_audio(path, np.concatenate(parts), RATE)
    return path


def distil(chosen) -> None:
    """A large capture into small networks, from its output and with its hidden layers as hints, and into gray-box blocks; beside them the same students of the capture's own circuit."""
    head("best filter", "against the circuit")
    dry = material()
    dry = Audio(chosen.gain * dry.samples, RATE)
    joined = pair(dry, chosen.capture)
    truth = pair(dry, chosen.truth) if chosen.truth else None
    _, tests, _ = parts_of(joined, chosen.seed)
    name = Path(chosen.capture).stem + (f" at {chosen.gain:g} of the level" if chosen.gain != 1.0 else "")

    def told(label: str, model, numbers: int, spent: float, filtered: float) -> None:
        y, speed = played(model, joined.x)
        true = f"{scores(truth.y, y, tests)[0]:.5f}" if truth else ""
        row(label, numbers, scores(joined.y, y, tests), speed, spent, chosen.seed, f"{filtered:.4f}", true)

    if truth:
        teacher = load_capture(chosen.capture)
        told(f"{name}, the teacher", teacher, teacher.n_parameters, 0.0, math.nan)
    for net in (net for net in chosen.nets.split(",") if net):
        block = net in STRUCTURES
        ways = [(chosen.capture, 0.0), *((chosen.capture, float(one)) for one in chosen.hints.split(",") if one and not block), *([(chosen.truth, 0.0)] if truth else [])]
        for target, hints in ways:
            begun = time.process_time()
            if block:
                done = train(dry, target, net=net, cpu=chosen.cpu, seed=chosen.seed)
                model, numbers = BlockProcessor(done.block), done.block.n_parameters
            else:
                done = train(dry, target, hints=hints, **budget(net, chosen.cpu, chosen.seed))
                model, numbers = TrainedCapture(done.network), done.network.n_parameters
            spent = time.process_time() - begun
            label = f"{net} of {chosen.truth}" if target == chosen.truth else f"{name} into {net}" + (f", hints {hints:g}" if hints else "")
            told(label, model, numbers, spent, done.linear)


def linear(chosen) -> None:
    """Networks alone and beside a filter that was fitted first and then kept."""
    head("best filter")
    dry = material()
    for circuit in chosen.circuits.split(","):
        joined = pair(dry, circuit)
        _, tests, _ = parts_of(joined, chosen.seed)
        for net in (net for net in chosen.nets.split(",") if net):
            for taps in (0, *(int(one) for one in chosen.taps.split(","))):
                begun = time.process_time()
                done = train(joined, linear=taps, **budget(net, chosen.cpu, chosen.seed))
                spent = time.process_time() - begun
                y, speed = played(TrainedCapture(done.network), joined.x)
                row(f"{Path(circuit).stem} {net}" + (f" beside {taps} taps" if taps else ""), done.network.n_parameters, scores(joined.y, y, tests), speed, spent, chosen.seed,
                    f"{done.linear:.4f}")


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=("nano", "circuits", "knobs", "distil", "linear"))
    parser.add_argument("capture", nargs="?", help="distil: what to learn from")
    parser.add_argument("--cpu", type=float, default=60.0, help="processor seconds of each row")
    parser.add_argument("--nets", default="")
    parser.add_argument("--circuits", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gray", default="auto,circuit", help="circuits: of auto, circuit, curves")
    parser.add_argument("--knobs", default="preamp_2203:bass,treble", help="CIRCUIT:NAME,NAME")
    parser.add_argument("--positions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3.0, help="knobs: length of the dry recording")
    parser.add_argument("--oversample", type=int, default=2, help="knobs: of the renderings")
    parser.add_argument("--settings", default="0,3,1", help="knobs: how many positions the gray box learns from; 0 is all")
    parser.add_argument("--few", default="concat", help="knobs: the way of conditioning that is also tried on few positions")
    parser.add_argument("--ways", default="lstm-16:concat,lstm-16:film,lstm-16:hyper,lstm-16:dynamic,wavenet-nano:concat,wavenet-nano:film,wavenet-nano:hyper,graybox-marshall")
    parser.add_argument("--folder", help="knobs: keep the dataset here")
    parser.add_argument("--hints", default="0.3", help="distil: weights of the distance to the hidden layers")
    parser.add_argument("--truth", help="distil: the circuit that the capture was made of")
    parser.add_argument("--gain", type=float, default=1.0, help="distil: factor of the dry recording")
    parser.add_argument("--taps", default="512")
    parser.add_argument("--out", help="nano: keep the file")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    defaults = {"nano": ("", "tube_screamer"), "circuits": (NETS, CIRCUITS), "knobs": ("", ""), "distil": ("wavenet-nano,lstm-16,auto", ""),
                "linear": ("wavenet-nano,lstm-16", CIRCUITS)}[chosen.table]
    chosen.nets, chosen.circuits = chosen.nets or defaults[0], chosen.circuits or defaults[1]
    {"nano": nano, "circuits": circuits, "knobs": knobs, "distil": distil, "linear": linear}[chosen.table](chosen)


if __name__ == "__main__":
    main()
