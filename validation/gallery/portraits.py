"""Portraits of measured models, any number in one picture: frequency response, harmonics against level, static curve, step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from validation.plots import axes, frequency_axis, legend
from validation.response import Response
from validation.styles import PAPER, line, line_styles


def _each(responses: Mapping[str, Response], styles):
    styles = styles or line_styles(responses)
    return [(styles[label], response) for label, response in responses.items()]


def plot_frequency_response(responses: Mapping[str, Response], *, ax=None, styles=None):
    """Small-signal gain of any number of models."""
    ax = axes(ax, "frequency / Hz", "gain / dB", "Frequency response, small signals")
    top = max((response.sample_rate for response in responses.values()), default=48000.0) / 2.0
    for style, response in _each(responses, styles):
        ax.plot(response.frequencies, response.gain, **line(style, 1.8, count=len(response.gain)))
    return legend(frequency_axis(ax, top))


def plot_harmonics(responses: Mapping[str, Response], order: int, *, ax=None, styles=None):
    """One harmonic against the level of a 1 kHz tone: order 1 as output level, others relative to the fundamental."""
    name = "fundamental / dB re 1" if order == 1 else f"harmonic {order} / dB re fundamental"
    ax = axes(ax, "input level / dB re 1", name, f"Harmonic {order} against level" if order > 1 else "Output against input level")
    for style, response in _each(responses, styles):
        if response.harmonics.shape[1] < order:
            continue
        height = 20.0 * np.log10(np.maximum(response.harmonics[:, order - 1], 1e-15))
        if order > 1:
            height = np.maximum(height - 20.0 * np.log10(np.maximum(response.harmonics[:, 0], 1e-15)), -140.0)
        ax.plot(response.levels, height, **line(style))
    return legend(ax)


def harmonics_figure(responses: Mapping[str, Response], *, styles=None):
    """Fundamental and harmonics 2, 3 and 5 against level."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(9.6, 5.6), layout="constrained", facecolor=PAPER)
    for ax, order in zip(figure.subplots(2, 2, sharex=True).ravel(), (1, 2, 3, 5)):
        plot_harmonics(responses, order, ax=ax, styles=styles)
        if order != 2 and ax.get_legend() is not None:
            ax.get_legend().remove()
        if order in (1, 2):
            ax.set_xlabel("")
    return figure


def _unlike(peaks) -> bool:
    """True if curves of these heights can't share an axis."""
    return len(peaks) > 1 and max(peaks) > 10.0 * min(peaks)


def plot_static_curve(responses: Mapping[str, Response], *, ax=None, styles=None):
    """Answer to one period of the loudest 1 kHz tone against its input; each relative to its own peak if one is ten times another."""
    found = _each(responses, styles)
    heights, widths = ([max(float(np.abs(values).max()), 1e-30) for values in (getattr(response, name) for _, response in found)] for name in ("static_y", "static_x"))
    apart = _unlike(heights) or _unlike(widths)
    ax = axes(ax, *(("input / its peak", "output / its peak") if apart else ("input / V or FS", "output / V or FS")), "Static curve (1 kHz at full level, fundamental in phase)")
    for (style, response), height, width in zip(found, heights, widths):
        x, y = (response.static_x / width, response.static_y / height) if apart else (response.static_x, response.static_y)
        half = len(x) // 2 + 1
        if np.abs(y[:half] - y[-half:][::-1]).max(initial=0.0) < 0.005 * np.ptp(y):  # no loop: the way back would fill the gaps of the dashes
            x, y = x[:half], y[:half]
        ax.plot(x, y, **line(style, 1.8, count=len(x)))
    return legend(ax)


def plot_step(responses: Mapping[str, Response], *, ax=None, styles=None):
    """Answer to a small step, scaled to 1, on a logarithmic axis of time; each relative to its own peak if one is ten times another."""
    found = [(style, response, response.step_time > 0.0) for style, response in _each(responses, styles)]
    heights = [max(float(np.abs(response.step[later]).max(initial=0.0)), 1e-30) for _, response, later in found]
    apart = _unlike(heights)
    ax = axes(ax, "time / ms", "output / its peak" if apart else "output of a step of 1", "Step response, small signals")
    for (style, response, later), height in zip(found, heights):
        ax.plot(1e3 * response.step_time[later], response.step[later] / (height if apart else 1.0), **line(style, 1.8, count=int(later.sum())))
    ax.set_xscale("log")
    return legend(ax)
