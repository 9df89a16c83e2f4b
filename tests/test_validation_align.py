"""Latency, polarity, gain, offset and drift put in are found again, and strangers are refused."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, freqz, iirpeak, lfilter, sosfilt

from circuits.errors import SignalError
from validation.align import Alignment, advance, align, apply
from validation.audio import read_audio, resample
from validation.polarity import minimum_phase
from validation.signals import shipped_phrase, sine
from validation.waveform_metrics import esr

RATE = 48000.0
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
GUITAR = shipped_phrase("chords").samples[:240000]


def _band_limited(delay: float, n_samples: int = 96000, seed: int = 1) -> np.ndarray:
    """The same sum of sines whatever the delay, evaluated at shifted times: an exact fractional delay."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples) - delay
    frequencies = rng.uniform(60.0, 15000.0, 60)
    envelope = np.exp(-0.5 * ((t - 0.4 * n_samples) / (0.15 * n_samples)) ** 2)
    return envelope * sum(np.sin(2 * np.pi * f / RATE * t + p) / np.sqrt(f) for f, p in zip(frequencies, rng.uniform(0, 6, 60)))


@pytest.mark.parametrize("delay", [0.0, 0.25, -0.5, 3.3, 100.77, -2000.4, 12345.678])
def test_sub_sample_latency(delay):
    found = align(_band_limited(0.0), _band_limited(delay), RATE)
    assert found.latency == pytest.approx(delay, abs=1e-3)
    assert found.polarity == 1 and found.gain == pytest.approx(1.0, abs=1e-4) and found.coherence > 0.99
    assert found.esr_after < 1e-6


@pytest.mark.parametrize("gain, dc", [(0.5, 0.0), (-2.0, 0.01), (-0.001, -0.2), (1000.0, 30.0)])
def test_gain_polarity_and_offset(gain, dc):
    found = align(GUITAR, np.roll(GUITAR, 480) * gain + dc, RATE)
    assert found.latency == 480.0
    assert found.polarity == np.sign(gain) and found.gain == pytest.approx(1 / abs(gain), rel=1e-6)
    assert found.dc == pytest.approx(-dc / gain, abs=1e-6)
    assert found.gain_db == pytest.approx(-20 * np.log10(abs(gain)), abs=1e-4)
    estimate = np.roll(GUITAR, 480) * gain + dc
    whole = apply(found, estimate, "latency+gain")[:-480]
    assert esr(GUITAR[:-480], whole) < 1e-12
    assert np.array_equal(apply(found, estimate, "latency")[:-480], GUITAR[:-480] * gain + dc)
    assert np.array_equal(apply(found, estimate, "none"), estimate)


def test_identical_signals_are_left_alone():
    found = align(GUITAR, GUITAR.copy(), RATE)
    assert (found.latency, found.polarity, found.esr_after) == (0.0, 1, pytest.approx(0.0, abs=1e-25))
    assert found.margin == (0, 0) and np.array_equal(apply(found, GUITAR, "latency"), GUITAR)


@pytest.mark.parametrize("drive", [3.0, 30.0])
def test_latency_through_distortion(drive):
    """A clean and a distorted rendering still line up to a twentieth of a sample."""
    estimate = np.tanh(drive * advance(GUITAR, -37.4))
    found = align(np.tanh(1.3 * drive * GUITAR), estimate, RATE)
    assert found.latency == pytest.approx(37.4, abs=0.05)


@pytest.mark.parametrize("pole", [0.5, 0.9, -0.7])
def test_another_tone_setting_is_no_latency(pole):
    """A one-pole filter makes a tone darker or brighter; the sound arrives when it did, to a few samples.

    Its low partials are late by pole / (1 - pole) samples, 9 for the darkest: there plain correlation is at its best.
    """
    estimate = lfilter([1.0 - pole], [1.0, -pole], np.tanh(5.0 * np.roll(GUITAR, 70)))
    found = align(np.tanh(5.0 * GUITAR), estimate, RATE)
    assert abs(found.latency - 70.0) < 4.5 and found.polarity == 1 and found.coherence > 0.9


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured recordings are not on this machine; their twin is test_another_tone_setting_is_no_latency")
@pytest.mark.parametrize("clip", ["clip1", "clip3", "clip4"])
def test_tone_settings_of_a_real_amplifier_are_in_step(clip):
    bright, warm = (read_audio(DATA / "marshall-jvm410h" / f"{clip}-{setting}.flac") for setting in ("bass0-middle0-treble10", "bass3-middle7-treble1"))
    assert abs(align(bright.samples, warm.samples, bright.sample_rate).latency) <= 3.0


@pytest.mark.parametrize("noise", [0.3, 1.0, 1.7])
def test_coherence_of_a_signal_in_noise(noise):
    """White signal and white noise of relative power r: the coherence is 1 / (1 + r)."""
    rng = np.random.default_rng(3)
    white = rng.standard_normal(96000)
    found = align(white, np.roll(white, 55) + noise * rng.standard_normal(96000), RATE)
    assert found.latency == pytest.approx(55.0, abs=0.1)
    assert found.coherence == pytest.approx(1 / (1 + noise**2), abs=0.03)


def test_a_sine_takes_the_nearest_of_its_equal_latencies():
    t = np.arange(48000)
    found = align(sine(1000.0, 1.0, RATE), np.sin(2 * np.pi * 1000.0 / RATE * (t - 5)), RATE)
    assert found.latency == pytest.approx(5.0, abs=0.01) and found.polarity == 1


def test_drift_in_parts_per_million():
    """A clock 20 ppm slow stretches the estimate: its latency grows."""
    estimate = resample(GUITAR, RATE, RATE * (1 + 20e-6))[:len(GUITAR)]
    estimate = np.pad(estimate, (0, len(GUITAR) - len(estimate)))
    found = align(GUITAR, estimate, RATE)
    assert found.drift == pytest.approx(20.0, abs=0.5) and found.drift_error < 0.5
    assert abs(align(GUITAR, np.roll(GUITAR, 9), RATE).drift) < 0.1


FILTERS = {
    "flat": lambda x: x, "dark": lambda x: lfilter([0.05], [1.0, -0.95], x), "bright": lambda x: lfilter([1.0, -0.95], [1.0], x),
    "low": lambda x: sosfilt(butter(4, 800.0, fs=RATE, output="sos"), x), "high": lambda x: sosfilt(butter(2, 1500.0, "high", fs=RATE, output="sos"), x),
    "wah": lambda x: lfilter(*iirpeak(700.0, 3.0, fs=RATE), x), "fuzz": lambda x: lfilter([0.1], [1.0, -0.9], np.tanh(30.0 * x + 0.3))}


@pytest.mark.parametrize("first", FILTERS)
def test_polarity_survives_another_tone(first):
    """Between all pairs of filters, either way up: the correlation's sign is wrong for 36 of the 84."""
    target = FILTERS[first](GUITAR[:96000])
    for second in FILTERS:
        estimate = FILTERS[second](np.roll(GUITAR[:96000], 70))
        for sign in (1, -1):
            found = align(target, sign * estimate, RATE)
            assert found.polarity == sign, (first, second, sign)
            assert found.gain > 0.0
    assert align(GUITAR, -GUITAR, RATE).gain == pytest.approx(1.0)


def test_polarity_is_left_open_where_nothing_tells():
    """An all-pass that turns every octave by another angle has no polarity."""
    rng = np.random.default_rng(2)
    size = len(GUITAR[:96000])
    turned = np.fft.irfft(np.fft.rfft(GUITAR[:96000]) * np.exp(2j * np.pi * np.interp(np.arange(size // 2 + 1), np.geomspace(1, size // 2, 25), np.cumsum(rng.uniform(0.3, 0.7, 25)))), size)
    found = align(GUITAR[:96000], turned, RATE)
    assert found.polarity == 0 and found.coherence > 0.5
    assert np.array_equal(apply(found, turned, "latency+gain"), found.gain * apply(found, turned, "latency") + found.dc)


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured recordings are not on this machine; their twin is test_polarity_survives_another_tone")
@pytest.mark.parametrize("clip", ["clip1", "clip3", "clip4"])
def test_polarity_of_a_real_amplifiers_tone_settings(clip):
    bass, treble = (read_audio(DATA / "marshall-jvm410h" / f"{clip}-{setting}.flac") for setting in ("bass10-middle0-treble0", "bass0-middle0-treble10"))
    assert [align(treble.samples, sign * bass.samples, bass.sample_rate).polarity for sign in (1, -1)] == [1, -1]


def test_minimum_phase_of_a_known_filter():
    b, a = np.poly([0.9, -0.6, 0.2]), np.poly([0.99, 0.5, -0.8])
    w, H = freqz(b, a, worN=16385, include_nyquist=True)
    assert np.abs(minimum_phase(np.abs(H)) - np.angle(H)).max() < 1e-9


def test_strangers_are_refused_with_their_coherence():
    other = shipped_phrase("single-notes").samples[:240000]
    with pytest.raises(SignalError, match=r"don't seem to belong together: their coherence is 0\.[01]\d\d, and at least 0.2"):
        align(GUITAR, other, RATE)
    rng = np.random.default_rng(1)
    with pytest.raises(SignalError, match="don't seem to belong together"):
        align(rng.standard_normal(4800), rng.standard_normal(4800), RATE)


def test_refusals():
    with pytest.raises(SignalError, match="target is silent"):
        align(np.zeros(4800), GUITAR[:4800], RATE)
    with pytest.raises(SignalError, match="estimate is silent"):
        align(GUITAR, np.zeros(len(GUITAR)), RATE)
    with pytest.raises(SignalError, match="too short to align"):
        align(np.ones(100), np.arange(100.0), RATE)
    with pytest.raises(SignalError, match="no alignment 'magic'"):
        apply(Alignment(0, 1, 1, 0, 0, 0, 1, 0, 0, 0), GUITAR, "magic")


@pytest.mark.parametrize("delay", [0.5, -3.25, 17.9])
def test_fractional_advance_is_exact_to_rounding_of_the_window(delay):
    moved = advance(_band_limited(delay), delay)
    assert np.abs(moved - _band_limited(0.0))[1000:-1000].max() < 1e-6 * np.abs(moved).max()
    assert advance(np.ones(5), 9.0).tolist() == [0.0] * 5 and advance(np.ones(5), -9.0).tolist() == [0.0] * 5
