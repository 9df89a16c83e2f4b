"""What networks learn of our own circuits in a fixed time: test ESR, size and speed of each, and of distillation beside direct training.

    PYTHONPATH=. python tests/benchmarks/training.py [--seconds 60] [--nets lstm-16,wavenet-nano] [--circuits tube_screamer,...] [--seed 0]
    PYTHONPATH=. python tests/benchmarks/training.py --knobs tube_screamer:drive,tone --positions 200 --nets lstm-16
    PYTHONPATH=. python tests/benchmarks/training.py --distil CAPTURE --nets wavenet-nano

Times are wall-clock on one thread: other work on the machine changes the figures. Every row can be repeated with its seed up to the number
of steps that fit into the time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  (the thread counts must stand before)
import torch  # noqa: E402

from ampwright.datasets import dataset  # noqa: E402
from ampwright.fitting import fit  # noqa: E402
from ampwright.training import train  # noqa: E402
from validation.audio import Audio  # noqa: E402
from validation.captures.trained import TrainedCapture  # noqa: E402
from validation.signals import PHRASES, shipped_phrase  # noqa: E402

CIRCUITS = "tube_screamer,rat,fuzz_face"
NETS = "lstm-16,gru-16,wavenet-nano,wavenet-feather,tcn-small,gcn-tfilm,ff-32"


def material() -> Audio:
    """The shipped phrases, one after another."""
    return Audio(np.concatenate([shipped_phrase(name).samples for name in PHRASES]), 48000.0)


def speed(network) -> float:
    """Seconds of sound a second of processor time."""
    capture = TrainedCapture(network)
    x = 0.1 * np.random.default_rng(1).standard_normal(2 * 48000)
    capture.process(x[:4800])
    begun = time.thread_time()
    capture.process(x)
    return 2.0 / (time.thread_time() - begun)


def row(name: str, done, seconds: float) -> str:
    """One line of the table."""
    unseen = "" if done.unseen != done.unseen else f" {done.unseen:11.4g}"
    return f"{name:28} {done.network.n_parameters:8} {done.test:10.4g} {done.linear:10.4g} {seconds:8.0f} {speed(done.network):8.1f} {len(done.history):7}{unseen}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--nets", default=NETS)
    parser.add_argument("--circuits", default=CIRCUITS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--knobs", help="CIRCUIT:NAME,NAME")
    parser.add_argument("--positions", type=int, default=200)
    parser.add_argument("--ways", default="concat,film,hyper,dynamic")
    parser.add_argument("--distil", help="capture to learn from, beside the circuits")
    parser.add_argument("--gray", action="store_true", help="fit the gray box to the same material too")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    dry = material()
    budget = {"seconds": chosen.seconds, "epochs": 100000, "patience": 100000, "seed": chosen.seed}
    print(f"{'case':28} {'numbers':>8} {'test ESR':>10} {'linear':>10} {'s':>8} {'x real':>8} {'epochs':>7}" + (f" {'unseen ESR':>11}" if chosen.knobs else ""))
    if chosen.knobs:
        circuit, _, names = chosen.knobs.partition(":")
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "set"
            dataset(circuit, PHRASES[0], place, n=chosen.positions, sampling="latin", vary=names.split(","), seed=chosen.seed)
            for net in chosen.nets.split(","):
                for way in chosen.ways.split(","):
                    if way != "dynamic" or net.startswith("lstm") and not net.endswith("skip"):
                        begun = time.perf_counter()
                        print(row(f"{circuit} {net} {way}", train(place, None, net=net, conditioning=way, **budget), time.perf_counter() - begun), flush=True)
        return
    targets = [chosen.distil] if chosen.distil else chosen.circuits.split(",")
    for target in targets:
        for net in chosen.nets.split(","):
            begun = time.perf_counter()
            print(row(f"{Path(target).stem} {net}", train(dry, target, net=net, **budget), time.perf_counter() - begun), flush=True)
        if chosen.gray:
            begun = time.perf_counter()
            found = fit(dry, target, blocks="auto", seconds=chosen.seconds, seed=chosen.seed)
            print(f"{Path(target).stem + ' gray box':28} {found.block.n_parameters:8} {found.result.held_out:10.4g} {'':10} {time.perf_counter() - begun:8.0f}", flush=True)


if __name__ == "__main__":
    main()
