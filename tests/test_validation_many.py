"""Reports on many candidates stay legible: no words lie on each other, every line can be told apart, long lists are folded."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from shaper import Shaper

from validation.audio import Audio
from validation.compare import compare
from validation.comparison import Pair
from validation.gallery.portraits import plot_static_curve, plot_step
from validation.gallery.sheets import WIDE, bare, figures, responses_of
from validation.plots import plot_scores
from validation.rendering import Entry
from validation.report import page
from validation.signals import shipped_phrase

NAMES = ("nodal engine, 4x", "wave engine, 4x", "fitted block, tanh", "fitted block, tiny network of twelve neurons", "capture ts9-drive6-level8-standard.nam",
         "ngspice, 8 steps a sample", "recording of the real device, take 2.wav", "LSTM 1x16", "WaveNet nano", "TCN", "GRU 8", "Hammerstein, polynomial")


@pytest.fixture(scope="module")
def two():
    dry = Audio(shipped_phrase("single-notes").samples[240000:312000], 48000.0)
    return compare(dry, Entry("tube_screamer, 16x", lambda rate: Shaper(rate)), [Entry("near", lambda rate: Shaper(rate, drive=4.3)),
                                                                              Entry("far", lambda rate: Shaper(rate, drive=8.0, bias=0.0))], segment_length=0.1)


def _many(two, count):
    """The same two again and again under other names, their scores one after the other."""
    rows = tuple(replace(two.rows[k % 2], label=NAMES[k], scores={**two.rows[k % 2].scores, "esr": 1e-3 * 1.4**k}, interval=(0.9e-3 * 1.4**k, 1.1e-3 * 1.4**k))
                 for k in range(count))
    pairs = tuple(Pair(a.label, b.label, 0.01, 0.9) for a, b in itertools.combinations(rows, 2))
    return replace(two, rows=rows, pairs=pairs)


def _words(ax):
    """All words of a picture that are drawn, with what they are."""
    yield from ((text, "note") for text in ax.texts)
    yield from ((text, "title") for text in (ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label))
    if ax.get_legend() is not None:
        yield from ((text, "legend") for text in ax.get_legend().get_texts())
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        yield from ((tick.label1, "tick") for tick in axis.get_major_ticks() if tick.label1.get_visible() and min(limits) <= tick.get_loc() <= max(limits))


def _laid_out(figure):
    """Boxes of the words in points of the picture: name to (x0, y0, x1, y1)."""
    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = []
    for ax in figure.axes:
        if ax.get_visible():
            boxes += [(text.get_text(), text.get_window_extent(canvas.get_renderer()).extents) for text, _ in _words(ax) if text.get_visible() and text.get_text().strip()]
    return boxes, np.array([0.0, 0.0, *canvas.get_width_height()])


@pytest.mark.parametrize("count", [2, 7, 12])
@pytest.mark.parametrize("on_the_page", [False, True])
def test_no_words_lie_on_each_other(two, count, on_the_page):
    for name, (_, figure) in figures(_many(two, count)).items():
        if on_the_page:
            figure = bare(figure, wide=name in WIDE)
            assert all(ax.get_legend() is None for ax in figure.axes)
        boxes, paper = _laid_out(figure)
        assert len(boxes) > 4, name
        for text, box in boxes:
            assert (box[:2] > paper[:2] - 2.0).all() and (box[2:] < paper[2:] + 2.0).all(), f"{name}: {text!r} reaches over the edge"
        for (text, one), (other, two_) in itertools.combinations(boxes, 2):
            shared = np.minimum(one[2:], two_[2:]) - np.maximum(one[:2], two_[:2])
            assert shared.min() < 2.0, f"{name}: {text!r} and {other!r} lie on each other"


@pytest.mark.parametrize("on_the_page", [False, True])
def test_no_figure_lies_on_a_mark(two, on_the_page):
    """Twelve scores that are nearly equal, so that all marks and figures stand under each other."""
    found = _many(two, 12)
    rows = tuple(replace(row, scores={**row.scores, "esr": 0.02 * 1.01**k}, interval=(0.018, 0.023)) for k, row in enumerate(found.rows))
    figure = plot_scores(replace(found, rows=rows)).figure
    figure = bare(figure, wide=False) if on_the_page else figure
    boxes, _ = _laid_out(figure)
    ax, reach = figure.axes[0], 4.0 * 100.0 / 72.0  # half a mark, points to pixels
    marks = [ax.transData.transform(line.get_xydata()[0]) for line in ax.get_lines() if line.get_marker() != "None"]
    assert len(marks) == 12 and len(ax.texts) == 12
    for text, box in boxes:
        for x, y in marks:
            assert not (box[0] < x + reach and box[2] > x - reach and box[1] < y + reach and box[3] > y - reach), text


@pytest.mark.parametrize("count", [2, 7, 12])
def test_every_line_differs_in_dashes_and_markers(two, count):
    for name, (_, figure) in figures(_many(two, count)).items():
        for ax in figure.axes:
            drawn = [(line.get_marker(), line._unscaled_dash_pattern) for line in ax.get_lines() if len(line.get_xdata()) > 1 and not line.get_label().startswith("_")]
            assert len({str(one) for one in drawn}) == len(drawn), name


def test_curves_of_unlike_height_share_an_axis(two):
    """A preamplifier of ten volts beside a pedal of one: each relative to its own peak; twins stay in volts."""
    responses = responses_of(two)
    ax = plot_static_curve(responses)
    assert ax.get_ylabel() == "output / V or FS" and {len(line.get_xdata()) for line in ax.get_lines()} == {129}, "one way only: a way back would fill the dashes"
    loud = {**responses, "loud": replace(responses["near"], static_y=30.0 * responses["near"].static_y, step=-30.0 * responses["near"].step)}
    for draw in (plot_static_curve, plot_step):
        ax = draw(loud, ax=Figure().subplots())
        assert ax.get_ylabel() == "output / its peak"
        assert all(np.abs(line.get_ydata()).max() == pytest.approx(1.0) for line in ax.get_lines())
    loop = replace(responses["near"], static_y=responses["near"].static_y + 0.1 * np.sin(np.linspace(0.0, 2.0 * np.pi, 257)))
    assert len(plot_static_curve({"loop": loop}).get_lines()[0].get_xdata()) == 257, "a loop is drawn whole"


def test_scores_within_a_decade_have_ticks(two):
    near = replace(two, rows=tuple(replace(row, scores={**row.scores, "esr": value}, interval=(0.9 * value, 1.1 * value)) for row, value in zip(two.rows, (0.021, 0.024))))
    boxes, _ = _laid_out(plot_scores(near).figure)
    assert {"0.02"} <= {text for text, _ in boxes}


def test_long_lists_are_folded_and_panels_counted(two):
    found = _many(two, 12)
    text = page(found, {})
    assert "The other 55 pairs" in text and text.count("Hammerstein, polynomial") > 3
    assert "The other" not in page(_many(two, 3), {})
    assert "the 5 nearest of 12 candidates" in figures(found)["spectrogram"][0]


def test_too_short_to_tell_is_not_called_chance(two):
    """Seven segments give no p-value under 1/64; corrected for 66 pairs it says nothing, whatever the candidates."""
    found = _many(two, 12)
    short = replace(found, rows=tuple(replace(row, segments=row.segments[:7]) for row in found.rows), pairs=tuple(replace(pair, p_value=1.0) for pair in found.pairs))
    assert "too short to tell" in page(short, {})
    long = replace(short, rows=tuple(replace(row, segments=np.full(40, 0.1)) for row in found.rows))
    assert "could be chance" in page(long, {})
