"""A report appears whole or not at all, holds what was found, can be drawn again, and no label can harm it."""

import base64
import csv
import io
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from shaper import Shaper

from circuits.errors import SignalError
from validation import plots
from validation.audio import Audio
from validation.compare import compare
from validation.rendering import Entry
from validation.comparison_file import read_comparison
from validation.gallery.portraits import plot_harmonics
from validation.gallery.sheets import figures, responses_of, svg
from validation.metrics import METRICS
from validation.report import FORMATS, _anchor, check_output, figure_text, page, table, write_report
from validation.signals import shipped_phrase
from validation.styles import PALETTE, PAPER, comparison_styles, line, line_styles

RATE = 48000.0
DRY = Audio(shipped_phrase("palm-mutes").samples[:72000], RATE)
HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "x" * 10000, "$\\frac{1}{0$ _^", "_hidden", "</script><!--", "=cmd|'/c calc'!A1",
           "\u202eevil\x00\x1b[31m\ud83c\udfb8".encode("utf-16", "surrogatepass").decode("utf-16", "replace"), "日本語")


def _fails(rate):
    raise SignalError("no such <b>file</b>", mend="Look again.")


@pytest.fixture(scope="module")
def found():
    return compare(DRY, Entry("the target", lambda rate: Shaper(rate)), [
        Entry("near", lambda rate: Shaper(rate, drive=4.2), "near.cir", "ab" * 32), Entry("far", lambda rate: Shaper(rate, drive=9.0)),
        Entry("missing", _fails)], command="ampwright compare 'x & y'")


@pytest.fixture(scope="module")
def hostile():
    entries = [Entry(label, lambda rate, k=k: Shaper(rate, drive=4.0 + 0.1 * k), source=label) for k, label in enumerate(HOSTILE[1:])]
    return compare(DRY, Entry(HOSTILE[0], lambda rate: Shaper(rate)), [*entries, Entry("<b>fails</b>", _fails)], measure=False, command="</script>")


class _Walker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text, self.scripts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        (self.scripts if self.tags[-1:] == ["script"] else self.text).append(data)


def _walk(text):
    walker = _Walker()
    walker.feed(text)
    return walker


def test_report_is_whole_and_holds_the_figures(found, tmp_path):
    written = write_report(found, tmp_path / "report")
    assert set(written) == set(FORMATS) and all(path.exists() for path in written.values())
    assert os.listdir(tmp_path) == ["report"], "no temporary folder is left"
    text = written["html"].read_text(encoding="utf-8")
    for row in found.good:
        for name in METRICS:
            assert figure_text(row.scores[name]) in text
    assert "no such &lt;b&gt;file&lt;/b&gt;" in text and "ab" * 8 in text and "ampwright compare &#39;x &amp; y&#39;" in text
    rows = list(csv.DictReader(io.StringIO(written["csv"].read_text(encoding="utf-8"))))
    assert [row["candidate"] for row in rows] == ["near", "far", "missing"]
    assert float(rows[0]["esr"]) == found.rows[0].scores["esr"] and rows[2]["esr"] == "" and "no such" in rows[2]["failed"]
    pictures = sorted(path.name for path in written["png"].iterdir())
    assert {f"{name}.{kind}" for name in ("scores", "waveform", "residual", "spectrum", "spectrogram", "harmonics", "static-curve",
                                          "linear-response", "segments") for kind in ("png", "svg")} <= set(pictures)
    assert (written["json"].parent / "renderings" / "01-the-target.wav").exists()


def test_report_opens_without_a_network(found):
    text = page(found, {"scores": ("caption", svg(plots.plot_scores(found).figure))})
    walker = _walk(text)
    loads = [value for name, value in walker.attributes if name in ("src", "href", "action", "data", "xlink:href", "srcset")]
    assert all(value.startswith(("data:", "#")) for value in loads), loads
    assert "@import" not in text and "url(http" not in text
    policy = next(value for name, value in walker.attributes if name == "content" and "default-src" in value)
    assert "default-src 'none'" in policy and re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='(;|$)", policy)


def test_embedded_audio_is_what_was_compared(found):
    text = page(found, {})
    facts = json.loads(next(script for script in _walk(text).scripts if script.startswith('{"tracks"')))
    tracks = {track["label"]: track for track in facts["tracks"]}
    assert [track["role"] for track in facts["tracks"]] == ["target", "candidate", "candidate", "dry", "anchor"]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(tracks["near"]["audio"])))
    peak = max(np.abs(found.reference()).max(), *(np.abs(found.estimate(row)).max() for row in found.good))
    scale = min(1.0, 0.999 / peak)
    assert rate == 48000 and np.abs(samples - scale * found.estimate(found.good[0])).max() <= 2.0**-23
    gain = 20 * np.log10(tracks["far"]["gain"])
    assert gain == pytest.approx(-found.rows[1].scores["loudness_difference"], abs=1e-9), "matched in loudness"


def test_anchor_is_low_passed_as_the_standard_says():
    impulse = np.zeros(9601)
    impulse[4800] = 1.0
    for rate in (44100.0, 48000.0):
        response = 20 * np.log10(np.abs(np.fft.rfft(_anchor(impulse, rate))) + 1e-12)
        f = np.fft.rfftfreq(9601, 1 / rate)
        assert np.abs(response[f <= 3500.0]).max() < 0.1 and response[f >= 4000.0].max() < -50.0


def test_a_report_is_drawn_again_from_its_file(found, tmp_path):
    first = write_report(found, tmp_path / "first", formats=("csv", "json"))
    read = read_comparison(first["json"])
    again = write_report(read, tmp_path / "again", formats=("csv", "json"))
    assert again["csv"].read_text() == first["csv"].read_text()
    assert again["json"].read_text() == first["json"].read_text()
    for draw in (plots.plot_scores, plots.plot_segments, plots.plot_levels):
        assert svg(draw(read).figure) == svg(draw(found).figure)
    assert page(found, {}) == page(found, {}), "the same comparison makes the same page"


def test_nothing_half_written(found, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(SignalError, match=r"the folder holds other files \(thesis.txt\)"):
        write_report(found, tmp_path / "mine")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SignalError, match="a report is a folder"):
        check_output(tmp_path / "file")
    with pytest.raises(SignalError, match="does not exist"):
        check_output(tmp_path / "no" / "where")
    with pytest.raises(SignalError, match="nothing can be written here"):
        check_output("/proc/report")
    with pytest.raises(SignalError, match="no format 'pdf'. Choose from html, csv, json, png"):
        write_report(found, tmp_path / "x", formats=("pdf",))
    write_report(found, tmp_path / "old", formats=("csv",))
    before = sorted(os.listdir(tmp_path))

    def interrupted(comparison, folder):
        raise KeyboardInterrupt
    monkeypatch.setattr("validation.report.write_comparison", interrupted)
    for name in ("new", "old"):
        with pytest.raises(KeyboardInterrupt):
            write_report(found, tmp_path / name, formats=("csv", "json"))
    assert sorted(os.listdir(tmp_path)) == before and os.listdir(tmp_path / "old") == ["scores.csv"]
    monkeypatch.undo()
    write_report(found, tmp_path / "old", formats=("csv", "json"))
    assert sorted(os.listdir(tmp_path / "old")) == ["comparison.json", "renderings", "scores.csv"] and sorted(os.listdir(tmp_path)) == before


def test_hostile_labels_do_no_harm(hostile, tmp_path):
    assert len(hostile.good) == len(HOSTILE) - 1
    written = write_report(hostile, tmp_path / "report", formats=("html", "csv", "json"))
    text = written["html"].read_text(encoding="utf-8")
    walker = _walk(text)
    assert walker.tags.count("script") == 2 and "img" not in walker.tags
    assert not [name for name, _ in walker.attributes if name.startswith("on")]
    assert not re.search(r"x{301}", text), "long labels are cut"
    cells = [row["candidate"] for row in csv.DictReader(io.StringIO(written["csv"].read_text(encoding="utf-8")))]
    assert not [cell for cell in cells if cell[:1] in "=+-@"]
    for path in (tmp_path / "report").rglob("*"):
        assert re.fullmatch(r"[A-Za-z0-9.-]+", path.name)
    again = read_comparison(written["json"])
    assert [row.label for row in again.rows] == [row.label for row in hostile.rows]


def test_lines_can_be_told_apart_without_colours():
    labels = [f"model {k}" for k in range(14)]
    styles = line_styles(labels)
    assert len({str(style["linestyle"]) for style in list(styles.values())[:7]}) == 7
    assert len({(style["color"], str(style["linestyle"])) for style in styles.values()}) == 14
    assert len({style["marker"] for style in list(styles.values())[:7]}) == 7
    assert len({(str(style["linestyle"]), style["marker"]) for style in styles.values()}) == 14
    assert len({line(style, count=700)["markevery"][0] for style in styles.values()}) == 14, "equal lines show their markers side by side"
    # contrast with light and dark paper (WCAG 2.1: relative luminance), at least 2 to 1 for lines of 1.5 points

    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    for color in PALETTE:
        for paper in (PAPER, "#171c25"):
            low, high = sorted((luminance(color), luminance(paper)))
            assert (high + 0.05) / (low + 0.05) > 2.0, (color, paper)


def test_colours_do_not_depend_on_who_won(found):
    turned = replace(found, rows=tuple(reversed(found.rows)))
    assert comparison_styles(found) == comparison_styles(turned)


@pytest.mark.parametrize("draw", [plots.plot_scores, plots.plot_waveform, plots.plot_residual, plots.plot_segments, plots.plot_levels,
                                  plots.plot_spectrum, plots.plot_linear_response])
def test_plots_draw_on_given_axes_and_have_labels(found, draw):
    ax = Figure().subplots()
    assert draw(found, ax=ax) is ax
    assert ax.get_xlabel() and ax.get_title(loc="left")
    assert draw is plots.plot_scores or ax.get_ylabel()
    lines = {line.get_label(): line for line in ax.get_lines()}
    if draw is not plots.plot_scores:
        assert {"near", "far"} <= set(lines)
        assert lines["near"].get_linestyle() != lines["far"].get_linestyle()


def test_plots_show_the_figures(found):
    near = found.rows[0]
    line = next(line for line in plots.plot_segments(found).get_lines() if line.get_label() == "near")
    assert np.array_equal(line.get_ydata(), near.segments[near.segments > 0])
    line = next(line for line in plots.plot_waveform(found, start=0.5, span=0.01).get_lines() if line.get_label() == "the target")
    assert np.array_equal(line.get_ydata(), found.reference()[24000:24480])
    responses = responses_of(found)
    assert list(responses) == ["the target", "near", "far"]
    line = plot_harmonics(responses, 3).get_lines()[1]
    assert np.allclose(line.get_ydata(), 20 * np.log10(responses["near"].harmonics[:, 2] / responses["near"].harmonics[:, 0]))


def test_degenerate_comparisons_still_draw():
    twin = compare(None, Entry("t", lambda rate: Audio(DRY.samples, RATE)), [Entry("same", lambda rate: Audio(DRY.samples, RATE))])
    none = compare(None, Entry("t", lambda rate: Audio(DRY.samples, RATE)), [Entry("fails", _fails)])
    for found in (twin, none):
        drawn = figures(found)
        assert all("<svg" in svg(drawn[name][1]) for name in ("scores", "waveform", "segments", "levels", "linear-response"))
    assert "No candidate could be scored" in page(none, {}) and table(none).count("\n") == 2
    assert "comes nearest" in page(twin, {})
