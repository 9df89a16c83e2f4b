"""Test signals are what their formulas say, and the shipped guitar can be made again to the last of 24 bits."""

import numpy as np
import pytest

from circuits.errors import SignalError
from validation.audio import read_audio
from validation.guitarist import main, make_shipped_phrase, phrase, write_phrases
from validation.plucked import Note, pluck
from validation.signals import PHRASES, multisine, noise, shipped_phrase, sine, steps, sweep, sweep_rate, twin_tone, whole_periods


def test_whole_periods_are_whole_and_odd():
    for frequency in (31.0, 440.0, 1000.0, 9999.0):
        exact = whole_periods(frequency, 9600, 48000.0)
        periods = exact * 9600 / 48000.0
        assert periods == round(periods) and periods % 2 == 1 and abs(exact - frequency) <= 10.0


def test_sweep_is_synchronised():
    """Its instantaneous frequency is exponential, and at each doubling of it the phase is a whole number of turns."""
    start, stop, rate = 100.0, 1600.0, 48000.0
    x = sweep(start, stop, 2.0, rate)
    growth = sweep_rate(start, stop, 2.0)
    assert (start * growth) == round(start * growth)
    for octave in range(4):
        at = growth * np.log(2.0) * octave  # here sin(2 pi start growth (2**octave - 1)) = 0, rising
        first = int(at * rate)
        around = np.interp(at * rate, [first, first + 1], x[first:first + 2])
        assert abs(around) < 1e-3 and x[first + 1] > x[first]
    crossings = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0)) / rate
    middle = len(crossings) // 2
    measured = 4.0 / (crossings[middle + 2] - crossings[middle - 2])
    assert measured == pytest.approx(start * np.exp(crossings[middle] / growth), rel=2e-3)
    faded = sweep(start, stop, 2.0, rate, fade=0.05)
    assert abs(faded[-1]) < 1e-4 and np.array_equal(faded[4800:-4800], x[4800:-4800])


def test_multisine_has_equal_lines_and_a_low_crest():
    bins = np.arange(1, 100)
    x = multisine(bins * 10.0, 4800, 48000.0)
    lines = np.abs(np.fft.rfft(x))
    assert np.ptp(lines[1:100]) < 1e-9 and np.delete(lines, bins).max() < 1e-9
    assert np.abs(x).max() == pytest.approx(1.0)
    crest = 1.0 / np.sqrt(np.mean(x**2))
    randomly = multisine(bins * 10.0, 4800, 48000.0, rng=np.random.default_rng(2))
    assert crest < 2.0 < 1.0 / np.sqrt(np.mean(randomly**2))
    with pytest.raises(SignalError, match="below half"):
        multisine([30000.0], 4800, 48000.0)


def test_simple_signals():
    assert np.abs(sine(997.0, 1.0, 48000.0, level=0.3)).max() == pytest.approx(0.3, rel=1e-3)
    spectrum = np.abs(np.fft.rfft(twin_tone(60.0, 7000.0, 1.0, 48000.0, ratio=4.0))) / 24000.0
    assert spectrum[60] == pytest.approx(0.8) and spectrum[7000] == pytest.approx(0.2)
    assert np.std(noise(2.0, 48000.0, np.random.default_rng(1), level=0.2)) == pytest.approx(0.2, rel=0.02)
    assert steps([1.0, 2.0], 1.0, 3.0).tolist() == [1.0] * 3 + [2.0] * 3
    with pytest.raises(SignalError, match="no signal lasts"):
        sine(1.0, 0.0, 48000.0)
    with pytest.raises(SignalError, match="start < stop"):
        sweep(100.0, 50.0, 1.0, 48000.0)


@pytest.mark.parametrize("string, fret", [(0, 0), (1, 2), (2, 5), (3, 0), (5, 0), (5, 15)])
@pytest.mark.parametrize("sample_rate", [44100.0, 48000.0, 96000.0])
def test_strings_are_in_tune(string, fret, sample_rate):
    """The strongest line near the pitch lies within 3 cents of equal temperament."""
    note = Note(0.0, 2.0, string, fret)
    tone = pluck(note, sample_rate, np.random.default_rng(1))
    size = 1 << 21
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), size))
    frequencies = np.arange(len(spectrum)) * sample_rate / size
    near = np.abs(1200.0 * np.log2(np.maximum(frequencies, 1.0) / note.frequency)) < 60.0
    peak = frequencies[near][np.argmax(spectrum[near])]
    assert abs(1200.0 * np.log2(peak / note.frequency)) < 3.0


def test_a_palm_mute_is_shorter_and_darker_and_the_pick_leaves_out_its_partials():
    def tone(**facts):
        return pluck(Note(0.0, 1.0, 0, 0, **facts), 48000.0, np.random.default_rng(3))

    def late_share(x):
        return np.sum(x[24000:40000] ** 2) / np.sum(x**2)

    def centroid(x):
        power = np.abs(np.fft.rfft(x)) ** 2
        return np.sum(power * np.arange(len(power))) / np.sum(power)
    open_string, muted = tone(), tone(palm=1.0)
    assert late_share(muted) < 1e-2 * late_share(open_string)
    assert centroid(muted) < 0.6 * centroid(open_string)
    spectrum = np.abs(np.fft.rfft(tone(pick=0.2) * np.hanning(48000)))

    def line(k):
        return spectrum[int(82.4 * k) - 2:int(82.4 * k) + 4].max()
    assert line(5) < 0.15 * line(4) and line(5) < 0.15 * line(6)


@pytest.mark.parametrize("name", PHRASES)
def test_shipped_phrases_can_be_made_again(name):
    shipped = shipped_phrase(name)
    assert shipped.sample_rate == 48000.0 and shipped.n_channels == 1 and shipped.duration >= 10.0
    made = make_shipped_phrase(name)
    assert np.abs(made - shipped.samples).max() <= 2.0**-23
    assert np.abs(made).max() == pytest.approx(0.5)
    assert np.mean(np.abs(made) > 0.01) > 0.3, "most of a phrase is music"
    other = phrase(name, 48000.0, np.random.default_rng(5))
    assert np.abs(other[:480000] - made[:480000]).max() > 0.01, "another hand plays another take"


def test_phrases_are_written_by_command(tmp_path):
    main(["--output", str(tmp_path / "new")])
    for name in PHRASES:
        again, shipped = read_audio(tmp_path / "new" / f"{name}.flac"), shipped_phrase(name)
        assert np.abs(again.samples - shipped.samples).max() <= 2.0**-23
    assert [path.name for path in write_phrases(tmp_path)] == [f"{name}.flac" for name in PHRASES]
    with pytest.raises(SignalError, match="no phrase 'polka'"):
        shipped_phrase("polka")
