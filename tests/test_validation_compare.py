"""Candidates are rendered, aligned, scored and tested as said; what fails keeps its row; what is found survives its file."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from check_processor import check_processor
from scipy.signal import lfilter
from scipy.stats import wilcoxon
from shaper import Shaper

from circuits.errors import ModelFileError, SignalError
from validation.align import advance
from validation.audio import Audio, read_audio, resample
from validation.compare import compare
from validation.comparison_file import read_comparison, write_comparison
from validation.metrics import METRICS, evaluate
from validation.rendering import Entry, render
from validation.report import page, table
from validation.response import LEVELS, measure_response
from validation.segments import LEVEL_EDGES, bootstrap_interval, paired_tests
from validation.signals import shipped_phrase
from validation.waveform_metrics import esr

RATE = 48000.0
DRY = Audio(shipped_phrase("chords").samples[250000:346000], RATE)
TARGET = Shaper().process(DRY.samples)
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _recording(samples, rate=RATE):
    return lambda wished: Audio(samples, rate)


def _model(**facts):
    return lambda rate: Shaper(rate, **facts)


def _fails(wished):
    raise ModelFileError("this model is broken", mend="Make it again.")


def _bug(wished):
    raise ZeroDivisionError("one over\nnothing")


@pytest.fixture(scope="module")
def found():
    return compare(DRY, Entry("target", _model()), [
        Entry("twin", _model()), Entry("near", _model(drive=4.2)), Entry("far", _model(drive=8.0)),
        Entry("late", _recording(0.7 * advance(TARGET, -20.25))), Entry("broken", _fails)])


def test_shaper_is_a_processor():
    check_processor(lambda: Shaper(latency=3))


def test_scores_are_those_of_the_metrics(found):
    assert [row.label for row in found.rows][:2] == ["twin", "near"] and found.rows[-1].label == "broken"
    near = next(row for row in found.rows if row.label == "near")
    region = slice(*found.region)
    estimate = Shaper(drive=4.2).process(DRY.samples)[region]
    expected = evaluate(TARGET[region], estimate, RATE)
    assert list(near.scores) == list(METRICS)
    for name, value in expected.items():
        assert near.scores[name] == pytest.approx(value, rel=1e-9), name
    assert near.scores_as_is == near.scores and near.alignment.latency == 0.0
    assert found.rows[0].scores["esr"] == 0.0 and found.rows[0].scores["snr"] == math.inf


def test_alignment_is_told_and_both_results_stand(found):
    late = next(row for row in found.rows if row.label == "late")
    assert late.alignment.latency == pytest.approx(20.25, abs=2e-3)
    assert late.alignment.gain == pytest.approx(1 / 0.7, rel=1e-3)
    assert late.scores["esr"] == pytest.approx(0.09, rel=0.01), "the gain of 0.7 is left in"
    assert late.scores_as_is["esr"] > 0.5
    both = compare(DRY, Entry("target", _model()), [Entry("late", _recording(-0.7 * advance(TARGET, -20.25) + 0.05))], mode="latency+gain", measure=False)
    assert both.rows[0].scores["esr"] < 1e-6 and both.rows[0].alignment.polarity == -1
    none = compare(DRY, Entry("target", _model()), [Entry("late", _recording(0.7 * advance(TARGET, -20.25)))], mode="none", measure=False)
    assert none.region == (0, 96000) and none.rows[0].scores == none.rows[0].scores_as_is
    assert none.rows[0].alignment.latency == pytest.approx(20.25, abs=2e-3)
    assert np.array_equal(none.estimate(none.rows[0]), none.rows[0].rendering.samples)
    assert esr(both.reference(), both.estimate(both.rows[0])) == pytest.approx(both.rows[0].scores["esr"])
    settled = both.settled()
    assert np.array_equal(settled.estimate(settled.rows[0]), both.estimate(both.rows[0])) and settled.mode == "none"


def test_failures_keep_their_rows_and_messages(found):
    broken = found.rows[-1]
    assert broken.failed and broken.message == "this model is broken. Make it again." and broken.rendering is None
    odd = compare(DRY, Entry("t", _recording(TARGET)), [
        Entry("bug", _bug), Entry("nan", _model(breaks_at=60000)), Entry("silent", _recording(np.zeros(96000))),
        Entry("short", _recording(TARGET[:36000])), Entry("stereo", _recording(np.stack([TARGET, TARGET]))),
        Entry("stranger", _recording(shipped_phrase("single-notes").samples[200000:296000])), Entry("good", _model(drive=4.5))], measure=False)
    messages = {row.label: row.message for row in odd.rows}
    assert odd.rows[0].label == "good" and not odd.rows[0].failed and len(odd.failed) == 6
    assert messages["bug"] == "ZeroDivisionError: one over nothing"
    assert "not finite at" in messages["nan"] and "silent" in messages["silent"]
    assert "it lasts 0.750 s and the target 2.000 s" in messages["short"]
    assert "2 channels" in messages["stereo"] and "don't seem to belong together" in messages["stranger"]


def test_a_bad_target_is_an_error():
    good = [Entry("good", _model())]
    for load, match in ((_fails, "broken"), (_recording(np.zeros(9600)), "silent"), (_recording(np.stack([TARGET] * 2)), "2 channels")):
        with pytest.raises((SignalError, ModelFileError), match=match):
            compare(DRY, Entry("target", load), good)
    with pytest.raises(SignalError, match="nothing to compare"):
        compare(DRY, good[0], [])
    with pytest.raises(SignalError, match="no alignment 'some'"):
        compare(DRY, good[0], good, mode="some")
    with pytest.raises(SignalError, match="segments of 0 s"):
        compare(DRY, good[0], good, segment_length=0.0)
    alone = compare(None, Entry("target", _recording(TARGET)), [Entry("model", _model()), Entry("copy", _recording(TARGET))])
    assert alone.rows[0].label == "copy" and "needs a dry recording" in alone.rows[1].message


def test_other_rates_and_lengths_are_resampled_and_said():
    slow = resample(TARGET, RATE, 44100.0)
    result = compare(DRY, Entry("target", _recording(TARGET)), [
        Entry("file at 44.1", _recording(slow, 44100.0)), Entry("model at 96", lambda rate: Shaper(96000.0)),
        Entry("longer", _recording(np.concatenate([TARGET, np.zeros(4800)])))], measure=False)
    notes = " | ".join(result.notes)
    assert "file at 44.1: resampled from 44100 Hz to 48000 Hz" in notes
    assert "model at 96: runs at 96000 Hz" in notes and "output resampled from 96000 Hz to 48000 Hz" in notes
    assert "longer: 0.1000 s longer than the target" in notes and not result.failed
    scores = {row.label: row.scores["esr"] for row in result.rows}
    assert scores["longer"] == 0.0 and scores["file at 44.1"] < 1e-4
    at_target = compare(DRY, Entry("target", _recording(slow, 44100.0)), [Entry("model", _model())], measure=False)
    assert at_target.sample_rate == 44100.0 and "the comparison runs at the target's 44100 Hz" in " ".join(at_target.notes)


def test_declared_latency_is_taken_out():
    processor = Shaper(latency=100)
    samples, seconds = render(processor, DRY.samples)
    assert np.array_equal(samples, TARGET) and seconds > 0.0
    result = compare(DRY, Entry("t", _model()), [Entry("late", _model(latency=100))], mode="none", measure=False)
    assert result.rows[0].scores["esr"] == 0.0 and "declared latency of 100 samples" in result.notes[0]


def test_the_cost_of_a_model_is_asked_for_and_kept():
    entries = [Entry("told", _model(), cost=lambda processor: (processor.controls["drive"].position, 6.0)), Entry("untold", _recording(0.9 * TARGET))]
    rows = {row.label: row for row in compare(DRY, Entry("t", _model()), entries, measure=False).rows}
    assert (rows["told"].n_parameters, rows["told"].operations) == (4.0, 6.0) and math.isnan(rows["untold"].operations)


def test_what_plays_only_whole_recordings_is_a_model_too():
    class Outside:
        sample_rate = 96000.0

        def play(self, samples):
            return Shaper(96000.0, drive=5.0).process(samples), "played elsewhere"

    found = compare(DRY, Entry("t", _model()), [Entry("outside", lambda rate: Outside()), Entry("inside", lambda rate: Shaper(96000.0, drive=5.0))],
                    measure=True)
    outside, inside = sorted(found.rows, key=lambda row: row.label, reverse=True)
    assert outside.kind == "model" and outside.scores["esr"] == inside.scores["esr"] and outside.response is None and outside.real_time_factor > 0.0
    assert "outside: played elsewhere" in found.notes


def test_what_spoils_a_score_is_said_with_its_figures():
    drifting = resample(TARGET, RATE, RATE * (1 + 60e-6))[:len(TARGET)]
    found = compare(DRY, Entry("t", _model()), [
        Entry("twin", _model()), Entry("far", _model(drive=9.0)), Entry("upside down", _recording(-TARGET)), Entry("quiet", _recording(0.3 * TARGET)),
        Entry("drifting", _recording(np.pad(drifting, (0, len(TARGET) - len(drifting))))),
        Entry("dark", _recording(lfilter([0.02], [1.0, -0.98], TARGET)))], measure=False)
    said = {row.label: found.doubts(row) for row in found.rows}
    scores = {row.label: row.scores["esr"] for row in found.rows}
    assert said["twin"] == () and scores["upside down"] == pytest.approx(4.0)
    assert said["upside down"] == ("upside down against the target: ESR 4, and under 1e-9 turned over (--align latency+gain does that)",)
    assert said["quiet"][0].startswith("another level: ESR 0.49, and") and "+10.46 dB" in said["quiet"][0]
    assert re.search(r"clocks drift by (59|60)\.\d+ ± 0\.\d+ ppm, 5\.[78] samples over 2\.0 s", said["drifting"][-1])
    assert len(said["dark"]) == 1 and "although a linear filter of it would explain 100.0 % of the target" in said["dark"][0]
    late = Entry("late", _recording(np.roll(TARGET, 480)))
    raw = compare(DRY, Entry("t", _model()), [late], mode="none", measure=False)
    assert raw.doubts(raw.rows[0])[0].startswith("480.00 samples late (10.00 ms): ESR ")
    turned = compare(DRY, Entry("t", _model()), [Entry("upside down", _recording(-TARGET))], mode="latency+gain", measure=False)
    assert turned.rows[0].scores["esr"] < 1e-20 and "(done before scoring)" in turned.doubts(turned.rows[0])[0]
    text = page(found, {})
    assert text.count("Upside down against the target: ESR 4") == 1 and "<bdi>upside down</bdi></b>: upside down" in text, "in the table, and above it"
    assert "upside down against the target" in table(found)


def test_more_and_less_drive_are_not_called_a_matter_of_level():
    """The same device at other drives, quieter, and darker: gain explains one, a filter the other, and neither of them the drives."""
    target = Shaper(drive=9.0).process(DRY.samples)
    darker = lfilter([0.3], [1.0, -0.7], target)
    found = compare(DRY, Entry("t", _recording(target)), [
        *(Entry(f"drive {drive:g}", _model(drive=drive)) for drive in (1.0, 3.0, 5.0, 20.0, 60.0)), Entry("quiet", _recording(0.3 * target)),
        Entry("darker and quiet", _recording(0.3 * darker)), Entry("bright", _recording(lfilter([1.0, -0.8], [1.0], target)))], measure=False)
    said = {row.label: " ".join(found.doubts(row)) for row in found.rows}
    for label in ("drive 1", "drive 3", "drive 5"):
        assert re.match(r"another level and less drive: ESR 0\.\d+, and 0\.0\d+ after \+\d+\.\d\d dB", said[label]) and "crest factor is" in said[label] and "higher" in said[label]
    for label in ("drive 20", "drive 60"):
        assert "more drive" in said[label] and "lower" in said[label]
    for label in ("quiet", "darker and quiet", "bright"):
        assert said[label].startswith("another level: ") and "drive" not in said[label]


def test_segments_levels_and_intervals(found):
    far = next(row for row in found.rows if row.label == "far")
    reference, estimate = found.reference(), found.estimate(far)
    size = int(found.segment_length * RATE)
    second = slice(size, 2 * size)
    assert far.segments[1] == pytest.approx(esr(reference[second], estimate[second]))
    assert len(far.levels) == len(LEVEL_EDGES) and np.isfinite(far.levels[:2]).all()
    low, high = far.interval
    assert low < far.scores["esr"] < high < 3 * low
    frames = len(reference) // 2400 * 2400
    powers = np.sum(reference[:frames].reshape(-1, 2400) ** 2, axis=1)
    errors = np.sum((reference - estimate)[:frames].reshape(-1, 2400) ** 2, axis=1)
    loud = powers >= 0.1 * powers.max()
    assert far.levels[0] == pytest.approx(errors[loud].sum() / powers[loud].sum())


def test_bootstrap_interval_covers_the_truth():
    """Of 200 draws from a known population, about 95 % of the intervals hold its ratio."""
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(200):
        signal = rng.gamma(4.0, 1.0, 60)
        error = signal * rng.gamma(2.0, 0.05, 60)
        low, high = bootstrap_interval(signal, error, rng, n_draws=400)
        inside += low <= 0.1 <= high
    assert 0.88 <= inside / 200 <= 0.99
    assert all(math.isnan(bound) for bound in bootstrap_interval(np.ones(2), np.ones(2), rng))


def test_paired_test_is_wilcoxons_with_holms_correction():
    rng = np.random.default_rng(5)
    base = rng.gamma(2.0, 1.0, 30)
    errors = [base, base * np.exp(0.1 + 0.2 * rng.standard_normal(30)), base * np.exp(0.02 * rng.standard_normal(30))]
    pairs = paired_tests(["a", "b", "c"], errors)
    raw = {frozenset((x, y)): wilcoxon(np.log(errors["abc".index(x)]) - np.log(errors["abc".index(y)])).pvalue for x, y in ("ab", "ac", "bc")}
    ordered = sorted(raw.values())
    expected = [min(1, 3 * ordered[0]), min(1, max(3 * ordered[0], 2 * ordered[1])), min(1, max(3 * ordered[0], 2 * ordered[1], ordered[2]))]
    for pair in pairs:
        rank = ordered.index(raw[frozenset((pair.better, pair.worse))])
        assert pair.p_value == pytest.approx(expected[rank], rel=1e-6)
    assert next(p for p in pairs if {p.better, p.worse} == {"a", "b"}).better == "a"
    same = paired_tests(["a", "b"], [base, base.copy()])[0]
    assert same.p_value == 1.0
    zero = paired_tests(["a", "b"], [np.zeros(30), base])[0]
    assert zero.better == "a" and zero.p_value < 1e-4 and zero.share == 1.0
    assert paired_tests(["a", "b"], [np.zeros(30), np.zeros(30)])[0].p_value == 1.0
    assert math.isnan(paired_tests(["a", "b"], [np.ones(5), 2.0 * np.ones(5)])[0].p_value), "five segments can't tell"


def test_equal_candidates_have_equal_intervals():
    pair = compare(None, Entry("t", _recording(TARGET)), [Entry("a", _recording(0.9 * TARGET + 0.1 * TARGET**2)), Entry("b", _recording(0.9 * TARGET + 0.1 * TARGET**2))],
                   segment_length=0.1)
    assert pair.rows[0].interval == pair.rows[1].interval and pair.pairs[0].p_value == 1.0


def test_labels_are_made_unique_and_progress_is_told():
    told = []
    result = compare(DRY, Entry("x", _model()), [Entry("x", _model(drive=5.0)), Entry("x", _model(drive=6.0))], measure=False,
                     progress=lambda done, text: told.append((done, text)))
    assert {row.label for row in result.rows} == {"x (2)", "x (3)"}
    assert told[0][0] == 0.0 and told[-1] == (1.0, "done") and all(a[0] <= b[0] for a, b in zip(told, told[1:]))


def test_less_than_one_segment_has_scores_but_no_interval():
    short = compare(None, Entry("t", _recording(TARGET[:9600])), [Entry("a", _recording(0.9 * TARGET[:9600])), Entry("b", _recording(0.8 * TARGET[:9600]))])
    assert short.rows[0].scores["esr"] == pytest.approx(0.01) and short.pairs == () and math.isnan(short.rows[0].interval[0])


def test_a_comparison_survives_its_file(found, tmp_path):
    path = write_comparison(replace(found, command="ampwright compare 'a b'", settings={"x": "1"}), tmp_path)
    again = read_comparison(path)
    assert again.region == found.region and again.command == "ampwright compare 'a b'" and repr(again.pairs) == repr(found.pairs)
    assert np.array_equal(again.target.samples, np.float32(found.target.samples))
    for old, new in zip(found.rows, again.rows):
        assert (old.label, old.message, old.alignment) == (new.label, new.message, new.alignment)
        assert old.scores == new.scores and np.array_equal(old.segments, new.segments, equal_nan=True)
        assert (old.response is None) == (new.response is None)
        if old.response is not None:
            assert np.array_equal(old.response.harmonics, new.response.harmonics) and old.response.latency == new.response.latency
    text = path.read_text(encoding="utf-8")
    assert "Infinity" not in text and "NaN" not in text
    assert write_comparison(again, tmp_path / "twice").read_text(encoding="utf-8") == text
    content = json.loads(text)
    for change, match in ((lambda c: c.update(format="x"), "no comparison"), (lambda c: c.update(version=99), "version 99"),
                          (lambda c: c["target"].update(file="../../etc/passwd"), "names the file"), (lambda c: c.pop("rows"), "damaged"),
                          (lambda c: c["rows"][0].update(alignment={"nonsense": 1}), "damaged"),
                          (lambda c: c["target"].update(file="renderings/none.wav"), "no such file")):
        broken = json.loads(text)
        change(broken)
        path.write_text(json.dumps(broken), encoding="utf-8")
        with pytest.raises((ModelFileError, SignalError), match=match):
            read_comparison(path)
    assert content["format"] == "ampwright-comparison"
    for junk in ("[" * 100000, "nonsense", "[]"):
        path.write_text(junk, encoding="utf-8")
        with pytest.raises(ModelFileError, match="no comparison"):
            read_comparison(path)


def _places(content, path=()):
    """All paths into a JSON document."""
    yield path
    items = content.items() if isinstance(content, dict) else enumerate(content[:3]) if isinstance(content, list) else ()
    for key, value in items:
        yield from _places(value, (*path, key))


def test_a_damaged_comparison_is_read_or_refused(found, tmp_path):
    """Values taken away or exchanged at random places: what is read can be shown, all else is an error of ours."""
    path = write_comparison(found, tmp_path)
    text = path.read_text(encoding="utf-8")
    places = [place for place in _places(json.loads(text)) if place]
    rng = np.random.default_rng(8)
    refused = 0
    for index in rng.permutation(len(places))[:120]:
        content = json.loads(text)
        inside = content
        for key in places[index][:-1]:
            inside = inside[key]
        wrong = [None, "nonsense", [], {}, -1, 1e308, [[1.0]], "inf", {"a": 1}][rng.integers(9)]
        if rng.random() < 0.3:
            del inside[places[index][-1]]
        else:
            inside[places[index][-1]] = wrong
        path.write_text(json.dumps(content), encoding="utf-8")
        try:
            read = read_comparison(path)
        except (ModelFileError, SignalError) as error:
            refused += 1
            assert "\n" not in str(error)
            continue
        assert table(read) and page(read, {})
    assert refused > 60


def test_measured_response_of_a_known_model():
    """A memoryless cubic has closed forms: gain, third harmonic, no even ones, no memory."""
    class Cubic(Shaper):
        def process(self, samples):
            return 2.0 * samples - samples**3
    found = measure_response(Cubic(latency=0), level=0.5)
    a = 0.5 * 10.0 ** (np.array(LEVELS) / 20.0)
    assert found.harmonics[:, 0] == pytest.approx(2 * a - 0.75 * a**3, rel=1e-9)
    assert found.harmonics[:, 2] == pytest.approx(a**3 / 4, rel=1e-6, abs=1e-12) and np.abs(found.harmonics[:, 1]).max() < 1e-12
    assert found.gain == pytest.approx(20 * np.log10(2.0), abs=1e-5)
    assert found.memory == 1 / RATE and found.step == pytest.approx(2.0, abs=1e-5)
    assert found.static_y == pytest.approx(2 * found.static_x - found.static_x**3, abs=1e-9)
    assert found.thd_n[-1] == pytest.approx((a[-1]**3 / 4) / np.hypot(2 * a[-1] - 0.75 * a[-1]**3, a[-1]**3 / 4), rel=1e-9)
    assert found.aliasing_db < -250.0
    a = 0.25  # each of the twin tones; 2 x - x³ has tones 2 a - 9/4 a³ and third-order products 3/4 a³
    assert found.ccif == pytest.approx((0.0, 0.75 * a**2 / (2 - 2.25 * a**2)), abs=1e-9)
    low, high = 0.4, 0.1  # SMPTE: sidebands 2 high low² 3/4 at high ± 2 low, none at high ± low
    assert found.smpte == pytest.approx(1.5 * high * low**2 / (2 * high - 0.75 * high**3 - 1.5 * high * low**2), rel=1e-6)
    assert 0.0 < found.multitone < 0.1


def test_measured_response_of_a_mute():
    class Mute(Shaper):
        def process(self, samples):
            return 0.0 * samples
    found = measure_response(Mute())
    assert found.memory == 0.0 and math.isnan(found.smpte) and math.isnan(found.multitone) and found.aliasing_db == -math.inf


def test_measured_response_of_a_low_pass():
    """Small signals see a one-pole low-pass with the slope of tanh at its bias."""
    found = measure_response(Shaper(drive=4.0, bias=0.1, pole=0.5, latency=7), small=1e-5)
    w = 2 * np.pi * found.frequencies / RATE
    expected = 4.0 * (1 - np.tanh(0.1) ** 2) * 0.5 / (1 - 0.5 * np.exp(-1j * w))
    assert found.gain == pytest.approx(20 * np.log10(np.abs(expected)), abs=1e-4)
    assert found.phase == pytest.approx(np.unwrap(np.angle(expected)), abs=1e-4) and found.latency == 7


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured recordings are not on this machine; their twin is test_scores_are_those_of_the_metrics")
@pytest.mark.parametrize("device, published", [("blackstar-ht1-lstm64", 0.0140), ("marshall-jvm410h-ddsp", 0.0240)])
def test_published_errors_of_published_models(device, published):
    def part(kind):
        return lambda rate: read_audio(DATA / f"{device}-{kind}.flac")
    result = compare(None, Entry("amplifier", part("target")), [Entry("model", part("published-model-output"))], mode="none")
    assert result.rows[0].scores["esr"] == pytest.approx(published, abs=1.5e-4)
