"""The tree of a Wave Digital Filter to look at: as lines of text, and as places on a page for a picture.

A person checks it against the schematic: each adaptor with its kind, what hangs on it, and the port resistance towards the root.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from circuits.units import format_number
from wdf.adaptors import Adaptor
from wdf.network import LEAVES
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
    ends : (str, str)
        Nodes of the schematic between which it stands; of a root, ("", "").
    value : float
        Ohms, farads, henries, volts or amperes of a port; NaN where there is none.
    note : str
        "input" or "waveform" of a source; whose law a nonlinear port belongs to.
    """

    name: str
    kind: str
    x: float
    y: int
    above: int
    resistance: float
    ends: tuple[str, str]
    value: float
    note: str


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


def _port(tree: Tree, edge: str, x: float, y: int, above: int) -> Place:
    """The box of a port of the circuit."""
    role, resistance = _leaf(tree, edge)
    port, source = tree.network.edges[edge], tree.network.sources.get(edge)
    value = port.value if role in LEAVES else source.constant if source is not None and source.kind == "constant" else math.nan
    note = "" if source is None or source.kind == "constant" else "input" if source.kind == "audio" else "waveform"
    if role == "nonlinear":
        sensed = [s.edge for s in tree.network.sensed]
        note = ", ".join(dict.fromkeys(use.name for use in tree.network.uses if any(edge == out for out, *_ in use.outputs)
                                       or any(sensed[k] == edge for k, _ in use.inputs)))
    return Place(edge, role, x, y, above, resistance, (port.plus, port.minus), value, note)


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
        part = adaptor.part
        box = Place(part.name, part.kind, 0.0, y, above, float(adaptor.resistance), tuple(tree.structure.ends[part.up]) if part.up else ("", ""),
                    math.nan, "")
        found.append(box)
        columns = []
        for edge in adaptor.part.leaves:
            found.append(_port(tree, edge, column, y + 1, at))
            columns.append(column)
            column += 1.0
        columns += [settle(child, y + 1, at) for child in children(tree, adaptor)]
        x = 0.5 * (min(columns) + max(columns))
        found[at] = replace(box, x=x)
        return x
    for root in tree.roots:
        settle(root, 0, -1)
        column += 0.5
    return tuple(found)
