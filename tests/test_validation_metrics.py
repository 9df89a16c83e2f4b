"""Scores equal auraloss, torch, librosa and pyloudnorm on golden signals and closed forms where there are some."""

import inspect
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from golden.metric_signals import pairs, whole_blocks

from circuits.errors import SignalError
from validation.loudness import crest_factor, k_weighting, level, loudness
from validation.metrics import METRICS, evaluate
from validation.spectral_metrics import multi_resolution_stft, multi_resolution_stft_many
from validation.waveform_metrics import esr, log_cosh, mean_absolute_error, root_mean_square_error, si_sdr, snr

GOLDEN = json.loads((Path(__file__).parent / "golden" / "metrics.json").read_text(encoding="utf-8"))["pairs"]
PAIRS = pairs()
NOISE = np.random.default_rng(7).standard_normal(9600)


@pytest.mark.parametrize("pair", GOLDEN)
@pytest.mark.parametrize("name", ["esr", "dc_error", "log_cosh", "snr", "si_sdr", "sd_sdr", "esr_first_order", "esr_a_weighted",
                                  "esr_a_weighted_low_passed", "mean_absolute_error", "root_mean_square_error", "normalised_error", "multi_resolution_stft", "log_spectral_distance", "mel_cepstral_distance"])
def test_equal_to_independent_implementations(pair, name):
    rate, target, estimate = PAIRS[pair]
    assert METRICS[name](target, estimate, rate) == pytest.approx(GOLDEN[pair][name], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("pair", GOLDEN)
def test_single_resolution_equals_auraloss(pair):
    _, target, estimate = PAIRS[pair]
    assert multi_resolution_stft(target, estimate, resolutions=((1024, 256, 1024),)) == pytest.approx(GOLDEN[pair]["stft_1024"], rel=1e-6)


@pytest.mark.parametrize("pair", GOLDEN)
def test_loudness_equals_pyloudnorm(pair):
    rate, *signals = PAIRS[pair]
    for samples, key in zip(signals, ("loudness_target", "loudness_estimate")):
        golden = GOLDEN[pair][key]
        samples = whole_blocks(rate, samples)
        if math.isinf(golden):  # under the absolute gate pyloudnorm gives up; we measure ungated and say so
            assert loudness(samples, rate) < -70.0
        else:
            assert loudness(samples, rate) == pytest.approx(golden, abs=1e-6)


def test_k_weighting_is_the_table_of_the_standard():
    """BS.1770-4, tables 1 and 2, at 48 kHz."""
    (b1, a1), (b2, a2) = k_weighting(48000.0)
    assert np.allclose(b1, [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-13)
    assert np.allclose(a1, [1.0, -1.69065929318241, 0.73248077421585], atol=1e-13)
    assert np.allclose(b2, [1.0, -2.0, 1.0]) and np.allclose(a2, [1.0, -1.99004745483398, 0.99007225036621], atol=1e-13)


@pytest.mark.parametrize("rate", [44100.0, 48000.0, 96000.0])
def test_loudness_of_the_standards_sine(rate):
    tone = np.sin(2 * np.pi * 997.0 * np.arange(int(2 * rate)) / rate)
    assert loudness(tone, rate) == pytest.approx(-3.01, abs=0.1), "EBU Tech 3341 allows 0.1 LU"
    gated = np.concatenate([tone, np.zeros(int(4 * rate)), 1e-5 * tone])
    # 17 blocks lie in the tone, three reach over its end with 3/4, 1/2 and 1/4 of its power; all others are gated away
    assert loudness(gated, rate) == pytest.approx(loudness(tone, rate) + 10 * math.log10(18.5 / 20), abs=0.01)
    assert loudness(np.zeros(1000), rate) == -math.inf


def test_scaled_by_one_percent_is_exact():
    for samples in (NOISE, np.array([3.0, 4.0]), 1e-8 * NOISE):
        assert esr(samples, 1.01 * samples) == pytest.approx(1e-4, rel=1e-12)
    scores = evaluate(NOISE, 1.01 * NOISE, 48000.0)
    for name in ("esr", "esr_first_order", "esr_a_weighted", "esr_a_weighted_low_passed"):
        assert scores[name] == pytest.approx(1e-4, rel=1e-9)
    assert scores["snr"] == pytest.approx(40.0)
    assert scores["normalised_error"] == pytest.approx(0.01 * np.sqrt(np.mean(NOISE**2)) / np.std(NOISE))
    assert scores["log_spectral_distance"] == pytest.approx(20 * math.log10(1.01), rel=1e-9)
    assert scores["loudness_difference"] == pytest.approx(20 * math.log10(1.01), rel=1e-9)
    assert scores["si_sdr"] > 200.0 and scores["crest_factor_difference"] == pytest.approx(0.0, abs=1e-12)
    assert scores["multi_resolution_stft"] == pytest.approx(0.01 + math.log(1.01), rel=1e-9)


def test_a_cosine_over_the_mel_bands_has_a_closed_mel_cepstral_distance():
    """White noise whose power is unchanged has distance 0; the distance does not see gain."""
    assert METRICS["mel_cepstral_distance"](NOISE, 0.01 * NOISE, 48000.0) == pytest.approx(0.0, abs=1e-9)


def test_low_passed_weighting_halves_what_lies_at_the_top():
    """1 + 0.85 z⁻¹ passes 1.85 at 0 Hz and 0.15 at half the rate: low errors count 20 dB and more above high ones."""
    t = np.arange(96000)
    target = NOISE.repeat(10)
    low, high = (target + 0.1 * np.hanning(96000) * np.sin(2 * np.pi * f / 48000.0 * t) for f in (2000.0, 22000.0))
    plain = METRICS["esr_a_weighted"](target, low, 48000.0) / METRICS["esr_a_weighted"](target, high, 48000.0)
    passed = METRICS["esr_a_weighted_low_passed"](target, low, 48000.0) / METRICS["esr_a_weighted_low_passed"](target, high, 48000.0)
    gain = [abs(1 + 0.85 * np.exp(-2j * np.pi * f / 48000.0)) ** 2 for f in (2000.0, 22000.0)]
    assert passed / plain == pytest.approx(gain[0] / gain[1], rel=1e-2)


def test_textbook_closed_forms():
    assert mean_absolute_error([0.0, 1.0], [1.0, 3.0]) == 1.5
    assert root_mean_square_error([0.0, 1.0], [1.0, 3.0]) == pytest.approx(math.sqrt(2.5))
    assert log_cosh([1.0], [1001.0]) == pytest.approx(1000.0 - math.log(2.0), rel=1e-15), "no overflow"
    assert snr(NOISE, NOISE) == math.inf and si_sdr(NOISE, np.zeros(9600)) == -math.inf
    sine = np.sin(2 * np.pi * np.arange(4800) / 48.0)
    assert crest_factor(sine) == pytest.approx(10 * math.log10(2.0)) and level(sine) == pytest.approx(-10 * math.log10(2.0))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_knows_a_perfect_copy_and_refuses_silence(name):
    metric = METRICS[name]
    value = metric(NOISE, NOISE.copy(), 48000.0)
    assert value == metric.best or (name == "si_sdr" and value > 250.0)
    assert metric.badness(metric(NOISE, NOISE + 0.1 * NOISE[::-1], 48000.0)) > metric.badness(value) or name.endswith("difference")
    with pytest.raises(SignalError, match="target is silent"):
        metric(np.zeros(9600), NOISE, 48000.0)
    with pytest.raises(SignalError, match="one length"):
        metric(NOISE, NOISE[1:], 48000.0)
    with pytest.raises(SignalError, match="one length"):
        metric(np.stack([NOISE] * 2), np.stack([NOISE] * 2), 48000.0)
    broken = NOISE.copy()
    broken[5] = np.nan
    with pytest.raises(SignalError, match="sample 5 of the estimate is nan"):
        metric(NOISE, broken, 48000.0)
    assert metric.text and metric.label and re.search(r"19\d\d|20\d\d|BS\.1770", metric.paper), "a definition that can be looked up"
    head = sys.modules[metric.function.__module__].__doc__
    author = metric.paper.removeprefix("after ").split()[0].rstrip(",")
    assert author in head and ">>>" in metric.function.__doc__, "the paper in the file's head, an example in the docstring"
    assert list(inspect.signature(metric.function).parameters)[:2] == ["target", "estimate"]
    before = NOISE.copy()
    assert metric(NOISE, 0.9 * NOISE, 48000.0) == metric(NOISE, 0.9 * NOISE, 48000.0) and np.array_equal(NOISE, before), "pure"


def test_many_at_once_equal_one_by_one(monkeypatch):
    others = [NOISE + 0.1 * NOISE[::-1], np.zeros(9600), 2.0 * NOISE]
    alone = [multi_resolution_stft(NOISE, other) for other in others]
    monkeypatch.setattr("validation.spectral_metrics._STRETCH", 4096)
    assert multi_resolution_stft_many(NOISE, others) == pytest.approx(alone, rel=1e-12)
    assert multi_resolution_stft_many(NOISE, []) == []
    with pytest.raises(SignalError, match="too short for spectra"):
        multi_resolution_stft(NOISE[:300], NOISE[:300])
