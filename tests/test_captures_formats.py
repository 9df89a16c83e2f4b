"""RTNeural, AIDA-X, GuitarML, WaveNetVA and SmartAmpPro files: recognised, exact to closed forms and the oracle, refused when damaged."""

import json
from dataclasses import replace

import numpy as np
import pytest
from check_processor import check_processor, example_signal, in_blocks
from make_captures import every_nam, every_other, guitarml, rtneural
from test_captures_nam import esr

from ampwright.commands.main import run
from circuits.errors import ModelFileError, RateError
from validation.captures.capture import Capture
from validation.captures.guitarml import read_guitarml
from validation.captures.impulse import Impulse
from validation.captures.linear import linear_share
from validation.captures.load import check_selftest, describe, load_capture, read_capture
from validation.captures.nam import read_nam
from validation.captures.nets import layout
from validation.captures.reference import render
from validation.captures.resampled import Resampled
from validation.captures.rtneural import read_rtneural
from validation.captures.wavenetva import read_wavenetva, to_nam

OTHERS = every_other(np.random.default_rng(30))


@pytest.fixture
def stored(tmp_path):
    def store(document, name="capture.json"):
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path
    return store


@pytest.mark.parametrize("name", OTHERS)
def test_every_family_is_recognised_by_content_and_played_as_the_oracle_plays_it(name, stored):
    model = read_capture(stored(OTHERS[name], "misleading.nam"))
    assert model.family == name.split()[0]
    x = example_signal(600, 0.5)
    knobs = (0.5,) * len(model.knobs)
    target = render(model, x, knobs)
    assert esr(target, Capture(model, "float64").process(x)) < 1e-24
    assert esr(target, Capture(model).process(x)) < 1e-10


@pytest.mark.parametrize("name", ["rtneural lstm conv", "aidax knobs", "guitarml knob", "wavenetva", "smartamppro two steps"])
def test_they_are_processors(name, stored):
    path = stored(OTHERS[name])
    check_processor(lambda: load_capture(path), n_samples=1500, blocks=(1, 7, 64, 1500))


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def test_lstm_by_torch_s_equations():
    document = guitarml(np.random.default_rng(31), "LSTM", 2, 1)
    s = {key: np.array(value) for key, value in document["state_dict"].items()}
    h = c = np.zeros(2)
    x = example_signal(40)
    expected = []
    for value in x:
        gates = s["rec.weight_ih_l0"] @ [value] + s["rec.bias_ih_l0"] + s["rec.weight_hh_l0"] @ h + s["rec.bias_hh_l0"]
        i, f, g, o = gates[:2], gates[2:4], gates[4:6], gates[6:]
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        expected.append((s["lin.weight"] @ h + s["lin.bias"])[0] + value)
    model = read_capture_of(document)
    assert np.allclose(Capture(model, "float64").process(x), expected, atol=1e-12)
    assert model.sample_rate == 44100.0 and model.prewarm == 0


def test_gru_by_keras_equations_reset_after():
    document = rtneural(np.random.default_rng(32), ("gru", 2, {}), ("dense", 1, {}))
    (w, u, b), (d, e) = (map(np.array, layer["weights"]) for layer in document["layers"])
    h = np.zeros(2)
    x = example_signal(40)
    expected = []
    for value in x:
        a, r = value * w[0] + b[0], h @ u + b[1]
        z, gate = sigmoid(a[:2] + r[:2]), sigmoid(a[2:4] + r[2:4])
        h = z * h + (1.0 - z) * np.tanh(a[4:] + gate * r[4:])
        expected.append(h @ d[:, 0] + e[0])
    assert np.allclose(Capture(read_capture_of(document), "float64").process(x), expected, atol=1e-12)


def read_capture_of(document):
    return (read_guitarml if "model_data" in document else read_rtneural)("x.json", document)


def test_aidax_gains_and_skip():
    document = rtneural(np.random.default_rng(33), ("dense", 1, {}), aida=True)
    w, b = document["layers"][0]["weights"]
    x = example_signal(100)
    gained = 10.0 ** (3.0 / 20.0) * x
    expected = 10.0 ** (-6.0 / 20.0) * (gained * w[0][0] + b[0] + gained)
    model = read_capture_of(document)
    assert np.allclose(Capture(model, "float64").process(x), expected, atol=1e-12) and model.prewarm == 2048


def test_the_embedded_self_test_runs_when_a_file_is_loaded(stored):
    document = rtneural(np.random.default_rng(34), ("lstm", 8, {}), ("dense", 1, {}), aida=True)
    x = example_signal(2048)
    y = render_from_zeros(read_capture_of(document), x)
    good = stored({**document, "input_batch": x.tolist(), "output_batch": y.tolist()}, "good.aidax")
    assert check_selftest(read_capture(good)) < 1e-10
    load_capture(good)
    bad = stored({**document, "input_batch": x.tolist(), "output_batch": (1.01 * y).tolist()}, "bad.aidax")
    with pytest.raises(ModelFileError, match="fails its own self-test"):
        load_capture(bad)


def render_from_zeros(model, x):
    return render(replace(model, prewarm=0), x)


@pytest.mark.parametrize("name", ["wavenetva", "wavenetva softgated", "wavenetva relu"])
def test_conversion_to_nam_is_exact_behind_the_receptive_field(name):
    model = read_wavenetva("x.json", OTHERS[name])
    twin = read_nam("x.nam", json.loads(json.dumps(to_nam(model))))
    x = example_signal(500, 0.6)
    target = render(model, x)
    assert esr(target[twin.prewarm:], render(twin, x)[twin.prewarm:]) < 1e-13
    assert twin.sample_rate == 44100.0
    with pytest.raises(ModelFileError, match="no exact .nam"):
        to_nam(twin)



def test_knobs_glide_and_change_the_sound(stored):
    capture = load_capture(stored(OTHERS["guitarml knob"]))
    assert list(capture.controls) == ["knob1"] and capture.controls["knob1"].position == 0.5
    silence = np.zeros(4000)
    before = capture.process(silence)
    capture.turn(knob1=1.0)
    during = capture.process(silence)
    assert abs(during[-1] - before[-1]) > 1e-3
    assert np.abs(np.diff(np.concatenate([before[-1:], during]))).max() < 0.2 * abs(during[-1] - before[-1])
    capture.turn(knob1=0.0)
    whole = capture.process(example_signal(3000))
    capture = load_capture(stored(OTHERS["guitarml knob"]))
    capture.process(silence)
    capture.turn(knob1=1.0)
    capture.process(silence)
    capture.turn(knob1=0.0)
    assert np.array_equal(in_blocks(capture, example_signal(3000), 7), whole)


def test_layouts_in_words():
    made = every_nam(np.random.default_rng(39))
    words = {name: layout(read_nam("x.nam", made[name]).net) for name in ("two arrays", "blended", "lstm 2x8", "condition")}
    assert words == {"two arrays": "6 layers of 5, 3 channels, tanh", "blended": "3 layers of 4 channels, tanh, blended",
                     "lstm 2x8": "LSTM 8; LSTM 8; convolution 8 to 1, 1 taps",
                     "condition": "3 layers of 4 channels, tanh, condition: 3 layers of 4 channels, tanh"}
    assert layout(read_capture_of(OTHERS["guitarml gru"]).net).startswith("GRU 20; ")


def test_levels_on_request(stored):
    metadata = {"loudness": -24.0, "input_level_dbu": 18.0, "output_level_dbu": 14.0}
    document = {**every_nam(np.random.default_rng(35))["linear without bias"], "metadata": metadata}
    path = stored(document)
    x = example_signal(300)
    plain = load_capture(path).process(x)
    assert np.allclose(load_capture(path, normalise=True).process(x), plain * 10 ** (6.0 / 20), rtol=1e-5, atol=1e-7)
    assert np.allclose(load_capture(path, calibrate=True).process(x), plain * 10 ** ((-6.0 + 2.0) / 20), rtol=1e-5, atol=1e-7)
    assert np.allclose(load_capture(path, calibrate=18.0).process(x), plain * 10 ** (-4.0 / 20), rtol=1e-5, atol=1e-7)
    with pytest.raises(ModelFileError, match="Choose one"):
        load_capture(path, normalise=True, calibrate=True)
    with pytest.raises(ModelFileError, match="no usable loudness"):
        load_capture(stored(OTHERS["guitarml lstm"], "b.json"), normalise=True)


def test_other_rates_are_resampled_or_refused(stored):
    path = stored(OTHERS["guitarml lstm"])
    assert load_capture(path).sample_rate == 44100.0
    with pytest.raises(RateError, match="44100 Hz, not at 48000"):
        load_capture(path, sample_rate=48000, rate_strict=True)
    check_processor(lambda: load_capture(path, sample_rate=48000), n_samples=1500, blocks=(1, 7, 64, 1500))


@pytest.mark.parametrize("inner, outer", [(44100.0, 48000.0), (48000.0, 44100.0), (96000.0, 48000.0), (48000.0, 96000.0)])
def test_resampling_is_a_pure_delay_in_the_pass_band(inner, outer):
    processor = Resampled(Impulse([1.0], inner), outer)
    n = np.arange(6000)
    top = 0.85 * min(inner, outer) / 2.0
    for frequency in (100.0, 0.5 * top, top):
        processor.reset()
        phase = 2.0 * np.pi * frequency / outer
        y = processor.process(np.sin(phase * n))
        assert np.abs(y - np.sin(phase * (n - processor.latency)))[2000:].max() < 2e-4, frequency
    with pytest.raises(RateError, match="no simple ratio"):
        Resampled(Impulse([1.0], 48000.0), 48000.001)


def test_resampling_starts_at_rest(stored):
    """A net whose silence is not zero gives no step when it starts."""
    capture = load_capture(stored(every_nam(np.random.default_rng(36))["two arrays"]), sample_rate=44100)
    y = capture.process(np.zeros(2000))
    assert np.ptp(y) < 1e-6 and abs(y[0]) > 1e-3


def test_description_of_a_capture(stored):
    document = {**every_nam(np.random.default_rng(37))["linear"], "metadata": {"name": "A box", "license": "CC0"}}
    facts = describe(load_capture(stored(document)))
    assert facts["layout"] == "convolution 1 to 1, 40 taps" and facts["architecture"] == "Linear" and facts["parameters"] == 41 and facts["licence"] == "CC0"
    assert facts["receptive_field_ms"] == pytest.approx(40 / 48.0) and not facts["recurrent"]
    assert facts["linear_share"] > 0.999 and facts["real_time_factor"] > 1.0
    rng = np.random.default_rng(38)
    x = rng.standard_normal(20000)
    assert linear_share(x, np.convolve(x, [0.3, 0.2, 0.1])[:20000], 16) > 0.999999
    assert linear_share(x, np.abs(x), 16) < 0.01
    assert linear_share(x, x + np.sqrt(1.0 / 9.0) * rng.standard_normal(20000), 16) == pytest.approx(0.9, abs=0.01)


def without(document, *path):
    changed = json.loads(json.dumps(document))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return changed


def replaced(document, value, *path):
    changed = json.loads(json.dumps(document))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


LSTM, KERAS, VA, PRO = (OTHERS[name] for name in ("guitarml lstm", "aidax", "wavenetva", "smartamppro"))
DAMAGED = [
    ({}, "no capture of a known kind"),
    ({"hello": 1}, "keys: hello"),
    (without(LSTM, "state_dict", "rec.weight_hh_l0"), "'rec.weight_hh_l0' is missing"),
    (replaced(LSTM, [[1.0]], "state_dict", "rec.weight_hh_l0"), "shape 1 x 1, not 20 x 5"),
    (replaced(LSTM, 10**9, "model_data", "hidden_size"), "must lie in"),
    (replaced(LSTM, "RNN", "model_data", "unit_type"), "'RNN' is unknown"),
    (replaced(LSTM, [float("inf")], "state_dict", "lin.bias"), "is not JSON"),
    (replaced(LSTM, [[[]]], "state_dict", "lin.bias"), "has shape"),
    (replaced(KERAS, "conv2d", "layers", 0, "type"), "'conv2d' is not read"),
    (replaced(KERAS, [], "layers", 0, "weights"), "has 0 arrays"),
    (replaced(KERAS, [1, 2], "layers", 1, "weights"), "list of at most"),
    (replaced(KERAS, [None, 9], "in_shape"), "must lie in 1..3"),
    (replaced(KERAS, [], "layers"), "layers is empty"),
    (replaced(KERAS, "fast", "metadata", "samplerate"), "is no number"),
    (replaced(KERAS, 1e5, "out_gain"), "dB"),
    (without(VA, "variables", 3), "is missing"),
    (replaced(VA, [1.0], "variables", 2, "data"), "has 1 numbers, not 96"),
    (replaced(VA, ["x"] * 96, "variables", 2, "data"), "no number"),
    (replaced(VA, "weird", "activation"), "'weird' is unknown"),
    (without(PRO, "dense", "bias:0"), "'bias:0' is missing"),
    (replaced(PRO, 4096, "input_size") | {"conv1d_stride": 1, "conv1d_1_stride": 1}, "4096 steps"),
    (replaced(PRO, [1.0] * 5, "lstm", "bias:0"), "four for each hidden row"),
]


@pytest.mark.parametrize("document, match", DAMAGED)
def test_damaged_files_are_refused_with_the_cause(document, match, stored):
    path = stored(document)
    with pytest.raises(ModelFileError, match=match) as caught:
        load_capture(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_sizes_are_for_nam_files_only(stored):
    with pytest.raises(ModelFileError, match="only .nam captures come in sizes"):
        load_capture(stored(LSTM), slim=0.5)


WEIRD = (None, True, 0, -1, 3, 10**30, -(10**18), 1.5, "", "Tanh", [], {}, [[]], [1], [None], {"a": 1}, "9" * 5000, 1e308, [1e308],
         [["a"]], 4096, 2**31, 2**63)


def places(value, path=()):
    """Paths to what stands in a document, the first few items of each list."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:4]) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@pytest.mark.parametrize("seed", range(4))
def test_no_damage_gives_anything_but_a_refusal_or_a_finite_sound(seed, stored):
    rng = np.random.default_rng(seed)
    documents = list({**every_nam(rng), **OTHERS}.values())
    refused = played = 0
    for _ in range(150):
        document = json.loads(json.dumps(documents[rng.integers(len(documents))]))
        for _ in range(rng.integers(1, 3)):
            found = list(places(document))
            path = found[rng.integers(len(found))]
            change = WEIRD[rng.integers(len(WEIRD))]
            document = without(document, *path) if rng.random() < 0.2 else replaced(document, change, *path)
        try:
            capture = load_capture(stored(document))
        except ModelFileError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
            refused += 1
        else:
            assert np.isfinite(capture.process(example_signal(64))).all()
            played += 1
    assert refused > 60 and played > 3


def test_a_converted_file_plays_the_same(stored, tmp_path, capsys):
    path = stored(OTHERS["wavenetva"], "amp.json")
    assert run(["inspect", str(path), "--write-nam", str(tmp_path / "amp.nam")]) == 0
    assert "gated" in capsys.readouterr().out
    x = example_signal(400)
    assert esr(load_capture(path).process(x)[100:], load_capture(tmp_path / "amp.nam").process(x)[100:]) < 1e-11
