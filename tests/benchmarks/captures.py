"""How fast captures play: seconds of sound a second of processor time, one thread, whole and in blocks of 64; torch beside.

    python tests/benchmarks/captures.py [--seconds 20] [--rounds 3] [--dtype float32] [--only A1] [FILE.nam ...]

Without files it makes nets of the usual shapes with random weights (speed does not depend on them, but whether an LSTM
forgets does). "whole" is `Capture.render`, where LSTMs play segments side by side if the sound is long enough; shorter
sounds than about 13 s are played in sequence. Each number is the best of some interleaved rounds; other work on the machine only lowers it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  (the thread counts must stand before)

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from make_captures import lstm, newest, standard  # noqa: E402

from validation.captures.capture import Capture  # noqa: E402
from validation.captures.documents import read_document  # noqa: E402
from validation.captures.nam import read_nam  # noqa: E402
from validation.captures.nets import Convolution, Lstm  # noqa: E402

RATE = 48000
BLOCK = 64


def shapes(rng) -> dict[str, dict]:
    """The usual captures by name."""
    made = {"A1 standard": standard(rng), "A1 standard ReLU": standard(rng, activation="ReLU"),
            "A1 12/6": standard(rng, (12, 6)), "A1 8/4": standard(rng, (8, 4)), "A1 4/2": standard(rng, (4, 2)),
            "A1 32/8": standard(rng, (32, 8)), "A2 full": newest(rng, 8), "A2 lite": newest(rng, 3)}
    for layers, hidden in ((1, 8), (1, 12), (1, 16), (1, 24), (2, 8), (2, 16), (1, 40), (3, 18)):
        made[f"LSTM {layers}x{hidden}"] = lstm(rng, hidden, layers, scale=0.25, rate=RATE)
    return made


def speed(play, x) -> float:
    """Seconds of sound a second of this thread's processor time."""
    start = time.thread_time()
    play(x)
    return len(x) / RATE / (time.thread_time() - start)


def in_blocks(capture, x) -> None:
    """What a live host does."""
    for start in range(0, len(x), BLOCK):
        capture.process(x[start:start + BLOCK])


def torch_player(model):
    """The same net in torch, eager, one thread; None where torch is missing or the net is of another kind."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(1)
    net = model.net
    if isinstance(net[0], Lstm):
        layers = [one for one in net if isinstance(one, Lstm)]
        module = torch.nn.LSTM(layers[0].w.shape[1], layers[0].u.shape[1], len(layers), batch_first=True)
        head = torch.nn.Linear(layers[0].u.shape[1], 1)

        def play_recurrent(x):
            with torch.no_grad():
                head(module(torch.from_numpy(x.astype(np.float32))[None, :, None])[0])
        return play_recurrent
    if len(net) != 1 or isinstance(net[0], Convolution):
        return None

    def weights(convolution):
        bias = None if convolution.bias is None else torch.tensor(convolution.bias, dtype=torch.float32)
        return torch.tensor(convolution.weight, dtype=torch.float32), bias, convolution.dilation, convolution.memory

    arrays = [(weights(a.rechannel), [(weights(one.convolution), weights(one.mixin), weights(one.layer1x1), one.activation.kind)
                                      for one in a.layers], weights(a.head)) for a in net[0].arrays]
    functional = torch.nn.functional
    activations = {"tanh": torch.tanh, "relu": torch.relu, "leakyrelu": lambda z: functional.leaky_relu(z, 0.01)}

    def convolve(packed, x):
        w, b, dilation, memory = packed
        return functional.conv1d(functional.pad(x, (memory, 0)) if memory else x, w, b, dilation=dilation)

    def play(x):
        with torch.no_grad():
            c = y = torch.from_numpy(x.astype(np.float32))[None, None, :]
            total = 0.0
            for rechannel, layers, head in arrays:
                y = convolve(rechannel, y)
                for convolution, mixin, inner, kind in layers:
                    a = activations[kind](convolve(convolution, y) + convolve(mixin, c))
                    total = total + a
                    y = y + convolve(inner, a)
                total = convolve(head, total)
    return play


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--only", default="", help="shapes whose name holds this text")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    documents = {path: read_document(path) for path in options.files} or shapes(rng)
    x = 0.3 * rng.standard_normal(int(options.seconds * RATE))
    players = {}
    for name, document in documents.items():
        if options.only in name:
            model = read_nam(name, document)
            start = time.perf_counter()
            capture = Capture(model, options.dtype)
            players[name] = (model, capture, torch_player(model), time.perf_counter() - start)
    best = {name: [0.0, 0.0, 0.0] for name in players}
    for _ in range(options.rounds):
        for name, (_, capture, other, _) in players.items():
            found = [speed(capture.render, x), speed(lambda samples: in_blocks(capture, samples), x[:2 * RATE]),
                     0.0 if other is None else speed(other, x[:2 * RATE])]
            best[name] = [max(pair) for pair in zip(best[name], found)]
    print(f"{'net':20s} {'weights':>8s} {'whole':>8s} {'by 64':>8s} {'torch':>8s} {'ready s':>8s}   ({options.dtype}, x real time)")
    for name, (model, _, _, ready) in players.items():
        whole, blocks, other = best[name]
        print(f"{name:20s} {model.n_weights:8d} {whole:8.0f} {blocks:8.0f} {other or float('nan'):8.0f} {ready:8.2f}")


if __name__ == "__main__":
    main()
