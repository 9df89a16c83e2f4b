"""A tree whose controls are on their way: factors and root matrix move a little with every audio sample, no zipper noise.

At each knot and half way to the next the path from the moving leaves to the root is adapted anew; between them every factor follows a parabola.
Resistors remember nothing, so that the waves of the leaves that do stay what they are.
"""

from __future__ import annotations

from typing import Mapping

import numpy as np

from circuits.circuit import Circuit
from circuits.expressions import Value
from circuits.nodal.knots import AUDIO_RATE, Way, knot_of
from circuits.nodal.transient import Motion, Scratch, Tally
from wdf import sweeps
from wdf.program import Program, compile_rows
from wdf.roots import Root, root_of, same_form
from wdf.tree import Tree, turned

KNOT = 64  # audio samples between knots: a path costs half a millisecond to adapt, twice for each


class Apart(Exception):
    """A position on the way has another tree, or moves something else than resistors."""


class Glide:
    """The way of a tree from one position to another.

    Parameters
    ----------
    tree : Tree
        At the goal.
    program, root : Program, Root
        Its sums and laws.
    moved : mapping
        The leaves that follow controls (`wdf.tree.moved_leaves`).
    start, goal : Circuit
        Where it begins and ends.
    seconds : float
        Duration, rounded to whole audio samples, or to knots where none fit.

    Raises
    ------
    Apart
        If there is no way.
    """

    def __init__(self, tree: Tree, program: Program, root: Root, moved: Mapping[str, Value], start: Circuit, goal: Circuit, seconds: float):
        self._tree, self._program, self._root, self._moved = tree, program, root, moved
        samples = max(1, round(seconds * tree.sample_rate / max(1, round(tree.sample_rate / AUDIO_RATE))))
        self._way = Way(start, goal, self._numbers, tree.sample_rate, seconds, knot_of(samples, -(-samples // KNOT)))
        self._sums = program.arrays._replace(factors=program.arrays.factors.copy())
        self._laws = root.arrays._replace(KT=root.arrays.KT.copy())
        self._ended = False

    @property
    def done(self) -> bool:
        """True when the goal is reached, or the way ends: then the rest is turned at once."""
        return self._ended or self._way.done

    @property
    def circuit(self) -> Circuit:
        """The circuit at the present moment."""
        return self._way.circuit

    def _numbers(self, circuit: Circuit) -> np.ndarray:
        """Factors, then K, of the tree at a circuit's positions."""
        tree = turned(self._tree, circuit, self._moved)
        edges = self._tree.network.edges
        others = [name for name in self._moved if edges[name].role != "resistor" and tree.network.edges[name].value != edges[name].value]
        if others or tree.structure is not self._tree.structure:
            raise Apart
        root = root_of(tree) if tree.root_moved else self._root
        program = compile_rows(tree, root.order, root.outputs)
        if not (program.same_rows(self._program) and same_form(root, self._root)):
            raise Apart
        return np.concatenate([program.arrays.factors, root.arrays.KT.ravel()])

    def play(self, motion: Motion, scratch: Scratch, waves: np.ndarray, u: np.ndarray, y: np.ndarray, first: int, last: int,
             tolerance: float, tally: Tally) -> int:
        """Play samples from ``first`` on, at most to before ``last`` and to the next knot.

        Returns
        -------
        int
            Where it stopped; minus that, less one, at a sample that is not finite.
        """
        way = self._way
        stop = min(last, first + way.length - way.within)
        done = sweeps.glide(self._sums, self._laws, motion, scratch, waves, u, y, first, stop, tolerance, tally, way.stretch, way.within,
                            way.every, way.length)
        if done < stop:
            return -done - 1
        try:
            way.move(stop - first)
        except Apart:
            self._ended = True
        return stop
