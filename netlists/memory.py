"""Cells that remember, for Schmitt triggers, flip-flops, sample-and-hold and oscillators: capacitors that formulas charge.

Truth is a voltage from 0 to 1. A cell makes up its mind in `SETTLE` seconds, half a sample at 48 kHz, so that the trapezoidal rule does not ring;
pulses shorter than some five of these are lost. Rates are linear in the state, so that every sample has one solution. At rest a cell that nothing
decides is at 0.
"""

from __future__ import annotations

import math

from circuits.circuit import GROUND
from circuits.elements import BehaviouralCurrent, Capacitor, Resistor
from circuits.expressions import Call, Expression, Number, Time, Value, Voltage
from netlists.assembly import Assembly, Fields
from netlists.trees import expression

WIDTH = 0.005    # volts over which a gate changes its mind: it has to change smoothly
SETTLE = 1e-5    # s
HOLD = 1e-6      # F
KEEP = 0.05      # how sharply a cell that is read counts as 0 or 1
SHARP = 40.0     # hysteresis over the width of its thresholds: in the middle nothing moves the state for ages


def call(operation: str, *arguments: Value) -> Expression:
    """An operation on values."""
    return Call(operation, tuple(expression(argument) for argument in arguments))


def across(plus: str, minus: str) -> Expression:
    """The voltage from one node to another."""
    if plus == minus:
        return Number(0.0)
    return call("neg", Voltage(minus)) if plus == GROUND else Voltage(plus, minus)


def decided(v: Expression, threshold: Value, width: Value = WIDTH) -> Expression:
    """0 below a threshold and 1 above it, smoothly."""
    return call("mul", 0.5, call("add", 1.0, call("tanh", call("div", call("sub", v, threshold), width))))


class Memory:
    """The cells of one part."""

    def __init__(self, assembly: Assembly, fields: Fields):
        self.assembly, self.fields, self.count = assembly, fields, 0

    def cell(self, rate) -> Voltage:
        """A state whose derivative is ``rate(state)`` over `SETTLE`."""
        self.count += 1
        name = f"{self.fields.name}#{'state' if self.count == 1 else f'state{self.count}'}"
        state, place = Voltage(name), self.fields.place
        self.assembly.add(BehaviouralCurrent(f"{name}b", (GROUND, name), call("mul", HOLD / SETTLE, rate(state)), place))
        self.assembly.add(Capacitor(f"{name}c", (name, GROUND), HOLD, place=place))
        self.assembly.add(Resistor(f"{name}r", (name, GROUND), 1e15, place))
        return state

    def schmitt(self, v: Expression, threshold: Value, hysteresis: Value) -> Expression:
        """1 above threshold + hysteresis, 0 below threshold - hysteresis, as it was between them."""
        if hysteresis == 0.0:
            return decided(v, threshold)
        width = call("max", call("min", WIDTH, call("div", hysteresis, SHARP)), 1e-6)
        return self.set_reset(decided(v, call("add", threshold, hysteresis), width), call("sub", 1.0, decided(v, call("sub", threshold, hysteresis), width)))

    def set_reset(self, put: Expression, clear: Expression) -> Expression:
        """1 after ``put`` was high, 0 after ``clear`` was; ``clear`` wins."""
        def rate(state):
            put_alone = call("mul", put, call("sub", 1.0, clear))
            return call("sub", call("mul", put_alone, call("sub", 1.0, state)), call("mul", clear, state))
        return self.cell(rate)

    def clocked(self, data: Expression, clock: Expression, preset: Expression, clear: Expression) -> Expression:
        """The data at the last rise of the clock: one cell follows while the clock is low, another takes it over while it is high."""
        free = call("mul", call("sub", 1.0, preset), call("sub", 1.0, clear))

        def follows(goal, gate):
            def rate(state):
                forced = call("sub", call("mul", preset, call("sub", 1.0, state)), call("mul", clear, state))
                return call("add", call("mul", free, call("mul", gate, call("sub", goal, state))), forced)
            return rate

        first = self.cell(follows(data, call("sub", 1.0, clock)))
        return self.cell(follows(decided(first, 0.5, KEEP), clock))

    def held(self, v: Expression, clock: Expression, follow: Expression) -> Expression:
        """A voltage as it was at the last rise of the clock, or as it is while ``follow`` is high."""
        first = self.cell(lambda state: call("mul", call("sub", 1.0, clock), call("sub", v, state)))
        return self.cell(lambda state: call("add", call("mul", clock, call("sub", first, state)), call("mul", follow, call("sub", v, state))))

    def oscillator(self, frequency: Expression) -> tuple[Expression, Expression]:
        """Sine and cosine of a phase that moves with a frequency in hertz: a rotating pair, kept on the unit circle, that sets out from (0, 1)."""
        second = f"{self.fields.name}#state2"
        turn = call("mul", 2.0 * math.pi * SETTLE, frequency)

        def circle(x, y):
            squared = call("add", call("mul", x, x), call("mul", y, y))
            return call("mul", 0.01, call("mul", x, call("sub", 1.0, squared)))

        def from_rest(goal, state, moved):
            return call("if", call("gt", Time(), 0.0), moved, call("sub", goal, state))
        sine = self.cell(lambda state: from_rest(0.0, state, call("add", call("mul", turn, Voltage(second)), circle(state, Voltage(second)))))
        cosine = self.cell(lambda state: from_rest(1.0, state, call("sub", circle(state, sine), call("mul", turn, sine))))
        return sine, cosine
