"""A third solver, written for the tests alone: dense nodal analysis, trapezoidal companions, plain Newton in numpy.

It shares nothing with either engine but the element descriptions and the device laws, which it calls one by one.
"""

from __future__ import annotations

import numpy as np

from circuits.circuit import Circuit
from circuits.devices import families
from circuits.elements import (Capacitor, CurrentControlledCurrent, CurrentControlledVoltage, CurrentSource, Device, IdealTransformer,
                               Inductor, Nullor, Resistor, VoltageControlledCurrent, VoltageControlledVoltage, VoltageSource)


class Oracle:
    """Plays a circuit sample by sample from given node voltages at rest (currents of inductors too)."""

    def __init__(self, circuit: Circuit, rate: float, voltages: dict, currents: dict):
        self.circuit, self.rate = circuit.bound(), rate
        self.plain, self.laws = [], []
        waiting = list(self.circuit.elements)
        while waiting:
            element = waiting.pop(0)
            if isinstance(element, Device):
                placed = families.place(element, circuit.temperature)
                self.laws += placed.laws
                waiting += placed.elements
            else:
                self.plain.append(element)
        names = {n for e in self.plain for n in e.nodes} | {n for law in self.laws for pair in (*law.inputs, *law.currents, *law.charges) for n in pair}
        self.nodes = {name: k for k, name in enumerate(sorted(names - {"0"}))}
        kinds = (VoltageSource, VoltageControlledVoltage, Nullor, Inductor, CurrentControlledVoltage, IdealTransformer)
        self.branch = {e.name: len(self.nodes) + k for k, e in enumerate(e for e in self.plain if isinstance(e, kinds))}
        self.size = len(self.nodes) + len(self.branch)
        self.x = np.zeros(self.size)
        for name, k in self.nodes.items():
            self.x[k] = voltages[name]
        for name, k in self.branch.items():
            self.x[k] = currents.get(name, 0.0)
        self.memory = {}
        for e in self.plain:
            if isinstance(e, Capacitor):
                self.memory[e.name] = (self.v(e.nodes), 0.0)
            elif isinstance(e, Inductor):
                self.memory[e.name] = (0.0, currents[e.name])
        for k, law in enumerate(self.laws):
            values = self.evaluate(law)[0]
            for c in range(len(law.charges)):
                self.memory[k, c] = (values[len(law.currents) + c], 0.0)

    def row(self, pair) -> np.ndarray:
        row = np.zeros(self.size)
        for node, sign in zip(pair, (1.0, -1.0)):
            if node != "0":
                row[self.nodes[node]] += sign
        return row

    def v(self, pair) -> float:
        return float(self.row(pair) @ self.x)

    def evaluate(self, law):
        q = [self.v(pair) for pair in law.inputs]
        flat = law.law.function(*q, law.constants)
        n = len(law.currents) + len(law.charges)
        return np.array(flat[:n]), np.array(flat[n:]).reshape(n, len(q))

    def system(self, u: float):
        """Residual of all equations at x, and the Jacobian."""
        f, J = np.zeros(self.size), np.zeros((self.size, self.size))
        T = 1.0 / self.rate

        def current(pair, value, slope):
            row = self.row(pair)
            f[:] += row * value
            J[:] += np.outer(row, slope)
        for e in self.plain:
            k = self.branch.get(e.name)
            if isinstance(e, Resistor):
                current(e.nodes, self.v(e.nodes) / e.value, self.row(e.nodes) / e.value)
            elif isinstance(e, Capacitor):
                before, flow = self.memory[e.name]
                g = 2.0 * e.value / T
                current(e.nodes, g * (self.v(e.nodes) - before) - flow, g * self.row(e.nodes))
            elif isinstance(e, CurrentSource):
                current(e.nodes, u if e.name == self.circuit.input else e.dc, np.zeros(self.size))
            elif isinstance(e, VoltageControlledCurrent):
                current(e.nodes[:2], e.gain * self.v(e.nodes[2:]), e.gain * self.row(e.nodes[2:]))
            elif isinstance(e, CurrentControlledCurrent):
                current(e.nodes, e.gain * self.x[self.branch[e.sensor]], e.gain * np.eye(self.size)[self.branch[e.sensor]])
            elif isinstance(e, IdealTransformer):
                unit = np.eye(self.size)[k]
                current(e.nodes[:2], self.x[k], unit)
                current(e.nodes[2:], -e.ratio * self.x[k], -e.ratio * unit)
                f[k] = self.v(e.nodes[:2]) - e.ratio * self.v(e.nodes[2:])
                J[k] = self.row(e.nodes[:2]) - e.ratio * self.row(e.nodes[2:])
            elif k is not None:
                pair = e.nodes[2:] if isinstance(e, Nullor) else e.nodes[:2]
                current(pair, self.x[k], np.eye(self.size)[k])
                if isinstance(e, Nullor):
                    f[k], J[k] = self.v(e.nodes[:2]), self.row(e.nodes[:2])
                    continue
                f[k], J[k] = self.v(e.nodes[:2]), self.row(e.nodes[:2])
                if isinstance(e, VoltageSource):
                    f[k] -= e.dc + (u if e.name == self.circuit.input else 0.0)
                elif isinstance(e, VoltageControlledVoltage):
                    f[k] -= e.gain * self.v(e.nodes[2:])
                    J[k] -= e.gain * self.row(e.nodes[2:])
                elif isinstance(e, CurrentControlledVoltage):
                    f[k] -= e.gain * self.x[self.branch[e.sensor]]
                    J[k, self.branch[e.sensor]] -= e.gain
                else:
                    volts, before = self.memory[e.name]
                    r = 2.0 * e.value / T
                    f[k] += volts - r * (self.x[k] - before)
                    J[k, k] -= r
        for k, law in enumerate(self.laws):
            values, slopes = self.evaluate(law)
            rows = np.array([self.row(pair) for pair in law.inputs])
            for o, pair in enumerate((*law.currents, *law.charges)):
                value, slope = values[o], slopes[o] @ rows
                if o >= len(law.currents):
                    charge, flow = self.memory[k, o - len(law.currents)]
                    value, slope = 2.0 / T * (value - charge) - flow, 2.0 / T * slope
                current(pair, value, slope)
        return f, J

    def step(self, u: float) -> None:
        for _ in range(200):
            f, J = self.system(u)
            dx = np.linalg.solve(J, -f)
            moves = [(abs(float(self.row(pair) @ dx)), 0.1 if limit.kind == 1 else 20.0) for law in self.laws for pair, limit in zip(law.inputs, law.limits)]
            share = min([1.0, *(most / move for move, most in moves if move > most)])  # junctions 0.1 V a step, tubes 20 V
            self.x = self.x + share * dx
            if share == 1.0 and max((move for move, _ in moves), default=0.0) < 1e-9:  # quadratic: the error left is far smaller
                break
        else:
            raise ArithmeticError("the oracle did not converge")
        T = 1.0 / self.rate
        for e in self.plain:
            if isinstance(e, Capacitor):
                before, flow = self.memory[e.name]
                v = self.v(e.nodes)
                self.memory[e.name] = (v, 2.0 * e.value / T * (v - before) - flow)
            elif isinstance(e, Inductor):
                self.memory[e.name] = (self.v(e.nodes), self.x[self.branch[e.name]])
        for k, law in enumerate(self.laws):
            values, _ = self.evaluate(law)
            for c in range(len(law.charges)):
                charge, flow = self.memory[k, c]
                value = values[len(law.currents) + c]
                self.memory[k, c] = (value, 2.0 / T * (value - charge) - flow)

    def play(self, samples: np.ndarray) -> np.ndarray:
        """The first output, volts."""
        plus, _, minus = self.circuit.outputs[0].partition(",")
        found = []
        for u in samples:
            self.step(float(u))
            found.append(self.v((plus, minus or "0")))
        return np.array(found)
