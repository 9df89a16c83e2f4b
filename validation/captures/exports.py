"""Trained networks in the formats of players: `.nam` for WaveNet, gated convolutions and LSTM, RTNeural's JSON for LSTM, GRU and windows.

Those formats have no knobs that write weights: the knobs' positions are baked in (RTNeural keeps knobs that are appended to the
input). `.nam` has no skip connection in an LSTM and no gain before the network; gains are folded into the weights, a
skip is refused. What is written is read back and played against the network before the file gets its name.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Mapping

import numpy as np

from circuits.errors import ModelFileError, Place
from validation.audio import check_writable, whole_file
from validation.captures.architectures import HEAD_SCALE, Architecture
from validation.captures.capture import Capture
from validation.captures.nam import read_nam
from validation.captures.reference import evaluate
from validation.captures.rtneural import read_rtneural
from validation.captures.trained import Network, plain_net, save_network

NAM_VERSION = "0.5.4"  # the oldest that has all that is written here: read by old players and new
GATED_VERSION = "0.6.0"  # the oldest in which each layer has a head of its own
AGREEMENT = 1e-10  # ESR between a file read back and the network
_CHECKED = 12000  # samples of noise for that


def export(network: Network, path: str | Path, *, positions: Mapping[str, float] | None = None, metadata: Mapping[str, object] | None = None) -> Path:
    """Write a network; the suffix says how: ``.nam``, ``.rtneural.json`` or ``.aidax`` for RTNeural, ``.json`` for our own format with knobs.

    Parameters
    ----------
    network : Network
    path : path-like
    positions : mapping, optional
        Where knobs are baked in; those not named stand where they do.
    metadata : mapping, optional
        Further entries of the file's metadata.

    Returns
    -------
    Path

    Raises
    ------
    ModelFileError
        If the format can't hold the network; the message says which can.
    """
    path = Path(path)
    where = {one["name"]: float(one["position"]) for one in network.knobs} | dict(positions or {})
    if path.suffix.lower() == ".nam":
        document = nam_document(network, where, metadata)
    elif path.suffix.lower() == ".aidax" or path.name.lower().endswith(".rtneural.json"):
        document = rtneural_document(network, where, metadata)
    elif path.suffix.lower() == ".json":
        return save_network(network, path)
    else:
        raise ModelFileError(f"a network can't be kept as {path.suffix!r}", place=Place(str(path)), mend="Use .nam, .json, .rtneural.json or .aidax.")
    check_writable(path)
    error = agreement(network, document, where, path)
    if not error <= AGREEMENT:
        raise ModelFileError(f"the file read back differs from the network by an ESR of {error:.1e}", place=Place(str(path)), mend="Please report this as a bug.")
    with whole_file(path) as part:
        part.write_text(json.dumps(document) + "\n", encoding="utf-8")
    return path


def agreement(network: Network, document: dict, positions: Mapping[str, float], path: str | Path = "x.nam") -> float:
    """ESR of a file's document, read by our readers and played, against the network itself in float64, on noise at the level of its training."""
    model = read_nam(path, document) if "architecture" in document else read_rtneural(path, document)
    rng = np.random.default_rng(1)
    x = rng.standard_normal(_CHECKED) / (3.0 * network.input_gain)
    silence = model.prewarm
    padded = np.concatenate([np.zeros(silence), x])
    own = network.at(positions)
    scaled = padded * network.input_gain
    y = evaluate(plain_net(network.architecture, own), scaled[None])[0]
    y = ((y + scaled if network.architecture.skip else y) * network.output_gain)[silence:]
    capture = Capture(model, "float64")
    if model.knobs:
        capture.turn(**{name: float(share) for name, share in zip(model.knobs, 0.5 + 0.5 * network.shares(positions))})
        capture.reset()
    played = capture.process(x)
    return float(np.sum((played - y) ** 2) / np.sum(y**2))


def _refuse(what: str, mend: str):
    raise ModelFileError(what, mend=mend)


def _refuse_filter(network: Network, format: str) -> None:
    if network.architecture.linear:
        _refuse(f"{format} can't hold a filter beside a network", "Train without --linear, or write .json.")


def nam_document(network: Network, positions: Mapping[str, float], metadata: Mapping[str, object] | None = None) -> dict:
    """A `.nam` file's JSON object; raises ModelFileError for what that format can't hold."""
    arch = network.architecture
    _refuse_filter(network, "a .nam file")
    if network.way == "dynamic" or arch.kind not in ("wavenet", "gcn", "lstm") or arch.skip or arch.block:
        _refuse(f"a .nam file can't hold a {arch.kind}{' with a skip connection' if arch.skip else ' under temporal FiLM' if arch.block else ''}"
                f"{' under a dynamic hyper-network' if network.way == 'dynamic' else ''}", "Train a wavenet, gcn or an LSTM without skip, or write .json.")
    own = network.at(positions)
    gain_in, gain_out = network.input_gain, network.output_gain
    if arch.kind != "lstm":
        config, weights = (_nam_wavenet if arch.kind == "wavenet" else _nam_gated)(arch, own, gain_in, gain_out)
    else:
        n = arch.widths[0]
        h, c = _settled(network, own)
        matrix = np.concatenate([own["w"] * gain_in, own["u"]], axis=1)
        weights = np.concatenate([matrix.ravel(), own["b"], h, c, own["head.weight"].ravel() * gain_out, own["head.bias"] * gain_out])
        config = {"input_size": 1, "hidden_size": n, "num_layers": 1}
    knobs = {"knobs": {name: float(value) for name, value in positions.items()}} if positions else {}
    return {"version": GATED_VERSION if arch.kind == "gcn" else NAM_VERSION, "architecture": "LSTM" if arch.kind == "lstm" else "WaveNet", "config": config,
            "weights": np.float32(weights).tolist(), "sample_rate": network.sample_rate, "metadata": {**(metadata or {}), **knobs}}


def _nam_wavenet(arch: Architecture, own: Mapping[str, np.ndarray], gain_in: float, gain_out: float):
    layers, weights, n_in = [], [], 1
    for a, (width, dilations) in enumerate(zip(arch.widths, arch.dilations)):
        last = a + 1 == len(arch.widths)
        weights.append(own[f"a{a}.rechannel"] * (gain_in if a == 0 else 1.0))
        for j in range(len(dilations)):
            at = f"a{a}.l{j}"
            weights += [own[f"{at}.weight"], own[f"{at}.bias"], own[f"{at}.mix"] * gain_in, own[f"{at}.inner"], own[f"{at}.inner.bias"]]
        weights.append(own[f"a{a}.head"])
        if last:
            weights.append(own[f"a{a}.head.bias"])
        head = 1 if last else arch.widths[a + 1]  # told in two ways: old players want head_size, the trainer of version 0.7.0 an object
        layers.append({"input_size": n_in, "condition_size": 1, "channels": width, "head_size": head, "kernel_size": arch.taps, "dilations": list(dilations),
                       "activation": "Tanh", "gated": False, "head_bias": last, "head": {"out_channels": head, "kernel_size": 1, "bias": last}})
        n_in = width
    scale = HEAD_SCALE * gain_out
    weights.append(np.array([scale]))
    return {"layers": layers, "head": None, "head_scale": scale}, np.concatenate([one.ravel() for one in weights])


def _nam_gated(arch: Architecture, own: Mapping[str, np.ndarray], gain_in: float, gain_out: float):
    """Gated convolutions as one array whose layers hear nothing but the layer before: the weights of the mix-in are 0."""
    n, weights = arch.widths[0], [own["rechannel"] * gain_in]
    for j in range(len(arch.dilations[0])):
        weights += [own[f"l{j}.weight"], own[f"l{j}.bias"], np.zeros(2 * n), own[f"l{j}.inner"], own[f"l{j}.inner.bias"], own[f"l{j}.head"], np.zeros(1)]
    weights += [np.ones(1), own["head.bias"], np.array([gain_out])]

    def each(value):  # the trainer's package asks for lists, one entry a layer
        return [value] * len(arch.dilations[0])

    layer = {"input_size": 1, "condition_size": 1, "channels": n, "bottleneck": n, "kernel_size": arch.taps, "dilations": list(arch.dilations[0]),
             "activation": each({"type": "Tanh"}), "gating_mode": each("gated"), "secondary_activation": each({"type": "Sigmoid"}), "layer1x1": {"active": True, "groups": 1},
             "head1x1": {"active": True, "out_channels": 1, "groups": 1}, "head": {"out_channels": 1, "kernel_size": 1, "bias": True}}
    return {"layers": [layer], "head": None, "head_scale": gain_out}, np.concatenate([one.ravel() for one in weights])


def _settled(network: Network, own: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """State of an LSTM after a second of silence, as NAM's trainer stores it."""
    n = network.architecture.widths[0]
    h, c = np.zeros(n), np.zeros(n)
    for _ in range(int(network.sample_rate)):
        i, f, g, o = (own["b"] + own["u"] @ h).reshape(4, n)
        c = (0.5 + 0.5 * np.tanh(0.5 * f)) * c + (0.5 + 0.5 * np.tanh(0.5 * i)) * np.tanh(g)
        h = (0.5 + 0.5 * np.tanh(0.5 * o)) * np.tanh(c)
    return h, c


def rtneural_document(network: Network, positions: Mapping[str, float], metadata: Mapping[str, object] | None = None) -> dict:
    """RTNeural's JSON with AIDA-X's keys for gains, skip and rate; appended knobs stay inputs, 0..1; others are baked in."""
    arch = network.architecture
    _refuse_filter(network, "RTNeural's format")
    if network.way == "dynamic" or arch.kind not in ("lstm", "gru", "window"):
        _refuse(f"RTNeural's format can't hold a {arch.kind}{' under a dynamic hyper-network' if network.way == 'dynamic' else ''}",
                "Train an LSTM, a GRU or a window, or write .json.")
    keep = network.way == "concat" and arch.recurrent and len(network.knobs) <= 2  # its players have two knobs at most
    own = dict(network.weights) if keep else network.at(positions)
    n_in = 1
    if arch.recurrent:
        w, b = own["w"], own["b"]
        if keep:  # a knob at share p is 2 p - 1: weight 2 W for p, and -W in the bias
            extra = own["knobs.b"]
            w, b, n_in = np.concatenate([w, 2.0 * extra], axis=1), b - extra.sum(axis=1), 1 + extra.shape[1]
        n = arch.widths[0]
        if arch.kind == "lstm":
            arrays = [w.T, own["u"].T, b]
        else:  # Keras has z, r, h where torch has r, z, n
            order = np.r_[n:2 * n, :n, 2 * n:3 * n]
            arrays = [w[order].T, own["u"][order].T, np.stack([b[order], own["b_u"][order]])]
        layers = [{"type": arch.kind, "activation": "", "shape": [None, None, n], "weights": [np.float32(one).tolist() for one in arrays]}]
        head = own["head.weight"].T
    else:
        layers = []
        for index, width in enumerate(arch.widths):
            kernel = own[f"l{index}.weight"].transpose(2, 1, 0)
            layers.append({"type": "conv1d", "activation": "relu", "shape": [None, None, width], "kernel_size": [kernel.shape[0]], "dilation": [1],
                           "groups": 1, "weights": [np.float32(kernel).tolist(), np.float32(own[f"l{index}.bias"]).tolist()]})
        head = own["head.weight"][:, :, 0].T
    layers.append({"type": "dense", "activation": "", "shape": [None, None, 1], "weights": [np.float32(head).tolist(), np.float32(own["head.bias"]).tolist()]})
    return {"in_shape": [None, None, n_in], "layers": layers, "in_skip": int(arch.skip), "in_gain": 20.0 * math.log10(network.input_gain),
            "out_gain": 20.0 * math.log10(network.output_gain), "metadata": {"samplerate": network.sample_rate, **(metadata or {})}}
