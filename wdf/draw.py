"""The tree of a Wave Digital Filter to look at: as lines of text, and as places on a page for a picture.

A person checks it against the schematic: each adaptor with its kind, what hangs on it, and the port resistance towards the root.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from circuits.units import format_number
from wdf.adaptors import Adaptor
from wdf.tree import Tree

SIGNS = {"S": "series", "P": "parallel", "R": "rigid"}


@dataclass(frozen=True, slots=True)
class Place:
    """One box of the picture.

    Parameters
    ----------
    name : str
        Adaptor or port.
    kind : str
        "S", "P" or "R" of an adaptor; of a port its role: resistor, capacitor, inductor, voltage, current, branch, open, or "nonlinear".
    x, y : float
        Column (leaves from left to right) and row (0 at the root), in steps of one box.
    above : int
        Index of the box that it hangs on; -1 for a root.
    resistance : float
        Port resistance of the connection upwards, ohms; NaN where there is none.
    """

    name: str
    kind: str
    x: float
    y: int
    above: int
    resistance: float


def children(tree: Tree, adaptor: Adaptor) -> list[Adaptor]:
    """Adaptors directly below one, in the order of its ports."""
    below = {other.part.up: other for other in tree.adaptors if other.part.up}
    return [below[edge] for edge in adaptor.part.children]


def ohms(value: float) -> str:
    """A port resistance for people; empty where there is none."""
    return "" if math.isnan(value) else f"{format_number(value, 4)} ohm"


def _leaf(tree: Tree, edge: str) -> tuple[str, float]:
    """Role and port resistance of a port of the circuit."""
    if edge in tree.network.nonlinear:
        return "nonlinear", math.nan
    return tree.network.edges[edge].role, float(tree.resistances.get(edge, math.nan))


def text(tree: Tree) -> str:
    """The tree as lines, roots first, each level indented by two.

    Examples
    --------
    >>> from circuits.circuit import Circuit
    >>> from circuits.elements import Capacitor, Resistor, VoltageSource
    >>> from wdf.tree import derive
    >>> parts = (VoltageSource("v", ("a", "0")), Resistor("r", ("a", "b"), 1e3), Capacitor("c", ("b", "0"), 1e-7))
    >>> print(text(derive(Circuit(parts), 48000.0)))
    S1 series, root
      c capacitor 104.2 ohm
      r resistor 1k ohm
      v voltage
    """
    lines = []
    waiting = [(root, 0) for root in reversed(tree.roots)]
    while waiting:
        adaptor, depth = waiting.pop()
        part = adaptor.part
        lines.append("  " * depth + f"{part.name} {SIGNS[part.kind]}, " + (ohms(adaptor.resistance) if part.up else "root"))
        for edge in part.leaves:
            role, resistance = _leaf(tree, edge)
            lines.append("  " * (depth + 1) + f"{edge} {role} {ohms(resistance)}".rstrip())
        waiting += [(child, depth + 1) for child in reversed(children(tree, adaptor))]
    return "\n".join(lines)


def layout(tree: Tree) -> tuple[Place, ...]:
    """Places for a picture: no two boxes overlap, every adaptor stands over the middle of what hangs on it.

    Returns
    -------
    tuple of Place
        Every box before those that hang on it.
    """
    found: list[Place] = []
    column = 0.0

    def settle(adaptor: Adaptor, y: int, above: int) -> float:
        nonlocal column
        at = len(found)
        found.append(Place(adaptor.part.name, adaptor.part.kind, 0.0, y, above, float(adaptor.resistance)))
        columns = []
        for edge in adaptor.part.leaves:
            role, resistance = _leaf(tree, edge)
            found.append(Place(edge, role, column, y + 1, at, resistance))
            columns.append(column)
            column += 1.0
        columns += [settle(child, y + 1, at) for child in children(tree, adaptor)]
        x = 0.5 * (min(columns) + max(columns))
        found[at] = Place(adaptor.part.name, adaptor.part.kind, x, y, above, float(adaptor.resistance))
        return x
    for root in tree.roots:
        settle(root, 0, -1)
        column += 0.5
    return tuple(found)
