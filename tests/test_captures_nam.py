"""The `.nam` reader and the float64 oracle: against NAM's engine where its renderings are at hand, closed forms, and refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from make_captures import array, container, every_nam, linear, lstm, newest, standard, wavenet

from circuits.errors import ModelFileError
from validation.captures import documents
from validation.captures.documents import read_document
from validation.captures.nam import read_nam
from validation.captures.reference import render

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "nam"
REFERENCES = [(path.stem[:-len("-reference")], path) for path in sorted(SHARED.glob("*-reference.wav"))]


def esr(target, estimate):
    return np.sum((target - estimate) ** 2) / np.sum(target**2)


def stored(name):
    stem, _, size = name.partition("_slim")
    if not size or not size[0].isdigit():
        return SHARED / f"{name}.nam", None
    return SHARED / f"{stem}.nam", float(size)


@pytest.mark.skipif(not REFERENCES, reason="the reference renderings are not at hand; the closed forms below stand in")
@pytest.mark.parametrize("name, rendering", REFERENCES)
def test_the_oracle_equals_the_reference_engine(name, rendering):
    path, slim = stored(name)
    x, _ = soundfile.read(SHARED / "guitar-input.wav")
    y, _ = soundfile.read(rendering)
    assert esr(y, render(read_nam(path, read_document(path), slim=slim), x)) < 1e-11


def test_linear_is_an_impulse_response_with_the_present_sample_first():
    document = linear(np.random.default_rng(1), 30, True)
    taps, bias = np.array(document["weights"][:-1]), document["weights"][-1]
    x = np.random.default_rng(2).standard_normal(200)
    assert np.allclose(render(read_nam("x.nam", document), x), np.convolve(x, taps)[:200] + bias, atol=1e-12)
    turned = render(read_nam("x.nam", document, linear_oldest_first=True), x)
    assert np.allclose(turned, np.convolve(x, taps[::-1])[:200] + bias, atol=1e-12)


def test_one_layer_by_hand():
    """R = 2, conv taps (.5, -1) dilation 3 bias .1, mix-in .3, layer1x1 unused, head 4, scale .5."""
    weights = [2.0, 0.5, -1.0, 0.1, 0.3, 0.7, 0.2, 4.0, 0.5]
    config = {"layers": [{"input_size": 1, "condition_size": 1, "channels": 1, "kernel_size": 2, "dilations": [3],
                          "activation": "Tanh", "head_size": 1, "head_bias": False}], "head_scale": 9.0}
    model = read_nam("x.nam", {"version": "0.5.0", "architecture": "WaveNet", "config": config, "weights": weights})
    x = np.random.default_rng(3).standard_normal(50)
    late = np.concatenate([np.zeros(3), x[:-3]])
    expected = 0.5 * 4.0 * np.tanh(0.5 * 2.0 * late - 1.0 * 2.0 * x + 0.1 + 0.3 * x)
    assert np.allclose(render(model, x), expected, atol=1e-6)
    assert model.prewarm == 4 and model.sample_rate is None and model.n_weights == 9


def test_convnet_with_batch_norm_by_hand():
    """Taps (2, -3) dilation 2; mean .5, variance 4, scale 3, shift -1, epsilon 5; ReLU; head 7, bias .25."""
    config = {"channels": 1, "dilations": [2], "batchnorm": True, "activation": "ReLU"}
    weights = [2.0, -3.0, 0.5, 4.0, 3.0, -1.0, 5.0, 7.0, 0.25]
    model = read_nam("x.nam", {"version": "0.5.2", "architecture": "ConvNet", "config": config, "weights": weights})
    x = np.random.default_rng(3).standard_normal(50)
    z = 2.0 * np.concatenate([[0.0, 0.0], x[:-2]]) - 3.0 * x
    assert np.allclose(render(model, x), 7.0 * np.maximum(3.0 * (z - 0.5) / 3.0 - 1.0, 0.0) + 0.25, atol=1e-12)


def test_silence_is_a_steady_state_after_the_prewarm():
    rng = np.random.default_rng(4)
    for name in ("two arrays", "films", "condition", "convnet", "post", "bottleneck"):
        y = render(read_nam("x.nam", every_nam(rng)[name]), np.zeros(300))
        assert np.abs(y - y[0]).max() < 1e-12, name


def test_every_option_counts_its_weights_and_uses_them():
    for name, document in every_nam(np.random.default_rng(5)).items():
        y = render(read_nam("x.nam", document), np.random.default_rng(6).standard_normal(100))
        assert np.isfinite(y).all() and np.ptp(y) > 1e-6, name
        if document["weights"]:
            for change, match in ((document["weights"] + [0.0], "1 of .* left over"), (document["weights"][:-1], "ran out in the block")):
                with pytest.raises(ModelFileError, match=match):
                    read_nam("x.nam", {**document, "weights": change})


def test_known_shapes_have_their_known_sizes():
    rng = np.random.default_rng(7)
    full, lite, first = (read_nam("x.nam", document) for document in (newest(rng, 8), newest(rng, 3), standard(rng)))
    assert (full.n_weights, full.prewarm) == (12146, 6347)
    assert (lite.n_weights, lite.prewarm) == (1871, 6347)
    assert (first.n_weights, first.prewarm) == (13802, 4093)


def test_slim_sizes_keep_the_first_rows_and_columns():
    document = wavenet(np.random.default_rng(8), array(np.random.default_rng(8), channels=4, slimmable=(2, 4), dilations=(1, 2)))
    whole, small = read_nam("x.nam", document).net[0], read_nam("x.nam", document, slim=0.2).net[0]
    for big, little in zip(whole.arrays[0].layers, small.arrays[0].layers):
        assert np.array_equal(little.convolution.weight, big.convolution.weight[:2, :2])
        assert np.array_equal(little.layer1x1.bias, big.layer1x1.bias[:2])
    assert small.arrays[0].head.weight.shape == (1, 2, 1)
    grouped = wavenet(np.random.default_rng(8), array(np.random.default_rng(8), channels=4, slimmable=(2, 4), groups=2))
    with pytest.raises(ModelFileError, match="groups of 1"):
        read_nam("x.nam", grouped, slim=0.0)
    with pytest.raises(ModelFileError, match="from 0"):
        read_nam("x.nam", document, slim=1.5)


def test_a_container_picks_by_size():
    rng = np.random.default_rng(9)
    document = container(lstm(rng, 3), lstm(rng, 4), limits=[0.5, 1.0])
    for slim, hidden in ((None, 4), (0.0, 3), (0.49, 3), (0.5, 4), (1.0, 4)):
        assert read_nam("x.nam", document, slim=slim).net[0].u.shape[1] == hidden


def changed(document, **changes):
    return {**document, **changes}


def with_layer(document, **changes):
    config = json.loads(json.dumps(document["config"]))
    config["layers"][0].update(changes)
    return {**document, "config": config}


RNG = np.random.default_rng(10)
GOOD = wavenet(RNG, array(RNG))
MALFORMED = [
    (changed(GOOD, weights=GOOD["weights"][:20]), "ran out in the block 'array 0, layer 0, convolution'"),
    (changed(GOOD, weights=[float("nan")] + GOOD["weights"][1:]), "number 0 is not finite"),
    (changed(GOOD, weights=[1e300] + GOOD["weights"][1:]), "number 0 is not finite"),
    (changed(GOOD, weights=["1"] + GOOD["weights"][1:]), "nothing but numbers"),
    (changed(GOOD, weights=[True] * len(GOOD["weights"])), "nothing but numbers"),
    (changed(GOOD, weights={"a": 1}), "should be a list"),
    ({key: value for key, value in GOOD.items() if key != "weights"}, "'weights' is missing"),
    ({key: value for key, value in GOOD.items() if key != "version"}, "'version' is missing"),
    (changed(GOOD, version="0.8.0"), "0.8.0 is not known"),
    (changed(GOOD, version="1.0.0"), "1.0.0 is not known"),
    (changed(GOOD, version="0.4.9"), "0.4.9 is not known"),
    (changed(GOOD, version="7"), "not three numbers"),
    (changed(GOOD, architecture="HyperWaveNet"), "'HyperWaveNet' is unknown. Known: Linear"),
    (changed(GOOD, config=[]), "should be an object"),
    (changed(GOOD, sample_rate=-1), "makes no sense"),
    (with_layer(GOOD, channels=10**10), "must lie in 1..4096"),
    (with_layer(GOOD, channels=4096), "ran out in the block 'array 0, rechannel'"),
    (with_layer(GOOD, dilations=[1, 2]), "left over"),
    (with_layer(GOOD, dilations=[1, 2, 10**12]), "must lie in"),
    (with_layer(GOOD, dilations=[1, 2, 2**22]), "looks back"),
    (with_layer(GOOD, dilations=[]), "dilations is empty"),
    (with_layer(GOOD, kernel_sizes=[3, 3, 3]), "not both"),
    (with_layer(GOOD, activation="Wobble"), "'Wobble' is unknown"),
    (with_layer(GOOD, activation=["Tanh"]), "1 entries for 3 layers"),
    (with_layer(GOOD, gating_mode="odd"), "'odd' is unknown"),
    (with_layer(GOOD, input_size=2), "1 channels come in"),
    (with_layer(GOOD, condition_size=2), "the condition has 1"),
    (with_layer(GOOD, groups_input=3), "don't divide"),
    (with_layer(GOOD, head1x1_post_film={"active": True}), "inactive"),
    (with_layer(GOOD, layer1x1={"active": False}, bottleneck=2), "bottleneck"),
    (with_layer(GOOD, slimmable={"method": "magic"}), "'magic' is unknown"),
    (with_layer(GOOD, slimmable={"method": "slice_channels_uniform", "kwargs": {"allowed_channels": [9]}}), "must lie in 1..4"),
    (changed(GOOD, config={"layers": [], "head_scale": 1}), "layers is empty"),
    (container(GOOD, GOOD, limits=[0.5, 0.4]), "must ascend"),
    (container(GOOD, changed(GOOD, sample_rate=44100)), "44100 and 48000 Hz"),
]


@pytest.mark.parametrize("document, match", MALFORMED)
def test_malformed_files_are_refused_with_the_file_and_the_cause(document, match):
    with pytest.raises(ModelFileError, match=match) as caught:
        read_nam("bad.nam", document)
    assert str(caught.value).startswith("bad.nam: ") and "\n" not in str(caught.value)


def test_numbers_have_a_limit(monkeypatch):
    monkeypatch.setattr(documents, "MAX_NUMBERS", 20)
    with pytest.raises(ModelFileError, match="weights should be a list of at most 20 numbers"):
        read_nam("x.nam", GOOD)


def test_nested_models_have_a_limit():
    document = lstm(RNG, 2)
    for _ in range(10):
        document = container(document)
    with pytest.raises(ModelFileError, match="nested too deeply"):
        read_nam("x.nam", document)


def test_documents_refuse_what_is_no_capture(tmp_path):
    path = tmp_path / "x.nam"
    for content, match in ((b"", "is not JSON"), (b"[1]", "a JSON list"), (b"{" * 10, "is not JSON"), (b"\xff\xfe\x00", "is not JSON"),
                           (b"[" * 200_000, "nested too deeply"), (b'{"a": NaN}', "NaN is not finite")):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=match):
            read_document(path)
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)  # sparse: claims 10 GB, takes none
    with pytest.raises(ModelFileError, match="more than any capture"):
        read_document(path)
    with pytest.raises(ModelFileError, match="No such file"):
        read_document(tmp_path / "absent.nam")
    for depth in (10, 400, 900):
        path.write_bytes(b'{"version": "0.5.0", "architecture": "Linear", "config": {"receptive_field": 1, "bias": false}, "weights": '
                         + b"[" * depth + b"1" + b"]" * depth + b"}")
        with pytest.raises(ModelFileError, match="nested too deeply|list of at most"):
            read_nam(path, read_document(path))
    path.write_text(json.dumps(GOOD))
    assert read_document(path) == GOOD
