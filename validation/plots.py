"""Pictures of a comparison: errors, signals, spectra; those of measured models are in `validation.gallery.portraits`.

Each ``plot_x(data, *, ax=None)`` draws on given Axes or on a Figure of its own and returns the Axes; no global style, no pyplot.
How a label is drawn is said in `validation.styles`.

References
----------
P. D. Welch, IEEE Trans. Audio Electroacoustics 15(2), 1967: spectra; J. S. Bendat, A. G. Piersol, "Random Data", 4th ed., 2010,
    equation 6.37: the frequency response H1, which is the best linear approximation of what a nonlinear device did to this music.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.fft import rfft
from scipy.signal import stft

from validation.comparison import Comparison
from validation.styles import INK, PAPER, comparison_styles, line, plain

def axes(ax, x: str, y: str, title: str, *, height: float = 3.4):
    """Axes in our dress: the given ones, or those of a new Figure of ``height`` inches."""
    if ax is None:
        from matplotlib.figure import Figure  # only who draws pays for it
        ax = Figure(figsize=(9.6, height), layout="constrained", facecolor=PAPER).subplots()
    ax.set_facecolor(PAPER)
    ax.set_xlabel(x, color=INK, fontsize=9)
    ax.set_ylabel(y, color=INK, fontsize=9)
    ax.set_title(title, color=INK, fontsize=10, loc="left", fontweight="bold")
    ax.tick_params(colors=INK, which="both", labelsize=8)
    ax.grid(True, color=INK, alpha=0.14, linewidth=0.6)
    for name, spine in ax.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_alpha(0.5)
    return ax


def legend(ax):
    """Beside the picture, never on it."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        ax.legend(handles, labels, frameon=False, fontsize=8, handlelength=3.4, labelcolor=INK, loc="upper left",
                  bbox_to_anchor=(1.01, 1.02), borderaxespad=0.0, labelspacing=0.7)
    return ax


PANELS = 5  # spectrograms of candidates: more would be stamps


def _empty(ax, text: str):
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=INK, alpha=0.7, fontsize=9)
    return ax


def frequency_axis(ax, top: float):
    """A logarithmic axis from 20 Hz to ``top`` Hz."""
    ax.set_xscale("log")
    ax.set_xlim(20.0, min(top, 24000.0))
    ticks = [f for f in (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000) if f <= top]
    ax.set_xticks(ticks, [f"{f // 1000}k" if f >= 1000 else str(f) for f in ticks])
    ax.set_xticks([], minor=True)
    return ax


def plot_scores(comparison: Comparison, *, ax=None):
    """ESR of each candidate with its bootstrap interval, logarithmic."""
    styles, rows = comparison_styles(comparison), [row for row in comparison.good if row.scores["esr"] > 0.0]
    ax = axes(ax, "error-to-signal ratio (lower is better)", "", "How near is it?", height=max(3.4, 1.2 + 0.26 * len(rows)))
    if not rows:
        return _empty(ax, "every candidate equals the target" if comparison.good else "no candidate could be scored")
    ends = []
    for place, row in enumerate(rows):
        style, value = styles[row.label], row.scores["esr"]
        low, high = (bound if bound > 0.0 else value for bound in row.interval)  # NaN too
        ends += [low, value, high]
        ax.plot([low, high], [place, place], color=style["color"], linewidth=2.5, solid_capstyle="round")
        ax.plot([value], [place], marker=style["marker"], color=style["color"], markersize=7, linestyle="")
        ax.annotate(f"{value:.3g}", (max(value, high), place), xytext=(9, 0), textcoords="offset points", ha="left", va="center", fontsize=8, color=INK)
    ax.set_yticks(range(len(rows)), [styles[row.label]["label"] for row in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xscale("log")
    span = max(max(ends) / min(ends), 2.0)
    ax.set_xlim(min(ends) / span**0.06, max(ends) * span**0.2)  # room for the figures
    if span < 10.0:  # less than a decade has no ticks of its own
        from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # only who draws pays for it
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    return ax


def _worst_moment(comparison: Comparison) -> int:
    reference = comparison.reference()
    size = max(int(0.012 * comparison.sample_rate), 1)
    total = np.zeros(len(reference) // size)
    for row in comparison.good:
        error = (reference - comparison.estimate(row))[:len(total) * size].reshape(-1, size)
        total += np.sum(error**2, axis=1) / max(float(np.sum(error**2)), 1e-300)
    return int(np.argmax(total)) * size if total.size else 0


def plot_waveform(comparison: Comparison, *, ax=None, start: float | None = None, span: float = 0.012):
    """All signals over each other for ``span`` seconds; by default where the candidates miss the target most."""
    rate, styles = comparison.sample_rate, comparison_styles(comparison)
    first = _worst_moment(comparison) if start is None else int(start * rate)
    part = slice(first, first + max(int(span * rate), 2))
    title = "Waveform where the candidates differ most" if start is None else "Waveform"
    ax = axes(ax, f"time after {(comparison.region[0] + first) / rate:.4f} s / ms", "amplitude / V or FS", title)
    reference = comparison.reference()[part]
    t = 1e3 * np.arange(len(reference)) / rate
    ax.plot(t, reference, **line(styles[comparison.target.label], 2.2))
    for row in comparison.good:
        ax.plot(t, comparison.estimate(row)[part], **line(styles[row.label], count=len(t)))
    return legend(ax)


def _levels_over_time(samples: np.ndarray, size: int) -> np.ndarray:
    power = np.mean(samples[:len(samples) // size * size].reshape(-1, size) ** 2, axis=1)
    return 10.0 * np.log10(np.maximum(power, 1e-20))  # 200 dB under full scale lies under every axis


def plot_residual(comparison: Comparison, *, ax=None):
    """Level of the target and of each difference signal over time."""
    rate, styles, reference = comparison.sample_rate, comparison_styles(comparison), comparison.reference()
    ax = axes(ax, "time / s", "level / dB FS", "Target and what is left of it")
    size = max(int(0.05 * rate), len(reference) // 600, 1)
    level = _levels_over_time(reference, size)
    t = (comparison.region[0] + (np.arange(len(level)) + 0.5) * size) / rate
    ax.plot(t, level, **line(styles[comparison.target.label], 2.0))
    lowest = level.max() - 80.0
    for row in comparison.good:
        error = _levels_over_time(reference - comparison.estimate(row), size)
        lowest = min(lowest, float(np.percentile(error, 5.0)) - 5.0)
        ax.plot(t, error, **line(styles[row.label], 1.2, count=len(t)))
    ax.set_ylim(max(lowest, -160.0), level.max() + 6.0)
    return legend(ax)


def plot_segments(comparison: Comparison, *, ax=None):
    """ESR of each segment."""
    ax = axes(ax, "time / s", "ESR of the segment", "Where does it fail?")
    styles, length = comparison_styles(comparison), comparison.segment_length
    drawn = False
    for row in comparison.good:
        t = comparison.region[0] / comparison.sample_rate + (np.arange(len(row.segments)) + 0.5) * length
        seen = row.segments > 0.0
        drawn = drawn or bool(seen.any())
        ax.plot(t[seen], row.segments[seen], **line(styles[row.label]))
    if not drawn:
        return _empty(ax, "no segment has an error")
    ax.set_yscale("log")
    return legend(ax)


def plot_levels(comparison: Comparison, *, ax=None):
    """ESR against the level of the target."""
    ax = axes(ax, "level of the target, re its loudest frame / dB", "ESR at that level", "Loud or quiet?")
    styles = comparison_styles(comparison)
    x = np.array(comparison.level_edges) + 5.0
    drawn = False
    for row in comparison.good:
        seen = row.levels > 0.0
        drawn = drawn or bool(seen.any())
        ax.plot(x[seen], row.levels[seen], **line(styles[row.label]))
    if not drawn:
        return _empty(ax, "no level has an error")
    ax.set_yscale("log")
    ax.set_xticks(x, [f"{edge + 10.0:.0f} to {edge:.0f}" for edge in comparison.level_edges])
    seen = np.any([row.levels > 0.0 for row in comparison.good], axis=0)
    ax.set_xlim(x[seen].min() - 5.0, x[seen].max() + 5.0)
    return legend(ax)


def _smooth(frequencies: np.ndarray, values: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Means over ``1 / width`` octaves; the nearest line where no line falls inside."""
    low, high = (np.searchsorted(frequencies, centres * 2.0 ** (s / (2.0 * width))) for s in (-1.0, 1.0))
    high = np.minimum(np.maximum(high, low + 1), len(values))
    low = np.minimum(low, high - 1)
    total = np.concatenate([[0.0], np.cumsum(values)])
    return (total[high] - total[low]) / (high - low)


def _averaged(x: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """Welch's average of ``conj(X) Y`` over half-overlapped Hann frames without their means, shape (size // 2 + 1,); in no unit."""
    window = np.hanning(size + 1)[:-1]
    frames = [np.lib.stride_tricks.sliding_window_view(samples, size)[::max(size // 2, 1)] for samples in (x, y)]
    total = np.zeros(size // 2 + 1, dtype=complex)
    for first in range(0, len(frames[0]), 16):
        X, Y = (rfft((part[first:first + 16] - part[first:first + 16].mean(axis=1, keepdims=True)) * window, axis=1) for part in frames)
        total += np.einsum("ij,ij->j", np.conj(X), Y)
    return total


def plot_spectrum(comparison: Comparison, *, ax=None):
    """Long-term power spectra, smoothed to twelfths of an octave, dB re the target's strongest."""
    rate, styles = comparison.sample_rate, comparison_styles(comparison)
    ax = frequency_axis(axes(ax, "frequency / Hz", "power density / dB re target's strongest", "Spectrum"), rate / 2.0)
    centres = np.geomspace(20.0, 0.49 * rate, 400)
    size = min(16384, len(comparison.reference()))

    f = np.fft.rfftfreq(size, 1.0 / rate)

    def density(samples):
        power = _averaged(samples, samples, size).real
        return 10.0 * np.log10(np.maximum(_smooth(f, power, centres, 12.0), 1e-24))

    reference = density(comparison.reference())
    ax.plot(centres, reference - reference.max(), **line(styles[comparison.target.label], 2.2))
    for row in comparison.good:
        ax.plot(centres, density(comparison.estimate(row)) - reference.max(), **line(styles[row.label], count=len(centres)))
    ax.set_ylim(max(float((reference - reference.max()).min()) - 10.0, -120.0), 6.0)
    return legend(ax)


def plot_linear_response(comparison: Comparison, *, ax=None):
    """Frequency response from the dry recording to each signal (H1), which is the best linear approximation on this music."""
    rate, styles = comparison.sample_rate, comparison_styles(comparison)
    ax = frequency_axis(axes(ax, "frequency / Hz", "gain / dB", "Frequency response on this recording"), rate / 2.0)
    if comparison.dry is None:
        return _empty(ax, "no dry recording was given")
    dry = comparison.dry.samples[slice(*comparison.region)]
    size = min(8192, len(dry))
    centres = np.geomspace(40.0, 0.49 * rate, 300)
    f, power = np.fft.rfftfreq(size, 1.0 / rate), _averaged(dry, dry, size).real
    loud = power > 1e-6 * power.max()
    for label, samples in [(comparison.target.label, comparison.reference()), *((row.label, comparison.estimate(row)) for row in comparison.good)]:
        samples = samples[:len(dry)]
        cross, own = np.abs(_averaged(dry[:len(samples)], samples, size)), _averaged(samples, samples, size).real
        heard = loud & (cross**2 > 0.5 * power * own)  # where the music has nothing, or not to do with it, a ratio says nothing
        gain = 20.0 * np.log10(np.maximum(_smooth(f, cross, centres, 6.0), 1e-24) / np.maximum(_smooth(f, power, centres, 6.0), 1e-24))
        gain[_smooth(f, heard.astype(float), centres, 6.0) < 0.5] = np.nan
        ax.plot(centres, gain, **line(styles[label], 2.2 if label == comparison.target.label else 1.5, count=len(centres)))
    return legend(ax)


def plot_spectrogram(samples: np.ndarray, sample_rate: float, *, ax=None, title: str = "Spectrogram", top: float | None = None):
    """Short-time spectrum, 80 dB deep under ``top`` (dB) or under its own maximum."""
    ax = axes(ax, "time / s", "frequency / kHz", title)
    size = min(2048, len(samples))
    hop = max(size // 4, len(samples) // 700)
    f, t, z = stft(samples, sample_rate, nperseg=size, noverlap=max(size - hop, 0), boundary=None)
    picture = 20.0 * np.log10(np.maximum(np.abs(z), 1e-12))
    top = float(picture.max()) if top is None else top
    ax.imshow(picture[f <= 16000.0], origin="lower", aspect="auto", cmap="cividis", vmin=top - 80.0, vmax=top, interpolation="bilinear",
              extent=(float(t[0]), float(t[-1]) if len(t) > 1 else size / sample_rate, 0.0, min(16.0, sample_rate / 2000.0)))
    ax.grid(False)
    return ax


def spectrogram_figure(comparison: Comparison):
    """Spectrograms of the target and of the five nearest candidates on one scale of level."""
    from matplotlib.figure import Figure
    shown = comparison.good[:PANELS]
    count = 1 + len(shown)
    columns = 2 if count > 1 else 1
    lines = math.ceil(count / columns)
    figure = Figure(figsize=(9.6, 0.4 + 2.0 * lines), layout="constrained", facecolor=PAPER)
    axes = np.atleast_1d(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel())
    reference = comparison.reference()
    z = stft(reference, comparison.sample_rate, nperseg=min(2048, len(reference)), boundary=None)[2]
    top = 20.0 * math.log10(max(float(np.abs(z).max()), 1e-12))
    signals = [(comparison.target.label, reference), *((row.label, comparison.estimate(row)) for row in shown)]
    for ax, (label, samples) in zip(axes, signals):
        plot_spectrogram(samples, comparison.sample_rate, ax=ax, title=plain(label), top=top)
    for number, ax in enumerate(axes):
        ax.set_visible(number < count)
        if number < count - columns:
            ax.set_xlabel("")
        elif number < count:
            ax.tick_params(labelbottom=True)  # nothing stands below it
        if number % columns:
            ax.set_ylabel("")
    return figure
