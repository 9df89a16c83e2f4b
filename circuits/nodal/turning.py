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

import numpy as np

from circuits.circuit import Card, Circuit
from circuits.elements import Resistor
from circuits.expressions import Call, Name, Value, evaluate, names
from circuits.nodal.equations import assemble
from circuits.nodal.model import DkModel, discretise, refined_solution, right_sides, rounded
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
        values = circuit.turn(**middle).values()
        self._resistors = [element for element in reduced.elements if isinstance(element, Resistor) and _reads(element.value, known) & self.fast]
        self._base = np.array([1.0 / evaluate(element.value, values) for element in self._resistors], dtype=LONG)
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

    def ohms(self, circuit: Circuit) -> np.ndarray:
        """Values of the resistors that controls move, shape (n_moved,), extended precision."""
        values = circuit.values()
        return np.array([evaluate(element.value, values) for element in self._resistors], dtype=LONG)

    def _update(self, circuit: Circuit) -> np.ndarray | None:
        """D (I + R' S0^-1 R D)^-1 at a circuit's positions; None if it has no resistors to update."""
        if _positions(circuit, self.fast) != self.slow:
            return None
        ohms = self.ohms(circuit)
        if not (np.abs(ohms) > 1e-15).all():
            return None
        D = 1.0 / ohms - self._base
        inner = np.eye(len(D), dtype=LONG) + self._middle * D
        near = inner.astype(np.float64)
        found = np.linalg.inv(near).astype(LONG)
        found += found @ (np.eye(len(D), dtype=LONG) - inner @ found)  # refined: a closed pot makes D large
        return D[:, None] * found

    def model(self, circuit: Circuit) -> DkModel | None:
        """The model at a circuit's positions; None if a control that is not fast has moved or a resistance is zero."""
        X = self._update(circuit)
        if X is None:
            return None
        H = self._whole - np.where(self._some, self._left @ (X @ self._right), 0.0)
        columns, ports = self._cuts
        arrays = self.base.arrays._replace(F=rounded(H[:, :columns].T), f0=rounded(H[:, columns]), KT=rounded(H[:ports, columns + 1:].T),
                                           WT=rounded(H[ports:, columns + 1:].T))
        return replace(self.base, arrays=arrays)

    def around(self, circuit: Circuit, some: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Z S^-1 R, R' S^-1 R and R' S^-1 V at a circuit's positions for some of the resistors, to update from there."""
        X = self._update(circuit)
        left = self._left[:, some] - self._left @ (X @ self._middle[:, some])
        middle = self._middle[np.ix_(some, some)] - self._middle[some] @ (X @ self._middle[:, some])
        right = self._right[some] - self._middle[some] @ (X @ self._right)
        return rounded(left), rounded(middle), rounded(right)


def _middle(control) -> float:
    half = 0.5 * (control.minimum + control.maximum)
    return float(round(half)) if control.switch else half


def _positions(circuit: Circuit, fast: frozenset[str]) -> tuple[float, ...]:
    return tuple(control.position for control in circuit.controls if control.name not in fast)


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
