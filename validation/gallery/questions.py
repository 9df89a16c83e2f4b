"""The first questions that one asks of a device, as pictures: static or not, how long its memory is, what its output is made of."""

from __future__ import annotations

import numpy as np

from validation.plots import axes, legend
from validation.styles import INK, PALETTE, PAPER, line, line_styles, plain

SHARES = ("linear", "odd", "even", "noise")
_HATCHES = ("", "//", "..", "xx")


def questions_figure(answers):
    """Scatter of each model, answers to silence-tone-silence, and shares; ``answers`` maps labels to `ampwright.answers.Answers`."""
    from matplotlib.figure import Figure
    count = len(answers)
    figure = Figure(figsize=(11.0, 3.2 * (2 + (count + 2) // 3)), layout="constrained", facecolor=PAPER)
    rows = (count + 2) // 3
    grid = figure.add_gridspec(rows + 2, min(count, 3) if count else 1)
    styles = line_styles(answers)
    for k, (label, one) in enumerate(answers.items()):
        plot_scatter(one.scatter, styles[label]["label"], ax=figure.add_subplot(grid[k // 3, k % 3]))
    plot_memory(answers, ax=figure.add_subplot(grid[rows, :]))
    plot_shares(answers, ax=figure.add_subplot(grid[rows + 1, :]))
    return figure


def plot_scatter(scatter, label: str, *, ax=None):
    """Output against input: the middle, and a band of two standard deviations to each side."""
    ax = axes(ax, "input / V or FS", "output / V or FS", f"{label}: {100.0 * scatter.thickness:.2g} % is not static")
    ax.fill_between(scatter.centres, scatter.middle - 2.0 * scatter.spread, scatter.middle + 2.0 * scatter.spread, color=PALETTE[5], alpha=0.45, linewidth=0.0)
    ax.plot(scatter.centres, scatter.middle, color=INK, linewidth=1.6)
    return ax


def plot_memory(answers, *, ax=None):
    """Level of the answer to a tone that starts and stops."""
    ax = axes(ax, "time since the tone began / s", "output level / dB re its end", "Silence, tone, silence")
    styles = line_styles(answers)
    for label, one in answers.items():
        ax.plot(one.time, one.envelope, **line(styles[label], 1.6, count=len(one.time)))
    ax.set_ylim(-100.0, 6.0)
    return legend(ax)


def plot_shares(answers, *, ax=None):
    """Shares of the output's power, in dB, as bars with a hatch each."""
    ax = axes(ax, "", "share of the power / dB", "What the output is made of (random-phase odd multisine)")
    floor = -120.0
    place = np.arange(len(answers))
    for k, share in enumerate(SHARES):
        values = [10.0 * np.log10(max(getattr(one.levels, share), 1e-12)) - floor for one in answers.values()]
        ax.bar(place + 0.2 * (k - 1.5), values, 0.18, bottom=floor, color=PALETTE[k], hatch=_HATCHES[k], edgecolor=PAPER, label=share)
    crowded = sum(min(len(label), 24) + 3 for label in answers) > 90  # characters that fit below the picture
    ax.set_xticks(place, [plain(label, 24) for label in answers], **({"rotation": 25, "ha": "right", "rotation_mode": "anchor"} if crowded else {}))
    ax.set_ylim(floor, 6.0)
    return legend(ax)
