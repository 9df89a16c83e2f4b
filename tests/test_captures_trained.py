"""Trained networks without torch: as Processors with knobs, against plain numpy written from the papers, and in the files of players."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from check_processor import check_processor, in_blocks

from circuits.errors import ModelFileError
from circuits.nodal.processor import NodalProcessor
from netlists.reader import read_text
from validation.captures.architectures import PRESETS, Architecture, Stack, architecture, initial, shapes
from validation.captures.conditioning import WAYS, conditioning_shapes, effective
from validation.captures.exports import agreement, export, nam_document, rtneural_document
from validation.captures.load import load_capture
from validation.captures.reference import render
from validation.captures.trained import Network, TrainedCapture, read_network, save_network

MARSHALL = """the stack of a 2203, stiffly driven and not loaded
*@ input VIN k4
*@ output to
*@ control treble 0 1 taper=lin
*@ control bass 0 1 taper=log
*@ control middle 0 1 taper=lin
.param treble=0.5
.param bass=0.5
.param middle=0.5
VIN k4 0 DC 0 AC 1
C7 k4 tt 470p
R13 k4 x 33k
C8 x tb 22n
C9 x m 22n
Rt1 tt to {220k*(1-treble)+1m}
Rt2 to tb {220k*treble+1m}
Rb tb mb {1Meg*bass+1m}
Rm1 mb m {22k*(1-middle)+1m}
Rm2 m 0 {22k*middle+1m}
.end
"""
KNOBS = ({"name": "drive", "minimum": 0.0, "maximum": 10.0, "position": 3.0}, {"name": "tone", "minimum": -1.0, "maximum": 1.0, "position": 0.5})
SMALL = {"window": Architecture("window", (6, 5), 8), "lstm": Architecture("lstm", (6,)), "gru": Architecture("gru", (5,), skip=True),
         "lstm-skip": Architecture("lstm", (6,), skip=True), "wavenet": Architecture("wavenet", (4, 2), 3, ((1, 2, 4), (8, 1))),
         "tcn": Architecture("tcn", (4,), 3, ((1, 4, 16),)), "gcn": Architecture("gcn", (4,), 3, ((1, 2, 4),)),
         "gcn-tfilm": Architecture("gcn", (4,), 3, ((1, 2, 4),), block=32), "lstm-linear": Architecture("lstm", (4,), linear=300),
         "graybox": Architecture("graybox", (5, 4), stack=Stack((220e3, 1e6, 22e3, 33e3, 470e-12, 22e-9, 22e-9), knobs=("bass", "treble"), sample_rate=48000.0))}
STACK_KNOBS = ({"name": "bass", "minimum": 0.0, "maximum": 1.0, "position": 0.3}, {"name": "treble", "minimum": 0.0, "maximum": 1.0, "position": 0.5})


def made(name, way="none", seed=1):
    """A network of random numbers, its conditioning's too."""
    arch, rng = SMALL[name], np.random.default_rng(seed)
    knobs = () if way == "none" else STACK_KNOBS if way == "stack" else KNOBS
    sizes = shapes(arch) | conditioning_shapes(arch, way, len(knobs))
    weights = {key: (values if values.any() else 0.3 * rng.standard_normal(values.shape)).astype(np.float32).astype(float)
               for key, values in initial(sizes, rng).items()}
    if way == "hyper":
        weights = {key: 0.2 * values if key.startswith("hyper.out") else values for key, values in weights.items()}
    return Network(arch, way, weights, 48000.0, knobs, 1.7, 0.4, {"held_out_esr": 0.5})


def esr(target, estimate):
    return float(np.sum((target - estimate) ** 2) / np.sum(target**2))


CASES = [(name, "none") for name in SMALL if name != "graybox"] + [("lstm", way) for way in WAYS[1:] if way != "stack"] + [("graybox", "stack"), ("lstm-linear", "film")] + [("gru", "film"), ("wavenet", "concat"), ("wavenet", "film"),
                                                                                      ("wavenet", "hyper"), ("tcn", "film"), ("gcn-tfilm", "hyper")]


@pytest.mark.parametrize("name, way", CASES)
def test_networks_are_processors(name, way):
    check_processor(lambda: TrainedCapture(made(name, way)), n_samples=1200, blocks=(1, 7, 64, 1200))


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def conv(x, weight, bias, dilation):
    taps = weight.shape[2]
    y = np.repeat(bias[:, None], x.shape[1], axis=1)
    for n in range(x.shape[1]):
        for k in range(taps):
            at = n - (taps - 1 - k) * dilation
            if at >= 0:
                y[:, n] += weight[:, :, k] @ x[:, at]
    return y


def lstm(w, u, b, x):
    n = u.shape[1]
    h, c, out = np.zeros(n), np.zeros(n), []
    for v in x.T:
        i, f, g, o = np.split(w @ v + u @ h + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.array(out).T


def oracle(network, x, knobs):
    """TCN, gated stack and dynamic hyper-network from the equations, a whole signal at a time, from zeros."""
    arch, w = network.architecture, effective(network.architecture, network.way, network.weights, knobs)
    v = network.input_gain * x[None]
    if network.way == "dynamic":
        full = network.weights
        s = lstm(full["dynamic.w"], full["dynamic.u"], full["dynamic.b"], np.vstack([v, np.repeat(knobs[:, None], len(x), axis=1)]))
        n = arch.widths[0]
        h, c, y = np.zeros(n), np.zeros(n), np.zeros(len(x))
        for t in range(len(x)):
            gates = ((1 + full["dynamic.out.w"] @ s[:, t]) * (w["w"][:, 0] * v[0, t]) + (1 + full["dynamic.out.u"] @ s[:, t]) * (w["u"] @ h)
                     + w["b"] + full["dynamic.out.b"] @ s[:, t])
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            y[t] = w["head.weight"][0] @ h + w["head.bias"][0]
        return network.output_gain * y
    n, total = arch.widths[0], 0.0
    if arch.kind == "gcn":
        v = w["rechannel"][:, :, 0] @ v
    for j, dilation in enumerate(arch.dilations[0]):
        z = conv(v, w[f"l{j}.weight"], w[f"l{j}.bias"], dilation)
        if arch.kind == "tcn":
            v = np.where(z > 0, z, w[f"l{j}.slope"][:, None] * z) + w[f"l{j}.residual"][:, None] * v
            continue
        a = np.tanh(z[:n]) * sigmoid(z[n:])
        if arch.block:
            count = -(-a.shape[1] // arch.block)
            maxima = np.stack([a[:, k * arch.block:(k + 1) * arch.block].max(axis=1) for k in range(count)], axis=1)
            h = np.hstack([np.zeros((2 * n, 1)), lstm(w[f"l{j}.tf.w"], w[f"l{j}.tf.u"], w[f"l{j}.tf.b"], maxima)[:, :-1]])
            h = np.repeat(h, arch.block, axis=1)[:, :a.shape[1]]
            a = (1 + h[:n]) * a + h[n:]
        v = v + w[f"l{j}.inner"][:, :, 0] @ a + w[f"l{j}.inner.bias"][:, None]
        total = total + w[f"l{j}.head"][:, :, 0] @ a
    out = total[0] if arch.kind == "gcn" else (w["head.weight"][:, :, 0] @ v)[0]
    return network.output_gain * (out + w["head.bias"][0])


@pytest.mark.parametrize("name, way", [("tcn", "none"), ("tcn", "film"), ("gcn", "none"), ("gcn-tfilm", "none"), ("gcn-tfilm", "film"), ("lstm", "dynamic")])
def test_kernels_equal_the_equations(name, way):
    network = made(name, way)
    played = TrainedCapture(network, "float64")
    x = 0.3 * np.random.default_rng(4).standard_normal(500)
    padded = np.concatenate([np.zeros(played._player.model.prewarm if name != "lstm" else 24000), x])[-(len(x) + 3000 if name == "lstm" else 10**6):]
    knobs = network.shares({"drive": 3.0, "tone": 0.5}) if way != "none" else np.zeros(0)
    truth = oracle(network, padded, knobs)[-len(x):]
    assert esr(truth, played.process(x)) < 1e-20
    assert esr(truth, TrainedCapture(network).process(x)) < 1e-11, "in single precision"
    if name != "lstm":
        assert esr(truth, render(played._player.model, x)) < 1e-20, "the reference's plain numpy"


def test_a_tone_stack_stands_between_two_networks():
    """From the equations: LSTM, the circuit's own answer from nodal analysis, LSTM with skip."""
    network = made("graybox", "stack")
    w = network.weights
    played = TrainedCapture(network)
    played.turn(bass=0.8, treble=0.1)
    played.reset()
    x = 0.3 * np.random.default_rng(4).standard_normal(3000)
    padded = network.input_gain * np.concatenate([np.zeros(12000), x])
    heard = w["pre.head.weight"][0] @ lstm(w["pre.w"], w["pre.u"], w["pre.b"], padded[None]) + w["pre.head.bias"]
    circuit = read_text(MARSHALL).turn(bass=0.8, treble=0.1, middle=0.5)
    toned = NodalProcessor(circuit, 48000.0).process(heard - heard[11000])  # the stack blocks the offset, from which it would have to settle
    out = w["post.head.weight"][0] @ lstm(w["post.w"], w["post.u"], w["post.b"], toned[None]) + w["post.head.bias"] + toned
    assert esr(network.output_gain * out[-len(x):], played.process(x)) < 1e-7


def test_a_filter_beside_a_network_is_added():
    network = made("lstm-linear")
    plain = replace(network, architecture=replace(network.architecture, linear=0), weights={k: v for k, v in network.weights.items() if k != "linear.taps"})
    x = 0.3 * np.random.default_rng(4).standard_normal(2000)
    beside = np.convolve(x, network.weights["linear.taps"])[:2000] * network.input_gain * network.output_gain
    assert np.allclose(TrainedCapture(network).process(x), TrainedCapture(plain).process(x) + beside, rtol=0, atol=1e-9)


@pytest.mark.parametrize("way", ["concat", "film", "hyper"])
def test_a_turned_knob_arrives_where_a_new_network_starts(way):
    network = made("lstm", way)
    turned = TrainedCapture(network)
    x = 0.3 * np.random.default_rng(5).standard_normal(24000)
    turned.turn(drive=9.0)
    blocks = in_blocks(turned, x, 333)
    again = TrainedCapture(network)
    again.turn(drive=9.0)
    assert np.array_equal(again.process(x), blocks)
    fresh = TrainedCapture(network)
    fresh.turn(drive=9.0)
    fresh.reset()
    there = fresh.process(x)
    assert esr(there[12000:], blocks[12000:]) < 1e-10 and esr(there[:64], blocks[:64]) > 1e-6


def test_concatenation_is_an_appended_input():
    network = made("lstm", "concat")
    knobs = network.shares({"drive": 3.0, "tone": 0.5})
    w = network.weights
    x = 0.3 * np.random.default_rng(6).standard_normal(300)
    both = np.vstack([x, np.repeat(knobs[:, None], 300, axis=1)])
    appended = lstm(np.hstack([w["w"], w["knobs.b"]]), w["u"], w["b"], both)
    own = effective(network.architecture, "concat", w, knobs)
    assert np.allclose(lstm(own["w"], own["u"], own["b"], x[None]), appended, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name, way", [("wavenet", "none"), ("lstm", "none"), ("wavenet", "film"), ("wavenet", "hyper"), ("wavenet", "concat"), ("lstm", "film"), ("gcn", "none")])
def test_nam_files_are_the_network(name, way, tmp_path):
    network = made(name, way)
    where = {} if way == "none" else {"drive": 8.0}
    export(network, tmp_path / "x.nam", positions=where)
    capture = load_capture(tmp_path / "x.nam")
    document = json.loads((tmp_path / "x.nam").read_text())
    full = where and {"drive": 8.0, "tone": 0.5}
    assert agreement(network, document, full) < 1e-12
    x = 0.2 * np.random.default_rng(8).standard_normal(2000)
    ours = TrainedCapture(network)
    ours.turn(**where)
    ours.reset()
    assert esr(ours.process(x), capture.process(x)) < 1e-10
    worse = json.loads(json.dumps(document))
    worse["weights"][5] += 0.05
    assert agreement(network, worse, full) > 1e-10, "the check can fail"


@pytest.mark.parametrize("name, way", [("lstm", "none"), ("lstm-skip", "none"), ("gru", "none"), ("window", "none"), ("lstm", "concat"), ("gru", "concat"), ("gru", "hyper")])
def test_rtneural_files_are_the_network(name, way, tmp_path):
    network = made(name, way)
    export(network, tmp_path / "x.aidax")
    capture = load_capture(tmp_path / "x.aidax", dtype="float64")
    assert len(capture.controls) == (2 if way == "concat" else 0) and capture.sample_rate == 48000.0
    document = rtneural_document(network, {"drive": 1.0, "tone": -1.0} if way != "none" else {})
    assert agreement(network, document, {"drive": 1.0, "tone": -1.0} if way != "none" else {}, "x.aidax") < 1e-12


def test_what_a_format_can_not_hold_is_refused(tmp_path):
    for name, way, words in (("gru", "none", "can't hold a gru with a skip"), ("tcn", "none", "can't hold a tcn"), ("gcn-tfilm", "none", "under temporal FiLM"), ("lstm", "dynamic", "dynamic")):
        with pytest.raises(ModelFileError, match=words):
            nam_document(made(name, way), {"drive": 1.0, "tone": 0.0})
    with pytest.raises(ModelFileError, match="a .nam file can't hold a filter beside"):
        export(made("lstm-linear"), tmp_path / "x.nam")
    with pytest.raises(ModelFileError, match="can't hold a graybox"):
        export(made("graybox", "stack"), tmp_path / "x.aidax")
    with pytest.raises(ModelFileError, match="no knob 'drive'.*treble, bass, middle"):
        Stack((1.0,) * 7, knobs=("drive",))
    with pytest.raises(ModelFileError, match="'film' does not go with the network graybox"):
        conditioning_shapes(SMALL["graybox"], "film", 2)
    with pytest.raises(ModelFileError, match="RTNeural's format can't hold a wavenet"):
        export(made("wavenet"), tmp_path / "x.rtneural.json")
    with pytest.raises(ModelFileError, match="Use .nam"):
        export(made("wavenet"), tmp_path / "x.pt")
    with pytest.raises(ModelFileError, match="dynamic hyper-network modulates an LSTM"):
        conditioning_shapes(SMALL["gru"], "dynamic", 1)
    with pytest.raises(ModelFileError, match="2 knobs don't go"):
        conditioning_shapes(SMALL["lstm"], "none", 2)
    with pytest.raises(ModelFileError, match="no network 'vae'"):
        architecture("vae")


@pytest.mark.parametrize("name, way", [("gcn-tfilm", "film"), ("lstm", "dynamic"), ("wavenet", "none"), ("graybox", "stack"), ("lstm-linear", "none")])
def test_our_file_is_read_back(name, way, tmp_path):
    network = made(name, way)
    path = save_network(network, tmp_path / "net.json")
    again = read_network(path)
    assert again.architecture == network.architecture and again.way == way
    x = 0.2 * np.random.default_rng(9).standard_normal(700)
    capture = load_capture(path)
    assert np.array_equal(capture.process(x), TrainedCapture(network).process(x)) and set(capture.controls) == {one["name"] for one in network.knobs}
    content = json.loads(path.read_text())

    def refused(words, change):
        other = json.loads(json.dumps(content))
        change(other)
        path.write_text(json.dumps(other))
        with pytest.raises(ModelFileError, match=words):
            load_capture(path)

    first = next(iter(content["weights"]))
    refused("missing or too many", lambda c: c["weights"].pop(first))
    refused("has shape", lambda c: c["weights"].update({first: [1.0]}))
    refused("version 7", lambda c: c.update(version=7))
    refused("no conditioning", lambda c: c.update(conditioning="magic"))
    refused("makes no sense", lambda c: c["architecture"].update(kind="transformer"))


def test_parameter_counts_are_those_of_the_known_sizes():
    counts = {name: sum(int(np.prod(shape)) for shape in shapes(PRESETS[name]).values()) for name in PRESETS}
    assert [counts[f"wavenet-{size}"] + 1 for size in ("standard", "lite", "feather", "nano")] == [13802, 6554, 3026, 842]
    assert PRESETS["wavenet-nano"].memory == PRESETS["wavenet-standard"].memory == 4092
    assert counts["lstm-16"] == 1201 - 32  # a .nam file also holds the initial state
