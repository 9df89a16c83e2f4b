"""All pictures of a report, and how they become files: SVG and PNG with their legends, and without them for the page."""

from __future__ import annotations

import io
import warnings

from validation.comparison import Comparison
from validation.gallery.portraits import harmonics_figure, plot_frequency_response, plot_static_curve, plot_step
from validation.plots import (PANELS, plot_levels, plot_linear_response, plot_residual, plot_scores, plot_segments, plot_spectrum, plot_waveform,
                              spectrogram_figure)
from validation.response import Response
from validation.styles import comparison_styles

WIDE = ("harmonics", "spectrogram")  # pictures of several panels


def _whose(comparison: Comparison) -> str:
    count = len(comparison.good)
    return "Target and candidates" if count <= PANELS else f"Target and the {PANELS} nearest of {count} candidates"


def responses_of(comparison: Comparison) -> dict[str, Response]:
    """The models that were measured, the target first."""
    found = {comparison.target.label: comparison.target_response, **{row.label: row.response for row in comparison.good}}
    return {label: response for label, response in found.items() if response is not None}


def figures(comparison: Comparison) -> dict[str, tuple[str, object]]:
    """All pictures of a report: name to (caption, Figure)."""
    comparison = comparison.settled()
    styles, responses = comparison_styles(comparison), responses_of(comparison)
    result = {
        "scores": ("ESR with 95 % bootstrap interval over segments.", plot_scores(comparison).figure),
        "waveform": ("Twelve milliseconds around the largest errors.", plot_waveform(comparison).figure),
        "residual": ("RMS level of the target and of each difference signal.", plot_residual(comparison).figure),
        "segments": ("ESR segment by segment; silent segments are left out.", plot_segments(comparison).figure),
        "levels": ("ESR of 50 ms frames, sorted by the level of the target.", plot_levels(comparison).figure),
        "spectrum": ("Welch spectra, twelfth-octave means.", plot_spectrum(comparison).figure),
        "spectrogram": (f"{_whose(comparison)}: same scale of level in all panels, 80 dB deep.", spectrogram_figure(comparison)),
        "linear-response": ("From the dry recording to each signal: the best linear approximation on this music (H1 estimate).", plot_linear_response(comparison).figure)}
    if responses:
        result["frequency-response"] = ("Models measured with a small multisine.", plot_frequency_response(responses, styles=styles).figure)
        result["harmonics"] = ("Models measured with a 1 kHz tone of growing level.", harmonics_figure(responses, styles=styles))
        result["static-curve"] = ("Models at full level.", plot_static_curve(responses, styles=styles).figure)
        result["step"] = ("Models measured with a small step.", plot_step(responses, styles=styles).figure)
    return result


def bare(figure, *, wide: bool):
    """The same Figure for the page, whose own legend stands above all pictures: without legends, smaller, so that its words are larger."""
    for ax in figure.axes:
        if ax.get_legend() is not None:
            ax.get_legend().remove()
    height = figure.get_size_inches()[1]
    figure.set_size_inches(11.0 if wide else 5.6, height)
    figure.set_layout_engine("constrained")
    return figure


def svg(figure) -> str:
    """A Figure as SVG text, the same for the same picture: no date, no random names, text as text."""
    return _save(figure, "svg").decode("utf-8")


def png(figure) -> bytes:
    """A Figure as PNG at 160 dots per inch."""
    return _save(figure, "png")


def _save(figure, kind: str) -> bytes:
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    out = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "ampwright"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a label in a script that the font lacks is no error
        if kind == "svg":
            FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": "Ampwright"})
        else:
            figure.set_dpi(160)
            FigureCanvasAgg(figure).print_png(out, metadata={"Software": "Ampwright"}, pil_kwargs={"compress_level": 3})  # a third of the time, a tenth larger
    figure.set_layout_engine("none")  # laid out once: the next format need not do it again
    return out.getvalue()
