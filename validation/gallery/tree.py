"""Picture of a Wave Digital Filter's tree, to be checked against the schematic: root on the left, every port a line of its own.

An adaptor is a box with its letter (series, parallel, rigid), a port is drawn as its element with its name, value and the two nodes between which it
stands; on each line stands the port resistance. A bar at an adaptor's left side is the sign of the literature for a port that reflects nothing.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol, Sequence

import numpy as np

from validation.audio import whole_file
from validation.styles import INK, PALETTE, PAPER, plain

ROW, STEP, MARGIN = 0.3, 2.3, 0.35  # inches: between two ports, between two levels, around
SIGN = 0.5  # inches: width of an element's sign
FORMS = {"S": ("series", PALETTE[0]), "P": ("parallel", PALETTE[2]), "R": ("rigid", PALETTE[1])}
UNITS = {"resistor": "Ω", "capacitor": "F", "inductor": "H", "voltage": "V", "current": "A"}
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


class Box(Protocol):
    """What is drawn: an adaptor (kind S, P or R) or a port (its role).

    name, kind, note : str. x : row, from the top. y : level, 0 at a root. above : index of the box that it hangs on, -1 for a root.
    resistance : ohms, NaN where there is none. ends : two nodes. value : SI units, NaN where there is none.
    """

    name: str
    kind: str
    note: str
    x: float
    y: int
    above: int
    resistance: float
    ends: tuple[str, str]
    value: float


def engineering(value: float, unit: str) -> str:
    """Four digits, prefix and unit; empty for what is not a number.

    Examples
    --------
    >>> engineering(41666.67, "Ω"), engineering(2.2e-8, "F"), engineering(0.0, "Ω"), engineering(float("nan"), "Ω")
    ('41.67 kΩ', '22 nF', '0 Ω', '')
    """
    if math.isnan(value):
        return ""
    factor, prefix = next(((f, p) for f, p in PREFIXES if float(f"{abs(value):.4g}") >= f), (1.0, ""))
    return f"{value / factor:.4g} {prefix}{unit}"


def tree_figure(boxes: Sequence[Box], title: str):
    """Draw a tree.

    Parameters
    ----------
    boxes : sequence of Box
        Each before those that hang on it, as `wdf.draw.layout` gives them.
    title : str
        Name of the circuit and sample rate.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure  # only who draws pays for it
    depth, rows = max(box.y for box in boxes), max(box.x for box in boxes)
    width, height = 2.0 * MARGIN + STEP * depth + 3.2, 2.0 * MARGIN + ROW * (rows + 3.0)
    figure = Figure(figsize=(max(width, 7.0), height), facecolor=PAPER)
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_xlim(0.0, max(width, 7.0))
    ax.set_ylim(height, 0.0)
    ax.axis("off")
    ax.text(MARGIN, MARGIN, plain(title, 80), color=INK, fontsize=11, fontweight="bold", va="center")
    ax.text(MARGIN, MARGIN + 0.8 * ROW, "S series, P parallel, R rigid adaptors; root on the left; on each line the port resistance; a bar: reflects nothing",
            color=INK, fontsize=7.5, alpha=0.7, va="center")
    where = [(MARGIN + STEP * box.y, MARGIN + ROW * (box.x + 2.2)) for box in boxes]
    for k, box in enumerate(boxes):
        x, y = where[k]
        if box.kind in FORMS:
            below = [where[j][1] for j, other in enumerate(boxes) if other.above == k]
            ax.plot([x + 0.55, x + 0.8], [y, y], color=INK, linewidth=1.0)
            ax.plot([x + 0.8, x + 0.8], [min(below), max(below)], color=INK, linewidth=1.0)
        if box.above >= 0:
            trunk = where[box.above][0] + 0.8
            ax.plot([trunk, x], [y, y], color=INK, linewidth=1.0)
            ax.text(0.5 * (trunk + x), y - 0.015, engineering(box.resistance, "Ω"), color=PALETTE[0], fontsize=7, ha="center", va="bottom")
    for box, (x, y) in zip(boxes, where):
        _adaptor(ax, box, x, y) if box.kind in FORMS else _port(ax, box, x, y)
    return figure


def _adaptor(ax, box: Box, x: float, y: float) -> None:
    from matplotlib.patches import FancyBboxPatch
    form, colour = FORMS[box.kind]
    ax.add_patch(FancyBboxPatch((x + 0.04, y - 0.4 * ROW), 0.5, 0.8 * ROW, boxstyle="round,pad=0.01", facecolor=PAPER, edgecolor=colour, linewidth=1.8))
    ax.text(x + 0.29, y, plain(box.name), color=colour, fontsize=9, fontweight="bold", ha="center", va="center")
    if box.above >= 0:
        ax.plot([x - 0.04, x - 0.04], [y - 0.25 * ROW, y + 0.25 * ROW], color=INK, linewidth=1.4)  # adapted: no reflection
    ax.text(x + 0.29, y + 0.46 * ROW, form if box.above >= 0 else f"{form}, root", color=colour, fontsize=6, ha="center", va="top")


def _port(ax, box: Box, x: float, y: float) -> None:
    """One element: its sign, name, value and nodes."""
    for xs, ys in _sign(box.kind):
        ax.plot(x + SIGN * np.asarray(xs), y - 0.36 * ROW * np.asarray(ys), color=INK, linewidth=1.1, solid_joinstyle="round")
    if box.kind in ("branch", "open"):
        ax.text(x + 0.5 * SIGN, y, "ideal" if box.kind == "branch" else "sensed", color=INK, fontsize=6, ha="center", va="center", style="italic")
    told = engineering(box.value, UNITS.get(box.kind, "")) if box.kind != "resistor" else ""  # a resistor's value stands on its line
    name = ax.text(x + SIGN + 0.08, y, plain(box.name, 24), color=INK, fontsize=8.5, fontweight="bold", va="center")
    ax.annotate("  ".join(part for part in ("", told, plain(box.note, 24), plain(" – ".join(box.ends), 32)) if part), (1.0, 0.5), xycoords=name,
                xytext=(6.0, 0.0), textcoords="offset points", color=INK, alpha=0.75, fontsize=7.5, va="center")


def _sign(kind: str) -> list[tuple[Sequence[float], Sequence[float]]]:
    """Lines of an element's sign, from 0 to 1 across and -1 to 1 up."""
    turn = np.linspace(0.0, 2.0 * np.pi, 40)
    if kind == "resistor":
        return [((0.0, 0.14, 0.2, 0.32, 0.44, 0.56, 0.68, 0.8, 0.86, 1.0), (0.0, 0.0, 0.6, -0.6, 0.6, -0.6, 0.6, -0.6, 0.0, 0.0))]
    if kind == "capacitor":
        return [((0.0, 0.42), (0.0, 0.0)), ((0.42, 0.42), (-0.9, 0.9)), ((0.58, 0.58), (-0.9, 0.9)), ((0.58, 1.0), (0.0, 0.0))]
    if kind == "inductor":
        half = np.linspace(np.pi, 0.0, 14)
        bumps = [(0.26 + 0.16 * k + 0.08 * np.cos(half), 0.75 * np.sin(half)) for k in range(4)]
        return [((0.0, 0.18), (0.0, 0.0)), *bumps, ((0.82, 1.0), (0.0, 0.0))]
    if kind in ("voltage", "current"):
        circle = [(0.5 + 0.21 * np.cos(turn), 0.95 * np.sin(turn)), ((0.0, 0.29), (0.0, 0.0)), ((0.71, 1.0), (0.0, 0.0))]
        arrow = [((0.38, 0.62), (0.0, 0.0)), ((0.54, 0.62, 0.54), (0.35, 0.0, -0.35))]
        plus = [((0.36, 0.48), (0.0, 0.0)), ((0.42, 0.42), (-0.28, 0.28)), ((0.54, 0.64), (0.0, 0.0))]
        return circle + (plus if kind == "voltage" else arrow)
    if kind == "nonlinear":
        bend = np.linspace(0.0, 1.0, 16)
        frame = ((0.24, 0.76, 0.76, 0.24, 0.24), (-0.95, -0.95, 0.95, 0.95, -0.95))
        return [((0.0, 0.24), (0.0, 0.0)), frame, (0.32 + 0.36 * bend, -0.6 + 1.2 * bend**4), ((0.76, 1.0), (0.0, 0.0))]
    return []


def draw(boxes: Sequence[Box], title: str, path: str | Path) -> Path:
    """Write the picture of a tree as PNG; see `tree_figure`.

    Returns
    -------
    Path
        The picture.
    """
    with whole_file(path) as part:
        tree_figure(boxes, title).savefig(part, format="png", dpi=110, facecolor=PAPER)
    return Path(path)
