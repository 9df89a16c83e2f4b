"""What a circuit stores: charges of a spanning forest of its capacitors, fluxes of its inductors, and the matrix that ties them to voltages and currents.

Capacitors that close a loop of capacitors (the three of a triode) bring no state of their own: their charge is expressed by the
forest's voltages, so that no mode exists that the rest of the circuit can't damp. Coupled inductors may have k = 1.
"""

from __future__ import annotations

from typing import Sequence

import networkx as nx
import numpy as np

from circuits.circuit import GROUND, Element
from circuits.elements import Capacitor, Coupling, Inductor
from circuits.errors import CircuitError


def refused(element: Element, what: str, mend: str = "") -> CircuitError:
    """The error of a value that makes no sense, with its element and line."""
    return CircuitError(f"{element.name}: {what}", mend=mend, place=element.place, element=element.name)


def storage(elements: Sequence[Element]) -> tuple[list[Capacitor | Inductor], np.ndarray]:
    """The elements whose charges and fluxes are states, and their matrix.

    Parameters
    ----------
    elements : sequence of Element
        Bound; what stores nothing is passed over.

    Returns
    -------
    states : list
        Capacitors of the forest, then inductors.
    M : ndarray, shape (n_states, n_states), extended precision
        Farads and henries: charges and fluxes are M times the voltages of those capacitors and the currents of those inductors.

    Raises
    ------
    CircuitError
        For a coupling beyond 1, or of an inductor that is not there.
    """
    forest, C = _forest([element for element in elements if isinstance(element, Capacitor) and element.value != 0.0 and element.nodes[0] != element.nodes[1]])
    inductors = [element for element in elements if isinstance(element, Inductor)]
    place = {element.name: k for k, element in enumerate(inductors)}
    Lm = np.diag([float(element.value) for element in inductors]) if inductors else np.zeros((0, 0))
    for element in elements:
        if isinstance(element, Coupling):
            _couple(element, place, Lm)
    nc = len(forest)
    M = np.zeros((nc + len(inductors), nc + len(inductors)), dtype=np.longdouble)
    M[:nc, :nc], M[nc:, nc:] = C, Lm
    return [*forest, *inductors], M


def _forest(capacitors: list[Capacitor]) -> tuple[list[Capacitor], np.ndarray]:
    """A spanning forest, and the capacitances between its branches with those of all others carried over."""
    joined = nx.utils.UnionFind([GROUND, *(node for element in capacitors for node in element.nodes)])
    forest, tree = [], nx.Graph()
    # large ones first: picofarads that had to stand for the charge of microfarads in the same loop would carry it with opposite signs
    # (half a million volts in a preamp's prediction, which cancel but for their rounding); by decades, so that a control rarely moves it
    for element in sorted(capacitors, key=lambda element: -round(np.log10(abs(element.value)))):
        a, b = element.nodes
        if joined[a] != joined[b]:
            joined.union(a, b)
            tree.add_edge(a, b, index=len(forest), plus=a)
            forest.append(element)
    C = np.zeros((len(forest), len(forest)), dtype=np.longdouble)
    for element in capacitors:
        path = nx.shortest_path(tree, *element.nodes)
        row = np.zeros(len(forest))
        for u, v in zip(path, path[1:]):
            edge = tree.edges[u, v]
            row[edge["index"]] = 1.0 if edge["plus"] == u else -1.0
        C += element.value * np.outer(row, row)
    return forest, C


def _couple(element: Coupling, place: dict[str, int], Lm: np.ndarray) -> None:
    if not -1.0 <= element.coefficient <= 1.0:
        raise refused(element, f"a coupling of {element.coefficient:g}", "Give a coefficient from -1 to 1.")
    for i, first in enumerate(element.inductors):
        for second in element.inductors[i + 1:]:
            if first not in place or second not in place:
                raise refused(element, f"there is no inductor {first if first not in place else second}")
            j, k = place[first], place[second]
            Lm[j, k] = Lm[k, j] = element.coefficient * np.sqrt(Lm[j, j] * Lm[k, k])
