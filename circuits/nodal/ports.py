"""The nonlinear ports of a circuit: what controls its laws, where their outputs enter the equations, and how far Newton may move each.

A ``Row`` holds the entries of a sparse row (of Q, Qu) or column (of P) by index. Equal ones share an index, whatever their sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.devices.law import Limit

Row = dict[int, float]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far Newton may move each q: junction limits towards plus and minus, and a largest step; 0 means none."""

    plus_scale: np.ndarray
    plus_bound: np.ndarray
    minus_scale: np.ndarray
    minus_bound: np.ndarray
    step: np.ndarray


class Ports:
    """Collects rows of Q and Qu with their limits, and columns of P, while `circuits.nodal.equations.assemble` walks through the laws."""

    def __init__(self):
        self.q_rows: list[tuple[Row, Row]] = []
        self.column_rows: list[Row] = []
        self.column_charge: list[int] = []
        self._q: dict[tuple, int] = {}
        self._columns: dict[tuple, int] = {}
        self._limits: list[list[float]] = []

    def port(self, row: Row, drive: Row) -> tuple[int, float]:
        """Index and sign of a controlling quantity; equal ones share an index, whatever their sign."""
        items = tuple(sorted(row.items())) + tuple((-1 - k, s) for k, s in sorted(drive.items()))
        sign = 1.0 if not items or items[0][1] > 0 else -1.0
        key = tuple((k, s * sign) for k, s in items)
        if key not in self._q:
            self._q[key] = len(self.q_rows)
            self.q_rows.append(({k: s * sign for k, s in row.items()}, {k: s * sign for k, s in drive.items()}))
            self._limits.append([0.0, 0.0, 0.0, 0.0, 0.0])
        return self._q[key], sign

    def column(self, row: Row, inputs: tuple, charge: int) -> tuple[int, float]:
        """Index and sign of an output; laws on the same ports share the column of equal currents (antiparallel diodes)."""
        items = tuple(sorted(row.items()))
        sign = 1.0 if not items or items[0][1] > 0 else -1.0
        key = (tuple((k, s * sign) for k, s in items), frozenset(inputs), len(self.column_rows) if charge else -1)
        if key not in self._columns:
            self._columns[key] = len(self.column_rows)
            self.column_rows.append({k: s * sign for k, s in row.items()})
            self.column_charge.append(charge)
        return self._columns[key], sign

    def limit(self, port: int, sign: float, limit: Limit) -> None:
        """Hold a port to a law's limit too; the tightest of several counts."""
        limits = self._limits[port]
        if limit.kind == 1:
            for side, scale, bound in ((sign, limit.scale, limit.bound), (-sign, limit.back_scale, limit.back_bound)):
                at = 0 if side > 0 else 2
                if scale > 0.0 and (limits[at] == 0.0 or bound < limits[at + 1]):
                    limits[at], limits[at + 1] = scale, bound
        elif limit.kind == 2:
            limits[4] = limit.bound if limits[4] == 0.0 else min(limits[4], limit.bound)

    def limits(self) -> Limits:
        """Those of all ports."""
        return Limits(*np.array(self._limits).reshape(-1, 5).T.copy())

    def arrays(self, n: int, n_moving: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """P, shape (n, n_columns), Q, (n_ports, n), and Qu, (n_ports, n_moving), for n unknowns."""
        P = np.zeros((n, len(self.column_rows)))
        for k, row in enumerate(self.column_rows):
            P[list(row), k] = list(row.values())
        Q, Qu = np.zeros((len(self.q_rows), n)), np.zeros((len(self.q_rows), n_moving))
        for k, (row, drive) in enumerate(self.q_rows):
            Q[k, list(row)] = list(row.values())
            Qu[k, list(drive)] = list(drive.values())
        return P, Q, Qu
