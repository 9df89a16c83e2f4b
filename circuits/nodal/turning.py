"""A turned control as a low-rank update: the model at any position from the model at the middle of every control's travel.

A control that moves resistors only changes the system matrix by a few rank-one terms, S = S0 + R D R'. Everything that the
sample loop reads has the form Z S^-1 V, so that by Woodbury's identity

    Z S^-1 V = Z S0^-1 V - (Z S0^-1 R) D (I + R' S0^-1 R D)^-1 (R' S0^-1 V),

whose parts are computed once. Each position starts from the same S0, so that nothing drifts however long one turns.

References
----------
Woodbury: Inverting modified matrices, Princeton Statistical Research Group Memo 42, 1950;
Holters, Zölzer: Physical modelling of a wah-wah effect pedal as a case study for application of the nodal DK method to circuits
with variable parts, DAFx 2011.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, Mapping

import numpy as np

from circuits.circuit import Card, Circuit
from circuits.elements import Resistor
from circuits.expressions import Call, Name, Number, Value, evaluate, names, transform
from circuits.nodal.course import NODE, ROWS
from circuits.nodal.equations import assemble
from circuits.nodal.model import DkModel, ModelArrays, discretise, refined_solution, right_sides, rounded
from circuits.reduce import reduce
from circuits.waveforms import Waveform

LONG = np.longdouble


class Turning:
    """The models of one circuit at all positions of those of its controls that move resistors only.

    Parameters
    ----------
    circuit : Circuit
        At its present positions; controls that move other things stay there.
    sample_rate : float
        Hz.
    rule : str
        Integration rule.
    """

    def __init__(self, circuit: Circuit, sample_rate: float, rule: str):
        known = dict(circuit.parameters)
        self.fast = frozenset(control.name for control in circuit.controls) - _others(circuit, known)
        middle = {control.name: _middle(control) for control in circuit.controls if control.name in self.fast}
        self.slow = _positions(circuit, self.fast)
        reduced = reduce(circuit.turn(**middle))
        standing = circuit.values()
        self._resistors = [element for element in reduced.elements if isinstance(element, Resistor) and _reads(element.value, known) & self.fast]
        self._known: dict[tuple[float, ...], np.ndarray] = {}  # the last positions asked for
        self._values = [_of_controls(element.value, known, self.fast, standing) for element in self._resistors]
        self._base = 1.0 / self.ohms(circuit.turn(**middle))
        self.base = discretise(assemble(reduced), sample_rate, rule)
        self._prepare()

    def _prepare(self) -> None:
        e, arrays = self.base.equations, self.base.arrays
        index = {name: k for k, name in enumerate(e.unknowns)}
        R = np.zeros((len(e.unknowns), len(self._resistors)), dtype=LONG)
        for k, element in enumerate(self._resistors):
            for node, sign in zip(element.nodes, (1.0, -1.0)):
                if f"v({node})" in index:
                    R[index[f"v({node})"], k] += sign
        flux = LONG((1.0 + arrays.keep) * arrays.a) * (e.M @ e.R.astype(LONG))
        Z = np.vstack([e.Q[self.base.order], flux, e.L])
        from_R, from_V = refined_solution(e, arrays.a, R), refined_solution(e, arrays.a, right_sides(e))
        from_V[:, e.T.shape[1] + e.U.shape[1] + 1:] *= -1.0  # the laws' outputs P w stand on the left of the equations
        self._left, self._middle, self._right = Z @ from_R, R.T @ from_R, R.T @ from_V
        F, f0, KT, WT = self.base.patterns
        n = len(self.base.order)
        self._some = np.hstack([F.T, f0[:, None], np.vstack([KT.T, WT.T])])
        self._whole = np.hstack([arrays.F.T, arrays.f0[:, None], np.vstack([arrays.KT.T, arrays.WT.T])]).astype(LONG)
        self._cuts = (e.T.shape[1] + e.U.shape[1], n)
        self.nodes = np.zeros((ROWS // NODE + 2, self._whole.size))
        self.rows = np.zeros((ROWS, self._whole.size))  # for the courses of glides, kept: a megabyte asked for anew costs a tenth of a block of 64

    def ohms(self, circuit: Circuit) -> np.ndarray:
        """Values of the resistors that controls move, shape (n_moved,), extended precision."""
        key = tuple(control.position for control in circuit.controls)
        if key not in self._known:
            if len(self._known) > 8:
                self._known.clear()
            self._known[key] = np.array(self.ohms_at({control.name: control.value for control in circuit.controls}, range(len(self._values))), dtype=LONG)
        return self._known[key]

    def ohms_at(self, values: Mapping[str, float], some: Iterable[int]) -> list[float]:
        """Values of some of these resistors where the controls' parameters have these values."""
        return [evaluate(self._values[k], values) for k in some]

    def reach(self, circuit: Circuit) -> bool:
        """True if a circuit differs from the base in what is updated only: no other control has moved, no resistance is zero."""
        return _positions(circuit, self.fast) == self.slow and bool((np.abs(self.ohms(circuit)) > 1e-15).all())

    def _update(self, circuit: Circuit) -> np.ndarray:
        """D (I + R' S0^-1 R D)^-1 at a circuit's positions."""
        D = 1.0 / self.ohms(circuit) - self._base
        inner = np.eye(len(D), dtype=LONG) + self._middle * D
        near = inner.astype(np.float64)
        found = np.linalg.inv(near).astype(LONG)
        found += found @ (np.eye(len(D), dtype=LONG) - inner @ found)  # refined: a closed pot makes D large
        return D[:, None] * found

    def model(self, circuit: Circuit) -> DkModel | None:
        """The model at a circuit's positions; None if it is out of `reach`."""
        if not self.reach(circuit):
            return None
        return replace(self.base, arrays=self._arrays(self._update(circuit) @ self._right))

    def _arrays(self, right: np.ndarray) -> ModelArrays:
        H = self._whole - np.where(self._some, self._left @ right, 0.0)
        columns, ports = self._cuts
        return self.base.arrays._replace(F=rounded(H[:, :columns].T), f0=rounded(H[:, columns]), KT=rounded(H[:ports, columns + 1:].T),
                                         WT=rounded(H[ports:, columns + 1:].T))

    def around(self, circuit: Circuit, some: np.ndarray) -> tuple[ModelArrays, np.ndarray, np.ndarray, np.ndarray]:
        """The model's arrays at a circuit's positions, and what updates them from there when some of the resistors move.

        The latter are (Z S^-1 R)', R' S^-1 R and (R' S^-1 V)', as `circuits.nodal.course.follow` takes them.
        """
        X = self._update(circuit)
        right = X @ self._right
        turned = X @ self._middle[:, some]
        left = self._left[:, some] - self._left @ turned
        middle = self._middle[np.ix_(some, some)] - self._middle[some] @ turned
        return self._arrays(right), rounded(left.T), rounded(middle), rounded((self._right[some] - self._middle[some] @ right).T)


def _middle(control) -> float:
    half = 0.5 * (control.minimum + control.maximum)
    return float(round(half)) if control.switch else half


def _positions(circuit: Circuit, fast: frozenset[str]) -> tuple[float, ...]:
    return tuple(control.position for control in circuit.controls if control.name not in fast)


def _of_controls(value: Value, known: dict, fast: frozenset[str], standing: dict[str, float]) -> Value:
    """A value in terms of the fast controls alone."""
    def spelled(part):
        if not isinstance(part, Name) or part.name in fast:
            return None
        below = known.get(part.name)
        if isinstance(below, (Name, Call)) and _reads(below, known) & fast:
            return transform(below, spelled)
        return Number(standing[part.name])
    return transform(value, spelled)


def _reads(value: Value, known: dict) -> frozenset[str]:
    """Parameters that a value depends on, directly or through others."""
    found: set[str] = set()
    waiting = set(names(value)) if isinstance(value, (Name, Call)) else set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            below = known.get(name)
            if isinstance(below, (Name, Call)):
                waiting |= names(below)
    return frozenset(found)


def _others(circuit: Circuit, known: dict) -> frozenset[str]:
    """Parameters that anything else than a resistor's value depends on."""
    found: set[str] = set()

    def look(value) -> None:
        if isinstance(value, (Name, Call)):
            found.update(_reads(value, known))
        elif isinstance(value, Card):
            look(dict(value.values))
        elif isinstance(value, dict):
            for item in value.values():
                look(item)
        elif isinstance(value, Waveform):
            for item in value.values:
                look(item)

    for element in circuit.elements:
        for item in type(element).__dataclass_fields__:
            if item not in ("name", "nodes", "place") and not (isinstance(element, Resistor) and item == "value"):
                look(getattr(element, item))
    look(dict(circuit.initial))
    look(dict(circuit.nodeset))
    return frozenset(found)
