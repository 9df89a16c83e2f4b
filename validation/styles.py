"""How each signal of a report is drawn: one colour, dash pattern and marker for each label, the same in every picture.

All lines can be told apart without colours: each has its own dashes and, at places of its own, its own marker, and the palette is Okabe and Ito's, made for
colour-blind readers. Ink and paper have fixed colours that the page replaces for dark mode.

References
----------
M. Okabe, K. Ito, "Color universal design", 2008: the palette.
"""

from __future__ import annotations

import unicodedata

from validation.comparison import Comparison

INK, PAPER = "#1c2330", "#fdfdfe"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#9467bd")
DASHES = ("--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1, 1, 1)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_MARKED = 7  # markers on a line of many points


def plain(label: str, limit: int = 36) -> str:
    """A label that no text engine can misread: printable, short, without mathematics, not hidden from legends.

    Examples
    --------
    >>> plain("_cost $5"), len(plain("x" * 10000))
    (' _cost \\\\$5', 36)
    """
    text = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in str(label)[:4 * limit])
    if len(text) > limit or len(str(label)) > 4 * limit:
        text = text[:limit - 1] + "…"
    return (" " + text if text.startswith("_") else text).replace("$", r"\$")


def line_styles(labels) -> dict[str, dict]:
    """Colour, dashes and marker for each candidate, by order of appearance; sevens repeat with other dashes.

    ``start`` is where the first marker stands, as a share of the line: lines that lie on each other show their markers side by side.
    """
    return {label: {"color": PALETTE[k % 7], "linestyle": DASHES[(k + k // 7) % 7], "marker": MARKERS[(k + 3 * (k // 7)) % 7], "label": plain(label),
                    "start": ((5 * k) % 14 + 0.5) / 14.0 / _MARKED} for k, label in enumerate(labels)}


def comparison_styles(comparison: Comparison) -> dict[str, dict]:
    """Styles of target and candidates, by name and not by rank: colours must not depend on who won. Failed ones come last."""
    return {comparison.target.label: {"color": INK, "linestyle": "-", "marker": "", "label": plain(comparison.target.label), "start": 0.0},
            **line_styles([*sorted(row.label for row in comparison.good), *sorted(row.label for row in comparison.failed)])}


def line(style: dict, width: float = 1.5, *, count: int = 0) -> dict:
    """What ``Axes.plot`` needs of a style of `line_styles`: seven markers on a line of ``count`` points, or one at every point."""
    first, step = int(style["start"] * count), max(count // _MARKED, 1)
    return {"color": style["color"], "linestyle": style["linestyle"], "label": style["label"], "linewidth": width, "marker": style["marker"], "markersize": 4.5,
            "markevery": (first, step)}
