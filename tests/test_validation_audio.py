"""Recordings come back as they went, and what is no recording is refused by name."""

import os
import re
import wave

import numpy as np
import pytest
import soundfile

from circuits.errors import RateError, SignalError
from validation.audio import Audio, check_writable, read_audio, resample, whole_file, write_audio

SAMPLES = np.random.default_rng(1).uniform(-0.9, 0.9, 1000)


@pytest.mark.parametrize("suffix, subtype, step", [
    (".wav", "float", 2.0**-24), (".wav", "double", 0.0), (".wav", "pcm16", 2.0**-15), (".wav", "pcm24", 2.0**-23),
    (".wav", "pcm32", 2.0**-31), (".flac", "pcm16", 2.0**-15), (".flac", "pcm24", 2.0**-23), (".flac", None, 2.0**-23),
    (".wav", None, 2.0**-24)])
@pytest.mark.parametrize("channels", [1, 2])
def test_round_trip(tmp_path, suffix, subtype, step, channels):
    samples = SAMPLES if channels == 1 else np.stack([SAMPLES, -0.5 * SAMPLES])
    path = write_audio(tmp_path / f"a{suffix}", samples, 44100, subtype=subtype)
    audio = read_audio(path)
    assert audio.sample_rate == 44100.0 and audio.samples.dtype == np.float64
    assert audio.samples.shape == samples.shape and audio.n_channels == channels
    assert np.abs(audio.samples - samples).max() <= step
    assert not audio.samples.flags.writeable
    assert sorted(os.listdir(tmp_path)) == [path.name]


def test_an_independent_reader_agrees(tmp_path):
    path = write_audio(tmp_path / "a.wav", SAMPLES, 96000, subtype="pcm16")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (96000, 1, 1000)
        read = np.frombuffer(file.readframes(1000), "<i2") / 32768.0
    assert np.array_equal(read, read_audio(path).samples)


def test_the_same_samples_make_the_same_bytes(tmp_path, monkeypatch):
    first = write_audio(tmp_path / "a.wav", SAMPLES, 48000).read_bytes()
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert write_audio(tmp_path / "b.wav", SAMPLES, 48000).read_bytes() == first


def test_more_than_one_block(tmp_path, monkeypatch):
    monkeypatch.setattr("validation.audio._BLOCK", 100)
    for n_samples in (99, 100, 101, 1000):
        path = write_audio(tmp_path / "a.wav", SAMPLES[:n_samples], 48000, subtype="double")
        assert np.array_equal(read_audio(path).samples, SAMPLES[:n_samples])


def _refused(path, match):
    with pytest.raises(SignalError, match=match) as caught:
        read_audio(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text


def test_bad_files_are_refused_by_name(tmp_path):
    _refused(tmp_path / "none.wav", "no such file")
    _refused(tmp_path, "folder")
    for name, content, match in (("empty.wav", b"", "empty"), ("text.wav", b"hello " * 100, "no recording"),
                                 ("riff.wav", b"RIFF\x00\x00\x00\x00WAVE", "no recording|empty"), ("raw.raw", b"1234", "no recording")):
        path = tmp_path / name
        path.write_bytes(content)
        _refused(path, match)
    path = tmp_path / "nothing.wav"
    soundfile.write(path, np.zeros(0), 48000)
    _refused(path, "empty")
    broken = SAMPLES.copy()
    broken[123] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, 48000, subtype="FLOAT")
    _refused(tmp_path / "nan.wav", "sample 123 is nan")
    stereo = np.stack([SAMPLES, SAMPLES])
    stereo[1, 7] = np.inf
    soundfile.write(tmp_path / "inf.wav", stereo.T, 48000, subtype="DOUBLE")
    _refused(tmp_path / "inf.wav", "sample 7 of channel 1 is inf")
    flac = write_audio(tmp_path / "cut.flac", SAMPLES, 48000)
    flac.write_bytes(flac.read_bytes()[:30])
    _refused(flac, "no recording|empty")


def test_a_failed_write_leaves_nothing(tmp_path):
    good = write_audio(tmp_path / "a.wav", SAMPLES, 48000)
    before = good.read_bytes()
    for samples, rate, subtype, error, match in (
            (np.full(9, np.nan), 48000, None, SignalError, "sample 0 is nan"),
            (np.zeros(0), 48000, None, SignalError, "empty"),
            (1.5 * np.ones(9), 48000, "pcm24", SignalError, re.escape("the peak 1.5 would clip in a pcm24 file. Lower the level by 3.52 dB")),
            (SAMPLES, 48000.5, None, RateError, "48000.5 Hz"),
            (SAMPLES, 48000, "mp3", SignalError, "no format 'mp3'")):
        with pytest.raises(error, match=match):
            write_audio(good, samples, rate, subtype=subtype)
        assert good.read_bytes() == before and os.listdir(tmp_path) == ["a.wav"]
    with pytest.raises(KeyboardInterrupt):
        with whole_file(good) as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt
    assert good.read_bytes() == before and os.listdir(tmp_path) == ["a.wav"]
    with pytest.raises(SignalError, match="no format 'float'"):
        write_audio(tmp_path / "a.flac", SAMPLES, 48000, subtype="float")


def test_check_writable_speaks_before_the_work(tmp_path):
    assert check_writable(tmp_path / "x.json") == tmp_path / "x.json"
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").write_text("")
    for path, match in ((tmp_path / "no" / "x.wav", "does not exist"), (tmp_path, "is a folder"),
                        (tmp_path / "file" / "x.wav", "does not exist"), ("/proc/x.wav", "nothing can be written here")):
        with pytest.raises(SignalError, match=match):
            check_writable(path)
    with pytest.raises(SignalError, match=r"can't end in '.mp3'. Use .wav or .flac."):
        write_audio(tmp_path / "x.mp3", SAMPLES, 48000)


def test_audio_refuses_nonsense():
    for samples, rate, error, match in (
            (np.zeros((1, 2, 3)), 1.0, SignalError, "shape"), ([], 1.0, SignalError, "empty"),
            ([np.nan], 1.0, SignalError, "sample 0"), ([0.0], 0.0, RateError, "no sense"), ([0.0], np.inf, RateError, "no sense")):
        with pytest.raises(error, match=match):
            Audio(samples, rate)


@pytest.mark.parametrize("to_rate", [44100.0, 96000.0, 47999.0])
def test_resampling_keeps_a_sine_in_place(to_rate):
    t = np.arange(48000) / 48000.0
    x = resample(np.sin(2 * np.pi * 997.0 * t), 48000.0, to_rate)
    assert abs(len(x) - to_rate) <= 1
    expected = np.sin(2 * np.pi * 997.0 * np.arange(len(x)) / to_rate)
    inner = slice(2000, -2000)
    assert np.abs(x - expected)[inner].max() < 1e-6
    both = resample(np.stack([np.sin(t), np.cos(t)]), 48000.0, to_rate)
    assert both.shape[0] == 2 and np.allclose(both[0], resample(np.sin(t), 48000.0, to_rate), atol=1e-12)


def test_resampling_refuses_a_bad_rate():
    with pytest.raises(RateError, match="from 0 Hz"):
        resample(SAMPLES, 0, 48000)
    with pytest.raises(RateError, match="more than 512 times"):
        resample(SAMPLES, 1.0, 48000.0)
    copy = resample(SAMPLES, 48000, 48000)
    assert copy is not SAMPLES and np.array_equal(copy, SAMPLES)


@pytest.mark.parametrize("suffix, subtype", [(".wav", "float"), (".wav", "pcm24"), (".flac", "pcm16")])
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, suffix, subtype):
    """Bytes changed, cut or doubled at random: nothing but an error of ours comes out."""
    whole = write_audio(tmp_path / f"whole{suffix}", SAMPLES[:300], 48000, subtype=subtype).read_bytes()
    rng = np.random.default_rng(6)
    path = tmp_path / f"damaged{suffix}"
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(damaged), 120), rng.integers(1, 6)):
            damaged[place] = rng.integers(0, 256)
        if rng.random() < 0.3:
            damaged = damaged[:rng.integers(0, len(damaged))]
        path.write_bytes(damaged)
        try:
            audio = read_audio(path)
            assert np.isfinite(audio.samples).all() and audio.n_samples > 0
        except SignalError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert refused > 20
