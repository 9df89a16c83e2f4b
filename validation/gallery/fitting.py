"""One sheet for a fitted block: its filters, its curves over the density of their inputs, the worst moment, and what is left over."""

from __future__ import annotations

from validation.plots import axes, frequency_axis, legend
from validation.styles import INK, PALETTE, PAPER, line, line_styles


def fit_figure(portrait, title: str = ""):
    """Draw a `graybox.portrait.Portrait`; returns the Figure."""
    from matplotlib.figure import Figure
    rows = 2 + (len(portrait.curves) + 1) // 2
    figure = Figure(figsize=(11.0, 3.1 * rows), layout="constrained", facecolor=PAPER)
    if title:
        figure.suptitle(title, color=INK, fontsize=11, x=0.01, ha="left")
    grid = figure.add_gridspec(rows, 2)
    plot_filters(portrait.filters, portrait.sample_rate, ax=figure.add_subplot(grid[0, :]))
    for k, curve in enumerate(portrait.curves):
        plot_curve(curve, ax=figure.add_subplot(grid[1 + k // 2, k % 2 if len(portrait.curves) > 1 else slice(None)]))
    plot_moment(portrait, ax=figure.add_subplot(grid[rows - 1, 0]))
    plot_left_over(portrait, ax=figure.add_subplot(grid[rows - 1, 1]))
    return figure


def plot_filters(filters, sample_rate: float, *, ax=None):
    """Gain of each group of linear stages."""
    ax = axes(ax, "frequency / Hz", "gain / dB", "Filters")
    styles = line_styles([one.label for one in filters])
    top = 0.0
    for one in filters:
        ax.plot(one.frequencies, one.gain, **line(styles[one.label], 1.8, count=len(one.gain)))
        top = max(top, float(one.gain.max()))
    if filters:
        ax.set_ylim(max(min(float(one.gain.min()) for one in filters), top - 80.0) - 3.0, top + 3.0)
    return legend(frequency_axis(ax, sample_rate / 2.0))


def plot_curve(curve, *, ax=None):
    """A curve, dashed where the fit has seen no input, over a histogram of what it has seen."""
    ax = axes(ax, "input / V or FS", "output / V or FS", curve.label)
    inside = (curve.x >= curve.edges[0]) & (curve.x <= curve.edges[-1])
    ax.plot(curve.x, curve.y, color=PALETTE[1], linestyle=(0, (2, 2)), linewidth=1.2, label="never seen")
    ax.plot(curve.x[inside], curve.y[inside], color=PALETTE[0], linewidth=2.0, label="seen")
    if len(curve.counts):
        density = ax.twinx()
        density.stairs(curve.counts / curve.counts.sum(), curve.edges, fill=True, color=INK, alpha=0.16)
        density.set_yscale("log")
        density.set_ylabel("share of the input", color=INK, fontsize=9)
        density.tick_params(colors=INK, which="both", labelsize=8)
        for spine in density.spines.values():
            spine.set_visible(False)
    ax.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left")
    return ax


def plot_moment(portrait, *, ax=None):
    """Both signals where they differ most."""
    ax = axes(ax, "time / s", "signal / V or FS", "Where they differ most")
    ax.plot(portrait.time, portrait.target, color=INK, linewidth=1.6, label="target")
    ax.plot(portrait.time, portrait.model, color=PALETTE[1], linestyle="--", linewidth=1.4, label="block")
    ax.legend(frameon=True, edgecolor="none", fontsize=8, labelcolor=INK, loc="upper right", facecolor=PAPER, framealpha=0.8)
    return ax


def plot_left_over(portrait, *, ax=None):
    """Power densities of the target and of the difference."""
    ax = axes(ax, "frequency / Hz", "level / dB per Hz", "Target and residual")
    ax.plot(portrait.frequencies, portrait.target_level, color=INK, linewidth=1.6, label="target")
    ax.plot(portrait.frequencies, portrait.residual_level, color=PALETTE[1], linestyle="--", linewidth=1.4, label="residual")
    ax.legend(frameon=True, edgecolor="none", fontsize=8, labelcolor=INK, loc="upper right", facecolor=PAPER, framealpha=0.8)
    return frequency_axis(ax, portrait.sample_rate / 2.0)
