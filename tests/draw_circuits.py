"""Random circuits that make sense: every node reaches ground, no loop of voltage sources, feedback that does not run away.

``circuit_from(choose)`` asks ``choose(n)`` for whole numbers below n and builds a circuit from the answers, so that both a random
generator and hypothesis (which shrinks the answers) can draw from it.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

from circuits.circuit import Card, Circuit
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, CurrentControlledCurrent,
                               CurrentControlledVoltage, CurrentSource, Device, IdealTransformer, Inductor, Nullor, Resistor,
                               VoltageControlledCurrent, VoltageControlledVoltage, VoltageSource)
from circuits.expressions import Call, Number, Voltage

DIODE = Card("d4148", "d", {"is": 2.52e-9, "n": 1.752, "cjo": 4e-12, "rs": 0.568, "tt": 2e-8})
PLAIN_DIODE = Card("plain", "d", {"is": 1e-12, "n": 1.5})
NPN = Card("npn1", "npn", {"is": 1e-14, "bf": 200.0, "br": 4.0, "vaf": 100.0, "cje": 8e-12, "cjc": 4e-12, "tf": 4e-10})
PNP = Card("pnp1", "pnp", {"is": 1e-14, "bf": 150.0, "br": 4.0})
TRIODE = Card("12ax7", "triode", {"mu": 100.0, "ex": 1.4, "kg1": 1060.0, "kp": 600.0, "kvb": 300.0})


class Bench:
    """Parts on a bench: adds elements with values drawn from the field's ranges."""

    def __init__(self, choose: Callable[[int], int]):
        self.choose = choose
        self.elements = [VoltageSource("vin", ("in", "0"), dc=0.0)]
        self.nodes = ["0", "in"]
        self.count = 0
        self.rails: dict[float, str] = {}

    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def node(self) -> str:
        return self.nodes[self.choose(len(self.nodes))]

    def other(self, than: str) -> str:
        rest = [node for node in self.nodes if node != than]
        return rest[self.choose(len(rest))]

    def fresh(self) -> str:
        self.nodes.append(f"n{len(self.nodes)}")
        return self.nodes[-1]

    def ohms(self) -> float:
        return (1.0, 100.0, 680.0, 1500.0, 4700.0, 10e3, 33e3, 100e3, 470e3, 1e6)[self.choose(10)]

    def farads(self) -> float:
        return (47e-12, 470e-12, 4.7e-9, 22e-9, 100e-9, 1e-6, 22e-6)[self.choose(7)]

    def add(self, element) -> None:
        self.elements.append(element)

    def resistor(self, a: str, b: str) -> None:
        self.add(Resistor(self.name("r"), (a, b), self.ohms()))

    def capacitor(self, a: str, b: str) -> None:
        self.add(Capacitor(self.name("c"), (a, b), self.farads()))

    def rail(self, volts: float) -> str:
        if volts not in self.rails:
            node = self.fresh()
            self.add(VoltageSource(self.name("vcc"), (node, "0"), dc=volts))
            self.rails[volts] = node
        return self.rails[volts]

    def tied(self) -> str:
        """A new node that reaches an old one through a resistor."""
        old = self.node()
        new = self.fresh()
        self.resistor(old, new)
        return new

    # --- stages -----------------------------------------------------------------------------------------------------
    def branch(self) -> None:
        a = self.node()
        b = self.other(a)
        (self.resistor, self.capacitor)[self.choose(2)](a, b)

    def low_pass(self) -> None:
        new = self.tied()
        self.capacitor(new, self.other(new))

    def coupling(self) -> None:
        old = self.node()
        new = self.fresh()
        self.capacitor(old, new)
        self.resistor(new, "0")

    def inductor(self) -> None:
        new = self.tied()
        self.add(Inductor(self.name("l"), (new, self.other(new)), (1e-3, 0.1, 4.0)[self.choose(3)]))

    def coupled_inductors(self) -> None:
        a, b = self.tied(), self.fresh()
        one, two = self.name("l"), self.name("l")
        self.resistor(b, "0")
        self.add(Inductor(one, (a, "0"), 1.0))
        self.add(Inductor(two, (b, "0"), 0.2))
        self.add(Coupling(self.name("k"), (one, two), (0.5, 0.98, 1.0)[self.choose(3)]))

    def transformer(self) -> None:
        a, b = self.tied(), self.fresh()
        self.resistor(b, "0")
        self.add(IdealTransformer(self.name("t"), (a, "0", b, "0"), (0.5, 3.0, -10.0)[self.choose(3)]))

    def current_source(self) -> None:
        a = self.tied()
        self.resistor(a, "0")
        self.add(CurrentSource(self.name("i"), ("0", a), dc=(1e-4, -1e-6)[self.choose(2)]))

    def voltage_controlled(self) -> None:
        a = self.node()
        control = (a, self.other(a))
        new = self.fresh()
        if self.choose(2):
            self.add(VoltageControlledVoltage(self.name("e"), (new, "0", *control), (-0.8, 0.5, 0.9)[self.choose(3)]))
        else:
            self.resistor(new, "0")
            self.add(VoltageControlledCurrent(self.name("g"), (new, "0", *control), (1e-7, -1e-6)[self.choose(2)]))

    def current_controlled(self) -> None:
        old = self.node()
        middle, end = self.fresh(), self.fresh()
        sensor = self.name("vs")
        self.resistor(old, middle)
        self.add(VoltageSource(sensor, (middle, end)))
        self.resistor(end, "0")
        new = self.fresh()
        self.resistor(new, "0")
        if self.choose(2):
            self.add(CurrentControlledCurrent(self.name("f"), (new, "0"), sensor, (0.5, -0.3)[self.choose(2)]))
        else:
            driven = self.fresh()
            self.resistor(driven, new)
            self.add(CurrentControlledVoltage(self.name("h"), (driven, "0"), sensor, (100.0, -10.0)[self.choose(2)]))

    def op_amp(self) -> None:
        source = self.node()
        minus, out = self.fresh(), self.fresh()
        plus = self.other(out)
        while plus == minus:
            plus = self.other(out)
        self.resistor(source if source not in (minus, out) else "in", minus)
        self.resistor(minus, out)
        self.capacitor(minus, out)
        if self.choose(2):
            self.add(Nullor(self.name("x"), ("0", minus, out, "0")))
        else:
            self.add(VoltageControlledVoltage(self.name("e"), (out, "0", "0", minus), 1e5))

    def diode(self) -> None:
        card = (DIODE, PLAIN_DIODE)[self.choose(2)]
        a = self.tied()
        b = self.other(a)
        for nodes in ((a, b), (b, a))[:1 + self.choose(2)]:
            self.add(Device(self.name("d"), nodes, card))

    def stack(self) -> None:
        # between two blocking junctions a voltage is set by picoamperes: nobody listens or connects there
        a, middle = self.tied(), self.name("m")
        self.add(Device(self.name("d"), (a, middle), PLAIN_DIODE))
        self.add(Device(self.name("d"), (middle, "0"), PLAIN_DIODE))

    def transistor(self) -> None:
        rail = self.rail(9.0)
        old = self.node()
        base, collector, emitter = self.fresh(), self.fresh(), self.fresh()
        self.capacitor(old, base)
        self.add(Resistor(self.name("r"), (rail, base), 470e3))
        self.add(Resistor(self.name("r"), (base, "0"), 100e3))
        self.add(Resistor(self.name("r"), (rail, collector), 10e3))
        self.add(Resistor(self.name("r"), (emitter, "0"), 1e3))
        self.add(Device(self.name("q"), (collector, base, emitter), NPN))

    def follower(self) -> None:
        rail = self.rail(9.0)
        base, emitter = self.tied(), self.fresh()
        self.add(Resistor(self.name("r"), (rail, emitter), 10e3))
        self.add(Device(self.name("q"), ("0", base, emitter), PNP))

    def triode(self) -> None:
        rail = self.rail(250.0)
        grid, plate, cathode = self.tied(), self.fresh(), self.fresh()
        self.add(Resistor(self.name("r"), (grid, "0"), 1e6))
        self.add(Resistor(self.name("r"), (rail, plate), 100e3))
        self.add(Resistor(self.name("r"), (cathode, "0"), 1500.0))
        self.add(Capacitor(self.name("c"), (cathode, "0"), 22e-6))
        self.add(Device(self.name("x"), (plate, grid, cathode), TRIODE))

    def behavioural(self) -> None:
        a = self.tied()
        if self.choose(2):
            # a soft conductance: 10 uA tanh(v)
            law = Call("mul", (Number(1e-5), Call("tanh", (Voltage(a, "0"),))))
            self.add(BehaviouralCurrent(self.name("b"), (a, "0"), law))
        else:
            new = self.fresh()
            law = Call("tanh", (Call("mul", (Number(0.7), Voltage(a, self.other(a)))),))
            self.add(BehaviouralVoltage(self.name("b"), (new, "0"), law))


STAGES = (Bench.branch, Bench.low_pass, Bench.branch, Bench.coupling, Bench.inductor, Bench.coupled_inductors, Bench.transformer,
          Bench.current_source, Bench.voltage_controlled, Bench.current_controlled, Bench.op_amp, Bench.diode, Bench.stack,
          Bench.transistor, Bench.follower, Bench.triode, Bench.behavioural)


def circuit_from(choose: Callable[[int], int], most_nodes: int = 25) -> Circuit:
    """A circuit of 2 to ``most_nodes`` nodes; its output is the node that was added last."""
    bench = Bench(choose)
    bench.low_pass()
    for _ in range(choose(7)):
        if len(bench.nodes) + 5 > most_nodes + 1:
            break
        STAGES[choose(len(STAGES))](bench)
    rails = set(bench.rails.values())
    output = next(node for node in reversed(bench.nodes) if node not in rails)
    return Circuit(tuple(bench.elements), input="vin", outputs=(output,))


def random_circuit(rng: np.random.Generator) -> Circuit:
    """`circuit_from` with answers from a generator."""
    return circuit_from(lambda n: int(rng.integers(n)))
